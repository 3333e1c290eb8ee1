package movie

import (
	"context"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/views"
	"github.com/revenge-media/revenge/ports/store"
)

// Access says what an actor may do and see: core/access.
type Access interface {
	// ScopeFor is the libraries that the actor sees and has the permission in; Unauthenticated or Forbidden where no role of theirs carries it.
	ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error)
}

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Access Access
	Views  *views.Service
	Now    func() time.Time
	Logger *slog.Logger
}

// Service holds the use cases of films and of watching them.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{Deps: d} }

// maxQuery bounds a search text in characters (S30).
const maxQuery = 200

// reader authorizes whoever reads films and returns what they see.
func (s *Service) reader(ctx context.Context, actor domain.Actor) (domain.Scope, error) {
	return s.Access.ScopeFor(ctx, actor, domain.PermissionLibraryRead)
}

func checkFilter(f domain.MovieFilter) error {
	if utf8.RuneCountInString(f.Query) > maxQuery {
		return fault.InvalidField("movie.query_too_long", "q", "A search may have %d characters at most.", maxQuery)
	}
	switch f.Sort {
	case "", domain.SortTitle, domain.SortYear, domain.SortAdded, domain.SortRating, domain.SortRuntime, domain.SortRandom:
		return nil
	}
	return fault.InvalidField("movie.unknown_sort", "sort", "Films are sorted by title, year, added, rating, runtime or random.")
}

// List returns one page of the films that the filter keeps, in its order, with the actor's watch states.
func (s *Service) List(ctx context.Context, actor domain.Actor, f domain.MovieFilter, page domain.PageRequest) (domain.Page[domain.MovieItem], error) {
	scope, err := s.reader(ctx, actor)
	if err == nil {
		err = checkFilter(f)
	}
	if err != nil {
		return domain.Page[domain.MovieItem]{}, err
	}
	return s.Store.Read().Movies.List(ctx, scope, actor.UserID, f, page)
}

// Index returns where the letters, years or decades of List begin; nothing for the other sorts.
func (s *Service) Index(ctx context.Context, actor domain.Actor, f domain.MovieFilter) ([]domain.IndexEntry, error) {
	scope, err := s.reader(ctx, actor)
	if err == nil {
		err = checkFilter(f)
	}
	if err != nil {
		return nil, err
	}
	return s.Store.Read().Movies.Index(ctx, scope, actor.UserID, f)
}

// newestFirst is RecentlyAdded's filter.
var newestFirst = domain.MovieFilter{Sort: domain.SortAdded, Descending: true}

// RecentlyAdded lists films, newest first.
func (s *Service) RecentlyAdded(ctx context.Context, actor domain.Actor, page domain.PageRequest) (domain.Page[domain.MovieItem], error) {
	return s.List(ctx, actor, newestFirst, page)
}

// ContinueWatching lists films that the actor began and did not finish, last played first.
func (s *Service) ContinueWatching(ctx context.Context, actor domain.Actor, page domain.PageRequest) (domain.Page[domain.MovieItem], error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return domain.Page[domain.MovieItem]{}, err
	}
	return s.Store.Read().Watch.ContinueWatching(ctx, scope, actor.UserID, page)
}

// History lists what the actor watched: one entry a day and film, newest first.
func (s *Service) History(ctx context.Context, actor domain.Actor, page domain.PageRequest) (domain.Page[domain.HistoryEntry], error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return domain.Page[domain.HistoryEntry]{}, err
	}
	return s.Store.Read().Watch.History(ctx, scope, actor.UserID, page)
}

// Stats returns the actor's figures over what they see.
func (s *Service) Stats(ctx context.Context, actor domain.Actor) (domain.MovieStats, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return domain.MovieStats{}, err
	}
	return s.Store.Read().Movies.Stats(ctx, scope, actor.UserID)
}

// Genres counts the films that the actor sees by genre, most first.
func (s *Service) Genres(ctx context.Context, actor domain.Actor) ([]domain.Count, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return nil, err
	}
	return s.Store.Read().Movies.Genres(ctx, scope)
}

// Get returns one film with the actor's watch state.
func (s *Service) Get(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Movie, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return domain.Movie{}, err
	}
	return s.Store.Read().Movies.Get(ctx, scope, actor.UserID, id)
}

// Files returns a film's files: versions with their parts, then extras.
func (s *Service) Files(ctx context.Context, actor domain.Actor, id domain.ID) ([]domain.File, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Read().Movies.Get(ctx, scope, domain.ID{}, id); err != nil {
		return nil, err
	}
	return s.Store.Read().Files.ByMovie(ctx, scope, id)
}

// Cast returns who plays in a film, by billing.
func (s *Service) Cast(ctx context.Context, actor domain.Actor, id domain.ID) ([]domain.Credit, error) {
	return s.credits(ctx, actor, id, func(c domain.Credit) bool { return c.Department == "cast" })
}

// Crew returns who made a film, by department.
func (s *Service) Crew(ctx context.Context, actor domain.Actor, id domain.ID) ([]domain.Credit, error) {
	return s.credits(ctx, actor, id, func(c domain.Credit) bool { return c.Department != "cast" })
}

func (s *Service) credits(ctx context.Context, actor domain.Actor, id domain.ID, keep func(domain.Credit) bool) ([]domain.Credit, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return nil, err
	}
	all, err := s.Store.Read().Movies.Credits(ctx, scope, id)
	kept := []domain.Credit{}
	for _, c := range all {
		if keep(c) {
			kept = append(kept, c)
		}
	}
	return kept, err
}
