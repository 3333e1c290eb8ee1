package caching_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
)

type value struct{ N int64 }

func open(t *testing.T, cfg caching.Config) (*caching.Cached[value], caching.Deps) {
	t.Helper()
	memory, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	deps := caching.Deps{Cache: memory, Bus: membus.New(), Logger: slog.New(slog.DiscardHandler)}
	cfg.Prefix = "test"
	if cfg.TTL == 0 {
		cfg.TTL = time.Hour
	}
	return caching.New[value](deps, cfg), deps
}

// counter loads 1, 2, 3…
type counter struct{ n atomic.Int64 }

func (c *counter) load(context.Context) (value, error) { return value{c.n.Add(1)}, nil }

func get(t *testing.T, c *caching.Cached[value], key string, load func(context.Context) (value, error)) int64 {
	t.Helper()
	v, err := c.Get(t.Context(), key, load)
	if err != nil {
		t.Fatal(err)
	}
	return v.N
}

func TestAValueIsLoadedOnceAndForgottenOnDemand(t *testing.T) {
	t.Parallel()
	c, _ := open(t, caching.Config{})
	var loads counter
	if a, b := get(t, c, "a", loads.load), get(t, c, "a", loads.load); a != 1 || b != 1 {
		t.Errorf("got %d, then %d", a, b)
	}
	if other := get(t, c, "b", loads.load); other != 2 {
		t.Errorf("another key got %d", other)
	}
	c.Forget(t.Context(), "a")
	if a, b := get(t, c, "a", loads.load), get(t, c, "b", loads.load); a != 3 || b != 2 {
		t.Errorf("after Forget: %d, %d", a, b)
	}
	c.ForgetAll()
	if a := get(t, c, "a", loads.load); a != 4 {
		t.Errorf("after ForgetAll: %d", a)
	}
}

func TestManyThatAskAtOnceCostOneLoad(t *testing.T) {
	t.Parallel()
	c, _ := open(t, caching.Config{})
	var loads counter
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if v, err := c.Get(context.Background(), "a", func(ctx context.Context) (value, error) {
				<-release
				return loads.load(ctx)
			}); err != nil || v.N != 1 {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
	close(release)
	wg.Wait()
}

func TestAnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	c, _ := open(t, caching.Config{})
	broken := errors.New("broken")
	if _, err := c.Get(t.Context(), "a", func(context.Context) (value, error) { return value{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	var loads counter
	if n := get(t, c, "a", loads.load); n != 1 {
		t.Errorf("got %d", n)
	}
}

func TestALoadThatWasForgottenIsNotKept(t *testing.T) {
	t.Parallel()
	c, _ := open(t, caching.Config{})
	started, release := make(chan struct{}), make(chan struct{})
	old := make(chan int64)
	go func() {
		v, _ := c.Get(context.Background(), "a", func(context.Context) (value, error) {
			close(started)
			<-release
			return value{-1}, nil
		})
		old <- v.N
	}()
	<-started
	c.Forget(t.Context(), "a")
	var loads counter
	if n := get(t, c, "a", loads.load); n != 1 {
		t.Errorf("who asks after the change got %d", n)
	}
	close(release)
	if n := <-old; n != -1 {
		t.Errorf("who asked before got %d", n)
	}
	if n := get(t, c, "a", loads.load); n != 1 {
		t.Errorf("the old value was kept: %d", n)
	}
}

func TestWhoWaitsMayGoAndTheLoadGoesOn(t *testing.T) {
	t.Parallel()
	c, _ := open(t, caching.Config{})
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	load := func(ctx context.Context) (value, error) {
		<-release
		return value{7}, ctx.Err()
	}
	if _, err := c.Get(ctx, "a", load); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if n := get(t, c, "a", load); n != 7 {
		t.Errorf("got %d", n)
	}
}

func TestTheBusMakesValuesOld(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]caching.Config{"one": {}, "all": {ForgetAll: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.Topics = []bus.Topic{bus.TopicUser}
			c, deps := open(t, cfg)
			ctx, cancel := context.WithCancel(t.Context())
			listening := make(chan error)
			go func() { listening <- c.Listen(ctx) }()
			id, bystander := domain.NewID(), domain.NewID()
			var loads counter
			get(t, c, bystander.String(), loads.load)
			deadline := time.Now().Add(10 * time.Second)
			first := get(t, c, id.String(), loads.load)
			for get(t, c, id.String(), loads.load) == first {
				if time.Now().After(deadline) {
					t.Fatal("the message changed nothing")
				}
				if err := deps.Bus.Publish(ctx, caching.Changed(bus.TopicUser, id)...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-listening; !errors.Is(err, context.Canceled) {
				t.Errorf("Listen ended with %v", err)
			}
		})
	}
}

// lost is a cache out of reach.
type lost struct{ cache.Cache }

func (lost) Get(context.Context, string) ([]byte, bool, error)        { return nil, false, errors.New("gone") }
func (lost) Set(context.Context, string, []byte, time.Duration) error { return errors.New("gone") }
func (lost) Delete(context.Context, ...string) error                  { return errors.New("gone") }

func TestALostCacheCostsLoadsAndNothingElse(t *testing.T) {
	t.Parallel()
	c := caching.New[value](caching.Deps{Cache: lost{}, Logger: slog.New(slog.DiscardHandler)}, caching.Config{Prefix: "x", TTL: time.Hour})
	var loads counter
	if a, b := get(t, c, "a", loads.load), get(t, c, "a", loads.load); a != 1 || b != 2 {
		t.Errorf("got %d, %d", a, b)
	}
	c.Forget(t.Context(), "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Listen(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
