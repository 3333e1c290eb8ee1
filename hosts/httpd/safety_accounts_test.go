package httpd_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"runtime"
	"strings"
	"testing"

	_ "golang.org/x/image/webp"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/smtptest"
	"github.com/revenge-media/revenge/testkit/world"
)

const publicURL = "https://movies.example.org"

// mailed is a server with a real mail server behind it, and registration open to everybody.
func mailed(t *testing.T) (*world.World, *world.Server, *smtptest.Server) {
	t.Helper()
	w := world.New(t)
	post := smtptest.Start(t, smtptest.Config{})
	values := map[string]json.RawMessage{}
	for name, value := range map[string]any{
		"mail.host": "127.0.0.1", "mail.port": post.Port(), "mail.security": "none", "server.publicURL": publicURL, "auth.registration": "open",
	} {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		values[name] = data
	}
	if _, err := w.Settings.Update(t.Context(), domain.SystemActor(), nil, values); err != nil {
		t.Fatal(err)
	}
	return w, w.Serve(t), post
}

// edited is a change of the address.
func edited(email string) account.Edit { return account.Edit{Email: &email} }

// codeIn is what stands behind the fragment of the only link of a mail, which must lead to the configured address.
func codeIn(t *testing.T, m smtptest.Mail, page string) string {
	t.Helper()
	for _, link := range m.Links {
		if code, ok := strings.CutPrefix(link, publicURL+"/"+page+"#code="); ok {
			return code
		}
	}
	t.Fatalf("%q has no link to %s at the configured address: %v", m.Subject, page, m.Links)
	return ""
}

func TestS3ARegistrationTellsNothingOfAddresses(t *testing.T) {
	t.Parallel()
	w, s, post := mailed(t)
	anna := w.Account(t, "anna")
	if _, err := w.Core.Account.Edit(t.Context(), domain.SystemActor(), anna.User.ID, nil, edited("anna@example.org")); err != nil {
		t.Fatal(err)
	}
	register := func(username, email string) world.Response {
		return s.Anonymous().Post(t, "/auth/register", map[string]any{"username": username, "email": email, "password": world.Password + " 2"})
	}
	free, taken := register("bert", "bert@example.org"), register("carl", "ANNA@example.org")
	if free.Status != http.StatusAccepted || taken.Status != free.Status || !bytes.Equal(free.Body, taken.Body) || !strings.Contains(string(free.Body), `"verificationRequired":true`) {
		t.Errorf("a free address is answered with %d %s, a taken one with %d %s", free.Status, free.Body, taken.Status, taken.Body)
	}
	// A second attempt at the name must not tell either: it is reserved in both cases.
	for _, name := range []string{"bert", "carl"} {
		if got := register(name, "other@example.org"); got.Status != http.StatusConflict || got.Problem(t).Code != "user.username_taken" {
			t.Errorf("the name %s again: %d %s", name, got.Status, got.Body)
		}
	}
	if got := signIn(t, s, "bert", world.Password+" 2"); got != http.StatusUnauthorized {
		t.Errorf("an account is usable before its address is confirmed: %d", got)
	}
	code := codeIn(t, post.To(t, "bert@example.org"), "verify")
	if notice := post.To(t, "anna@example.org"); strings.Contains(notice.Text, "#code=") {
		t.Errorf("the owner of a taken address gets a link: %s", notice.Text)
	}
	for i, want := range []int{http.StatusNoContent, http.StatusUnprocessableEntity} {
		if got := s.Anonymous().Post(t, "/auth/verify-email", map[string]any{"code": code}); got.Status != want {
			t.Errorf("use %d of the code: %d %s", i+1, got.Status, got.Body)
		}
	}
	if got := signIn(t, s, "bert@example.org", world.Password+" 2"); got != http.StatusOK {
		t.Errorf("who confirmed the address cannot sign in: %d", got)
	}
	known := s.Anonymous().Post(t, "/auth/forgot-password", map[string]any{"login": "anna"})
	unknown := s.Anonymous().Post(t, "/auth/forgot-password", map[string]any{"login": "nobody"})
	if known.Status != http.StatusAccepted || unknown.Status != known.Status || !bytes.Equal(known.Body, unknown.Body) || len(known.Header) != len(unknown.Header) {
		t.Errorf("a known login is answered with %d %v %s, an unknown one with %d %v %s", known.Status, known.Header, known.Body, unknown.Status, unknown.Header, unknown.Body)
	}
}

func TestS10AResetLinkLeadsToTheConfiguredAddressOnly(t *testing.T) {
	t.Parallel()
	w, s, post := mailed(t)
	anna := w.Account(t, "anna")
	if _, err := w.Core.Account.Edit(t.Context(), domain.SystemActor(), anna.User.ID, nil, edited("anna@example.org")); err != nil {
		t.Fatal(err)
	}
	got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/forgot-password", map[string]any{"login": "ANNA"},
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.example", "Origin", s.URL)
	if got.Status != http.StatusAccepted {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	m := post.To(t, "anna@example.org")
	if strings.Contains(m.Text+m.HTML, "evil.example") {
		t.Errorf("the mail shows a host that the request named: %s", m.Text)
	}
	code := codeIn(t, m, "reset")
	const better = "eleven purple teapots"
	answer := s.Anonymous().Post(t, "/auth/reset-password", map[string]any{"code": code, "password": better})
	if answer.Status != http.StatusNoContent || answer.Header.Get("Set-Cookie") != "" || len(answer.Body) != 0 {
		t.Errorf("the reset is answered with %d %v %s", answer.Status, answer.Header, answer.Body)
	}
	if got := s.Bearer(anna.Tokens.AccessToken).Get(t, "/users/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("a session outlives the reset: %d", got.Status)
	}
	if old, now := signIn(t, s, "anna", world.Password), signIn(t, s, "anna", better); old != http.StatusUnauthorized || now != http.StatusOK {
		t.Errorf("the old password is answered with %d, the new one with %d", old, now)
	}
	post.Wait(t, "a notice of the change", func(m smtptest.Mail) bool { return strings.Contains(m.Subject, "was changed") })
}

func TestS9AnotherAddressIsConfirmedAndEndsOtherSessions(t *testing.T) {
	t.Parallel()
	w, s, post := mailed(t)
	anna := w.Account(t, "anna")
	if _, err := w.Core.Account.Edit(t.Context(), domain.SystemActor(), anna.User.ID, nil, edited("old@example.org")); err != nil {
		t.Fatal(err)
	}
	here := s.Bearer(anna.Tokens.AccessToken)
	other := world.Decode[httpd.SignIn](t, s.Anonymous().Post(t, "/auth/login", map[string]any{"login": "anna", "password": world.Password}), http.StatusOK)
	if got := here.Post(t, "/users/me/email", map[string]any{"email": "new@example.org"}); got.Status != http.StatusAccepted {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	code := codeIn(t, post.To(t, "new@example.org"), "confirm-email")
	if got := signIn(t, s, "new@example.org", world.Password); got != http.StatusUnauthorized {
		t.Errorf("an address counts before it is confirmed: %d", got)
	}
	if got := here.Post(t, "/auth/verify-email", map[string]any{"code": code}); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if a, b := here.Get(t, "/users/me").Status, s.Bearer(other.AccessToken).Get(t, "/users/me").Status; a != http.StatusOK || b != http.StatusUnauthorized {
		t.Errorf("who confirmed it is answered with %d, another session with %d", a, b)
	}
	post.Wait(t, "a notice at the old address", func(m smtptest.Mail) bool {
		return len(m.To) == 1 && m.To[0] == "old@example.org" && strings.Contains(m.Text, "new@example.org")
	})
}

func TestS9AChangedPasswordEndsOtherSessionsAndRenewsThisOne(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	here := w.Account(t, "anna")
	there := world.Decode[httpd.SignIn](t, s.Anonymous().Post(t, "/auth/login", map[string]any{"login": "anna", "password": world.Password}), http.StatusOK)
	const better = "eleven purple teapots"
	renewed := world.Decode[httpd.SignIn](t, s.Bearer(here.Tokens.AccessToken).Post(t, "/users/me/change-password", map[string]any{"currentPassword": world.Password, "password": better}), http.StatusOK)
	for what, c := range map[string]struct {
		token string
		want  int
	}{"the other session": {there.AccessToken, http.StatusUnauthorized}, "the old id": {here.Tokens.AccessToken, http.StatusUnauthorized}, "the new one": {renewed.AccessToken, http.StatusOK}} {
		if got := s.Bearer(c.token).Get(t, "/users/me"); got.Status != c.want {
			t.Errorf("%s is answered with %d", what, got.Status)
		}
	}
}

// bomb is a PNG whose header claims so many pixels on each side.
func bomb(side uint32) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(data)))
		body := append([]byte(kind), data...)
		b.Write(body)
		_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side)
	chunk("IHDR", append(header, 8, 6, 0, 0, 0))
	chunk("IDAT", []byte{0x78, 0x9c})
	chunk("IEND", nil)
	return b.Bytes()
}

func TestS24AvatarsAreCheckedBeforeTheyAreDecodedAndMadeAnew(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	user := s.User(t)
	upload := func(kind string, data []byte) world.Response {
		return user.Do(t, http.MethodPost, "/api/v1/users/me/avatar", bytes.NewReader(data), "Content-Type", kind)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for what, c := range map[string]struct {
		kind   string
		data   []byte
		status int
	}{
		"50,000 x 50,000": {"image/png", bomb(50_000), http.StatusRequestEntityTooLarge},
		"4,097 x 4,097":   {"image/png", bomb(4097), http.StatusUnprocessableEntity},
		"SVG":             {"image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), http.StatusUnprocessableEntity},
		"SVG as PNG":      {"image/png", []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), http.StatusUnprocessableEntity},
		"6 MiB":           {"image/png", make([]byte, 6<<20), http.StatusRequestEntityTooLarge},
	} {
		if got := upload(c.kind, c.data); got.Status != c.status {
			t.Errorf("%s is answered with %d %s", what, got.Status, got.Body)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 100<<20 {
		t.Errorf("uploads that were refused took %d MiB", grown>>20)
	}

	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 1200, 800)), nil); err != nil {
		t.Fatal(err)
	}
	exif := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0, 22}, "Exif\x00\x00secret place"...)
	me := world.Decode[domain.User](t, upload("image/jpeg", append(append(exif, 0, 0), photo.Bytes()[2:]...)), http.StatusOK)
	got := s.Admin(t).Get(t, "/users/"+me.ID.String()+"/avatar?v="+me.Avatar)
	picture, format, err := image.Decode(bytes.NewReader(got.Body))
	if err != nil || format != "webp" || picture.Bounds().Dx() != 512 || picture.Bounds().Dy() != 512 || bytes.Contains(got.Body, []byte("secret place")) {
		t.Errorf("the avatar is a %s, %v; %d bytes", format, err, len(got.Body))
	}
	if !strings.Contains(got.Header.Get("Cache-Control"), "immutable") || got.Header.Get("ETag") != `"`+me.Avatar+`"` {
		t.Errorf("it is sent with %v", got.Header)
	}
	if got := s.Anonymous().Get(t, "/users/"+me.ID.String()+"/avatar"); got.Status != http.StatusUnauthorized {
		t.Errorf("everybody sees it: %d", got.Status)
	}
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewNRGBA(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	if again := world.Decode[domain.User](t, upload("image/png", small.Bytes()), http.StatusOK); again.Avatar == me.Avatar || again.Avatar == "" {
		t.Errorf("another picture has the revision %q", again.Avatar)
	}
}
