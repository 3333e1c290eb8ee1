-- +goose Up
-- Attempts to show a secret, by what they are counted on (S4).
CREATE TABLE auth_attempts (
	key           TEXT PRIMARY KEY NOT NULL,
	allowed       INTEGER NOT NULL,
	failures      INTEGER NOT NULL,
	taken         INTEGER NOT NULL,           -- attempts that run
	taken_until   INTEGER NOT NULL,           -- then none runs any more
	generation    INTEGER NOT NULL,           -- of those that run: grows when some were given up
	blocked_until INTEGER NOT NULL,
	expires_at    INTEGER NOT NULL            -- when the failures are forgotten
);
CREATE INDEX auth_attempts_expires_at_idx ON auth_attempts (expires_at);

-- +goose Down
DROP TABLE auth_attempts;
