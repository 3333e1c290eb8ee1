// Package limiting decides what limits do while the limiter that processes share is out of reach: each counts for itself, more strictly.
package limiting

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/revenge-media/revenge/ports/ratelimit"
)

// Strictness is by how much a process's own rate is lower than the one that all have together. With as many processes as this the rate is about
// kept, and with fewer it is stricter.
const Strictness = 4

// Deps are the two limiters.
type Deps struct {
	// Shared counts for all processes.
	Shared ratelimit.Limiter
	// Local counts in this process and is always in reach.
	Local  ratelimit.Limiter
	Logger *slog.Logger
}

// Limiter asks the shared limiter, and counts what that allows in this process too. So it knows what was used up when the shared one is lost, and when
// that comes back with its memory gone.
type Limiter struct {
	deps Deps
	lost atomic.Bool
}

var _ ratelimit.Limiter = (*Limiter)(nil)

// New returns a limiter that has counted nothing.
func New(d Deps) *Limiter { return &Limiter{deps: d} }

// Allow implements ratelimit.Limiter; a shared limiter out of reach is no error.
func (l *Limiter) Allow(ctx context.Context, key string, rate ratelimit.Rate) (ratelimit.Decision, error) {
	if err := rate.Check(); err != nil {
		return ratelimit.Decision{}, err
	}
	shared, err := l.deps.Shared.Allow(ctx, key, rate)
	if ctx.Err() != nil {
		return ratelimit.Decision{}, ctx.Err()
	}
	if l.lost.Swap(err != nil) != (err != nil) {
		if err != nil {
			l.deps.Logger.WarnContext(ctx, "limits are kept by this process alone, and more strictly", "error", err)
		} else {
			l.deps.Logger.InfoContext(ctx, "limits are kept by all processes again")
		}
	}
	if err != nil {
		return l.deps.Local.Allow(ctx, key, stricter(rate))
	}
	if !shared.Allowed {
		return shared, nil
	}
	local, err := l.deps.Local.Allow(ctx, key, looser(rate))
	if err != nil || local.Allowed {
		return shared, err
	}
	return local, nil // the shared limiter has forgotten what this process has not
}

// stricter is a process's own rate. What is left of a burst is at least one request, or nobody would get anywhere.
func stricter(rate ratelimit.Rate) ratelimit.Rate {
	return ratelimit.Rate{Requests: rate.Requests, Per: rate.Per * Strictness, Burst: max(rate.Size()/Strictness, 1)}
}

// looser leaves room for the two limiters' clocks, which do not tick together: who comes just when the shared one said is not refused here.
func looser(rate ratelimit.Rate) ratelimit.Rate {
	rate.Burst = rate.Size() + 1
	return rate
}
