package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
)

type keyListCommand struct {
	User string `arg:"" help:"User name or e-mail address."`
}

// Run prints a line for each key: its id, how it begins, what it may, when it was used and when it ends.
func (c *keyListCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		keys, err := app.Core.APIKeys.ListFor(r.ctx, domain.SystemActor(), c.User)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(r.program.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tPREFIX\tNAME\tPERMISSIONS\tLAST USED\tEXPIRES")
		for _, k := range keys {
			permissions := make([]string, len(k.Permissions))
			for i, p := range k.Permissions {
				permissions[i] = string(p)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Prefix, k.Name, strings.Join(permissions, ","), moment(k.LastUsedAt), moment(k.ExpiresAt))
		}
		return table.Flush()
	})
}

func moment(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format(time.RFC3339)
}

type keyCreateCommand struct {
	User       string   `arg:"" help:"User name or e-mail address of the owner."`
	Name       string   `arg:"" help:"What the key is for."`
	Permission []string `required:"" short:"p" help:"What it may do, like library.read; as often as needed. Never more than its owner."`
	ExpiresIn  int      `help:"Days until it ends; 0 is never." default:"0"`
}

// Run prints the key alone, so that a script can take it.
func (c *keyCreateCommand) Run(r *run) error {
	d := apikey.Draft{Name: c.Name}
	for _, p := range c.Permission {
		d.Permissions = append(d.Permissions, domain.Permission(p))
	}
	if c.ExpiresIn < 0 {
		return fault.New(fault.Invalid, apikey.CodeExpired, "The key would have expired already.")
	}
	if c.ExpiresIn > 0 {
		ends := time.Now().AddDate(0, 0, c.ExpiresIn)
		d.ExpiresAt = &ends
	}
	return r.with(func(app *assemble.App) error {
		_, text, err := app.Core.APIKeys.CreateFor(r.ctx, domain.SystemActor(), c.User, d)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(r.program.Stdout, text)
		return err
	})
}

type keyRevokeCommand struct {
	ID string `arg:"" help:"Id of the key, see list."`
}

// Run revokes it; running servers refuse it within a second.
func (c *keyRevokeCommand) Run(r *run) error {
	id, ok := domain.ParseID(c.ID)
	if !ok {
		return fault.New(fault.Invalid, "api_key.bad_id", "%q is no id of a key: they are shown by \"revenge admin key list\".", c.ID)
	}
	return r.with(func(app *assemble.App) error {
		if err := app.Core.APIKeys.RevokeAny(r.ctx, domain.SystemActor(), id); err != nil {
			return err
		}
		_, err := fmt.Fprintln(r.program.Stdout, "Revoked.")
		return err
	})
}
