package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// aFilmLibrary stores an open library with one path.
func aFilmLibrary(t *testing.T, s store.Store, name string) domain.Library {
	t.Helper()
	now := domain.Stamp(time.Now())
	l := domain.Library{ID: domain.NewID(), Name: name, Open: true, Locale: "en", CreatedAt: now, UpdatedAt: now}
	l.Paths = []domain.LibraryPath{{ID: domain.NewID(), LibraryID: l.ID, Raw: []byte("/films/" + name), Path: "/films/" + name, State: domain.PathOK}}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, l) })
	return l
}

// aFilm stores a film; change may set more.
func aFilm(t *testing.T, s store.Store, library domain.ID, title string, year int, change ...func(*domain.Movie)) domain.Movie {
	t.Helper()
	now := domain.Stamp(time.Now())
	m := domain.Movie{ID: domain.NewID(), LibraryID: library, Title: title, SortTitle: strings.ToLower(title), Year: year, Genres: []string{}, Available: true,
		Versions: 1, Runtime: 60, AddedAt: now, UpdatedAt: now, MetadataSource: "name"}
	for _, c := range change {
		c(&m)
	}
	if m.Identity == "" {
		m.Identity = domain.MovieIdentity(m.ID, m.TMDbID, m.IMDbID)
	}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Save(ctx, m) })
	return m
}

func titles(items []domain.MovieItem) []string {
	list := make([]string, len(items))
	for i, item := range items {
		list[i] = item.Title
	}
	return list
}

func listFilms(t *testing.T, s store.Store, scope domain.Scope, user domain.ID, f domain.MovieFilter) []string {
	t.Helper()
	return titles(walk(t, 3, func(req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
		return s.Read().Movies.List(deadline(t), scope, user, f, req)
	}))
}

func wantTitles(t *testing.T, what any, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%+v: got %q, want %q", what, got, want)
	}
}

var nobody domain.ID

var _ = declare("movies",
	law{"EveryFieldOfAFilmComesBack", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		for range 2 {
			var m domain.Movie
			fill(t, &m, "State", "Poster", "Backdrop")
			m.LibraryID = l.ID
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Save(ctx, m) })
			id := m.ID
			fill(t, &m, "State", "Poster", "Backdrop")
			m.ID, m.LibraryID, m.HDR, m.Available, m.Year = id, l.ID, false, false, 0
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Save(ctx, m) })
			got, err := h.Store.Read().Movies.Get(deadline(t), domain.ScopeAll(), nobody, id)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, m)
		}
	}},
	law{"InsertedFilmsAreAsSavedOnes", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "films")
		var list [2]domain.Movie
		for i := range list {
			fill(t, &list[i], "LibraryID", "State", "Poster", "Backdrop")
			list[i].LibraryID = l.ID
		}
		list[1].Genres = []string{}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Insert(ctx, list[:]...) })
		for _, m := range list {
			got, err := h.Store.Read().Movies.Get(deadline(t), domain.ScopeAll(), domain.ID{}, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, m)
		}
		if err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Movies.Insert(ctx, list[0]) }); fault.KindOf(err) != fault.Conflict {
			t.Errorf("twice: %v", err)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Insert(ctx) })
	}},
	law{"AlikeAreFilmsThatMayBeOne", func(t *testing.T, h Harness) {
		l, other := aFilmLibrary(t, h.Store, "films"), aFilmLibrary(t, h.Store, "other")
		aFilm(t, h.Store, l.ID, "Amélie", 2001, func(m *domain.Movie) { m.OriginalTitle, m.TMDbID = "Le Fabuleux", 194 })
		aFilm(t, h.Store, other.ID, "Heat", 1995, func(m *domain.Movie) { m.IMDbID = "tt0113277" })
		film := func(title, original string, tmdb int, imdb string) domain.Movie {
			return domain.Movie{Title: title, OriginalTitle: original, TMDbID: tmdb, IMDbID: imdb}
		}
		for what, c := range map[string]struct {
			films []domain.Movie
			want  []bool
		}{
			"none":            {nil, []bool{}},
			"the title":       {[]domain.Movie{film("AMELIE", "", 0, ""), film("Amour", "", 0, "")}, []bool{true, false}},
			"the original":    {[]domain.Movie{film("le fabuleux", "", 0, "")}, []bool{true}},
			"as the original": {[]domain.Movie{film("A Film", "Amelie", 0, "")}, []bool{true}},
			"an id":           {[]domain.Movie{film("X", "", 194, ""), film("Y", "", 0, "tt0113277"), film("Z", "", 195, "tt0113278")}, []bool{true, true, false}},
			"another library": {[]domain.Movie{film("Heat", "", 0, "")}, []bool{false}},
			"one another":     {[]domain.Movie{film("One", "", 0, ""), film("Two", "one", 0, ""), film("Three", "three", 7, ""), film("Four", "", 8, "tt1"), film("Five", "", 0, "tt1")}, []bool{true, true, false, true, true}},
		} {
			got, err := h.Store.Read().Movies.Alike(deadline(t), l.ID, c.films...)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, %v; want %v", what, got, err, c.want)
			}
		}
	}},
	law{"WhatTheScopeDoesNotSeeIsAbsent", func(t *testing.T, h Harness) {
		seen, hidden := aFilmLibrary(t, h.Store, "seen"), aFilmLibrary(t, h.Store, "hidden")
		u := aUser(t, h.Store, "u")
		open := aFilm(t, h.Store, seen.ID, "Open", 2000, func(m *domain.Movie) { m.Genres = []string{"Drama"} })
		secret := aFilm(t, h.Store, hidden.ID, "Secret", 2000, func(m *domain.Movie) { m.Genres = []string{"Noir"} })
		var picture domain.StoredImage
		fill(t, &picture)
		picture.MovieID, picture.LibraryID, picture.Kind = secret.ID, hidden.ID, domain.ImagePoster
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Movies.ReplaceCredits(ctx, secret.ID, []domain.Credit{{Person: "Hidden Person", Department: "cast"}}); err != nil {
				return err
			}
			if _, err := tx.Images.Put(ctx, picture); err != nil {
				return err
			}
			e := domain.WatchEvent{ID: domain.NewID(), UserID: u.ID, Identity: secret.Identity, MovieID: secret.ID, Title: "Secret", Year: 2000, Kind: domain.WatchProgress, Position: 5, Duration: 60, At: domain.Stamp(time.Now())}
			if err := tx.Watch.Append(ctx, e); err != nil {
				return err
			}
			return tx.Watch.SaveState(ctx, u.ID, secret.Identity, domain.WatchState{Position: 5, Duration: 60, LastPlayedAt: &e.At}, false)
		})
		for name, scope := range map[string]domain.Scope{"one library": domain.ScopeOf(seen.ID), "nothing": {}} {
			r, ctx := h.Store.Read(), deadline(t)
			_, err := r.Movies.Get(ctx, scope, u.ID, secret.ID)
			wantFault(t, err, fault.NotFound, "movie.not_found")
			_, err = r.Movies.Credits(ctx, scope, secret.ID)
			wantFault(t, err, fault.NotFound, "movie.not_found")
			_, err = r.Images.Get(ctx, scope, picture.ID)
			wantFault(t, err, fault.NotFound, "image.not_found")
			many, err := r.Movies.GetMany(ctx, scope, u.ID, open.ID, secret.ID)
			if err != nil || slices.ContainsFunc(many, func(m domain.Movie) bool { return m.ID == secret.ID }) {
				t.Errorf("%s: GetMany returned %v, %v", name, many, err)
			}
			images, err := r.Images.ByMovie(ctx, scope, secret.ID)
			if err != nil || len(images) > 0 {
				t.Errorf("%s: pictures %v, %v", name, images, err)
			}
			want := []string{}
			if scope.Sees(seen.ID) {
				want = []string{"Open"}
			}
			for _, f := range []domain.MovieFilter{{}, {Query: ""}, {Sort: domain.SortRandom, Seed: 4}} {
				wantTitles(t, name, listFilms(t, h.Store, scope, u.ID, f), want...)
			}
			for _, f := range []domain.MovieFilter{{Query: "secret"}, {Person: "hidden person"}, {Genres: []string{"Noir"}}, {LibraryID: &hidden.ID}} {
				wantTitles(t, f, listFilms(t, h.Store, scope, u.ID, f))
			}
			genres, err := r.Movies.Genres(ctx, scope)
			if err != nil || slices.ContainsFunc(genres, func(c domain.Count) bool { return c.Value == "Noir" }) {
				t.Errorf("%s: genres %v, %v", name, genres, err)
			}
			stats, err := r.Movies.Stats(ctx, scope, u.ID)
			if err != nil || stats.Movies != len(want) || stats.InProgress != 0 {
				t.Errorf("%s: stats %+v, %v", name, stats, err)
			}
			entries, err := r.Movies.Index(ctx, scope, u.ID, domain.MovieFilter{})
			if err != nil || len(entries) != len(want) {
				t.Errorf("%s: index %v, %v", name, entries, err)
			}
			resume, err := r.Watch.ContinueWatching(ctx, scope, u.ID, domain.PageRequest{IncludeTotal: true})
			if err != nil || len(resume.Items) != 0 || *resume.Total != 0 {
				t.Errorf("%s: continue watching %+v, %v", name, resume, err)
			}
			history, err := r.Watch.History(ctx, scope, u.ID, domain.PageRequest{})
			if err != nil || len(history.Items) != 1 || history.Items[0].Movie != nil || history.Items[0].Event.Title != "" || history.Items[0].Event.Identity != "" || history.Items[0].Event.MovieID == secret.ID {
				t.Errorf("%s: history %+v, %v", name, history, err)
			}
		}
	}},
	law{"EverySortWalksAllFilmsOnceBothWays", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		base := domain.Stamp(time.Now())
		for i := range 23 {
			aFilm(t, h.Store, l.ID, fmt.Sprintf("Film %c", 'A'+(i*7)%23), []int{0, 1999, 1999, 2005}[i%4], func(m *domain.Movie) {
				m.Rating, m.Runtime, m.AddedAt = float64(i%3)*2.7, float64(i%5)*100.1, base.Add(time.Duration(i%6)*time.Hour)
			})
		}
		for _, sort := range []domain.MovieSort{"", domain.SortTitle, domain.SortYear, domain.SortAdded, domain.SortRating, domain.SortRuntime, domain.SortRandom} {
			for _, desc := range []bool{false, true} {
				f := domain.MovieFilter{Sort: sort, Descending: desc, Seed: 7}
				got := walk(t, 4, func(req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
					return h.Store.Read().Movies.List(deadline(t), domain.ScopeAll(), nobody, f, req)
				})
				seen := map[domain.ID]bool{}
				for i, m := range got {
					seen[m.ID] = true
					if i == 0 {
						continue
					}
					before := got[i-1]
					ordered := map[domain.MovieSort]int{
						"": strings.Compare(before.Title, m.Title), domain.SortTitle: strings.Compare(before.Title, m.Title), domain.SortAdded: before.AddedAt.Compare(m.AddedAt),
						domain.SortRating: int(1000 * (before.Rating - m.Rating)), domain.SortRuntime: int(1000 * (before.Runtime - m.Runtime)), domain.SortYear: before.Year - m.Year,
					}[sort]
					if sort == domain.SortYear && (before.Year == 0 || m.Year == 0) {
						if before.Year == 0 && m.Year != 0 {
							t.Errorf("%+v: a film without a year before one of %d", f, m.Year)
						}
						continue
					}
					if desc {
						ordered = -ordered
					}
					if ordered > 0 {
						t.Errorf("%+v: %+v before %+v", f, before, m)
					}
				}
				if len(got) != 23 || len(seen) != 23 {
					t.Errorf("%+v: %d items, %d films of 23", f, len(got), len(seen))
				}
			}
		}
		one := listFilms(t, h.Store, domain.ScopeAll(), nobody, domain.MovieFilter{Sort: domain.SortRandom, Seed: 1})
		again := listFilms(t, h.Store, domain.ScopeAll(), nobody, domain.MovieFilter{Sort: domain.SortRandom, Seed: 1})
		other := listFilms(t, h.Store, domain.ScopeAll(), nobody, domain.MovieFilter{Sort: domain.SortRandom, Seed: 2})
		if !slices.Equal(one, again) || slices.Equal(one, other) {
			t.Errorf("seeds: %v, again %v, another %v", one, again, other)
		}
	}},
	law{"CursorsBelongToTheirFilter", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		for i := range 3 {
			aFilm(t, h.Store, l.ID, fmt.Sprint("Film ", i), 2000)
		}
		list := func(f domain.MovieFilter, cursor string) (domain.Page[domain.MovieItem], error) {
			return h.Store.Read().Movies.List(deadline(t), domain.ScopeAll(), nobody, f, domain.PageRequest{Limit: 1, Cursor: cursor, IncludeTotal: true})
		}
		page, err := list(domain.MovieFilter{}, "")
		if err != nil || page.NextCursor == "" || *page.Total != 3 {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, f := range []domain.MovieFilter{{Sort: domain.SortYear}, {Descending: true}, {Query: "film"}} {
			_, err := list(f, page.NextCursor)
			wantFault(t, err, fault.Invalid, store.CodeBadCursor)
		}
		_, err = list(domain.MovieFilter{}, "nonsense")
		wantFault(t, err, fault.Invalid, store.CodeBadCursor)
	}},
	law{"FiltersKeepWhatTheySay", func(t *testing.T, h Harness) {
		a, b := aFilmLibrary(t, h.Store, "a"), aFilmLibrary(t, h.Store, "b")
		u := aUser(t, h.Store, "u")
		amelie := aFilm(t, h.Store, a.ID, "Amélie", 2001, func(m *domain.Movie) {
			m.OriginalTitle, m.Genres, m.Rating, m.Resolution = "Le Fabuleux Destin d'Amélie Poulain", []string{"Comedy", "Romance"}, 8.3, "1080p"
			m.AudioLanguages, m.SubtitleLanguages = []string{"fre", "ger"}, []string{"eng"}
		})
		matrix := aFilm(t, h.Store, a.ID, "The Matrix", 1999, func(m *domain.Movie) {
			m.Genres, m.Rating, m.Resolution, m.HDR, m.AudioLanguages = []string{"Action"}, 8.7, "2160p", true, []string{"eng"}
		})
		aFilm(t, h.Store, b.ID, "21", 0)
		aFilm(t, h.Store, b.ID, "Große Erwartungen", 1946)
		at := domain.Stamp(time.Now())
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Movies.ReplaceCredits(ctx, matrix.ID, []domain.Credit{{Person: "Carrie-Anne Moss", Department: "cast", Role: "Trinity", Order: 1}}); err != nil {
				return err
			}
			if err := tx.Watch.SaveState(ctx, u.ID, matrix.Identity, domain.WatchState{Watched: true, WatchedAt: &at, Progress: 1}, false); err != nil {
				return err
			}
			return tx.Watch.SaveState(ctx, u.ID, amelie.Identity, domain.WatchState{Position: 30, Duration: 60, Progress: .5, LastPlayedAt: &at}, false)
		})
		yes, no := true, false
		for _, c := range []struct {
			f    domain.MovieFilter
			want []string
		}{
			{domain.MovieFilter{}, []string{"21", "Amélie", "Große Erwartungen", "The Matrix"}},
			{domain.MovieFilter{Query: "AMELIE"}, []string{"Amélie"}},
			{domain.MovieFilter{Query: "ame\u0301lie"}, []string{"Amélie"}},
			{domain.MovieFilter{Query: "poulain destin"}, []string{"Amélie"}},
			{domain.MovieFilter{Query: "atri"}, []string{"The Matrix"}},
			{domain.MovieFilter{Query: "ma"}, []string{"The Matrix"}},
			{domain.MovieFilter{Query: "grosse"}, []string{"Große Erwartungen"}},
			{domain.MovieFilter{Query: "%"}, nil},
			{domain.MovieFilter{Query: "matrix amelie"}, nil},
			{domain.MovieFilter{LibraryID: &b.ID}, []string{"21", "Große Erwartungen"}},
			{domain.MovieFilter{Genres: []string{"Romance", "Action"}}, []string{"Amélie", "The Matrix"}},
			{domain.MovieFilter{YearFrom: 1950}, []string{"Amélie", "The Matrix"}},
			{domain.MovieFilter{YearTo: 1999}, []string{"Große Erwartungen", "The Matrix"}},
			{domain.MovieFilter{RatingFrom: 8.5}, []string{"The Matrix"}},
			{domain.MovieFilter{Resolutions: []string{"1080p", "720p"}}, []string{"Amélie"}},
			{domain.MovieFilter{HDR: &yes}, []string{"The Matrix"}},
			{domain.MovieFilter{HDR: &no, YearFrom: 1}, []string{"Amélie", "Große Erwartungen"}},
			{domain.MovieFilter{AudioLanguage: "ger"}, []string{"Amélie"}},
			{domain.MovieFilter{SubtitleLanguage: "eng"}, []string{"Amélie"}},
			{domain.MovieFilter{AudioLanguage: "%"}, nil},
			{domain.MovieFilter{Person: "carrie-anne MOSS"}, []string{"The Matrix"}},
			{domain.MovieFilter{Watched: &yes}, []string{"The Matrix"}},
			{domain.MovieFilter{Watched: &no}, []string{"21", "Amélie", "Große Erwartungen"}},
			{domain.MovieFilter{InProgress: &yes}, []string{"Amélie"}},
			{domain.MovieFilter{InProgress: &no, YearFrom: 1}, []string{"Große Erwartungen", "The Matrix"}},
		} {
			wantTitles(t, c.f, listFilms(t, h.Store, domain.ScopeAll(), u.ID, c.f), c.want...)
		}
	}},
	law{"TheIndexLeadsWhereItSays", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		for i, title := range []string{"Zelig", "Alien", "2001", "Äpfel", "Brazil", "東京物語", "Aliens", "300"} {
			aFilm(t, h.Store, l.ID, title, []int{0, 1979, 1968, 1979}[i%4], func(m *domain.Movie) { m.AddedAt = time.Date(2020+i%3, 5, i+1, 0, 0, 0, 0, time.UTC) })
		}
		label := map[domain.MovieSort]func(domain.MovieItem) string{
			domain.SortTitle: func(m domain.MovieItem) string {
				switch letter := m.Title[:1]; {
				case strings.HasPrefix(m.Title, "Ä"):
					return "A"
				case letter >= "A" && letter <= "Z":
					return letter
				}
				return "#"
			},
			domain.SortYear: func(m domain.MovieItem) string {
				if m.Year == 0 {
					return "?"
				}
				return fmt.Sprint(m.Year)
			},
			domain.SortAdded: func(m domain.MovieItem) string { return fmt.Sprint(m.AddedAt.Year()) },
		}
		for sort, of := range label {
			for _, desc := range []bool{false, true} {
				f := domain.MovieFilter{Sort: sort, Descending: desc}
				entries, err := h.Store.Read().Movies.Index(deadline(t), domain.ScopeAll(), nobody, f)
				if err != nil {
					t.Fatal(err)
				}
				all, err := h.Store.Read().Movies.List(deadline(t), domain.ScopeAll(), nobody, f, domain.PageRequest{})
				if err != nil {
					t.Fatal(err)
				}
				sum := 0
				for _, e := range entries {
					page, err := h.Store.Read().Movies.List(deadline(t), domain.ScopeAll(), nobody, f, domain.PageRequest{Cursor: e.Cursor})
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(titles(page.Items), titles(all.Items[sum:])) || of(page.Items[0]) != e.Label {
						t.Errorf("%+v: %s leads to %v of %v", f, e.Label, titles(page.Items), titles(all.Items))
					}
					sum += e.Count
				}
				if sum != len(all.Items) {
					t.Errorf("%+v: the index counts %d films of %d: %+v", f, sum, len(all.Items), entries)
				}
			}
		}
	}},
	law{"ManyYearsAreIndexedByDecade", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		for year := 1960; year < 2000; year++ {
			aFilm(t, h.Store, l.ID, fmt.Sprint("Film ", year), year)
		}
		f := domain.MovieFilter{Sort: domain.SortYear, Descending: true}
		entries, err := h.Store.Read().Movies.Index(deadline(t), domain.ScopeAll(), nobody, f)
		if err != nil || len(entries) != 4 || entries[0].Label != "1990s" || entries[3].Label != "1960s" || entries[1].Count != 10 {
			t.Fatalf("%+v, %v", entries, err)
		}
		page, err := h.Store.Read().Movies.List(deadline(t), domain.ScopeAll(), nobody, f, domain.PageRequest{Limit: 1, Cursor: entries[1].Cursor})
		if err != nil || page.Items[0].Year != 1989 {
			t.Errorf("the 1980s begin with %+v, %v", page.Items, err)
		}
	}},
	law{"ListsOfSeveralLibrariesAreOneList", func(t *testing.T, h Harness) {
		a, b, hidden := aFilmLibrary(t, h.Store, "a"), aFilmLibrary(t, h.Store, "b"), aFilmLibrary(t, h.Store, "c")
		for i := range 9 {
			aFilm(t, h.Store, []domain.ID{a.ID, b.ID, hidden.ID}[i%3], fmt.Sprint("Film ", i), 2000+i)
		}
		for _, sort := range []domain.MovieSort{domain.SortTitle, domain.SortYear} {
			f := domain.MovieFilter{Sort: sort}
			wantTitles(t, f, listFilms(t, h.Store, domain.ScopeOf(a.ID, b.ID, a.ID), nobody, f), "Film 0", "Film 1", "Film 3", "Film 4", "Film 6", "Film 7")
		}
		page, err := h.Store.Read().Movies.List(deadline(t), domain.ScopeOf(a.ID), nobody, domain.MovieFilter{LibraryID: &b.ID}, domain.PageRequest{IncludeTotal: true})
		if err != nil || len(page.Items) != 0 || *page.Total != 0 {
			t.Errorf("a library out of sight: %+v, %v", page, err)
		}
	}},
	law{"CandidatesShareAnIDOrTitleAndYear", func(t *testing.T, h Harness) {
		l, other := aFilmLibrary(t, h.Store, "a"), aFilmLibrary(t, h.Store, "b")
		aFilm(t, h.Store, l.ID, "Ids", 1990, func(m *domain.Movie) { m.TMDbID, m.IMDbID = 603, "tt0133093" })
		aFilm(t, h.Store, l.ID, "The Thing", 1982, func(m *domain.Movie) { m.OriginalTitle = "Das Ding" })
		aFilm(t, h.Store, l.ID, "The Thing", 2011)
		aFilm(t, h.Store, l.ID, "The Thing", 0)
		aFilm(t, h.Store, other.ID, "The Thing", 1982, func(m *domain.Movie) { m.TMDbID = 603 })
		for _, c := range []struct {
			tmdb  int
			imdb  string
			title string
			year  int
			want  []string
		}{
			{603, "", "", 0, []string{"Ids 1990"}},
			{0, "tt0133093", "", 0, []string{"Ids 1990"}},
			{0, "", "the  THING!", 1982, []string{"The Thing 1982", "The Thing 0"}},
			{0, "", "das ding", 1982, []string{"The Thing 1982"}},
			{0, "", "The Thing", 0, []string{"The Thing 1982", "The Thing 2011", "The Thing 0"}},
			{1, "tt1", "nothing", 1982, nil},
		} {
			got, err := h.Store.Read().Movies.Candidates(deadline(t), l.ID, c.tmdb, c.imdb, c.title, c.year)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, m := range got {
				names = append(names, fmt.Sprint(m.Title, " ", m.Year))
			}
			slices.Sort(names)
			slices.Sort(c.want)
			wantTitles(t, c, names, c.want...)
		}
		everywhere, err := h.Store.Read().Movies.SameFilm(deadline(t), 603, "")
		if err != nil || len(everywhere) != 2 {
			t.Errorf("films with TMDb id 603: %v, %v", everywhere, err)
		}
		none, err := h.Store.Read().Movies.SameFilm(deadline(t), 0, "")
		if err != nil || len(none) != 0 {
			t.Errorf("films without an id: %v, %v", none, err)
		}
	}},
	law{"DeletingAFilmKeepsItsWatchData", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		u := aUser(t, h.Store, "u")
		m := aFilm(t, h.Store, l.ID, "Gone", 2000)
		at := domain.Stamp(time.Now())
		e := domain.WatchEvent{ID: domain.NewID(), UserID: u.ID, Identity: m.Identity, MovieID: m.ID, Title: "Gone", Year: 2000, Kind: domain.WatchProgress, Fingerprint: "f00d", Position: 5, Duration: 60, At: at}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Watch.Append(ctx, e); err != nil {
				return err
			}
			return tx.Watch.SaveState(ctx, u.ID, m.Identity, domain.WatchState{Position: 5, LastPlayedAt: &at}, false)
		})
		orphans, err := h.Store.Read().Watch.Orphans(deadline(t), "f00d")
		if err != nil || len(orphans) != 0 {
			t.Errorf("orphans while the film exists: %v, %v", orphans, err)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Movies.Delete(ctx, m.ID) })
		_, err = h.Store.Read().Movies.Get(deadline(t), domain.ScopeAll(), nobody, m.ID)
		wantFault(t, err, fault.NotFound, "movie.not_found")
		events, err := h.Store.Read().Watch.Events(deadline(t), u.ID, m.Identity)
		if err != nil || len(events) != 1 {
			t.Fatalf("events %v, %v", events, err)
		}
		same(t, events[0], e)
		state, err := h.Store.Read().Watch.State(deadline(t), u.ID, m.Identity)
		if err != nil || state.Position != 5 {
			t.Errorf("state %+v, %v", state, err)
		}
		history, err := h.Store.Read().Watch.History(deadline(t), domain.Scope{}, u.ID, domain.PageRequest{})
		if err != nil || len(history.Items) != 1 || history.Items[0].Event.Title != "Gone" {
			t.Errorf("history %+v, %v", history, err)
		}
		orphans, err = h.Store.Read().Watch.Orphans(deadline(t), "f00d", "beef")
		if err != nil || !slices.Equal(orphans, []string{m.Identity}) {
			t.Errorf("orphans %v, %v", orphans, err)
		}
	}},
	law{"CreditsAreByDepartmentAndOrder", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		m := aFilm(t, h.Store, l.ID, "Film", 2000)
		var many []domain.Credit
		for i := range 450 {
			many = append(many, domain.Credit{Person: fmt.Sprint("Person ", 449-i), Department: []string{"cast", "writing"}[i%2], Role: "x", Order: 449 - i})
		}
		for _, credits := range [][]domain.Credit{{{Person: "Old", Department: "crew"}}, many} {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Movies.ReplaceCredits(ctx, m.ID, credits) })
		}
		got, err := h.Store.Read().Movies.Credits(deadline(t), domain.ScopeAll(), m.ID)
		want := slices.Clone(many)
		slices.SortFunc(want, func(a, b domain.Credit) int {
			if c := strings.Compare(a.Department, b.Department); c != 0 {
				return c
			}
			return a.Order - b.Order
		})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %d credits, first %+v", err, len(got), got[:min(3, len(got))])
		}
	}},
)

var _ = declare("images",
	law{"APictureKeepsItsIDForItsFilmAndKind", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		m := aFilm(t, h.Store, l.ID, "Film", 2000)
		var first domain.StoredImage
		for i := range 2 {
			var image domain.StoredImage
			fill(t, &image)
			image.MovieID, image.LibraryID, image.Kind = m.ID, l.ID, domain.ImagePoster
			if i == 0 {
				first = image
			}
			var id domain.ID
			update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
				id, err = tx.Images.Put(ctx, image)
				return err
			})
			image.ID = first.ID
			got, err := h.Store.Read().Images.Get(deadline(t), domain.ScopeOf(l.ID), first.ID)
			if err != nil || id != first.ID {
				t.Fatalf("id %v, want %v: %v", id, first.ID, err)
			}
			same(t, got, image)
			film, err := h.Store.Read().Movies.Get(deadline(t), domain.ScopeAll(), nobody, m.ID)
			if err != nil || film.Poster == nil || *film.Poster != image.Image || film.Backdrop != nil {
				t.Fatalf("the film's poster is %+v: %v", film.Poster, err)
			}
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Images.Delete(ctx, first.ID) })
		left, err := h.Store.Read().Images.ByMovie(deadline(t), domain.ScopeAll(), m.ID)
		if err != nil || len(left) != 0 {
			t.Errorf("left %v, %v", left, err)
		}
	}},
	law{"WithoutPictureFindsWhatWasNotLookedFor", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		var films []domain.ID
		for i := range 5 {
			films = append(films, aFilm(t, h.Store, l.ID, fmt.Sprint("Film ", i), 2000).ID)
		}
		now := domain.Stamp(time.Now())
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Images.Looked(ctx, films[1], now); err != nil {
				return err
			}
			return tx.Images.Looked(ctx, films[2], now.Add(-time.Hour))
		})
		got, err := h.Store.Read().Images.WithoutPicture(deadline(t), l.ID, now, films[0], 2)
		if err != nil || !slices.Equal(got, []domain.ID{films[2], films[3]}) {
			t.Errorf("got %v, %v; want %v", got, err, films[2:4])
		}
	}},
)

// watched appends an event and saves a state by hand.
func watched(t *testing.T, s store.Store, user domain.ID, m domain.Movie, kind domain.WatchEventKind, position float64, at time.Time) domain.WatchEvent {
	t.Helper()
	e := domain.WatchEvent{ID: domain.NewID(), UserID: user, Identity: m.Identity, MovieID: m.ID, Title: m.Title, Year: m.Year, Kind: kind, Fingerprint: "fp " + m.Title, Position: position, Duration: 60, At: at}
	update(t, s, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Watch.Append(ctx, e); err != nil {
			return err
		}
		return tx.Watch.SaveState(ctx, user, m.Identity, domain.WatchState{Position: position, Duration: 60, Progress: position / 60, LastPlayedAt: &at}, false)
	})
	return e
}

var _ = declare("watch",
	law{"EveryFieldOfEventsAndStatesComesBack", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "u")
		var e domain.WatchEvent
		fill(t, &e)
		e.UserID = u.ID
		var s domain.WatchState
		fill(t, &s, "FileID") // of a file that does not exist
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Watch.Append(ctx, e); err != nil {
				return err
			}
			return tx.Watch.SaveState(ctx, u.ID, e.Identity, s, true)
		})
		events, err := h.Store.Read().Watch.Events(deadline(t), u.ID, e.Identity)
		if err != nil || len(events) != 1 {
			t.Fatalf("%v, %v", events, err)
		}
		same(t, events[0], e)
		got, err := h.Store.Read().Watch.State(deadline(t), u.ID, e.Identity)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, s)
		none, err := h.Store.Read().Watch.State(deadline(t), u.ID, "movie:none")
		if err != nil {
			t.Fatal(err)
		}
		same(t, none, domain.WatchState{})
	}},
	law{"ContinueWatchingIsWhatWasBegunLastFirst", func(t *testing.T, h Harness) {
		a, b := aFilmLibrary(t, h.Store, "a"), aFilmLibrary(t, h.Store, "b")
		u, other := aUser(t, h.Store, "u"), aUser(t, h.Store, "other")
		at := domain.Stamp(time.Now())
		for i := range 5 {
			watched(t, h.Store, u.ID, aFilm(t, h.Store, a.ID, fmt.Sprint("Film ", i), 2000), domain.WatchProgress, 10, at.Add(time.Duration(i)*time.Minute))
		}
		shared := aFilm(t, h.Store, a.ID, "Shared", 2000, func(m *domain.Movie) { m.TMDbID = 5 })
		aFilm(t, h.Store, b.ID, "Shared", 2000, func(m *domain.Movie) { m.TMDbID = 5 })
		watched(t, h.Store, u.ID, shared, domain.WatchProgress, 20, at.Add(time.Hour))
		watched(t, h.Store, u.ID, aFilm(t, h.Store, a.ID, "Missing", 2000, func(m *domain.Movie) { m.Available = false }), domain.WatchProgress, 20, at)
		watched(t, h.Store, u.ID, aFilm(t, h.Store, a.ID, "Finished", 2000), domain.WatchProgress, 0, at)
		watched(t, h.Store, other.ID, aFilm(t, h.Store, a.ID, "Of another", 2000), domain.WatchProgress, 20, at)
		dismissed := aFilm(t, h.Store, a.ID, "Dismissed", 2000)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			return tx.Watch.SaveState(ctx, u.ID, dismissed.Identity, domain.WatchState{Position: 5, LastPlayedAt: &at}, true)
		})
		got := walk(t, 2, func(req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
			return h.Store.Read().Watch.ContinueWatching(deadline(t), domain.ScopeOf(a.ID, b.ID), u.ID, req)
		})
		wantTitles(t, "continue watching", titles(got), "Shared", "Film 4", "Film 3", "Film 2", "Film 1", "Film 0")
		if got[0].State == nil || got[0].State.Position != 20 || got[0].ID != shared.ID {
			t.Errorf("first is %+v with state %+v", got[0], got[0].State)
		}
		only := walk(t, 9, func(req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
			return h.Store.Read().Watch.ContinueWatching(deadline(t), domain.ScopeOf(b.ID), u.ID, req)
		})
		wantTitles(t, "in the other library", titles(only), "Shared")
	}},
	law{"HistoryHasOneEntryADayAndFilm", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		u := aUser(t, h.Store, "u")
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		one, two := aFilm(t, h.Store, l.ID, "One", 2000), aFilm(t, h.Store, l.ID, "Two", 2000)
		watched(t, h.Store, u.ID, one, domain.WatchProgress, 20, noon.Add(2*time.Minute))
		watched(t, h.Store, u.ID, one, domain.WatchProgress, 10, noon) // arrives late
		watched(t, h.Store, u.ID, two, domain.WatchWatched, 0, noon.Add(time.Minute))
		watched(t, h.Store, u.ID, two, domain.WatchDismissed, 0, noon.Add(time.Hour))
		watched(t, h.Store, u.ID, one, domain.WatchProgress, 30, noon.Add(24*time.Hour))
		got := walk(t, 1, func(req domain.PageRequest) (domain.Page[domain.HistoryEntry], error) {
			return h.Store.Read().Watch.History(deadline(t), domain.ScopeAll(), u.ID, req)
		})
		var list []string
		for _, e := range got {
			if e.Movie == nil || e.Movie.State == nil {
				t.Fatalf("no film in %+v", e)
			}
			list = append(list, fmt.Sprint(e.Event.Title, " ", e.Event.Position))
		}
		wantTitles(t, "history", list, "One 30", "One 20", "Two 0")
	}},
	law{"RekeyMovesAllAndMergesDays", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		u, v := aUser(t, h.Store, "u"), aUser(t, h.Store, "v")
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		from, to := aFilm(t, h.Store, l.ID, "From", 2000), aFilm(t, h.Store, l.ID, "To", 2000)
		watched(t, h.Store, u.ID, from, domain.WatchProgress, 20, noon.Add(time.Minute))
		watched(t, h.Store, u.ID, to, domain.WatchProgress, 10, noon)
		watched(t, h.Store, v.ID, from, domain.WatchProgress, 30, noon)
		var users []domain.ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
			users, err = tx.Watch.Rekey(ctx, from.Identity, to.Identity)
			return err
		})
		if len(users) != 2 || !slices.Contains(users, u.ID) || !slices.Contains(users, v.ID) {
			t.Errorf("users %v", users)
		}
		events, err := h.Store.Read().Watch.Events(deadline(t), u.ID, to.Identity)
		if err != nil || len(events) != 2 || events[0].Position != 10 || events[1].Position != 20 {
			t.Errorf("events %+v, %v", events, err)
		}
		state, err := h.Store.Read().Watch.State(deadline(t), u.ID, from.Identity)
		if err != nil || state != (domain.WatchState{}) {
			t.Errorf("the old state is %+v, %v", state, err)
		}
		history, err := h.Store.Read().Watch.History(deadline(t), domain.ScopeAll(), u.ID, domain.PageRequest{})
		if err != nil || len(history.Items) != 1 || history.Items[0].Event.Position != 20 {
			t.Errorf("history %+v, %v", history, err)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
			users, err = tx.Watch.Rekey(ctx, "movie:unknown", to.Identity)
			return err
		})
		if len(users) != 0 {
			t.Errorf("users of nothing: %v", users)
		}
	}},
	law{"RekeyFilmMovesOnlyThatFilmsFiles", func(t *testing.T, h Harness) {
		l := aFilmLibrary(t, h.Store, "a")
		u := aUser(t, h.Store, "u")
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		identity := func(m *domain.Movie) { m.Identity = "tmdb:9" }
		one, two := aFilm(t, h.Store, l.ID, "One", 2000, identity), aFilm(t, h.Store, l.ID, "Two", 2000, identity)
		watched(t, h.Store, u.ID, one, domain.WatchProgress, 10, noon)
		watched(t, h.Store, u.ID, two, domain.WatchProgress, 20, noon.Add(time.Minute))
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Watch.RekeyFilm(ctx, "tmdb:9", "tmdb:10", one.ID, "fp Two"); err != nil {
				return err
			}
			_, err := tx.Watch.RekeyFilm(ctx, "tmdb:9", "tmdb:11", two.ID, "fp Two")
			return err
		})
		for key, want := range map[string]int{"tmdb:9": 1, "tmdb:10": 0, "tmdb:11": 1} {
			events, err := h.Store.Read().Watch.Events(deadline(t), u.ID, key)
			if err != nil || len(events) != want {
				t.Errorf("%s has %d events, want %d: %v", key, len(events), want, err)
			}
		}
		history, err := h.Store.Read().Watch.History(deadline(t), domain.ScopeAll(), u.ID, domain.PageRequest{})
		if err != nil || len(history.Items) != 2 {
			t.Errorf("history %+v, %v", history, err)
		}
	}},
)
