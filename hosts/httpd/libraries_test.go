package httpd_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

type listOf[T any] struct {
	Items []T `json:"items"`
}

// TestALibraryOverHTTP goes through what an administrator does with a library, on real jobs.
func TestALibraryOverHTTP(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	s := w.Serve(t)
	admin, user := s.Admin(t), s.User(t)
	root := t.TempDir()
	world.Film(t, filepath.Join(root, "films"), "Alien (1979)", demo.H264AAC)
	world.Write(t, filepath.Join(root, "films", "Broken (1980).mkv"), []byte("no film"))
	world.Film(t, filepath.Join(root, "more"), "Brazil (1985)", demo.H264AAC)

	picked := world.Decode[library.Listing](t, admin.Get(t, "/admin/directories?titles=true&path="+url.QueryEscape(root)), http.StatusOK)
	if len(picked.Items) != 2 || picked.Items[0].Videos != 2 || len(picked.Titles) != 3 {
		t.Fatalf("the picker shows %+v", picked)
	}
	created := admin.Post(t, "/admin/libraries", map[string]any{"name": "Films", "paths": []string{picked.Items[0].Handle}, "locale": "en"})
	l := world.Decode[domain.Library](t, created, http.StatusCreated)
	at, tag := "/admin/libraries/"+l.ID.String(), created.Header.Get("ETag")
	world.Until(t, "the first scan is done", func() bool {
		return world.Decode[domain.Scan](t, admin.Get(t, at+"/scan"), http.StatusOK).State == domain.ScanDone
	})
	if p := admin.Post(t, "/admin/libraries", map[string]any{"name": "Other", "paths": []string{root}}).Problem(t); p.Status != http.StatusConflict || p.Code != "library.path_overlaps" {
		t.Fatalf("got %+v", p)
	}

	files := func(query string) []domain.File {
		t.Helper()
		return world.Decode[domain.Page[domain.File]](t, admin.Get(t, "/admin/files?libraryId="+l.ID.String()+query), http.StatusOK).Items
	}
	failed := files("&state=failed")
	if len(failed) != 1 || failed[0].Reason == "" || len(files("&state=ready")) != 1 || len(files("")) != 1 || len(files("&state=unmatched")) != 0 {
		t.Fatalf("got %+v", failed)
	}
	if f := world.Decode[domain.File](t, admin.Post(t, "/admin/files/"+failed[0].ID.String()+"/ignore", nil), http.StatusOK); f.State != domain.FileIgnored {
		t.Fatalf("got %+v", f)
	}
	world.Decode[domain.File](t, admin.Post(t, "/admin/files/"+failed[0].ID.String()+"/read", nil), http.StatusOK)
	world.Until(t, "the file was read again", func() bool { return len(files("&state=failed")) == 1 })

	seen := func() int {
		return len(world.Decode[listOf[domain.Library]](t, user.Get(t, "/libraries"), http.StatusOK).Items)
	}
	if seen() != 0 {
		t.Fatal("a library that is neither open nor granted is seen")
	}
	member := map[string]any{"userId": w.User(t).User.ID}
	if r := admin.Post(t, at+"/access", member); r.Status != http.StatusNoContent {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}
	if list := world.Decode[listOf[domain.LibraryAccess]](t, admin.Get(t, at+"/access"), http.StatusOK); len(list.Items) != 1 || list.Items[0].Username != "ulf" {
		t.Fatalf("got %+v", list)
	}
	world.Until(t, "the account sees the library", func() bool { return seen() == 1 })
	if got := world.Decode[domain.Library](t, user.Get(t, "/libraries/"+l.ID.String()), http.StatusOK); len(got.Paths) != 0 {
		t.Fatalf("a viewer sees where the library lies: %+v", got.Paths)
	}
	if r := admin.Do(t, http.MethodDelete, "/api/v1"+at+"/access/"+w.User(t).User.ID.String(), nil); r.Status != http.StatusNoContent {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}
	if p := admin.Post(t, at+"/access", map[string]any{"userId": domain.NewID()}).Problem(t); p.Status != http.StatusNotFound {
		t.Fatalf("got %+v", p)
	}

	patched := admin.Do(t, http.MethodPatch, "/api/v1"+at, map[string]any{"name": "Movies", "open": true}, "If-Match", tag)
	if got := world.Decode[domain.Library](t, patched, http.StatusOK); got.Name != "Movies" || !got.Open {
		t.Fatalf("got %+v", got)
	}
	for _, stale := range []string{tag, `"nonsense!"`} {
		if p := admin.Do(t, http.MethodPatch, "/api/v1"+at, map[string]any{"name": "Late"}, "If-Match", stale).Problem(t); p.Status != http.StatusPreconditionFailed {
			t.Fatalf("got %+v", p)
		}
	}
	if r := admin.Do(t, http.MethodPatch, "/api/v1"+at, map[string]any{"restricted": false}, "If-Match", "*"); r.Status != http.StatusOK {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}

	added := world.Decode[domain.LibraryPath](t, admin.Post(t, at+"/paths", map[string]any{"path": filepath.Join(root, "more")}), http.StatusCreated)
	w.ScanUntilDone(t, l.ID)
	w.Movie(t, w.Admin(t).Actor, "Brazil")
	if r := admin.Do(t, http.MethodDelete, "/api/v1"+at+"/paths/"+added.ID.String(), nil); r.Status != http.StatusNoContent {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}

	if err := os.RemoveAll(filepath.Join(root, "films")); err != nil {
		t.Fatal(err)
	}
	world.Decode[domain.Scan](t, admin.Post(t, at+"/scan", nil), http.StatusAccepted)
	w.ScanUntilDone(t, l.ID)
	frozen := world.Decode[domain.Library](t, admin.Get(t, "/libraries/"+l.ID.String()), http.StatusOK)
	if frozen.Paths[0].State != domain.PathFrozen || frozen.Paths[0].Reason == "" || len(files("&state=missing")) != 0 {
		t.Fatalf("got %+v", frozen)
	}
	believed := world.Decode[domain.Library](t, admin.Post(t, at+"/missing/confirm", map[string]any{}), http.StatusOK)
	if believed.Paths[0].State != domain.PathOK || len(files("&state=missing")) != 2 {
		t.Fatalf("got %+v and %+v", believed, files("&state=missing"))
	}
	if r := admin.Do(t, http.MethodDelete, "/api/v1"+at+"/scan", nil); r.Status != http.StatusNotFound {
		t.Fatalf("stopping no scan: %d", r.Status)
	}
	if history := world.Decode[domain.Page[domain.Scan]](t, admin.Get(t, at+"/scans?limit=1"), http.StatusOK); len(history.Items) != 1 || history.NextCursor == "" {
		t.Fatalf("got %+v", history)
	}
	if r := admin.Do(t, http.MethodDelete, "/api/v1"+at, nil); r.Status != http.StatusNoContent {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}
	if r := admin.Get(t, "/libraries/"+l.ID.String()); r.Status != http.StatusNotFound {
		t.Fatalf("got %d", r.Status)
	}
}

// TestFilesThatComeAreSeenWithoutAScanBeingAskedFor watches a folder, on both databases.
func TestFilesThatComeAreSeenWithoutAScanBeingAskedFor(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]world.Option{"sqlite": nil, "postgres": {world.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, append(options, world.Configure(func(c *config.Config) { c.Scan.Watch = true }))...)
			dir := t.TempDir()
			world.Film(t, dir, "Alien (1979)", demo.H264AAC)
			l := w.Library(t, dir)
			w.ScanUntilDone(t, l.ID)
			actor, n := w.Admin(t).Actor, 0
			world.Until(t, "a film appears by itself", func() bool {
				if n++; n%500 == 1 { // the watch may begin after the first one
					world.Film(t, dir, fmt.Sprintf("Brazil %d (1985)", n), demo.H264AAC)
				}
				page, err := w.Movies.List(t.Context(), actor, domain.MovieFilter{}, domain.PageRequest{})
				if err != nil {
					t.Fatal(err)
				}
				return len(page.Items) > 1
			})
		})
	}
}
