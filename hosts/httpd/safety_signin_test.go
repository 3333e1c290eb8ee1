package httpd_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/passkey"
	"github.com/revenge-media/revenge/testkit/passkeytest"
	"github.com/revenge-media/revenge/testkit/world"
)

// crowd is a server whose requests come from as many addresses as a test wants, so that counts by address stay out of what it looks at.
type crowd struct {
	*world.Server
	sent int
}

func newCrowd(t *testing.T, w *world.World) *crowd {
	t.Helper()
	return &crowd{Server: w.Serve(t, world.HTTPConfig(func(c *httpd.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))}
}

// post asks from an address that never asked before.
func (c *crowd) post(t *testing.T, path string, body any) world.Response {
	t.Helper()
	c.sent++
	return c.Anonymous().Do(t, http.MethodPost, "/api/v1"+path, body, "X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", c.sent>>16&255, c.sent>>8&255, c.sent&255))
}

// inhabitants makes an account of each kind of those whose sign-in fails, with an address of its own, and returns their user names. "nobody" has no account.
func inhabitants(t *testing.T, w *world.World, suffix string) map[string]string {
	t.Helper()
	system := domain.SystemActor()
	names := map[string]string{"nobody": "ida" + suffix, "active": "bea" + suffix, "disabled": "cid" + suffix, "deleted": "dot" + suffix, "addressless": "eva" + suffix}
	for kind, name := range names {
		if kind == "nobody" {
			continue
		}
		id := w.Account(t, name, domain.RoleUser).User.ID
		var err error
		if kind != "addressless" {
			_, err = w.Core.Account.Edit(t.Context(), system, id, nil, edited(name+"@example.org"))
		}
		switch {
		case err != nil:
		case kind == "disabled":
			_, err = w.Core.Account.SetDisabled(t.Context(), system, id, true)
		case kind == "deleted":
			err = w.Core.Account.Delete(t.Context(), system, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// requestIDs differ from answer to answer.
var requestIDs = regexp.MustCompile(`"requestId":"[^"]*"`)

// told is everything that an answer tells, but what differs between any two.
func told(r world.Response) string {
	header := r.Header.Clone()
	for _, name := range []string{"X-Request-Id", "Date", "Retry-After"} {
		if header.Get(name) != "" {
			header.Set(name, "something")
		}
	}
	text, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d %s %s", r.Status, text, requestIDs.ReplaceAll(r.Body, nil))
}

func TestS3NoAnswerTellsWhetherThereIsAnAccount(t *testing.T) {
	t.Parallel()
	w, _, _ := mailed(t)
	s, names := newCrowd(t, w), inhabitants(t, w, "")
	// Somebody who has not confirmed the address yet.
	if got := s.post(t, "/auth/register", object{"username": "fay", "email": "fay@example.org", "password": world.Password}); got.Status != http.StatusAccepted {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	names["waiting"] = "fay"
	email := func(kind string) string { return names[kind] + "@example.org" }
	// alike asks for every kind and wants one answer.
	alike := func(what string, status int, ask func(kind string) world.Response) {
		t.Helper()
		first := ask("nobody")
		if first.Status != status {
			t.Errorf("%s, nobody: %d %s", what, first.Status, first.Body)
		}
		for kind := range names {
			if kind == "nobody" {
				continue
			}
			if got := ask(kind); told(got) != told(first) {
				t.Errorf("%s tells who is %s:\n%s\nand of nobody:\n%s", what, kind, told(got), told(first))
			}
		}
	}
	alike("forgot-password by name", http.StatusAccepted, func(kind string) world.Response {
		return s.post(t, "/auth/forgot-password", object{"login": names[kind]})
	})
	alike("forgot-password by address", http.StatusAccepted, func(kind string) world.Response {
		return s.post(t, "/auth/forgot-password", object{"login": email(kind)})
	})
	alike("resend-verification", http.StatusAccepted, func(kind string) world.Response {
		return s.post(t, "/auth/resend-verification", object{"email": email(kind)})
	})
	alike("register", http.StatusAccepted, func(kind string) world.Response {
		return s.post(t, "/auth/register", object{"username": "new-" + names[kind], "email": email(kind), "password": world.Password + " 2"})
	})

	// The right password of whoever may not sign in, and wrong ones of everybody.
	password := func(kind string) string {
		if kind == "active" || kind == "addressless" {
			return "not the password"
		}
		return world.Password
	}
	login := func(login, password string, cookie bool) world.Response {
		return s.post(t, "/auth/login", object{"login": login, "password": password, "cookie": cookie})
	}
	for i := range 5 { // by name and by address: both count on the account; nobody's two names count apart, so only one of them is used up
		alike(fmt.Sprintf("sign-in %d", i+1), http.StatusUnauthorized, func(kind string) world.Response { return login(names[kind], password(kind), i%2 == 0) })
	}
	alike("sign-in after five failures", http.StatusTooManyRequests, func(kind string) world.Response {
		got := login(names[kind], password(kind), false)
		var seconds int
		if _, err := fmt.Sscan(got.Header.Get("Retry-After"), &seconds); err != nil || seconds < 1 || seconds > 30 {
			t.Errorf("%s is told to wait for %q s", kind, got.Header.Get("Retry-After"))
		}
		if p := got.Problem(t); p.Code != "auth.too_many_attempts" {
			t.Errorf("%s: %+v", kind, p)
		}
		return got
	})
	alike("the right password after five failures", http.StatusTooManyRequests, func(kind string) world.Response { return login(names[kind], world.Password, true) })
	// What is locked is the sign-in, not what helps out of it.
	alike("forgot-password when locked", http.StatusAccepted, func(kind string) world.Response {
		return s.post(t, "/auth/forgot-password", object{"login": " " + strings.ToUpper(names[kind])})
	})
}

// TestS3NothingIsToldByHowLongItTakes samples answers about different accounts in random order. It takes minutes of an idle machine.
func TestS3NothingIsToldByHowLongItTakes(t *testing.T) {
	if os.Getenv("REVENGE_TEST_SECURITY") == "" {
		t.Skip("REVENGE_TEST_SECURITY is not set: times are compared by `just security` only")
	}
	const samples, each = 240, 4 // samples of a kind; and sign-ins of one account, which the fifth failure would lock
	w, _, _ := mailed(t)
	s := newCrowd(t, w)
	people := make([]map[string]string, samples/each)
	for i := range people {
		people[i] = inhabitants(t, w, fmt.Sprint(i))
	}
	sample := func(name string, status int, kinds []string, ask func(kind string, i int) world.Response) {
		took := map[string][]time.Duration{}
		for i := range samples {
			for _, k := range rand.Perm(len(kinds)) {
				begun := time.Now()
				got := ask(kinds[k], i)
				took[kinds[k]] = append(took[kinds[k]], time.Since(begun))
				if got.Status != status {
					t.Fatalf("%s, %s: %d %s", name, kinds[k], got.Status, got.Body)
				}
			}
		}
		median := func(kind string) time.Duration {
			slices.Sort(took[kind])
			return took[kind][len(took[kind])/2]
		}
		for _, kind := range kinds[1:] {
			a, b := median(kinds[0]), median(kind)
			t.Logf("%s: %s takes %s, %s %s", name, kinds[0], a.Round(time.Microsecond), kind, b.Round(time.Microsecond))
			if off := (a - b).Abs(); off > 10*time.Millisecond && off > max(a, b)/20 {
				t.Errorf("%s: %s takes %s, %s %s", name, kinds[0], a, kind, b)
			}
		}
	}
	everybody := []string{"nobody", "active", "disabled", "deleted", "addressless"}
	sample("sign-in", http.StatusUnauthorized, everybody, func(kind string, i int) world.Response {
		return s.post(t, "/auth/login", object{"login": people[i/each][kind], "password": fmt.Sprintf("not the password %d", i)})
	})
	for _, kind := range everybody {
		if got := s.post(t, "/auth/login", object{"login": people[0][kind], "password": "wrong"}); got.Status != http.StatusUnauthorized {
			t.Fatal(got.Status)
		}
	}
	sample("sign-in when locked", http.StatusTooManyRequests, everybody, func(kind string, _ int) world.Response {
		return s.post(t, "/auth/login", object{"login": people[0][kind], "password": world.Password})
	})
	addressed := []string{"nobody", "active", "disabled", "deleted"}
	sample("forgot-password", http.StatusAccepted, addressed, func(kind string, i int) world.Response {
		return s.post(t, "/auth/forgot-password", object{"login": people[i/each][kind]})
	})
	sample("resend-verification", http.StatusAccepted, addressed, func(kind string, i int) world.Response {
		return s.post(t, "/auth/resend-verification", object{"email": people[i/each][kind] + "@example.org"})
	})
	sample("register", http.StatusAccepted, addressed, func(kind string, i int) world.Response {
		return s.post(t, "/auth/register", object{
			"username": fmt.Sprintf("new-%s%d", kind, i), "email": people[i/each][kind] + "@example.org", "password": world.Password + " 2",
		})
	})
}

// withPasskey gives an account a passkey by way of HTTP, which switches the second factor on, and returns the browser that has it and the backup codes.
func withPasskey(t *testing.T, s *crowd, a world.Account) (*passkeytest.Browser, []string) {
	t.Helper()
	b := passkeytest.NewBrowser(passkey.RelyingParty{ID: "movies.example.org", Name: "Revenge", Origin: publicURL})
	c := s.Bearer(a.Tokens.AccessToken)
	asked := world.Decode[httpd.Ceremony](t, c.Post(t, "/mfa/webauthn/register/begin", object{"passwordless": true}), http.StatusOK)
	added := world.Decode[httpd.PasskeyAdded](t, c.Post(t, "/mfa/webauthn/register/finish", object{"challengeId": asked.ChallengeID, "credential": b.Create(t, asked.Options)}), http.StatusCreated)
	if len(added.BackupCodes) == 0 {
		t.Fatalf("no backup codes: %+v", added)
	}
	return b, added.BackupCodes
}

// passkeySignIn signs in by a passkey alone.
func passkeySignIn(t *testing.T, s *crowd, b *passkeytest.Browser) world.Response {
	t.Helper()
	asked := world.Decode[httpd.Ceremony](t, s.post(t, "/mfa/webauthn/login/begin", object{}), http.StatusOK)
	return s.post(t, "/mfa/webauthn/login/finish", object{"challengeId": asked.ChallengeID, "credential": b.Show(t, asked.Options)})
}

func TestS4EveryPathCountsAndThePasskeyStaysOpen(t *testing.T) {
	t.Parallel()
	w, _, _ := mailed(t)
	s := newCrowd(t, w)
	// try asks with a wrong secret until it is locked, and returns how often that was refused as wrong.
	try := func(t *testing.T, ask func() world.Response) int {
		t.Helper()
		for n := range 10 {
			switch got := ask(); got.Status {
			case http.StatusTooManyRequests:
				if got.Problem(t).Code != "auth.too_many_attempts" || got.Header.Get("Retry-After") == "" {
					t.Errorf("locked: %v %s", got.Header, got.Body)
				}
				return n
			case http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusForbidden:
			default:
				t.Fatalf("a wrong secret is answered with %d %s", got.Status, got.Body)
			}
		}
		t.Error("nothing locks")
		return -1
	}
	paths := func(a world.Account) map[string]func() world.Response {
		c, name := s.Bearer(a.Tokens.AccessToken), a.User.Username
		from := func(path string, body object) func() world.Response {
			return func() world.Response {
				s.sent++
				return c.Do(t, http.MethodPost, "/api/v1"+path, body, "X-Forwarded-For", fmt.Sprintf("10.1.%d.%d", s.sent>>8&255, s.sent&255))
			}
		}
		return map[string]func() world.Response{
			"login": func() world.Response { return s.post(t, "/auth/login", object{"login": name, "password": "wrong"}) },
			"login in capital": func() world.Response {
				return s.post(t, "/auth/login", object{"login": strings.ToUpper(name), "password": "wrong"})
			},
			"login by address": func() world.Response {
				return s.post(t, "/auth/login", object{"login": name + "@Example.org", "password": "wrong"})
			},
			"reauthenticate":  from("/auth/reauthenticate", object{"password": "wrong"}),
			"change-password": from("/users/me/change-password", object{"currentPassword": "wrong", "password": "eleven purple teapots"}),
		}
	}
	right := func(name string) world.Response {
		return s.post(t, "/auth/login", object{"login": name, "password": world.Password})
	}
	for path := range paths(world.Account{}) {
		name := strings.ReplaceAll(path, " ", "-")
		a := w.Account(t, name, domain.RoleUser)
		if _, err := w.Core.Account.Edit(t.Context(), domain.SystemActor(), a.User.ID, nil, edited(name+"@example.org")); err != nil {
			t.Fatal(err)
		}
		if n := try(t, paths(a)[path]); n != 5 {
			t.Errorf("%s: %d wrong passwords are looked at", path, n)
		}
		for other, ask := range paths(a) {
			if got := ask(); got.Status != http.StatusTooManyRequests {
				t.Errorf("after too many at %s, %s is answered with %d %s", path, other, got.Status, got.Body)
			}
		}
		if got := right(name); got.Status != http.StatusTooManyRequests {
			t.Errorf("after too many at %s the right password is answered with %d", path, got.Status)
		}
	}

	// Who has a passkey gets in while somebody tries passwords, and codes as well.
	zoe := w.Account(t, "zoe", domain.RoleUser)
	browser, codes := withPasskey(t, s, zoe)
	half := world.Decode[httpd.SignIn](t, right("zoe"), http.StatusOK)
	if half.Challenge == nil || half.AccessToken != "" {
		t.Fatalf("no second factor is asked for: %+v", half)
	}
	second := func(code string) world.Response {
		return s.post(t, "/auth/mfa/verify", object{"token": half.Challenge.Token, "method": "backup_code", "code": code})
	}
	if n := try(t, func() world.Response { return second("AAAA-AAAA-AAAA-AAAA-AAAA-AAAA") }); n != 5 {
		t.Errorf("%d wrong codes are looked at", n)
	}
	if got := second(codes[0]); got.Status != http.StatusTooManyRequests {
		t.Errorf("after too many wrong codes a right one is answered with %d", got.Status)
	}
	if n := try(t, paths(zoe)["login"]); n != 5 {
		t.Errorf("%d wrong passwords are looked at, whatever was tried with codes", n)
	}
	if got := passkeySignIn(t, s, browser); got.Status != http.StatusOK {
		t.Errorf("while the password is locked the passkey is answered with %d %s", got.Status, got.Body)
	}
}

// TestS4AnAddressHasTwentyFailuresOverAllInstances guesses at names from one household's network of IPv6 addresses.
func TestS4AnAddressHasTwentyFailuresOverAllInstances(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	w.User(t)
	servers := [2]*crowd{newCrowd(t, w), newCrowd(t, w.Beside(t))}
	login := func(i int, address, name, password string) world.Response {
		t.Helper()
		return servers[i%2].Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", object{"login": name, "password": password}, "X-Forwarded-For", address)
	}
	for i := range 20 {
		if got := login(i, fmt.Sprintf("2001:db8:1::%x", i+1), fmt.Sprint("nobody", i), "wrong"); got.Status != http.StatusUnauthorized {
			t.Fatalf("failure %d is answered with %d %s", i+1, got.Status, got.Body)
		}
	}
	for i := range servers {
		if got := login(i, "2001:db8:1::ffff", fmt.Sprint("somebody", i), "wrong"); got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" || got.Problem(t).Code != "auth.too_many_attempts" {
			t.Errorf("after twenty failures instance %d answers %d %s", i, got.Status, got.Body)
		}
		if got := login(i, "2001:db8:2::1", "ulf", world.Password); got.Status != http.StatusOK {
			t.Errorf("another household is answered with %d %s by instance %d", got.Status, got.Body, i)
		}
	}
}

func TestS6WhatIsHandedOutForOneThingOpensNothingElse(t *testing.T) {
	t.Parallel()
	w, _, _ := mailed(t)
	s := newCrowd(t, w)
	zoe := w.Account(t, "zoe", domain.RoleUser)
	_, codes := withPasskey(t, s, zoe)
	login := func() httpd.SignIn {
		return world.Decode[httpd.SignIn](t, s.post(t, "/auth/login", object{"login": "zoe", "password": world.Password}), http.StatusOK)
	}
	pending := login().Challenge.Token
	in := world.Decode[httpd.SignIn](t, s.post(t, "/auth/mfa/verify", object{"token": login().Challenge.Token, "method": "backup_code", "code": codes[0], "trustDevice": true}), http.StatusOK)
	if in.DeviceToken == "" {
		t.Fatal("there is no token of a trusted device")
	}
	for name, token := range map[string]string{"a refresh token": in.RefreshToken, "a pending sign-in": pending, "a trusted device": in.DeviceToken, "a backup code": codes[1]} {
		for as, got := range map[string]world.Response{
			"an access token":   s.Bearer(token).Get(t, "/users/me"),
			"an API key":        s.Key(token).Get(t, "/users/me"),
			"a stream's token":  s.Anonymous().Get(t, "/users/me?token="+token),
			"a session cookie":  s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", s.CookieName()+"="+token),
			"a password":        s.post(t, "/auth/login", object{"login": "zoe", "password": token}),
			"a code by mail":    s.post(t, "/auth/verify-email", object{"code": token}),
			"a code of a reset": s.post(t, "/auth/reset-password", object{"code": token, "password": "eleven purple teapots"}),
		} {
			if got.Status != http.StatusUnauthorized && got.Status != http.StatusUnprocessableEntity || got.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s as %s: %d %s", name, as, got.Status, got.Body)
			}
		}
		if name == "a refresh token" {
			continue
		}
		if got := s.post(t, "/auth/refresh", object{"refreshToken": token}); got.Status != http.StatusUnauthorized {
			t.Errorf("%s as a refresh token: %d %s", name, got.Status, got.Body)
		}
	}
	if got := s.post(t, "/auth/mfa/verify", object{"token": in.RefreshToken, "method": "backup_code", "code": codes[2]}); got.Status != http.StatusUnauthorized {
		t.Errorf("a refresh token as a pending sign-in: %d", got.Status)
	}
	if got := s.Bearer(in.AccessToken).Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Errorf("afterwards the access token is answered with %d: the others prove nothing", got.Status)
	}
}

func TestS6RotatedKeysSignNobodyOutOfAnyInstance(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	ulf := n.User(t)
	refreshed := func(i int, token string) httpd.Tokens {
		return world.Decode[httpd.Tokens](t, n.servers[i].Anonymous().Post(t, "/auth/refresh", object{"refreshToken": token}), http.StatusOK)
	}
	me := func(when string, want int, clients map[string]func(s *world.Server) world.Client) {
		t.Helper()
		for what, client := range clients {
			for i, s := range n.servers {
				if got := client(s).Get(t, "/users/me"); got.Status != want {
					t.Errorf("%s %s is answered with %d by instance %d: %s", when, what, got.Status, i, got.Body)
				}
			}
		}
	}
	bearer := func(token string) func(*world.Server) world.Client {
		return func(s *world.Server) world.Client { return s.Bearer(token) }
	}
	value := n.Auth.CookieFor(ulf.Session)
	cookie := func(s *world.Server) world.Client { return s.Cookie(value) }
	oldKeys := unsealed(t, n.World, "signing-keys")
	if err := n.Auth.RotateKeys(t.Context(), domain.SystemActor()); err != nil {
		t.Fatal(err)
	}
	if slices.Equal(oldKeys, unsealed(t, n.World, "signing-keys")) || n.Auth.CookieFor(ulf.Session) == value {
		t.Error("the keys are the old ones")
	}
	fresh := world.Decode[httpd.SignIn](t, n.servers[0].Anonymous().Post(t, "/auth/login", object{"login": "ulf", "password": world.Password}), http.StatusOK)
	me("after the rotation", http.StatusOK, map[string]func(*world.Server) world.Client{
		"the old access token": bearer(ulf.Tokens.AccessToken), "the old cookie": cookie, "a new access token": bearer(fresh.AccessToken),
	})
	n.pass(14 * time.Minute)
	me("shortly before its end", http.StatusOK, map[string]func(*world.Server) world.Client{"the old access token": bearer(ulf.Tokens.AccessToken)})
	n.pass(3 * time.Minute)
	me("after its end", http.StatusUnauthorized, map[string]func(*world.Server) world.Client{"the old access token": bearer(ulf.Tokens.AccessToken)})
	next := refreshed(1, refreshed(0, ulf.Tokens.RefreshToken).RefreshToken)
	me("after the end of the old tokens", http.StatusOK, map[string]func(*world.Server) world.Client{"the old cookie": cookie, "what the old refresh token led to": bearer(next.AccessToken)})
}

func TestS7EveryStepOfASignInBeginsANewSessionAndEndsTheOldOne(t *testing.T) {
	t.Parallel()
	w, _, _ := mailed(t)
	s := newCrowd(t, w)
	zoe := w.Account(t, "zoe", domain.RoleUser)
	c := s.Bearer(zoe.Tokens.AccessToken)
	dead := func(when string, session domain.ID, access, refresh string) {
		t.Helper()
		for what, got := range map[string]world.Response{
			"access token": s.Bearer(access).Get(t, "/users/me"), "refresh token": s.post(t, "/auth/refresh", object{"refreshToken": refresh}),
			"cookie": s.Cookie(w.Auth.CookieFor(domain.Session{ID: session})).Get(t, "/users/me"),
		} {
			if got.Status != http.StatusUnauthorized {
				t.Errorf("%s the old session's %s is answered with %d", when, what, got.Status)
			}
		}
	}
	again := world.Decode[httpd.SignIn](t, c.Post(t, "/auth/reauthenticate", object{"password": world.Password}), http.StatusOK)
	if again.Session.ID == zoe.Session.ID {
		t.Error("after a re-authentication the session has its old id")
	}
	dead("after a re-authentication", zoe.Session.ID, zoe.Tokens.AccessToken, zoe.Tokens.RefreshToken)
	zoe.Tokens.AccessToken = again.AccessToken
	_, codes := withPasskey(t, s, zoe)

	pending := world.Decode[httpd.SignIn](t, s.post(t, "/auth/login", object{"login": "zoe", "password": world.Password}), http.StatusOK)
	proof := object{"token": pending.Challenge.Token, "method": "backup_code", "code": codes[0]}
	in := world.Decode[httpd.SignIn](t, s.post(t, "/auth/mfa/verify", proof), http.StatusOK)
	if in.Session.ID == again.Session.ID || pending.Session != nil || !in.Session.MFAVerified {
		t.Errorf("the second factor opens %+v", in.Session)
	}
	proof["code"] = codes[1]
	if got := s.post(t, "/auth/mfa/verify", proof); got.Status != http.StatusUnauthorized {
		t.Errorf("a sign-in that was finished is finished again: %d", got.Status)
	}
	factor := world.Decode[httpd.SignIn](t, s.Bearer(in.AccessToken).Post(t, "/auth/reauthenticate", object{"method": "backup_code", "code": codes[2]}), http.StatusOK)
	if factor.Session.ID == in.Session.ID {
		t.Error("after a second factor the session has its old id")
	}
	dead("after a second factor", in.Session.ID, in.AccessToken, in.RefreshToken)
	if got := s.Bearer(factor.AccessToken).Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Errorf("the new session is answered with %d", got.Status)
	}
}

func TestS7WhoIsDisabledOrDeletedOnOneInstanceIsOutOfTheOther(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Postgres())
	film := screening(t, w, func(*library.Draft) {})
	film.settle(t, w)
	other := w.Beside(t).Serve(t)
	for name, end := range map[string]func(id domain.ID) error{
		"disabled": func(id domain.ID) error {
			_, err := w.Core.Account.SetDisabled(t.Context(), domain.SystemActor(), id, true)
			return err
		},
		"deleted": func(id domain.ID) error { return w.Core.Account.Delete(t.Context(), domain.SystemActor(), id) },
	} {
		a := w.Account(t, name, domain.RoleUser)
		bearer, browser := other.Bearer(a.Tokens.AccessToken), other.Browser(a)
		plan := world.Decode[playback.Plan](t, bearer.Post(t, "/movies/"+film.movie.ID.String()+"/playback", object{"capabilities": chromium, "urlToken": true}), http.StatusOK)
		address := plan.Selected.Parts[0].URL
		bare, _, _ := strings.Cut(address, "?")
		var playing []io.ReadCloser
		for _, r := range []*http.Request{other.Anonymous().Request(t, http.MethodGet, address, nil), browser.Request(t, http.MethodGet, bare, nil)} {
			answer, err := other.HTTP.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%s: %d, %v", r.URL, answer.StatusCode, err)
			}
			playing = append(playing, answer.Body)
		}
		if err := end(a.User.ID); err != nil {
			t.Fatal(err)
		}
		ended := time.Now()
		for what, ask := range map[string]func() world.Response{
			"the access token": func() world.Response { return bearer.Get(t, "/users/me") },
			"the cookie":       func() world.Response { return browser.Get(t, "/users/me") },
			"the next range": func() world.Response {
				return other.Anonymous().Do(t, http.MethodGet, address, nil, "Range", "bytes=0-9")
			},
			"the refresh token": func() world.Response {
				return other.Anonymous().Post(t, "/auth/refresh", object{"refreshToken": a.Tokens.RefreshToken})
			},
		} {
			if what == "the refresh token" { // the database says so at once; while it did not, a second try would be a replay
				if got := ask(); got.Status != http.StatusUnauthorized {
					t.Errorf("%s: %s is answered with %d", name, what, got.Status)
				}
				continue
			}
			world.Until(t, what+" of who was "+name+" is refused", func() bool { return ask().Status == http.StatusUnauthorized })
		}
		if took := time.Since(ended); took > beyond {
			t.Errorf("%s: it took %s", name, took)
		}
		world.Until(t, "the second passes", func() bool { return time.Since(ended) > 1500*time.Millisecond })
		for _, body := range playing {
			if n, err := io.Copy(io.Discard, body); err == nil {
				t.Errorf("%s: the film was served to its end: %d bytes more", name, n)
			}
		}
	}
}
