-- +goose Up
-- What administrators set; a row without value and sealed is back at its default.
CREATE TABLE server_settings (
	name       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	value      TEXT, -- JSON
	sealed     BYTEA, -- JSON, sealed: secret ones
	updated_at BIGINT NOT NULL,
	updated_by UUID REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX server_settings_updated_by_idx ON server_settings (updated_by);

-- What clients keep for an account.
CREATE TABLE user_settings (
	user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	name       TEXT COLLATE "C" NOT NULL,
	value      TEXT NOT NULL, -- JSON
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (user_id, name)
);

-- Messages that wait to be sent.
CREATE TABLE mail_outbox (
	id         UUID PRIMARY KEY NOT NULL,
	sealed     BYTEA NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE INDEX mail_outbox_created_at_idx ON mail_outbox (created_at);

-- +goose Down
DROP TABLE mail_outbox;
DROP TABLE user_settings;
DROP TABLE server_settings;
