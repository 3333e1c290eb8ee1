package views_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/dragonfly"
	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/views"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/testkit/world"
)

// process is one server's views.
type process struct {
	t *testing.T
	*views.Service
	bus   bus.Bus
	loads atomic.Int64
}

func open(t *testing.T, b bus.Bus, shared cache.Shared) *process {
	t.Helper()
	own, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, bus: b, Service: views.New(views.Deps{Cache: own, Shared: shared, Bus: b, Logger: slog.New(slog.DiscardHandler)})}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Listen(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	probe := views.Asked{Scope: domain.ScopeOf(domain.NewID()), Name: "probe"}
	world.Until(t, "it listens", func() bool {
		before := p.get(probe)
		p.tell(bus.TopicMovie, probe.Scope.Libraries()[0])
		return p.get(probe) != before
	})
	return p
}

// get returns the number of the load that the view was read by.
func (p *process) get(a views.Asked) string {
	p.t.Helper()
	v, err := views.Get(p.t.Context(), p.Service, a, func(context.Context) (int64, error) { return p.loads.Add(1), nil })
	if err != nil {
		p.t.Fatal(err)
	}
	return string(v.JSON)
}

func (p *process) tell(topic bus.Topic, id domain.ID) {
	p.t.Helper()
	if err := p.bus.Publish(p.t.Context(), bus.Message{Topic: topic, Payload: []byte(id.String())}); err != nil {
		p.t.Fatal(err)
	}
}

func TestAViewIsReadOnceUntilWhatItShowsChanges(t *testing.T) {
	t.Parallel()
	p := open(t, membus.New(), nil)
	one, two, viewer, other := domain.NewID(), domain.NewID(), domain.NewID(), domain.NewID()
	both := views.Asked{Scope: domain.ScopeOf(one, two), User: viewer, Name: "list"}
	for what, c := range map[string]struct {
		asked views.Asked
		old   map[domain.ID]bus.Topic // what makes it old
		still map[domain.ID]bus.Topic // what does not
	}{
		"both libraries": {both, map[domain.ID]bus.Topic{one: bus.TopicMovie, two: bus.TopicAccess, viewer: bus.TopicWatch}, map[domain.ID]bus.Topic{other: bus.TopicWatch, domain.NewID(): bus.TopicMovie}},
		"one library":    {views.Asked{Scope: domain.ScopeOf(one), User: viewer, Name: "list"}, map[domain.ID]bus.Topic{one: bus.TopicMovie, viewer: bus.TopicWatch}, map[domain.ID]bus.Topic{two: bus.TopicMovie}},
		"all libraries":  {views.Asked{Scope: domain.ScopeAll(), User: viewer, Name: "list"}, map[domain.ID]bus.Topic{one: bus.TopicMovie, two: bus.TopicAccess, viewer: bus.TopicWatch}, nil},
		"nobody's":       {views.Asked{Scope: domain.ScopeOf(one), Name: "image"}, map[domain.ID]bus.Topic{one: bus.TopicMovie}, map[domain.ID]bus.Topic{viewer: bus.TopicWatch}},
	} {
		for id, topic := range c.old {
			before := p.get(c.asked)
			p.tell(topic, id)
			if p.get(c.asked) == before {
				t.Errorf("%s: %s of %s was told, and the old view is shown", what, topic, id)
			}
		}
		for id, topic := range c.still {
			// What was told before may still be under way to who listens.
			world.Until(t, what+": kept", func() bool {
				before := p.get(c.asked)
				p.tell(topic, id)
				return p.get(c.asked) == before
			})
		}
	}
}

func TestNobodyIsShownAnothersView(t *testing.T) {
	t.Parallel()
	p := open(t, membus.New(), nil)
	one, two, viewer := domain.NewID(), domain.NewID(), domain.NewID()
	same := views.Asked{Scope: domain.ScopeOf(one, two), User: viewer, Name: "list", With: "a"}
	first := p.get(same)
	if again := p.get(views.Asked{Scope: domain.ScopeOf(two, one), User: viewer, Name: "list", With: "a"}); again != first {
		t.Errorf("who asks for the same is shown %s, not %s", again, first)
	}
	for what, a := range map[string]views.Asked{
		"another account":   {Scope: same.Scope, User: domain.NewID(), Name: "list", With: "a"},
		"nobody":            {Scope: same.Scope, Name: "list", With: "a"},
		"who sees less":     {Scope: domain.ScopeOf(one), User: viewer, Name: "list", With: "a"},
		"who sees nothing":  {User: viewer, Name: "list", With: "a"},
		"who sees all":      {Scope: domain.ScopeAll(), User: viewer, Name: "list", With: "a"},
		"another list":      {Scope: same.Scope, User: viewer, Name: "continue", With: "a"},
		"another question":  {Scope: same.Scope, User: viewer, Name: "list", With: "b"},
		"another separator": {Scope: same.Scope, User: viewer, Name: "lis", With: "ta"},
	} {
		if got := p.get(a); got == first {
			t.Errorf("%s is shown what was read for the first", what)
		}
	}
	// A newer version of the program, whose films have a field more, asks for the same (R17).
	v, err := views.Get(t.Context(), p.Service, same, func(context.Context) (struct{ N int }, error) { return struct{ N int }{7}, nil })
	if err != nil || string(v.JSON) != `{"N":7}` {
		t.Errorf("another type is shown %s, %v", v.JSON, err)
	}
}

func TestAViewTellsItsContentApart(t *testing.T) {
	t.Parallel()
	a, err := views.Of(map[string]int{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	data, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var read views.View
	if err := read.UnmarshalBinary(data); err != nil || read.ETag != a.ETag || string(read.JSON) != `{"n":1}` {
		t.Errorf("read %q %s, %v", read.ETag, read.JSON, err)
	}
	if err := read.UnmarshalBinary(data[:5]); err == nil {
		t.Error("five bytes were taken for a view")
	}
	if b, err := views.Of(map[string]int{"n": 2}); err != nil || b.ETag == a.ETag {
		t.Errorf("two views have the entity tag %s, %v", a.ETag, err)
	}
	if _, err := views.Of(func() {}); err == nil {
		t.Error("a function was shown")
	}
}

func TestAnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	p := open(t, membus.New(), nil)
	asked := views.Asked{Scope: domain.ScopeAll(), Name: "movie"}
	if _, err := views.Read(t.Context(), p.Service, asked, func(context.Context) (string, error) { return "", fmt.Errorf("gone") }); err == nil {
		t.Error("the error was lost")
	}
	if v, err := views.Read(t.Context(), p.Service, asked, func(context.Context) (string, error) { return "back", nil }); err != nil || v != "back" {
		t.Errorf("got %q, %v", v, err)
	}
}

// shared returns processes of one installation.
func shared(t *testing.T, n int) (all []*process) {
	t.Helper()
	url := os.Getenv("REVENGE_TEST_REDIS")
	if url == "" {
		t.Skip("REVENGE_TEST_REDIS is not set: scripts/with-services sets it")
	}
	prefix := "test:" + domain.NewID().String() + ":"
	for range n {
		conn, err := dragonfly.Open(t.Context(), url, dragonfly.Options{Prefix: prefix, Timeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		all = append(all, open(t, conn.Bus(), conn.Shared()))
	}
	return all
}

func TestProcessesShareViewsAndHearOfEachOthersChanges(t *testing.T) {
	t.Parallel()
	p := shared(t, 2)
	one := domain.NewID()
	asked := views.Asked{Scope: domain.ScopeOf(one), User: domain.NewID(), Name: "list"}
	p[1].loads.Store(1000) // so that it shows who read a view
	world.Until(t, "what one read the other is shown", func() bool { return p[0].get(asked) == p[1].get(asked) })
	before := p[0].get(asked)
	p[1].tell(bus.TopicMovie, one)
	if p[1].get(asked) == before {
		t.Error("who told of the change is shown the old view")
	}
	world.Until(t, "the other hears of it", func() bool { return p[0].get(asked) != before })
}

// Processes that share a database and no bus hear nothing of each other.
func TestAViewIsNotShownForLongWhereNobodyTellsOfChanges(t *testing.T) {
	t.Parallel()
	for alone, outlives := range map[bool]bool{true: true, false: false} {
		memory := &lives{}
		s := views.New(views.Deps{Cache: memory, Bus: membus.New(), Alone: alone, Logger: slog.New(slog.DiscardHandler)})
		if _, err := views.Get(t.Context(), s, views.Asked{Scope: domain.ScopeAll(), Name: "list"}, func(context.Context) (int, error) { return 1, nil }); err != nil {
			t.Fatal(err)
		}
		if got := memory.least() > time.Second; got != outlives {
			t.Errorf("alone %t: a stamp lives for %s", alone, memory.least())
		}
	}
}

// lives is a cache that notes how long things shall be kept.
type lives struct {
	mu   sync.Mutex
	ttls []time.Duration
}

func (l *lives) Get(context.Context, string) ([]byte, bool, error) { return nil, false, nil }

func (l *lives) Set(_ context.Context, _ string, _ []byte, ttl time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ttls = append(l.ttls, ttl)
	return nil
}

func (l *lives) Delete(context.Context, ...string) error { return nil }

func (l *lives) Stats() (hits, misses uint64) { return 0, 0 }

func (l *lives) least() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Min(l.ttls)
}
