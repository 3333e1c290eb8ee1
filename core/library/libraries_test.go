package library_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

var viewer = domain.Actor{UserID: domain.NewID(), Username: "viewer", Roles: []domain.RoleName{domain.RoleUser}}

func TestFoldersThatOverlapOrCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000)/Film (2000).mkv")
	outside := t.TempDir()
	w.must(os.Symlink(w.path("Film (2000)"), filepath.Join(outside, "link")))
	w.must(os.WriteFile(filepath.Join(outside, "file"), nil, 0o644))
	w.must(os.Mkdir(w.root+"-beside", 0o755))
	for path, code := range map[string]string{
		w.root: "library.path_overlaps", w.path("Film (2000)"): "library.path_overlaps", filepath.Dir(w.root): "library.path_overlaps",
		filepath.Join(outside, "link"): "library.path_overlaps", w.root + "/../" + filepath.Base(w.root): "library.path_overlaps",
		base64.RawURLEncoding.EncodeToString([]byte(w.root)): "library.path_overlaps",
		filepath.Join(outside, "file"):                       "library.unusable_path", filepath.Join(outside, "none"): "library.unusable_path",
		"relative/path": "library.bad_path", "/with\x00zero": "library.bad_path", "": "library.bad_path",
	} {
		_, err := w.Create(t.Context(), owner, library.Draft{Name: "Other", Paths: []string{path}})
		if fault.CodeOf(err) != code || len(fault.As(err).Fields) != 1 {
			t.Errorf("%q: got %v, want %s", path, err, code)
		}
		if _, err := w.AddPath(t.Context(), owner, w.library.ID, path); fault.CodeOf(err) != code {
			t.Errorf("adding %q: got %v, want %s", path, err, code)
		}
	}
	_, err := w.Create(t.Context(), owner, library.Draft{Name: "Twice", Paths: []string{outside, outside}})
	wantFault(t, err, fault.Conflict, "library.path_overlaps")
	_, err = w.Create(t.Context(), owner, library.Draft{Name: "None"})
	wantFault(t, err, fault.Invalid, "library.no_path")
	if _, err = w.Create(t.Context(), owner, library.Draft{Name: "Beside", Paths: []string{w.root + "-beside"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "  ", strings.Repeat("x", 101), "a\nb"} {
		_, err = w.Create(t.Context(), owner, library.Draft{Name: name, Paths: []string{outside}})
		wantFault(t, err, fault.Invalid, "library.bad_name")
	}
	_, err = w.Create(t.Context(), owner, library.Draft{Name: "Films", Locale: "no such language", Paths: []string{outside}})
	wantFault(t, err, fault.Invalid, "library.bad_locale")
	_, err = w.Create(t.Context(), owner, library.Draft{Name: " films", Paths: []string{outside}})
	wantFault(t, err, fault.Conflict, "library.name_taken")
}

func TestLibraryChangesOnlyFromWhatTheCallerSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	seen := w.library.UpdatedAt
	name, locale, yes, no := "Movies", "de", true, false
	l, err := w.Update(t.Context(), owner, w.library.ID, &seen, library.Change{Name: &name, Locale: &locale, Restricted: &yes, Open: &no})
	if err != nil || l.Name != name || l.Locale != locale || !l.Restricted || l.Open || !l.UpdatedAt.After(seen) {
		t.Fatalf("got %+v, %v", l, err)
	}
	_, err = w.Update(t.Context(), owner, w.library.ID, &seen, library.Change{Name: &name})
	wantFault(t, err, fault.Precondition, "library.changed")
	if got, err := w.Get(t.Context(), owner, w.library.ID); err != nil || got.Name != name || len(got.Paths) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	bad := ""
	_, err = w.Update(t.Context(), owner, w.library.ID, nil, library.Change{Name: &bad})
	wantFault(t, err, fault.Invalid, "library.bad_name")
}

func TestPathsComeAndGoWithTheirFilms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	second := t.TempDir()
	w.must(os.WriteFile(filepath.Join(second, "Other (2001).mkv"), []byte("film two"), 0o644))
	old := time.Now().Add(-time.Hour)
	w.must(os.Chtimes(filepath.Join(second, "Other (2001).mkv"), old, old))
	p, err := w.AddPath(t.Context(), owner, w.library.ID, second)
	w.must(err)
	w.scan() // the first one, which began with one path
	w.scan()
	if len(w.films()) != 2 {
		t.Fatalf("got %q", w.films())
	}
	w.must(w.RemovePath(t.Context(), owner, w.library.ID, p.ID))
	if len(w.films()) != 1 {
		t.Fatalf("got %q", w.films())
	}
	wantFault(t, w.RemovePath(t.Context(), owner, w.library.ID, p.ID), fault.NotFound, "library_path.not_found")
	scan, err := w.Scan(t.Context(), owner, w.library.ID)
	w.must(err)
	w.must(w.Delete(t.Context(), owner, w.library.ID))
	if w.slice(scan) {
		t.Fatal("the scan of a library that is gone goes on")
	}
	wantFault(t, w.Delete(t.Context(), owner, w.library.ID), fault.NotFound, "library.not_found")
}

func TestAFolderThatIsAddedDuringAScanOfSingleFoldersIsScannedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	w.scan()
	w.asked("Film (2000).mkv")
	second := t.TempDir()
	w.must(os.WriteFile(filepath.Join(second, "Other (2001).mkv"), []byte("film two"), 0o644))
	_, err := w.AddPath(t.Context(), owner, w.library.ID, second)
	w.must(err)
	scan, err := w.CurrentScan(t.Context(), owner, w.library.ID)
	w.must(err)
	if scan.Trigger != "created" || len(scan.Folders) != 0 {
		t.Fatalf("the scan that comes is %+v", scan)
	}
}

func TestOnlyThoseWhoManageLibrariesMayTouchThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	ctx, id := t.Context(), w.library.ID
	for name, call := range map[string]func() error{
		"create":      func() error { _, err := w.Create(ctx, viewer, library.Draft{}); return err },
		"update":      func() error { _, err := w.Update(ctx, viewer, id, nil, library.Change{}); return err },
		"delete":      func() error { return w.Delete(ctx, viewer, id) },
		"add path":    func() error { _, err := w.AddPath(ctx, viewer, id, "/"); return err },
		"remove path": func() error { return w.RemovePath(ctx, viewer, id, w.library.Paths[0].ID) },
		"grant":       func() error { return w.Grant(ctx, viewer, id, viewer.UserID) },
		"ungrant":     func() error { return w.Ungrant(ctx, viewer, id, viewer.UserID) },
		"access":      func() error { _, err := w.AccessList(ctx, viewer, id); return err },
		"scan":        func() error { _, err := w.Scan(ctx, viewer, id); return err },
		"current":     func() error { _, err := w.CurrentScan(ctx, viewer, id); return err },
		"one scan":    func() error { _, err := w.GetScan(ctx, viewer, id); return err },
		"scans":       func() error { _, err := w.Scans(ctx, viewer, id, domain.PageRequest{}); return err },
		"cancel":      func() error { return w.CancelScan(ctx, viewer, id) },
		"confirm":     func() error { _, err := w.Confirm(ctx, viewer, id, nil); return err },
		"directories": func() error { _, err := w.Directories(ctx, viewer, "", false); return err },
		"files":       func() error { _, err := w.ListFiles(ctx, viewer, "", nil, domain.PageRequest{}); return err },
		"read":        func() error { _, err := w.ReadAgain(ctx, viewer, id); return err },
		"ignore":      func() error { _, err := w.Ignore(ctx, viewer, id); return err },
	} {
		if err := call(); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if list, err := w.List(ctx, viewer); err != nil || len(list) != 0 {
		t.Fatalf("sees %v, %v", list, err)
	}
	_, err := w.Get(ctx, viewer, id)
	wantFault(t, err, fault.NotFound, "library.not_found")
	list, err := w.List(ctx, owner)
	if err != nil || len(list) != 1 || len(list[0].Paths) != 1 {
		t.Fatalf("got %v, %v", list, err)
	}
}

func TestPickerShowsFoldersAndTheTitlesInThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Films/Metropolis (1927)/Metropolis (1927).mkv", "Films/Nosferatu.1922.1080p.mkv", "Texts/readme.txt", "Caf\xe9/x.txt")
	places, err := w.Directories(t.Context(), owner, "", false)
	if err != nil || len(places.Items) == 0 {
		t.Fatalf("got %+v, %v", places, err)
	}
	root, err := w.Directories(t.Context(), owner, w.root, true)
	if err != nil || len(root.Items) != 3 || root.Parent == "" || len(root.Titles) != 2 || root.Videos != 2 {
		t.Fatalf("got %+v, %v", root, err)
	}
	for _, d := range root.Items {
		inside, err := w.Directories(t.Context(), owner, d.Handle, false)
		if err != nil || inside.Handle != d.Handle {
			t.Fatalf("%q: %+v, %v", d.Name, inside, err)
		}
	}
	_, err = w.Directories(t.Context(), owner, "!!!", false)
	wantFault(t, err, fault.Invalid, "library.bad_path")
}

func TestAccessListSaysWhoIsLetIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	wantFault(t, w.Grant(t.Context(), owner, w.library.ID, viewer.UserID), fault.NotFound, "user.not_found")
	user := domain.User{ID: domain.NewID(), Username: "guest", CreatedAt: domain.Stamp(time.Now()), UpdatedAt: domain.Stamp(time.Now())}
	w.must(w.store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, user, "x") }))
	heard, err := w.bus.Subscribe(t.Context(), bus.TopicAccess)
	w.must(err)
	w.must(w.Grant(t.Context(), owner, w.library.ID, user.ID))
	if m := <-heard; string(m.Payload) != w.library.ID.String() {
		t.Fatalf("told of %s", m.Payload)
	}
	list, err := w.AccessList(t.Context(), owner, w.library.ID)
	if err != nil || len(list) != 1 || list[0].Username != "guest" {
		t.Fatalf("got %v, %v", list, err)
	}
	w.must(w.Ungrant(t.Context(), owner, w.library.ID, user.ID))
	if list, err = w.AccessList(t.Context(), owner, w.library.ID); err != nil || len(list) != 0 {
		t.Fatalf("got %v, %v", list, err)
	}
}
