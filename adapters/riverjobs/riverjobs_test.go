package riverjobs_test

import (
	"context"
	"database/sql"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/revenge-media/revenge/adapters/riverjobs"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/jobstest"
)

func TestConformance(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		jobstest.Run(t, sqliteHarness)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		if os.Getenv("REVENGE_TEST_POSTGRES") == "" {
			t.Skip("set REVENGE_TEST_POSTGRES to a PostgreSQL superuser's address to run this")
		}
		jobstest.Run(t, postgresHarness)
	})
}

func sqliteHarness(t *testing.T) jobstest.Harness {
	path := filepath.Join(t.TempDir(), "jobs.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return harness(riverjobs.Config{DB: db}, db, `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = datetime('now', 'subsec'), attempted_by = jsonb_array('me') WHERE id = ?`)
}

func postgresHarness(t *testing.T) jobstest.Harness {
	server := os.Getenv("REVENGE_TEST_POSTGRES")
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	name := "revenge_jobs_" + strings.ReplaceAll(domain.NewID().String(), "-", "")
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + name + " WITH (FORCE)") })
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
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { db.Close() })
	return harness(riverjobs.Config{Pool: pool}, db, `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = ARRAY['me'] WHERE id = $1`)
}

func harness(config riverjobs.Config, db *sql.DB, abandon string) jobstest.Harness {
	config.ID = func() (string, error) { return "me", nil }
	return jobstest.Harness{
		Open: func(t *testing.T) jobs.Runner {
			config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
			j, err := riverjobs.Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			return j
		},
		InTx: func(ctx context.Context, r jobs.Runner, fn func(jobs.Enqueuer) error) error {
			conn, err := db.Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			tx, err := conn.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if err := fn(inTx{r.(*riverjobs.Jobs).Transactional(), tx, conn}); err != nil {
				_ = tx.Rollback()
				return err
			}
			return tx.Commit()
		},
		Abandon: func(t *testing.T, id string) {
			if _, err := db.ExecContext(t.Context(), abandon, id); err != nil {
				t.Fatal(err)
			}
		},
	}
}

type inTx struct {
	riverjobs.Transactional
	tx   *sql.Tx
	conn *sql.Conn
}

func (e inTx) Enqueue(ctx context.Context, list ...jobs.Job) error {
	_, err := e.Transactional.Enqueue(ctx, e.tx, e.conn, list...)
	return err
}
