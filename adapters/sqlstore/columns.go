package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
)

// micros is a point in time as both databases keep it: microseconds since 1970 in UTC, in a BIGINT. So it compares, sorts and groups by
// the same SQL everywhere, and there is no time zone to lose.
type micros int64

func at(t time.Time) micros { return micros(t.UnixMicro()) }

func (m micros) time() time.Time { return time.UnixMicro(int64(m)).UTC() }

func atOrNull(t *time.Time) *micros {
	if t == nil {
		return nil
	}
	m := at(*t)
	return &m
}

func (m *micros) timeOrNil() *time.Time {
	if m == nil {
		return nil
	}
	t := m.time()
	return &t
}

// jsonOf is a JSON document in a TEXT column of both databases: for what is read and written whole and never searched.
type jsonOf[T any] struct{ V T }

func inJSON[T any](v T) jsonOf[T] { return jsonOf[T]{v} }

// Value implements driver.Valuer.
func (j jsonOf[T]) Value() (driver.Value, error) {
	data, err := json.Marshal(j.V)
	return string(data), err
}

// Scan implements sql.Scanner. NULL is the zero value.
func (j *jsonOf[T]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		var zero T
		j.V = zero
		return nil
	case string:
		return json.Unmarshal([]byte(v), &j.V)
	case []byte:
		return json.Unmarshal(v, &j.V)
	default:
		return fmt.Errorf("a JSON column holds %T", src)
	}
}

// inScope keeps the rows whose library the scope sees (S18). column is an identifier, e.g. "movie.library_id".
func inScope(q *bun.SelectQuery, column string, scope domain.Scope) *bun.SelectQuery {
	return restricted(q, scoped(column, scope)...)
}

// scoped is inScope for a statement.
func scoped(column string, scope domain.Scope) []clause {
	switch {
	case scope.All():
		return nil
	case len(scope.Libraries()) == 0:
		return []clause{where("1 = 0")}
	default:
		return []clause{oneOf(column, scope.Libraries())}
	}
}
