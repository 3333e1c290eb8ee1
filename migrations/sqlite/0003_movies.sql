-- +goose Up
CREATE TABLE movies (
	id                 TEXT PRIMARY KEY NOT NULL,
	library_id         TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	identity           TEXT NOT NULL,
	title              TEXT NOT NULL,
	sort_title         TEXT NOT NULL,
	sort_key           TEXT NOT NULL, -- the sort title folded; what does not begin with a letter comes first
	letter             TEXT NOT NULL, -- of the alphabet beside a list, '#' for the rest
	title_key          TEXT NOT NULL, -- letters and digits of the title, folded
	original_key       TEXT NOT NULL, -- of the original title
	search_text        TEXT NOT NULL, -- words of both, folded, each behind a space
	original_title     TEXT NOT NULL,
	year               INTEGER NOT NULL, -- 0 unknown
	year_order         INTEGER NOT NULL, -- the same with the unknown last
	tagline            TEXT NOT NULL,
	runtime            REAL NOT NULL,
	rating             REAL NOT NULL,
	votes              INTEGER NOT NULL,
	certification      TEXT NOT NULL,
	release_date       TEXT NOT NULL,
	imdb_id            TEXT NOT NULL,
	tmdb_id            INTEGER NOT NULL,
	available          BOOLEAN NOT NULL,
	resolution         TEXT NOT NULL,
	hdr                BOOLEAN NOT NULL,
	audio_languages    TEXT NOT NULL, -- JSON
	subtitle_languages TEXT NOT NULL, -- JSON
	versions           INTEGER NOT NULL,
	random_key         INTEGER NOT NULL, -- of 0..2^31-2, for ever the same
	metadata_source    TEXT NOT NULL,
	added_at           INTEGER NOT NULL,
	added_year         INTEGER NOT NULL,
	updated_at         INTEGER NOT NULL,
	pictures_at        INTEGER, -- when pictures were last looked for
	countries          TEXT NOT NULL, -- JSON, as the next two
	studios            TEXT NOT NULL,
	directors          TEXT NOT NULL,
	overview           TEXT NOT NULL
);
-- A list is merged from its libraries', each in the order of an index, so that a deep page of any of them costs what the first one does.
-- The usual order also holds what films are filtered by, for a filter that few films pass is looked for among all.
CREATE INDEX movies_sort_key_idx ON movies (library_id, sort_key, id, year, rating, resolution, hdr, identity, audio_languages, subtitle_languages);
CREATE INDEX movies_year_order_idx ON movies (library_id, year_order, sort_key, id);
CREATE INDEX movies_year_idx ON movies (library_id, year DESC, sort_key, id);
CREATE INDEX movies_added_at_idx ON movies (library_id, added_at, id);
CREATE INDEX movies_rating_idx ON movies (library_id, rating, id);
CREATE INDEX movies_runtime_idx ON movies (library_id, runtime, id);
CREATE INDEX movies_random_key_idx ON movies (library_id, random_key, id);
-- What is counted is read from an index alone.
CREATE INDEX movies_letter_idx ON movies (library_id, letter, sort_key);
CREATE INDEX movies_added_year_idx ON movies (library_id, added_year, added_at);
CREATE INDEX movies_available_idx ON movies (library_id, available, runtime);
CREATE INDEX movies_identity_idx ON movies (identity, library_id, id);
CREATE INDEX movies_title_key_idx ON movies (library_id, title_key);
CREATE INDEX movies_original_key_idx ON movies (library_id, original_key);
CREATE INDEX movies_tmdb_id_idx ON movies (tmdb_id);
CREATE INDEX movies_imdb_id_idx ON movies (imdb_id);
-- Searching walks this index, which is a small part of the table.
CREATE INDEX movies_search_text_idx ON movies (search_text, id);

CREATE TABLE movie_genres (
	movie_id   TEXT NOT NULL REFERENCES movies (id) ON DELETE CASCADE,
	genre      TEXT NOT NULL,
	library_id TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE, -- the film's
	position   INTEGER NOT NULL,
	PRIMARY KEY (movie_id, genre)
);
CREATE INDEX movie_genres_genre_idx ON movie_genres (genre, movie_id);
CREATE INDEX movie_genres_library_id_idx ON movie_genres (library_id, genre);

CREATE TABLE movie_credits (
	movie_id   TEXT NOT NULL REFERENCES movies (id) ON DELETE CASCADE,
	position   INTEGER NOT NULL,
	department TEXT NOT NULL,
	billing    INTEGER NOT NULL,
	person     TEXT NOT NULL,
	person_key TEXT NOT NULL, -- folded
	role       TEXT NOT NULL,
	PRIMARY KEY (movie_id, position)
);
CREATE INDEX movie_credits_person_key_idx ON movie_credits (person_key, movie_id);

CREATE TABLE movie_images (
	id              TEXT PRIMARY KEY NOT NULL,
	movie_id        TEXT NOT NULL REFERENCES movies (id) ON DELETE CASCADE,
	library_id      TEXT NOT NULL REFERENCES libraries (id) ON DELETE CASCADE,
	kind            TEXT NOT NULL,
	width           INTEGER NOT NULL,
	height          INTEGER NOT NULL,
	thumbhash       TEXT NOT NULL,
	hash            TEXT NOT NULL,
	source          TEXT NOT NULL,
	source_path_id  TEXT,
	source_raw      BLOB,
	blob            TEXT NOT NULL,
	source_revision TEXT NOT NULL,
	updated_at      INTEGER NOT NULL
);
CREATE UNIQUE INDEX movie_images_movie_id_kind_key ON movie_images (movie_id, kind);
CREATE INDEX movie_images_library_id_idx ON movie_images (library_id);

-- Append-only. Films and files may be gone: nothing here refers to them.
CREATE TABLE watch_events (
	id          TEXT PRIMARY KEY NOT NULL,
	user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	identity    TEXT NOT NULL,
	movie_id    TEXT NOT NULL,
	title       TEXT NOT NULL,
	year        INTEGER NOT NULL,
	kind        TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	file_id     TEXT,
	position    REAL NOT NULL,
	duration    REAL NOT NULL,
	at          INTEGER NOT NULL
);
CREATE INDEX watch_events_user_id_identity_idx ON watch_events (user_id, identity, at);
CREATE INDEX watch_events_identity_idx ON watch_events (identity, movie_id);
CREATE INDEX watch_events_fingerprint_idx ON watch_events (fingerprint, identity) WHERE fingerprint <> '';

-- What the events of a user add up to for a film.
CREATE TABLE movie_watched (
	user_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	identity       TEXT NOT NULL,
	position       REAL NOT NULL,
	duration       REAL NOT NULL,
	progress       REAL NOT NULL,
	watched        BOOLEAN NOT NULL,
	play_count     INTEGER NOT NULL,
	last_played_at INTEGER,
	watched_at     INTEGER,
	file_id        TEXT,
	dismissed      BOOLEAN NOT NULL,
	PRIMARY KEY (user_id, identity)
);
CREATE INDEX movie_watched_user_id_last_played_at_idx ON movie_watched (user_id, last_played_at);
CREATE INDEX movie_watched_identity_idx ON movie_watched (identity);

-- The last progress or watched event of each user, day (UTC, counted from 1970) and film: the history without a walk over all events.
CREATE TABLE watch_days (
	user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	day      INTEGER NOT NULL,
	identity TEXT NOT NULL,
	at       INTEGER NOT NULL,
	event_id TEXT NOT NULL REFERENCES watch_events (id) ON DELETE CASCADE,
	PRIMARY KEY (user_id, day, identity)
);
CREATE INDEX watch_days_user_id_at_idx ON watch_days (user_id, at, event_id);
CREATE INDEX watch_days_identity_idx ON watch_days (identity);
CREATE INDEX watch_days_event_id_idx ON watch_days (event_id);

-- +goose Down
DROP TABLE watch_days;
DROP TABLE movie_watched;
DROP TABLE watch_events;
DROP TABLE movie_images;
DROP TABLE movie_credits;
DROP TABLE movie_genres;
DROP TABLE movies;
