package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

func putSecret(s *sqlstore.Store, name string) error {
	return s.Update(context.Background(), func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Secrets.InsertIfAbsent(ctx, store.Secret{Name: name, Sealed: []byte("x"), CreatedAt: time.Now()})
		return err
	})
}

// killedWriter is the variable that makes this test program the process that gets killed.
const killedWriter = "REVENGE_TEST_KILLED_WRITER"

func TestAcknowledgedWritesSurviveKill(t *testing.T) {
	if dsn := os.Getenv(killedWriter); dsn != "" {
		s := openAt(t, dsn)
		for i := 0; ; i++ {
			if err := putSecret(s, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("stored %d\n", i)
		}
	}
	t.Parallel()
	dsn := sqlstoretest.SQLiteDSN(t)
	writer := exec.Command(os.Args[0], "-test.run=^TestAcknowledgedWritesSurviveKill$")
	writer.Env = append(os.Environ(), killedWriter+"="+dsn)
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for acknowledged < 200 {
		var n int
		if _, err := fmt.Fscanf(out, "stored %d\n", &n); err != nil {
			t.Fatal(err)
		}
		acknowledged++
	}
	if err := writer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Wait()
	s := openAt(t, dsn)
	for i := range acknowledged {
		if _, err := s.Read().Secrets.Get(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatalf("write %d was acknowledged and is lost: %v", i, err)
		}
	}
}

func TestABusyDatabaseIsUnavailableAndRecovers(t *testing.T) {
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		s := open(t, sqlstore.Config{AcquireTimeout: 50 * time.Millisecond, MaxConns: 1})
		release, held := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = s.Update(context.Background(), func(context.Context, store.Tx) error { close(held); <-release; return nil })
		})
		<-held
		err := putSecret(s, "a")
		if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != store.CodeUnavailable || fault.As(err).RetryAfter <= 0 {
			t.Errorf("got %v", err)
		}
		close(release)
		wg.Wait()
		if err := putSecret(s, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestASQLiteFileThatAnotherProcessWritesIsUnavailableAndRecovers(t *testing.T) {
	t.Parallel()
	dsn := sqlstoretest.SQLiteDSN(t)
	other := openAt(t, dsn)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn, AcquireTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = other.Update(t.Context(), func(context.Context, store.Tx) error { return putSecret(s, "a") })
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := putSecret(s, "a"); err != nil {
		t.Error(err)
	}
}

func TestPostgresThatEndsConnectionsIsUnavailableAndRecovers(t *testing.T) {
	t.Parallel()
	s := sqlstoretest.Postgres(t, sqlstore.Config{})
	err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Users.CountAdmins(ctx); err != nil {
			return err
		}
		if _, err := s.SQLDB().Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			return err
		}
		_, err := tx.Users.CountAdmins(ctx)
		return err
	})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for err = putSecret(s, "a"); err != nil; err = putSecret(s, "a") {
		if fault.KindOf(err) != fault.Unavailable || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestPostgresStopsSlowStatements(t *testing.T) {
	t.Parallel()
	s := sqlstoretest.Postgres(t, sqlstore.Config{})
	var limit string
	if err := s.SQLDB().QueryRow("SHOW statement_timeout").Scan(&limit); err != nil || limit != "5s" {
		t.Errorf("got %s, %v", limit, err)
	}
}

func TestUnreachableAndWrongAddressesAreTold(t *testing.T) {
	t.Parallel()
	for dsn, kind := range map[string]fault.Kind{
		"mysql://x": fault.Invalid, "": fault.Invalid, "sqlite:": fault.Internal, "sqlite::memory:": fault.Internal, "sqlite:/dev/null/x.db": fault.Internal,
		"postgres://127.0.0.1:1/none": fault.Unavailable,
	} {
		if s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn}); err == nil || fault.KindOf(err) != kind {
			t.Errorf("%q: %v, %v", dsn, s, err)
		}
	}
}

type broken struct{}

func (broken) Publish(context.Context, ...bus.Message) error { return errors.New("the bus is gone") }

func TestLostEventsAndSlowQueriesAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := sqlstoretest.SQLite(t, sqlstore.Config{Publisher: broken{}, SlowQuery: time.Nanosecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Secrets.InsertIfAbsent(ctx, store.Secret{Name: "hidden value", Sealed: []byte("x")}); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicUser})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "the bus is gone") || !strings.Contains(got, "slow query") || !strings.Contains(got, "caller=adapters/sqlstore_test.TestLostEventsAndSlowQueriesAreLogged") || strings.Contains(got, "hidden") {
		t.Errorf("the log says: %s", got)
	}
	if n := s.Stats().SlowQueries; n == 0 {
		t.Error("slow queries were not counted")
	}
}

func TestWithoutAQueueJobsAreRefused(t *testing.T) {
	t.Parallel()
	s := sqlstoretest.SQLite(t, sqlstore.Config{})
	enqueue := func(ctx context.Context, tx store.Tx) error { return tx.Jobs.Enqueue(ctx, jobs.Job{Kind: "a.b"}) }
	if err := s.Update(t.Context(), enqueue); fault.CodeOf(err) != "store.no_enqueuer" {
		t.Errorf("got %v", err)
	}
	s.UseEnqueuer(enqueuerFunc(func(context.Context, *sql.Tx, *sql.Conn, ...jobs.Job) (func(), error) { return nil, nil }))
	if err := s.Update(t.Context(), enqueue); err != nil {
		t.Error(err)
	}
	if s.Pool() != nil {
		t.Error("SQLite has no such pool")
	}
}

// TestWhatAnEnqueuerDoesAfterTheCommitIsDoneThenAndOnlyThen has a transaction fail, one lose against another and run again, and sees what is stored when it is told.
func TestWhatAnEnqueuerDoesAfterTheCommitIsDoneThenAndOnlyThen(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*sqlstore.Store{"sqlite": sqlstoretest.SQLite(t, sqlstore.Config{}), "postgres": sqlstoretest.Postgres(t, sqlstore.Config{})} {
		done, tries := 0, 0
		s.UseEnqueuer(enqueuerFunc(func(ctx context.Context, tx *sql.Tx, _ *sql.Conn, _ ...jobs.Job) (func(), error) {
			tries++
			committed := func() {
				if _, err := s.Read().Secrets.Get(t.Context(), "stored"); err != nil {
					t.Errorf("%s: it is told before the commit: %v", name, err)
				}
				done++
			}
			if name == "postgres" && tries == 2 {
				_, err := tx.ExecContext(ctx, "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$")
				return committed, err
			}
			return committed, nil
		}))
		no := errors.New("no")
		for _, want := range []error{no, nil} {
			err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Secrets.InsertIfAbsent(ctx, store.Secret{Name: "stored", Sealed: []byte("x"), CreatedAt: time.Now()})
				if err == nil {
					err = tx.Jobs.Enqueue(ctx, jobs.Job{Kind: "a.b"})
				}
				return errors.Join(err, want)
			})
			if !errors.Is(err, want) {
				t.Fatal(err)
			}
		}
		if done != 1 || name == "postgres" && tries != 3 {
			t.Errorf("%s: it is told %d times, of %d transactions", name, done, tries)
		}
	}
}

type enqueuerFunc func(ctx context.Context, tx *sql.Tx, conn *sql.Conn, list ...jobs.Job) (func(), error)

func (f enqueuerFunc) Enqueue(ctx context.Context, tx *sql.Tx, conn *sql.Conn, list ...jobs.Job) (func(), error) {
	return f(ctx, tx, conn, list...)
}

func TestTransactionsThatLostRunOneAfterAnother(t *testing.T) {
	t.Parallel()
	const many = 12
	s := sqlstoretest.Postgres(t, sqlstore.Config{MaxConns: many, AcquireTimeout: time.Minute})
	if err := putSecret(s, "contested"); err != nil {
		t.Fatal(err)
	}
	var met, done sync.WaitGroup
	var again, beside atomic.Int32
	met.Add(many)
	for i := range many {
		done.Go(func() {
			runs := 0
			err := s.Update(context.Background(), func(ctx context.Context, tx store.Tx) error {
				if runs++; runs > 1 {
					if again.Add(1) > 1 {
						beside.Add(1)
					}
					defer again.Add(-1)
				}
				current, err := tx.Secrets.Get(ctx, "contested")
				if runs == 1 { // all saw the same: one wins
					met.Done()
					met.Wait()
				}
				if err != nil {
					return err
				}
				_, err = tx.Secrets.Replace(ctx, current, store.Secret{Name: "contested", Sealed: fmt.Append(nil, i), CreatedAt: time.Now()})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if n := beside.Load(); n > 0 {
		t.Errorf("%d transactions ran again beside another that did", n)
	}
}

func TestAFailedLookIsNotAnAbsentRow(t *testing.T) {
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		s := open(t, sqlstore.Config{})
		if _, err := s.SQLDB().ExecContext(t.Context(), "ALTER TABLE users RENAME TO elsewhere"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read().Users.Preferences(t.Context(), domain.NewID()); fault.KindOf(err) != fault.Internal {
			t.Errorf("a failed statement is %v", err)
		}
	})
}
