package httpd_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestS25WhatPeopleWriteIsDataAndNoAnswerRunsIt puts a script wherever people write; that pages show it as text the tests in a browser see.
func TestS25WhatPeopleWriteIsDataAndNoAnswerRunsIt(t *testing.T) {
	t.Parallel()
	const script = `</script><script>alert(1)</script><img src=x onerror=alert(2)>`
	w := world.New(t, world.Idle())
	s := w.Serve(t, world.Web(page()))
	admin, user := s.Admin(t), s.User(t)
	did(t, user, http.MethodPatch, "/users/me", object{"displayName": script})
	did(t, user, http.MethodPost, "/users/me/api-keys", object{"name": script, "permissions": []string{"library.read"}})
	did(t, admin, http.MethodPatch, "/admin/settings", object{"values": object{"server.name": "<script>alert(1)</script>"}})
	if got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", object{"login": "ulf", "password": world.Password}, "User-Agent", script); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	shown := 0
	for path, c := range map[string]world.Client{
		"/users/me": user, "/users/me/api-keys": user, "/sessions": user, "/settings": s.Anonymous(), "/admin/users": admin, "/admin/activity": admin, "/admin/settings": admin,
		"/movies/" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E": user, "/movies?q=%3Cscript%3E&sort=%3Cscript%3E": user,
	} {
		got := c.Get(t, path)
		secured(t, path, got)
		if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/") || !strings.Contains(kind, "json") || !json.Valid(got.Body) {
			t.Errorf("%s is answered as %q", path, kind)
		}
		if strings.Contains(string(got.Body), "alert(1)") {
			shown++
		}
	}
	if shown < 5 {
		t.Errorf("only %d answers show what was written", shown)
	}
	for _, address := range []string{"/", "/login?error=" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/%3Cscript%3Ealert(1)%3C%2Fscript%3E"} {
		got := s.Anonymous().Do(t, http.MethodGet, address, nil)
		if allowsItsScripts(t, got); strings.Contains(string(got.Body), "alert(1)") {
			t.Errorf("%s says what was asked: %s", address, got.Body)
		}
	}
}

// TestS28AnswersOfEveryKindHaveTheirHeaders is a sample; TestTheMatrix asks every route.
func TestS28AnswersOfEveryKindHaveTheirHeaders(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	for tls, s := range map[bool]*world.Server{false: w.Serve(t, world.Web(page())), true: w.Serve(t, world.TLS(), world.Web(page()))} {
		user := s.Bearer(w.User(t).Tokens.AccessToken)
		for _, c := range []struct {
			by           world.Client
			method, path string
			status       int
		}{
			{user, http.MethodGet, "/api/v1/users/me", http.StatusOK}, {s.Anonymous(), http.MethodGet, "/api/v1/users/me", http.StatusUnauthorized},
			{user, http.MethodGet, "/api/v1/admin/users", http.StatusForbidden}, {user, http.MethodGet, "/api/v1/movies/" + domain.NewID().String(), http.StatusNotFound},
			{user, http.MethodGet, "/api/v1/movies?limit=0", http.StatusUnprocessableEntity}, {user, http.MethodGet, "/api/v1/none", http.StatusNotFound},
			{user, http.MethodPost, "/api/v1/auth/login", http.StatusUnprocessableEntity}, {s.Anonymous(), http.MethodGet, "/", http.StatusOK}, {s.Anonymous(), http.MethodGet, "/gone.js", http.StatusNotFound},
			{s.Anonymous(), http.MethodGet, "/metrics", 0}, {s.Anonymous(), http.MethodGet, "/debug/pprof/", 0},
		} {
			var body any
			if c.method == http.MethodPost {
				body = object{}
			}
			got := c.by.Do(t, c.method, c.path, body)
			armoured(t, c.method+" "+c.path, got, tls)
			if c.status != 0 && got.Status != c.status {
				t.Errorf("%s is answered with %d %s", c.path, got.Status, got.Body)
			}
			if text := string(got.Body); strings.Contains(text, "go_goroutines") || strings.Contains(text, "full goroutine stack dump") {
				t.Errorf("%s is on the public port", c.path)
			}
		}
	}
}
