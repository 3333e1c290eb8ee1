package sqlstore

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

type thing struct {
	bun.BaseModel `bun:"table:things,alias:t"`
	ID            int `bun:",pk"`
	Name          string
	Rank          int
}

// TestPagesMeetEveryRowOnceInOrder walks over many equal values, up, down and mixed.
func TestPagesMeetEveryRowOnceInOrder(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "things.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.write.Exec("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, rank INTEGER NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	var things []thing
	for id := range 60 {
		things = append(things, thing{ID: id, Name: string(rune('a' + rand.IntN(3))), Rank: rand.IntN(4)})
	}
	if _, err := s.write.NewInsert().Model(&things).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	for mask := range 8 {
		desc := [3]bool{mask&1 != 0, mask&2 != 0, mask&4 != 0}
		order := newKeyset("things", desc, sortKey{"t.name", desc[0]}, sortKey{"(t.rank * 2)", desc[1]}, sortKey{"t.id", desc[2]})
		want := slices.Clone(things)
		slices.SortFunc(want, func(a, b thing) int {
			for i, c := range []int{strings.Compare(a.Name, b.Name), a.Rank - b.Rank, a.ID - b.ID} {
				if desc[i] {
					c = -c
				}
				if c != 0 {
					return c
				}
			}
			return 0
		})
		var got []thing
		for req := (domain.PageRequest{Limit: 7}); ; {
			var rows []thing
			q, err := order.page(s.read.NewSelect().Model(&rows), req, new(string), new(int), new(int))
			if err == nil {
				err = q.Scan(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			page := pageOf(rows, req, func(r thing) thing { return r }, func(last thing) string { return order.cursor(last.Name, last.Rank*2, last.ID) })
			got = append(got, page.Items...)
			if page.NextCursor == "" {
				break
			}
			req.Cursor = page.NextCursor
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("directions %v: got\n%v\nwant\n%v", desc, got, want)
		}
	}
}

func TestCursorOfAnotherListFilterOrderOrFormIsRefused(t *testing.T) {
	t.Parallel()
	order := newKeyset("things", "a filter", sortKey{column: "name"}, sortKey{column: "id"})
	good := order.cursor("x", 1)
	if err := order.values(good, new(string), new(int)); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]keyset{
		"list": newKeyset("others", "a filter", order.keys...), "filter": newKeyset("things", "another", order.keys...),
		"order": newKeyset("things", "a filter", sortKey{"name", true}, sortKey{column: "id"}),
	} {
		if err := other.values(good, new(string), new(int)); fault.CodeOf(err) != store.CodeBadCursor || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, cursor := range []string{"x", "!", good[:len(good)-2], "AA" + good[2:], order.cursor(1, "x"), order.cursor(nil, 1), order.cursor("x\x00", 1)} {
		if err := order.values(cursor, new(string), new(int)); fault.CodeOf(err) != store.CodeBadCursor {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestLoggedQueriesHoldNoValues(t *testing.T) {
	t.Parallel()
	got := withoutValues(`INSERT INTO "users" VALUES ('it''s a secret', X'0aff', 12.5, TRUE) -- t1.id` + strings.Repeat(" ", 2000))
	if strings.Contains(got, "secret") || strings.Contains(got, "0aff") || strings.Contains(got, "12") || !strings.HasPrefix(got, `INSERT INTO "users" VALUES (?, ?, ?, TRUE) -- t1.id`) || len(got) > 1010 {
		t.Errorf("got %q", got)
	}
}
