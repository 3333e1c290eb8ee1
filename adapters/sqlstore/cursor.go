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
	column string // "table.column", or an SQL expression in parentheses
	desc   bool
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
		if text, ok := into[i].(*string); ok && strings.ContainsRune(*text, 0) { // no database takes it
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
		q = restricted(q, k.after(into))
	}
	for _, key := range k.keys {
		q = q.OrderExpr(key.ordered())
	}
	return q.Limit(int64(req.Size()) + 1), nil
}

func (k sortKey) ordered() string {
	if k.desc {
		return k.column + " DESC"
	}
	return k.column + " ASC"
}

// ordered is the end of a statement that asks for a page in the order of the keys, and for one row more.
func (k keyset) ordered(req domain.PageRequest) string {
	columns := make([]string, len(k.keys))
	for i, key := range k.keys {
		columns[i] = key.ordered()
	}
	return fmt.Sprintf(" ORDER BY %s LIMIT %d", strings.Join(columns, ", "), req.Size()+1)
}

// after is (a, b) > (x, y), or its long form where directions are mixed. Both databases seek an index by the short one.
func (k keyset) after(values []any) clause {
	columns := make([]string, len(k.keys))
	mixed := false
	for i, key := range k.keys {
		columns[i] = key.column
		mixed = mixed || key.desc != k.keys[0].desc
	}
	operator := func(key sortKey) string {
		if key.desc {
			return " < "
		}
		return " > "
	}
	if !mixed {
		return where("("+strings.Join(columns, ", ")+")"+operator(k.keys[0])+"("+places(len(k.keys))+")", values...)
	}
	var c clause
	var alternatives []string
	for i, key := range k.keys {
		var text strings.Builder
		for j, equal := range columns[:i] {
			text.WriteString(equal + " = ? AND ")
			c.args = append(c.args, values[j])
		}
		alternatives = append(alternatives, "("+text.String()+key.column+operator(key)+"?)")
		c.args = append(c.args, values[i])
	}
	c.text = strings.Join(alternatives, " OR ")
	return c
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
