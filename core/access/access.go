// Package access decides what an actor may do and see.
package access

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeRequired  = "auth.required"                  // Unauthenticated
	CodeDenied    = "access.denied"                  // Forbidden
	CodeEnrol     = "auth.enrolment_required"        // Forbidden: add a second factor first
	CodeNoSession = "auth.session_required"          // Forbidden: an API key may not do this, a person must
	CodeNotFresh  = "auth.reauthentication_required" // Forbidden: POST /auth/reauthenticate, then again
)

// FreshFor is how long a proof of who one is counts for sensitive changes (S9).
const FreshFor = 5 * time.Minute

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Policy policy.Policy
	Cache  cache.Cache
	Bus    bus.Bus
	Logger *slog.Logger
}

// Service decides. What it decides holds for at most a second after the roles, libraries or access lists changed.
type Service struct {
	deps    Deps
	visible *caching.Cached[[]domain.ID]
}

// New returns the service. Run Listen beside it.
func New(d Deps) *Service {
	return &Service{deps: d, visible: caching.New[[]domain.ID](caching.Deps{Cache: d.Cache, Bus: d.Bus, Logger: d.Logger},
		caching.Config{Prefix: "access", TTL: caching.Access, Topics: []bus.Topic{bus.TopicAccess}, ForgetAll: true})}
}

// Listen takes up changes that the bus tells of, until ctx ends.
func (s *Service) Listen(ctx context.Context) error { return s.visible.Listen(ctx) }

// Authorize returns nil when the actor has the permission: else Unauthenticated for nobody, Forbidden for somebody. An API key needs it both
// from its owner's roles and from its own list; who must add a second factor first may do nothing else.
func (s *Service) Authorize(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	ok, err := s.deps.Policy.Allowed(ctx, actor, p)
	switch {
	case err != nil:
		return err
	case ok && actor.MustEnrol && p != domain.PermissionPublic && p != domain.PermissionEnrol:
		return fault.New(fault.Forbidden, CodeEnrol, "Your account needs a second factor. Add one first.")
	case ok && actor.KeyID != nil && p != domain.PermissionPublic && !slices.Contains(actor.KeyPermissions, p):
		return fault.New(fault.Forbidden, CodeDenied, "This API key may not do this.")
	case ok:
		return nil
	case actor.Anonymous():
		return fault.New(fault.Unauthenticated, CodeRequired, "Sign in to use this.")
	default:
		return fault.New(fault.Forbidden, CodeDenied, "Your account may not do this. Ask an administrator.")
	}
}

// Interactive returns nil when a person acts by a session, or the server itself; Forbidden for API keys, which never change credentials (S16).
func Interactive(actor domain.Actor) error {
	if actor.KeyID != nil {
		return fault.New(fault.Forbidden, CodeNoSession, "An API key may not do this. Sign in.")
	}
	return nil
}

// Fresh returns nil when the person proved at most FreshFor ago who they are, or the server itself acts: what changes how one signs in asks for
// it (S9).
func Fresh(actor domain.Actor, now time.Time) error {
	if err := Interactive(actor); err != nil || actor.System {
		return err
	}
	if age := now.Sub(actor.AuthenticatedAt); age > FreshFor || age < -time.Minute {
		return fault.New(fault.Forbidden, CodeNotFresh, "Confirm that it is you, then try again.")
	}
	return nil
}

// Permissions lists what the actor has, sorted: what a user interface shows or hides.
func (s *Service) Permissions(ctx context.Context, actor domain.Actor) ([]domain.Permission, error) {
	return s.deps.Policy.Permissions(ctx, actor)
}

// Scope returns what the actor sees: administrators and the server itself all libraries, others the open ones and those whose access list
// names them; restricted ones only with the role legacy:read besides.
func (s *Service) Scope(ctx context.Context, actor domain.Actor) (domain.Scope, error) {
	if err := s.Authorize(ctx, actor, domain.PermissionLibraryRead); err != nil {
		return domain.Scope{}, err
	}
	if actor.System || actor.HasRole(domain.RoleAdmin) {
		return domain.ScopeAll(), nil
	}
	restricted := actor.HasRole(domain.RoleLegacy)
	ids, err := s.visible.Get(ctx, actor.UserID.String()+strconv.FormatBool(restricted), func(ctx context.Context) ([]domain.ID, error) {
		return s.deps.Store.Read().Libraries.VisibleTo(ctx, actor.UserID, restricted)
	})
	return domain.ScopeOf(ids...), err
}
