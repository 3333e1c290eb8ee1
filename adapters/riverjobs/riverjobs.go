// Package riverjobs is ports/jobs on River, in the database of the store: SQLite or Postgres.
package riverjobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Config says where the jobs are kept and how many run at once.
type Config struct {
	// DB is the SQLite writer; Pool the Postgres pool. Exactly one of them is set.
	DB   *sql.DB
	Pool *pgxpool.Pool
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
	config   Config
	inserter inserter
	client   client // the inserting one; running adds workers
	db       database

	mu      sync.Mutex
	running client
	id      string
	beats   *heartbeat
}

// client is what does not depend on the driver's transaction type.
type client interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	JobGet(ctx context.Context, id int64) (*rivertype.JobRow, error)
	JobCancel(ctx context.Context, id int64) (*rivertype.JobRow, error)
	JobRetry(ctx context.Context, id int64) (*rivertype.JobRow, error)
	JobDelete(ctx context.Context, id int64) (*rivertype.JobRow, error)
	JobList(ctx context.Context, params *river.JobListParams) (*river.JobListResult, error)
	QueuePause(ctx context.Context, name string, opts *river.QueuePauseOpts) error
	QueueResume(ctx context.Context, name string, opts *river.QueuePauseOpts) error
	JobUpdate(ctx context.Context, id int64, params *river.JobUpdateParams) (*rivertype.JobRow, error)
	InsertMany(ctx context.Context, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
}

// inserter adds jobs within the store's transaction.
type inserter func(ctx context.Context, tx *sql.Tx, conn *sql.Conn, params []river.InsertManyParams) error

// Open brings River's tables up to date. The result enqueues and inspects; Start makes it work, too.
func Open(ctx context.Context, config Config) (*Jobs, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Retention == 0 {
		config.Retention = 24 * time.Hour
	}
	j := &Jobs{config: config}
	var err error
	if config.Pool != nil {
		j.db = postgres{config.Pool}
		j.client, j.inserter, err = openDriver(ctx, riverpgxv5.New(config.Pool), config, insertPostgres)
	} else {
		j.db = sqlite{config.DB}
		j.client, j.inserter, err = openDriver(ctx, riversqlite.New(config.DB), config, insertSQLite)
	}
	if err == nil {
		err = patiently(ctx, func() error { return j.db.exec(ctx, makeProcesses) })
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "jobs.open", "The job queue's tables could not be opened or brought up to date.")
	}
	return j, nil
}

func openDriver[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], config Config,
	insert func(*river.Client[TTx]) inserter,
) (client, inserter, error) {
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet(config.Logger)})
	if err != nil {
		return nil, nil, err
	}
	// River takes no lock: of processes that start together one wins each step, the others' step is rolled back, and they look again (R16).
	if err := patiently(ctx, func() error { _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); return err }); err != nil {
		return nil, nil, err
	}
	c, err := river.NewClient(driver, &river.Config{Logger: quiet(config.Logger)})
	if err != nil {
		return nil, nil, err
	}
	return c, insert(c), nil
}

// patiently tries a change of the tables again that another process makes at the same time.
func patiently(ctx context.Context, change func() error) (err error) {
	for range 10 {
		if err = change(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
	return err
}

// quiet keeps River's running commentary out of the log; its warnings stay.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
func (w warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(a)} }
func (w warnings) WithGroup(g string) slog.Handler      { return warnings{w.Handler.WithGroup(g)} }

func insertSQLite(c *river.Client[*sql.Tx]) inserter {
	return func(ctx context.Context, tx *sql.Tx, _ *sql.Conn, params []river.InsertManyParams) error {
		_, err := c.InsertManyTx(ctx, tx, params)
		return err
	}
}

func insertPostgres(c *river.Client[pgx.Tx]) inserter {
	return func(ctx context.Context, _ *sql.Tx, conn *sql.Conn, params []river.InsertManyParams) error {
		return withPgxTx(conn, func(tx pgx.Tx) error {
			_, err := c.InsertManyTx(ctx, tx, params)
			return err
		})
	}
}

// envelope is River's argument: the kind is its own, uniqueness looks at the key alone.
type envelope struct {
	kind    string
	Key     string          `json:"key,omitempty" river:"unique"`
	Payload json.RawMessage `json:"payload"`
}

// Kind is River's way to ask.
func (e envelope) Kind() string { return e.kind }

// unfinished are the states in which a job keeps others of its key out.
var unfinished = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

// maxAttempts is what River stores; the definition's own number decides when the job runs.
const maxAttempts = 1000

// params leaves out a second job of a key: Postgres refuses two in one statement.
func params(ctx context.Context, list []jobs.Job) []river.InsertManyParams {
	origin, _ := json.Marshal(origin{jobs.TraceOf(ctx)}) // a text: no error
	out := make([]river.InsertManyParams, 0, len(list))
	seen := map[[2]string]bool{}
	for _, job := range list {
		id := [2]string{string(job.Kind), job.Key}
		if job.Key != "" && seen[id] {
			continue
		}
		seen[id] = true
		o := options(job)
		o.Metadata = origin
		out = append(out, river.InsertManyParams{Args: envelopeOf(job), InsertOpts: o})
	}
	return out
}

// origin is what River keeps of who asked for a job, beside what it keeps there itself.
type origin struct {
	Trace string `json:"revenge_trace,omitempty"`
}

func envelopeOf(job jobs.Job) envelope {
	payload := job.Payload
	if len(payload) == 0 {
		payload = json.RawMessage("{}")
	}
	return envelope{kind: string(job.Kind), Key: job.Key, Payload: payload}
}

func options(job jobs.Job) *river.InsertOpts {
	o := &river.InsertOpts{MaxAttempts: maxAttempts, Priority: job.Priority, ScheduledAt: job.RunAt, Queue: string(jobs.QueueOf(job.Kind))}
	if o.Priority == 0 {
		o.Priority = 1
	}
	if job.Key != "" {
		o.UniqueOpts = river.UniqueOpts{ByArgs: true, ByState: unfinished}
	}
	return o
}

// Transactional enqueues in a transaction of the store: what sqlstore's Tx.Jobs stands on.
type Transactional struct{ jobs *Jobs }

// Transactional returns the enqueuer for transactions.
func (j *Jobs) Transactional() Transactional { return Transactional{j} }

// Enqueue adds jobs to the open transaction tx; conn is its connection, needed on Postgres. River learns of the commit by itself.
func (t Transactional) Enqueue(ctx context.Context, tx *sql.Tx, conn *sql.Conn, list ...jobs.Job) (committed func(), err error) {
	if len(list) == 0 {
		return nil, nil
	}
	if err := t.jobs.inserter(ctx, tx, conn, params(ctx, list)); err != nil {
		return nil, enqueueFault(err)
	}
	return nil, nil
}

// Enqueue adds jobs by themselves.
func (j *Jobs) Enqueue(ctx context.Context, list ...jobs.Job) error {
	if len(list) == 0 {
		return nil
	}
	if _, err := j.client.InsertMany(ctx, params(ctx, list)); err != nil {
		return enqueueFault(err)
	}
	return nil
}

func enqueueFault(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "jobs.enqueue", "The work could not be queued. Try again.")
}
