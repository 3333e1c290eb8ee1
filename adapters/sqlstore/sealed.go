package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/ports/store"
)

// sealedColumns are the columns that hold sealed values, with the column of their row's key.
var sealedColumns = map[store.SealedColumn]string{}

// sealedColumn declares one: each repository file declares its own, so that a new key reaches them all.
func sealedColumn(table, key, column string) struct{} {
	sealedColumns[store.SealedColumn{Table: table, Column: column}] = key
	return struct{}{}
}

type sealed struct{ base }

var _ store.Sealed = sealed{}

func (r sealed) Columns() []store.SealedColumn {
	all := make([]store.SealedColumn, 0, len(sealedColumns))
	for c := range sealedColumns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b store.SealedColumn) int {
		return strings.Compare(a.Table+"/"+a.Column, b.Table+"/"+b.Column)
	})
	return all
}

// key is the expression of a row's key as text.
func (r sealed) key(c store.SealedColumn) (bun.Safe, error) {
	key, ok := sealedColumns[c]
	if !ok {
		return "", failed(fmt.Errorf("%s/%s holds no sealed values", c.Table, c.Column))
	}
	if r.postgres {
		return bun.Safe(`CAST("` + key + `" AS TEXT) COLLATE "C"`), nil
	}
	return bun.Safe(`"` + key + `"`), nil
}

func (r sealed) List(ctx context.Context, c store.SealedColumn, after string, limit int) ([]store.SealedValue, error) {
	key, err := r.key(c)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Row    string
		Sealed []byte
	}
	err = r.db.NewSelect().TableExpr("?", bun.Ident(c.Table)).ColumnExpr(`? AS "row", ? AS sealed`, key, bun.Ident(c.Column)).
		Where("? IS NOT NULL", bun.Ident(c.Column)).Where("? > ?", key, after).OrderExpr("?", key).Limit(int64(limit)).Scan(ctx, &rows)
	values := make([]store.SealedValue, len(rows))
	for i, row := range rows {
		values[i] = store.SealedValue(row)
	}
	return values, translated(ctx, err, "value")
}

func (r sealed) Replace(ctx context.Context, c store.SealedColumn, old store.SealedValue, value []byte) (bool, error) {
	key, err := r.key(c)
	if err != nil {
		return false, err
	}
	res, err := r.db.NewUpdate().TableExpr("?", bun.Ident(c.Table)).Set("? = ?", bun.Ident(c.Column), value).
		Where("? = ?", key, old.Row).Where("? = ?", bun.Ident(c.Column), old.Sealed).Exec(ctx)
	return changed(ctx, res, err, "value")
}
