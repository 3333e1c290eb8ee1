package osfiles

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/testkit/filestest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	filestest.Run(t, func(*testing.T) filestest.Harness {
		return filestest.Harness{Tree: NewTree(), Browser: NewBrowser(), Watcher: NewWatcher(WatcherConfig{Quiet: 100 * time.Millisecond, MaxWait: time.Second})}
	})
}

// An unmounted or failing disk must never look like an empty one (R10).
func TestOnlyProofOfAbsenceIsNotFound(t *testing.T) {
	t.Parallel()
	for cause, code := range map[error]string{
		syscall.ENOENT: files.CodeNotFound, syscall.ENOTDIR: files.CodeNotFound, syscall.ELOOP: files.CodeNotFound,
		syscall.EIO: files.CodeUnreadable, syscall.ESTALE: files.CodeUnreadable, syscall.ENOTCONN: files.CodeUnreadable, syscall.EACCES: files.CodeUnreadable,
		syscall.EPERM: files.CodeUnreadable, syscall.EHOSTDOWN: files.CodeUnreadable, syscall.ENODEV: files.CodeUnreadable, syscall.EINVAL: files.CodeUnreadable,
		errors.New("unheard of"): files.CodeUnreadable, context.DeadlineExceeded: files.CodeUnreadable,
	} {
		err := translate(&fs.PathError{Op: "open", Path: "/secret/root/x", Err: cause}, []byte("/root"), []byte("x"))
		if fault.CodeOf(err) != code {
			t.Errorf("%v became %v", cause, err)
		}
	}
}

func TestARootThatComesBackIsWatchedAgain(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "library")
	failures := make(chan error, 8)
	w := NewWatcher(WatcherConfig{Quiet: 20 * time.Millisecond, Recheck: 20 * time.Millisecond})
	changes := w.Watch(t.Context(), [][]byte{[]byte(root)}, func(_ []byte, err error) { failures <- err })
	if err := <-failures; fault.CodeOf(err) != CodeUnwatchable {
		t.Fatal(err)
	}
	if err := os.MkdirAll(root+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	// Whether the root is watched by now cannot be seen, so the film is written until somebody notices.
	for noticed, deadline := false, time.After(20*time.Second); !noticed; {
		if err := os.WriteFile(root+"/sub/film.mkv", []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		select {
		case c := <-changes:
			noticed = string(c.Dir) == "sub"
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatal("the root is not watched")
		}
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failures:
		if fault.CodeOf(err) != CodeUnwatchable {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told that the root is gone")
	}
}

func TestLostNotificationsAreAChangeOfTheRoot(t *testing.T) {
	t.Parallel()
	r := &watchedRoot{raw: []byte("/films"), path: "/films", info: fakeInfo{}}
	s := &watch{config: NewWatcher(WatcherConfig{}).config, roots: []*watchedRoot{r, {raw: []byte("/absent")}}, folders: map[string]*watchedRoot{}, pending: map[pendingKey]*pendingChange{}}
	s.lost(fsnotify.ErrEventOverflow)
	s.flush(time.Now().Add(time.Hour))
	if len(s.ready) != 1 || string(s.ready[0].Root) != "/films" || len(s.ready[0].Dir) != 0 {
		t.Errorf("%+v", s.ready)
	}
}

func TestTooManyChangedFoldersBecomeTheRoot(t *testing.T) {
	t.Parallel()
	r := &watchedRoot{raw: []byte("/films"), path: "/films", info: fakeInfo{}}
	s := &watch{config: NewWatcher(WatcherConfig{}).config, pending: map[pendingKey]*pendingChange{}}
	for i := range maxPending + 1 {
		s.changed(r, filepath.Join("/films", string(rune('a'+i%26)), string(rune(0x4e00+i))))
	}
	s.flush(time.Now().Add(time.Hour))
	if len(s.ready) != 1 || len(s.ready[0].Dir) != 0 || r.pending != 0 {
		t.Errorf("%d changes, %d pending", len(s.ready), r.pending)
	}
}

func TestTheSystemsLimitIsNamed(t *testing.T) {
	t.Parallel()
	var heard []error
	s := &watch{failed: func(_ []byte, err error) { heard = append(heard, err) }}
	r := &watchedRoot{raw: []byte("/films")}
	s.fail(r, syscall.ENOSPC)
	s.fail(r, syscall.ENOSPC)
	if len(heard) != 1 || fault.CodeOf(heard[0]) != CodeUnwatchable {
		t.Fatalf("%v", heard)
	}
}

type fakeInfo struct{ fs.FileInfo }

func TestMountsAreTold(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]mount{
		`36 35 98:0 / /mnt/my\040films rw,noatime master:1 - ext4 /dev/sda1 rw`: {path: "/mnt/my films"},
		`22 35 0:21 / /proc rw,nosuid - proc proc rw`:                           {path: "/proc", system: true},
		`40 35 0:50 / /mnt/nas rw - nfs4 nas:/films rw`:                         {path: "/mnt/nas"},
		`41 35 0:51 / /mnt/pool rw - fuse.mergerfs pool rw`:                     {path: "/mnt/pool"},
		`42 35 0:52 / /dev/shm rw shared:3 - tmpfs tmpfs rw`:                    {path: "/dev/shm", system: true},
	} {
		if got, ok := parseMount(line); !ok || got != want {
			t.Errorf("%s: %+v, %v", line, got, ok)
		}
	}
	if _, ok := parseMount("nonsense"); ok {
		t.Error("nonsense is a mount")
	}
}

// A library on a disk of its own that is unmounted and mounted again, where the test may mount.
func TestUnmountedLibraryIsEmptyAndComesBack(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	mountIt := func() error { return syscall.Mount("tmpfs", root, "tmpfs", 0, "size=1m") }
	if err := mountIt(); err != nil {
		t.Skipf("mounting is not permitted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(root, syscall.MNT_DETACH) })
	if err := os.WriteFile(root+"/film.mkv", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree := NewTree()
	if e, err := tree.List(t.Context(), []byte(root), nil); err != nil || len(e) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if err := syscall.Unmount(root, syscall.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if e, err := tree.List(t.Context(), []byte(root), nil); err != nil || len(e) != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := tree.Stat(t.Context(), []byte(root), []byte("film.mkv")); fault.CodeOf(err) != files.CodeNotFound {
		t.Fatal(err)
	}
	if err := mountIt(); err != nil {
		t.Fatal(err)
	}
	if e, err := tree.List(t.Context(), []byte(root), nil); err != nil || len(e) != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
}

func TestAFileThatIsReplacedWhileItIsOpenedIsNoUnreadableOne(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	name := func(n string) string { return filepath.Join(root, n) }
	if err := os.WriteFile(name("own"), []byte("film"), 0o644); err != nil {
		t.Fatal(err)
	}
	put := func(n int) error {
		_ = os.Remove(name("next"))
		link := os.Link
		if n%2 == 0 {
			link = func(_, at string) error { return os.Symlink("own", at) }
		}
		return errors.Join(link(name("own"), name("next")), os.Rename(name("next"), name("film")))
	}
	if err := put(0); err != nil {
		t.Fatal(err)
	}
	asked, swapped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for n := 1; err == nil; n++ {
			select {
			case <-asked:
				swapped <- nil
				return
			default:
				err = put(n)
			}
		}
		swapped <- err
	}()
	for range 3000 {
		file, err := NewTree().Open(t.Context(), []byte(root), []byte("film"))
		if err != nil {
			t.Error(err)
			break
		}
		file.Close()
	}
	close(asked)
	if err := <-swapped; err != nil {
		t.Fatal(err)
	}
}
