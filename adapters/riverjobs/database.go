package riverjobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/rivertype"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

// database is the few statements that River has no call for.
type database interface {
	// returnOwn makes the jobs available that a killed process of this id left running; they do not count that attempt.
	returnOwn(ctx context.Context, id string) error
	// notifyCancel tells whoever runs the job, where River's own notice does not arrive.
	notifyCancel(ctx context.Context, id int64, queue string) error
	stats(ctx context.Context) ([]jobs.QueueStats, error)
	count(ctx context.Context, f jobs.Filter, states []rivertype.JobState) (int, error)
	// exec and rows run a statement whose placeholders are $1, $2 and so on; NOW stands for the database's time in microseconds since 1970.
	exec(ctx context.Context, statement string, args ...any) error
	rows(ctx context.Context, query string, row func(scan func(...any) error) error, args ...any) error
}

type sqlite struct{ db *sql.DB }

// returnOwn takes all: the data folder of an SQLite database belongs to one process.
func (d sqlite) returnOwn(ctx context.Context, _ string) error {
	_, err := d.db.ExecContext(ctx, `UPDATE river_job SET state = 'available', attempt = max(attempt - 1, 0) WHERE state = 'running'`)
	return err
}

// timeOf writes the engine's time where NOW stands.
func timeOf(statement, now string) string { return strings.ReplaceAll(statement, "NOW", now) }

const sqliteNow = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"

func (d sqlite) exec(ctx context.Context, statement string, args ...any) error {
	_, err := d.db.ExecContext(ctx, timeOf(statement, sqliteNow), args...)
	return err
}

func (d sqlite) rows(ctx context.Context, query string, row func(scan func(...any) error) error, args ...any) error {
	rows, err := d.db.QueryContext(ctx, timeOf(query, sqliteNow), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// notifyCancel writes what riversqlite 0.47 forgets when it cancels a running job.
func (d sqlite) notifyCancel(ctx context.Context, id int64, queue string) error {
	payload, err := json.Marshal(map[string]any{"action": "cancel", "job_id": id, "queue": queue})
	if err != nil {
		return err
	}
	_, err = d.db.ExecContext(ctx, `INSERT INTO river_notification (payload, topic) VALUES (?, 'river_control')`, string(payload))
	return err
}

func (d sqlite) stats(ctx context.Context) ([]jobs.QueueStats, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT queue, state, count(*), coalesce(max((julianday('now') - julianday(scheduled_at)) * 86400), 0) FROM river_job
		WHERE state IN ('available', 'pending', 'scheduled', 'running', 'retryable', 'discarded') GROUP BY queue, state ORDER BY queue`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows)
}

func (d sqlite) count(ctx context.Context, f jobs.Filter, states []rivertype.JobState) (int, error) {
	where, args := conditions(f, states, func(int) string { return "?" })
	var n int
	err := d.db.QueryRowContext(ctx, "SELECT count(*) FROM river_job"+where, args...).Scan(&n)
	return n, err
}

type postgres struct{ pool *pgxpool.Pool }

func (d postgres) returnOwn(ctx context.Context, id string) error {
	_, err := d.pool.Exec(ctx, `UPDATE river_job SET state = 'available', attempt = greatest(attempt - 1, 0)
		WHERE state = 'running' AND attempted_by[array_length(attempted_by, 1)] = $1`, id)
	return err
}

const postgresNow = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

func (d postgres) exec(ctx context.Context, statement string, args ...any) error {
	_, err := d.pool.Exec(ctx, timeOf(statement, postgresNow), args...)
	return err
}

func (d postgres) rows(ctx context.Context, query string, row func(scan func(...any) error) error, args ...any) error {
	rows, err := d.pool.Query(ctx, timeOf(query, postgresNow), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// notifyCancel has nothing to do: on Postgres River's own notice arrives.
func (postgres) notifyCancel(context.Context, int64, string) error { return nil }

func (d postgres) stats(ctx context.Context) ([]jobs.QueueStats, error) {
	rows, err := d.pool.Query(ctx, `SELECT queue, state::text, count(*), coalesce(max(extract(epoch FROM now() - scheduled_at)), 0)::float8 FROM river_job
		WHERE state IN ('available', 'pending', 'scheduled', 'running', 'retryable', 'discarded') GROUP BY queue, state ORDER BY queue`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return collect(rows)
}

func (d postgres) count(ctx context.Context, f jobs.Filter, states []rivertype.JobState) (int, error) {
	where, args := conditions(f, states, func(n int) string { return "$" + string(rune('0'+n)) })
	var n int
	err := d.pool.QueryRow(ctx, "SELECT count(*) FROM river_job"+where, args...).Scan(&n)
	return n, err
}

// conditions writes at most six placeholders: kind, queue, key and up to three states.
func conditions(f jobs.Filter, states []rivertype.JobState, placeholder func(n int) string) (string, []any) {
	var parts []string
	var args []any
	add := func(v string) string {
		args = append(args, v)
		return placeholder(len(args))
	}
	if f.Kind != "" {
		parts = append(parts, "kind = "+add(string(f.Kind)))
	}
	if f.Queue != "" {
		parts = append(parts, "queue = "+add(string(f.Queue)))
	}
	if f.Key != "" {
		parts = append(parts, "args ->> 'key' = "+add(f.Key))
	}
	if len(states) > 0 {
		list := make([]string, len(states))
		for i, s := range states {
			list[i] = add(string(s))
		}
		parts = append(parts, "state IN ("+strings.Join(list, ", ")+")")
	}
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// collect counts by queue and state; every queue is there, in the order of jobs.Queues.
func collect(rows interface {
	Next() bool
	Scan(...any) error
	Err() error
},
) ([]jobs.QueueStats, error) {
	out := make([]jobs.QueueStats, len(jobs.Queues()))
	for i, q := range jobs.Queues() {
		out[i].Queue = q
	}
	for rows.Next() {
		var queue, state string
		var n int
		var age float64
		if err := rows.Scan(&queue, &state, &n, &age); err != nil {
			return nil, err
		}
		i := slices.Index(jobs.Queues(), jobs.Queue(queue))
		if i < 0 {
			continue
		}
		switch q := &out[i]; rivertype.JobState(state) { //nolint:exhaustive // the query names the others
		case rivertype.JobStateRunning:
			q.Running = n
		case rivertype.JobStateDiscarded:
			q.Dead = n
		case rivertype.JobStateRetryable:
			q.Retrying = n
		default:
			q.Waiting += n
			q.OldestWaiting = max(q.OldestWaiting, time.Duration(max(age, 0)*float64(time.Second)))
		}
	}
	return out, rows.Err()
}

// withPgxTx lends the transaction that is open on conn to River. It is the store's: River may neither commit nor roll it back.
func withPgxTx(conn *sql.Conn, use func(pgx.Tx) error) error {
	if conn == nil {
		return fault.New(fault.Internal, "jobs.no_connection", "Enqueuing on Postgres needs the transaction's connection.")
	}
	return conn.Raw(func(driver any) error {
		std, ok := driver.(*stdlib.Conn)
		if !ok {
			return fault.New(fault.Internal, "jobs.foreign_driver", "Enqueuing on Postgres needs a pgx connection.")
		}
		return use(lentTx{std.Conn()})
	})
}

// connection lets lentTx embed a pgx.Conn and have a method of that name.
type connection = pgx.Conn

// lentTx is an open transaction of somebody else's. Begin makes a savepoint, which is this one's own.
type lentTx struct{ *connection }

// Begin opens a savepoint.
func (t lentTx) Begin(ctx context.Context) (pgx.Tx, error) {
	s := &savepoint{lentTx: t, name: "river_" + strings.ReplaceAll(domain.NewID().String(), "-", "")}
	if _, err := t.Exec(ctx, "SAVEPOINT "+s.name); err != nil {
		return nil, err
	}
	return s, nil
}

// Commit is refused: the store commits.
func (lentTx) Commit(context.Context) error { return errLent }

// Rollback is refused: the store rolls back.
func (lentTx) Rollback(context.Context) error { return errLent }

// LargeObjects is part of pgx.Tx and of no use here.
func (lentTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Conn returns the connection.
func (t lentTx) Conn() *pgx.Conn { return t.connection }

var errLent = fault.New(fault.Internal, "jobs.lent_transaction", "The transaction belongs to the store.")

type savepoint struct {
	lentTx
	name string
	done bool
}

// Commit keeps what was done since the savepoint.
func (s *savepoint) Commit(ctx context.Context) error { return s.end(ctx, "RELEASE SAVEPOINT ") }

// Rollback undoes what was done since the savepoint.
func (s *savepoint) Rollback(ctx context.Context) error { return s.end(ctx, "ROLLBACK TO SAVEPOINT ") }

func (s *savepoint) end(ctx context.Context, statement string) error {
	if s.done {
		return pgx.ErrTxClosed
	}
	s.done = true
	_, err := s.Exec(ctx, statement+s.name)
	return err
}
