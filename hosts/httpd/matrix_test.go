package httpd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/world"
)

// playable is what a browser says of itself.
var playable = map[string]any{
	"containers": []string{"mp4", "webm"}, "video": []map[string]any{{"codec": "h264"}, {"codec": "vp9"}}, "audio": []string{"aac", "opus", "mp3", "flac"}, "hls": true,
}

// bodies are what routes want to read before they do anything.
var bodies = map[string]any{
	"POST /api/v1/movies/{id}/progress": map[string]any{"position": 5, "duration": 16},
	"POST /api/v1/movies/{id}/playback": map[string]any{"capabilities": playable},
}

var parameter = regexp.MustCompile(`\{[^}]*\}|/\*$`)

// addresses are those of a route for a place. A parameter that is not known here fails the test: say what it stands for.
func addresses(t *testing.T, pattern string, p place, user domain.ID) []string {
	t.Helper()
	known := func(name string) []string {
		switch name {
		case "/*":
			return []string{"/favicon-32x32.png"}
		case "{fileId}":
			return []string{p.file.ID.String()}
		case "{revision}":
			return []string{p.file.Revision}
		case "{track}":
			if strings.Contains(pattern, "/audio/") {
				return []string{"1"}
			}
			return []string{"0"}
		case "{n}":
			return []string{"0"}
		case "{method}":
			return []string{"copy", "aac"}
		case "{kind}":
			return []string{"poster", "backdrop"}
		case "{pathId}":
			return []string{p.library.Paths[0].ID.String()}
		case "{userId}":
			return []string{user.String()}
		case "{id}":
			switch {
			case strings.Contains(pattern, "/subtitles/"):
				return []string{"e3"}
			case strings.Contains(pattern, "/movies/"):
				return []string{p.movie.ID.String()}
			case strings.Contains(pattern, "/images/"):
				return []string{p.movie.ID.String()}
			case strings.Contains(pattern, "/libraries/"):
				return []string{p.library.ID.String()}
			case strings.Contains(pattern, "/files/"):
				return []string{p.file.ID.String()}
			case strings.Contains(pattern, "/sessions/"), strings.Contains(pattern, "/jobs/"):
				return []string{domain.NewID().String()}
			}
		}
		t.Fatalf("what does %s stand for in %s?", name, pattern)
		return nil
	}
	list := []string{pattern}
	for {
		place := parameter.FindStringIndex(list[0])
		if place == nil {
			return list
		}
		var next []string
		for _, address := range list {
			at := parameter.FindStringIndex(address)
			for _, value := range known(address[at[0]:at[1]]) {
				next = append(next, address[:at[0]]+value+address[at[1]:])
			}
		}
		list = next
	}
}

// ask reads an answer to its end, but that of an event stream, which has none.
func ask(t *testing.T, h *household, c world.Client, method, path string, body any) world.Response {
	t.Helper()
	answer, err := h.HTTP.Do(c.Request(t, method, path, body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	r := world.Response{Status: answer.StatusCode, Header: answer.Header}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return r
	}
	if r.Body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// absent is a place that is not there.
func absent(p place) place {
	p.library.ID, p.movie.ID, p.file.ID = domain.NewID(), domain.NewID(), domain.NewID()
	p.library.Paths = []domain.LibraryPath{{ID: domain.NewID()}}
	return p
}

// plain is a problem without what differs between any two.
func plain(t *testing.T, r world.Response) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(r.Body, &fields); err != nil {
		return string(r.Body)
	}
	delete(fields, "requestId")
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ending are routes that end the session that asks.
var ending = []string{"POST /api/v1/auth/logout", "DELETE /api/v1/sessions"}

// TestEveryRouteForEveryoneAndEveryLibrary is the matrix of S17, S18 and S28: it walks over the router's own routes, so that a new one is in it.
func TestEveryRouteForEveryoneAndEveryLibrary(t *testing.T) {
	t.Parallel()
	h := newHousehold(t)
	ulf := h.World.User(t)
	routes := h.Face.Routes()
	if len(routes) < 50 {
		t.Fatalf("only %d routes", len(routes))
	}
	// Sessions that are ended are others than those that ask on.
	client := func(t *testing.T, route string, role domain.RoleName) world.Client {
		t.Helper()
		switch {
		case !slices.Contains(ending, route) && role == domain.RoleAdmin:
			return h.Admin(t)
		case !slices.Contains(ending, route):
			return h.User(t)
		}
		account := h.World.Account(t, "ending-"+string(role), role)
		in, err := h.World.Auth.Login(t.Context(), account.User.Username, world.Password, auth.Client{})
		if err != nil {
			t.Fatal(err)
		}
		return h.Bearer(in.Tokens.AccessToken)
	}
	granted := map[string]map[domain.Permission]bool{}
	for _, who := range []world.Account{h.World.Admin(t), ulf} {
		list, err := h.World.Access.Permissions(t.Context(), who.Actor)
		if err != nil {
			t.Fatal(err)
		}
		granted[who.User.Username] = map[domain.Permission]bool{}
		for _, p := range list {
			granted[who.User.Username][p] = true
		}
	}
	hides := func(t *testing.T, what string, r world.Response, asked string, hidden ...place) {
		t.Helper()
		answer := string(r.Body) + fmt.Sprint(r.Header)
		for _, p := range hidden {
			for _, word := range p.secret {
				if strings.Contains(answer, word) && !strings.Contains(asked, word) {
					t.Errorf("%s speaks of %q: %.300s", what, word, answer)
				}
			}
		}
	}
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		method, pattern, _ := strings.Cut(route, " ")
		permission := routes[route]
		t.Run(strings.ReplaceAll(route, "/", "∕"), func(t *testing.T) {
			for _, p := range []place{h.open, h.closed, h.restricted} {
				for _, address := range addresses(t, pattern, p, ulf.User.ID) {
					got := ask(t, h, h.Anonymous(), method, address, bodies[route])
					secured(t, "nobody", got)
					hides(t, "nobody's answer", got, address, h.open, h.closed, h.restricted)
					if permission != domain.PermissionPublic && (got.Status != http.StatusUnauthorized || got.Problem(t).Code != "auth.required") {
						t.Errorf("nobody gets %d from %s: %.300s", got.Status, address, got.Body)
					}
				}
			}
			if permission == domain.PermissionPublic {
				return
			}
			if !granted["ulf"][permission] {
				for _, p := range []place{h.open, h.closed, h.restricted} {
					for _, address := range addresses(t, pattern, p, ulf.User.ID) {
						got := ask(t, h, client(t, route, domain.RoleUser), method, address, bodies[route])
						secured(t, "a user", got)
						if got.Status != http.StatusForbidden || got.Problem(t).Code != "access.denied" {
							t.Errorf("a user without %s gets %d from %s: %.300s", permission, got.Status, address, got.Body)
						}
						hides(t, "a user's answer", got, address, h.closed, h.restricted)
					}
				}
			} else {
				for _, address := range addresses(t, pattern, h.open, ulf.User.ID) {
					got := ask(t, h, client(t, route, domain.RoleUser), method, address, bodies[route])
					secured(t, "a user", got)
					hides(t, "a user's answer", got, address, h.closed, h.restricted)
					if (strings.Contains(address, h.open.movie.ID.String()+"/") || strings.Contains(address, h.open.file.ID.String())) && got.Status >= 400 || got.Status == http.StatusForbidden || got.Status == http.StatusUnauthorized {
						t.Errorf("a user gets %d from %s: %.300s", got.Status, address, got.Body)
					}
				}
				for _, hidden := range []place{h.closed, h.restricted} {
					foreign, none := addresses(t, pattern, hidden, ulf.User.ID), addresses(t, pattern, absent(hidden), ulf.User.ID)
					if foreign[0] == none[0] || strings.Contains(pattern, "/sessions/") {
						continue // it is about no library
					}
					for i := range foreign {
						got := ask(t, h, client(t, route, domain.RoleUser), method, foreign[i], bodies[route])
						secured(t, "a user", got)
						hides(t, "a user's answer", got, foreign[i], hidden)
						same := ask(t, h, client(t, route, domain.RoleUser), method, none[i], bodies[route])
						if got.Status != http.StatusNotFound || plain(t, got) != plain(t, same) {
							t.Errorf("what a user must not see is answered with %d %.300s, what is absent with %d %.300s", got.Status, got.Body, same.Status, same.Body)
						}
					}
				}
			}
			admins := h.open
			if method != http.MethodGet {
				admins = absent(h.open)
			}
			for _, address := range addresses(t, pattern, admins, domain.NewID()) {
				got := ask(t, h, client(t, route, domain.RoleAdmin), method, address, nil)
				secured(t, "an administrator", got)
				if got.Status == http.StatusUnauthorized || got.Status == http.StatusForbidden || got.Status >= 500 {
					t.Errorf("an administrator gets %d from %s: %.300s", got.Status, address, got.Body)
				}
			}
		})
	}

	t.Run("no question finds out about a hidden film", func(t *testing.T) {
		user, admin := h.User(t), h.Admin(t)
		var found [][]byte
		for _, list := range []string{"/movies", "/movies/index"} {
			for _, question := range []string{"q=WORDfilm", "q=WORDoriginal", "q=WORD", "genre=WORDgenre", "person=WORDactor", "person=WORDdirector", "libraryId=LIBRARY",
				"sort=-added", "sort=random&seed=4", "watched=false", "inProgress=true"} {
				for _, hidden := range []place{h.closed, h.restricted} {
					query := strings.NewReplacer("WORD", hidden.secret[0], "LIBRARY", hidden.library.ID.String()).Replace(question)
					if list == "/movies" {
						query += "&includeTotal=true"
					}
					got := user.Get(t, list+"?"+query)
					if got.Status != http.StatusOK {
						t.Errorf("%s: %d %s", query, got.Status, got.Body)
					}
					hides(t, query, got, "", h.closed, h.restricted)
					if seen := admin.Get(t, list+"?"+query).Body; strings.Contains(question, "q=") {
						found = append(found, seen)
					}
				}
			}
		}
		if !bytes.Contains(bytes.Join(found, nil), []byte("Quokka")) {
			t.Error("an administrator does not find it either: this test asks nothing")
		}
		total := world.Decode[domain.Page[domain.MovieItem]](t, user.Get(t, "/movies?includeTotal=true"), http.StatusOK)
		if total.Total == nil || *total.Total != 1 {
			t.Errorf("a user counts %v films", total.Total)
		}
	})
}
