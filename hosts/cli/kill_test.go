package cli_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/cli"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// asProgram makes this test's binary be the program, so that a test can kill it.
const asProgram = "REVENGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Unsetenv(asProgram)
		syscall.CloseOnExec(3)
		go func() { // a pipe that ends with the test
			_, _ = io.Copy(io.Discard, os.NewFile(3, "test"))
			os.Exit(70)
		}()
		os.Exit(cli.Process())
	}
	os.Exit(m.Run())
}

// home is where a program lives: its data folder, its database and the settings that are not every test's.
type home struct {
	dir     string
	dsn     string
	environ []string
}

// onSQLite is a fresh home with the embedded database.
func onSQLite(t *testing.T, environ ...string) home {
	t.Helper()
	dir := t.TempDir()
	return home{dir, "sqlite:" + filepath.Join(dir, "revenge.db"), environ}
}

// onEither runs fn in a fresh home on each database.
func onEither(t *testing.T, fn func(t *testing.T, h home), environ ...string) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, onSQLite(t, environ...))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, home{t.TempDir(), sqlstoretest.PostgresDSN(t, false), environ})
	})
}

// program is a process.
type program struct {
	served
	command *exec.Cmd
	gone    chan struct{}
}

// launch starts the program as a process of its own, which ends with the test at the latest.
func (h home) launch(t *testing.T, stdin string, args ...string) *program {
	t.Helper()
	p := &program{served: served{stdout: &output{}, stderr: &output{}}, gone: make(chan struct{})}
	leash, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer leash.Close()
	p.command = exec.Command(os.Args[0], append([]string{"--data-dir", h.dir}, args...)...)
	p.command.Env = append(append(append(os.Environ(), environ...), h.environ...), "REVENGE_DATABASE="+h.dsn, asProgram+"=1")
	p.command.Stdin, p.command.Stdout, p.command.Stderr, p.command.ExtraFiles = strings.NewReader(stdin), p.stdout, p.stderr, []*os.File{leash}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait()
		hold.Close()
		close(p.gone)
	}()
	t.Cleanup(p.kill)
	return p
}

// start starts "revenge serve" and waits until it says where it is.
func (h home) start(t *testing.T, folders ...string) *program {
	t.Helper()
	p := h.launch(t, "", append([]string{"serve", "--listen", "127.0.0.1:0"}, folders...)...)
	world.Until(t, "the server says where it is", func() bool {
		select {
		case <-p.gone:
			t.Fatalf("the server ended: %s", p.stderr)
		default:
		}
		p.url = printedAddress.FindString(p.stdout.String())
		return p.url != "" && strings.HasSuffix(p.stdout.String(), "\n\n")
	})
	return p
}

// kill ends it without a word.
func (p *program) kill() {
	_ = p.command.Process.Kill()
	<-p.gone
}

// exit waits for the end and returns the exit code, -1 for a signal.
func (p *program) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.gone:
	case <-time.After(world.Patience):
		t.Fatalf("the program does not end: %s", p.stderr)
	}
	return p.command.ProcessState.ExitCode()
}

// do runs a command to its end, which must be a good one.
func (h home) do(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	p := h.launch(t, stdin, args...)
	if code := p.exit(t); code != 0 {
		t.Fatalf("%v ended with %d: %s%s", args, code, p.stdout, p.stderr)
	}
	return p.stdout.String()
}

// owner makes the account ann.
func (h home) owner(t *testing.T) {
	t.Helper()
	h.do(t, world.Password+"\n", "admin", "user", "create", "--admin", "ann")
}

// login signs an account in.
func (s *served) login(t *testing.T, name string) httpd.SignIn {
	t.Helper()
	answer, body := s.do(t, http.MethodPost, "/api/v1/auth/login", "", map[string]any{"login": name, "password": world.Password})
	var in httpd.SignIn
	if err := json.Unmarshal(body, &in); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s cannot sign in: %d %s", name, answer.StatusCode, body)
	}
	return in
}

// database opens what a program that has ended left, once all that it had begun there is over.
func (h home) database(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{DSN: h.dsn})
	if err != nil {
		t.Fatal(err)
	}
	if s.Pool() == nil {
		return s
	}
	world.Until(t, "the database has let go of the killed program", func() bool {
		var others int
		if err := s.ReadDB().QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'revenge%' AND state <> 'idle' AND pid <> pg_backend_pid()").Scan(&others); err != nil {
			t.Fatal(err)
		}
		return others == 0
	})
	return s
}

// get reads an address below /api/v1.
func get[T any](t *testing.T, s *served, token, path string) (v T) {
	t.Helper()
	answer, body := s.do(t, http.MethodGet, "/api/v1"+path, token, nil)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", path, answer.StatusCode, body)
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	return v
}

type listed[T any] struct{ Items []T }

// settled makes everything below a folder an hour old: an old file is no file that is still copied.
func settled(t *testing.T, folder string) {
	t.Helper()
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// scanned waits until the only library is scanned and returns it with the scan.
func (s *served) scanned(t *testing.T, token string) (domain.Library, domain.Scan) {
	t.Helper()
	libraries := get[listed[domain.Library]](t, s, token, "/libraries").Items
	if len(libraries) != 1 {
		t.Fatalf("%d libraries", len(libraries))
	}
	var scan domain.Scan
	world.Until(t, "the library is scanned", func() bool {
		scan = get[domain.Scan](t, s, token, "/admin/libraries/"+libraries[0].ID.String()+"/scan")
		return !scan.Active()
	})
	if scan.State != domain.ScanDone {
		t.Fatalf("the scan is %s: %s", scan.State, scan.Error)
	}
	return libraries[0], scan
}

// TestAKilledScanGoesOnAndEndsWithTheSameCatalogue kills the process at 10, 50 and 90 % of a scan (R2) and compares all that the API then says
// with what it says after a scan that nobody disturbed.
func TestAKilledScanGoesOnAndEndsWithTheSameCatalogue(t *testing.T) {
	t.Parallel()
	films := demo.TestLibrary(t)
	settled(t, films)
	const alone = "REVENGE_SCAN_WATCH=false" // no second scan follows, which file events ask for
	calm := onSQLite(t, alone)
	calm.owner(t)
	undisturbed := calm.start(t, films)
	token := undisturbed.login(t, "ann").AccessToken
	_, whole := undisturbed.scanned(t, token)
	want := catalogue(t, &undisturbed.served, token)
	undisturbed.kill()
	steps := whole.Read + whole.Matched + whole.Artwork
	onEither(t, func(t *testing.T, h home) {
		h.owner(t)
		token, reached := "", 0
		for _, percent := range []int{10, 50, 90, 100} {
			p := h.start(t, films)
			begun := time.Now()
			if token == "" {
				token = p.login(t, "ann").AccessToken
			}
			library := get[listed[domain.Library]](t, &p.served, token, "/libraries").Items[0].ID.String()
			resumed, done := time.Duration(0), 0
			world.Until(t, fmt.Sprintf("the scan is at %d %%", percent), func() bool {
				scan := get[domain.Scan](t, &p.served, token, "/admin/libraries/"+library+"/scan")
				done = scan.Read + scan.Matched + scan.Artwork
				if done < reached {
					t.Fatalf("the scan had done %d steps and has done %d", reached, done)
				}
				if resumed == 0 && (done > reached || !scan.Active()) {
					resumed = time.Since(begun)
				}
				return !scan.Active() || percent < 100 && done*100 >= steps*percent
			})
			if resumed > time.Minute {
				t.Errorf("the scan went on after %s", resumed)
			}
			t.Logf("%d %%: went on after %s, %d of %d steps", percent, resumed, done, steps)
			reached = done
			if percent < 100 {
				p.kill()
				continue
			}
			_, scan := p.scanned(t, token)
			if scan.Found != whole.Found || scan.Failed != whole.Failed || scan.Added != whole.Added || scan.Missing != 0 || scan.Moved != whole.Moved {
				t.Errorf("the scan counts %+v, undisturbed %+v", scan, whole)
			}
			got := catalogue(t, &p.served, token)
			for title, text := range want {
				if diff := firstDifference(got[title], text); diff != "" {
					t.Errorf("%s: %s", title, diff)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d films, undisturbed %d", len(got), len(want))
			}
		}
	}, alone)
}

// catalogue is all that the API says of every film, by title and files, without what differs from one database to the next.
func catalogue(t *testing.T, s *served, token string) map[string]string {
	t.Helper()
	all := map[string]string{}
	page := get[domain.Page[domain.MovieItem]](t, s, token, "/movies?limit=100&includeTotal=true")
	if page.NextCursor != "" || page.Total == nil || *page.Total != len(page.Items) {
		t.Fatalf("the films are %+v", page)
	}
	for _, item := range page.Items {
		path := "/movies/" + item.ID.String()
		said := []any{get[any](t, s, token, path), get[any](t, s, token, path+"/files"), get[any](t, s, token, path+"/cast"), get[any](t, s, token, path+"/crew")}
		files := get[listed[domain.File]](t, s, token, path+"/files").Items
		slices.SortFunc(files, func(a, b domain.File) int { return strings.Compare(a.Path, b.Path) })
		for _, picture := range []*domain.Image{item.Poster, item.Backdrop} {
			if picture == nil {
				continue
			}
			address := fmt.Sprintf("/api/v1/images/%s/%s", picture.Kind, picture.ID)
			answer, body := s.do(t, http.MethodGet, address, token, nil)
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d %s", address, answer.StatusCode, body)
			}
			said = append(said, fmt.Sprintf("%s %x", picture.Kind, sha256.Sum256(body)))
		}
		text, err := json.MarshalIndent(anonymous(said, map[any]int{}), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		name := item.Title
		if len(files) > 0 {
			name += " in " + files[0].Path
		}
		if all[name] != "" {
			t.Errorf("%s is there twice", name)
		}
		all[name] = string(text)
	}
	return all
}

// firstDifference shows where two texts part, "" where they do not.
func firstDifference(got, want string) string {
	if got == want {
		return ""
	}
	a, b, n := strings.Split(got, "\n"), strings.Split(want, "\n"), 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	around := func(lines []string) string { return strings.Join(lines[max(0, n-6):min(len(lines), n+4)], "\n") }
	return fmt.Sprintf("line %d is\n%s\nand should be\n%s", n, around(a), around(b))
}

// anonymous takes out ids and the times at which something was stored. keys numbers the versions' keys as they come.
func anonymous(v any, keys map[any]int) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = anonymous(v[i], keys)
		}
	case map[string]any:
		for _, key := range []string{"id", "libraryId", "pathId", "movieId", "addedAt", "updatedAt"} {
			delete(v, key)
		}
		if identity, ok := v["identity"].(string); ok && strings.HasPrefix(identity, "movie:") {
			delete(v, "identity")
		}
		if key, ok := v["versionKey"]; ok {
			if _, known := keys[key]; !known {
				keys[key] = len(keys)
			}
			v["versionKey"] = keys[key]
		}
		for key := range v {
			v[key] = anonymous(v[key], keys)
		}
	}
	return v
}
