package cli_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

// table is what a command prints, its columns a space apart, without the rows' ids.
func table(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(ok(t, dir, "", args...)) {
		words := strings.Fields(line)
		lines = append(lines, strings.Join(words[:len(words)-1], " "))
	}
	return strings.Join(lines, "\n")
}

// wrong is a command that must fail with a code and change nothing.
type wrong struct {
	says, stdin string
	args        []string
}

// allRefused tries what is wrong; shows prints what must be afterwards what it was before.
func allRefused(t *testing.T, dir string, shows func() string, list ...wrong) {
	t.Helper()
	before := shows()
	for _, w := range list {
		code := 1
		if w.says == "" { // the command line itself is wrong
			code = 2
		}
		refused(t, code, w.says, dir, w.stdin, append([]string{"admin"}, w.args...)...)
	}
	if after := shows(); after != before {
		t.Errorf("what was refused has changed\n%s\nto\n%s", before, after)
	}
}

func TestAccountsAreManagedFromTheHostBesideARunningServer(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	user := func(stdin string, args ...string) string {
		t.Helper()
		return ok(t, h.dir, stdin, append([]string{"admin", "user"}, args...)...)
	}
	user(world.Password+"\n", "create", "--admin", "ann")
	user(world.Password+"\n", "create", "--email", "bob@example.org", "--display-name", "Bob the Viewer", "bob")
	p := h.start(t)
	in := p.login(t, "bob")
	out := func() bool {
		r, _ := p.do(t, http.MethodGet, "/api/v1/users/me", in.AccessToken, nil)
		return r.StatusCode == http.StatusUnauthorized
	}
	today := p.login(t, "ann").User.LastLoginAt.Format("2006-01-02 15:04")
	list := table(t, h.dir, "admin", "user", "list")
	if lines := strings.Split(list, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[1], "ann admin active "+today[:10]) || !strings.HasPrefix(lines[2], "bob bob@example.org user active ") {
		t.Errorf("the list is\n%s", list)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"BOB@example"}, "bob"}, {[]string{"viewer"}, "bob"}, {[]string{"nobody"}, ""}, {[]string{"--role", "admin"}, "ann"},
		{[]string{"--state", "disabled"}, ""}, {[]string{"--state", "active", "--role", "user"}, "bob"},
	} {
		lines := strings.Split(table(t, h.dir, append([]string{"admin", "user", "list"}, c.args...)...), "\n")
		if name, _, _ := strings.Cut(strings.Join(lines[1:], ","), " "); name != c.want || len(lines) > 2 {
			t.Errorf("list %v: %q", c.args, lines)
		}
	}

	user("", "disable", "Bob@Example.org")
	world.Until(t, "the session of a disabled account ends", out)
	if got := table(t, h.dir, "admin", "user", "list", "--state", "disabled"); !strings.Contains(got, "bob bob@example.org user disabled") {
		t.Errorf("the list is\n%s", got)
	}
	refused(t, 1, "user.not_active", h.dir, "", "admin", "user", "reset-password", "bob")
	user("", "enable", "bob")
	in = p.login(t, "bob")
	user("", "delete", "bob")
	world.Until(t, "the session of a deleted account ends", out)
	user("", "enable", "bob")
	in = p.login(t, "bob")

	// A link changes nothing until it is used, once; a password that is typed here does at once.
	link, _, _ := strings.Cut(user("", "reset-password", "bob"), "\n")
	_, code, _ := strings.Cut(link, "#code=")
	if code == "" || out() {
		t.Fatalf("the link is %q, and the session ended: %v", link, out())
	}
	reset := map[string]any{"code": code, "password": "eleven purple teapots"}
	for _, want := range []int{http.StatusNoContent, http.StatusUnprocessableEntity} {
		if r, body := p.do(t, http.MethodPost, "/api/v1/auth/reset-password", "", reset); r.StatusCode != want {
			t.Errorf("a link's use: %d %s", r.StatusCode, body)
		}
	}
	user(world.Password+"\n", "reset-password", "--ask", "bob")
	in = p.login(t, "bob")
	if text := user("", "reset-mfa", "bob"); !strings.Contains(text, "no second factor") || strings.Contains(text, "too short") {
		t.Errorf("reset-mfa says %s", text)
	}
	in = p.login(t, "bob")

	allRefused(t, h.dir, func() string { return ok(t, h.dir, "", "admin", "user", "list") },
		wrong{"user.not_found", "", []string{"user", "disable", "carl"}},
		wrong{"user.not_found", "", []string{"user", "enable", "carl"}},
		wrong{"user.not_found", "", []string{"user", "delete", "--purge", "carl"}},
		wrong{"user.not_found", "", []string{"user", "reset-password", "carl"}},
		wrong{"user.not_found", world.Password + "\n", []string{"user", "reset-password", "--ask", "carl"}},
		wrong{"user.not_found", "", []string{"user", "reset-mfa", "carl"}},
		wrong{"user.last_admin", "", []string{"user", "disable", "ann"}},
		wrong{"user.last_admin", "", []string{"user", "delete", "ann"}},
		wrong{"user.last_admin", "", []string{"user", "delete", "--purge", "ann"}},
		wrong{"user.username_taken", world.Password + "\n", []string{"user", "create", "BOB"}},
		wrong{"user.email_taken", world.Password + "\n", []string{"user", "create", "--email", "BOB@example.org", "carl"}},
		wrong{"user.invalid", world.Password + "\n", []string{"user", "create", "--email", "nowhere", "carl"}},
		wrong{"user.invalid", "short\n", []string{"user", "reset-password", "--ask", "bob"}},
		wrong{"user.no_password", "", []string{"user", "reset-password", "--ask", "bob"}},
		wrong{"", "", []string{"user", "list", "--state", "asleep"}},
		wrong{"", "", []string{"user", "disable"}},
	)
	if out() {
		t.Error("what was refused ended a session")
	}
	user("", "delete", "--purge", "bob")
	if got := table(t, h.dir, "admin", "user", "list", "bob"); strings.Contains(got, "\n") {
		t.Errorf("after its purge there is\n%s", got)
	}
	refused(t, 1, "user.not_found", h.dir, "", "admin", "user", "enable", "bob")
}

func TestRolesAreManagedFromTheHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	role := func(args ...string) string {
		t.Helper()
		return ok(t, dir, "", append([]string{"admin", "role"}, args...)...)
	}
	has := func(what, want string) {
		t.Helper()
		if !strings.Contains(what, want) {
			t.Errorf("no %q in\n%s", want, what)
		}
	}
	ok(t, dir, world.Password+"\n", "admin", "user", "create", "--admin", "ann")
	ok(t, dir, world.Password+"\n", "admin", "user", "create", "bob")
	ok(t, dir, "", "library", "add", "--name", "Attic", t.TempDir())

	has(role("create", "keeper", "--description", "Looks after films", "--permission", "library.read", "--permission", "playback.use"), "It carries: library.read playback.use\n")
	has(role("create", "chief", "--inherit", "keeper", "--permission", "activity.read"), "activity.read library.read playback.use")
	has(role("permit", "keeper", "library.manage"), "keeper carries: library.manage library.read playback.use")
	has(role("show", "chief"), "carries: activity.read library.manage library.read playback.use")
	has(role("forbid", "keeper", "library.manage", "playback.use"), "keeper carries: library.read\n")
	role("grant", "bob", "chief")
	role("grant", "bob", "keeper", "--library", "attic")
	has(role("show", "chief"), "  bob, everywhere\n")
	has(role("show", "keeper"), "  bob, for the library ")
	has(table(t, dir, "admin", "user", "list", "--role", "chief"), "bob user chief active")

	allRefused(t, dir, func() string {
		return role("list") + role("show", "keeper") + role("show", "chief") + role("show", "admin") + ok(t, dir, "", "admin", "user", "list")
	},
		wrong{"role.exists", "", []string{"role", "create", "keeper"}},
		wrong{"role.exists", "", []string{"role", "create", "user"}},
		wrong{"role.invalid", "", []string{"role", "create", "No Name"}},
		wrong{"role.invalid", "", []string{"role", "create", "other", "--permission", "films.eat"}},
		wrong{"role.invalid", "", []string{"role", "create", "other", "--inherit", "nobody"}},
		wrong{"role.not_found", "", []string{"role", "show", "nobody"}},
		wrong{"role.not_found", "", []string{"role", "delete", "nobody"}},
		wrong{"role.default", "", []string{"role", "delete", "--force", "guest"}},
		wrong{"role.in_use", "", []string{"role", "delete", "chief"}},
		wrong{"role.in_use", "", []string{"role", "delete", "keeper"}},
		wrong{"role.not_found", "", []string{"role", "permit", "nobody", "library.read"}},
		wrong{"role.invalid", "", []string{"role", "permit", "keeper", "playback.use", "films.eat"}},
		wrong{"role.default", "", []string{"role", "forbid", "admin", "role.manage"}},
		wrong{"role.not_found", "", []string{"role", "grant", "bob", "nobody"}},
		wrong{"user.not_found", "", []string{"role", "grant", "carl", "keeper"}},
		wrong{"library.not_found", "", []string{"role", "grant", "bob", "chief", "--library", "Cellar"}},
		wrong{"role.absolute", "", []string{"role", "grant", "bob", "admin", "--library", "Attic"}},
		wrong{"role.not_held", "", []string{"role", "revoke", "bob", "guest"}},
		wrong{"role.not_held", "", []string{"role", "revoke", "bob", "chief", "--library", "Attic"}},
		wrong{"user.last_admin", "", []string{"role", "revoke", "ann", "admin"}},
		wrong{"user.not_found", "", []string{"role", "revoke", "carl", "keeper"}},
		wrong{"", "", []string{"role", "permit", "keeper"}},
	)

	// Only with an administrator left does one go; a role goes with all that it gave.
	role("grant", "bob", "admin")
	role("revoke", "ann", "admin")
	role("revoke", "bob", "keeper", "--library", "Attic")
	role("delete", "--force", "keeper")
	refused(t, 1, "role.not_found", dir, "", "admin", "role", "show", "keeper")
	has(role("show", "chief"), "carries: activity.read\n")
}

func TestKeysSettingsAndMailAreRefusedInPlainWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, dir, world.Password+"\n", "admin", "user", "create", "ann")
	ok(t, dir, "", "admin", "settings", "set", "server.name=Kino", "ui.language=de")
	allRefused(t, dir, func() string {
		return ok(t, dir, "", "admin", "key", "list", "ann") + ok(t, dir, "", "admin", "settings", "get")
	},
		wrong{"user.not_found", "", []string{"key", "create", "bert", "Radarr", "-p", "library.read"}},
		wrong{"films.eat", "", []string{"key", "create", "ann", "Radarr", "-p", "library.read", "-p", "films.eat"}},
		wrong{"apikey.scope_not_allowed", "", []string{"key", "create", "ann", "Radarr", "-p", "apikey.manage"}}, // no key makes keys (S16)
		wrong{"apikey.bad_name", "", []string{"key", "create", "ann", " ", "-p", "library.read"}},
		wrong{"", "", []string{"key", "create", "ann", "Radarr"}},
		wrong{"api_key.not_found", "", []string{"key", "revoke", "01a20724-b127-7d28-b97d-622321597549"}},
		wrong{"settings.not_found", "", []string{"settings", "get", "server.colour"}},
		wrong{"settings.invalid", "", []string{"settings", "set", "server.name=Theater", "server.colour=red"}},
		wrong{"settings.invalid", "", []string{"settings", "set", "server.name=Theater", "auth.registration=sometimes"}},
		wrong{"settings.invalid", "", []string{"settings", "set", "server.name=Theater", "account.deletionGraceDays=-1"}},
		wrong{"settings.bad_change", "", []string{"settings", "set", "server.name=Theater", "ui.language"}},
		wrong{"", "", []string{"settings", "set"}},
		wrong{"mail.not_configured", "", []string{"mail-test", "ann@example.org"}},
	)
	if got := ok(t, dir, "", "admin", "settings", "set", "server.name="); strings.Contains(got, "Kino") {
		t.Errorf("the default is %s", got)
	}
}

// TestNewKeysSignNobodyOut: what the old ones signed is good while a running server takes up the new ones, and after its next start.
func TestNewKeysSignNobodyOut(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	ok(t, h.dir, world.Password+"\n", "admin", "user", "create", "--admin", "ann")
	p := h.start(t)
	before := p.login(t, "ann")
	secrets := func() string {
		s := h.database(t)
		defer s.Close()
		return strings.Join(column(t, s.ReadDB(), "SELECT name || hex(sealed) FROM server_secrets ORDER BY 1"), "\n")
	}
	old := secrets()
	if text := ok(t, h.dir, "", "admin", "rotate-keys"); !strings.Contains(text, "New keys sign from now on") || secrets() == old {
		t.Errorf("rotate-keys says %s, and the keys are new: %v", text, secrets() != old)
	}
	for _, what := range []string{"the running server", "the next start"} {
		if me := get[httpd.Me](t, &p.served, before.AccessToken, "/users/me"); me.User.Username != "ann" {
			t.Errorf("%s knows %+v", what, me)
		}
		r, body := p.do(t, http.MethodPost, "/api/v1/auth/refresh", "", map[string]any{"refreshToken": before.RefreshToken})
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: a refresh token is answered %d %s", what, r.StatusCode, body)
		}
		before = p.login(t, "ann")
		if what == "the running server" {
			p.kill()
			p = h.start(t)
		}
	}
	refused(t, 2, "", filepath.Join(h.dir, "nowhere"), "", "admin", "rotate-keys", "now")
}
