package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/revenge-media/revenge/adapters/sqlstore/postgres"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlite"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/migrations"
)

// CodeSchemaNewer is Internal: the database was changed by a newer version, which this one must not touch (R17).
const CodeSchemaNewer = "store.schema_newer"

// Migrate brings the tables to this version. Of many processes that start together one does it and the others wait (R16); a step that was
// killed is rolled back and done again. Before the database is changed, Config.BeforeMigration backs it up; without one a SQLite file is copied beside itself:
// "<file>.schema-<version>.bak".
func (s *Store) Migrate(ctx context.Context) error {
	unlock, err := s.lockMigration(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.withProvider(func(p *goose.Provider) error {
		current, latest, err := versions(ctx, p)
		if err != nil || current == latest {
			return err
		}
		if before := s.cfg.BeforeMigration; before != nil && current > 0 {
			if err := before(ctx, s); err != nil {
				return fault.Wrap(err, fault.Internal, "store.backup_failed", "The database was not changed, as it could not be backed up before: %s", fault.As(err).Message)
			}
		} else if !s.postgres && current > 0 {
			if err := sqlite.Backup(ctx, s.write.DB, fmt.Sprintf("%s.schema-%d.bak", s.path, current)); err != nil {
				return fault.Wrap(err, fault.Internal, "store.backup_failed", "The database was not changed, as no backup of it could be written beside %s.", s.path)
			}
		}
		done, err := p.Up(ctx)
		for _, m := range done {
			s.cfg.Logger.InfoContext(ctx, "migrated", "version", m.Source.Version, "took", m.Duration.Round(time.Millisecond))
		}
		return translated(ctx, err, "migration")
	})
}

// migrationLock is held in Postgres from before the backup until the last step is done: goose's own lock is held during the steps alone, so that of
// several processes each would make a backup, the later ones of what the first had changed already.
const migrationLock = 0x726576656e6765 // "revenge"

// lockMigration waits until no other process migrates. What was locked is free when unlock is called, or when the process is gone.
func (s *Store) lockMigration(ctx context.Context) (unlock func(), err error) {
	if !s.postgres {
		unlock, err = sqlite.Lock(ctx, s.path+".migrate.lock")
		return unlock, translated(ctx, err, "database")
	}
	db, err := postgres.OpenForMigration(s.cfg.DSN)
	if err != nil {
		return nil, failed(err)
	}
	db.SetMaxOpenConns(1)
	if _, err = db.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return nil, errors.Join(translated(ctx, err, "migration"), db.Close())
	}
	return func() { _ = db.Close() }, nil
}

// SchemaVersion returns the version that the tables have; 0 is an empty database. It refuses one that this program does not know.
func (s *Store) SchemaVersion(ctx context.Context) (current int64, err error) {
	err = s.withProvider(func(p *goose.Provider) error {
		current, _, err = versions(ctx, p)
		return err
	})
	return current, err
}

func versions(ctx context.Context, p *goose.Provider) (current, latest int64, err error) {
	if current, latest, err = p.GetVersions(ctx); err != nil {
		return 0, 0, translated(ctx, err, "migration")
	}
	if current > latest {
		return current, latest, fault.New(fault.Internal, CodeSchemaNewer,
			"The database has schema %d, this version of Revenge knows %d. Start the newer version, or restore the backup made before the upgrade.", current, latest)
	}
	return current, latest, nil
}

func (s *Store) withProvider(fn func(*goose.Provider) error) error {
	dialect, db, options := goose.DialectSQLite3, s.write.DB, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.postgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600), lock.WithUnlockTimeout(1, 30))
		if err != nil {
			return failed(err)
		}
		var migrating *sql.DB
		if migrating, err = postgres.OpenForMigration(s.cfg.DSN); err != nil {
			return failed(err)
		}
		defer migrating.Close()
		dialect, db, options = goose.DialectPostgres, migrating, append(options, goose.WithSessionLocker(locker))
	}
	files, err := migrations.For(s.postgres)
	if err != nil {
		return failed(err)
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return failed(err)
	}
	return fn(provider)
}
