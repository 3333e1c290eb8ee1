package movie_test

import (
	"math"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/movie"
)

func TestWatchingAFilm(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u, stranger := c.viewer("u", c.one), c.viewer("stranger", c.two)
	f := c.file(c.one, "a/a.mkv")
	id := c.apply(c.one, named("Alien", 1979), f).MovieID
	ctx := t.Context()

	if s := c.watch(u, id, 30, nil); s.Position != 30 || s.Progress != .3 || s.FileID == nil || *s.FileID != f.ID {
		t.Errorf("begun: %+v", s)
	}
	if s := c.watch(u, id, 5000, &f.ID); !s.Watched || s.Progress != 1 || s.PlayCount != 1 {
		t.Errorf("beyond the end: %+v", s)
	}
	if s := c.watch(u, id, 20, nil); s.Position != 20 || !s.Watched {
		t.Errorf("begun anew: %+v", s)
	}
	if err := c.movies.Dismiss(ctx, u, id); err != nil {
		t.Fatal(err)
	}
	if page, err := c.movies.ContinueWatching(ctx, u, domain.PageRequest{}); err != nil || len(page.Items) != 0 {
		t.Errorf("dismissed: %+v, %v", page, err)
	}
	if s, err := c.movies.MarkUnwatched(ctx, u, id); err != nil || s.Watched || s.Position != 20 {
		t.Errorf("unwatched: %+v, %v", s, err)
	}
	if s, err := c.movies.MarkWatched(ctx, u, id); err != nil || !s.Watched || s.Position != 0 {
		t.Errorf("watched: %+v, %v", s, err)
	}
	if err := c.movies.ResetProgress(ctx, u, id); err != nil {
		t.Fatal(err)
	}
	if s, err := c.movies.Report(ctx, u, id, movie.Report{Position: 50}); err != nil || s.Duration != 100 || s.Progress != .5 {
		t.Errorf("a report without a duration: %+v, %v", s, err)
	}
	history, err := c.movies.History(ctx, u, domain.PageRequest{})
	if err != nil || len(history.Items) != 1 || history.Items[0].Movie == nil {
		t.Errorf("history %+v, %v", history, err)
	}
	stats, err := c.movies.Stats(ctx, u)
	if err != nil || stats.Movies != 1 || stats.Watched != 1 || stats.InProgress != 1 || stats.Size != 1000 {
		t.Errorf("stats %+v, %v", stats, err)
	}
	events, err := c.store.Read().Watch.Events(ctx, u.UserID, c.get(id).Identity)
	if err != nil || len(events) != 8 || events[0].Fingerprint != f.Fingerprint {
		t.Errorf("%d events, %v", len(events), err)
	}

	if _, err := c.movies.Report(ctx, stranger, id, movie.Report{Position: 1, Duration: 100}); !fault.IsNotFound(err) {
		t.Errorf("a film out of sight: %v", err)
	}
	other := domain.NewID()
	for name, r := range map[string]movie.Report{"no number": {Position: math.NaN()}, "endless": {Duration: math.Inf(1)}, "another film's file": {Position: 1, FileID: &other}} {
		if _, err := c.movies.Report(ctx, u, id, r); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.movies.MarkWatched(ctx, domain.SystemActor(), id); err == nil || fault.KindOf(err) != fault.Forbidden {
		t.Errorf("the server watching: %v", err)
	}
}

func TestReportsAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	u := c.viewer("u", c.one)
	id := c.apply(c.one, named("Alien", 1979), c.file(c.one, "a/a.mkv")).MovieID
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if _, err := c.movies.Report(t.Context(), u, id, movie.Report{Position: float64(i), Duration: 100}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	events, err := c.store.Read().Watch.Events(t.Context(), u.UserID, c.get(id).Identity)
	if err != nil || len(events) != 10 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if s := c.state(u, id); s.Position != events[9].Position {
		t.Errorf("state %+v after %+v", s, events[9])
	}
}

func TestEveryReadIsInScope(t *testing.T) {
	t.Parallel()
	c := newCinema(t)
	blind, ctx := c.viewer("blind", c.two), t.Context()
	found := named("Xyzzy", 1979)
	found.Facts.Genres = []string{"Plugh"}
	found.Facts.Credits = []domain.Credit{{Person: "P", Department: "cast"}}
	id := c.apply(c.one, found, c.file(c.one, "a/a.mkv")).MovieID
	seer := c.viewer("seer", c.one)
	if cast, err := c.movies.Cast(ctx, seer, id); err != nil || len(cast) != 1 {
		t.Errorf("cast %v, %v", cast, err)
	}
	if crew, err := c.movies.Crew(ctx, seer, id); err != nil || len(crew) != 0 {
		t.Errorf("crew %v, %v", crew, err)
	}
	if page, err := c.movies.RecentlyAdded(ctx, seer, domain.PageRequest{}); err != nil || len(page.Items) != 1 {
		t.Errorf("recently added %+v, %v", page, err)
	}
	for name, err := range map[string]error{
		"get":   errOf(c.movies.Get(ctx, blind, id)),
		"files": errOf(c.movies.Files(ctx, blind, id)),
		"cast":  errOf(c.movies.Cast(ctx, blind, id)),
		"state": errOf(c.movies.State(ctx, blind, id)),
	} {
		if !fault.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	page, err := c.movies.List(ctx, blind, domain.MovieFilter{Query: "xyzzy"}, domain.PageRequest{})
	index, err2 := c.movies.Index(ctx, blind, domain.MovieFilter{})
	genres, err3 := c.movies.Genres(ctx, blind)
	if err != nil || err2 != nil || err3 != nil || len(page.Items)+len(index)+len(genres) != 0 {
		t.Errorf("%v %v %v, %v %v %v", page, index, genres, err, err2, err3)
	}
	for name, err := range map[string]error{
		"anonymous list": errOf(c.movies.List(ctx, domain.Actor{}, domain.MovieFilter{}, domain.PageRequest{})),
		"anonymous get":  errOf(c.movies.Get(ctx, domain.Actor{}, id)),
		"anonymous mark": errOf(c.movies.MarkWatched(ctx, domain.Actor{}, id)),
	} {
		if err == nil || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.movies.List(ctx, seer, domain.MovieFilter{Sort: "size"}, domain.PageRequest{}); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("an unknown sort: %v", err)
	}
}

func errOf[T any](_ T, err error) error { return err }
