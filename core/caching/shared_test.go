package caching_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/dragonfly"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
)

// process is a cache with its connection to what it shares with others.
type process struct {
	*caching.Cached[value]
	conn *dragonfly.Conn
}

// processes are as many that share a cache and a bus.
func processes(t *testing.T, n int, cfg caching.Config) []process {
	t.Helper()
	url := os.Getenv("REVENGE_TEST_REDIS")
	if url == "" {
		t.Skip("REVENGE_TEST_REDIS is not set: scripts/with-services sets it")
	}
	prefix := "test:" + domain.NewID().String() + ":"
	cfg.Prefix = "test"
	var all []process
	for range n {
		quiet := slog.New(slog.DiscardHandler)
		conn, err := dragonfly.Open(t.Context(), url, dragonfly.Options{Prefix: prefix, Timeout: 5 * time.Second, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		own, err := otter.Open(t.Context(), otter.Config{})
		if err != nil {
			t.Fatal(err)
		}
		deps := caching.Deps{Cache: own, Shared: conn.Shared(), Bus: conn.Bus(), Logger: quiet}
		all = append(all, process{caching.New[value](deps, cfg), conn})
	}
	return all
}

func TestProcessesShareWhatOneLoaded(t *testing.T) {
	t.Parallel()
	p := processes(t, 2, caching.Config{TTL: time.Hour})
	var loads counter
	if a, b := get(t, p[0].Cached, "k", loads.load), get(t, p[1].Cached, "k", loads.load); a != 1 || b != 1 {
		t.Errorf("got %d and %d", a, b)
	}
	for what, forget := range map[string]func(){
		"one": func() { p[1].Forget(t.Context(), "k") },
		"all": func() { p[1].ForgetAll() },
	} {
		before := loads.n.Load()
		forget()
		if b := get(t, p[1].Cached, "k", loads.load); b != before+1 {
			t.Errorf("%s: who forgot got %d after %d", what, b, before)
		}
		if a := get(t, p[0].Cached, "k", loads.load); a != 1 {
			t.Errorf("%s: a process that heard nothing keeps its own, and got %d", what, a)
		}
	}
}

// A reads a value, B changes it and says so, and only then A's old value arrives at the shared cache.
func TestALoadFromBeforeAChangeIsNotShared(t *testing.T) {
	t.Parallel()
	for what, forget := range map[string]func(process){
		"one": func(p process) { p.Forget(context.Background(), "k") },
		"all": func(p process) { p.ForgetAll() },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := processes(t, 3, caching.Config{TTL: time.Hour})
			read, changed := make(chan struct{}), make(chan struct{})
			done := make(chan int64)
			go func() {
				v, _ := p[0].Get(context.Background(), "k", func(context.Context) (value, error) {
					close(read)
					<-changed
					return value{-1}, nil
				})
				done <- v.N
			}()
			<-read
			forget(p[1])
			close(changed)
			if n := <-done; n != -1 {
				t.Errorf("who asked before the change got %d", n)
			}
			var loads counter
			if n := get(t, p[2].Cached, "k", loads.load); n != 1 {
				t.Errorf("the old value was shared: %d", n)
			}
			if n := get(t, p[1].Cached, "k", loads.load); n != 1 {
				t.Errorf("the new value was not shared: %d", n)
			}
		})
	}
}

// slowShared is a shared cache that hands out what it has only when it is told to.
type slowShared struct {
	cache.Shared
	once          sync.Once
	read, release chan struct{}
}

func (s *slowShared) Lease(ctx context.Context, group, key string) ([]byte, bool, cache.Lease, error) {
	value, ok, lease, err := s.Shared.Lease(ctx, group, key)
	if ok {
		s.once.Do(func() { close(s.read) })
		<-s.release
	}
	return value, ok, lease, err
}

func TestASharedValueThatArrivesAfterAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	p := processes(t, 1, caching.Config{TTL: time.Hour})
	own, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	slow := &slowShared{Shared: p[0].conn.Shared(), read: make(chan struct{}), release: make(chan struct{})}
	c := caching.New[value](caching.Deps{Cache: own, Shared: slow, Logger: slog.New(slog.DiscardHandler)}, caching.Config{Prefix: "test", TTL: time.Hour})
	var loads counter
	get(t, p[0].Cached, "k", loads.load)
	old := make(chan int64)
	go func() {
		v, _ := c.Get(context.Background(), "k", loads.load)
		old <- v.N
	}()
	<-slow.read
	c.Forget(t.Context(), "k")
	close(slow.release)
	if n := <-old; n != 1 {
		t.Errorf("who asked before the change got %d", n)
	}
	if n := get(t, c, "k", loads.load); n != 2 {
		t.Errorf("who asks after the change got %d", n)
	}
}

func TestAGapMakesEverythingOld(t *testing.T) {
	t.Parallel()
	messages := make(chan bus.Message)
	own, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := caching.New[value](caching.Deps{Cache: own, Bus: given{messages}, Logger: slog.New(slog.DiscardHandler)},
		caching.Config{Prefix: "test", TTL: time.Hour, Topics: []bus.Topic{bus.TopicUser}})
	ended := make(chan error)
	go func() { ended <- c.Listen(t.Context()) }()
	messages <- bus.Message{Topic: bus.TopicUser, Payload: []byte("another")}
	var loads counter
	get(t, c, "k", loads.load)
	messages <- bus.Message{Gap: true}
	messages <- bus.Message{Topic: bus.TopicUser, Payload: []byte("another")} // is taken when the gap has been
	if n := get(t, c, "k", loads.load); n != 2 {
		t.Errorf("got %d", n)
	}
	close(messages)
	<-ended
}

// given is a bus with these messages.
type given struct{ messages chan bus.Message }

func (given) Publish(context.Context, ...bus.Message) error          { return nil }
func (given) Ahead(context.Context, func(bus.Message), ...bus.Topic) {}
func (g given) Subscribe(context.Context, ...bus.Topic) (<-chan bus.Message, error) {
	return g.messages, nil
}

// lostShared is a shared cache out of reach.
type lostShared struct{ cache.Shared }

func (lostShared) Lease(context.Context, string, string) ([]byte, bool, cache.Lease, error) {
	return nil, false, "", errors.New("gone")
}
func (lostShared) Delete(context.Context, string, ...string) error { return errors.New("gone") }
func (lostShared) DeleteAll(context.Context, string) error         { return errors.New("gone") }

func TestALostSharedCacheLeavesTheOwn(t *testing.T) {
	t.Parallel()
	own, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c := caching.New[value](caching.Deps{Cache: own, Shared: lostShared{}, Logger: slog.New(slog.DiscardHandler)}, caching.Config{Prefix: "test", TTL: time.Hour})
	var loads counter
	if a, b := get(t, c, "k", loads.load), get(t, c, "k", loads.load); a != 1 || b != 1 {
		t.Errorf("got %d, %d", a, b)
	}
	c.Forget(t.Context(), "k")
	if n := get(t, c, "k", loads.load); n != 2 {
		t.Errorf("after Forget: %d", n)
	}
	c.ForgetAll()
	if n := get(t, c, "k", loads.load); n != 3 {
		t.Errorf("after ForgetAll: %d", n)
	}
}

// Two versions of the program run beside each other during an upgrade (R17).
func TestATypeWithAnotherFieldIsAnotherValue(t *testing.T) {
	t.Parallel()
	p := processes(t, 1, caching.Config{TTL: time.Hour})
	var loads counter
	get(t, p[0].Cached, "k", loads.load)
	type value struct {
		N      int64
		Denied bool
	}
	own, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	newer := caching.New[value](caching.Deps{Cache: own, Shared: p[0].conn.Shared(), Logger: slog.New(slog.DiscardHandler)}, caching.Config{Prefix: "test", TTL: time.Hour})
	v, err := newer.Get(t.Context(), "k", func(context.Context) (value, error) { return value{1, true}, nil })
	if err != nil || !v.Denied {
		t.Errorf("got %+v, %v: the older version's value was taken for its own", v, err)
	}
}
