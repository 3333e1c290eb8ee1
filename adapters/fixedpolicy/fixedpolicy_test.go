package fixedpolicy_test

import (
	"slices"
	"testing"

	"github.com/revenge-media/revenge/adapters/fixedpolicy"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/testkit/policytest"
)

func TestPolicyKeepsItsLaws(t *testing.T) {
	policytest.Run(t, func(*testing.T) policy.Policy { return fixedpolicy.Policy{} })
}

func TestOnlyAdministratorsManage(t *testing.T) {
	t.Parallel()
	for _, role := range []domain.RoleName{domain.RoleUser, domain.RoleLegacy} {
		got, err := fixedpolicy.Policy{}.Permissions(t.Context(), domain.Actor{UserID: domain.NewID(), Roles: []domain.RoleName{role}})
		want := []domain.Permission{domain.PermissionLibraryRead, domain.PermissionPublic, domain.PermissionSession}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s has %v, %v", role, got, err)
		}
	}
	admin := domain.Actor{UserID: domain.NewID(), Roles: []domain.RoleName{domain.RoleAdmin}}
	for _, p := range []domain.Permission{domain.PermissionLibraryManage, domain.PermissionUserManage, domain.PermissionSettingsManage, domain.PermissionJobsManage} {
		if ok, err := (fixedpolicy.Policy{}).Allowed(t.Context(), admin, p); !ok || err != nil {
			t.Errorf("admin may not %s: %v", p, err)
		}
	}
}
