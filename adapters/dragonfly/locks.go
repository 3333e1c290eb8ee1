package dragonfly

import (
	"context"
	"crypto/rand"
	"math/big"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/locks"
)

// Locker is ports/locks over all processes. A server that forgot its locks has forgotten who holds them: two may hold one until the
// earlier fails to renew it. Fencing tokens tell them apart, since they grow from the server's time and not from what it remembers.
type Locker struct{ conn *Conn }

var _ locks.Locker = (*Locker)(nil)

// Locker returns the server as a locker.
func (c *Conn) Locker() *Locker { return &Locker{c} }

// acquireScript: KEYS lock, last token; ARGV holder, ttl in milliseconds, how long to remember the token. It returns the token, or 0 and what is left of
// the other's ttl.
var acquireScript = rueidis.NewLuaScript(`
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then return {0, left} end
local time = redis.call('TIME')
local token = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[2]) or 0) + 1)
token = string.format('%.0f', token)
redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {token, 0}
`)

// renewScript and releaseScript: KEYS lock; ARGV holder, ttl.
var (
	renewScript   = rueidis.NewLuaScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`)
	releaseScript = rueidis.NewLuaScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)
)

// tokenLife is how long the last token is remembered: longer than a clock may be set back.
const tokenLife = 30 * 24 * time.Hour

// TryAcquire implements locks.Locker.
func (l *Locker) TryAcquire(ctx context.Context, name string, ttl time.Duration) (locks.Lease, error) {
	got, _, err := l.take(ctx, name, ttl)
	return got, err
}

// Acquire implements locks.Locker. It asks again and again, a little later each time.
func (l *Locker) Acquire(ctx context.Context, name string, ttl time.Duration) (locks.Lease, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		got, left, err := l.take(ctx, name, ttl)
		if err == nil {
			return got, nil
		}
		if fault.CodeOf(err) != locks.CodeHeld {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(min(jitter(pause), max(left, time.Millisecond))):
		}
	}
}

// jitter keeps those who wait for the same from asking at the same time.
func jitter(d time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return d
	}
	return d/2 + time.Duration(n.Int64())
}

// take returns the lease, or Conflict and how long the other's may last.
func (l *Locker) take(ctx context.Context, name string, ttl time.Duration) (locks.Lease, time.Duration, error) {
	if err := locks.Check(name, ttl); err != nil {
		return nil, 0, err
	}
	holder, asked := rand.Text(), time.Now()
	lock := l.conn.key("k", name)
	reply, err := call(ctx, l.conn, asking, func(ctx context.Context, r rueidis.Client) ([]int64, error) {
		return acquireScript.Exec(ctx, r, []string{lock, l.conn.key("t", name)}, []string{holder, text(ttl), text(tokenLife)}).AsIntSlice()
	})
	if err != nil { // the server may have taken it down; then it ends with its ttl
		return nil, 0, err
	}
	if reply[0] == 0 {
		return nil, time.Duration(reply[1]) * time.Millisecond, locks.Held(name)
	}
	held := &lease{conn: l.conn, lock: lock, holder: holder, token: reply[0], ttl: ttl, lost: make(chan struct{})}
	held.conn.all.Go(func() { held.renew(asked) })
	return held, 0, nil
}

type lease struct {
	conn         *Conn
	lock, holder string
	token        int64
	ttl          time.Duration
	once         sync.Once
	lost         chan struct{}
}

// Token implements locks.Lease.
func (l *lease) Token() int64 { return l.token }

// Lost implements locks.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) end() { l.once.Do(func() { close(l.lost) }) }

// Release implements locks.Lease.
func (l *lease) Release(ctx context.Context) error {
	l.end()
	_, err := call(ctx, l.conn, asking, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		return struct{}{}, releaseScript.Exec(ctx, r, []string{l.lock}, []string{l.holder}).Error()
	})
	return err
}

// renew keeps the lock until it is released, the connection is closed, another has it, or its ttl may be over. The ttl counts from when the server was
// asked, which is before it began to count.
func (l *lease) renew(since time.Time) {
	defer l.end()
	for every := l.ttl / 4; ; {
		wait := min(every, time.Until(since.Add(l.ttl)))
		if wait <= 0 {
			return
		}
		select {
		case <-l.lost:
			return
		case <-l.conn.ctx.Done():
			return
		case <-time.After(wait):
		}
		asked := time.Now()
		ctx, cancel := context.WithDeadline(l.conn.ctx, since.Add(l.ttl))
		renewed, err := call(ctx, l.conn, asking, func(ctx context.Context, r rueidis.Client) (int64, error) {
			return renewScript.Exec(ctx, r, []string{l.lock}, []string{l.holder, strconv.FormatInt(milliseconds(l.ttl), 10)}).AsInt64()
		})
		cancel()
		switch {
		case err == nil && renewed == 1:
			since = asked
		case err == nil:
			return
		}
	}
}
