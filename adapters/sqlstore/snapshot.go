package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/revenge-media/revenge/adapters/sqlstore/postgres"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlite"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/backups"
)

var _ backups.Database = (*Store)(nil)

// Engine implements backups.Database.
func (s *Store) Engine() string {
	if s.postgres {
		return "postgres"
	}
	return "sqlite"
}

// unhurried runs fn on a connection of its own without time limits: copying a large table takes what it takes.
func (s *Store) unhurried(ctx context.Context, db *sql.DB, fn func(conn *sql.Conn) error) error {
	if s.postgres {
		own, err := postgres.OpenForMigration(s.cfg.DSN)
		if err != nil {
			return failed(err)
		}
		defer own.Close()
		db = own
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return translated(ctx, err, "database")
	}
	defer conn.Close()
	return fn(conn)
}

type snapshot struct {
	conn   *sql.Tx
	schema int64
	tables []backups.Table
}

func (s *snapshot) Schema() int64           { return s.schema }
func (s *snapshot) Tables() []backups.Table { return s.tables }

// Snapshot implements backups.Database: PostgreSQL's repeatable read, and the read transaction of SQLite's WAL, show one moment.
func (s *Store) Snapshot(ctx context.Context, fn func(ctx context.Context, s backups.Snapshot) error) error {
	return s.unhurried(ctx, s.read.DB, func(conn *sql.Conn) error {
		options := &sql.TxOptions{ReadOnly: true}
		if s.postgres {
			options.Isolation = sql.LevelRepeatableRead
		}
		tx, err := conn.BeginTx(ctx, options)
		if err != nil {
			return translated(ctx, err, "database")
		}
		defer func() { _ = tx.Rollback() }() // it has read only
		shot := &snapshot{conn: tx}
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version").Scan(&shot.schema); err != nil {
			return translated(ctx, err, "database")
		}
		if shot.tables, err = s.tables(ctx, tx); err != nil {
			return translated(ctx, err, "database")
		}
		return fn(ctx, shot)
	})
}

// Rows implements backups.Snapshot.
func (s *snapshot) Rows(ctx context.Context, table backups.Table, row func([]any) error) error {
	rows, err := s.conn.QueryContext(ctx, "SELECT "+quoted(table.Columns)+" FROM "+quoted([]string{table.Name})) //nolint:gosec // names of the schema, quoted
	if err != nil {
		return translated(ctx, err, "database")
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return translated(ctx, err, "database")
	}
	values, into := make([]any, len(table.Columns)), make([]any, len(table.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return translated(ctx, err, "database")
		}
		for i, v := range values {
			if n, number := v.(int64); number && types[i].DatabaseTypeName() == "BOOLEAN" { // SQLite has numbers only
				values[i] = n != 0
			}
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return translated(ctx, rows.Err(), "database")
}

func quoted(names []string) string { return `"` + strings.Join(names, `", "`) + `"` }

// momentary are tables whose rows are in no backup: what opens a session or a link once, since it may have been ended or used after the backup was
// made and must not live again, and mails whose jobs are not in it either.
var momentary = []string{
	"sessions", "auth_tokens", "oidc_sessions", "trusted_devices", "auth_challenges", "auth_attempts", "password_reset_tokens", "email_verification_tokens", "mail_outbox",
}

// tables lists the schema's own tables that backups hold, each behind those that it refers to. goose's and River's are theirs; a partition is read
// through its parent.
func (s *Store) tables(ctx context.Context, tx *sql.Tx) ([]backups.Table, error) {
	columns := `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table' AND c.hidden = 0
		AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name NOT LIKE 'goose\_%' ESCAPE '\' AND m.name NOT LIKE 'river\_%' ESCAPE '\' ORDER BY m.name, c.cid`
	references := `SELECT m.name, f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if s.postgres {
		columns = `SELECT t.relname, a.attname FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid WHERE t.relnamespace = current_schema()::regnamespace
			AND t.relkind IN ('r', 'p') AND NOT t.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
			AND t.relname NOT LIKE 'goose\_%' AND t.relname NOT LIKE 'river\_%' AND t.relname <> 'outbox' AND t.relname NOT LIKE 'outbox\_%' ORDER BY t.relname COLLATE "C", a.attnum`
		references = `SELECT t.relname, r.relname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class r ON r.oid = c.confrelid
			WHERE c.contype = 'f' AND t.relnamespace = current_schema()::regnamespace`
	}
	var all []backups.Table
	err := pairs(ctx, tx, columns, func(table, column string) {
		if slices.Contains(momentary, table) {
			return
		}
		if len(all) == 0 || all[len(all)-1].Name != table {
			all = append(all, backups.Table{Name: table})
		}
		all[len(all)-1].Columns = append(all[len(all)-1].Columns, column)
	})
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{}
	err = pairs(ctx, tx, references, func(table, referred string) {
		if table != referred && !slices.Contains(momentary, table) {
			needs[table] = append(needs[table], referred)
		}
	})
	if err != nil {
		return nil, err
	}
	var out []backups.Table
	placed := map[string]bool{}
	for len(out) < len(all) {
		before := len(out)
		for _, t := range all {
			if !placed[t.Name] && !slices.ContainsFunc(needs[t.Name], func(n string) bool { return !placed[n] }) {
				out, placed[t.Name] = append(out, t), true
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("tables refer to each other in a circle; placed are %v", placed)
		}
	}
	return out, nil
}

func pairs(ctx context.Context, tx *sql.Tx, query string, pair func(a, b string)) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b string
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		pair(a, b)
	}
	return rows.Err()
}

// begins are the tables that a migration puts rows into.
var begins = []string{"policy_versions"}

// CheckEmpty implements backups.Database.
func (s *Store) CheckEmpty(ctx context.Context) error {
	return s.unhurried(ctx, s.read.DB, func(conn *sql.Conn) error {
		tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return translated(ctx, err, "database")
		}
		defer func() { _ = tx.Rollback() }() // it has read only
		return s.empty(ctx, tx)
	})
}

func (s *Store) empty(ctx context.Context, tx *sql.Tx) error {
	tables, err := s.tables(ctx, tx)
	if err != nil {
		return translated(ctx, err, "database")
	}
	for _, t := range tables {
		var some bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+quoted([]string{t.Name})+")").Scan(&some); err != nil { //nolint:gosec // a name of the schema, quoted
			return translated(ctx, err, "database")
		}
		if some && !slices.Contains(begins, t.Name) {
			return notEmpty("has rows in " + t.Name)
		}
	}
	return nil
}

func notEmpty(why string) error {
	return fault.New(fault.Conflict, backups.CodeNotEmpty,
		"The database %s. A backup is restored into an empty one only: choose another data folder, or make a new database, and keep the old one until the new one serves.", why)
}

// Fill implements backups.Database.
func (s *Store) Fill(ctx context.Context, schema int64, fn func(ctx context.Context, f backups.Filling) error) error {
	if !s.postgres {
		unlock, err := sqlite.Lock(ctx, s.path+".migrate.lock")
		if err != nil {
			return translated(ctx, err, "database")
		}
		defer unlock()
	}
	if err := s.CheckEmpty(ctx); err != nil {
		return err
	}
	err := s.withProvider(func(p *goose.Provider) error {
		current, latest, err := versions(ctx, p)
		switch {
		case err != nil:
			return err
		case schema < 1 || schema > latest:
			return fault.New(fault.Conflict, backups.CodeNewer,
				"The backup has schema %d, this version of Revenge knows %d. Restore it with the version that made it, or a newer one.", schema, latest)
		case current > schema:
			return notEmpty(fmt.Sprintf("has schema %d already, the backup %d", current, schema))
		}
		_, err = p.UpTo(ctx, schema)
		return translated(ctx, err, "migration")
	})
	if err != nil {
		return err
	}
	return s.unhurried(ctx, s.write.DB, func(conn *sql.Conn) error {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return translated(ctx, err, "database")
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if err := s.empty(ctx, tx); err != nil {
			return err
		}
		tables, err := s.tables(ctx, tx)
		if err != nil {
			return translated(ctx, err, "database")
		}
		into := &filling{postgres: s.postgres, conn: conn, tx: tx, tables: tables}
		if !s.postgres { // a row may refer to a later one of its own table; PostgreSQL looks at the end of each COPY
			if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = ON"); err != nil {
				return translated(ctx, err, "database")
			}
		}
		if err := fn(ctx, into); err != nil {
			return err
		}
		if len(into.tables) > 0 {
			return fault.New(fault.Invalid, "backup.incomplete", "The backup lacks the table %s.", into.tables[0].Name)
		}
		return translated(ctx, tx.Commit(), "database")
	})
}

type filling struct {
	postgres bool
	conn     *sql.Conn
	tx       *sql.Tx
	tables   []backups.Table // that are not filled yet
}

// Table implements backups.Filling.
func (f *filling) Table(ctx context.Context, table backups.Table, rows iter.Seq2[[]any, error]) error {
	i := slices.IndexFunc(f.tables, func(t backups.Table) bool { return t.Name == table.Name })
	if i < 0 {
		return fault.New(fault.Invalid, "backup.unknown_table", "The backup has a table %q that is not in its schema, or twice.", table.Name)
	}
	own := f.tables[i]
	f.tables = slices.Delete(f.tables, i, i+1)
	if !slices.Equal(slices.Sorted(slices.Values(own.Columns)), slices.Sorted(slices.Values(table.Columns))) {
		return fault.New(fault.Invalid, "backup.unknown_column", "The backup's table %s has other columns than its schema.", table.Name)
	}
	if _, err := f.tx.ExecContext(ctx, "DELETE FROM "+quoted([]string{own.Name})); err != nil { //nolint:gosec // a name of the schema, quoted
		return translated(ctx, err, "database")
	}
	if f.postgres {
		return f.copy(ctx, table, rows)
	}
	places := strings.TrimSuffix(strings.Repeat("?, ", len(table.Columns)), ", ")
	insert, err := f.tx.PrepareContext(ctx, "INSERT INTO "+quoted([]string{own.Name})+" ("+quoted(table.Columns)+") VALUES ("+places+")") //nolint:gosec,sqlclosecheck // names of the schema, quoted; closed below
	if err != nil {
		return translated(ctx, err, "database")
	}
	defer insert.Close()
	for row, err := range rows {
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return unfit(err, table)
		}
	}
	return nil
}

func (f *filling) copy(ctx context.Context, table backups.Table, rows iter.Seq2[[]any, error]) error {
	var broken error // of rows, which COPY would hide behind its own
	next, stop := iter.Pull2(rows)
	defer stop()
	err := f.conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table.Name}, table.Columns, pgx.CopyFromFunc(func() ([]any, error) { //nolint:forcetypeassert // the driver is pgx
			row, err, more := next()
			if !more {
				return nil, nil
			}
			broken = err
			return row, err
		}))
		return err
	})
	if broken != nil {
		return broken
	}
	if err != nil {
		return unfit(err, table)
	}
	return nil
}

func unfit(err error, table backups.Table) error {
	return fault.Wrap(err, fault.Invalid, "backup.bad_row", "A row of %s in the backup does not fit the database.", table.Name)
}
