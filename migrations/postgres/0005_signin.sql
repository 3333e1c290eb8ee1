-- +goose Up
ALTER TABLE users ADD COLUMN email_verified_at BIGINT;
ALTER TABLE users ADD COLUMN deleted_at BIGINT;
CREATE INDEX users_deleted_at_idx ON users (deleted_at) WHERE deleted_at IS NOT NULL;

-- What an account was used on.
CREATE TABLE session_devices (
	id           UUID PRIMARY KEY NOT NULL,
	user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	fingerprint  BYTEA NOT NULL, -- SHA-256
	name         TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	last_seen_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX session_devices_user_id_fingerprint_key ON session_devices (user_id, fingerprint);

-- The defaults are for sessions that a server of the version before opens while both run: they prove nothing.
ALTER TABLE sessions ADD COLUMN device_id UUID;
ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
ALTER TABLE sessions ADD COLUMN mfa_verified BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sessions ADD COLUMN mfa_verified_at BIGINT;
ALTER TABLE sessions ADD COLUMN authenticated_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX sessions_device_id_idx ON sessions (device_id);

-- What clients were asked and have not answered yet.
CREATE TABLE auth_challenges (
	hash       BYTEA PRIMARY KEY NOT NULL, -- SHA-256 of the client's token
	purpose    TEXT NOT NULL,
	user_id    UUID REFERENCES users (id) ON DELETE CASCADE,
	data       BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX auth_challenges_expires_at_idx ON auth_challenges (expires_at);
CREATE INDEX auth_challenges_user_id_idx ON auth_challenges (user_id);

-- +goose Down
DROP TABLE auth_challenges;
DROP INDEX sessions_device_id_idx;
ALTER TABLE sessions DROP COLUMN authenticated_at;
ALTER TABLE sessions DROP COLUMN mfa_verified_at;
ALTER TABLE sessions DROP COLUMN mfa_verified;
ALTER TABLE sessions DROP COLUMN method;
ALTER TABLE sessions DROP COLUMN device_id;
DROP TABLE session_devices;
DROP INDEX users_deleted_at_idx;
ALTER TABLE users DROP COLUMN deleted_at;
ALTER TABLE users DROP COLUMN email_verified_at;
