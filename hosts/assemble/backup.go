package assemble

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/revenge-media/revenge/adapters/diskbackups"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core/backup"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/config"
)

// backupsOf makes backups of an open database in the folder that the configuration names.
func backupsOf(c config.Config, o Options, store *sqlstore.Store) *backup.Service {
	return backup.New(backup.Deps{
		Database: store, Key: diskbackups.KeyFile{Path: c.SecretKeyFile}, Folder: diskbackups.Folder{Dir: c.Backup.Dir}, Version: o.Version,
		Every: c.Backup.Every, Keep: c.Backup.Keep, Now: o.Now, Logger: o.Logger,
	})
}

// beforeUpgrade is what the store does before it migrates.
func beforeUpgrade(c config.Config, o Options) func(context.Context, *sqlstore.Store) error {
	return func(ctx context.Context, store *sqlstore.Store) error {
		if !c.Backup.BeforeUpgrade {
			return nil
		}
		name, _, err := backupsOf(c, o, store).Create(ctx, backup.Upgrade, "")
		if err == nil {
			o.Logger.InfoContext(ctx, "made a backup before the upgrade", "file", filepath.Join(c.Backup.Dir, name))
		}
		return err
	}
}

// Backups opens a database as it is, without changing it, for making a backup of it.
func Backups(ctx context.Context, c config.Config, o Options) (s *backup.Service, closing func() error, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if path, embedded := sqliteFile(c); embedded {
		if _, err := os.Stat(path); err != nil { // opening would make it
			return nil, nil, fault.Wrap(err, fault.NotFound, "backup.no_database", "There is no database %s. Say where it is with --data-dir or --config.", path)
		}
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{DSN: c.Database, Logger: o.Logger, SlowQuery: c.Log.SlowQuery})
	if err != nil {
		return nil, nil, err
	}
	return backupsOf(c, o, store), store.Close, nil
}

func sqliteFile(c config.Config) (path string, embedded bool) {
	rest, embedded := strings.CutPrefix(c.Database, "sqlite:")
	return strings.TrimPrefix(rest, "//"), embedded
}

// marker stands in the data folder while a backup is restored, and says which one.
func marker(c config.Config) string { return filepath.Join(c.DataDir, "restore.incomplete") }

// unrestored refuses to open what a killed restore left.
func unrestored(c config.Config) error {
	if _, err := os.Lstat(marker(c)); err == nil {
		return fault.New(fault.Conflict, "backup.restore_incomplete",
			"A backup was being restored into %s, and that was interrupted. Run the same \"revenge restore FILE\" again; or, if nothing here matters, empty the data folder and the database.", c.DataDir)
	}
	return nil
}

// Restore puts a backup into an empty data folder and database, and brings it up to date. What goes wrong leaves the folder and the database as empty
// as they were; what is killed leaves a marker, with which servers refuse to start and the same Restore goes on.
func Restore(ctx context.Context, c config.Config, o Options, file string) (m backup.Manifest, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	_, err = os.Lstat(marker(c))
	again := err == nil
	var undo []func() error
	var store *sqlstore.Store
	defer func() {
		if store != nil {
			err = errors.Join(err, store.Close())
		}
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				_ = undo[i]() // the first error is the one to tell
			}
		}
	}()
	finished := false // a killed restore had put in everything
	opened := func() (io.ReadCloser, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.Wrap(err, fault.NotFound, "backup.not_found", "The backup %s cannot be opened.", file)
		}
		return f, nil
	}
	m, err = backup.Restore(ctx, opened, func(m backup.Manifest, key []byte) (backup.Target, error) {
		text, err := json.Marshal(m)
		if err != nil {
			return backup.Target{}, err
		}
		which := fmt.Appendf(nil, "%x\n", sha256.Sum256(text))
		if before, err := os.ReadFile(marker(c)); again && (err != nil || !bytes.Equal(before, which)) {
			return backup.Target{}, errors.Join(fault.New(fault.Conflict, "backup.restore_incomplete", "The restore of another backup was interrupted here. Restore that one, or empty the data folder and the database first."), err)
		}
		present, err := os.ReadFile(c.SecretKeyFile)
		if err == nil && !again && !bytes.Equal(present, key) {
			return backup.Target{}, fault.New(fault.Conflict, "backup.not_empty",
				"There is another secret key, %s. A backup is restored into an empty data folder only: choose another with --data-dir, or move this one away.", c.SecretKeyFile)
		}
		keyThere := err == nil && bytes.Equal(present, key)
		if _, err := os.Stat(c.DataDir); errors.Is(err, fs.ErrNotExist) {
			undo = append(undo, func() error { return os.Remove(c.DataDir) })
		}
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return backup.Target{}, fault.Wrap(err, fault.Unavailable, "assemble.data_dir", "The data folder %s cannot be made. Choose another with --data-dir.", c.DataDir)
		}
		if path, embedded := sqliteFile(c); embedded {
			if _, err := os.Stat(path); again || errors.Is(err, fs.ErrNotExist) {
				undo = append(undo, func() (err error) {
					for _, end := range []string{"", "-wal", "-shm", ".migrate.lock"} {
						err = errors.Join(err, os.Remove(path+end))
					}
					return err
				})
			}
		}
		if store, err = sqlstore.Open(ctx, sqlstore.Config{DSN: c.Database, Logger: o.Logger, SlowQuery: c.Log.SlowQuery}); err != nil {
			return backup.Target{}, err
		}
		if err := store.CheckEmpty(ctx); err != nil {
			// Rows come all at once, and the key before them.
			if finished = again && keyThere && fault.CodeOf(err) == "backup.not_empty"; finished {
				undo = nil
			}
			return backup.Target{}, err
		}
		undo = append(undo, func() error { return os.Remove(marker(c)) })
		if err := stored(marker(c), which); err != nil {
			return backup.Target{}, err
		}
		return backup.Target{Database: store, Key: func(_ context.Context, key []byte) error {
			if keyThere {
				return nil
			}
			undo = append(undo, func() error { return os.Remove(c.SecretKeyFile) })
			return stored(c.SecretKeyFile, key)
		}}, nil
	})
	if err != nil && !finished {
		return m, err
	}
	undo = nil // the rows are there
	if err := store.Migrate(ctx); err != nil {
		return m, err
	}
	return m, os.Remove(marker(c))
}

// stored writes a file whole, safely on disk and readable to its owner alone.
func stored(path string, data []byte) error {
	bad := func(err error) error {
		return fault.Wrap(err, fault.Unavailable, "backup.cannot_write", "%s cannot be written.", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return bad(err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".restoring-*")
	if err != nil {
		return bad(err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return bad(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return bad(err)
	}
	if folder, err := os.Open(filepath.Dir(path)); err == nil {
		_ = folder.Sync() // not every file system has it (Windows)
		folder.Close()
	}
	return nil
}
