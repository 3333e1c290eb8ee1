package roles_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/roles"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

// staff is a server with its roles.
type staff struct {
	*identity.Process
	*roles.Service
}

func each(t *testing.T, fn func(t *testing.T, s staff)) {
	identity.Each(t, func(t *testing.T, p *identity.Process) { fn(t, of(p)) })
}

func of(p *identity.Process) staff {
	return staff{p, roles.New(roles.Deps{Store: p.Store, Access: p.Access, Sessions: p.Sessions, Now: p.Clock.Now})}
}

func (s staff) made(t *testing.T, name domain.RoleName, permissions []domain.Permission, parents ...domain.RoleName) roles.RoleSummary {
	t.Helper()
	r, err := s.Create(t.Context(), domain.SystemActor(), roles.Draft{Name: name, Permissions: permissions, Parents: parents})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// actor is an account as it acts now.
func (s staff) actor(t *testing.T, id domain.ID) domain.Actor {
	t.Helper()
	u, err := s.Sessions.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return domain.Actor{UserID: u.ID, Username: u.Username, Roles: u.Roles}
}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Errorf("got error %v, want %s with code %s", err, kind, code)
	}
}

type permissions = []domain.Permission

func TestRolesAreCheckedAndTheDefaultOnesStay(t *testing.T) {
	each(t, func(t *testing.T, s staff) {
		ctx, system := t.Context(), domain.SystemActor()
		made := s.made(t, "librarian", permissions{domain.PermissionLibraryManage, domain.PermissionLibraryManage}, domain.RoleGuest)
		if !slices.Equal(made.Permissions, permissions{domain.PermissionLibraryManage}) || !slices.Contains(made.Effective, domain.PermissionPlayback) || made.Default {
			t.Errorf("got %+v", made)
		}
		s.made(t, "senior", nil, "librarian")
		for _, c := range []struct {
			code string
			kind fault.Kind
			d    roles.Draft
		}{
			{roles.CodeInvalid, fault.Invalid, roles.Draft{Name: "Boss"}},
			{roles.CodeInvalid, fault.Invalid, roles.Draft{Name: "x", Permissions: permissions{"library.destroy"}}},
			{roles.CodeInvalid, fault.Invalid, roles.Draft{Name: "x", Permissions: permissions{domain.PermissionPublic}}},
			{roles.CodeInvalid, fault.Invalid, roles.Draft{Name: "x", Parents: []domain.RoleName{"gone"}}},
			{roles.CodeInvalid, fault.Invalid, roles.Draft{Name: "x", Description: "a\nb"}},
			{roles.CodeExists, fault.Conflict, roles.Draft{Name: "librarian"}},
			{roles.CodeExists, fault.Conflict, roles.Draft{Name: domain.RoleGuest}},
			{roles.CodeCycle, fault.Conflict, roles.Draft{Name: "self", Parents: []domain.RoleName{"self"}}},
			{roles.CodeAbsolute, fault.Conflict, roles.Draft{Name: "x", Parents: []domain.RoleName{domain.RoleAdmin}}},
			{roles.CodeAbsolute, fault.Conflict, roles.Draft{Name: "x", Parents: []domain.RoleName{domain.RoleLegacy}}},
		} {
			_, err := s.Create(ctx, system, c.d)
			wantCode(t, err, c.kind, c.code)
		}
		_, err := s.Update(ctx, system, "librarian", nil, func(d *roles.Draft) { d.Parents = []domain.RoleName{"senior"} })
		wantCode(t, err, fault.Conflict, roles.CodeCycle)
		for _, r := range domain.DefaultRoles() {
			_, err := s.Update(ctx, system, r.Name, nil, func(d *roles.Draft) { d.Permissions = nil })
			wantCode(t, err, fault.Conflict, roles.CodeDefault)
			wantCode(t, s.Delete(ctx, system, r.Name, nil, true), fault.Conflict, roles.CodeDefault)
		}
		old := made.UpdatedAt
		if _, err := s.Update(ctx, system, "librarian", &old, func(d *roles.Draft) { d.Description = "new" }); err != nil {
			t.Error(err)
		}
		_, err = s.Update(ctx, system, "librarian", &old, func(d *roles.Draft) { d.Description = "newer" })
		wantCode(t, err, fault.Precondition, roles.CodeChanged)
		wantCode(t, s.Delete(ctx, system, "librarian", nil, false), fault.Conflict, roles.CodeInUse)
		anna := s.User(t, "anna", "senior")
		wantCode(t, s.Delete(ctx, system, "senior", nil, false), fault.Conflict, roles.CodeInUse)
		if err := errors.Join(s.Delete(ctx, system, "librarian", nil, true), s.Delete(ctx, system, "senior", nil, true)); err != nil {
			t.Error(err)
		}
		s.Sessions.ForgetUsers(ctx, anna.ID)
		if got := s.actor(t, anna.ID).Roles; len(got) != 0 {
			t.Errorf("she still has %v", got)
		}
		list, err := s.List(ctx, system)
		if err != nil || len(list) != 4 {
			t.Errorf("got %+v, %v", list, err)
		}
	})
}

func TestNobodyGivesWhatTheyDoNotHold(t *testing.T) {
	each(t, func(t *testing.T, s staff) {
		ctx := t.Context()
		s.made(t, "deputy", permissions{domain.PermissionRoleManage, domain.PermissionUserManage}, domain.RoleUser)
		s.made(t, "technician", permissions{domain.PermissionJobsManage})
		s.made(t, "plain", nil)
		deputy, anna, owner := s.actor(t, s.User(t, "deputy", "deputy").ID), s.User(t, "anna"), s.User(t, "owner", domain.RoleAdmin)
		narrow := deputy
		narrow.KeyID, narrow.KeyPermissions = &owner.ID, permissions{domain.PermissionRoleManage, domain.PermissionUserManage}
		for name, act := range map[string]func() error{
			"make": func() error {
				_, err := s.Create(ctx, deputy, roles.Draft{Name: "x", Permissions: permissions{domain.PermissionJobsManage}})
				return err
			},
			"inherit": func() error {
				_, err := s.Create(ctx, deputy, roles.Draft{Name: "x", Parents: []domain.RoleName{"technician"}})
				return err
			},
			"widen": func() error {
				_, err := s.Update(ctx, deputy, "plain", nil, func(d *roles.Draft) { d.Permissions = permissions{domain.PermissionJobsManage} })
				return err
			},
			"widen the own": func() error {
				_, err := s.Update(ctx, deputy, "deputy", nil, func(d *roles.Draft) { d.Parents = append(d.Parents, "technician") })
				return err
			},
			"narrow": func() error {
				_, err := s.Update(ctx, deputy, "technician", nil, func(d *roles.Draft) { d.Permissions = nil })
				return err
			},
			"remove":       func() error { return s.Delete(ctx, deputy, "technician", nil, true) },
			"give":         func() error { return s.Give(ctx, deputy, anna.ID, "technician", nil) },
			"give oneself": func() error { return s.Give(ctx, deputy, deputy.UserID, domain.RoleAdmin, nil) },
			"give legacy":  func() error { return s.Give(ctx, deputy, anna.ID, domain.RoleLegacy, nil) },
			"take from":    func() error { return s.Take(ctx, deputy, owner.ID, domain.RoleAdmin, nil) },
			"by a key":     func() error { return s.Give(ctx, narrow, anna.ID, domain.RoleGuest, nil) },
			"make by a key": func() error {
				_, err := s.Create(ctx, narrow, roles.Draft{Name: "x", Parents: []domain.RoleName{domain.RoleUser}})
				return err
			},
			"give by a key":  func() error { return s.Give(ctx, narrow, anna.ID, "deputy", nil) },
			"in one library": func() error { id := domain.NewID(); return s.Give(ctx, deputy, anna.ID, "technician", &id) },
		} {
			if err := act(); fault.CodeOf(err) != access.CodeNotOwn {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Give(ctx, deputy, anna.ID, "deputy", nil); err != nil {
			t.Error(err)
		}
		if _, err := s.Create(ctx, deputy, roles.Draft{Name: "y", Parents: []domain.RoleName{domain.RoleGuest}}); err != nil {
			t.Error(err)
		}
		user := domain.Actor{UserID: anna.ID, Roles: []domain.RoleName{domain.RoleUser}}
		_, err := s.Create(ctx, user, roles.Draft{Name: "z"})
		wantCode(t, err, fault.Forbidden, access.CodeDenied)
		wantCode(t, s.Give(ctx, user, anna.ID, domain.RoleUser, nil), fault.Forbidden, access.CodeDenied)
	})
}

func TestTheLastAdministratorStaysWhateverManyDoAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s staff) {
		const n = 4
		var admins []domain.User
		for i := range n {
			admins = append(admins, s.User(t, string(rune('a'+i)), domain.RoleAdmin))
		}
		var all sync.WaitGroup
		errs := make([]error, n)
		for i, u := range admins {
			all.Go(func() {
				if i%2 == 0 {
					errs[i] = s.Take(t.Context(), domain.SystemActor(), u.ID, domain.RoleAdmin, nil)
				} else {
					_, errs[i] = s.Accounts.SetDisabled(t.Context(), domain.SystemActor(), u.ID, true)
				}
			})
		}
		all.Wait()
		refused := 0
		for _, err := range errs {
			if fault.CodeOf(err) == access.CodeLastAdmin {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		left, err := s.Store.Read().Users.CountAdmins(t.Context())
		if err != nil || left != 1 || refused != 1 {
			t.Errorf("%d are left, %d were refused, %v", left, refused, err)
		}
	})
}

func TestTwoAtOnceMakeNoCircle(t *testing.T) {
	each(t, func(t *testing.T, s staff) {
		s.made(t, "a", nil)
		s.made(t, "b", nil)
		var all sync.WaitGroup
		var errs [2]error
		for i, names := range [][2]domain.RoleName{{"a", "b"}, {"b", "a"}} {
			all.Go(func() {
				_, errs[i] = s.Update(t.Context(), domain.SystemActor(), names[0], nil, func(d *roles.Draft) { d.Parents = []domain.RoleName{names[1]} })
			})
		}
		all.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || fault.CodeOf(errors.Join(errs[:]...)) != roles.CodeCycle && fault.CodeOf(errs[0]) != roles.CodeCycle && fault.CodeOf(errs[1]) != roles.CodeCycle {
			t.Errorf("%v, %v", errs[0], errs[1])
		}
	})
}

func TestARoleForOneLibraryHoldsThereAndRestrictedOnesStayHidden(t *testing.T) {
	each(t, func(t *testing.T, s staff) {
		ctx, now := t.Context(), domain.Stamp(time.Now())
		library := func(name string, restricted bool) domain.ID {
			l := domain.Library{ID: domain.NewID(), Name: name, Restricted: restricted, Locale: "en", CreatedAt: now, UpdatedAt: now}
			if err := s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, l) }); err != nil {
				t.Fatal(err)
			}
			return l.ID
		}
		mine, other, secret := library("mine", false), library("other", false), library("secret", true)
		s.made(t, "keeper", permissions{domain.PermissionLibraryManage, domain.PermissionJobsManage}, domain.RoleGuest)
		s.made(t, "nothing", nil)
		anna := s.User(t, "anna", "nothing")
		give := func(role domain.RoleName, library domain.ID) {
			t.Helper()
			if err := s.Give(ctx, domain.SystemActor(), anna.ID, role, &library); err != nil {
				t.Fatal(err)
			}
		}
		actor := s.actor(t, anna.ID)
		if _, err := s.Access.Scope(ctx, actor); fault.CodeOf(err) != access.CodeDenied {
			t.Errorf("without any role that reads: %v", err)
		}
		give("keeper", mine)
		give("keeper", secret)
		give("nothing", other)
		for p, in := range map[domain.Permission]bool{domain.PermissionLibraryRead: true, domain.PermissionLibraryManage: true, domain.PermissionPlayback: true, domain.PermissionHistory: false, domain.PermissionJobsManage: false, domain.PermissionSession: false} {
			if err := s.Access.Authorize(ctx, actor, p); fault.CodeOf(err) != access.CodeDenied {
				t.Errorf("%s everywhere: %v", p, err)
			}
			for library, want := range map[domain.ID]bool{mine: in, other: false} {
				if err := s.Access.AuthorizeIn(ctx, actor, p, library); (err == nil) != want {
					t.Errorf("%s in %s: %v", p, library, err)
				}
			}
			scope, err := s.Access.ScopeFor(ctx, actor, p)
			if (err == nil) != in || scope.Sees(mine) != in || scope.Sees(other) || scope.Sees(secret) || scope.All() {
				t.Errorf("%s: %+v, %v", p, scope, err)
			}
		}
		wantCode(t, s.Give(ctx, domain.SystemActor(), anna.ID, domain.RoleAdmin, &mine), fault.Conflict, roles.CodeAbsolute)
		wantCode(t, s.Give(ctx, domain.SystemActor(), anna.ID, domain.RoleLegacy, &secret), fault.Conflict, roles.CodeAbsolute)
		wantCode(t, s.Give(ctx, domain.SystemActor(), anna.ID, "gone", nil), fault.NotFound, roles.CodeNotFound)
		wantCode(t, s.Take(ctx, domain.SystemActor(), anna.ID, "keeper", &other), fault.NotFound, roles.CodeNotHeld)
		if err := s.Take(ctx, domain.SystemActor(), anna.ID, "keeper", &mine); err != nil {
			t.Fatal(err)
		}
		if scope, err := s.Access.Scope(ctx, actor); scope.Sees(mine) || scope.Sees(secret) {
			t.Errorf("it was taken away: %+v, %v", scope, err)
		}
	})
}

// deaf is a bus that loses every message.
type deaf struct{ *membus.Bus }

func (deaf) Publish(context.Context, ...bus.Message) error { return nil }

func TestNoInstanceGoesOnByOldRoles(t *testing.T) {
	t.Parallel()
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		for name, lost := range map[string]bool{"told by the bus": false, "with the bus lost": true} {
			t.Run(name, func(t *testing.T) {
				shared := membus.New()
				cfg := sqlstore.Config{Publisher: shared}
				if lost {
					cfg.Publisher = deaf{shared}
				}
				db, clock := open(t, cfg), &identity.Clock{}
				clock.Add(time.Since(time.Time{}))
				here, there := of(identity.Start(t, db, shared, clock, identity.Key(1))), of(identity.Start(t, db, shared, clock, identity.Key(1)))
				here.made(t, "clerk", permissions{domain.PermissionActivityRead})
				actor := domain.Actor{UserID: here.User(t, "anna", "clerk").ID, Roles: []domain.RoleName{"clerk"}}
				may := func(s staff) bool {
					return s.Access.Authorize(t.Context(), actor, domain.PermissionActivityRead) == nil
				}
				for _, carries := range []permissions{nil, {domain.PermissionActivityRead}, nil} {
					may(there) // it has the roles in mind
					if _, err := here.Update(t.Context(), domain.SystemActor(), "clerk", nil, func(d *roles.Draft) { d.Permissions = carries }); err != nil {
						t.Fatal(err)
					}
					if may(here) != (carries != nil) {
						t.Error("the instance that changed it is behind")
					}
					if lost {
						clock.Add(5 * time.Second)
						if may(there) != (carries != nil) {
							t.Fatal("after 5 s the other instance is behind")
						}
						continue
					}
					// The clock stands, so only the bus can tell it.
					for began := time.Now(); may(there) != (carries != nil); time.Sleep(time.Millisecond) {
						if time.Since(began) > 10*time.Second {
							t.Fatal("the other instance hears nothing")
						}
					}
				}
			})
		}
	})
}
