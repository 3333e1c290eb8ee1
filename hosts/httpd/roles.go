package httpd

import (
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/roles"
)

type roleOutput struct {
	ETag string `header:"ETag"`
	Body roles.RoleSummary
}

func roleBody(r roles.RoleSummary, err error) (*roleOutput, error) {
	if err != nil {
		return nil, err
	}
	return &roleOutput{ETag: versionTag(r.UpdatedAt), Body: r}, nil
}

// ByRole is the path of a role.
type ByRole struct {
	Name domain.RoleName `path:"name" maxLength:"40" example:"librarian"`
}

// ExpectedTag is what was read, for changes that must not overwrite another's.
type ExpectedTag struct {
	IfMatch string `header:"If-Match" doc:"The ETag that was read: 412 when it changed since"`
}

type createRoleInput struct {
	Body struct {
		Name        domain.RoleName     `json:"name" minLength:"1" maxLength:"40" pattern:"^[a-z][a-z0-9:_-]{0,39}$" example:"librarian"`
		Description string              `json:"description,omitempty" maxLength:"500" example:"Looks after the films"`
		Permissions []domain.Permission `json:"permissions,omitempty" maxItems:"50" example:"[\"library.manage\"]" doc:"Of GET /admin/permissions; only what one holds oneself"`
		Parents     []domain.RoleName   `json:"parents,omitempty" maxItems:"20" example:"[\"user\"]" doc:"Roles whose permissions it has besides"`
	}
}

type patchRoleInput struct {
	ByRole
	ExpectedTag
	Body struct {
		Description *string              `json:"description,omitempty" maxLength:"500"`
		Permissions *[]domain.Permission `json:"permissions,omitempty" maxItems:"50"`
		Parents     *[]domain.RoleName   `json:"parents,omitempty" maxItems:"20"`
	}
}

type giveRoleInput struct {
	ByID
	Body struct {
		Role      domain.RoleName `json:"role" minLength:"1" maxLength:"40" example:"librarian"`
		LibraryID *domain.ID      `json:"libraryId,omitempty" doc:"Absent: everywhere"`
	}
}

type takeRoleInput struct {
	ByID
	Role      domain.RoleName `path:"role" maxLength:"40" example:"librarian"`
	LibraryID string          `query:"libraryId" format:"uuid" doc:"Absent: everywhere"`
}

func (s *Server) mountRoles() {
	const tag = "Roles"
	route := func(id, method, path, summary string, errors ...int) Route {
		return Route{ID: id, Method: method, Path: "/admin" + path, Summary: summary, Tag: tag, Permission: domain.PermissionRoleManage, Errors: errors}
	}
	register(s, route("listPermissions", http.MethodGet, "/permissions", "All that a role can carry"),
		func(ctx context.Context, _ *struct{}) (*output[items[domain.PermissionInfo]], error) {
			return list(s.core.Roles.Permissions(ctx, actorOf(ctx)))
		})
	register(s, route("listRoles", http.MethodGet, "/roles", "The default roles and the server's own"),
		func(ctx context.Context, _ *struct{}) (*output[items[roles.RoleSummary]], error) {
			return list(s.core.Roles.List(ctx, actorOf(ctx)))
		})
	create := route("createRole", http.MethodPost, "/roles", "Make a role of what one holds oneself", http.StatusConflict)
	create.Status = http.StatusCreated
	register(s, create, func(ctx context.Context, in *createRoleInput) (*roleOutput, error) {
		b := in.Body
		return roleBody(s.core.Roles.Create(ctx, actorOf(ctx), roles.Draft{Name: b.Name, Description: b.Description, Permissions: b.Permissions, Parents: b.Parents}))
	})
	register(s, route("getRole", http.MethodGet, "/roles/{name}", "One role"),
		func(ctx context.Context, in *ByRole) (*roleOutput, error) {
			return roleBody(s.core.Roles.Get(ctx, actorOf(ctx), in.Name))
		})
	register(s, route("patchRole", http.MethodPatch, "/roles/{name}", "Change what a role carries; who has it may do so within a second", http.StatusConflict, http.StatusPreconditionFailed),
		func(ctx context.Context, in *patchRoleInput) (*roleOutput, error) {
			expected, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return roleBody(s.core.Roles.Update(ctx, actorOf(ctx), in.Name, expected, func(d *roles.Draft) {
				assign(&d.Description, in.Body.Description)
				assign(&d.Permissions, in.Body.Permissions)
				assign(&d.Parents, in.Body.Parents)
			}))
		})
	register(s, route("deleteRole", http.MethodDelete, "/roles/{name}", "Remove a role that nobody has, or with force take it from everybody", http.StatusConflict, http.StatusPreconditionFailed),
		func(ctx context.Context, in *struct {
			ByRole
			ExpectedTag
			Force bool `query:"force" doc:"Also where accounts have it or roles inherit from it"`
		}) (*struct{}, error) {
			expected, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return nil, s.core.Roles.Delete(ctx, actorOf(ctx), in.Name, expected, in.Force)
		})
	register(s, route("listRoleHolders", http.MethodGet, "/roles/{name}/users", "Who has a role, everywhere or for a library"),
		func(ctx context.Context, in *struct {
			ByRole
			PageQuery
		}) (*output[domain.Page[domain.RoleHolder]], error) {
			return page(s.core.Roles.Holders(ctx, actorOf(ctx), in.Name, in.request()))
		})
	s.mountRolesOfUsers(func(id, method, path, summary string, errors ...int) Route {
		r := route(id, method, "/users/{id}/roles"+path, summary, errors...)
		r.Permission = domain.PermissionUserManage
		return r
	})
}

func (s *Server) mountRolesOfUsers(route func(id, method, path, summary string, errors ...int) Route) {
	register(s, route("listLibraryRolesOfUser", http.MethodGet, "", "The roles that an account has for single libraries"),
		func(ctx context.Context, in *ByID) (*output[items[domain.LibraryRole]], error) {
			return list(s.core.Roles.GrantedTo(ctx, actorOf(ctx), in.ID))
		})
	register(s, route("giveRole", http.MethodPost, "", "Give an account a role that one may give, everywhere or for a library", http.StatusConflict),
		func(ctx context.Context, in *giveRoleInput) (*struct{}, error) {
			return nil, s.core.Roles.Give(ctx, actorOf(ctx), in.ID, in.Body.Role, in.Body.LibraryID)
		})
	register(s, route("takeRole", http.MethodDelete, "/{role}", "Take a role from an account, its streams included; the last administrator stays", http.StatusConflict),
		func(ctx context.Context, in *takeRoleInput) (*struct{}, error) {
			var library *domain.ID
			if in.LibraryID != "" {
				id, ok := domain.ParseID(in.LibraryID)
				if !ok {
					return nil, fault.InvalidField("library.bad_id", "libraryId", "This is no id of a library.")
				}
				library = &id
			}
			return nil, s.core.Roles.Take(ctx, actorOf(ctx), in.ID, in.Role, library)
		})
}
