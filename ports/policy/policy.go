// Package policy decides whether an actor's roles carry a permission.
package policy

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
)

// Policy maps roles to permissions. What it does not know it denies.
type Policy interface {
	// Allowed tells whether the actor has the permission. PermissionPublic is allowed to everybody, nothing else to Anonymous.
	Allowed(ctx context.Context, actor domain.Actor, p domain.Permission) (bool, error)
	// Permissions lists what the actor has, sorted.
	Permissions(ctx context.Context, actor domain.Actor) ([]domain.Permission, error)
	// Roles lists the roles that can be given.
	Roles(ctx context.Context) ([]domain.RoleName, error)
}
