package httpd_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/oidctest"
	"github.com/revenge-media/revenge/testkit/world"
)

// linked is somebody with a second factor here who also comes by a provider.
func linked(t *testing.T, n *instances, name string, at *oidctest.Provider, change object) *factors {
	t.Helper()
	f := n.enrolled(t, name)
	setUp(t, n.servers[0], "house", at, change)
	link := domain.OIDCLink{ID: domain.NewID(), UserID: f.user.ID, Issuer: at.Client().Issuer, Subject: "anne-1", CreatedAt: domain.Stamp(n.now())}
	if err := n.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateLink(ctx, link) }); err != nil {
		t.Fatal(err)
	}
	return f
}

// backchannel hands a logout token to a server, as the provider does.
func backchannel(t *testing.T, s *world.Server, token string) {
	t.Helper()
	body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	if got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/oidc/house/backchannel-logout", body, "Content-Type", "application/x-www-form-urlencoded"); got.Status != http.StatusOK {
		t.Errorf("a logout token is answered with %d %s", got.Status, got.Body)
	}
}

func TestS14AProviderStandsForTheSecondFactorOnlyWhereItIsTrustedAndSawOne(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	s, provider := n.servers[0], oidctest.Start(t)
	linked(t, n, "anna", provider, nil)
	for _, trusted := range []bool{false, true} {
		if got := s.Admin(t).Do(t, http.MethodPatch, "/api/v1/admin/oidc/providers/house", object{"trustMfa": trusted}); got.Status != http.StatusOK {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		for name, methods := range map[string]any{"nothing": nil, "a password": []string{"pwd"}, "a code": []string{"pwd", "otp"}, "a second factor": []string{"pwd", "mfa"}, "no list": "mfa and more"} {
			claims := map[string]any{"amr": methods}
			if methods == nil {
				delete(claims, "amr")
			}
			provider.Be(ann(claims))
			b := newBrowser(t, s)
			to := b.signIn(t, "house", provider, nil)
			in, waits, me := trusted && name == "a second factor", fragment(t, to).Get("challenge") != "", b.me(t)
			if name == "no list" {
				if waits || me.Session.ID != (domain.ID{}) {
					t.Errorf("trusted %v, amr %v: %s", trusted, methods, to)
				}
				continue
			}
			if in != (me.User.Username == "anna" && me.Session.MFAVerified) || in == waits || !in && me.User.Username != "" {
				t.Errorf("trusted %v, who showed %s ends up at %s as %+v", trusted, name, to, me)
			}
		}
	}
}

func TestS14WhatAProviderBeganGoesOnThroughTheSecondFactorAndEndsThereToo(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	s, provider := n.servers[0], oidctest.Start(t)
	anna := linked(t, n, "anna", provider, nil)
	// in signs in by the provider and a backup code, then shows a code again: each step has a session of its own.
	in := func(sid string) browser {
		t.Helper()
		provider.Be(ann(map[string]any{"sid": sid}))
		b := newBrowser(t, s)
		waits := fragment(t, b.visit(t, provider.SignIn(t, b.visit(t, "/auth/oidc/house/authorize?returnTo=%2Fmovies").String()).String()))
		if waits.Get("returnTo") != "/movies" || !strings.Contains(waits.Get("methods"), "backup_code") || b.me(t).User.Username != "" {
			t.Fatalf("got %v", waits)
		}
		shown := b.send(t, http.MethodPost, "/auth/mfa/verify", object{"token": waits.Get("challenge"), "method": "backup_code", "code": anna.codes[0], "cookie": true})
		last := world.Decode[httpd.SignIn](t, shown, http.StatusOK).Session.ID
		if me := b.me(t); me.Session.Method != domain.SignInOIDC || !me.Session.MFAVerified || me.Session.ID != last {
			t.Errorf("got %+v", me.Session)
		}
		again := world.Decode[httpd.SignIn](t, b.send(t, http.MethodPost, "/auth/reauthenticate", object{"method": "backup_code", "code": anna.codes[1], "cookie": true}), http.StatusOK)
		if me := b.me(t); again.Session.ID == last || me.Session.ID != again.Session.ID || me.Session.Method != domain.SignInOIDC {
			t.Errorf("after a proof of identity: %+v", me.Session)
		}
		anna.codes = anna.codes[2:]
		return b
	}
	one := in("one")
	out := world.Decode[httpd.Logout](t, one.send(t, http.MethodPost, "/auth/logout", nil), http.StatusOK)
	if !strings.HasPrefix(out.Redirect, provider.Client().Issuer+"/logout?") || !strings.Contains(out.Redirect, "id_token_hint=") || one.me(t).User.Username != "" {
		t.Errorf("signing out goes on to %q", out.Redirect)
	}
	two := in("two")
	n.pass(10 * time.Second)
	said := provider.LogoutToken(t, "", "two", func(_, claims map[string]any) { claims["iat"] = n.now().Unix() })
	if backchannel(t, n.servers[1], said); two.me(t).User.Username != "" {
		world.Until(t, "the session ends", func() bool { return two.me(t).User.Username == "" })
	}
	// Played again, on any server, it ends nothing that began since: it needs no memory of tokens.
	n.pass(10 * time.Second)
	later := in("two")
	for _, server := range n.servers {
		backchannel(t, server, said)
	}
	n.pass(2 * time.Second) // and nothing is kept of sessions
	if me := later.me(t); me.User.Username != "anna" {
		t.Errorf("a logout token that is played again ends a later session: %+v", me)
	}
}

func TestS10AResetLinkIsGoodForHalfAnHourAndLeavesTheSecondFactor(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna := n.enrolled(t, "anna")
	link := func() string {
		t.Helper()
		made := n.servers[0].Bearer(n.shown(t, n.Admin(t).User.ID).Tokens.AccessToken).Post(t, "/admin/users/"+anna.user.ID.String()+"/reset-password", nil)
		_, code, found := strings.Cut(world.Decode[struct{ Link string }](t, made, http.StatusOK).Link, "#code=")
		if !found || len(code) < 43 {
			t.Fatalf("%d %s", made.Status, made.Body)
		}
		return code
	}
	reset := func(code string) int {
		return n.servers[1].Anonymous().Post(t, "/auth/reset-password", object{"code": code, "password": "eleven purple teapots"}).Status
	}
	first := link()
	second := link()
	if got := reset(first); got != http.StatusUnprocessableEntity {
		t.Errorf("a link that a newer one replaced is answered with %d", got)
	}
	n.pass(31 * time.Minute)
	if got := reset(second); got != http.StatusUnprocessableEntity {
		t.Errorf("after half an hour a link is answered with %d", got)
	}
	trusted := n.trusted(t, anna.user.ID)
	third := link()
	for table, rows := range (&household{Server: n.servers[0]}).snapshot(t) {
		if strings.Contains(strings.Join(rows, "\n"), third[:32]) {
			t.Errorf("%s says the code of a link", table)
		}
	}
	n.pass(29 * time.Minute)
	for i, want := range []int{http.StatusNoContent, http.StatusUnprocessableEntity} {
		if got := reset(third); got != want {
			t.Errorf("use %d: %d", i+1, got)
		}
	}
	answer := n.servers[0].Anonymous().Post(t, "/auth/login", object{"login": "anna", "password": "eleven purple teapots", "deviceToken": trusted})
	if in := world.Decode[httpd.SignIn](t, answer, http.StatusOK); in.Challenge == nil {
		t.Errorf("after it no second factor is asked for: %s", answer.Body)
	}
	wantNoTokens(t, "the new password", answer)
	if outcome := n.open(t, anna.user.ID, auth.Options{}); outcome.Challenge == nil || len(outcome.Challenge.Methods) != 2 {
		t.Errorf("the second factors are %+v", outcome.Challenge)
	}
}

// trusted makes a device of an account one that need not show the second factor, and returns its token.
func (n *instances) trusted(t *testing.T, user domain.ID) (token string) {
	t.Helper()
	err := n.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		token, err = n.MFA.TrustDevice(ctx, tx, user, device)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestS9AProvidersOwnSessionIsNoFreshProof signs in at a provider that asked for nothing, as it knew the person since an hour ago, and then at one that did ask.
func TestS9AProvidersOwnSessionIsNoFreshProof(t *testing.T) {
	t.Parallel()
	s, provider := world.New(t, world.Idle()).Serve(t), oidctest.Start(t)
	setUp(t, s, "house", provider, object{"autoRegister": true})
	b := newBrowser(t, s)
	for _, c := range []struct {
		proved any
		fresh  bool
	}{{time.Now().Add(-time.Hour).Unix(), false}, {time.Now().Add(-time.Minute).Unix(), true}, {time.Now().Add(time.Hour).Unix(), true}, {nil, true}} {
		provider.Be(ann(map[string]any{"auth_time": c.proved}))
		asked := b.visit(t, "/auth/oidc/house/authorize?anew=true")
		if q := asked.Query(); q.Get("prompt") != "login" || q.Get("max_age") == "" {
			t.Errorf("anew the provider is asked by %v", q)
		}
		b.visit(t, provider.SignIn(t, asked.String()).String())
		if at := b.me(t).Session.AuthenticatedAt; at.IsZero() || at.After(time.Now()) {
			t.Errorf("proved at %v became %v", c.proved, at)
		}
		got := b.send(t, http.MethodPost, "/users/me/api-keys", object{"name": "x", "permissions": []string{"library.read"}})
		if c.fresh != (got.Status == http.StatusCreated) || !c.fresh && got.Problem(t).Code != "auth.reauthentication_required" {
			t.Errorf("proved at %v: a key is answered with %d %s", c.proved, got.Status, got.Body)
		}
	}
}
