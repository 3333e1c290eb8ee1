package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/cli"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// asProgram makes this test's binary be the program, so that a test can kill it.
const asProgram = "REVENGE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(context.Background(), cli.Program{Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	os.Exit(m.Run())
}

// startProgram starts "revenge serve" as a process of its own. kill ends it without a word.
func startProgram(t *testing.T, dir, films string) (s *served, kill func()) {
	t.Helper()
	s = &served{stdout: &output{}, stderr: &output{}}
	command := exec.Command(os.Args[0], "--data-dir", dir, "serve", "--listen", "127.0.0.1:0", films)
	command.Env = append(append(os.Environ(), environ...), asProgram+"=1")
	command.Stdout, command.Stderr = s.stdout, s.stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	kill = func() {
		if !ended {
			ended = true
			command.Process.Kill()
			command.Wait()
		}
	}
	t.Cleanup(kill)
	world.Until(t, "the server says where it is: "+s.stderr.String(), func() bool {
		s.url = printedAddress.FindString(s.stdout.String())
		return s.url != ""
	})
	return s, kill
}

// TestAKilledServerLosesNothingThatItAcknowledgedAndGoesOnWithItsScan kills the process at several points of a scan (R1, R2).
func TestAKilledServerLosesNothingThatItAcknowledgedAndGoesOnWithItsScan(t *testing.T) {
	t.Parallel()
	const count = 24
	dir, films := t.TempDir(), t.TempDir()
	for i := range count {
		path := world.Film(t, films, fmt.Sprintf("Film %02d (19%02d)", i, i+50), demo.H264AAC)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// A box that players skip makes every file another one; an old file is no file that is still copied.
		world.Write(t, path, append(data, 0, 0, 0, 12, 'f', 'r', 'e', 'e', 0, 0, byte(i>>8), byte(i)))
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Dir(path), old, old); err != nil {
			t.Fatal(err)
		}
	}
	ok(t, dir, world.Password+"\n", "admin", "user", "create", "--admin", "ann")
	var in httpd.SignIn
	languages := []string{"eng", "ger", "fre", "spa"}
	get := func(s *served, path string, into any) int {
		answer, body := s.do(t, http.MethodGet, "/api/v1"+path, in.AccessToken, nil)
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s: %v in %s", path, err, body)
		}
		return answer.StatusCode
	}
	for turn, language := range languages {
		s, kill := startProgram(t, dir, films)
		if turn == 0 {
			_, body := s.do(t, http.MethodPost, "/api/v1/auth/login", "", map[string]any{"login": "ann", "password": world.Password})
			if err := json.Unmarshal(body, &in); err != nil {
				t.Fatal(err)
			}
		} else {
			var p domain.Preferences
			if get(s, "/users/me/preferences", &p); p.AudioLanguage != languages[turn-1] {
				t.Errorf("what was acknowledged before the kill is %q, not %q", p.AudioLanguage, languages[turn-1])
			}
		}
		var libraries struct{ Items []domain.Library }
		get(s, "/libraries", &libraries)
		if len(libraries.Items) != 1 {
			t.Fatalf("%d libraries", len(libraries.Items))
		}
		last := turn == len(languages)-1
		world.Until(t, "the scan is far enough", func() bool {
			var scan domain.Scan
			get(s, "/admin/libraries/"+libraries.Items[0].ID.String()+"/scan", &scan)
			if last {
				return scan.State == domain.ScanDone
			}
			return scan.Read+scan.Matched+scan.Artwork >= 3*count*(turn*4+1)/10 // at 10, 50 and 90 %
		})
		if last {
			var page domain.Page[domain.MovieItem]
			get(s, "/movies?limit=100", &page)
			var titles []string
			for _, m := range page.Items {
				titles = append(titles, m.Title)
				if m.Backdrop == nil || m.Runtime < 15 {
					t.Errorf("%s is not complete: %+v", m.Title, m)
				}
			}
			if unique := len(slices.Compact(slices.Sorted(slices.Values(titles)))); len(titles) != count || unique != count {
				t.Errorf("%d films, %d titles", len(titles), unique)
			}
			kill()
			return
		}
		if answer, body := s.do(t, http.MethodPatch, "/api/v1/users/me/preferences", in.AccessToken, map[string]any{"audioLanguage": language}); answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", answer.StatusCode, body)
		}
		kill()
	}
}
