package world_test

import (
	"net/http"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestAWorldFindsFilmsAndShowsThemOnEitherDatabase(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]world.Option{"sqlite": nil, "postgres": {world.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, options...)
			l := w.Library(t, demo.TestLibrary(t))
			scan := w.ScanUntilDone(t, l.ID)
			if scan.Matched < 12 || scan.Failed == 0 {
				t.Errorf("the scan found %+v", scan)
			}
			s := w.Serve(t)
			for client, c := range map[string]world.Client{"user": s.User(t), "admin": s.Admin(t), "browser": s.Browser(w.User(t))} {
				page := world.Decode[domain.Page[domain.MovieItem]](t, c.Get(t, "/movies?limit=100&includeTotal=true"), http.StatusOK)
				if len(page.Items) < 12 || page.Total == nil || *page.Total != len(page.Items) {
					t.Errorf("%s sees %d films", client, len(page.Items))
				}
			}
			if me := world.Decode[httpd.Me](t, s.Browser(w.Admin(t)).Get(t, "/users/me"), http.StatusOK); me.User.Username != w.Admin(t).User.Username {
				t.Errorf("the administrator is %+v", me.User)
			}
			if m := w.Movie(t, w.User(t).Actor, "Metropolis"); m.Year != 1927 || m.Poster == nil {
				t.Errorf("%+v", m)
			}
		})
	}
}
