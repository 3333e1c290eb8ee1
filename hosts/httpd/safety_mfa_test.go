package httpd_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/mfa"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/passkey"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/oidctest"
	"github.com/revenge-media/revenge/testkit/passkeytest"
	"github.com/revenge-media/revenge/testkit/world"
)

// factors are somebody with second factors, and what they hold.
type factors struct {
	*instances
	user   domain.User
	secret string // of the authenticator app
	codes  []string
}

var device = domain.Client{IP: "192.0.2.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

// open signs an account in that shows no second factor, by no password, which takes long.
func (n *instances) open(t *testing.T, user domain.ID, o auth.Options) auth.Outcome {
	t.Helper()
	outcome, err := n.Auth.Open(t.Context(), user, domain.SignInOIDC, device, o)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

// shown is a session that saw a second factor.
func (n *instances) shown(t *testing.T, user domain.ID) auth.SignedIn {
	t.Helper()
	return *n.open(t, user, auth.Options{SecondFactorShown: true}).SignedIn
}

// enrolled makes an account, gives it an authenticator app over HTTP and lets the code of that pass.
func (n *instances) enrolled(t *testing.T, name string) *factors {
	t.Helper()
	f := &factors{instances: n, user: n.person(t, name)}
	c := n.servers[0].Bearer(n.open(t, f.user.ID, auth.Options{}).SignedIn.Tokens.AccessToken)
	f.secret = world.Decode[httpd.TOTPSetup](t, c.Post(t, "/mfa/totp/setup", nil), http.StatusOK).Secret
	f.codes = world.Decode[httpd.FactorAdded](t, c.Post(t, "/mfa/totp/verify", object{"code": f.code(t)}), http.StatusOK).BackupCodes
	n.pass(30 * time.Second)
	return f
}

// code is what the app shows.
func (f *factors) code(t *testing.T) string {
	t.Helper()
	code, err := totp.GenerateCode(f.secret, f.now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// pending is the token of a sign-in that waits for the second factor.
func (f *factors) pending(t *testing.T) string {
	t.Helper()
	outcome := f.open(t, f.user.ID, auth.Options{})
	if outcome.Challenge == nil || outcome.SignedIn != nil {
		t.Fatal("no second factor is asked for")
	}
	return outcome.Challenge.Token
}

// verify shows a code for a sign-in that waits.
func verify(t *testing.T, c world.Client, token string, method domain.FactorMethod, code string) world.Response {
	t.Helper()
	return c.Post(t, "/auth/mfa/verify", object{"token": token, "method": method, "code": code})
}

// wantNoTokens fails the test where an answer that is no sign-in gives anything to act by.
func wantNoTokens(t *testing.T, what string, a world.Response) {
	t.Helper()
	var in httpd.SignIn
	_ = json.Unmarshal(a.Body, &in)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == "revenge" && c.MaxAge >= 0 && c.Value != "" {
			t.Errorf("%s sets a session's cookie", what)
		}
	}
	if in.AccessToken != "" || in.RefreshToken != "" || in.Session != nil || in.User != nil {
		t.Errorf("%s lets in: %d %s", what, a.Status, a.Body)
	}
}

func TestS11ACodeOfAnAppOpensOneSessionForItsOwnerInTime(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna, bert := n.enrolled(t, "anna"), n.enrolled(t, "bert")
	tokens := make([]string, 20)
	for i := range tokens {
		tokens[i] = anna.pending(t)
	}
	code := anna.code(t)
	one(t, n.atOnce(len(tokens), func(i int, c world.Client) world.Response {
		return verify(t, c, tokens[i], domain.FactorTOTP, code)
	}), http.StatusOK, http.StatusUnauthorized, http.StatusTooManyRequests)
	n.pass(25 * time.Hour) // the failures are forgotten, and so are those sign-ins

	// A sign-in waits for its owner's code, which another's use does not spend.
	a, b := n.servers[0].Anonymous(), n.servers[1].Anonymous()
	hers, his := anna.pending(t), bert.pending(t)
	if got := verify(t, a, his, domain.FactorTOTP, anna.code(t)); got.Status != http.StatusUnauthorized {
		t.Errorf("her code for his sign-in is answered with %d", got.Status)
	}
	in := world.Decode[httpd.SignIn](t, verify(t, b, hers, domain.FactorTOTP, anna.code(t)), http.StatusOK)
	if in.User.ID != anna.user.ID || !in.Session.MFAVerified {
		t.Errorf("got %+v, %+v", in.User, in.Session)
	}
	n.pass(time.Minute)
	if got := verify(t, a, hers, domain.FactorTOTP, anna.code(t)); got.Status != http.StatusUnauthorized || got.Problem(t).Code != "auth.challenge_invalid" {
		t.Errorf("a sign-in is finished twice: %d %s", got.Status, got.Body)
	}

	// What waits is no credential.
	for what, got := range map[string]world.Response{
		"an access token": n.servers[0].Bearer(his).Get(t, "/users/me"),
		"a cookie":        a.Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", "revenge="+his),
		"a refresh token": a.Post(t, "/auth/refresh", object{"refreshToken": his}),
		"an API key":      n.servers[0].Key(his).Get(t, "/users/me"),
	} {
		if got.Status != http.StatusUnauthorized {
			t.Errorf("a sign-in that waits passes for %s: %d", what, got.Status)
		}
	}
	n.pass(4 * time.Minute)
	if got := verify(t, b, his, domain.FactorTOTP, bert.code(t)); got.Status != http.StatusUnauthorized || got.Problem(t).Code != "auth.challenge_invalid" {
		t.Errorf("after five minutes it still waits: %d %s", got.Status, got.Body)
	}

	// Guessing ends for a while, on both, for this account, and goes on counting when its owner asks for a new sign-in.
	n.pass(25 * time.Hour)
	for i := range 5 {
		if got := verify(t, n.servers[i%2].Anonymous(), bert.pending(t), domain.FactorTOTP, "000 000"); got.Status != http.StatusUnauthorized {
			t.Fatalf("wrong code %d is answered with %d %s", i+1, got.Status, got.Body)
		}
	}
	for _, c := range []world.Client{a, b} {
		if got := verify(t, c, bert.pending(t), domain.FactorTOTP, bert.code(t)); got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
			t.Errorf("after five wrong codes: %d %v", got.Status, got.Header)
		}
		if got := verify(t, c, bert.pending(t), domain.FactorBackupCode, bert.codes[0]); got.Status != http.StatusTooManyRequests {
			t.Errorf("a backup code after five wrong codes: %d", got.Status)
		}
	}
	if got := verify(t, a, anna.pending(t), domain.FactorTOTP, anna.code(t)); got.Status != http.StatusOK {
		t.Errorf("somebody else is kept out: %d %s", got.Status, got.Body)
	}
	n.pass(time.Minute)
	if got := verify(t, b, bert.pending(t), domain.FactorTOTP, bert.code(t)); got.Status != http.StatusOK {
		t.Errorf("he is kept out for good: %d %s", got.Status, got.Body)
	}
}

func TestS13ABackupCodeIsGoodOnceHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna := n.enrolled(t, "anna")
	typed := []string{anna.codes[0], strings.ToLower(anna.codes[0]), strings.ReplaceAll(anna.codes[0], "-", ""), strings.ReplaceAll(anna.codes[0], "-", " ")}
	if len(anna.codes) != 10 || len(typed[2]) != 24 || len(typed[0]) != 29 {
		t.Fatalf("the codes are %v", anna.codes)
	}
	tokens := make([]string, 50)
	for i := range tokens {
		tokens[i] = anna.pending(t)
	}
	one(t, n.atOnce(len(tokens), func(i int, c world.Client) world.Response {
		return verify(t, c, tokens[i], domain.FactorBackupCode, typed[i/2%len(typed)])
	}), http.StatusOK, http.StatusUnauthorized, http.StatusTooManyRequests)
	n.pass(25 * time.Hour)

	for i, form := range []string{strings.ToLower(anna.codes[1]), strings.ReplaceAll(anna.codes[2], "-", "  ")} {
		if got := verify(t, n.servers[i].Anonymous(), anna.pending(t), domain.FactorBackupCode, form); got.Status != http.StatusOK {
			t.Errorf("%q is answered with %d %s", form, got.Status, got.Body)
		}
	}
	c := n.servers[0].Bearer(n.shown(t, anna.user.ID).Tokens.AccessToken)
	if status := world.Decode[domain.MFAStatus](t, c.Get(t, "/mfa/status"), http.StatusOK); status.BackupCodesRemaining != 7 {
		t.Errorf("%d codes remain", status.BackupCodesRemaining)
	}
	if got := c.Post(t, "/mfa/backup-codes/generate", nil); got.Status != http.StatusConflict {
		t.Errorf("a set is replaced unasked: %d", got.Status)
	}
	renewed := world.Decode[httpd.BackupCodes](t, c.Post(t, "/mfa/backup-codes/regenerate", nil), http.StatusOK).Codes
	for what, try := range map[string]struct {
		code string
		want int
	}{"an old one": {anna.codes[5], http.StatusUnauthorized}, "a used one": {anna.codes[1], http.StatusUnauthorized}, "a new one": {renewed[0], http.StatusOK}} {
		if got := verify(t, n.servers[1].Anonymous(), anna.pending(t), domain.FactorBackupCode, try.code); got.Status != try.want {
			t.Errorf("%s is answered with %d", what, got.Status)
		}
	}
}

func TestS15ATrustedDeviceWaivesItsOwnersSecondFactorAndNothingElse(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna, bert := n.enrolled(t, "anna"), n.enrolled(t, "bert")
	c := n.servers[0].Anonymous()
	login := func(s *world.Server, name, password string, header ...string) world.Response {
		return s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", object{"login": name, "password": password, "cookie": true}, header...)
	}
	answer := c.Post(t, "/auth/mfa/verify", object{"token": anna.pending(t), "method": "totp", "code": anna.code(t), "trustDevice": true, "cookie": true})
	in := world.Decode[httpd.SignIn](t, answer, http.StatusOK)
	var trusted *http.Cookie
	for _, cookie := range (&http.Response{Header: answer.Header}).Cookies() {
		if cookie.Name == "revenge-device" {
			trusted = cookie
		}
	}
	if trusted == nil || in.DeviceToken != "" || len(trusted.Value) < 43 || !trusted.HttpOnly || trusted.SameSite == http.SameSiteNoneMode || trusted.Expires.After(n.now().Add(30*24*time.Hour+time.Minute)) {
		t.Fatalf("the device's cookie is %+v, %q", trusted, in.DeviceToken)
	}
	cookie := []string{"Cookie", trusted.Name + "=" + trusted.Value}
	for what, try := range map[string]struct {
		answer world.Response
		in     bool
	}{
		"hers":                 {login(n.servers[0], "anna", world.Password, cookie...), true},
		"on the other server":  {login(n.servers[1], "anna@example.org", world.Password, cookie...), true},
		"in his hands":         {login(n.servers[0], "bert", world.Password, cookie...), false},
		"sent as a text":       {c.Post(t, "/auth/login", object{"login": "bert", "password": world.Password, "deviceToken": trusted.Value}), false},
		"with one bit changed": {login(n.servers[0], "anna", world.Password, "Cookie", trusted.Name+"=A"+trusted.Value[1:]+"A"), false},
	} {
		in := world.Decode[httpd.SignIn](t, try.answer, http.StatusOK)
		if (in.User != nil) != try.in || (in.Challenge == nil) != try.in {
			t.Errorf("the cookie %s: %s", what, try.answer.Body)
		}
		if !try.in {
			wantNoTokens(t, "the cookie "+what, try.answer)
		} else if in.Session.MFAVerified {
			t.Errorf("the cookie %s passes for a second factor", what)
		}
	}
	if got := login(n.servers[0], "anna", "wrong", cookie...); got.Status != http.StatusUnauthorized {
		t.Errorf("it stands for the password: %d", got.Status)
	}
	if got := c.Do(t, http.MethodGet, "/api/v1/users/me", nil, cookie...); got.Status != http.StatusUnauthorized {
		t.Errorf("it stands for a session: %d", got.Status)
	}
	// A session on it changes no factor before one is shown.
	waived := n.servers[0].Bearer(n.open(t, anna.user.ID, auth.Options{DeviceToken: trusted.Value}).SignedIn.Tokens.AccessToken)
	for _, try := range [][2]string{{http.MethodDelete, "/mfa/totp"}, {http.MethodPost, "/mfa/disable"}, {http.MethodPost, "/mfa/backup-codes/regenerate"}, {http.MethodPost, "/mfa/totp/setup"}} {
		if got := waived.Do(t, try[0], "/api/v1"+try[1], nil); got.Status != http.StatusForbidden || got.Problem(t).Code != mfa.CodeShow {
			t.Errorf("%s on a trusted device: %d %s", try[1], got.Status, got.Body)
		}
	}
	// The password again makes it fresh and no more than it was.
	renewed := world.Decode[httpd.SignIn](t, waived.Post(t, "/auth/reauthenticate", object{"password": world.Password}), http.StatusOK)
	waived = n.servers[0].Bearer(renewed.AccessToken)
	if got := waived.Do(t, http.MethodDelete, "/api/v1/mfa/totp", nil); renewed.Session.MFAVerified || got.Status != http.StatusForbidden || got.Problem(t).Code != mfa.CodeShow {
		t.Errorf("a password on a trusted device passes for a second factor: %+v, %d %s", renewed.Session, got.Status, got.Body)
	}
	// Revoked, and after thirty days, it is as any other.
	list := world.Decode[struct{ Items []domain.TrustedDevice }](t, waived.Get(t, "/mfa/trusted-devices"), http.StatusOK).Items
	if len(list) != 1 {
		t.Fatalf("got %+v", list)
	}
	his := n.servers[1].Bearer(n.shown(t, bert.user.ID).Tokens.AccessToken)
	if got := his.Do(t, http.MethodDelete, "/api/v1/mfa/trusted-devices/"+list[0].ID.String(), nil); got.Status != http.StatusNotFound {
		t.Errorf("he revokes her device: %d", got.Status)
	}
	if got := waived.Do(t, http.MethodDelete, "/api/v1/mfa/trusted-devices/"+list[0].ID.String(), nil); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if outcome := n.open(t, anna.user.ID, auth.Options{DeviceToken: trusted.Value}); outcome.SignedIn != nil {
		t.Error("a revoked device is trusted")
	}
	n.pass(time.Minute)
	again := world.Decode[httpd.SignIn](t, c.Post(t, "/auth/mfa/verify", object{"token": anna.pending(t), "method": "totp", "code": anna.code(t), "trustDevice": true}), http.StatusOK).DeviceToken
	if outcome := n.open(t, anna.user.ID, auth.Options{DeviceToken: again}); outcome.SignedIn == nil {
		t.Error("a device's token is not trusted")
	}
	for table, rows := range (&household{Server: n.servers[0]}).snapshot(t) {
		for _, token := range append([]string{again, trusted.Value}, anna.codes...) { // of 256 random bits, and as good as passwords
			if strings.Contains(strings.Join(rows, "\n"), token) || len(token) < 29 {
				t.Errorf("%s says a device's token or a backup code", table)
			}
		}
	}
	n.pass(30 * 24 * time.Hour)
	if outcome := n.open(t, anna.user.ID, auth.Options{DeviceToken: again}); outcome.SignedIn != nil {
		t.Error("it is trusted for more than thirty days")
	}
}

// asPasskey registers a browser's passkey for an account under publicURL.
func (n *instances) asPasskey(t *testing.T, user domain.User, b *passkeytest.Browser) {
	t.Helper()
	c := n.servers[0].Bearer(n.shown(t, user.ID).Tokens.AccessToken)
	asked := world.Decode[httpd.Ceremony](t, c.Post(t, "/mfa/webauthn/register/begin", object{"passwordless": true}), http.StatusOK)
	world.Decode[httpd.PasskeyAdded](t, c.Post(t, "/mfa/webauthn/register/finish", object{"challengeId": asked.ChallengeID, "credential": b.Create(t, asked.Options), "name": "key"}), http.StatusCreated)
}

func TestS12APasskeyAnswersItsOwnSiteOnceByWhoeverUnlockedIt(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	a, b := n.servers[0].Anonymous(), n.servers[1].Anonymous()

	// Under an IP address there are none, and everybody is told why.
	if p := world.Decode[httpd.PublicSettings](t, a.Get(t, "/settings"), http.StatusOK).Passkeys; p.Available || p.Reason == "" {
		t.Errorf("without an address of its own it says %+v", p)
	}
	change(t, n.World, settings.PublicURL.Name(), `"https://192.0.2.1"`)
	if p := world.Decode[httpd.PublicSettings](t, a.Get(t, "/settings"), http.StatusOK).Passkeys; p.Available || !strings.Contains(p.Reason, "IP address") {
		t.Errorf("under an IP address it says %+v", p)
	}
	if got := a.Post(t, "/mfa/webauthn/login/begin", object{}); got.Status != http.StatusConflict || !strings.Contains(got.Problem(t).Detail, "IP address") {
		t.Errorf("under an IP address: %d %s", got.Status, got.Body)
	}
	change(t, n.World, settings.PublicURL.Name(), `"`+publicURL+`"`)
	world.Until(t, "the other server knows its address", func() bool {
		return world.Decode[httpd.PublicSettings](t, b.Get(t, "/settings"), http.StatusOK).Passkeys.RPID == "movies.example.org"
	})

	site := passkey.RelyingParty{ID: "movies.example.org", Name: "Revenge", Origin: publicURL}
	anna, bert := n.person(t, "anna"), n.person(t, "bert")
	hers, his := passkeytest.NewBrowser(site), passkeytest.NewBrowser(site)
	n.asPasskey(t, anna, hers)
	n.asPasskey(t, bert, his)

	begin := func(c world.Client, token string) httpd.Ceremony {
		t.Helper()
		return world.Decode[httpd.Ceremony](t, c.Post(t, "/mfa/webauthn/login/begin", but(object{}, tokenField(token))), http.StatusOK)
	}
	finish := func(c world.Client, id, token string, credential json.RawMessage) world.Response {
		t.Helper()
		return c.Post(t, "/mfa/webauthn/login/finish", but(object{"challengeId": id, "credential": credential}, tokenField(token)))
	}
	waiting := func() string { return n.open(t, anna.ID, auth.Options{}).Challenge.Token }
	good := func(what, token string) {
		t.Helper()
		asked := begin(a, token)
		answer := hers.Show(t, asked.Options)
		in := world.Decode[httpd.SignIn](t, finish(b, asked.ChallengeID, token, answer), http.StatusOK)
		if in.User == nil || in.User.ID != anna.ID || !in.Session.MFAVerified || in.AccessToken == "" {
			t.Errorf("%s: got %+v", what, in)
		}
		for _, c := range []world.Client{a, b} {
			if got := finish(c, asked.ChallengeID, token, answer); got.Status != http.StatusUnauthorized {
				t.Errorf("%s, an answer again: %d %s", what, got.Status, got.Body)
			}
		}
		asked = begin(a, "")
		if got := finish(a, asked.ChallengeID, "", answer); got.Status != http.StatusUnauthorized {
			t.Errorf("%s, an answer to another question: %d %s", what, got.Status, got.Body)
		}
	}
	good("without a user name", "")
	good("as a second factor", waiting())

	for _, way := range []string{"without a user name", "as a second factor"} {
		for what, spoil := range map[string]func(b *passkeytest.Browser){
			"another origin":             func(b *passkeytest.Browser) { b.Site.Origin = "https://evil.example" },
			"another port":               func(b *passkeytest.Browser) { b.Site.Origin = publicURL + ":8443" },
			"plain HTTP":                 func(b *passkeytest.Browser) { b.Site.Origin = "http://movies.example.org" },
			"another site":               func(b *passkeytest.Browser) { b.Site.ID = "example.org" },
			"nobody unlocked it":         func(b *passkeytest.Browser) { b.Unverified = true },
			"a counter that went back":   func(b *passkeytest.Browser) { b.Key.Counter -= 2 },
			"a counter that stood":       func(b *passkeytest.Browser) { b.Key.Counter-- },
			"another's passkey":          func(b *passkeytest.Browser) { b.Key = his.Key },
			"one that nobody registered": func(b *passkeytest.Browser) { b.Key = passkeytest.NewKey() },
			"another's handle":           func(b *passkeytest.Browser) { b.Handle = his.Handle },
		} {
			token := ""
			if way == "as a second factor" {
				token = waiting()
			}
			spoiled := *hers
			spoil(&spoiled)
			asked := begin(a, token)
			answer := finish(b, asked.ChallengeID, token, spoiled.Show(t, asked.Options))
			if answer.Status < 400 || answer.Status > 499 {
				t.Errorf("%s, %s: %d %s", way, what, answer.Status, answer.Body)
			}
			wantNoTokens(t, way+", "+what, answer)
		}
	}
	// A question is of one sign-in: neither a free one for hers answered by him, nor one of another sign-in.
	his.Key.Counter += 10
	hers.Key.Counter += 10
	for what, c := range map[string]struct {
		asked, answered string
		by              *passkeytest.Browser
	}{
		"his answer to anybody's question for her sign-in": {"", waiting(), his}, "her answer to her sign-in's question without it": {waiting(), "", hers},
		"his answer to her question without her sign-in": {waiting(), "", his}, "her answer for his sign-in": {waiting(), n.open(t, bert.ID, auth.Options{}).Challenge.Token, hers},
	} {
		asked := begin(a, c.asked)
		got := finish(b, asked.ChallengeID, c.answered, c.by.Show(t, asked.Options))
		if got.Status < 400 || got.Status > 499 {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
		wantNoTokens(t, what, got)
	}
	// A question is answered once, also by a passkey that does not count, and even if the first answer was wrong.
	cora, uncounted := n.person(t, "cora"), passkeytest.NewBrowser(site)
	n.asPasskey(t, cora, uncounted)
	show := func(asked httpd.Ceremony) json.RawMessage {
		uncounted.Key.Counter = ^uint32(0) // Show adds one
		return uncounted.Show(t, asked.Options)
	}
	asked := begin(a, "")
	answer := show(asked)
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusUnauthorized} {
		if got := finish([]world.Client{a, a, b}[i], asked.ChallengeID, "", answer); got.Status != want {
			t.Errorf("use %d of an answer without a count: %d %s", i+1, got.Status, got.Body)
		}
	}
	asked = begin(a, "")
	uncounted.Site.Origin = "https://evil.example"
	wrong := show(asked)
	uncounted.Site.Origin = publicURL
	for i, credential := range []json.RawMessage{wrong, show(asked)} {
		if got := finish(a, asked.ChallengeID, "", credential); got.Status < 400 || got.Status > 499 {
			t.Errorf("answer %d to a question that was answered wrongly: %d %s", i+1, got.Status, got.Body)
		}
	}
	asked = begin(a, "")
	answer = hers.Show(t, asked.Options)
	n.pass(5 * time.Minute)
	if got := finish(b, asked.ChallengeID, "", answer); got.Status != http.StatusUnauthorized {
		t.Errorf("after five minutes: %d", got.Status)
	}
	// Who guesses her password keeps her from nothing (S4).
	for range 5 {
		signIn(t, n.servers[0], "anna", "wrong")
	}
	if got := signIn(t, n.servers[1], "anna", world.Password); got != http.StatusTooManyRequests {
		t.Errorf("after five wrong passwords the right one is answered with %d", got)
	}
	good("while her password is closed", "")
}

func tokenField(token string) object {
	if token == "" {
		return object{}
	}
	return object{"token": token}
}

func TestS9WhoeverChangesSecondFactorsIsTheOnlyOneLeft(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	change(t, n.World, settings.PublicURL.Name(), `"`+publicURL+`"`)
	anna := n.enrolled(t, "anna")
	site := passkey.RelyingParty{ID: "movies.example.org", Name: "Revenge", Origin: publicURL}
	steps := []struct {
		name string
		do   func(c world.Client) world.Response
	}{
		{"another app", func(c world.Client) world.Response {
			anna.secret = world.Decode[httpd.TOTPSetup](t, c.Post(t, "/mfa/totp/setup", nil), http.StatusOK).Secret
			return c.Post(t, "/mfa/totp/verify", object{"code": anna.code(t)})
		}},
		{"a passkey", func(c world.Client) world.Response {
			asked := world.Decode[httpd.Ceremony](t, c.Post(t, "/mfa/webauthn/register/begin", object{}), http.StatusOK)
			return c.Post(t, "/mfa/webauthn/register/finish", object{"challengeId": asked.ChallengeID, "credential": passkeytest.NewBrowser(site).Create(t, asked.Options)})
		}},
		{"new backup codes", func(c world.Client) world.Response { return c.Post(t, "/mfa/backup-codes/regenerate", nil) }},
		{"no app", func(c world.Client) world.Response { return c.Do(t, http.MethodDelete, "/api/v1/mfa/totp", nil) }},
		{"none asked for", func(c world.Client) world.Response { return c.Post(t, "/mfa/disable", nil) }},
		{"one asked for again", func(c world.Client) world.Response { return c.Post(t, "/mfa/enable", nil) }},
		{"no passkey", func(c world.Client) world.Response {
			list := world.Decode[struct{ Items []domain.Passkey }](t, c.Get(t, "/mfa/webauthn/credentials"), http.StatusOK).Items
			return c.Do(t, http.MethodDelete, "/api/v1/mfa/webauthn/credentials/"+list[0].ID.String(), nil)
		}},
	}
	for _, step := range steps {
		here, there := n.shown(t, anna.user.ID), n.shown(t, anna.user.ID)
		err := n.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			_, err := n.MFA.TrustDevice(ctx, tx, anna.user.ID, device)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c, other := n.servers[0].Bearer(here.Tokens.AccessToken), n.servers[1].Bearer(there.Tokens.AccessToken)
		if got := other.Get(t, "/users/me"); got.Status != http.StatusOK {
			t.Fatal(got.Status)
		}
		// Not by who came in long ago.
		n.pass(6 * time.Minute)
		if got := c.Post(t, "/mfa/totp/setup", nil); got.Status != http.StatusForbidden || got.Problem(t).Code != "auth.reauthentication_required" {
			t.Errorf("%s: after six minutes it is answered with %d %s", step.name, got.Status, got.Body)
		}
		n.pass(-6 * time.Minute)
		if got := step.do(c); got.Status >= 300 {
			t.Fatalf("%s is answered with %d %s", step.name, got.Status, got.Body)
		}
		world.Until(t, "the other session ends", func() bool { return other.Get(t, "/users/me").Status == http.StatusUnauthorized })
		if got := n.servers[1].Anonymous().Post(t, "/auth/refresh", object{"refreshToken": there.Tokens.RefreshToken}); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: the other refresh token is answered with %d", step.name, got.Status)
		}
		if got := c.Get(t, "/mfa/trusted-devices"); got.Status != http.StatusOK || strings.Contains(string(got.Body), `"id"`) {
			t.Errorf("%s: devices are still trusted, or the own session ended: %d %s", step.name, got.Status, got.Body)
		}
	}
}

func TestWhoMustHaveASecondFactorDoesNothingBeforeAndEverythingAfter(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	ulf := n.person(t, "ulf")
	s := n.servers[0]
	in := *n.open(t, ulf.ID, auth.Options{}).SignedIn
	c := s.Bearer(in.Tokens.AccessToken)
	if got := c.Get(t, "/movies"); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	change(t, n.World, settings.MFARequiredRoles.Name(), `["user"]`)
	if got := n.open(t, ulf.ID, auth.Options{}).SignedIn; got == nil || !got.Actor.MustEnrol {
		t.Fatalf("signing in is not answered with what is missing: %+v", got)
	}
	// What pages need to say what is missing, in one's own language.
	meanwhile := []string{"GET /api/v1/users/me", "GET /api/v1/users/me/preferences"}
	tried := 0
	for _, route := range slices.Sorted(maps.Keys(s.Face.Routes())) {
		permission := s.Face.Routes()[route]
		if permission == domain.PermissionPublic || permission == domain.PermissionEnrol || slices.Contains(meanwhile, route) {
			continue
		}
		method, pattern, _ := strings.Cut(route, " ")
		path := inPattern.ReplaceAllString(pattern, domain.NewID().String())
		var body any
		if method != http.MethodGet && method != http.MethodDelete {
			body = object{}
		}
		tried++
		got := c.Do(t, method, path, body)
		if got.Status == http.StatusUnprocessableEntity || got.Status == http.StatusUnsupportedMediaType {
			continue // it said nothing but what its form is
		}
		if got.Status != http.StatusForbidden && got.Status != http.StatusUnauthorized {
			t.Errorf("%s is answered with %d %.200s", route, got.Status, got.Body)
		}
	}
	if tried < 50 {
		t.Errorf("only %d routes were tried", tried)
	}
	if got := c.Get(t, "/movies"); got.Status != http.StatusForbidden || got.Problem(t).Code != "auth.enrolment_required" {
		t.Errorf("the films are answered with %d %s", got.Status, got.Body)
	}
	setup := world.Decode[httpd.TOTPSetup](t, c.Post(t, "/mfa/totp/setup", nil), http.StatusOK)
	f := &factors{instances: n, user: ulf, secret: setup.Secret}
	world.Decode[httpd.FactorAdded](t, c.Post(t, "/mfa/totp/verify", object{"code": f.code(t)}), http.StatusOK)
	for _, path := range []string{"/movies", "/users/me", "/sessions"} {
		if got := c.Get(t, path); got.Status != http.StatusOK {
			t.Errorf("with a second factor %s is answered with %d %s", path, got.Status, got.Body)
		}
	}
	world.Until(t, "the other server knows", func() bool {
		return n.servers[1].Bearer(in.Tokens.AccessToken).Get(t, "/movies").Status == http.StatusOK
	})
	for _, try := range [][2]string{{http.MethodDelete, "/mfa/totp"}, {http.MethodPost, "/mfa/disable"}} {
		if got := c.Do(t, try[0], "/api/v1"+try[1], nil); got.Status != http.StatusForbidden || got.Problem(t).Code != mfa.CodeRequired {
			t.Errorf("%s takes what is required: %d %s", try[1], got.Status, got.Body)
		}
	}
}

func TestS1AShortPasswordNeedsItsSecondFactor(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna := n.enrolled(t, "anna")
	const brief, long = "kettles!9", "eleven purple teapots"
	c := func() world.Client { return n.servers[0].Bearer(n.shown(t, anna.user.ID).Tokens.AccessToken) }
	if got := c().Post(t, "/users/me/change-password", object{"currentPassword": world.Password, "password": brief}); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for _, try := range [][2]string{{http.MethodDelete, "/mfa/totp"}, {http.MethodPost, "/mfa/disable"}} {
		if got := c().Do(t, try[0], "/api/v1"+try[1], nil); got.Status != http.StatusConflict || got.Problem(t).Code != mfa.CodeShortPassword {
			t.Errorf("%s leaves a short password alone: %d %s", try[1], got.Status, got.Body)
		}
	}
	if outcome := n.open(t, anna.user.ID, auth.Options{}); outcome.Challenge == nil {
		t.Error("no second factor is asked for any more")
	}
	if got := c().Post(t, "/users/me/change-password", object{"currentPassword": brief, "password": long}); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := c().Do(t, http.MethodDelete, "/api/v1/mfa/totp", nil); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := signIn(t, n.servers[1], "anna", long); got != http.StatusOK {
		t.Errorf("%d", got)
	}
}

// TestNoWayInLeavesTheSecondFactorOut tries every operation that may answer with a session, and fails when there is a new one.
func TestNoWayInLeavesTheSecondFactorOut(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	s := n.servers[0]
	anna := n.enrolled(t, "anna")
	before := n.open(t, anna.user.ID, auth.Options{SecondFactorShown: true}).SignedIn
	provider := oidctest.Start(t)
	setUp(t, s, "house", provider, nil)
	link := domain.OIDCLink{ID: domain.NewID(), UserID: anna.user.ID, Issuer: provider.Client().Issuer, Subject: "anne-1", CreatedAt: domain.Stamp(n.now())}
	if err := n.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateLink(ctx, link) }); err != nil {
		t.Fatal(err)
	}
	provider.Be(ann(map[string]any{"amr": []string{"pwd", "mfa"}})) // nobody said that it is trusted for that
	a := s.Anonymous()
	ways := map[string]func() []world.Response{
		"login": func() []world.Response {
			var all []world.Response
			for _, name := range []string{"anna", "ANNA", "anna@example.org"} {
				for _, cookie := range []bool{false, true} {
					answer := a.Post(t, "/auth/login", object{"login": name, "password": world.Password, "cookie": cookie, "deviceToken": before.Tokens.RefreshToken})
					if world.Decode[httpd.SignIn](t, answer, http.StatusOK).Challenge == nil {
						t.Errorf("no second factor is asked for: %s", answer.Body)
					}
					all = append(all, answer)
				}
			}
			return all
		},
		"oidcCallback": func() []world.Response {
			b := newBrowser(t, s)
			at := b.signIn(t, "house", provider, nil)
			if fragment(t, at).Get("challenge") == "" {
				t.Errorf("a provider's sign-in ends at %s", at)
			}
			return []world.Response{b.send(t, http.MethodGet, "/users/me", nil)}
		},
		"verifySecondFactor": func() []world.Response {
			return []world.Response{
				verify(t, a, anna.pending(t), domain.FactorTOTP, ""), verify(t, a, anna.pending(t), domain.FactorBackupCode, world.Password),
				verify(t, a, anna.pending(t), "", anna.code(t)), verify(t, a, anna.pending(t), domain.FactorWebAuthn, anna.code(t)), verify(t, a, "x", domain.FactorTOTP, anna.code(t)),
			}
		},
		"finishPasskeySignIn": func() []world.Response {
			return []world.Response{a.Post(t, "/mfa/webauthn/login/finish", object{"challengeId": "x", "credential": object{}, "token": anna.pending(t)})}
		},
		"refresh": func() []world.Response {
			return []world.Response{a.Post(t, "/auth/refresh", object{"refreshToken": anna.pending(t)})}
		},
		"claim": func() []world.Response {
			return []world.Response{a.Post(t, "/setup/claim", object{"code": "AAAA", "username": "anna", "password": world.Password})}
		},
		// What a session goes on as after these has no more than it had: TestS15 tries it.
		"reauthenticate": func() []world.Response {
			return []world.Response{a.Post(t, "/auth/reauthenticate", object{"password": world.Password})}
		},
		"changePassword": func() []world.Response {
			return []world.Response{a.Post(t, "/users/me/change-password", object{"currentPassword": world.Password, "password": "eleven purple teapots"})}
		},
	}
	document := struct {
		Paths map[string]map[string]struct {
			OperationID string
			Responses   json.RawMessage
		}
	}{}
	if err := json.Unmarshal(a.Do(t, http.MethodGet, "/api/openapi.json", nil).Body, &document); err != nil {
		t.Fatal(err)
	}
	other := []string{"logout", "deleteMe", "oidcAuthorize", "linkOidc"} // which end a session, or begin what oidcCallback ends
	found := 0
	for _, methods := range document.Paths {
		for _, operation := range methods {
			answers := string(operation.Responses)
			if !strings.Contains(answers, `/SignIn"`) && !strings.Contains(answers, `/Tokens"`) && !strings.Contains(answers, "Set-Cookie") || slices.Contains(other, operation.OperationID) {
				continue
			}
			try, known := ways[operation.OperationID]
			if !known {
				t.Errorf("%s may answer with a session: try it here", operation.OperationID)
				continue
			}
			found++
			for _, answer := range try() {
				wantNoTokens(t, operation.OperationID, answer)
			}
		}
	}
	if found != len(ways) {
		t.Errorf("%d of %d ways in are in the document", found, len(ways))
	}
}

// TestS20ASecretInAnothersPlaceOpensNothing swaps what two accounts' apps are sealed as, as somebody who writes into the database could.
func TestS20ASecretInAnothersPlaceOpensNothing(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	anna, bert := n.enrolled(t, "anna"), n.enrolled(t, "bert")
	err := n.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		hers, err := tx.MFA.TOTP(ctx, anna.user.ID)
		if err != nil {
			return err
		}
		his, err := tx.MFA.TOTP(ctx, bert.user.ID)
		if err != nil {
			return err
		}
		hers.Secret, his.Secret = his.Secret, hers.Secret
		if err := tx.MFA.SaveTOTP(ctx, hers); err != nil {
			return err
		}
		return tx.MFA.SaveTOTP(ctx, his)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{bert.code(t), anna.code(t)} {
		got := verify(t, n.servers[0].Anonymous(), anna.pending(t), domain.FactorTOTP, code)
		if got.Status != http.StatusInternalServerError || strings.Contains(string(got.Body), bert.secret) {
			t.Errorf("a swapped secret is answered with %d %s", got.Status, got.Body)
		}
		wantNoTokens(t, "a swapped secret", got)
	}
}

// TestS27WhatMattersIsRecordedWithWhoDidItAndNoSecret does what the log must tell of, and reads it.
func TestS27WhatMattersIsRecordedWithWhoDidItAndNoSecret(t *testing.T) {
	t.Parallel()
	n := newInstances(t)
	s, anna := n.servers[0], n.enrolled(t, "anna")
	admin := s.Bearer(n.shown(t, n.Admin(t).User.ID).Tokens.AccessToken)
	if got := signIn(t, s, "anna", "not the password"); got != http.StatusUnauthorized {
		t.Fatal(got)
	}
	verify(t, s.Anonymous(), anna.pending(t), domain.FactorTOTP, "000000")
	in := world.Decode[httpd.SignIn](t, verify(t, s.Anonymous(), anna.pending(t), domain.FactorBackupCode, anna.codes[0]), http.StatusOK)
	hers := s.Bearer(in.AccessToken)
	key := world.Decode[httpd.NewAPIKey](t, hers.Post(t, "/users/me/api-keys", object{"name": "Radarr", "permissions": []string{"library.read"}}), http.StatusCreated)
	for _, step := range []struct {
		c            world.Client
		method, path string
		body         any
	}{
		{hers, http.MethodDelete, "/users/me/api-keys/" + key.ID.String(), nil}, {hers, http.MethodDelete, "/mfa/totp", nil},
		{admin, http.MethodPatch, "/admin/users/" + anna.user.ID.String(), object{"roles": []string{"guest"}}}, {admin, http.MethodPatch, "/admin/settings", object{"values": object{"mail.password": "open sesame 42"}}},
		{hers, http.MethodPost, "/auth/logout", nil},
	} {
		did(t, step.c, step.method, step.path, step.body)
	}
	log := admin.Get(t, "/admin/activity?limit=100")
	her, boss := anna.user.ID, n.Admin(t).User.ID
	for action, want := range map[string]struct {
		who     domain.ID
		success bool
		least   int
	}{
		domain.ActivityLogin: {her, true, 2}, domain.ActivityLoginFailed: {her, false, 2}, domain.ActivityLogout: {her, true, 1}, domain.ActivityMFATOTPAdded: {her, true, 1},
		domain.ActivityMFATOTPRemoved: {her, true, 1}, domain.ActivityMFACodeUsed: {her, true, 1}, domain.ActivityAPIKeyCreated: {her, true, 1}, domain.ActivityAPIKeyRevoked: {her, true, 1},
		domain.ActivityUserChanged: {boss, true, 1}, domain.ActivitySettingChanged: {boss, true, 1},
	} {
		found := 0
		for _, e := range world.Decode[domain.Page[domain.Activity]](t, log, http.StatusOK).Items {
			if e.Action == action && e.UserID != nil && *e.UserID == want.who && e.Success == want.success && e.IP != "" && !e.At.IsZero() {
				found++
			}
		}
		if found < want.least {
			t.Errorf("%s is recorded %d times: %s", action, found, log.Body)
		}
	}
	for _, secret := range append([]string{anna.secret, key.Key[12:], in.AccessToken, in.RefreshToken, world.Password, "not the password", "open sesame 42"}, anna.codes...) {
		if strings.Contains(string(log.Body), secret) {
			t.Errorf("the log says %s", secret)
		}
	}
}
