package limiting_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/memlimit"
	"github.com/revenge-media/revenge/core/limiting"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/testkit/ratelimittest"
)

// breaking is a shared limiter that can be lost and forget.
type breaking struct {
	ratelimit.Limiter
	lost atomic.Bool
}

func (b *breaking) Allow(ctx context.Context, key string, rate ratelimit.Rate) (ratelimit.Decision, error) {
	if b.lost.Load() {
		return ratelimit.Decision{}, errors.New("gone")
	}
	return b.Limiter.Allow(ctx, key, rate)
}

func open() (*limiting.Limiter, *breaking) {
	shared := &breaking{Limiter: memlimit.New(memlimit.Config{})}
	return limiting.New(limiting.Deps{Shared: shared, Local: memlimit.New(memlimit.Config{}), Logger: slog.New(slog.DiscardHandler)}), shared
}

func TestConformance(t *testing.T) {
	ratelimittest.Run(t, func(*testing.T) ratelimit.Limiter { l, _ := open(); return l })
}

var hourly = ratelimit.Rate{Requests: 40, Per: time.Hour}

func passed(t *testing.T, l ratelimit.Limiter, key string) (n int) {
	t.Helper()
	for range 100 {
		d, err := l.Allow(t.Context(), key, hourly)
		if err != nil {
			t.Fatal(err)
		}
		if d.Allowed {
			n++
		}
	}
	return n
}

func TestALostLimiterMakesLimitsStricterAndNotOpen(t *testing.T) {
	t.Parallel()
	l, shared := open()
	used := passed(t, l, "used up")
	shared.lost.Store(true)
	if n := passed(t, l, "new"); n != hourly.Requests/limiting.Strictness {
		t.Errorf("%d passed that began without the shared limiter", n)
	}
	if n := passed(t, l, "used up"); used != hourly.Requests || n != 0 {
		t.Errorf("%d passed with it, and then %d without", used, n)
	}
	shared.lost.Store(false)
	if n := passed(t, l, "other"); n != hourly.Requests {
		t.Errorf("%d passed after it came back", n)
	}
}

func TestALimiterThatForgotOpensNothing(t *testing.T) {
	t.Parallel()
	l, shared := open()
	passed(t, l, "key")
	shared.Limiter = memlimit.New(memlimit.Config{})
	if n := passed(t, l, "key"); n > 1 {
		t.Errorf("%d more passed", n)
	}
}
