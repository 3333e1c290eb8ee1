// Package cache is what the core needs of a cache: bytes by key, for a while. Losing any of it is always allowed.
package cache

import (
	"context"
	"time"
)

// Cache keeps small values. Implementations are safe for concurrent use. Returned slices are the cache's: callers read them only.
type Cache interface {
	// Get returns the value; ok is false when it is absent or expired. An error means that the cache is out of reach.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Set keeps a value for ttl, which is positive.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete removes keys; absent ones are no error.
	Delete(ctx context.Context, keys ...string) error
	// Stats returns hits and misses since the start.
	Stats() (hits, misses uint64)
}
