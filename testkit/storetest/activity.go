package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// someActivity stores n entries, an hour apart from begin on, and returns them oldest first. i tells what the i-th is.
func someActivity(t *testing.T, s store.Store, begin time.Time, n int, set func(i int, a *domain.Activity)) []domain.Activity {
	t.Helper()
	list := make([]domain.Activity, n)
	for i := range list {
		list[i] = domain.Activity{ID: domain.NewID(), At: domain.Stamp(begin).Add(time.Duration(i) * time.Hour), Action: "auth.login"}
		set(i, &list[i])
	}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Activity.Append(ctx, list...) })
	return list
}

// activityBy lists all of a filter's entries, oldest first.
func activityBy(t *testing.T, s store.Store, f domain.ActivityFilter) []domain.Activity {
	t.Helper()
	list := walk(t, 3, func(req domain.PageRequest) (domain.Page[domain.Activity], error) {
		return s.Read().Activity.List(deadline(t), f, req)
	})
	slices.Reverse(list)
	return list
}

var _ = declare("activity",
	law{"EntriesAreKeptWholeAndWrittenOnce", func(t *testing.T, h Harness) {
		var a domain.Activity
		fill(t, &a)
		for range 2 {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Activity.Append(ctx, a) })
		}
		if got := activityBy(t, h.Store, domain.ActivityFilter{}); len(got) != 1 {
			t.Errorf("%d entries", len(got))
		} else {
			same(t, got[0], a)
		}
		wantNoChange := h.Store.Read().Activity.Append(deadline(t), a)
		if wantNoChange == nil {
			t.Error("written outside of a transaction")
		}
	}},
	law{"FiltersAndPagesNewestFirst", func(t *testing.T, h Harness) {
		begin := time.Date(2024, 3, 31, 20, 0, 0, 0, time.UTC)
		anna, bert := domain.NewID(), domain.NewID()
		actions := []string{"auth.login", "auth.login_failed", "authority.x", "user.created"}
		all := someActivity(t, h.Store, begin, 12, func(i int, a *domain.Activity) {
			a.UserID, a.Success = &anna, i%2 == 0
			if i%3 == 0 {
				a.UserID = &bert
			}
			a.Action, a.ResourceType, a.ResourceID, a.IP = actions[i%4], fmt.Sprint("type", i%5), fmt.Sprint("id", i%6), fmt.Sprint("10.0.0.", i%2)
		})
		yes := true
		for name, c := range map[string]struct {
			filter domain.ActivityFilter
			want   func(i int) bool
		}{
			"all":      {domain.ActivityFilter{}, func(int) bool { return true }},
			"user":     {domain.ActivityFilter{User: &bert}, func(i int) bool { return i%3 == 0 }},
			"action":   {domain.ActivityFilter{Action: "auth.login"}, func(i int) bool { return i%4 == 0 }},
			"area":     {domain.ActivityFilter{Action: "auth."}, func(i int) bool { return i%4 < 2 }},
			"resource": {domain.ActivityFilter{ResourceType: "type2", ResourceID: "id1"}, func(i int) bool { return i%5 == 2 && i%6 == 1 }},
			"address":  {domain.ActivityFilter{IP: "10.0.0.1"}, func(i int) bool { return i%2 == 1 }},
			"success":  {domain.ActivityFilter{Success: &yes}, func(i int) bool { return i%2 == 0 }},
			"time":     {domain.ActivityFilter{From: all[2].At, To: all[9].At}, func(i int) bool { return i >= 2 && i < 9 }},
		} {
			var want []domain.Activity
			for i, a := range all {
				if c.want(i) {
					want = append(want, a)
				}
			}
			got := activityBy(t, h.Store, c.filter)
			if fmt.Sprint(got) != fmt.Sprint(want) && len(got)+len(want) > 0 {
				t.Errorf("%s: %d entries, want %d", name, len(got), len(want))
			}
		}
		first, err := h.Store.Read().Activity.List(deadline(t), domain.ActivityFilter{}, domain.PageRequest{Limit: 2, IncludeTotal: true})
		if err != nil || first.Total == nil || *first.Total != len(all) {
			t.Fatalf("%+v, %v", first, err)
		}
		_, err = h.Store.Read().Activity.List(deadline(t), domain.ActivityFilter{IP: "10.0.0.1"}, domain.PageRequest{Cursor: first.NextCursor})
		wantFault(t, err, fault.Invalid, store.CodeBadCursor)

		stats, err := h.Store.Read().Activity.Stats(deadline(t), all[1].At, all[11].At)
		if err != nil {
			t.Fatal(err)
		}
		same(t, stats, domain.ActivityStats{
			From: all[1].At, To: all[11].At, Entries: 10, FailedSignIns: 3, ActiveUsers: 2,
			Actions: []domain.Count{{Value: "auth.login_failed", Count: 3}, {Value: "authority.x", Count: 3}, {Value: "auth.login", Count: 2}, {Value: "user.created", Count: 2}},
			Days:    []domain.DayCount{{Day: "2024-03-31", Count: 3}, {Day: "2024-04-01", Count: 7}},
		})
	}},
	law{"OldEntriesGoAndYoungOnesStay", func(t *testing.T, h Harness) {
		begin := time.Date(2024, 1, 31, 22, 0, 0, 0, time.UTC) // two entries in January, four in February
		all := someActivity(t, h.Store, begin, 4, func(int, *domain.Activity) {})
		provide := func() {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				return tx.Activity.Provide(ctx, begin, begin.AddDate(0, 2, 0))
			})
		}
		provide() // which moves what was there before
		provide()
		all = append(all, someActivity(t, h.Store, begin.Add(4*time.Hour), 2, func(int, *domain.Activity) {})...)
		if got := activityBy(t, h.Store, domain.ActivityFilter{}); fmt.Sprint(got) != fmt.Sprint(all) {
			t.Fatalf("%d of %d entries, or in another order", len(got), len(all))
		}
		for _, before := range []time.Time{all[1].At, all[4].At, all[5].At.AddDate(0, 3, 0)} {
			for more := true; more; {
				update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
					more, err = tx.Activity.Expire(ctx, before)
					return err
				})
			}
			for len(all) > 0 && all[0].At.Before(before) {
				all = all[1:]
			}
			if got := activityBy(t, h.Store, domain.ActivityFilter{}); len(got) != len(all) || len(all) > 0 && got[0].ID != all[0].ID {
				t.Errorf("after %s %d entries are left of %d", before, len(got), len(all))
			}
		}
		someActivity(t, h.Store, begin, 1, func(int, *domain.Activity) {}) // its month's part is gone
		if got := activityBy(t, h.Store, domain.ActivityFilter{}); len(got) != 1 {
			t.Errorf("then %d entries", len(got))
		}
	}},
	law{"AForgottenAccountKeepsItsIdOnly", func(t *testing.T, h Harness) {
		anna, bert := domain.NewID(), domain.NewID()
		someActivity(t, h.Store, time.Now(), 4, func(i int, a *domain.Activity) {
			a.UserID, a.Username, a.ResourceType, a.ResourceID, a.ResourceName = &anna, "anna", "user", bert.String(), "bert"
			if i%2 == 1 {
				a.UserID, a.Username, a.ResourceID, a.ResourceName = &bert, "bert", anna.String(), "anna"
			}
		})
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Activity.Forget(ctx, anna) })
		for _, a := range activityBy(t, h.Store, domain.ActivityFilter{}) {
			if a.Username == "anna" || a.ResourceName == "anna" || *a.UserID == bert && a.Username != "bert" || *a.UserID == anna && a.ResourceName != "bert" {
				t.Errorf("%+v", a)
			}
		}
	}},
)
