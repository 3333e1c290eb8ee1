package cli

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/roles"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/httpd"
)

type permissionsCommand struct{}

// Run prints docs/permissions.md.
func (permissionsCommand) Run(r *run) error {
	text, err := httpd.PermissionReference()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(r.program.Stdout, text)
	return err
}

// roleCommands is the grammar of "revenge admin role".
type roleCommands struct {
	List   roleListCommand   `cmd:"" help:"List the roles."`
	Show   roleShowCommand   `cmd:"" help:"Show what a role carries and who has it."`
	Create roleCreateCommand `cmd:"" help:"Make a role."`
	Delete roleDeleteCommand `cmd:"" help:"Remove a role."`
	Grant  roleGrantCommand  `cmd:"" help:"Give an account a role, everywhere or for one library."`
	Revoke roleRevokeCommand `cmd:"" help:"Take a role from an account."`
	Permit rolePermitCommand `cmd:"" help:"Add permissions to a role."`
	Forbid roleForbidCommand `cmd:"" help:"Take permissions out of a role."`
}

func words[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, x := range list {
		texts[i] = string(x)
	}
	return strings.Join(texts, " ")
}

type roleListCommand struct{}

// Run prints a line for each role.
func (roleListCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		all, err := app.Core.Roles.List(r.ctx, domain.SystemActor())
		if err != nil {
			return err
		}
		out := tabwriter.NewWriter(r.program.Stdout, 0, 0, 2, ' ', 0)
		for _, role := range all {
			fmt.Fprintf(out, "%s\t%d accounts\t%s\n", role.Name, role.Users, role.Description)
		}
		return out.Flush()
	})
}

type roleShowCommand struct {
	Role string `arg:"" help:"Name of the role."`
}

// Run prints what the role carries and who has it.
func (c *roleShowCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		role, err := app.Core.Roles.Get(r.ctx, domain.SystemActor(), domain.RoleName(c.Role))
		if err != nil {
			return err
		}
		out := r.program.Stdout
		fmt.Fprintf(out, "%s: %s\n  permissions: %s\n  inherits from: %s\n  carries: %s\n", role.Name, role.Description, words(role.Permissions), words(role.Parents), words(role.Effective))
		page := domain.PageRequest{Limit: domain.MaxPageSize}
		for {
			holders, err := app.Core.Roles.Holders(r.ctx, domain.SystemActor(), role.Name, page)
			if err != nil {
				return err
			}
			for _, h := range holders.Items {
				where := "everywhere"
				if h.LibraryID != nil {
					where = "for the library " + h.LibraryID.String()
				}
				fmt.Fprintf(out, "  %s, %s\n", h.Username, where)
			}
			if page.Cursor = holders.NextCursor; page.Cursor == "" {
				return nil
			}
		}
	})
}

type roleCreateCommand struct {
	Role        string   `arg:"" help:"Name: a-z, 0-9, \":\", \"_\" and \"-\", at most 40."`
	Description string   `help:"What it is for."`
	Permission  []string `help:"A permission that it carries; see docs/permissions.md." placeholder:"NAME"`
	Inherit     []string `help:"A role whose permissions it has besides." placeholder:"ROLE"`
}

// Run makes the role.
func (c *roleCreateCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		role, err := app.Core.Roles.Create(r.ctx, domain.SystemActor(), roles.Draft{
			Name: domain.RoleName(c.Role), Description: c.Description, Permissions: namesOf[domain.Permission](c.Permission), Parents: namesOf[domain.RoleName](c.Inherit),
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "Made the role %s. It carries: %s\n", role.Name, words(role.Effective))
		return err
	})
}

func namesOf[T ~string](list []string) []T {
	named := make([]T, len(list))
	for i, x := range list {
		named[i] = T(x)
	}
	return named
}

type roleDeleteCommand struct {
	Role  string `arg:"" help:"Name of the role."`
	Force bool   `help:"Also where accounts have it or roles inherit from it."`
}

// Run removes the role.
func (c *roleDeleteCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		if err := app.Core.Roles.Delete(r.ctx, domain.SystemActor(), domain.RoleName(c.Role), nil, c.Force); err != nil {
			return err
		}
		_, err := fmt.Fprintf(r.program.Stdout, "Removed the role %s.\n", c.Role)
		return err
	})
}

// holding is what grant and revoke are told.
type holding struct {
	Username string `arg:"" help:"User name or e-mail address."`
	Role     string `arg:"" help:"Name of the role."`
	Library  string `help:"Name or id of a library that it is for; everywhere without it."`
}

// find returns the account and the library that are meant.
func (c *holding) find(r *run, app *assemble.App) (user domain.ID, library *domain.ID, err error) {
	u, _, err := app.Core.Store.Read().Users.ByLogin(r.ctx, c.Username)
	if err != nil || c.Library == "" {
		return u.ID, nil, err
	}
	all, err := app.Core.Library.List(r.ctx, domain.SystemActor())
	if err != nil {
		return u.ID, nil, err
	}
	for _, l := range all {
		if strings.EqualFold(l.Name, c.Library) || l.ID.String() == c.Library {
			return u.ID, &l.ID, nil
		}
	}
	return u.ID, nil, fault.New(fault.NotFound, "library.not_found", "There is no library %q.", c.Library)
}

type roleGrantCommand struct{ holding }

// Run gives the role.
func (c *roleGrantCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		user, library, err := c.find(r, app)
		if err != nil {
			return err
		}
		if err := app.Core.Roles.Give(r.ctx, domain.SystemActor(), user, domain.RoleName(c.Role), library); err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "%s has the role %s.\n", c.Username, c.Role)
		return err
	})
}

type roleRevokeCommand struct{ holding }

// Run takes the role away.
func (c *roleRevokeCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		user, library, err := c.find(r, app)
		if err != nil {
			return err
		}
		if err := app.Core.Roles.Take(r.ctx, domain.SystemActor(), user, domain.RoleName(c.Role), library); err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "%s does not have the role %s any more.\n", c.Username, c.Role)
		return err
	})
}

// carrying is what permit and forbid are told.
type carrying struct {
	Role       string   `arg:"" help:"Name of the role."`
	Permission []string `arg:"" help:"Permissions; see docs/permissions.md."`
}

func (c *carrying) change(r *run, apply func(had, named []domain.Permission) []domain.Permission) error {
	return r.with(func(app *assemble.App) error {
		role, err := app.Core.Roles.Update(r.ctx, domain.SystemActor(), domain.RoleName(c.Role), nil, func(d *roles.Draft) {
			d.Permissions = apply(d.Permissions, namesOf[domain.Permission](c.Permission))
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "%s carries: %s\n", role.Name, words(role.Effective))
		return err
	})
}

type rolePermitCommand struct{ carrying }

// Run adds the permissions.
func (c *rolePermitCommand) Run(r *run) error {
	return c.change(r, func(had, named []domain.Permission) []domain.Permission { return append(had, named...) })
}

type roleForbidCommand struct{ carrying }

// Run takes the permissions out.
func (c *roleForbidCommand) Run(r *run) error {
	return c.change(r, func(had, named []domain.Permission) []domain.Permission {
		return slices.DeleteFunc(had, func(p domain.Permission) bool { return slices.Contains(named, p) })
	})
}
