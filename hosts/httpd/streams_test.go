package httpd_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// theatre is a server with a film that plays directly and one whose sound must be encoded, in a library that Ulf is on the access list of.
type theatre struct {
	*world.Server
	library          domain.Library
	direct, encoded  domain.Movie
	directs, encodes playback.Plan
}

func newTheatre(t *testing.T, token bool) theatre {
	t.Helper()
	w, dir := world.New(t), t.TempDir()
	swell(t, world.Film(t, dir, "Alien (1979)", demo.H264AAC))
	world.Film(t, dir, "Brazil (1985)", demo.H264AC3MKV)
	th := theatre{Server: w.Serve(t), library: w.Library(t, dir, func(d *library.Draft) { d.Open = false })}
	w.ScanUntilDone(t, th.library.ID)
	if err := w.Core.Library.Grant(t.Context(), domain.SystemActor(), th.library.ID, w.User(t).User.ID); err != nil {
		t.Fatal(err)
	}
	th.direct, th.encoded = w.Movie(t, w.Admin(t).Actor, "Alien"), w.Movie(t, w.Admin(t).Actor, "Brazil")
	plan := func(m domain.Movie) playback.Plan {
		body := map[string]any{"capabilities": chromium, "urlToken": token}
		return world.Decode[playback.Plan](t, th.User(t).Post(t, "/movies/"+m.ID.String()+"/playback", body), http.StatusOK)
	}
	th.directs, th.encodes = plan(th.direct), plan(th.encoded)
	if d, e := th.directs.Selected.Parts[0].Method, th.encodes.Selected.Parts[0].Method; d != playback.MethodDirect || e != playback.MethodAudioEncode {
		t.Fatalf("the films play %s and %s", d, e)
	}
	return th
}

// swell makes an MP4 larger than all buffers between a server and a client, by a box that players skip (ISO/IEC 14496-12, 8.1.2).
func swell(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	const size = 256 << 20
	_, err = f.Write(append(binary.BigEndian.AppendUint32(nil, size), "free"...))
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Truncate(info.Size()-8+size), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// sound is the address of a segment of the encoded film's first sound track.
func (th theatre) sound(n int) string {
	address, _, _ := strings.Cut(th.encodes.Selected.Parts[0].URL, "/master.m3u8")
	return address + "/audio/" + strconv.Itoa(th.encodes.Selected.Parts[0].Audio[0].Index) + "/aac/" + strconv.Itoa(n) + ".m4s"
}

func TestS7StreamsEndWithinASecondOfTheirSession(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, false)
	browser := th.Browser(th.World.User(t))
	answer, err := th.HTTP.Do(browser.Request(t, http.MethodGet, th.directs.Selected.Parts[0].URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.ContentLength < 256<<20 {
		t.Fatalf("%d with %d bytes", answer.StatusCode, answer.ContentLength)
	}
	if _, err := io.CopyN(io.Discard, answer.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got := browser.Do(t, http.MethodGet, th.sound(0), nil); got.Status != http.StatusOK || got.Header.Get("Content-Type") != "video/mp4" {
		t.Fatalf("before the end of the session: %d %s", got.Status, got.Body)
	}
	browser.Post(t, "/auth/logout", nil)
	ended := time.Now()
	world.Until(t, "the next segment is refused", func() bool { return browser.Do(t, http.MethodGet, th.sound(1), nil).Status == http.StatusUnauthorized })
	if took := time.Since(ended); took > 5*time.Second { // one second, and what a busy machine adds
		t.Errorf("it took %s", took)
	}
	// What is under way goes on for at most a second; no reader is slower than this one, who waits for that second to pass.
	world.Until(t, "the second passes", func() bool { return time.Since(ended) > 1200*time.Millisecond })
	if n, err := io.Copy(io.Discard, answer.Body); err == nil {
		t.Errorf("the file was served to its end: %d bytes more", n)
	}
}

func TestS19AStreamTokenOpensItsFilmsMediaAndNothingElse(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, true)
	address := th.encodes.Selected.Parts[0].URL
	at := strings.Index(address, "token=")
	if at < 0 {
		t.Fatalf("no token in %s", address)
	}
	token, _, _ := strings.Cut(address[at:], "&")
	nobody := th.Anonymous()
	master := nobody.Do(t, http.MethodGet, address, nil)
	if master.Status != http.StatusOK {
		t.Fatalf("%d %s", master.Status, master.Body)
	}
	if inside := strings.Count(string(master.Body), token); inside < 2 {
		t.Errorf("the playlist carries the token %d times:\n%s", inside, master.Body)
	}
	segment := th.sound(0) + "?" + token
	if got := nobody.Do(t, http.MethodGet, segment, nil); got.Status != http.StatusOK {
		t.Errorf("a segment: %d %s", got.Status, got.Body)
	}
	other, _, _ := strings.Cut(th.directs.Selected.Parts[0].URL, "?")
	for name, refused := range map[string]string{
		"the API":       "/api/v1/users/me?" + token,
		"a list":        "/api/v1/movies?" + token,
		"its film":      "/api/v1/movies/" + th.encoded.ID.String() + "?" + token,
		"another film":  other + "?" + token,
		"a picture":     "/api/v1/images/backdrop/" + th.encoded.ID.String() + "?" + token,
		"a changed one": th.sound(0) + "?" + token[:len(token)-2] + "AA",
		"none":          th.sound(0),
	} {
		if got := nobody.Do(t, http.MethodGet, refused, nil); got.Status != http.StatusUnauthorized {
			t.Errorf("%s is answered with %d %.200s", name, got.Status, got.Body)
		}
	}
	th.User(t).Post(t, "/auth/logout", nil)
	world.Until(t, "the token ends with its session", func() bool { return nobody.Do(t, http.MethodGet, segment, nil).Status == http.StatusUnauthorized })
}

// encoders counts the ffmpeg processes that this process started.
func encoders(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		t.Skip("this system does not tell of its processes")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// "pid (name) state parent …"; the name may hold anything (proc(5)).
		_, rest, _ := strings.Cut(string(data), "(")
		end := strings.LastIndex(rest, ")")
		if end < 0 {
			continue
		}
		fields := strings.Fields(rest[end+1:])
		if len(fields) > 1 && strings.HasPrefix(rest[:end], "ffmpeg") && fields[0] != "Z" && fields[1] == strconv.Itoa(os.Getpid()) {
			n++
		}
	}
	return n
}

func TestClientsThatVanishLeaveNoEncoderBehind(t *testing.T) {
	t.Parallel()
	th := newTheatre(t, false)
	u := th.User(t)
	var clients sync.WaitGroup
	for n := range 6 {
		clients.Go(func() {
			ctx, vanish := context.WithTimeout(t.Context(), time.Duration(20+40*n)*time.Millisecond)
			defer vanish()
			answer, err := th.HTTP.Do(u.Request(t, http.MethodGet, th.sound(n), nil).WithContext(ctx))
			if err == nil {
				answer.Body.Close()
			}
		})
	}
	clients.Wait()
	world.Until(t, "no encoder runs", func() bool { return encoders(t) == 0 })
	if got := u.Do(t, http.MethodGet, th.sound(2), nil); got.Status != http.StatusOK || len(got.Body) == 0 {
		t.Errorf("afterwards a segment is answered with %d", got.Status)
	}
}
