package casbin_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/casbin"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/testkit/policytest"
)

func TestPolicyKeepsItsLaws(t *testing.T) {
	policytest.Run(t, func(_ *testing.T, server *policytest.Server) policy.Policy {
		return casbin.New(casbin.Config{Source: server, Now: server.Now})
	})
}

// counted is a source without roles that counts how often it is read.
type counted struct{ versions, lists atomic.Int64 }

func (c *counted) PolicyVersion(context.Context) (int64, error) { c.versions.Add(1); return 1, nil }

func (c *counted) List(context.Context) ([]domain.Role, error) { c.lists.Add(1); return nil, nil }

func TestRolesAreReadOncePerVersionAndNotByEachQuestion(t *testing.T) {
	t.Parallel()
	source, now := &counted{}, time.Unix(1_800_000_000, 0)
	p := casbin.New(casbin.Config{Source: source, Now: func() time.Time { return now }})
	for range 4 {
		for range 1000 {
			if ok, err := p.Allowed(t.Context(), domain.Actor{UserID: domain.NewID(), Roles: []domain.RoleName{domain.RoleUser}}, domain.PermissionPlayback); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		now = now.Add(3 * time.Second)
	}
	if v, l := source.versions.Load(), source.lists.Load(); v != 4 || l != 1 {
		t.Errorf("the version was read %d times, the roles %d times", v, l)
	}
}

func TestTheDefaultRolesAreTheProducts(t *testing.T) {
	t.Parallel()
	p := casbin.New(casbin.Config{Source: &counted{}})
	guest := []domain.Permission{domain.PermissionLibraryRead, domain.PermissionPlayback, domain.PermissionPublic, domain.PermissionEnrol, domain.PermissionSession}
	user := append(slices.Clone(guest), domain.PermissionProfile, domain.PermissionAPIKey, domain.PermissionHistory)
	for role, want := range map[domain.RoleName][]domain.Permission{domain.RoleGuest: guest, domain.RoleUser: user, domain.RoleLegacy: user} {
		got, err := p.Permissions(t.Context(), domain.Actor{UserID: domain.NewID(), Roles: []domain.RoleName{role}})
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s has %v, %v", role, got, err)
		}
	}
}
