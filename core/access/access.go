// Package access decides what an actor may do and see.
package access

import (
	"context"
	"log/slog"
	"strconv"

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
	CodeRequired = "auth.required" // Unauthenticated
	CodeDenied   = "access.denied" // Forbidden
)

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

// Authorize returns nil when the actor has the permission: else Unauthenticated for nobody, Forbidden for somebody.
func (s *Service) Authorize(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	ok, err := s.deps.Policy.Allowed(ctx, actor, p)
	switch {
	case err != nil:
		return err
	case ok:
		return nil
	case actor.Anonymous():
		return fault.New(fault.Unauthenticated, CodeRequired, "Sign in to use this.")
	default:
		return fault.New(fault.Forbidden, CodeDenied, "Your account may not do this. Ask an administrator.")
	}
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
