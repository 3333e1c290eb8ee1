// Package fixedpolicy maps the fixed roles to their permissions.
package fixedpolicy

import (
	"context"
	"slices"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/policy"
)

// grants is the whole policy. legacy:read is a user who may also see restricted libraries: which ones, the access lists say.
var grants = map[domain.RoleName][]domain.Permission{
	domain.RoleAdmin:  everything[1:],
	domain.RoleUser:   everyday,
	domain.RoleGuest:  {domain.PermissionEnrol, domain.PermissionSession, domain.PermissionLibraryRead, domain.PermissionPlayback},
	domain.RoleLegacy: everyday,
}

var everyday = []domain.Permission{
	domain.PermissionEnrol, domain.PermissionSession, domain.PermissionProfile, domain.PermissionAPIKey, domain.PermissionLibraryRead,
	domain.PermissionPlayback, domain.PermissionHistory,
}

var everything = append(append([]domain.Permission{domain.PermissionPublic}, everyday...),
	domain.PermissionLibraryManage, domain.PermissionUserManage, domain.PermissionRoleManage, domain.PermissionOIDCManage, domain.PermissionActivityRead,
	domain.PermissionSettingsManage, domain.PermissionJobsManage)

// Policy implements policy.Policy.
type Policy struct{}

var _ policy.Policy = Policy{}

// Allowed implements policy.Policy.
func (Policy) Allowed(_ context.Context, actor domain.Actor, p domain.Permission) (bool, error) {
	if !slices.Contains(everything, p) {
		return false, nil
	}
	if actor.System || p == domain.PermissionPublic {
		return true, nil
	}
	if actor.Anonymous() {
		return false, nil
	}
	return slices.ContainsFunc(actor.Roles, func(r domain.RoleName) bool { return slices.Contains(grants[r], p) }), nil
}

// Permissions implements policy.Policy.
func (p Policy) Permissions(ctx context.Context, actor domain.Actor) ([]domain.Permission, error) {
	var list []domain.Permission
	for _, permission := range everything {
		if ok, err := p.Allowed(ctx, actor, permission); err != nil {
			return nil, err
		} else if ok {
			list = append(list, permission)
		}
	}
	slices.Sort(list)
	return list, nil
}

// Roles implements policy.Policy.
func (Policy) Roles(context.Context) ([]domain.RoleName, error) {
	return []domain.RoleName{domain.RoleAdmin, domain.RoleUser, domain.RoleGuest, domain.RoleLegacy}, nil
}
