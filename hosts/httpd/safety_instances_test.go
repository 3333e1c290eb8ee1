package httpd_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/oidctest"
	"github.com/revenge-media/revenge/testkit/world"
)

// instances are two servers on one database, by default PostgreSQL where there is one, that share a key and a clock and no memory.
type instances struct {
	*world.World // the first's
	servers      [2]*world.Server
	ahead        atomic.Int64
}

func newInstances(t *testing.T) *instances {
	t.Helper()
	n := &instances{}
	options := []world.Option{world.Idle(), world.Bring(func(o *assemble.Options) { o.Now = n.now })}
	if os.Getenv(sqlstoretest.PostgresVariable) != "" {
		options = append(options, world.Postgres())
	}
	n.World = world.New(t, options...)
	n.servers = [2]*world.Server{n.Serve(t), n.Beside(t).Serve(t)}
	return n
}

// now is the instances' time, which goes on by itself.
func (n *instances) now() time.Time { return time.Now().Add(time.Duration(n.ahead.Load())) }

// pass lets time pass at once.
func (n *instances) pass(d time.Duration) { n.ahead.Add(int64(d)) }

// person makes an account with world.Password and an address.
func (n *instances) person(t *testing.T, name string) domain.User {
	t.Helper()
	u, err := n.Core.Account.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: name, Email: name + "@example.org", Password: world.Password})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// change sets a setting to what is JSON.
func change(t *testing.T, w *world.World, name, value string) {
	t.Helper()
	if _, err := w.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{name: json.RawMessage(value)}); err != nil {
		t.Fatal(err)
	}
}

// atOnce sends as many requests at once as asked, in turn to both, and returns the answers.
func (n *instances) atOnce(many int, send func(i int, c world.Client) world.Response) []world.Response {
	answers := make([]world.Response, many)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range many {
		all.Go(func() {
			<-begin
			answers[i] = send(i, n.servers[i%2].Anonymous())
		})
	}
	close(begin)
	all.Wait()
	return answers
}

// statuses counts answers, and fails the test where others came than these.
func statuses(t *testing.T, answers []world.Response, want map[int]int) {
	t.Helper()
	got := map[int]int{}
	for _, a := range answers {
		got[a.Status]++
	}
	for status, many := range got {
		if want[status] != many {
			t.Errorf("%d answers are %d: %v, want %v", many, status, got, want)
			return
		}
	}
}

// one fails the test unless exactly one answer has the status, and the others one of those for the late.
func one(t *testing.T, answers []world.Response, status int, late ...int) world.Response {
	t.Helper()
	var found []world.Response
	for _, a := range answers {
		expected := a.Status == status
		for _, l := range late {
			expected = expected || a.Status == l
		}
		if !expected {
			t.Errorf("one is answered with %d %s", a.Status, a.Body)
		}
		if a.Status == status {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d of %d succeeded", len(found), len(answers))
	}
	return found[0]
}

func TestS4InstancesCountWrongPasswordsTogetherHoweverTheAccountIsNamed(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	n.person(t, "anna")
	try := func(names []string, password string) func(int, world.Client) world.Response {
		return func(i int, c world.Client) world.Response {
			return c.Post(t, "/auth/login", object{"login": names[i%len(names)], "password": password})
		}
	}
	hers := []string{"anna", "ANNA", "Anna@Example.ORG", "anna@example.org", "aNNa"}
	for what, names := range map[string][]string{"an account": hers, "a name that no account has": {"nobody", "NOBODY", "Nobody"}} {
		answers := n.atOnce(50, try(names, "wrong"))
		statuses(t, answers, map[int]int{http.StatusUnauthorized: 5, http.StatusTooManyRequests: 45})
		for _, a := range answers {
			if a.Status == http.StatusTooManyRequests && (a.Header.Get("Retry-After") == "" || a.Problem(t).Code != "auth.too_many_attempts") {
				t.Errorf("%s: %v %s", what, a.Header, a.Body)
			}
		}
	}
	for _, s := range n.servers {
		if got := signIn(t, s, "anna", world.Password); got != http.StatusTooManyRequests {
			t.Errorf("while she is kept waiting the right password is answered with %d", got)
		}
	}
	// Temporary; and who gets in has a clean slate.
	n.pass(25 * time.Hour) // failures count for a day
	statuses(t, n.atOnce(4, try(hers, "wrong")), map[int]int{http.StatusUnauthorized: 4})
	statuses(t, n.atOnce(10, try(hers, world.Password)), map[int]int{http.StatusOK: 10})
	statuses(t, n.atOnce(4, try(hers, "wrong")), map[int]int{http.StatusUnauthorized: 4})
	statuses(t, n.atOnce(64, try(hers, world.Password)), map[int]int{http.StatusOK: 64})
}

func TestS5OneRefreshTokenHasOneSuccessorWhicheverInstanceIsAsked(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	in := n.User(t)
	refresh := func(c world.Client, token string) world.Response {
		return c.Post(t, "/auth/refresh", object{"refreshToken": token})
	}
	successors := map[string]bool{}
	for _, a := range n.atOnce(20, func(_ int, c world.Client) world.Response { return refresh(c, in.Tokens.RefreshToken) }) {
		successors[world.Decode[httpd.Tokens](t, a, http.StatusOK).RefreshToken] = true
	}
	if len(successors) != 1 || successors[in.Tokens.RefreshToken] {
		t.Fatalf("%d successors", len(successors))
	}
	var second string
	for second = range successors {
	}
	third := world.Decode[httpd.Tokens](t, refresh(n.servers[0].Anonymous(), second), http.StatusOK)
	for _, s := range n.servers {
		if got := s.Bearer(third.AccessToken).Get(t, "/users/me"); got.Status != http.StatusOK {
			t.Fatalf("the third token is answered with %d", got.Status)
		}
	}
	if got := refresh(n.servers[1].Anonymous(), in.Tokens.RefreshToken); got.Status != http.StatusUnauthorized {
		t.Errorf("the first token again is answered with %d", got.Status)
	}
	if got := refresh(n.servers[0].Anonymous(), third.RefreshToken); got.Status != http.StatusUnauthorized {
		t.Errorf("the third token outlives that: %d", got.Status)
	}
	for _, s := range n.servers {
		world.Until(t, "its access token ends", func() bool { return s.Bearer(third.AccessToken).Get(t, "/users/me").Status == http.StatusUnauthorized })
	}
}

func TestS31OneOfFiftyClaimsOwnsTheServer(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	code, err := n.Auth.ClaimCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	claim := func(i int, c world.Client) world.Response {
		return c.Post(t, "/setup/claim", object{"code": code, "username": "owner" + string(rune('A'+i)), "password": world.Password})
	}
	// Late ones see that there is an owner, or that the code is no more.
	one(t, n.atOnce(50, claim), http.StatusCreated, http.StatusNotFound, http.StatusForbidden)
	statuses(t, n.atOnce(2, claim), map[int]int{http.StatusNotFound: 2})
	for _, s := range n.servers {
		if got := s.Anonymous().Post(t, "/setup/check", object{"code": code}); got.Status != http.StatusNotFound {
			t.Errorf("a claim is still open: %d", got.Status)
		}
	}
	users, err := n.Store.Read().Users.List(t.Context(), domain.UserFilter{}, domain.PageRequest{Limit: 10})
	if err != nil || len(users.Items) != 1 {
		t.Errorf("there are %d accounts, %v", len(users.Items), err)
	}
}

func TestALinkIsUsedOnceWhicheverInstanceIsAsked(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	change(t, n.World, settings.RegistrationMode.Name(), `"invite"`)
	change(t, n.World, settings.PublicURL.Name(), `"`+publicURL+`"`)
	const many = 12
	code := func(made world.Response, status int, after string) string {
		link := world.Decode[struct{ Link string }](t, made, status).Link
		_, code, found := strings.Cut(link, after)
		if !found {
			t.Fatalf("got the link %q", link)
		}
		return code
	}
	t.Run("invitation", func(t *testing.T) {
		code := code(n.servers[0].Admin(t).Post(t, "/admin/invitations", object{}), http.StatusCreated, "#invitation=")
		one(t, n.atOnce(many, func(i int, c world.Client) world.Response {
			name := "guest" + string(rune('a'+i))
			return c.Post(t, "/auth/register", object{"username": name, "email": name + "@example.org", "password": world.Password, "invitation": code})
		}), http.StatusAccepted, http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity)
	})
	t.Run("reset", func(t *testing.T) {
		ulf := n.person(t, "ulrich")
		code := code(n.servers[0].Admin(t).Post(t, "/admin/users/"+ulf.ID.String()+"/reset-password", nil), http.StatusOK, "#code=")
		word := func(i int) string { return "eleven purple teapots " + string(rune('a'+i)) }
		answers := n.atOnce(many, func(i int, c world.Client) world.Response {
			return c.Post(t, "/auth/reset-password", object{"code": code, "password": word(i)})
		})
		one(t, answers, http.StatusNoContent, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusNotFound)
		for i, a := range answers {
			if a.Status == http.StatusNoContent && signIn(t, n.servers[1], "ulrich", word(i)) != http.StatusOK {
				t.Error("the password is not that of the one that succeeded")
			}
		}
	})
	t.Run("verification", func(t *testing.T) {
		w, s, post := mailed(t)
		m := &instances{World: w, servers: [2]*world.Server{s, w.Beside(t).Serve(t)}}
		if got := s.Anonymous().Post(t, "/auth/register", object{"username": "vera", "email": "vera@example.org", "password": world.Password}); got.Status != http.StatusAccepted {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		code := codeIn(t, post.To(t, "vera@example.org"), "verify")
		one(t, m.atOnce(many, func(_ int, c world.Client) world.Response {
			return c.Post(t, "/auth/verify-email", object{"code": code})
		}), http.StatusNoContent, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusConflict)
	})
}

func TestS7WhatOneInstanceEndsTheOtherDoesNotServe(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	here, there := n.servers[0], n.servers[1]
	admin := here.Bearer(n.shown(t, n.Admin(t).User.ID).Tokens.AccessToken)
	ulf := n.User(t)
	boss := n.Account(t, "boss", domain.RoleAdmin)
	for what, c := range map[string]struct {
		ends func(in *auth.SignedIn) world.Response
		of   domain.ID
	}{
		"signing out": {func(in *auth.SignedIn) world.Response {
			return here.Bearer(in.Tokens.AccessToken).Post(t, "/auth/logout", nil)
		}, ulf.User.ID},
		"ending one session": {func(in *auth.SignedIn) world.Response {
			return here.Bearer(ulf.Tokens.AccessToken).Do(t, http.MethodDelete, "/api/v1/sessions/"+in.Session.ID.String(), nil)
		}, ulf.User.ID},
		"ending all": {func(in *auth.SignedIn) world.Response {
			return here.Bearer(in.Tokens.AccessToken).Do(t, http.MethodDelete, "/api/v1/sessions", nil)
		}, boss.User.ID},
		"disabling": {func(in *auth.SignedIn) world.Response {
			return admin.Post(t, "/admin/users/"+in.User.ID.String()+"/disable", nil)
		}, n.person(t, "dora").ID},
		"deleting": {func(in *auth.SignedIn) world.Response {
			return admin.Do(t, http.MethodDelete, "/api/v1/admin/users/"+in.User.ID.String(), nil)
		}, n.person(t, "emil").ID},
	} {
		in := n.shown(t, c.of)
		clients := map[string]world.Client{"token": there.Bearer(in.Tokens.AccessToken), "cookie": there.Cookie(n.Auth.CookieFor(in.Session))}
		for by, client := range clients {
			if got := client.Get(t, "/users/me"); got.Status != http.StatusOK {
				t.Fatalf("before %s its %s is answered with %d %s", what, by, got.Status, got.Body)
			}
		}
		if got := c.ends(&in); got.Status >= 300 {
			t.Fatalf("%s is answered with %d %s", what, got.Status, got.Body)
		}
		soon(t, what, func() bool {
			return clients["token"].Get(t, "/users/me").Status == http.StatusUnauthorized && clients["cookie"].Get(t, "/users/me").Status == http.StatusUnauthorized
		})
	}
	// Who is no administrator any more is none there, and goes on as what they are.
	eve := n.Account(t, "eve", domain.RoleAdmin)
	key := n.shown(t, eve.User.ID)
	client := there.Bearer(key.Tokens.AccessToken)
	if got := client.Get(t, "/admin/users"); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := admin.Do(t, http.MethodPatch, "/api/v1/admin/users/"+eve.User.ID.String(), object{"roles": []string{"user"}}); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	soon(t, "a demotion", func() bool { return client.Get(t, "/admin/users").Status == http.StatusForbidden })
	if got := client.Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Errorf("a demotion ends the session: %d", got.Status)
	}
}

// soon fails the test where something that one instance did is not true on the other after a few seconds (S7).
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	begun := time.Now()
	world.Until(t, what+" is felt on the other instance", holds)
	if took := time.Since(begun); took > beyond {
		t.Errorf("%s is felt on the other instance after %s", what, took)
	}
}

func TestS16AKeyEndsOnEveryInstanceAndInTime(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	ulf := n.shown(t, n.User(t).User.ID)
	owner := n.servers[0].Bearer(ulf.Tokens.AccessToken)
	made := func(expires time.Time) httpd.NewAPIKey {
		t.Helper()
		body := object{"name": "Radarr", "permissions": []string{"library.read"}, "expiresAt": expires}
		return world.Decode[httpd.NewAPIKey](t, owner.Post(t, "/users/me/api-keys", body), http.StatusCreated)
	}
	revoked, short := made(n.now().Add(time.Hour)), made(n.now().Add(3*time.Minute))
	for _, s := range n.servers {
		for _, k := range []httpd.NewAPIKey{revoked, short} {
			if got := status(t, s.Key(k.Key)); got != http.StatusOK {
				t.Fatalf("a new key is answered with %d", got)
			}
		}
	}
	if got := owner.Do(t, http.MethodDelete, "/api/v1/users/me/api-keys/"+revoked.ID.String(), nil); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	soon(t, "a revocation", func() bool { return status(t, n.servers[1].Key(revoked.Key)) == http.StatusUnauthorized })
	n.pass(3 * time.Minute)
	for i, s := range n.servers {
		if got := status(t, s.Key(short.Key)); got != http.StatusUnauthorized {
			t.Errorf("after its end a key is answered with %d by instance %d", got, i)
		}
	}
}

func TestS31AClaimCodeIsTheSameEverywhereForADay(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	code, err := n.Auth.ClaimCode(t.Context())
	if err != nil || len(strings.ReplaceAll(code, "-", "")) != 32 { // base32 of 160 bits
		t.Fatalf("%q, %v", code, err)
	}
	check := func(s *world.Server, code string) int {
		t.Helper()
		return s.Anonymous().Post(t, "/setup/check", object{"code": code}).Status
	}
	n.pass(24*time.Hour - time.Minute)
	again, err := n.Auth.ClaimCode(t.Context())
	if err != nil || again != code {
		t.Errorf("within the day another process prints another code, %v", err)
	}
	for _, s := range n.servers {
		if got := check(s, strings.ToLower(strings.ReplaceAll(code, "-", " "))); got != http.StatusNoContent {
			t.Errorf("within the day the code is answered with %d", got)
		}
	}
	n.pass(2 * time.Minute)
	if got := n.servers[1].Anonymous().Post(t, "/setup/claim", object{"code": code, "username": "late", "password": world.Password}); got.Status != http.StatusForbidden {
		t.Errorf("after a day the code is answered with %d %s", got.Status, got.Body)
	}
	next, err := n.Auth.ClaimCode(t.Context()) // as every start asks for it
	if err != nil || next == code {
		t.Errorf("an expired code is not replaced, %v", err)
	}
	for _, s := range n.servers {
		if old, now := check(s, code), check(s, next); old != http.StatusForbidden || now != http.StatusNoContent {
			t.Errorf("the expired code is answered with %d, the new one with %d", old, now)
		}
	}
}

func TestS9NothingOfHowOneSignsInChangesWithoutAFreshProof(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna := n.shown(t, n.person(t, "anna").ID)
	provider := oidctest.Start(t)
	setUp(t, n.servers[0], "house", provider, nil)
	change(t, n.World, settings.PublicURL.Name(), `"`+publicURL+`"`) // under a name there are passkeys
	steps := map[string]func(c world.Client) world.Response{
		"address": func(c world.Client) world.Response {
			return c.Post(t, "/users/me/email", object{"email": "new@example.org"})
		},
		"app":      func(c world.Client) world.Response { return c.Post(t, "/mfa/totp/setup", nil) },
		"passkey":  func(c world.Client) world.Response { return c.Post(t, "/mfa/webauthn/register/begin", object{}) },
		"provider": func(c world.Client) world.Response { return c.Post(t, "/users/me/oidc/link/house", object{}) },
		"unlinking": func(c world.Client) world.Response {
			return c.Do(t, http.MethodDelete, "/api/v1/users/me/oidc/unlink/house", nil)
		},
		"key": func(c world.Client) world.Response {
			return c.Post(t, "/users/me/api-keys", object{"name": "x", "permissions": []string{"library.read"}})
		},
		"account": func(c world.Client) world.Response { return c.Do(t, http.MethodDelete, "/api/v1/users/me", nil) },
	}
	n.pass(5*time.Minute + time.Second)
	c := n.servers[1].Bearer(anna.Tokens.AccessToken)
	for what, step := range steps {
		if got := step(c); got.Status != http.StatusForbidden || got.Problem(t).Code != "auth.reauthentication_required" {
			t.Errorf("%s, five minutes after the proof: %d %s", what, got.Status, got.Body)
		}
	}
	for _, current := range []string{"", "wrong"} {
		if got := c.Post(t, "/users/me/change-password", object{"currentPassword": current, "password": "eleven purple teapots"}); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("without the current password: %d %s", got.Status, got.Body)
		}
	}
	again := world.Decode[httpd.SignIn](t, c.Post(t, "/auth/reauthenticate", object{"password": world.Password}), http.StatusOK)
	delete(steps, "account")
	n.pass(4 * time.Minute)
	for what, step := range steps {
		if got := step(n.servers[0].Bearer(again.AccessToken)); got.Status == http.StatusForbidden || got.Status == http.StatusUnauthorized {
			t.Errorf("%s, four minutes after another proof: %d %s", what, got.Status, got.Body)
		}
	}
}
