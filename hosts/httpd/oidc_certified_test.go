package httpd_test

import (
	"bufio"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

// certified runs the provider of the end-to-end tests, which is somebody else's and certified, and returns its issuer.
func certified(t *testing.T, redirect string) string {
	t.Helper()
	if _, err := os.Stat("../../web/node_modules/oidc-provider"); err != nil {
		t.Skip("web/node_modules has no oidc-provider: npm --prefix web ci")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	script, err := filepath.Abs("../../web/e2e/oidc-provider.mjs")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), node, script, redirect)
	input, inErr := run.StdinPipe()
	output, outErr := run.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_, _ = io.Copy(io.Discard, output)
		_ = run.Wait()
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
			return lines.Text()
		}
	}
	t.Fatalf("the provider did not start: %v", lines.Err())
	return ""
}

var (
	formAction = regexp.MustCompile(`(?s)<form[^>]*action="([^"]+)"`)
	formHidden = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"`)
)

// through follows redirects and fills in the provider's forms as name until the browser is sent to the server's address, and returns that.
func (b browser) through(t *testing.T, address, name string) *url.URL {
	t.Helper()
	for range 20 {
		if strings.HasPrefix(address, b.server.URL) {
			to, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			return to
		}
		answer, err := b.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		if page := read(t, answer); page.Status == http.StatusOK {
			action := formAction.FindSubmatch(page.Body)
			if action == nil {
				t.Fatalf("no form at %s: %.500s", address, page.Body)
			}
			form := url.Values{"login": {name}, "username": {name}, "password": {world.Password}, "logout": {"yes"}}
			for _, field := range formHidden.FindAllSubmatch(page.Body, -1) {
				form.Set(string(field[1]), html.UnescapeString(string(field[2])))
			}
			target, err := answer.Request.URL.Parse(html.UnescapeString(string(action[1])))
			if err != nil {
				t.Fatal(err)
			}
			if answer, err = b.PostForm(target.String(), form); err != nil {
				t.Fatal(err)
			}
			_ = read(t, answer)
		}
		to, err := answer.Location()
		if err != nil {
			t.Fatalf("%s answers %s", answer.Request.URL, answer.Status)
		}
		address = to.String()
	}
	t.Fatalf("there is no end to it at %s", address)
	return nil
}

func TestOIDCACertifiedProviderSignsPeopleInAndOut(t *testing.T) {
	t.Parallel()
	s := world.New(t, world.Idle()).Serve(t)
	public(t, s)
	issuer := certified(t, s.URL+"/api/v1/auth/oidc/home/callback")
	body := object{
		"name": "home", "issuer": issuer, "clientId": "revenge", "clientSecret": "secret", "autoRegister": true, "roleClaim": "groups",
		"roleMapping": []object{{"value": "family", "role": "legacy:read"}},
	}
	if got := s.Admin(t).Post(t, "/admin/oidc/providers", body); got.Status != http.StatusCreated {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for name, roles := range map[string][]domain.RoleName{"ann": {domain.RoleUser, domain.RoleLegacy}, "bob": {domain.RoleUser}} {
		b := newBrowser(t, s)
		back := b.through(t, b.visit(t, "/auth/oidc/home/authorize?returnTo=/movies").String(), name)
		if to := b.visit(t, back.String()); to.String() != s.URL+"/movies" {
			t.Fatalf("%s ends up at %s", name, to)
		}
		me := b.me(t)
		// "ann" is the administrator's name here, and nobody becomes her by it.
		if me.User.ID == s.World.Admin(t).User.ID || me.User.Email != name+"@example.org" || me.User.DisplayName != "The one called "+name || !slices.Equal(me.User.Roles, roles) {
			t.Errorf("%s is %+v", name, me.User)
		}
		out := world.Decode[httpd.Logout](t, b.send(t, http.MethodPost, "/auth/logout", nil), http.StatusOK)
		if home := b.through(t, out.Redirect, name); home.Path != "/" {
			t.Errorf("signed out, %s ends up at %s", name, home)
		}
		if again := b.visit(t, "/auth/oidc/home/authorize"); strings.HasPrefix(b.next(t, again.String()), s.URL) {
			t.Errorf("%s is still signed in at the provider", name)
		}
	}
}

// next is where an address leads at once, "" for a page.
func (b browser) next(t *testing.T, address string) string {
	t.Helper()
	answer, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Header.Get("Location")
}

// TestOIDCKeycloakSignsPeopleInAndOut needs a realm as docs/oidc.md describes it; scripts/interop makes one.
func TestOIDCKeycloakSignsPeopleInAndOut(t *testing.T) {
	t.Parallel()
	issuer := os.Getenv("REVENGE_TEST_KEYCLOAK")
	if issuer == "" {
		t.Skip("REVENGE_TEST_KEYCLOAK names no realm: scripts/interop keycloak")
	}
	s := world.New(t, world.Idle()).Serve(t)
	public(t, s)
	body := object{
		"name": "home", "issuer": issuer, "clientId": "revenge", "clientSecret": "a-long-secret", "autoRegister": true, "roleClaim": "realm_access.roles",
		"roleMapping": []object{{"value": "family", "role": "legacy:read"}},
	}
	if got := s.Admin(t).Post(t, "/admin/oidc/providers", body); got.Status != http.StatusCreated {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	b := newBrowser(t, s)
	back := b.through(t, b.visit(t, "/auth/oidc/home/authorize").String(), "anne")
	if to := b.visit(t, back.String()); to.String() != s.URL+"/" {
		t.Fatalf("she ends up at %s", to)
	}
	me := b.me(t)
	if me.User.Username != "anne" || me.User.Email != "anne@example.org" || !slices.Equal(me.User.Roles, []domain.RoleName{domain.RoleUser, domain.RoleLegacy}) {
		t.Errorf("got %+v", me.User)
	}
	out := world.Decode[httpd.Logout](t, b.send(t, http.MethodPost, "/auth/logout", nil), http.StatusOK)
	if home := b.through(t, out.Redirect, "anne"); home.Path != "/" {
		t.Errorf("signed out, she ends up at %s", home)
	}
	if again := b.visit(t, "/auth/oidc/home/authorize"); b.next(t, again.String()) != "" {
		t.Error("she is still signed in at the provider")
	}
}
