package asynqjobs_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/revenge-media/revenge/adapters/asynqjobs"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/jobstest"
)

func TestConformance(t *testing.T) {
	jobstest.Run(t, func(t *testing.T) jobstest.Harness {
		i := newInstallation(t)
		db := stdlib.OpenDBFromPool(i.pool)
		t.Cleanup(func() { db.Close() })
		return jobstest.Harness{
			Open: func(t *testing.T) jobs.Runner { return i.open(t, "me") },
			InTx: func(ctx context.Context, runner jobs.Runner, fn func(jobs.Enqueuer) error) error {
				return inTransaction(ctx, db, runner.(*asynqjobs.Jobs), fn)
			},
			Abandon: func(t *testing.T, id string) {
				i.exec(t, `UPDATE outbox SET state = 'running', attempt = 1, turn = 1, process = 'me', started_at = now(), lease_until = now() + interval '1 hour' WHERE id = $1`, id)
			},
		}
	})
}

func inTransaction(ctx context.Context, db *sql.DB, j *asynqjobs.Jobs, fn func(jobs.Enqueuer) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	b := bound{j.Transactional(), tx, nil}
	if err := fn(&b); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, committed := range b.committed {
		committed()
	}
	return nil
}

type bound struct {
	to        asynqjobs.Transactional
	tx        *sql.Tx
	committed []func()
}

func (b *bound) Enqueue(ctx context.Context, list ...jobs.Job) error {
	committed, err := b.to.Enqueue(ctx, b.tx, nil, list...)
	b.committed = append(b.committed, committed)
	return err
}

// installation is a database and a prefix of its own in the server of keys and values.
type installation struct {
	pool   *pgxpool.Pool
	url    string
	prefix string
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	server, cache := os.Getenv("REVENGE_TEST_POSTGRES"), os.Getenv("REVENGE_TEST_REDIS")
	if server == "" || cache == "" {
		t.Skip("set REVENGE_TEST_POSTGRES to a PostgreSQL superuser's address and REVENGE_TEST_REDIS to a Redis to run this")
	}
	admin, err := pgxpool.New(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	name := "revenge_asynq_" + strings.ReplaceAll(domain.NewID().String(), "-", "")
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	pool, err := pgxpool.New(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &installation{pool, cache, domain.NewID().String()}
}

// open returns a runner of a process of this id, as one that starts anew would.
func (i *installation) open(t *testing.T, id string) *asynqjobs.Jobs {
	t.Helper()
	return i.with(t, asynqjobs.Config{ID: func() (string, error) { return id, nil }})
}

// one is open for a process that runs one job of a queue at a time.
func (i *installation) one(t *testing.T, id string) *asynqjobs.Jobs {
	t.Helper()
	return i.with(t, asynqjobs.Config{
		ID:      func() (string, error) { return id, nil },
		Workers: map[jobs.Queue]int{jobs.QueueDefault: 1, jobs.QueueScan: 1, jobs.QueueMedia: 1},
	})
}

func (i *installation) with(t *testing.T, c asynqjobs.Config) *asynqjobs.Jobs {
	t.Helper()
	c.Pool, c.URL, c.Prefix, c.Host = i.pool, i.url, i.prefix, "here"
	j, err := asynqjobs.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func (i *installation) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := i.pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}
