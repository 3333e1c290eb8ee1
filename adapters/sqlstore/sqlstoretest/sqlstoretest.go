// Package sqlstoretest gives tests fresh, migrated databases on the real engines: a SQLite file, and, where REVENGE_TEST_POSTGRES names a
// server, a PostgreSQL database of their own. Both are copies of one that is migrated once.
package sqlstoretest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/migrations"
)

// PostgresVariable names a superuser's address.
const PostgresVariable = "REVENGE_TEST_POSTGRES"

// Each runs fn on every engine that is there, each time as a parallel subtest. open returns a fresh store that closes with the test it
// is given; cfg's DSN is set by it.
func Each(t *testing.T, fn func(t *testing.T, open func(t testing.TB, cfg sqlstore.Config) *sqlstore.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, SQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		if os.Getenv(PostgresVariable) == "" {
			t.Skip("set " + PostgresVariable + " to a PostgreSQL superuser's address to run this")
		}
		fn(t, Postgres)
	})
}

// SQLite opens a fresh migrated file in the test's temporary folder.
func SQLite(t testing.TB, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	cfg.DSN = SQLiteDSN(t)
	return open(t, cfg)
}

// SQLiteDSN is the address of a fresh migrated file in the test's temporary folder.
func SQLiteDSN(t testing.TB) string {
	t.Helper()
	data, err := migratedFile()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "revenge.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// Postgres opens a fresh migrated database, which is dropped after the test; without a server the test is skipped.
func Postgres(t testing.TB, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	cfg.DSN = PostgresDSN(t, true)
	return open(t, cfg)
}

// PostgresDSN is the address of a fresh database, migrated or empty, which is dropped after the test.
func PostgresDSN(t testing.TB, migrated bool) string {
	t.Helper()
	server := os.Getenv(PostgresVariable)
	if server == "" {
		t.Skip("set " + PostgresVariable + " to a PostgreSQL superuser's address to run this")
	}
	name, template := "revenge_test_"+strings.ReplaceAll(uuid.NewString(), "-", ""), "template0"
	if migrated {
		var err error
		if template, err = migratedTemplate(server); err != nil {
			t.Fatal(err)
		}
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Error(err)
		}
		admin.Close()
	})
	return withDatabase(server, name)
}

func open(t testing.TB, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func migrate(dsn string) error {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, sqlstore.Config{DSN: dsn})
	if err != nil {
		return err
	}
	err = s.Migrate(ctx)
	if e := s.Close(); err == nil {
		err = e
	}
	return err
}

var migratedFile = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "revenge-migrated")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "revenge.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migratedTemplate makes the server's template, named by what the migrations say, unless another process made it.
var migratedTemplate = func() func(server string) (string, error) {
	var once sync.Once
	var name string
	var err error
	return func(server string) (string, error) {
		once.Do(func() { name, err = makeTemplate(server) })
		return name, err
	}
}()

func makeTemplate(server string) (string, error) {
	files, err := migrations.For(true)
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	err = fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, path)
		fmt.Fprintf(digest, "%s\n%s\n", path, data)
		return err
	})
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("revenge_template_%x", digest.Sum(nil)[:8])
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return "", err
	}
	defer admin.Close()
	ctx := context.Background()
	conn, err := admin.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close() // which lets the lock go
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(7310)"); err != nil {
		return "", err
	}
	var exists bool
	if err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil || exists {
		return name, err
	}
	making := name + "_making"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + making, "CREATE DATABASE " + making} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return "", err
		}
	}
	if err := migrate(withDatabase(server, making)); err != nil {
		return "", err
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", making, name))
	return name, err
}

func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(PostgresVariable + " is no URL")
	}
	u.Path = "/" + name
	return u.String()
}

// UpTo brings an empty database to an older schema.
func UpTo(t testing.TB, s *sqlstore.Store, version int64) {
	t.Helper()
	files, err := migrations.For(s.Pool() != nil)
	if err != nil {
		t.Fatal(err)
	}
	dialect := goose.DialectSQLite3
	if s.Pool() != nil {
		dialect = goose.DialectPostgres
	}
	steps, err := goose.NewProvider(dialect, s.SQLDB(), files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
