package movie

import (
	"context"
	"math"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

// Report is what a player says of where it is.
type Report struct {
	// Position is in seconds on the whole film's axis, over all parts of the version that plays.
	Position float64
	// Duration is how long the player takes the whole film to be; 0 or less where it does not know.
	Duration float64
	// FileID is the file that plays.
	FileID *domain.ID
}

// State returns how far the actor has watched a film; the zero state when they have not.
func (s *Service) State(ctx context.Context, actor domain.Actor, id domain.ID) (domain.WatchState, error) {
	m, err := s.Get(ctx, actor, id)
	if err != nil || m.State == nil {
		return domain.WatchState{}, err
	}
	return *m.State, nil
}

// Report records a position. Reports may come late, twice and in any order; positions outside of the film count as its ends.
func (s *Service) Report(ctx context.Context, actor domain.Actor, id domain.ID, r Report) (domain.WatchState, error) {
	if math.IsNaN(r.Position) || math.IsInf(r.Position, 0) {
		return domain.WatchState{}, fault.InvalidField("watch.bad_position", "position", "The position must be a number of seconds.")
	}
	if math.IsNaN(r.Duration) || math.IsInf(r.Duration, 0) {
		return domain.WatchState{}, fault.InvalidField("watch.bad_duration", "duration", "The duration must be a number of seconds.")
	}
	return s.record(ctx, actor, id, domain.WatchProgress, r)
}

// MarkWatched counts a film as watched.
func (s *Service) MarkWatched(ctx context.Context, actor domain.Actor, id domain.ID) (domain.WatchState, error) {
	return s.record(ctx, actor, id, domain.WatchWatched, Report{})
}

// MarkUnwatched takes that back; a position stays.
func (s *Service) MarkUnwatched(ctx context.Context, actor domain.Actor, id domain.ID) (domain.WatchState, error) {
	return s.record(ctx, actor, id, domain.WatchUnwatched, Report{})
}

// ResetProgress forgets the position; what was watched stays watched.
func (s *Service) ResetProgress(ctx context.Context, actor domain.Actor, id domain.ID) error {
	_, err := s.record(ctx, actor, id, domain.WatchReset, Report{})
	return err
}

// Dismiss takes a film out of continue watching until it is played again; the position stays.
func (s *Service) Dismiss(ctx context.Context, actor domain.Actor, id domain.ID) error {
	_, err := s.record(ctx, actor, id, domain.WatchDismissed, Report{})
	return err
}

// record appends an event and saves what all of them add up to, in one transaction: what was answered is stored (R1).
func (s *Service) record(ctx context.Context, actor domain.Actor, id domain.ID, kind domain.WatchEventKind, r Report) (domain.WatchState, error) {
	scope, err := s.Access.ScopeFor(ctx, actor, domain.PermissionHistory)
	if err != nil {
		return domain.WatchState{}, err
	}
	if actor.System || actor.Anonymous() {
		return domain.WatchState{}, fault.New(fault.Forbidden, "watch.no_account", "Only accounts watch films.")
	}
	var state domain.WatchState
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		m, err := tx.Movies.Get(ctx, scope, actor.UserID, id)
		if err != nil {
			return err
		}
		files, err := tx.Files.ByMovie(ctx, scope, id)
		if err != nil {
			return err
		}
		e := domain.WatchEvent{
			ID: domain.NewID(), UserID: actor.UserID, Identity: m.Identity, MovieID: m.ID, Title: m.Title, Year: m.Year, Kind: kind,
			Position: r.Position, Duration: r.Duration, At: domain.Stamp(s.Now()),
		}
		file, err := playing(files, r.FileID)
		if err != nil {
			return err
		}
		if file != nil {
			e.FileID, e.Fingerprint = &file.ID, file.Fingerprint
		}
		if kind == domain.WatchProgress {
			bound(&e, m, files, file)
		}
		if err := tx.Watch.Append(ctx, e); err != nil {
			return err
		}
		standing, err := standingAfter(ctx, tx, m, e)
		if err != nil {
			return err
		}
		state = standing.state
		if err := tx.Watch.SaveState(ctx, actor.UserID, m.Identity, standing.state, standing.dismissed); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicWatch, actor.UserID)...)
	})
	return state, err
}

// standingAfter goes on from the saved state where e is a report that is newer than it, which most are; else it adds up all events.
func standingAfter(ctx context.Context, tx store.Tx, m domain.Movie, e domain.WatchEvent) (standing, error) {
	if w := m.State; w != nil && e.Kind == domain.WatchProgress &&
		(w.LastPlayedAt != nil && e.At.After(*w.LastPlayedAt)) && (w.WatchedAt == nil || e.At.After(*w.WatchedAt)) {
		return standing{state: *w}.after(e), nil
	}
	events, err := tx.Watch.Events(ctx, e.UserID, m.Identity)
	return derive(events), err
}

// playing is the film file that was named, or the only one that there is.
func playing(files []domain.File, id *domain.ID) (*domain.File, error) {
	var films []domain.File
	for _, f := range files {
		if isFilm(f) {
			films = append(films, f)
		}
	}
	if id == nil {
		if len(films) == 1 {
			return &films[0], nil
		}
		return nil, nil
	}
	for _, f := range films {
		if f.ID == *id {
			return &f, nil
		}
	}
	return nil, fault.InvalidField("watch.unknown_file", "fileId", "This file does not belong to the film.")
}

// bound gives a report the duration of the version that plays where the player knows none, and keeps the position inside.
func bound(e *domain.WatchEvent, m domain.Movie, files []domain.File, file *domain.File) {
	if e.Duration <= 0 && file != nil {
		for _, f := range files {
			if isFilm(f) && f.VersionKey == file.VersionKey && f.Media != nil {
				e.Duration += f.Media.Duration
			}
		}
	}
	if e.Duration <= 0 {
		e.Duration = max(0, m.Runtime)
	}
	e.Position = max(0, e.Position)
	if e.Duration > 0 {
		e.Position = min(e.Position, e.Duration)
	}
}
