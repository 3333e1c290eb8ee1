package movie

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/views"
)

// ViewList is List as JSON. It is kept for whoever asks again, unless anew asks for what is in the database now. Searches and random orders are
// never kept: hardly anybody asks for the same twice.
func (s *Service) ViewList(ctx context.Context, actor domain.Actor, f domain.MovieFilter, page domain.PageRequest, anew bool) (views.View, error) {
	anew = anew || f.Query != "" || f.Sort == domain.SortRandom
	return view(ctx, s, actor, anew, "list", []any{f, page}, func(ctx context.Context) (domain.Page[domain.MovieItem], error) {
		return listed(s.List(ctx, actor, f, page))
	})
}

// ViewRecentlyAdded is RecentlyAdded as JSON, likewise.
func (s *Service) ViewRecentlyAdded(ctx context.Context, actor domain.Actor, page domain.PageRequest, anew bool) (views.View, error) {
	return s.ViewList(ctx, actor, newestFirst, page, anew)
}

// ViewContinueWatching is ContinueWatching as JSON, likewise.
func (s *Service) ViewContinueWatching(ctx context.Context, actor domain.Actor, page domain.PageRequest, anew bool) (views.View, error) {
	return view(ctx, s, actor, anew, "continue", page, func(ctx context.Context) (domain.Page[domain.MovieItem], error) {
		return listed(s.ContinueWatching(ctx, actor, page))
	})
}

// ViewMovie is Get as JSON, likewise.
func (s *Service) ViewMovie(ctx context.Context, actor domain.Actor, id domain.ID, anew bool) (views.View, error) {
	return view(ctx, s, actor, anew, "movie", id, func(ctx context.Context) (domain.Movie, error) { return s.Get(ctx, actor, id) })
}

func view[T any](ctx context.Context, s *Service, actor domain.Actor, anew bool, name string, with any, load func(ctx context.Context) (T, error)) (views.View, error) {
	if anew {
		read, err := load(ctx)
		if err != nil {
			return views.View{}, err
		}
		return views.Of(read)
	}
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return views.View{}, err
	}
	return views.Get(ctx, s.Views, views.Asked{Scope: scope, User: actor.UserID, Name: name, With: with}, load)
}

// listed is a page whose items are a list in JSON even where there are none.
func listed[T any](p domain.Page[T], err error) (domain.Page[T], error) {
	if p.Items == nil {
		p.Items = []T{}
	}
	return p, err
}
