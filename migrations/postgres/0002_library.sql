-- +goose Up
CREATE TABLE libraries (
	id         UUID PRIMARY KEY NOT NULL,
	name       TEXT NOT NULL,
	name_key   TEXT COLLATE "C" NOT NULL, -- canonical form
	restricted BOOLEAN NOT NULL,
	open       BOOLEAN NOT NULL,
	locale     TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX libraries_name_key_key ON libraries (name_key);

CREATE TABLE library_paths (
	id           UUID PRIMARY KEY NOT NULL,
	library_id   UUID NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	raw          BYTEA NOT NULL,
	path         TEXT NOT NULL,
	state        TEXT NOT NULL,
	reason       TEXT NOT NULL,
	vanished     INTEGER NOT NULL,
	frozen_at    BIGINT,
	scanned_at   BIGINT,
	confirmed_at BIGINT
);
CREATE UNIQUE INDEX library_paths_raw_key ON library_paths (raw);
CREATE INDEX library_paths_library_id_idx ON library_paths (library_id, id);

CREATE TABLE library_access (
	library_id UUID NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	granted_at BIGINT NOT NULL,
	PRIMARY KEY (library_id, user_id)
);
CREATE INDEX library_access_user_id_idx ON library_access (user_id);

CREATE TABLE scans (
	id            UUID PRIMARY KEY NOT NULL,
	library_id    UUID NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	state         TEXT COLLATE "C" NOT NULL,
	stage         TEXT NOT NULL,
	"trigger"     TEXT NOT NULL,
	folders       TEXT NOT NULL, -- JSON list of base64
	"cursor"      BYTEA,
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
	created_at    BIGINT NOT NULL,
	started_at    BIGINT,
	finished_at   BIGINT
);
CREATE UNIQUE INDEX scans_library_id_key ON scans (library_id) WHERE state IN ('queued', 'running');
CREATE INDEX scans_library_id_created_at_idx ON scans (library_id, created_at, id);

-- +goose Down
DROP TABLE scans;
DROP TABLE library_access;
DROP TABLE library_paths;
DROP TABLE libraries;
