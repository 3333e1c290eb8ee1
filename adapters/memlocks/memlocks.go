// Package memlocks is ports/locks within one process.
package memlocks

import (
	"context"
	"sync"
	"time"

	"github.com/revenge-media/revenge/ports/locks"
)

// Locker holds locks in memory. They end with the process, so nothing ever expires.
type Locker struct {
	mu    sync.Mutex
	token int64
	held  map[string]*lease
}

type lease struct {
	locker *Locker
	name   string
	token  int64
	lost   chan struct{}
}

var _ locks.Locker = (*Locker)(nil)

// New returns a locker that holds nothing.
func New() *Locker { return &Locker{held: map[string]*lease{}} }

// TryAcquire implements locks.Locker.
func (l *Locker) TryAcquire(ctx context.Context, name string, ttl time.Duration) (locks.Lease, error) {
	got, _, err := l.take(ctx, name, ttl)
	if err != nil {
		return nil, err
	}
	if got == nil {
		return nil, locks.Held(name)
	}
	return got, nil
}

// Acquire implements locks.Locker.
func (l *Locker) Acquire(ctx context.Context, name string, ttl time.Duration) (locks.Lease, error) {
	for {
		got, other, err := l.take(ctx, name, ttl)
		if err != nil {
			return nil, err
		}
		if got != nil {
			return got, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-other.lost:
		}
	}
}

// take returns the new lease, or else the one that is in its way.
func (l *Locker) take(ctx context.Context, name string, ttl time.Duration) (got, other *lease, err error) {
	if err := locks.Check(name, ttl); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.held[name]; other != nil {
		return nil, other, nil
	}
	l.token = max(l.token+1, time.Now().UnixMicro()) // tokens are stored by who is shown them, so they grow over restarts too
	got = &lease{locker: l, name: name, token: l.token, lost: make(chan struct{})}
	l.held[name] = got
	return got, nil, nil
}

// Token implements locks.Lease.
func (l *lease) Token() int64 { return l.token }

// Lost implements locks.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements locks.Lease.
func (l *lease) Release(context.Context) error {
	l.locker.mu.Lock()
	defer l.locker.mu.Unlock()
	if l.locker.held[l.name] == l {
		delete(l.locker.held, l.name)
		close(l.lost)
	}
	return nil
}
