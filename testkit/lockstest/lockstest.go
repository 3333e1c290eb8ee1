// Package lockstest holds every adapter of ports/locks to its contract.
package lockstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/locks"
)

// ttl is longer than any test: what ends before does so for a reason.
const ttl = time.Minute

// patience is how long something that must happen may take.
const patience = 10 * time.Second

// Run runs the suite; open returns two lockers that share their locks, as two processes do. They may be the same, and others may use them too.
func Run(t *testing.T, open func(t *testing.T) (a, b locks.Locker)) {
	try := func(t *testing.T, l locks.Locker, name string) locks.Lease {
		t.Helper()
		lease, err := l.TryAcquire(t.Context(), name, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return lease
	}
	release := func(t *testing.T, l locks.Lease) {
		t.Helper()
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("OneHoldsItUntilItIsReleased", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		name := domain.NewID().String()
		held := try(t, a, name)
		for _, l := range []locks.Locker{a, b} {
			if _, err := l.TryAcquire(t.Context(), name, ttl); fault.CodeOf(err) != locks.CodeHeld || fault.KindOf(err) != fault.Conflict {
				t.Errorf("another got %v", err)
			}
		}
		try(t, b, name+"x") // names are apart
		select {
		case <-held.Lost():
			t.Error("it is said to be lost")
		default:
		}
		release(t, held)
		<-held.Lost()
		again := try(t, b, name)
		release(t, held) // takes nothing from who holds it now
		if _, err := a.TryAcquire(t.Context(), name, ttl); fault.CodeOf(err) != locks.CodeHeld {
			t.Errorf("the earlier holder ended the later lease: %v", err)
		}
		release(t, again)
	})
	t.Run("TokensGrow", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		name, last := domain.NewID().String(), int64(0)
		for i := range 20 {
			held := try(t, []locks.Locker{a, b}[i%2], name)
			if held.Token() <= last {
				t.Fatalf("token %d after %d", held.Token(), last)
			}
			last = held.Token()
			release(t, held)
		}
	})
	t.Run("WhoWaitsGetsItNext", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		name := domain.NewID().String()
		held := try(t, a, name)
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := b.Acquire(short, name, ttl); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		got := make(chan locks.Lease)
		go func() {
			lease, err := b.Acquire(t.Context(), name, ttl)
			if err != nil {
				t.Error(err)
			}
			got <- lease
		}()
		release(t, held)
		select {
		case lease := <-got:
			if lease != nil {
				release(t, lease)
			}
		case <-time.After(patience):
			t.Fatal("nobody told it")
		}
	})
	t.Run("OneAtATime", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		name, inside, counted := domain.NewID().String(), 0, 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 3 {
					held, err := []locks.Locker{a, b}[i%2].Acquire(t.Context(), name, ttl)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if inside++; inside > 1 {
						t.Errorf("%d hold it", inside)
					}
					counted++
					mu.Unlock()
					mu.Lock()
					inside--
					mu.Unlock()
					if err := held.Release(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if counted != 24 {
			t.Errorf("%d held it", counted)
		}
	})
	t.Run("ALeaseIsRenewedWhileItsHolderLives", func(t *testing.T) {
		t.Parallel()
		a, b := open(t)
		name := domain.NewID().String()
		ctx, cancel := context.WithCancel(t.Context())
		held, err := a.TryAcquire(ctx, name, locks.MinTTL)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		waiting, stop := context.WithTimeout(t.Context(), 5*locks.MinTTL)
		defer stop()
		if lease, err := b.Acquire(waiting, name, ttl); err == nil {
			select {
			case <-held.Lost(): // on a machine that stood still for a ttl, which the holder was told of
				release(t, lease)
				t.Skip("the lease could not be renewed in time")
			default:
				t.Error("another got it while it was held")
			}
		}
		release(t, held)
	})
	t.Run("WhatIsNoLockIsRefused", func(t *testing.T) {
		t.Parallel()
		a, _ := open(t)
		for _, bad := range []struct {
			name string
			ttl  time.Duration
		}{{"", ttl}, {"x", 0}, {"x", -1}, {"x", locks.MinTTL - 1}} {
			if _, err := a.TryAcquire(t.Context(), bad.name, bad.ttl); fault.CodeOf(err) != locks.CodeBadLock {
				t.Errorf("%+v: %v", bad, err)
			}
			if _, err := a.Acquire(t.Context(), bad.name, bad.ttl); fault.CodeOf(err) != locks.CodeBadLock {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}
