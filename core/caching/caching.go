// Package caching keeps what the core loads often for a short while: one load for many that ask at once, forgotten when the bus tells of
// a change, and never older than its TTL when the bus lost the message.
//
// Behind the process's own cache there may be one that several processes share. Every process that hears of a change deletes the shared value
// before it forgets its own, so what it reads afterwards was loaded after the change, whoever loaded it (ports/cache, leases). With the bus and every
// deletion lost a value is at most cache.LeaseTime and both levels' times to live old: 4.3 s for what decides on access (R21).
package caching

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"log/slog"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
)

// Access is the TTL of whatever decides on access (sessions, accounts, libraries that one may see): with the time that loading takes it
// stays within the second in which a revocation takes effect (S7).
const Access = 800 * time.Millisecond

// SharedAccess is the TTL of the same in the cache that processes share, where a deletion reaches all of them at once.
const SharedAccess = 2500 * time.Millisecond

// Deps is what a cache is made of.
type Deps struct {
	Cache cache.Cache
	// Shared is behind Cache; nil: this process caches for itself.
	Shared cache.Shared
	// Bus tells of changes; nil leaves them to the TTL.
	Bus    bus.Bus
	Logger *slog.Logger
}

// Config is one cache.
type Config struct {
	// Prefix keeps its keys apart from other caches'.
	Prefix string
	TTL    time.Duration
	// Topics are the messages that make values old: by default the one whose key is the payload, with ForgetAll every value.
	Topics    []bus.Topic
	ForgetAll bool
}

// Cached keeps values of T, which must survive JSON, or have a binary form of their own (encoding.BinaryMarshaler, and *T BinaryUnmarshaler). It is safe
// for concurrent use.
type Cached[T any] struct {
	deps  Deps
	cfg   Config
	group string // of shared values

	mu      sync.Mutex
	epoch   int64  // part of every key, so that ForgetAll is one addition
	prefix  string // of every key in this epoch
	flights map[string]*flight[T]
	decoded map[string]decoded[T]
}

// decoded is a value with the bytes that it was read from. The cache alone says what is kept and for how long; who reads the same bytes
// again need not decode them again.
type decoded[T any] struct {
	data  []byte
	value T
}

// maxDecoded bounds the values that are kept decoded.
const maxDecoded = 1000

// flight is one load that others wait for.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// New returns an empty cache.
func New[T any](deps Deps, cfg Config) *Cached[T] {
	c := &Cached[T]{deps: deps, cfg: cfg, group: cfg.Prefix + ":" + Shape(reflect.TypeFor[T]()), epoch: time.Now().UnixNano()}
	c.startEpoch()
	return c
}

// startEpoch begins with nothing kept.
func (c *Cached[T]) startEpoch() {
	c.prefix = c.cfg.Prefix + ":" + strconv.FormatInt(c.epoch, 36) + ":"
	c.flights, c.decoded = map[string]*flight[T]{}, map[string]decoded[T]{}
}

// Get returns the kept value, or loads it. Of many that ask at once one loads; errors are not kept. A cache out of reach costs a load.
// Callers share the value, so they do not change what it refers to.
func (c *Cached[T]) Get(ctx context.Context, key string, load func(ctx context.Context) (T, error)) (T, error) {
	full := c.full(key)
	if data, ok, err := c.deps.Cache.Get(ctx, full); err == nil && ok {
		if value, err := c.decode(full, data); err == nil {
			return value, nil
		}
	}
	c.mu.Lock()
	f, ok := c.flights[full]
	if !ok {
		f = &flight[T]{done: make(chan struct{})}
		c.flights[full] = f
		go c.run(context.WithoutCancel(ctx), key, full, f, load) // it serves others too, so it outlives who asked first
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

func (c *Cached[T]) full(key string) string {
	c.mu.Lock()
	prefix := c.prefix
	c.mu.Unlock()
	return prefix + key
}

func encode(v any) []byte {
	var data []byte
	if own, ok := v.(encoding.BinaryMarshaler); ok {
		data, _ = own.MarshalBinary()
	} else {
		data, _ = json.Marshal(v)
	}
	return data // nil: what cannot be kept is loaded each time
}

func (c *Cached[T]) decode(full string, data []byte) (value T, err error) {
	if own, ok := any(&value).(encoding.BinaryUnmarshaler); ok {
		return value, own.UnmarshalBinary(data)
	}
	c.mu.Lock()
	had, ok := c.decoded[full]
	c.mu.Unlock()
	if ok && bytes.Equal(had.data, data) {
		return had.value, nil
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.decoded) >= maxDecoded {
		clear(c.decoded)
	}
	c.decoded[full] = decoded[T]{data, value}
	return value, nil
}

func (c *Cached[T]) run(ctx context.Context, key, full string, f *flight[T], load func(ctx context.Context) (T, error)) {
	defer close(f.done)
	data, fresh, lease := c.shared(ctx, key, full, f)
	if !fresh {
		if f.value, f.err = load(ctx); f.err == nil {
			data = encode(f.value)
		}
	}
	c.mu.Lock()
	current := c.flights[full] == f // else it was forgotten while it loaded, and what it read may be old
	c.mu.Unlock()
	if data != nil && current {
		if lease != "" {
			_, _ = c.deps.Shared.Fill(ctx, c.group, key, lease, data, max(c.cfg.TTL, SharedAccess))
		}
		_ = c.deps.Cache.Set(ctx, full, data, c.cfg.TTL)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[full] == f {
		delete(c.flights, full)
	} else if data != nil && current { // forgotten between the look and Set
		_ = c.deps.Cache.Delete(ctx, full)
	}
}

// shared takes the value from the shared cache, or a lease to fill it in. A shared cache out of reach costs a load.
func (c *Cached[T]) shared(ctx context.Context, key, full string, f *flight[T]) (data []byte, found bool, lease cache.Lease) {
	if c.deps.Shared == nil {
		return nil, false, ""
	}
	data, found, lease, err := c.deps.Shared.Lease(ctx, c.group, key)
	if err != nil || !found {
		return nil, false, lease
	}
	if f.value, err = c.decode(full, data); err != nil {
		c.deps.Logger.WarnContext(ctx, "a shared value cannot be read", "prefix", c.cfg.Prefix, "error", err)
		return nil, false, ""
	}
	return data, true, ""
}

// Forget makes the next Get of the keys load, even where a load is under way.
func (c *Cached[T]) Forget(ctx context.Context, keys ...string) {
	if c.deps.Shared != nil { // first: who misses after this finds nothing old behind it
		if err := c.deps.Shared.Delete(ctx, c.group, keys...); err != nil {
			c.deps.Logger.DebugContext(ctx, "a changed value was not deleted for other processes", "prefix", c.cfg.Prefix, "error", err)
		}
	}
	for _, key := range keys {
		full := c.full(key)
		c.mu.Lock()
		delete(c.flights, full)
		c.mu.Unlock()
		if err := c.deps.Cache.Delete(ctx, full); err != nil {
			c.deps.Logger.WarnContext(ctx, "a changed value stays in the cache until it is too old", "prefix", c.cfg.Prefix, "error", err)
		}
	}
}

// ForgetAll makes every next Get load.
func (c *Cached[T]) ForgetAll() {
	if c.deps.Shared != nil {
		if err := c.deps.Shared.DeleteAll(context.Background(), c.group); err != nil {
			c.deps.Logger.Debug("changed values were not deleted for other processes", "prefix", c.cfg.Prefix, "error", err)
		}
	}
	c.forgetOwn()
}

// forgetOwn leaves what other processes share.
func (c *Cached[T]) forgetOwn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.startEpoch()
}

// Listen forgets what the bus says has changed, until ctx ends.
func (c *Cached[T]) Listen(ctx context.Context) error {
	if c.deps.Bus == nil || len(c.cfg.Topics) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	messages, err := c.deps.Bus.Subscribe(ctx, c.cfg.Topics...)
	if err != nil {
		return err
	}
	c.forgetOwn() // what changed before somebody listened; those who did have deleted what is shared
	for message := range messages {
		if c.cfg.ForgetAll || message.Gap {
			c.ForgetAll()
		} else {
			c.Forget(ctx, string(message.Payload))
		}
	}
	return ctx.Err()
}

// Changed returns the messages that say of these ids that they changed.
func Changed(topic bus.Topic, ids ...domain.ID) []bus.Message {
	messages := make([]bus.Message, len(ids))
	for i, id := range ids {
		messages[i] = bus.Message{Topic: topic, Payload: []byte(id.String())}
	}
	return messages
}
