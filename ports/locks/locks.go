// Package locks lets one of several processes do something, for as long as it lives.
//
// A lock alone proves nothing: a holder that was suspended may go on as if it still held it. So each lease has a fencing token, which grows with every
// lease of the name; who writes on behalf of a lease shows it, and what has seen a greater one refuses.
package locks

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/fault"
)

const (
	// CodeHeld is Conflict: another holds the lock.
	CodeHeld = "locks.held"
	// CodeBadLock is Invalid: a lock without a name, or a time to live under MinTTL.
	CodeBadLock = "locks.bad_lock"
	// MinTTL is the shortest time to live: renewals need time.
	MinTTL = 100 * time.Millisecond
)

// Locker hands out leases. It is safe for concurrent use.
type Locker interface {
	// Acquire waits until it holds the named lock or ctx ends. ttl is how long the lock outlives a holder that died; while the holder lives the lease
	// is renewed by itself, also after ctx has ended. An error other than ctx's says that the locker is out of reach.
	Acquire(ctx context.Context, name string, ttl time.Duration) (Lease, error)
	// TryAcquire is Acquire without waiting: Conflict with CodeHeld when another holds the lock.
	TryAcquire(ctx context.Context, name string, ttl time.Duration) (Lease, error)
}

// Lease is a lock that is held.
type Lease interface {
	// Token is greater than that of every earlier lease of the name, and positive.
	Token() int64
	// Lost is closed when the lock is not held any more, or nobody can tell: at the latest ttl after the last renewal that is known to have worked.
	Lost() <-chan struct{}
	// Release gives the lock back and closes Lost. Releasing again, or what was lost, is no error; an error says that the lock may last for its ttl.
	Release(ctx context.Context) error
}

// Check returns Invalid for what is no lock.
func Check(name string, ttl time.Duration) error {
	if name == "" || ttl < MinTTL {
		return fault.New(fault.Invalid, CodeBadLock, "A lock needs a name and a time to live of at least %s.", MinTTL)
	}
	return nil
}

// Held returns the error of a lock that another holds.
func Held(name string) error {
	return fault.New(fault.Conflict, CodeHeld, "Another process holds the lock %q.", name)
}
