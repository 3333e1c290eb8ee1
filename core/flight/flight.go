// Package flight keeps expensive work from being done twice at once, beyond a limit, or for nobody.
package flight

import (
	"context"
	"sync"
)

// Group runs work once for all who ask for the same key at the same time. The zero value is ready.
type Group[T any] struct {
	mu    sync.Mutex
	calls map[string]*call[T]
}

type call[T any] struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	value   T
	err     error
}

// Do returns what work returns. Work that runs already for the key is waited for. Its ctx has the values of the first asker's and ends when
// the last asker has left, never because one of several did.
func (g *Group[T]) Do(ctx context.Context, key string, work func(ctx context.Context) (T, error)) (T, error) {
	g.mu.Lock()
	if g.calls == nil {
		g.calls = map[string]*call[T]{}
	}
	c, running := g.calls[key]
	if !running {
		inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
		c = &call[T]{done: make(chan struct{}), cancel: cancel}
		g.calls[key] = c
		go func() {
			defer cancel()
			value, err := work(inner)
			g.mu.Lock()
			c.value, c.err = value, err
			if g.calls[key] == c {
				delete(g.calls, key)
			}
			g.mu.Unlock()
			close(c.done)
		}()
	}
	c.waiting++
	g.mu.Unlock()

	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		g.mu.Lock()
		if c.waiting--; c.waiting == 0 {
			c.cancel()
			if g.calls[key] == c {
				delete(g.calls, key) // who comes now starts anew
			}
		}
		g.mu.Unlock()
		var none T
		return none, ctx.Err()
	}
}

// Gate lets a number of callers through at a time.
type Gate chan struct{}

// NewGate lets n through, at least one.
func NewGate(n int) Gate { return make(Gate, max(1, n)) }

// Enter waits for a place, which leave gives back.
func (g Gate) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
