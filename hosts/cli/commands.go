package cli

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/hosts/telemetry"
)

type migrateCommand struct{}

// Run migrates, which opening does anyway, and says to what.
func (migrateCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		_, err := fmt.Fprintf(r.program.Stdout, "The schema is up to date (version %d).\n", app.SchemaVersion)
		return err
	})
}

type userCreateCommand struct {
	Username    string `arg:"" help:"User name."`
	Admin       bool   `help:"Give the admin role."`
	Email       string `help:"E-mail address."`
	DisplayName string `help:"Name as shown."`
}

// Run asks for the password without an echo on a terminal, else reads the first line of standard input.
func (c *userCreateCommand) Run(r *run) error {
	password, err := r.readPassword()
	if err != nil {
		return err
	}
	return r.with(func(app *assemble.App) error {
		roles := []domain.RoleName{domain.RoleUser}
		if c.Admin {
			roles = []domain.RoleName{domain.RoleAdmin}
		}
		user, err := app.Core.Account.Create(r.ctx, domain.SystemActor(), account.NewUser{
			Username: c.Username, Password: password, Email: c.Email, DisplayName: c.DisplayName, Roles: roles,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "Created %s (%s).\n", user.Username, user.ID)
		return err
	})
}

func (r *run) readPassword() (string, error) {
	if file, ok := r.program.Stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(r.program.Stderr, "Password: ")
		data, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(r.program.Stderr)
		return string(data), err
	}
	line, err := bufio.NewReader(r.program.Stdin).ReadString('\n')
	if line == "" && err != nil {
		return "", fault.New(fault.Invalid, "user.no_password", "Give the password on standard input.")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

type claimCodeCommand struct{}

// Run prints the code and when it ends.
func (claimCodeCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		code, err := app.Core.Auth.NewClaimCode(r.ctx, domain.SystemActor())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(r.program.Stdout, code)
		return err
	})
}

type rotateKeysCommand struct{}

// Run rotates the keys.
func (rotateKeysCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		if err := app.Core.Auth.RotateKeys(r.ctx, domain.SystemActor()); err != nil {
			return err
		}
		_, err := fmt.Fprintln(r.program.Stdout, "New keys sign from now on. The old ones are recognised until the last session that they signed has ended.")
		return err
	})
}

type libraryAddCommand struct {
	Folders    []string `arg:"" type:"path" help:"Folders of movies."`
	Name       string   `help:"Name of the library; else the first folder's."`
	Restricted bool     `help:"Only administrators and accounts with legacy:read on its access list see it."`
	Closed     bool     `help:"Only accounts on its access list see it."`
	Locale     string   `help:"Language whose articles sorting ignores." default:"en"`
}

// Run adds the library; a running server scans it, else the next start does.
func (c *libraryAddCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		name := c.Name
		if name == "" {
			name = filepath.Base(c.Folders[0])
		}
		l, err := app.Core.Library.Create(r.ctx, domain.SystemActor(), library.Draft{Name: name, Paths: c.Folders, Restricted: c.Restricted, Open: !c.Closed, Locale: c.Locale})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "Added the library %q (%s). The running server scans it now, else the next start does.\n", l.Name, l.ID)
		return err
	})
}

type libraryScanCommand struct {
	Library string `arg:"" optional:"" help:"Name or id; all libraries without it."`
}

// Run queues scans.
func (c *libraryScanCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		all, err := app.Core.Library.List(r.ctx, domain.SystemActor())
		if err != nil {
			return err
		}
		found := false
		for _, l := range all {
			if c.Library != "" && !strings.EqualFold(l.Name, c.Library) && l.ID.String() != c.Library {
				continue
			}
			found = true
			if _, err := app.Core.Library.Scan(r.ctx, domain.SystemActor(), l.ID); err != nil {
				return err
			}
			fmt.Fprintf(r.program.Stdout, "Queued a scan of %q. The running server does it now, else the next start does.\n", l.Name)
		}
		if !found {
			return fault.New(fault.NotFound, "library.not_found", "There is no library %q.", c.Library)
		}
		return nil
	})
}

type configPrintCommand struct {
	Redact bool `help:"Hide passwords."`
}

// Run prints YAML that --config reads again.
func (c *configPrintCommand) Run(r *run) error {
	loaded, err := r.load(nil)
	if err != nil {
		return err
	}
	text, err := loaded.YAML(c.Redact)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(r.program.Stdout, text)
	return err
}

type configReferenceCommand struct{}

// Run prints docs/configuration.md.
func (configReferenceCommand) Run(r *run) error {
	_, err := fmt.Fprint(r.program.Stdout, config.Reference())
	return err
}

type metricsCommand struct{}

// Run prints docs/metrics.md.
func (metricsCommand) Run(r *run) error {
	_, err := fmt.Fprint(r.program.Stdout, telemetry.Reference())
	return err
}

type openAPICommand struct{}

// Run prints hosts/httpd/openapi.json. Its version is that of the API, so that a build does not change the document.
func (openAPICommand) Run(r *run) error {
	data, err := httpd.OpenAPI(httpd.APIVersion)
	if err != nil {
		return err
	}
	_, err = r.program.Stdout.Write(data)
	return err
}

type versionCommand struct{}

// Run prints version, Go and platform.
func (versionCommand) Run(r *run) error {
	_, err := fmt.Fprintf(r.program.Stdout, "revenge %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
