package flight_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/revenge-media/revenge/core/flight"
)

func TestManyAskersCauseOneRun(t *testing.T) {
	t.Parallel()
	var g flight.Group[int]
	var runs atomic.Int32
	started, release := make(chan struct{}), make(chan struct{})
	work := func(context.Context) (int, error) {
		if runs.Add(1) == 1 {
			close(started)
		}
		<-release
		return 42, nil
	}
	var all sync.WaitGroup
	all.Go(func() { g.Do(t.Context(), "k", work) })
	<-started
	var asked sync.WaitGroup
	for range 20 {
		asked.Add(1)
		all.Go(func() {
			asked.Done()
			if v, err := g.Do(t.Context(), "k", func(context.Context) (int, error) { runs.Add(1); <-release; return 42, nil }); v != 42 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
		})
	}
	asked.Wait()
	if v, err := g.Do(t.Context(), "other", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("another key: %d, %v", v, err)
	}
	close(release)
	all.Wait()
	if v, err := g.Do(t.Context(), "k", func(context.Context) (int, error) { return 1, errors.New("x") }); v != 1 || err == nil {
		t.Errorf("afterwards work runs anew: %d, %v", v, err)
	}
}

func TestWorkEndsWhenNobodyWaits(t *testing.T) {
	t.Parallel()
	var g flight.Group[int]
	started, ended := make(chan struct{}), make(chan struct{})
	one, leaveOne := context.WithCancel(t.Context())
	two, leaveTwo := context.WithCancel(t.Context())
	work := func(ctx context.Context) (int, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return 0, ctx.Err()
	}
	results := make(chan error, 2)
	go func() { _, err := g.Do(one, "k", work); results <- err }()
	<-started
	joined := make(chan struct{})
	go func() {
		close(joined)
		_, err := g.Do(two, "k", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		results <- err
	}()
	<-joined
	leaveOne()
	leaveTwo()
	for range 2 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("an asker that left got %v", err)
		}
	}
	<-ended
}

func TestAGateLetsItsNumberThrough(t *testing.T) {
	t.Parallel()
	g := flight.NewGate(1)
	leave, err := g.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	full, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Enter(full); !errors.Is(err, context.Canceled) {
		t.Errorf("a full gate: %v", err)
	}
	leave()
	if _, err := g.Enter(t.Context()); err != nil {
		t.Error(err)
	}
}
