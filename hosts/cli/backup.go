package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/revenge-media/revenge/core/backup"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
)

// backups runs fn on the backups of the configured database; file, where given, chooses another folder.
func (r *run) backups(file string, keep int, fn func(s *backup.Service, dir string) error) (err error) {
	c, err := r.load(nil)
	if err != nil {
		return err
	}
	if file != "" {
		c.Backup.Dir = filepath.Dir(file)
	}
	c.Backup.Keep = keep
	s, closing, err := assemble.Backups(r.ctx, c, assemble.Options{Logger: r.logger(c.Log), Version: version()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	return fn(s, c.Backup.Dir)
}

type backupCreateCommand struct {
	File string `arg:"" optional:"" type:"path" help:"File to make; else one in the folder of backups, named by the time."`
	Keep int    `help:"Of the backups that this command named in that folder, keep so many; 0 keeps all." default:"0"`
}

// Run makes a backup and says where it is.
func (c *backupCreateCommand) Run(r *run) error {
	if c.Keep < 0 {
		return fault.New(fault.Invalid, "backup.bad_keep", "--keep must not be negative.")
	}
	return r.backups(c.File, c.Keep, func(s *backup.Service, dir string) error {
		name := ""
		if c.File != "" {
			name = filepath.Base(c.File)
		}
		name, m, err := s.Create(r.ctx, backup.Manual, name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(r.program.Stdout, "%s\nIt holds %d rows of schema %d and the secret key, and was read again and found whole. Whoever has it can open everything: keep it safe.\n",
			filepath.Join(dir, name), m.Rows(), m.Schema)
		return err
	})
}

type backupListCommand struct{}

// Run prints a line for each backup, oldest first.
func (backupListCommand) Run(r *run) error {
	return r.backups("", 0, func(s *backup.Service, _ string) error {
		all, err := s.List(r.ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(r.program.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tMADE\tBYTES\tENGINE\tSCHEMA\tVERSION")
		for _, b := range all {
			if b.Err != nil {
				fmt.Fprintf(table, "%s\t%s\t%d\t%s\t\t\n", b.Name, b.At.UTC().Format(time.RFC3339), b.Size, "damaged")
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%s\n", b.Name, b.CreatedAt.Format(time.RFC3339), b.Size, b.Engine, b.Schema, b.Version)
		}
		return table.Flush()
	})
}

type backupVerifyCommand struct {
	File string `arg:"" type:"path" help:"The backup."`
}

// Run needs neither a database nor a data folder.
func (c *backupVerifyCommand) Run(r *run) error {
	file, err := os.Open(c.File)
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "backup.not_found", "The backup %s cannot be opened.", c.File)
	}
	defer file.Close()
	m, err := backup.Verify(r.ctx, file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.program.Stdout, "It is whole: made %s by %s from %s, schema %d, %d rows in %d tables.\n",
		m.CreatedAt.Format(time.RFC3339), m.Version, m.Engine, m.Schema, m.Rows(), len(m.Tables))
	return err
}

type restoreCommand struct {
	File string `arg:"" type:"path" help:"The backup."`
}

// Run restores into the configured data folder and database.
func (c *restoreCommand) Run(r *run) error {
	loaded, err := r.load(nil)
	if err != nil {
		return err
	}
	m, err := assemble.Restore(r.ctx, loaded, assemble.Options{Logger: r.logger(loaded.Log), Version: version()}, c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.program.Stdout, "Restored %d rows as they were at %s. Start the server: pictures and indexes are made again as they are needed.\n", m.Rows(), m.CreatedAt.Format(time.RFC3339))
	return err
}
