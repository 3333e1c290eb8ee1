// Package asynqjobs is ports/jobs on Asynq, for installations of several processes: the jobs are rows of PostgreSQL, and Asynq hands them to workers over a
// Dragonfly or Redis.
//
// A job is a row of the table outbox from the transaction that asks for it until a while after its end, so that nothing which is in the server of keys and
// values alone must survive: it may be flushed, lost or away at any time. A relay in each process that runs jobs hands due rows to Asynq (at least once; the
// row's id is the task's id), is told of new ones by the commit itself (NOTIFY), and hands over again what Asynq does not know any more. A worker claims the row before it begins
// and records the outcome in it before Asynq forgets the task, so a task that is delivered twice runs once.
//
// Asynq's scripts name keys that they are not told of. Dragonfly refuses that unless it is started with --default_lua_flags=allow-undeclared-keys, or
// with --cluster_mode=emulated --lock_on_hashtags.
package asynqjobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
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
	j := &Jobs{config: config, redis: redis.NewClient(options)}
	j.client, j.inspect = asynq.NewClientFromRedisClient(j.redis), asynq.NewInspectorFromRedisClient(j.redis)
	return j, nil
}

// Close gives up the connection to the server of keys and values, after Stop.
func (j *Jobs) Close() error { return j.redis.Close() }

// Transactional enqueues in a transaction of the store: what sqlstore's Tx.Jobs stands on.
type Transactional struct{ jobs *Jobs }

// Transactional returns the enqueuer for transactions.
func (j *Jobs) Transactional() Transactional { return Transactional{j} }

// Enqueue adds jobs to the open transaction tx. Relays hear of them when it commits.
func (t Transactional) Enqueue(ctx context.Context, tx *sql.Tx, _ *sql.Conn, list ...jobs.Job) error {
	return enqueue(ctx, list, func(statement string, args ...any) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// Enqueue adds jobs by themselves.
func (j *Jobs) Enqueue(ctx context.Context, list ...jobs.Job) error {
	return translate(pgx.BeginFunc(ctx, j.config.Pool, func(tx pgx.Tx) error { return enqueueIn(ctx, tx, list...) }))
}

func enqueueIn(ctx context.Context, tx pgx.Tx, list ...jobs.Job) error {
	return enqueue(ctx, list, func(statement string, args ...any) error {
		_, err := tx.Exec(ctx, statement, args...)
		return err
	})
}

// batch is how many jobs one statement inserts.
const batch = 500

func enqueue(ctx context.Context, list []jobs.Job, exec func(statement string, args ...any) error) error {
	for len(list) > 0 {
		some := list[:min(batch, len(list))]
		list = list[len(some):]
		var rows strings.Builder
		args := make([]any, 0, 8*len(some))
		for i, job := range some {
			if i > 0 {
				rows.WriteString(", ")
			}
			n := len(args)
			fmt.Fprintf(&rows, "($%d::uuid, $%d, $%d, $%d, $%d::jsonb, $%d::smallint, coalesce($%d::timestamptz, clock_timestamp()), $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8)
			args = append(args, domain.NewID().String(), string(job.Kind), string(jobs.QueueOf(job.Kind)), job.Key, payloadOf(job), priorityOf(job), runAt(job), jobs.TraceOf(ctx))
		}
		mode := pgx.QueryExecModeExec
		if len(some) == 1 { // mostly; only the statement of a certain number is worth preparing
			mode = pgx.QueryExecModeCacheStatement
		}
		if err := exec(fmt.Sprintf(insertJobs, rows.String()), append([]any{mode}, args...)...); err != nil {
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return fault.Wrap(err, fault.Unavailable, "jobs.enqueue", "The work could not be queued. Try again.")
		}
	}
	return ctx.Err()
}

func payloadOf(job jobs.Job) string {
	if len(job.Payload) == 0 {
		return "{}"
	}
	return string(job.Payload)
}

func priorityOf(job jobs.Job) int {
	if job.Priority == 0 {
		return 2
	}
	return job.Priority
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
