-- +goose Up
CREATE TABLE libraries (
	id         TEXT PRIMARY KEY NOT NULL,
	name       TEXT NOT NULL,
	name_key   TEXT NOT NULL, -- canonical form
	restricted BOOLEAN NOT NULL,
	open       BOOLEAN NOT NULL,
	locale     TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX libraries_name_key_key ON libraries (name_key);

CREATE TABLE library_paths (
	id           TEXT PRIMARY KEY NOT NULL,
	library_id   TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	raw          BLOB NOT NULL,
	path         TEXT NOT NULL,
	state        TEXT NOT NULL,
	reason       TEXT NOT NULL,
	vanished     INTEGER NOT NULL,
	frozen_at    INTEGER,
	scanned_at   INTEGER,
	confirmed_at INTEGER
);
CREATE UNIQUE INDEX library_paths_raw_key ON library_paths (raw);
CREATE INDEX library_paths_library_id_idx ON library_paths (library_id, id);

CREATE TABLE library_access (
	library_id TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	granted_at INTEGER NOT NULL,
	PRIMARY KEY (library_id, user_id)
);
CREATE INDEX library_access_user_id_idx ON library_access (user_id);

CREATE TABLE scans (
	id            TEXT PRIMARY KEY NOT NULL,
	library_id    TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	state         TEXT NOT NULL,
	stage         TEXT NOT NULL,
	"trigger"     TEXT NOT NULL,
	folders       TEXT NOT NULL, -- JSON list of base64
	"cursor"      BLOB,
	found         INTEGER NOT NULL,
	read_total    INTEGER NOT NULL,
	read          INTEGER NOT NULL,
	failed        INTEGER NOT NULL,
	match_total   INTEGER NOT NULL,
	matched       INTEGER NOT NULL,
	artwork_total INTEGER NOT NULL,
	artwork       INTEGER NOT NULL,
	added         INTEGER NOT NULL,
	changed       INTEGER NOT NULL,
	moved         INTEGER NOT NULL,
	missing       INTEGER NOT NULL,
	error         TEXT NOT NULL,
	created_at    INTEGER NOT NULL,
	started_at    INTEGER,
	finished_at   INTEGER
);
CREATE UNIQUE INDEX scans_library_id_key ON scans (library_id) WHERE state IN ('queued', 'running');
CREATE INDEX scans_library_id_created_at_idx ON scans (library_id, created_at, id);

-- +goose Down
DROP TABLE scans;
DROP TABLE library_access;
DROP TABLE library_paths;
DROP TABLE libraries;
