package storetest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// paged is a list as its reader sees it: what stands for each item, and the cursor of the next page.
type paged func(ctx context.Context, req domain.PageRequest) (items []string, next string, err error)

// pagesOf makes any list a paged one.
func pagesOf[T any](list func(context.Context, domain.PageRequest) (domain.Page[T], error), name func(T) string) paged {
	return func(ctx context.Context, req domain.PageRequest) ([]string, string, error) {
		page, err := list(ctx, req)
		items := make([]string, len(page.Items))
		for i, item := range page.Items {
			items[i] = name(item)
		}
		return items, page.NextCursor, err
	}
}

// shelf is a store whose every list has many rows that stay as they are, and rows that come, go and change.
type shelf struct {
	store   store.Store
	films   domain.Library
	user    domain.User
	staying map[string]bool // what stands for the rows that stay, of every list
	churned atomic.Int64
}

const (
	stayingRows = 36
	writers     = 2
)

// oddTitles are compared by bytes, folded, quoted and indexed; ties and near ties among them are meant.
var oddTitles = []string{
	"Arger", "Ärger", "ärger", "A\u0308rger", "Éclair", "eclair", "Троя", "抓娃娃", "İstanbul", "straße", "strasse", "𝔉𝔦𝔩𝔪", "ÿ", "\u200b", "\u2028line", "🎬 clap", "100%_sure", "O'Neill", `"quoted"`, `back\slash`,
	"<b>&amp;", "?", "$1", "{}", "null", "", "…", strings.Repeat("long ", 700), strings.Repeat("ω", 900),
}

// filmOf is a film whose sort keys are equal to many others'.
func (s *shelf) filmOf(r *rand.Rand) domain.Movie {
	return s.filmCalled(oddTitles[r.IntN(len(oddTitles))], r)
}

func (s *shelf) filmCalled(title string, r *rand.Rand) domain.Movie {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if len(title) > 800 { // what no compression makes small
		title = strings.Map(func(rune) rune { return rune('a' + r.IntN(26)) }, title)
	}
	m := domain.Movie{
		ID: domain.NewID(), LibraryID: s.films.ID, Title: title, SortTitle: title, Year: []int{0, 0, 1999, 1999, 2005}[r.IntN(5)], Genres: []string{"Drama"}, Available: true,
		Versions: 1, Rating: []float64{0, 0, 7.3, 1e-9, 10}[r.IntN(5)], Runtime: []float64{0, 60, 60, 100.25}[r.IntN(4)],
		AddedAt: day.Add(time.Duration(r.IntN(3)) * time.Microsecond), UpdatedAt: day, MetadataSource: "name",
	}
	m.Identity = domain.MovieIdentity(m.ID, 0, "")
	return m
}

func (s *shelf) fileOf(r *rand.Rand) domain.File {
	now, raw := domain.Stamp(time.Now()), fmt.Appendf(nil, "%c/%d\xff/%d.mkv", 'a'+r.IntN(3), r.IntN(3), r.Int64())
	states := []domain.FileState{domain.FileFailed, domain.FileUnsupported, domain.FileIgnored, domain.FileReady}
	return domain.File{
		ID: domain.NewID(), LibraryID: s.films.ID, PathID: s.films.Paths[0].ID, Raw: raw, Path: fmt.Sprintf("%q", raw), Kind: domain.KindMovie, State: states[r.IntN(len(states))],
		ModifiedAt: now, AddedAt: now, UpdatedAt: now,
	}
}

func (s *shelf) scanOf() domain.Scan {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return domain.Scan{ID: domain.NewID(), LibraryID: s.films.ID, State: domain.ScanDone, Stage: domain.StageFind, Trigger: "manual", CreatedAt: at, FinishedAt: &at}
}

func aName(r *rand.Rand) domain.User {
	now := domain.Stamp(time.Now())
	name := fmt.Sprintf("%s%x", []string{"a", "ä", "ж", "z", "抓"}[r.IntN(5)], r.Uint64())
	return domain.User{ID: domain.NewID(), Username: name, DisplayName: name, Roles: []domain.RoleName{domain.RoleUser}, CreatedAt: now, UpdatedAt: now}
}

// play records that the user began a film, at one of few instants.
func (s *shelf) play(ctx context.Context, tx store.Tx, m domain.Movie, r *rand.Rand) (domain.WatchEvent, error) {
	at := time.Date(2026, 3, 1+r.IntN(3), 12, 0, 0, 0, time.UTC)
	e := domain.WatchEvent{ID: domain.NewID(), UserID: s.user.ID, Identity: m.Identity, MovieID: m.ID, Title: m.Title, Year: m.Year, Kind: domain.WatchProgress, Position: 5, Duration: 60, At: at}
	if err := tx.Watch.Append(ctx, e); err != nil {
		return e, err
	}
	return e, tx.Watch.SaveState(ctx, s.user.ID, m.Identity, domain.WatchState{Position: 5, Duration: 60, LastPlayedAt: &at}, false)
}

func newShelf(t *testing.T, h Harness, r *rand.Rand) *shelf {
	t.Helper()
	s := &shelf{store: h.Store, films: aFilmLibrary(t, h.Store, "films"), user: aUser(t, h.Store, "reader"), staying: map[string]bool{}}
	for i := range stayingRows {
		m, f, scan, u := s.filmCalled(oddTitles[i%len(oddTitles)], r), s.fileOf(r), s.scanOf(), aName(r)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			e, err := s.play(ctx, tx, m, r)
			s.staying[e.ID.String()] = true
			return errors.Join(err, tx.Movies.Save(ctx, m), tx.Files.Insert(ctx, f), tx.Scans.Create(ctx, scan), tx.Users.Create(ctx, u, "$argon2id$none"))
		})
		for _, id := range []domain.ID{m.ID, f.ID, scan.ID, u.ID} {
			s.staying[id.String()] = true
		}
	}
	s.staying[s.user.ID.String()] = true
	return s
}

// lists are all paged lists, in every sort and direction that there is.
func (s *shelf) lists() map[string]paged {
	r, all := s.store.Read(), domain.ScopeAll()
	film := func(m domain.MovieItem) string { return m.ID.String() }
	lists := map[string]paged{
		"users": pagesOf(func(ctx context.Context, req domain.PageRequest) (domain.Page[domain.User], error) {
			return r.Users.List(ctx, domain.UserFilter{}, req)
		}, func(u domain.User) string { return u.ID.String() }),
		"scans": pagesOf(func(ctx context.Context, req domain.PageRequest) (domain.Page[domain.Scan], error) {
			return r.Scans.List(ctx, s.films.ID, req)
		}, func(x domain.Scan) string { return x.ID.String() }),
		"continue watching": pagesOf(func(ctx context.Context, req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
			return r.Watch.ContinueWatching(ctx, all, s.user.ID, req)
		}, film),
		"history": pagesOf(func(ctx context.Context, req domain.PageRequest) (domain.Page[domain.HistoryEntry], error) {
			return r.Watch.History(ctx, domain.ScopeOf(s.films.ID), s.user.ID, req)
		}, func(e domain.HistoryEntry) string { return e.Event.ID.String() }),
	}
	for name, f := range map[string]store.FileFilter{
		"files": {}, "files with problems": {States: []domain.FileState{domain.FileFailed, domain.FileUnsupported}}, "unmatched files": {LibraryID: &s.films.ID, Unmatched: true}, "unsorted files": {PathID: &s.films.Paths[0].ID, Unsorted: true},
	} {
		lists[name] = pagesOf(func(ctx context.Context, req domain.PageRequest) (domain.Page[domain.File], error) {
			return r.Files.List(ctx, all, f, req)
		}, func(f domain.File) string { return f.ID.String() })
	}
	movies := func(name string, scope domain.Scope, f domain.MovieFilter) {
		lists[name] = pagesOf(func(ctx context.Context, req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
			return r.Movies.List(ctx, scope, s.user.ID, f, req)
		}, film)
	}
	for _, sort := range []domain.MovieSort{domain.SortTitle, domain.SortYear, domain.SortAdded, domain.SortRating, domain.SortRuntime, domain.SortRandom} {
		for _, down := range []bool{false, true} {
			movies(fmt.Sprintf("movies by %s, down %v", sort, down), all, domain.MovieFilter{Sort: sort, Descending: down, Seed: 5})
		}
	}
	no := false
	movies("movies of a genre, unwatched", domain.ScopeOf(s.films.ID), domain.MovieFilter{Sort: domain.SortYear, Descending: true, Genres: []string{"Drama", "Noir"}, Watched: &no})
	movies("movies of a library from 1990", domain.ScopeOf(s.films.ID), domain.MovieFilter{LibraryID: &s.films.ID, YearFrom: 1990, Sort: domain.SortRating})
	movies("movies with an a", all, domain.MovieFilter{Query: "a", Sort: domain.SortAdded})
	return lists
}

// churn inserts, changes and deletes rows of every list until the context ends, and says after each that it did; mine are the films it made.
func (s *shelf) churn(ctx context.Context, r *rand.Rand, did chan<- struct{}) error {
	type pair struct {
		film domain.Movie
		file domain.File
	}
	var made []pair
	for ctx.Err() == nil {
		// A transaction may be tried again: what it writes is decided before.
		at, next := r.IntN(max(1, len(made))), pair{s.filmOf(r), s.fileOf(r)}
		var write func(ctx context.Context, tx store.Tx) error
		switch {
		case len(made) < 6 || r.IntN(3) == 0 && len(made) < 30:
			scan, user := s.scanOf(), aName(r)
			made = append(made, next)
			write = func(ctx context.Context, tx store.Tx) error {
				_, err := s.play(ctx, tx, next.film, r)
				return errors.Join(err, tx.Movies.Save(ctx, next.film), tx.Files.Insert(ctx, next.file), tx.Scans.Create(ctx, scan), tx.Users.Create(ctx, user, "$argon2id$none"))
			}
		case r.IntN(2) == 0: // it moves in every order
			next.film.ID, next.film.Identity, next.file.ID = made[at].film.ID, made[at].film.Identity, made[at].file.ID
			made[at] = next
			write = func(ctx context.Context, tx store.Tx) error {
				_, err := s.play(ctx, tx, next.film, r)
				return errors.Join(err, tx.Movies.Save(ctx, next.film), tx.Files.Update(ctx, next.file))
			}
		default:
			gone := made[at]
			made = slices.Delete(made, at, at+1)
			write = func(ctx context.Context, tx store.Tx) error {
				return errors.Join(tx.Movies.Delete(ctx, gone.film.ID), tx.Files.Delete(ctx, gone.file.ID))
			}
		}
		if err := s.store.Update(ctx, write); err != nil && ctx.Err() == nil {
			return err
		}
		s.churned.Add(1)
		select {
		case did <- struct{}{}:
		default:
		}
	}
	return nil
}

// walkAtRandom reads a list by pages of random sizes; between is called before each page but the first.
func walkAtRandom(t *testing.T, r *rand.Rand, list paged, between func()) []string {
	t.Helper()
	var all []string
	for cursor, pages := "", 0; pages < 10_000; pages++ {
		limit := 1 + r.IntN(9)
		items, next, err := list(deadline(t), domain.PageRequest{Limit: limit, Cursor: cursor})
		if err != nil || len(items) > limit {
			t.Fatalf("a page of %d, asked for %d: %v", len(items), limit, err)
		}
		all = append(all, items...)
		if next == "" {
			return all
		}
		cursor = next
		between()
	}
	t.Fatal("the list does not end")
	return nil
}

// only are the items that stayed, in their order.
func (s *shelf) only(items []string) []string {
	return slices.DeleteFunc(slices.Clone(items), func(id string) bool { return !s.staying[id] })
}

// rounds is how often every list is walked; REVENGE_PAGING_ROUNDS asks for more.
func rounds(t *testing.T) int {
	text := os.Getenv("REVENGE_PAGING_ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var _ = declare("pages",
	law{"OfRandomSizesUnderWritesHaveEachRowThatStayedOnce", func(t *testing.T, h Harness) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		s := newShelf(t, h, r)
		lists := s.lists()
		want := map[string][]string{}
		for name, list := range lists {
			items, next, err := list(deadline(t), domain.PageRequest{Limit: domain.MaxPageSize}) // all, and so without a cursor
			if err != nil || next != "" {
				t.Fatalf("%s: %q, %v", name, next, err)
			}
			want[name] = s.only(items)
		}
		ctx, stop := context.WithCancel(t.Context())
		did, failed := make(chan struct{}, 1), make(chan error, writers)
		var writing sync.WaitGroup
		for n := range writers {
			writing.Go(func() {
				if err := s.churn(ctx, rand.New(rand.NewPCG(seed, uint64(n+1))), did); err != nil {
					failed <- err
				}
			})
		}
		defer writing.Wait()
		defer stop()
		for range rounds(t) {
			for _, name := range slices.Sorted(maps.Keys(lists)) {
				before := s.churned.Load()
				items := walkAtRandom(t, r, lists[name], func() {
					select {
					case <-did:
					case err := <-failed:
						t.Fatalf("seed %d: a writer failed: %v", seed, err)
					case <-time.After(time.Minute):
						t.Fatal("no writer wrote for a minute")
					}
				})
				if got := s.only(items); !slices.Equal(got, want[name]) {
					t.Errorf("seed %d: %s: %d of the rows that stayed, %d different ones of %d, during %d writes; or in another order than in quiet times", seed, name,
						len(got), len(slices.Compact(slices.Sorted(slices.Values(got)))), len(want[name]), s.churned.Load()-before)
				}
			}
		}
	}},
	law{"ACursorOfAnotherListIsRefusedAndAForgedOneIsNoFailure", func(t *testing.T, h Harness) {
		r := rand.New(rand.NewPCG(1, 1))
		s := newShelf(t, h, r)
		lists := s.lists()
		other := &shelf{store: h.Store, films: aFilmLibrary(t, h.Store, "others"), user: aUser(t, h.Store, "other")}
		cursors := map[string]string{}
		for name, list := range lists {
			_, next, err := list(deadline(t), domain.PageRequest{Limit: 1})
			if err != nil || next == "" {
				t.Fatalf("%s: %q, %v", name, next, err)
			}
			cursors[name] = next
		}
		for name, list := range lists {
			for of, cursor := range cursors {
				if of == name {
					continue
				}
				_, _, err := list(deadline(t), domain.PageRequest{Limit: 5, Cursor: cursor})
				wantFault(t, err, fault.Invalid, store.CodeBadCursor)
			}
			for range 40 {
				forged := forge(r, cursors[name])
				if _, _, err := list(deadline(t), domain.PageRequest{Limit: 3, Cursor: forged}); err != nil && (fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != store.CodeBadCursor) {
					t.Errorf("%s: %q of %q: %v", name, forged, cursors[name], err)
				}
			}
		}
		for _, name := range []string{"scans", "continue watching", "history", "unmatched files"} { // another library's, another user's
			_, _, err := other.lists()[name](deadline(t), domain.PageRequest{Limit: 5, Cursor: cursors[name]})
			wantFault(t, err, fault.Invalid, store.CodeBadCursor)
		}
	}},
)

// forge changes a cursor as somebody might who guesses how it is made.
func forge(r *rand.Rand, cursor string) string {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		data = []byte(cursor)
	}
	at := r.IntN(len(data))
	for _, part := range []string{`["`, `,"`, ",", "["} { // inside the values rather than before them
		if i := strings.LastIndex(string(data), part); i >= 0 && r.IntN(2) == 0 {
			at = i + len(part)
			break
		}
	}
	insert := []string{`\u0000`, "\x00", "9999999999999999999999", "-", "1e999", "null,", `"`, "[", `\ud800`, "\xff", "'; --", "%", ""}[r.IntN(13)]
	changed := string(data[:at]) + insert + string(data[min(len(data), at+r.IntN(3)):])
	if err != nil {
		return changed
	}
	return base64.RawURLEncoding.EncodeToString([]byte(changed))
}
