-- +goose Up
-- Who did what. No foreign key: entries outlive accounts.
CREATE TABLE activity_logs (
	id            TEXT NOT NULL,
	at            INTEGER NOT NULL,
	user_id       TEXT,
	username      TEXT NOT NULL,
	action        TEXT NOT NULL,
	resource_type TEXT NOT NULL,
	resource_id   TEXT NOT NULL,
	resource_name TEXT NOT NULL,
	ip            TEXT NOT NULL,
	user_agent    TEXT NOT NULL,
	success       BOOLEAN NOT NULL,
	details       TEXT NOT NULL, -- JSON
	PRIMARY KEY (at, id)
);
CREATE INDEX activity_logs_user_id_idx ON activity_logs (user_id, at, id);
CREATE INDEX activity_logs_action_idx ON activity_logs (action, at, id);
CREATE INDEX activity_logs_resource_idx ON activity_logs (resource_type, resource_id, at, id);

-- +goose Down
DROP TABLE activity_logs;
