package httpd_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestTextsThatNoDatabaseKeepsAreRefused sends U+0000 and what is no UTF-8 to where texts come in: each is the asker's mistake, and says so.
func TestTextsThatNoDatabaseKeepsAreRefused(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	for _, c := range []struct {
		client             world.Client
		method, path, body string
		status             int
	}{
		{s.Anonymous(), "POST", "/api/v1/auth/login", `{"login": "ulf\u0000", "password": "x"}`, http.StatusBadRequest},
		{s.Anonymous(), "POST", "/api/v1/auth/login", `{"login": "ulf", "password": "x\u0000"}`, http.StatusBadRequest},
		{s.Anonymous(), "POST", "/api/v1/auth/login", `{"login": "ulf\\u0000", "password": "x"}`, http.StatusUnauthorized}, // a backslash and letters
		{s.Anonymous(), "POST", "/api/v1/auth/login", "{\"login\": \"\xff\", \"password\": \"x\"}", http.StatusUnauthorized},
		{s.User(t), "PATCH", "/api/v1/users/me/preferences", `{"language": "\u0000"}`, http.StatusBadRequest},
		{s.User(t), "GET", "/api/v1/movies?q=%00", "", http.StatusUnprocessableEntity},
		{s.User(t), "GET", "/api/v1/movies?person=%ff%fe", "", http.StatusUnprocessableEntity},
		{s.User(t), "GET", "/api/v1/movies?genre=a&genre=%00", "", http.StatusUnprocessableEntity},
		{s.User(t), "GET", "/api/v1/stream/01a204b6-d569-7ba7-a4ef-7db6af15d162/00/subtitles/%00.vtt", "", http.StatusUnprocessableEntity},
		{s.Admin(t), "GET", "/api/v1/admin/jobs?kind=%00", "", http.StatusUnprocessableEntity},
		{s.Admin(t), "GET", "/api/v1/admin/directories?path=%c3%28", "", http.StatusUnprocessableEntity},
		{s.Admin(t), "POST", "/api/v1/admin/libraries", `{"name": "a\u0000", "paths": ["/"]}`, http.StatusBadRequest},
	} {
		request := c.client.Request(t, c.method, c.path, nil)
		if c.body != "" {
			var err error
			header := request.Header
			if request, err = http.NewRequestWithContext(t.Context(), c.method, request.URL.String(), strings.NewReader(c.body)); err != nil {
				t.Fatal(err)
			}
			request.Header = header
			request.Header.Set("Content-Type", "application/json")
		}
		answer, err := s.HTTP.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != c.status || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, answer.StatusCode, answer.Header.Get("Content-Type"), c.status)
		}
	}
}

// TestRangesThatCannotBeSentAreProblems: net/http's own words on ranges and conditions are no problem documents.
func TestRangesThatCannotBeSentAreProblems(t *testing.T) {
	t.Parallel()
	w, dir := world.New(t), t.TempDir()
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	s := w.Serve(t)
	w.ScanUntilDone(t, w.Library(t, dir).ID)
	m := w.Movie(t, w.Admin(t).Actor, "Alien")
	plan := world.Decode[playback.Plan](t, s.User(t).Post(t, "/movies/"+m.ID.String()+"/playback", map[string]any{"capabilities": chromium}), http.StatusOK)
	for name, header := range map[string][2]string{"past the end": {"Range", "bytes=99999999999-"}, "changed": {"If-Match", `"another"`}} {
		got := s.User(t).Do(t, http.MethodGet, plan.Selected.Parts[0].URL, nil, header[0], header[1])
		want := map[string]int{"Range": http.StatusRequestedRangeNotSatisfiable, "If-Match": http.StatusPreconditionFailed}[header[0]]
		if got.Status != want || got.Problem(t).Status != want {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}
