package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/backup"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
)

type doctorCommand struct{}

// verdict is how bad a finding is.
type verdict string

const (
	fine    verdict = "ok"
	lacking verdict = "missing" // works with less
	broken  verdict = "broken"
)

// Run looks at everything that a server needs and fails if something is broken.
func (doctorCommand) Run(r *run) error {
	bad := false
	tell := func(v verdict, subject, text string) {
		bad = bad || v == broken
		fmt.Fprintf(r.program.Stdout, "%-8s %-16s %s\n", v, subject, text)
	}
	c, err := r.load(nil)
	if err != nil {
		tell(broken, "configuration", message(err))
		return fault.New(fault.Invalid, "doctor.broken", "The server cannot start like this.")
	}
	tell(fine, "configuration", "data in "+c.DataDir)
	if err := writable(c.DataDir); err != nil {
		tell(broken, "data folder", err.Error())
	} else {
		tell(fine, "data folder", "can be written")
	}
	app, err := assemble.Open(r.ctx, c, assemble.Options{Logger: r.logger(c.Log), Version: version()})
	if err != nil {
		tell(broken, "server", message(err))
		return fault.New(fault.Invalid, "doctor.broken", "The server cannot start like this.")
	}
	defer app.Close()
	latency, err := app.Core.Store.Ping(r.ctx)
	if err != nil {
		tell(broken, "database", message(err))
	} else {
		scheme, _, _ := strings.Cut(c.Database, ":")
		tell(fine, "database", fmt.Sprintf("%s, schema version %d, answers in %s", scheme, app.SchemaVersion, latency))
	}
	if app.Core.Shared != nil {
		if latency, err := app.Core.Shared.Ping(r.ctx); err != nil {
			tell(lacking, "shared cache", message(err))
		} else {
			tell(fine, "shared cache", fmt.Sprintf("answers in %s", latency))
		}
	}
	if v, err := app.Transcoder.Available(r.ctx); err != nil {
		tell(lacking, "ffmpeg", message(err))
	} else {
		tell(fine, "ffmpeg", v)
	}
	tell(lastBackup(r, app.Core.Backups, c.Backup))
	libraries, err := app.Core.Library.List(r.ctx, domain.SystemActor())
	if err != nil {
		tell(broken, "libraries", message(err))
	}
	if len(libraries) == 0 {
		tell(lacking, "libraries", "there are none yet: add one in the browser or with \"revenge library add FOLDER\"")
	}
	for _, l := range libraries {
		for _, p := range l.Paths {
			switch entries, err := os.ReadDir(string(p.Raw)); {
			case err != nil:
				tell(broken, "library", fmt.Sprintf("%s: %v", l.Name, err))
			case p.State == domain.PathFrozen:
				tell(lacking, "library", fmt.Sprintf("%s: %s: %s", l.Name, p.Path, p.Reason))
			default:
				tell(fine, "library", fmt.Sprintf("%s: %s (%d entries)", l.Name, p.Path, len(entries)))
			}
		}
	}
	if bad {
		return fault.New(fault.Invalid, "doctor.broken", "Something is broken, see above.")
	}
	return nil
}

// lastBackup tells of the newest backup that can be read.
func lastBackup(r *run, backups *backup.Service, c config.Backup) (verdict, string, string) {
	const subject = "backup"
	all, err := backups.List(r.ctx)
	if err != nil {
		return lacking, subject, message(err)
	}
	var last *backup.Listed
	for i, b := range all {
		if b.Err == nil && (last == nil || b.CreatedAt.After(last.CreatedAt)) {
			last = &all[i]
		}
	}
	if last == nil {
		return lacking, subject, fmt.Sprintf("there is none in %s yet: \"revenge backup create\" makes one", c.Dir)
	}
	text := fmt.Sprintf("%s of %s", last.Name, last.CreatedAt.Local().Format(time.DateTime))
	if age := time.Since(last.CreatedAt); c.Every > 0 && age > 2*c.Every {
		return lacking, subject, fmt.Sprintf("the last one is %s, although one is due every %s: look for \"backup\" in the server's log", text, c.Every)
	}
	return fine, subject, text
}

func message(err error) string {
	if f := fault.As(err); f != nil {
		return f.Message
	}
	return err.Error()
}

func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe := filepath.Join(dir, ".doctor")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return err
	}
	return os.Remove(probe)
}
