// Package policytest holds an adapter of ports/policy to its comments.
package policytest

import (
	"slices"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/policy"
)

// Run holds a policy with the fixed roles of this version to every law.
func Run(t *testing.T, open func(t *testing.T) policy.Policy) {
	with := func(roles ...domain.RoleName) domain.Actor { return domain.Actor{UserID: domain.NewID(), Roles: roles} }
	all := []domain.Permission{
		domain.PermissionPublic, domain.PermissionSession, domain.PermissionLibraryRead, domain.PermissionLibraryManage,
		domain.PermissionUserManage, domain.PermissionSettingsManage, domain.PermissionJobsManage,
	}
	allowed := func(t *testing.T, p policy.Policy, actor domain.Actor, permission domain.Permission) bool {
		t.Helper()
		ok, err := p.Allowed(t.Context(), actor, permission)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	t.Run("NobodyHasThePublicAndNothingElse", func(t *testing.T) {
		p := open(t)
		for _, permission := range all {
			// Roles without an account are worth nothing.
			for _, nobody := range []domain.Actor{{}, {Roles: []domain.RoleName{domain.RoleAdmin}}} {
				if got := allowed(t, p, nobody, permission); got != (permission == domain.PermissionPublic) {
					t.Errorf("%s: %v", permission, got)
				}
			}
		}
	})
	t.Run("TheUnknownIsDenied", func(t *testing.T) {
		p := open(t)
		for _, actor := range []domain.Actor{with(domain.RoleAdmin), with("root"), domain.SystemActor()} {
			for _, permission := range []domain.Permission{"", "library.destroy", "LIBRARY.READ"} {
				if allowed(t, p, actor, permission) {
					t.Errorf("%v may %q", actor, permission)
				}
			}
		}
		if allowed(t, p, with("root", ""), domain.PermissionSession) {
			t.Error("an unknown role lets in")
		}
	})
	t.Run("TheServerItselfMayDoEverything", func(t *testing.T) {
		p := open(t)
		for _, permission := range all {
			if !allowed(t, p, domain.SystemActor(), permission) {
				t.Error(permission)
			}
		}
	})
	t.Run("PermissionsAreWhatIsAllowedSorted", func(t *testing.T) {
		p := open(t)
		roles, err := p.Roles(t.Context())
		if err != nil || len(roles) == 0 {
			t.Fatal(roles, err)
		}
		actors := []domain.Actor{{}, domain.SystemActor(), with(roles...)}
		for _, role := range roles {
			actors = append(actors, with(role))
		}
		for _, actor := range actors {
			got, err := p.Permissions(t.Context(), actor)
			if err != nil || !slices.IsSorted(got) {
				t.Errorf("%v: %v, %v", actor.Roles, got, err)
			}
			for _, permission := range all {
				if slices.Contains(got, permission) != allowed(t, p, actor, permission) {
					t.Errorf("%v: %s is listed or allowed, not both", actor.Roles, permission)
				}
			}
		}
	})
}
