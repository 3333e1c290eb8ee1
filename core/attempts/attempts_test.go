package attempts_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

// both are the guards of two processes on one database.
func both(p *identity.Process) []*attempts.Guard {
	return []*attempts.Guard{p.Attempts, attempts.New(attempts.Deps{Store: p.Store, Now: p.Clock.Now})}
}

func TestOfFiftyWrongAtOnceFiveAreTriedAndTheOthersRefused(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		guards, key := both(p), attempts.Account(domain.NewID())
		var running, most, tried, refused atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				ok, err := guards[i%2].Try(context.Background(), func(context.Context) (bool, error) {
					now := running.Add(1) + tried.Load()
					for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
					}
					time.Sleep(time.Millisecond) // so that they overlap
					running.Add(-1)
					tried.Add(1)
					return false, nil
				}, key, attempts.Address("192.0.2.1"))
				if fault.CodeOf(err) == attempts.CodeTooMany {
					refused.Add(1)
				} else if ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		wg.Wait()
		if tried.Load() != 5 || refused.Load() != 45 || most.Load() > 6 { // between one's end and its count another may be seen to run
			t.Errorf("%d tried, %d refused, at most %d failed or at once", tried.Load(), refused.Load(), most.Load())
		}
	})
}

func TestRightOnesAllGetInAndClearTheCount(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		guards, key := both(p), attempts.Account(domain.NewID())
		try := func(g *attempts.Guard, right bool) error {
			_, err := g.Try(context.Background(), func(context.Context) (bool, error) { return right, nil }, key)
			return err
		}
		for range 4 {
			if err := try(guards[0], false); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := try(guards[i%2], true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range 5 {
			if err := try(guards[1], false); err != nil {
				t.Fatalf("failure %d after the success: %v", i+1, err)
			}
		}
		// Blocked for longer each time, and never for good.
		for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
			err := try(guards[0], true)
			if f := fault.As(err); f == nil || f.Kind != fault.RateLimited || f.RetryAfter != wait {
				t.Fatalf("got %v, want a wait of %v", err, wait)
			}
			p.Clock.Add(wait)
			if err := try(guards[1], false); err != nil {
				t.Fatal(err)
			}
		}
		p.Clock.Add(16 * time.Minute)
		if err := try(guards[0], true); err != nil {
			t.Error(err)
		}
	})
}

func TestPlacesOfAProcessThatDiedAreFreeAgain(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		guards, key := both(p), attempts.Account(domain.NewID())
		dying, die := make(chan struct{}, 5), make(chan struct{})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, _ = guards[0].Try(context.Background(), func(context.Context) (bool, error) { dying <- struct{}{}; <-die; return false, errors.New("dead") }, key)
			})
		}
		for range 5 {
			<-dying
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		right := func(context.Context) (bool, error) { return true, nil }
		if _, err := guards[1].Try(ctx, right, key); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a sixth at once: %v", err)
		}
		p.Clock.Add(time.Minute)
		if ok, err := guards[1].Try(context.Background(), right, key); !ok || err != nil {
			t.Errorf("after a minute: %v, %v", ok, err)
		}
		close(die)
		wg.Wait()
	})
}

func TestAddressCountsTwentyAndSuccessDoesNotClearIt(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		try := func(ip string, right bool) error {
			_, err := p.Attempts.Try(context.Background(), func(context.Context) (bool, error) { return right, nil }, attempts.Account(domain.NewID()), attempts.Address(ip))
			return err
		}
		for i := range 20 {
			if err := errors.Join(try("2001:db8::1", false), try("2001:db8:1::1", true)); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
			if i == 10 {
				if err := try("2001:db8::1", true); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := try("2001:db8::ffff", true); fault.CodeOf(err) != attempts.CodeTooMany { // the same household
			t.Errorf("got %v", err)
		}
		if err := errors.Join(try("2001:db8:1::1", true), try("", true)); err != nil {
			t.Error(err)
		}
	})
}
