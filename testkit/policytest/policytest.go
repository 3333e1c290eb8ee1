// Package policytest holds an adapter of ports/policy to its comments.
package policytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/policy"
)

// Server is where the tested policy finds roles, and its clock. It is the laws' to change.
type Server struct {
	mu      sync.Mutex
	version int64
	roles   []domain.Role
	now     time.Time
	err     error
}

// PolicyVersion implements policy.Source.
func (s *Server) PolicyVersion(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, s.err
}

// List implements policy.Source.
func (s *Server) List(context.Context) ([]domain.Role, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.roles), s.err
}

// Now is the time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *Server) set(roles ...domain.Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.roles = roles
}

func (s *Server) wait(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *Server) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func with(roles ...domain.RoleName) domain.Actor {
	return domain.Actor{UserID: domain.NewID(), Roles: roles}
}

func all() []domain.Permission {
	list := []domain.Permission{domain.PermissionPublic}
	for _, p := range domain.Permissions() {
		list = append(list, p.Name)
	}
	return list
}

func allowed(t *testing.T, p policy.Policy, actor domain.Actor, permission domain.Permission) bool {
	t.Helper()
	ok, err := p.Allowed(t.Context(), actor, permission)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Run holds a policy to every law.
func Run(t *testing.T, open func(t *testing.T, server *Server) policy.Policy) {
	law := func(name string, test func(t *testing.T, p policy.Policy, s *Server)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Server{now: time.Unix(1_800_000_000, 0)}
			test(t, open(t, s), s)
		})
	}
	law("NobodyHasThePublicAndNothingElse", func(t *testing.T, p policy.Policy, _ *Server) {
		for _, permission := range all() {
			// Roles without an account are worth nothing.
			for _, nobody := range []domain.Actor{{}, {Roles: []domain.RoleName{domain.RoleAdmin}}} {
				if got := allowed(t, p, nobody, permission); got != (permission == domain.PermissionPublic) {
					t.Errorf("%s: %v", permission, got)
				}
			}
		}
	})
	law("TheUnknownIsDenied", func(t *testing.T, p policy.Policy, s *Server) {
		s.set(domain.Role{Name: "odd", Permissions: []domain.Permission{"library.destroy", ""}, Parents: []domain.RoleName{"gone"}})
		for _, actor := range []domain.Actor{with(domain.RoleAdmin), with("root"), with("odd"), domain.SystemActor()} {
			for _, permission := range []domain.Permission{"", "library.destroy", "LIBRARY.READ", "*"} {
				if allowed(t, p, actor, permission) {
					t.Errorf("%v may %q", actor, permission)
				}
			}
		}
		if allowed(t, p, with("root", "", "*", "p", "gone"), domain.PermissionSession) {
			t.Error("an unknown role lets in")
		}
	})
	law("TheServerItselfAndAdministratorsMayDoEverything", func(t *testing.T, p policy.Policy, _ *Server) {
		for _, permission := range all() {
			if !allowed(t, p, domain.SystemActor(), permission) || !allowed(t, p, with(domain.RoleAdmin), permission) {
				t.Error(permission)
			}
		}
	})
	law("PermissionsAreWhatIsAllowedSorted", func(t *testing.T, p policy.Policy, s *Server) {
		s.set(domain.Role{Name: "custom", Permissions: []domain.Permission{domain.PermissionJobsManage}})
		roles, err := p.Roles(t.Context())
		if err != nil || !slices.Equal(roles, []domain.RoleName{domain.RoleAdmin, "custom", domain.RoleGuest, domain.RoleLegacy, domain.RoleUser}) {
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
			for _, permission := range all() {
				if slices.Contains(got, permission) != allowed(t, p, actor, permission) {
					t.Errorf("%v: %s is listed or allowed, not both", actor.Roles, permission)
				}
			}
		}
	})
	law("NobodyTakesADefaultRolesName", func(t *testing.T, p policy.Policy, s *Server) {
		s.set(domain.Role{Name: domain.RoleGuest, Permissions: []domain.Permission{domain.PermissionUserManage}, Parents: []domain.RoleName{domain.RoleAdmin}},
			domain.Role{Name: "heir", Parents: []domain.RoleName{domain.RoleAdmin, domain.RoleLegacy}})
		if allowed(t, p, with(domain.RoleGuest), domain.PermissionUserManage) || !allowed(t, p, with(domain.RoleGuest), domain.PermissionPlayback) {
			t.Error("a stored role changes a default one")
		}
		if allowed(t, p, with("heir"), domain.PermissionSession) {
			t.Error("a role inherits from one that is more than its permissions")
		}
	})
	law("RolesCarryWhatTheyInheritEverywhereOrInALibrary", likeTheOracle)
	law("RolesInheritHoweverManyAreBetween", func(t *testing.T, p policy.Policy, s *Server) {
		chain := []domain.Role{{Name: "r0", Permissions: []domain.Permission{domain.PermissionActivityRead}}}
		for i := range 100 {
			chain = append(chain, domain.Role{Name: domain.RoleName(fmt.Sprintf("r%d", i+1)), Parents: []domain.RoleName{chain[i].Name}})
		}
		s.set(chain...)
		for _, role := range chain {
			if !allowed(t, p, with(role.Name), domain.PermissionActivityRead) {
				t.Errorf("%s may not do what r0 may", role.Name)
			}
		}
	})
	law("AChangeHoldsAtOnceAfterForgetAndElseWithinFiveSeconds", func(t *testing.T, p policy.Policy, s *Server) {
		actor := with("custom")
		for _, change := range []func(){p.Forget, func() { s.wait(5 * time.Second) }} {
			for _, carries := range [][]domain.Permission{{domain.PermissionActivityRead}, nil} {
				s.set(domain.Role{Name: "custom", Permissions: carries})
				change()
				if got := allowed(t, p, actor, domain.PermissionActivityRead); got != (carries != nil) {
					t.Errorf("it carries %v and is answered by %v", carries, got)
				}
			}
		}
	})
	law("WithoutItsSourceItRefusesWithinFiveSeconds", func(t *testing.T, p policy.Policy, s *Server) {
		if !allowed(t, p, with(domain.RoleUser), domain.PermissionSession) {
			t.Fatal("a user may not be signed in")
		}
		lost := errors.New("lost")
		s.fail(lost)
		s.wait(5 * time.Second)
		for range 2 {
			if ok, err := p.Allowed(t.Context(), with(domain.RoleAdmin), domain.PermissionSession); ok || err == nil {
				t.Errorf("it goes on as before: %v, %v", ok, err)
			}
		}
		if _, err := p.Roles(t.Context()); err == nil {
			t.Error("it still knows the roles")
		}
		s.fail(nil)
		if !allowed(t, p, with(domain.RoleUser), domain.PermissionSession) {
			t.Error("it does not find back")
		}
		s.fail(lost)
		p.Forget()
		if ok, err := p.Allowed(t.Context(), with(domain.RoleUser), domain.PermissionSession); ok || err == nil {
			t.Errorf("what was to be forgotten is used: %v, %v", ok, err)
		}
	})
	law("ManyAskWhileRolesChange", func(t *testing.T, p policy.Policy, s *Server) {
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for range 200 {
					if ok, err := p.Allowed(t.Context(), with("custom"), domain.PermissionActivityRead); err != nil || ok {
						t.Errorf("%v, %v", ok, err)
						return
					}
				}
			})
		}
		for range 20 {
			s.set(domain.Role{Name: "custom", Permissions: []domain.Permission{domain.PermissionSession}})
			p.Forget()
			s.wait(time.Second)
		}
		asking.Wait()
	})
}

// likeTheOracle makes random roles that inherit from earlier ones, deep and wide, and compares with a walk over them.
func likeTheOracle(t *testing.T, p policy.Policy, s *Server) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's choices
	libraries := []domain.ID{domain.NewID(), domain.NewID()}
	for round := range 12 {
		var roles []domain.Role
		names := []domain.RoleName{domain.RoleUser, domain.RoleGuest}
		byName := map[domain.RoleName]domain.Role{}
		for _, r := range domain.DefaultRoles() {
			byName[r.Name] = r
		}
		for i := range 25 {
			r := domain.Role{Name: domain.RoleName(fmt.Sprintf("r%02d", i))}
			for _, info := range domain.Permissions() {
				if random.IntN(12) == 0 {
					r.Permissions = append(r.Permissions, info.Name)
				}
			}
			if random.IntN(3) > 0 { // mostly of the one before: chains are long
				r.Parents = append(r.Parents, names[len(names)-1])
			}
			for range random.IntN(3) {
				r.Parents = append(r.Parents, names[random.IntN(len(names))])
			}
			roles, names, byName[r.Name] = append(roles, r), append(names, r.Name), r
		}
		random.Shuffle(len(roles), func(i, j int) { roles[i], roles[j] = roles[j], roles[i] })
		s.set(roles...)
		p.Forget()
		var carries func(role domain.RoleName, permission domain.Permission) bool
		carries = func(role domain.RoleName, permission domain.Permission) bool {
			r := byName[role]
			return slices.Contains(r.Permissions, permission) || slices.ContainsFunc(r.Parents, func(parent domain.RoleName) bool { return carries(parent, permission) })
		}
		pick := func() domain.RoleName {
			return append(names, domain.RoleAdmin, domain.RoleLegacy, "gone")[random.IntN(len(names)+3)]
		}
		for range 20 {
			actor, granted := with(), []domain.LibraryRole{}
			for range random.IntN(3) {
				actor.Roles = append(actor.Roles, pick())
			}
			for range random.IntN(4) {
				granted = append(granted, domain.LibraryRole{LibraryID: libraries[random.IntN(2)], Role: pick()})
			}
			for _, info := range domain.Permissions() {
				everywhere := slices.ContainsFunc(actor.Roles, func(r domain.RoleName) bool { return carries(r, info.Name) })
				if got := allowed(t, p, actor, info.Name); got != everywhere {
					t.Fatalf("round %d: %v may %s: %v", round, actor.Roles, info.Name, got)
				}
				for _, library := range libraries {
					want := everywhere || info.InLibrary && slices.ContainsFunc(granted, func(g domain.LibraryRole) bool {
						return g.LibraryID == library && g.Role != domain.RoleAdmin && g.Role != domain.RoleLegacy && carries(g.Role, info.Name)
					})
					got, err := p.AllowedIn(t.Context(), actor, granted, library, info.Name)
					if err != nil || got != want {
						t.Fatalf("round %d: %v with %v may %s in %s: %v, %v", round, actor.Roles, granted, info.Name, library, got, err)
					}
				}
			}
		}
	}
}
