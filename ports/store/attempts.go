package store

import (
	"context"
	"time"
)

// Attempts counts attempts to show a secret (S4). Each method is one statement that commits by itself, so that attempts on one key of many processes
// wait for each other no longer than that; inside Update they are refused with CodeNested.
type Attempts interface {
	// Acquire takes a place for an attempt on each of the keys, which are in order and differ, and returns the places that were free. A place is free while
	// failures and places that are taken are fewer than the limit and, where failures reached it, when the key is not blocked any more and no other
	// place is taken. Places that were not given back at their Until, because a process died, are free again.
	Acquire(ctx context.Context, now time.Time, places ...AttemptPlace) ([]AttemptPlace, error)
	// Settle gives places back and counts what came of the attempts. At and beyond its limit every failure blocks the key, longer each time: from
	// base, doubled by every further failure, five times at most.
	Settle(ctx context.Context, now time.Time, base time.Duration, ended ...AttemptResult) error
	// Blocked returns until when the keys that are blocked at now are.
	Blocked(ctx context.Context, now time.Time, keys ...string) (map[string]time.Time, error)
	// DeleteExpired removes what says nothing any more at now, and returns how many.
	DeleteExpired(ctx context.Context, now time.Time) (int, error)
}

// AttemptPlace is a place for one attempt on a key.
type AttemptPlace struct {
	Key string
	// Limit is how many failures and taken places a key has at most.
	Limit int
	// Until is when the place is free again at the latest.
	Until time.Time
	// Generation is filled in by Acquire: it tells a place from those that were given up.
	Generation int
}

// AttemptResult is what came of an attempt.
type AttemptResult struct {
	AttemptPlace
	// Failed counts a failure, which is forgotten at ForgetAt if no other follows; Clear forgets all failures.
	Failed   bool
	ForgetAt time.Time
	Clear    bool
}
