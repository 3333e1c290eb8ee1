package movie_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/store"
)

func named(title string, year int) movie.FoundFilm {
	return movie.FoundFilm{Name: movie.NameFacts{Title: title, Year: year}}
}

func TestAFoundFilmBecomesAFilmOnce(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	f := c.file(c.one, "The Matrix (1999)/The Matrix.mkv")
	found := named("The Matrix", 1999)
	found.Facts = metadata.Facts{Overview: "Red or blue.", Genres: []string{"Action"}, Credits: []domain.Credit{
		{Person: "Lana Wachowski", Department: "directing", Role: "Director"}, {Person: "Keanu Reeves", Department: "cast", Role: "Neo"}}}
	first := c.apply(c.one, found, f)
	m := c.get(first.MovieID)
	if !first.Created || m.Title != "The Matrix" || m.SortTitle != "matrix" || m.Year != 1999 || m.Runtime != 100 || m.Resolution != "1080p" || !m.Available ||
		m.Versions != 1 || !reflect.DeepEqual(m.Directors, []string{"Lana Wachowski"}) || !reflect.DeepEqual(m.AudioLanguages, []string{"eng"}) || m.MetadataSource != "nfo" {
		t.Errorf("film %+v", m)
	}
	again := c.apply(c.one, found, f)
	if again.Created || again.MovieID != first.MovieID || !reflect.DeepEqual(c.get(first.MovieID), m) {
		t.Errorf("the second time: %+v, %+v", again, c.get(first.MovieID))
	}
}

func TestFilmsMadeTogetherAreThoseMadeOneByOne(t *testing.T) {
	t.Parallel()
	matrix, heat, twin, extra := named("The Matrix", 1999), named("Heat", 1995), named("HEAT!", 1986), named("Lonely", 0)
	matrix.Facts = metadata.Facts{OriginalTitle: "Matrix", Overview: "Red or blue.", TMDbID: 603, Genres: []string{"Action"}, Credits: []domain.Credit{
		{Person: "Lana Wachowski", Department: "directing", Role: "Director"}}}
	known, owned := named("Known", 2000), named("Moved", 2001)
	films := map[string]movie.FoundFilm{"matrix/a.mkv": matrix, "matrix/b.mkv": {}, "heat/x.mkv": heat, "twin/x.mkv": twin, "extra/x.mkv": extra, "known/y.mkv": known, "owned/y.mkv": owned}
	made := func(together bool) (list []domain.Movie, left []string) {
		c := newCinema(t)
		c.apply(c.one, known, c.file(c.one, "known/x.mkv"))
		moved := c.apply(c.one, named("Other", 1950), c.file(c.one, "other/x.mkv"), c.file(c.one, "other/y.mkv"))
		var paths []string
		var found []movie.FoundFilm
		for _, path := range []string{"matrix/a.mkv", "heat/x.mkv", "twin/x.mkv", "extra/x.mkv", "known/y.mkv", "owned/y.mkv"} {
			f := films[path]
			f.LibraryID, f.Locale = c.one.ID, "en"
			f.Files = []domain.File{c.file(c.one, path, func(f *domain.File) {
				switch path {
				case "extra/x.mkv":
					f.Kind = domain.KindExtra
				case "owned/y.mkv":
					f.MovieID = &moved.MovieID
				}
			})}
			if path == "matrix/a.mkv" {
				f.Files = append(f.Files, c.file(c.one, "matrix/b.mkv"))
			}
			paths, found = append(paths, path), append(found, f)
		}
		c.update(func(ctx context.Context, tx store.Tx) error {
			applied := make([]movie.Applied, len(found))
			if together {
				var err error
				if applied, err = c.movies.Create(ctx, tx, c.one.ID, found); err != nil {
					return err
				}
			}
			for i, a := range applied {
				if a.Created {
					continue
				}
				left = append(left, paths[i])
				if _, err := c.movies.Apply(ctx, tx, found[i]); err != nil {
					return err
				}
			}
			return nil
		})
		page, err := c.store.Read().Movies.List(t.Context(), domain.ScopeAll(), domain.ID{}, domain.MovieFilter{}, domain.PageRequest{Limit: 50})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			m := c.get(item.ID)
			credits, err := c.store.Read().Movies.Credits(t.Context(), domain.ScopeAll(), m.ID)
			files, more := c.store.Read().Files.ByMovie(t.Context(), domain.ScopeAll(), m.ID)
			if err != nil || more != nil {
				t.Fatal(err, more)
			}
			m.Studios = nil
			for _, f := range files {
				m.Studios = append(m.Studios, f.Path) // to be compared with the rest
			}
			for _, credit := range credits {
				m.Countries = append(m.Countries, credit.Person)
			}
			if m.Identity == domain.MovieIdentity(m.ID, 0, "") {
				m.Identity = "its own"
			}
			m.ID, m.LibraryID, m.AddedAt, m.UpdatedAt = domain.ID{}, domain.ID{}, time.Time{}, time.Time{}
			list = append(list, m)
		}
		return list, left
	}
	one, _ := made(false)
	all, left := made(true)
	if !reflect.DeepEqual(one, all) || len(all) != 6 {
		t.Errorf("one by one %+v\ntogether   %+v", one, all)
	}
	if want := []string{"heat/x.mkv", "twin/x.mkv", "extra/x.mkv", "known/y.mkv", "owned/y.mkv"}; !reflect.DeepEqual(left, want) {
		t.Errorf("left for Apply: %q, want %q", left, want)
	}
}

func TestBlanksOverwriteNothing(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	f := c.file(c.one, "Downfall (2004)/Downfall.mkv")
	found := named("Downfall", 2004)
	found.Facts = metadata.Facts{Title: "Der Untergang", Overview: "Berlin, 1945.", TMDbID: 613, Genres: []string{"Drama"}, Rating: 7.9}
	id := c.apply(c.one, found, f).MovieID
	before := c.get(id)
	c.apply(c.one, named("Downfall", 2004), f) // the NFO is gone or unreadable
	if after := c.get(id); !reflect.DeepEqual(after, before) {
		t.Errorf("was %+v\nis  %+v", before, after)
	}
}

func TestARenamedFolderRenamesItsFilm(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	f := c.file(c.one, "x/film.mkv")
	id := c.apply(c.one, named("Metropolis", 0), f).MovieID
	if again := c.apply(c.one, named("The Metropolis", 1927), f).MovieID; again != id {
		t.Fatalf("another film %v", again)
	}
	if m := c.get(id); m.Title != "The Metropolis" || m.SortTitle != "metropolis" || m.Year != 1927 {
		t.Errorf("film %+v", m)
	}
}

func TestVersionsAreOneFilmAndPartsOneVersion(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	part := func(key string, n int) func(*domain.File) {
		return func(f *domain.File) { f.VersionKey, f.Part = key, n }
	}
	found := named("Ben-Hur", 1959)
	one := c.file(c.one, "Ben-Hur (1959)/cd1.mkv", part("dvd", 1))
	two := c.file(c.one, "Ben-Hur (1959)/cd2.mkv", part("dvd", 2))
	id := c.apply(c.one, found, one, two).MovieID
	if m := c.get(id); m.Versions != 1 || m.Runtime != 200 {
		t.Errorf("two parts: %+v", m)
	}
	uhd := c.file(c.one, "Other folder/Ben Hur 1959 2160p.mkv", func(f *domain.File) {
		f.Resolution, f.Media.Video[0].HDR, f.Media.Audio[0].Language = "2160p", "hdr10", "ger"
		f.Sidecars = []domain.Sidecar{{Raw: []byte("x.srt"), Name: "x.srt", Language: "fre", Format: "srt"}}
	})
	applied := c.apply(c.one, named("Ben Hur", 1959), uhd)
	m := c.get(id)
	if applied.MovieID != id || m.Versions != 2 || m.Runtime != 200 || m.Resolution != "2160p" || !m.HDR ||
		!reflect.DeepEqual(m.AudioLanguages, []string{"eng", "ger"}) || !reflect.DeepEqual(m.SubtitleLanguages, []string{"fre"}) {
		t.Errorf("with a second version: %+v, %+v", applied, m)
	}
}

func TestOnlyTheSameFilmIsTheSame(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	with := func(f movie.FoundFilm, tmdb int) movie.FoundFilm { f.Name.TMDbID = tmdb; return f }
	base := c.apply(c.one, with(named("The Thing", 1982), 1091), c.file(c.one, "The Thing (1982)/a.mkv")).MovieID
	for name, other := range map[string]movie.Applied{
		"another year":    c.apply(c.one, named("The Thing", 2011), c.file(c.one, "The Thing (2011)/a.mkv")),
		"another id":      c.apply(c.one, with(named("The Thing", 1982), 5), c.file(c.one, "The Thing again/a.mkv")),
		"no year":         c.apply(c.one, named("The Thing", 0), c.file(c.one, "Thing/a.mkv")),
		"another library": c.apply(c.two, with(named("The Thing", 1982), 1091), c.file(c.two, "The Thing (1982)/a.mkv")),
	} {
		if !other.Created || other.MovieID == base {
			t.Errorf("%s: %+v is the film of 1982", name, other)
		}
	}
	for name, same := range map[string]movie.Applied{
		"same id":         c.apply(c.one, with(named("Carpenter's Thing", 0), 1091), c.file(c.one, "Carpenter/a.mkv")),
		"same title":      c.apply(c.one, named("the thing", 1982), c.file(c.one, "Else/a.mkv")),
		"year in neither": c.apply(c.one, named("The Thing", 0), c.file(c.one, "The Thing (1982)/b.mkv")),
	} {
		if same.Created || same.MovieID != base {
			t.Errorf("%s: %+v is not the film of 1982", name, same)
		}
	}
	if m := c.get(base); m.Title != "The Thing" || m.Year != 1982 {
		t.Errorf("a version's name renamed the film: %+v", m)
	}
}

func TestWatchDataFollowsAFilmToItsLaterID(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one, c.two)
	f := c.file(c.one, "a/a.mkv")
	id := c.apply(c.one, named("Alien", 1979), f).MovieID
	c.watch(u, id, 30, nil)
	withID := named("Alien", 1979)
	withID.Facts = metadata.Facts{Title: "Alien", TMDbID: 348}
	twin := c.apply(c.two, withID, c.file(c.two, "b/b.mkv")).MovieID
	c.watch(u, twin, 60, nil)
	if s := c.state(u, id); s.Position != 30 {
		t.Fatalf("before: %+v", s)
	}
	if again := c.apply(c.one, withID, f).MovieID; again != id {
		t.Fatalf("the film changed its own id to %v", again)
	}
	for _, m := range []domain.ID{id, twin} {
		if s := c.state(u, m); s.Position != 60 {
			t.Errorf("state %+v is not that of the newest report", s)
		}
	}
	page, err := c.movies.ContinueWatching(t.Context(), u, domain.PageRequest{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("continue watching has %+v, %v", page.Items, err)
	}
}

func TestAnIMDbIDAndATMDbIDOfOneFilmShareWatchData(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one, c.two)
	imdb := named("Alien", 1979)
	imdb.Name.IMDbID = "tt0078748"
	one := c.apply(c.one, imdb, c.file(c.one, "a/a.mkv")).MovieID
	c.watch(u, one, 30, nil)
	both := imdb
	both.Facts = metadata.Facts{TMDbID: 348}
	two := c.apply(c.two, both, c.file(c.two, "b/b.mkv")).MovieID
	if a, b := c.get(one).Identity, c.get(two).Identity; a != "tmdb:348" || a != b {
		t.Errorf("identities %s and %s", a, b)
	}
	if s := c.state(u, two); s.Position != 30 {
		t.Errorf("state %+v", s)
	}
	three := c.library("three")
	if id := c.apply(three, imdb, c.file(three, "c/c.mkv")).MovieID; c.get(id).Identity != "tmdb:348" {
		t.Errorf("a third film is %s", c.get(id).Identity)
	}
}

func TestAWrongIDTakesNothingFromAnotherLibrary(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one, c.two)
	wrong := named("Solaris", 1972)
	wrong.Name.TMDbID = 2103 // the film of 2002
	f := c.file(c.one, "a/a.mkv")
	one := c.apply(c.one, wrong, f).MovieID
	remake := named("Solaris", 2002)
	remake.Name.TMDbID = 2103
	two := c.apply(c.two, remake, c.file(c.two, "b/b.mkv")).MovieID
	c.watch(u, two, 20, nil)
	c.watch(u, one, 60, nil)
	right := named("Solaris", 1972)
	right.Name.TMDbID = 593
	if again := c.apply(c.one, right, f).MovieID; again != one {
		t.Fatalf("the corrected film is another one")
	}
	if a, b := c.state(u, one), c.state(u, two); a.Position != 60 || b.Position != 20 {
		t.Errorf("after the correction: %+v and %+v", a, b)
	}
}

func TestAMergeKeepsWatchDataAndLeavesNoEmptyFilm(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one)
	f, g := c.file(c.one, "a/a.mkv"), c.file(c.one, "b/b.mkv")
	trailer := c.file(c.one, "b/trailer.mkv", func(f *domain.File) { f.Kind, f.ExtraKind = domain.KindExtra, "trailer" })
	one := c.apply(c.one, named("Alien", 1979), f).MovieID
	two := c.apply(c.one, named("Alien Directors Cut", 1979), g, trailer).MovieID
	c.watch(u, two, 40, nil)
	applied := c.apply(c.one, named("Alien", 1979), f, g)
	if applied.MovieID != one || len(applied.Merged) != 1 || applied.Merged[0] != two {
		t.Errorf("merged: %+v", applied)
	}
	if s := c.state(u, one); s.Position != 40 {
		t.Errorf("state %+v", s)
	}
	files, err := c.movies.Files(t.Context(), u, one)
	if err != nil || len(files) != 3 {
		t.Errorf("files %v, %v", files, err)
	}
	if _, err := c.movies.Get(t.Context(), u, two); !fault.IsNotFound(err) {
		t.Errorf("the merged film: %v", err)
	}
}

func TestASplitTakesTheWatchDataOfItsFiles(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one)
	f, g := c.file(c.one, "Dracula/1931.mkv"), c.file(c.one, "Dracula/1958.mkv")
	one := c.apply(c.one, named("Dracula", 1931), f, g).MovieID
	c.watch(u, one, 20, &f.ID)
	c.watch(u, one, 70, &g.ID)
	hammer := c.apply(c.one, named("Horror of Dracula", 1958), g)
	if !hammer.Created {
		t.Fatalf("%+v", hammer)
	}
	if a, b := c.state(u, one), c.state(u, hammer.MovieID); a.Position != 20 || b.Position != 70 {
		t.Errorf("after the split: %+v and %+v", a, b)
	}
	if m := c.get(one); m.Versions != 1 {
		t.Errorf("%d versions are left", m.Versions)
	}
}

func TestAFilmThatComesBackFindsItsProgress(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one)
	f := c.file(c.one, "Home video/birthday.mkv")
	id := c.apply(c.one, named("Birthday", 0), f).MovieID
	c.watch(u, id, 40, nil)
	gone := func(change func(ctx context.Context, tx store.Tx) error) {
		c.update(func(ctx context.Context, tx store.Tx) error {
			if err := change(ctx, tx); err != nil {
				return err
			}
			return c.movies.FilesGone(ctx, tx, id, domain.NewID())
		})
	}
	gone(func(ctx context.Context, tx store.Tx) error {
		f, err := tx.Files.Get(ctx, domain.ScopeAll(), f.ID)
		f.State = domain.FileMissing
		return firstOf(err, tx.Files.Update(ctx, f))
	})
	if m := c.get(id); m.Available || m.Versions != 1 || m.Runtime != 100 {
		t.Errorf("while missing: %+v", m)
	}
	gone(func(ctx context.Context, tx store.Tx) error { return tx.Files.Delete(ctx, f.ID) })
	if _, err := c.movies.Get(t.Context(), u, id); !fault.IsNotFound(err) {
		t.Fatalf("after the purge: %v", err)
	}
	back := c.file(c.one, "Videos/birthday.mkv", func(n *domain.File) { n.Fingerprint = f.Fingerprint })
	again := c.apply(c.one, named("Birthday", 0), back)
	if s := c.state(u, again.MovieID); !again.Created || s.Position != 40 {
		t.Errorf("the film that came back has %+v", s)
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestExtrasAloneMakeNoFilm(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	applied := c.apply(c.one, named("Trailer", 0), c.file(c.one, "trailer.mkv", func(f *domain.File) { f.Kind = domain.KindExtra }))
	if applied.MovieID != (domain.ID{}) {
		t.Errorf("%+v", applied)
	}
}
