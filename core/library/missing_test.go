package library_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

// identities are the ids of all files and their films.
func (w *world) identities() map[string][2]domain.ID {
	w.t.Helper()
	ids := map[string][2]domain.ID{}
	for raw, f := range w.files() {
		if f.MovieID == nil {
			w.t.Fatalf("%s belongs to no film", f.Path)
		}
		ids[raw] = [2]domain.ID{f.ID, *f.MovieID}
	}
	return ids
}

func (w *world) purge() {
	w.t.Helper()
	w.must(w.Purge(w.t.Context(), jobs.Run{}))
}

func (w *world) available() (n int) {
	w.t.Helper()
	page, err := w.store.Read().Movies.List(w.t.Context(), domain.ScopeAll(), domain.ID{}, domain.MovieFilter{Sort: domain.SortTitle}, domain.PageRequest{Limit: 100})
	w.must(err)
	for _, m := range page.Items {
		if m.Available {
			n++
		}
	}
	return n
}

// TestAPathThatLosesTooMuchFreezes is R10, each condition at its limits.
func TestAPathThatLosesTooMuchFreezes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		films, gone int
		frozen      bool
	}{
		"one of two":               {2, 1, false},
		"all of one":               {1, 1, true},
		"all of three":             {3, 3, true},
		"four of five":             {5, 4, false},
		"five of forty-nine":       {49, 5, true},
		"five of fifty":            {50, 5, false},
		"fifty of six hundred":     {600, 50, false},
		"fifty-one of six hundred": {600, 51, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := many(c.films)
			w := newWorld(t, paths...)
			w.scan()
			w.remove(folders(paths[:c.gone])...)
			scan := w.scan()
			w.frozen(c.frozen)
			want := c.gone
			if c.frozen {
				want = 0
			}
			if scan.Missing != want || w.count(domain.FileMissing) != want || w.pathState().Vanished != c.gone {
				t.Fatalf("%d are missing, want %d: %+v", w.count(domain.FileMissing), want, w.pathState())
			}
			w.clock.pass(40 * 24 * time.Hour)
			w.purge()
			if n := len(w.files()); n != c.films-want {
				t.Fatalf("%d files are left of %d", n, c.films)
			}
		})
	}
}

func TestUnmountedLibraryIsTheSameAfterRemount(t *testing.T) {
	t.Parallel()
	for name, unmount := range map[string]func(w *world) (remount func()){
		"an empty folder": func(w *world) func() {
			away := w.root + ".away"
			w.must(os.Rename(w.root, away))
			w.must(os.Mkdir(w.root, 0o755))
			return func() { w.must(os.Remove(w.root)); w.must(os.Rename(away, w.root)) }
		},
		"no folder": func(w *world) func() {
			away := w.root + ".away"
			w.must(os.Rename(w.root, away))
			return func() { w.must(os.Rename(away, w.root)) }
		},
		"another disk": func(w *world) func() {
			away, other := w.root+".away", w.root+".other"
			w.must(os.Rename(w.root, away))
			w.write("Something Else (2020).mkv", "film of another disk")
			return func() { w.must(os.Rename(w.root, other)); w.must(os.Rename(away, w.root)) }
		},
		"an I/O error in the root": func(w *world) func() {
			w.tree.breaks("", syscall.EIO)
			return w.tree.heals
		},
		"an I/O error in a folder": func(w *world) func() {
			w.tree.breaks("Film B001 (2001)", syscall.EIO)
			return w.tree.heals
		},
		"no permission for a folder with films": func(w *world) func() {
			w.tree.breaks("Film B001 (2001)", syscall.EACCES)
			return w.tree.heals
		},
		"half the folders gone": func(w *world) func() {
			for _, f := range folders(many(6)) {
				w.rename(f, "../away/"+f)
			}
			return func() {
				for _, f := range folders(many(6)) {
					w.rename("../away/"+f, f)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, many(12)...)
			w.scan()
			before, read := w.identities(), w.packer.count()
			remount := unmount(w)
			w.scan()
			w.frozen(true)
			w.clock.pass(26 * time.Hour) // the window moves on, the doubt stays
			w.scan()
			w.frozen(true)
			w.event("Film A000 (2001)", "Film C002 (2001)")
			w.frozen(true)
			w.clock.pass(60 * 24 * time.Hour)
			w.purge()
			if w.count(domain.FileMissing) != 0 {
				t.Fatal("files of a frozen path were marked missing")
			}
			remount()
			w.scan()
			w.frozen(false)
			after := w.identities()
			for raw, ids := range before {
				if after[raw] != ids {
					t.Fatalf("%q was %v and is %v", raw, ids, after[raw])
				}
			}
			if name != "another disk" && w.packer.count() != read {
				t.Fatalf("%d files were read again", w.packer.count()-read)
			}
			if w.available() < 12 {
				t.Fatalf("%d films are available", w.available())
			}
		})
	}
}

func TestUnmountDuringAScanIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, many(60)...)
	w.scan()
	before := w.identities()
	w.deps.Slice = time.Nanosecond
	w.Service = library.New(w.deps)
	scan, err := w.Scan(t.Context(), owner, w.library.ID)
	w.must(err)
	for range 100 { // up to two thirds of the walk
		w.slice(scan)
	}
	away := w.root + ".away"
	w.must(os.Rename(w.root, away))
	w.must(os.Mkdir(w.root, 0o755))
	if done := w.finish(scan); done.State != domain.ScanDone || done.Missing != 0 {
		t.Fatalf("got %+v", done)
	}
	w.frozen(true)
	w.must(os.Remove(w.root))
	w.must(os.Rename(away, w.root))
	w.scan()
	w.frozen(false)
	for raw, ids := range w.identities() {
		if before[raw] != ids {
			t.Fatalf("%q is another", raw)
		}
	}
}

func TestDeletionsAreCountedOverADay(t *testing.T) {
	t.Parallel()
	paths := many(40)
	w := newWorld(t, paths...)
	w.scan()
	gone := 0
	lose := func() {
		dir := filepath.Dir(paths[gone])
		w.remove(dir)
		w.event(dir)
		gone++
	}
	for range 4 { // 4 of 40 are 10 %
		lose()
	}
	w.frozen(false)
	if w.count(domain.FileMissing) != 4 {
		t.Fatalf("%d are missing", w.count(domain.FileMissing))
	}
	lose()
	w.frozen(true)
	lose()
	if p := w.pathState(); w.count(domain.FileMissing) != 4 || p.Vanished != 6 {
		t.Fatalf("%d are missing: %+v", w.count(domain.FileMissing), p)
	}
	w.clock.pass(31 * 24 * time.Hour)
	w.scan()
	w.purge()
	if len(w.files()) != 40 {
		t.Fatal("a clock ran while the path was frozen")
	}
	// Two of the six come back: four of forty are believed again, and the clocks go on from where they stood.
	for _, p := range paths[4:6] {
		w.write(p, "film "+p)
	}
	w.scan()
	w.frozen(false)
	w.purge()
	if w.count(domain.FileMissing) != 4 {
		t.Fatalf("%d are missing", w.count(domain.FileMissing))
	}
	w.clock.pass(31 * 24 * time.Hour)
	w.purge()
	if len(w.files()) != 36 || len(w.films()) != 36 {
		t.Fatalf("%d files and %d films are left", len(w.files()), len(w.films()))
	}
}

func TestAfterADayDeletionsCountAnew(t *testing.T) {
	t.Parallel()
	paths := many(40)
	w := newWorld(t, paths...)
	w.scan()
	for day := range 3 {
		w.remove(folders(paths[day*3 : day*3+3])...)
		if scan := w.scan(); scan.Missing != 3 {
			t.Fatalf("day %d: %+v", day, scan)
		}
		w.clock.pass(25 * time.Hour)
	}
	w.frozen(false)
	if w.available() != 31 || len(w.films()) != 40 {
		t.Fatalf("%d of %d films are available", w.available(), len(w.films()))
	}
	w.write(paths[0], "film "+paths[0])
	w.scan()
	if w.available() != 32 || w.count(domain.FileMissing) != 8 {
		t.Fatal("a film that is back is not available")
	}
}

func TestConfirmedLossesAreMarkedAndPurgedWithoutTouchingHistory(t *testing.T) {
	t.Parallel()
	paths := many(20)
	w := newWorld(t, paths...)
	w.scan()
	film := *w.file(paths[0]).MovieID
	m, err := w.store.Read().Movies.Get(t.Context(), domain.ScopeAll(), domain.ID{}, film)
	w.must(err)
	user := domain.User{ID: domain.NewID(), Username: "viewer", CreatedAt: w.clock.now(), UpdatedAt: w.clock.now()}
	w.must(w.store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users.Create(ctx, user, "x"); err != nil {
			return err
		}
		return tx.Watch.Append(ctx, domain.WatchEvent{ID: domain.NewID(), UserID: user.ID, Identity: m.Identity, MovieID: film, Title: m.Title, Kind: domain.WatchProgress, Position: 60, At: domain.Stamp(w.clock.now())})
	}))
	w.remove(folders(paths[:10])...)
	w.scan()
	w.frozen(true)
	wrong := domain.NewID()
	_, err = w.Confirm(t.Context(), owner, w.library.ID, &wrong)
	wantFault(t, err, fault.NotFound, "library_path.not_found")
	path := w.pathState().ID
	l, err := w.Confirm(t.Context(), owner, w.library.ID, &path)
	w.must(err)
	w.frozen(false)
	if l.Paths[0].State != domain.PathOK || w.count(domain.FileMissing) != 10 || w.available() != 10 {
		t.Fatalf("got %+v", l)
	}
	w.scan()
	w.frozen(false) // what is confirmed does not count again
	w.remove(filepath.Dir(paths[10]))
	if scan := w.scan(); scan.Missing != 1 {
		t.Fatalf("got %+v", scan)
	}
	w.clock.pass(29 * 24 * time.Hour)
	w.purge()
	if len(w.films()) != 20 {
		t.Fatal("purged too early")
	}
	w.clock.pass(2 * 24 * time.Hour)
	w.purge()
	if len(w.films()) != 9 {
		t.Fatalf("%d films are left", len(w.films()))
	}
	events, err := w.store.Read().Watch.Events(t.Context(), user.ID, m.Identity)
	if err != nil || len(events) != 1 {
		t.Fatalf("the history holds %v, %v", events, err)
	}
}

func TestALibraryThatIsReallyGoneCanBeConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, many(5)...)
	w.scan()
	w.must(os.RemoveAll(w.root))
	w.scan()
	w.frozen(true)
	_, err := w.Confirm(t.Context(), owner, w.library.ID, nil)
	w.must(err)
	if w.count(domain.FileMissing) != 5 || w.available() != 0 {
		t.Fatalf("%d are missing", w.count(domain.FileMissing))
	}
}

func TestAFolderThatIsNobodysBusinessFreezesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, append(many(12), "Secret/notes.txt")...)
	w.tree.breaks("Secret", syscall.EACCES)
	w.scan()
	w.remove("Film A000 (2001)")
	if scan := w.scan(); scan.Missing != 1 {
		t.Fatalf("got %+v", scan)
	}
	w.frozen(false)
}

func TestTendStartsWhatIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, many(12)...)
	tend := func() (trigger string) {
		t.Helper()
		w.must(w.Tend(t.Context(), jobs.Run{}))
		if scan, err := w.store.Read().Scans.Active(t.Context(), w.library.ID); err == nil {
			return scan.Trigger
		}
		return ""
	}
	w.queue.take(library.KindScan)
	if tend() != "created" || w.queue.take(library.KindScan) != 1 {
		t.Fatal("a scan whose job was lost is not revived")
	}
	w.scan()
	if got := tend(); got != "" {
		t.Fatalf("a scan %q is due", got)
	}
	w.deps.Slice = time.Nanosecond
	w.Service = library.New(w.deps)
	stopped, err := w.Scan(t.Context(), owner, w.library.ID)
	w.must(err)
	w.slice(stopped)
	w.queue.take(library.KindScan)
	if tend(); w.queue.take(library.KindScan) != 0 {
		t.Fatal("a scan that moves gets a second job")
	}
	w.clock.pass(time.Minute)
	if tend(); w.queue.take(library.KindScan) != 1 {
		t.Fatal("the scan of a killed process is not gone on with")
	}
	away := w.root + ".away"
	w.must(os.Rename(w.root, away))
	w.must(os.Mkdir(w.root, 0o755))
	w.scan()
	w.clock.pass(time.Hour)
	if got := tend(); got != "" {
		t.Fatalf("a scan %q for a disk that is still away", got)
	}
	w.must(os.Remove(w.root))
	w.must(os.Rename(away, w.root))
	if tend() != "schedule" {
		t.Fatal("the disk is back and nobody looks")
	}
	w.scan()
	w.frozen(false)
	w.must(os.Rename(w.root, away))
	w.must(os.Mkdir(w.root, 0o755))
	w.scan()
	w.frozen(true)
	w.must(os.Remove(w.root))
	w.must(os.Rename(away, w.root))
	w.event(".") // events tell of it at once, but of single folders only
	w.frozen(true)
	if tend() != "schedule" {
		t.Fatal("events told that the disk is back and nobody looks")
	}
	w.scan()
	w.frozen(false)
	w.clock.pass(13 * time.Hour)
	if tend() != "schedule" {
		t.Fatal("no periodic scan")
	}
	kinds := []string{}
	for _, d := range w.Definitions() {
		kinds = append(kinds, string(d.Kind)+" "+strconv.FormatBool(d.Handler != nil))
	}
	if !slices.Equal(kinds, []string{"library.scan true", "files.settle true", "files.tend true", "files.purge true"}) || len(w.Schedules()) != 2 {
		t.Fatalf("got %v", kinds)
	}
}
