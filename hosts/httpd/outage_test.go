package httpd_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/world"
)

// cable is a TCP connection to a server that can be pulled out and put back.
type cable struct {
	server, address string
	mu              sync.Mutex
	listener        net.Listener
	conns           map[net.Conn]bool
}

// plug listens, at the same address every time.
func (c *cable) plug(t *testing.T) {
	t.Helper()
	at := c.address
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.listener, c.address, c.conns = l, l.Addr().String(), map[net.Conn]bool{}
	c.mu.Unlock()
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", c.server)
			if err != nil {
				here.Close()
				continue
			}
			c.mu.Lock()
			c.conns[here], c.conns[there] = true, true
			c.mu.Unlock()
			go func() { io.Copy(there, here); there.Close() }()
			go func() { io.Copy(here, there); here.Close() }()
		}
	}()
}

// pull ends all connections and refuses new ones.
func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener.Close()
	for conn := range c.conns {
		conn.Close()
	}
}

// TestADatabaseThatGoesAwayIsWaitedFor takes the database from a running server and gives it back (R5).
func TestADatabaseThatGoesAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := &cable{}
	w := world.New(t, world.Postgres(), world.Idle(), world.Configure(func(conf *config.Config) {
		address, err := url.Parse(conf.Database)
		if err != nil {
			t.Fatal(err)
		}
		c.server = address.Host
		c.plug(t)
		address.Host = c.address
		conf.Database = address.String()
	}))
	t.Cleanup(c.pull)
	s := w.Serve(t)
	u := s.User(t)
	if got := u.Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	c.pull()
	for refused := 0; refused < 5; {
		got := u.Get(t, "/users/me")
		switch got.Status {
		case http.StatusOK: // what was read a moment ago
		case http.StatusServiceUnavailable:
			refused++
			if got.Header.Get("Retry-After") == "" || strings.Contains(string(got.Body), c.address) {
				t.Errorf("%v %s", got.Header, got.Body)
			}
			got.Problem(t)
		default:
			t.Fatalf("an outage is answered with %d %s", got.Status, got.Body)
		}
	}
	for path, status := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable} {
		if got := s.Anonymous().Do(t, http.MethodGet, path, nil); got.Status != status || strings.Contains(string(got.Body), c.address) {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	if got := s.Anonymous().Post(t, "/auth/login", map[string]any{"login": "ulf", "password": world.Password}); got.Status != http.StatusServiceUnavailable {
		t.Errorf("a sign-in is answered with %d %s", got.Status, got.Body)
	}
	c.plug(t)
	back := time.Now()
	world.Until(t, "the server has its database back", func() bool { return u.Get(t, "/users/me").Status == http.StatusOK })
	if took := time.Since(back); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
