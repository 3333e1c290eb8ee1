package bench_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/revenge-media/revenge/adapters/casbin"
	"github.com/revenge-media/revenge/core/domain"
)

// manyRoles is a source of a hundred roles, each of which inherits from the one before.
type manyRoles []domain.Role

func (manyRoles) PolicyVersion(context.Context) (int64, error)  { return 1, nil }
func (r manyRoles) List(context.Context) ([]domain.Role, error) { return r, nil }

// BenchmarkPermissionCheck asks for one permission of 10 000 accounts in turn, whose roles are of a hundred; the limit is the look into a map of
// sets that were made before.
func BenchmarkPermissionCheck(b *testing.B) {
	var roles manyRoles
	limit := map[domain.RoleName]map[domain.Permission]bool{}
	for i := range 100 {
		r := domain.Role{Name: domain.RoleName(fmt.Sprintf("role%02d", i)), Permissions: []domain.Permission{domain.PermissionSession}}
		if i > 0 {
			r.Parents = []domain.RoleName{roles[i-1].Name}
		}
		roles, limit[r.Name] = append(roles, r), map[domain.Permission]bool{domain.PermissionSession: true}
	}
	actors := make([]domain.Actor, 10_000)
	for i := range actors {
		actors[i] = domain.Actor{UserID: domain.NewID(), Roles: []domain.RoleName{roles[i%100].Name, roles[(i*7)%100].Name}}
	}
	policy := casbin.New(casbin.Config{Source: roles})
	b.Run("limit", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if !limit[actors[i%len(actors)].Roles[0]][domain.PermissionSession] {
				b.Fatal("denied")
			}
		}
	})
	b.Run("revenge", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if ok, err := policy.Allowed(b.Context(), actors[i%len(actors)], domain.PermissionSession); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}
