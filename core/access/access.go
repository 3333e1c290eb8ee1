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
	CodeLastAdmin = "user.last_admin"                // Conflict
	CodeNotOwn    = "role.not_yours_to_give"         // Forbidden: it carries what the actor does not hold
)

// FreshFor is how long a proof of who one is counts for sensitive changes (S9).
const FreshFor = 5 * time.Minute

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Policy policy.Policy
	Cache  cache.Cache
	Shared cache.Shared // nil: none
	Bus    bus.Bus
	Logger *slog.Logger
}

// Service decides. What it decides holds for at most a second after the roles, libraries or access lists changed.
type Service struct {
	deps    Deps
	visible *caching.Cached[[]domain.ID]
	granted *caching.Cached[grants]
}

// grants are somebody's roles for single libraries.
type grants struct {
	Roles []domain.LibraryRole
	// Restricted are those of the libraries that no such role opens.
	Restricted []domain.ID
}

// New returns the service. Run Listen beside it.
func New(d Deps) *Service {
	deps := caching.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger}
	cfg := caching.Config{Prefix: "access", TTL: caching.Access, Topics: []bus.Topic{bus.TopicAccess}, ForgetAll: true}
	s := &Service{deps: d, visible: caching.New[[]domain.ID](deps, cfg)}
	cfg.Prefix = "granted"
	s.granted = caching.New[grants](deps, cfg)
	return s
}

// Listen takes up changes that the bus tells of, until ctx ends.
func (s *Service) Listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 3)
	for _, listen := range []func(context.Context) error{s.visible.Listen, s.granted.Listen, s.listenToPolicy} {
		go func() { ended <- listen(ctx) }()
	}
	err := <-ended
	cancel()
	<-ended
	<-ended
	return err
}

func (s *Service) listenToPolicy(ctx context.Context) error {
	messages, err := s.deps.Bus.Subscribe(ctx, bus.TopicPolicy)
	if err != nil {
		return err
	}
	s.deps.Policy.Forget() // what changed before somebody listened
	for range messages {
		s.deps.Policy.Forget()
	}
	return ctx.Err()
}

// Forget makes the next decision look again: for changes of this process, which need not wait for the bus.
func (s *Service) Forget() {
	s.deps.Policy.Forget()
	s.visible.ForgetAll()
	s.granted.ForgetAll()
}

// Authorize returns nil when the actor has the permission everywhere: else Unauthenticated for nobody, Forbidden for somebody. An API key needs it
// both from its owner's roles and from its own list; who must add a second factor first may do nothing else.
func (s *Service) Authorize(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	ok, err := s.deps.Policy.Allowed(ctx, actor, p)
	return verdict(actor, p, ok, err)
}

// AuthorizeEnrolling is Authorize for what somebody who must add a second factor first sees of themselves meanwhile: they need session.enrol instead.
// Their API keys are refused, as everywhere.
func (s *Service) AuthorizeEnrolling(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	if actor.MustEnrol && actor.KeyID == nil {
		p = domain.PermissionEnrol
	}
	return s.Authorize(ctx, actor, p)
}

// AuthorizeIn is Authorize for what is in one library, where roles that were granted for it count as well. Whether the actor sees the library at
// all is Scope's to say.
func (s *Service) AuthorizeIn(ctx context.Context, actor domain.Actor, p domain.Permission, library domain.ID) error {
	ok, err := s.deps.Policy.Allowed(ctx, actor, p)
	if err != nil || ok || actor.Anonymous() {
		return verdict(actor, p, ok, err)
	}
	g, err := s.grantedTo(ctx, actor)
	if err != nil {
		return err
	}
	ok, err = s.deps.Policy.AllowedIn(ctx, actor, g.Roles, library, p)
	return verdict(actor, p, ok, err)
}

// AuthorizeAnywhere returns nil when the actor has the permission everywhere or in at least one library. Who asks it goes on to ask ScopeFor or
// AuthorizeIn where.
func (s *Service) AuthorizeAnywhere(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	ok, err := s.deps.Policy.Allowed(ctx, actor, p)
	if err != nil || ok || actor.Anonymous() || !p.InLibrary() {
		return verdict(actor, p, ok, err)
	}
	g, err := s.grantedTo(ctx, actor)
	for i := 0; err == nil && !ok && i < len(g.Roles); i++ {
		ok, err = s.deps.Policy.AllowedIn(ctx, actor, g.Roles, g.Roles[i].LibraryID, p)
	}
	return verdict(actor, p, ok, err)
}

// verdict is what an answer of the policy means for who asks.
func verdict(actor domain.Actor, p domain.Permission, ok bool, err error) error {
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

// grantedTo returns the actor's roles for single libraries.
func (s *Service) grantedTo(ctx context.Context, actor domain.Actor) (grants, error) {
	if actor.System || actor.Anonymous() {
		return grants{}, nil
	}
	return s.granted.Get(ctx, actor.UserID.String(), func(ctx context.Context) (g grants, err error) {
		read := s.deps.Store.Read()
		if g.Roles, err = read.Roles.Granted(ctx, actor.UserID); err != nil || len(g.Roles) == 0 {
			return g, err
		}
		ids := make([]domain.ID, len(g.Roles))
		for i, r := range g.Roles {
			ids[i] = r.LibraryID
		}
		libraries, err := read.Libraries.List(ctx, domain.ScopeOf(ids...))
		for _, l := range libraries {
			if l.Restricted {
				g.Restricted = append(g.Restricted, l.ID)
			}
		}
		return g, err
	})
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

// Permissions lists what the actor has everywhere, sorted: what a user interface shows or hides. An API key has what both its owner and it have.
func (s *Service) Permissions(ctx context.Context, actor domain.Actor) ([]domain.Permission, error) {
	list, err := s.deps.Policy.Permissions(ctx, actor)
	if actor.KeyID != nil {
		list = slices.DeleteFunc(list, func(p domain.Permission) bool {
			return p != domain.PermissionPublic && !slices.Contains(actor.KeyPermissions, p)
		})
	}
	return list, err
}

// Roles lists the roles that can be given, sorted.
func (s *Service) Roles(ctx context.Context) ([]domain.RoleName, error) {
	return s.deps.Policy.Roles(ctx)
}

// MayGive returns nil when the actor holds all that the roles carry, so that nobody makes of another, or of themselves, what they are not: Forbidden
// otherwise. Administrators alone make and unmake administrators; legacy:read is given by them and by whoever has it.
func (s *Service) MayGive(ctx context.Context, actor domain.Actor, roles ...domain.RoleName) error {
	if actor.System {
		return nil
	}
	held, err := s.Permissions(ctx, actor)
	if err != nil {
		return err
	}
	for _, role := range roles {
		carried, err := s.deps.Policy.Permissions(ctx, domain.Actor{UserID: actor.UserID, Roles: []domain.RoleName{role}})
		if err != nil {
			return err
		}
		absolute := role.Absolute() && !actor.HasRole(role) && !actor.HasRole(domain.RoleAdmin)
		if p, lacks := Beyond(carried, held); lacks || absolute {
			return NotYours(role, p)
		}
	}
	return nil
}

// Beyond returns the first of the wanted permissions that is not among the held ones.
func Beyond(wanted, held []domain.Permission) (domain.Permission, bool) {
	for _, p := range wanted {
		if !slices.Contains(held, p) && p != domain.PermissionPublic {
			return p, true
		}
	}
	return "", false
}

// NotYours refuses to give a role that carries a permission which the giver lacks; "" where it is the role itself that they lack.
func NotYours(role domain.RoleName, p domain.Permission) error {
	if p == "" {
		return fault.New(fault.Forbidden, CodeNotOwn, "The role %s is given and taken by those who have it. Ask an administrator.", role)
	}
	return fault.New(fault.Forbidden, CodeNotOwn, "The role %s carries %s, which you do not have yourself. Ask an administrator.", role, p)
}

// AnAdminIsLeft is Conflict when no administrator could sign in if the transaction committed: the last thing that a change asks which takes the role, or
// the use of an account, away. Transactions are serializable, so two at once do not both pass.
func AnAdminIsLeft(ctx context.Context, tx store.Tx) error {
	admins, err := tx.Users.CountAdmins(ctx)
	if err == nil && admins == 0 {
		return fault.New(fault.Conflict, CodeLastAdmin, "This is the last administrator. Make another one first.")
	}
	return err
}

// Scope returns what the actor sees: administrators and the server itself all libraries; who may read everywhere the open ones and those whose access
// list names them, restricted ones only with the role legacy:read besides; everybody the unrestricted libraries for which a role was granted to
// them that may read.
func (s *Service) Scope(ctx context.Context, actor domain.Actor) (domain.Scope, error) {
	return s.ScopeFor(ctx, actor, domain.PermissionLibraryRead)
}

// ScopeFor returns the libraries that the actor sees and has the permission in. It is an error where that is none by any role.
func (s *Service) ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error) {
	if err := s.AuthorizeAnywhere(ctx, actor, p); err != nil {
		return domain.Scope{}, err
	}
	if actor.System || actor.HasRole(domain.RoleAdmin) {
		return domain.ScopeAll(), nil
	}
	g, err := s.grantedTo(ctx, actor)
	if err != nil {
		return domain.Scope{}, err
	}
	ids, err := s.seen(ctx, actor, g)
	if err != nil {
		return domain.Scope{}, err
	}
	if everywhere, err := s.deps.Policy.Allowed(ctx, actor, p); err != nil || everywhere {
		return domain.ScopeOf(ids...), err
	}
	var within []domain.ID
	for _, id := range ids {
		ok, err := s.deps.Policy.AllowedIn(ctx, actor, g.Roles, id, p)
		if err != nil {
			return domain.Scope{}, err
		}
		if ok {
			within = append(within, id)
		}
	}
	return domain.ScopeOf(within...), nil
}

// seen lists the libraries that somebody who is no administrator may read, each once.
func (s *Service) seen(ctx context.Context, actor domain.Actor, g grants) (ids []domain.ID, err error) {
	reads, err := s.deps.Policy.Allowed(ctx, actor, domain.PermissionLibraryRead)
	if err != nil {
		return nil, err
	}
	if reads {
		restricted := actor.HasRole(domain.RoleLegacy)
		visible, err := s.visible.Get(ctx, actor.UserID.String()+strconv.FormatBool(restricted), func(ctx context.Context) ([]domain.ID, error) {
			return s.deps.Store.Read().Libraries.VisibleTo(ctx, actor.UserID, restricted)
		})
		if err != nil || len(g.Roles) == 0 {
			return visible, err
		}
		ids = slices.Clone(visible) // the cache's own is not to be changed
	}
	for _, r := range g.Roles {
		if slices.Contains(ids, r.LibraryID) || slices.Contains(g.Restricted, r.LibraryID) {
			continue
		}
		ok, err := s.deps.Policy.AllowedIn(ctx, actor, g.Roles, r.LibraryID, domain.PermissionLibraryRead)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, r.LibraryID)
		}
	}
	return ids, nil
}
