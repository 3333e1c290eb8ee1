// Package dragonfly is what processes share over a Dragonfly or Redis server: ports/cache, ports/bus, ports/ratelimit and ports/locks on one connection.
//
// The server is optional by design. What it does not answer in time is not waited for: one such call opens a circuit, and until a probe
// succeeds everything else fails at once, so that a server which is dead, paused or cut off costs the moment in which that is noticed.
package dragonfly

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/revenge-media/revenge/core/fault"
)

const (
	// CodeUnreachable is Unavailable: the server does not answer, or not in time.
	CodeUnreachable = "dragonfly.unreachable"
	// CodeBadURL is Invalid: an address that is none.
	CodeBadURL = "dragonfly.bad_url"
)

// Options are choices beside the address. Zero values mean the defaults.
type Options struct {
	// Prefix begins every key and the bus's channel, so that several installations can share a server; "" is "revenge:".
	Prefix string
	// NoClientCaching reads every value from the server. By default the server tells which values changed (RESP3 CLIENT TRACKING), and others
	// are answered from memory; Dragonfly's support of it depends on the version.
	NoClientCaching bool
	// Timeout is how long a call may take; 0 is 50 ms.
	Timeout time.Duration
	// ConnectTimeout is how long Open waits for the server before it leaves the connection to the background; 0 is 2 s.
	ConnectTimeout time.Duration
	Logger         *slog.Logger
}

// Conn is a connection to the server. It is safe for concurrent use, connects by itself when the server comes up, and again when it comes back.
type Conn struct {
	opts   Options
	client rueidis.ClientOption
	id     string // of this connection among all that use the server

	connected atomic.Pointer[rueidis.Client]
	closed    atomic.Bool // the circuit: calls go through

	mu      sync.Mutex
	untold  int // calls that had to tell others something and did not, and losses of the connection
	tripped chan struct{}

	bus *Bus

	ctx  context.Context // of what runs in the background
	stop context.CancelFunc
	all  sync.WaitGroup
}

// Open connects to redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS. A server that does not answer is no error: it may come.
func Open(ctx context.Context, url string, o Options) (*Conn, error) {
	client, err := rueidis.ParseURL(url)
	if err != nil {
		// The cause may repeat the password.
		return nil, fault.New(fault.Invalid, CodeBadURL, "The cache's address is none: it is redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS.")
	}
	if o.Prefix == "" {
		o.Prefix = "revenge:"
	}
	if o.Timeout == 0 {
		o.Timeout = 50 * time.Millisecond
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	client.ForceSingleClient, client.DisableRetry, client.AlwaysPipelining = true, true, true
	client.DisableCache = o.NoClientCaching
	client.PipelineMultiplex = -1 // one connection, on which what the server says comes in one order
	client.Dialer = net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: time.Second}
	client.ConnWriteTimeout = 2 * time.Second
	client.ClientName = "revenge"
	c := &Conn{opts: o, client: client, id: rand.Text(), tripped: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	c.bus = newBus(c)
	first := make(chan struct{})
	c.all.Go(func() { c.keepConnected(first) })
	c.all.Go(c.bus.receive)
	wait, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	select {
	case <-first:
		c.bus.wait(wait)
	case <-wait.Done():
		o.Logger.WarnContext(ctx, "the shared cache does not answer; the server goes on without it until it does")
	}
	return c, nil
}

// Close ends the connection and everything on it.
func (c *Conn) Close() error {
	c.stop()
	c.mu.Lock()
	c.closed.Store(false)
	c.mu.Unlock()
	if client := c.connected.Swap(nil); client != nil {
		(*client).Close()
	}
	c.all.Wait()
	return nil
}

// Ping asks the server, and returns how long that took.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	_, err := call(ctx, c, asking, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
		return struct{}{}, r.Do(ctx, r.B().Ping().Build()).Error()
	})
	return time.Since(begin), err
}

// intent is what becomes of a call that fails.
type intent bool

const (
	asking  intent = false // the caller does without
	telling intent = true  // others act on old news, until the circuit closes again and they are told that something was lost
)

// call makes one call, in no more than the timeout.
func call[T any](ctx context.Context, c *Conn, why intent, fn func(context.Context, rueidis.Client) (T, error)) (value T, err error) {
	if why == telling {
		ctx = context.WithoutCancel(ctx) // the change has happened, whether or not somebody still waits
	}
	if err := ctx.Err(); err != nil {
		return value, err
	}
	if !c.passes(why) {
		return value, unreachable(nil)
	}
	client := c.connected.Load()
	if client == nil {
		return value, unreachable(nil)
	}
	value, err = within(ctx, c.opts.Timeout, *client, fn)
	switch {
	case err == nil:
		return value, nil
	case ctx.Err() != nil:
		return value, ctx.Err()
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		if why == telling {
			c.trip(why, err)
		}
		return value, fault.Wrap(err, fault.Unavailable, CodeUnreachable, "The shared cache refused a command.")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		why = telling // the connection is lost: a server that comes back may have forgotten what it was told
	}
	c.trip(why, err)
	return value, unreachable(err)
}

// within waits for fn no longer than the timeout, whatever fn waits for: dialling a server that is suspended does not heed a context.
func within[T any](ctx context.Context, timeout time.Duration, client rueidis.Client, fn func(context.Context, rueidis.Client) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	got := make(chan answer, 1)
	go func() {
		defer cancel()
		value, err := fn(bounded, client)
		got <- answer{value, err}
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var none T
	select {
	case a := <-got:
		return a.value, a.err
	case <-timer.C:
		return none, context.DeadlineExceeded
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func unreachable(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, CodeUnreachable, "The shared cache does not answer. Try again shortly.").WithRetryAfter(time.Second)
}

// passes tells whether a call may be made. What could not be told is counted before the circuit can close, so that none is forgotten.
func (c *Conn) passes(why intent) bool {
	if c.closed.Load() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return true
	}
	if why == telling {
		c.untold++
	}
	return false
}

func (c *Conn) missed(why intent) {
	if why == telling {
		c.mu.Lock()
		c.untold++
		c.mu.Unlock()
	}
}

// trip opens the circuit.
func (c *Conn) trip(why intent, cause error) {
	c.missed(why)
	c.mu.Lock()
	was := c.closed.Swap(false)
	c.mu.Unlock()
	if was {
		c.opts.Logger.Warn("the shared cache does not answer; the server goes on without it until it does", "error", cause)
	}
	select {
	case c.tripped <- struct{}{}:
	default:
	}
}

// probeTimeout is how long the server may take to show that it is back.
const probeTimeout = 500 * time.Millisecond

// keepConnected closes the circuit whenever the server answers. first is closed when it did for the first time.
func (c *Conn) keepConnected(first chan struct{}) {
	begun := false
	for {
		for pause := 25 * time.Millisecond; c.ctx.Err() == nil; pause = min(2*pause, time.Second) {
			err := c.recover()
			if err == nil {
				break
			}
			c.opts.Logger.Debug("the shared cache is not back", "error", err)
			select {
			case <-time.After(pause):
			case <-c.ctx.Done():
			}
		}
		if c.ctx.Err() != nil {
			return
		}
		if begun {
			c.opts.Logger.Info("the shared cache answers again")
		} else {
			begun = true
			close(first)
		}
		select {
		case <-c.tripped:
		case <-c.ctx.Done():
			return
		}
	}
}

// recover closes the circuit. What this process could not tell meanwhile made shared values old that it knows nothing of, and other processes did not
// hear of: so before anything is read again every shared value goes, and every process is told that something was lost. A server that was merely slow to
// answer questions has lost nothing.
func (c *Conn) recover() error {
	client := c.connected.Load()
	if client == nil {
		made, err := rueidis.NewClient(c.client)
		if err != nil {
			return err
		}
		if c.connected.Store(&made); c.ctx.Err() != nil { // closed meanwhile
			made.Close()
			return c.ctx.Err()
		}
		client = &made
	}
	for {
		c.mu.Lock()
		untold := c.untold
		c.mu.Unlock()
		_, err := within(c.ctx, probeTimeout, *client, func(ctx context.Context, r rueidis.Client) (struct{}, error) {
			if untold == 0 {
				return struct{}{}, r.Do(ctx, r.B().Ping().Build()).Error()
			}
			return struct{}{}, errors.Join(
				r.Do(ctx, r.B().Set().Key(c.key(globalEpoch)).Value(rand.Text()).Px(epochLife).Build()).Error(),
				r.Do(ctx, r.B().Publish().Channel(c.key(channel)).Message(c.bus.envelope(lost, "", nil)).Build()).Error(),
			)
		})
		if err != nil {
			return err
		}
		c.mu.Lock()
		done := c.untold == untold
		if done {
			c.untold = 0
			select { // what failed before now is over
			case <-c.tripped:
			default:
			}
			c.closed.Store(true)
		}
		c.mu.Unlock()
		if done {
			return nil
		}
	}
}

func (c *Conn) key(parts ...string) string { return c.opts.Prefix + strings.Join(parts, ":") }
