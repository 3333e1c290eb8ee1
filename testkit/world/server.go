package world

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/hosts/httpd"
)

// Server is a world behind HTTP on loopback.
type Server struct {
	World *World
	Face  *httpd.Server
	// URL has no slash at its end.
	URL string
	// HTTP trusts the server's certificate, keeps no cookies and follows no redirects.
	HTTP *http.Client
	tls  bool
}

// ServeOption changes the server that Serve starts.
type ServeOption func(*serving)

type serving struct {
	config httpd.Config
	tls    bool
}

// TLS serves HTTPS.
func TLS() ServeOption { return func(s *serving) { s.tls = true } }

// Web serves a built web UI.
func Web(files fs.FS) ServeOption { return func(s *serving) { s.config.Web = files } }

// HTTPConfig changes the server's configuration.
func HTTPConfig(change func(*httpd.Config)) ServeOption {
	return func(s *serving) { change(&s.config) }
}

// Serve serves the world until the test ends, with the timeouts of a real server.
func (w *World) Serve(t testing.TB, options ...ServeOption) *Server {
	t.Helper()
	s := serving{config: httpd.Config{Core: w.Core, Logger: w.App.Logger, Version: w.App.Version, Metrics: w.App.Metrics()}}
	for _, option := range options {
		option(&s)
	}
	face, err := httpd.New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	server := httptest.NewUnstartedServer(face.Handler())
	httpd.Limits(server.Config).BaseContext = func(net.Listener) context.Context { return running }
	if s.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		stop()
		server.CloseClientConnections()
		server.Close()
	})
	return &Server{World: w, Face: face, URL: server.URL, HTTP: client, tls: s.tls}
}

// Client is somebody who talks to a server.
type Client struct {
	server *Server
	header http.Header
}

// Anonymous shows no credential.
func (s *Server) Anonymous() Client { return Client{s, http.Header{}} }

// Bearer shows an access token.
func (s *Server) Bearer(token string) Client {
	return Client{s, http.Header{"Authorization": {"Bearer " + token}}}
}

// Browser shows the session's cookie.
func (s *Server) Browser(a Account) Client { return s.Cookie(s.World.Auth.CookieFor(a.Session)) }

// Cookie shows a session cookie of this value.
func (s *Server) Cookie(value string) Client {
	return Client{s, http.Header{"Cookie": {s.CookieName() + "=" + value}}}
}

// Key shows an API key.
func (s *Server) Key(key string) Client { return Client{s, http.Header{"X-Api-Key": {key}}} }

// CookieName is the session cookie's.
func (s *Server) CookieName() string {
	if s.tls {
		return "__Host-revenge"
	}
	return "revenge"
}

// Admin and User show the access tokens of the world's two accounts.
func (s *Server) Admin(t testing.TB) Client { return s.Bearer(s.World.Admin(t).Tokens.AccessToken) }

// User is Admin for the account with the role user.
func (s *Server) User(t testing.TB) Client { return s.Bearer(s.World.User(t).Tokens.AccessToken) }

// Response is an answer that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Request makes a request with the client's credential, for who needs more than Do. body is nil, a reader, or anything that is sent as JSON; path
// begins with a slash. header holds names and values in turn.
func (c Client) Request(t testing.TB, method, path string, body any, header ...string) *http.Request {
	t.Helper()
	var content io.Reader
	kind := ""
	switch b := body.(type) {
	case nil:
	case io.Reader:
		content = b
	default:
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		content, kind = bytes.NewReader(data), "application/json"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+path, content)
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// Do sends a request and reads the answer.
func (c Client) Do(t testing.TB, method, path string, body any, header ...string) Response {
	t.Helper()
	answer, err := c.server.HTTP.Do(c.Request(t, method, path, body, header...))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: data}
}

// Get reads an address below /api/v1.
func (c Client) Get(t testing.TB, path string) Response {
	t.Helper()
	return c.Do(t, http.MethodGet, "/api/v1"+path, nil)
}

// Post sends JSON to an address below /api/v1.
func (c Client) Post(t testing.TB, path string, body any) Response {
	t.Helper()
	return c.Do(t, http.MethodPost, "/api/v1"+path, body)
}

// Decode returns the JSON body of a response with the expected status.
func Decode[T any](t testing.TB, r Response, status int) T {
	t.Helper()
	var v T
	if r.Status != status {
		t.Fatalf("the status is %d and not %d: %s", r.Status, status, r.Body)
	}
	if err := json.Unmarshal(r.Body, &v); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

// Problem returns the body of an error, which must be application/problem+json and repeat status and request id.
func (r Response) Problem(t testing.TB) httpd.Problem {
	t.Helper()
	var p httpd.Problem
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		t.Fatalf("status %d comes as %q: %s", r.Status, kind, r.Body)
	}
	if err := json.Unmarshal(r.Body, &p); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	if p.Status != r.Status || p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") || p.Code == "" || p.Detail == "" {
		t.Fatalf("an incomplete problem with status %d and request id %q: %s", r.Status, r.Header.Get("X-Request-Id"), r.Body)
	}
	return p
}
