package httpd_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// screening is a library with one film that is larger than all buffers between a server and a client, in all its kinds: file, pictures, tracks and subtitles.
func screening(t *testing.T, w *world.World, change func(*library.Draft)) *place {
	t.Helper()
	p := &place{word: "Alien", dir: t.TempDir(), subtitles: []string{}}
	path := world.Film(t, p.dir, "Alien (1979)", demo.H264AAC)
	swell(t, path)
	world.Write(t, strings.TrimSuffix(path, ".mp4")+".eng.srt", []byte("1\n00:00:01,000 --> 00:00:02,000\nIn space\n"))
	poster, err := os.ReadFile("../../testkit/demo/posters/detour.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"poster", "fanart", "clearlogo"} {
		world.Write(t, filepath.Join(filepath.Dir(path), name+".jpg"), poster)
	}
	p.library = w.Library(t, p.dir, change)
	return p
}

// settle waits for a screening's scan.
func (p *place) settle(t *testing.T, w *world.World) {
	t.Helper()
	w.ScanUntilDone(t, p.library.ID)
	only := p.library.ID
	page, err := w.Movies.List(t.Context(), domain.SystemActor(), domain.MovieFilter{LibraryID: &only}, domain.PageRequest{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	p.movie.ID = page.Items[0].ID
	files, err := w.Movies.Files(t.Context(), domain.SystemActor(), p.movie.ID)
	if err != nil || len(files) != 1 {
		t.Fatalf("%+v, %v", files, err)
	}
	p.file = files[0]
	plan, err := w.Playback.Plan(t.Context(), domain.SystemActor(), p.movie.ID, playback.Request{Capabilities: chromium})
	if err != nil || plan.Selected == nil || len(plan.Selected.Parts[0].Subtitles) != 1 {
		t.Fatalf("%+v, %v", plan, err)
	}
	p.subtitles = []string{plan.Selected.Parts[0].Subtitles[0].ID}
}

// setRoles gives an account other roles, and says so as every change of an account does.
func setRoles(t *testing.T, w *world.World, user domain.ID, roles ...domain.RoleName) {
	t.Helper()
	err := w.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		u, err := tx.Users.Get(ctx, user)
		if err != nil {
			return err
		}
		u.Roles = roles
		if err := tx.Users.Update(ctx, u); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, user)...)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsTakenAwayMidPlayEndsWithinASecond plays a film in all its parts, takes the right to do so away in every way that there is, and asks on: by the
// session and by a stream token (S7, S18, S19).
func TestWhatIsTakenAwayMidPlayEndsWithinASecond(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	h := &household{Server: w.Serve(t)}
	shared, secret := screening(t, w, func(d *library.Draft) { d.Open = false }), screening(t, w, func(d *library.Draft) { d.Restricted = true })
	marked, closed, deleted := screening(t, w, func(d *library.Draft) { d.Open = false }), screening(t, w, func(*library.Draft) {}), screening(t, w, func(*library.Draft) {})
	for _, p := range []*place{shared, secret, marked, closed, deleted} {
		p.settle(t, w)
	}
	yes, no := true, false
	admin := w.Admin(t).Actor
	update := func(p *place, c library.Change) error {
		_, err := w.Core.Library.Update(context.Background(), admin, p.library.ID, nil, c)
		return err
	}
	for name, c := range map[string]struct {
		at   *place
		role domain.RoleName
		end  func(t *testing.T, a world.Account) error
		want int
	}{
		"a sign-out": {shared, domain.RoleUser, func(t *testing.T, a world.Account) error { return w.Auth.Logout(t.Context(), a.Actor) }, http.StatusUnauthorized},
		"the end of the session from another one": {shared, domain.RoleUser, func(t *testing.T, a world.Account) error {
			other, err := w.Auth.Login(t.Context(), a.User.Username, world.Password, domain.Client{}, auth.Options{})
			if err != nil {
				return err
			}
			return w.Sessions.Revoke(t.Context(), other.SignedIn.Actor, a.Session.ID)
		}, http.StatusUnauthorized},
		"an account that is disabled": {shared, domain.RoleUser, func(t *testing.T, a world.Account) error {
			_, err := w.Core.Account.SetDisabled(t.Context(), admin, a.User.ID, true)
			return err
		}, http.StatusUnauthorized},
		"an access list": {shared, domain.RoleUser, func(t *testing.T, a world.Account) error {
			return w.Core.Library.Ungrant(t.Context(), admin, shared.library.ID, a.User.ID)
		}, http.StatusNotFound},
		"an administrator's role":                 {shared, domain.RoleAdmin, func(t *testing.T, a world.Account) error { setRoles(t, w, a.User.ID, domain.RoleUser); return nil }, http.StatusNotFound},
		"a library that is open no more":          {closed, domain.RoleUser, func(*testing.T, world.Account) error { return update(closed, library.Change{Open: &no}) }, http.StatusNotFound},
		"the role that sees restricted libraries": {secret, domain.RoleLegacy, func(t *testing.T, a world.Account) error { setRoles(t, w, a.User.ID, domain.RoleUser); return nil }, http.StatusNotFound},
		"every role":                        {shared, domain.RoleUser, func(t *testing.T, a world.Account) error { setRoles(t, w, a.User.ID); return nil }, http.StatusForbidden},
		"a library that becomes restricted": {marked, domain.RoleUser, func(*testing.T, world.Account) error { return update(marked, library.Change{Restricted: &yes}) }, http.StatusNotFound},
		"a library that is deleted": {deleted, domain.RoleUser, func(t *testing.T, _ world.Account) error {
			return w.Core.Library.Delete(t.Context(), admin, deleted.library.ID)
		}, http.StatusNotFound},
	} {
		a := w.Account(t, "viewer of "+name, c.role)
		if c.role != domain.RoleAdmin && c.at != closed { // who see it without being on its list
			if err := w.Core.Library.Grant(t.Context(), admin, c.at.library.ID, a.User.ID); err != nil {
				t.Fatal(err)
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h.takenAway(t, a, c.at, func() error { return c.end(t, a) }, c.want)
		})
	}
}

// takenAway plays, ends the right to, and expects the status from everything that is asked for then.
func (h *household) takenAway(t *testing.T, a world.Account, at *place, end func() error, want int) {
	t.Helper()
	viewer := h.Browser(a)
	plan := world.Decode[playback.Plan](t, viewer.Post(t, "/movies/"+at.movie.ID.String()+"/playback", map[string]any{"capabilities": chromium, "urlToken": true}), http.StatusOK)
	_, token, _ := strings.Cut(plan.Selected.Parts[0].URL, "?")
	type asked struct {
		client  world.Client
		address string
	}
	var all []asked
	for _, r := range h.routes(t) {
		if r.method != http.MethodGet || !h.concerns(t, r, at) || (r.permission != domain.PermissionLibraryRead && r.permission != domain.PermissionPlayback) {
			continue
		}
		for _, address := range h.addresses(t, r.pattern, at) {
			all = append(all, asked{viewer, address})
			if r.takesStreamToken() {
				all = append(all, asked{h.Anonymous(), address + "?" + token})
			}
		}
	}
	var running []io.ReadCloser
	for _, one := range all {
		if !strings.Contains(one.address, "/direct") {
			if got := h.ask(t, one.client, http.MethodGet, one.address, nil); got.Status != http.StatusOK {
				t.Fatalf("%s is answered with %d %.200s", one.address, got.Status, got.Body)
			}
			continue
		}
		answer, err := h.HTTP.Do(one.client.Request(t, http.MethodGet, one.address, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v", answer.StatusCode, err)
		}
		running = append(running, answer.Body)
	}
	if len(all) < 20 || len(running) != 2 {
		t.Fatalf("%d addresses and %d files that play", len(all), len(running))
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	for _, one := range all {
		var got world.Response
		world.Until(t, one.address+" is refused", func() bool {
			got = h.ask(t, one.client, http.MethodGet, one.address, nil, "Range", "bytes=0-9")
			return got.Status >= http.StatusBadRequest
		})
		// The token of a film that is gone is nobody's.
		if got.Status != want && !(got.Status == http.StatusUnauthorized && strings.Contains(one.address, "token=") && want == http.StatusNotFound) {
			t.Errorf("%s is answered with %d %.200s", one.address, got.Status, got.Body)
		}
	}
	if took := time.Since(ended); took > 5*time.Second { // a second, and what a busy machine adds
		t.Errorf("it took %s", took)
	}
	// What is under way goes on for at most a second; no reader is slower than this one, who lets that second pass.
	world.Until(t, "the second passes", func() bool { return time.Since(ended) > 1500*time.Millisecond })
	for _, body := range running {
		if n, err := io.Copy(io.Discard, body); err == nil {
			t.Errorf("the file was served to its end: %d bytes more", n)
		}
	}
}

// TestEventsEndWithinASecond opens event streams, which are silent for longer than that, and takes the right to hear them away.
func TestEventsEndWithinASecond(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	w.Admin(t)
	for name, end := range map[string]func(t *testing.T, a world.Account) error{
		"sign-out": func(t *testing.T, a world.Account) error { return w.Auth.Logout(t.Context(), a.Actor) },
		"disabled": func(t *testing.T, a world.Account) error {
			_, err := w.Core.Account.SetDisabled(t.Context(), domain.SystemActor(), a.User.ID, true)
			return err
		},
		"demotion": func(t *testing.T, a world.Account) error {
			setRoles(t, w, a.User.ID, domain.RoleUser)
			return nil
		},
	} {
		a := w.Account(t, "admin before "+name, domain.RoleAdmin)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := events(t, s, s.Bearer(a.Tokens.AccessToken))
			if err := end(t, a); err != nil {
				t.Fatal(err)
			}
			ended := time.Now()
			for open := true; open; {
				_, open = next(t, stream, "the end of the stream")
			}
			if took := time.Since(ended); took > 5*time.Second { // a heartbeat is 15 s
				t.Errorf("it took %s", took)
			}
		})
	}
}
