-- +goose Up
CREATE TABLE api_keys (
	id                  TEXT PRIMARY KEY NOT NULL,
	user_id             TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name                TEXT NOT NULL,
	prefix              TEXT NOT NULL,
	hash                BLOB NOT NULL, -- SHA-256 of the key
	requests_per_minute INTEGER,
	created_at          INTEGER NOT NULL,
	expires_at          INTEGER,
	last_used_at        INTEGER,
	last_used_ip        TEXT NOT NULL
);
CREATE UNIQUE INDEX api_keys_hash_key ON api_keys (hash);
CREATE INDEX api_keys_user_id_idx ON api_keys (user_id);

CREATE TABLE api_key_permissions (
	key_id     TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
	permission TEXT NOT NULL,
	PRIMARY KEY (key_id, permission)
);

-- +goose Down
DROP TABLE api_key_permissions;
DROP TABLE api_keys;
