package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/fault"
)

// reading is what repositories of Read run on: it selects and nothing else, and not inside Update, where it would not see the
// transaction's own writes.
type reading struct {
	*bun.DB
	store *Store
}

var (
	_ bun.IDB   = reading{}
	_ bun.IConn = reading{}
)

func (r reading) refuse(ctx context.Context, query string) error {
	if r.store.inUpdate(ctx) {
		return nested("Read")
	}
	for _, prefix := range []string{"SELECT", "WITH", "VALUES"} {
		if len(query) > len(prefix) && strings.EqualFold(query[:len(prefix)], prefix) {
			return nil
		}
	}
	return fault.New(fault.Internal, "store.read_only", "Read does not write: use Update.")
}

// QueryContext implements bun.IConn.
func (r reading) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := r.refuse(ctx, query); err != nil {
		return nil, err
	}
	return r.DB.DB.QueryContext(ctx, query, args...)
}

// ExecContext implements bun.IConn.
func (r reading) ExecContext(ctx context.Context, query string, _ ...any) (sql.Result, error) {
	if err := r.refuse(ctx, query); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Internal, "store.read_only", "Read does not write: use Update.")
}

func (r reading) NewValues(model any) *bun.ValuesQuery { return r.DB.NewValues(model).Conn(r) }
func (r reading) NewSelect() *bun.SelectQuery          { return r.DB.NewSelect().Conn(r) }
func (r reading) NewInsert() *bun.InsertQuery          { return r.DB.NewInsert().Conn(r) }
func (r reading) NewUpdate() *bun.UpdateQuery          { return r.DB.NewUpdate().Conn(r) }
func (r reading) NewDelete() *bun.DeleteQuery          { return r.DB.NewDelete().Conn(r) }
func (r reading) NewMerge() *bun.MergeQuery            { return r.DB.NewMerge().Conn(r) }
func (r reading) NewRaw(query string, args ...any) *bun.RawQuery {
	return r.DB.NewRaw(query, args...).Conn(r)
}
