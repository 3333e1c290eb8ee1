-- +goose Up
CREATE TABLE users (
	id            TEXT PRIMARY KEY NOT NULL,
	username      TEXT NOT NULL,
	username_key  TEXT NOT NULL, -- canonical form, for the order of lists
	display_name  TEXT NOT NULL,
	email         TEXT NOT NULL,
	disabled      BOOLEAN NOT NULL,
	password_hash TEXT NOT NULL,
	created_at    INTEGER NOT NULL,
	updated_at    INTEGER NOT NULL,
	last_login_at INTEGER
);
CREATE INDEX users_username_key_idx ON users (username_key, id);

-- What an account signs in with, in canonical form: one table, so that a name cannot equal another account's address.
CREATE TABLE user_logins (
	login   TEXT PRIMARY KEY NOT NULL,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX user_logins_user_id_idx ON user_logins (user_id);

CREATE TABLE user_roles (
	user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	role     TEXT NOT NULL,
	position INTEGER NOT NULL,
	PRIMARY KEY (user_id, role)
);
CREATE INDEX user_roles_role_idx ON user_roles (role, user_id);

CREATE TABLE user_preferences (
	user_id           TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	audio_language    TEXT NOT NULL,
	subtitle_language TEXT NOT NULL,
	subtitle_mode     TEXT NOT NULL,
	language          TEXT NOT NULL,
	updated_at        INTEGER NOT NULL
);

CREATE TABLE sessions (
	id           TEXT PRIMARY KEY NOT NULL,
	user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	device       TEXT NOT NULL,
	user_agent   TEXT NOT NULL,
	ip           TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	last_seen_at INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	revoked_at   INTEGER
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id, last_seen_at);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Refresh tokens; a session's are a family.
CREATE TABLE auth_tokens (
	hash       BLOB PRIMARY KEY NOT NULL, -- SHA-256
	session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	generation INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_at    INTEGER
);
CREATE UNIQUE INDEX auth_tokens_session_id_generation_key ON auth_tokens (session_id, generation);

-- The server's own sealed values.
CREATE TABLE server_secrets (
	name       TEXT PRIMARY KEY NOT NULL,
	sealed     BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER
);

-- +goose Down
DROP TABLE server_secrets;
DROP TABLE auth_tokens;
DROP TABLE sessions;
DROP TABLE user_preferences;
DROP TABLE user_roles;
DROP TABLE user_logins;
DROP TABLE users;
