package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/assemble"
)

// namedUser is an account named on the command line.
type namedUser struct {
	User string `arg:"" help:"User name or e-mail address."`
}

// with runs fn with the account.
func (n namedUser) with(r *run, fn func(app *assemble.App, u domain.User) error) error {
	return r.with(func(app *assemble.App) error {
		u, _, err := app.Core.Store.Read().Users.ByLogin(r.ctx, n.User)
		if err != nil {
			return err
		}
		return fn(app, u)
	})
}

type userListCommand struct {
	Query string           `arg:"" optional:"" help:"Part of a name or address."`
	Role  domain.RoleName  `help:"Only accounts with this role."`
	State domain.UserState `help:"Only active, disabled or deleted accounts." enum:"active,disabled,deleted," default:""`
}

// Run prints a line for each account.
func (c *userListCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		out := tabwriter.NewWriter(r.program.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(out, "USER\tADDRESS\tROLES\tSTATE\tLAST SIGN-IN\tID")
		page := domain.PageRequest{Limit: domain.MaxPageSize}
		for {
			found, err := app.Core.Account.List(r.ctx, domain.SystemActor(), domain.UserFilter{Query: c.Query, Role: c.Role, State: c.State}, page)
			if err != nil {
				return err
			}
			for _, u := range found.Items {
				state, last := domain.UserActive, "never"
				switch {
				case u.DeletedAt != nil:
					state = domain.UserDeleted
				case u.Disabled:
					state = domain.UserDisabled
				}
				if u.LastLoginAt != nil {
					last = u.LastLoginAt.Format("2006-01-02 15:04")
				}
				roles := make([]string, len(u.Roles))
				for i, role := range u.Roles {
					roles[i] = string(role)
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Username, u.Email, strings.Join(roles, " "), state, last, u.ID)
			}
			if page.Cursor = found.NextCursor; page.Cursor == "" {
				return out.Flush()
			}
		}
	})
}

type userDisableCommand struct{ namedUser }

// Run closes the account: a running server ends its sessions within a second.
func (c *userDisableCommand) Run(r *run) error {
	return c.with(r, func(app *assemble.App, u domain.User) error {
		if _, err := app.Core.Account.SetDisabled(r.ctx, domain.SystemActor(), u.ID, true); err != nil {
			return err
		}
		_, err := fmt.Fprintf(r.program.Stdout, "Disabled %s. Its sessions have ended.\n", u.Username)
		return err
	})
}

type userEnableCommand struct{ namedUser }

// Run opens the account again, and brings it back where it was deleted.
func (c *userEnableCommand) Run(r *run) error {
	return c.with(r, func(app *assemble.App, u domain.User) error {
		if u.DeletedAt != nil {
			if _, err := app.Core.Account.Restore(r.ctx, domain.SystemActor(), u.ID); err != nil {
				return err
			}
		}
		if _, err := app.Core.Account.SetDisabled(r.ctx, domain.SystemActor(), u.ID, false); err != nil {
			return err
		}
		_, err := fmt.Fprintf(r.program.Stdout, "Enabled %s.\n", u.Username)
		return err
	})
}

type userDeleteCommand struct {
	namedUser
	Purge bool `help:"Remove it for good now, its watch history with it, instead of after the time of grace."`
}

// Run deletes the account.
func (c *userDeleteCommand) Run(r *run) error {
	return c.with(r, func(app *assemble.App, u domain.User) error {
		if err := app.Core.Account.Delete(r.ctx, domain.SystemActor(), u.ID); err != nil {
			return err
		}
		if c.Purge {
			if err := app.Core.Account.Purge(r.ctx, domain.SystemActor(), u.ID); err != nil {
				return err
			}
			_, err := fmt.Fprintf(r.program.Stdout, "Deleted %s for good.\n", u.Username)
			return err
		}
		_, err := fmt.Fprintf(r.program.Stdout, "Deleted %s. \"revenge admin user enable\" brings it back until its time of grace is over.\n", u.Username)
		return err
	})
}

type userResetPasswordCommand struct {
	namedUser
	Ask bool `help:"Read the new password from standard input instead of making a link."`
}

// Run makes a link, or sets the password at once.
func (c *userResetPasswordCommand) Run(r *run) error {
	var password string
	if c.Ask {
		var err error
		if password, err = r.readPassword(); err != nil {
			return err
		}
	}
	return c.with(r, func(app *assemble.App, u domain.User) error {
		if c.Ask {
			if err := app.Core.Account.SetPassword(r.ctx, domain.SystemActor(), u.ID, password); err != nil {
				return err
			}
			_, err := fmt.Fprintf(r.program.Stdout, "The password of %s is set. All its sessions have ended; a second factor is still asked for.\n", u.Username)
			return err
		}
		reset, err := app.Core.Account.SendReset(r.ctx, domain.SystemActor(), u.ID)
		if err != nil {
			return err
		}
		if reset.Sent {
			_, err = fmt.Fprintf(r.program.Stdout, "A mail to %s is on its way; the running server sends it.\n", u.Email)
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "%s\nWho opens this page of the server by %s chooses a new password for %s, once.\n", reset.Link, reset.ExpiresAt.Local().Format("15:04"), u.Username)
		return err
	})
}
