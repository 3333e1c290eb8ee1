package apikey

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/ports/store"
)

func invalid() error {
	return fault.New(fault.Unauthenticated, CodeInvalid, "This API key is not valid: it was revoked, has expired, or its account is disabled.")
}

func invalidIfAbsent(err error) error {
	if fault.IsNotFound(err) {
		return invalid()
	}
	return err
}

// Authenticate returns who acts by a key: its owner with the roles of now, within the key's permissions. Revoking a key, its end, and disabling
// its owner take effect within a second in every process; a database out of reach is Unavailable, never Unauthenticated.
func (s *Service) Authenticate(ctx context.Context, key string, client domain.Client) (domain.Actor, error) {
	if !form.MatchString(key) {
		return domain.Actor{}, invalid()
	}
	hash := hashOf(key)
	id, err := s.ids.Get(ctx, hex.EncodeToString(hash), func(ctx context.Context) (domain.ID, error) {
		k, err := s.deps.Store.Read().APIKeys.ByHash(ctx, hash)
		return k.ID, err
	})
	if err != nil {
		return domain.Actor{}, invalidIfAbsent(err)
	}
	actor, err := s.Resume(ctx, id)
	actor.Client = client
	return actor, err
}

// AllowedInQuery tells whether a key may stand in an address, where proxies and histories keep it.
func (s *Service) AllowedInQuery(ctx context.Context) (bool, error) { return s.deps.AllowInQuery(ctx) }

// Check is nil while what an actor acts by may still be used and its account, whose roles may be others by now, has the permission: for connections
// that stay open.
func (s *Service) Check(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	now, err := s.Current(ctx, actor)
	if err != nil {
		return err
	}
	return s.deps.Access.Authorize(ctx, now, p)
}

// Resume returns who acts by the key with this id now: for what goes on after the request that showed it.
func (s *Service) Resume(ctx context.Context, id domain.ID) (domain.Actor, error) {
	k, err := s.load(ctx, id)
	if err != nil {
		return domain.Actor{}, invalidIfAbsent(err)
	}
	if !k.Active(s.deps.Now()) {
		return domain.Actor{}, invalid()
	}
	owner, err := s.deps.Sessions.User(ctx, k.UserID)
	if err != nil {
		return domain.Actor{}, invalidIfAbsent(err)
	}
	if !owner.Usable() {
		return domain.Actor{}, invalid()
	}
	mustEnrol, err := s.deps.MustEnrol(ctx, owner)
	return domain.Actor{
		UserID: owner.ID, Username: owner.Username, Roles: owner.Roles, KeyID: &k.ID, KeyPermissions: k.Permissions, MustEnrol: mustEnrol,
	}, err
}

func (s *Service) load(ctx context.Context, id domain.ID) (domain.APIKey, error) {
	return s.keys.Get(ctx, id.String(), func(ctx context.Context) (domain.APIKey, error) {
		return s.deps.Store.Read().APIKeys.Get(ctx, id)
	})
}

// Current returns who an actor is by now, whatever it acts by: its session or its key may have ended, its account have other roles.
func (s *Service) Current(ctx context.Context, actor domain.Actor) (domain.Actor, error) {
	var now domain.Actor
	var err error
	switch {
	case actor.System:
		return actor, nil
	case actor.KeyID != nil:
		now, err = s.Resume(ctx, *actor.KeyID)
	default:
		now, _, err = s.deps.Sessions.Authenticate(ctx, actor.SessionID)
	}
	now.Client = actor.Client
	return now, err
}

// Allow counts a request by a key against the key's own limit, and returns that with the decision. RateLimited when there were too many. A limiter
// that is out of reach stops nobody.
func (s *Service) Allow(ctx context.Context, actor domain.Actor) (ratelimit.Rate, ratelimit.Decision, error) {
	k, err := s.load(ctx, *actor.KeyID)
	if err != nil {
		return ratelimit.Rate{}, ratelimit.Decision{}, invalidIfAbsent(err)
	}
	rate := ratelimit.Rate{Per: time.Minute}
	if k.RequestsPerMinute != nil {
		rate.Requests = *k.RequestsPerMinute
	} else if rate.Requests, err = s.deps.RequestsPerMinute(ctx); err != nil {
		return rate, ratelimit.Decision{}, err
	}
	decision, err := s.deps.Limiter.Allow(ctx, "apikey:"+k.ID.String(), rate)
	switch {
	case ctx.Err() != nil:
		return rate, decision, ctx.Err()
	case err != nil:
		s.deps.Logger.WarnContext(ctx, "the requests of an API key cannot be counted", "error", err)
		return rate, ratelimit.Decision{Allowed: true}, nil
	case !decision.Allowed:
		return rate, decision, fault.New(fault.RateLimited, CodeExhausted, "This API key may make %d requests a minute. Wait a moment.", rate.Requests).WithRetryAfter(decision.RetryAfter)
	}
	return rate, decision, nil
}

// Seen notes that a key was used, once a minute. It is no use to fail a request over it, so errors are only logged.
func (s *Service) Seen(ctx context.Context, actor domain.Actor) {
	now, id := domain.Stamp(s.deps.Now()), *actor.KeyID
	k, err := s.load(ctx, id)
	if err != nil || k.LastUsedAt != nil && now.Sub(*k.LastUsedAt) < touchEvery {
		return
	}
	s.mu.Lock()
	last, known := s.seen[id]
	due := !known || now.Sub(last) >= touchEvery
	if due {
		if len(s.seen) >= 10_000 {
			clear(s.seen)
		}
		s.seen[id] = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.APIKeys.Touch(ctx, id, now, session.Printable(actor.Client.IP))
	})
	if err != nil {
		s.deps.Logger.WarnContext(ctx, "an API key's last use was not noted", "error", err)
		return
	}
	s.keys.Forget(ctx, id.String())
}
