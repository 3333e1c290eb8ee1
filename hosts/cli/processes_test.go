package cli_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// cluster is an installation of several processes.
type cluster struct {
	home
	apis, workers []*program
}

var printedProbes = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// newCluster starts processes that answer and processes that work on one database and one cache.
func newCluster(t *testing.T, apis, workers int, environ ...string) *cluster {
	t.Helper()
	redis := os.Getenv("REVENGE_TEST_REDIS")
	if redis == "" {
		t.Skip("REVENGE_TEST_REDIS is not set: scripts/with-services sets it")
	}
	c := &cluster{home: home{t.TempDir(), sqlstoretest.PostgresDSN(t, false), append([]string{
		"REVENGE_CACHE_URL=" + redis, "REVENGE_CACHE_PREFIX=" + domain.NewID().String() + ":", "REVENGE_METRICS_LISTEN=",
		"REVENGE_JOBS_URL=" + redis, "REVENGE_JOBS_PREFIX=" + domain.NewID().String(),
	}, environ...)}}
	for range apis { // all at once, the first time: one of them migrates
		c.apis = append(c.apis, c.launch(t, "", "httpd", "--listen", "127.0.0.1:0"))
	}
	for range workers {
		c.workers = append(c.workers, c.launch(t, "", "worker", "--listen", "127.0.0.1:0"))
	}
	for _, p := range c.apis {
		p.serves(t, printedAddress)
	}
	for _, p := range c.workers {
		p.serves(t, printedProbes)
	}
	return c
}

// serves waits until a program has said where it is.
func (p *program) serves(t *testing.T, address *regexp.Regexp) {
	t.Helper()
	world.Until(t, "the program says where it is", func() bool {
		select {
		case <-p.gone:
			t.Fatalf("it ended: %s", p.stderr)
		default:
		}
		p.url = address.FindString(p.stdout.String())
		return p.url != "" && strings.HasSuffix(p.stdout.String(), "\n\n")
	})
}

// TestAnInstallationOfSeveralProcessesIsOneServer tells the story of a household to two processes that answer, by turns, while two others work.
func TestAnInstallationOfSeveralProcessesIsOneServer(t *testing.T) {
	t.Parallel()
	films := t.TempDir()
	for _, name := range []string{"Freaks (1932)", "Häxan (1922)", "Nosferatu (1922)"} {
		world.Film(t, films, name, demo.H264MKV)
	}
	settled(t, films)
	c := newCluster(t, 2, 2)
	a, b := c.apis[0], c.apis[1]

	// Either link makes the owner, once.
	var in httpd.SignIn
	status, in := b.claim(t, a.code(t), "ann")
	if status != http.StatusCreated {
		t.Fatalf("the claim: %d", status)
	}
	if status, _ := a.claim(t, a.code(t), "eve"); status == http.StatusCreated {
		t.Error("a second owner was made")
	}
	token := in.AccessToken
	ask := func(p *program, method, path string, body any) []byte {
		t.Helper()
		answer, text := p.do(t, method, "/api/v1"+path, token, body)
		if answer.StatusCode >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
		}
		return text
	}
	ask(a, http.MethodPost, "/admin/libraries", map[string]any{"name": "Films", "paths": []string{films}, "open": true})
	library, scan := b.scanned(t, token)
	if scan.Found != 3 {
		t.Errorf("the scan found %d files", scan.Found)
	}
	world.Until(t, "both know the films", func() bool {
		return len(get[domain.Page[domain.MovieItem]](t, &a.served, token, "/movies").Items) == 3 && len(get[domain.Page[domain.MovieItem]](t, &b.served, token, "/movies").Items) == 3
	})
	film := get[domain.Page[domain.MovieItem]](t, &a.served, token, "/movies").Items[0].ID.String()
	ask(a, http.MethodPost, "/movies/"+film+"/progress", map[string]any{"position": 4, "duration": 20})
	if got := get[domain.WatchState](t, &b.served, token, "/movies/"+film+"/progress"); got.Position != 4 {
		t.Errorf("the other remembers %+v", got)
	}

	// A setting, and the end of a session, are felt by the other within a second.
	ask(a, http.MethodPatch, "/admin/settings", map[string]any{"values": map[string]any{"server.name": "Kino"}})
	world.Until(t, "the other has the name", func() bool {
		return get[struct{ Name string }](t, &b.served, "", "/settings").Name == "Kino"
	})
	guest := b.login(t, "ann")
	for _, p := range c.apis {
		if r, body := p.do(t, http.MethodGet, "/api/v1/users/me", guest.AccessToken, nil); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, body)
		}
	}
	ask(a, http.MethodDelete, "/sessions?keepCurrent=true", nil)
	ended := time.Now()
	world.Until(t, "the other refuses the session", func() bool {
		r, _ := b.do(t, http.MethodGet, "/api/v1/users/me", guest.AccessToken, nil)
		return r.StatusCode == http.StatusUnauthorized
	})
	if took := time.Since(ended); took > time.Second {
		t.Errorf("that took %s", took)
	}

	// Workers answer probes and show metrics, and nothing else; those that answer run no jobs.
	for _, w := range c.workers {
		for path, want := range map[string]int{"/healthz": 200, "/startupz": 200, "/readyz": 200, "/metrics": 200, "/api/v1/settings": 404, "/": 404} {
			if r, body := w.do(t, http.MethodGet, path, "", nil); r.StatusCode != want {
				t.Errorf("a worker answers %s with %d %.200s", path, r.StatusCode, body)
			}
		}
	}
	var ran struct{ Items []struct{ Process string } }
	if err := json.Unmarshal(ask(a, http.MethodGet, "/admin/jobs?limit=100", nil), &ran); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, job := range ran.Items {
		if job.Process != "" {
			names = append(names, job.Process)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 1 || len(names) > 2 {
		t.Errorf("jobs were run by %v", names)
	}

	if r, body := a.do(t, http.MethodGet, "/readyz", "", nil); r.StatusCode != http.StatusOK || !strings.Contains(string(body), "2 processes run jobs") {
		t.Errorf("readiness says %d %s", r.StatusCode, body)
	}

	// Whichever worker is killed, the other goes on; and one that is asked to stop, stops well.
	c.workers[0].kill()
	world.Film(t, films, "Vampyr (1932)", demo.H264MKV)
	settled(t, films)
	ask(b, http.MethodPost, "/admin/libraries/"+library.ID.String()+"/scan", nil)
	world.Until(t, "the other worker has scanned", func() bool {
		return len(get[domain.Page[domain.MovieItem]](t, &a.served, token, "/movies").Items) == 4
	})
	for _, p := range append(c.apis, c.workers[1]) {
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range append(c.apis, c.workers[1]) {
		if code := p.exit(t); code != 0 {
			t.Errorf("it ended with %d: %s", code, p.stderr)
		}
	}
}

// TestSQLiteIsServedByOneProcess says why the parts do not start there, and what to do.
func TestSQLiteIsServedByOneProcess(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	for _, part := range []string{"httpd", "worker"} {
		if said := h.failing(t, part, "--listen", "127.0.0.1:0"); !strings.Contains(said, "revenge serve") || !strings.Contains(said, "postgres://") {
			t.Errorf("%s says %q", part, said)
		}
	}
	if locks, _ := filepath.Glob(filepath.Join(h.dir, "process-*.lock")); len(locks) != 0 {
		t.Errorf("they left %v", locks)
	}
}

// TestJobsThatRiverKeptGoOnOverAsynq: an installation that begins to hand out its jobs over Asynq loses none of those that wait.
func TestJobsThatRiverKeptGoOnOverAsynq(t *testing.T) {
	t.Parallel()
	redis := os.Getenv("REVENGE_TEST_REDIS")
	if redis == "" {
		t.Skip("REVENGE_TEST_REDIS is not set: scripts/with-services sets it")
	}
	films := t.TempDir()
	world.Film(t, films, "Freaks (1932)", demo.H264MKV)
	settled(t, films)
	h := home{t.TempDir(), sqlstoretest.PostgresDSN(t, false), []string{"REVENGE_METRICS_LISTEN="}}
	h.do(t, "", "library", "add", films) // its scan waits for a process that runs jobs
	h.environ = append(h.environ, "REVENGE_JOBS_URL="+redis, "REVENGE_JOBS_PREFIX="+domain.NewID().String())
	h.launch(t, "", "worker", "--listen", "127.0.0.1:0").serves(t, printedProbes)
	db := h.database(t)
	defer db.Close()
	world.Until(t, "the film is there", func() bool {
		list, err := db.Read().Movies.List(t.Context(), domain.ScopeAll(), domain.ID{}, domain.MovieFilter{}, domain.PageRequest{})
		return err == nil && len(list.Items) == 1
	})
	for question, want := range map[string]int{ // scans that wait for long are begun anew as well, so the film alone says little
		"SELECT count(*) FROM river_job WHERE finalized_at IS NULL":                                                     0,
		"SELECT count(*) FROM outbox o JOIN river_job r ON r.kind = o.kind AND r.args ->> 'key' = o.key AND o.key <> ''": 1,
	} {
		var got int
		if err := db.Pool().QueryRow(t.Context(), question).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, %v", question, got, err)
		}
	}
}
