package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Roles keeps the roles that were made on this server, and which roles accounts were granted for single libraries. The roles that an account has
// everywhere are domain.User's (Users); the default roles are in the program.
type Roles interface {
	// PolicyVersion changes with every Create, Update and Delete that commits.
	PolicyVersion(ctx context.Context) (int64, error)
	// List is in order of name.
	List(ctx context.Context) ([]domain.Role, error)
	// Get is NotFound with "role.not_found".
	Get(ctx context.Context, name domain.RoleName) (domain.Role, error)
	// Create adds a role. Conflict with "role.exists".
	Create(ctx context.Context, r domain.Role) error
	// Update writes all fields but the name. NotFound.
	Update(ctx context.Context, r domain.Role) error
	// Delete removes a role with everything that says who has it and who inherits from it. NotFound.
	Delete(ctx context.Context, name domain.RoleName) error

	// Granted lists the roles of an account for single libraries, by library and role.
	Granted(ctx context.Context, user domain.ID) ([]domain.LibraryRole, error)
	// Grant gives an account a role for a library; once more changes nothing. NotFound with "user.not_found" or "library.not_found".
	Grant(ctx context.Context, user domain.ID, g domain.LibraryRole, at time.Time) error
	// Ungrant takes it away; removed is false where it was not there.
	Ungrant(ctx context.Context, user domain.ID, g domain.LibraryRole) (removed bool, err error)
	// Holders lists who has a role, by canonical user name; what holds everywhere first.
	Holders(ctx context.Context, role domain.RoleName, page domain.PageRequest) (domain.Page[domain.RoleHolder], error)
	// CountHolders counts accounts that have a role everywhere or somewhere, by role; those without holders are left out.
	CountHolders(ctx context.Context) (map[domain.RoleName]int, error)
}
