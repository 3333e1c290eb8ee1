// Package sqlite opens SQLite files so that readers never wait for the writer and writers queue instead of failing.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Open returns a pool of one connection that writes and a pool that only reads, on one file in WAL mode (in memory there is no WAL).
// With WAL and synchronous=NORMAL a commit survives the end of the process (sqlite.org/pragma.html#pragma_synchronous). The file is
// made readable to its owner only: it holds credentials' hashes. busy is how long a statement waits for another process.
func Open(ctx context.Context, path string, readers int, busy time.Duration) (write, read *sql.DB, err error) {
	if path == "" || path == ":memory:" {
		return nil, nil, errors.New("SQLite needs the path of a file")
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := file.Close(); err != nil {
		return nil, nil, err
	}
	// The system's page cache is behind the readers' own, of which each connection has one.
	if write, err = open(ctx, path, 1, busy, "_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=cache_size(-8000)"); err != nil {
		return nil, nil, err
	}
	if read, err = open(ctx, path, readers, busy, "_pragma=query_only(1)&_pragma=cache_size(-2000)"); err != nil {
		write.Close()
		return nil, nil, err
	}
	return write, read, nil
}

// idle is how long a connection is kept that nobody uses.
const idle = 30 * time.Second

func open(ctx context.Context, path string, conns int, busy time.Duration, options string) (*sql.DB, error) {
	dsn := fmt.Sprintf("%s?_busy_timeout=%d&%s&_pragma=foreign_keys(1)&_pragma=synchronous(NORMAL)&_pragma=temp_store(MEMORY)",
		&url.URL{Scheme: "file", Path: path}, busy.Milliseconds(), options)
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(idle) // with a connection its cache of pages goes
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// Backup writes a consistent copy of the database to a file, whole or not at all.
func Backup(ctx context.Context, db *sql.DB, to string) error {
	partial := to + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", partial); err != nil { // an empty file is taken as absent
		return err
	}
	return os.Rename(partial, to)
}
