package httpd_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/identity"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/oidctest"
	"github.com/revenge-media/revenge/testkit/world"
)

// householdProvider is the provider that everybody of a household is linked with.
const householdProvider = "household"

// linkEverybody sets a provider up that knows everybody.
func (h *household) linkEverybody(t *testing.T) {
	t.Helper()
	at := oidctest.Start(t)
	h.provider = at.Client().Issuer
	setUp(t, h.Server, householdProvider, at, nil)
	for _, p := range h.people {
		link := domain.OIDCLink{ID: domain.NewID(), UserID: p.account.User.ID, Issuer: h.provider, Subject: p.name, CreatedAt: domain.Stamp(time.Now())}
		if err := h.World.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateLink(ctx, link) }); err != nil {
			t.Fatal(err)
		}
	}
}

// oidcField is what a field says in requests about providers.
func (h *household) oidcField(r route, name string) (any, bool) {
	if !strings.Contains(r.pattern, "/oidc/") {
		return nil, false
	}
	value, ok := map[string]any{
		"name": "zarquon", "issuer": h.provider, "clientId": "revenge", "clientSecret": "a secret", "scopes": []string{"openid"}, "autoRegister": true,
		"defaultRoles": []string{"user"}, "roleClaim": "groups", "roleMapping": []object{{"value": "family", "role": "user"}}, "mapAdmin": true, "trustMfa": true,
		"position": 3, "enabled": true, "returnTo": "/",
	}[name]
	return value, ok
}

// setUp makes a provider known to a server, whose public address is its own.
func setUp(t *testing.T, s *world.Server, name string, at *oidctest.Provider, change object) {
	t.Helper()
	public(t, s)
	c := at.Client()
	body := but(object{"name": name, "issuer": c.Issuer, "clientId": c.ID, "clientSecret": c.Secret}, change)
	if got := s.Admin(t).Post(t, "/admin/oidc/providers", body); got.Status != http.StatusCreated {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
}

func public(t *testing.T, s *world.Server) {
	t.Helper()
	_, err := s.World.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{settings.PublicURL.Name(): []byte(strconv.Quote(s.URL))})
	if err != nil {
		t.Fatal(err)
	}
}

// browser is somebody's: it keeps cookies.
type browser struct {
	*http.Client
	server *world.Server
}

func newBrowser(t *testing.T, s *world.Server) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *s.HTTP
	c.Jar = jar
	return browser{&c, s}
}

// visit goes to an address of the server and returns where it sends the browser.
func (b browser) visit(t *testing.T, address string) *url.URL {
	t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.server.URL + "/api/v1" + address
	}
	answer, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	to, err := answer.Location()
	if err != nil || answer.StatusCode != http.StatusFound {
		t.Fatalf("%s answers %s, %v", address, answer.Status, err)
	}
	return to
}

// signIn goes to a provider, lets change alter what the browser brings back, and returns where it ends up.
func (b browser) signIn(t *testing.T, name string, at *oidctest.Provider, change func(*url.URL)) *url.URL {
	t.Helper()
	back := at.SignIn(t, b.visit(t, "/auth/oidc/"+name+"/authorize").String())
	if change != nil {
		change(back)
	}
	return b.visit(t, back.String())
}

// me is who the browser is signed in as; nobody is "".
func (b browser) me(t *testing.T) (me httpd.Me) {
	t.Helper()
	answer, err := b.Get(b.server.URL + "/api/v1/users/me")
	if err != nil {
		t.Fatal(err)
	}
	r := read(t, answer)
	if r.Status == http.StatusOK {
		me = world.Decode[httpd.Me](t, r, http.StatusOK)
	}
	return me
}

func (b browser) send(t *testing.T, method, path string, body any) world.Response {
	t.Helper()
	answer, err := b.Do(b.server.Anonymous().Request(t, method, "/api/v1"+path, body))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, answer)
}

func read(t *testing.T, answer *http.Response) world.Response {
	t.Helper()
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return world.Response{Status: answer.StatusCode, Header: answer.Header, Body: data}
}

func fragment(t *testing.T, at *url.URL) url.Values {
	t.Helper()
	values, err := url.ParseQuery(at.Fragment)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func ann(more map[string]any) oidctest.Person {
	claims := map[string]any{"preferred_username": "anne@work", "name": "Anne Lee", "email": "anne@example.org", "email_verified": true}
	maps.Copy(claims, more)
	return oidctest.Person{Subject: "anne-1", Claims: claims}
}

func TestS14WhatAProviderDoesNotVouchForOpensNothing(t *testing.T) {
	t.Parallel()
	s := world.New(t, world.Idle()).Serve(t)
	a, b := oidctest.Start(t), oidctest.Start(t)
	setUp(t, s, "a", a, object{"autoRegister": true})
	setUp(t, s, "b", b, object{"autoRegister": true})
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) oidctest.Lie {
		return oidctest.Lie{Token: func(_, claims map[string]any) { claims[name] = value }}
	}
	query := func(change func(url.Values)) func(*url.URL) {
		return func(u *url.URL) {
			q := u.Query()
			change(q)
			u.RawQuery = q.Encode()
		}
	}
	for name, c := range map[string]struct {
		lie    oidctest.Lie
		change func(*url.URL)
		code   string
	}{
		"another nonce": {lie: set("nonce", "x"), code: "oidc.token_invalid"}, "another audience": {lie: set("aud", "x"), code: "oidc.token_invalid"},
		"another issuer": {lie: set("iss", b.Client().Issuer), code: "oidc.token_invalid"}, "expired": {lie: set("exp", 1), code: "oidc.token_invalid"},
		"a symmetric algorithm": {lie: oidctest.Lie{Sign: func(header, claims map[string]any) string {
			header["alg"] = "HS256"
			return oidctest.Signed(header, claims, []byte(a.Client().Secret))
		}}, code: "oidc.token_invalid"},
		"another's signature":          {lie: oidctest.Lie{Sign: func(header, claims map[string]any) string { return oidctest.Signed(header, claims, foreign) }}, code: "oidc.token_invalid"},
		"another state":                {change: query(func(q url.Values) { q.Set("state", "x") }), code: "oidc.state_invalid"},
		"no state":                     {change: query(func(q url.Values) { q.Del("state") }), code: "oidc.state_invalid"},
		"another code":                 {change: query(func(q url.Values) { q.Set("code", "x") }), code: "oidc.code_refused"},
		"another issuer's answer":      {change: query(func(q url.Values) { q.Set("iss", b.Client().Issuer) }), code: "oidc.token_invalid"},
		"nobody's answer":              {change: query(func(q url.Values) { q.Del("iss") }), code: "oidc.token_invalid"},
		"the provider's refusal":       {change: query(func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") }), code: "oidc.refused"},
		"A's answer brought to B":      {change: func(u *url.URL) { u.Path = strings.Replace(u.Path, "/a/", "/b/", 1) }, code: "oidc.state_invalid"},
		"a provider that is not there": {change: func(u *url.URL) { u.Path = strings.Replace(u.Path, "/a/", "/c/", 1) }, code: "oidc.state_invalid"},
	} {
		a.Tell(c.lie)
		one := newBrowser(t, s)
		if to := one.signIn(t, "a", a, c.change); to.Path != "/login" || fragment(t, to).Get("error") != c.code {
			t.Errorf("%s leads to %s", name, to)
		}
		if me := one.me(t); me.User.Username != "" {
			t.Errorf("%s signs in as %s", name, me.User.Username)
		}
	}
	a.Tell(oidctest.Lie{})

	// Provider A's code in an attempt at B.
	one := newBrowser(t, s)
	atA := a.SignIn(t, one.visit(t, "/auth/oidc/a/authorize").String()).Query()
	back := b.SignIn(t, one.visit(t, "/auth/oidc/b/authorize").String())
	query(func(q url.Values) { q.Set("code", atA.Get("code")) })(back)
	if to := one.visit(t, back.String()); fragment(t, to).Get("error") != "oidc.code_refused" {
		t.Errorf("A's code at B leads to %s", to)
	}
	// An answer in another browser than the one that began, and a second time in the right one.
	victim, thief := newBrowser(t, s), newBrowser(t, s)
	back = a.SignIn(t, thief.visit(t, "/auth/oidc/a/authorize").String())
	victim.visit(t, "/auth/oidc/a/authorize")
	if to := victim.visit(t, back.String()); fragment(t, to).Get("error") != "oidc.state_invalid" || victim.me(t).User.Username != "" {
		t.Errorf("somebody else's answer leads to %s", to)
	}
	again := newBrowser(t, s)
	again.Jar.SetCookies(back, thief.Jar.Cookies(back)) // as they are before the answer takes them away
	if to := thief.visit(t, back.String()); to.Path != "/" || thief.me(t).User.Username == "" {
		t.Errorf("the right browser ends up at %s", to)
	}
	if to := again.visit(t, back.String()); fragment(t, to).Get("error") != "oidc.state_invalid" {
		t.Errorf("the same answer again leads to %s", to)
	}
}

func TestS14TheBrowsersSideIsOutOfReachOfScripts(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	a := oidctest.Start(t)
	plain, secure := w.Serve(t), w.Serve(t, world.TLS())
	setUp(t, plain, "a", a, nil)
	for name, s := range map[string]*world.Server{"revenge-oidc": plain, "__Host-revenge-oidc": secure} {
		got := s.Anonymous().Get(t, "/auth/oidc/a/authorize")
		cookie := got.Header.Get("Set-Cookie")
		if !strings.HasPrefix(cookie, name+"=") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || !strings.Contains(cookie, "Path=/;") ||
			strings.Contains(cookie, "Secure") != (s == secure) || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %q, %q", cookie, got.Header.Get("Cache-Control"))
		}
		// The address that the provider sends people back to is the configured one, whatever the request says of itself.
		forged := s.Anonymous().Do(t, http.MethodGet, "/api/v1/auth/oidc/a/authorize", nil, "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
		to, err := url.Parse(forged.Header.Get("Location"))
		if err != nil || to.Query().Get("redirect_uri") != plain.URL+"/api/v1/auth/oidc/a/callback" {
			t.Errorf("the provider sends people to %s, %v", to.Query().Get("redirect_uri"), err)
		}
		if q := to.Query(); q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("nonce")) < 43 || len(q.Get("state")) < 43 {
			t.Errorf("the provider is asked by %v", q)
		}
	}
	if got := plain.Anonymous().Get(t, "/auth/oidc/none/authorize"); !strings.HasSuffix(got.Header.Get("Location"), "/login#error=oidc.unknown") {
		t.Errorf("a provider that is not there: %d %s", got.Status, got.Header.Get("Location"))
	}
}

func TestS14OneReturnsToThisServerOnly(t *testing.T) {
	t.Parallel()
	s := world.New(t, world.Idle()).Serve(t)
	a := oidctest.Start(t)
	setUp(t, s, "a", a, object{"autoRegister": true})
	for given, path := range map[string]string{
		"": "/", "/movies?sort=title&q=%26": "/movies?sort=title&q=%26", "/movies/1": "/movies/1", "//evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/",
		"https://evil.example": "/", "/%2fevil.example": "/", "/%252f%252fevil.example": "/", "/%5cevil.example": "/", "javascript:alert(1)": "/", "/.//evil.example": "/",
		"/\tevil": "/", "/%09/evil.example": "/", "evil.example": "/", " //evil.example": "/",
	} {
		one := newBrowser(t, s)
		back := a.SignIn(t, one.visit(t, "/auth/oidc/a/authorize?returnTo="+url.QueryEscape(given)).String())
		if to := one.visit(t, back.String()); to.String() != s.URL+path {
			t.Errorf("%q leads to %s", given, to)
		}
	}
	for _, more := range []string{"///x", "/a//b", "/%25252525252f", "/\x00", "/a%0d%0aLocation:x", "/%zz", "http:/x", "/" + strings.Repeat("a", 2000)} {
		if got := identity.LocalPath(more); got != "/" {
			t.Errorf("%q leads to %q", more, got)
		}
	}
}

func TestS14AnIdentityIsItsIssuerAndSubjectAndNothingElse(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, a, b := w.Serve(t), oidctest.Start(t), oidctest.Start(t)
	boss := w.Admin(t)
	err := w.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		u, err := tx.Users.Get(ctx, boss.User.ID)
		if err != nil {
			return err
		}
		u.Email = "boss@example.org"
		return tx.Users.Update(ctx, u)
	})
	if err != nil {
		t.Fatal(err)
	}
	setUp(t, s, "a", a, object{"autoRegister": true, "roleClaim": "groups"})
	setUp(t, s, "b", b, nil)
	// Somebody with the administrator's name and address is somebody else, with a number and without an address.
	a.Be(oidctest.Person{Subject: "x", Claims: map[string]any{"preferred_username": boss.User.Username, "email": "Boss@Example.org", "email_verified": true, "groups": []string{"admin"}}})
	imposter := newBrowser(t, s)
	imposter.signIn(t, "a", a, nil)
	got := imposter.me(t)
	if got.User.ID == boss.User.ID || got.User.Username != boss.User.Username+"2" || got.User.Email != "" || !slices.Equal(got.User.Roles, []domain.RoleName{domain.RoleUser}) {
		t.Fatalf("got %+v", got.User)
	}
	if links := world.Decode[struct{ Items []httpd.OIDCLink }](t, s.Admin(t).Get(t, "/users/me/oidc"), http.StatusOK); len(links.Items) != 0 {
		t.Errorf("the administrator is linked: %+v", links)
	}
	// The same person has the same account, whatever they are called by then; the same subject elsewhere is nobody.
	a.Be(oidctest.Person{Subject: "x", Claims: map[string]any{"preferred_username": "renamed"}})
	second := newBrowser(t, s)
	if second.signIn(t, "a", a, nil); second.me(t).User.ID != got.User.ID {
		t.Errorf("the same person became %+v", second.me(t).User)
	}
	b.Be(oidctest.Person{Subject: "x", Claims: map[string]any{"preferred_username": "renamed"}})
	stranger := newBrowser(t, s)
	if to := stranger.signIn(t, "b", b, nil); fragment(t, to).Get("error") != "oidc.not_linked" || stranger.me(t).User.Username != "" {
		t.Errorf("the same subject elsewhere ends up at %s", to)
	}
	// An address that nobody verified is left out, a verified one is kept.
	for verified, want := range map[bool]string{false: "", true: "new@example.org"} {
		a.Be(oidctest.Person{Subject: "new-" + want, Claims: map[string]any{"email": "new@example.org", "email_verified": verified}})
		one := newBrowser(t, s)
		if one.signIn(t, "a", a, nil); one.me(t).User.Email != want {
			t.Errorf("an address verified %v became %q", verified, one.me(t).User.Email)
		}
	}
	// A closed account stays closed.
	if _, err := w.Core.Account.SetDisabled(t.Context(), domain.SystemActor(), got.User.ID, true); err != nil {
		t.Fatal(err)
	}
	a.Be(oidctest.Person{Subject: "x"})
	if to := newBrowser(t, s).signIn(t, "a", a, nil); fragment(t, to).Get("error") != "oidc.account_closed" {
		t.Errorf("a closed account ends up at %s", to)
	}
}

func TestOIDCManyFirstSignInsAtOnceMakeOneAccount(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, a := w.Serve(t), oidctest.Start(t)
	setUp(t, s, "a", a, object{"autoRegister": true})
	a.Be(ann(nil))
	backs := make([]*url.URL, 6)
	browsers := make([]browser, len(backs))
	for i := range backs {
		browsers[i] = newBrowser(t, s)
		backs[i] = a.SignIn(t, browsers[i].visit(t, "/auth/oidc/a/authorize").String())
	}
	var wg sync.WaitGroup
	for i := range backs {
		wg.Go(func() {
			if answer, err := browsers[i].Get(backs[i].String()); err != nil || answer.StatusCode != http.StatusFound {
				t.Error(err)
			} else {
				answer.Body.Close()
			}
		})
	}
	wg.Wait()
	first := browsers[0].me(t).User
	if first.Username != "anne" || first.DisplayName != "Anne Lee" || first.Email != "anne@example.org" || first.EmailVerifiedAt == nil {
		t.Errorf("got %+v", first)
	}
	for _, b := range browsers {
		if me := b.me(t); me.User.ID != first.ID || me.Session.Method != domain.SignInOIDC {
			t.Errorf("got %+v", me)
		}
	}
}

func TestOIDCRolesFollowTheClaimAndOnlyThose(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, a := w.Serve(t), oidctest.Start(t)
	mapping := []object{{"value": "old", "role": "legacy:read"}, {"value": "guests", "role": "guest"}}
	setUp(t, s, "a", a, object{"autoRegister": true, "roleClaim": "realm.roles", "roleMapping": mapping})
	roles := func(values ...string) []domain.RoleName {
		t.Helper()
		a.Be(ann(map[string]any{"realm": object{"roles": values}}))
		one := newBrowser(t, s)
		one.signIn(t, "a", a, nil)
		return one.me(t).User.Roles
	}
	for _, c := range []struct {
		values []string
		want   []domain.RoleName
	}{
		{[]string{"old", "admin"}, []domain.RoleName{domain.RoleUser, domain.RoleLegacy}}, {[]string{"guests"}, []domain.RoleName{domain.RoleUser, domain.RoleGuest}},
		{nil, []domain.RoleName{domain.RoleUser}},
	} {
		if got := roles(c.values...); !slices.Equal(got, c.want) {
			t.Errorf("%v gives %v", c.values, got)
		}
	}
	// Administrators are made only where the configuration says so in as many words.
	admins := append(slices.Clone(mapping), object{"value": "admins", "role": "admin"})
	patch := func(body object) int {
		return s.Admin(t).Do(t, http.MethodPatch, "/api/v1/admin/oidc/providers/a", body).Status
	}
	for name, body := range map[string]object{"a mapping": {"roleMapping": admins}, "a default": {"defaultRoles": []string{"admin"}, "mapAdmin": true}} {
		if got := patch(body); got != http.StatusUnprocessableEntity {
			t.Errorf("%s to admin is answered with %d", name, got)
		}
	}
	if got := patch(object{"roleMapping": admins, "mapAdmin": true}); got != http.StatusOK {
		t.Fatal(got)
	}
	if got := roles("admins"); !slices.Contains(got, domain.RoleAdmin) {
		t.Errorf("got %v", got)
	}
	// The last administrator stays one.
	if _, err := w.Core.Account.SetDisabled(t.Context(), domain.SystemActor(), w.Admin(t).User.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := roles(); !slices.Contains(got, domain.RoleAdmin) {
		t.Errorf("the last administrator has %v", got)
	}
	if _, err := w.Core.Account.SetDisabled(t.Context(), domain.SystemActor(), w.Admin(t).User.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := roles(); slices.Contains(got, domain.RoleAdmin) {
		t.Errorf("one of two administrators keeps %v", got)
	}
}

func TestOIDCLinkingIsForWhoeverBeganItAndTheLastWayInStays(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, a := w.Serve(t), oidctest.Start(t)
	setUp(t, s, "a", a, object{"autoRegister": true})
	a.Be(ann(nil))
	signedIn := func(account world.Account) browser {
		b := newBrowser(t, s)
		home, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		b.Jar.SetCookies(home, []*http.Cookie{{Name: s.CookieName(), Value: w.Auth.CookieFor(account.Session), Path: "/"}})
		return b
	}
	link := func(b browser) *url.URL {
		t.Helper()
		next := world.Decode[httpd.OIDCRedirect](t, b.send(t, http.MethodPost, "/users/me/oidc/link/a", object{"returnTo": "/settings?tab=1"}), http.StatusOK)
		return a.SignIn(t, next.URL)
	}
	ulf := signedIn(w.User(t))
	back := link(ulf)
	if to := newBrowser(t, s).visit(t, back.String()); fragment(t, to).Get("error") != "oidc.state_invalid" {
		t.Errorf("in another browser it ends up at %s", to)
	}
	if to := ulf.visit(t, back.String()); to.String() != s.URL+"/settings?tab=1#linked=a" {
		t.Fatalf("it ends up at %s", to)
	}
	by := newBrowser(t, s)
	if by.signIn(t, "a", a, nil); by.me(t).User.ID != w.User(t).User.ID {
		t.Errorf("the link signs in as %+v", by.me(t).User)
	}
	links := world.Decode[struct{ Items []httpd.OIDCLink }](t, ulf.send(t, http.MethodGet, "/users/me/oidc", nil), http.StatusOK).Items
	if len(links) != 1 || links[0].Provider != "a" || links[0].Label != "anne@work" || links[0].LastUsedAt == nil {
		t.Errorf("got %+v", links)
	}
	// Nobody else gets the identity, and whoever is signed in by then is not given somebody else's.
	admin := signedIn(w.Admin(t))
	if to := admin.visit(t, link(admin).String()); fragment(t, to).Get("error") != "oidc.identity_taken" {
		t.Errorf("a taken identity ends up at %s", to)
	}
	a.Be(oidctest.Person{Subject: "other"})
	back = link(admin)
	home, _ := url.Parse(s.URL)
	admin.Jar.SetCookies(home, []*http.Cookie{{Name: s.CookieName(), Value: w.Auth.CookieFor(w.User(t).Session), Path: "/"}})
	if to := admin.visit(t, back.String()); fragment(t, to).Get("error") != "oidc.not_yours" {
		t.Errorf("another's link ends up at %s", to)
	}
	// Unlinking ends what came by it; who has no other way in stays linked.
	if got := ulf.send(t, http.MethodDelete, "/users/me/oidc/unlink/a", nil); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if ulf.me(t).User.Username == "" || by.me(t).User.Username != "" {
		t.Errorf("then %q and %q are signed in", ulf.me(t).User.Username, by.me(t).User.Username)
	}
	// The log says by which provider, and not what the person is called there: a purge would not find that.
	log, err := w.Store.Read().Activity.List(t.Context(), domain.ActivityFilter{}, domain.PageRequest{Limit: domain.MaxPageSize})
	if err != nil || !strings.Contains(fmt.Sprintf("%+v", log.Items), domain.ActivityOIDCUnlinked) || strings.Contains(fmt.Sprintf("%+v", log.Items), "anne@work") {
		t.Errorf("%v, the log is %+v", err, log.Items)
	}
	a.Be(oidctest.Person{Subject: "only", Claims: map[string]any{"preferred_username": "only"}})
	only := newBrowser(t, s)
	only.signIn(t, "a", a, nil)
	if got := only.send(t, http.MethodDelete, "/users/me/oidc/unlink/a", nil); got.Status != http.StatusConflict || got.Problem(t).Code != "oidc.last_way" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestOIDCSigningOutHereAndThereIsOne(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, a := w.Serve(t), oidctest.Start(t)
	setUp(t, s, "a", a, object{"autoRegister": true})
	in := func(sid string) browser {
		t.Helper()
		a.Be(ann(map[string]any{"sid": sid}))
		b := newBrowser(t, s)
		b.signIn(t, "a", a, nil)
		if b.me(t).User.Username == "" {
			t.Fatal("nobody is signed in")
		}
		return b
	}
	notice := func(token string) int {
		t.Helper()
		r := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/oidc/a/backchannel-logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()), "Content-Type", "application/x-www-form-urlencoded")
		return r.Status
	}
	one, two, three := in("one"), in("two"), in("three")
	out := world.Decode[httpd.Logout](t, one.send(t, http.MethodPost, "/auth/logout", nil), http.StatusOK)
	to, err := url.Parse(out.Redirect)
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if !strings.HasPrefix(out.Redirect, a.Client().Issuer+"/logout?") || q.Get("flow") != "1" || q.Get("post_logout_redirect_uri") != s.URL+"/" || q.Get("client_id") != a.Client().ID ||
		strings.Count(q.Get("id_token_hint"), ".") != 2 || one.me(t).User.Username != "" {
		t.Errorf("one goes on to %s", out.Redirect)
	}
	if out := world.Decode[httpd.Logout](t, s.User(t).Post(t, "/auth/logout", nil), http.StatusOK); out.Redirect != "" {
		t.Errorf("a session of no provider goes on to %s", out.Redirect)
	}
	for name, token := range map[string]string{
		"nothing": "", "another audience": a.LogoutToken(t, "anne-1", "", func(_, claims map[string]any) { claims["aud"] = "x" }),
		"a nonce": a.LogoutToken(t, "anne-1", "", func(_, claims map[string]any) { claims["nonce"] = "x" }),
	} {
		if got := notice(token); got < 400 || got >= 500 || two.me(t).User.Username == "" {
			t.Errorf("%s is answered with %d", name, got)
		}
	}
	if got := notice(a.LogoutToken(t, "", "two", nil)); got != http.StatusOK || two.me(t).User.Username != "" || three.me(t).User.Username == "" {
		t.Errorf("the end of a session is answered with %d", got)
	}
	past := a.LogoutToken(t, "anne-1", "", func(_, claims map[string]any) { claims["iat"] = time.Now().Add(-time.Minute).Unix() })
	if got := notice(past); got != http.StatusOK || three.me(t).User.Username == "" {
		t.Errorf("what ended before it began is answered with %d", got)
	}
	if got := notice(a.LogoutToken(t, "anne-1", "", nil)); got != http.StatusOK || three.me(t).User.Username != "" {
		t.Errorf("the end of a person's sessions is answered with %d", got)
	}
}

func TestOIDCProvidersAreCheckedSealedAndChangedOneAtATime(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, a := w.Serve(t), oidctest.Start(t)
	c, admin := a.Client(), s.Admin(t)
	valid := object{"name": "a", "displayName": "Family", "issuer": c.Issuer, "clientId": c.ID, "clientSecret": c.Secret}
	for name, change := range map[string]object{
		"a name with letters": {"name": "A"}, "a path as a name": {"name": "../x"}, "no issuer": {"issuer": nil}, "a file": {"issuer": "file:///etc/passwd"}, "a slash too many": {"issuer": c.Issuer + "/"},
		"nobody there": {"issuer": "http://127.0.0.1:1/"}, "no client": {"clientId": nil}, "an unknown role": {"defaultRoles": []string{"zarquon"}}, "a scope with spaces": {"scopes": []string{"a b"}},
		"a mapping of nothing": {"roleMapping": []object{{"value": "x", "role": "user"}}},
	} {
		if got := admin.Post(t, "/admin/oidc/providers", but(valid, change)); got.Status != http.StatusUnprocessableEntity || len(got.Problem(t).Errors) == 0 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	made := admin.Post(t, "/admin/oidc/providers", valid)
	if made.Status != http.StatusCreated || strings.Contains(string(made.Body), c.Secret) || !strings.Contains(string(made.Body), `"hasSecret":true`) {
		t.Fatalf("%d %s", made.Status, made.Body)
	}
	kept, err := w.Store.Read().OIDC.Provider(t.Context(), "a")
	if err != nil || strings.Contains(string(kept.SealedSecret), c.Secret) {
		t.Errorf("the secret is not sealed, %v", err)
	}
	if got := admin.Post(t, "/admin/oidc/providers", valid); got.Status != http.StatusConflict {
		t.Errorf("the same again: %d", got.Status)
	}
	const path = "/api/v1/admin/oidc/providers/a"
	tag := made.Header.Get("ETag")
	if got := admin.Do(t, http.MethodPatch, path, object{"enabled": false}, "If-Match", tag); got.Status != http.StatusOK || got.Header.Get("ETag") == tag {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := admin.Do(t, http.MethodPatch, path, object{"position": 2}, "If-Match", tag); got.Status != http.StatusPreconditionFailed {
		t.Errorf("by an old tag: %d", got.Status)
	}
	if got := s.Anonymous().Get(t, "/auth/oidc/providers"); strings.Contains(string(got.Body), "Family") {
		t.Errorf("one that is off is offered: %s", got.Body)
	}
	if got := admin.Do(t, http.MethodPatch, path, object{"enabled": true, "clientSecret": ""}); got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"hasSecret":false`) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := s.Anonymous().Get(t, "/auth/oidc/providers"); string(got.Body) != `{"items":[{"name":"a","displayName":"Family"}]}`+"\n" && strings.Contains(string(got.Body), c.ID) {
		t.Errorf("anybody is told %s", got.Body)
	}
	public(t, s)
	probe := world.Decode[httpd.OIDCProbe](t, admin.Post(t, "/admin/oidc/providers/a/test", nil), http.StatusOK)
	if probe.RedirectURI != s.URL+"/api/v1/auth/oidc/a/callback" || !probe.AnnouncesIssuer || probe.EndSession == "" {
		t.Errorf("got %+v", probe)
	}
	a.Tell(oidctest.Lie{Discovery: func(d map[string]any) { d["issuer"] = "https://evil.example" }})
	if got := admin.Post(t, "/admin/oidc/providers/a/test", nil); got.Status != http.StatusUnprocessableEntity || got.Problem(t).Code != "oidc.issuer_mismatch" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := admin.Do(t, http.MethodDelete, path, nil); got.Status != http.StatusNoContent {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestS21NoProviderLeadsInward(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	public(t, s)
	var hits atomic.Int32
	canary := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(canary.Close)
	create := func(name, issuer string) world.Response {
		return s.Admin(t).Post(t, "/admin/oidc/providers", object{"name": name, "issuer": issuer, "clientId": "x"})
	}
	for name, issuer := range map[string]string{
		"metadata": "http://169.254.169.254/latest", "mapped": "http://[::ffff:169.254.169.254]/", "link-local": "http://[fe80::1]/", "unspecified": "http://0.0.0.0/",
		"multicast": "http://224.0.0.1/", "hexadecimal": "http://0xa9fea9fe/", "decimal": "http://2852039166/",
	} {
		if got := create(name, issuer); got.Status != http.StatusUnprocessableEntity || got.Problem(t).Code != "oidc.provider_unreachable" {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	for name, status := range map[string]int{"found": http.StatusFound, "temporary": http.StatusTemporaryRedirect} {
		inward := httptest.NewServer(http.RedirectHandler(canary.URL, status))
		t.Cleanup(inward.Close)
		if got := create(name, inward.URL); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	// A provider's document may name other hosts, but none inside: neither for tokens nor for keys.
	for name, endpoint := range map[string]string{"tokens": "token_endpoint", "keys": "jwks_uri"} {
		a := oidctest.Start(t)
		a.Tell(oidctest.Lie{Discovery: func(d map[string]any) { d[endpoint] = canary.URL + "/" + name }})
		setUp(t, s, name, a, object{"autoRegister": true})
		if to := newBrowser(t, s).signIn(t, name, a, nil); fragment(t, to).Get("error") != "oidc.provider_unreachable" {
			t.Errorf("%s inside end up at %s", name, to)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("the inside was hit %d times", hits.Load())
	}
}
