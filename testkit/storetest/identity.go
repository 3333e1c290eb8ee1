package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var _ = declare("users",
	law{"EveryFieldOfAUserComesBack", func(t *testing.T, h Harness) {
		var u domain.User
		fill(t, &u)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, u, "first") })
		got, err := h.Store.Read().Users.Get(deadline(t), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, u)

		id := u.ID
		fill(t, &u)
		u.ID, u.Disabled, u.LastLoginAt, u.Roles = id, false, nil, []domain.RoleName{}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, u) })
		got, hash, err := h.Store.Read().Users.ByLogin(deadline(t), u.Username)
		if err != nil || hash != "first" {
			t.Fatalf("Update changed the hash to %q (%v)", hash, err)
		}
		same(t, got, u)
	}},
	law{"NamesAreOneWhateverTheirForm", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "Jürgen Groß")
		for _, form := range []string{"jürgen gross", "JU\u0308RGEN GROSS", "  Ｊürgen Groß "} {
			got, _, err := h.Store.Read().Users.ByLogin(deadline(t), form)
			if err != nil || got.ID != u.ID {
				t.Fatalf("ByLogin(%q): %v, %v", form, got, err)
			}
		}
	}},
	law{"ListIsByCanonicalName", func(t *testing.T, h Harness) {
		for _, i := range []int{4, 1, 3, 0, 2} {
			aUser(t, h.Store, fmt.Sprintf("%c%d", []rune("aBcDe")[i], i))
		}
		got := walk(t, 2, func(req domain.PageRequest) (domain.Page[domain.User], error) {
			return h.Store.Read().Users.List(deadline(t), req)
		})
		names := make([]string, len(got))
		for i, u := range got {
			names[i] = u.Username
		}
		if !slices.Equal(names, []string{"a0", "B1", "c2", "D3", "e4"}) {
			t.Fatalf("got %v", names)
		}
		page, err := h.Store.Read().Users.List(deadline(t), domain.PageRequest{Limit: 1, IncludeTotal: true})
		if err != nil || page.Total == nil || *page.Total != 5 {
			t.Fatalf("total %v, %v", page.Total, err)
		}
		_, err = h.Store.Read().Users.List(deadline(t), domain.PageRequest{Cursor: page.NextCursor[:len(page.NextCursor)-1]})
		wantFault(t, err, fault.Invalid, store.CodeBadCursor)
	}},
)
