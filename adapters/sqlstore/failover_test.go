package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/postgres"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/pgserver"
)

// eventually asks again until ok, a minute at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// backends are the server's processes behind a store's connections.
func backends(t *testing.T, watching *sql.DB) (pids []int) {
	t.Helper()
	rows, err := watching.Query("SELECT pid FROM pg_stat_activity WHERE application_name = 'revenge'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return pids
}

// TestAServerThatTakesNoWritesIsLeftForTheOneThatDoes is what a failover looks like from here: the address still answers, by a server that only reads.
func TestAServerThatTakesNoWritesIsLeftForTheOneThatDoes(t *testing.T) {
	t.Parallel()
	server := pgserver.New(t)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: server.DSN()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	watching, err := sql.Open("pgx", server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Close()

	refused := func(what string) {
		t.Helper()
		if err := putSecret(s, what); fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != store.CodeUnavailable || fault.As(err).RetryAfter <= 0 {
			t.Fatalf("%s, a write ends with %v", what, err)
		}
		if _, err := s.Read().Secrets.Get(t.Context(), "before"); err != nil {
			t.Errorf("%s, a read ends with %v", what, err)
		}
	}
	taken := func(what string) {
		t.Helper()
		eventually(t, "the store writes "+what, func() bool {
			err := putSecret(s, what)
			if err != nil && fault.KindOf(err) != fault.Unavailable {
				t.Fatal(err)
			}
			return err == nil
		})
	}
	readOnly := func(state string) {
		t.Helper()
		for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = " + state, "SELECT pg_reload_conf()"} {
			if _, err := watching.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "new connections are told", func() bool {
			fresh, err := sql.Open("pgx", server.DSN())
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			var now string
			return fresh.QueryRow("SHOW default_transaction_read_only").Scan(&now) == nil && now == state
		})
	}

	taken("before")
	// More than one connection, so that one is idle when another learns that the server is a standby.
	var several []*sql.Conn
	for range 3 {
		conn, err := s.SQLDB().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		several = append(several, conn)
	}
	for _, conn := range several {
		conn.Close()
	}
	old := backends(t, watching)
	if len(old) < 3 {
		t.Fatalf("%d connections", len(old))
	}
	readOnly("on")
	eventually(t, "a write is refused", func() bool { return putSecret(s, "while read-only") != nil }) // a session may not have read the new configuration yet
	refused("while read-only")
	eventually(t, "every connection from before is given up", func() bool {
		return !slices.ContainsFunc(backends(t, watching), func(pid int) bool { return slices.Contains(old, pid) })
	})
	readOnly("off")
	taken("afterwards")

	server.Kill(t)
	server.Demote(t)
	eventually(t, "the standby is read", func() bool {
		_, err := s.Read().Secrets.Get(t.Context(), "before")
		return err == nil
	})
	refused("on a standby")
	server.Promote(t)
	taken("on the promoted")
	for _, name := range []string{"before", "afterwards", "on the promoted"} {
		if _, err := s.Read().Secrets.Get(t.Context(), name); err != nil {
			t.Errorf("%s was acknowledged: %v", name, err)
		}
	}
}

// TestProcessesThatMakeTheMonthsTogetherMakeEachOnce has several begin and drop the monthly parts of the activity log while others write into them.
func TestProcessesThatMakeTheMonthsTogetherMakeEachOnce(t *testing.T) {
	t.Parallel()
	dsn := sqlstoretest.PostgresDSN(t, true)
	begin := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	var all sync.WaitGroup
	written := make([]int, 5)
	for n := range written {
		s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn, MaxConns: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all.Go(func() {
			for month := range 3 {
				err := s.Update(context.Background(), func(ctx context.Context, tx store.Tx) error {
					return tx.Activity.Provide(ctx, begin, begin.AddDate(0, month, 0))
				})
				if err != nil && fault.KindOf(err) != fault.Unavailable {
					t.Errorf("process %d, month %d: %v", n, month, err)
				}
				err = s.Update(context.Background(), func(ctx context.Context, tx store.Tx) error {
					return tx.Activity.Append(ctx, domain.Activity{ID: domain.NewID(), At: domain.Stamp(begin.AddDate(0, month, 0)), Action: fmt.Sprintf("test.%d", n)})
				})
				switch {
				case err == nil:
					written[n]++
				case fault.KindOf(err) != fault.Unavailable:
					t.Errorf("process %d writes into month %d: %v", n, month, err)
				}
			}
		})
	}
	all.Wait()
	s := openAt(t, dsn)
	if err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.Activity.Provide(ctx, begin, begin.AddDate(0, 2, 0))
	}); err != nil {
		t.Fatal(err)
	}
	for n, want := range written {
		page, err := s.Read().Activity.List(t.Context(), domain.ActivityFilter{Action: fmt.Sprintf("test.%d", n)}, domain.PageRequest{Limit: 10})
		if err != nil || len(page.Items) != want {
			t.Errorf("process %d wrote %d entries, %d are there, %v", n, want, len(page.Items), err)
		}
	}
	var months int
	if err := s.SQLDB().QueryRow("SELECT count(*) FROM pg_inherits WHERE inhparent = 'activity_logs'::regclass AND inhrelid::regclass::text ~ '^activity_logs_2024_0[123]$'").Scan(&months); err != nil || months != 3 {
		t.Errorf("%d months, %v", months, err)
	}
	for range written {
		s := openAt(t, dsn)
		all.Go(func() {
			for more := true; more; {
				err := s.Update(context.Background(), func(ctx context.Context, tx store.Tx) (err error) {
					more, err = tx.Activity.Expire(ctx, begin.AddDate(1, 0, 0))
					return err
				})
				if err != nil && fault.KindOf(err) != fault.Unavailable {
					t.Errorf("dropping the months: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
}

// limitsSeen is an enqueuer that notes the time limit of the transaction that it is in.
type limitsSeen []string

func (l *limitsSeen) Enqueue(ctx context.Context, tx *sql.Tx, _ *sql.Conn, _ ...jobs.Job) (func(), error) {
	var limit string
	err := tx.QueryRowContext(ctx, "SHOW statement_timeout").Scan(&limit)
	*l = append(*l, limit)
	return nil, err
}

func TestStatementsEndInTimeExceptWhatTakesWhatItTakes(t *testing.T) {
	t.Parallel()
	var seen limitsSeen
	dsn := sqlstoretest.PostgresDSN(t, true)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn, StatementTimeout: 2 * time.Second, Enqueuer: &seen})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.SQLDB().Exec("SELECT pg_sleep(60)"); err == nil {
		t.Error("a statement takes a minute")
	}
	at := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	for _, do := range []func(ctx context.Context, tx store.Tx) error{
		func(context.Context, store.Tx) error { return nil },
		func(ctx context.Context, tx store.Tx) error { return tx.Activity.Provide(ctx, at, at) },
		func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Activity.Expire(ctx, at.AddDate(1, 0, 0))
			return err
		},
		func(context.Context, store.Tx) error { return nil }, // on a connection that had no limit before
	} {
		if err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return errors.Join(do(ctx, tx), tx.Jobs.Enqueue(ctx, jobs.Job{Kind: "test.limits"}))
		}); err != nil {
			t.Fatal(err)
		}
	}
	if want := (limitsSeen{"2s", "0", "0", "2s"}); !slices.Equal(seen, want) {
		t.Errorf("an ordinary transaction, one that makes a month, one that drops it, an ordinary one: the limits are %v, want %v", seen, want)
	}

	// Migrations and snapshots have a connection of their own, whatever the database's own limit is.
	var name, limit string
	if err := s.SQLDB().QueryRow("SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SQLDB().Exec("ALTER DATABASE " + name + " SET statement_timeout = '1s'"); err != nil {
		t.Fatal(err)
	}
	migrating, err := postgres.OpenForMigration(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer migrating.Close()
	if err := migrating.QueryRow("SHOW statement_timeout").Scan(&limit); err != nil || limit != "0" {
		t.Errorf("a migration may take %s, %v", limit, err)
	}
}
