package httpd_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// token makes a stream token of these claims as the server's own code does: the MAC of its purpose over play session, film, user, session, time.
func streamToken(key []byte, purpose string, issued time.Time, ids ...domain.ID) string {
	var said []byte
	for _, id := range ids {
		said = append(said, id[:]...)
	}
	said = binary.BigEndian.AppendUint64(said, uint64(issued.UnixMicro()))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	mac.Write(said)
	return base64.RawURLEncoding.EncodeToString(append(said, mac.Sum(nil)...))
}

func TestS19AStreamTokenIsOfOneFilmUserSessionPurposeAndTime(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, true)
	w, nobody := th.World, th.Anonymous()
	ulf, eve := w.User(t), w.Account(t, "eve", domain.RoleUser)
	key, now := unsealed(t, w, "stream-token-key"), time.Now()
	address, _, _ := strings.Cut(th.directs.Selected.Parts[0].URL, "?")
	ask := func(token string) int {
		return nobody.Do(t, http.MethodGet, address+"?token="+url.QueryEscape(token), nil, "Range", "bytes=0-9").Status
	}
	const purpose = "revenge stream token 1"
	good := streamToken(key, purpose, now, domain.NewID(), th.direct.ID, ulf.User.ID, ulf.Session.ID)
	if got := ask(good); got != http.StatusPartialContent {
		t.Fatalf("a token as the server makes it is answered with %d: the others prove nothing", got)
	}
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int) string {
		c := bytes.Clone(raw)
		c[at] ^= 1
		return base64.RawURLEncoding.EncodeToString(c)
	}
	for name, token := range map[string]string{
		"of another film":              streamToken(key, purpose, now, domain.NewID(), th.encoded.ID, ulf.User.ID, ulf.Session.ID),
		"of a film that is none":       streamToken(key, purpose, now, domain.NewID(), domain.NewID(), ulf.User.ID, ulf.Session.ID),
		"of another user":              streamToken(key, purpose, now, domain.NewID(), th.direct.ID, eve.User.ID, ulf.Session.ID),
		"of another session":           streamToken(key, purpose, now, domain.NewID(), th.direct.ID, ulf.User.ID, eve.Session.ID),
		"of a session that is none":    streamToken(key, purpose, now, domain.NewID(), th.direct.ID, ulf.User.ID, domain.NewID()),
		"for another purpose":          streamToken(key, "revenge download token 1", now, domain.NewID(), th.direct.ID, ulf.User.ID, ulf.Session.ID),
		"for no purpose":               streamToken(key, "", now, domain.NewID(), th.direct.ID, ulf.User.ID, ulf.Session.ID),
		"by no key":                    streamToken(nil, purpose, now, domain.NewID(), th.direct.ID, ulf.User.ID, ulf.Session.ID),
		"first used after six minutes": streamToken(key, purpose, now.Add(-6*time.Minute), domain.NewID(), th.direct.ID, ulf.User.ID, ulf.Session.ID),
		"with another play session":    changed(0),
		"with the film changed":        changed(16),
		"with the user changed":        changed(32),
		"with the session changed":     changed(48),
		"with the time changed":        changed(71),
		"with the MAC changed":         changed(len(raw) - 1),
		"cut short":                    good[:len(good)-1],
		"made longer":                  good + "AA",
		"an access token":              ulf.Tokens.AccessToken,
		"a refresh token":              ulf.Tokens.RefreshToken,
		"a cookie":                     w.Auth.CookieFor(ulf.Session),
		"two tokens":                   good + "&token=" + good + "x",
	} {
		if got := ask(token); got != http.StatusUnauthorized {
			t.Errorf("a token %s is answered with %d", name, got)
		}
	}
	// Whose library it is not is told nothing, as by any other credential.
	if got := ask(streamToken(key, purpose, now, domain.NewID(), th.direct.ID, eve.User.ID, eve.Session.ID)); got != http.StatusNotFound {
		t.Errorf("a token of somebody who does not see the library is answered with %d", got)
	}
	// Nothing but media takes it, whatever it would do.
	tried := 0
	for route, permission := range th.Face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		if permission == domain.PermissionPublic || strings.Contains(pattern, "/stream/") {
			continue
		}
		tried++
		path := inPattern.ReplaceAllString(strings.ReplaceAll(pattern, "/movies/{id}", "/movies/"+th.direct.ID.String()), th.direct.ID.String())
		if got := nobody.Do(t, method, path+"?token="+good, nil); got.Status != http.StatusUnauthorized {
			t.Errorf("%s takes a stream token: %d %.200s", route, got.Status, got.Body)
		}
	}
	if tried < 30 {
		t.Errorf("only %d routes were tried", tried)
	}
	if got := ask(good); got != http.StatusPartialContent {
		t.Errorf("after all that the token is answered with %d", got)
	}
}

// TestS19PlayingGoesOnLongAfterItsAccessTokenEnded seeks about in films that play directly, by remuxing, with encoded sound and with
// subtitles, by cookie and by address, while access tokens of 5 s end. The clock is moved on; with REVENGE_TEST_S19_REAL_TIME set, 45 s pass.
func TestS19PlayingGoesOnLongAfterItsAccessTokenEnded(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := world.New(t, world.Configure(func(c *config.Config) { c.Auth.AccessTokenTTL, c.Scan.Frames = 5*time.Second, false }),
		world.Bring(func(o *assemble.Options) {
			o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}))
	dir := t.TempDir()
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	world.Film(t, dir, "Brazil (1985)", demo.H264AC3MKV)
	s := w.Serve(t)
	w.ScanUntilDone(t, w.Library(t, dir).ID)
	ulf := w.User(t)
	bearer := s.User(t)
	viewers := map[string]struct {
		world.Client
		plans []playback.Plan
	}{}
	for name, c := range map[string]world.Client{"cookie": s.Browser(ulf), "address": s.Anonymous()} {
		var plans []playback.Plan
		for _, title := range []string{"Alien", "Brazil"} {
			path := "/movies/" + w.Movie(t, ulf.Actor, title).ID.String() + "/playback"
			plans = append(plans, world.Decode[playback.Plan](t, bearer.Post(t, path, object{"capabilities": chromium, "urlToken": name == "address"}), http.StatusOK))
		}
		viewers[name] = struct {
			world.Client
			plans []playback.Plan
		}{c, plans}
	}
	steps, step := 12, func() { ahead.Add(int64(40 * time.Second)) } // eight minutes in all: longer than an address lasts that nobody uses
	if os.Getenv("REVENGE_TEST_S19_REAL_TIME") != "" {
		steps, step = 45, func() {
			next := time.Now().Add(time.Second)
			world.Until(t, "a second passes", func() bool { return time.Now().After(next) })
		}
	}
	for n := range steps {
		for name, v := range viewers {
			direct, brazil := v.plans[0].Selected.Parts[0], v.plans[1].Selected.Parts[0]
			from := (n*37 + 11) % 200 * 100
			if got := v.Do(t, http.MethodGet, direct.URL, nil, "Range", fmt.Sprintf("bytes=%d-%d", from, from+99)); got.Status != http.StatusPartialContent || len(got.Body) != 100 {
				t.Fatalf("%s, step %d: the file is answered with %d %.200s", name, n, got.Status, got.Body)
			}
			for _, track := range lines(t, v.Do(t, http.MethodGet, brazil.URL, nil), brazil.URL) {
				segments := lines(t, v.Do(t, http.MethodGet, track, nil), track)
				segment := segments[(n*5+1)%len(segments)]
				if got := v.Do(t, http.MethodGet, segment, nil); got.Status != http.StatusOK || len(got.Body) == 0 {
					t.Fatalf("%s, step %d: %s is answered with %d %.200s", name, n, segment, got.Status, got.Body)
				}
			}
			if len(brazil.Subtitles) == 0 {
				t.Fatal("the film has no subtitles")
			}
			for _, subtitle := range brazil.Subtitles {
				if got := v.Do(t, http.MethodGet, subtitle.URL, nil); got.Status != http.StatusOK || !bytes.HasPrefix(got.Body, []byte("WEBVTT")) {
					t.Fatalf("%s, step %d: subtitles are answered with %d %.200s", name, n, got.Status, got.Body)
				}
			}
		}
		step()
	}
	if p := bearer.Get(t, "/users/me").Problem(t); p.Code != "auth.token_expired" {
		t.Errorf("the access token is still answered with %+v: this test shows nothing", p)
	}
	if got := s.Anonymous().Post(t, "/auth/refresh", object{"refreshToken": ulf.Tokens.RefreshToken}); got.Status != http.StatusOK {
		t.Errorf("the session goes on, and its refresh token is answered with %d", got.Status)
	}
}

// raw sends a request whose target no client has tidied up, and returns the answer.
func raw(t *testing.T, s *world.Server, token, method, target string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(world.Patience))
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", method, target, token); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return answer.StatusCode, string(body)
}

// canary stands in files that nobody may be shown.
const canary = "CANARY-7f3a"

func TestS22NoAddressLeadsToAFileOfTheHost(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	world.Write(t, filepath.Join(root, "secret.txt"), []byte(canary))
	world.Write(t, filepath.Join(root, "secret.js"), []byte(canary))
	world.Write(t, filepath.Join(root, "web", "index.html"), []byte("<!doctype html><title>Revenge</title>"))
	world.Write(t, filepath.Join(root, "web", "_app", "a.js"), []byte("a()"))
	w := world.New(t, world.Idle())
	s := w.Serve(t, world.Web(os.DirFS(filepath.Join(root, "web"))))
	token := w.Admin(t).Tokens.AccessToken
	escape := strings.NewReplacer("/", "%2f").Replace
	var payloads []string
	for _, file := range []string{"secret.txt", "secret.js"} {
		up := "../../../../../../../../../.." + filepath.Join(root, file)
		payloads = append(payloads, "../"+file, "..%2f"+file, "%2e%2e/"+file, "%2e%2e%2f"+file, "..%252f"+file, "%252e%252e%252f"+file, "..%5c"+file, `..\`+file, "..;/"+file, "....//"+file,
			"%c0%ae%c0%ae/"+file, "..%00/"+file, file+"%00", "%00", escape(filepath.Join(root, file)), "//"+filepath.Join(root, file), up, escape(up), strings.ReplaceAll(escape(up), ".", "%2e"))
	}
	payloads = append(payloads, "../../../../../../../../etc/passwd", "..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "file:%2f%2f%2fetc%2fpasswd", "C:%5cboot.ini", strings.Repeat("a", 5000), "%ff%fe")
	tried := 0
	for route := range s.Face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		places := inPattern.FindAllStringIndex(pattern, -1)
		if method != http.MethodGet || len(places) == 0 {
			continue
		}
		for _, place := range places {
			for _, payload := range payloads {
				before, after := inPattern.ReplaceAllString(pattern[:place[0]], domain.NewID().String()), inPattern.ReplaceAllString(pattern[place[1]:], "0")
				target := before + payload + after
				status, body := raw(t, s, token, method, target)
				tried++
				if status >= 500 || strings.Contains(body, canary) || strings.Contains(body, "root:x:") {
					t.Errorf("%s is answered with %d %.300s", target, status, body)
				}
				leads := status == http.StatusFound && strings.HasPrefix(pattern, "/api/v1/auth/oidc/") // to the login page, which says what is wrong
				if strings.HasPrefix(pattern, "/api/v1") && status < 400 && !leads && !strings.Contains(body, "<title>") {
					t.Errorf("%s is answered with %d %.300s", target, status, body)
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d addresses were tried", tried)
	}
	// The files that are there are served: the others were not refused for another reason.
	if status, body := raw(t, s, token, http.MethodGet, "/_app/a.js"); status != http.StatusOK || body != "a()" {
		t.Errorf("%d %s", status, body)
	}

	// The path picker and what takes its handles.
	ann := s.Admin(t)
	handle := func(path string) string { return base64.RawURLEncoding.EncodeToString([]byte(path)) }
	for _, path := range []string{"..", "../..", "etc", "/etc/passwd", "/etc/passwd/", "/etc\x00/passwd", "\x00", "/proc/self/mem", filepath.Join(root, "secret.txt"), "/" + strings.Repeat("a/", 3000), "/" + strings.Repeat("b", 300), "~", "$HOME", `\\server\share`} {
		for _, form := range []string{path, handle(path)} {
			got := ann.Get(t, "/admin/directories?path="+url.QueryEscape(form))
			if got.Status < 400 || got.Status >= 500 {
				t.Errorf("the picker answers %q with %d %.300s", path, got.Status, got.Body)
			}
			got = ann.Post(t, "/admin/libraries", object{"name": "x", "paths": []string{form}})
			if got.Status < 400 || got.Status >= 500 || bytes.Contains(got.Body, []byte(canary)) {
				t.Errorf("%q becomes a library: %d %.300s", path, got.Status, got.Body)
			}
		}
	}
}

// same gives a file a partner of the same size and times that holds the canary.
func same(t *testing.T, inside, outside string) {
	t.Helper()
	data, err := os.ReadFile(inside)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte("harmless-11"))
	if at < 0 {
		t.Fatalf("%s has no place for the canary", inside)
	}
	copy(data[at:], canary)
	world.Write(t, outside, data)
	info, err := os.Stat(inside)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(outside, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// harmless puts a box that players skip, with a word in it, behind a film (ISO/IEC 14496-12, 8.1.2).
func harmless(t *testing.T, film string) {
	t.Helper()
	f, err := os.OpenFile(film, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("\x00\x00\x00\x13freeharmless-11")); err != nil {
		t.Fatal(err)
	}
}

// swap puts a symlink in a file's or a folder's place in one step.
func swap(t *testing.T, path, target string) {
	t.Helper()
	if err := os.Symlink(target, path+".new"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestS22NothingOutsideOfALibraryIsReadThroughSymlinks(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	films, outside := filepath.Join(top, "films"), filepath.Join(top, "outside")
	poster, err := os.ReadFile("../../testkit/demo/posters/detour.jpg")
	if err != nil {
		t.Fatal(err)
	}
	// What lies outside is as good as what lies within, so that nothing but the place keeps it out.
	stolen := world.Film(t, outside, "Stolen (1980)", demo.H264AAC)
	cue := []byte("1\n00:00:01,000 --> 00:00:02,000\n" + canary + "\n")
	world.Write(t, filepath.Join(outside, "sub.srt"), cue)
	world.Write(t, filepath.Join(outside, "poster.jpg"), poster)
	world.Write(t, filepath.Join(outside, "movie.nfo"), []byte("<movie><title>"+canary+"</title><plot>"+canary+"</plot></movie>"))
	link := func(target string, name ...string) {
		path := filepath.Join(append([]string{films}, name...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	world.Film(t, films, "Good (1991)", demo.H264AAC)
	link(filepath.Join(outside, "sub.srt"), "Good (1991)", "Good (1991).en.srt")
	link("../../outside/sub.srt", "Good (1991)", "Good (1991).de.srt")
	link(filepath.Join(outside, "poster.jpg"), "Good (1991)", "poster.jpg")
	link(filepath.Join(outside, "movie.nfo"), "Good (1991)", "Good (1991).nfo")
	link(stolen, "Film Link (1992)", "Film Link (1992).mp4")
	link("../../outside/Stolen (1980)/Stolen (1980).mp4", "Relative Link (1993)", "Relative Link (1993).mp4")
	link(filepath.Dir(stolen), "Folder Link (1994)")
	link("/etc/passwd", "Passwd (1995)", "Passwd (1995).mkv")
	link("/etc", "Etc (1996)")
	link("/proc/self/environ", "Environ (1997)", "Environ (1997).mkv")
	link("Loop (1998).mkv", "Loop (1998)", "Loop (1998).mkv")
	link("..", "Up (1999)")
	// Ones that are swapped between scan and play.
	swapped := map[string]string{}
	for _, name := range []string{"Swap (2000)", "Race (2001)", "Folder (2002)"} {
		path := world.Film(t, films, name, demo.H264AAC)
		harmless(t, path)
		world.Write(t, filepath.Join(filepath.Dir(path), name+".en.srt"), []byte("1\n00:00:01,000 --> 00:00:02,000\nharmless\n"))
		world.Write(t, filepath.Join(filepath.Dir(path), "poster.jpg"), poster)
		swapped[name] = filepath.Join(outside, name, filepath.Base(path))
		same(t, path, swapped[name])
		world.Write(t, filepath.Join(outside, name, name+".en.srt"), cue)
	}
	// Names at the limits of the file system, and attachments whose names would lead out of a folder they were written to.
	long := strings.Repeat("Long Name ", 24) + "(2003)"
	world.Film(t, films, long, demo.H264AAC)
	deep, err := os.OpenRoot(films)
	if err != nil {
		t.Fatal(err)
	}
	defer deep.Close()
	below := "Deep (2004)" + strings.Repeat("/"+strings.Repeat("d", 240), 18)
	if err := deep.MkdirAll(below, 0o755); err == nil {
		err = deep.WriteFile(below+"/Deep (2004).mp4", []byte(canary), 0o644)
		t.Logf("a path of %d bytes: %v", len(films)+len(below), err)
	}
	attached := filepath.Join(films, "Attached (2005)", "Attached (2005).mkv")
	world.Write(t, filepath.Join(outside, "font.ttf"), []byte(canary))
	if err := os.MkdirAll(filepath.Dir(attached), 0o755); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(films, "Good (1991)", "Good (1991).mp4")
	if out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", source, "-map", "0:v", "-map", "0:a", "-c", "copy", "-attach", filepath.Join(outside, "font.ttf"), "-metadata:s:t", "mimetype=font/ttf",
		"-metadata:s:t:0", "filename=../../evil.ttf", attached).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	w := world.New(t, world.Configure(func(c *config.Config) { c.Scan.Frames = false }))
	s := w.Serve(t)
	lib := w.Library(t, films)
	w.ScanUntilDone(t, lib.ID)
	ann := s.Admin(t)
	check := func(what string, r world.Response) {
		t.Helper()
		if r.Status >= 500 || bytes.Contains(r.Body, []byte(canary)) || bytes.Contains(r.Body, []byte("root:x:")) {
			t.Errorf("%s is answered with %d %.300s", what, r.Status, r.Body)
		}
	}
	list := ann.Get(t, "/movies?limit=100")
	check("the list", list)
	titles := map[string]domain.MovieItem{}
	for _, item := range world.Decode[domain.Page[domain.MovieItem]](t, list, http.StatusOK).Items {
		titles[item.Title] = item
	}
	for _, unwanted := range []string{"Stolen", "Film Link", "Relative Link", "Folder Link", "Passwd", "Etc", "Environ", "Loop", "Up", canary} {
		if _, ok := titles[unwanted]; ok {
			t.Errorf("%s was taken in", unwanted)
		}
	}
	for _, wanted := range []string{"Good", "Swap", "Race", "Folder", "Attached", strings.TrimSpace(strings.Repeat("Long Name ", 24))} {
		if _, ok := titles[wanted]; !ok {
			t.Errorf("%s is not there", wanted)
		}
	}
	if good := titles["Good"]; good.Poster != nil {
		t.Error("a poster was taken from outside")
	}
	check("what needs attention", ann.Get(t, "/admin/files?limit=100"))
	plan := func(title string) playback.PartPlan {
		t.Helper()
		path := "/movies/" + titles[title].ID.String()
		for _, more := range []string{"", "/files", "/cast", "/crew"} {
			check(title+more, ann.Get(t, path+more))
		}
		p := world.Decode[playback.Plan](t, ann.Post(t, path+"/playback", object{"capabilities": chromium}), http.StatusOK)
		return p.Selected.Parts[0]
	}
	for title := range titles {
		part := plan(title)
		check(title, ann.Do(t, http.MethodGet, part.URL, nil))
		for _, subtitle := range part.Subtitles {
			check(title+"'s subtitle", ann.Do(t, http.MethodGet, subtitle.URL, nil))
		}
		if title == "Good" && len(part.Subtitles) > 0 {
			t.Errorf("subtitles were taken from outside: %+v", part.Subtitles)
		}
	}

	// Swapped for symlinks once they are known: the file, what lies beside it, and the folder.
	in := func(name, file string) string { return filepath.Join(films, name, file) }
	parts := map[string]playback.PartPlan{"Swap": plan("Swap"), "Folder": plan("Folder"), "Race": plan("Race")}
	swap(t, in("Swap (2000)", "Swap (2000).mp4"), swapped["Swap (2000)"])
	swap(t, in("Swap (2000)", "Swap (2000).en.srt"), filepath.Join(outside, "Swap (2000)", "Swap (2000).en.srt"))
	swap(t, in("Swap (2000)", "poster.jpg"), filepath.Join(outside, "poster.jpg"))
	swap(t, filepath.Join(films, "Folder (2002)"), filepath.Join(outside, "Folder (2002)"))
	for _, title := range []string{"Swap", "Folder"} {
		got := ann.Do(t, http.MethodGet, parts[title].URL, nil)
		check(title+", swapped", got)
		if got.Status == http.StatusOK {
			t.Errorf("%s is played from outside", title)
		}
		for _, subtitle := range parts[title].Subtitles {
			check(title+"'s subtitle, swapped", ann.Do(t, http.MethodGet, subtitle.URL, nil))
		}
		if got := ann.Do(t, http.MethodGet, "/api/v1/images/poster/"+titles[title].ID.String()+"?width=640", nil); got.Status == http.StatusOK {
			t.Errorf("%s's poster, which nobody has asked for in this size, is drawn from outside", title)
		}
	}

	// Swapped to and fro as fast as can be while it is asked for.
	race := in("Race (2001)", "Race (2001).mp4")
	if err := os.Link(race, race+".own"); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	swapping := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-asked:
				swapping <- nil
				return
			default:
			}
			_ = os.Remove(race + ".next")
			var err error
			if n%2 == 0 {
				err = os.Symlink(swapped["Race (2001)"], race+".next")
			} else {
				err = os.Link(race+".own", race+".next")
			}
			if err == nil {
				err = os.Rename(race+".next", race)
			}
			if err != nil {
				swapping <- err
				return
			}
		}
	}()
	statuses := map[int]int{}
	for range 300 {
		got := ann.Do(t, http.MethodGet, parts["Race"].URL, nil, "Range", "bytes=-100")
		check("Race", got)
		statuses[got.Status]++
	}
	close(asked)
	if err := <-swapping; err != nil {
		t.Fatal(err)
	}
	t.Logf("while it was swapped the film was answered with %v", statuses)

	// Nobody has written anything outside of the data folder.
	err = filepath.WalkDir(os.TempDir(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "evil.ttf" {
			t.Errorf("an attachment was written to %s", path)
		}
		if err == nil && d.IsDir() && path != os.TempDir() && !strings.HasPrefix(top, path) && !strings.HasPrefix(w.Dir, path) && !strings.HasPrefix(path, filepath.Dir(top)) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// opened counts how often a file is opened or read, by whomever (inotify(7)).
func opened(t *testing.T, path string) func() int {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err == nil {
		_, err = syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN|syscall.IN_ACCESS)
	}
	if err != nil {
		t.Skipf("this system does not tell of opened files: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return func() (n int) {
		buffer := make([]byte, 1<<16)
		for {
			got, err := syscall.Read(fd, buffer)
			if got <= 0 || err != nil {
				return n
			}
			for at := 0; at < got; n++ {
				at += syscall.SizeofInotifyEvent + int((*syscall.InotifyEvent)(unsafe.Pointer(&buffer[at])).Len)
			}
		}
	}
}

// elsewhere makes a whole MP4 say that its media lie at an address (ISO/IEC 14496-12, 8.7.2): the entry "in this file" becomes one with a URL.
func elsewhere(film []byte, address string) []byte {
	var grow func(box []byte) []byte
	grow = func(boxes []byte) (out []byte) {
		for len(boxes) >= 8 {
			size, kind := int(binary.BigEndian.Uint32(boxes)), string(boxes[4:8])
			if size < 8 || size > len(boxes) {
				return append(out, boxes...)
			}
			box := boxes[:size]
			boxes = boxes[size:]
			inner := 0
			switch kind {
			case "moov", "trak", "mdia", "minf", "dinf":
				inner = 8
			case "dref":
				inner = 16
			case "url ":
				box = append(append(bytes.Clone(box[:8]), 0, 0, 0, 0), address+"\x00"...)
			}
			if inner > 0 {
				box = append(bytes.Clone(box[:inner]), grow(box[inner:])...)
			}
			box = bytes.Clone(box)
			if len(box) != size {
				binary.BigEndian.PutUint32(box, uint32(len(box)))
			}
			out = append(out, box...)
		}
		return append(out, boxes...)
	}
	return grow(film)
}

func TestS23NoFileMakesAnythingElseBeReadAndNoNameIsAnOption(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	far := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		t.Errorf("%s asked for %s", r.UserAgent(), r.URL)
	}))
	defer far.Close()
	top := t.TempDir()
	films, near := filepath.Join(top, "films"), filepath.Join(top, "near", canary+".ts")
	good := world.Film(t, filepath.Join(top, "made"), "Good (1990)", demo.H264AC3MKV)
	tail := world.Film(t, filepath.Join(top, "made"), "Tail (1990)", demo.MoovAtEnd)
	ts := world.Film(t, filepath.Join(top, "made"), "TS (1990)", demo.MPEGTS)
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	world.Write(t, near, read(ts))
	touched := opened(t, near)

	// Whole films whose names look like something else. Those that this server reads by itself, and those that ffmpeg reads.
	names := []string{"-i", `a" -y x`, "new\nline (1990)", "pipe|cat (1991)", "|cat", "%d (1992)", "%05d", "concat:a|b (1993)", "data:text (1994)", "subfile,,start,0,end,0,,:a (1995)", "-vf movie=x (1996)",
		"$(touch pwned) (1997)", "; touch pwned; (1998)", "`touch pwned` (1999)", "pipe:0", `back\slash (2000)`, "'quoted' (2001)", "file:x (2002)"}
	for i, name := range names {
		content, ext := good, ".mkv"
		if i%2 == 1 {
			content, ext = ts, ".ts"
		}
		world.Write(t, filepath.Join(films, fmt.Sprintf("Film %d", i), name+ext), read(content))
	}
	// What names another file or address, as whatever ends a film's name may have.
	pointing := map[string]string{
		"hls":    "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\nTARGET\n#EXT-X-ENDLIST\n",
		"bom":    "\xef\xbb\xbf\n#EXTM3U\n#EXTINF:10,\nTARGET\n",
		"late":   strings.Repeat("\n", 600) + "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nTARGET\n#EXT-X-ENDLIST\n",
		"concat": "ffconcat version 1.0\nfile 'TARGET'\n",
		"plain":  "file 'TARGET'\n",
		"dash":   `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static" mediaPresentationDuration="PT10S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>TARGET</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"svg":    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="TARGET" width="9" height="9"/></svg>`,
		"asx":    `<asx version="3.0"><entry><ref href="TARGET"/></entry></asx>`,
		"pls":    "[playlist]\nFile1=TARGET\nNumberOfEntries=1\n",
		"sdp":    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 1 RTP/AVP 96\na=control:TARGET\n",
		"smil":   `<smil><body><video src="TARGET"/></body></smil>`,
		"rtsp":   "RTSPtextRTSP://127.0.0.1/x\rTARGET",
		"rdrf":   "\x00\x00\x00\x08ftypqt  \x00\x00\x01\x00moov\x00\x00\x00\x00rmraTARGET",
		"url":    "TARGET",
	}
	n := 0
	const beside = "beside.aac" // the same file by another name, next to what points to it
	for _, target := range []string{far.URL + "/segment.ts", near, beside, "file://" + near, "concat:" + near, "subfile,,start,0,end,0,,:" + near} {
		for kind, text := range pointing {
			if target != far.URL+"/segment.ts" && target != beside && kind != "hls" && kind != "late" && kind != "concat" && kind != "dash" {
				continue // which knows more protocols
			}
			n++
			ext := []string{".mkv", ".mp4", ".avi", ".ts", ".mov", ".webm"}[n%6]
			folder := filepath.Join(films, fmt.Sprintf("Pointing %d", n))
			world.Write(t, filepath.Join(folder, kind+" (1980)"+ext), []byte(strings.ReplaceAll(text, "TARGET", target)))
			if target == beside {
				if err := os.Link(near, filepath.Join(folder, beside)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, ext := range []string{".mp4", ".avi"} { // read by this server, and by ffmpeg
			n++
			world.Write(t, filepath.Join(films, fmt.Sprintf("Pointing %d", n), "dref (1981)"+ext), elsewhere(read(tail), target))
		}
	}
	if moved := elsewhere(read(tail), near); !bytes.Contains(moved, []byte(near)) {
		t.Fatal("the film says nowhere that it lies elsewhere")
	}
	// What lies beside a film may point as well.
	companion := filepath.Join(films, "Beside (1982)", "Beside (1982)")
	world.Write(t, companion+".mkv", read(good))
	for i, target := range []string{far.URL + "/beside", "file://" + near} {
		entity := fmt.Sprintf(`<?xml version="1.0"?><!DOCTYPE movie [<!ENTITY x SYSTEM "%[1]s"><!ENTITY %% y SYSTEM "%[1]s"> %%y;]><movie><title>Beside</title><plot>&x;</plot><thumb>%[1]s</thumb><fanart><thumb>%[1]s</thumb></fanart><trailer>%[1]s</trailer></movie>`, target)
		world.Write(t, []string{companion + ".nfo", filepath.Join(filepath.Dir(companion), "movie.nfo")}[i], []byte(entity))
		world.Write(t, []string{filepath.Join(filepath.Dir(companion), "poster.jpg"), filepath.Join(filepath.Dir(companion), "fanart.jpg")}[i], []byte(strings.ReplaceAll(pointing["svg"], "TARGET", target)))
		for j, ext := range []string{".srt", ".ass", ".vtt", ".ttml", ".sub", ".ssa"} {
			world.Write(t, fmt.Sprintf("%s.%s%s", companion, []string{"en", "de"}[i], ext), []byte(strings.ReplaceAll([]string{pointing["hls"], pointing["dash"]}[j%2], "TARGET", target)))
		}
	}
	before := tree(t, top)

	w := world.New(t, world.Configure(func(c *config.Config) { c.Scan.Frames = false })) // which would cost four tries for each film
	s := w.Serve(t)
	lib := w.Library(t, films, func(d *library.Draft) { d.Name = "Hostile" })
	w.ScanUntilDone(t, lib.ID)
	ann := s.Admin(t)
	played := 0
	for _, item := range world.Decode[domain.Page[domain.MovieItem]](t, ann.Get(t, "/movies?limit=100"), http.StatusOK).Items {
		path := "/movies/" + item.ID.String()
		files := world.Decode[struct{ Items []domain.File }](t, ann.Get(t, path+"/files"), http.StatusOK).Items
		plan := world.Decode[playback.Plan](t, ann.Post(t, path+"/playback", object{"capabilities": chromium}), http.StatusOK)
		if len(files) == 0 || plan.Selected == nil {
			t.Errorf("%q: %d files, %+v", item.Title, len(files), plan)
			continue
		}
		whole := strings.HasPrefix(files[0].Path, "Film ") || strings.HasPrefix(files[0].Path, "Beside")
		if !whole {
			t.Errorf("%q was taken for a film", files[0].Path)
		}
		for _, part := range plan.Selected.Parts {
			for _, subtitle := range part.Subtitles {
				if got := ann.Do(t, http.MethodGet, subtitle.URL, nil); bytes.Contains(got.Body, []byte("127.0.0.1")) || bytes.Contains(got.Body, []byte(canary)) {
					t.Logf("%q: a subtitle says %.100s", files[0].Path, got.Body)
				}
			}
			var got world.Response
			world.Until(t, fmt.Sprintf("%q plays by %s", files[0].Path, part.Method), func() bool { // what is repackaged takes a moment
				got = ann.Do(t, http.MethodGet, part.URL, nil)
				return got.Status != http.StatusServiceUnavailable
			})
			if part.Method == playback.MethodDirect {
				continue
			}
			track := lines(t, got, part.URL)[0]
			segments := lines(t, ann.Do(t, http.MethodGet, track, nil), track)
			if got = ann.Do(t, http.MethodGet, segments[len(segments)-1], nil); got.Status != http.StatusOK || len(got.Body) == 0 {
				t.Errorf("%q does not play: %d %.200s", files[0].Path, got.Status, got.Body)
			}
			played++
		}
	}
	ready := 0
	for i, name := range names {
		page := world.Decode[domain.Page[domain.File]](t, ann.Get(t, "/admin/files?limit=100&state=ready"), http.StatusOK)
		if i == 0 {
			ready = len(page.Items)
		}
		found := false
		for _, f := range page.Items {
			found = found || strings.HasPrefix(f.Path, fmt.Sprintf("Film %d/", i))
		}
		if !found {
			t.Errorf("the film named %q cannot be read", name)
		}
	}
	if played < len(names) || ready < len(names) {
		t.Errorf("%d films are ready, %d played", ready, played)
	}
	if n := touched(); n > 0 || hits.Load() > 0 {
		t.Errorf("the file elsewhere was opened %d times, the address asked %d times", n, hits.Load())
	}
	if after := tree(t, top); after != before {
		t.Errorf("the folders have changed:\n%s\n%s", before, after)
	}
	// The trap works: whoever opens the file is noticed.
	_ = read(near)
	if touched() == 0 {
		t.Error("opening the canary is not noticed: this test asks nothing")
	}
}

// tree lists all below a folder with sizes.
func tree(t *testing.T, folder string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			fmt.Fprintf(&list, "%q %d\n", path, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}

// TestS23AnEncoderThatNeverEndsIsEnded puts programs in ffmpeg's place that do what a film could bring it to: print without end, and never end.
func TestS23AnEncoderThatNeverEndsIsEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does  string
		ended func(t *testing.T, th theatre)
	}{
		"prints": {"while :; do printf '%01000d' 0; done", func(t *testing.T, th theatre) {
			got := th.User(t).Do(t, http.MethodGet, th.sound(0), nil)
			if got.Status < 500 || got.Problem(t).Code == "" || len(got.Body) > 10_000 {
				t.Errorf("it is answered with %d %.200s", got.Status, got.Body)
			}
		}},
		"hangs": {"while :; do :; done", func(t *testing.T, th theatre) {
			impatient := &http.Client{Timeout: 2 * time.Second}
			if answer, err := impatient.Do(th.User(t).Request(t, http.MethodGet, th.sound(0), nil)); err == nil {
				answer.Body.Close()
				t.Errorf("it is answered with %d", answer.StatusCode)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tool := filepath.Join(t.TempDir(), "endless-"+name)
			world.Write(t, tool, []byte("#!/bin/sh\ncase \"$*\" in *-version*) echo ffmpeg version test; exit;; esac\n"+c.does+"\n"))
			if err := os.Chmod(tool, 0o755); err != nil {
				t.Fatal(err)
			}
			w, dir := world.New(t, world.Configure(func(c *config.Config) { c.FFmpeg.FFmpeg, c.Scan.Frames = tool, false })), t.TempDir()
			world.Film(t, dir, "Brazil (1985)", demo.H264AC3MKV)
			th := theatre{Server: w.Serve(t), library: w.Library(t, dir)}
			w.ScanUntilDone(t, th.library.ID)
			th.encoded = w.Movie(t, w.Admin(t).Actor, "Brazil")
			th.encodes = world.Decode[playback.Plan](t, th.User(t).Post(t, "/movies/"+th.encoded.ID.String()+"/playback", object{"capabilities": chromium}), http.StatusOK)
			c.ended(t, th)
			world.Until(t, "the program has ended", func() bool {
				found, err := filepath.Glob("/proc/[0-9]*/comm")
				if err != nil {
					t.Fatal(err)
				}
				for _, file := range found {
					if comm, _ := os.ReadFile(file); strings.TrimSpace(string(comm)) == "endless-"+name {
						return false
					}
				}
				return true
			})
			if got := th.Anonymous().Do(t, http.MethodGet, "/healthz", nil); got.Status != http.StatusOK {
				t.Errorf("afterwards: %d", got.Status)
			}
		})
	}
}
