// Package identity is who may do what on real parts: accounts, sessions, sign-in and access over a fresh database, with a clock that the
// test sets.
package identity

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/adapters/argon2"
	"github.com/revenge-media/revenge/adapters/casbin"
	"github.com/revenge-media/revenge/adapters/imaging"
	"github.com/revenge-media/revenge/adapters/jwt"
	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/memlimit"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/adapters/smtp"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/adapters/totp"
	"github.com/revenge-media/revenge/adapters/webauthn"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/mfa"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/ports/tokens"
)

// Password is good enough for everybody.
const Password = "seventeen green kettles"

// Clock is a time that only the test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the time.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Process is one running server of a World.
type Process struct {
	Store    *sqlstore.Store
	Bus      *membus.Bus
	Hasher   *argon2.Hasher
	Policy   policy.Policy
	Clock    *Clock
	Access   *access.Service
	Settings *settings.Service
	Mailing  *mailing.Service
	Accounts *account.Service
	Sessions *session.Service
	Attempts *attempts.Guard
	MFA      *mfa.Service
	Auth     *auth.Service
}

// Each runs fn on every database engine that is there, each time with a fresh server.
func Each(t *testing.T, fn func(t *testing.T, p *Process)) {
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		bus := membus.New()
		fn(t, Start(t, open(t, sqlstore.Config{Publisher: bus}), bus, &Clock{now: time.Now()}, Key(1)))
	})
}

// Key is a sealing key that differs by n.
func Key(n byte) []byte {
	key := make([]byte, aesgcm.KeySize)
	key[0] = n
	return key
}

// Start starts a server on a store: it has its own cache, and shares store, bus and clock with others that it is given.
func Start(t *testing.T, s *sqlstore.Store, bus *membus.Bus, clock *Clock, key []byte) *Process {
	t.Helper()
	p := New(t, s, bus, clock, key)
	if err := p.Auth.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Access.Listen(ctx) })
	wg.Go(func() { _ = p.Sessions.Listen(ctx) })
	wg.Go(func() { _ = p.Settings.Listen(ctx) })
	wg.Go(func() { _ = p.MFA.Listen(ctx) })
	wg.Go(func() { _ = p.Auth.Listen(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

// New is Start without starting.
func New(t *testing.T, s *sqlstore.Store, bus *membus.Bus, clock *Clock, key []byte) *Process {
	t.Helper()
	memory, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := aesgcm.New(key)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	p := &Process{Store: s, Bus: bus, Clock: clock, Hasher: argon2.New(argon2.Config{Memory: 64})}
	p.Policy = casbin.New(casbin.Config{Source: s.Read().Roles, Now: clock.Now})
	p.Access = access.New(access.Deps{Store: s, Policy: p.Policy, Cache: memory, Bus: bus, Logger: logger})
	p.Settings = settings.New(settings.Deps{Store: s, Access: p.Access, Sealer: sealer, Cache: memory, Bus: bus, Now: clock.Now, Logger: logger})
	p.Mailing = mailing.New(mailing.Deps{Store: s, Access: p.Access, Settings: p.Settings, Sealer: sealer, Sender: smtp.New(smtp.Config{}), Now: clock.Now, Logger: logger})
	p.Sessions = session.New(session.Deps{
		Store: s, Access: p.Access, Cache: memory, Bus: bus, Now: clock.Now, Logger: logger,
		Idle:      func(context.Context) (time.Duration, error) { return 14 * 24 * time.Hour, nil },
		MustEnrol: func(ctx context.Context, user domain.User) (bool, error) { return p.MFA.MustEnrol(ctx, user) },
	})
	p.Attempts = attempts.New(attempts.Deps{Store: s, Now: clock.Now})
	p.MFA = mfa.New(mfa.Deps{
		Store: s, Sealer: sealer, Codes: totp.Generator{}, Passkeys: webauthn.Ceremonies{}, Access: p.Access, Sessions: p.Sessions, Settings: p.Settings,
		Mailing: p.Mailing, Attempts: p.Attempts, Cache: memory, Bus: bus, Now: clock.Now, Logger: logger,
	})
	p.Accounts = account.New(account.Deps{
		Store: s, Hasher: p.Hasher, Policy: p.Policy, Access: p.Access, Sessions: p.Sessions, Settings: p.Settings, Mail: p.Mailing,
		Attempts: p.Attempts, Limiter: memlimit.New(memlimit.Config{Now: clock.Now}), Pictures: imaging.New(), Now: clock.Now,
		SecondFactor: func(ctx context.Context, r store.Repos, user domain.ID) (bool, error) {
			methods, err := p.MFA.Methods(ctx, r, user)
			return len(methods) > 0, err
		},
	})
	p.Auth = auth.New(auth.Deps{
		Store: s, Sealer: sealer, Hasher: p.Hasher, Access: p.Access, Accounts: p.Accounts, Sessions: p.Sessions, Now: clock.Now, Logger: logger,
		Attempts: p.Attempts, Factors: p.MFA, Mailing: p.Mailing, Bus: bus,
		NewSigner: func(keys ...tokens.Key) (tokens.Signer, error) { return jwt.New(keys...) },
	})
	return p
}

// User adds an account with Password.
func (p *Process) User(t *testing.T, name string, roles ...domain.RoleName) domain.User {
	t.Helper()
	u, err := p.Accounts.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: name, Password: Password, Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Client is where SignIn signs in from.
var Client = domain.Client{IP: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

// SignIn signs an account in that has no second factor.
func (p *Process) SignIn(t *testing.T, name string) auth.SignedIn {
	t.Helper()
	outcome, err := p.Auth.Login(t.Context(), name, Password, Client, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if outcome.SignedIn == nil {
		t.Fatalf("%s was asked for a second factor", name)
	}
	return *outcome.SignedIn
}
