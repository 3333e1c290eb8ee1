package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// cluster is an installation of several processes.
type cluster struct {
	home
	apis, workers []*program
}

var printedProbes = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// severalAtHome is a fresh home of processes that share a PostgreSQL, a cache and Asynq.
func severalAtHome(t *testing.T, redis string, environ ...string) home {
	t.Helper()
	if redis == "" {
		t.Skip("REVENGE_TEST_REDIS is not set: scripts/with-services sets it")
	}
	own := domain.NewID().String()
	return home{t.TempDir(), sqlstoretest.PostgresDSN(t, false), append([]string{
		"REVENGE_CACHE_URL=" + redis, "REVENGE_CACHE_PREFIX=" + own + ":", "REVENGE_JOBS_URL=" + redis, "REVENGE_JOBS_PREFIX=" + own, "REVENGE_METRICS_LISTEN=",
	}, environ...)}
}

// newCluster starts processes that answer and processes that work in a fresh home.
func newCluster(t *testing.T, apis, workers int, environ ...string) *cluster {
	t.Helper()
	return severalAtHome(t, os.Getenv("REVENGE_TEST_REDIS"), environ...).cluster(t, apis, workers)
}

// cluster starts processes that answer and processes that work, all at once: the first time one of them migrates.
func (h home) cluster(t *testing.T, apis, workers int) *cluster {
	t.Helper()
	c := &cluster{home: h}
	for range apis {
		c.apis = append(c.apis, h.launch(t, "", "httpd", "--listen", "127.0.0.1:0"))
	}
	for range workers {
		c.workers = append(c.workers, h.launch(t, "", "worker", "--listen", "127.0.0.1:0"))
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

// TestAHouseholdIsServedInEitherShape tells one story to the two shapes of an installation: a single process with all it needs inside, and several behind a
// PostgreSQL, a cache and Asynq. Requests go to the first and to the last process that answers, by turns.
func TestAHouseholdIsServedInEitherShape(t *testing.T) {
	t.Parallel()
	films := t.TempDir()
	for _, name := range []string{"Freaks (1932)", "Häxan (1922)", "Nosferatu (1922)"} {
		world.Film(t, films, name, demo.H264MKV)
	}
	settled(t, films)
	t.Run("one process", func(t *testing.T) {
		t.Parallel()
		h := onSQLite(t, "REVENGE_METRICS_LISTEN=")
		tellHousehold(t, &cluster{home: h, apis: []*program{h.start(t)}}, films)
	})
	t.Run("several processes", func(t *testing.T) {
		t.Parallel()
		tellHousehold(t, newCluster(t, 2, 2), films)
	})
}

func tellHousehold(t *testing.T, c *cluster, films string) {
	own := t.TempDir() // films come and go
	if err := os.CopyFS(own, os.DirFS(films)); err != nil {
		t.Fatal(err)
	}
	settled(t, own)
	a, b := c.apis[0], c.apis[len(c.apis)-1]

	// Either link makes the owner, once.
	status, in := b.claim(t, a.code(t), "ann")
	if status != http.StatusCreated {
		t.Fatalf("the claim: %d", status)
	}
	if status, _ := a.claim(t, a.code(t), "eve"); status == http.StatusCreated {
		t.Error("a second owner was made")
	}
	token := in.AccessToken
	as := func(token string) func(p *program, method, path string, body any) []byte {
		return func(p *program, method, path string, body any) []byte {
			t.Helper()
			answer, text := p.do(t, method, "/api/v1"+path, token, body)
			if answer.StatusCode >= 300 {
				t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
			}
			return text
		}
	}
	ask := as(token)
	movies := func(p *program, token, query string) []domain.MovieItem {
		t.Helper()
		return get[domain.Page[domain.MovieItem]](t, &p.served, token, "/movies"+query).Items
	}

	// A library is added, and scanned by whoever runs jobs.
	ask(a, http.MethodPost, "/admin/libraries", map[string]any{"name": "Films", "paths": []string{own}, "open": false})
	library, scan := b.scanned(t, token)
	if scan.Found != 3 {
		t.Errorf("the scan found %d files", scan.Found)
	}
	world.Until(t, "both know the films", func() bool { return len(movies(a, token, "")) == 3 && len(movies(b, token, "")) == 3 })
	if found := movies(b, token, "?q=haxan"); len(found) != 1 || found[0].Title != "Häxan" {
		t.Errorf("looking for a film finds %+v", found)
	}

	// Somebody who may not see the library sees nothing of it, until they may, and not any more when they may not.
	ask(a, http.MethodPost, "/admin/users", map[string]any{"username": "ulf", "password": world.Password})
	ulf := b.login(t, "ulf")
	film := movies(a, token, "?q=nosferatu")[0].ID.String()
	hidden := func(p *program) bool {
		answer, _ := p.do(t, http.MethodGet, "/api/v1/movies/"+film, ulf.AccessToken, nil)
		return len(movies(p, ulf.AccessToken, "")) == 0 && answer.StatusCode == http.StatusNotFound
	}
	if !hidden(a) || !hidden(b) {
		t.Error("a library that is not theirs is shown")
	}
	ask(a, http.MethodPost, "/admin/libraries/"+library.ID.String()+"/access", map[string]any{"userId": ulf.User.ID})
	world.Until(t, "both show it", func() bool {
		return len(movies(a, ulf.AccessToken, "")) == 3 && len(movies(b, ulf.AccessToken, "")) == 3
	})

	// A film that began at one process goes on at another, and so does what is remembered of it.
	var plan playback.Plan
	text := as(ulf.AccessToken)(a, http.MethodPost, "/movies/"+film+"/playback", map[string]any{"urlToken": true, "capabilities": playback.Capabilities{
		Containers: []string{"mp4"}, Video: []playback.VideoCapability{{Codec: "h264", CodecString: "avc1.640028"}}, Audio: []string{"aac"}, HLS: true,
	}})
	if err := json.Unmarshal(text, &plan); err != nil || plan.Selected == nil {
		t.Fatalf("no plan: %v %s", err, text)
	}
	address := plan.Selected.Parts[0].URL
	world.Until(t, "both play the film", func() bool { // a play is made known to the others, which takes a moment
		for _, p := range c.apis {
			if answer, text := p.do(t, http.MethodGet, address, "", nil); answer.StatusCode != http.StatusOK || !strings.Contains(string(text), "#EXTM3U") {
				return false
			}
		}
		return true
	})
	for range 2 { // the playlist of all leads to that of the pictures, and that to what they begin with
		_, text := a.do(t, http.MethodGet, address, "", nil)
		uri := regexp.MustCompile(`(?m)^[^#\s].*$`).FindString(string(text))
		next, err := url.Parse(uri)
		here, wrong := url.Parse(address)
		if err != nil || wrong != nil || uri == "" {
			t.Fatalf("nothing to go on with in %s", text)
		}
		address = here.ResolveReference(next).String()
		if answer, text := b.do(t, http.MethodGet, address, "", nil); answer.StatusCode != http.StatusOK || len(text) == 0 {
			t.Fatalf("%s: %d %.200s", address, answer.StatusCode, text)
		}
	}
	as(ulf.AccessToken)(a, http.MethodPost, "/movies/"+film+"/progress", map[string]any{"position": 4, "duration": 20})
	if got := get[domain.WatchState](t, &b.served, ulf.AccessToken, "/movies/"+film+"/progress"); got.Position != 4 {
		t.Errorf("the other remembers %+v", got)
	}
	if got := get[domain.WatchState](t, &b.served, token, "/movies/"+film+"/progress"); got.Position != 0 {
		t.Errorf("somebody else's place in the film is %+v", got)
	}

	// A setting, and the end of a session, are felt by the other.
	ask(a, http.MethodPatch, "/admin/settings", map[string]any{"values": map[string]any{"server.name": "Kino"}})
	world.Until(t, "the other has the name", func() bool {
		return get[struct{ Name string }](t, &b.served, "", "/settings").Name == "Kino"
	})
	if answer, text := a.do(t, http.MethodDelete, "/api/v1/admin/libraries/"+library.ID.String()+"/access/"+ulf.User.ID.String(), token, nil); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("taking the library away: %d %s", answer.StatusCode, text)
	}
	world.Until(t, "neither shows the library any more", func() bool { return hidden(a) && hidden(b) })
	guest := b.login(t, "ann")
	for _, p := range c.apis {
		if r, body := p.do(t, http.MethodGet, "/api/v1/users/me", guest.AccessToken, nil); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, body)
		}
	}
	ask(a, http.MethodDelete, "/sessions?keepCurrent=true", nil)
	world.Until(t, "the other refuses the session", func() bool {
		r, _ := b.do(t, http.MethodGet, "/api/v1/users/me", guest.AccessToken, nil)
		return r.StatusCode == http.StatusUnauthorized
	})

	// Workers answer probes and show metrics, and nothing else; those that answer run no jobs.
	for _, w := range c.workers {
		for path, want := range map[string]int{"/healthz": 200, "/startupz": 200, "/readyz": 200, "/metrics": 200, "/api/v1/settings": 404, "/": 404} {
			if r, body := w.do(t, http.MethodGet, path, "", nil); r.StatusCode != want {
				t.Errorf("a worker answers %s with %d %.200s", path, r.StatusCode, body)
			}
		}
	}
	running := max(1, len(c.workers))
	var names []string
	for _, job := range get[listed[struct{ Process string }]](t, &a.served, token, "/admin/jobs?limit=100").Items {
		if job.Process != "" {
			names = append(names, job.Process)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) < 1 || len(names) > running {
		t.Errorf("jobs were run by %v", names)
	}
	if r, body := a.do(t, http.MethodGet, "/readyz", "", nil); r.StatusCode != http.StatusOK || !strings.Contains(string(body), fmt.Sprintf("%d processes run jobs", running)) {
		t.Errorf("readiness says %d %s", r.StatusCode, body)
	}

	// Whichever worker is killed, another goes on; and what is asked to stop, stops well.
	if len(c.workers) > 0 {
		c.workers[0].kill()
		c.workers = c.workers[1:]
	}
	world.Film(t, own, "Vampyr (1932)", demo.H264MKV)
	settled(t, own)
	world.Until(t, "a scan of all begins", func() bool { // one of the folder that changed may be on its way
		answer, _ := b.do(t, http.MethodPost, "/api/v1/admin/libraries/"+library.ID.String()+"/scan", token, nil)
		return answer.StatusCode == http.StatusAccepted
	})
	world.Until(t, "the film is there", func() bool { return len(movies(a, token, "")) == 4 })
	for _, p := range append(c.apis, c.workers...) {
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range append(c.apis, c.workers...) {
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
		"SELECT count(*) FROM river_job WHERE finalized_at IS NULL":                                                      0,
		"SELECT count(*) FROM outbox o JOIN river_job r ON r.kind = o.kind AND r.args ->> 'key' = o.key AND o.key <> ''": 1,
	} {
		var got int
		if err := db.Pool().QueryRow(t.Context(), question).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, %v", question, got, err)
		}
	}
}
