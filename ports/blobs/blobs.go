// Package blobs is a store of derived data that can be made again: indexes, pictures, encoded segments. It is capped; the
// least recently used go first, so a Get that finds nothing is normal.
package blobs

import (
	"context"
	"io"
)

// Fault codes: CodeNotFound (NotFound), CodeFull (Unavailable: the disk is full; what asked for it fails, nothing else does).
const (
	CodeNotFound = "blobs.not_found"
	CodeFull     = "blobs.full"
)

// Reader is an open blob. It stays readable while open, even if the blob is replaced or evicted.
type Reader interface {
	io.ReadSeekCloser
	io.ReaderAt
	Size() int64
	// Path is an absolute path that other programs can read while the Reader is open.
	Path() string
}

// Store keeps blobs by key. A key is 1 to 200 characters of a–z, 0–9, '-', '_', '.' and '/' (no empty or dot segments); anything else is Invalid.
type Store interface {
	Get(ctx context.Context, key string) (Reader, error)
	// Put stores atomically: readers see the old or the new content, a failed or cancelled Put leaves the old.
	Put(ctx context.Context, key string, content io.Reader) error
	// Create gives fn an absolute path to write to by itself (a tool's output); it is stored when fn returns nil.
	Create(ctx context.Context, key string, fn func(path string) error) error
	// Delete removes a blob, or all below a prefix that ends in '/'. Absent ones are no error.
	Delete(ctx context.Context, key string) error
	// Sweep removes leftovers of killed processes and evicts down to the cap; it returns bytes in use.
	Sweep(ctx context.Context) (int64, error)
}
