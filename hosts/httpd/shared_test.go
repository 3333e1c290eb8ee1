package httpd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/health"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// cacheServer is a Redis of a test's own.
type cacheServer struct {
	t       *testing.T
	address string
	process *exec.Cmd
	running bool
}

func newCacheServer(t *testing.T) *cacheServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	s := &cacheServer{t: t}
	t.Cleanup(s.stop)
	for !s.running { // another may take the port before Redis does
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.address = free.Addr().String()
		_ = free.Close()
		s.running = s.begins()
	}
	return s
}

func (s *cacheServer) start() {
	s.t.Helper()
	world.Until(s.t, "the cache server has its port back", s.begins)
	s.running = true
}

// begins tells whether it came up.
func (s *cacheServer) begins() (up bool) {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	s.process = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := s.process.StdoutPipe()
	if err == nil {
		// It dies with the thread that started it (prctl(2)), and threads that start ffmpeg end: so it gets one of its own, for as long as the test.
		started := make(chan error)
		go func() {
			runtime.LockOSThread()
			started <- s.process.Start()
			<-s.t.Context().Done()
		}()
		err = <-started
	}
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for !up && lines.Scan() {
		up = strings.Contains(strings.ToLower(lines.Text()), "ready to accept connections")
	}
	if !up {
		_ = s.process.Wait()
		return false
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return true
}

func (s *cacheServer) stop() {
	if s.running {
		s.running = false
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

func (s *cacheServer) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

func (s *cacheServer) flush() {
	s.t.Helper()
	s.tell("FLUSHALL")
}

// tell sends a command in Redis' inline form, which must be answered with OK.
func (s *cacheServer) tell(command string) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	answer := make([]byte, 5)
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Read(answer); err != nil || string(answer) != "+OK\r\n" {
		s.t.Fatal(command, string(answer), err)
	}
}

// sharing are two instances over a cache server, on one database: SQLite, unless an option says otherwise.
func sharing(t *testing.T, options ...world.Option) (*cacheServer, [2]*world.Server) {
	t.Helper()
	s := newCacheServer(t)
	w := world.New(t, append(options, world.Configure(func(c *config.Config) { c.Cache.URL = "redis://" + s.address }))...)
	return s, [2]*world.Server{w.Serve(t), w.Beside(t).Serve(t)}
}

// onEitherDatabase runs a test on SQLite, and on PostgreSQL where there is one.
func onEitherDatabase(t *testing.T, run func(t *testing.T, options ...world.Option)) {
	t.Helper()
	for name, options := range map[string][]world.Option{"SQLite": nil, "PostgreSQL": {world.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			if options != nil && os.Getenv(sqlstoretest.PostgresVariable) == "" {
				t.Skip(sqlstoretest.PostgresVariable + " is not set: scripts/with-services sets it")
			}
			t.Parallel()
			run(t, options...)
		})
	}
}

// cacheState is what GET /readyz says of the cache, and of all.
func cacheState(t *testing.T, s *world.Server) (cache, all health.State, status int) {
	t.Helper()
	answer := s.Anonymous().Do(t, http.MethodGet, "/readyz", nil)
	var report health.Report
	if err := json.Unmarshal(answer.Body, &report); err != nil {
		t.Fatal(err, string(answer.Body))
	}
	for _, c := range report.Checks {
		if c.Name == "cache" {
			cache = c.Status
		}
	}
	return cache, report.Status, answer.Status
}

func revoke(t *testing.T, s *world.Server, a world.Account) {
	t.Helper()
	if answer := s.Bearer(a.Tokens.AccessToken).Do(t, http.MethodDelete, "/api/v1/sessions/"+a.Session.ID.String(), nil); answer.Status != http.StatusNoContent {
		t.Fatal(answer.Status, string(answer.Body))
	}
}

func TestR21WhatIsRevokedOnOneInstanceIsRefusedOnTheOtherWithinASecond(t *testing.T) {
	t.Parallel()
	onEitherDatabase(t, revokedElsewhere)
}

func revokedElsewhere(t *testing.T, options ...world.Option) {
	_, servers := sharing(t, append(options, world.Idle())...)
	for i := range 10 {
		a := servers[0].World.Account(t, "person"+string(rune('a'+i)), domain.RoleUser)
		for _, s := range servers {
			if got := s.Bearer(a.Tokens.AccessToken).Get(t, "/users/me").Status; got != http.StatusOK {
				t.Fatal(got)
			}
		}
		revoke(t, servers[i%2], a)
		begin := time.Now()
		if got := servers[i%2].Bearer(a.Tokens.AccessToken).Get(t, "/users/me").Status; got != http.StatusUnauthorized {
			t.Errorf("where it was revoked it is answered %d", got)
		}
		world.Until(t, "the other refuses it", func() bool {
			return servers[1-i%2].Bearer(a.Tokens.AccessToken).Get(t, "/users/me").Status == http.StatusUnauthorized
		})
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the other refused it after %s", took)
		}
	}
}

// TestR21WithTheBusCutWhatIsRevokedIsRefusedElsewhereWithinFiveSeconds takes nothing from the processes but the news: the server keeps values, and publishes none.
func TestR21WithTheBusCutWhatIsRevokedIsRefusedElsewhereWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	cache, servers := sharing(t, world.Idle(), world.Configure(func(c *config.Config) { c.Cache.ClientCaching = false })) // which would tell, too
	for _, s := range servers {
		world.Until(t, "the cache is there", func() bool { state, _, _ := cacheState(t, s); return state == health.OK })
	}
	cache.tell("ACL SETUSER default -publish -spublish")
	for i := range 2 {
		a := servers[0].World.Account(t, "person"+string(rune('a'+i)), domain.RoleUser)
		for _, s := range servers {
			if got := s.Bearer(a.Tokens.AccessToken).Get(t, "/users/me").Status; got != http.StatusOK {
				t.Fatal(got)
			}
		}
		revoke(t, servers[i], a)
		begin := time.Now()
		world.Until(t, "the other refuses it", func() bool {
			return servers[1-i].Bearer(a.Tokens.AccessToken).Get(t, "/users/me").Status == http.StatusUnauthorized
		})
		took := time.Since(begin)
		t.Logf("the other refused it after %s", took.Round(time.Millisecond))
		if took > 6*time.Second { // five, and what asking takes
			t.Errorf("the other refused it after %s", took)
		}
	}
}

func TestR7ALostCacheRevivesNothingAndRefusesNobody(t *testing.T) {
	t.Parallel()
	onEitherDatabase(t, lostCache)
}

func lostCache(t *testing.T, options ...world.Option) {
	for name, fault := range map[string]struct {
		begin, end func(*cacheServer)
		away       bool
	}{
		"flushed":   {(*cacheServer).flush, func(*cacheServer) {}, false},
		"stopped":   {(*cacheServer).stop, (*cacheServer).start, true},
		"suspended": {func(s *cacheServer) { s.signal(syscall.SIGSTOP) }, func(s *cacheServer) { s.signal(syscall.SIGCONT) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache, servers := sharing(t, append(slices.Clone(options), world.Idle())...)
			stays, goes := servers[0].World.Account(t, "stays", domain.RoleUser), servers[0].World.Account(t, "goes", domain.RoleUser)
			ask := func(s *world.Server, a world.Account) int {
				return s.Bearer(a.Tokens.AccessToken).Get(t, "/users/me").Status
			}
			both := func(when string, a world.Account, want int) {
				t.Helper()
				for i, s := range servers {
					if got := ask(s, a); got != want {
						t.Errorf("%s instance %d answers %d, want %d", when, i, got, want)
					}
				}
			}
			for _, s := range servers {
				world.Until(t, "the cache is there", func() bool { state, _, _ := cacheState(t, s); return state == health.OK })
			}
			both("before,", stays, http.StatusOK)
			both("before,", goes, http.StatusOK)
			fault.begin(cache)
			both("without it,", stays, http.StatusOK)
			revoke(t, servers[0], goes)
			begin := time.Now()
			if got := ask(servers[0], goes); got != http.StatusUnauthorized {
				t.Errorf("where it was revoked it is answered %d", got)
			}
			world.Until(t, "the other refuses it", func() bool { return ask(servers[1], goes) == http.StatusUnauthorized })
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("the other refused it after %s", took)
			}
			if fault.away {
				for _, s := range servers {
					if state, all, status := cacheState(t, s); state != health.Degraded || all != health.Degraded || status != http.StatusOK {
						t.Errorf("it says %s, %s, %d", state, all, status)
					}
				}
				begin = time.Now()
				for range 20 {
					both("without it,", stays, http.StatusOK)
				}
				if took := time.Since(begin) / 40; took > 100*time.Millisecond {
					t.Errorf("a request takes %s", took)
				}
			}
			fault.end(cache)
			for i := range servers {
				world.Until(t, "the cache is back", func() bool { // asked for all the while: what was revoked stays so
					both("while it comes back,", stays, http.StatusOK)
					both("while it comes back,", goes, http.StatusUnauthorized)
					state, _, _ := cacheState(t, servers[i])
					return state == health.OK
				})
			}
			for range 20 {
				both("afterwards", stays, http.StatusOK)
				both("afterwards", goes, http.StatusUnauthorized)
			}
		})
	}
}

func TestWhatOneInstanceLoadedTheOtherHas(t *testing.T) {
	t.Parallel()
	_, servers := sharing(t, world.Idle())
	a := servers[0].World.Account(t, "anna", domain.RoleUser)
	world.Until(t, "the second finds what the first loaded", func() bool {
		for _, s := range servers {
			s.Bearer(a.Tokens.AccessToken).Get(t, "/users/me")
		}
		hits, _ := servers[1].World.Core.Shared.Stats()
		return hits > 0
	})
	lines := httptest.NewRecorder()
	servers[1].Face.Metrics().ServeHTTP(lines, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(lines.Body.String(), `revenge_cache_requests_total{level="l2",result="hit"}`) {
		t.Error("the metrics do not tell of the shared level")
	}
}

func TestAPlaySessionLivesAndEndsOnEveryInstance(t *testing.T) {
	t.Parallel()
	onEitherDatabase(t, playSessions)
}

func playSessions(t *testing.T, options ...world.Option) {
	var n instances // for its clock
	cache, servers := sharing(t, append(options, world.Bring(func(o *assemble.Options) { o.Now = n.now }),
		world.Configure(func(c *config.Config) { c.Cache.Timeout = 5 * time.Second }))...) // a slow answer is not what is tried here
	w, dir := servers[0].World, t.TempDir()
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	w.ScanUntilDone(t, w.Library(t, dir).ID)
	film := w.Movie(t, w.Admin(t).Actor, "Alien")
	begin := func(name string) (world.Account, string) {
		t.Helper()
		a := w.Account(t, name, domain.RoleUser)
		body := map[string]any{"capabilities": chromium, "urlToken": true}
		plan := world.Decode[playback.Plan](t, servers[0].Bearer(a.Tokens.AccessToken).Post(t, "/movies/"+film.ID.String()+"/playback", body), http.StatusOK)
		return a, plan.Selected.Parts[0].URL
	}
	ask := func(on int, address string) world.Response {
		return servers[on].Anonymous().Do(t, http.MethodGet, address, nil, "Range", "bytes=0-9")
	}
	plays := func(when string, on int, address string) {
		t.Helper()
		if got := ask(on, address); got.Status != http.StatusPartialContent {
			t.Errorf("%s instance %d answers %d %s", when, on, got.Status, got.Body)
		}
	}
	for _, s := range servers {
		world.Until(t, "the cache is there", func() bool { state, _, _ := cacheState(t, s); return state == health.OK })
	}
	_, stays := begin("stays")
	goes, ended := begin("goes")
	later, here := begin("later")
	_, unused := begin("unused")
	for _, address := range []string{stays, ended, here} {
		plays("at first", 0, address)
	}
	n.pass(6 * time.Minute) // from now on a token is good only while it is used
	plays("when it began elsewhere,", 1, stays)
	plays("when it began elsewhere,", 1, ended)
	for on := range servers {
		if got := ask(on, unused); got.Status != http.StatusUnauthorized {
			t.Errorf("instance %d answers an address that nobody used in time with %d", on, got.Status)
		}
	}
	n.pass(6 * time.Minute)
	plays("when it went on elsewhere,", 0, stays)

	revoke(t, servers[0], goes)
	revoked := time.Now()
	world.Until(t, "the other refuses it", func() bool { return ask(1, ended).Status == http.StatusUnauthorized })
	if took := time.Since(revoked); took > time.Second {
		t.Errorf("the other refused it after %s", took)
	}

	cache.stop()
	plays("without a cache,", 0, stays)
	plays("without a cache,", 1, stays)
	plays("without a cache,", 0, here)
	if got := ask(1, here); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("the instance that cannot know of it answers %d %s", got.Status, got.Body)
	}
	revoke(t, servers[0], later)
	world.Until(t, "the other refuses it", func() bool { return ask(1, here).Status == http.StatusUnauthorized })

	cache.start()
	for on := range servers {
		world.Until(t, "the cache is back", func() bool { state, _, _ := cacheState(t, servers[on]); return state == health.OK })
		plays("afterwards", on, stays)
		for _, address := range []string{ended, here, unused} {
			if got := ask(on, address); got.Status != http.StatusUnauthorized {
				t.Errorf("afterwards instance %d answers %d", on, got.Status)
			}
		}
	}
}
