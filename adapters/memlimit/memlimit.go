// Package memlimit limits rates within this process.
package memlimit

import (
	"context"
	"sync"
	"time"

	"github.com/revenge-media/revenge/ports/ratelimit"
)

// Config is what a Limiter is made of. Zero values mean the defaults.
type Config struct {
	Now func() time.Time
	// MaxKeys bounds what is remembered; 0 is 50,000, some 10 MB.
	MaxKeys int
}

// Limiter is GCRA, the generic cell rate algorithm (ITU-T I.371): a key has one moment, its theoretical arrival time, at which it will have used up
// nothing. A request moves it by the rate's interval, and may happen while it is no further ahead than a burst. So a key takes one time stamp,
// and one whose moment has passed need not be remembered.
type Limiter struct {
	cfg Config

	mu       sync.Mutex
	arrivals map[string]time.Time
}

var _ ratelimit.Limiter = (*Limiter)(nil)

// New returns a limiter that has counted nothing.
func New(cfg Config) *Limiter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxKeys <= 0 {
		cfg.MaxKeys = 50_000
	}
	return &Limiter{cfg: cfg, arrivals: map[string]time.Time{}}
}

// Allow implements ratelimit.Limiter.
func (l *Limiter) Allow(ctx context.Context, key string, rate ratelimit.Rate) (ratelimit.Decision, error) {
	if err := rate.Check(); err != nil {
		return ratelimit.Decision{}, err
	}
	if err := ctx.Err(); err != nil {
		return ratelimit.Decision{}, err
	}
	interval := rate.Interval()
	burst := interval * time.Duration(rate.Size())
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	arrival, known := l.arrivals[key]
	if !known || arrival.Before(now) {
		arrival = now
	}
	next := arrival.Add(interval)
	if early := next.Sub(now) - burst; early > 0 {
		return ratelimit.Decision{RetryAfter: early, ResetAfter: arrival.Sub(now)}, nil
	}
	if !known && len(l.arrivals) >= l.cfg.MaxKeys {
		l.makeRoom(now)
	}
	l.arrivals[key] = next
	return ratelimit.Decision{Allowed: true, Remaining: int((burst - next.Sub(now)) / interval), ResetAfter: next.Sub(now)}, nil
}

// makeRoom forgets some key: of a handful one that has used up the least, so that who is at its limit stays there however many others come.
func (l *Limiter) makeRoom(now time.Time) {
	var least string
	var earliest time.Time
	seen := 0
	for key, arrival := range l.arrivals { // in random order
		if !arrival.After(now) {
			delete(l.arrivals, key)
		} else if least == "" || arrival.Before(earliest) {
			least, earliest = key, arrival
		}
		if seen++; seen == 32 {
			break
		}
	}
	if len(l.arrivals) >= l.cfg.MaxKeys {
		delete(l.arrivals, least)
	}
}
