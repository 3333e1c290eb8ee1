// Package casbin is policy.Policy by Casbin: role-based access control with inheritance and domains, where a library is a domain.
//
// Asking Casbin about each request costs from 0.1 ms up with the roles of a household, so it is asked once for every role and version of the policy;
// checks look into what it said.
package casbin

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	rolemanager "github.com/casbin/casbin/v2/rbac/default-role-manager"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/policy"
)

// rules is Casbin's model: subjects have roles in domains ("*" is every domain), and roles have permissions in domains.
const rules = `
[request_definition]
r = sub, dom, act
[policy_definition]
p = sub, dom, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub, r.dom) && (p.dom == "*" || p.dom == r.dom) && r.act == p.act
`

const everywhere = "*"

const (
	// recheck is how long an answer is given without a look at the version of the policy.
	recheck = 2 * time.Second
	// tooOld is how old what is known may be when the version cannot be read: then questions are refused.
	tooOld = 5 * time.Second
)

// Config is what a Policy is made of.
type Config struct {
	Source policy.Source
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Policy implements policy.Policy. It is safe for concurrent use.
type Policy struct {
	cfg     Config
	current atomic.Pointer[table]
	// epoch counts calls of Forget: a table of an earlier one is not used any more.
	epoch   atomic.Int64
	loading sync.Mutex
}

var _ policy.Policy = (*Policy)(nil)

// table is what Casbin said of every role, at one version of the policy.
type table struct {
	version int64
	epoch   int64
	names   []domain.RoleName
	carries map[domain.RoleName]map[domain.Permission]bool
	// listed is what each role carries with what everybody may, sorted.
	listed  map[domain.RoleName][]domain.Permission
	checked atomic.Int64 // when the version was last compared, in Unix nanoseconds
}

// New returns a policy that reads the roles when it is first asked.
func New(cfg Config) *Policy {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Policy{cfg: cfg}
}

// Forget implements policy.Policy.
func (p *Policy) Forget() { p.epoch.Add(1) }

// Allowed implements policy.Policy.
func (p *Policy) Allowed(ctx context.Context, actor domain.Actor, permission domain.Permission) (bool, error) {
	return p.AllowedIn(ctx, actor, nil, domain.ID{}, permission)
}

// AllowedIn implements policy.Policy.
func (p *Policy) AllowedIn(ctx context.Context, actor domain.Actor, granted []domain.LibraryRole, library domain.ID, permission domain.Permission) (bool, error) {
	switch {
	case permission == domain.PermissionPublic:
		return true, nil
	case actor.System:
		return permission.Known(), nil
	case actor.Anonymous():
		return false, nil
	}
	t, err := p.table(ctx)
	if err != nil {
		return false, err
	}
	for _, role := range actor.Roles {
		if t.carries[role][permission] {
			return true, nil
		}
	}
	for _, g := range granted {
		if g.LibraryID == library && !g.Role.Absolute() && permission.InLibrary() && t.carries[g.Role][permission] {
			return true, nil
		}
	}
	return false, nil
}

// Permissions implements policy.Policy.
func (p *Policy) Permissions(ctx context.Context, actor domain.Actor) ([]domain.Permission, error) {
	list := []domain.Permission{domain.PermissionPublic}
	switch {
	case actor.System:
		for _, info := range domain.Permissions() {
			list = append(list, info.Name)
		}
	case !actor.Anonymous():
		// Of one table, so that a change meanwhile is in the list as a whole or not at all.
		t, err := p.table(ctx)
		if err != nil {
			return nil, err
		}
		if len(actor.Roles) == 1 && t.listed[actor.Roles[0]] != nil { // as most accounts have
			return slices.Clone(t.listed[actor.Roles[0]]), nil
		}
		for _, role := range actor.Roles {
			list = append(list, t.listed[role]...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Roles implements policy.Policy.
func (p *Policy) Roles(ctx context.Context) ([]domain.RoleName, error) {
	t, err := p.table(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.names), nil
}

// table returns what is known, as fresh as the port promises. While one caller compares versions the others go on with what there is.
func (p *Policy) table(ctx context.Context) (*table, error) {
	t := p.current.Load()
	age := func() time.Duration {
		if t == nil || t.epoch != p.epoch.Load() {
			return tooOld
		}
		return p.cfg.Now().Sub(time.Unix(0, t.checked.Load())).Abs()
	}
	switch {
	case age() < recheck:
		return t, nil
	case age() < tooOld:
		if !p.loading.TryLock() {
			return t, nil
		}
	default:
		p.loading.Lock()
	}
	defer p.loading.Unlock()
	if t = p.current.Load(); age() < recheck { // somebody did it meanwhile
		return t, nil
	}
	fresh, err := p.load(ctx, t)
	if err == nil {
		p.current.Store(fresh)
		return fresh, nil
	}
	if age() < tooOld {
		return t, nil
	}
	if fault.As(err) == nil && ctx.Err() == nil {
		err = fault.Wrap(err, fault.Internal, "policy.failed", "The roles of this server cannot be read.")
	}
	return nil, err
}

// load compares versions and, where they differ, asks Casbin about every role. The version is read first: a change that comes between makes
// the next comparison find another one.
func (p *Policy) load(ctx context.Context, old *table) (*table, error) {
	epoch, began := p.epoch.Load(), p.cfg.Now().UnixNano()
	version, err := p.cfg.Source.PolicyVersion(ctx)
	if err != nil {
		return nil, err
	}
	if old != nil && old.version == version && old.epoch == epoch {
		old.checked.Store(began)
		return old, nil
	}
	made, err := p.cfg.Source.List(ctx)
	if err != nil {
		return nil, err
	}
	t := &table{version: version, epoch: epoch}
	t.checked.Store(began)
	if t.names, t.carries, err = effective(append(domain.DefaultRoles(), made...)); err != nil {
		return nil, err
	}
	t.listed = make(map[domain.RoleName][]domain.Permission, len(t.carries))
	for name, carried := range t.carries {
		t.listed[name] = slices.Sorted(maps.Keys(carried))
		if at, found := slices.BinarySearch(t.listed[name], domain.PermissionPublic); !found {
			t.listed[name] = slices.Insert(t.listed[name], at, domain.PermissionPublic)
		}
	}
	return t, nil
}

// effective asks Casbin what each role carries, through those that it inherits from too. A permission that this version does not know, and a
// role of a default one's name, carry nothing: they are another version's.
func effective(roles []domain.Role) ([]domain.RoleName, map[domain.RoleName]map[domain.Permission]bool, error) {
	m, err := model.NewModelFromString(rules)
	if err != nil {
		return nil, nil, err
	}
	enforcer, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, nil, err
	}
	// Its own role manager stops at ten generations.
	enforcer.SetNamedRoleManager("g", rolemanager.NewRoleManager(len(roles)+1))
	enforcer.AddNamedDomainMatchingFunc("g", "everywhere", func(asked, held string) bool { return held == everywhere || asked == held })
	var names []domain.RoleName
	var lines, groups [][]string
	for _, role := range roles {
		if !role.Default && role.Name.IsDefault() {
			continue
		}
		names = append(names, role.Name)
		for _, permission := range role.Permissions {
			if permission.Known() {
				lines = append(lines, []string{string(role.Name), everywhere, string(permission)})
			}
		}
		for _, parent := range role.Parents {
			if role.Default || !parent.Absolute() {
				groups = append(groups, []string{string(role.Name), string(parent), everywhere})
			}
		}
	}
	// The Ex forms skip what is there twice, where the others refuse the whole set.
	if _, err := enforcer.AddPoliciesEx(lines); err != nil {
		return nil, nil, err
	}
	if _, err := enforcer.AddGroupingPoliciesEx(groups); err != nil {
		return nil, nil, err
	}
	carries := make(map[domain.RoleName]map[domain.Permission]bool, len(names))
	for _, name := range names {
		found, err := enforcer.GetImplicitPermissionsForUser(string(name), everywhere)
		if err != nil {
			return nil, nil, err
		}
		set := make(map[domain.Permission]bool, len(found))
		for _, line := range found {
			set[domain.Permission(line[2])] = true
		}
		carries[name] = set
	}
	slices.Sort(names)
	return names, carries, nil
}
