package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// balancer sends requests by turns to those processes that say they are ready, as proxies and Kubernetes do: it only knows what it saw when it looked last.
type balancer struct {
	*httptest.Server
	mu       sync.Mutex
	backends map[string]bool // by address: whether it was ready
	turn     int
}

func newBalancer(t *testing.T, programs ...*program) *balancer {
	t.Helper()
	b := &balancer{backends: map[string]bool{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := url.Parse(b.next())
		if err != nil {
			t.Error(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(to)
		proxy.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, fmt.Sprintf("%s %s of %s: %v", r.Method, r.URL, to, err), http.StatusBadGateway)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	for _, p := range programs {
		b.add(t, p)
	}
	return b
}

// next is the address of a process that was ready, or of none.
func (b *balancer) next() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ready []string
	for address, is := range b.backends {
		if is {
			ready = append(ready, address)
		}
	}
	if len(ready) == 0 {
		return "http://127.0.0.1:1"
	}
	b.turn++
	return ready[b.turn%len(ready)]
}

// add looks after a process until the end of the test and returns once it is ready.
func (b *balancer) add(t *testing.T, p *program) {
	t.Helper()
	look := func() {
		ctx, cancel := context.WithTimeout(t.Context(), world.Patience)
		defer cancel()
		ready := false
		if r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil); err == nil {
			if answer, err := http.DefaultClient.Do(r); err == nil {
				answer.Body.Close()
				ready = answer.StatusCode == http.StatusOK
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.backends[p.url] = ready
	}
	knows := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.backends[p.url]
	}
	world.Until(t, "the balancer finds the process ready", func() bool { look(); return knows() })
	go func() {
		for ticker := time.NewTicker(50 * time.Millisecond); t.Context().Err() == nil; <-ticker.C {
			look()
		}
	}()
}

// TestARollingRestartLosesNoRequest restarts every process of an installation, one after another, while people use it (R20): each request is answered, and each job
// is done.
func TestARollingRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	films := t.TempDir()
	world.Film(t, films, "Freaks (1932)", demo.H264MKV)
	settled(t, films)
	c := newCluster(t, 2, 2, "REVENGE_SHUTDOWN_DELAY=4s", "REVENGE_SCAN_FRAMES=false")
	_, in := c.apis[0].claim(t, c.apis[0].code(t), "ann")
	door := newBalancer(t, c.apis...)
	front := served{url: door.URL}
	token := in.AccessToken
	if answer, text := front.do(t, http.MethodPost, "/api/v1/admin/libraries", token, map[string]any{"name": "Films", "paths": []string{films}}); answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, text)
	}
	library, _ := front.scanned(t, token)
	film := get[domain.Page[domain.MovieItem]](t, &front, token, "/movies").Items[0].ID.String()

	var clients sync.WaitGroup
	var answered, scans atomic.Int64
	over := make(chan struct{})
	for range 3 {
		clients.Go(func() {
			c := talk{t: t, url: door.URL}
			for position := 1; ; position++ {
				select {
				case <-over:
					return
				default:
				}
				for _, request := range []struct {
					method, path string
					body         any
				}{
					{http.MethodGet, "/movies", nil}, {http.MethodGet, "/users/me", nil}, {http.MethodGet, "/movies/" + film, nil},
					{http.MethodPost, "/movies/" + film + "/progress", map[string]any{"position": 1 + position%10, "duration": 20}},
				} {
					if status := c.ask(request.method, request.path, token, request.body, nil); status == unanswered || status >= 300 {
						t.Errorf("%s %s is answered with %d", request.method, request.path, status)
						return
					}
					answered.Add(1)
				}
			}
		})
	}
	clients.Go(func() { // jobs all the time: whoever runs one when it is stopped hands it back
		c := talk{t: t, url: door.URL}
		for {
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
			switch status := c.ask(http.MethodPost, "/admin/libraries/"+library.ID.String()+"/scan", token, nil, nil); status {
			case http.StatusAccepted:
				scans.Add(1)
			case http.StatusConflict: // one runs
			default:
				t.Errorf("asking for a scan is answered with %d", status)
				return
			}
		}
	})
	stop := func(p *program) {
		t.Helper()
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(t); code != 0 {
			t.Errorf("it ended with %d: %s", code, p.stderr)
		}
	}
	for _, w := range c.workers {
		stop(w)
		c.launch(t, "", "worker", "--listen", "127.0.0.1:0").serves(t, printedProbes)
	}
	for _, a := range c.apis {
		stop(a)
		again := c.launch(t, "", "httpd", "--listen", "127.0.0.1:0")
		again.serves(t, printedAddress)
		door.add(t, again)
	}
	close(over)
	clients.Wait()
	t.Logf("%d requests were answered, %d scans asked for", answered.Load(), scans.Load())
	if answered.Load() < 20 || scans.Load() < 2 {
		t.Error("that is too little to say anything")
	}
	world.Until(t, "the last scan is done", func() bool {
		return !get[domain.Scan](t, &front, token, "/admin/libraries/"+library.ID.String()+"/scan").Active()
	})
	for _, state := range []jobs.State{jobs.Dead, jobs.Cancelled} {
		if list := get[domain.Page[jobs.Info]](t, &front, token, "/admin/jobs?state="+string(state)).Items; len(list) > 0 {
			t.Errorf("jobs that are %s: %+v", state, list)
		}
	}
}
