// Package asynqjobs is ports/jobs on Asynq, for installations of several processes: the jobs are rows of PostgreSQL, and Asynq hands them to workers over a
// Dragonfly or Redis.
//
// A job is a row of the table outbox from the transaction that asks for it until a while after its end, so that nothing which is in the server of keys and
// values alone must survive: it may be flushed, lost or away at any time. Who asks for a job hands it to Asynq as soon as the transaction has committed (the row's
// id is the task's id). A relay in each process that runs jobs hands over what becomes due later, what could not be handed over, and again what Asynq does not know
// any more, so that happens at least once. A worker claims the row before it begins and records the outcome in it before Asynq forgets the task, so a task that is
// delivered twice runs once.
//
// Asynq's scripts name keys that they are not told of. Dragonfly refuses that unless it is started with --default_lua_flags=allow-undeclared-keys, or
// with --cluster_mode=emulated --lock_on_hashtags.
package asynqjobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Config says where the jobs are kept, who hands them out and how many run at once.
type Config struct {
	// Pool is of the store's database.
	Pool *pgxpool.Pool
	// URL is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS.
	URL string
	// Prefix begins the names of Asynq's queues, so that several installations can share a server: 1 to 40 of a–z, A–Z, 0–9, '-' and '_'; "" is "revenge".
	Prefix string
	// ID is asked for by Start and names this process: no other that runs has it, and after a restart it is the same, so that its own unfinished
	// jobs are taken up at once then.
	ID func() (string, error)
	// Host is where this process runs, for people.
	Host string
	// Workers bounds the jobs of each queue that run at once in this process; a queue without an entry gets 2.
	Workers map[jobs.Queue]int
	Logger  *slog.Logger
	// Retention of finished jobs; 0 is 24 h, dead ones a week.
	Retention time.Duration
}

// Jobs enqueues, runs and shows jobs.
type Jobs struct {
	config  Config
	redis   redis.UniversalClient // one for all that speaks with the server
	client  *asynq.Client
	inspect *asynq.Inspector

	handing batcher[handed, struct{}] // of committed jobs to Asynq

	mu      sync.Mutex
	running *process
}

var (
	_        jobs.Runner = (*Jobs)(nil)
	prefixes             = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
)

// Open makes the tables that are absent. The result enqueues and inspects; Start makes it work, too. A server of keys and values that does not answer is no
// error: jobs are kept, and run when it comes.
func Open(ctx context.Context, config Config) (*Jobs, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Retention == 0 {
		config.Retention = 24 * time.Hour
	}
	if config.Prefix == "" {
		config.Prefix = "revenge"
	}
	if !prefixes.MatchString(config.Prefix) {
		return nil, fault.New(fault.Invalid, "jobs.bad_prefix", "The prefix %q of the job queues is none: 1 to 40 letters, digits, '-' and '_'.", config.Prefix)
	}
	options, err := redis.ParseURL(config.URL)
	if err != nil { // the cause may repeat the password
		return nil, fault.New(fault.Invalid, "jobs.bad_url", "The job queue's address is none: it is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS.")
	}
	if config.Pool == nil {
		return nil, fault.New(fault.Invalid, "jobs.needs_postgres", "Asynq hands out jobs that PostgreSQL keeps. With SQLite leave jobs.url empty.")
	}
	if err := makeTables(ctx, config.Pool); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "jobs.open", "The job queue's tables could not be opened or brought up to date.")
	}
	// Nobody waits long for a server that stands still: what it would be told is in the rows.
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.MaxRetries = 2*time.Second, 2*time.Second, 2*time.Second, 1
	j := &Jobs{config: config, redis: pipelined(redis.NewClient(options))}
	j.client, j.inspect = asynq.NewClientFromRedisClient(j.redis), asynq.NewInspectorFromRedisClient(j.redis)
	j.handing.do, j.handing.most = j.handAll, batch
	return j, nil
}

// Close hands over what was committed and gives up the connection to the server of keys and values, after Stop.
func (j *Jobs) Close() error {
	j.handing.wait()
	return j.redis.Close()
}

// Transactional enqueues in a transaction of the store: what sqlstore's Tx.Jobs stands on.
type Transactional struct{ jobs *Jobs }

// Transactional returns the enqueuer for transactions.
func (j *Jobs) Transactional() Transactional { return Transactional{j} }

// Enqueue adds jobs to the open transaction tx. committed is to be called when it has committed: it hands them out, for which nobody waits. Should it not be
// called, relays find them a quarter of a minute later.
func (t Transactional) Enqueue(ctx context.Context, tx *sql.Tx, _ *sql.Conn, list ...jobs.Job) (committed func(), err error) {
	due, err := enqueue(ctx, list, func(statement string, args ...any) (int64, error) {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	})
	return func() { t.jobs.handing.send(due...) }, err
}

// Enqueue adds jobs by themselves.
func (j *Jobs) Enqueue(ctx context.Context, list ...jobs.Job) error {
	return translate(j.transact(ctx, func(_ pgx.Tx, enqueue func(...jobs.Job) error) error { return enqueue(list...) }))
}

// transact runs fn in a transaction and hands out what it enqueued.
func (j *Jobs) transact(ctx context.Context, fn func(tx pgx.Tx, enqueue func(...jobs.Job) error) error) error {
	var due []handed
	err := pgx.BeginFunc(ctx, j.config.Pool, func(tx pgx.Tx) error {
		return fn(tx, func(list ...jobs.Job) error {
			more, err := enqueue(ctx, list, func(statement string, args ...any) (int64, error) {
				tag, err := tx.Exec(ctx, statement, args...)
				return tag.RowsAffected(), err
			})
			due = append(due, more...)
			return err
		})
	})
	if err == nil {
		j.handing.send(due...)
	}
	return err
}

// batch is how many jobs one statement inserts.
const batch = 500

// row is a job as insertJobs takes it.
type row struct {
	ID       string          `json:"id"`
	Kind     jobs.Kind       `json:"kind"`
	Queue    jobs.Queue      `json:"queue"`
	Key      string          `json:"key"`
	Payload  json.RawMessage `json:"payload"`
	Priority int             `json:"priority"`
	RunAt    *time.Time      `json:"run_at"`
	Trace    string          `json:"trace"`
}

// enqueue inserts jobs and returns those that are due, of which the rows say that they were handed over: when the transaction has committed they are to be. exec
// returns how many rows there were.
func enqueue(ctx context.Context, list []jobs.Job, exec func(statement string, args ...any) (int64, error)) (due []handed, err error) {
	for some := range slices.Chunk(list, batch) {
		rows := make([]row, len(some))
		tasks := make([]handed, 0, len(some))
		statement := insertJobs
		for i, job := range some {
			r := row{domain.NewID().String(), job.Kind, jobs.QueueOf(job.Kind), job.Key, payloadOf(job), priorityOf(job), runAt(job), jobs.TraceOf(ctx)}
			if rows[i] = r; r.RunAt == nil {
				tasks = append(tasks, handed{ID: r.ID, Queue: r.Queue, Priority: r.Priority, Task: r.ID})
			}
			if r.Key != "" {
				statement = insertUniqueJobs
			}
		}
		data, err := json.Marshal(rows)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "jobs.bad_payload", "A job's payload is no JSON.")
		}
		added, err := exec(statement, pgx.QueryExecModeCacheStatement, string(data)) // whatever the pool does by itself
		if err != nil {
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return nil, err
			}
			return nil, fault.Wrap(err, fault.Unavailable, "jobs.enqueue", "The work could not be queued. Try again.")
		}
		if added > 0 { // tasks of single rows that were there already find no job
			due = append(due, tasks...)
		}
	}
	return due, ctx.Err()
}

func payloadOf(job jobs.Job) json.RawMessage {
	if len(job.Payload) == 0 {
		return json.RawMessage("{}")
	}
	return job.Payload
}

func priorityOf(job jobs.Job) int {
	return max(job.Priority, 1)
}

func runAt(job jobs.Job) *time.Time {
	if job.RunAt.IsZero() {
		return nil
	}
	at := job.RunAt.UTC()
	return &at
}

// taskQueue names Asynq's queue for a queue's jobs of a priority: Asynq knows priorities of queues, not of tasks.
func (j *Jobs) taskQueue(q jobs.Queue, priority int) string {
	return fmt.Sprintf("%s:%s:%d", j.config.Prefix, q, priority)
}

// priorities are those of jobs.Job.
const priorities = 4

func translate(err error) error {
	var unique *pgconn.PgError
	switch {
	case err == nil || fault.As(err) != nil:
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, pgx.ErrNoRows):
		return fault.New(fault.NotFound, "job.not_found", "There is no such job.")
	case errors.As(err, &unique) && unique.Code == "23505":
		return fault.Wrap(err, fault.Conflict, "job.key_taken", "Another job does the same work already. Wait for its end, or cancel it.")
	default:
		return fault.Wrap(err, fault.Unavailable, "jobs.unavailable", "The job queue could not be reached. Try again.")
	}
}
