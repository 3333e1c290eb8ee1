// Package files is what the core needs from the disk that holds the films: look, open, never write.
// Paths are raw bytes as the system has them. Every call is confined to its root: a symlink that leaves it is refused (S22).
package files

import (
	"context"
	"io"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Fault codes that every adapter uses.
const (
	CodeNotFound   = "files.not_found"    // NotFound
	CodeUnreadable = "files.unreadable"   // Unavailable: permission or I/O error; the message says which
	CodeOutside    = "files.outside_root" // Forbidden: a symlink or path leaves the root
	CodeNotRegular = "files.not_regular"  // Invalid: a pipe, socket, device or directory where a file is asked for
)

// Entry is one directory entry. Name is raw bytes without separators.
type Entry struct {
	Name       []byte
	Dir        bool
	Regular    bool
	Symlink    bool // was a symlink that stays within the root; the other fields describe its target
	Size       int64
	ModifiedAt time.Time
	// Inode identifies the file on its device while it is mounted; "" where the system has none.
	Inode string
	// Err is a files fault when the entry itself cannot be looked at (outside the root, unreadable); the rest is then empty.
	Err error
}

// Open is an open regular file. Read and Seek share one place: they are for the one who serves the whole file, everybody else uses ReadAt.
// An adapter whose files the system can send by itself (sendfile(2)) returns them as a syscall.Conn, too.
type Open interface {
	io.ReaderAt
	io.ReadSeeker
	io.Closer
	Size() int64
	ModifiedAt() time.Time
	// Path is the absolute path for other programs; checked to be inside the root when it was opened.
	Path() string
}

// Tree reads below the roots of libraries.
type Tree interface {
	// List returns the entries of the directory rel ("" is the root itself) sorted by name.
	List(ctx context.Context, root, rel []byte) ([]Entry, error)
	// Stat describes one file or directory.
	Stat(ctx context.Context, root, rel []byte) (Entry, error)
	// Open opens a regular file for reading.
	Open(ctx context.Context, root, rel []byte) (Open, error)
	// Canonical returns the absolute path with symlinks resolved. NotFound, Unreadable, NotRegular when it is no directory.
	Canonical(ctx context.Context, path []byte) ([]byte, error)
}

// Browser lists folders of the host for the path picker; only administrators reach it.
type Browser interface {
	// Places returns where to begin: the root, home, mounted volumes.
	Places(ctx context.Context) ([]domain.Directory, error)
	// Directories lists the folders in path; counting stops at deadline (Partial).
	Directories(ctx context.Context, path []byte, isVideo func(name string) bool, deadline time.Duration) ([]domain.Directory, error)
}

// Change is a hint that something happened below a root; it may be late, doubled or lost.
type Change struct {
	Root []byte
	// Dir is the raw relative folder in which it happened.
	Dir []byte
}

// Watcher tells of changes.
type Watcher interface {
	// Watch sends changes below the roots until ctx ends, coalesced; it closes the channel then. Roots that cannot be watched are
	// reported through failed (which may be called from another goroutine) and are left to the periodic scan.
	Watch(ctx context.Context, roots [][]byte, failed func(root []byte, err error)) <-chan Change
}
