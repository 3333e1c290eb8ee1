package bench_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/revenge-media/revenge/adapters/asynqjobs"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

func init() {
	programs["jobs"] = revengeJobs
	programs["limit-jobs"] = limitJobs
}

const (
	benchJobs = 10_000
	// Both sides ask for jobs from so many goroutines and run so many jobs at once, over so many connections to PostgreSQL.
	jobClients, jobConns = 16, 40
	benchKind            = jobs.Kind("bench.mail")
	// jobPatience is how long the last job may take to be done and recorded.
	jobPatience = 5 * time.Minute
)

// BenchmarkJobs compares 10,000 jobs that are enqueued transactionally and run with a bare Asynq program. In both a transaction puts a message into the
// table of mails and asks for the job that sends it, and the job is a transaction that takes the message out again. The limit program makes the one
// transaction and then, as nothing couples the two, gives the task to Asynq: what it commits just before its end no job is ever made of. Revenge has the job in
// its transaction. What counts is the time from the first transaction until the last job is done and recorded, in Revenge's rows or Asynq's counters, while both
// go on at once, as in life. Each round has a database and queues of its own.
//
// The messages' transactions are the same on both sides, on as many connections, so that the ratio is the queue's: plain ones of one message each, and of a hundred, as
// who has much to do asks for it; and in the third row those of the store, as in all of Revenge.
func BenchmarkJobs(b *testing.B) {
	keys := os.Getenv("REVENGE_TEST_REDIS")
	if keys == "" {
		b.Skip("Redis is not there: set REVENGE_TEST_REDIS")
	}
	count := sized(b, "REVENGE_BENCH_JOBS", benchJobs)
	side := func(program string, arguments ...string) measure.Side {
		return func(ctx context.Context) (float64, error) {
			dsn := databases[1].fresh(b, "")
			s, err := sqlstore.Open(ctx, sqlstore.Config{DSN: dsn})
			if err != nil {
				return 0, err
			}
			if err := errors.Join(s.Migrate(ctx), s.Close()); err != nil {
				return 0, err
			}
			prefix := "bench-" + strings.ReplaceAll(domain.NewID().String(), "-", "")
			return limitOf(b, count, program, append([]string{dsn, keys, prefix, strconv.Itoa(count)}, arguments...)...)
		}
	}
	for _, as := range []struct{ name, by, step, what string }{
		{"One", "plain", "1", "one a transaction"},
		{"Hundred", "plain", "100", "a hundred a transaction"},
		{"Store", "store", "1", "one a transaction, both by Revenge's store"},
	} {
		b.Run(as.name, func(b *testing.B) {
			for b.Loop() {
				c, err := measure.Interleave(b.Context(), sized(b, "REVENGE_BENCH_ROUNDS", measure.Rounds), side("jobs", as.step, as.by), side("limit-jobs", as.step, as.by))
				if err != nil {
					b.Fatal(err)
				}
				measure.Report(b, c.AtLeast(0.7, "Jobs, PostgreSQL and Redis", fmt.Sprintf("%d enqueued transactionally and run, %d at once; %s", count, jobClients, as.what), "jobs/s"))
			}
		})
	}
}

// jobRun is what both programs are told: the database, the server of keys and values, the name that begins the queues, how many jobs, and how many of them a
// transaction asks for.
type jobRun struct {
	dsn, redis, prefix string
	count, step        int
	byStore            bool
	// ran are how often the jobs ran, by their number.
	ran []atomic.Int64
}

func newJobRun() (*jobRun, error) {
	count, err := strconv.Atoi(os.Args[4])
	step, wrong := strconv.Atoi(os.Args[5])
	return &jobRun{dsn: os.Args[1], redis: os.Args[2], prefix: os.Args[3], count: count, step: step, byStore: os.Args[6] == "store", ran: make([]atomic.Int64, count)}, errors.Join(err, wrong)
}

// mailJob is a job's payload.
type mailJob struct {
	N    int       `json:"n"`
	Mail domain.ID `json:"mail"`
}

// asked is a message with the job that sends it.
type asked struct {
	mail store.Mail
	job  mailJob
}

// measure asks for all jobs, waits until so many are recorded, and prints how many seconds that took, unless one ran twice or its mail is still there.
func (r *jobRun) measure(ask func(ctx context.Context, list []asked) error, recorded func(ctx context.Context) (int, error), pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), jobPatience, errors.New("the jobs take too long"))
	defer cancel()
	var next atomic.Int64
	failures := make([]error, jobClients)
	var group sync.WaitGroup
	start := time.Now()
	for i := range failures {
		group.Go(func() {
			for failures[i] == nil {
				end := int(next.Add(int64(r.step)))
				var list []asked
				for n := end - r.step; n < min(end, r.count); n++ {
					m := store.Mail{ID: domain.NewID(), Sealed: make([]byte, 300), CreatedAt: domain.Stamp(time.Now())}
					list = append(list, asked{m, mailJob{n, m.ID}})
				}
				if len(list) == 0 {
					return
				}
				failures[i] = ask(ctx, list)
			}
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	for i := range r.ran { // costs nothing while they run, as asking for what is recorded would
		for r.ran[i].Load() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	for n := 0; n < r.count; {
		var err error
		if n, err = recorded(ctx); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	took := time.Since(start).Seconds()
	var left, twice int
	for i := range r.ran {
		if r.ran[i].Load() != 1 {
			twice++
		}
	}
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM mail_outbox").Scan(&left); err != nil {
		return err
	}
	if left != 0 || twice != 0 {
		return fmt.Errorf("%d mails are left, %d jobs did not run once", left, twice)
	}
	fmt.Println("done", took, r.count)
	return nil
}

// revengeJobs is Revenge's queue.
func revengeJobs() int {
	r, err := newJobRun()
	if err == nil {
		err = r.revenge(context.Background())
	}
	if err != nil {
		return failed(err)
	}
	return 0
}

func (r *jobRun) revenge(ctx context.Context) error {
	m, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	queue, err := asynqjobs.Open(ctx, asynqjobs.Config{
		Pool: m.pool, URL: r.redis, Prefix: r.prefix, ID: func() (string, error) { return "bench", nil }, Workers: map[jobs.Queue]int{jobs.QueueDefault: jobClients},
	})
	if err != nil {
		return err
	}
	defer queue.Close()
	m.store.UseEnqueuer(queue.Transactional())
	if err := queue.Start(ctx, []jobs.Definition{{Kind: benchKind, MaxAttempts: 1, Timeout: time.Minute, Handler: func(ctx context.Context, run jobs.Run) error {
		return r.work(ctx, run.Payload, m)
	}}}, nil); err != nil {
		return err
	}
	err = r.measure(func(ctx context.Context, list []asked) (err error) {
		work := make([]jobs.Job, len(list))
		for i, a := range list {
			if work[i], err = jobs.New(benchKind, "", a.job); err != nil {
				return err
			}
		}
		return m.put(ctx, list, queue, work)
	}, func(ctx context.Context) (n int, err error) {
		return n, m.pool.QueryRow(ctx, "SELECT count(*) FROM outbox WHERE state = 'done' AND turn = 1 AND attempt = 1").Scan(&n)
	}, m.pool)
	return errors.Join(err, queue.Stop(ctx), r.clean())
}

// The statements of the messages' plain transactions.
const (
	putMail   = "INSERT INTO mail_outbox (id, sealed, created_at) VALUES ($1, $2, $3)"
	takenMail = "DELETE FROM mail_outbox WHERE id = $1"
)

// mails are the messages' transactions.
type mails struct {
	store   *sqlstore.Store
	byStore bool
	pool    *pgxpool.Pool
	db      *sql.DB
}

func (r *jobRun) open(ctx context.Context) (*mails, error) {
	s, err := sqlstore.Open(ctx, sqlstore.Config{DSN: r.dsn, MaxConns: jobConns})
	if err != nil {
		return nil, err
	}
	pool := s.Pool()
	if !r.byStore { // one with pgx's own defaults
		config, err := pgxpool.ParseConfig(r.dsn)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		config.MaxConns = jobConns
		if pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return &mails{s, r.byStore, pool, stdlib.OpenDBFromPool(pool)}, nil
}

func (m *mails) close() {
	_ = m.db.Close()
	if !m.byStore {
		m.pool.Close()
	}
	_ = m.store.Close()
}

// put stores messages, and their jobs unless queue is nil.
func (m *mails) put(ctx context.Context, list []asked, queue *asynqjobs.Jobs, work []jobs.Job) error {
	if m.byStore {
		return m.store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			for _, a := range list {
				if err := tx.Outbox.Add(ctx, a.mail); err != nil {
					return err
				}
			}
			if queue == nil {
				return nil
			}
			return tx.Jobs.Enqueue(ctx, work...)
		})
	}
	committed := func() {}
	err := inTx(ctx, m.db, func(tx *sql.Tx) (err error) {
		for _, a := range list {
			if _, err := tx.ExecContext(ctx, putMail, a.mail.ID.String(), a.mail.Sealed, a.mail.CreatedAt.UnixMicro()); err != nil {
				return err
			}
		}
		if queue != nil {
			committed, err = queue.Transactional().Enqueue(ctx, tx, nil, work...)
		}
		return err
	})
	if err == nil {
		committed()
	}
	return err
}

// take takes a message out again.
func (m *mails) take(ctx context.Context, id domain.ID) error {
	if m.byStore {
		return m.store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Outbox.Delete(ctx, id) })
	}
	return inTx(ctx, m.db, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, takenMail, id.String())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errors.New("there is no such mail"))
		}
		return nil
	})
}

func inTx(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// work is what a job does.
func (r *jobRun) work(ctx context.Context, payload []byte, m *mails) error {
	var job mailJob
	if err := json.Unmarshal(payload, &job); err != nil {
		return err
	}
	if err := m.take(ctx, job.Mail); err != nil {
		return err
	}
	r.ran[job.N].Add(1)
	return nil
}

// limitJobs is a bare Asynq program.
func limitJobs() int {
	r, err := newJobRun()
	if err == nil {
		err = r.limit(context.Background())
	}
	if err != nil {
		return failed(err)
	}
	return 0
}

func (r *jobRun) limit(ctx context.Context) error {
	m, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer m.close()
	redis, err := asynq.ParseRedisURI(r.redis)
	if err != nil {
		return err
	}
	client, inspector := asynq.NewClient(redis), asynq.NewInspector(redis)
	defer client.Close()
	defer inspector.Close()
	server := asynq.NewServer(redis, asynq.Config{Concurrency: jobClients, Queues: map[string]int{r.prefix: 1}, LogLevel: asynq.WarnLevel, TaskCheckInterval: 100 * time.Millisecond})
	if err := server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		return r.work(ctx, task.Payload(), m)
	})); err != nil {
		return err
	}
	err = r.measure(func(ctx context.Context, list []asked) error {
		if err := m.put(ctx, list, nil, nil); err != nil {
			return err
		}
		for _, a := range list {
			payload, err := json.Marshal(a.job)
			if err != nil {
				return err
			}
			if _, err := client.EnqueueContext(ctx, asynq.NewTask(string(benchKind), payload), asynq.Queue(r.prefix), asynq.MaxRetry(0)); err != nil {
				return err
			}
		}
		return nil
	}, func(context.Context) (int, error) {
		info, err := inspector.GetQueueInfo(r.prefix)
		if err != nil {
			return 0, err
		}
		if info.Failed > 0 {
			return 0, fmt.Errorf("%d tasks failed", info.Failed)
		}
		return info.Processed, nil
	}, m.pool)
	server.Shutdown()
	return errors.Join(err, r.clean())
}

// clean removes the run's queues.
func (r *jobRun) clean() error {
	redis, err := asynq.ParseRedisURI(r.redis)
	if err != nil {
		return err
	}
	inspector := asynq.NewInspector(redis)
	defer inspector.Close()
	queues, err := inspector.Queues()
	for _, q := range queues {
		if strings.HasPrefix(q, r.prefix) {
			err = errors.Join(err, inspector.DeleteQueue(q, true))
		}
	}
	return err
}
