package httpd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// logbook is a log that is kept.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged lets a world write everything into a logbook.
func (l *logbook) logged() world.Option {
	return world.Bring(func(o *assemble.Options) {
		o.Logger = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
}

// set changes a setting of the server.
func set(t *testing.T, w *world.World, name, value string) {
	t.Helper()
	if _, err := w.Core.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{name: json.RawMessage(value)}); err != nil {
		t.Fatal(err)
	}
}

// status is that of an answer to a question about the own account's films, which any key with library.read may ask.
func status(t *testing.T, c world.Client) int {
	t.Helper()
	return c.Get(t, "/movies").Status
}

func TestS16AKeyIsShownOnceAndIsNowhereElse(t *testing.T) {
	t.Parallel()
	log := &logbook{}
	w := world.New(t, world.Idle(), log.logged())
	s := w.Serve(t)
	user := s.User(t)
	made := user.Post(t, "/users/me/api-keys", map[string]any{"name": "Radarr", "permissions": []string{"library.read", "session.use"}})
	k := world.Decode[httpd.NewAPIKey](t, made, http.StatusCreated)
	if !regexp.MustCompile(`^rvg_[0-9A-Za-z]{51}$`).MatchString(k.Key) || !strings.HasPrefix(k.Key, k.Prefix) || len(k.Prefix) != 12 {
		t.Errorf("the key is %q with the prefix %q", k.Key, k.Prefix)
	}
	other := world.Decode[httpd.NewAPIKey](t, user.Post(t, "/users/me/api-keys", map[string]any{"name": "Other", "permissions": []string{"library.read"}}), http.StatusCreated)
	if other.Key[12:20] == k.Key[12:20] {
		t.Error("two keys are alike")
	}
	answers := []world.Response{s.Key(k.Key).Get(t, "/users/me"), s.Key(k.Key).Get(t, "/users/me/activity"), s.Key(k.Key).Get(t, "/admin/users"), user.Get(t, "/users/me/api-keys")}
	for _, path := range []string{"/movies", "/movies/nonsense", "/none", "/users/me"} { // each form in which a client may get it wrong
		answers = append(answers, s.Anonymous().Get(t, path+"?apiKey="+k.Key), s.Anonymous().Get(t, path+"?%61piKey="+k.Key+"&x=1"), s.Key(k.Key+"x").Get(t, path),
			s.Bearer(k.Key).Get(t, path), s.Anonymous().Do(t, http.MethodGet, "/api/v1"+path+"?apiKey="+k.Key, nil, "Referer", s.URL+"/?apiKey="+k.Key))
	}
	if got := s.Anonymous().Get(t, "/movies?apiKey="+k.Key); got.Status != http.StatusUnauthorized || got.Problem(t).Code != "auth.key_in_query" {
		t.Errorf("a key in an address is answered with %d %s", got.Status, got.Body)
	}
	set(t, w, "api.allowKeyInQuery", "true")
	world.Until(t, "keys may stand in addresses", func() bool {
		return status(t, s.Anonymous()) != 0 && s.Anonymous().Get(t, "/movies?apiKey="+k.Key).Status == http.StatusOK
	})
	answers = append(answers, s.Anonymous().Get(t, "/movies?limit=1&apiKey="+k.Key), s.Anonymous().Get(t, "/movies?apiKey="+k.Key+"&limit=x"), s.Anonymous().Get(t, "/nothing?apiKey="+k.Key))
	if got := user.Do(t, http.MethodDelete, "/api/v1/users/me/api-keys/"+k.ID.String(), nil); got.Status != http.StatusNoContent {
		t.Errorf("revoking: %d", got.Status)
	}
	answers = append(answers, s.Key(k.Key).Get(t, "/movies"), s.Admin(t).Get(t, "/admin/activity"))
	secret := k.Key[12:]
	for _, a := range answers {
		if bytes.Contains(a.Body, []byte(secret)) || strings.Contains(fmt.Sprint(a.Header), secret) {
			t.Errorf("an answer says the key: %d %.300s", a.Status, a.Body)
		}
	}
	if strings.Contains(log.String(), secret) || !strings.Contains(log.String(), "route=/api/v1/movies") {
		t.Errorf("the log says the key, or nothing: %.2000s", log)
	}
	h := &household{Server: s}
	for table, rows := range h.snapshot(t) {
		if all := strings.Join(rows, "\n"); strings.Contains(all, secret) || strings.Contains(all, other.Key[12:]) { // of which one is still good
			t.Errorf("%s says the key", table)
		}
	}
}

func TestS16AKeyNeverMayMoreThanItsOwnerNorGiveItselfMore(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	ctx, ulf, ann := t.Context(), w.User(t), w.Admin(t)
	path := func(id domain.ID) string { return "/api/v1/users/me/api-keys/" + id.String() }
	for name, permissions := range map[string][]string{
		"none": {}, "more than the owner has": {"library.read", "settings.manage"}, "unknown ones": {"library.read", "no.such"},
		"keys of its own": {"apikey.manage"}, "the own account": {"profile.manage"}, "second factors": {"session.enrol"}, "everybody's": {"public"},
	} {
		if got := s.User(t).Post(t, "/users/me/api-keys", map[string]any{"name": name, "permissions": permissions}); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("a key with %s: %d %s", name, got.Status, got.Body)
		}
	}
	all := []domain.Permission{domain.PermissionSession, domain.PermissionLibraryRead, domain.PermissionPlayback, domain.PermissionHistory}
	of, text := w.APIKey(t, ann, append(all, domain.PermissionUserManage, domain.PermissionSettingsManage)...)
	key := s.Key(text)
	if got := key.Get(t, "/admin/users"); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for name, got := range map[string]world.Response{
		"its own scopes": key.Do(t, http.MethodPatch, path(of.ID), map[string]any{"permissions": []string{"jobs.manage"}}), "a key": key.Post(t, "/users/me/api-keys", map[string]any{"name": "x", "permissions": []string{"library.read"}}),
		"the list of keys": key.Get(t, "/users/me/api-keys"), "its own end": key.Do(t, http.MethodDelete, path(of.ID), nil),
		"somebody's key": key.Do(t, http.MethodDelete, "/api/v1/admin/users/"+ann.User.ID.String()+"/api-keys/"+of.ID.String(), nil), "what it lacks": key.Get(t, "/admin/jobs"),
		"sessions": key.Do(t, http.MethodDelete, "/api/v1/sessions", nil),
	} {
		if got.Status != http.StatusForbidden {
			t.Errorf("by a key %s: %d %.200s", name, got.Status, got.Body)
		}
	}
	// A session that was opened a while ago makes none and widens none; it may narrow and revoke.
	stale := ulf.Actor
	stale.AuthenticatedAt = time.Now().Add(-time.Hour)
	_, _, err := w.Core.APIKeys.Create(ctx, stale, apikey.Draft{Name: "x", Permissions: all[:1]})
	if fault.CodeOf(errOf(err)) != "auth.reauthentication_required" {
		t.Errorf("an hour later: %v", err)
	}
	mine, mineText := w.APIKey(t, ulf, domain.PermissionLibraryRead, domain.PermissionSession)
	_, err = w.Core.APIKeys.Update(ctx, stale, mine.ID, func(d *apikey.Draft) { d.Permissions = append(d.Permissions, domain.PermissionHistory) })
	if fault.CodeOf(errOf(err)) != "auth.reauthentication_required" {
		t.Errorf("widened an hour later: %v", err)
	}
	if _, err = w.Core.APIKeys.Update(ctx, stale, mine.ID, func(d *apikey.Draft) { d.Permissions = d.Permissions[:1]; d.Name = "less" }); err != nil {
		t.Error(err)
	}
	if got := s.Key(mineText).Get(t, "/users/me"); got.Status != http.StatusForbidden {
		t.Errorf("what was taken away: %d", got.Status)
	}
	if got := s.Admin(t).Do(t, http.MethodPatch, path(mine.ID), map[string]any{"name": "taken"}); got.Status != http.StatusNotFound {
		t.Errorf("somebody else's key: %d %s", got.Status, got.Body)
	}
	if items := world.Decode[listOf[domain.APIKey]](t, s.Admin(t).Get(t, "/admin/users/"+ulf.User.ID.String()+"/api-keys"), http.StatusOK).Items; len(items) != 1 || items[0].Name != "less" || items[0].LastUsedAt == nil || items[0].LastUsedIP == "" {
		t.Errorf("an administrator sees %+v", items)
	}
	if got := s.Admin(t).Do(t, http.MethodDelete, "/api/v1/admin/users/"+ann.User.ID.String()+"/api-keys/"+mine.ID.String(), nil); got.Status != http.StatusNotFound {
		t.Errorf("at the wrong account: %d", got.Status)
	}
	if got := s.Admin(t).Do(t, http.MethodDelete, "/api/v1/admin/users/"+ulf.User.ID.String()+"/api-keys/"+mine.ID.String(), nil); got.Status != http.StatusNoContent {
		t.Errorf("an administrator revokes: %d %s", got.Status, got.Body)
	}
	world.Until(t, "it has ended", func() bool { return status(t, s.Key(mineText)) == http.StatusUnauthorized })
	// The owner loses a role: so does the key.
	setRoles(t, w, ann.User.ID, domain.RoleUser)
	world.Until(t, "the key is no administrator's", func() bool { return key.Get(t, "/admin/users").Status == http.StatusForbidden })
	if status(t, key) != http.StatusOK {
		t.Error("and may not even read")
	}
	if _, err := w.Core.Account.SetDisabled(ctx, domain.SystemActor(), ann.User.ID, true); err != nil {
		t.Fatal(err)
	}
	world.Until(t, "the key goes with its owner", func() bool { return status(t, key) == http.StatusUnauthorized })
}

// errOf makes a missing error one.
func errOf(err error) error {
	if err == nil {
		return fmt.Errorf("it was allowed")
	}
	return err
}

func TestS16OnlyOneCredentialCountsAndWhichIsClear(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	_, key := w.APIKey(t, w.User(t), domain.PermissionLibraryRead)
	_, another := w.APIKey(t, w.Admin(t), domain.PermissionLibraryRead)
	cookie, bearer := s.CookieName()+"="+w.Auth.CookieFor(w.User(t).Session), "Bearer "+w.User(t).Tokens.AccessToken
	set(t, w, "api.allowKeyInQuery", "true")
	world.Until(t, "keys may stand in addresses", func() bool { return s.Anonymous().Get(t, "/movies?apiKey="+key).Status == http.StatusOK })
	ask := func(query string, header ...string) world.Response {
		t.Helper()
		return s.Anonymous().Do(t, http.MethodGet, "/api/v1/movies"+query, nil, header...)
	}
	for name, got := range map[string]world.Response{
		"two headers": ask("", "X-API-Key", key, "Authorization", bearer), "header and address": ask("?apiKey="+key, "X-API-Key", key),
		"token and address": ask("?apiKey="+key, "Authorization", bearer), "twice in the address": ask("?apiKey=" + key + "&apiKey=" + another),
	} {
		if got.Status != http.StatusUnauthorized || got.Problem(t).Code != "auth.ambiguous_credentials" {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	// What the client says wins over the cookie that a browser adds, and is not helped by it.
	for name, c := range map[string]struct {
		got  world.Response
		want int
	}{
		"a key beside a cookie": {ask("", "X-API-Key", key, "Cookie", cookie), http.StatusOK}, "a bad key beside a good cookie": {ask("", "X-API-Key", "rvg_nonsense", "Cookie", cookie), http.StatusUnauthorized},
		"an empty key": {ask("?apiKey="), http.StatusUnauthorized}, "the name in another case": {ask("?apikey=" + key), http.StatusUnauthorized},
		"a key in the address and a token for streams": {ask("?token=x&apiKey=" + key), http.StatusUnprocessableEntity},
	} {
		if c.got.Status != c.want {
			t.Errorf("%s: %d %s", name, c.got.Status, c.got.Body)
		}
	}
	forged := s.Anonymous().Do(t, http.MethodPost, "/api/v1/libraries?apiKey="+key, map[string]any{}, "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site")
	if forged.Status != http.StatusForbidden || forged.Problem(t).Code != "csrf.cross_origin" {
		t.Errorf("from another site: %d %s", forged.Status, forged.Body)
	}
}

func TestS16StreamsOfAKeyEndWithIt(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, false)
	k, text := th.World.APIKey(t, th.World.User(t), domain.PermissionLibraryRead, domain.PermissionPlayback)
	key, nobody := th.Key(text), th.Anonymous()
	body := map[string]any{"capabilities": chromium, "urlToken": true}
	plan := world.Decode[playback.Plan](t, key.Post(t, "/movies/"+th.direct.ID.String()+"/playback", body), http.StatusOK)
	address := plan.Selected.Parts[0].URL
	bare, _, _ := strings.Cut(address, "?")
	if got := nobody.Do(t, http.MethodHead, address, nil); got.Status != http.StatusOK {
		t.Fatalf("by the token: %d", got.Status)
	}
	if got := nobody.Get(t, "/movies?"+address[len(bare)+1:]); got.Status != http.StatusUnauthorized {
		t.Errorf("the API by the token: %d", got.Status)
	}
	answer, err := th.HTTP.Do(key.Request(t, http.MethodGet, bare, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", answer.StatusCode, err)
	}
	if err := th.World.Core.APIKeys.Revoke(t.Context(), th.World.User(t).Actor, k.ID); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	for name, c := range map[string]world.Client{"its token": nobody, "itself": key} {
		at := bare
		if c.Request(t, http.MethodGet, bare, nil).Header.Get("X-Api-Key") == "" {
			at = address
		}
		world.Until(t, name+" is refused", func() bool { return c.Do(t, http.MethodHead, at, nil).Status == http.StatusUnauthorized })
	}
	if took := time.Since(ended); took > 5*time.Second { // one second, and what a busy machine adds
		t.Errorf("it took %s", took)
	}
	world.Until(t, "the second passes", func() bool { return time.Since(ended) > 1200*time.Millisecond })
	if n, err := io.Copy(io.Discard, answer.Body); err == nil {
		t.Errorf("the file was served to its end: %d bytes more", n)
	}
}

func TestS16AKeyHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	three := 3
	limited := func(n *int) world.Client {
		_, text, err := w.Core.APIKeys.CreateFor(t.Context(), domain.SystemActor(), "ulf", apikey.Draft{Name: "x", Permissions: []domain.Permission{domain.PermissionLibraryRead}, RequestsPerMinute: n})
		if err != nil {
			t.Fatal(err)
		}
		return s.Key(text)
	}
	w.User(t)
	key, other := limited(&three), limited(nil)
	for i := range 3 {
		got := key.Get(t, "/movies")
		if got.Status != http.StatusOK || got.Header.Get("RateLimit-Limit") != "3" || got.Header.Get("RateLimit-Policy") != "3;w=60" || got.Header.Get("RateLimit-Remaining") != fmt.Sprint(2-i) {
			t.Errorf("the %d-th: %d %v", i+1, got.Status, got.Header)
		}
	}
	for _, path := range []string{"/movies", "/settings", "/nothing"} { // whatever it asks for
		got := key.Get(t, path)
		if got.Status != http.StatusTooManyRequests || got.Problem(t).Code != apikey.CodeExhausted || got.Header.Get("RateLimit-Remaining") != "0" || got.Header.Get("Retry-After") == "" || got.Header.Get("RateLimit-Reset") == "" {
			t.Errorf("then %s: %d %v %s", path, got.Status, got.Header, got.Body)
		}
	}
	if got := other.Get(t, "/movies"); got.Status != http.StatusOK || got.Header.Get("RateLimit-Limit") != "600" {
		t.Errorf("the owner's other key: %d %v", got.Status, got.Header)
	}
	if got := s.User(t).Get(t, "/movies"); got.Status != http.StatusOK || got.Header.Get("RateLimit-Limit") != "" {
		t.Errorf("the owner's session: %d %v", got.Status, got.Header)
	}
	set(t, w, "api.keyRequestsPerMinute", "50")
	world.Until(t, "the setting holds", func() bool { return other.Get(t, "/movies").Header.Get("RateLimit-Limit") == "50" })
}

// TestS29ASpoofedAddressGetsNoNewBucket: what anybody can write into X-Forwarded-For neither escapes the limit nor uses up another's.
func TestS29ASpoofedAddressGetsNoNewBucket(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		proxies []netip.Prefix
		path    string // one each, as all servers of a world count together
		from    func(i int) string
	}{
		"with no proxy": {nil, "/setup/check", func(i int) string { return fmt.Sprintf("203.0.113.%d", i) }},
		"by a proxy":    {loopback, "/setup/claim", func(i int) string { return fmt.Sprintf("203.0.113.%d, 198.51.100.7", i) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.Serve(t, world.HTTPConfig(func(h *httpd.Config) { h.TrustedProxies = c.proxies }))
			ask := func(from string) world.Response {
				t.Helper()
				return s.Anonymous().Do(t, http.MethodPost, "/api/v1"+c.path, map[string]any{}, "X-Forwarded-For", from)
			}
			passed := 0
			for ; passed < 500; passed++ {
				got := ask(c.from(passed % 250))
				if got.Status == http.StatusTooManyRequests {
					if got.Header.Get("Retry-After") == "" || got.Problem(t).Code != "request.rate_limited" {
						t.Errorf("%v %s", got.Header, got.Body)
					}
					break
				}
			}
			if passed < 60 || passed >= 500 {
				t.Errorf("%d requests passed", passed)
			}
			if other := ask("203.0.113.1, 198.51.100.8").Status; (other == http.StatusTooManyRequests) != (c.proxies == nil) {
				t.Errorf("another client is answered with %d", other)
			}
		})
	}
}

func TestS27NobodyForgesAnEntryOrReadsAnothersLog(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	s := w.Serve(t)
	ann, ulf := w.Admin(t), w.User(t)
	forged := "ulf\n2026-01-01 auth.login ann succeeded\r\x1b[2K\u202etxt\u2028\u0085\x00"
	for _, name := range []string{forged, strings.Repeat("ü", 5000), "\xff\xfe"} {
		err := w.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			actor := domain.Actor{UserID: ulf.User.ID, Username: name, Client: domain.Client{IP: name, UserAgent: name}}
			return activity.Record(ctx, tx, time.Now(), actor, domain.Activity{
				Action: domain.ActivityUserChanged, ResourceType: "user", ResourceID: name, ResourceName: name, Details: map[string]string{name: name},
			})
		})
		if err != nil {
			t.Fatalf("%.20q: %v", name, err)
		}
		s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", map[string]any{"login": strings.ToValidUTF8(name[:min(len(name), 200)], ""), "password": "x"}, "User-Agent", "evil\u202e\u2028agent")
	}
	entries := func(c world.Client, path string) []domain.Activity {
		t.Helper()
		return world.Decode[domain.Page[domain.Activity]](t, c.Get(t, path), http.StatusOK).Items
	}
	changed := entries(s.Admin(t), "/admin/activity?action=user.changed&limit=100")
	if len(changed) != 3 {
		t.Errorf("%d entries of three", len(changed))
	}
	for _, e := range entries(s.Admin(t), "/admin/activity?limit=100") {
		for _, text := range append([]string{e.Username, e.Action, e.ResourceID, e.ResourceName, e.IP, e.UserAgent}, fmt.Sprint(e.Details)) {
			if len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }) {
				t.Errorf("an entry holds %.200q", text)
			}
		}
	}
	if !strings.Contains(fmt.Sprint(changed), `ulf\n2026-01-01 auth.login`) {
		t.Errorf("what was tried is not to be seen: %v", changed)
	}
	// One's own, and nobody else's.
	for _, e := range entries(s.User(t), "/users/me/activity?limit=100") {
		if e.UserID == nil || *e.UserID != ulf.User.ID {
			t.Errorf("Ulf sees %+v", e)
		}
	}
	for _, path := range []string{"/admin/activity", "/admin/activity/stats", "/admin/activity?user=" + ulf.User.ID.String()} {
		if got := s.User(t).Get(t, path); got.Status != http.StatusForbidden {
			t.Errorf("Ulf gets %d from %s", got.Status, path)
		}
	}
	if got := s.User(t).Get(t, "/users/me/activity?user="+ann.User.ID.String()); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("another's: %d", got.Status)
	}
	for name := range s.Face.Routes() {
		if strings.Contains(name, "/activity") && !strings.HasPrefix(name, http.MethodGet) {
			t.Errorf("%s: the log is only added to", name)
		}
	}
	// What was refused is in it, once however often it is asked, with the route and without what was asked about.
	for range 3 {
		s.User(t).Get(t, "/admin/users/"+ann.User.ID.String()+"/api-keys")
	}
	denied := func() []domain.Activity {
		return entries(s.Admin(t), "/admin/activity?action=access.&resourceType=route&success=false&user="+ulf.User.ID.String())
	}
	const route = "GET /api/v1/admin/users/{id}/api-keys"
	find := func() (found []domain.Activity) {
		for _, e := range denied() {
			if e.ResourceName == route {
				found = append(found, e)
			}
		}
		return found
	}
	world.Until(t, "it is told that Ulf was refused", func() bool { return len(find()) > 0 })
	if list := find(); len(list) != 1 || list[0].IP == "" || list[0].Username != "ulf" {
		t.Errorf("%+v", list)
	}
	stats := world.Decode[domain.ActivityStats](t, s.Admin(t).Get(t, "/admin/activity/stats"), http.StatusOK)
	if stats.Entries < 4 || stats.ActiveUsers < 0 || len(stats.Days) == 0 {
		t.Errorf("%+v", stats)
	}
	if got := s.Admin(t).Get(t, "/admin/activity/stats?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("six years: %d", got.Status)
	}
}
