// Package ratelimittest holds an adapter of ports/ratelimit to its comments.
package ratelimittest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/ratelimit"
)

// slow is a rate at which nothing is regained while a test runs.
var slow = ratelimit.Rate{Requests: 5, Per: 5 * time.Hour}

// Run holds a limiter to every law. Keys are new in each, so that open may return one that others share.
func Run(t *testing.T, open func(t *testing.T) ratelimit.Limiter) {
	ask := func(t *testing.T, l ratelimit.Limiter, key string, rate ratelimit.Rate) ratelimit.Decision {
		t.Helper()
		d, err := l.Allow(t.Context(), key, rate)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Run("a burst passes and then nothing", func(t *testing.T) {
		t.Parallel()
		for _, rate := range []ratelimit.Rate{slow, {Requests: 5, Per: 5 * time.Hour, Burst: 2}, {Requests: 1, Per: time.Hour, Burst: 3}} {
			l, key := open(t), domain.NewID().String()
			for i := range rate.Size() {
				d := ask(t, l, key, rate)
				if left := rate.Size() - i - 1; !d.Allowed || d.RetryAfter != 0 || d.Remaining > left || d.Remaining < left-1 || i == 0 && d.ResetAfter > rate.Interval()+time.Second {
					t.Errorf("%+v: the %d-th gets %+v", rate, i+1, d)
				}
			}
			for range 3 { // what is refused makes nothing worse
				d := ask(t, l, key, rate)
				full := rate.Interval() * time.Duration(rate.Size())
				if d.Allowed || d.Remaining != 0 || d.RetryAfter <= rate.Interval()-time.Minute || d.RetryAfter > rate.Interval() || d.ResetAfter <= full-time.Minute || d.ResetAfter > full {
					t.Errorf("%+v: then %+v", rate, d)
				}
			}
		}
	})
	t.Run("keys are apart", func(t *testing.T) {
		t.Parallel()
		l, key := open(t), domain.NewID().String()
		for range slow.Size() + 1 {
			ask(t, l, key, slow)
		}
		for _, other := range []string{key + " ", "x" + key, domain.NewID().String()} {
			if d := ask(t, l, other, slow); !d.Allowed {
				t.Errorf("%q was not asked about before: %+v", other, d)
			}
		}
	})
	t.Run("of many at once a burst passes", func(t *testing.T) {
		t.Parallel()
		l, key := open(t), domain.NewID().String()
		var passed atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if d, err := l.Allow(t.Context(), key, slow); err != nil {
					t.Error(err)
				} else if d.Allowed {
					passed.Add(1)
				}
			})
		}
		all.Wait()
		if n := int(passed.Load()); n != slow.Size() {
			t.Errorf("%d passed", n)
		}
	})
	t.Run("time gives back", func(t *testing.T) {
		t.Parallel()
		l, key, rate := open(t), domain.NewID().String(), ratelimit.Rate{Requests: 20, Per: time.Second, Burst: 1}
		begin, passed := time.Now(), 0
		for time.Since(begin) < 400*time.Millisecond {
			d := ask(t, l, key, rate)
			if d.Allowed {
				passed++
				continue
			}
			if d.RetryAfter <= 0 || d.RetryAfter > rate.Interval() {
				t.Fatalf("%+v", d)
			}
			time.Sleep(d.RetryAfter) // what the answer says: then the next may happen
		}
		if most := 2 + int(time.Since(begin)/rate.Interval()); passed < 2 || passed > most {
			t.Errorf("%d passed where %d may", passed, most)
		}
	})
	t.Run("what is no rate is refused", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		for _, rate := range []ratelimit.Rate{{}, {Requests: 1}, {Per: time.Second}, {Requests: -1, Per: time.Second}, {Requests: 1, Per: -1}, {Requests: 2, Per: 1}, {Requests: 1, Per: 1, Burst: -1}} {
			if _, err := l.Allow(t.Context(), "key", rate); fault.CodeOf(errOr(err, rate)) != ratelimit.CodeBadRate {
				t.Errorf("%+v: %v", rate, err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Allow(ended, "key", slow); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
}

// errOr makes a missing error one that says where it is missing.
func errOr(err error, rate ratelimit.Rate) error {
	if err == nil {
		return fmt.Errorf("%+v passed", rate)
	}
	return err
}
