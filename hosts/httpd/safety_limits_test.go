package httpd_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestS30NoRouteTakesInputBeyondItsLimits(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	ann := s.Admin(t)
	lists := 0
	for route := range s.Face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(pattern, "/api/v1") {
			continue
		}
		path := inPattern.ReplaceAllString(pattern, domain.NewID().String())
		if method == http.MethodGet {
			// Where there are pages, no size but 1 to 100; where there are none, the parameter is not known.
			for _, limit := range []string{"-1", "0", "101", "1000000000", "1e9", "abc", "0x10", "99999999999999999999"} {
				got := ann.Do(t, method, path+"?limit="+limit, nil)
				refused := got.Status >= 400 && got.Status < 500 || strings.HasPrefix(got.Header.Get("Location"), "/login#error=") // which browsers are told so
				if !refused {
					t.Errorf("%s with a limit of %q: %d %.200s", route, limit, got.Status, got.Body)
				}
				lists++
			}
			for _, long := range []string{"q=" + strings.Repeat("a", 201), "genre=" + strings.Repeat("a", 100_000/4), "cursor=" + strings.Repeat("A", 1001), strings.Repeat("&a=b", 5000), "limit=5&limit=6&limit=7"} {
				if got := ann.Do(t, method, path+"?"+long, nil); got.Status >= 500 {
					t.Errorf("%s with %.20s…: %d %.200s", route, long, got.Status, got.Body)
				}
			}
			continue
		}
		for name, body := range map[string]string{
			"lists in lists":     strings.Repeat("[", 500_000),
			"objects in objects": strings.Repeat(`{"a":`, 150_000),
			"a whole deep list":  `{"login":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}",
			"many fields":        `{"a":1` + strings.Repeat(`,"b":2`, 100_000) + "}",
			"a large number":     `{"position":1e400,"duration":-1e400}`,
			"another encoding":   "\xff\xfe{\x00}\x00",
			"null":               "null",
		} {
			got := ann.Do(t, method, path, strings.NewReader(body), "Content-Type", "application/json")
			if got.Status >= 500 {
				t.Errorf("%s with %s: %d %.200s", route, name, got.Status, got.Body)
			}
		}
		if strings.Contains(pattern, "/logout") || method == http.MethodDelete && strings.HasSuffix(pattern, "/sessions") { // that session has ended
			in, err := w.Auth.Login(t.Context(), "ann", world.Password, domain.Client{}, auth.Options{})
			if err != nil {
				t.Fatal(err)
			}
			ann = s.Bearer(in.SignedIn.Tokens.AccessToken)
		}
	}
	if lists < 100 {
		t.Errorf("only %d limits were tried", lists)
	}
	for query, status := range map[string]int{
		"/movies?limit=100": http.StatusOK, "/movies?q=" + strings.Repeat("a", 200): http.StatusOK, "/movies?q=" + strings.Repeat("%C3%A9", 200): http.StatusOK,
		"/movies?q=" + strings.Repeat("%C3%A9", 201): http.StatusUnprocessableEntity,
	} {
		if got := ann.Get(t, query); got.Status != status {
			t.Errorf("%.40s is answered with %d %s", query, got.Status, got.Body)
		}
	}
	for _, width := range []string{"0", "-1", "1", "479", "481", "100000", "1e3", "480.0", "abc"} {
		if got := ann.Get(t, "/images/poster/"+domain.NewID().String()+"?width="+width); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("a width of %q is answered with %d", width, got.Status)
		}
	}
	// A field that comes twice counts once, and that one is checked.
	for body, status := range map[string]int{
		`{"subtitleMode":"loud","subtitleMode":"loud"}`: http.StatusUnprocessableEntity,
		`{"subtitleMode":"off","subtitleMode":"loud"}`:  http.StatusUnprocessableEntity,
		`{"subtitleMode":"off","SubtitleMode":"on"}`:    http.StatusUnprocessableEntity,
		`{"SUBTITLEMODE":"on"}`:                         http.StatusUnprocessableEntity,
		`{"subtitleMode":"on","subtitleMode":"off"}`:    http.StatusOK,
	} {
		got := ann.Do(t, http.MethodPatch, "/api/v1/users/me/preferences", strings.NewReader(body), "Content-Type", "application/json")
		if got.Status != status || status == http.StatusOK && world.Decode[domain.Preferences](t, got, http.StatusOK).SubtitleMode != "off" {
			t.Errorf("%s is answered with %d %s", body, got.Status, got.Body)
		}
	}
	for name, header := range map[string][]string{"a long header": {"X-Long", strings.Repeat("a", 64<<10)}, "a long cookie": {"Cookie", "revenge=" + strings.Repeat("a", 64<<10)}, "a long credential": {"Authorization", "Bearer " + strings.Repeat("a", 64<<10)}} {
		if got := s.Anonymous().Do(t, http.MethodGet, "/api/v1/users/me", nil, header...); got.Status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s is answered with %d", name, got.Status)
		}
	}
}

func TestS30OfAHundredEncodesAtOnceFewRunSomeWaitAndTheRestAreToldToComeLater(t *testing.T) {
	t.Parallel()
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed")
	}
	// An ffmpeg that begins its work when the gate is there, so that all requests are under way at once.
	const atOnce, perUser, users, each = 2, 6, 5, 20
	gate, tool := filepath.Join(t.TempDir(), "gate"), filepath.Join(t.TempDir(), "gated-ffmpeg")
	world.Write(t, tool, fmt.Appendf(nil, "#!/bin/sh\ncase \"$*\" in *-version*) ;; *) while [ ! -e %s ]; do sleep 0.05; done;; esac\nexec %s \"$@\"\n", gate, real))
	if err := os.Chmod(tool, 0o755); err != nil {
		t.Fatal(err)
	}
	w, dir := world.New(t, world.Configure(func(c *config.Config) {
		c.FFmpeg.FFmpeg, c.Scan.Frames, c.Encode.Total, c.Encode.PerUser, c.Encode.Processes = tool, false, atOnce, perUser, atOnce+1
	})), t.TempDir()
	world.Film(t, dir, "Brazil (1985)", demo.H264AC3MKV)
	th := theatre{Server: w.Serve(t), library: w.Library(t, dir)}
	w.ScanUntilDone(t, th.library.ID)
	th.encoded = w.Movie(t, w.Admin(t).Actor, "Brazil")
	th.encodes = world.Decode[playback.Plan](t, th.User(t).Post(t, "/movies/"+th.encoded.ID.String()+"/playback", object{"capabilities": chromium}), http.StatusOK)
	master := th.encodes.Selected.Parts[0].URL
	for _, track := range lines(t, th.User(t).Do(t, http.MethodGet, master, nil), master) { // the index is made once, before
		lines(t, th.User(t).Do(t, http.MethodGet, track, nil), track)
	}

	var mu sync.Mutex
	var refused, served int
	var all sync.WaitGroup
	for u := range users {
		c := th.Bearer(w.Account(t, "viewer"+strconv.Itoa(u), domain.RoleUser).Tokens.AccessToken)
		for n := range each {
			all.Go(func() {
				got := c.Do(t, http.MethodGet, th.sound(n%3), nil)
				mu.Lock()
				defer mu.Unlock()
				switch got.Status {
				case http.StatusOK:
					served++
				case http.StatusServiceUnavailable:
					refused++
					after, err := strconv.Atoi(got.Header.Get("Retry-After"))
					if code := got.Problem(t).Code; err != nil || after < 1 || code != "playback.user_limit" && code != "playback.busy" {
						t.Errorf("refused by %s, with Retry-After %q", code, got.Header.Get("Retry-After"))
					}
				default:
					t.Errorf("one of many is answered with %d %.200s", got.Status, got.Body)
				}
			})
		}
	}
	const most = atOnce + 5*atOnce // that many may wait (config: encode.total)
	world.Until(t, "the others are told to come later", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return refused >= users*each-most
	})
	running := 0
	found, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		if comm, _ := os.ReadFile(file); strings.TrimSpace(string(comm)) == "gated-ffmpeg" {
			running++
		}
	}
	if running > atOnce {
		t.Errorf("%d encoders run at once", running)
	}
	if got := th.Anonymous().Do(t, http.MethodGet, "/healthz", nil); got.Status != http.StatusOK {
		t.Errorf("meanwhile /healthz is answered with %d", got.Status)
	}
	world.Write(t, gate, nil)
	all.Wait()
	t.Logf("%d of %d were served, %d refused, %d encoders ran", served, users*each, refused, running)
	if served+refused != users*each || served == 0 || served > most {
		t.Errorf("%d were served, %d refused", served, refused)
	}
}
