-- +goose Up
CREATE TABLE user_mfa_settings (
	user_id    TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	enabled    BOOLEAN NOT NULL,
	enabled_at INTEGER,
	enabled_by TEXT, -- a session
	updated_at INTEGER NOT NULL
);

CREATE TABLE user_totp_secrets (
	user_id      TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	secret       BLOB, -- sealed; NULL until its first code was shown
	pending      BLOB, -- sealed; waits for its first code
	created_at   INTEGER NOT NULL,
	confirmed_at INTEGER,
	last_step    INTEGER NOT NULL, -- of 30 s since 1970
	last_used_at INTEGER
);

CREATE TABLE webauthn_credentials (
	id              TEXT PRIMARY KEY NOT NULL,
	user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name            TEXT NOT NULL,
	credential_id   BLOB NOT NULL,
	public_key      BLOB NOT NULL, -- COSE
	rp_id           TEXT NOT NULL,
	counter         INTEGER NOT NULL,
	aaguid          BLOB NOT NULL,
	transports      TEXT NOT NULL, -- JSON
	attachment      TEXT NOT NULL,
	discoverable    BOOLEAN NOT NULL,
	backup_eligible BOOLEAN NOT NULL,
	backed_up       BOOLEAN NOT NULL,
	created_at      INTEGER NOT NULL,
	last_used_at    INTEGER,
	cloned_at       INTEGER
);
CREATE UNIQUE INDEX webauthn_credentials_credential_id_key ON webauthn_credentials (credential_id);
CREATE INDEX webauthn_credentials_user_id_idx ON webauthn_credentials (user_id);

CREATE TABLE mfa_backup_codes (
	id         TEXT PRIMARY KEY NOT NULL,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	hash       BLOB NOT NULL, -- SHA-256
	created_at INTEGER NOT NULL,
	used_at    INTEGER,
	used_ip    TEXT NOT NULL
);
CREATE UNIQUE INDEX mfa_backup_codes_user_id_hash_key ON mfa_backup_codes (user_id, hash);

CREATE TABLE trusted_devices (
	id           TEXT PRIMARY KEY NOT NULL,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	hash         BLOB NOT NULL, -- SHA-256
	name         TEXT NOT NULL,
	ip           TEXT NOT NULL,
	last_used_at INTEGER NOT NULL,
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX trusted_devices_hash_key ON trusted_devices (hash);
CREATE INDEX trusted_devices_user_id_idx ON trusted_devices (user_id);
CREATE INDEX trusted_devices_expires_at_idx ON trusted_devices (expires_at);

-- +goose Down
DROP TABLE trusted_devices;
DROP TABLE mfa_backup_codes;
DROP TABLE webauthn_credentials;
DROP TABLE user_totp_secrets;
DROP TABLE user_mfa_settings;
