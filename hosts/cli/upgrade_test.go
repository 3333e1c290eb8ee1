package cli_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// landed is what a server of an older schema left: its rows, and what its API said of them.
type landed struct {
	Schema int64           `json:"schema"`
	Tables []landedTable   `json:"tables"`
	Said   map[string]said `json:"said"` // by account
}

// landedTable is a table in the order in which it can be filled.
type landedTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	// Rows hold numbers, booleans and texts as they are, bytes as {"bytes": base64}.
	Rows [][]any `json:"rows"`
}

// said is, by path, what an account was answered.
type said map[string]any

// sealingKey is that of the recorded servers: no secret.
var sealingKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)) + "\n"

// TestAServerOfEveryLandedSchemaGoesOnAfterTheUpgrade starts the program on what servers of older versions left, in both databases: all that
// their API said it says too, passwords hold, and people go on watching (R17). Files recorded by REVENGE_TEST_RECORD=1, once for each schema
// that lands, are never changed.
func TestAServerOfEveryLandedSchemaGoesOnAfterTheUpgrade(t *testing.T) {
	t.Parallel()
	if os.Getenv("REVENGE_TEST_RECORD") != "" {
		record(t)
	}
	recorded, err := filepath.Glob("testdata/schema-*.json.gz")
	if err != nil || len(recorded) == 0 {
		t.Fatal("no schema was recorded", err)
	}
	for _, file := range recorded {
		var left landed
		readRecord(t, file, &left)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			t.Parallel()
			onEither(t, func(t *testing.T, h home) {
				world.Write(t, filepath.Join(h.dir, "secret.key"), []byte(sealingKey))
				restore(t, h, left)
				p := h.start(t)
				for name, paths := range left.Said {
					token := p.login(t, name).AccessToken
					for path, want := range paths {
						got := get[any](t, &p.served, token, path)
						if lost := missingFrom(got, want, ""); lost != "" {
							t.Errorf("%s, %s: %s", name, path, lost)
						}
					}
				}
				token := p.login(t, "vera").AccessToken
				film := get[domain.Page[domain.MovieItem]](t, &p.served, token, "/movies").Items[0].ID.String()
				if r, body := p.do(t, http.MethodPost, "/api/v1/movies/"+film+"/progress", token, map[string]any{"position": 4}); r.StatusCode != http.StatusOK {
					t.Errorf("%d %s", r.StatusCode, body)
				}
				p.kill()
				s := h.database(t)
				defer s.Close()
				sound(t, s.ReadDB(), s.Pool() != nil)
			}, "REVENGE_SCAN_WATCH=false")
		})
	}
}

func readRecord(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(plain)
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// restore makes the database as it was left.
func restore(t *testing.T, h home, left landed) {
	t.Helper()
	s := at(t, h, left.Schema)
	defer s.Close()
	for _, table := range left.Tables {
		if _, err := s.SQLDB().Exec("DELETE FROM " + table.Name); err != nil { // what a migration began itself
			t.Fatal(err)
		}
		places := make([]string, len(table.Columns))
		for i := range places {
			places[i] = "?"
			if s.Pool() != nil {
				places[i] = fmt.Sprintf("$%d", i+1)
			}
		}
		for _, row := range table.Rows {
			values := make([]any, len(row))
			for i, v := range row {
				values[i] = v
				switch v := v.(type) {
				case json.Number:
					values[i] = string(v)
					if n, err := v.Int64(); err == nil {
						values[i] = n
					} else if f, err := v.Float64(); err == nil {
						values[i] = f
					}
				case map[string]any:
					data, err := base64.StdEncoding.DecodeString(v["bytes"].(string))
					if err != nil {
						t.Fatal(err)
					}
					values[i] = data
				}
			}
			query := fmt.Sprintf(`INSERT INTO %s ("%s") VALUES (%s)`, table.Name, strings.Join(table.Columns, `", "`), strings.Join(places, ", "))
			if _, err := s.SQLDB().Exec(query, values...); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
	}
}

// at brings a home's empty database to a schema; 0 leaves it empty.
func at(t *testing.T, h home, schema int64) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: h.dsn})
	if err != nil {
		t.Fatal(err)
	}
	if schema > 0 {
		sqlstoretest.UpTo(t, s, schema)
	}
	return s
}

// missingFrom says where got lacks or changes something of want; what it has more is a newer version's.
func missingFrom(got, want any, where string) string {
	switch want := want.(type) {
	case map[string]any:
		has, _ := got.(map[string]any)
		for key, v := range want {
			if lost := missingFrom(has[key], v, where+"."+key); lost != "" {
				return lost
			}
		}
		return ""
	case []any:
		has, _ := got.([]any)
		if len(has) != len(want) {
			return fmt.Sprintf("%s has %d entries and had %d", where, len(has), len(want))
		}
		for i, v := range want {
			if lost := missingFrom(has[i], v, fmt.Sprintf("%s[%d]", where, i)); lost != "" {
				return lost
			}
		}
		return ""
	case json.Number: // sums of fractions depend on the order
		a, _ := want.Float64()
		if b, ok := got.(float64); ok && math.Abs(a-b) <= 1e-9*math.Abs(a) {
			return ""
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("%s is %v and was %v", where, got, want)
	}
	return ""
}

// record writes testdata/schema-N.json.gz of the present schema N, unless it is there.
func record(t *testing.T) {
	t.Helper()
	h := onSQLite(t)
	films, locked := demo.TestLibrary(t), t.TempDir()
	world.Film(t, locked, "Freaks (1932)", demo.H264MKV)
	settled(t, films)
	settled(t, locked)
	world.Write(t, filepath.Join(h.dir, "secret.key"), []byte(sealingKey))
	h.owner(t)
	h.do(t, world.Password+"\n", "admin", "user", "create", "--email", "vera@example.org", "vera")
	p := h.start(t, films)
	ann, vera := p.login(t, "ann"), p.login(t, "vera")
	p.scanned(t, ann.AccessToken)
	ask := func(token, method, path string, body any) {
		t.Helper()
		if r, text := p.do(t, method, "/api/v1"+path, token, body); r.StatusCode >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, r.StatusCode, text)
		}
	}
	ask(ann.AccessToken, http.MethodPost, "/admin/libraries", map[string]any{"name": "Locked", "paths": []string{locked}, "restricted": true, "locale": "de"})
	for _, l := range get[listed[domain.Library]](t, &p.served, ann.AccessToken, "/libraries").Items {
		ask(ann.AccessToken, http.MethodPost, "/admin/libraries/"+l.ID.String()+"/access", map[string]any{"userId": vera.User.ID})
		world.Until(t, "it is scanned", func() bool {
			return get[domain.Scan](t, &p.served, ann.AccessToken, "/admin/libraries/"+l.ID.String()+"/scan").State == domain.ScanDone
		})
	}
	left := landed{Said: map[string]said{}}
	for i, in := range []struct{ name, token string }{{"ann", ann.AccessToken}, {"vera", vera.AccessToken}} {
		ask(in.token, http.MethodPatch, "/users/me/preferences", map[string]any{"audioLanguage": spoken[i], "subtitleMode": "on", "language": "de"})
		list := get[domain.Page[domain.MovieItem]](t, &p.served, in.token, "/movies?limit=100").Items
		for n, m := range list[:5] {
			own := "/movies/" + m.ID.String()
			ask(in.token, http.MethodPost, own+"/progress", map[string]any{"position": 2 + n + i, "duration": 20})
			if n == 1 {
				ask(in.token, http.MethodPost, own+"/watched", nil)
			}
			if n == 2 {
				ask(in.token, http.MethodDelete, own+"/progress", nil)
			}
			if n == 3 {
				ask(in.token, http.MethodDelete, own+"/continue-watching", nil)
			}
		}
		paths := []string{"/movies?limit=100", "/movies?limit=100&sort=-year", "/movies?q=the", "/movies/watch-history", "/movies/continue-watching", "/movies/stats", "/genres", "/users/me/preferences"}
		for _, m := range list {
			for _, more := range []string{"", "/files", "/cast", "/crew", "/progress"} {
				paths = append(paths, "/movies/"+m.ID.String()+more)
			}
		}
		left.Said[in.name] = said{}
		for _, path := range paths {
			left.Said[in.name][path] = get[any](t, &p.served, in.token, path)
		}
	}
	p.kill()
	s := h.database(t)
	defer s.Close()
	var err error
	if left.Schema, err = s.SchemaVersion(t.Context()); err != nil {
		t.Fatal(err)
	}
	places := strings.NewReplacer(films, "/films", locked, "/locked")
	for _, name := range column(t, s.ReadDB(), "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose%' AND name NOT LIKE 'river%' AND name NOT LIKE '%_fts%' ORDER BY rowid") {
		left.Tables = append(left.Tables, dump(t, s.ReadDB(), name, places))
	}
	file := fmt.Sprintf("testdata/schema-%d.json.gz", left.Schema)
	if _, err := os.Stat(file); err == nil {
		return
	}
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(packed).Encode(left), packed.Close()); err != nil {
		t.Fatal(err)
	}
	world.Write(t, file, b.Bytes())
}

func dump(t *testing.T, db *sql.DB, name string, places *strings.Replacer) landedTable {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	table := landedTable{Name: name, Rows: [][]any{}}
	for _, c := range types {
		table.Columns = append(table.Columns, c.Name())
	}
	for rows.Next() {
		cells, into := make([]any, len(types)), make([]any, len(types))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for i, v := range cells {
			switch v := v.(type) {
			case []byte:
				cells[i] = map[string]any{"bytes": []byte(places.Replace(string(v)))}
			case string:
				cells[i] = places.Replace(v)
			}
			if types[i].DatabaseTypeName() == "BOOLEAN" {
				cells[i] = fmt.Sprint(cells[i]) == "1" || fmt.Sprint(cells[i]) == "true"
			}
		}
		table.Rows = append(table.Rows, cells)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return table
}

// TestANewerDatabaseIsLeftAlone: a program that does not know the schema says what to do and changes nothing (R17).
func TestANewerDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	onEither(t, func(t *testing.T, h home) {
		h.owner(t)
		s := h.database(t)
		if _, err := s.SQLDB().Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
			t.Fatal(err)
		}
		state := func() (content string) {
			for _, name := range column(t, s.ReadDB(), "SELECT username || password_hash FROM users UNION ALL SELECT CAST(version_id AS TEXT) FROM goose_db_version ORDER BY 1") {
				content += name + "\n"
			}
			return content
		}
		before := state()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		files := func() (list []string) {
			all, err := filepath.Glob(filepath.Join(h.dir, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range all {
				data, err := os.ReadFile(f)
				if err == nil && !strings.HasSuffix(f, ".lock") && !strings.HasSuffix(f, "-shm") && len(data) > 0 {
					list = append(list, fmt.Sprintf("%s %d %x", filepath.Base(f), len(data), data[:min(len(data), 128)]))
				}
			}
			return list
		}
		whole, _ := os.ReadFile(filepath.Join(h.dir, "revenge.db"))
		on := files()
		for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"migrate"}, {"admin", "user", "create", "bob"}} {
			p := h.launch(t, world.Password+"\n", args...)
			if code := p.exit(t); code != 1 || !strings.Contains(p.stderr.String(), sqlstore.CodeSchemaNewer) || !strings.Contains(p.stderr.String(), "9999") {
				t.Errorf("%v ended with %d: %s%s", args, code, p.stdout, p.stderr)
			}
		}
		if after, _ := os.ReadFile(filepath.Join(h.dir, "revenge.db")); !bytes.Equal(after, whole) || !slices.Equal(files(), on) {
			t.Errorf("the data folder was\n%v\nand is\n%v", on, files())
		}
		s = h.database(t)
		defer s.Close()
		if after := state(); after != before {
			t.Errorf("the database held\n%s\nand holds\n%s", before, after)
		}
	})
}

// TestProgramsThatStartTogetherUpgradeOnce starts five on an empty database and on the oldest one: each step is done once, the others wait (R16).
func TestProgramsThatStartTogetherUpgradeOnce(t *testing.T) {
	t.Parallel()
	for _, from := range []int64{0, 1} {
		t.Run(fmt.Sprintf("from schema %d", from), func(t *testing.T) {
			t.Parallel()
			onEither(t, func(t *testing.T, h home) {
				if err := at(t, h, from).Close(); err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				var programs, migrators []*program
				for range 2 {
					migrators = append(migrators, h.launch(t, "", "migrate"))
				}
				for range 5 {
					programs = append(programs, h.launch(t, "", "serve", "--listen", "127.0.0.1:0"))
				}
				for _, p := range programs {
					all.Go(func() {
						for deadline := time.Now().Add(world.Patience); !strings.HasSuffix(p.stdout.String(), "\n\n"); time.Sleep(10 * time.Millisecond) {
							select {
							case <-p.gone:
								t.Errorf("one of five ended: %s", p.stderr)
								return
							default:
							}
							if time.Now().After(deadline) {
								t.Errorf("one of five does not start: %s", p.stderr)
								return
							}
						}
					})
				}
				for _, p := range migrators {
					all.Go(func() {
						<-p.gone
						if code := p.command.ProcessState.ExitCode(); code != 0 {
							t.Errorf("\"revenge migrate\" beside five that start ends with %d: %s", code, p.stderr)
						}
					})
				}
				all.Wait()
				steps := map[string]int{}
				for _, p := range append(programs, migrators...) {
					p.kill()
					for line := range strings.Lines(p.stderr.String()) {
						var entry struct {
							Msg     string
							Version int
						}
						if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "migrated" {
							steps[fmt.Sprint(entry.Version)]++
						}
					}
				}
				if len(steps) < 2 {
					t.Errorf("the steps were %v", steps)
				}
				backups, _ := filepath.Glob(filepath.Join(h.dir, "backups", "*"))
				if len(backups) != int(min(from, 1)) { // of the schema as it was, not of what the first of them made of it
					t.Errorf("the backups are %v", backups)
				}
				for version, times := range steps {
					if times != 1 {
						t.Errorf("step %s was done %d times", version, times)
					}
				}
			}, "REVENGE_LOG_LEVEL=info")
		})
	}
}

// TestAKilledUpgradeIsGoneOnWith kills the program in the middle of its migrations, as often as it takes to kill it at several places (R16).
func TestAKilledUpgradeIsGoneOnWith(t *testing.T) {
	t.Parallel()
	onEither(t, func(t *testing.T, h home) {
		for range 6 {
			p := h.launch(t, "", "migrate")
			select {
			case <-p.gone:
			case <-time.After(rand.N(400 * time.Millisecond)): // the moment of the kill, which nothing waits for
			}
			p.kill()
			s := h.database(t)
			if s.Pool() == nil {
				if found := column(t, s.ReadDB(), "SELECT * FROM pragma_integrity_check"); len(found) != 1 || found[0] != "ok" {
					t.Errorf("%v", found)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		h.do(t, "", "migrate")
		h.owner(t)
		h.start(t).login(t, "ann")
	})
}
