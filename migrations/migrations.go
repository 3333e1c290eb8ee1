// Package migrations holds the tables of Revenge: postgres/NNNN_name.sql and sqlite/NNNN_name.sql with the same numbers, tables and
// columns, which a test compares.
//
// Conventions, so that both databases behave alike: ids are UUID (TEXT in SQLite); times are BIGINT microseconds since 1970 in UTC (INTEGER
// in SQLite); JSON documents that nobody searches are TEXT; bytes are BYTEA (BLOB); texts that are compared, sorted or unique are
// COLLATE "C" in PostgreSQL, as SQLite compares bytes; unique constraints and indexes are named <table>_<column>…_key. A change expands
// first and contracts a version later, so that two versions run side by side.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// For returns one database's migrations, at the root of the returned file system.
func For(postgres bool) (fs.FS, error) {
	if postgres {
		return fs.Sub(files, "postgres")
	}
	return fs.Sub(files, "sqlite")
}
