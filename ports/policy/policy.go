// Package policy decides whether an actor's roles carry a permission.
package policy

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
)

// Policy maps roles to permissions: the default roles of domain.DefaultRoles and those that were made on this server. What it does not know it
// denies. After Forget an answer is of the roles as they are; without it of the roles as they were at most 5 s ago. When it cannot tell
// it says so by an error, and never by allowing.
type Policy interface {
	// Allowed tells whether the actor's roles carry the permission everywhere. PermissionPublic is allowed to everybody, nothing else to Anonymous.
	Allowed(ctx context.Context, actor domain.Actor, p domain.Permission) (bool, error)
	// AllowedIn is Allowed for what is in one library: there the roles that the actor was granted for it count as well. A permission that
	// means nothing for a single library is carried by no such grant.
	AllowedIn(ctx context.Context, actor domain.Actor, granted []domain.LibraryRole, library domain.ID, p domain.Permission) (bool, error)
	// Permissions lists what the actor has everywhere, sorted. PermissionPublic is among them.
	Permissions(ctx context.Context, actor domain.Actor) ([]domain.Permission, error)
	// Roles lists the roles that can be given, sorted.
	Roles(ctx context.Context) ([]domain.RoleName, error)
	// Forget makes the next question look at the roles again, even where a look is under way: they changed.
	Forget()
}

// Source is where a Policy finds the roles that were made on this server (store.Roles).
type Source interface {
	// PolicyVersion changes with every change of a role.
	PolicyVersion(ctx context.Context) (int64, error)
	// List returns the roles without the default ones.
	List(ctx context.Context) ([]domain.Role, error)
}
