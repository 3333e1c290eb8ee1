// Package filestest is the conformance suite of ports/files, on real folders.
package filestest

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
)

// Harness is what an implementation brings. Watcher should tell changes within a second or two.
type Harness struct {
	Tree    files.Tree
	Browser files.Browser
	Watcher files.Watcher
}

// Run checks every promise of ports/files. open is called once for each part and may register clean-ups.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Run("Tree", func(t *testing.T) { tree(t, open(t).Tree) })
	t.Run("Browser", func(t *testing.T) { browser(t, open(t).Browser) })
	t.Run("Watcher", func(t *testing.T) { watcher(t, open(t).Watcher) })
}

// Folder makes a folder with these files (name to content; a name that ends in '/' is a folder).
func Folder(t *testing.T, content map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range content {
		path := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(path, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("%s: want %s, got %v", what, code, err)
	}
}

func tree(t *testing.T, tree files.Tree) {
	ctx := t.Context()
	list := func(t *testing.T, root, rel string) map[string]files.Entry {
		t.Helper()
		entries, err := tree.List(ctx, []byte(root), []byte(rel))
		must(t, err)
		found := map[string]files.Entry{}
		for i, e := range entries {
			if i > 0 && string(entries[i-1].Name) >= string(e.Name) {
				t.Errorf("%q comes after %q", e.Name, entries[i-1].Name)
			}
			found[string(e.Name)] = e
		}
		return found
	}
	read := func(t *testing.T, root, rel string) string {
		t.Helper()
		f, err := tree.Open(ctx, []byte(root), []byte(rel))
		must(t, err)
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		must(t, err)
		same, err := os.ReadFile(f.Path())
		if err != nil || string(same) != string(b) || !filepath.IsAbs(f.Path()) {
			t.Errorf("Path %q leads to %q, %v", f.Path(), same, err)
		}
		end, err := f.Seek(-1, io.SeekEnd)
		must(t, err)
		if last, err := io.ReadAll(f); err != nil || end != f.Size()-1 || string(last) != string(b[end:]) {
			t.Errorf("from %d on it reads %q, %v", end, last, err)
		}
		return string(b)
	}

	t.Run("ListsAndOpensWhatIsThere", func(t *testing.T) {
		root := Folder(t, map[string]string{"b.mkv": "film", "a/inner.mkv": "inner", "empty/": ""})
		found := list(t, root, "")
		if len(found) != 3 || !found["a"].Dir || found["a"].Regular || !found["b.mkv"].Regular || found["b.mkv"].Size != 4 || found["b.mkv"].Inode == "" {
			t.Errorf("%+v", found)
		}
		if time.Since(found["b.mkv"].ModifiedAt).Abs() > time.Hour {
			t.Errorf("modified at %v", found["b.mkv"].ModifiedAt)
		}
		if len(list(t, root, "empty")) != 0 || len(list(t, root, "a")) != 1 {
			t.Error("folders below")
		}
		if got := read(t, root, "a/inner.mkv"); got != "inner" {
			t.Errorf("read %q", got)
		}
		e, err := tree.Stat(ctx, []byte(root), []byte("a/inner.mkv"))
		if err != nil || string(e.Name) != "inner.mkv" || e.Size != 5 || !e.Regular {
			t.Errorf("%+v, %v", e, err)
		}
		if e, err := tree.Stat(ctx, []byte(root), nil); err != nil || !e.Dir {
			t.Errorf("the root: %+v, %v", e, err)
		}
	})
	t.Run("PathsAreBytes", func(t *testing.T) {
		names := []string{"caf\xe9.mkv", "new\nline.mkv", "\xff\xfe", `q"uote'.mkv`, "-rf", "…", "…/…"}
		content := map[string]string{}
		for _, n := range names[:5] {
			content[n] = n
		}
		content["…/…"] = "…/…"
		root := Folder(t, content)
		found := list(t, root, "")
		for _, n := range names[:6] {
			if _, ok := found[n]; !ok {
				t.Errorf("%q is not listed", n)
			}
		}
		for n := range content {
			if got := read(t, root, n); got != n {
				t.Errorf("%q reads %q", n, got)
			}
		}
	})
	t.Run("SymlinksThatStayAreFollowed", func(t *testing.T) {
		root := Folder(t, map[string]string{"films/a.mkv": "film", "films/deep/b.mkv": "deep"})
		must(t, os.Symlink("films/a.mkv", filepath.Join(root, "relative.mkv")))
		must(t, os.Symlink(filepath.Join(root, "films/a.mkv"), filepath.Join(root, "absolute.mkv")))
		must(t, os.Symlink(filepath.Join(root, "films"), filepath.Join(root, "folder")))
		must(t, os.Symlink("../a.mkv", filepath.Join(root, "films/deep/up.mkv")))
		found := list(t, root, "")
		for _, n := range []string{"relative.mkv", "absolute.mkv"} {
			if e := found[n]; e.Err != nil || !e.Symlink || !e.Regular || e.Size != 4 {
				t.Errorf("%s: %+v", n, e)
			}
			if got := read(t, root, n); got != "film" {
				t.Errorf("%s reads %q", n, got)
			}
		}
		if e := found["folder"]; !e.Dir || !e.Symlink || e.Err != nil {
			t.Errorf("folder: %+v", e)
		}
		if got := list(t, root, "folder/deep"); len(got) != 2 || got["up.mkv"].Err != nil || got["up.mkv"].Size != 4 {
			t.Errorf("through an absolute symlink: %+v", got)
		}
		if e, err := tree.Stat(ctx, []byte(root), []byte("folder/a.mkv")); err != nil || e.Size != 4 {
			t.Errorf("%+v, %v", e, err)
		}
		if got := read(t, root, "folder/deep/up.mkv"); got != "film" {
			t.Errorf("read %q", got)
		}
	})
	t.Run("NothingLeavesTheRoot", func(t *testing.T) {
		outside := Folder(t, map[string]string{"secret": "secret"})
		root := Folder(t, map[string]string{"a/b.mkv": "film"})
		must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "absolute.mkv")))
		must(t, os.Symlink("../"+filepath.Base(outside), filepath.Join(root, "relative")))
		must(t, os.Symlink(outside, filepath.Join(root, "folder")))
		must(t, os.Symlink("/etc/passwd", filepath.Join(root, "a/passwd.mkv")))
		must(t, os.Symlink("/no/such/place", filepath.Join(root, "dangling-outside")))
		found := list(t, root, "")
		for _, n := range []string{"absolute.mkv", "folder", "dangling-outside"} {
			if e := found[n]; fault.CodeOf(e.Err) != files.CodeOutside || e.Dir || e.Regular || e.Size != 0 {
				t.Errorf("%s: %+v", n, e)
			}
		}
		for _, rel := range []string{"absolute.mkv", "a/passwd.mkv", "folder/secret", "../" + filepath.Base(outside) + "/secret", "/etc/passwd", "a/../../x", ".."} {
			_, err := tree.Open(ctx, []byte(root), []byte(rel))
			wantCode(t, "Open "+rel, err, files.CodeOutside)
			_, err = tree.Stat(ctx, []byte(root), []byte(rel))
			wantCode(t, "Stat "+rel, err, files.CodeOutside)
		}
		for _, rel := range []string{"folder", "..", "/", "a/../.."} {
			_, err := tree.List(ctx, []byte(root), []byte(rel))
			wantCode(t, "List "+rel, err, files.CodeOutside)
		}
	})
	t.Run("OnlyRegularFilesAreOpened", func(t *testing.T) {
		root := Folder(t, map[string]string{"dir/": ""})
		must(t, syscall.Mkfifo(filepath.Join(root, "x.mkv"), 0o644))
		if e := list(t, root, "")["x.mkv"]; e.Regular || e.Dir || e.Err != nil {
			t.Errorf("a pipe is listed as %+v", e)
		}
		opened := make(chan error, 2)
		for _, n := range []string{"x.mkv", "dir"} {
			go func() {
				_, err := tree.Open(ctx, []byte(root), []byte(n))
				opened <- err
			}()
		}
		for range 2 {
			select {
			case err := <-opened:
				wantCode(t, "Open", err, files.CodeNotRegular)
			case <-time.After(10 * time.Second):
				t.Fatal("opening a pipe blocks")
			}
		}
		_, err := tree.List(ctx, []byte(root), []byte("x.mkv"))
		wantCode(t, "List of a pipe", err, files.CodeNotRegular)
	})
	t.Run("AbsenceIsNotFound", func(t *testing.T) {
		root := Folder(t, map[string]string{"film.mkv": "x"})
		must(t, os.Symlink("nowhere", filepath.Join(root, "dangling")))
		must(t, os.Symlink("loop", filepath.Join(root, "loop")))
		for _, rel := range []string{"no.mkv", "no/no.mkv", "film.mkv/x", "dangling", "loop", "nul\x00.mkv", strings.Repeat("x", 300)} {
			_, err := tree.Open(ctx, []byte(root), []byte(rel))
			wantCode(t, "Open "+rel, err, files.CodeNotFound)
			_, err = tree.Stat(ctx, []byte(root), []byte(rel))
			wantCode(t, "Stat "+rel, err, files.CodeNotFound)
		}
		_, err := tree.List(ctx, []byte(root), []byte("no"))
		wantCode(t, "List", err, files.CodeNotFound)
		_, err = tree.List(ctx, []byte(root+"/unmounted"), nil)
		wantCode(t, "List of an absent root", err, files.CodeNotFound)
		if found := list(t, root, ""); fault.CodeOf(found["dangling"].Err) != files.CodeNotFound || found["film.mkv"].Err != nil {
			t.Errorf("%+v", found)
		}
	})
	t.Run("UnreadableIsNotAbsent", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may read everything")
		}
		root := Folder(t, map[string]string{"locked/film.mkv": "x", "film.mkv": "x"})
		must(t, os.Chmod(filepath.Join(root, "locked"), 0))
		must(t, os.Chmod(filepath.Join(root, "film.mkv"), 0))
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, "locked"), 0o755) })
		_, err := tree.List(ctx, []byte(root), []byte("locked"))
		wantCode(t, "List", err, files.CodeUnreadable)
		_, err = tree.Stat(ctx, []byte(root), []byte("locked/film.mkv"))
		wantCode(t, "Stat", err, files.CodeUnreadable)
		_, err = tree.Open(ctx, []byte(root), []byte("film.mkv"))
		wantCode(t, "Open", err, files.CodeUnreadable)
	})
	t.Run("ARootThatIsMountedAgainIsThereAgain", func(t *testing.T) {
		root := Folder(t, map[string]string{"before.mkv": "x"})
		list(t, root, "")
		must(t, os.Rename(root, root+".away"))
		_, err := tree.List(ctx, []byte(root), nil)
		wantCode(t, "List", err, files.CodeNotFound)
		must(t, os.Mkdir(root, 0o755))
		if found := list(t, root, ""); len(found) != 0 {
			t.Errorf("an empty mount point holds %v", found)
		}
		must(t, os.Remove(root))
		must(t, os.Rename(root+".away", root))
		if found := list(t, root, ""); len(found) != 1 {
			t.Errorf("mounted again: %v", found)
		}
	})
	t.Run("Canonical", func(t *testing.T) {
		root := Folder(t, map[string]string{"real/film.mkv": "x"})
		must(t, os.Symlink("real", filepath.Join(root, "link")))
		got, err := tree.Canonical(ctx, []byte(root+"/link/../link/"))
		if err != nil || string(got) != filepath.Join(root, "real") {
			t.Errorf("%q, %v", got, err)
		}
		_, err = tree.Canonical(ctx, []byte(root+"/no"))
		wantCode(t, "absent", err, files.CodeNotFound)
		_, err = tree.Canonical(ctx, []byte(root+"/real/film.mkv"))
		wantCode(t, "a file", err, files.CodeNotRegular)
		if _, err = tree.Canonical(ctx, []byte("real")); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a relative path: %v", err)
		}
	})
	t.Run("EndsWithItsContext", func(t *testing.T) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := tree.List(ended, []byte("/"), nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := tree.Open(ended, []byte("/"), []byte("x")); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func isVideo(name string) bool { return strings.HasSuffix(name, ".mkv") }

func browser(t *testing.T, browser files.Browser) {
	ctx := t.Context()
	t.Run("PlacesBeginAtTheRoot", func(t *testing.T) {
		places, err := browser.Places(ctx)
		if err != nil || len(places) == 0 || places[0].Path != "/" {
			t.Errorf("%+v, %v", places, err)
		}
	})
	t.Run("FoldersWithTheirVideos", func(t *testing.T) {
		root := Folder(t, map[string]string{"films/a/one.mkv": "", "films/two.mkv": "", "films/x.txt": "", "films/.hidden/three.mkv": "", "empty/": "", ".hidden/": "", "file.mkv": "", "caf\xe9/one.mkv": ""})
		must(t, os.Symlink("films", filepath.Join(root, "link")))
		must(t, os.Symlink("..", filepath.Join(root, "films/loop")))
		found, err := browser.Directories(ctx, []byte(root), isVideo, 10*time.Second)
		must(t, err)
		want := []struct {
			name   string
			videos int
		}{{"caf\uFFFD", 1}, {"empty", 0}, {"films", 2}, {"link", 2}}
		if len(found) != len(want) {
			t.Fatalf("%+v", found)
		}
		for i, w := range want {
			if d := found[i]; d.Name != w.name || d.Videos != w.videos || d.Partial {
				t.Errorf("%+v, want %+v", d, w)
			}
		}
		raw, err := base64.RawURLEncoding.DecodeString(found[0].Handle)
		if err != nil || string(raw) != root+"/caf\xe9" {
			t.Errorf("the handle holds %q, %v", raw, err)
		}
	})
	t.Run("CountingStopsInTime", func(t *testing.T) {
		root := Folder(t, map[string]string{"films/one.mkv": ""})
		found, err := browser.Directories(ctx, []byte(root), isVideo, 0)
		if err != nil || len(found) != 1 || !found[0].Partial {
			t.Errorf("%+v, %v", found, err)
		}
	})
	t.Run("WhatCannotBeListed", func(t *testing.T) {
		root := Folder(t, map[string]string{"film.mkv": ""})
		for _, path := range []string{root + "/no", root + "/film.mkv", "relative", root + "/\x00"} {
			if _, err := browser.Directories(ctx, []byte(path), isVideo, time.Second); fault.CodeOf(err) != files.CodeNotFound {
				t.Errorf("%q: %v", path, err)
			}
		}
	})
}

func watcher(t *testing.T, w files.Watcher) {
	type failure struct {
		root string
		err  error
	}
	start := func(t *testing.T, roots ...string) (<-chan files.Change, <-chan failure, context.CancelFunc) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		failures := make(chan failure, 16)
		var raw [][]byte
		for _, r := range roots {
			raw = append(raw, []byte(r))
		}
		changes := w.Watch(ctx, raw, func(root []byte, err error) { failures <- failure{string(root), err} })
		t.Cleanup(cancel)
		return changes, failures, cancel
	}
	// settled writes a file anew until its folder's change is told: the watches are set by then.
	await := func(t *testing.T, changes <-chan files.Change, root, dir string, again func()) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		retry := time.NewTicker(3 * time.Second)
		defer retry.Stop()
		for again(); ; {
			select {
			case c := <-changes:
				if string(c.Root) == root && string(c.Dir) == dir {
					return
				}
			case <-retry.C:
				again()
			case <-deadline:
				t.Fatalf("no change of %q told", dir)
			}
		}
	}
	touch := func(t *testing.T, parts ...string) func() {
		return func() { must(t, os.WriteFile(filepath.Join(parts...), []byte(time.Now().String()), 0o644)) }
	}

	t.Run("TellsTheFolder", func(t *testing.T) {
		a, b := Folder(t, map[string]string{"x/y/": ""}), Folder(t, map[string]string{"caf\xe9/": ""})
		changes, _, _ := start(t, a, b)
		await(t, changes, a, "x/y", touch(t, a, "x/y/film.mkv"))
		await(t, changes, a, "", touch(t, a, "film.mkv"))
		await(t, changes, b, "caf\xe9", touch(t, b, "caf\xe9/film.mkv"))
	})
	t.Run("NewAndMovedFolders", func(t *testing.T) {
		root := Folder(t, map[string]string{"old/film.mkv": "x"})
		elsewhere := Folder(t, map[string]string{"new/deep/film.mkv": "x"})
		changes, _, _ := start(t, root)
		await(t, changes, root, "", touch(t, root, "settled"))
		await(t, changes, root, "new/deep", func() { _ = os.Rename(elsewhere+"/new", root+"/new") })
		await(t, changes, root, "new/deep", touch(t, root, "new/deep/second.mkv"))
		must(t, os.MkdirAll(root+"/made/at/once", 0o755))
		await(t, changes, root, "made/at/once", touch(t, root, "made/at/once/film.mkv"))
		await(t, changes, root, "old", func() { _ = os.Rename(root+"/old", elsewhere+"/old") })
		await(t, changes, root, "made", func() { _ = os.RemoveAll(root + "/made") })
	})
	t.Run("ManyChangesAreFew", func(t *testing.T) {
		root := Folder(t, map[string]string{"d/": ""})
		changes, _, _ := start(t, root)
		await(t, changes, root, "", touch(t, root, "settled"))
		for i := range 500 {
			touch(t, root, "d", strconv.Itoa(i)+".mkv")()
		}
		told := 0
		await(t, changes, root, "d", func() {})
		for quiet := false; !quiet; {
			select {
			case c := <-changes:
				if string(c.Dir) == "d" {
					told++
				}
			case <-time.After(2 * time.Second):
				quiet = true
			}
		}
		if told > 10 {
			t.Errorf("500 files in one folder were told %d times", told)
		}
	})
	t.Run("ARootThatCannotBeWatchedIsReported", func(t *testing.T) {
		good := Folder(t, nil)
		changes, failures, _ := start(t, good+"/absent", good)
		select {
		case f := <-failures:
			if f.root != good+"/absent" || fault.As(f.err) == nil {
				t.Errorf("%+v", f)
			}
		case <-time.After(20 * time.Second):
			t.Error("an absent root was not reported")
		}
		await(t, changes, good, "", touch(t, good, "film.mkv"))
	})
	t.Run("TheChannelClosesWithTheContext", func(t *testing.T) {
		changes, _, cancel := start(t, Folder(t, nil))
		cancel()
		deadline := time.After(20 * time.Second)
		for {
			select {
			case _, more := <-changes:
				if !more {
					return
				}
			case <-deadline:
				t.Fatal("the channel stays open")
			}
		}
	})
}
