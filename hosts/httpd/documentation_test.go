package httpd_test

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestWhatTheGuideToTheAPIShowsWorks runs the commands of docs/api.md against a server, each as it stands there.
func TestWhatTheGuideToTheAPIShowsWorks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("this test needs curl")
	}
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	ann := w.Admin(t)
	set(t, w, "api.allowKeyInQuery", "true")
	_, key := w.APIKey(t, ann, domain.PermissionLibraryRead)
	world.Until(t, "keys may stand in addresses", func() bool { return s.Anonymous().Get(t, "/movies?apiKey="+key).Status == http.StatusOK })
	dir, commands := t.TempDir(), 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		script := strings.NewReplacer("http://localhost:8585", s.URL, "a long enough password", world.Password, "curl -s ", "curl -sS --fail-with-body --max-time 30 ").Replace(block[1])
		if strings.Contains(script, "curl -sN") { // a stream without an end
			continue
		}
		commands += strings.Count(script, "--fail-with-body")
		command := exec.CommandContext(t.Context(), "sh", "-euc", script) //nolint:gosec // the text is this project's own
		command.Dir = dir
		command.Env = append(os.Environ(), "ACCESS_TOKEN="+ann.Tokens.AccessToken, "REFRESH_TOKEN="+ann.Tokens.RefreshToken, "API_KEY="+key, "no_proxy=127.0.0.1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s\nends with %v: %.500s", block[1], err, out)
		}
	}
	if commands < 8 {
		t.Errorf("only %d commands are shown", commands)
	}
}
