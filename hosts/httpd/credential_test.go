package httpd_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

// sessionCookie signs in as a browser does and returns the cookie.
func sessionCookie(t *testing.T, s *world.Server, login string) *http.Cookie {
	t.Helper()
	answer := s.Anonymous().Post(t, "/auth/login", map[string]any{"login": login, "password": world.Password, "cookie": true})
	in := world.Decode[httpd.SignIn](t, answer, http.StatusOK)
	if in.AccessToken != "" || in.RefreshToken != "" {
		t.Error("a browser got a token that a script could keep")
	}
	cookies := (&http.Response{Header: answer.Header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0]
}

func TestS8TheSessionCookieIsOutOfReachOfScriptsAndOtherSites(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]world.ServeOption{"revenge": nil, "__Host-revenge": {world.TLS()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world.New(t, world.Idle())
			s := w.Serve(t, options...)
			c := sessionCookie(t, s, w.User(t).User.Username)
			secure := strings.HasPrefix(name, "__Host-")
			if c.Name != name || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != secure {
				t.Errorf("the cookie is %+v", c)
			}
			if until := time.Until(c.Expires); until < 29*24*time.Hour || until > 31*24*time.Hour {
				t.Errorf("it lasts %s, not as long as the session", until)
			}
			if got := s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", c.Name+"="+c.Value); got.Status != http.StatusOK {
				t.Errorf("it signs nobody in: %d %s", got.Status, got.Body)
			}
			tampered := c.Value[:len(c.Value)-2] + "AA"
			if got := s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", c.Name+"="+tampered); got.Status != http.StatusUnauthorized {
				t.Errorf("a changed cookie is answered with %d", got.Status)
			}
			if hsts := s.Anonymous().Get(t, "/settings").Header.Get("Strict-Transport-Security"); (hsts != "") != secure {
				t.Errorf("Strict-Transport-Security is %q", hsts)
			}
		})
	}
}

func TestS8RequestsThatAnotherSiteCausedAreRefused(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	browser := s.Browser(w.User(t))
	form := func() *strings.Reader { return strings.NewReader("subtitleMode=off") }
	for name, header := range map[string][]string{
		"a form":                     {"Content-Type", "application/x-www-form-urlencoded"},
		"a form of plain text":       {"Content-Type", "text/plain"},
		"a body without a type":      {},
		"Sec-Fetch-Site: cross-site": {"Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"},
		"Sec-Fetch-Site: same-site":  {"Content-Type", "application/json", "Sec-Fetch-Site", "same-site"},
		"Origin: null":               {"Content-Type", "application/json", "Origin", "null"},
		"another origin":             {"Content-Type", "application/json", "Origin", "https://evil.example"},
	} {
		got := browser.Do(t, http.MethodPatch, "/api/v1/users/me/preferences", form(), header...)
		if got.Status != http.StatusForbidden || !strings.HasPrefix(got.Problem(t).Code, "csrf.") {
			t.Errorf("%s is answered with %d %s", name, got.Status, got.Body)
		}
	}
	if got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", form(), "Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"); got.Status != http.StatusForbidden {
		t.Errorf("another site may sign a browser in: %d", got.Status)
	}
	own := browser.Do(t, http.MethodPatch, "/api/v1/users/me/preferences", map[string]string{"subtitleMode": "off"}, "Origin", s.URL, "Sec-Fetch-Site", "same-origin")
	if p := world.Decode[domain.Preferences](t, own, http.StatusOK); p.SubtitleMode != "off" {
		t.Errorf("the own page changed nothing: %+v", p)
	}
	if got := browser.Get(t, "/users/me/preferences"); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other origins may read")
	}
}

// forged is a token with a header of the forger's choice.
func forged(t *testing.T, token string, header map[string]any, signature string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWS", token)
	}
	data, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data) + "." + parts[1] + "." + signature
}

func TestS6OnlyOwnAccessTokensOpenTheAPI(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, ann := w.Serve(t), w.Admin(t)
	good := ann.Tokens.AccessToken
	if got := s.Bearer(good).Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Fatalf("the right token is answered with %d", got.Status)
	}
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(good, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]any
	if err := json.Unmarshal(head, &header); err != nil {
		t.Fatal(err)
	}
	with := func(key string, value any) map[string]any {
		h := map[string]any{}
		for k, v := range header {
			h[k] = v
		}
		h[key] = value
		return h
	}
	signature := strings.Split(good, ".")[2]
	for name, token := range map[string]string{
		"alg none":                         forged(t, good, with("alg", "none"), ""),
		"alg None":                         forged(t, good, with("alg", "None"), signature),
		"another algorithm":                forged(t, good, with("alg", "HS512"), signature),
		"an asymmetric one":                forged(t, good, with("alg", "RS256"), signature),
		"a key id that is a path":          forged(t, good, with("kid", "../../secret"), signature),
		"another type":                     forged(t, good, with("typ", "JWT"), signature),
		"no signature":                     forged(t, good, header, ""),
		"the refresh token":                ann.Tokens.RefreshToken,
		"the cookie":                       w.Auth.CookieFor(ann.Session),
		"an empty one":                     "",
		"what is no token":                 "x",
		"a token with something behind it": good + ".x",
	} {
		got := s.Bearer(token).Get(t, "/users/me")
		if got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s is answered with %d %s", name, got.Status, got.Body)
		}
	}
	if got := s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Authorization", "Basic YW5uOng="); got.Problem(t).Code != "auth.unknown_scheme" {
		t.Errorf("Basic is answered with %s", got.Body)
	}
	if got := s.Anonymous().Post(t, "/auth/refresh", map[string]string{"refreshToken": good}); got.Status != http.StatusUnauthorized && got.Status != http.StatusUnprocessableEntity {
		t.Errorf("an access token refreshes: %d", got.Status)
	}
}

func TestS5ARefreshTokenIsUsedOnceAndItsReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	refresh := func(token string) world.Response {
		return s.Anonymous().Post(t, "/auth/refresh", map[string]string{"refreshToken": token})
	}
	first := w.User(t).Tokens
	second := world.Decode[httpd.Tokens](t, refresh(first.RefreshToken), http.StatusOK)
	third := world.Decode[httpd.Tokens](t, refresh(second.RefreshToken), http.StatusOK)
	if got := s.Bearer(third.AccessToken).Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Fatalf("the new access token is answered with %d", got.Status)
	}
	if got := refresh(first.RefreshToken); got.Status != http.StatusUnauthorized {
		t.Fatalf("a replay is answered with %d", got.Status)
	}
	if got := refresh(third.RefreshToken); got.Status != http.StatusUnauthorized {
		t.Errorf("after a replay the latest token is answered with %d", got.Status)
	}
	if got := s.Bearer(third.AccessToken).Get(t, "/users/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("after a replay the access token is answered with %d", got.Status)
	}
}

func TestS7ASessionThatEndsIsRefusedWithinASecondWhateverItWasShownBy(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, ulf := w.Serve(t), w.User(t)
	for name, end := range map[string]func(t *testing.T, of world.Client, id domain.ID){
		"logout": func(t *testing.T, of world.Client, _ domain.ID) { of.Post(t, "/auth/logout", nil) },
		"revoke": func(t *testing.T, _ world.Client, id domain.ID) {
			s.User(t).Do(t, http.MethodDelete, "/api/v1/sessions/"+id.String(), nil)
		},
		"revoke others": func(t *testing.T, _ world.Client, _ domain.ID) {
			s.User(t).Do(t, http.MethodDelete, "/api/v1/sessions?keepCurrent=true", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := world.Decode[httpd.SignIn](t, s.Anonymous().Post(t, "/auth/login", map[string]any{"login": ulf.User.Username, "password": world.Password}), http.StatusOK)
			bearer := s.Bearer(in.AccessToken)
			browser := s.Browser(world.Account{Session: *in.Session})
			for _, c := range []world.Client{bearer, browser} {
				if got := c.Get(t, "/users/me"); got.Status != http.StatusOK {
					t.Fatalf("before it ended: %d", got.Status)
				}
			}
			end(t, bearer, in.Session.ID)
			ended := time.Now()
			for _, c := range []world.Client{bearer, browser} {
				world.Until(t, "the session is refused", func() bool { return c.Get(t, "/users/me").Status == http.StatusUnauthorized })
			}
			if took := time.Since(ended); took > 5*time.Second { // a second, and the time that a busy machine takes to ask
				t.Errorf("it took %s", took)
			}
			if got := s.Anonymous().Post(t, "/auth/refresh", map[string]string{"refreshToken": in.RefreshToken}); got.Status != http.StatusUnauthorized {
				t.Errorf("its refresh token is answered with %d", got.Status)
			}
		})
	}
	if got := s.User(t).Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Errorf("the session that asked for it ended too: %d", got.Status)
	}
	listed := world.Decode[struct{ Items []httpd.SessionItem }](t, s.User(t).Get(t, "/sessions"), http.StatusOK)
	current := 0
	for _, item := range listed.Items {
		if item.Current {
			current++
		}
	}
	if current != 1 {
		t.Errorf("%d of %d sessions are the current one", current, len(listed.Items))
	}
}

func TestS7ADisabledAccountIsOutAtOnce(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, ulf := w.Serve(t), w.User(t)
	if got := s.User(t).Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	if _, err := w.Core.Account.SetDisabled(t.Context(), w.Admin(t).Actor, ulf.User.ID, true); err != nil {
		t.Fatal(err)
	}
	world.Until(t, "the account is out", func() bool { return s.User(t).Get(t, "/users/me").Status == http.StatusUnauthorized })
	if got := s.Anonymous().Post(t, "/auth/login", map[string]any{"login": "ulf", "password": world.Password}); got.Problem(t).Code != "auth.invalid_credentials" {
		t.Errorf("signing in says %s", got.Body)
	}
}

func TestS31OfManyClaimsOneMakesTheOwner(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	if p := world.Decode[httpd.PublicSettings](t, s.Anonymous().Get(t, "/settings"), http.StatusOK); !p.SetupRequired {
		t.Fatal("an empty server needs no set-up")
	}
	code, err := w.Auth.ClaimCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Anonymous().Post(t, "/setup/check", map[string]string{"code": "AAAA-BBBB"}); got.Problem(t).Code != "setup.wrong_code" {
		t.Errorf("a wrong code: %s", got.Body)
	}
	if got := s.Anonymous().Post(t, "/setup/check", map[string]string{"code": code}); got.Status != http.StatusNoContent {
		t.Errorf("the right code: %d %s", got.Status, got.Body)
	}
	const claims = 4 // TestS31OneOfFiftyClaimsOwnsTheServer has more, over two instances
	statuses := make([]int, claims)
	var all sync.WaitGroup
	for i := range claims {
		all.Go(func() {
			body := map[string]any{"code": code, "username": "owner" + string(rune('a'+i%26)) + string(rune('a'+i/26)), "password": world.Password, "cookie": i%2 == 0}
			statuses[i] = s.Anonymous().Post(t, "/setup/claim", body).Status
		})
	}
	all.Wait()
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}
	if counts[http.StatusCreated] != 1 || counts[http.StatusCreated]+counts[http.StatusNotFound]+counts[http.StatusForbidden] != claims {
		t.Errorf("the answers are %v", counts)
	}
	if users, err := w.Store.Read().Users.List(t.Context(), domain.UserFilter{}, domain.PageRequest{}); err != nil || len(users.Items) != 1 {
		t.Errorf("there are %d accounts, %v", len(users.Items), err)
	}
	for path, body := range map[string]any{"/setup/check": map[string]string{"code": code}, "/setup/claim": map[string]any{"code": code, "username": "late", "password": world.Password}} {
		if got := s.Anonymous().Post(t, path, body); got.Status != http.StatusNotFound || got.Problem(t).Code != "setup.done" {
			t.Errorf("afterwards %s is answered with %d %s", path, got.Status, got.Body)
		}
	}
	if p := world.Decode[httpd.PublicSettings](t, s.Anonymous().Get(t, "/settings"), http.StatusOK); p.SetupRequired {
		t.Error("set-up is still said to be needed")
	}
	if _, err := w.Auth.ClaimCode(t.Context()); !fault.IsNotFound(err) {
		t.Errorf("there still is a code: %v", err)
	}
}

func TestSigningInTellsNothingOfWhoThereIs(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	w.User(t)
	off := w.Account(t, "olaf", domain.RoleUser)
	if _, err := w.Core.Account.SetDisabled(t.Context(), w.Admin(t).Actor, off.User.ID, true); err != nil {
		t.Fatal(err)
	}
	answers := map[string]bool{}
	for _, try := range [][2]string{{"ulf", "a wrong password"}, {"olaf", world.Password}, {"olaf", "a wrong password"}, {"nobody", world.Password}, {"ULF", "a wrong password"}} {
		got := s.Anonymous().Post(t, "/auth/login", map[string]any{"login": try[0], "password": try[1]})
		if got.Status != http.StatusUnauthorized {
			t.Errorf("%v: %d %s", try, got.Status, got.Body)
		}
		body := plain(t, got)
		for _, varies := range []string{"Date", "X-Request-Id", "Content-Length"} {
			got.Header.Del(varies)
		}
		header, err := json.Marshal(got.Header)
		if err != nil {
			t.Fatal(err)
		}
		answers[string(header)+body] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
}

func TestS1AWeakPasswordIsToldByItsField(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	code, err := w.Auth.ClaimCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	claim := func(password string) world.Response {
		return s.Anonymous().Post(t, "/setup/claim", map[string]any{"code": code, "username": "ann", "password": password})
	}
	for _, weak := range []string{"fourteen chars", "passwordpassword", "annannannannannann"} {
		p := claim(weak).Problem(t)
		if p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Path != "body.password" {
			t.Errorf("%q: %+v", weak, p)
		}
	}
	// The longest that is taken, all of it: no part of it opens the account.
	long := strings.Repeat("längste Wörter ", 60) + "!"
	if got := claim(long); got.Status != http.StatusCreated {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for password, status := range map[string]int{long: http.StatusOK, long[:len(long)-1]: http.StatusUnauthorized, long[:72]: http.StatusUnauthorized} {
		if got := s.Anonymous().Post(t, "/auth/login", map[string]any{"login": "ann", "password": password}); got.Status != status {
			t.Errorf("%d bytes: %d", len(password), got.Status)
		}
	}
}
