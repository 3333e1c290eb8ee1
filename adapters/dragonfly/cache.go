package dragonfly

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/cache"
)

// Cache is ports/cache on the server, and its leased form.
type Cache struct {
	conn         *Conn
	hits, misses atomic.Uint64
}

var (
	_ cache.Cache  = (*Cache)(nil)
	_ cache.Shared = (*Shared)(nil)
)

// Cache returns the server as a cache.
func (c *Conn) Cache() *Cache { return &Cache{conn: c} }

// clientLife is how long this process keeps a value that the server has not said to have changed.
const clientLife = 10 * time.Second

// Get implements cache.Cache.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, err := call(ctx, c.conn, asking, func(ctx context.Context, r rueidis.Client) ([]byte, error) {
		value, err := r.DoCache(ctx, r.B().Get().Key(c.conn.key("c", key)).Cache(), clientLife).AsBytes()
		if rueidis.IsRedisNil(err) {
			return nil, nil
		}
		return append([]byte{}, value...), err
	})
	if err != nil {
		return nil, false, err
	}
	if value == nil {
		c.misses.Add(1)
		return nil, false, nil
	}
	c.hits.Add(1)
	return value, true, nil
}

// Set implements cache.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return noLife()
	}
	text := string(value) // a copy: a call that is given up may still be under way
	return c.change(ctx, func(r rueidis.Client) rueidis.Completed {
		return r.B().Set().Key(c.conn.key("c", key)).Value(text).PxMilliseconds(milliseconds(ttl)).Build()
	})
}

// Delete implements cache.Cache.
func (c *Cache) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = c.conn.key("c", key)
	}
	return c.change(ctx, func(r rueidis.Client) rueidis.Completed { return r.B().Del().Key(full...).Build() })
}

// change makes one change and waits until this process's own memory has heard of it: on a connection the server says what changed before it answers
// the next command.
func (c *Cache) change(ctx context.Context, command func(rueidis.Client) rueidis.Completed) error {
	_, err := call(ctx, c.conn, asking, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		if c.conn.opts.NoClientCaching {
			return struct{}{}, r.Do(ctx, command(r)).Error()
		}
		for _, result := range r.DoMulti(ctx, command(r), r.B().Ping().Build()) {
			if err := result.Error(); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

// Stats implements cache.Cache.
func (c *Cache) Stats() (hits, misses uint64) { return c.hits.Load(), c.misses.Load() }

func noLife() error {
	return fault.New(fault.Internal, "cache.ttl", "A cached value needs a time to live.")
}

func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 1) }

// Shared is the leased cache of several processes.
//
// A value is stored behind a stamp of two epochs: its group's, and one of all groups. A new epoch makes every earlier value and lease worthless at
// once. Epochs and leases are random, so that one which was lost with the server's memory never comes back. All times are the server's.
type Shared struct {
	conn         *Conn
	hits, misses atomic.Uint64
}

// Shared returns the server as the cache of several processes.
func (c *Conn) Shared() *Shared { return &Shared{conn: c} }

const (
	globalEpoch = "epoch"
	// epochLife is how long an epoch is kept; when it is gone there is a new one, and its values are too.
	epochLife = 7 * 24 * time.Hour
)

// epochFunction reads or begins an epoch; ARGV[1] is a random text, ARGV[3] the epochs' milliseconds.
const epochFunction = `
local function epoch(key)
  local e = redis.call('GET', key)
  if not e then
    e = ARGV[1]
    redis.call('SET', key, e, 'PX', ARGV[3])
  end
  return e
end`

// leaseScript: KEYS value, lease, the group's epoch, the epoch of all; ARGV a random text, the lease's and the epochs' milliseconds.
var leaseScript = rueidis.NewLuaScript(epochFunction + `
local stamp = epoch(KEYS[3]) .. epoch(KEYS[4])
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, #stamp) == stamp then
  return {1, string.sub(value, #stamp + 1)}
end
local lease = redis.call('GET', KEYS[2])
if not lease or string.sub(lease, 1, #stamp) ~= stamp then
  lease = stamp .. ARGV[1]
  redis.call('SET', KEYS[2], lease, 'PX', ARGV[2])
end
return {0, lease}
`)

// fillScript: KEYS as above; ARGV lease, value, its milliseconds.
var fillScript = rueidis.NewLuaScript(`
local lease, group, all = redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3]), redis.call('GET', KEYS[4])
if lease ~= ARGV[1] or not group or not all then return 0 end
local stamp = group .. all
if string.sub(lease, 1, #stamp) ~= stamp then return 0 end
redis.call('SET', KEYS[1], stamp .. ARGV[2], 'PX', ARGV[3])
return 1
`)

// keepScript: KEYS as above; ARGV a random text, the value's and the epochs' milliseconds, value.
var keepScript = rueidis.NewLuaScript(epochFunction + `
redis.call('SET', KEYS[1], epoch(KEYS[3]) .. epoch(KEYS[4]) .. ARGV[4], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
`)

func (s *Shared) keys(group, key string) []string {
	return []string{s.conn.key("v", group, key), s.conn.key("l", group, key), s.conn.key("e", group), s.conn.key(globalEpoch)}
}

// Lease implements cache.Shared.
func (s *Shared) Lease(ctx context.Context, group, key string) ([]byte, bool, cache.Lease, error) {
	type answer struct {
		found bool
		text  string
	}
	a, err := call(ctx, s.conn, asking, func(ctx context.Context, r rueidis.Client) (a answer, err error) {
		reply, err := leaseScript.Exec(ctx, r, s.keys(group, key), []string{rand.Text(), text(cache.LeaseTime), text(epochLife)}).ToArray()
		if err != nil {
			return a, err
		}
		found, err := reply[0].AsInt64()
		if err != nil {
			return a, err
		}
		a.found = found == 1
		a.text, err = reply[1].ToString()
		return a, err
	})
	switch {
	case err != nil:
		return nil, false, "", err
	case a.found:
		s.hits.Add(1)
		return []byte(a.text), true, "", nil
	default:
		s.misses.Add(1)
		return nil, false, cache.Lease(a.text), nil
	}
}

// Fill implements cache.Shared.
func (s *Shared) Fill(ctx context.Context, group, key string, lease cache.Lease, value []byte, ttl time.Duration) (bool, error) {
	if ttl <= 0 {
		return false, noLife()
	}
	if lease == "" {
		return false, nil
	}
	args := []string{string(lease), string(value), text(ttl)}
	return call(ctx, s.conn, asking, func(ctx context.Context, r rueidis.Client) (bool, error) {
		return fillScript.Exec(ctx, r, s.keys(group, key), args).AsBool()
	})
}

// Keep implements cache.Shared.
func (s *Shared) Keep(ctx context.Context, group, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return noLife()
	}
	args := []string{rand.Text(), text(ttl), text(epochLife), string(value)}
	_, err := call(ctx, s.conn, asking, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		return struct{}{}, keepScript.Exec(ctx, r, s.keys(group, key), args).Error()
	})
	return err
}

// Delete implements cache.Shared.
func (s *Shared) Delete(ctx context.Context, group string, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	var full []string
	for _, key := range keys {
		full = append(full, s.keys(group, key)[:2]...)
	}
	_, err := call(ctx, s.conn, telling, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		return struct{}{}, r.Do(ctx, r.B().Del().Key(full...).Build()).Error()
	})
	return err
}

// DeleteAll implements cache.Shared.
func (s *Shared) DeleteAll(ctx context.Context, group string) error {
	_, err := call(ctx, s.conn, telling, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		return struct{}{}, r.Do(ctx, r.B().Set().Key(s.conn.key("e", group)).Value(rand.Text()).Px(epochLife).Build()).Error()
	})
	return err
}

// Ping implements cache.Shared.
func (s *Shared) Ping(ctx context.Context) (time.Duration, error) { return s.conn.Ping(ctx) }

// Stats implements cache.Shared.
func (s *Shared) Stats() (hits, misses uint64) { return s.hits.Load(), s.misses.Load() }
