package cache

import (
	"context"
	"time"
)

// LeaseTime is how long a lease lasts: what took longer to load is not kept. With a value's own time to live it bounds how old a shared value can be,
// whatever was lost.
const LeaseTime = time.Second

// Lease is the right to fill in one value that was absent; the zero Lease is none.
type Lease string

// Shared is a cache of several processes. Values are loaded by whoever misses them, so a value that was read before a change could arrive after the
// change was told. Leases prevent it: who misses gets a lease, deleting ends the leases too, and only a lease that lasts fills in its value.
//
// Groups keep the keys of different caches apart. Implementations are safe for concurrent use; returned slices belong to the caller. An error
// means that the cache is out of reach; it says so fast, since what it holds can be had elsewhere. After a time out of reach nothing is returned that
// was filled in before its end, as deletions of that time may have been lost.
type Shared interface {
	// Lease returns the value, or else ok is false and a lease to fill it in. Of several that miss at once each gets one that works.
	Lease(ctx context.Context, group, key string) (value []byte, ok bool, lease Lease, err error)
	// Fill keeps a value for ttl, which is positive, if its lease lasts: else it does nothing and kept is false. The time of both is the cache's own.
	Fill(ctx context.Context, group, key string, lease Lease, value []byte, ttl time.Duration) (kept bool, err error)
	// Keep keeps a value for ttl, which is positive, instead of any that was there, and ends the leases of its key. It is for what is true because it was
	// kept and has no other source: losing it is still allowed.
	Keep(ctx context.Context, group, key string, value []byte, ttl time.Duration) error
	// Delete removes keys and ends their leases.
	Delete(ctx context.Context, group string, keys ...string) error
	// DeleteAll removes every key of a group and ends their leases.
	DeleteAll(ctx context.Context, group string) error
	// Ping returns how long the cache takes to answer, or an error when it is out of reach.
	Ping(ctx context.Context) (time.Duration, error)
	// Stats returns hits and misses since the start.
	Stats() (hits, misses uint64)
}
