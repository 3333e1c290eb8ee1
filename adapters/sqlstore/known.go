package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// clause is a condition with its values, "?" in the text for each. Both bun and a statement take it.
type clause struct {
	text string
	args []any
}

func where(text string, args ...any) clause { return clause{text, args} }

// oneOf keeps the rows whose column has one of the values.
func oneOf[T any](text string, values []T) clause {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return clause{text + " IN (" + places(len(values)) + ")", args}
}

// places is "?, ?" for two.
func places(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// statement is SQL that is put together with its values.
type statement struct {
	strings.Builder
	args []any
	// known says that requests have this very text again and again, and that its best plan does not depend on its values: it is prepared
	// once a connection. A statement of a hundred columns takes longer to parse and plan than to run.
	known bool
}

func (s *statement) add(text string, args ...any) {
	s.WriteString(text)
	s.args = append(s.args, args...)
}

// and adds conditions behind a first one.
func (s *statement) and(clauses ...clause) {
	for _, c := range clauses {
		s.add(" AND ("+c.text+")", c.args...)
	}
}

// each runs a statement and hands each row's Scan over.
func (b base) each(ctx context.Context, s *statement, row func(scan func(...any) error) error) (err error) {
	r, outside := b.db.(reading)
	if !outside {
		return eachRow(b.db.QueryContext(ctx, s.String(), s.args...))(row)
	}
	if err := r.refuse(ctx, s.String()); err != nil {
		return err
	}
	if !s.known {
		return eachRow(r.DB.QueryContext(ctx, s.String(), s.args...))(row)
	}
	start := time.Now()
	defer func() { r.store.ran(ctx, start, s.String(), err) }()
	if b.postgres {
		return r.store.eachOfPostgres(ctx, s, row)
	}
	k, err := r.store.statements.take(ctx, r.DB.DB, s.String())
	if err != nil {
		return err
	}
	defer r.store.statements.giveBack(k)
	return eachRow(k.QueryContext(ctx, s.args...))(row)
}

func eachRow(rows *sql.Rows, err error) func(row func(scan func(...any) error) error) error {
	return func(row func(scan func(...any) error) error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		return scanned(rows, row)
	}
}

// scanned hands over the Scan of each of the rows, which the caller closes: database/sql's or pgx's.
func scanned(rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
}, row func(scan func(...any) error) error) error {
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// eachOfPostgres has pgx prepare the statement, which keeps those of each connection.
func (s *Store) eachOfPostgres(ctx context.Context, of *statement, row func(scan func(...any) error) error) error {
	wait, cancel := context.WithTimeout(ctx, s.cfg.AcquireTimeout)
	conn, err := s.pool.Acquire(wait)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, numbered(of.String()), append([]any{pgx.QueryExecModeCacheStatement}, of.args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return scanned(rows, row)
}

// numbered writes PostgreSQL's places: $1, $2…
func numbered(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 32)
	for n := 1; ; n++ {
		before, after, more := strings.Cut(text, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}

// maxStatements bounds those that SQLite keeps prepared.
const maxStatements = 100

// statements are those that SQLite's readers keep prepared, by text.
type statements struct {
	mu   sync.Mutex
	kept map[string]*keptStatement
}

type keptStatement struct {
	*sql.Stmt
	users   int
	dropped bool
}

func (k *statements) take(ctx context.Context, db *sql.DB, text string) (*keptStatement, error) {
	k.mu.Lock()
	if s := k.kept[text]; s != nil {
		s.users++
		k.mu.Unlock()
		return s, nil
	}
	k.mu.Unlock()
	made, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.kept[text]; s != nil { // somebody else was first
		_ = made.Close() //nolint:sqlclosecheck // one that is kept is closed by who drops it
		s.users++
		return s, nil
	}
	for other, s := range k.kept {
		if len(k.kept) < maxStatements {
			break
		}
		delete(k.kept, other)
		if s.dropped = true; s.users == 0 {
			_ = s.Close()
		}
	}
	if k.kept == nil {
		k.kept = map[string]*keptStatement{}
	}
	s := &keptStatement{Stmt: made, users: 1}
	k.kept[text] = s
	return s, nil
}

func (k *statements) giveBack(s *keptStatement) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.users--; s.dropped && s.users == 0 {
		_ = s.Close()
	}
}

// restricted adds conditions to one of bun's queries.
func restricted(q *bun.SelectQuery, clauses ...clause) *bun.SelectQuery {
	for _, c := range clauses {
		q = q.Where(c.text, c.args...)
	}
	return q
}
