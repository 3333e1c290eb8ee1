package httpd_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/testkit/world"
)

// did asks as an administrator for what must succeed.
func did(t *testing.T, c world.Client, method, path string, body any) world.Response {
	t.Helper()
	got := c.Do(t, method, "/api/v1"+path, body)
	if got.Status < 200 || got.Status >= 300 {
		t.Fatalf("%s %s is answered with %d %s", method, path, got.Status, got.Body)
	}
	return got
}

// ownRole makes a role of the server's own.
func ownRole(t *testing.T, admin world.Client, name string, permissions ...domain.Permission) domain.RoleName {
	t.Helper()
	did(t, admin, http.MethodPost, "/admin/roles", object{"name": name, "permissions": permissions})
	return domain.RoleName(name)
}

// present is what an account holds that is signed in and no more.
var present = []domain.Permission{domain.PermissionEnrol, domain.PermissionSession}

// TestS7ADemotionOnOneInstanceEndsWhatTheOtherServes plays on one instance while another takes the right to away, in each way that roles have.
func TestS7ADemotionOnOneInstanceEndsWhatTheOtherServes(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Postgres())
	film := screening(t, w, func(*library.Draft) {})
	film.settle(t, w)
	here, other := w.Serve(t), w.Beside(t).Serve(t)
	admin := here.Admin(t)
	watching := append([]domain.Permission{domain.PermissionLibraryRead, domain.PermissionPlayback}, present...)
	still := ownRole(t, admin, "present", present...)
	changed, removed := ownRole(t, admin, "changed", watching...), ownRole(t, admin, "removed", watching...)
	for name, c := range map[string]struct {
		role domain.RoleName
		in   bool // also a guest of the library
		end  func(user string)
	}{
		"a role is taken": {domain.RoleGuest, false, func(user string) { did(t, admin, http.MethodDelete, "/admin/users/"+user+"/roles/guest", nil) }},
		"an account is edited": {domain.RoleAdmin, false, func(user string) {
			did(t, admin, http.MethodPatch, "/admin/users/"+user, object{"roles": []domain.RoleName{still}})
		}},
		"a role carries less": {changed, false, func(string) {
			did(t, admin, http.MethodPatch, "/admin/roles/changed", object{"permissions": present})
		}},
		"a role is removed": {removed, false, func(string) { did(t, admin, http.MethodDelete, "/admin/roles/removed?force=true", nil) }},
		"a role for the library is taken": {still, true, func(user string) {
			did(t, admin, http.MethodDelete, "/admin/users/"+user+"/roles/guest?libraryId="+film.library.ID.String(), nil)
		}},
	} {
		a := w.Account(t, "watches until "+name, c.role)
		user := a.User.ID.String()
		if c.in {
			did(t, admin, http.MethodPost, "/admin/users/"+user+"/roles", object{"role": domain.RoleGuest, "libraryId": film.library.ID})
		}
		t.Run(name, func(t *testing.T) {
			bearer := other.Bearer(a.Tokens.AccessToken)
			plan := world.Decode[playback.Plan](t, bearer.Post(t, "/movies/"+film.movie.ID.String()+"/playback", object{"capabilities": chromium, "urlToken": true}), http.StatusOK)
			address := plan.Selected.Parts[0].URL
			answer, err := other.HTTP.Do(other.Anonymous().Request(t, http.MethodGet, address, nil))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%d, %v", answer.StatusCode, err)
			}
			c.end(user)
			ended := time.Now()
			for _, ask := range []func() world.Response{
				func() world.Response { return bearer.Get(t, "/movies/"+film.movie.ID.String()) },
				func() world.Response {
					return other.Anonymous().Do(t, http.MethodGet, address, nil, "Range", "bytes=0-9")
				},
			} {
				world.Until(t, "the other instance refuses", func() bool {
					status := ask().Status
					return status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusUnauthorized
				})
			}
			if took := time.Since(ended); took > 5*time.Second { // a second, and what a busy machine adds
				t.Errorf("it took %s", took)
			}
			world.Until(t, "the second passes", func() bool { return time.Since(ended) > 1500*time.Millisecond })
			if n, err := io.Copy(io.Discard, answer.Body); err == nil {
				t.Errorf("the film was served to its end: %d bytes more", n)
			}
		})
	}
}

// TestS17NobodyGivesWhatTheyDoNotHold tries every way from keeping accounts, or roles, to holding more, and to unmaking an administrator.
func TestS17NobodyGivesWhatTheyDoNotHold(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	admin := s.Admin(t)
	keeper := w.Account(t, "keeper", ownRole(t, admin, "keeper", append([]domain.Permission{domain.PermissionUserManage}, present...)...))
	both := w.Account(t, "both", "keeper", domain.RoleUser) // who has all that legacy:read carries, and not what it is
	maker := w.Account(t, "maker", ownRole(t, admin, "maker", append([]domain.Permission{domain.PermissionRoleManage}, present...)...))
	ann, self := "/admin/users/"+w.Admin(t).User.ID.String(), "/admin/users/"+keeper.User.ID.String()
	for _, c := range []struct {
		who          world.Account
		method, path string
		body         any
		code         string
	}{
		{keeper, http.MethodPost, self + "/roles", object{"role": "admin"}, "role.not_yours_to_give"},
		{keeper, http.MethodPost, self + "/roles", object{"role": "legacy:read"}, "role.not_yours_to_give"},
		{both, http.MethodPost, self + "/roles", object{"role": "legacy:read"}, "role.not_yours_to_give"},
		{keeper, http.MethodPost, self + "/roles", object{"role": "maker"}, "role.not_yours_to_give"},
		{keeper, http.MethodPatch, self, object{"roles": []string{"keeper", "user"}}, "role.not_yours_to_give"},
		{keeper, http.MethodPost, "/admin/users", object{"username": "zarquon", "password": world.Password, "roles": []string{"admin"}}, "role.not_yours_to_give"},
		{keeper, http.MethodPost, "/admin/users", object{"username": "zarquon", "password": world.Password}, "role.not_yours_to_give"}, // a user, by default
		{keeper, http.MethodPatch, ann, object{"roles": []string{}}, "role.not_yours_to_give"},
		{keeper, http.MethodPatch, ann, object{"email": "keeper@example.org"}, "role.not_yours_to_give"},
		{keeper, http.MethodDelete, ann + "/roles/admin", nil, "role.not_yours_to_give"},
		{keeper, http.MethodPost, ann + "/disable", nil, "role.not_yours_to_give"},
		{keeper, http.MethodPost, ann + "/reset-password", nil, "role.not_yours_to_give"},
		{keeper, http.MethodPost, ann + "/reset-mfa", nil, "access.denied"},
		{keeper, http.MethodDelete, ann, nil, "role.not_yours_to_give"},
		{keeper, http.MethodPost, "/admin/roles", object{"name": "zarquon", "permissions": []string{}}, "access.denied"},
		{keeper, http.MethodPatch, "/admin/roles/keeper", object{"permissions": []string{"role.manage"}}, "access.denied"},
		{maker, http.MethodPost, "/admin/roles", object{"name": "zarquon", "permissions": []string{"library.manage"}}, "role.not_yours_to_give"},
		{maker, http.MethodPost, "/admin/roles", object{"name": "zarquon", "parents": []string{"keeper"}}, "role.not_yours_to_give"},
		{maker, http.MethodPatch, "/admin/roles/maker", object{"parents": []string{"user"}}, "role.not_yours_to_give"},
		{maker, http.MethodDelete, "/admin/roles/keeper?force=true", nil, "role.not_yours_to_give"},
		{maker, http.MethodPost, self + "/roles", object{"role": "maker"}, "access.denied"},
	} {
		got := s.Bearer(c.who.Tokens.AccessToken).Do(t, c.method, "/api/v1"+c.path, c.body)
		if got.Status != http.StatusForbidden || got.Problem(t).Code != c.code {
			t.Errorf("%s → %s %s %v: %d %s", c.who.User.Username, c.method, c.path, c.body, got.Status, got.Body)
		}
	}
	me := world.Decode[domain.User](t, admin.Get(t, ann), http.StatusOK)
	if len(me.Roles) != 1 || me.Roles[0] != domain.RoleAdmin || me.Disabled || me.DeletedAt != nil || me.Email == "keeper@example.org" {
		t.Errorf("afterwards the administrator is %+v", me)
	}
	if u := world.Decode[domain.User](t, admin.Get(t, self), http.StatusOK); len(u.Roles) != 1 {
		t.Errorf("afterwards the keeper is %+v", u)
	}
}

// TestS7OfTwoLastAdministratorsOneStays lets two administrators unmake each other at the same time, in each way that there is.
func TestS7OfTwoLastAdministratorsOneStays(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]world.Option{"sqlite": {world.Idle()}, "postgres": {world.Idle(), world.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, options...)
			s := w.Serve(t)
			two := [2]world.Account{w.Account(t, "one", domain.RoleAdmin), w.Account(t, "two", domain.RoleAdmin)}
			did(t, s.Bearer(two[0].Tokens.AccessToken), http.MethodDelete, "/admin/users/"+w.Admin(t).User.ID.String()+"/roles/admin", nil)
			for _, way := range []struct {
				method, path string
				body         any
			}{
				{http.MethodDelete, "/roles/admin", nil}, {http.MethodPatch, "", object{"roles": []string{"user"}}}, {http.MethodPost, "/disable", nil}, {http.MethodDelete, "", nil},
			} {
				var both sync.WaitGroup
				var status [2]int
				for i := range two {
					both.Go(func() {
						status[i] = s.Bearer(two[i].Tokens.AccessToken).Do(t, way.method, "/api/v1/admin/users/"+two[1-i].User.ID.String()+way.path, way.body).Status
					})
				}
				both.Wait()
				left, err := w.Store.Read().Users.CountAdmins(t.Context())
				if err != nil || left != 1 {
					t.Fatalf("%s %s: %v, and %d administrators are left, %v", way.method, way.path, status, left, err)
				}
				// The one who is left makes another one for the next round.
				last := two[0]
				if status[0] >= 300 || status[0] < 200 {
					last = two[1]
				}
				two = [2]world.Account{last, w.Account(t, "after "+way.method+strings.ReplaceAll(way.path, "/", " "), domain.RoleAdmin)}
			}
		})
	}
}

// TestS27EveryChangeOfRolesIsRecorded makes, changes, gives, takes and removes a role, and reads who did so.
func TestS27EveryChangeOfRolesIsRecorded(t *testing.T) {
	t.Parallel()
	w := world.New(t) // what is refused is recorded by a job
	s := w.Serve(t)
	admin, user := s.Admin(t), "/admin/users/"+w.User(t).User.ID.String()
	ownRole(t, admin, "librarian", domain.PermissionLibraryManage)
	did(t, admin, http.MethodPatch, "/admin/roles/librarian", object{"description": "Looks after the films"})
	did(t, admin, http.MethodPost, user+"/roles", object{"role": "librarian"})
	did(t, admin, http.MethodDelete, user+"/roles/librarian", nil)
	did(t, admin, http.MethodDelete, "/admin/roles/librarian", nil)
	seen := map[string]int{}
	for _, e := range world.Decode[domain.Page[domain.Activity]](t, admin.Get(t, "/admin/activity?action=role."), http.StatusOK).Items {
		seen[e.Action]++
		if !e.Success || e.UserID == nil || *e.UserID != w.Admin(t).User.ID || e.IP == "" || e.At.IsZero() {
			t.Errorf("%s is recorded as %+v", e.Action, e)
		}
	}
	if seen[domain.ActivityRoleChanged] < 3 || seen[domain.ActivityRoleGranted] != 1 || seen[domain.ActivityRoleRevoked] != 1 {
		t.Errorf("recorded is %v", seen)
	}
	if got := s.Bearer(w.User(t).Tokens.AccessToken).Get(t, "/admin/roles"); got.Status != http.StatusForbidden {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	world.Until(t, "the refusal is recorded", func() bool {
		list := world.Decode[domain.Page[domain.Activity]](t, admin.Get(t, "/admin/activity?action="+domain.ActivityAccessDenied), http.StatusOK).Items
		return len(list) == 1 && !list[0].Success && *list[0].UserID == w.User(t).User.ID
	})
}

// TestWhoMustAddASecondFactorIsToldSo asks as an account whose role needs one that it does not have: it sees who it is and its language, and nothing else.
func TestWhoMustAddASecondFactorIsToldSo(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	a := w.User(t)
	_, key := w.APIKey(t, a, domain.PermissionSession)
	_, err := w.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{settings.MFARequiredRoles.Name(): []byte(`["user"]`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []world.Client{s.Bearer(a.Tokens.AccessToken), s.Browser(a)} {
		var me object
		world.Until(t, "the account is told", func() bool {
			me = world.Decode[object](t, c.Get(t, "/users/me"), http.StatusOK)
			return me["mustEnrol"] == true
		})
		for path, want := range map[string]int{"/users/me/preferences": http.StatusOK, "/mfa/status": http.StatusOK, "/sessions": http.StatusForbidden, "/movies": http.StatusForbidden} {
			if got := c.Get(t, path); got.Status != want || want == http.StatusForbidden && got.Problem(t).Code != "auth.enrolment_required" {
				t.Errorf("%s is answered with %d %s", path, got.Status, got.Body)
			}
		}
	}
	if got := s.Key(key).Get(t, "/users/me"); got.Status != http.StatusForbidden || got.Problem(t).Code != "auth.enrolment_required" {
		t.Errorf("its key is answered with %d %s", got.Status, got.Body)
	}
}
