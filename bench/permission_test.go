package bench_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/roles"
	"github.com/revenge-media/revenge/testkit/world"
)

// BenchmarkPermissionCheck asks, as every request does, whether an account has a permission: of 10 000 accounts in turn, which have two of a hundred
// roles each, some of which inherit theirs. The limit looks into a map of sets that were made before.
func BenchmarkPermissionCheck(b *testing.B) {
	const accounts, checks = 10_000, 1_000_000
	w := world.New(b, world.Idle())
	limit := map[domain.RoleName]map[domain.Permission]bool{}
	var names []domain.RoleName
	for i := range 100 {
		draft := roles.Draft{Name: domain.RoleName(fmt.Sprintf("role%02d", i)), Permissions: []domain.Permission{domain.PermissionSession, domain.PermissionLibraryRead}}
		if i%10 > 0 {
			draft.Permissions, draft.Parents = nil, []domain.RoleName{names[i-1]}
		}
		if _, err := w.Roles.Create(b.Context(), domain.SystemActor(), draft); err != nil {
			b.Fatal(err)
		}
		names = append(names, draft.Name)
		limit[draft.Name] = map[domain.Permission]bool{domain.PermissionSession: true, domain.PermissionLibraryRead: true}
	}
	actors := make([]domain.Actor, accounts)
	for i := range actors {
		actors[i] = domain.Actor{UserID: domain.NewID(), Roles: []domain.RoleName{names[i%100], names[(i*7+1)%100]}}
	}
	ours := perCheck(checks, func(ctx context.Context, i int) bool {
		return w.Access.Authorize(ctx, actors[i%accounts], domain.PermissionLibraryRead) == nil
	})
	theirs := perCheck(checks, func(_ context.Context, i int) bool {
		for _, role := range actors[i%accounts].Roles {
			if limit[role][domain.PermissionLibraryRead] {
				return true
			}
		}
		return false
	})
	for b.Loop() {
		c, err := measure.Interleave(b.Context(), measure.Rounds, ours, theirs)
		if err != nil {
			b.Fatal(err)
		}
		row := measure.Absolute(c.Ours, 5, "Access", "permission check, 10,000 accounts with two of 100 roles", "µs")
		row.Spread = fmt.Sprintf("%.3gx a look into a map", c.Ratio)
		measure.Report(b, row)
	}
}

// perCheck measures how long one of many checks takes, in µs.
func perCheck(n int, check func(ctx context.Context, i int) bool) measure.Side {
	return func(ctx context.Context) (float64, error) {
		begun := time.Now()
		for i := range n {
			if !check(ctx, i) {
				return 0, fmt.Errorf("check %d: %s", i, access.CodeDenied)
			}
		}
		return float64(time.Since(begun).Nanoseconds()) / 1000 / float64(n), nil
	}
}
