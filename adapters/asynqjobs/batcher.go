package asynqjobs

import (
	"context"
	"slices"
	"sync"
	"time"
)

// batcher makes one call of many that come together, as databases commit in groups: what comes while a call runs is gathered for the next one.
type batcher[In, Out any] struct {
	// do answers the inputs in their order. Its error is everybody's.
	do func(in []In) ([]Out, error)
	// most bounds the inputs of a call.
	most int
	// lanes is how many calls there are at once; 0 is one.
	lanes int
	// others is how many may come at all. While there are fewer a call waits for them, no longer than patience; nil has it wait for nobody.
	others   func() int
	patience time.Duration

	mu      sync.Mutex
	waiting []*waiter[In, Out]
	running int           // goroutines that call
	came    chan struct{} // somebody came
	group   sync.WaitGroup
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
	b.add(w)
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

// send gives do inputs whose answers nobody waits for.
func (b *batcher[In, Out]) send(in ...In) {
	list := make([]*waiter[In, Out], len(in))
	for i := range in {
		list[i] = &waiter[In, Out]{in: in[i], answered: make(chan struct{})}
	}
	b.add(list...)
}

func (b *batcher[In, Out]) add(list ...*waiter[In, Out]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, list...)
	if b.came == nil {
		b.came = make(chan struct{}, 1)
	}
	if b.running < max(b.lanes, 1) && len(list) > 0 {
		b.running++
		b.group.Go(b.run)
	}
	select {
	case b.came <- struct{}{}:
	default:
	}
}

// wait returns when nobody waits any more.
func (b *batcher[In, Out]) wait() { b.group.Wait() }

// run calls do until nobody waits.
func (b *batcher[In, Out]) run() {
	for {
		if b.others != nil {
			b.gather()
		}
		b.mu.Lock()
		n := min(len(b.waiting), b.most)
		some := slices.Clone(b.waiting[:n])
		b.waiting = slices.Delete(b.waiting, 0, n)
		if n == 0 {
			b.running--
		}
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

// gather waits until all that may come are here, or patience is over.
func (b *batcher[In, Out]) gather() {
	timer := time.NewTimer(b.patience)
	defer timer.Stop()
	for {
		b.mu.Lock()
		n := len(b.waiting)
		b.mu.Unlock()
		if n == 0 || n >= min(b.others(), b.most) {
			return
		}
		select {
		case <-b.came:
		case <-timer.C:
			return
		}
	}
}
