package movie

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

var start = time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)

// sitting makes events a minute apart: numbers are positions in a film of 100 s.
func sitting(what ...any) []domain.WatchEvent {
	var events []domain.WatchEvent
	for i, w := range what {
		e := domain.WatchEvent{ID: domain.NewID(), At: start.Add(time.Duration(i) * time.Minute)}
		switch w := w.(type) {
		case int:
			e.Kind, e.Position, e.Duration = domain.WatchProgress, float64(w), 100
		case domain.WatchEventKind:
			e.Kind = w
		}
		events = append(events, e)
	}
	return events
}

func TestDerivedState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events    []domain.WatchEvent
		position  float64
		progress  float64
		watched   bool
		plays     int
		dismissed bool
	}{
		"nothing":                              {events: sitting()},
		"the last position counts":             {events: sitting(10, 20, 15), position: 15, progress: .15},
		"89 percent is in progress":            {events: sitting(89), position: 89, progress: .89},
		"90 percent completes":                 {events: sitting(50, 90), progress: 1, watched: true, plays: 1},
		"credits count no second time":         {events: sitting(90, 95, 100, 91), progress: 1, watched: true, plays: 1},
		"a late report changes nothing":        {events: sitting(91, 89), progress: 1, watched: true, plays: 1},
		"a rewatch starts progress anew":       {events: sitting(95, 5), position: 5, progress: .05, watched: true, plays: 1},
		"a finished rewatch is a second play":  {events: sitting(95, 5, 50, 95), progress: 1, watched: true, plays: 2},
		"by hand":                              {events: sitting(40, domain.WatchWatched), progress: 1, watched: true, plays: 1},
		"by hand twice":                        {events: sitting(domain.WatchWatched, domain.WatchWatched), progress: 1, watched: true, plays: 1},
		"unwatched":                            {events: sitting(95, domain.WatchUnwatched)},
		"unwatched keeps where a rewatch was":  {events: sitting(95, 30, domain.WatchUnwatched), position: 30, progress: .3},
		"reset forgets the position":           {events: sitting(30, domain.WatchReset)},
		"reset of a rewatch leaves it watched": {events: sitting(95, 30, domain.WatchReset), progress: 1, watched: true, plays: 1},
		"dismissed keeps the position":         {events: sitting(30, domain.WatchDismissed), position: 30, progress: .3, dismissed: true},
		"playing on undoes a dismissal":        {events: sitting(30, domain.WatchDismissed, 31), position: 31, progress: .31},
		"beyond the end is the end":            {events: sitting(500), progress: 1, watched: true, plays: 1},
		"before the start is the start":        {events: sitting(20, -5)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := derive(c.events)
			if s.state.Position != c.position || s.state.Progress != c.progress || s.state.Watched != c.watched || s.state.PlayCount != c.plays || s.dismissed != c.dismissed {
				t.Errorf("got %+v dismissed %v, want %+v", s.state, s.dismissed, c)
			}
			if (s.state.WatchedAt != nil) != c.watched {
				t.Errorf("watched at %v with watched %v", s.state.WatchedAt, c.watched)
			}
		})
	}
}

func TestOrderOfArrivalAndDuplicatesDoNotChangeTheState(t *testing.T) {
	t.Parallel()
	events := sitting(10, 40, 95, 97, 3, domain.WatchDismissed, 60, domain.WatchUnwatched, 70)
	want := derive(events)
	for range 50 {
		shuffled := append(append([]domain.WatchEvent(nil), events...), events[rand.IntN(4)])
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := derive(shuffled); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

func TestStepByStepEqualsAllAtOnce(t *testing.T) {
	t.Parallel()
	events := sitting(10, 95, 3, domain.WatchReset, 60, domain.WatchWatched, domain.WatchUnwatched, 20)
	var s standing
	for i, e := range events {
		s = s.after(e)
		if all := derive(events[:i+1]); !reflect.DeepEqual(s, all) {
			t.Fatalf("after %d events: %+v, all at once %+v", i+1, s, all)
		}
	}
}
