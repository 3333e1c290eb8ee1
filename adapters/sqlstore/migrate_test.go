package sqlstore_test

import (
	"context"
	"crypto/sha256"
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

	"github.com/google/uuid"
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

// TestLandedMigrationsAreNeverChanged: whoever runs an older version has applied them as they were, so a change is a migration of its own.
func TestLandedMigrationsAreNeverChanged(t *testing.T) {
	t.Parallel()
	landed, err := os.ReadFile("testdata/landed.sum")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(landed)) {
		sum, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
		text, err := os.ReadFile(filepath.Join("../../migrations", path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != sum {
			t.Errorf("%s was changed after it landed", path)
		}
	}
}

// TestEachLandedSchemaIsMigratedWithItsData fills every table of every schema that there ever was, migrates, and finds all of it again (R17);
// in SQLite also in the backup that was made before.
func TestEachLandedSchemaIsMigratedWithItsData(t *testing.T) {
	t.Parallel()
	files, err := migrations.For(false)
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	latest := int64(len(names))
	for from := int64(1); from <= latest; from++ {
		t.Run(fmt.Sprintf("schema %d", from), func(t *testing.T) {
			t.Parallel()
			emptyDatabases(t, func(t *testing.T, dsn string) {
				s := openAt(t, dsn)
				postgres := s.Pool() != nil
				sqlstoretest.UpTo(t, s, from)
				fill(t, s.SQLDB(), postgres)
				before := rows(t, s.SQLDB(), columns(t, s.SQLDB(), postgres))
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if version, err := s.SchemaVersion(t.Context()); err != nil || version != latest {
					t.Fatalf("schema %d of %d, %v", version, latest, err)
				}
				kept(t, before, rows(t, s.SQLDB(), columns(t, s.SQLDB(), postgres)))
				if backup := fmt.Sprintf("%s.schema-%d.bak", strings.TrimPrefix(dsn, "sqlite:"), from); !postgres && from < latest {
					old := openAt(t, "sqlite:"+backup)
					kept(t, before, rows(t, old.SQLDB(), columns(t, old.SQLDB(), false)))
					if version, err := old.SchemaVersion(t.Context()); err != nil || version != from {
						t.Errorf("the backup has schema %d, %v", version, err)
					}
				}
			})
		})
	}
}

// filled is how many rows fill puts into each table.
const filled = 3

// fill puts rows into every table: values that tell column and row, and, where a column refers to another, that one's of the same row.
func fill(t *testing.T, db *sql.DB, postgres bool) {
	t.Helper()
	tables := columns(t, db, postgres)
	parents := references(t, db, postgres)
	var done []string
	for len(done) < len(tables) {
		progress := len(done)
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			waits := slices.ContainsFunc(slices.Collect(maps.Values(parents[table])), func(parent string) bool {
				return !slices.Contains(done, strings.Split(parent, ".")[0])
			})
			if waits || slices.Contains(done, table) {
				continue
			}
			done = append(done, table)
			if liteOnly(table) {
				continue // filled by triggers
			}
			if _, err := db.Exec("DELETE FROM " + table); err != nil { // what a migration put there itself
				t.Fatal(err)
			}
			for row := range filled {
				var names, places []string
				var values []any
				for i, c := range tables[table] {
					name, kind, _ := strings.Cut(c, " ")
					parent, refers := parents[table][name]
					if !refers {
						parent = table + "." + name
					}
					names, values = append(names, `"`+name+`"`), append(values, value(parent, strings.TrimSuffix(kind, " null"), row))
					places = append(places, "?")
					if postgres {
						places[i] = fmt.Sprintf("$%d", i+1)
					}
				}
				query := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), strings.Join(places, ", "))
				if _, err := db.Exec(query, values...); err != nil {
					t.Fatalf("%s: %v with %v", query, err, values)
				}
			}
		}
		if len(done) == progress {
			t.Fatalf("tables refer to each other in a ring: %v of %v", done, parents)
		}
	}
}

// value is what a column, "table.name", holds in a row.
func value(column, kind string, row int) any {
	switch kind {
	case "integer":
		return int64(row + 1)
	case "real":
		return float64(row) + 0.25
	case "boolean":
		return row%2 == 0
	case "blob":
		return []byte{0, 0xff, byte(row)}
	}
	if strings.HasSuffix(column, "id") && !strings.HasSuffix(column, "imdb_id") || strings.HasSuffix(column, ".enabled_by") {
		return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s %d", column, row)).String()
	}
	return fmt.Sprintf("%s of row %d", column, row)
}

// references returns, by table, which columns refer to which, as "table.column".
func references(t *testing.T, db *sql.DB, postgres bool) map[string]map[string]string {
	t.Helper()
	query := `SELECT m.name, f."from", f."table" || '.' || f."to" FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if postgres {
		query = `SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text || '.' || b.attname FROM pg_constraint c
			JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
			WHERE c.contype = 'f'`
	}
	found, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	all := map[string]map[string]string{}
	for found.Next() {
		var table, from, to string
		if err := found.Scan(&table, &from, &to); err != nil {
			t.Fatal(err)
		}
		if all[table] == nil {
			all[table] = map[string]string{}
		}
		all[table][from] = to
	}
	return all
}

// rows returns the content of tables, by table and column, each column sorted.
func rows(t *testing.T, db *sql.DB, tables map[string][]string) map[string]map[string][]string {
	t.Helper()
	all := map[string]map[string][]string{}
	for table, list := range tables {
		if liteOnly(table) {
			continue
		}
		all[table] = map[string][]string{}
		for _, c := range list {
			name, _, _ := strings.Cut(c, " ")
			all[table][name] = texts(t, db, fmt.Sprintf("SELECT %q FROM %s", name, table))
			slices.Sort(all[table][name])
		}
	}
	return all
}

// texts returns a query's only column.
func texts(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	found, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var v any
		if err := found.Scan(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(v))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// kept compares what a schema had with what the newest has. A column may go a version after the last one that needs it: then this test names it.
func kept(t *testing.T, before, after map[string]map[string][]string) {
	t.Helper()
	for table, list := range before {
		for column, values := range list {
			if len(values) != filled {
				t.Errorf("%s.%s was filled with %d rows", table, column, len(values))
			}
			if !slices.Equal(after[table][column], values) {
				t.Errorf("%s.%s held %v and holds %v", table, column, values, after[table][column])
			}
		}
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
			WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%' AND table_name NOT IN (SELECT relname FROM pg_class WHERE relispartition)`
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
