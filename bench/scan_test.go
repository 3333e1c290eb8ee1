package bench_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/demo"
)

const (
	firstFiles  = 5_000
	rescanFiles = 100_000
)

// sized is a count, which an environment variable makes smaller while somebody works on a benchmark.
func sized(b *testing.B, variable string, count int) int {
	if text := os.Getenv(variable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return count
}

// BenchmarkFirstScan scans a library that nobody saw before, on a fresh database each time, until each file is listed with duration, tracks and
// fingerprint. Frames of films are off: they are ffmpeg's time.
func BenchmarkFirstScan(b *testing.B) {
	count := sized(b, "REVENGE_BENCH_FILES", firstFiles)
	films := b.TempDir()
	fill(b, films, count, content(b, demo.H264AAC), content(b, demo.H264MKV))
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			ours := func(context.Context) (float64, error) {
				s := serveScans(b, d)
				defer s.stop()
				start := time.Now()
				library := s.library(b, films)
				s.until(b, library, func(scan domain.Scan) bool {
					return scan.Stage == domain.StageArtwork || scan.State == domain.ScanDone
				})
				took := time.Since(start).Seconds()
				if listed := s.count(b, `SELECT COUNT(*) FROM movie_files f JOIN movies m ON m.id = f.movie_id
					WHERE f.state = 'ready' AND f.media IS NOT NULL AND f.fingerprint <> '' AND m.runtime > 15`); listed != count {
					return 0, fmt.Errorf("%d of %d files are listed", listed, count)
				}
				return float64(count) / took, nil
			}
			limit := func(context.Context) (float64, error) {
				return limitOf(b, count, "limit-scan", films, d.fresh(b, b.TempDir()))
			}
			for b.Loop() {
				c, err := measure.Interleave(b.Context(), sized(b, "REVENGE_BENCH_ROUNDS", measure.Rounds), ours, limit)
				if err != nil {
					b.Fatal(err)
				}
				measure.Report(b, c.AtLeast(0.15, "Scanning, "+d.name, fmt.Sprintf("first scan of %d files, MP4 and MKV", count), "files/s"))
			}
		})
	}
}

// BenchmarkRescan scans a library in which nothing changed. The database counts what is written to the tables of films and files meanwhile.
func BenchmarkRescan(b *testing.B) {
	count := sized(b, "REVENGE_BENCH_RESCAN_FILES", rescanFiles)
	films := b.TempDir()
	tiny, err := os.ReadFile("../adapters/cmaf/testdata/small.mkv")
	if err != nil {
		b.Fatal(err)
	}
	fill(b, films, count, file{".mkv", tiny})
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			s := serveScans(b, d)
			defer s.stop()
			library := s.library(b, films)
			ended := func(scan domain.Scan) bool { return scan.State == domain.ScanDone }
			s.until(b, library, func(scan domain.Scan) bool { return scan.Stage == domain.StageArtwork })
			s.lookedForPictures(b, library)
			ours := func(context.Context) (float64, error) {
				start := time.Now()
				var scan domain.Scan
				s.do(b, http.MethodPost, "/admin/libraries/"+library.String()+"/scan", nil, &scan)
				scan = s.until(b, library, ended)
				took := time.Since(start).Seconds()
				if scan.Found != count || scan.Added+scan.Changed+scan.Missing+scan.Read+scan.Matched > 0 {
					return 0, fmt.Errorf("the scan was none of %d unchanged files: %+v", count, scan)
				}
				return took, nil
			}
			if _, err := ours(b.Context()); err != nil { // what the first scan left is done then
				b.Fatal(err)
			}
			before := s.writes(b)
			limit := func(context.Context) (float64, error) {
				rate, err := limitOf(b, count, "limit-walk", films)
				return float64(count) / rate, err
			}
			for b.Loop() {
				c, err := measure.Interleave(b.Context(), sized(b, "REVENGE_BENCH_ROUNDS", measure.Rounds), ours, limit)
				if err != nil {
					b.Fatal(err)
				}
				measure.Report(b, c.AtMost(2, "Scanning, "+d.name, fmt.Sprintf("rescan of %d unchanged files", count), "s"))
			}
			measure.Report(b, measure.Absolute(float64(s.writes(b)-before), 0, "Scanning, "+d.name, "writes of those rescans to films and files", "rows"))
		})
	}
}

// lookedForPictures ends a scan in its last stage with what that writes about films without pictures, which would take minutes.
func (s *scanServer) lookedForPictures(b *testing.B, library domain.ID) {
	b.Helper()
	var none any
	s.do(b, http.MethodDelete, "/admin/libraries/"+library.String()+"/scan", nil, &none)
	if _, err := s.db.ExecContext(b.Context(), "UPDATE movies SET pictures_at = updated_at"); err != nil {
		b.Fatal(err)
	}
}

// file is a film's content.
type file struct {
	extension string
	data      []byte
}

func content(b *testing.B, f demo.Fixture) file {
	b.Helper()
	data, err := os.ReadFile(demo.File(b, f))
	if err != nil {
		b.Fatal(err)
	}
	return file{filepath.Ext(f.Name()), data}
}

// fill makes a library of that many films, each in a folder of its own. A box or an element that players skip makes each file another one.
func fill(b *testing.B, dir string, count int, kinds ...file) {
	b.Helper()
	old := time.Now().Add(-time.Hour) // none that is still copied
	for i := range count {
		kind := kinds[i%len(kinds)]
		name := fmt.Sprintf("Harbour Lights %05d (%d)", i, 1950+i%70)
		path := filepath.Join(dir, name, name+kind.extension)
		skipped := []byte{0, 0, 0, 12, 'f', 'r', 'e', 'e', byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		if kind.extension == ".mkv" {
			skipped = []byte{0xec, 0x84, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		}
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, append(kind.data[:len(kind.data):len(kind.data)], skipped...), 0o644); err != nil {
			b.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			b.Fatal(err)
		}
	}
	syscall.Sync() // the disk is not to be busy with this during what is measured
}

// limitOf runs a limit program and returns how many files a second it did.
func limitOf(b *testing.B, count int, program string, args ...string) (float64, error) {
	b.Helper()
	p := start(b, program, "done", nil, args...)
	defer p.stop()
	var took float64
	var did int
	if _, err := fmt.Sscan(p.Ready, &took, &did); err != nil {
		return 0, err
	}
	if did != count {
		return 0, fmt.Errorf("%s did %d of %d files", program, did, count)
	}
	return float64(count) / took, nil
}

// database is a kind of database that things are measured on.
type database struct {
	name string
	// fresh makes an empty one and returns its DSN.
	fresh func(b *testing.B, dir string) string
}

var databases = []database{
	{"SQLite", func(_ *testing.B, dir string) string { return "sqlite:" + filepath.Join(dir, "revenge.db") }},
	{"PostgreSQL", func(b *testing.B, _ string) string {
		b.Helper()
		server := os.Getenv("REVENGE_TEST_POSTGRES")
		if server == "" {
			b.Skip("there is no PostgreSQL: see scripts/with-services")
		}
		admin, err := sql.Open("pgx", server)
		if err != nil {
			b.Fatal(err)
		}
		name := "bench_" + strings.ReplaceAll(domain.NewID().String(), "-", "")
		if _, err := admin.ExecContext(b.Context(), "CREATE DATABASE "+name); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_, _ = admin.Exec("DROP DATABASE " + name + " WITH (FORCE)")
			_ = admin.Close()
		})
		before, after, _ := strings.Cut(server, "?")
		dsn := before[:strings.LastIndexByte(before, '/')+1] + name
		if after != "" {
			dsn += "?" + after
		}
		return dsn
	}},
}

// scanServer is Revenge with an administrator who is signed in, and a look into its database.
type scanServer struct {
	*process
	url, token string
	db         *sql.DB
	postgres   bool
}

func serveScans(b *testing.B, d database) *scanServer {
	b.Helper()
	const password = "correct horse battery staple"
	dir := b.TempDir()
	dsn := d.fresh(b, dir)
	environ := []string{"REVENGE_DATA_DIR=" + dir, "REVENGE_DATABASE=" + dsn, "REVENGE_METRICS_LISTEN=", "REVENGE_LOG_LEVEL=error", "REVENGE_SCAN_FRAMES=false"}
	admin := exec.CommandContext(b.Context(), os.Args[0], "admin", "user", "create", "--admin", "ann")
	admin.Env, admin.Stdin = append(append(os.Environ(), environ...), asProgram+"=revenge"), strings.NewReader(password+"\n")
	if out, err := admin.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	s := &scanServer{postgres: strings.HasPrefix(dsn, "postgres")}
	s.process = start(b, "revenge", "http://localhost:", environ, "serve", "--listen", "127.0.0.1:0")
	s.url = "http://localhost:" + s.Ready + "/api/v1"
	driver := "pgx"
	if !s.postgres {
		driver, dsn = "sqlite", "file:"+strings.TrimPrefix(dsn, "sqlite:")+"?_pragma=busy_timeout(20000)"
	}
	var err error
	if s.db, err = sql.Open(driver, dsn); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.db.Close() })
	var in struct{ AccessToken string }
	s.do(b, http.MethodPost, "/auth/login", map[string]any{"login": "ann", "password": password}, &in)
	s.token = in.AccessToken
	return s
}

func (s *scanServer) do(b *testing.B, method, path string, body, into any) {
	b.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.Context(), method, s.url+path, bytes.NewReader(sent))
	if err != nil {
		b.Fatal(err)
	}
	if body == nil {
		request.Body = http.NoBody
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		b.Fatalf("%s %s: %s %s %v", method, path, answer.Status, got, err)
	}
	if err := json.Unmarshal(got, into); err != nil && len(got) > 0 {
		b.Fatal(err)
	}
}

// library makes one of a folder, which begins its first scan.
func (s *scanServer) library(b *testing.B, films string) domain.ID {
	b.Helper()
	var l domain.Library
	s.do(b, http.MethodPost, "/admin/libraries", map[string]any{"name": "Films", "paths": []string{films}, "open": true}, &l)
	return l.ID
}

// until follows a library's scan.
func (s *scanServer) until(b *testing.B, library domain.ID, holds func(domain.Scan) bool) domain.Scan {
	b.Helper()
	// Asking takes time from what is measured, so it is done the more seldom the longer it takes already, to within 2 %.
	for began := time.Now(); ; time.Sleep(max(10*time.Millisecond, time.Since(began)/50)) {
		var scan domain.Scan
		s.do(b, http.MethodGet, "/admin/libraries/"+library.String()+"/scan", nil, &scan)
		if holds(scan) {
			return scan
		}
		if !scan.Active() || time.Since(began) > 15*time.Minute {
			b.Fatalf("the scan came to nothing: %+v", scan)
		}
	}
}

func (s *scanServer) count(b *testing.B, query string) (n int) {
	b.Helper()
	if err := s.db.QueryRowContext(b.Context(), query).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// writes counts the rows of films and files that were written since the first call, by triggers, which that makes.
func (s *scanServer) writes(b *testing.B) int {
	b.Helper()
	statements := []string{"CREATE TABLE IF NOT EXISTS bench_writes (at INTEGER)"}
	if s.postgres {
		statements = append(statements, "CREATE OR REPLACE FUNCTION bench_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO bench_writes VALUES (1); RETURN NULL; END $$")
	}
	for _, table := range []string{"movies", "movie_files", "movie_genres"} {
		for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
			create, do := "CREATE TRIGGER IF NOT EXISTS", "BEGIN INSERT INTO bench_writes VALUES (1); END"
			if s.postgres {
				create, do = "CREATE OR REPLACE TRIGGER", "FOR EACH ROW EXECUTE FUNCTION bench_write()"
			}
			statements = append(statements, fmt.Sprintf("%s bench_%s_%s AFTER %s ON %s %s", create, table, event, event, table, do))
		}
	}
	for _, statement := range statements {
		if _, err := s.db.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	return s.count(b, "SELECT COUNT(*) FROM bench_writes")
}
