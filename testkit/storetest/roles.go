package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// aRole stores a role of this server's and returns it.
func aRole(t *testing.T, s store.Store, name domain.RoleName, parents ...domain.RoleName) domain.Role {
	t.Helper()
	var r domain.Role
	fill(t, &r)
	r.Name, r.Default, r.Permissions, r.Parents = name, false, []domain.Permission{"a.b", "c.d"}, append([]domain.RoleName{}, parents...)
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Roles.Create(ctx, r) })
	return r
}

func policyVersion(t *testing.T, s store.Store) int64 {
	t.Helper()
	v, err := s.Read().Roles.PolicyVersion(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var _ = declare("roles",
	law{"RolesAreKeptWholeChangeAndGo", func(t *testing.T, h Harness) {
		b, a := aRole(t, h.Store, "b", "a", "user"), aRole(t, h.Store, "a")
		list, err := h.Store.Read().Roles.List(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		same(t, list, []domain.Role{a, b})
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Roles.Create(ctx, a) })
		wantFault(t, err, fault.Conflict, "role.exists")
		b.Description, b.Permissions, b.Parents, b.UpdatedAt = "other", []domain.Permission{"e.f"}, []domain.RoleName{"guest"}, b.UpdatedAt.Add(time.Hour)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Roles.Update(ctx, b) })
		got, err := h.Store.Read().Roles.Get(deadline(t), "b")
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, b)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Roles.Delete(ctx, "b") })
		for name, fn := range map[string]func(ctx context.Context, r store.Roles) error{
			"get":    func(ctx context.Context, r store.Roles) error { _, err := r.Get(ctx, "b"); return err },
			"update": func(ctx context.Context, r store.Roles) error { return r.Update(ctx, b) },
			"delete": func(ctx context.Context, r store.Roles) error { return r.Delete(ctx, "b") },
		} {
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return fn(ctx, tx.Roles) })
			if err == nil || fault.CodeOf(err) != "role.not_found" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}},
	law{"EveryChangeOfARoleHasAVersionOfItsOwn", func(t *testing.T, h Harness) {
		seen := map[int64]bool{policyVersion(t, h.Store): true}
		r := aRole(t, h.Store, "a")
		for _, change := range []func(ctx context.Context, tx store.Tx) error{
			func(context.Context, store.Tx) error { return nil },
			func(ctx context.Context, tx store.Tx) error { return tx.Roles.Update(ctx, r) },
			func(ctx context.Context, tx store.Tx) error { return tx.Roles.Delete(ctx, r.Name) },
		} {
			update(t, h.Store, change)
			seen[policyVersion(t, h.Store)] = true
		}
		if len(seen) != 4 {
			t.Errorf("versions %v", seen)
		}
	}},
	law{"RolesForOneLibraryGoWithTheAccountTheLibraryAndTheRole", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert")
		one, two := aLibrary(t, h.Store, "one"), aLibrary(t, h.Store, "two")
		aRole(t, h.Store, "a")
		aRole(t, h.Store, "heir", "a", "user")
		now := domain.Stamp(time.Now())
		grant := func(u domain.User, library domain.ID, role domain.RoleName) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				return tx.Roles.Grant(ctx, u.ID, domain.LibraryRole{LibraryID: library, Role: role}, now)
			})
		}
		granted := func(u domain.User, want ...domain.LibraryRole) {
			t.Helper()
			got, err := h.Store.Read().Roles.Granted(deadline(t), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, append([]domain.LibraryRole{}, want...))
		}
		inOne, inTwo := domain.LibraryRole{LibraryID: one.ID, Role: "a"}, domain.LibraryRole{LibraryID: two.ID, Role: "user"}
		for range 2 { // the second changes nothing
			grant(anna, one.ID, "a")
			grant(anna, two.ID, "user")
			grant(bert, two.ID, "user")
		}
		granted(anna, inOne, inTwo)
		granted(bert, inTwo)
		for code, g := range map[string]struct{ user, library domain.ID }{"user.not_found": {domain.NewID(), one.ID}, "library.not_found": {anna.ID, domain.NewID()}} {
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
				return tx.Roles.Grant(ctx, g.user, domain.LibraryRole{LibraryID: g.library, Role: "a"}, now)
			})
			wantFault(t, err, fault.NotFound, code)
		}
		for _, want := range []bool{true, false} {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				removed, err := tx.Roles.Ungrant(ctx, bert.ID, inTwo)
				if removed != want {
					t.Errorf("removed: %v", removed)
				}
				return err
			})
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Delete(ctx, two.ID) })
		granted(anna, inOne)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Roles.Delete(ctx, "a") })
		granted(anna)
		heir, err := h.Store.Read().Roles.Get(deadline(t), "heir")
		if err != nil {
			t.Fatal(err)
		}
		same(t, heir.Parents, []domain.RoleName{"user"})
		grant(anna, one.ID, "heir")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Purge(ctx, anna.ID) })
		granted(anna)
	}},
	law{"HoldersAreListedOnceForEachPlace", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "Bert")
		clara := aUser(t, h.Store, "clara")
		clara.Roles = []domain.RoleName{"a"}
		library := aLibrary(t, h.Store, "one")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			for _, u := range []domain.User{bert, anna} {
				if err := tx.Roles.Grant(ctx, u.ID, domain.LibraryRole{LibraryID: library.ID, Role: "user"}, u.CreatedAt); err != nil {
					return err
				}
			}
			return tx.Users.Update(ctx, clara)
		})
		got := walk(t, 1, func(req domain.PageRequest) (domain.Page[domain.RoleHolder], error) {
			return h.Store.Read().Roles.Holders(deadline(t), "user", req)
		})
		holds := func(u domain.User, library *domain.ID) domain.RoleHolder {
			return domain.RoleHolder{UserID: u.ID, Username: u.Username, DisplayName: u.DisplayName, LibraryID: library}
		}
		same(t, got, []domain.RoleHolder{holds(anna, nil), holds(anna, &library.ID), holds(bert, nil), holds(bert, &library.ID)})
		page, err := h.Store.Read().Roles.Holders(deadline(t), "user", domain.PageRequest{IncludeTotal: true})
		if err != nil || page.Total == nil || *page.Total != 4 {
			t.Errorf("%+v, %v", page.Total, err)
		}
		counts, err := h.Store.Read().Roles.CountHolders(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		same(t, counts, map[domain.RoleName]int{"user": 2, "a": 1})
	}},
)
