package asynqjobs

import (
	"context"
	"slices"
	"sync"
)

// batcher makes one call of many that come together, as databases commit in groups: what comes while a call runs is gathered for the next one. A call that
// comes alone runs at once and waits for nobody.
type batcher[In, Out any] struct {
	// do answers the inputs in their order. Its error is everybody's.
	do func(in []In) ([]Out, error)
	// most bounds the inputs of a call.
	most int

	mu      sync.Mutex
	waiting []*waiter[In, Out]
	running bool
}

type waiter[In, Out any] struct {
	in       In
	out      Out
	err      error
	answered chan struct{}
}

// call returns what do answers to in. When ctx ends it waits no longer; what do was not given yet it is not given then.
func (b *batcher[In, Out]) call(ctx context.Context, in In) (Out, error) {
	w := &waiter[In, Out]{in: in, answered: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	if !b.running {
		b.running = true
		go b.run()
	}
	b.mu.Unlock()
	select {
	case <-w.answered:
		return w.out, w.err
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		b.waiting = slices.DeleteFunc(b.waiting, func(other *waiter[In, Out]) bool { return other == w })
		var none Out
		return none, ctx.Err()
	}
}

// run calls do until nobody waits.
func (b *batcher[In, Out]) run() {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), b.most)
		some := slices.Clone(b.waiting[:n])
		b.waiting = slices.Delete(b.waiting, 0, n)
		b.running = n > 0
		b.mu.Unlock()
		if n == 0 {
			return
		}
		in := make([]In, n)
		for i, w := range some {
			in[i] = w.in
		}
		out, err := b.do(in)
		for i, w := range some {
			if w.err = err; err == nil {
				w.out = out[i]
			}
			close(w.answered)
		}
	}
}
