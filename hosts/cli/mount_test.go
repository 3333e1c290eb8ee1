//go:build linux

package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// inNamespace marks the process that has mounts of its own.
const inNamespace = "REVENGE_TEST_OWN_MOUNTS"

// TestAnUnmountedLibraryLosesNothing is R10 with real disks: it runs again in a process with mounts of its own, which end with it. Where the
// system gives none, folders are moved away instead.
func TestAnUnmountedLibraryLosesNothing(t *testing.T) {
	demo.File(t, demo.H264AAC)
	if os.Getenv(inNamespace) == "" {
		t.Parallel()
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
		again.Env = append(os.Environ(), inNamespace+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		if os.Getuid() != 0 {
			again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		said, err := again.CombinedOutput()
		if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
			t.Logf("no mounts of its own (%v): folders are moved instead", err)
		} else {
			if err != nil || testing.Verbose() {
				t.Logf("%s", said)
			}
			if err != nil {
				t.Error(err)
			}
			return
		}
	} else if err := trial(t.TempDir()); err != nil { // a security module may refuse what the namespace would allow
		t.Logf("nothing may be mounted (%v): folders are moved instead", err)
	} else {
		ownMounts = true
	}
	for name, c := range map[string]struct {
		films int
		fails func(*household)
	}{
		"an empty mount":                   {12, emptyMount},
		"a folder that cannot be read":     {12, unreadable},
		"half the folders gone":            {12, halfGone},
		"one of nine deleted":              {9, oneDeleted},
		"deletions that trickle in":        {12, trickle},
		"unmounted in the middle of scans": {40, unmountedInScans},
		"unmounted in the first scan":      {40, unmountedInFirstScan},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fails(newHousehold(t, c.films))
		})
	}
}

// ownMounts is set once this process has shown that it can mount.
var ownMounts bool

func trial(dir string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return err
	}
	return syscall.Unmount(dir, 0)
}

// disk is a folder that can be away: a file system of its own where that is possible.
type disk struct {
	t       *testing.T
	at      string // where it is mounted
	content string // where its content always is
	real    bool
}

// newDisk makes an empty one, which is there.
func newDisk(t *testing.T) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{t: t, at: filepath.Join(dir, "films"), content: filepath.Join(dir, "content"), real: ownMounts}
	for _, folder := range []string{d.at, d.content} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if d.real {
		// The test keeps a way to the content that the server does not know.
		whole := d.content
		d.do(syscall.Mount("tmpfs", whole, "tmpfs", 0, "size=128m"))
		t.Cleanup(func() { _ = syscall.Unmount(whole, syscall.MNT_DETACH) })
		d.content = filepath.Join(whole, "films")
		d.do(os.Mkdir(d.content, 0o755))
	}
	d.mount()
	t.Cleanup(func() { _ = syscall.Unmount(d.at, syscall.MNT_DETACH) })
	return d
}

func (d *disk) do(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) mount() {
	d.t.Helper()
	if d.real {
		d.do(syscall.Mount(d.content, d.at, "", syscall.MS_BIND, ""))
		return
	}
	d.do(os.Remove(d.at))
	d.do(os.Rename(d.content, d.at))
}

// unmount leaves the empty folder on which it was mounted, though files be open.
func (d *disk) unmount() {
	d.t.Helper()
	if d.real {
		d.do(syscall.Unmount(d.at, syscall.MNT_DETACH))
		return
	}
	d.do(os.Rename(d.at, d.content))
	d.do(os.Mkdir(d.at, 0o755))
}

// household is a server with a disk of films, of which somebody has watched some.
type household struct {
	*program
	t     *testing.T
	home  home
	disk  *disk
	token string
	films []string // folders
	lib   string
}

func newHousehold(t *testing.T, films int) *household {
	t.Helper()
	h := &household{t: t, home: onSQLite(t, "REVENGE_SCAN_FRAMES=false"), disk: newDisk(t)}
	data, err := os.ReadFile(demo.File(t, demo.H264AAC))
	if err != nil {
		t.Fatal(err)
	}
	for i := range films {
		name := fmt.Sprintf("Film %c (20%02d)", 'A'+i, i)
		if i >= 26 {
			name = fmt.Sprintf("Film Z%c (20%02d)", 'A'+i-26, i)
		}
		h.films = append(h.films, name)
		// A box that players skip makes every file another one.
		world.Write(t, filepath.Join(h.disk.at, name, name+".mp4"), append(slices.Clone(data), 0, 0, 0, 9, 'f', 'r', 'e', 'e', byte(i)))
	}
	settled(t, h.disk.at)
	h.home.owner(t)
	h.program = h.home.start(t, h.disk.at)
	h.token = h.login(t, "ann").AccessToken
	h.lib = get[listed[domain.Library]](t, &h.served, h.token, "/libraries").Items[0].ID.String()
	return h
}

// watch has the first films watched in part and in whole.
func (h *household) watch() {
	h.t.Helper()
	h.scanned(h.t, h.token)
	for i, m := range h.movies() {
		path, body := "/progress", any(map[string]any{"position": 3 + i})
		if i == 1 {
			path, body = "/watched", nil
		}
		if i > 2 {
			break
		}
		if r, said := h.served.do(h.t, http.MethodPost, "/api/v1/movies/"+m.ID.String()+path, h.token, body); r.StatusCode != http.StatusOK {
			h.t.Fatalf("%d %s", r.StatusCode, said)
		}
	}
}

func (h *household) movies() []domain.MovieItem {
	h.t.Helper()
	return get[domain.Page[domain.MovieItem]](h.t, &h.served, h.token, "/movies?limit=100").Items
}

// all is every byte that the API says of the films, by address. Without changed the times of the last change are left out.
func (h *household) all(changed bool) map[string]string {
	h.t.Helper()
	paths := []string{"/movies?limit=100", "/movies/watch-history", "/movies/continue-watching", "/movies/stats"}
	for _, m := range h.movies() {
		own := "/movies/" + m.ID.String()
		paths = append(paths, own, own+"/files", own+"/progress")
	}
	said := map[string]string{}
	for _, path := range paths {
		r, body := h.served.do(h.t, http.MethodGet, "/api/v1"+path, h.token, nil)
		if r.StatusCode != http.StatusOK {
			h.t.Fatalf("%s: %d %s", path, r.StatusCode, body)
		}
		said[path] = string(body)
		if !changed {
			var v any
			h.disk.do(json.Unmarshal(body, &v))
			text, err := json.Marshal(without(v, "updatedAt"))
			h.disk.do(err)
			said[path] = string(text)
		}
	}
	return said
}

func without(v any, key string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = without(v[i], key)
		}
	case map[string]any:
		delete(v, key)
		for k := range v {
			v[k] = without(v[k], key)
		}
	}
	return v
}

// same compares with what was said before.
func (h *household) same(when string, before, after map[string]string) {
	h.t.Helper()
	for path, text := range before {
		if after[path] != text {
			h.t.Errorf("%s, %s says\n%s\nand said\n%s", when, path, after[path], text)
		}
	}
	if len(after) != len(before) {
		h.t.Errorf("%s there are %d addresses and not %d", when, len(after), len(before))
	}
}

// scan scans to the end and returns the library's only folder.
func (h *household) scan() domain.LibraryPath {
	h.t.Helper()
	world.Until(h.t, "a scan begins", func() bool { // events may have begun one
		r, body := h.served.do(h.t, http.MethodPost, "/api/v1/admin/libraries/"+h.lib+"/scan", h.token, nil)
		if r.StatusCode != http.StatusAccepted && r.StatusCode != http.StatusConflict {
			h.t.Fatalf("%d %s", r.StatusCode, body)
		}
		return r.StatusCode == http.StatusAccepted
	})
	h.scanned(h.t, h.token)
	return h.path()
}

func (h *household) path() domain.LibraryPath {
	h.t.Helper()
	return get[domain.Library](h.t, &h.served, h.token, "/libraries/"+h.lib).Paths[0]
}

func (h *household) frozen(p domain.LibraryPath, want bool) {
	h.t.Helper()
	if (p.State == domain.PathFrozen) != want || want != (p.Reason != "") || want != (p.FrozenAt != nil) {
		h.t.Errorf("the folder is %+v, want frozen: %v", p, want)
	}
}

// missing are the titles that are greyed; all films must be listed.
func (h *household) missing() (titles []string) {
	h.t.Helper()
	list := h.movies()
	if len(list) != len(h.films) {
		h.t.Errorf("%d of %d films are listed", len(list), len(h.films))
	}
	for _, m := range list {
		if !m.Available {
			titles = append(titles, m.Title)
		}
	}
	return titles
}

func emptyMount(h *household) {
	h.watch()
	before := h.all(true)
	h.disk.unmount()
	p := h.scan()
	h.frozen(p, true)
	if p.Vanished != len(h.films) {
		h.t.Errorf("%d files vanished", p.Vanished)
	}
	h.same("while the disk is away", before, h.all(true))
	h.program.kill()
	h.program = h.home.start(h.t, h.disk.at) // a server that starts before its disk
	h.frozen(h.scan(), true)
	h.same("after a restart without the disk", before, h.all(true))
	h.disk.mount()
	h.frozen(h.scan(), false)
	h.same("with the disk back", before, h.all(true))
}

// unreadable mounts what no reading succeeds on (the folder of a process that is gone, proc(5)) over the disk, then over one film.
func unreadable(h *household) {
	h.watch()
	if !h.disk.real {
		h.t.Skip("without mounts no reading fails")
	}
	before := h.all(true)
	for _, over := range []string{h.disk.at, filepath.Join(h.disk.at, h.films[4])} {
		gone := exec.Command("sleep", "1000")
		h.disk.do(gone.Start())
		err := syscall.Mount(fmt.Sprintf("/proc/%d/task", gone.Process.Pid), over, "", syscall.MS_BIND, "")
		_ = gone.Process.Kill()
		_ = gone.Wait()
		if err != nil {
			h.t.Skipf("this may not be mounted: %v", err)
		}
		if _, err := os.ReadDir(over); err == nil {
			h.t.Fatal("it can be read")
		}
		h.frozen(h.scan(), true)
		h.same("while "+filepath.Base(over)+" cannot be read", before, h.all(true))
		h.disk.do(syscall.Unmount(over, syscall.MNT_DETACH))
		h.frozen(h.scan(), false)
		h.same("when "+filepath.Base(over)+" can be read again", before, h.all(true))
	}
}

// away moves films to a place that the server does not know, and returns how to bring them back.
func (h *household) away(films ...string) (back func()) {
	h.t.Helper()
	inside := h.disk.at
	if h.disk.real { // by the way that the server does not know: nothing is renamed from one mount into another
		inside = h.disk.content
	}
	outside := filepath.Join(filepath.Dir(inside), "away")
	h.disk.do(os.MkdirAll(outside, 0o755))
	move := func(from, to string) {
		for _, f := range films {
			h.disk.do(os.Rename(filepath.Join(from, f), filepath.Join(to, f)))
		}
	}
	move(inside, outside)
	return func() { move(outside, inside) }
}

func halfGone(h *household) {
	h.watch()
	before := h.all(true)
	back := h.away(h.films[:6]...)
	p := h.scan()
	h.frozen(p, true)
	if p.Vanished != 6 {
		h.t.Errorf("%d files vanished", p.Vanished)
	}
	h.same("while half is away", before, h.all(true))
	back()
	h.frozen(h.scan(), false)
	h.same("with all back", before, h.all(true))
}

func oneDeleted(h *household) {
	h.watch()
	before := h.all(false)
	watched := h.movies()[0].Title // somebody is in the middle of it
	back := h.away(h.films[0])
	world.Until(h.t, "the film is greyed, without being asked", func() bool { return len(h.missing()) == 1 })
	if list := h.missing(); list[0] != watched {
		h.t.Errorf("%v is greyed, not %s", list, watched)
	}
	h.frozen(h.path(), false)
	after := h.all(false)
	for path, text := range before {
		if strings.HasSuffix(path, "/progress") && after[path] != text {
			h.t.Errorf("%s says\n%s\nand said\n%s", path, after[path], text)
		}
	}
	if !strings.Contains(after["/movies/watch-history"], watched) {
		h.t.Errorf("the history has lost it: %s", after["/movies/watch-history"])
	}
	back()
	h.scan()
	h.same("with the film back", before, h.all(false))
}

// trickle deletes films one by one, which file events tell of: four are believed, with the fifth of twelve the folder freezes.
func trickle(h *household) {
	h.watch()
	before := h.all(false)
	var back []func()
	for i := range 4 {
		back = append(back, h.away(h.films[i]))
		world.Until(h.t, fmt.Sprintf("%d films are greyed", i+1), func() bool { return len(h.missing()) == i+1 })
		h.frozen(h.path(), false)
	}
	back = append(back, h.away(h.films[4]))
	world.Until(h.t, "the folder is frozen", func() bool { return h.path().State == domain.PathFrozen })
	if p := h.path(); p.Vanished != 5 || len(h.missing()) != 4 {
		h.t.Errorf("%v are greyed, %+v", h.missing(), p)
	}
	r, body := h.served.do(h.t, http.MethodPost, "/api/v1/admin/libraries/"+h.lib+"/missing/confirm", h.token, map[string]any{})
	if r.StatusCode != http.StatusOK {
		h.t.Fatalf("%d %s", r.StatusCode, body)
	}
	h.frozen(h.path(), false)
	if list := h.missing(); len(list) != 5 {
		h.t.Errorf("after the confirmation %v are greyed", list)
	}
	for _, b := range back {
		b()
	}
	h.scan()
	h.same("with all back", before, h.all(false))
}

func unmountedInScans(h *household) {
	h.watch()
	before := h.all(true)
	for range 4 {
		r, body := h.served.do(h.t, http.MethodPost, "/api/v1/admin/libraries/"+h.lib+"/scan", h.token, nil)
		if r.StatusCode != http.StatusAccepted {
			h.t.Fatalf("%d %s", r.StatusCode, body)
		}
		time.Sleep(rand.N(40 * time.Millisecond)) // the moment, which nothing waits for
		h.disk.unmount()
		h.scanned(h.t, h.token)
		h.same("after a scan from under which the disk was taken", before, h.all(true))
		h.disk.mount()
		h.frozen(h.scan(), false)
		h.same("with the disk back", before, h.all(true))
	}
}

func unmountedInFirstScan(h *household) {
	world.Until(h.t, "some films are read", func() bool {
		scan := get[domain.Scan](h.t, &h.served, h.token, "/admin/libraries/"+h.lib+"/scan")
		return scan.Read > 0 || !scan.Active()
	})
	h.disk.unmount()
	world.Until(h.t, "the scan ends", func() bool {
		return !get[domain.Scan](h.t, &h.served, h.token, "/admin/libraries/"+h.lib+"/scan").Active()
	})
	h.disk.mount()
	h.frozen(h.scan(), false)
	if list := h.missing(); len(list) > 0 {
		h.t.Errorf("%v are greyed", list)
	}
	for _, m := range h.movies() {
		if f := get[listed[domain.File]](h.t, &h.served, h.token, "/movies/"+m.ID.String()+"/files").Items; len(f) != 1 || f[0].State != domain.FileReady || m.Runtime < 15 {
			h.t.Errorf("%s is %+v with %+v", m.Title, m, f)
		}
	}
}
