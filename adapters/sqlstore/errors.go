package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/revenge-media/revenge/adapters/sqlstore/postgres"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// codeReference is Conflict: a foreign key points to nothing.
const codeReference = "store.reference"

// conflict is what breaking a unique constraint means to a person.
type conflict struct{ code, message string }

// conflicts maps constraints to their meaning. Names are PostgreSQL's: "<table>_pkey" for a primary key, "<table>_<column>…_key" for
// every other unique constraint or index, which migrations name so. SQLite tells the columns, from which the same name follows.
var conflicts = map[string]conflict{}

// meaning adds constraints to conflicts: each repository file declares its own.
func meaning(constraint, code, message string) struct{} {
	conflicts[constraint] = conflict{code, message}
	return struct{}{}
}

// translated turns a driver's error into a fault. noun names what was looked for: absent rows are NotFound with "<noun>.not_found".
// nil, faults and the error of an ended ctx stay what they are.
func translated(ctx context.Context, err error, noun string) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if errors.Is(err, sql.ErrNoRows) {
		return notFound(noun)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fromPostgres(pg, err)
	}
	var lite *sqlite3.Error
	if errors.As(err, &lite) {
		return fromSQLite(lite, err)
	}
	var network *net.OpError
	if errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
		return unavailable(err)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return unavailable(err)
	}
	return failed(err)
}

// found reports a statement that should have changed a row: NotFound when it changed none.
func found(ctx context.Context, res sql.Result, err error, noun string) error {
	ok, err := changed(ctx, res, err, noun)
	if err == nil && !ok {
		return notFound(noun)
	}
	return err
}

func notFound(noun string) error {
	return fault.New(fault.NotFound, noun+".not_found", "There is no such %s.", strings.ReplaceAll(noun, "_", " "))
}

func unavailable(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, store.CodeUnavailable, "The database does not answer in time. Try again shortly.").WithRetryAfter(time.Second)
}

func failed(cause error) error {
	return fault.Wrap(cause, fault.Internal, "store.failed", "The database refused a statement.")
}

func violated(cause error, constraint string) error {
	if c, ok := conflicts[constraint]; ok {
		return fault.Wrap(cause, fault.Conflict, c.code, "%s", c.message)
	}
	return fault.Wrap(cause, fault.Conflict, "store.exists", "That exists already.")
}

func dangling(cause error) error {
	return fault.Wrap(cause, fault.Conflict, codeReference, "What this belongs to does not exist any more.")
}

// fromPostgres reads SQLSTATE codes (PostgreSQL documentation, appendix A).
func fromPostgres(pg *pgconn.PgError, err error) error {
	switch {
	case pg.Code == "23505":
		return violated(err, pg.ConstraintName)
	case pg.Code == "23503":
		return dangling(err)
	case lostAgainstAnother(err), postgres.Standby(pg), pg.Code == "57014" /* statement timeout */, pg.Code == "25P03", /* idle too long */
		strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "57P"):
		return unavailable(err)
	}
	return failed(err)
}

// fromSQLite reads result codes (sqlite.org/rescode.html).
func fromSQLite(lite *sqlite3.Error, err error) error {
	switch lite.Code() {
	case sqlitelib.SQLITE_CONSTRAINT_UNIQUE:
		return violated(err, liteConstraint(lite.Error(), false))
	case sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY, sqlitelib.SQLITE_CONSTRAINT_ROWID:
		return violated(err, liteConstraint(lite.Error(), true))
	case sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return dangling(err)
	}
	switch lite.Code() & 0xff {
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED, sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_INTERRUPT:
		return unavailable(err)
	}
	return failed(err)
}

// liteConstraint derives the constraint's name from "… UNIQUE constraint failed: libraries.a, libraries.b (2067)".
func liteConstraint(message string, primary bool) string {
	_, columns, ok := strings.Cut(message, "UNIQUE constraint failed: ")
	if !ok {
		return ""
	}
	columns, _, _ = strings.Cut(columns, " (")
	if index, ok := strings.CutPrefix(columns, "index '"); ok { // an index over expressions
		return strings.TrimSuffix(index, "'")
	}
	var table string
	var names []string
	for column := range strings.SplitSeq(columns, ", ") {
		var name string
		table, name, _ = strings.Cut(column, ".")
		names = append(names, name)
	}
	if primary {
		return table + "_pkey"
	}
	return table + "_" + strings.Join(names, "_") + "_key"
}

// lostAgainstAnother tells whether the transaction failed only because another one ran: again, it may succeed.
func lostAgainstAnother(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// The last two: another transaction made the month's partition meanwhile, which this one wanted to make, or when a row was on its way to the default one.
		return pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "42P07" || pg.Code == "23514" && pg.Routine == "ExecPartitionCheckEmitError"
	}
	var lite *sqlite3.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlitelib.SQLITE_BUSY
}

// changed reports whether a statement changed a row.
func changed(ctx context.Context, res sql.Result, err error, noun string) (bool, error) {
	if err != nil {
		return false, translated(ctx, err, noun)
	}
	n, err := res.RowsAffected()
	return n > 0, translated(ctx, err, noun)
}
