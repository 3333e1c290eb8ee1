// Package attempts bounds how often somebody may guess: passwords, codes of authenticators, backup codes (S4). It counts in the database, so that all
// processes count together.
package attempts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeTooMany = "auth.too_many_attempts" // RateLimited: blocked for a while
	CodeBusy    = "auth.busy"              // Unavailable: too many wait for the same account
)

const (
	// block is how long the first failure too many blocks a key. Every further one doubles it, up to 16 minutes.
	block = 30 * time.Second
	// lease is how long an attempt keeps its place when its process dies; checking ends before.
	lease, checking = time.Minute, 45 * time.Second
	// patience is how long an attempt waits for a place, and queue how many of a process wait for one key.
	patience, queue = 30 * time.Second, 1000
	// look is how often an attempt looks whether another process gave a place back, on average.
	look = 20 * time.Millisecond
)

// Key is what attempts are counted on. The zero Key counts nothing.
type Key struct {
	name string
	// limit is how many failures there may be, and attempts that may still become ones.
	limit int
	// memory is how long failures count if none follow.
	memory time.Duration
	// cleared says that a success forgets the failures.
	cleared bool
}

// Account counts attempts with an account's password, by whatever name and on whatever way.
func Account(id domain.ID) Key { return Key{"account:" + id.String(), 5, 24 * time.Hour, true} }

// Login counts attempts with a name that no account has, however it is written: it is blocked as an account would be, so that this tells nothing (S3).
func Login(name string) Key {
	sum := sha256.Sum256([]byte(cases.Fold().String(norm.NFKC.String(strings.TrimSpace(name))))) // hashed, as people type their passwords here
	return Key{"login:" + hex.EncodeToString(sum[:16]), 5, 24 * time.Hour, true}
}

// SecondFactor counts attempts with an account's codes.
func SecondFactor(id domain.ID) Key { return Key{"factor:" + id.String(), 5, 24 * time.Hour, true} }

// Address counts attempts from an address, of IPv6 from its network of 64 bits, which is what a household has. Success does not clear it: else an account
// of one's own would. No address counts nothing.
func Address(ip string) Key {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return Key{}
	}
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		prefix, _ := addr.Prefix(64) // never fails for IPv6
		addr = prefix.Addr()
	}
	return Key{"address:" + addr.String(), 20, time.Hour, false}
}

// Deps is what the guard needs.
type Deps struct {
	Store store.Store
	Now   func() time.Time
}

// Guard admits attempts.
type Guard struct {
	deps Deps

	mu    sync.Mutex
	lines map[string]*line
}

// New returns the guard of a process.
func New(d Deps) *Guard { return &Guard{deps: d, lines: map[string]*line{}} }

// Try runs check, which tells whether what was shown is right, when every key has a place for it: failures and attempts that run together are at most a
// key's limit, so that no more than that can be tried at once, and others wait. ok is what check said. A failure counts on all keys, an error on none.
// RateLimited with CodeTooMany, and nothing was checked, when a key is blocked; it says for how long.
func (g *Guard) Try(ctx context.Context, check func(ctx context.Context) (ok bool, err error), keys ...Key) (ok bool, err error) {
	keys = inOrder(keys)
	if len(keys) == 0 {
		return check(ctx)
	}
	places, err := g.enter(ctx, keys)
	if err != nil {
		return false, err
	}
	checked := false
	defer func() { // a panic gives the places back, too
		if e := g.settle(ctx, keys, places, checked && err == nil, ok); e != nil && err == nil {
			ok, err = false, e
		}
	}()
	limited, cancel := context.WithTimeout(ctx, checking)
	defer cancel()
	ok, err = check(limited)
	checked = true
	return ok && err == nil, given(ctx, err)
}

// inOrder leaves out what counts nothing and sorts, so that attempts with several keys never wait for each other in a circle.
func inOrder(keys []Key) []Key {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.name == "" })
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.name, b.name) })
	return slices.Compact(keys)
}

// enter takes a place on every key. Where the others of this process leave no place it waits behind them; where other processes or failures leave none,
// it looks again and again.
func (g *Guard) enter(ctx context.Context, keys []Key) (places []store.AttemptPlace, err error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, k := range keys {
		if err := g.queue(waiting, k); err != nil {
			g.leave(keys[:i])
			return nil, given(ctx, err)
		}
	}
	for {
		places, err := g.acquire(waiting, keys)
		if places != nil {
			return places, nil
		}
		if err == nil {
			select {
			case <-waiting.Done():
				err = waiting.Err()
			case <-time.After(look/2 + rand.N(look)):
				continue
			}
		}
		g.leave(keys)
		return nil, given(ctx, err)
	}
}

// given is the fault of a wait that was given up, where it was not the caller's.
func given(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return busy()
	}
	return err
}

func busy() error {
	return fault.New(fault.Unavailable, CodeBusy, "Too many sign-ins wait for the same account. Try again shortly.").WithRetryAfter(5 * time.Second)
}

// acquire takes a place on all keys or on none; nil without error means that one has to wait.
func (g *Guard) acquire(ctx context.Context, keys []Key) ([]store.AttemptPlace, error) {
	now := domain.Stamp(g.deps.Now())
	wanted := make([]store.AttemptPlace, len(keys))
	names := make([]string, len(keys))
	for i, k := range keys {
		wanted[i], names[i] = store.AttemptPlace{Key: k.name, Limit: k.limit, Until: now.Add(lease)}, k.name
	}
	got, err := g.deps.Store.Attempts().Acquire(ctx, now, wanted...)
	if err != nil || len(got) == len(keys) {
		return got, err
	}
	if len(got) > 0 {
		back := make([]store.AttemptResult, len(got))
		for i, p := range got {
			back[i] = store.AttemptResult{AttemptPlace: p}
		}
		if err := g.deps.Store.Attempts().Settle(context.WithoutCancel(ctx), now, block, back...); err != nil {
			return nil, err
		}
	}
	blocked, err := g.deps.Store.Attempts().Blocked(ctx, now, names...)
	if err != nil || len(blocked) == 0 {
		return nil, err
	}
	var until time.Time
	for _, t := range blocked {
		if t.After(until) {
			until = t
		}
	}
	return nil, fault.New(fault.RateLimited, CodeTooMany, "There were too many wrong attempts. Wait a while, then try again.").WithRetryAfter(until.Sub(now))
}

// settle gives the places back and counts. It does so, too, when the client did not wait for the answer.
func (g *Guard) settle(ctx context.Context, keys []Key, places []store.AttemptPlace, counts, ok bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease-checking)
	defer cancel()
	now := domain.Stamp(g.deps.Now())
	ended := make([]store.AttemptResult, len(places))
	for i, p := range places {
		k := keys[i]
		ended[i] = store.AttemptResult{AttemptPlace: p, Failed: counts && !ok, ForgetAt: now.Add(k.memory), Clear: counts && ok && k.cleared}
	}
	defer g.leave(keys)
	return g.deps.Store.Attempts().Settle(ctx, now, block, ended...)
}

// Clear forgets the failures of keys: for whoever has shown in another way who they are. Attempts that run keep their places.
func (g *Guard) Clear(ctx context.Context, keys ...Key) error {
	ended := make([]store.AttemptResult, len(keys))
	for i, k := range keys {
		ended[i] = store.AttemptResult{AttemptPlace: store.AttemptPlace{Key: k.name, Limit: k.limit, Generation: -1}, Clear: true}
	}
	return g.deps.Store.Attempts().Settle(ctx, domain.Stamp(g.deps.Now()), block, ended...)
}

// CleanUp removes counts that say nothing any more.
func (g *Guard) CleanUp(ctx context.Context) error {
	_, err := g.deps.Store.Attempts().DeleteExpired(ctx, domain.Stamp(g.deps.Now()))
	return err
}

// line is where the attempts of a process wait for a key.
type line struct {
	places chan struct{}
	inside int // with those that wait
}

// queue takes one of a key's places in this process.
func (g *Guard) queue(ctx context.Context, k Key) error {
	g.mu.Lock()
	l := g.lines[k.name]
	if l == nil {
		l = &line{places: make(chan struct{}, k.limit)}
		g.lines[k.name] = l
	}
	if l.inside >= queue {
		g.mu.Unlock()
		return busy()
	}
	l.inside++
	g.mu.Unlock()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		g.forget(k, l)
		return ctx.Err()
	}
}

// leave gives places of this process back.
func (g *Guard) leave(keys []Key) {
	for _, k := range keys {
		g.mu.Lock()
		l := g.lines[k.name]
		g.mu.Unlock()
		<-l.places
		g.forget(k, l)
	}
}

func (g *Guard) forget(k Key, l *line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.inside--; l.inside == 0 {
		delete(g.lines, k.name)
	}
}
