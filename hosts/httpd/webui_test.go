package httpd_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
	"github.com/revenge-media/revenge/web"
)

// page is a build like SvelteKit's: one inline script, files by name, and files whose names carry their hash.
func page() fs.FS {
	return fstest.MapFS{
		"index.html":                  {Data: []byte("<!doctype html><title>Revenge</title><script src=\"/theme.js\"></script>\n<script>\n\tstart({ base: \"\" });\n</script>")},
		"icon.svg":                    {Data: []byte("<svg/>")},
		"manifest.webmanifest":        {Data: []byte("{}")},
		"theme.js":                    {Data: []byte("theme()")},
		"theme.js.gz":                 {Data: []byte("gzipped")},
		"theme.js.br":                 {Data: []byte("brotli")},
		"_app/immutable/start.abc.js": {Data: []byte("run()")},
	}
}

var inline = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// allowsItsScripts checks that the policy names exactly the page's own inline scripts (S25).
func allowsItsScripts(t *testing.T, r world.Response) {
	t.Helper()
	policy := r.Header.Get("Content-Security-Policy")
	scripts := inline.FindAllSubmatch(r.Body, -1)
	if len(scripts) == 0 {
		t.Fatal("the page has no inline script")
	}
	for _, m := range scripts {
		sum := sha256.Sum256(m[1])
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy %q does not allow the page's own script %s", policy, want)
		}
	}
	if got := strings.Count(policy, "'sha256-"); got != len(scripts) {
		t.Errorf("the policy allows %d scripts, the page has %d", got, len(scripts))
	}
	for _, unwanted := range []string{"script-src 'self' 'unsafe-inline'", "'unsafe-eval'", "http:", "https:", "*"} {
		if strings.Contains(policy, unwanted) {
			t.Errorf("the policy %q has %s", policy, unwanted)
		}
	}
}

func TestThePageAnswersForEveryAddressOfTheApplication(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	c := w.Serve(t, world.Web(page())).Anonymous()
	for _, address := range []string{"/", "/movies", "/movies/01a2/play", "/setup", "/index.html", "/no/such.page"} {
		got := c.Do(t, http.MethodGet, address, nil)
		if got.Status != http.StatusOK || !strings.Contains(string(got.Body), "<title>Revenge</title>") || got.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %q %s", address, got.Status, got.Header.Get("Cache-Control"), got.Body)
			continue
		}
		secured(t, address, got)
		allowsItsScripts(t, got)
	}
	for address, want := range map[string]struct{ body, kind, cache string }{
		"/icon.svg":                    {"<svg/>", "image/svg+xml", "no-cache"},
		"/manifest.webmanifest":        {"{}", "application/manifest+json", "no-cache"},
		"/_app/immutable/start.abc.js": {"run()", "text/javascript", "public, max-age=31536000, immutable"},
	} {
		got := c.Do(t, http.MethodGet, address, nil)
		if got.Status != http.StatusOK || string(got.Body) != want.body || !strings.HasPrefix(got.Header.Get("Content-Type"), want.kind) || got.Header.Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d %v %s", address, got.Status, got.Header, got.Body)
		}
		secured(t, address, got)
		if again := c.Do(t, http.MethodGet, address, nil, "If-None-Match", got.Header.Get("ETag")); again.Status != http.StatusNotModified || len(again.Body) > 0 {
			t.Errorf("%s again: %d", address, again.Status)
		}
	}
	for _, address := range []string{"/_app/immutable/gone.js", "/gone.js", "/api/gone", "/api/v1", "/../../etc/passwd.js"} {
		got := c.Do(t, http.MethodGet, address, nil)
		if got.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", address, got.Status, got.Body)
			continue
		}
		got.Problem(t)
	}
	for accepted, want := range map[string][2]string{"br, gzip": {"br", "brotli"}, "gzip": {"gzip", "gzipped"}, "identity": {"", "theme()"}} {
		got := c.Do(t, http.MethodGet, "/theme.js", nil, "Accept-Encoding", accepted)
		if got.Header.Get("Content-Encoding") != want[0] || string(got.Body) != want[1] || !strings.Contains(got.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("for %q: %v %s", accepted, got.Header, got.Body)
		}
	}
}

func TestTheEmbeddedPageAndAllItNamesAreServed(t *testing.T) {
	t.Parallel()
	files, built := web.Build()
	if !built {
		t.Skip("the web UI is not built: run \"just build\"")
	}
	w := world.New(t, world.Idle())
	c := w.Serve(t, world.Web(files)).Anonymous()
	got := c.Do(t, http.MethodGet, "/", nil)
	allowsItsScripts(t, got)
	named := regexp.MustCompile(`(?:href|src)="(/[^"]+)"`).FindAllSubmatch(got.Body, -1)
	if len(named) == 0 {
		t.Fatal("the page names no file")
	}
	for _, m := range named {
		address := string(m[1])
		asset := c.Do(t, http.MethodGet, address, nil)
		if asset.Status != http.StatusOK || strings.HasPrefix(asset.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", address, asset.Status, asset.Header.Get("Content-Type"))
		}
		if immutable := strings.Contains(asset.Header.Get("Cache-Control"), "immutable"); immutable != strings.HasPrefix(path.Clean(address), "/_app/immutable/") {
			t.Errorf("%s may be kept: %s", address, asset.Header.Get("Cache-Control"))
		}
	}
}

func TestAServerWithoutPagesSaysSo(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	got := w.Serve(t).Anonymous().Do(t, http.MethodGet, "/", nil)
	if got.Status != http.StatusNotFound {
		t.Errorf("%d", got.Status)
	}
	got.Problem(t)
	if _, err := httpd.New(httpd.Config{Core: &core.Core{}, Web: fstest.MapFS{}}); err == nil || !strings.Contains(err.Error(), "not built") {
		t.Errorf("a build without a page: %v", err)
	}
}
