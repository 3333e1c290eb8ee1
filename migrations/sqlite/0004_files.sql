-- +goose Up
CREATE TABLE movie_files (
	id            TEXT PRIMARY KEY NOT NULL,
	library_id    TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	path_id       TEXT NOT NULL REFERENCES library_paths (id) ON DELETE CASCADE,
	movie_id      TEXT REFERENCES movies (id) ON DELETE SET NULL,
	walk_key      BLOB NOT NULL, -- the raw relative path with 0 for '/': the order of a depth-first walk
	folder        BLOB NOT NULL, -- the raw folder of the path, '' for the library path itself
	path          TEXT NOT NULL, -- display form
	kind          TEXT NOT NULL,
	state         TEXT NOT NULL,
	reason_code   TEXT NOT NULL,
	reason        TEXT NOT NULL,
	size          INTEGER NOT NULL,
	modified_at   INTEGER NOT NULL,
	fingerprint   TEXT NOT NULL,
	revision      TEXT NOT NULL,
	version       TEXT NOT NULL,
	version_key   TEXT NOT NULL,
	part          INTEGER NOT NULL,
	edition       TEXT NOT NULL, -- JSON list
	resolution    TEXT NOT NULL,
	source        TEXT NOT NULL,
	extra_kind    TEXT NOT NULL,
	title         TEXT NOT NULL,
	media         TEXT, -- JSON
	sidecars      TEXT NOT NULL, -- JSON list
	missing_since INTEGER,
	vanished_at   INTEGER,
	inode         TEXT NOT NULL,
	beside        TEXT NOT NULL,
	matched_at    INTEGER,
	added_at      INTEGER NOT NULL,
	updated_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX movie_files_path_id_walk_key_key ON movie_files (path_id, walk_key);
CREATE INDEX movie_files_library_id_idx ON movie_files (library_id, path_id, walk_key);
CREATE INDEX movie_files_movie_id_idx ON movie_files (movie_id);
CREATE INDEX movie_files_folder_idx ON movie_files (path_id, folder);
CREATE INDEX movie_files_fingerprint_idx ON movie_files (fingerprint, library_id) WHERE fingerprint <> '';
CREATE INDEX movie_files_attention_idx ON movie_files (library_id, path_id, walk_key) WHERE state <> 'ready';
CREATE INDEX movie_files_vanished_at_idx ON movie_files (path_id, vanished_at) WHERE vanished_at IS NOT NULL;
CREATE INDEX movie_files_unsorted_idx ON movie_files (library_id, path_id, walk_key) WHERE matched_at IS NULL;
CREATE INDEX movie_files_unmatched_idx ON movie_files (library_id, path_id, walk_key) WHERE movie_id IS NULL AND kind = 'movie';

-- +goose Down
DROP TABLE movie_files;
