package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// studio is a server with films to play, and an ffmpeg that can be made to take its time.
type studio struct {
	*program
	home  home
	token string
	films string
	files map[string]domain.File // by title
}

// newStudio scans three films: one whose sound must be encoded, one that must be repackaged, and one of many bytes. encode is what ffmpeg does
// when it is to make something: a line of shell that sees its arguments and the real program as $FFMPEG.
func newStudio(t *testing.T, encode string, environ ...string) *studio {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a child is tied to its parent's life, and looked for in /proc, on Linux")
	}
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed")
	}
	s := &studio{home: onSQLite(t), films: t.TempDir(), files: map[string]domain.File{}}
	world.Film(t, s.films, "Surround (2001)", demo.H264AC3MKV)
	world.Film(t, s.films, "Old (1999)", demo.AVI)
	large := world.Film(t, s.films, "Large (2010)", demo.H264AAC)
	// A box that players skip, and that takes no room on the disk, makes the film larger than what lies between a server and its client.
	const more = 48 << 20
	out, err := os.OpenFile(large, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := out.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, err = out.Write([]byte{more >> 24, more >> 16 & 0xff, more >> 8 & 0xff, more & 0xff, 'f', 'r', 'e', 'e'})
	if err := errors.Join(err, out.Truncate(info.Size()+more), out.Close()); err != nil {
		t.Fatal(err)
	}
	settled(t, s.films)
	tool := filepath.Join(t.TempDir(), "ffmpeg")
	script := fmt.Sprintf("#!/bin/sh\nFFMPEG=%s\ncase \"$*\" in *-version*) exec $FFMPEG \"$@\";; esac\n%s\n", real, encode)
	if err := os.WriteFile(tool, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s.home.environ = append([]string{"REVENGE_FFMPEG_FFMPEG=" + tool, "REVENGE_SCAN_FRAMES=false", "REVENGE_SCAN_WATCH=false"}, environ...)
	s.home.owner(t)
	s.program = s.home.start(t, s.films)
	s.token = s.login(t, "ann").AccessToken
	s.scanned(t, s.token)
	for _, m := range get[domain.Page[domain.MovieItem]](t, &s.served, s.token, "/movies").Items {
		s.files[m.Title] = get[listed[domain.File]](t, &s.served, s.token, "/movies/"+m.ID.String()+"/files").Items[0]
	}
	return s
}

// open sends a request for a part of a film's stream and returns its answer unread.
func (s *studio) open(ctx context.Context, title, rest string) (*http.Response, error) {
	f := s.files[title]
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/api/v1/stream/%s/%s/%s", s.url, f.ID, f.Revision, rest), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
}

// answer is a whole answer.
type answer struct {
	status int
	size   int64
	err    error
}

// fetch is open and read, in the background.
func (s *studio) fetch(ctx context.Context, title, rest string) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		var a answer
		var r *http.Response
		if r, a.err = s.open(ctx, title, rest); a.err == nil {
			a.status = r.StatusCode
			a.size, a.err = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		done <- a
	}()
	return done
}

// sound is the address of an encoded segment of the film with AC-3.
func (s *studio) sound(segment int) string {
	return fmt.Sprintf("audio/%d/aac/%d.m4s", s.files["Surround"].Media.Audio[0].Index, segment)
}

// alive tells whether a process is there and no zombie, and whose child it is.
func alive(pid int) (parent int, alive bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return parent, fields[0] != "Z" && fields[0] != "X"
}

// children are the living processes that a program started, and theirs.
func children(t *testing.T, of int) (list []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[int]int{}
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(path))
		if parent, ok := alive(pid); ok {
			parents[pid] = parent
		}
	}
	for pid := range parents {
		for p := parents[pid]; p > 1; p = parents[p] {
			if p == of {
				list = append(list, pid)
				break
			}
		}
	}
	return list
}

// encoding waits until ffmpeg works for the server and returns its processes.
func (s *studio) encoding(t *testing.T, least int) (list []int) {
	t.Helper()
	world.Until(t, fmt.Sprintf("ffmpeg works in %d processes", least), func() bool {
		list = children(t, s.command.Process.Pid)
		return len(list) >= least
	})
	return list
}

// ended waits until all of the processes are gone, which R12 gives a minute.
func ended(t *testing.T, pids []int) {
	t.Helper()
	world.Until(t, "no ffmpeg is left", func() bool {
		for _, pid := range pids {
			if _, ok := alive(pid); ok {
				return false
			}
		}
		return true
	})
}

// held is how many bytes the cache folder holds, and those of them that are being written.
func (s *studio) held(t *testing.T) (all, temporary int64) {
	t.Helper()
	cache := filepath.Join(s.home.dir, "cache")
	err := filepath.WalkDir(cache, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		all += info.Size()
		if strings.HasPrefix(path, filepath.Join(cache, "tmp~~")) {
			temporary += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, temporary
}

// endless makes an ffmpeg that writes half a megabyte where it is to write a file, and then hangs.
const endless = `for out; do :; done
case "$out" in file:*) dd if=/dev/zero of="${out#file:}" bs=1024 count=500 2>/dev/null;; esac
exec sleep 1000`

// TestClientsThatVanishLeaveNoFFmpeg is R12's first half.
func TestClientsThatVanishLeaveNoFFmpeg(t *testing.T) {
	t.Parallel()
	s := newStudio(t, endless)
	ctx, vanish := context.WithCancel(t.Context())
	direct, err := s.open(ctx, "Large", "direct")
	if err != nil || direct.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", direct, err)
	}
	defer direct.Body.Close()
	if _, err := io.ReadFull(direct.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	segment := s.fetch(ctx, "Large", "video/0/0.m4s")
	sound := s.fetch(ctx, "Surround", s.sound(0))
	working := s.encoding(t, 1)
	if a := <-segment; a.err != nil {
		t.Errorf("a segment that needs no ffmpeg: %+v", a)
	}
	vanish()
	begun := time.Now()
	if a := <-sound; a.err == nil {
		t.Errorf("an endless encode is answered with %d", a.status)
	}
	ended(t, working)
	world.Until(t, "none is started for who has left", func() bool { return len(children(t, s.command.Process.Pid)) == 0 })
	if took := time.Since(begun); took > 20*time.Second { // far from the minute that work ahead of a player is given
		t.Errorf("ffmpeg ended after %s", took)
	}
	film := "/proc/" + strconv.Itoa(s.command.Process.Pid) + "/fd"
	world.Until(t, "no film is open", func() bool {
		entries, err := os.ReadDir(film)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if target, err := os.Readlink(filepath.Join(film, e.Name())); err == nil && strings.HasPrefix(target, s.films) && filepath.Ext(target) != "" {
				return false
			}
		}
		return true
	})
}

// TestAKilledServerLeavesNoFFmpegAndSweepsAtItsStart is R12's second half.
func TestAKilledServerLeavesNoFFmpegAndSweepsAtItsStart(t *testing.T) {
	t.Parallel()
	s := newStudio(t, endless)
	s.fetch(t.Context(), "Surround", s.sound(0))
	s.fetch(t.Context(), "Old", "master.m3u8?audio=1-copy&selected=1")
	working := s.encoding(t, 2)
	world.Until(t, "half a file is written", func() bool { _, temporary := s.held(t); return temporary >= 500<<10 })
	s.kill()
	ended(t, working)
	if _, temporary := s.held(t); temporary < 500<<10 {
		t.Fatalf("the killed server left %d bytes: this tests nothing", temporary)
	}
	s.home.start(t)
	if _, temporary := s.held(t); temporary != 0 {
		t.Errorf("after a start %d bytes of the killed server are left", temporary)
	}
}

// TestTheCacheStaysBelowItsCap begins with more in the cache than it may hold, and plays encoded sound into one that is full.
func TestTheCacheStaysBelowItsCap(t *testing.T) {
	t.Parallel()
	const limit = 100 << 20
	s := newStudio(t, `exec $FFMPEG "$@"`, fmt.Sprintf("REVENGE_CACHE_SIZE=%d", limit))
	s.kill()
	fill := func(name string, size int64) { // takes no room on the disk
		path := filepath.Join(s.home.dir, "cache", name+"~")
		world.Write(t, path, nil)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 40 {
		fill(fmt.Sprint("before-", n), 3<<20)
	}
	s.program = s.home.start(t)
	all, _ := s.held(t)
	if all > limit {
		t.Fatalf("after a start the cache holds %d bytes of %d", all, limit)
	}
	s.kill()
	fill("more", limit-all-10_000)
	s.program = s.home.start(t)
	for n := range 3 {
		if a := <-s.fetch(t.Context(), "Surround", s.sound(n)); a.err != nil || a.status != http.StatusOK {
			t.Fatalf("segment %d: %+v", n, a)
		}
	}
	world.Until(t, "the oldest have gone for the new", func() bool {
		all, temporary := s.held(t)
		if all-temporary > limit+100_000 { // what was just made pushes others out right after
			t.Fatalf("the cache holds %d bytes of %d", all, limit)
		}
		return all < limit-3<<20
	})
}

// TestAStopLetsStreamsEndAndHandsJobsBack is R20 for one process.
func TestAStopLetsStreamsEndAndHandsJobsBack(t *testing.T) {
	t.Parallel()
	// Sound takes a second and a half; pictures out of films, which the scan asks for, take for ever.
	s := newStudio(t, `case "$*" in *adts*) sleep 1.5; exec $FFMPEG "$@";; esac; exec sleep 1000`)
	s.kill()
	s.home.environ = append(s.home.environ, "REVENGE_SCAN_FRAMES=true")
	settled(t, filepath.Dir(world.Film(t, s.films, "New (2020)", demo.H264MKV)))
	s.program = s.home.start(t)
	library := get[listed[domain.Library]](t, &s.served, s.token, "/libraries").Items[0].ID.String()
	if r, body := s.do(t, http.MethodPost, "/api/v1/admin/libraries/"+library+"/scan", s.token, nil); r.StatusCode != http.StatusAccepted {
		t.Fatalf("%d %s", r.StatusCode, body)
	}
	s.encoding(t, 1) // the scan waits for a picture
	sound := s.fetch(t.Context(), "Surround", s.sound(1))
	working := s.encoding(t, 2)
	direct, err := s.open(t.Context(), "Large", "direct")
	if err != nil || direct.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", direct, err)
	}
	defer direct.Body.Close()

	begun := time.Now()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	world.Until(t, "new connections are refused", func() bool {
		conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(s.url, "http://"), "localhost", "127.0.0.1", 1))
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	select {
	case <-s.gone:
		t.Fatal("it ended in the middle of a stream")
	default:
	}
	size, err := io.Copy(io.Discard, direct.Body)
	if want := s.files["Large"].Size; err != nil || size != want {
		t.Errorf("a stream under way got %d of %d bytes: %v", size, want, err)
	}
	if a := <-sound; a.err != nil || a.status != http.StatusOK || a.size == 0 {
		t.Errorf("a segment under way is answered with %+v", a)
	}
	if code := s.exit(t); code != 0 {
		t.Errorf("it ended with %d: %s", code, s.stderr)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it ended after %s", took)
	}
	ended(t, working)
	if _, temporary := s.held(t); temporary != 0 {
		t.Errorf("%d bytes are left that nobody writes any more", temporary)
	}
	store := s.home.database(t)
	defer store.Close()
	if running := column(t, store.ReadDB(), "SELECT kind FROM river_job WHERE state = 'running'"); len(running) > 0 {
		t.Errorf("not handed back: %v", running)
	}
	waiting := column(t, store.ReadDB(), "SELECT attempt FROM river_job WHERE kind = 'library.scan' AND state NOT IN ('completed', 'cancelled', 'discarded')")
	if len(waiting) != 1 {
		t.Errorf("%d jobs of the scan wait", len(waiting))
	}
	scan := column(t, store.ReadDB(), "SELECT state FROM scans ORDER BY created_at DESC, id DESC LIMIT 1")
	if len(scan) != 1 || scan[0] != "running" {
		t.Errorf("the scan is %v", scan)
	}
}

// TestASecondSignalEndsTheProgramAtOnce: whoever presses Ctrl+C twice does not wait for anybody.
func TestASecondSignalEndsTheProgramAtOnce(t *testing.T) {
	t.Parallel()
	s := newStudio(t, endless)
	sound := s.fetch(t.Context(), "Surround", s.sound(0))
	working := s.encoding(t, 1)
	for range 2 {
		if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		world.Until(t, "the signal has come", func() bool {
			conn, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(s.url, "http://"), "localhost", "127.0.0.1", 1))
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
	}
	begun := time.Now()
	if code := s.exit(t); code != -1 {
		t.Errorf("the second signal was waited for: it ended with %d", code)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it ended after %s", took)
	}
	if a := <-sound; a.err == nil && a.status == http.StatusOK {
		t.Errorf("an endless encode is answered with %+v", a)
	}
	ended(t, working)
}

// TestWhoPlaysForEverIsCutOff: a stop is bounded however long a stream would take.
func TestWhoPlaysForEverIsCutOff(t *testing.T) {
	t.Parallel()
	s := newStudio(t, endless)
	sound := s.fetch(t.Context(), "Surround", s.sound(0))
	working := s.encoding(t, 1)
	direct, err := s.open(t.Context(), "Large", "direct") // and nobody reads it
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Body.Close()
	begun := time.Now()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.exit(t); code != 0 {
		t.Errorf("it ended with %d: %s", code, s.stderr)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it ended after %s", took)
	}
	if a := <-sound; a.err == nil && a.status == http.StatusOK {
		t.Errorf("an endless encode is answered with %+v", a)
	}
	ended(t, working)
}
