-- +goose Up
-- Attempts to show a secret, by what they are counted on (S4).
CREATE TABLE auth_attempts (
	key           TEXT COLLATE "C" PRIMARY KEY NOT NULL,
	allowed       BIGINT NOT NULL,
	failures      BIGINT NOT NULL,
	taken         BIGINT NOT NULL,           -- attempts that run
	taken_until   BIGINT NOT NULL,           -- then none runs any more
	generation    BIGINT NOT NULL,           -- of those that run: grows when some were given up
	blocked_until BIGINT NOT NULL,
	expires_at    BIGINT NOT NULL            -- when the failures are forgotten
);
CREATE INDEX auth_attempts_expires_at_idx ON auth_attempts (expires_at);

-- +goose Down
DROP TABLE auth_attempts;
