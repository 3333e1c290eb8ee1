package movie

import (
	"slices"

	"github.com/revenge-media/revenge/core/domain"
)

const (
	// completesAt is the share of a film after which it counts as watched (SPEC 4).
	completesAt = 0.9
	// rewatchBelow is where a position must lie to begin a watched film anew. Between the two lie late reports of the sitting
	// that completed it and looks back from the credits, which change nothing.
	rewatchBelow = 0.8
)

// standing is what events add up to.
type standing struct {
	state     domain.WatchState
	dismissed bool
}

// derive adds up all events of one user and identity, in whatever order they are given.
func derive(events []domain.WatchEvent) standing {
	ordered := slices.Clone(events)
	slices.SortStableFunc(ordered, func(a, b domain.WatchEvent) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	var s standing
	for _, e := range ordered {
		s = s.after(e)
	}
	return s
}

// after is the standing once e, which is not older than any event before, has happened. A film is complete while it is
// watched with position 0: further reports from its end count it no second time.
func (s standing) after(e domain.WatchEvent) standing {
	w := s.state
	at := e.At
	switch e.Kind {
	case domain.WatchProgress:
		w.LastPlayedAt, w.FileID = &at, e.FileID
		duration := e.Duration
		if duration <= 0 {
			duration = w.Duration
		}
		position := max(0, e.Position)
		if duration > 0 {
			position = min(position, duration)
		}
		w.Duration = duration
		share := 0.0
		if duration > 0 {
			share = position / duration
		}
		complete := w.Watched && w.Position == 0
		switch {
		case share >= completesAt:
			if !complete {
				w.Watched, w.WatchedAt = true, &at
				w.PlayCount++
			}
			w.Position = 0
		case complete && share >= rewatchBelow:
		default:
			w.Position = position
		}
		s.dismissed = false
	case domain.WatchWatched:
		if !w.Watched {
			w.Watched, w.WatchedAt = true, &at
			w.PlayCount++
		}
		w.Position = 0
	case domain.WatchUnwatched:
		w.Watched, w.WatchedAt, w.PlayCount = false, nil, 0
	case domain.WatchReset:
		w.Position, w.Duration, w.FileID = 0, 0, nil
	case domain.WatchDismissed:
		s.dismissed = true
	}
	w.Progress = 0
	switch {
	case w.Position > 0 && w.Duration > 0:
		w.Progress = w.Position / w.Duration
	case w.Watched && w.Position == 0:
		w.Progress = 1
	}
	s.state = w
	return s
}
