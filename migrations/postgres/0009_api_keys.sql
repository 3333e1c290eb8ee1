-- +goose Up
CREATE TABLE api_keys (
	id                  UUID PRIMARY KEY NOT NULL,
	user_id             UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name                TEXT NOT NULL,
	prefix              TEXT NOT NULL,
	hash                BYTEA NOT NULL, -- SHA-256 of the key
	requests_per_minute BIGINT,
	created_at          BIGINT NOT NULL,
	expires_at          BIGINT,
	last_used_at        BIGINT,
	last_used_ip        TEXT NOT NULL
);
CREATE UNIQUE INDEX api_keys_hash_key ON api_keys (hash);
CREATE INDEX api_keys_user_id_idx ON api_keys (user_id);

CREATE TABLE api_key_permissions (
	key_id     UUID NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
	permission TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (key_id, permission)
);

-- +goose Down
DROP TABLE api_key_permissions;
DROP TABLE api_keys;
