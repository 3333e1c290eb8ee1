// Package session knows who is signed in where, ends that, and checks it at every request.
package session

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/store"
)

// CodeEnded is Unauthenticated: the session was revoked, has expired, or its account is disabled or gone.
const CodeEnded = "session.ended"

// Lifetime is how long a session lasts at most, however active it is (S5).
const Lifetime = 30 * 24 * time.Hour

// touchEvery is how often LastSeenAt is written.
const touchEvery = time.Minute

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Access *access.Service
	Cache  cache.Cache
	Bus    bus.Bus
	Now    func() time.Time
	Logger *slog.Logger
}

// Service checks, lists and ends sessions.
type Service struct {
	deps     Deps
	sessions *caching.Cached[domain.Session]
	users    *caching.Cached[domain.User]

	mu   sync.Mutex
	seen map[domain.ID]time.Time // when this process last wrote LastSeenAt
}

// New returns the service. Run Listen beside it.
func New(d Deps) *Service {
	deps := caching.Deps{Cache: d.Cache, Bus: d.Bus, Logger: d.Logger}
	return &Service{
		deps:     d,
		sessions: caching.New[domain.Session](deps, caching.Config{Prefix: "session", TTL: caching.Access, Topics: []bus.Topic{bus.TopicSession}}),
		users:    caching.New[domain.User](deps, caching.Config{Prefix: "user", TTL: caching.Access, Topics: []bus.Topic{bus.TopicUser}}),
		seen:     map[domain.ID]time.Time{},
	}
}

// Listen takes up changes that the bus tells of, until ctx ends.
func (s *Service) Listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- s.sessions.Listen(ctx) }()
	go func() { ended <- s.users.Listen(ctx) }()
	err := <-ended
	cancel()
	<-ended
	return err
}

// Authenticate returns the session and who it makes act, if it may still be used: not revoked, not expired, the account enabled. A
// revocation takes effect within a second in every process; a database out of reach is Unavailable, never Unauthenticated (R5).
func (s *Service) Authenticate(ctx context.Context, id domain.ID) (domain.Actor, domain.Session, error) {
	session, err := s.sessions.Get(ctx, id.String(), func(ctx context.Context) (domain.Session, error) {
		return s.deps.Store.Read().Sessions.Get(ctx, id)
	})
	if err != nil {
		return domain.Actor{}, domain.Session{}, endedIfAbsent(err)
	}
	if !session.Active(s.deps.Now()) {
		return domain.Actor{}, domain.Session{}, ended()
	}
	user, err := s.User(ctx, session.UserID)
	if err != nil {
		return domain.Actor{}, domain.Session{}, endedIfAbsent(err)
	}
	if !user.Usable() {
		return domain.Actor{}, domain.Session{}, ended()
	}
	return ActorOf(user, session), session, nil
}

// User returns an account as every request looks at it: at most a second old, and without a query for each.
func (s *Service) User(ctx context.Context, id domain.ID) (domain.User, error) {
	return s.users.Get(ctx, id.String(), func(ctx context.Context) (domain.User, error) {
		return s.deps.Store.Read().Users.Get(ctx, id)
	})
}

// ActorOf is who a session makes act.
func ActorOf(u domain.User, s domain.Session) domain.Actor {
	return domain.Actor{
		UserID: u.ID, SessionID: s.ID, Username: u.Username, Roles: u.Roles, MFAVerified: s.MFAVerified, AuthenticatedAt: s.AuthenticatedAt,
	}
}

func ended() error {
	return fault.New(fault.Unauthenticated, CodeEnded, "This session has ended. Sign in again.")
}

func endedIfAbsent(err error) error {
	if fault.IsNotFound(err) {
		return ended()
	}
	return err
}

// Seen notes that a session was used, once a minute. It is no use to fail a request over it, so errors are only logged.
func (s *Service) Seen(ctx context.Context, session domain.Session, ip, userAgent string) {
	now := domain.Stamp(s.deps.Now())
	if now.Sub(session.LastSeenAt) < touchEvery {
		return
	}
	s.mu.Lock()
	last, known := s.seen[session.ID]
	due := !known || now.Sub(last) >= touchEvery
	if due {
		if len(s.seen) >= 10_000 {
			clear(s.seen)
		}
		s.seen[session.ID] = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Sessions.Touch(ctx, session.ID, now, ip, Printable(userAgent))
	})
	if err != nil {
		s.deps.Logger.WarnContext(ctx, "a session's last use was not noted", "error", err)
		return
	}
	s.sessions.Forget(ctx, session.ID.String())
}

// Forget makes the next Authenticate look again: for changes of this process, which need not wait for the bus.
func (s *Service) Forget(ctx context.Context, sessions ...domain.ID) {
	s.sessions.Forget(ctx, texts(sessions)...)
}

// ForgetUsers is Forget for accounts.
func (s *Service) ForgetUsers(ctx context.Context, users ...domain.ID) {
	s.users.Forget(ctx, texts(users)...)
}

func texts(ids []domain.ID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = id.String()
	}
	return list
}

// List returns where the actor is signed in, latest seen first.
func (s *Service) List(ctx context.Context, actor domain.Actor) ([]domain.Session, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().Sessions.ByUser(ctx, actor.UserID, s.deps.Now())
}

// Revoke ends one of the actor's sessions, its own or another; somebody else's is NotFound. Its tokens, cookie and streams end with it.
func (s *Service) Revoke(ctx context.Context, actor domain.Actor, id domain.ID) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return err
	}
	if err := access.Interactive(actor); err != nil {
		return err
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		session, err := tx.Sessions.Get(ctx, id)
		if err != nil {
			return err
		}
		if session.UserID != actor.UserID && !actor.System {
			return fault.New(fault.NotFound, "session.not_found", "There is no such session.")
		}
		if err := tx.Sessions.Revoke(ctx, id, domain.Stamp(s.deps.Now())); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, id)...)
	})
	if err == nil {
		s.Forget(ctx, id)
	}
	return err
}

// RevokeAll ends all of the actor's sessions, with keepCurrent all but the one it acts by.
func (s *Service) RevokeAll(ctx context.Context, actor domain.Actor, keepCurrent bool) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return err
	}
	if err := access.Interactive(actor); err != nil {
		return err
	}
	var except *domain.ID
	if keepCurrent {
		except = &actor.SessionID
	}
	var revoked []domain.ID
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		revoked, err = tx.Sessions.RevokeUser(ctx, actor.UserID, domain.Stamp(s.deps.Now()), except)
		if err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, revoked...)...)
	})
	if err == nil {
		s.Forget(ctx, revoked...)
	}
	return err
}

// DeleteExpired removes sessions that ended by themselves, with their tokens, and returns how many: the server's own housekeeping.
func (s *Service) DeleteExpired(ctx context.Context) (deleted int, err error) {
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		deleted, err = tx.Sessions.DeleteExpired(ctx, s.deps.Now())
		return err
	})
	return deleted, err
}

// Printable makes what a client says of itself fit to keep and to show: valid UTF-8 without control characters, at most 300 bytes.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "")
	}
	return s
}
