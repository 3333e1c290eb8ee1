-- +goose Up
-- The revision of the account's picture, empty for none: what lists say of it without reading it.
ALTER TABLE users ADD COLUMN avatar TEXT NOT NULL DEFAULT '';
-- A password of fewer characters than an account without a second factor may have (hashes do not tell).
ALTER TABLE users ADD COLUMN password_short BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE user_avatars (
	user_id    TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	revision   TEXT NOT NULL,
	media_type TEXT NOT NULL,
	data       BLOB NOT NULL,
	created_at INTEGER NOT NULL
);

-- What was sent to somebody's address, or handed over by an administrator: only hashes, and at most one of a kind per account.
CREATE TABLE password_reset_tokens (
	hash       BLOB PRIMARY KEY NOT NULL, -- SHA-256
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	email      TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX password_reset_tokens_user_id_key ON password_reset_tokens (user_id);
CREATE INDEX password_reset_tokens_expires_at_idx ON password_reset_tokens (expires_at);

CREATE TABLE email_verification_tokens (
	hash       BLOB PRIMARY KEY NOT NULL, -- SHA-256
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	email      TEXT NOT NULL, -- which this confirms
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX email_verification_tokens_user_id_key ON email_verification_tokens (user_id);
CREATE INDEX email_verification_tokens_expires_at_idx ON email_verification_tokens (expires_at);

CREATE TABLE invitations (
	id         TEXT PRIMARY KEY NOT NULL,
	code_hash  BLOB NOT NULL, -- SHA-256
	email      TEXT NOT NULL,
	roles      TEXT NOT NULL, -- JSON
	creator_id TEXT,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_at    INTEGER,
	used_by    TEXT NOT NULL,
	revoked_at INTEGER
);
CREATE UNIQUE INDEX invitations_code_hash_key ON invitations (code_hash);
CREATE INDEX invitations_created_at_idx ON invitations (created_at, id);

-- Who asked for an account and has not shown yet that the address is theirs. A name is reserved for as long, whether the address is free or not.
CREATE TABLE registrations (
	id            TEXT PRIMARY KEY NOT NULL,
	username      TEXT NOT NULL,
	username_key  TEXT NOT NULL, -- canonical form
	display_name  TEXT NOT NULL,
	email         TEXT NOT NULL,
	email_key     TEXT NOT NULL, -- canonical form
	password_hash TEXT NOT NULL,
	roles         TEXT NOT NULL, -- JSON
	code_hash     BLOB, -- SHA-256; NULL until a code was sent
	ip            TEXT NOT NULL,
	created_at    INTEGER NOT NULL,
	mailed_at     INTEGER,
	expires_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX registrations_username_key_key ON registrations (username_key);
CREATE UNIQUE INDEX registrations_code_hash_key ON registrations (code_hash);
CREATE INDEX registrations_email_key_idx ON registrations (email_key);
CREATE INDEX registrations_ip_idx ON registrations (ip, created_at);
CREATE INDEX registrations_expires_at_idx ON registrations (expires_at);

-- +goose Down
DROP TABLE registrations;
DROP TABLE invitations;
DROP TABLE email_verification_tokens;
DROP TABLE password_reset_tokens;
DROP TABLE user_avatars;
ALTER TABLE users DROP COLUMN password_short;
ALTER TABLE users DROP COLUMN avatar;
