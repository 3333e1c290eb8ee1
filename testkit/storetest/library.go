package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// aLibrary stores an open library with one path.
func aLibrary(t *testing.T, s store.Store, name string) domain.Library {
	t.Helper()
	now := domain.Stamp(time.Now())
	l := domain.Library{ID: domain.NewID(), Name: name, Open: true, CreatedAt: now, UpdatedAt: now}
	l.Paths = []domain.LibraryPath{{ID: domain.NewID(), LibraryID: l.ID, Raw: []byte("/films/" + name), Path: "/films/" + name, State: domain.PathOK}}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, l) })
	return l
}

// aFile stores a ready film file of the library's first path.
func aFile(t *testing.T, s store.Store, l domain.Library, raw string) domain.File {
	t.Helper()
	now := domain.Stamp(time.Now())
	f := domain.File{
		ID: domain.NewID(), LibraryID: l.ID, PathID: l.Paths[0].ID, Raw: []byte(raw), Path: fmt.Sprintf("%q", raw), Kind: domain.KindMovie, State: domain.FileReady,
		Fingerprint: "of " + fmt.Sprintf("%q", raw), ModifiedAt: now, AddedAt: now, UpdatedAt: now, MatchedAt: &now,
	}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Files.Insert(ctx, f) })
	return f
}

func fileNow(t *testing.T, s store.Store, id domain.ID) domain.File {
	t.Helper()
	f, err := s.Read().Files.Get(deadline(t), domain.ScopeAll(), id)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func rawsOf(list []domain.File) []string {
	raws := make([]string, len(list))
	for i, f := range list {
		raws[i] = string(f.Raw)
	}
	return raws
}

var _ = declare("libraries",
	law{"EveryFieldOfALibraryComesBack", func(t *testing.T, h Harness) {
		var l domain.Library
		fill(t, &l)
		for i := range l.Paths {
			l.Paths[i].LibraryID, l.Paths[i].Raw = l.ID, append(l.Paths[i].Raw, byte(i))
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, l) })
		got, err := h.Store.Read().Libraries.Get(deadline(t), domain.ScopeOf(l.ID), l.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, l)

		before := l
		fill(t, &l)
		l.ID, l.Paths, l.Open, l.Restricted = before.ID, before.Paths, false, false
		p := l.Paths[1]
		p.Reason, p.State, p.FrozenAt, p.Vanished = "", domain.PathOK, nil, 0
		l.Paths[1] = p
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Libraries.Update(ctx, l); err != nil {
				return err
			}
			return tx.Libraries.UpdatePath(ctx, p)
		})
		list, err := h.Store.Read().Libraries.List(deadline(t), domain.ScopeAll())
		if err != nil {
			t.Fatal(err)
		}
		same(t, list, []domain.Library{l})
	}},
	law{"WhatTheScopeDoesNotSeeIsAbsent", func(t *testing.T, h Harness) {
		seen, hidden := aLibrary(t, h.Store, "b"), aLibrary(t, h.Store, "a")
		_, err := h.Store.Read().Libraries.Get(deadline(t), domain.ScopeOf(seen.ID), hidden.ID)
		wantFault(t, err, fault.NotFound, "library.not_found")
		list, err := h.Store.Read().Libraries.List(deadline(t), domain.ScopeOf(seen.ID))
		if err != nil || len(list) != 1 || list[0].ID != seen.ID {
			t.Fatalf("got %v, %v", list, err)
		}
		if list, err = h.Store.Read().Libraries.List(deadline(t), domain.Scope{}); err != nil || len(list) != 0 {
			t.Fatalf("the zero scope sees %v, %v", list, err)
		}
	}},
	law{"ANameOrFolderBelongsToOneLibrary", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "Films")
		other := domain.Library{ID: domain.NewID(), Name: " FILMS"}
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, other) })
		wantFault(t, err, fault.Conflict, "library.name_taken")
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
			p := l.Paths[0]
			p.ID = domain.NewID()
			return tx.Libraries.AddPath(ctx, p)
		})
		wantFault(t, err, fault.Conflict, "library.path_taken")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Update(ctx, l) })
	}},
	law{"VisibleLibrariesAreOpenOrGranted", func(t *testing.T, h Harness) {
		open, shut, secret := aLibrary(t, h.Store, "open"), aLibrary(t, h.Store, "shut"), aLibrary(t, h.Store, "secret")
		shut.Open, secret.Restricted = false, true
		user := aUser(t, h.Store, "guest")
		visible := func(restricted bool, want ...domain.ID) {
			t.Helper()
			got, err := h.Store.Read().Libraries.VisibleTo(deadline(t), user.ID, restricted)
			if err != nil || len(got) != len(want) {
				t.Fatalf("got %v (%v), want %v", got, err, want)
			}
			for _, id := range want {
				if !slices.Contains(got, id) {
					t.Fatalf("got %v, want %v", got, want)
				}
			}
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Libraries.Update(ctx, shut); err != nil {
				return err
			}
			return tx.Libraries.Update(ctx, secret)
		})
		visible(false, open.ID)
		visible(true, open.ID) // restricted and open, but not on its list
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			for _, l := range []domain.Library{shut, secret, shut} { // twice is no error
				if err := tx.Libraries.Grant(ctx, domain.LibraryAccess{LibraryID: l.ID, UserID: user.ID, GrantedAt: open.CreatedAt}); err != nil {
					return err
				}
			}
			return nil
		})
		visible(false, open.ID, shut.ID)
		visible(true, open.ID, shut.ID, secret.ID)
		access, err := h.Store.Read().Libraries.Access(deadline(t), shut.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, access, []domain.LibraryAccess{{LibraryID: shut.ID, UserID: user.ID, Username: "guest", GrantedAt: open.CreatedAt}})
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Ungrant(ctx, shut.ID, user.ID) })
		visible(false, open.ID)
	}},
	law{"DeletingTakesPathsFilesAndScansAlong", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		f, scan := aFile(t, h.Store, l, "a.mkv"), domain.Scan{ID: domain.NewID(), LibraryID: l.ID, State: domain.ScanDone, CreatedAt: l.CreatedAt}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Scans.Create(ctx, scan) })
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.RemovePath(ctx, l.Paths[0].ID) })
		_, err := h.Store.Read().Files.Get(deadline(t), domain.ScopeAll(), f.ID)
		wantFault(t, err, fault.NotFound, "file.not_found")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Delete(ctx, l.ID) })
		_, err = h.Store.Read().Scans.Get(deadline(t), domain.ScopeAll(), scan.ID)
		wantFault(t, err, fault.NotFound, "scan.not_found")
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Delete(ctx, l.ID) })
		wantFault(t, err, fault.NotFound, "library.not_found")
	}},
)

var _ = declare("scans",
	law{"EveryFieldOfAScanComesBack", func(t *testing.T, h Harness) {
		var s domain.Scan
		fill(t, &s)
		s.LibraryID, s.State = aLibrary(t, h.Store, "films").ID, domain.ScanRunning
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Scans.Create(ctx, s) })
		got, err := h.Store.Read().Scans.Active(deadline(t), s.LibraryID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, s)
		id, library := s.ID, s.LibraryID
		fill(t, &s)
		s.ID, s.LibraryID, s.Folders, s.Cursor, s.StartedAt = id, library, nil, nil, nil
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Scans.Update(ctx, s) })
		if got, err = h.Store.Read().Scans.Get(deadline(t), domain.ScopeOf(library), id); err != nil {
			t.Fatal(err)
		}
		same(t, got, s)
		_, err = h.Store.Read().Scans.Get(deadline(t), domain.Scope{}, id)
		wantFault(t, err, fault.NotFound, "scan.not_found")
	}},
	law{"OneIsActiveAndAFinishedOneStaysFinished", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		first := domain.Scan{ID: domain.NewID(), LibraryID: l.ID, State: domain.ScanQueued, Stage: domain.StageFind, CreatedAt: l.CreatedAt}
		second := first
		second.ID, second.CreatedAt = domain.NewID(), l.CreatedAt.Add(time.Second)
		create := func(s domain.Scan) error {
			return h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Scans.Create(ctx, s) })
		}
		if err := create(first); err != nil {
			t.Fatal(err)
		}
		wantFault(t, create(second), fault.Conflict, "scan.active")
		cancelled, running := first, first
		cancelled.State, running.State = domain.ScanCancelled, domain.ScanRunning
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Scans.Update(ctx, cancelled) })
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Scans.Update(ctx, running) })
		wantFault(t, err, fault.Conflict, "scan.finished")
		if err := create(second); err != nil {
			t.Fatal(err)
		}
		list := walk(t, 1, func(req domain.PageRequest) (domain.Page[domain.Scan], error) {
			return h.Store.Read().Scans.List(deadline(t), l.ID, req)
		})
		if len(list) != 2 || list[0].ID != second.ID || list[1].State != domain.ScanCancelled {
			t.Fatalf("got %+v", list)
		}
	}},
)

var _ = declare("files",
	law{"EveryFieldOfAFileComesBack", func(t *testing.T, h Harness) {
		l, other := aLibrary(t, h.Store, "films"), aLibrary(t, h.Store, "other")
		var f domain.File
		fill(t, &f, "Raw", "MovieID")
		f.Raw, f.LibraryID, f.PathID = []byte("Caf\xe9/\xff.mkv"), l.ID, l.Paths[0].ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Insert(ctx, f) })
		got, err := h.Store.Read().Files.Get(deadline(t), domain.ScopeOf(l.ID), f.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, f)
		known, err := h.Store.Read().Files.Known(deadline(t), f.PathID, nil, nil, 10)
		if err != nil {
			t.Fatal(err)
		}
		same(t, known, []store.KnownFile{{ID: f.ID, Raw: f.Raw, Size: f.Size, ModifiedAt: f.ModifiedAt, State: f.State,
			VanishedAt: f.VanishedAt, Beside: f.Beside}})
		id := f.ID
		fill(t, &f, "Raw", "MovieID", "LibraryID", "PathID", "Media", "VanishedAt", "MatchedAt")
		f.ID, f.Media, f.VanishedAt, f.MatchedAt, f.Sidecars, f.Edition = id, nil, nil, nil, nil, nil
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Update(ctx, f) })
		same(t, fileNow(t, h.Store, f.ID), f)
		if list, err := h.Store.Read().Files.GetMany(deadline(t), domain.ScopeOf(other.ID), f.ID); err != nil || len(list) != 0 {
			t.Fatalf("another library's scope sees %v, %v", list, err)
		}
	}},
	law{"ReadingAndGroupingWriteTheirOwnAndNothingElse", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		film := aFilm(t, h.Store, l.ID, "Film", 2000)
		var files, other [2]domain.File
		for i := range files {
			fill(t, &files[i], "Raw", "MovieID", "VanishedAt", "MatchedAt", "Media", "Edition", "State")
			fill(t, &other[i], "Raw", "MovieID", "LibraryID", "PathID")
			files[i].Raw, files[i].LibraryID, files[i].PathID = []byte{'a' + byte(i)}, l.ID, l.Paths[0].ID
			other[i].ID, other[i].MovieID = files[i].ID, &film.ID
		}
		other[1].VanishedAt, other[1].MatchedAt, other[1].Media, other[1].MovieID, other[1].Edition = nil, nil, nil, nil, nil
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Insert(ctx, files[:]...) })
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.UpdateContent(ctx, other[:]...) })
		for i := range files {
			f, o := &files[i], other[i]
			f.Size, f.ModifiedAt, f.Inode, f.Fingerprint, f.Revision, f.Media, f.Resolution = o.Size, o.ModifiedAt, o.Inode, o.Fingerprint, o.Revision, o.Media, o.Resolution
			f.State, f.ReasonCode, f.Reason, f.VanishedAt, f.MatchedAt, f.UpdatedAt = o.State, o.ReasonCode, o.Reason, o.VanishedAt, o.MatchedAt, o.UpdatedAt
			same(t, fileNow(t, h.Store, f.ID), *f)
			o = domain.File{}
			fill(t, &o, "Raw", "MovieID", "LibraryID", "PathID")
			o.ID, o.MovieID = f.ID, other[i].MovieID
			other[i] = o
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.UpdateGrouping(ctx, other[:]...) })
		for i := range files {
			f, o := &files[i], other[i]
			f.MovieID, f.Kind, f.ExtraKind, f.Title, f.Version, f.VersionKey, f.Part, f.Edition = o.MovieID, o.Kind, o.ExtraKind, o.Title, o.Version, o.VersionKey, o.Part, o.Edition
			f.Source, f.Resolution, f.State, f.ReasonCode, f.Reason, f.MatchedAt, f.UpdatedAt = o.Source, o.Resolution, o.State, o.ReasonCode, o.Reason, o.MatchedAt, o.UpdatedAt
			same(t, fileNow(t, h.Store, f.ID), *f)
		}
		gone := files[0]
		gone.ID = domain.NewID()
		for _, write := range []func(ctx context.Context, tx store.Tx) error{
			func(ctx context.Context, tx store.Tx) error { return tx.Files.UpdateContent(ctx, files[1], gone) },
			func(ctx context.Context, tx store.Tx) error { return tx.Files.UpdateGrouping(ctx, files[1], gone) },
		} {
			wantFault(t, h.Store.Update(deadline(t), write), fault.NotFound, "file.not_found")
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			return errors.Join(tx.Files.UpdateContent(ctx), tx.Files.UpdateGrouping(ctx))
		})
	}},
	law{"BelowIsAllThatLiesInAnyOfTheFolders", func(t *testing.T, h Harness) {
		l, other := aLibrary(t, h.Store, "films"), aLibrary(t, h.Store, "other")
		for _, raw := range []string{"a.mkv", "a/b.mkv", "a/c/d.mkv", "a!/x.mkv", "b/y.mkv", "c\xff/z.mkv"} {
			aFile(t, h.Store, l, raw)
		}
		aFile(t, h.Store, other, "a/b.mkv")
		for _, c := range []struct {
			limit   int
			folders []string
			want    []string
		}{
			{10, nil, nil},
			{10, []string{"a"}, []string{"a/b.mkv", "a/c/d.mkv"}},
			{10, []string{"b", "a/c", "a", "c\xff", "none"}, []string{"a/b.mkv", "a/c/d.mkv", "b/y.mkv", "c\xff/z.mkv"}},
		} {
			var folders [][]byte
			for _, f := range c.folders {
				folders = append(folders, []byte(f))
			}
			known, err := h.Store.Read().Files.Below(deadline(t), l.Paths[0].ID, c.limit, folders...)
			if err != nil {
				t.Fatal(err)
			}
			var raws []string
			for _, k := range known {
				raws = append(raws, string(k.Raw))
			}
			slices.Sort(raws)
			if !slices.Equal(raws, c.want) {
				t.Errorf("below %q: %q, want %q", c.folders, raws, c.want)
			}
		}
		if known, err := h.Store.Read().Files.Below(deadline(t), l.Paths[0].ID, 2, []byte("a"), []byte("b")); err != nil || len(known) != 2 {
			t.Errorf("a limit of 2: %v, %v", known, err)
		}
	}},
	law{"KnownIsInTheOrderOfAWalk", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		order := []string{"a/b.mkv", "a/b/c.mkv", "a/b!.mkv", "a!.mkv", "a!/x.mkv", "ab.mkv", "b\xff/y.mkv", "c.mkv"}
		slices.SortFunc(order, func(a, b string) int { return bytes.Compare(store.WalkKey([]byte(a)), store.WalkKey([]byte(b))) })
		for _, i := range []int{3, 1, 7, 0, 5, 2, 6, 4} {
			aFile(t, h.Store, l, order[i])
		}
		read := func(prefix string, after []byte, limit int) (raws []string) {
			t.Helper()
			known, err := h.Store.Read().Files.Known(deadline(t), l.Paths[0].ID, []byte(prefix), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range known {
				raws = append(raws, string(k.Raw))
			}
			return raws
		}
		var got []string
		for after := []byte(nil); ; {
			page := read("", after, 3)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			after = store.WalkKey([]byte(page[len(page)-1]))
		}
		same(t, got, order)
		same(t, read("a", nil, 10), []string{"a/b/c.mkv", "a/b!.mkv", "a/b.mkv"})
		same(t, read("a", store.WalkKey([]byte("a/b!.mkv")), 10), []string{"a/b.mkv"})
		same(t, read("b\xff", nil, 10), []string{"b\xff/y.mkv"})
		list := walk(t, 3, func(req domain.PageRequest) (domain.Page[domain.File], error) {
			return h.Store.Read().Files.List(deadline(t), domain.ScopeOf(l.ID), store.FileFilter{LibraryID: &l.ID, PathID: &l.Paths[0].ID}, req)
		})
		same(t, rawsOf(list), order)
		in, err := h.Store.Read().Files.InFolders(deadline(t), l.Paths[0].ID, []byte("a"), nil, []byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, rawsOf(in), []string{"a/b!.mkv", "a/b.mkv", "a!.mkv", "ab.mkv", "c.mkv"})
	}},
	law{"AFolderIsSharedByFilesOfOtherFilmsOnly", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		film, other := aFilm(t, h.Store, l.ID, "Film", 2000), aFilm(t, h.Store, l.ID, "Other", 2001)
		put := func(path string, kind domain.FileKind, movie *domain.ID) {
			f := aFile(t, h.Store, l, path)
			f.Kind, f.MovieID = kind, movie
			if err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Files.Update(ctx, f) }); err != nil {
				t.Fatal(err)
			}
		}
		put("own/film.mkv", domain.KindMovie, &film.ID)
		put("own/film.part2.mkv", domain.KindMovie, &film.ID)
		put("own/new.mkv", domain.KindMovie, nil)
		put("own/trailer.mkv", domain.KindExtra, &other.ID)
		put("own/below/other.mkv", domain.KindMovie, &other.ID)
		put("film.mkv", domain.KindMovie, &film.ID)
		put("other.mkv", domain.KindMovie, &other.ID)
		for folder, want := range map[string]bool{"own": false, "own/below": true, "": true, "none": false} {
			got, err := h.Store.Read().Files.Shared(deadline(t), l.Paths[0].ID, []byte(folder), film.ID)
			if err != nil || got != want {
				t.Errorf("folder %q is shared: %v %v, want %v", folder, got, err, want)
			}
		}
	}},
	law{"APathIsKnownOnce", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		f := aFile(t, h.Store, l, "a.mkv")
		f.ID = domain.NewID()
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Files.Insert(ctx, f) })
		wantFault(t, err, fault.Conflict, "file.exists")
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Files.Update(ctx, f) })
		wantFault(t, err, fault.NotFound, "file.not_found")
	}},
	law{"FingerprintsFindAllOfALibraryInAnyState", func(t *testing.T, h Harness) {
		l, other := aLibrary(t, h.Store, "films"), aLibrary(t, h.Store, "other")
		a, b, elsewhere := aFile(t, h.Store, l, "a.mkv"), aFile(t, h.Store, l, "b.mkv"), aFile(t, h.Store, other, "a.mkv")
		empty := aFile(t, h.Store, l, "empty.mkv")
		b.Fingerprint, b.State, empty.Fingerprint = a.Fingerprint, domain.FileMissing, ""
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Update(ctx, b, empty) })
		got, err := h.Store.Read().Files.ByFingerprint(deadline(t), l.ID, a.Fingerprint, "", elsewhere.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		same(t, rawsOf(got), []string{"a.mkv", "b.mkv"})
	}},
	law{"FiltersChooseByStateFilmAndWhatIsToDo", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		ready, failed, unsorted, vanished, extra := aFile(t, h.Store, l, "1"), aFile(t, h.Store, l, "2"), aFile(t, h.Store, l, "3"), aFile(t, h.Store, l, "4"), aFile(t, h.Store, l, "5")
		m := domain.Movie{ID: domain.NewID(), LibraryID: l.ID, Title: "Film", AddedAt: l.CreatedAt, UpdatedAt: l.CreatedAt}
		m.Identity = domain.MovieIdentity(m.ID, 0, "")
		failed.State, unsorted.MatchedAt, extra.Kind, ready.MovieID = domain.FileFailed, nil, domain.KindExtra, &m.ID
		extra.MovieID = &m.ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Movies.Save(ctx, m); err != nil {
				return err
			}
			if err := tx.Files.Update(ctx, ready, failed, unsorted, extra); err != nil {
				return err
			}
			return tx.Files.Vanish(ctx, l.CreatedAt, vanished.ID)
		})
		for _, c := range []struct {
			filter store.FileFilter
			want   []string
		}{
			{store.FileFilter{States: []domain.FileState{domain.FileFailed, domain.FileGrowing}}, []string{"2"}},
			{store.FileFilter{Unsorted: true}, []string{"3"}},
			{store.FileFilter{Vanished: true}, []string{"4"}},
			{store.FileFilter{Unmatched: true}, []string{"2", "3", "4"}},
		} {
			page, err := h.Store.Read().Files.List(deadline(t), domain.ScopeAll(), c.filter, domain.PageRequest{IncludeTotal: true})
			if err != nil || *page.Total != len(c.want) {
				t.Fatalf("%+v: total %v, %v", c.filter, page.Total, err)
			}
			same(t, rawsOf(page.Items), c.want)
		}
		byMovie, err := h.Store.Read().Files.ByMovie(deadline(t), domain.ScopeOf(l.ID), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, rawsOf(byMovie), []string{"1", "5"})
		byMovie, err = h.Store.Read().Files.ByMovie(deadline(t), domain.Scope{}, m.ID)
		if err != nil || len(byMovie) != 0 {
			t.Fatalf("the zero scope sees %v, %v", byMovie, err)
		}
	}},
	law{"VanishedFilesAreCountedMarkedPurgedAndReappear", func(t *testing.T, h Harness) {
		l := aLibrary(t, h.Store, "films")
		path, start := l.Paths[0], domain.Stamp(time.Now()).Add(-48*time.Hour)
		old, recent, pending, here, ignored := aFile(t, h.Store, l, "1"), aFile(t, h.Store, l, "2"), aFile(t, h.Store, l, "3"), aFile(t, h.Store, l, "4"), aFile(t, h.Store, l, "5")
		ignored.State = domain.FileIgnored
		counts := func(since time.Time, want store.PathCount) {
			t.Helper()
			got, err := h.Store.Read().Files.Count(deadline(t), path.ID, since)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		}
		mark := func(at time.Time, want ...domain.ID) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				ids, err := tx.Files.MarkMissing(ctx, path.ID, at)
				if err == nil && !slices.Equal(ids, want) {
					t.Errorf("marked %v, want %v", ids, want)
				}
				return err
			})
		}
		vanish := func(at time.Time, ids ...domain.ID) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Vanish(ctx, at, ids...) })
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Update(ctx, ignored) })
		counts(start, store.PathCount{Known: 4})
		vanish(start, old.ID)
		mark(start, old.ID)
		vanish(start.Add(time.Hour), recent.ID, old.ID) // old keeps its time
		mark(start.Add(time.Hour), recent.ID)
		mark(start.Add(time.Hour))
		vanish(start.Add(-time.Hour), pending.ID) // before the window, but never marked
		counts(start.Add(time.Minute), store.PathCount{Known: 3, Vanished: 2, Pending: 1})
		counts(start, store.PathCount{Known: 4, Vanished: 3, Pending: 1})
		if f := fileNow(t, h.Store, old.ID); f.State != domain.FileMissing || !f.MissingSince.Equal(start) || !f.VanishedAt.Equal(start) {
			t.Fatalf("got %+v", f)
		}

		purge := func(before time.Time) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { _, err := tx.Files.PurgeMissing(ctx, before); return err })
		}
		freeze := func(state domain.PathState) {
			path.State = state
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.UpdatePath(ctx, path) })
		}
		freeze(domain.PathFrozen)
		purge(start.Add(time.Minute))
		fileNow(t, h.Store, old.ID) // no clock runs
		freeze(domain.PathOK)
		purge(start.Add(time.Minute))
		if list, err := h.Store.Read().Files.GetMany(deadline(t), domain.ScopeAll(), old.ID, recent.ID, pending.ID, here.ID); err != nil || len(list) != 3 {
			t.Fatalf("purged too much or nothing: %v, %v", rawsOf(list), err)
		}

		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Reappear(ctx, recent.ID, pending.ID) })
		if f := fileNow(t, h.Store, recent.ID); f.State != domain.FileFound || f.VanishedAt != nil || f.MissingSince != nil || f.MatchedAt != nil {
			t.Fatalf("got %+v", f)
		}
		if f := fileNow(t, h.Store, pending.ID); f.State != domain.FileReady || f.VanishedAt != nil || f.MatchedAt == nil {
			t.Fatalf("got %+v", f)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Files.Delete(ctx, recent.ID, pending.ID) })
		counts(start, store.PathCount{Known: 1})
	}},
)
