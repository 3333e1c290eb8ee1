package httpd_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestTheRouterAnswersWithProblemsToo(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	for _, c := range []struct {
		name, method, path, kind string
		status                   int
		code                     string
	}{
		{"no such route", "GET", "/api/v1/nothing", "", 404, "request.no_such_route"},
		{"no such route below the API", "GET", "/api/v2/movies", "", 404, "request.no_such_route"},
		{"no such method", "PUT", "/api/v1/movies", "", 405, "request.method_not_allowed"},
		{"no GET of an operation", "GET", "/api/v1/auth/login", "", 405, "request.method_not_allowed"},
		{"no such method outside", "POST", "/healthz", "", 405, "request.method_not_allowed"},
		{"another media type", "POST", "/api/v1/auth/login", "application/xml", 415, "request.unsupported_media_type"},
		{"nobody", "GET", "/api/v1/users/me", "", 401, "auth.required"},
	} {
		header := []string{}
		var body any
		if c.kind != "" {
			header, body = []string{"Content-Type", c.kind}, strings.NewReader("<x/>")
		}
		got := s.Anonymous().Do(t, c.method, c.path, body, header...)
		if got.Status != c.status {
			t.Errorf("%s: %d %s", c.name, got.Status, got.Body)
			continue
		}
		if p := got.Problem(t); p.Code != c.code || p.Title != http.StatusText(c.status) || p.Type != "/problems/"+c.code {
			t.Errorf("%s: %+v", c.name, p)
		}
		if allow := got.Header.Get("Allow"); (allow != "") != (c.status == http.StatusMethodNotAllowed) || strings.Contains(allow, c.method) {
			t.Errorf("%s: allowed are %q", c.name, allow)
		}
		secured(t, c.name, got)
	}
	first, second := s.Anonymous().Get(t, "/settings"), s.Anonymous().Do(t, "GET", "/api/v1/settings", nil, "X-Request-Id", "mine")
	if a, b := first.Header.Get("X-Request-Id"), second.Header.Get("X-Request-Id"); a == "" || a == b || b == "mine" {
		t.Errorf("request ids %q and %q", a, b)
	}
}

func TestAMalformedBodyIsTheClientsMistake(t *testing.T) {
	t.Parallel()
	s := world.New(t, world.Idle()).Serve(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(world.Patience))
	if _, err := io.WriteString(conn, "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Transfer-Encoding: chunked\r\n\r\nno-length\r\n{}\r\n0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), `"request.malformed"`) {
		t.Errorf("%d %s %v", answer.StatusCode, body, err)
	}
}

func TestAnInternalErrorIsShownWithoutItsCause(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	ann := s.Admin(t)
	if got := ann.Get(t, "/users/me/preferences"); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	if _, err := w.Store.(*sqlstore.Store).SQLDB().ExecContext(t.Context(), "ALTER TABLE user_preferences RENAME TO lost_table"); err != nil {
		t.Fatal(err)
	}
	got := ann.Get(t, "/users/me/preferences")
	if got.Status != http.StatusInternalServerError || got.Problem(t).Code != "internal" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for _, secret := range []string{"user_preferences", "table", "SQL", "sql", w.Dir, "goroutine"} {
		if strings.Contains(string(got.Body), secret) {
			t.Errorf("the answer speaks of %q: %s", secret, got.Body)
		}
	}
	secured(t, "an internal error", got)
}

func TestAPanicIsAProblemAndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	face, err := httpd.New(httpd.Config{Core: &core.Core{}, Logger: slog.New(slog.DiscardHandler), Version: "test"}) // whose services are nil
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answer := httptest.NewRecorder()
		face.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/v1/settings", nil))
		got := world.Response{Status: answer.Code, Header: answer.Header(), Body: answer.Body.Bytes()}
		if got.Status != http.StatusInternalServerError || strings.Contains(string(got.Body), "nil pointer") {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		got.Problem(t)
		secured(t, "a panic", got)
	}
}
