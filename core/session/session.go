// Package session knows who is signed in where, ends that, and checks it at every request.
package session

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
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

// keepDevices is how long a device is known that is not used any more.
const keepDevices = 400 * 24 * time.Hour

// touchEvery is how often LastSeenAt is written.
const touchEvery = time.Minute

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Access *access.Service
	Cache  cache.Cache
	Shared cache.Shared // nil: none
	Bus    bus.Bus
	// Idle is how long a session lasts without use.
	Idle func(ctx context.Context) (time.Duration, error)
	// MustEnrol tells whether an account has to add a second factor before anything else. It is asked at every request.
	MustEnrol func(ctx context.Context, user domain.User) (bool, error)
	Now       func() time.Time
	Logger    *slog.Logger
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
	deps := caching.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger}
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
	actor, err := s.ActorOf(ctx, user, session)
	return actor, session, err
}

// User returns an account as every request looks at it: at most a second old, and without a query for each.
func (s *Service) User(ctx context.Context, id domain.ID) (domain.User, error) {
	return s.users.Get(ctx, id.String(), func(ctx context.Context) (domain.User, error) {
		return s.deps.Store.Read().Users.Get(ctx, id)
	})
}

// ActorOf is who a session makes act.
func (s *Service) ActorOf(ctx context.Context, u domain.User, of domain.Session) (domain.Actor, error) {
	must, err := s.deps.MustEnrol(ctx, u)
	return domain.Actor{
		UserID: u.ID, SessionID: of.ID, Username: u.Username, Roles: u.Roles, MFAVerified: of.MFAVerified, AuthenticatedAt: of.AuthenticatedAt, MustEnrol: must,
	}, err
}

// Idle is how long a session lasts without use.
func (s *Service) Idle(ctx context.Context) (time.Duration, error) { return s.deps.Idle(ctx) }

// Expiry is when a session that was opened at created ends if it is not used after now.
func Expiry(created, now time.Time, idle time.Duration) time.Time {
	end := created.Add(Lifetime)
	if last := now.Add(idle); last.Before(end) {
		end = last
	}
	return domain.Stamp(end)
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

// Prolong notes a use of a session and returns when it ends now.
func Prolong(ctx context.Context, tx store.Tx, of domain.Session, now time.Time, idle time.Duration, client domain.Client) (time.Time, error) {
	expires := Expiry(of.CreatedAt, now, idle)
	return expires, tx.Sessions.Touch(ctx, of.ID, domain.SessionUse{At: now, ExpiresAt: expires, IP: client.IP, UserAgent: Printable(client.UserAgent)})
}

// Seen notes that a session was used, once a minute, so that it lasts longer. It is no use to fail a request over it, so errors are only logged.
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
	idle, err := s.deps.Idle(ctx)
	if err == nil {
		err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			_, err := Prolong(ctx, tx, session, now, idle, domain.Client{IP: ip, UserAgent: userAgent})
			return err
		})
	}
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
	if err := s.mayEnd(ctx, actor, domain.PermissionSession); err != nil {
		return err
	}
	return s.end(ctx, actor, id, domain.ActivitySessionRevoked)
}

// Logout ends the session that the actor acts by.
func (s *Service) Logout(ctx context.Context, actor domain.Actor) error {
	if err := s.mayEnd(ctx, actor, domain.PermissionEnrol); err != nil {
		return err
	}
	return s.end(ctx, actor, actor.SessionID, domain.ActivityLogout)
}

func (s *Service) mayEnd(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	if err := s.deps.Access.Authorize(ctx, actor, p); err != nil {
		return err
	}
	return access.Interactive(actor)
}

func (s *Service) end(ctx context.Context, actor domain.Actor, id domain.ID, action string) error {
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		session, err := tx.Sessions.Get(ctx, id)
		if err != nil {
			return err
		}
		if session.UserID != actor.UserID && !actor.System {
			return fault.New(fault.NotFound, "session.not_found", "There is no such session.")
		}
		now := s.deps.Now()
		if err := tx.Sessions.Revoke(ctx, id, domain.Stamp(now)); err != nil {
			return err
		}
		err = activity.Record(ctx, tx, now, actor, domain.Activity{
			Action: action, ResourceType: "session", ResourceID: id.String(), ResourceName: session.Device, Success: true,
		})
		if err != nil {
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
	if err := s.mayEnd(ctx, actor, domain.PermissionSession); err != nil {
		return err
	}
	var except *domain.ID
	if keepCurrent {
		except = &actor.SessionID
	}
	var revoked []domain.ID
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		now := s.deps.Now()
		if revoked, err = tx.Sessions.RevokeUser(ctx, actor.UserID, domain.Stamp(now), except); err != nil {
			return err
		}
		err = activity.Record(ctx, tx, now, actor, domain.Activity{
			Action: domain.ActivitySessionRevoked, ResourceType: "session", Success: true, Details: map[string]string{"sessions": strconv.Itoa(len(revoked))},
		})
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

// EndOthers ends whatever else an account is used by when its credentials change: its other sessions with their refresh tokens, and its trusted devices
// (S9). Call Forget with what it returns after the commit.
func EndOthers(ctx context.Context, tx store.Tx, now time.Time, actor domain.Actor) (ended []domain.ID, err error) {
	ended, err = tx.Sessions.RevokeUser(ctx, actor.UserID, domain.Stamp(now), &actor.SessionID)
	if err != nil {
		return nil, err
	}
	if _, err := tx.MFA.DeleteTrustedDevices(ctx, actor.UserID); err != nil {
		return nil, err
	}
	return ended, tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, ended...)...)
}

// Count counts everybody's sessions that neither ended nor ran out: a figure for operators.
func (s *Service) Count(ctx context.Context) (int, error) {
	return s.deps.Store.Read().Sessions.Count(ctx, s.deps.Now())
}

// DeleteExpired removes sessions that ended by themselves, with their tokens, and returns how many: the server's own housekeeping.
func (s *Service) DeleteExpired(ctx context.Context) (deleted int, err error) {
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if deleted, err = tx.Sessions.DeleteExpired(ctx, s.deps.Now()); err != nil {
			return err
		}
		_, err = tx.Sessions.ForgetDevices(ctx, s.deps.Now().Add(-keepDevices))
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
