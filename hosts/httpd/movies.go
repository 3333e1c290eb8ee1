package httpd

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/core/views"
)

// optional is a query parameter that is told apart from its zero value.
type optional[T any] struct {
	Value T
	Set   bool
}

// Schema is that of the value.
func (o optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver is where huma puts the value.
func (o *optional[T]) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet notes whether there was one.
func (o *optional[T]) OnParamSet(set bool, _ any) { o.Set = set }

func (o optional[T]) pointer() *T {
	if !o.Set {
		return nil
	}
	return &o.Value
}

// FilterQuery is the query of every list of films.
type FilterQuery struct {
	Query            string         `query:"q" maxLength:"200" doc:"Words of the title or the original title"`
	LibraryID        domain.ID      `query:"libraryId"`
	Genres           []string       `query:"genre,explode" maxItems:"50" doc:"Any of these"`
	YearFrom         int            `query:"yearFrom" minimum:"0" maximum:"9999"`
	YearTo           int            `query:"yearTo" minimum:"0" maximum:"9999"`
	RatingFrom       float64        `query:"ratingFrom" minimum:"0" maximum:"10"`
	Watched          optional[bool] `query:"watched"`
	InProgress       optional[bool] `query:"inProgress"`
	Resolutions      []string       `query:"resolution,explode" maxItems:"20" doc:"Any of these: 2160p, 1080p, 720p…"`
	HDR              optional[bool] `query:"hdr"`
	AudioLanguage    string         `query:"audioLanguage" maxLength:"10" doc:"ISO 639-2"`
	SubtitleLanguage string         `query:"subtitleLanguage" maxLength:"10" doc:"ISO 639-2"`
	Person           string         `query:"person" maxLength:"200"`
	Sort             string         `query:"sort" enum:"title,-title,year,-year,added,-added,rating,-rating,runtime,-runtime,random,-random" default:"title"`
	Seed             int64          `query:"seed" doc:"Of the sort random: the same seed gives the same order"`
}

func (i FilterQuery) filter() domain.MovieFilter {
	name, descending := strings.CutPrefix(i.Sort, "-")
	f := domain.MovieFilter{
		Query: i.Query, Genres: i.Genres, YearFrom: i.YearFrom, YearTo: i.YearTo, RatingFrom: i.RatingFrom, Watched: i.Watched.pointer(),
		InProgress: i.InProgress.pointer(), Resolutions: i.Resolutions, HDR: i.HDR.pointer(), AudioLanguage: i.AudioLanguage,
		SubtitleLanguage: i.SubtitleLanguage, Person: i.Person, Sort: domain.MovieSort(name), Descending: descending, Seed: i.Seed,
	}
	if i.LibraryID != (domain.ID{}) {
		f.LibraryID = &i.LibraryID
	}
	return f
}

// Conditions are what a client says of what it has.
type Conditions struct {
	IfNoneMatch  string `header:"If-None-Match" doc:"Entity tags of answers that the client has: 304 where it is one of them"`
	CacheControl string `header:"Cache-Control" doc:"With no-cache the answer is what the database has now, not what is kept for a while"`
}

// anew tells whether the client wants nothing that was kept (RFC 9111, 5.2.1.4).
func (c Conditions) anew() bool { return strings.Contains(c.CacheControl, "no-cache") }

type moviesInput struct {
	FilterQuery
	PageQuery
	Conditions
}

type pageInput struct {
	PageQuery
	Conditions
}

type movieInput struct {
	ByID
	Conditions
}

// shown is a T that is JSON already.
type shown[T any] struct{ json []byte }

// Schema is T's.
func (shown[T]) Schema(r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// encoded is what goes over the wire.
func (s shown[T]) encoded() []byte { return s.json }

type viewOutput[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   shown[T]
}

// view answers with a view, or that the client has it.
func view[T any](c Conditions, v views.View, err error) (*viewOutput[T], error) {
	if err != nil {
		return nil, err
	}
	out := &viewOutput[T]{Status: http.StatusOK, ETag: v.ETag, Body: shown[T]{v.JSON}}
	if matches(c.IfNoneMatch, v.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

type progressInput struct {
	ByID
	Body struct {
		Position float64    `json:"position" minimum:"0" doc:"Seconds on the whole film's axis; behind the film its end counts"`
		Duration float64    `json:"duration,omitempty" minimum:"0" doc:"Seconds of the whole film as the player knows it"`
		FileID   *domain.ID `json:"fileId,omitempty" doc:"The file that plays"`
		Paused   bool       `json:"paused,omitempty" doc:"That the player stands still; the position counts all the same"`
	}
}

// matches tells whether an If-None-Match holds an entity tag (RFC 9110, 13.1.2).
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == "*" || candidate == etag {
			return true
		}
	}
	return false
}

func (s *Server) mountMovies() {
	route := func(id, method, path, summary string) Route {
		return Route{ID: id, Method: method, Path: path, Summary: summary, Tag: "Movies", Permission: domain.PermissionLibraryRead, InLibrary: true}
	}
	kept := func(id, path, summary string) Route {
		r := route(id, http.MethodGet, path, summary)
		r.Also = []int{http.StatusNotModified}
		return r
	}
	register(s, kept("listMovies", "/movies", "Films that one may see, filtered and sorted"),
		func(ctx context.Context, in *moviesInput) (*viewOutput[domain.Page[domain.MovieItem]], error) {
			v, err := s.core.Movies.ViewList(ctx, actorOf(ctx), in.filter(), in.request(), in.anew())
			return view[domain.Page[domain.MovieItem]](in.Conditions, v, err)
		})
	register(s, route("indexMovies", http.MethodGet, "/movies/index", "Where letters, years or decades begin in the same list"),
		func(ctx context.Context, in *FilterQuery) (*output[items[domain.IndexEntry]], error) {
			return list(s.core.Movies.Index(ctx, actorOf(ctx), in.filter()))
		})
	register(s, kept("listRecentlyAdded", "/movies/recently-added", "Films, newest first"),
		func(ctx context.Context, in *pageInput) (*viewOutput[domain.Page[domain.MovieItem]], error) {
			v, err := s.core.Movies.ViewRecentlyAdded(ctx, actorOf(ctx), in.request(), in.anew())
			return view[domain.Page[domain.MovieItem]](in.Conditions, v, err)
		})
	register(s, kept("listContinueWatching", "/movies/continue-watching", "Films that one began, last played first"),
		func(ctx context.Context, in *pageInput) (*viewOutput[domain.Page[domain.MovieItem]], error) {
			v, err := s.core.Movies.ViewContinueWatching(ctx, actorOf(ctx), in.request(), in.anew())
			return view[domain.Page[domain.MovieItem]](in.Conditions, v, err)
		})
	register(s, route("listWatchHistory", http.MethodGet, "/movies/watch-history", "What one watched: an entry a day and film"),
		func(ctx context.Context, in *PageQuery) (*output[domain.Page[domain.HistoryEntry]], error) {
			return page(s.core.Movies.History(ctx, actorOf(ctx), in.request()))
		})
	register(s, route("getMovieStats", http.MethodGet, "/movies/stats", "One's own figures"),
		func(ctx context.Context, _ *struct{}) (*output[domain.MovieStats], error) {
			return body(s.core.Movies.Stats(ctx, actorOf(ctx)))
		})
	register(s, route("listGenres", http.MethodGet, "/genres", "Genres with how many films one sees of each"),
		func(ctx context.Context, _ *struct{}) (*output[items[domain.Count]], error) {
			return list(s.core.Movies.Genres(ctx, actorOf(ctx)))
		})
	register(s, kept("getMovie", "/movies/{id}", "A film with one's own watch state"),
		func(ctx context.Context, in *movieInput) (*viewOutput[domain.Movie], error) {
			v, err := s.core.Movies.ViewMovie(ctx, actorOf(ctx), in.ID, in.anew())
			return view[domain.Movie](in.Conditions, v, err)
		})
	register(s, route("listMovieFiles", http.MethodGet, "/movies/{id}/files", "Its files: versions with their parts, then extras"),
		func(ctx context.Context, in *ByID) (*output[items[domain.File]], error) {
			return list(s.core.Movies.Files(ctx, actorOf(ctx), in.ID))
		})
	register(s, route("listMovieCast", http.MethodGet, "/movies/{id}/cast", "Who plays in it"),
		func(ctx context.Context, in *ByID) (*output[items[domain.Credit]], error) {
			return list(s.core.Movies.Cast(ctx, actorOf(ctx), in.ID))
		})
	register(s, route("listMovieCrew", http.MethodGet, "/movies/{id}/crew", "Who made it"),
		func(ctx context.Context, in *ByID) (*output[items[domain.Credit]], error) {
			return list(s.core.Movies.Crew(ctx, actorOf(ctx), in.ID))
		})
	register(s, route("listMovieGenres", http.MethodGet, "/movies/{id}/genres", "Its genres"),
		func(ctx context.Context, in *ByID) (*output[items[string]], error) {
			m, err := s.core.Movies.Get(ctx, actorOf(ctx), in.ID)
			return list(m.Genres, err)
		})
	s.mountWatching(route)
}

func (s *Server) mountWatching(route func(id, method, path, summary string) Route) {
	watching := func(id, method, path, summary string) Route {
		r := route(id, method, path, summary)
		r.Permission = domain.PermissionHistory
		return r
	}
	register(s, route("getProgress", http.MethodGet, "/movies/{id}/progress", "How far one watched it"),
		func(ctx context.Context, in *ByID) (*output[domain.WatchState], error) {
			return body(s.core.Movies.State(ctx, actorOf(ctx), in.ID))
		})
	register(s, watching("reportProgress", http.MethodPost, "/movies/{id}/progress", "Say where one is; at 90 % it counts as watched"),
		func(ctx context.Context, in *progressInput) (*output[domain.WatchState], error) {
			return body(s.core.Movies.Report(ctx, actorOf(ctx), in.ID, movie.Report{Position: in.Body.Position, Duration: in.Body.Duration, FileID: in.Body.FileID}))
		})
	register(s, watching("resetProgress", http.MethodDelete, "/movies/{id}/progress", "Forget where one was"),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Movies.ResetProgress(ctx, actorOf(ctx), in.ID)
		})
	register(s, watching("markWatched", http.MethodPost, "/movies/{id}/watched", "Count it as watched"),
		func(ctx context.Context, in *ByID) (*output[domain.WatchState], error) {
			return body(s.core.Movies.MarkWatched(ctx, actorOf(ctx), in.ID))
		})
	register(s, watching("markUnwatched", http.MethodDelete, "/movies/{id}/watched", "Count it as not watched"),
		func(ctx context.Context, in *ByID) (*output[domain.WatchState], error) {
			return body(s.core.Movies.MarkUnwatched(ctx, actorOf(ctx), in.ID))
		})
	register(s, watching("dismissContinueWatching", http.MethodDelete, "/movies/{id}/continue-watching", "Take it out of continue watching until it is played again"),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Movies.Dismiss(ctx, actorOf(ctx), in.ID)
		})
}
