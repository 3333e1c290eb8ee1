// Package roles keeps what roles may do and who has them. Nobody gives what they do not hold themselves.
package roles

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeInvalid  = "role.invalid"   // Invalid, with fields
	CodeNotFound = "role.not_found" // NotFound
	CodeExists   = "role.exists"    // Conflict
	CodeDefault  = "role.default"   // Conflict: the default roles stay as they are
	CodeInUse    = "role.in_use"    // Conflict: somebody has it, or a role inherits from it
	CodeCycle    = "role.cycle"     // Conflict: it would inherit from itself
	CodeChanged  = "role.changed"   // Precondition
	CodeNotHeld  = "role.not_held"  // NotFound: there is nothing to take away
	CodeAbsolute = "role.absolute"  // Conflict: admin and legacy:read are held everywhere or not at all, and not inherited
	CodeTooMany  = "role.too_many"  // Conflict
)

// What there may be at most, names apart.
const (
	maxRoles   = 500
	maxParents = 20
	maxText    = 500 // characters of a description
)

var name = regexp.MustCompile(`^[a-z][a-z0-9:_-]{0,39}$`)

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Access   *access.Service
	Sessions *session.Service
	Now      func() time.Time
}

// Service holds the use cases.
type Service struct{ deps Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// RoleSummary is a role as it is shown.
type RoleSummary struct {
	domain.Role
	Effective []domain.Permission `json:"effective" doc:"Its own permissions and those that it inherits, sorted"`
	Users     int                 `json:"users" doc:"How many accounts have it, everywhere or for a library"`
}

// Draft is a role to be made.
type Draft struct {
	Name        domain.RoleName
	Description string
	Permissions []domain.Permission
	Parents     []domain.RoleName
}

// Permissions describes everything that a role can carry.
func (s *Service) Permissions(ctx context.Context, actor domain.Actor) ([]domain.PermissionInfo, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionRoleManage); err != nil {
		return nil, err
	}
	return domain.Permissions(), nil
}

// List returns the default roles and then the others, each by name.
func (s *Service) List(ctx context.Context, actor domain.Actor) ([]RoleSummary, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionRoleManage); err != nil {
		return nil, err
	}
	repos := s.deps.Store.Read()
	all, err := load(ctx, repos)
	if err != nil {
		return nil, err
	}
	counts, err := repos.Roles.CountHolders(ctx)
	list := make([]RoleSummary, len(all.list))
	for i, r := range all.list {
		list[i] = RoleSummary{r, all.carried(r.Name), counts[r.Name]}
	}
	return list, err
}

// Get returns one role.
func (s *Service) Get(ctx context.Context, actor domain.Actor, of domain.RoleName) (RoleSummary, error) {
	list, err := s.List(ctx, actor)
	if err != nil {
		return RoleSummary{}, err
	}
	if i := slices.IndexFunc(list, func(r RoleSummary) bool { return r.Name == of }); i >= 0 {
		return list[i], nil
	}
	return RoleSummary{}, notFound()
}

// Holders lists who has a role, by name.
func (s *Service) Holders(ctx context.Context, actor domain.Actor, of domain.RoleName, page domain.PageRequest) (domain.Page[domain.RoleHolder], error) {
	if _, err := s.Get(ctx, actor, of); err != nil {
		return domain.Page[domain.RoleHolder]{}, err
	}
	return s.deps.Store.Read().Roles.Holders(ctx, of, page)
}

// Create makes a role.
func (s *Service) Create(ctx context.Context, actor domain.Actor, d Draft) (RoleSummary, error) {
	now := domain.Stamp(s.deps.Now())
	made := domain.Role{Name: d.Name, Description: d.Description, Permissions: d.Permissions, Parents: d.Parents, CreatedAt: now, UpdatedAt: now}
	return s.change(ctx, actor, made.Name, "created", func(ctx context.Context, tx store.Tx, all *catalogue) (domain.Role, error) {
		switch _, exists := all.byName[made.Name]; {
		case exists:
			return made, fault.New(fault.Conflict, CodeExists, "There is a role of this name already. Choose another.")
		case len(all.byName) >= maxRoles:
			return made, fault.New(fault.Conflict, CodeTooMany, "There are %d roles, and more are not possible. Remove one.", maxRoles)
		}
		kept, err := all.checked(made)
		if err != nil {
			return made, err
		}
		return kept, tx.Roles.Create(ctx, kept)
	})
}

// Update applies apply to a role as it is then; apply may run again. expected is the UpdatedAt that the caller saw (If-Match), nil for any.
func (s *Service) Update(ctx context.Context, actor domain.Actor, of domain.RoleName, expected *time.Time, apply func(*Draft)) (RoleSummary, error) {
	return s.change(ctx, actor, of, "changed", func(ctx context.Context, tx store.Tx, all *catalogue) (domain.Role, error) {
		r, err := all.changeable(of, expected)
		if err != nil {
			return r, err
		}
		d := Draft{r.Name, r.Description, slices.Clone(r.Permissions), slices.Clone(r.Parents)}
		apply(&d)
		now := domain.Stamp(s.deps.Now())
		if !now.After(r.UpdatedAt) {
			now = r.UpdatedAt.Add(time.Microsecond) // so that its ETag changes
		}
		r.Description, r.Permissions, r.Parents, r.UpdatedAt = d.Description, d.Permissions, d.Parents, now
		if r, err = all.checked(r); err != nil {
			return r, err
		}
		return r, tx.Roles.Update(ctx, r)
	})
}

// change is one change of what a role carries, in a transaction: what it carried and will carry, the actor must hold. apply returns the role as it was saved.
func (s *Service) change(ctx context.Context, actor domain.Actor, of domain.RoleName, verb string, apply func(ctx context.Context, tx store.Tx, all *catalogue) (domain.Role, error)) (RoleSummary, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionRoleManage); err != nil {
		return RoleSummary{}, err
	}
	held, err := s.deps.Access.Permissions(ctx, actor)
	if err != nil {
		return RoleSummary{}, err
	}
	var item RoleSummary
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := load(ctx, tx.Repos)
		if err != nil {
			return err
		}
		before := all.carried(of)
		saved, err := apply(ctx, tx, all)
		if err != nil {
			return err
		}
		all.byName[of] = saved
		item = RoleSummary{Role: saved, Effective: all.carried(of)}
		if p, lacks := access.Beyond(slices.Concat(before, item.Effective), held); lacks {
			return access.NotYours(of, p)
		}
		counts, err := tx.Roles.CountHolders(ctx)
		if err != nil {
			return err
		}
		item.Users = counts[of]
		return s.record(ctx, tx, actor, of, verb, map[string]string{"permissions": joined(saved.Permissions), "parents": joined(saved.Parents)})
	})
	if err != nil {
		return RoleSummary{}, err
	}
	s.deps.Access.Forget()
	return item, nil
}

// Delete removes a role whose permissions the actor holds, as they take it from others. One that somebody has, or that another inherits from, is
// Conflict, or with force is taken from all of them.
func (s *Service) Delete(ctx context.Context, actor domain.Actor, of domain.RoleName, expected *time.Time, force bool) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionRoleManage); err != nil {
		return err
	}
	held, err := s.deps.Access.Permissions(ctx, actor)
	if err != nil {
		return err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := load(ctx, tx.Repos)
		if err != nil {
			return err
		}
		if _, err := all.changeable(of, expected); err != nil {
			return err
		}
		if p, lacks := access.Beyond(all.carried(of), held); lacks {
			return access.NotYours(of, p)
		}
		counts, err := tx.Roles.CountHolders(ctx)
		if err != nil {
			return err
		}
		heirs := 0
		for _, r := range all.list {
			if slices.Contains(r.Parents, of) {
				heirs++
			}
		}
		if users := counts[of]; users+heirs > 0 && !force {
			return fault.New(fault.Conflict, CodeInUse, "%d accounts have this role and %d roles inherit from it. Take it from them first, or remove it with force.", users, heirs)
		}
		if err := tx.Roles.Delete(ctx, of); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, of, "removed", nil)
	})
	if err == nil {
		s.deps.Access.Forget()
	}
	return err
}

// record tells everybody, and the log, that a role changed.
func (s *Service) record(ctx context.Context, tx store.Tx, actor domain.Actor, of domain.RoleName, verb string, details map[string]string) error {
	details = maps.Clone(details)
	if details == nil {
		details = map[string]string{}
	}
	details["change"] = verb
	err := activity.Record(ctx, tx, s.deps.Now(), actor, domain.Activity{
		Action: domain.ActivityRoleChanged, ResourceType: "role", ResourceID: string(of), ResourceName: string(of), Success: true, Details: details,
	})
	if err != nil {
		return err
	}
	return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicPolicy, Payload: []byte(of)})
}

func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, word := range list {
		words[i] = string(word)
	}
	return strings.Join(words, " ")
}

func notFound() error { return fault.New(fault.NotFound, CodeNotFound, "There is no such role.") }

// catalogue is all roles at one moment.
type catalogue struct {
	list   []domain.Role
	byName map[domain.RoleName]domain.Role
}

func load(ctx context.Context, r store.Repos) (*catalogue, error) {
	made, err := r.Roles.List(ctx)
	if err != nil {
		return nil, err
	}
	made = slices.DeleteFunc(made, func(r domain.Role) bool { return r.Name.IsDefault() }) // a later version's default is this one's
	c := &catalogue{list: append(domain.DefaultRoles(), made...), byName: map[domain.RoleName]domain.Role{}}
	for _, role := range c.list {
		c.byName[role.Name] = role
	}
	return c, nil
}

// ancestry visits a role and all that it inherits from, each once.
func (c *catalogue) ancestry(of domain.RoleName, visit func(domain.Role)) {
	seen := map[domain.RoleName]bool{}
	var walk func(domain.RoleName)
	walk = func(n domain.RoleName) {
		r, exists := c.byName[n]
		if !exists || seen[n] {
			return
		}
		seen[n] = true
		visit(r)
		for _, parent := range r.Parents {
			walk(parent)
		}
	}
	walk(of)
}

// carried lists what a role carries with all that it inherits, sorted.
func (c *catalogue) carried(of domain.RoleName) []domain.Permission {
	list := []domain.Permission{}
	c.ancestry(of, func(r domain.Role) {
		for _, p := range r.Permissions {
			if p.Known() {
				list = append(list, p)
			}
		}
	})
	slices.Sort(list)
	return slices.Compact(list)
}

func (c *catalogue) changeable(of domain.RoleName, expected *time.Time) (domain.Role, error) {
	r, exists := c.byName[of]
	switch {
	case !exists:
		return r, notFound()
	case r.Default:
		return r, fault.New(fault.Conflict, CodeDefault, "The role %s is part of every server and stays as it is. Make a role of your own.", of)
	case expected != nil && !expected.Equal(r.UpdatedAt):
		return r, fault.New(fault.Precondition, CodeChanged, "Somebody changed this role meanwhile. Load it again.")
	}
	return r, nil
}

// checked returns a role in order, or all that is wrong with it.
func (c *catalogue) checked(r domain.Role) (domain.Role, error) {
	var fields []fault.Field
	wrong := func(path, message string) { fields = append(fields, fault.Field{Path: path, Message: message}) }
	if !name.MatchString(string(r.Name)) {
		wrong("name", "A role's name has 1 to 40 of a-z, 0-9, \":\", \"_\" and \"-\", and begins with a letter.")
	}
	r.Description = strings.TrimSpace(r.Description)
	if utf8.RuneCountInString(r.Description) > maxText || !utf8.ValidString(r.Description) || strings.ContainsFunc(r.Description, unicode.IsControl) {
		wrong("description", "A description has at most 500 characters without line breaks.")
	}
	for _, p := range r.Permissions {
		if !p.Known() {
			wrong("permissions", "There is no permission "+string(p)+".")
		}
	}
	if len(r.Parents) > maxParents {
		wrong("parents", "A role inherits from 20 others at most.")
	}
	for _, parent := range r.Parents {
		if _, exists := c.byName[parent]; !exists && parent != r.Name {
			wrong("parents", "There is no role "+string(parent)+".")
		}
	}
	if len(fields) > 0 {
		invalid := fault.New(fault.Invalid, CodeInvalid, "%s", fields[0].Message)
		invalid.Fields = fields
		return r, invalid
	}
	for _, parent := range r.Parents {
		if parent.Absolute() {
			return r, fault.New(fault.Conflict, CodeAbsolute, "Nothing inherits from %s, which is more than its permissions. Give it beside.", parent)
		}
		round := parent == r.Name
		c.ancestry(parent, func(a domain.Role) { round = round || a.Name == r.Name })
		if round {
			return r, fault.New(fault.Conflict, CodeCycle, "%s inherits from %s, so it cannot be the other way round too.", parent, r.Name)
		}
	}
	r.Permissions, r.Parents = sorted(r.Permissions), sorted(r.Parents)
	return r, nil
}

// sorted is a list in order, each once.
func sorted[T ~string](list []T) []T {
	list = append([]T{}, list...)
	slices.Sort(list)
	return slices.Compact(list)
}

// GrantedTo lists the roles that an account has for single libraries.
func (s *Service) GrantedTo(ctx context.Context, actor domain.Actor, user domain.ID) ([]domain.LibraryRole, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return nil, err
	}
	if _, err := s.deps.Store.Read().Users.Get(ctx, user); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().Roles.Granted(ctx, user)
}

// Give gives an account a role, everywhere or for one library. Once more changes nothing.
func (s *Service) Give(ctx context.Context, actor domain.Actor, user domain.ID, role domain.RoleName, library *domain.ID) error {
	return s.assign(ctx, actor, user, role, library, domain.ActivityRoleGranted, func(ctx context.Context, tx store.Tx, u *domain.User) error {
		all, err := load(ctx, tx.Repos)
		if err != nil {
			return err
		}
		if _, exists := all.byName[role]; !exists {
			return notFound()
		}
		switch {
		case library != nil && role.Absolute():
			return fault.New(fault.Conflict, CodeAbsolute, "The role %s is held everywhere or not at all. Give it without a library.", role)
		case library != nil:
			return tx.Roles.Grant(ctx, user, domain.LibraryRole{LibraryID: *library, Role: role}, domain.Stamp(s.deps.Now()))
		case !u.HasRole(role):
			u.Roles = append(slices.Clone(u.Roles), role)
		}
		return nil
	})
}

// Take takes a role from an account. The last administrator stays one: Conflict.
func (s *Service) Take(ctx context.Context, actor domain.Actor, user domain.ID, role domain.RoleName, library *domain.ID) error {
	return s.assign(ctx, actor, user, role, library, domain.ActivityRoleRevoked, func(ctx context.Context, tx store.Tx, u *domain.User) error {
		removed := u.HasRole(role)
		if library != nil {
			var err error
			if removed, err = tx.Roles.Ungrant(ctx, user, domain.LibraryRole{LibraryID: *library, Role: role}); err != nil {
				return err
			}
		} else {
			u.Roles = slices.DeleteFunc(slices.Clone(u.Roles), func(r domain.RoleName) bool { return r == role })
		}
		if !removed {
			return fault.New(fault.NotFound, CodeNotHeld, "The account does not have this role there.")
		}
		return nil
	})
}

// assign is one change of who has a role, in a transaction: the role must be the actor's to give. What an account has everywhere is saved where apply
// changed it.
func (s *Service) assign(ctx context.Context, actor domain.Actor, user domain.ID, role domain.RoleName, library *domain.ID, action string, apply func(ctx context.Context, tx store.Tx, u *domain.User) error) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return err
	}
	if err := s.deps.Access.MayGive(ctx, actor, role); err != nil {
		return err
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		u, err := tx.Users.Get(ctx, user)
		if err != nil {
			return err
		}
		before, details := u, map[string]string{"role": string(role)}
		if err := apply(ctx, tx, &u); err != nil {
			return err
		}
		if !slices.Equal(before.Roles, u.Roles) {
			u.UpdatedAt = domain.Stamp(s.deps.Now())
			if !u.UpdatedAt.After(before.UpdatedAt) {
				u.UpdatedAt = before.UpdatedAt.Add(time.Microsecond)
			}
			if err := tx.Users.Update(ctx, u); err != nil {
				return err
			}
			if before.Usable() && before.HasRole(domain.RoleAdmin) {
				if err := access.AnAdminIsLeft(ctx, tx); err != nil {
					return err
				}
			}
		}
		messages := caching.Changed(bus.TopicUser, user)
		if library != nil {
			details["library"] = library.String()
			messages = append(messages, caching.Changed(bus.TopicAccess, *library)...)
		}
		err = activity.Record(ctx, tx, s.deps.Now(), actor, domain.Activity{
			Action: action, ResourceType: "user", ResourceID: user.String(), ResourceName: u.Username, Success: true, Details: details,
		})
		if err != nil {
			return err
		}
		return tx.Events.Publish(ctx, messages...)
	})
	if err != nil {
		return err
	}
	s.deps.Sessions.ForgetUsers(ctx, user)
	if library != nil {
		s.deps.Access.Forget()
	}
	return nil
}
