package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// cursorVersion is the first byte of a cursor; another one is refused, so that the form may change.
const cursorVersion = 1

// sortKey is one column of a list's order. Columns are never NULL, the last one is unique, and texts are compared by bytes (COLLATE "C").
type sortKey struct {
	column string // an identifier, "table.column"; or an SQL expression in parentheses
	desc   bool
}

func (k sortKey) sql() any {
	if strings.HasPrefix(k.column, "(") {
		return bun.Safe(k.column)
	}
	return bun.Ident(k.column)
}

// keyset is a list in a total order with its own cursors.
type keyset struct {
	keys []sortKey
	mark [8]byte // of list, filter and order: a cursor of another one is refused
}

// newKeyset describes a list. filter is anything JSON writes; the order is part of the mark.
func newKeyset(list string, filter any, keys ...sortKey) keyset {
	data, err := json.Marshal(filter)
	if err != nil {
		panic(fmt.Sprintf("the filter of %s is no JSON: %v", list, err)) // filters are plain structs
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%v", list, data, keys))
	return keyset{keys: keys, mark: [8]byte(sum[:8])}
}

// cursor returns the cursor behind a row with these values, one per key: strings, numbers, booleans, ids or micros.
func (k keyset) cursor(values ...any) string {
	data, err := json.Marshal(values)
	if err != nil || len(values) != len(k.keys) {
		panic(fmt.Sprintf("a cursor needs %d plain values", len(k.keys)))
	}
	return base64.RawURLEncoding.EncodeToString(append(append([]byte{cursorVersion}, k.mark[:]...), data...))
}

// values reads a cursor into pointers, one per key. Anything but a cursor of this list is Invalid.
func (k keyset) values(cursor string, into ...any) error {
	bad := fault.InvalidField(store.CodeBadCursor, "cursor", "The cursor does not belong to this list. Start again without it.")
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(data) < 9 || data[0] != cursorVersion || [8]byte(data[1:9]) != k.mark {
		return bad
	}
	var parts []json.RawMessage
	if json.Unmarshal(data[9:], &parts) != nil || len(parts) != len(into) || len(into) != len(k.keys) {
		return bad
	}
	for i, part := range parts {
		if string(part) == "null" || json.Unmarshal(part, into[i]) != nil {
			return bad
		}
	}
	return nil
}

// page orders q by the keys and, with a cursor, continues behind it; it asks for one row more than the page holds, which tells whether
// another page follows. into are pointers of the keys' Go types.
func (k keyset) page(q *bun.SelectQuery, req domain.PageRequest, into ...any) (*bun.SelectQuery, error) {
	if req.Cursor != "" {
		if err := k.values(req.Cursor, into...); err != nil {
			return q, err
		}
		q = k.after(q, into)
	}
	for _, key := range k.keys {
		if key.desc {
			q = q.OrderExpr("? DESC", key.sql())
		} else {
			q = q.OrderExpr("? ASC", key.sql())
		}
	}
	return q.Limit(int64(req.Size()) + 1), nil
}

// after adds (a, b) > (x, y), or its long form where directions are mixed. Both databases seek an index by the short one.
func (k keyset) after(q *bun.SelectQuery, values []any) *bun.SelectQuery {
	mixed := false
	for _, key := range k.keys {
		mixed = mixed || key.desc != k.keys[0].desc
	}
	if !mixed {
		operator := ">"
		if k.keys[0].desc {
			operator = "<"
		}
		places := strings.TrimSuffix(strings.Repeat("?, ", len(k.keys)), ", ")
		args := make([]any, 0, 2*len(k.keys))
		for _, key := range k.keys {
			args = append(args, key.sql())
		}
		return q.Where("("+places+") "+operator+" ("+places+")", append(args, values...)...)
	}
	return q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		for i, key := range k.keys {
			var text strings.Builder
			var args []any
			for j, equal := range k.keys[:i] {
				text.WriteString("? = ? AND ")
				args = append(args, equal.sql(), values[j])
			}
			operator := "? > ?"
			if key.desc {
				operator = "? < ?"
			}
			q = q.WhereOr(text.String()+operator, append(args, key.sql(), values[i])...)
		}
		return q
	})
}

// pageOf cuts the row too many off and gives the page its cursor.
func pageOf[R, T any](rows []R, req domain.PageRequest, item func(R) T, cursor func(last R) string) domain.Page[T] {
	page := domain.Page[T]{Items: make([]T, 0, min(len(rows), req.Size()))}
	for i, row := range rows {
		if i == req.Size() {
			page.NextCursor = cursor(rows[i-1])
			break
		}
		page.Items = append(page.Items, item(row))
	}
	return page
}

// total counts all rows of a list's filter where the request asks for it.
func total(ctx context.Context, q *bun.SelectQuery, req domain.PageRequest) (*int, error) {
	if !req.IncludeTotal {
		return nil, nil
	}
	n, err := q.Count(ctx)
	if err != nil {
		return nil, translated(ctx, err, "list")
	}
	count := int(n)
	return &count, nil
}
