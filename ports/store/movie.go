package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Movies keeps films with genres and credits. Facts over files (Runtime, Resolution, HDR, languages, Versions, Available) are columns that core writes.
type Movies interface {
	// Save inserts or replaces a film by id, with its genres. State, Poster and Backdrop are not written.
	Save(ctx context.Context, m domain.Movie) error
	// Insert adds films that are not there yet, as Save would one by one. Conflict when one of them is.
	Insert(ctx context.Context, films ...domain.Movie) error
	// Alike tells for each of some films whether another of them, or a film that is stored, may be the same one: it has the folded title or
	// original title in the library, whatever its year, or an id in any library.
	Alike(ctx context.Context, library domain.ID, films ...domain.Movie) ([]bool, error)
	// Get returns the film with pictures and, for a user other than the zero ID, State.
	Get(ctx context.Context, scope domain.Scope, user, id domain.ID) (domain.Movie, error)
	// GetMany leaves out what is absent; any order.
	GetMany(ctx context.Context, scope domain.Scope, user domain.ID, ids ...domain.ID) ([]domain.Movie, error)
	// List is a keyset page of the filter in its sort. Cursors of another filter or sort are Invalid.
	List(ctx context.Context, scope domain.Scope, user domain.ID, f domain.MovieFilter, page domain.PageRequest) (domain.Page[domain.MovieItem], error)
	// Index returns, for sort title the first letters ("#" for the rest), for year and added the years or decades, each with a cursor for List that starts there.
	Index(ctx context.Context, scope domain.Scope, user domain.ID, f domain.MovieFilter) ([]domain.IndexEntry, error)
	// Candidates returns films of a library that share an id, or the folded title key and year (0 matches any).
	Candidates(ctx context.Context, library domain.ID, tmdb int, imdb, title string, year int) ([]domain.Movie, error)
	// Delete removes films with credits and images; files stay without a film, watch data stays.
	Delete(ctx context.Context, ids ...domain.ID) error
	// ReplaceCredits sets all credits; Credits returns them by department and order.
	ReplaceCredits(ctx context.Context, movie domain.ID, credits []domain.Credit) error
	Credits(ctx context.Context, scope domain.Scope, movie domain.ID) ([]domain.Credit, error)
	// Genres counts films by genre, most first.
	Genres(ctx context.Context, scope domain.Scope) ([]domain.Count, error)
	Stats(ctx context.Context, scope domain.Scope, user domain.ID) (domain.MovieStats, error)
	// SameFilm returns films of any library that share the TMDb id or the IMDb id; zero ids match none.
	SameFilm(ctx context.Context, tmdb int, imdb string) ([]domain.Movie, error)
}

// Watch keeps watch events and what they add up to, by user and film identity. Nothing removes an event.
type Watch interface {
	// Append also makes the transaction the only one that derives this user's state of this identity until it ends.
	Append(ctx context.Context, e domain.WatchEvent) error
	// Events returns all of a user's events of one identity, oldest first.
	Events(ctx context.Context, user domain.ID, identity string) ([]domain.WatchEvent, error)
	// State returns the derived state; the zero state when there is none.
	State(ctx context.Context, user domain.ID, identity string) (domain.WatchState, error)
	// SaveState replaces the derived state. dismissed hides it from ContinueWatching.
	SaveState(ctx context.Context, user domain.ID, identity string, s domain.WatchState, dismissed bool) error
	// ContinueWatching is visible, available films with Position > 0, not dismissed; last played first. One film per identity. (A film
	// watched to its end has Position 0; a rewatch that was begun has not, and is listed.)
	ContinueWatching(ctx context.Context, scope domain.Scope, user domain.ID, page domain.PageRequest) (domain.Page[domain.MovieItem], error)
	// History is one entry per day and film of progress and watched events, newest first; Movie only where the scope sees it, and of the
	// event only ID, UserID, Kind, Position, Duration and At where a film exists that it does not see.
	History(ctx context.Context, scope domain.Scope, user domain.ID, page domain.PageRequest) (domain.Page[domain.HistoryEntry], error)
	// Rekey gives all events of one identity another and returns the users concerned; states of from are removed, those of to must be derived again by the caller.
	Rekey(ctx context.Context, from, to string) ([]domain.ID, error)
	// RekeyFilm is Rekey for those events of from that were recorded for the film and, where fingerprints are given, with one of those
	// files. No state is removed: those of from and to must be derived again by the caller.
	RekeyFilm(ctx context.Context, from, to string, movie domain.ID, fingerprints ...string) ([]domain.ID, error)
	// Orphans returns identities of the form "movie:…" whose film is gone and of which an event names one of the fingerprints.
	Orphans(ctx context.Context, fingerprints ...string) ([]string, error)
}

// Images keeps pictures of films.
type Images interface {
	// Put inserts or replaces the picture of its film and kind, keeping the id given first, which it returns.
	Put(ctx context.Context, i domain.StoredImage) (domain.ID, error)
	Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.StoredImage, error)
	ByMovie(ctx context.Context, scope domain.Scope, movie domain.ID) ([]domain.StoredImage, error)
	Delete(ctx context.Context, ids ...domain.ID) error
	// Looked notes that a film's pictures were looked for, found or not.
	Looked(ctx context.Context, movie domain.ID, at time.Time) error
	// WithoutPicture returns ids of films of a library, above after in id order, whose pictures were last looked for before the time, or never, up to limit.
	WithoutPicture(ctx context.Context, library domain.ID, before time.Time, after domain.ID, limit int) ([]domain.ID, error)
}
