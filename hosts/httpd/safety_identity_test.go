package httpd_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// signIn tries to sign in and returns the status.
func signIn(t *testing.T, s *world.Server, login, password string) int {
	t.Helper()
	return s.Anonymous().Post(t, "/auth/login", map[string]any{"login": login, "password": password}).Status
}

func TestS1PasswordsAreTakenWholeWhateverTheyAreMadeOf(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	letters := strings.Repeat("quiet otters dig ", 8)
	for name, password := range map[string]string{
		"fifteen":        letters[:15],
		"sixtyfour":      letters[:64],
		"onetwentyeight": letters[:128],
		"cyrillic":       "тихие выдры копают глубокую нору у реки и поют", // more than 72 bytes
		"emoji":          "👩‍🚀🦦🌙⭐🚲🎻🧭🪁🐢🍋🧶🕰️",
		"controls":       "tab\tbell\aline\nend",
		"spaces":         "  quiet otters dig  ",
	} {
		if _, err := w.Core.Account.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: name, Password: password}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := signIn(t, s, name, password); got != http.StatusOK {
			t.Errorf("%s: the right password is answered with %d", name, got)
		}
		runes := []rune(password)
		wrong := []string{string(runes[:len(runes)-1])}
		if len(password) > 72 {
			wrong = append(wrong, strings.ToValidUTF8(password[:72], ""))
		}
		if trimmed := strings.TrimSpace(password); trimmed != password {
			wrong = append(wrong, trimmed)
		}
		for _, w := range wrong {
			if got := signIn(t, s, name, w); got != http.StatusUnauthorized {
				t.Errorf("%s: %q for %q is answered with %d", name, w, password, got)
			}
		}
	}
}

func TestS1WeakPasswordsAreRefusedWhereverOneIsSet(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	code, err := w.Auth.ClaimCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const username, display, mail = "bartholomew-grey", "Count Bartholomew", "the.old.count@castle.example"
	for _, weak := range []string{
		"quiet otters d", strings.Repeat("🦦", 14), "", "aaaaaaaaaaaaaaaaaaaa", "passwordpassword", "PassWordPassword123", "password!!!!!!!!!!!", "1234567890123456",
		"qwertyuiopasdfgh", "abcdefghijklmnopq", "1q2w3e4r5t6y7u8i", "iloveyouiloveyou",
		username, "Bartholomew-Grey", "bartholomew-grey2024", display, "the.old.count@castle.example", "the.old.count.1", "RevengeRevenge1!", "revenge-bartholomew", strings.Repeat("x", 1025),
	} {
		p := s.Anonymous().Post(t, "/setup/claim", map[string]any{"code": code, "username": username, "displayName": display, "email": mail, "password": weak}).Problem(t)
		if p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Path != "body.password" {
			t.Errorf("the first administrator may have %.40q: %+v", weak, p)
		}
		_, err := w.Core.Account.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: username, DisplayName: display, Email: mail, Password: weak})
		if f := fault.As(err); f == nil || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Path != "password" {
			t.Errorf("an account may have %.40q: %v", weak, err)
		}
	}
	// No request may hold a NUL, so nobody could sign in by such a password.
	if _, err := w.Core.Account.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: username, Password: "quiet otters\x00dig holes"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an account may have a password with a NUL: %v", err)
	}
	if users, err := w.Store.Read().Users.List(t.Context(), domain.UserFilter{}, domain.PageRequest{}); err != nil || len(users.Items) != 0 {
		t.Errorf("%d accounts were made, %v", len(users.Items), err)
	}
}

// stored reads the hash as a dump would show it, and sets it where to is not empty.
func stored(t *testing.T, w *world.World, user domain.ID, to domain.PasswordHash) (h domain.PasswordHash) {
	t.Helper()
	err := w.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		if to != "" {
			if err := tx.Users.SetPasswordHash(ctx, user, to); err != nil {
				return err
			}
		}
		h, err = tx.Users.PasswordHash(ctx, user)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestS2HashesCarryTheirParametersAndOldOnesAreUpgradedAtSignIn(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, ulf := w.Serve(t), w.User(t).User
	const today = "$argon2id$v=19$m=47104,t=1,p=1$"
	first := stored(t, w, ulf.ID, "")
	if !strings.HasPrefix(string(first), today) || strings.Contains(string(first), world.Password) {
		t.Fatalf("the hash is %s", first)
	}
	for name, old := range map[string]domain.PasswordHash{
		// Both of world.Password, as an older version and another system would have stored it.
		"argon2id of 19 MiB": "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$gYJZtjEAJqjg26xdLmknq8/bB7MiWPrE9hsYuA+SkIU",
		"bcrypt":             "$2a$04$mgkRs6VBznZUuccv3qKJG.VzMIjFXlTGTZyZQeMedBIpjEAcjSnGy",
	} {
		stored(t, w, ulf.ID, old)
		if got := signIn(t, s, "ulf", "not the password"); got != http.StatusUnauthorized || stored(t, w, ulf.ID, "") != old {
			t.Errorf("%s: a wrong password is answered with %d and leaves %s", name, got, stored(t, w, ulf.ID, ""))
		}
		if got := signIn(t, s, "ulf", world.Password); got != http.StatusOK {
			t.Errorf("%s: the right password is answered with %d", name, got)
		}
		upgraded := stored(t, w, ulf.ID, "")
		if !strings.HasPrefix(string(upgraded), today) || upgraded == first {
			t.Errorf("%s became %s", name, upgraded)
		}
		if got := signIn(t, s, "ulf", world.Password); got != http.StatusOK || stored(t, w, ulf.ID, "") != upgraded {
			t.Errorf("%s: by the new hash %d", name, got)
		}
	}
}

func TestS5ARefreshTokenHasTenSecondsOfGraceAndItsSessionThirtyDays(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := world.New(t, world.Idle(), world.Bring(func(o *assemble.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}))
	s := w.Serve(t)
	pass := func(d time.Duration) { ahead.Add(int64(d)) }
	refresh := func(token string) world.Response {
		return s.Anonymous().Post(t, "/auth/refresh", object{"refreshToken": token})
	}
	next := func(token string) string {
		t.Helper()
		return world.Decode[httpd.Tokens](t, refresh(token), http.StatusOK).RefreshToken
	}
	first := w.User(t).Tokens.RefreshToken
	second := next(first)
	pass(8 * time.Second) // and the little that this test takes
	if again := next(first); again != second {
		t.Error("within the grace the token got another successor")
	}
	pass(3 * time.Second)
	if before, after := refresh(first).Status, refresh(second).Status; before != http.StatusUnauthorized || after != http.StatusUnauthorized {
		t.Errorf("after its grace the token is answered with %d, then its successor with %d", before, after)
	}

	ann := w.Admin(t)
	token := ann.Tokens.RefreshToken
	for range 29 {
		pass(24 * time.Hour)
		token = next(token)
	}
	pass(23 * time.Hour)
	last := world.Decode[httpd.Tokens](t, refresh(token), http.StatusOK)
	if last.ExpiresIn > 3600 {
		t.Errorf("an hour before the end of its session an access token lasts %d s", last.ExpiresIn)
	}
	pass(time.Hour + time.Minute)
	if got := refresh(last.RefreshToken); got.Status != http.StatusUnauthorized {
		t.Errorf("after thirty days a refresh is answered with %d", got.Status)
	}
	for name, c := range map[string]world.Client{"access token": s.Bearer(last.AccessToken), "cookie": s.Browser(ann)} {
		if got := c.Get(t, "/users/me"); got.Status != http.StatusUnauthorized {
			t.Errorf("after thirty days the %s is answered with %d", name, got.Status)
		}
	}

	// Who reads the database finds none of them.
	files, err := filepath.Glob(filepath.Join(w.Dir, "revenge.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, token := range []string{first, second, token, last.RefreshToken} {
		plain, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(plain)*8 < 256 {
			t.Errorf("a refresh token has %d bits, %v", len(plain)*8, err)
		}
		for _, file := range files {
			if data, err := os.ReadFile(file); err != nil || bytes.Contains(data, plain) || bytes.Contains(data, []byte(token)) {
				t.Errorf("a refresh token stands in %s, %v", filepath.Base(file), err)
			}
		}
	}
}

// unsealed is one of the server's own secrets, as somebody who has both key and database reads it.
func unsealed(t *testing.T, w *world.World, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := aesgcm.New(key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := w.Store.Read().Secrets.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := sealer.Open(t.Context(), "server_secrets/"+name+"/sealed", secret.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

type object = map[string]any

// but is an object with other fields; nil takes one away.
func but(o, change object) object {
	o = maps.Clone(o)
	maps.Copy(o, change)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

// jws signs what it is given, whatever that is (RFC 7515, 5.1).
func jws(t *testing.T, header, claims object, algorithm func() hash.Hash, key []byte) string {
	t.Helper()
	var parts []string
	for _, part := range []object{header, claims} {
		data, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(data))
	}
	mac := hmac.New(algorithm, key)
	mac.Write([]byte(strings.Join(parts, ".")))
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(mac.Sum(nil))), ".")
}

func TestS6TokensOfTheRightKeyAreStillHeldToAlgorithmTypeIssuerAudienceAndTime(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s, ann, ulf := w.Serve(t), w.Admin(t), w.User(t)
	var keys []struct {
		ID     string `json:"id"`
		Secret []byte `json:"secret"`
	}
	if err := json.Unmarshal(unsealed(t, w, "signing-keys"), &keys); err != nil || len(keys) != 1 || len(keys[0].Secret) < 32 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	key, now := keys[0].Secret, time.Now().Unix()
	header := object{"alg": "HS256", "typ": "at+jwt", "kid": keys[0].ID}
	claims := object{
		"iss": "revenge", "aud": []string{"revenge-api"}, "sub": ann.User.ID.String(), "sid": ann.Session.ID.String(), "jti": "x", "iat": now, "exp": now + 60,
	}
	own := func(header, claims object) string { return jws(t, header, claims, sha256.New, key) }
	for name, token := range map[string]string{
		"as the server makes it":         own(header, claims),
		"expired within a clock's error": own(header, but(claims, object{"iat": now - 900, "exp": now - 5})),
	} {
		if got := s.Bearer(token).Get(t, "/users/me"); got.Status != http.StatusOK {
			t.Fatalf("a token %s is answered with %d %s: the others prove nothing", name, got.Status, got.Body)
		}
	}
	refused := map[string]string{
		"HS512 with the right key": jws(t, but(header, object{"alg": "HS512"}), claims, sha512.New, key),
		"HS384 with the right key": jws(t, but(header, object{"alg": "HS384"}), claims, sha512.New384, key),
		"alg none with a MAC":      own(but(header, object{"alg": "none"}), claims),
		"RS256 with a MAC":         own(but(header, object{"alg": "RS256"}), claims), // the swap: what was to be a signature is a MAC
		"no alg":                   own(but(header, object{"alg": nil}), claims),
		"no type":                  own(but(header, object{"typ": nil}), claims),
		"an identity token's type": own(but(header, object{"typ": "JWT"}), claims),
		"a refresh token's type":   own(but(header, object{"typ": "rt+jwt"}), claims),
		"no issuer":                own(header, but(claims, object{"iss": nil})),
		"another issuer":           own(header, but(claims, object{"iss": "https://evil.example"})),
		"no audience":              own(header, but(claims, object{"aud": nil})),
		"another audience":         own(header, but(claims, object{"aud": "revenge-mail"})),
		"no end":                   own(header, but(claims, object{"exp": nil})),
		"expired":                  own(header, but(claims, object{"iat": now - 900, "exp": now - 61})),
		"from tomorrow":            own(header, but(claims, object{"iat": now + 86400, "exp": now + 90000})),
		"not yet valid":            own(header, but(claims, object{"nbf": now + 600})),
		"no session":               own(header, but(claims, object{"sid": nil})),
		"another user's session":   own(header, but(claims, object{"sid": ulf.Session.ID.String()})),
		"a session that is none":   own(header, but(claims, object{"sid": domain.NewID().String()})),
		"a path as session":        own(header, but(claims, object{"sid": "../../etc/passwd"})),
		"signed by nothing":        jws(t, header, claims, sha256.New, nil),
		"signed by zeros":          jws(t, header, claims, sha256.New, make([]byte, 32)),
		"signed by the key's id":   jws(t, header, claims, sha256.New, []byte(keys[0].ID)),
	}
	for _, kid := range []any{"", "../", "../../../../dev/null", "/dev/null", keys[0].ID + "\x00", "0", 0, nil, []string{keys[0].ID}, object{}, "' OR 1=1 --"} {
		data, _ := json.Marshal(kid)
		refused["the key "+string(data)] = own(but(header, object{"kid": kid}), claims)
		refused["the empty key "+string(data)] = jws(t, but(header, object{"kid": kid}), claims, sha256.New, nil)
	}
	for _, guess := range []string{"secret", "changeme", "revenge", "your-256-bit-secret", "JWT_SECRET"} {
		refused["signed by "+guess] = jws(t, header, claims, sha256.New, []byte(guess))
	}
	// What was changed after it was signed.
	head, rest, _ := strings.Cut(own(header, but(claims, object{"sub": ulf.User.ID.String(), "sid": ulf.Session.ID.String()})), ".")
	_, signature, _ := strings.Cut(rest, ".")
	body := strings.Split(own(header, claims), ".")[1]
	refused["another's claims"] = head + "." + body + "." + signature
	// Keys that the token itself names or brings (RFC 8725, 3.5 and 3.10).
	refused["with a key of its own"] = jws(t, but(header, object{"jwk": object{"kty": "oct", "k": "c2VjcmV0"}}), claims, sha256.New, []byte("secret"))
	refused["with a key from elsewhere"] = jws(t, but(header, object{"jku": "https://evil.example/keys"}), claims, sha256.New, []byte("secret"))
	for name, token := range refused {
		if got := s.Bearer(token).Get(t, "/users/me"); got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %.200s", name, got.Status, got.Body)
		}
	}
	// Nor does an access token stand for anything else.
	access := own(header, claims)
	for name, path := range map[string]string{"as a stream's": "/api/v1/users/me?token=" + access, "as a query's": "/api/v1/users/me?access_token=" + access} {
		if got := s.Anonymous().Do(t, http.MethodGet, path, nil); got.Status != http.StatusUnauthorized && got.Status != http.StatusUnprocessableEntity {
			t.Errorf("an access token %s: %d", name, got.Status)
		}
	}
	if got := s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", s.CookieName()+"="+access); got.Status != http.StatusUnauthorized {
		t.Errorf("an access token as a cookie: %d", got.Status)
	}
}

func TestS6NoServerTakesAnothersTokens(t *testing.T) {
	t.Parallel()
	here, there := world.New(t, world.Idle()), world.New(t, world.Idle())
	s, ann, bob := there.Serve(t), here.Admin(t), there.Admin(t)
	for _, name := range []string{"signing-keys", "refresh-key", "cookie-key"} {
		if slices.Equal(unsealed(t, here, name), unsealed(t, there, name)) {
			t.Errorf("two fresh servers have the same %s", name)
		}
	}
	var keys []struct {
		ID     string `json:"id"`
		Secret []byte `json:"secret"`
	}
	if err := json.Unmarshal(unsealed(t, here, "signing-keys"), &keys); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Unix()
	claims := object{"iss": "revenge", "aud": "revenge-api", "sub": bob.User.ID.String(), "sid": bob.Session.ID.String(), "iat": now, "exp": now + 60}
	forgery := jws(t, object{"alg": "HS256", "typ": "at+jwt", "kid": keys[0].ID}, claims, sha256.New, keys[0].Secret)
	for name, c := range map[string]world.Client{
		"an access token": s.Bearer(ann.Tokens.AccessToken), "one made for the other's administrator": s.Bearer(forgery),
	} {
		if got := c.Get(t, "/users/me"); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	// The cookie that the first server would make for the second's session.
	if got := s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", "revenge="+here.Auth.CookieFor(bob.Session)); got.Status != http.StatusUnauthorized {
		t.Errorf("a cookie: %d", got.Status)
	}
	if got := s.Anonymous().Post(t, "/auth/refresh", object{"refreshToken": ann.Tokens.RefreshToken}); got.Status != http.StatusUnauthorized {
		t.Errorf("a refresh token: %d", got.Status)
	}
}

func TestS7SigningInBeginsANewSessionWhateverTheBrowserShowed(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	own := sessionCookie(t, s, w.User(t).User.Username)
	attackers := w.Auth.CookieFor(w.Admin(t).Session) // one that somebody planted
	seen := map[string]bool{own.Value: true, attackers: true}
	for name, planted := range map[string]string{"its own": own.Value, "another's": attackers, "nonsense": "AAAA"} {
		answer := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", object{"login": "ulf", "password": world.Password, "cookie": true}, "Cookie", "revenge="+planted, "Origin", s.URL)
		in := world.Decode[httpd.SignIn](t, answer, http.StatusOK)
		cookies := (&http.Response{Header: answer.Header}).Cookies()
		if len(cookies) != 1 || seen[cookies[0].Value] || in.Session.ID == w.Admin(t).Session.ID {
			t.Fatalf("%s: the session is not new: %v", name, cookies)
		}
		seen[cookies[0].Value] = true
		me := world.Decode[httpd.Me](t, s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, "Cookie", cookies[0].Name+"="+cookies[0].Value), http.StatusOK)
		if me.User.Username != "ulf" || me.Session.ID != in.Session.ID {
			t.Errorf("%s: the cookie is of %+v", name, me)
		}
	}
}

// beyond is how long a change may take: a second, or five when nothing tells this process of it (S7), and what a busy machine adds.
const beyond = 5 * time.Second

func TestS7WhoIsDisabledDemotedOrDeletedIsOutOfTheAPIAndOfWhatTheyWatch(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, true)
	w, address := th.World, th.directs.Selected.Parts[0].URL
	// Another program on the same database, which tells this one nothing.
	other, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: w.App.Config.Database})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	change := func(t *testing.T, id domain.ID, change func(*domain.User)) {
		t.Helper()
		err := other.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			u, err := tx.Users.Get(ctx, id)
			if err != nil {
				return err
			}
			change(&u)
			return tx.Users.Update(ctx, u)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	within := func(t *testing.T, what string, holds func() bool) {
		t.Helper()
		begun := time.Now()
		world.Until(t, what, holds)
		t.Logf("%s after %s", what, time.Since(begun).Round(time.Millisecond))
		if took := time.Since(begun); took > beyond {
			t.Errorf("%s after %s", what, took)
		}
	}

	eve := w.Account(t, "eve", domain.RoleAdmin)
	c := th.Bearer(eve.Tokens.AccessToken)
	if got := c.Get(t, "/admin/users"); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	change(t, eve.User.ID, func(u *domain.User) { u.Roles = []domain.RoleName{domain.RoleUser} })
	within(t, "a former administrator is refused", func() bool { return c.Get(t, "/admin/users").Status == http.StatusForbidden })
	if got := c.Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Errorf("a demotion ends the session: %d", got.Status)
	}
	change(t, eve.User.ID, func(u *domain.User) { u.Disabled = true })
	within(t, "who was disabled elsewhere is out", func() bool { return c.Get(t, "/users/me").Status == http.StatusUnauthorized })
	gone := th.Bearer(w.Account(t, "gone", domain.RoleUser).Tokens.AccessToken)
	if got := gone.Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Fatal(got.Status)
	}
	if _, err := other.SQLDB().ExecContext(t.Context(), "DELETE FROM users WHERE username = 'gone'"); err != nil {
		t.Fatal(err)
	}
	within(t, "who was deleted is out", func() bool { return gone.Get(t, "/users/me").Status == http.StatusUnauthorized })

	// Ulf watches by an address with a token and by his cookie, when the server disables him.
	var open []*http.Response
	for _, r := range []*http.Request{
		th.Anonymous().Request(t, http.MethodGet, address, nil),
		th.Browser(w.User(t)).Request(t, http.MethodGet, strings.Split(address, "?")[0], nil),
	} {
		answer, err := th.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", r.URL, answer.StatusCode)
		}
		if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil {
			t.Fatal(err)
		}
		open = append(open, answer)
	}
	if _, err := w.Core.Account.SetDisabled(t.Context(), w.Admin(t).Actor, w.User(t).User.ID, true); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	within(t, "the next range is refused", func() bool {
		return th.Anonymous().Do(t, http.MethodGet, address, nil, "Range", "bytes=0-9").Status == http.StatusUnauthorized
	})
	world.Until(t, "the second passes", func() bool { return time.Since(ended) > 1200*time.Millisecond })
	for _, answer := range open {
		if n, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Errorf("a film that was playing went on to its end: %d bytes more", n)
		}
	}
}

// inPattern finds what stands for something in a route's pattern.
var inPattern = regexp.MustCompile(`\{[^}]*\}|\*$`)

func TestS8NoUnsafeRouteIsMovedByAnotherSite(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	browser := s.Browser(w.Admin(t))
	const evil = "https://evil.example"
	attacks := map[string][]string{
		"a form":                      {"Content-Type", "application/x-www-form-urlencoded"},
		"a form with files":           {"Content-Type", "multipart/form-data; boundary=x"},
		"a form of plain text":        {"Content-Type", "text/plain"},
		"JSON that claims to be XML":  {"Content-Type", "text/xml"},
		"a body without a type":       {},
		"Sec-Fetch-Site: cross-site":  {"Content-Type", "application/json", "Sec-Fetch-Site", "cross-site"},
		"Sec-Fetch-Site: same-site":   {"Content-Type", "application/json", "Sec-Fetch-Site", "same-site"},
		"Origin: null":                {"Content-Type", "application/json", "Origin", "null"},
		"another origin":              {"Content-Type", "application/json", "Origin", evil},
		"another port":                {"Content-Type", "application/json", "Origin", "http://127.0.0.1:1"},
		"a method that is overridden": {"Content-Type", "application/json", "Origin", evil, "X-HTTP-Method-Override", "GET"},
	}
	unsafe := 0
	for route, permission := range s.Face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		path := inPattern.ReplaceAllString(pattern, domain.NewID().String())
		// No answer lets another origin read it, preflight included (Fetch, CORS protocol).
		for _, method := range []string{method, http.MethodOptions} {
			answer, err := s.HTTP.Do(s.Anonymous().Request(t, method, path, nil, "Origin", evil, "Access-Control-Request-Method", "DELETE", "Access-Control-Request-Headers", "authorization"))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			for name := range answer.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s lets others in by %s", method, path, name)
				}
			}
		}
		if method == http.MethodGet || method == http.MethodHead {
			continue
		}
		unsafe++
		for name, header := range attacks {
			got := browser.Do(t, method, path, strings.NewReader(`{"login":"ann","password":"`+world.Password+`","cookie":true}`), header...)
			if got.Status != http.StatusForbidden || !strings.HasPrefix(got.Problem(t).Code, "csrf.") || got.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s to %s is answered with %d %s", name, route, got.Status, got.Body)
			}
			// Who is not signed in could be signed in as somebody else.
			if permission == domain.PermissionPublic && len(header) > 0 { // a form always has a type, and a script's request an origin
				got := s.Anonymous().Do(t, method, path, strings.NewReader(`{"login":"ann","password":"`+world.Password+`","cookie":true}`), header...)
				if got.Status < 400 || got.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s to %s signs in: %d %v", name, route, got.Status, got.Header)
				}
			}
		}
	}
	if unsafe < 15 {
		t.Errorf("only %d unsafe routes were tried", unsafe)
	}
	// All those attempts, on signing out and ending sessions too, have changed nothing.
	if got := browser.Get(t, "/users/me"); got.Status != http.StatusOK {
		t.Errorf("afterwards the browser is answered with %d", got.Status)
	}
	if got := browser.Do(t, http.MethodPost, "/api/v1/auth/logout", nil, "Origin", s.URL, "Sec-Fetch-Site", "same-origin"); got.Status != http.StatusOK {
		t.Errorf("the own page cannot sign out: %d %s", got.Status, got.Body)
	}
}
