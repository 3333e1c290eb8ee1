package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestWhatWasAcknowledgedIsStoredWhicheverProcessIsKilled is R1 for several processes: in each round the process that answers the clients is killed at random, and half of
// the time a worker beside it; the others go on. REVENGE_TEST_KILLS and REVENGE_TEST_SEED are those of the single process's test.
func TestWhatWasAcknowledgedIsStoredWhicheverProcessIsKilled(t *testing.T) {
	t.Parallel()
	kills, seed := number(t, "REVENGE_TEST_KILLS", 4), uint64(number(t, "REVENGE_TEST_SEED", int(time.Now().UnixNano()&0xffffff)))
	t.Logf("%d kills, seed %d", kills, seed)
	films := t.TempDir()
	for _, title := range []string{"Alien (1979)", "Brazil (1985)", "Contact (1997)"} {
		world.Film(t, films, title, demo.H264AAC)
	}
	settled(t, films)
	h := severalAtHome(t, os.Getenv("REVENGE_TEST_REDIS"), "REVENGE_SCAN_FRAMES=false", "REVENGE_SCAN_WATCH=false")
	admin := claimed(t, h, films)
	c := h.cluster(t, 2, 2)
	p := c.apis[0]
	p.scanned(t, admin.AccessToken)
	clients := []client{
		newViewer(t, h, p, "vera"), newViewer(t, h, p, "viktor"), newTraveller(t, h, p, "tom"), newTraveller(t, h, p, "tess"), newLibrarian(t, h, p, admin),
	}
	chance := rand.New(rand.NewPCG(seed, 1))
	writes := 0
	for round := range kills {
		at := round % len(c.apis)
		address := c.apis[at].url
		over := make(chan struct{})
		var working sync.WaitGroup
		for i, client := range clients {
			mine := rand.New(rand.NewPCG(seed, uint64(round*100+i+2)))
			working.Go(func() {
				for client.write(&talk{t: t, url: address}, mine, over) { // until it is not answered
				}
			})
		}
		time.Sleep(time.Duration(chance.Int64N(int64(400 * time.Millisecond)))) // the moment of the kill, which nothing waits for
		close(over)
		c.apis[at].kill()
		if chance.IntN(2) == 0 {
			w := chance.IntN(len(c.workers))
			c.workers[w].kill()
			c.workers[w] = h.launch(t, "", "worker", "--listen", "127.0.0.1:0")
		}
		working.Wait()
		s := h.database(t)
		for _, client := range clients {
			writes += client.stored(t, s.ReadDB())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		c.apis[at] = h.launch(t, "", "httpd", "--listen", "127.0.0.1:0")
		c.apis[at].serves(t, printedAddress)
		for _, client := range clients {
			client.shown(t, &talk{t: t, url: c.apis[at].url})
		}
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	world.Until(t, "all scans end", func() bool {
		return len(get[domain.Page[jobs.Info]](t, &c.apis[0].served, admin.AccessToken, "/admin/jobs?kind=library.scan&state=running").Items) == 0 &&
			len(get[domain.Page[jobs.Info]](t, &c.apis[0].served, admin.AccessToken, "/admin/jobs?kind=library.scan&state=waiting").Items) == 0
	})
	if dead := get[domain.Page[jobs.Info]](t, &c.apis[0].served, admin.AccessToken, "/admin/jobs?state=dead").Items; len(dead) > 0 {
		t.Errorf("dead jobs: %+v", dead)
	}
	for _, p := range append(c.apis, c.workers...) {
		p.kill()
	}
	s := h.database(t)
	defer s.Close()
	sound(t, s.ReadDB(), true)
	t.Logf("%d writes were acknowledged", writes)
	if writes < kills {
		t.Errorf("only %d writes were acknowledged over %d kills", writes, kills)
	}
}

// cacheServer is a Redis of the test's own, which it may stop.
type cacheServer struct {
	port, folder string
	process      *exec.Cmd
}

func newCacheServer(t *testing.T) *cacheServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	s := &cacheServer{folder: t.TempDir()}
	t.Cleanup(s.kill)
	for s.port == "" || !s.begins(t) { // another may take the port before Redis does
		free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, s.port, _ = net.SplitHostPort(free.Addr().String())
		free.Close()
	}
	return s
}

func (s *cacheServer) start(t *testing.T) {
	t.Helper()
	world.Until(t, "Redis has its port back", func() bool { return s.begins(t) })
}

// begins tells whether it came up.
func (s *cacheServer) begins(t *testing.T) (up bool) {
	t.Helper()
	s.process = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", s.port, "--save", "", "--appendonly", "no", "--dir", s.folder)
	said, err := s.process.StdoutPipe()
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		t.Fatal(err)
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

func (s *cacheServer) kill() {
	if s.process != nil && s.process.Process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

// tell sends one command in Redis' inline form.
func (s *cacheServer) tell(t *testing.T, command string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer := make([]byte, 64)
	if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(answer); err != nil || answer[0] == '-' {
		t.Fatalf("%s is answered with %q, %v", command, answer[:n], err)
	}
}

// TestWhatProcessesShareMayGoAtAnyTime empties, suspends and kills the server of keys and values under people who go on (R7): every request is answered well, and what
// was asked for meanwhile is done.
func TestWhatProcessesShareMayGoAtAnyTime(t *testing.T) {
	t.Parallel()
	redis := newCacheServer(t)
	films := t.TempDir()
	world.Film(t, films, "Freaks (1932)", demo.H264MKV)
	settled(t, films)
	c := severalAtHome(t, "redis://127.0.0.1:"+redis.port+"/0", "REVENGE_SCAN_FRAMES=false", "REVENGE_SCAN_WATCH=false").cluster(t, 2, 2)
	_, in := c.apis[0].claim(t, c.apis[0].code(t), "ann")
	token := in.AccessToken
	if answer, text := c.apis[0].do(t, http.MethodPost, "/api/v1/admin/libraries", token, map[string]any{"name": "Films", "paths": []string{films}}); answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, text)
	}
	library, _ := c.apis[1].scanned(t, token)
	film := get[domain.Page[domain.MovieItem]](t, &c.apis[0].served, token, "/movies").Items[0].ID.String()

	var people sync.WaitGroup
	var answered atomic.Int64
	over := make(chan struct{})
	for _, p := range c.apis {
		people.Go(func() {
			c := talk{t: t, url: p.url}
			for position := 1; ; position++ {
				select {
				case <-over:
					return
				case <-time.After(30 * time.Millisecond): // people, and no load that limits are for
				}
				for path, body := range map[string]any{"/movies": nil, "/users/me": nil, "/movies/" + film + "/progress": map[string]any{"position": 1 + position%10, "duration": 20}} {
					method := http.MethodGet
					if body != nil {
						method = http.MethodPost
					}
					if status := c.ask(method, path, token, body, nil); status == unanswered || status >= 300 {
						t.Errorf("%s %s is answered with %d", method, path, status)
						return
					}
					answered.Add(1)
				}
			}
		})
	}
	more := func(n int64) { // what people do at a fault
		t.Helper()
		from := answered.Load()
		world.Until(t, "people go on", func() bool { return answered.Load() > from+n || t.Failed() })
	}
	scan := func(while string) {
		t.Helper()
		path := "/admin/libraries/" + library.ID.String() + "/scan"
		world.Until(t, "a scan is accepted "+while, func() bool {
			answer, _ := c.apis[0].do(t, http.MethodPost, "/api/v1"+path, token, nil)
			return answer.StatusCode == http.StatusAccepted
		})
	}
	done := func() {
		t.Helper()
		world.Until(t, "the scan is done", func() bool {
			return get[domain.Scan](t, &c.apis[1].served, token, "/admin/libraries/"+library.ID.String()+"/scan").State == domain.ScanDone
		})
	}
	more(10)
	for range 3 {
		redis.tell(t, "FLUSHALL")
		scan("after it was emptied")
		redis.tell(t, "FLUSHALL")
		more(10)
		done()
	}
	if err := redis.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	more(20)
	scan("while it stands still")
	more(10)
	if err := redis.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	done()
	redis.kill()
	more(20)
	scan("while it is away")
	more(10)
	redis.start(t)
	done()
	more(10)
	close(over)
	people.Wait()
	t.Logf("%d requests were answered", answered.Load())
	if dead := get[domain.Page[jobs.Info]](t, &c.apis[0].served, token, "/admin/jobs?state=dead").Items; len(dead) > 0 {
		t.Errorf("dead jobs: %+v", dead)
	}
}

// TestAWorkerThatStandsStillLosesItsJobAndHarmsNothing suspends a worker amid a scan until its lease is over (R3): another one ends the scan, and what the first still does
// when it goes on changes nothing. It takes a lease's time, so it is for the long run: REVENGE_TEST_LEASES=1.
func TestAWorkerThatStandsStillLosesItsJobAndHarmsNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv("REVENGE_TEST_LEASES") == "" {
		t.Skip("REVENGE_TEST_LEASES is not set: just chaos sets it")
	}
	const many = 400
	films := t.TempDir()
	for n := range many {
		world.Film(t, films, fmt.Sprintf("Film %03d (1999)", n), demo.H264MKV)
	}
	settled(t, films)
	c := newCluster(t, 1, 1, "REVENGE_SCAN_FRAMES=false", "REVENGE_SCAN_WATCH=false")
	_, in := c.apis[0].claim(t, c.apis[0].code(t), "ann")
	token := in.AccessToken
	if answer, text := c.apis[0].do(t, http.MethodPost, "/api/v1/admin/libraries", token, map[string]any{"name": "Films", "paths": []string{films}}); answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, text)
	}
	library := get[listed[domain.Library]](t, &c.apis[0].served, token, "/libraries").Items[0].ID.String()
	scan := func() domain.Scan {
		return get[domain.Scan](t, &c.apis[0].served, token, "/admin/libraries/"+library+"/scan")
	}
	world.Until(t, "the scan has read some", func() bool { return scan().Read > 0 })
	if err := c.workers[0].command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if s := scan(); !s.Active() {
		t.Fatalf("it was done before the worker was stopped: %+v", s)
	}
	c.launch(t, "", "worker", "--listen", "127.0.0.1:0").serves(t, printedProbes)
	world.Until(t, "another worker ends the scan", func() bool { return scan().State == domain.ScanDone })
	t.Logf("the scan was done %s after its worker stood still", time.Since(begun).Round(time.Second))
	look := func() (int, domain.Scan) {
		page := get[domain.Page[domain.MovieItem]](t, &c.apis[0].served, token, "/movies?limit=1&includeTotal=true")
		return *page.Total, scan()
	}
	films1, scan1 := look()
	if err := c.workers[0].command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := c.workers[0].command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.workers[0].exit(t) // it has said its last word
	films2, scan2 := look()
	if films1 != many || films2 != many || scan1.State != scan2.State || scan1.Added != scan2.Added {
		t.Errorf("%d films and %+v became %d and %+v", films1, scan1, films2, scan2)
	}
	if dead := get[domain.Page[jobs.Info]](t, &c.apis[0].served, token, "/admin/jobs?state=dead").Items; len(dead) > 0 {
		t.Errorf("dead jobs: %+v", dead)
	}
}
