package library_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/imaging"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/images"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
)

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}

func TestFirstScanMakesFilmsOfAllThatCanBePlayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t,
		"Metropolis (1927)/Metropolis (1927).mkv", "Metropolis (1927)/Metropolis (1927) - 2160p.mkv", "Metropolis (1927)/trailers/Teaser.mkv",
		"Nosferatu (1922)/cd1/Nosferatu.avi", "Nosferatu (1922)/cd2/Nosferatu.avi",
		"The General (1926).mkv", "Caf\xe9 (1997)/Caf\xe9 (1997).mkv",
		"Charade (1963)/sample/charade-sample.mkv", "Charade (1963)/Charade (1963).mkv",
		"@eaDir/Left Out (2000).mkv", "Private (2000)/Private (2000).mkv",
	)
	w.write("Private (2000)/.ignore", "")
	w.write("The General (1926).nfo", "title: Der General")
	w.write("The General (1926).de.forced.srt", "1")
	w.write("Metropolis (1927)/movie.nfo", "no title")
	scan := w.scan()
	if scan.State != domain.ScanDone || scan.Found != 9 || scan.Added != 9 || scan.Read != 8 || scan.ReadTotal != 8 || scan.Failed != 0 || scan.Matched != 5 || scan.MatchTotal != 5 || scan.Artwork != 5 {
		t.Fatalf("got %+v", scan)
	}
	want := map[string][]string{
		"Metropolis (1927)":  {"Metropolis (1927)/Metropolis (1927) - 2160p.mkv", "Metropolis (1927)/Metropolis (1927).mkv", "Metropolis (1927)/trailers/Teaser.mkv"},
		"Nosferatu (1922)":   {"Nosferatu (1922)/cd1/Nosferatu.avi", "Nosferatu (1922)/cd2/Nosferatu.avi"},
		"Der General (1926)": {"The General (1926).mkv"}, "Café (1997)": {"Caf\xe9 (1997)/Caf\xe9 (1997).mkv"}, "Charade (1963)": {"Charade (1963)/Charade (1963).mkv"},
	}
	got := w.films()
	for _, paths := range got {
		slices.Sort(paths)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got films %q", got)
	}
	if f := w.file("Nosferatu (1922)/cd2/Nosferatu.avi"); f.Part != 2 || f.VersionKey != w.file("Nosferatu (1922)/cd1/Nosferatu.avi").VersionKey {
		t.Fatalf("the second part is %+v", f)
	}
	if f := w.file("Metropolis (1927)/trailers/Teaser.mkv"); f.Kind != domain.KindExtra || f.ExtraKind != "trailer" || f.MovieID == nil {
		t.Fatalf("the trailer is %+v", f)
	}
	if f := w.file("The General (1926).mkv"); len(f.Sidecars) != 1 || !f.Sidecars[0].Forced || f.Resolution != "1080p" {
		t.Fatalf("got %+v", f)
	}
	if f := w.file("Caf\xe9 (1997)/Caf\xe9 (1997).mkv"); f.Path != "Caf\uFFFD (1997)/Caf\uFFFD (1997).mkv" {
		t.Fatalf("shown as %q", f.Path)
	}
	w.state("Charade (1963)/sample/charade-sample.mkv", domain.FileIgnored, "library.sample")
	if p := w.pathState(); p.ScannedAt == nil || p.State != domain.PathOK {
		t.Fatalf("got %+v", p)
	}
}

func TestBadFilesAreListedWithAReasonAndStopNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Good (2000)/Good (2000).mkv", "-i.mkv", `a" -y x.mkv`, strings.Repeat("Long ", 40)+"(1996).mkv")
	w.write("Truncated (1990).mkv", "half a film")
	w.write("Empty (1993).mkv", "")
	w.write("Text (1994).mkv", "a text")
	w.write("Image (1995).iso", "image")
	w.write("Link (1996).strm", "http://example.com")
	w.write("Disc (2000)/BDMV/index.bdmv", "")
	w.write("Disc (2000)/BDMV/STREAM/00000.m2ts", "film")
	w.write("DVD (2001)/VIDEO_TS.IFO", "")
	w.write("DVD (2001)/VTS_01_1.VOB", "film")
	w.must(os.Mkdir(w.path("x.mkv"), 0o755))
	w.must(os.MkdirAll(w.path("Good.2001.mkv"), 0o755))
	w.write("Good.2001.mkv/Good.2001.mkv", "film in a folder")
	outside := filepath.Join(t.TempDir(), "outside.mkv")
	w.must(os.WriteFile(outside, []byte("film"), 0o644))
	w.must(os.Symlink(outside, w.path("Link (1998).mkv")))
	w.must(os.Symlink(filepath.Dir(outside), w.path("Elsewhere (1999)")))
	w.must(os.Symlink("nowhere.mkv", w.path("Dangling (1998).mkv")))
	w.must(os.Symlink("Good (2000)", w.path("Again")))
	scan := w.scan()
	if scan.State != domain.ScanDone {
		t.Fatalf("got %+v", scan)
	}
	w.state("Truncated (1990).mkv", domain.FileFailed, media.CodeTruncated)
	w.state("Empty (1993).mkv", domain.FileFailed, media.CodeEmpty)
	w.state("Text (1994).mkv", domain.FileFailed, media.CodeToolMissing)
	w.state("Image (1995).iso", domain.FileUnsupported, "library.disc_image")
	w.state("Link (1996).strm", domain.FileUnsupported, "library.not_a_video")
	w.state("Disc (2000)/BDMV", domain.FileUnsupported, "library.disc_folder")
	w.state("DVD (2001)", domain.FileUnsupported, "library.disc_folder")
	w.state("x.mkv", domain.FileFailed, "library.folder_named_like_video")
	w.state("Link (1998).mkv", domain.FileFailed, files.CodeOutside)
	w.state("Elsewhere (1999)", domain.FileFailed, files.CodeOutside)
	w.state("-i.mkv", domain.FileReady, "")
	w.state(`a" -y x.mkv`, domain.FileReady, "")
	known := w.files()
	if len(known) != 15 {
		t.Fatalf("got %d files: %q", len(known), slices.Sorted(maps.Keys(known)))
	}
	page, err := w.ListFiles(t.Context(), owner, "failed", &w.library.ID, domain.PageRequest{IncludeTotal: true})
	if err != nil || *page.Total != 6 {
		t.Fatalf("the list of failed files has %v, %v", page.Total, err)
	}
	before := w.files()
	w.scan()
	if after := w.files(); !reflect.DeepEqual(before, after) {
		t.Fatal("a second scan changed something")
	}
}

func TestRescanOfUnchangedFilesWritesNoFileAndReadsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, append(many(30), "Film Z (2001)/trailer.mkv")...)
	w.scan()
	before, read, titles := w.files(), w.packer.count(), w.films()
	w.clock.pass(time.Hour)
	scan := w.scan()
	if after := w.files(); !reflect.DeepEqual(before, after) {
		t.Fatal("the rescan wrote files")
	}
	if scan.Found != 31 || scan.Added+scan.Changed+scan.Moved+scan.Missing+scan.Read+scan.Matched+scan.Artwork != 0 || w.packer.count() != read {
		t.Fatalf("got %+v", scan)
	}
	if !reflect.DeepEqual(titles, w.films()) {
		t.Fatal("the rescan changed films")
	}
}

func TestMetadataBesideAFilmIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000)/Film (2000).mkv", "Other (2001)/Other (2001).mkv")
	w.scan()
	read, other := w.packer.count(), w.file("Other (2001)/Other (2001).mkv")
	w.write("Film (2000)/Film (2000).nfo", "title: Another Title")
	scan := w.scan()
	if scan.Matched != 1 || scan.Artwork != 1 || scan.Changed != 0 || w.packer.count() != read {
		t.Fatalf("got %+v", scan)
	}
	if _, ok := w.films()["Another Title (2000)"]; !ok {
		t.Fatalf("got %q", w.films())
	}
	if !reflect.DeepEqual(other, w.file("Other (2001)/Other (2001).mkv")) {
		t.Fatal("another film's file was written")
	}
}

func TestMovedFilesKeepTheirRowAndFilm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to string }{
		"renamed":             {"Film (2000)/Film (2000).mkv", "Film (2000)/Film.2000.1080p.mkv"},
		"folder renamed":      {"Film (2000)", "Movie Night (2000)"},
		"moved up":            {"Film (2000)/Film (2000).mkv", "Film (2000).mkv"},
		"before all others":   {"Film (2000)/Film (2000).mkv", "AAA (2000)/AAA (2000).mkv"},
		"name of other bytes": {"Film (2000)/Film (2000).mkv", "Film (2000)/Film\xff (2000).mkv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "Film (2000)/Film (2000).mkv", "Other (2001)/Other (2001).mkv")
			w.scan()
			before, read := w.file("Film (2000)/Film (2000).mkv"), w.packer.count()
			w.rename(c.from, c.to)
			scan := w.scan()
			to := c.to
			if filepath.Ext(to) != ".mkv" {
				to += "/Film (2000).mkv"
			}
			after := w.file(to)
			if after.ID != before.ID || after.MovieID == nil || *after.MovieID != *before.MovieID || after.State != domain.FileReady || after.Revision != before.Revision {
				t.Fatalf("before %+v\nafter %+v", before, after)
			}
			if scan.Moved != 1 || scan.Added != 0 || scan.Missing != 0 || w.packer.count() != read || len(w.files()) != 2 {
				t.Fatalf("got %+v", scan)
			}
		})
	}
}

func TestRenamingManyFoldersIsNoReasonToFreeze(t *testing.T) {
	t.Parallel()
	paths := many(70)
	w := newWorld(t, paths...)
	w.scan()
	for _, p := range paths {
		w.rename(filepath.Dir(p), "New/"+filepath.Dir(p))
	}
	scan := w.scan()
	w.frozen(false)
	if scan.Moved != 70 || w.count(domain.FileReady) != 70 {
		t.Fatalf("got %+v", scan)
	}
}

func TestAMoveIsSeenFromItsNewPlaceAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, append(many(10), "Old (2000)/Old (2000).mkv")...)
	w.scan()
	before := w.file("Old (2000)/Old (2000).mkv")
	w.rename("Old (2000)", "New (2000)")
	if scan := w.event("New (2000)"); scan.Moved != 1 || scan.Found != 1 {
		t.Fatalf("got %+v", scan)
	}
	if after := w.file("New (2000)/Old (2000).mkv"); after.ID != before.ID {
		t.Fatalf("got %+v", after)
	}
}

func TestCopiesAndHardLinksAreNoMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, append(many(12), "Film (2000)/Film (2000).mkv")...)
	w.scan()
	first := w.file("Film (2000)/Film (2000).mkv")
	w.write("Copy (2000)/Copy (2000).mkv", "film Film (2000)/Film (2000).mkv")
	w.must(os.MkdirAll(w.path("Link (2000)"), 0o755))
	w.must(os.Link(w.path("Film (2000)/Film (2000).mkv"), w.path("Link (2000)/Link (2000).mkv")))
	if scan := w.scan(); scan.Added != 2 || scan.Moved != 0 {
		t.Fatalf("got %+v", scan)
	}
	copied, linked := w.file("Copy (2000)/Copy (2000).mkv"), w.file("Link (2000)/Link (2000).mkv")
	if copied.Fingerprint != first.Fingerprint || linked.Fingerprint != first.Fingerprint || copied.ID == first.ID || linked.ID == first.ID {
		t.Fatal("a copy is not told from its original")
	}
	// Two equal files vanish and two come: which is which cannot be told.
	w.rename("Copy (2000)", "Copy B (2000)")
	w.rename("Link (2000)", "Link B (2000)")
	if scan := w.scan(); scan.Moved != 0 || scan.Added != 2 || scan.Missing != 2 {
		t.Fatalf("got %+v", scan)
	}
	// One vanishes while its equals stay: that is a move.
	w.rename("Film (2000)", "Film B (2000)")
	if scan := w.scan(); scan.Moved != 1 || w.file("Film B (2000)/Film (2000).mkv").ID != first.ID {
		t.Fatalf("got %+v", scan)
	}
}

func TestEmptyFilesAreNeverTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, many(12)...)
	w.write("Empty.mkv", "")
	w.scan()
	w.rename("Empty.mkv", "Empty Too.mkv")
	if scan := w.scan(); scan.Moved != 0 || scan.Added != 1 || scan.Missing != 1 {
		t.Fatalf("got %+v", scan)
	}
}

func TestGrowingFilesAreReadWhenTheyAreStable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000)/Film (2000).mkv")
	w.scan()
	w.queue.take(library.KindSettle)
	growing := "Growing (2001)/Growing (2001).mkv"
	w.must(os.MkdirAll(filepath.Dir(w.path(growing)), 0o755))
	w.must(os.WriteFile(w.path(growing), []byte("half a film"), 0o644))
	w.event(filepath.Dir(growing))
	w.state(growing, domain.FileGrowing, "")
	if w.queue.take(library.KindSettle) == 0 {
		t.Fatal("nobody looks at the growing file again")
	}
	settle := func() bool {
		return w.run(w.RunSettle, library.KindSettle, map[string]any{"libraryId": w.library.ID})
	}
	w.clock.pass(library.New(library.Deps{}).Settle)
	w.must(os.WriteFile(w.path(growing), []byte("film that is longer now"), 0o644)) // it grew, whatever its times say
	if !settle() {
		t.Fatal("a file that grew counts as stable")
	}
	w.state(growing, domain.FileGrowing, "")
	w.clock.pass(library.New(library.Deps{}).Settle)
	settle()
	scan := w.scan()
	if scan.Trigger != "event" || scan.Read != 1 || len(w.films()) != 2 {
		t.Fatalf("got %+v and films %q", scan, w.films())
	}
	w.state(growing, domain.FileReady, "")
	if settle() {
		t.Fatal("nothing grows any more")
	}
}

func TestAFullScanWaitsForFilesThatWereJustWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	w.must(os.WriteFile(w.path("New (2001).mkv"), []byte("film just copied"), 0o644))
	scan := w.scan()
	if scan.Read != 2 || scan.ReadTotal != 2 || len(w.films()) != 2 {
		t.Fatalf("got %+v and %q", scan, w.films())
	}
}

func TestChangedFilesAreReadAgainWithAnotherRevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000)/Film (2000).mkv")
	w.scan()
	before := w.file("Film (2000)/Film (2000).mkv")
	w.write("Film (2000)/Film (2000).mkv", "film in another cut")
	if scan := w.scan(); scan.Changed != 1 || scan.Added != 0 {
		t.Fatalf("got %+v", scan)
	}
	after := w.file("Film (2000)/Film (2000).mkv")
	if after.ID != before.ID || *after.MovieID != *before.MovieID || after.Revision == before.Revision || after.Fingerprint == before.Fingerprint || after.State != domain.FileReady {
		t.Fatalf("got %+v", after)
	}
}

func TestAScanThatIsKilledAtAnyTimeEndsInTheSameCatalogue(t *testing.T) {
	t.Parallel()
	paths := append(many(12), "Film (2000)/Film (2000).mkv", "Film (2000)/trailers/Teaser.mkv", "Split (2001)/Split cd1.avi", "Split (2001)/Split cd2.avi", "Root (1999).mkv")
	whole := newWorld(t, paths...)
	whole.scan()

	w := newWorld(t, paths...)
	w.deps.Slice, w.deps.Readers = time.Nanosecond, 1 // each step is a slice
	killed, slices := errors.New("killed"), 0
	scan, err := w.store.Read().Scans.Active(t.Context(), w.library.ID)
	w.must(err)
	for again := true; again; slices++ {
		// One that is killed in the middle has committed nothing of its step.
		dead := w.deps
		dying, kill := context.WithCancelCause(t.Context())
		var seen atomic.Int32
		w.tree.watched(func(string) {
			if seen.Add(1) == 2 {
				kill(killed)
			}
		})
		job, _ := jobs.New(library.KindScan, "", map[string]any{"scanId": scan.ID})
		_ = library.New(dead).RunScan(dying, jobs.Run{Payload: job.Payload, Report: func(context.Context, int, int) {}})
		kill(nil)
		w.tree.watched(nil)
		w.Service = library.New(w.deps)
		if again = w.slice(scan); slices > 2000 {
			t.Fatal("the scan does not end")
		}
	}
	if slices < 20 {
		t.Fatalf("only %d slices", slices)
	}
	if !reflect.DeepEqual(whole.films(), w.films()) {
		t.Fatalf("killed: %q\nwhole: %q", w.films(), whole.films())
	}
	one, other := whole.files(), w.files()
	for raw, f := range one {
		if g := other[raw]; f.State != g.State || f.Fingerprint != g.Fingerprint || f.Kind != g.Kind || f.Part != g.Part || f.Version != g.Version || (f.MovieID == nil) != (g.MovieID == nil) {
			t.Fatalf("%s\nwhole %+v\nkilled %+v", f.Path, f, g)
		}
	}
	if len(one) != len(other) {
		t.Fatalf("got %d files, want %d", len(other), len(one))
	}
}

func TestTwoProcessesOnOneScanHaveOneEffect(t *testing.T) {
	t.Parallel()
	paths := many(40)
	w := newWorld(t, paths...)
	w.deps.Slice = time.Millisecond
	scan, err := w.store.Read().Scans.Active(t.Context(), w.library.ID)
	w.must(err)
	var processes sync.WaitGroup
	for range 3 {
		service := library.New(w.deps)
		processes.Go(func() {
			for {
				job, _ := jobs.New(library.KindScan, "", map[string]any{"scanId": scan.ID})
				err := service.RunScan(t.Context(), jobs.Run{Payload: job.Payload, Report: func(context.Context, int, int) {}})
				if _, again := jobs.Continued(err); again {
					continue
				}
				if err != nil {
					t.Errorf("a process failed: %v", err)
				}
				if now, err := w.GetScan(t.Context(), owner, scan.ID); err != nil || !now.Active() {
					return
				}
			}
		})
	}
	processes.Wait()
	done, err := w.GetScan(t.Context(), owner, scan.ID)
	if err != nil || done.State != domain.ScanDone || done.Found != 40 || done.Added != 40 || done.Read != 40 || len(w.files()) != 40 || len(w.films()) != 40 {
		t.Fatalf("got %+v, %v", done, err)
	}
}

func TestCancelledScanStopsAndStaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, many(20)...)
	w.deps.Slice = time.Nanosecond
	w.Service = library.New(w.deps)
	scan, err := w.CurrentScan(t.Context(), owner, w.library.ID)
	w.must(err)
	_, err = w.Scan(t.Context(), owner, w.library.ID)
	wantFault(t, err, fault.Conflict, "scan.active")
	w.slice(scan)
	w.must(w.CancelScan(t.Context(), owner, w.library.ID))
	if w.slice(scan) {
		t.Fatal("a cancelled scan goes on")
	}
	if scan, err = w.CurrentScan(t.Context(), owner, w.library.ID); err != nil || scan.State != domain.ScanCancelled || scan.FinishedAt == nil {
		t.Fatalf("got %+v, %v", scan, err)
	}
	wantFault(t, w.CancelScan(t.Context(), owner, w.library.ID), fault.NotFound, "scan.not_found")
	if done := w.scan(); done.State != domain.ScanDone || len(w.films()) != 20 {
		t.Fatalf("got %+v", done)
	}
	history, err := w.Scans(t.Context(), owner, w.library.ID, domain.PageRequest{})
	if err != nil || len(history.Items) != 2 {
		t.Fatalf("got %v, %v", history.Items, err)
	}
}

func TestAFullScanTakesThePlaceOfOneForEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	w.scan()
	growing := w.path("New (2001).mkv")
	w.must(os.WriteFile(growing, []byte("film"), 0o644))
	w.settled("New (2001).mkv")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- w.WatchFiles(ctx) }()
	w.write("Another (2002).mkv", "film of events")
	deadline, wrote := time.Now().Add(time.Minute), time.Now()
	var targeted domain.Scan
	for targeted.ID == (domain.ID{}) {
		active, err := w.store.Read().Scans.Active(t.Context(), w.library.ID)
		if err == nil {
			targeted = active
		} else if time.Now().After(deadline) {
			t.Fatal("no scan for the new file")
		} else if time.Since(wrote) > 5*time.Second { // the watch may have begun after the first one
			w.write("Another (2002).mkv", "film of events")
			wrote = time.Now()
		} else {
			time.Sleep(50 * time.Millisecond)
		}
	}
	if targeted.Trigger != "event" || len(targeted.Folders) != 1 {
		t.Fatalf("got %+v", targeted)
	}
	full, err := w.Scan(t.Context(), owner, w.library.ID)
	w.must(err)
	w.finish(full)
	if len(w.films()) != 3 {
		t.Fatalf("got %q", w.films())
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestAScanThatOnlyLooksForPicturesMakesRoomForNewFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "One (2001).mkv", "Two (2002).mkv", "Three (2003).mkv")
	w.deps.Slice, w.deps.Readers = time.Nanosecond, 1
	w.Service = library.New(w.deps)
	long, err := w.store.Read().Scans.Active(t.Context(), w.library.ID)
	w.must(err)
	for long.Artwork == 0 {
		if !w.slice(long) {
			t.Fatal("the scan ended early")
		}
		long, err = w.store.Read().Scans.Get(t.Context(), domain.ScopeAll(), long.ID)
		w.must(err)
	}
	waiting := func() int {
		ids, err := w.store.Read().Images.WithoutPicture(t.Context(), w.library.ID, w.clock.now().Add(-images.LookAgain), domain.ID{}, 10)
		w.must(err)
		return len(ids)
	}
	if waiting() != 2 {
		t.Fatalf("%d films wait for pictures", waiting())
	}
	w.write("New (2004).mkv", "film that is new")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.WatchFiles(ctx) }()
	var next domain.Scan
	for deadline := time.Now().Add(time.Minute); next.ID == (domain.ID{}) || next.ID == long.ID; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no scan for the new file")
		}
		w.write("New (2004).mkv", "film that is new")
		if next, err = w.store.Read().Scans.Active(t.Context(), w.library.ID); err != nil && !fault.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	stop()
	<-done
	if before, err := w.store.Read().Scans.Get(t.Context(), domain.ScopeAll(), long.ID); err != nil || before.State != domain.ScanDone || before.FinishedAt == nil {
		t.Fatalf("the scan that made room is %+v %v", before, err)
	}
	if w.slice(long) {
		t.Fatal("the scan that made room goes on")
	}
	w.finish(next)
	if waiting() != 0 || w.films()["New (2004)"] == nil {
		t.Fatalf("%d films wait for pictures; films %q", waiting(), w.films())
	}
}

func TestMissingToolIsAReasonThatPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	w.write("Odd (2001).avi", "of an unusual kind")
	w.scan()
	w.state("Odd (2001).avi", domain.FileFailed, media.CodeToolMissing)
	w.deps.Prober = &packer{}
	w.Service = library.New(w.deps)
	w.write("Odd (2001).avi", "of an unusual kind") // the same content, read by another program now
	if scan := w.scan(); scan.State != domain.ScanDone {
		t.Fatalf("got %+v", scan)
	}
	w.state("Odd (2001).avi", domain.FileFailed, media.CodeUnknownContainer)
}

func TestFilesAreIgnoredAndReadAgainOnRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, append(many(20), "Film (2000)/Film (2000).mkv")...)
	w.scan()
	id := w.file("Film (2000)/Film (2000).mkv").ID
	if _, err := w.Ignore(t.Context(), owner, id); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.films()["Film (2000)"]; ok {
		t.Fatal("an ignored film is still shown")
	}
	w.scan()
	w.rename("Film (2000)", "Away")
	w.rename("Away", "Film (2000)")
	w.scan()
	w.state("Film (2000)/Film (2000).mkv", domain.FileIgnored, "library.ignored")
	if f, err := w.ReadAgain(t.Context(), owner, id); err != nil || f.State != domain.FileFound {
		t.Fatalf("got %+v, %v", f, err)
	}
	w.run(w.RunSettle, library.KindSettle, map[string]any{"libraryId": w.library.ID})
	w.scan()
	if got := w.films()["Film (2000)"]; len(got) != 1 {
		t.Fatalf("got %q", w.films())
	}
	w.remove("Film (2000)")
	_, err := w.ReadAgain(t.Context(), owner, id)
	wantFault(t, err, fault.Conflict, "file.missing")
	_, err = w.ListFiles(t.Context(), owner, "nonsense", nil, domain.PageRequest{})
	wantFault(t, err, fault.Invalid, "file.bad_state")
	page, err := w.ListFiles(t.Context(), owner, library.Unmatched, nil, domain.PageRequest{})
	if err != nil || len(page.Items) != 0 {
		t.Fatalf("got %v, %v", page.Items, err)
	}
}

func TestAScanThatCannotGoOnSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2000).mkv")
	scan, err := w.store.Read().Scans.Active(t.Context(), w.library.ID)
	w.must(err)
	broken := w.deps
	broken.Store = failing{w.store}
	job, _ := jobs.New(library.KindScan, "", map[string]any{"scanId": scan.ID})
	run := jobs.Run{Payload: job.Payload, Report: func(context.Context, int, int) {}}
	if err := library.New(broken).RunScan(t.Context(), run); fault.CodeOf(err) != store.CodeUnavailable {
		t.Fatalf("got %v", err)
	}
	if scan, err = w.GetScan(t.Context(), owner, scan.ID); err != nil || scan.State != domain.ScanRunning {
		t.Fatalf("after one of many attempts: %+v, %v", scan, err)
	}
	run.LastAttempt = true
	if err := library.New(broken).RunScan(t.Context(), run); fault.CodeOf(err) != store.CodeUnavailable {
		t.Fatalf("got %v", err)
	}
	if scan, err = w.GetScan(t.Context(), owner, scan.ID); err != nil || scan.State != domain.ScanFailed || !strings.Contains(scan.Error, "again") {
		t.Fatalf("got %+v, %v", scan, err)
	}
	if done := w.scan(); done.State != domain.ScanDone || len(w.films()) != 1 {
		t.Fatalf("got %+v", done)
	}
	if !jobs.Discarded(w.RunScan(t.Context(), jobs.Run{Payload: []byte("no JSON")})) || !jobs.Discarded(w.RunSettle(t.Context(), jobs.Run{Payload: []byte("no JSON")})) {
		t.Fatal("a job that nobody can read is tried again")
	}
}

// failing is a store that cannot list files.
type failing struct{ store.Store }

func (f failing) Read() store.Repos {
	r := f.Store.Read()
	r.Files = brokenFiles{r.Files}
	return r
}

type brokenFiles struct{ store.Files }

func (brokenFiles) List(context.Context, domain.Scope, store.FileFilter, domain.PageRequest) (domain.Page[domain.File], error) {
	return domain.Page[domain.File]{}, fault.New(fault.Unavailable, store.CodeUnavailable, "The database does not answer in time. Try again shortly.")
}

// lazyTool takes longer than anybody waits for a film's frame, so many times.
type lazyTool struct {
	noTool
	mu    sync.Mutex
	left  map[string]int
	times int
	frame []byte
}

func (l *lazyTool) Frame(ctx context.Context, in media.Input, _ float64, _ int) ([]byte, error) {
	l.mu.Lock()
	if _, known := l.left[in.Path]; !known {
		l.left[in.Path] = l.times
	}
	l.left[in.Path]--
	slow := l.left[in.Path] >= 0
	l.mu.Unlock()
	if slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return l.frame, nil
}

func TestPicturesThatTookTooLongAreTriedAgainBeforeTheScanEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "One (2001).mkv", "Two (2002).mkv", "Three (2003).mkv")
	var frame bytes.Buffer
	w.must(jpeg.Encode(&frame, image.NewGray(image.Rect(0, 0, 160, 90)), nil))
	w.deps.Images = images.New(images.Deps{
		Store: w.store, Files: w.tree, Blobs: w.deps.Blobs, Processor: imaging.New(), Now: w.clock.now, Logger: w.deps.Logger,
		Transcoder: &lazyTool{left: map[string]int{}, times: 2, frame: frame.Bytes()},
	})
	w.deps.PictureTime = time.Second
	w.Service = library.New(w.deps)
	if scan := w.scan(); scan.Artwork != 3 || scan.ArtworkTotal != 3 {
		t.Errorf("%d of %d films counted", scan.Artwork, scan.ArtworkTotal)
	}
	for title, files := range w.films() {
		found, err := w.store.Read().Images.ByMovie(t.Context(), domain.ScopeAll(), *w.file(files[0]).MovieID)
		w.must(err)
		if len(found) != 1 || found[0].Kind != domain.ImageBackdrop {
			t.Errorf("%s has the pictures %v", title, found)
		}
	}
}
