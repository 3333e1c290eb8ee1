// Package backups says what a backup is made from and put back into: the rows of a database, the secret key, and a folder of archives.
package backups

import (
	"context"
	"io"
	"iter"
	"time"
)

// The codes of refusals.
const (
	// CodeNotEmpty is a Conflict: there is something where a backup should be restored.
	CodeNotEmpty = "backup.not_empty"
	// CodeNewer is a Conflict: the backup's schema is one that this program does not know.
	CodeNewer = "backup.newer"
	// CodeExists is a Conflict: there is a file of that name.
	CodeExists = "backup.exists"
)

// Table is one table's name and columns.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Database gives and takes all rows that belong to Revenge, whatever the engine. Jobs are no part of them.
type Database interface {
	// Engine is "sqlite" or "postgres".
	Engine() string
	// Snapshot shows fn the rows as they were at one moment, however long fn takes and whoever writes meanwhile.
	Snapshot(ctx context.Context, fn func(ctx context.Context, s Snapshot) error) error
	// CheckEmpty is a Conflict CodeNotEmpty unless the database holds nothing but what its schema begins with.
	CheckEmpty(ctx context.Context) error
	// Fill makes the schema of the given version in an empty database and puts in what fn gives, all or nothing. What is not empty is a Conflict
	// CodeNotEmpty, a version that the program does not know a Conflict CodeNewer.
	Fill(ctx context.Context, schema int64, fn func(ctx context.Context, f Filling) error) error
}

// Snapshot is a database at one moment.
type Snapshot interface {
	Schema() int64
	// Tables come in an order in which they can be filled: what a row refers to is in an earlier table or its own.
	Tables() []Table
	// Rows hands over each row of a table: int64, float64, bool, string, []byte or nil for each column. The slice is reused, its values are not.
	Rows(ctx context.Context, table Table, row func(values []any) error) error
}

// Filling takes the tables in the order of Snapshot.Tables.
type Filling interface {
	// Table replaces a table's rows. All columns of the schema must be named. An error of rows ends it and is returned.
	Table(ctx context.Context, table Table, rows iter.Seq2[[]any, error]) error
}

// Key is the secret key file, without which what is sealed in the database cannot be opened.
type Key interface {
	// Read returns the file's content; NotFound where there is none.
	Read(ctx context.Context) ([]byte, error)
}

// Archive is a backup in a folder.
type Archive struct {
	Name string
	Size int64
	At   time.Time // of the last change
}

// Folder keeps archives.
type Folder interface {
	// Create makes an archive of what write gives. Only when check has read all of it without an error does it get its name, safely on disk and
	// readable to its owner alone; otherwise nothing of it stays. A taken name is a Conflict CodeExists.
	Create(ctx context.Context, name string, write func(w io.Writer) error, check func(r io.Reader) error) error
	// List returns the archives, newest name last.
	List(ctx context.Context) ([]Archive, error)
	// Open reads an archive; NotFound.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove removes an archive; an absent one is no error.
	Remove(ctx context.Context, name string) error
}
