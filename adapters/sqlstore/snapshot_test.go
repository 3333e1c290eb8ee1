package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/backups"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// emptyOf is the address of an empty database of an engine.
func emptyOf(t *testing.T, engine string) string {
	t.Helper()
	if engine == "postgres" {
		return sqlstoretest.PostgresDSN(t, false)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "new.db")
}

// copied puts a snapshot of one database into another, row by row; breaking may spoil what arrives.
func copied(ctx context.Context, from, to *sqlstore.Store, breaking func(table string, row []any) error) error {
	return from.Snapshot(ctx, func(ctx context.Context, s backups.Snapshot) error {
		return to.Fill(ctx, s.Schema(), func(ctx context.Context, f backups.Filling) error {
			for _, table := range s.Tables() {
				if err := f.Table(ctx, table, rowsOf(ctx, s, table, breaking)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

var errEnough = errors.New("enough")

func rowsOf(ctx context.Context, s backups.Snapshot, table backups.Table, breaking func(table string, row []any) error) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		err := s.Rows(ctx, table, func(row []any) error {
			if breaking != nil {
				if err := breaking(table.Name, row); err != nil {
					return err
				}
			}
			if !yield(slices.Clone(row), nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// comparable makes the content of two engines look alike: SQLite knows no truth but 1.
func comparable(all map[string]map[string][]string) map[string]map[string][]string {
	for _, columns := range all {
		for _, values := range columns {
			for i, v := range values {
				values[i] = strings.NewReplacer("true", "1", "false", "0").Replace(v)
			}
			slices.Sort(values)
		}
	}
	return all
}

// TestASnapshotFillsEitherDatabaseWithEveryColumn copies every table, filled, between all pairs of engines: at the newest schema, and at an older one
// that is migrated afterwards as a restore does (R17, R18).
func TestASnapshotFillsEitherDatabaseWithEveryColumn(t *testing.T) {
	t.Parallel()
	for _, engines := range [][2]string{{"sqlite", "sqlite"}, {"sqlite", "postgres"}, {"postgres", "sqlite"}, {"postgres", "postgres"}} {
		for _, schema := range []int64{4, 13} {
			t.Run(fmt.Sprintf("%s to %s, schema %d", engines[0], engines[1], schema), func(t *testing.T) {
				t.Parallel()
				from, to := openAt(t, emptyOf(t, engines[0])), openAt(t, emptyOf(t, engines[1]))
				sqlstoretest.UpTo(t, from, schema)
				fill(t, from.SQLDB(), from.Pool() != nil)
				before := comparable(rows(t, from.SQLDB(), columns(t, from.SQLDB(), from.Pool() != nil)))
				if err := copied(t.Context(), from, to, nil); err != nil {
					t.Fatal(err)
				}
				if err := to.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				after := comparable(rows(t, to.SQLDB(), columns(t, to.SQLDB(), to.Pool() != nil)))
				for _, table := range []string{
					"sessions", "auth_tokens", "oidc_sessions", "trusted_devices", "auth_challenges", "auth_attempts", "password_reset_tokens", "email_verification_tokens", "mail_outbox",
				} { // what was ended or used since must not live again
					for column, values := range after[table] {
						if len(values) > 0 {
							t.Errorf("%s.%s came over: %v", table, column, values)
						}
					}
					delete(before, table)
				}
				kept(t, before, after)
				if err := to.CheckEmpty(t.Context()); fault.CodeOf(err) != backups.CodeNotEmpty {
					t.Errorf("a filled database counts as empty: %v", err)
				}
			})
		}
	}
}

// TestAFillingThatFailsLeavesNothing: whatever is wrong with what arrives, the database is as empty as it was, and a second filling works.
func TestAFillingThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	sqlstoretest.Each(t, func(t *testing.T, open func(t testing.TB, cfg sqlstore.Config) *sqlstore.Store) {
		from := open(t, sqlstore.Config{})
		fill(t, from.SQLDB(), from.Pool() != nil)
		to := open(t, sqlstore.Config{})
		tables := 0
		for name, wrong := range map[string]func(table string, row []any) error{
			"the source ends": func(table string, _ []any) error {
				if table == "watch_events" {
					return errEnough
				}
				return nil
			},
			"a row refers to nothing": func(table string, row []any) error {
				if table == "movies" {
					for i := range row {
						if text, is := row[i].(string); is && len(text) == 36 {
							row[i] = domain.NewID().String()
						}
					}
				}
				return nil
			},
		} {
			tables++
			if err := copied(t.Context(), from, to, wrong); err == nil {
				t.Errorf("%s: no error", name)
			}
			if err := to.CheckEmpty(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := copied(t.Context(), from, to, nil); err != nil {
			t.Error(err)
		}
		if err := copied(t.Context(), from, to, nil); fault.CodeOf(err) != backups.CodeNotEmpty {
			t.Errorf("filled twice: %v", err)
		}
		newer := func(ctx context.Context, _ backups.Filling) error { return nil }
		if err := open(t, sqlstore.Config{}).Fill(t.Context(), 9999, newer); fault.CodeOf(err) != backups.CodeNewer {
			t.Errorf("a newer schema: %v", err)
		}
		if err := open(t, sqlstore.Config{}).Fill(t.Context(), 13, newer); fault.CodeOf(err) != "backup.incomplete" {
			t.Errorf("a backup without tables: %v", err)
		}
	})
}

// TestASnapshotShowsOneMomentWhileOthersWrite moves a sum between two accounts' names as fast as it can: a snapshot never sees half of a move, and the
// writer goes on while it is read.
func TestASnapshotShowsOneMomentWhileOthersWrite(t *testing.T) {
	t.Parallel()
	sqlstoretest.Each(t, func(t *testing.T, open func(t testing.TB, cfg sqlstore.Config) *sqlstore.Store) {
		s := open(t, sqlstore.Config{})
		a, b := account(t, s, "a"), account(t, s, "b")
		write := func(n int) error {
			return s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				for _, id := range []domain.ID{a, b} {
					u, err := tx.Users.Get(ctx, id)
					if err != nil {
						return err
					}
					u.DisplayName = fmt.Sprint(n)
					if err := tx.Users.Update(ctx, u); err != nil {
						return err
					}
				}
				return nil
			})
		}
		stop, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					ended <- nil
					return
				default:
				}
				if err := write(n); err != nil {
					ended <- err
					return
				}
			}
		}()
		for range 20 {
			if err := s.Snapshot(t.Context(), func(ctx context.Context, shot backups.Snapshot) error {
				var names []string
				for _, table := range shot.Tables() {
					if table.Name != "users" {
						continue
					}
					at := slices.Index(table.Columns, "display_name")
					for range 2 { // the second look is later, and sees the same
						if err := shot.Rows(ctx, table, func(row []any) error { names = append(names, fmt.Sprint(row[at])); return nil }); err != nil {
							return err
						}
						if names[0] == "" {
							names = nil
							break
						}
						world.Until(t, "a writer goes on beside the snapshot", func() bool { return written(t, s, a) != names[0] })
					}
				}
				if len(slices.Compact(names)) > 1 {
					t.Errorf("it shows several moments: %v", names)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// account adds an account.
func account(t *testing.T, s *sqlstore.Store, name string) domain.ID {
	t.Helper()
	u := domain.User{ID: domain.NewID(), Username: name, CreatedAt: domain.Stamp(time.Now()), UpdatedAt: domain.Stamp(time.Now())}
	if err := s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, u, "x") }); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func written(t *testing.T, s *sqlstore.Store, id domain.ID) string {
	t.Helper()
	u, err := s.Read().Users.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return u.DisplayName
}
