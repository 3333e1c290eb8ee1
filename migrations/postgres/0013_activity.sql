-- +goose Up
-- Who did what. Months are partitions of their own (activity_logs_2026_11), made ahead and dropped when they expire; what has none yet goes to the
-- default one, so that writing never fails. No foreign key: entries outlive accounts.
CREATE TABLE activity_logs (
	id            UUID NOT NULL,
	at            BIGINT NOT NULL,
	user_id       UUID,
	username      TEXT NOT NULL,
	action        TEXT COLLATE "C" NOT NULL,
	resource_type TEXT COLLATE "C" NOT NULL,
	resource_id   TEXT COLLATE "C" NOT NULL,
	resource_name TEXT NOT NULL,
	ip            TEXT COLLATE "C" NOT NULL,
	user_agent    TEXT NOT NULL,
	success       BOOLEAN NOT NULL,
	details       TEXT NOT NULL, -- JSON
	PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE TABLE activity_logs_default PARTITION OF activity_logs DEFAULT;
CREATE INDEX activity_logs_user_id_idx ON activity_logs (user_id, at, id);
CREATE INDEX activity_logs_action_idx ON activity_logs (action, at, id);
CREATE INDEX activity_logs_resource_idx ON activity_logs (resource_type, resource_id, at, id);

-- +goose Down
DROP TABLE activity_logs;
