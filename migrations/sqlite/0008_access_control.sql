-- +goose Up
-- Roles that were made on this server; the default ones are in the program.
CREATE TABLE roles (
	name        TEXT PRIMARY KEY NOT NULL,
	description TEXT NOT NULL,
	created_at  INTEGER NOT NULL,
	updated_at  INTEGER NOT NULL
);

-- What Casbin decides by. p: role v0 has permission v2 in domain v1. g: v0 has role v1 in domain v2, where v0 is a role that inherits, or an account.
-- A domain is a library's id, or * for everywhere. Which roles accounts have everywhere is in user_roles.
CREATE TABLE casbin_rules (
	ptype      TEXT NOT NULL,
	v0         TEXT NOT NULL,
	v1         TEXT NOT NULL,
	v2         TEXT NOT NULL,
	user_id    TEXT REFERENCES users (id) ON DELETE CASCADE, -- the account that v0 names
	library_id TEXT REFERENCES libraries (id) ON DELETE CASCADE, -- the library that v2 names
	created_at INTEGER NOT NULL,
	PRIMARY KEY (ptype, v0, v1, v2)
);
CREATE INDEX casbin_rules_v1_idx ON casbin_rules (v1, ptype);
CREATE INDEX casbin_rules_user_id_idx ON casbin_rules (user_id);
CREATE INDEX casbin_rules_library_id_idx ON casbin_rules (library_id);

-- One row, which every change of a role counts up: what processes compare to know whether theirs is current.
CREATE TABLE policy_versions (
	id      INTEGER PRIMARY KEY NOT NULL,
	version INTEGER NOT NULL
);
INSERT INTO policy_versions (id, version) VALUES (1, 1);

-- +goose Down
DROP TABLE policy_versions;
DROP TABLE casbin_rules;
DROP TABLE roles;
