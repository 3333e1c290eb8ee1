package httpd_test

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/testkit/world"
)

func TestS30InputBeyondTheLimitsIsRefused(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	ann := s.Admin(t)
	for _, c := range []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"a page of -1", http.MethodGet, "/movies?limit=-1", nil, 422},
		{"a page of none", http.MethodGet, "/movies?limit=0", nil, 422},
		{"a page of a thousand million", http.MethodGet, "/movies?limit=1000000000", nil, 422},
		{"a page of words", http.MethodGet, "/movies?limit=many", nil, 422},
		{"a number that fits nowhere", http.MethodGet, "/movies?limit=99999999999999999999999", nil, 422},
		{"a long search", http.MethodGet, "/movies?q=" + strings.Repeat("a", 201), nil, 422},
		{"a cursor of somebody else's", http.MethodGet, "/movies?cursor=AAAA", nil, 422},
		{"a query parameter that is not known", http.MethodGet, "/movies?limt=5", nil, 422},
		{"a field that is not known", http.MethodPatch, "/users/me/preferences", map[string]any{"subtitleMode": "on", "isAdmin": true}, 422},
		{"a value of the wrong type", http.MethodPatch, "/users/me/preferences", map[string]any{"subtitleMode": 5}, 422},
		{"a value outside of the list", http.MethodPatch, "/users/me/preferences", map[string]any{"subtitleMode": "loud"}, 422},
		{"half of a JSON", http.MethodPatch, "/users/me/preferences", strings.NewReader(`{"subtitleMode":`), 400},
		{"an id that is none", http.MethodGet, "/movies/1%27%20OR%201=1", nil, 422},
		{"a path in an id", http.MethodGet, "/movies/..%2f..%2fetc%2fpasswd", nil, 422},
	} {
		header := []string{}
		if _, raw := c.body.(*strings.Reader); raw {
			header = append(header, "Content-Type", "application/json")
		}
		got := ann.Do(t, c.method, "/api/v1"+c.path, c.body, header...)
		if got.Status != c.status {
			t.Errorf("%s is answered with %d %s", c.name, got.Status, got.Body)
			continue
		}
		got.Problem(t)
	}
}

func TestS30ABodyOverAMegabyteIsRefusedHoweverItIsSent(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	large := append([]byte(`{"login":"a","password":"`), bytes.Repeat([]byte("x"), 1<<20+1)...)
	large = append(large, `"}`...)
	for name, body := range map[string]any{"with its length": bytes.NewReader(large), "in chunks": struct{ *strings.Reader }{strings.NewReader(string(large))}} {
		got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", body, "Content-Type", "application/json")
		if got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
			continue
		}
		got.Problem(t)
	}
}

func TestS30ASlowHeaderIsCutOffAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	if _, err := conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(begun.Add(world.Patience)); err != nil {
		t.Fatal(err)
	}
	_, err = bufio.NewReader(conn).ReadString(0)
	var timeout net.Error
	if err == nil || (errors.As(err, &timeout) && timeout.Timeout()) {
		t.Fatalf("the connection is still open after %s: %v", time.Since(begun), err)
	}
	if took := time.Since(begun); took < 4*time.Second || took > 20*time.Second {
		t.Errorf("it was cut off after %s", took)
	}
}
