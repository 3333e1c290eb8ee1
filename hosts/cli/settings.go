package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/hosts/assemble"
)

type settingsGetCommand struct {
	Names []string `arg:"" optional:"" help:"Names like mail.host; all without them."`
}

// Run prints one setting a line: its name and its value as JSON. Secrets are "***" when they are set.
func (c *settingsGetCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		view, err := app.Core.Settings.List(r.ctx, domain.SystemActor())
		if err != nil {
			return err
		}
		known := map[string]settings.Setting{}
		for _, s := range view.Items {
			known[s.Name] = s
			if len(c.Names) == 0 {
				if err := r.printSetting(s); err != nil {
					return err
				}
			}
		}
		for _, name := range c.Names {
			s, ok := known[name]
			if !ok {
				return fault.New(fault.NotFound, "settings.not_found", "There is no setting %q.", name)
			}
			if err := r.printSetting(s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *run) printSetting(s settings.Setting) error {
	value := s.Value
	if s.Secret {
		value = map[bool]string{true: "***", false: ""}[s.Set]
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.program.Stdout, "%s=%s\n", s.Name, data)
	return err
}

type settingsSetCommand struct {
	Changes []string `arg:"" help:"NAME=VALUE, NAME= for the default, or NAME=- to read the value from standard input (secrets)." placeholder:"NAME=VALUE"`
}

// Run sets many settings at once, or none. A value is JSON, or a text that need not be quoted.
func (c *settingsSetCommand) Run(r *run) error {
	values := map[string]json.RawMessage{}
	kinds := map[string]settings.Type{}
	for _, d := range settings.Registry() {
		kinds[d.Name] = d.Type
	}
	for _, change := range c.Changes {
		name, value, ok := strings.Cut(change, "=")
		if !ok {
			return fault.New(fault.Invalid, "settings.bad_change", "%q is not of the form NAME=VALUE.", change)
		}
		if value == "-" {
			data, err := io.ReadAll(io.LimitReader(r.program.Stdin, 64<<10))
			if err != nil {
				return err
			}
			value = strings.TrimRight(string(data), "\r\n")
		}
		switch kind := kinds[name]; {
		case value == "":
			values[name] = nil
		case kind == settings.Text || kind == settings.Choice || !json.Valid([]byte(value)):
			quoted, err := json.Marshal(value)
			if err != nil {
				return err
			}
			values[name] = quoted
		default:
			values[name] = json.RawMessage(value)
		}
	}
	return r.with(func(app *assemble.App) error {
		if _, err := app.Core.Settings.Update(r.ctx, domain.SystemActor(), nil, values); err != nil {
			return err
		}
		_, err := fmt.Fprintln(r.program.Stdout, "Saved. A running server follows within a second.")
		return err
	})
}

type settingsReferenceCommand struct{}

// Run prints the reference of all settings.
func (settingsReferenceCommand) Run(r *run) error {
	_, err := io.WriteString(r.program.Stdout, settingsReference())
	return err
}

func settingsReference() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nWhat an administrator sets while the server runs: in the web UI under *Administration, Settings*, with `PATCH /api/v1/admin/settings`, or with\n" +
		"`revenge admin settings set NAME=VALUE`. Every process follows within a second, five where it cannot hear of the change. What the host decides is in\n[configuration](configuration.md).\n\n" +
		"This page is printed by `revenge admin settings reference`.\n\n| name | default | what it is |\n| --- | --- | --- |\n")
	for _, d := range settings.Registry() {
		initial, _ := json.Marshal(d.Default) // strings, numbers and lists always marshal
		notes := []string{d.Description}
		if len(d.Options) > 0 {
			notes = append(notes, "One of `"+strings.Join(d.Options, "`, `")+"`.")
		}
		if d.Minimum != nil && d.Maximum != nil {
			notes = append(notes, fmt.Sprintf("From %d to %d.", *d.Minimum, *d.Maximum))
		}
		if d.Secret {
			notes = append(notes, "Secret: kept sealed, never shown.")
		}
		if d.Public {
			notes = append(notes, "Anybody can see it.")
		}
		if d.Restart {
			notes = append(notes, "Takes effect at the next start.")
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", d.Name, initial, strings.Join(notes, " "))
	}
	return b.String()
}

type mailTestCommand struct {
	To       string `arg:"" help:"Address to send a test mail to."`
	Language string `help:"Language of the mail." default:""`
}

// Run sends a mail now and says what the mail server answered.
func (c *mailTestCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		if err := app.Core.Mailing.TestTo(r.ctx, domain.SystemActor(), c.To, c.Language); err != nil {
			return err
		}
		_, err := fmt.Fprintf(r.program.Stdout, "The mail server took a test mail to %s.\n", c.To)
		return err
	})
}

type rotateKeyCommand struct {
	Grace time.Duration `help:"How long to wait for what running servers sealed with the old key meanwhile; 0s when none runs." default:"2m"`
}

// Run makes a new secret key, seals everything with it, and forgets the old one.
func (c *rotateKeyCommand) Run(r *run) error {
	return r.with(func(app *assemble.App) error {
		fmt.Fprintf(r.program.Stderr, "Sealing every secret with a new key. This ends by itself; when it is interrupted, run it again.\n")
		done, err := app.Core.Sealing.Renew(r.ctx, domain.SystemActor(), c.Grace, func(done int) {
			if done%100 == 0 {
				fmt.Fprintf(r.program.Stderr, "%d values …\n", done)
			}
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "%d values are sealed with the new key, and the old one is gone. Back up %s again, apart from the database.\n", done.Values, app.Config.SecretKeyFile)
		return err
	})
}
