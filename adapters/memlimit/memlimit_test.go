package memlimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/memlimit"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/testkit/ratelimittest"
)

func TestLimiterKeepsItsLaws(t *testing.T) {
	ratelimittest.Run(t, func(*testing.T) ratelimit.Limiter { return memlimit.New(memlimit.Config{}) })
}

// TestWhoIsAtTheLimitStaysThereWhenManyCome: a full memory forgets those that asked once before the one that asked too often.
func TestWhoIsAtTheLimitStaysThereWhenManyCome(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := memlimit.New(memlimit.Config{MaxKeys: 100, Now: func() time.Time { return now }})
	rate := ratelimit.Rate{Requests: 10, Per: time.Minute}
	ask := func(key string) ratelimit.Decision {
		d, err := l.Allow(t.Context(), key, rate)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for range 10 {
		ask("greedy")
	}
	for i := range 5000 {
		if d := ask(fmt.Sprint("other ", i)); !d.Allowed || d.Remaining != 9 {
			t.Fatalf("the %d-th other gets %+v", i, d)
		}
	}
	if d := ask("greedy"); d.Allowed || d.RetryAfter != 6*time.Second || d.ResetAfter != time.Minute {
		t.Errorf("then %+v", d)
	}
	now = now.Add(6 * time.Second)
	if d := ask("greedy"); !d.Allowed || d.Remaining != 0 {
		t.Errorf("after six seconds %+v", d)
	}
	if d := ask("greedy"); d.Allowed {
		t.Errorf("and once more %+v", d)
	}
}
