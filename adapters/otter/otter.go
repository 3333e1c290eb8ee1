// Package otter is ports/cache in this process's memory (W-TinyLFU), bounded by weight.
package otter

import (
	"context"
	"slices"
	"time"

	vendor "github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"github.com/revenge-media/revenge/core/fault"
)

// Config bounds the cache.
type Config struct {
	// MaxBytes is the most that keys and values may weigh together; 0 means 64 MiB.
	MaxBytes uint64
}

// Cache keeps values in memory.
type Cache struct {
	entries *vendor.Cache[string, entry]
	counter *stats.Counter
}

type entry struct {
	value []byte
	ttl   time.Duration
}

// overhead is about what an entry costs beside its bytes.
const overhead = 128

// Open returns an empty cache.
func Open(_ context.Context, config Config) (*Cache, error) {
	if config.MaxBytes == 0 {
		config.MaxBytes = 64 << 20
	}
	counter := stats.NewCounter()
	entries, err := vendor.New(&vendor.Options[string, entry]{
		MaximumWeight: config.MaxBytes,
		Weigher: func(key string, e entry) uint32 {
			return uint32(min(len(key)+len(e.value)+overhead, 1<<30)) //nolint:gosec // bounded by min
		},
		ExpiryCalculator: vendor.ExpiryWritingFunc(func(e vendor.Entry[string, entry]) time.Duration { return e.Value.ttl }),
		StatsRecorder:    counter,
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cache.open", "The memory cache could not be made.")
	}
	return &Cache{entries: entries, counter: counter}, nil
}

// Get implements cache.Cache.
func (c *Cache) Get(_ context.Context, key string) ([]byte, bool, error) {
	e, ok := c.entries.GetIfPresent(key)
	return e.value, ok, nil
}

// Set keeps a copy of the value.
func (c *Cache) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return fault.New(fault.Internal, "cache.ttl", "A cached value needs a time to live.")
	}
	c.entries.Set(key, entry{slices.Clone(value), ttl})
	return nil
}

// Delete removes keys.
func (c *Cache) Delete(_ context.Context, keys ...string) error {
	for _, k := range keys {
		c.entries.Invalidate(k)
	}
	return nil
}

// Stats returns hits and misses.
func (c *Cache) Stats() (hits, misses uint64) {
	s := c.counter.Snapshot()
	return s.Hits, s.Misses
}
