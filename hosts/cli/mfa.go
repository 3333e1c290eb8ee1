package cli

import (
	"fmt"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/assemble"
)

type userResetMFACommand struct{ namedUser }

// Run takes the account's second factors away.
func (c *userResetMFACommand) Run(r *run) error {
	return c.with(r, func(app *assemble.App, u domain.User) error {
		short, err := app.Core.MFA.Reset(r.ctx, domain.SystemActor(), u.ID)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s has no second factor any more. All its sessions have ended.\n", u.Username)
		if short {
			text += "Its password is too short to stand alone. Have its owner choose another: \"revenge admin user reset-password\".\n"
		}
		_, err = fmt.Fprint(r.program.Stdout, text)
		return err
	})
}
