package asynqjobs

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The tables are the adapter's own, like River's, and outside the schema that both databases have in common. All times are the database's (R15). A change
// of them only adds, so that the version before goes on beside.
//
// A row of outbox is handed over once handed_at is set, under task_id, and is back when it is not. turn counts the claims: what an earlier one
// still does is recorded no more. losses counts the processes in a row that were lost with the job. While a job runs its process prolongs lease_until; after that the job is anybody's.
//
// ended is the state once the job is over. No index has the state itself, nor anything else that a claim changes, and pages are half empty: so a claim
// writes its row beside the one before and touches no index (PostgreSQL's heap-only tuples).
const tables = `
CREATE TABLE IF NOT EXISTS outbox (
	id UUID PRIMARY KEY,
	kind TEXT NOT NULL,
	queue TEXT NOT NULL,
	key TEXT NOT NULL,
	payload JSONB NOT NULL,
	priority SMALLINT NOT NULL,
	state TEXT NOT NULL DEFAULT 'waiting',
	attempt INTEGER NOT NULL DEFAULT 0,
	turn INTEGER NOT NULL DEFAULT 0,
	losses INTEGER NOT NULL DEFAULT 0,
	failures JSONB NOT NULL DEFAULT '[]',
	trace TEXT NOT NULL DEFAULT '',
	done INTEGER NOT NULL DEFAULT 0,
	total INTEGER NOT NULL DEFAULT 0,
	process TEXT NOT NULL DEFAULT '',
	task_id TEXT NOT NULL DEFAULT '',
	cancelling BOOLEAN NOT NULL DEFAULT FALSE,
	created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
	run_at TIMESTAMPTZ NOT NULL,
	handed_at TIMESTAMPTZ,
	started_at TIMESTAMPTZ,
	lease_until TIMESTAMPTZ,
	finished_at TIMESTAMPTZ,
	ended TEXT
) WITH (fillfactor = 50);
` + indexes + `
CREATE TABLE IF NOT EXISTS outbox_pause (queue TEXT PRIMARY KEY, paused_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS outbox_schedule (kind TEXT, key TEXT, slot BIGINT NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE IF NOT EXISTS outbox_process (
	id TEXT PRIMARY KEY,
	host TEXT NOT NULL,
	workers JSONB NOT NULL,
	started_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
	seen_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);`

const indexes = `
CREATE UNIQUE INDEX IF NOT EXISTS outbox_key ON outbox (kind, key) WHERE key <> '' AND ended IS NULL;
CREATE INDEX IF NOT EXISTS outbox_newest ON outbox (kind, key, id) WHERE key <> '';
CREATE INDEX IF NOT EXISTS outbox_ended ON outbox (ended, finished_at, handed_at);`

// addEnded changes tables of the time before any release, when indexes had the state.
const addEnded = `
ALTER TABLE outbox ADD COLUMN ended TEXT;
ALTER TABLE outbox SET (fillfactor = 50);
UPDATE outbox SET ended = state WHERE finished_at IS NOT NULL;
DROP INDEX IF EXISTS outbox_key, outbox_due, outbox_handed, outbox_running, outbox_kind, outbox_state, outbox_finished;
` + indexes

// makeTables makes what is absent. Processes that start together wait for one another.
func makeTables(ctx context.Context, pool *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('revenge outbox'))"); err != nil {
			return err
		}
		var there, ended, river bool
		if err := tx.QueryRow(ctx, whatIsThere).Scan(&there, &ended, &river); err != nil {
			return err
		}
		statement := ""
		switch {
		case !there:
			statement = tables
		case !ended:
			statement = addEnded
		}
		if statement != "" {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		if !river {
			return nil
		}
		_, err := tx.Exec(ctx, adoptRivers)
		return err
	})
}

const whatIsThere = `SELECT to_regclass('outbox_process') IS NOT NULL, EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('outbox') AND attname = 'ended'),
	to_regclass('river_process') IS NOT NULL`

// adoptRivers moves the unfinished jobs of an installation that used River until now, save those that a process of it runs.
const adoptRivers = `WITH left_over AS (
		UPDATE river_job j SET state = 'cancelled', finalized_at = now()
		WHERE state IN ('available', 'pending', 'scheduled', 'retryable') OR state = 'running'
			AND NOT EXISTS (SELECT 1 FROM river_process p WHERE p.id = j.attempted_by[array_length(j.attempted_by, 1)] AND p.seen_at > extract(epoch FROM clock_timestamp()) * 1000000 - 60000000)
		RETURNING kind, queue, args, priority, scheduled_at, created_at
	) INSERT INTO outbox (id, kind, queue, key, payload, priority, run_at, created_at)
		SELECT gen_random_uuid(), kind, queue, coalesce(args ->> 'key', ''), coalesce(args -> 'payload', '{}'), priority, scheduled_at, created_at FROM left_over
		ON CONFLICT (kind, key) WHERE key <> '' AND ended IS NULL DO NOTHING`

// isOpen holds for jobs that are not over, as outbox_ended finds them.
const isOpen = `ended IS NULL AND finished_at IS NULL`

const (
	// insertJobs takes the jobs as one JSON list, so that the statement is the same for any number. What is due is inserted as handed over, which its enqueuer
	// does as soon as it has committed.
	insertJobs = `INSERT INTO outbox (id, kind, queue, key, payload, priority, run_at, trace, task_id, handed_at)
		SELECT id, kind, queue, key, payload, priority, coalesce(run_at, clock_timestamp()), trace, id::text, CASE WHEN run_at IS NULL THEN clock_timestamp() END
		FROM json_to_recordset($1::json) AS given (id uuid, kind text, queue text, key text, payload jsonb, priority smallint, run_at timestamptz, trace text)`
	// insertUniqueJobs leaves out those whose key another one has.
	insertUniqueJobs = insertJobs + ` ON CONFLICT (kind, key) WHERE key <> '' AND ended IS NULL DO NOTHING`

	// handJobs marks due jobs of queues that are not paused, and of kinds that the process knows (a newer version's wait for it), as handed over, and returns
	// the most urgent first. Asynq may still hold the task of a job's last turn, so each turn's has a name of its own.
	handJobs = `WITH due AS (
			SELECT id FROM outbox
			WHERE ` + isOpen + ` AND state <> 'running' AND handed_at IS NULL AND run_at <= clock_timestamp() AND kind = ANY($1) AND queue <> ALL (SELECT queue FROM outbox_pause)
			ORDER BY priority, run_at LIMIT $2 FOR UPDATE SKIP LOCKED
		), handed AS (
			UPDATE outbox SET handed_at = clock_timestamp(), task_id = CASE turn WHEN 0 THEN outbox.id::text ELSE outbox.id::text || '/' || turn END FROM due WHERE outbox.id = due.id
			RETURNING outbox.id, queue, priority, task_id, run_at
		) SELECT id::text, queue, priority, task_id FROM handed ORDER BY priority, run_at, id`
	nextDue = `SELECT extract(epoch FROM min(run_at) - clock_timestamp())::float8 FROM outbox WHERE ` + isOpen + ` AND state <> 'running' AND handed_at IS NULL AND kind = ANY($1)
		AND queue <> ALL (SELECT queue FROM outbox_pause)`
	// takeBack makes the relay hand them over again.
	takeBack      = `UPDATE outbox SET handed_at = NULL WHERE ` + isOpen + ` AND state <> 'running' AND handed_at IS NOT NULL`
	takeBackThese = takeBack + ` AND id IN (SELECT id FROM outbox WHERE id = ANY($1::uuid[])` + inOrder + `)`
	handedLongAgo = `SELECT id::text, queue, priority, task_id FROM outbox WHERE ` + isOpen + ` AND state <> 'running' AND handed_at < clock_timestamp() - interval '15 seconds' ORDER BY handed_at LIMIT 200`
	stillHanded   = `UPDATE outbox SET handed_at = clock_timestamp() WHERE state IN ('waiting', 'retrying') AND id IN (SELECT id FROM outbox WHERE id = ANY($1::uuid[])` + inOrder + `)`
	// inOrder locks the rows of a statement that changes several in an order that all of them keep, so that no two wait for each other.
	inOrder = ` ORDER BY id FOR UPDATE`
	// releaseExpired counts no attempt; a job that takes one process after another with it ($2 of them) is dead all the same.
	releaseExpired = `UPDATE outbox SET state = CASE WHEN cancelling THEN 'cancelled' WHEN losses + 1 >= $2 THEN 'dead' ELSE 'waiting' END, losses = losses + 1, attempt = greatest(attempt - 1, 0),
		finished_at = CASE WHEN cancelling OR losses + 1 >= $2 THEN clock_timestamp() END,
		ended = CASE WHEN cancelling THEN 'cancelled' WHEN losses + 1 >= $2 THEN 'dead' END, handed_at = NULL, lease_until = NULL, failures = ` + withFailure + `
		WHERE ` + isOpen + ` AND state = 'running' AND lease_until < clock_timestamp()`
	releaseOwn = `UPDATE outbox SET state = 'waiting', handed_at = NULL, lease_until = NULL, attempt = greatest(attempt - 1, 0) WHERE ` + isOpen + ` AND state = 'running' AND process = $1`

	// withFailure adds to a job's failures, of which the last 20 are kept. $1 is the text.
	withFailure = `(SELECT coalesce(jsonb_agg(f ORDER BY n), '[]') FROM (
			SELECT f, n FROM jsonb_array_elements(failures || jsonb_build_object('attempt', attempt, 'at', clock_timestamp(), 'error', $1::text)) WITH ORDINALITY AS all_of (f, n)
			ORDER BY n DESC LIMIT 20) AS last_of)`

	// byID are the settings of the connection for the next two: one plan for all times, of which the only way to a row is its id.
	byID = `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off`
	// claimJobs has no row of a job that is not to be run here: finished, cancelled, running elsewhere, paused, put off, or of a kind that only a newer version knows.
	claimJobs = `UPDATE outbox SET state = 'running', attempt = attempt + 1, turn = turn + 1, process = $2, started_at = clock_timestamp(), lease_until = clock_timestamp() + $3::interval,
			handed_at = coalesce(handed_at, clock_timestamp()), cancelling = FALSE
		FROM unnest($1::text::uuid[]) AS given (job)
		WHERE id = job AND state IN ('waiting', 'retrying') AND run_at <= clock_timestamp() AND kind = ANY($4) AND queue <> ALL (SELECT queue FROM outbox_pause)
		RETURNING id::text, kind, payload, attempt, turn, trace`
	// finishJobs is of the jobs that $1 names and of the turns that $2 says.
	finishJobs = `UPDATE outbox SET state = 'done', ended = 'done', finished_at = clock_timestamp(), lease_until = NULL
		FROM unnest($1::text::uuid[], $2::text::int[]) AS given (job, of) WHERE id = job AND turn = of AND state = 'running'`
	// prolong is of the jobs that the process knows to run: a claim whose answer was lost is nobody's, and its lease ends.
	prolong = `WITH mine AS (SELECT id FROM outbox WHERE state = 'running' AND process = $1 AND id = ANY($3::uuid[])` + inOrder + `)
		UPDATE outbox SET lease_until = clock_timestamp() + $2::interval FROM mine WHERE outbox.id = mine.id RETURNING outbox.id::text, turn, cancelling`

	// The outcomes. $2 is the id and $3 the turn of the claim; without a row somebody else has the job. What was cancelled meanwhile does not go on.
	ofTurn      = ` WHERE id = $2::uuid AND turn = $3 AND state = 'running'`
	failJob     = `UPDATE outbox SET state = CASE WHEN cancelling THEN 'cancelled' ELSE 'dead' END, ended = CASE WHEN cancelling THEN 'cancelled' ELSE 'dead' END, finished_at = clock_timestamp(), lease_until = NULL, failures = ` + withFailure + ofTurn
	retryJob    = `UPDATE outbox SET ` + goesOn + `'retrying' END, run_at = clock_timestamp() + $4::interval, failures = ` + withFailure + ofTurn
	continueJob = `UPDATE outbox SET ` + goesOn + `'waiting' END, run_at = clock_timestamp() + $1::interval, attempt = greatest(attempt - 1, 0), losses = 0` + ofTurn
	goesOn      = `handed_at = NULL, lease_until = NULL, finished_at = CASE WHEN cancelling THEN clock_timestamp() END, ended = CASE WHEN cancelling THEN 'cancelled' END, state = CASE WHEN cancelling THEN 'cancelled' ELSE `
	reportJob   = `UPDATE outbox SET done = $1, total = $4` + ofTurn
	cancelJob   = `UPDATE outbox SET cancelling = TRUE, state = CASE state WHEN 'running' THEN 'running' ELSE 'cancelled' END, finished_at = CASE state WHEN 'running' THEN NULL ELSE clock_timestamp() END,
		ended = CASE state WHEN 'running' THEN NULL ELSE 'cancelled' END
		WHERE id = $1::uuid AND state IN ('waiting', 'running', 'retrying') RETURNING state, task_id, queue, priority`
	retryEnded = `UPDATE outbox SET state = 'waiting', attempt = 0, losses = 0, run_at = clock_timestamp(), handed_at = NULL, finished_at = NULL, ended = NULL, cancelling = FALSE
		WHERE id = $1::uuid AND state IN ('dead', 'cancelled') `
	deleteJob = `DELETE FROM outbox WHERE id = $1::uuid AND state <> 'running' RETURNING task_id, queue, priority`

	// forgetFinished removes some; $1 is for how long jobs are kept that ended well or were cancelled.
	forgetFinished = `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE finished_at < clock_timestamp() - $1::interval AND ended IN ('done', 'cancelled')
		OR finished_at < clock_timestamp() - interval '7 days' AND ended = 'dead' LIMIT 2000)`

	// nextSlot has a row for the one process that begins a slot of a schedule. A schedule that was never seen begins with the slot that comes.
	nextSlot = `INSERT INTO outbox_schedule AS s (kind, key, slot) VALUES ($1, $2, floor(extract(epoch FROM clock_timestamp()) / $3::float8)::bigint)
		ON CONFLICT (kind, key) DO UPDATE SET slot = excluded.slot WHERE s.slot < excluded.slot RETURNING xmax <> 0`

	beginProcess = `INSERT INTO outbox_process (id, host, workers) VALUES ($1, $2, $3::jsonb)
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, workers = excluded.workers, started_at = excluded.started_at, seen_at = excluded.seen_at`
	beatProcess = `UPDATE outbox_process SET seen_at = clock_timestamp() WHERE id = $1`
	endProcess  = `DELETE FROM outbox_process WHERE id = $1 OR seen_at < clock_timestamp() - interval '1 day'`
	alone       = `SELECT NOT EXISTS (SELECT 1 FROM outbox_process WHERE id <> $1 AND seen_at > clock_timestamp() - interval '1 minute')`
	processes   = `SELECT p.id, p.host, p.workers, p.started_at, p.seen_at, (SELECT count(*) FROM outbox o WHERE ` + isOpen + ` AND o.state = 'running' AND o.process = p.id) FROM outbox_process p
		WHERE p.seen_at > clock_timestamp() - interval '1 minute' ORDER BY p.id COLLATE "C"`
)
