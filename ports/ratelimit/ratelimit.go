// Package ratelimit bounds how often something may happen, by key: requests of an API key, attempts from an address.
package ratelimit

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/fault"
)

// CodeBadRate is Invalid: a rate of nothing, or in no time.
const CodeBadRate = "ratelimit.bad_rate"

// Rate is how often something may happen.
type Rate struct {
	// Requests may happen in Per, evenly spread.
	Requests int
	Per      time.Duration
	// Burst is how many may happen at once after a pause; 0 is Requests.
	Burst int
}

// Interval is the time that one request takes up.
func (r Rate) Interval() time.Duration { return r.Per / time.Duration(r.Requests) }

// Size is how many may happen at once.
func (r Rate) Size() int {
	if r.Burst > 0 {
		return r.Burst
	}
	return r.Requests
}

// Check returns Invalid for a rate that is none.
func (r Rate) Check() error {
	if r.Requests <= 0 || r.Burst < 0 || r.Per <= 0 || r.Interval() <= 0 {
		return fault.New(fault.Invalid, CodeBadRate, "A rate needs at least one request, and time for each.")
	}
	return nil
}

// Decision is the answer about one request.
type Decision struct {
	Allowed bool
	// Remaining is how many more may happen at once now.
	Remaining int
	// RetryAfter is when the next may happen; 0 when this one may.
	RetryAfter time.Duration
	// ResetAfter is when as many as ever may happen at once again.
	ResetAfter time.Duration
}

// Limiter counts. It is safe for concurrent use; requests that are refused are not counted.
type Limiter interface {
	// Allow decides about one request of a key, and counts it when it may happen: of many at once no more than the rate's size get true. A key
	// is asked about at one rate; at another one what it has used up stays used up in time. An error says that the limiter is out of reach:
	// whether the request may happen then is the caller's choice.
	Allow(ctx context.Context, key string, rate Rate) (Decision, error)
}
