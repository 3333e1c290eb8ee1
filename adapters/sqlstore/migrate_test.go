package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/migrations"
)

func openAt(t *testing.T, dsn string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// emptyDatabases runs fn with the address of an empty database of each engine.
func emptyDatabases(t *testing.T, fn func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, "sqlite:"+filepath.Join(t.TempDir(), "new folder", "it's 100%.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, sqlstoretest.PostgresDSN(t, false))
	})
}

func TestProcessesThatStartTogetherMigrateOnce(t *testing.T) {
	emptyDatabases(t, func(t *testing.T, dsn string) {
		var wg sync.WaitGroup
		for range 5 {
			s := openAt(t, dsn)
			wg.Go(func() {
				if err := s.Migrate(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		files, err := migrations.For(false)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := fs.Glob(files, "*.sql")
		if err != nil {
			t.Fatal(err)
		}
		if version, err := openAt(t, dsn).SchemaVersion(t.Context()); err != nil || version != int64(len(steps)) {
			t.Errorf("schema %d of %d, %v", version, len(steps), err)
		}
	})
}

func TestNewerSchemaIsRefused(t *testing.T) {
	emptyDatabases(t, func(t *testing.T, dsn string) {
		s := openAt(t, dsn)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SQLDB().Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(t.Context()); fault.CodeOf(err) != sqlstore.CodeSchemaNewer {
			t.Errorf("Migrate: %v", err)
		}
		if _, err := s.SchemaVersion(t.Context()); fault.CodeOf(err) != sqlstore.CodeSchemaNewer {
			t.Errorf("SchemaVersion: %v", err)
		}
	})
}

func TestSQLiteFileIsCopiedBeforeItIsChanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "revenge.db")
	s := openAt(t, "sqlite:"+path)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if copies, _ := filepath.Glob(path + ".schema-*"); len(copies) != 0 {
		t.Fatalf("an empty database was copied: %v", copies)
	}
	latest, err := s.SchemaVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if latest == 1 {
		t.Skip("there is one schema only: nothing was ever upgraded")
	}
	files, err := migrations.For(false)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, s.SQLDB(), files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := columns(t, s.SQLDB(), false)
	if _, err := s.SQLDB().Exec("INSERT INTO server_secrets (name, sealed, created_at) VALUES ('kept', x'00', 1)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	backup := fmt.Sprintf("%s.schema-%d.bak", path, steps.ListSources()[len(steps.ListSources())-2].Version)
	info, err := os.Stat(backup)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	restored := openAt(t, "sqlite:"+backup)
	var name string
	if err := restored.ReadDB().QueryRow("SELECT name FROM server_secrets").Scan(&name); err != nil || name != "kept" {
		t.Errorf("the copy holds %q, %v", name, err)
	}
	if got := columns(t, restored.SQLDB(), false); !maps.EqualFunc(got, before, slices.Equal) {
		t.Errorf("the copy's tables differ")
	}
}

// TestBothDatabasesHaveEqualTables is what keeps two files of SQL one schema.
func TestBothDatabasesHaveEqualTables(t *testing.T) {
	t.Parallel()
	pg := columns(t, sqlstoretest.Postgres(t, sqlstore.Config{}).SQLDB(), true)
	lite := columns(t, sqlstoretest.SQLite(t, sqlstore.Config{}).SQLDB(), false)
	for _, table := range slices.Sorted(maps.Keys(pg)) {
		if !slices.Equal(pg[table], lite[table]) {
			t.Errorf("table %s:\npostgres %v\n  sqlite %v", table, pg[table], lite[table])
		}
	}
	for table := range lite {
		if pg[table] == nil && !liteOnly(table) {
			t.Errorf("table %s is SQLite's only", table)
		}
	}
}

// liteOnly names SQLite's full-text indexes, whose like are indexes in PostgreSQL.
func liteOnly(table string) bool { return strings.Contains(table, "_fts") }

// columns returns "name class [null]" of every column by table. Types that hold the same are one class.
func columns(t *testing.T, db *sql.DB, postgres bool) map[string][]string {
	t.Helper()
	query := `SELECT m.name, p.name, p.type, p."notnull" = 0 FROM sqlite_schema m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose%'`
	if postgres {
		query = `SELECT table_name, column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'`
	}
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	class := map[string]string{
		"uuid": "text", "bytea": "blob", "bigint": "integer", "smallint": "integer", "double precision": "real", "jsonb": "text",
		"character varying": "text",
	}
	tables := map[string][]string{}
	for rows.Next() {
		var table, column, kind string
		var null bool
		if err := rows.Scan(&table, &column, &kind, &null); err != nil {
			t.Fatal(err)
		}
		kind = strings.ToLower(kind)
		if same, ok := class[kind]; ok {
			kind = same
		}
		if null {
			kind += " null"
		}
		tables[table] = append(tables[table], column+" "+kind)
	}
	for _, list := range tables {
		slices.Sort(list)
	}
	return tables
}
