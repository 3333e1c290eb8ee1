package access_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

func TestEveryoneSeesTheirLibrariesAndNoOther(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		owner, user, legacy := p.User(t, "owner", domain.RoleAdmin), p.User(t, "user"), p.User(t, "legacy", domain.RoleLegacy, domain.RoleUser)
		now := domain.Stamp(time.Now())
		library := func(name string, open, restricted bool, granted ...domain.User) domain.ID {
			l := domain.Library{ID: domain.NewID(), Name: name, Open: open, Restricted: restricted, Locale: "en", CreatedAt: now, UpdatedAt: now}
			change(t, p, func(ctx context.Context, tx store.Tx) error {
				if err := tx.Libraries.Create(ctx, l); err != nil {
					return err
				}
				for _, u := range granted {
					if err := tx.Libraries.Grant(ctx, domain.LibraryAccess{LibraryID: l.ID, UserID: u.ID, GrantedAt: now}); err != nil {
						return err
					}
				}
				return nil
			})
			return l.ID
		}
		everybody, closed, granted := library("open", true, false), library("closed", false, false), library("granted", false, false, user)
		restricted := library("restricted", true, true, user, legacy)

		actor := func(u domain.User) domain.Actor { return domain.Actor{UserID: u.ID, Roles: u.Roles} }
		for name, c := range map[string]struct {
			actor domain.Actor
			sees  []domain.ID
		}{
			"owner":  {actor(owner), []domain.ID{everybody, closed, granted, restricted}},
			"server": {domain.SystemActor(), []domain.ID{everybody, closed, granted, restricted}},
			"user":   {actor(user), []domain.ID{everybody, granted}},
			"legacy": {actor(legacy), []domain.ID{everybody, restricted}},
		} {
			scope, err := p.Access.Scope(ctx, c.actor)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []domain.ID{everybody, closed, granted, restricted} {
				if scope.Sees(id) != slices.Contains(c.sees, id) {
					t.Errorf("%s: wrong about %s", name, id)
				}
			}
		}
		if scope, err := p.Access.Scope(ctx, domain.Actor{}); err == nil || scope.All() || len(scope.Libraries()) != 0 || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("nobody sees %+v, %v", scope, err)
		}
		if _, err := p.Access.Scope(ctx, domain.Actor{UserID: user.ID, Roles: []domain.RoleName{"stranger"}}); fault.CodeOf(err) != "access.denied" {
			t.Errorf("an unknown role: %v", err)
		}

		change(t, p, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Libraries.Ungrant(ctx, granted, user.ID); err != nil {
				return err
			}
			return tx.Events.Publish(ctx, caching.Changed(bus.TopicAccess, granted)...)
		})
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			scope, err := p.Access.Scope(ctx, actor(user))
			if err != nil {
				t.Fatal(err)
			}
			if !scope.Sees(granted) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("access that was taken away is still there")
			}
		}
	})
}

func change(t *testing.T, p *identity.Process, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	if err := p.Store.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestPermissionsAreTheRoles(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "user")
		actor := domain.Actor{UserID: u.ID, Roles: u.Roles}
		if err := p.Access.Authorize(t.Context(), actor, domain.PermissionLibraryRead); err != nil {
			t.Error(err)
		}
		if err := p.Access.Authorize(t.Context(), actor, domain.PermissionLibraryManage); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("got %v", err)
		}
		if got, err := p.Access.Permissions(t.Context(), actor); err != nil || !slices.Contains(got, domain.PermissionLibraryRead) || slices.Contains(got, domain.PermissionLibraryManage) {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
