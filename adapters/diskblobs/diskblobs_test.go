package diskblobs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/testkit/blobstest"
)

func open(t *testing.T, folder string, most int64) *Store {
	t.Helper()
	s, err := Open(Config{Dir: folder, MaxBytes: most})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(t *testing.T, s *Store, key string, size int) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(bytes.Repeat([]byte("x"), size))); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, s *Store, key string) bool {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if err != nil {
		if fault.CodeOf(err) != blobs.CodeNotFound {
			t.Fatal(err)
		}
		return false
	}
	return r.Close() == nil
}

func TestConformance(t *testing.T) {
	t.Parallel()
	blobstest.Run(t, func(t *testing.T) blobstest.Harness {
		return blobstest.Harness{Store: open(t, filepath.Join(t.TempDir(), "new", "folder"), 1<<20), Cap: 1 << 20}
	})
}

func TestTheLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := open(t, folder, 1000)
	for i, key := range []string{"a", "b", "c"} {
		put(t, s, key, 300)
		old := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(filepath.Join(folder, key+"~"), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if !has(t, s, "a") { // used now: the youngest
		t.Fatal("a is gone")
	}
	put(t, s, "d", 300)
	if !has(t, s, "a") || has(t, s, "b") || !has(t, s, "c") || !has(t, s, "d") {
		t.Error("b was the least recently used")
	}
}

func TestLeftoversOfTheDeadGoAndThoseOfTheLivingStay(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	living := open(t, folder, 1<<20)
	put(t, living, "kept", 10)
	dead := filepath.Join(folder, temporaries, "dead")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "half-written"} {
		if err := os.WriteFile(filepath.Join(dead, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := living.Create(t.Context(), "slow", func(path string) error {
		if err := os.WriteFile(path, []byte("slow"), 0o600); err != nil {
			return err
		}
		other := open(t, folder, 1<<20) // another process of the same host
		if _, err := os.Stat(dead); !os.IsNotExist(err) {
			t.Error("leftovers of a dead process are still there")
		}
		if !has(t, other, "kept") {
			t.Error("a restart lost a blob")
		}
		return nil
	})
	if err != nil || !has(t, living, "slow") {
		t.Errorf("what a living process wrote was swept: %v", err)
	}
}

func TestNothingLeavesTheFolder(t *testing.T) {
	t.Parallel()
	outside, folder := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret~"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, folder, 1<<20)
	if err := os.Symlink(outside, filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "link/secret"); fault.As(err) == nil {
		t.Errorf("answered %v", err)
	}
	if err := s.Put(t.Context(), "link/new", strings.NewReader("x")); fault.As(err) == nil {
		t.Errorf("answered %v", err)
	}
	if err := s.Delete(t.Context(), "link/"); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestAnEmptiedBlobIsAMiss(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := open(t, folder, 1<<20)
	put(t, s, "key", 10)
	if err := os.Truncate(filepath.Join(folder, "key~"), 0); err != nil {
		t.Fatal(err)
	}
	if has(t, s, "key") {
		t.Error("an empty blob was served")
	}
}

func TestAFolderThatCannotBeUsedSaysSo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", filepath.Join(file, "below")} {
		if _, err := Open(Config{Dir: folder}); fault.CodeOf(err) != "blobs.folder" {
			t.Errorf("%q: %v", folder, err)
		}
	}
}

// A disk that is full, where the test may mount one (R11).
func TestAFullDiskFailsCleanlyAndOldBlobsMakeRoom(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting is not permitted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	s := open(t, folder, 1<<30)
	for _, key := range []string{"old/1", "old/2", "old/3"} {
		put(t, s, key, 1<<20)
	}
	put(t, s, "new", 2<<20)
	if !has(t, s, "new") || has(t, s, "old/1") {
		t.Error("an old blob should have made room")
	}
	err := s.Put(t.Context(), "huge", bytes.NewReader(make([]byte, 8<<20)))
	if fault.CodeOf(err) != blobs.CodeFull || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("answered %v", err)
	}
	err = s.Create(t.Context(), "tool", func(path string) error { return os.WriteFile(path, make([]byte, 8<<20), 0o600) })
	if fault.CodeOf(err) != blobs.CodeFull {
		t.Errorf("answered %v", err)
	}
	put(t, s, "after", 1<<20)
	if !has(t, s, "after") {
		t.Error("the store does not recover")
	}
}
