package httpd_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestTheMatrix is S17, S18 and S28 over the router's own routes, so that a new one is in it by existing: every route for nobody and for accounts of
// every role and standing, on libraries that are open, closed and restricted.
func TestTheMatrix(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]world.Option{"sqlite": nil, "postgres": {world.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHousehold(t, options...)
			t.Run("counts are of what one sees", h.counts)
			t.Run("no question finds out about a hidden film", h.everyQuestion)
			t.Run("no id is of use in another's place", h.everyID)
			t.Run("no method but the declared ones does anything", h.everyMethod)
			t.Run("every answer has its headers", h.everyHeader)
			t.Run("every route refuses whom it must", h.everyDenial)
			t.Run("every route serves whom it shall", h.everyGrant) // at last, as administrators do delete a library
		})
	}
}

// outcome is what somebody gets from a route that is asked about a place.
type outcome string

const (
	anything  outcome = "anything" // a public route: whatever it is, it tells nothing
	unknown   outcome = "unknown"  // 401
	forbidden outcome = "forbidden"
	hidden    outcome = "hidden"   // 404, as what is not there
	personal  outcome = "personal" // 403 for API keys: a person must do it (S16)
	allowed   outcome = "allowed"
)

// personalRoutes are those that only a person uses: no API key does, whatever it may otherwise. The same holds for everything that changes accounts and
// roles, see outcome.
var personalRoutes = []string{
	"POST /api/v1/auth/logout", "DELETE /api/v1/sessions", "DELETE /api/v1/sessions/{id}",
	"POST /api/v1/admin/settings/mail/test",
}

// keyRoutes are those about accounts and roles that a key of an administrator uses: they neither give nor take anything that it does not hold.
var keyRoutes = []string{"DELETE /api/v1/admin/invitations/{id}"}

// outcome follows from the permission that a route declares and from who sees which library, never from the route itself.
func (h *household) outcome(t *testing.T, p *person, r route, at *place) outcome {
	t.Helper()
	switch {
	case r.permission == domain.PermissionPublic:
		return anything
	case p.role == "":
		return unknown
	case !p.may[r.permission]:
		return forbidden
	case p.viaKey && (slices.Contains(personalRoutes, r.String()) || !r.reads() && !slices.Contains(keyRoutes, r.String()) && slices.Contains([]domain.Permission{domain.PermissionUserManage, domain.PermissionRoleManage}, r.permission)):
		return personal // accounts and roles carry more than a key can hold
	case strings.Contains(r.pattern, "/sessions/{"), strings.Contains(r.pattern, "/users/me/api-keys/{"):
		return hidden // it is the bystander's
	case h.concerns(t, r, at) && !p.sees(at):
		return hidden
	default:
		return allowed
	}
}

// each runs a subtest for each route, with the places that it is asked about differently.
func (h *household) each(t *testing.T, ask func(t *testing.T, r route, places []*place)) {
	for _, r := range h.routes(t) {
		t.Run(strings.ReplaceAll(r.String(), "/", "∕"), func(t *testing.T) {
			places := h.places()
			if !h.concerns(t, r, h.open) {
				places = places[:1]
			}
			ask(t, r, places)
		})
	}
}

// everyDenial asks each route as everybody who must not get anything from it, with requests that are valid, and finds the database as it was.
func (h *household) everyDenial(t *testing.T) {
	dead, token := h.deadCredentials(t), h.streamToken(t)
	h.each(t, func(t *testing.T, r route, places []*place) {
		if strings.Contains(r.pattern, "/admin/") && h.who(t, domain.RoleUser, member).may[r.permission] {
			t.Errorf("a user has the permission %s of an administrator's route", r.permission)
		}
		before, people := h.snapshot(t), append([]*person{h.nobody}, h.everybody()...)
		if r.permission == domain.PermissionPublic {
			people = people[:2]
		}
		for _, p := range people {
			for _, at := range places {
				if want := h.outcome(t, p, r, at); want != allowed {
					h.denied(t, p, r, at, want)
				}
			}
		}
		if r.permission != domain.PermissionPublic {
			for name, c := range dead {
				h.refused(t, name, c, r, h.addresses(t, r.pattern, h.open)[0])
			}
		}
		h.byStreamToken(t, r, token)
		h.unchanged(t, before)
	})
}

// everyGrant asks each route as everybody who may.
func (h *household) everyGrant(t *testing.T) {
	h.each(t, func(t *testing.T, r route, places []*place) {
		for _, p := range h.everybody() {
			for _, at := range places {
				if h.outcome(t, p, r, at) == allowed {
					h.granted(t, p, r, at)
				}
			}
		}
		if r.own() && !r.reads() {
			h.ownSession(t, r)
		}
	})
}

// denied asks for what must be refused, and holds answers about what is hidden to those about what is not there.
func (h *household) denied(t *testing.T, p *person, r route, at *place, want outcome) {
	t.Helper()
	none := absent(at)
	absentAddresses := h.beside(world.Account{User: domain.User{ID: domain.NewID()}, Session: domain.Session{ID: domain.NewID()}}).addresses(t, r.pattern, none)
	for i, address := range h.addresses(t, r.pattern, at) {
		c := p.client()
		got := h.ask(t, c, r.method, address, h.body(t, r, at))
		secured(t, p.name+" → "+address, got)
		h.hides(t, p, address, got)
		switch want {
		case anything:
			if got.Status >= http.StatusInternalServerError {
				t.Errorf("%s gets %d from %s: %.300q", p.name, got.Status, address, got.Body)
			}
		case unknown:
			if got.Status != http.StatusUnauthorized || got.Problem(t).Code != "auth.required" || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s gets %d from %s: %.300q", p.name, got.Status, address, got.Body)
			}
		case forbidden:
			if got.Status != http.StatusForbidden || got.Problem(t).Code != "access.denied" {
				t.Errorf("%s, who lacks %s, gets %d from %s: %.300q", p.name, r.permission, got.Status, address, got.Body)
			}
		case personal:
			if got.Status != http.StatusForbidden || !slices.Contains([]string{"auth.session_required", "role.not_yours_to_give"}, got.Problem(t).Code) {
				t.Errorf("%s gets %d from %s: %.300q", p.name, got.Status, address, got.Body)
			}
		case hidden:
			nothing := h.ask(t, c, r.method, absentAddresses[i], h.body(t, r, none))
			if got.Status != http.StatusNotFound || timeless(got) != timeless(nothing) {
				t.Errorf("%s is answered about %s, which they must not see, with\n%.400q\nand about what is not there with\n%.400q", p.name, address, timeless(got), timeless(nothing))
			}
			known := h.ask(t, c, r.method, address, h.body(t, r, at), "If-None-Match", "*", "Range", "bytes=0-0")
			if known.Status != http.StatusNotFound || plain(t, known) != plain(t, nothing) {
				t.Errorf("%s, who says to have %s already, is answered with\n%.400q", p.name, address, timeless(known))
			}
		case allowed:
		}
	}
}

// granted asks for what is allowed: reading succeeds, and so does everything else, or it says why it makes no sense just now. Administrators change the
// spare library, everybody what they watched themselves; what ends sessions is ownSession's.
func (h *household) granted(t *testing.T, p *person, r route, at *place) {
	t.Helper()
	if !r.reads() && (r.own() || p.viaKey && r.method == http.MethodDelete) {
		return // a key leaves what there is only one of to its owner
	}
	if !r.reads() && !r.permission.InLibrary() || r.permission == domain.PermissionLibraryManage && !r.reads() {
		if at != h.open || p.standing != stranger {
			return
		}
		at = h.spare
	}
	for _, address := range h.addresses(t, r.pattern, at) {
		got := h.ask(t, p.client(), r.method, address, h.body(t, r, at))
		secured(t, p.name+" → "+address, got)
		h.hides(t, p, address, got)
		succeeded := got.Status >= 200 && got.Status < 300
		if !succeeded && !r.reads() {
			// There may be no scan to stop, and a job that is done cannot be cancelled; but that is another answer than for what is not there.
			nothing := h.ask(t, p.client(), r.method, h.addresses(t, r.pattern, absent(at))[0], h.body(t, r, at))
			succeeded = got.Status == http.StatusConflict || got.Status == http.StatusNotFound && got.Problem(t).Code != nothing.Problem(t).Code
		}
		if !succeeded {
			t.Errorf("%s gets %d from %s: %.300q", p.name, got.Status, address, got.Body)
		}
	}
}

// visitor is a new account with two sessions, by the cookie of the first.
func (h *household) visitor(t *testing.T, role domain.RoleName) (world.Client, world.Account) {
	t.Helper()
	now := domain.Stamp(h.World.Admin(t).Session.CreatedAt)
	u := domain.User{ID: domain.NewID(), Roles: []domain.RoleName{role}, CreatedAt: now, UpdatedAt: now}
	u.Username = "visitor " + u.ID.String()
	var sessions [2]domain.Session
	err := h.World.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users.Create(ctx, u, ""); err != nil {
			return err
		}
		for i := range sessions {
			sessions[i] = h.World.Admin(t).Session
			sessions[i].ID, sessions[i].UserID = domain.NewID(), u.ID
			first := domain.RefreshToken{Hash: sessions[i].ID[:], SessionID: sessions[i].ID, CreatedAt: now, ExpiresAt: sessions[i].ExpiresAt}
			if err := tx.Sessions.Create(ctx, sessions[i], first); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h.Browser(world.Account{Session: sessions[0]}), world.Account{User: u, Session: sessions[1]}
}

// beside is the household with another account for others to name.
func (h *household) beside(a world.Account) *household {
	other := *h
	other.bystander, other.bystanderKey = a, domain.NewID()
	return &other
}

// ownSession lets an account of each role change what is its own: preferences, sessions and credentials, which may end with it. What they name may not be
// there and what they show may be wrong, but nobody says that they may not.
func (h *household) ownSession(t *testing.T, r route) {
	t.Helper()
	for _, p := range h.people {
		if p.standing != stranger || !p.may[r.permission] {
			continue
		}
		c, own := h.visitor(t, p.role)
		for _, address := range h.beside(own).addresses(t, r.pattern, h.open) {
			got := h.ask(t, c, r.method, address, h.body(t, r, h.open))
			secured(t, "a visitor → "+address, got)
			wrong := got.Status == http.StatusUnauthorized && strings.HasPrefix(got.Problem(t).Code, "mfa.") || r.permission != domain.PermissionSession && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity}, got.Status)
			if (got.Status < 200 || got.Status >= 300) && !wrong {
				t.Errorf("a visitor who is %s gets %d from %s: %.300q", p.role, got.Status, address, got.Body)
			}
		}
	}
	for _, p := range h.people {
		if got := p.client().Get(t, "/users/me"); got.Status != http.StatusOK {
			t.Fatalf("then the session of %s is answered with %d", p.name, got.Status)
		}
	}
}

// deadCredentials are those that once were good, and those that are good for something else.
func (h *household) deadCredentials(t *testing.T) map[string]world.Client {
	t.Helper()
	w, ctx := h.World, t.Context()
	out, off := w.Account(t, "signed-out", domain.RoleAdmin), w.Account(t, "disabled", domain.RoleAdmin)
	keys := h.deadKeys(t, off)
	if err := w.Auth.Logout(ctx, out.Actor); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Core.Account.SetDisabled(ctx, domain.SystemActor(), off.User.ID, true); err != nil {
		t.Fatal(err)
	}
	admin := h.who(t, domain.RoleAdmin, stranger).account
	dead := map[string]world.Client{
		"who signed out": h.Bearer(out.Tokens.AccessToken), "who signed out of the browser": h.Browser(out),
		"who is disabled": h.Bearer(off.Tokens.AccessToken), "who is disabled, in the browser": h.Browser(off),
		"a refresh token": h.Bearer(admin.Tokens.RefreshToken), "a cookie as a token": h.Bearer(w.Auth.CookieFor(admin.Session)),
		"a stream token as a token": h.Bearer(h.streamToken(t)),
		"a stream token as a key":   h.Key(h.streamToken(t)), "a token as a key": h.Key(admin.Tokens.AccessToken), "a key as a token": h.Bearer(keys["live"]),
		"a revoked key": h.Key(keys["revoked"]), "an expired key": h.Key(keys["expired"]), "the key of who is disabled": h.Key(keys["disabled"]),
	}
	world.Until(t, "they are dead", func() bool {
		for _, c := range dead {
			if c.Get(t, "/users/me").Status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	})
	return dead
}

// deadKeys are API keys of administrators; all but "live" end at once, the one of off with its account.
func (h *household) deadKeys(t *testing.T, off world.Account) map[string]string {
	t.Helper()
	w, ctx, keys := h.World, t.Context(), map[string]string{}
	admin := h.who(t, domain.RoleAdmin, stranger).account
	revoked, text := w.APIKey(t, admin, domain.PermissionLibraryRead)
	keys["revoked"] = text
	if err := w.Core.APIKeys.Revoke(ctx, admin.Actor, revoked.ID); err != nil {
		t.Fatal(err)
	}
	expired, text := w.APIKey(t, admin, domain.PermissionLibraryRead)
	keys["expired"] = text
	err := w.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		expired.ExpiresAt = &expired.CreatedAt
		return tx.APIKeys.Update(ctx, expired)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, keys["disabled"] = w.APIKey(t, off, domain.PermissionLibraryRead)
	_, keys["live"] = w.APIKey(t, admin, domain.PermissionLibraryRead)
	return keys
}

// refused asks with a credential that is good for nothing.
func (h *household) refused(t *testing.T, name string, c world.Client, r route, address string) {
	t.Helper()
	got := h.ask(t, c, r.method, address, h.body(t, r, h.open))
	secured(t, name+" → "+address, got)
	h.hides(t, h.nobody, address, got)
	if got.Status != http.StatusUnauthorized {
		t.Errorf("%s gets %d from %s: %.300q", name, got.Status, address, got.Body)
	}
}

// streamToken is that of a play session of a member's, of the film in the closed library.
func (h *household) streamToken(t *testing.T) string {
	t.Helper()
	m := h.who(t, domain.RoleUser, member)
	plan := world.Decode[playback.Plan](t, m.clients[0].Post(t, "/movies/"+h.closed.movie.ID.String()+"/playback", map[string]any{"capabilities": playable, "urlToken": true}), http.StatusOK)
	_, token, found := strings.Cut(plan.Selected.Parts[0].URL, "token=")
	if !found {
		t.Fatalf("no token in %s", plan.Selected.Parts[0].URL)
	}
	token, _, _ = strings.Cut(token, "&")
	return token
}

// byStreamToken asks with nothing but a stream token, which is good for the streams of its film (S19).
func (h *household) byStreamToken(t *testing.T, r route, token string) {
	t.Helper()
	if r.permission == domain.PermissionPublic {
		return
	}
	if r.takesStreamToken() != strings.HasPrefix(r.pattern, "/api/v1/stream/") {
		t.Errorf("%s takes a stream token: %v", r, r.takesStreamToken())
	}
	for _, at := range h.places() {
		address := h.addresses(t, r.pattern, at)[0] + "?token=" + token
		if !r.takesStreamToken() || at != h.closed {
			h.refused(t, "a stream token", h.Anonymous(), r, address)
			continue
		}
		if got := h.ask(t, h.Anonymous(), r.method, address, nil); got.Status != http.StatusOK {
			t.Errorf("a stream token gets %d from its film's %s: %.300q", got.Status, address, got.Body)
		}
	}
}

// everyID guesses: each id of a hidden place in each parameter that takes one, with what a client sends that saw the answer before; and in
// the bodies of requests about what may be seen.
func (h *household) everyID(t *testing.T) {
	p := h.who(t, domain.RoleUser, stranger)
	for _, r := range h.routes(t) {
		if !p.may[r.permission] || r.permission == domain.PermissionPublic || !strings.Contains(r.pattern, "{") {
			continue
		}
		for _, at := range []*place{h.closed, h.restricted} {
			for what, id := range at.ids() {
				guessed, unknown := at.withID(id), at.withID(domain.NewID())
				addresses, nowhere := h.addresses(t, r.pattern, guessed), h.addresses(t, r.pattern, unknown)
				for i, address := range addresses {
					none := nowhere[i]
					if i > 6 || address == none { // the later ones differ in more than the id; this one has none
						continue
					}
					got, nothing := h.ask(t, p.client(), r.method, address, h.body(t, r, at)), h.ask(t, p.client(), r.method, none, h.body(t, r, absent(at)))
					if got.Status != http.StatusNotFound || timeless(got) != timeless(nothing) {
						t.Errorf("%s with the id of a hidden %s is answered with\n%.400q\nand with one of nothing with\n%.400q", r, what, timeless(got), timeless(nothing))
					}
				}
			}
			// Something that is seen, and something hidden in the same request.
			if r.op != nil && r.op.RequestBody != nil && h.concerns(t, r, h.open) {
				address := h.addresses(t, r.pattern, h.open)[0]
				got, nothing := h.ask(t, p.client(), r.method, address, h.body(t, r, at)), h.ask(t, p.client(), r.method, address, h.body(t, r, absent(at)))
				h.hides(t, p, address, got)
				if timeless(got) != timeless(nothing) {
					t.Errorf("%s that names what is hidden in its body is answered with\n%.400q\nand what is not there with\n%.400q", r, timeless(got), timeless(nothing))
				}
			}
		}
	}
}

// withID is a place whose film, library, folder and file all have the same id; everything else in an address is the place's own.
func (p *place) withID(id domain.ID) *place {
	return &place{
		movie: domain.Movie{ID: id}, library: domain.Library{ID: id, Paths: []domain.LibraryPath{{ID: id}}},
		file: domain.File{ID: id, Revision: p.file.Revision, Media: p.file.Media}, subtitles: p.subtitles,
	}
}

// counts compares every sum with what may be seen, two films a library, and every watch state with what its own account did.
func (h *household) counts(t *testing.T) {
	for n, p := range h.people {
		if !p.may[domain.PermissionLibraryRead] {
			continue
		}
		films := 0
		for _, at := range append(h.places(), h.spare) {
			if p.sees(at) {
				films += 2
			}
		}
		c := p.client()
		total := world.Decode[domain.Page[domain.MovieItem]](t, c.Get(t, "/movies?includeTotal=true"), http.StatusOK)
		stats := world.Decode[domain.MovieStats](t, c.Get(t, "/movies/stats"), http.StatusOK)
		letters := 0
		for _, entry := range world.Decode[listOf[domain.IndexEntry]](t, c.Get(t, "/movies/index"), http.StatusOK).Items {
			letters += entry.Count
		}
		genres := world.Decode[listOf[domain.Count]](t, c.Get(t, "/genres"), http.StatusOK).Items
		libraries := world.Decode[listOf[domain.Library]](t, c.Get(t, "/libraries"), http.StatusOK).Items
		if *total.Total != films || len(total.Items) != films || stats.Movies != films || letters != films || len(genres) != films/2 || len(stats.Genres) != films/2 || len(libraries) != films/2 {
			t.Errorf("%s sees %d films and counts %d, %d in the figures, %d by letters, %d genres, %d libraries", p.name, films, *total.Total, stats.Movies, letters, len(genres), len(libraries))
		}
		for _, item := range total.Items {
			began := item.State != nil && item.State.Position > 0
			if began != (p.may[domain.PermissionHistory] && item.ID != h.spare.movie.ID) || began && item.State.Position != position(n) {
				t.Errorf("%s is told of %s that they are at %+v", p.name, item.Title, item.State)
			}
		}
	}
	c := h.Bearer(h.bystander.Tokens.AccessToken)
	for _, path := range []string{"/movies/continue-watching", "/movies/watch-history", "/movies?inProgress=true", "/movies?watched=true"} {
		if items := world.Decode[domain.Page[any]](t, c.Get(t, path), http.StatusOK).Items; len(items) > 0 {
			t.Errorf("who watched nothing gets %v from %s", items, path)
		}
	}
}
