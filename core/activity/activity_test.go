package activity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// each runs fn in a world on each database that is there.
func each(t *testing.T, fn func(t *testing.T, w *world.World)) {
	for name, options := range map[string][]world.Option{"sqlite": {world.Idle()}, "postgres": {world.Idle(), world.Postgres()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fn(t, world.New(t, options...))
		})
	}
}

// list returns the actions of all entries of an area, newest first.
func list(t *testing.T, w *world.World, area string) (actions []string) {
	t.Helper()
	page, err := w.Core.Activity.List(t.Context(), domain.SystemActor(), domain.ActivityFilter{Action: area}, domain.PageRequest{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Items {
		actions = append(actions, e.Action)
	}
	return actions
}

func TestEntriesAreThereWithTheirChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world.World) {
		admin := w.Admin(t).Actor
		for _, fails := range []bool{true, false} {
			err := w.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
				if err := activity.Record(ctx, tx, time.Now(), admin, domain.Activity{Action: fmt.Sprintf("test.%v", fails)}); err != nil {
					return err
				}
				if fails {
					return os.ErrInvalid
				}
				return nil
			})
			if (err != nil) != fails {
				t.Fatal(err)
			}
		}
		if got := list(t, w, "test."); len(got) != 1 || got[0] != "test.false" {
			t.Errorf("the log has %v", got)
		}
	})
}

func TestOldEntriesExpireAndMonthsAreMadeAhead(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world.World) {
		ctx, now := t.Context(), domain.Stamp(time.Now())
		if _, err := w.Core.Settings.Update(ctx, domain.SystemActor(), nil, map[string]json.RawMessage{"activity.retentionDays": json.RawMessage("100")}); err != nil {
			t.Fatal(err)
		}
		err := w.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			for i := range 3000 { // more than a transaction takes
				age := 101 * 24 * time.Hour
				action := "test.old"
				if i == 0 {
					age, action = 99*24*time.Hour, "test.young"
				}
				if err := tx.Activity.Append(ctx, domain.Activity{ID: domain.NewID(), At: now.Add(-age), Action: action}); err != nil {
					return err
				}
			}
			return tx.Activity.Provide(ctx, now.AddDate(0, -8, 0), now.AddDate(0, -7, 0))
		})
		if err != nil {
			t.Fatal(err)
		}
		world.Until(t, "the setting holds and what is old is gone", func() bool {
			if err := w.Core.Activity.CleanUp(ctx); err != nil {
				t.Fatal(err)
			}
			return len(list(t, w, "test.")) == 1
		})
		if got := list(t, w, "test."); got[0] != "test.young" {
			t.Errorf("the log has %v", got)
		}
		if !strings.HasPrefix(w.App.Config.Database, "postgres") {
			return
		}
		var names string
		query := "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'activity_logs'::regclass"
		if err := w.Store.(*sqlstore.Store).ReadDB().QueryRowContext(ctx, query).Scan(&names); err != nil {
			t.Fatal(err)
		}
		want := "activity_logs_default"
		for month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC); !month.After(now.Add(45 * 24 * time.Hour)); month = month.AddDate(0, 1, 0) {
			want = want + month.Format(" activity_logs_2006_01")
		}
		if sorted := strings.TrimPrefix(want, "activity_logs_default ") + " activity_logs_default"; names != sorted {
			t.Errorf("the parts are %s, not %s", names, sorted)
		}
	})
}

func TestNotesGoThroughOneJobTogether(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	for range 150 {
		w.Core.Activity.Note(t.Context(), w.Admin(t).Actor, domain.Activity{Action: "test.noted", Details: map[string]string{"a": "b"}})
	}
	if err := w.Core.Activity.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := list(t, w, "test."); len(got) != 0 {
		t.Errorf("without a job there are %d entries", len(got))
	}
	waiting, err := w.Jobs.List(t.Context(), jobs.Filter{Kind: activity.KindLog}, domain.PageRequest{})
	if err != nil || len(waiting.Items) == 0 || len(waiting.Items) > 3 {
		t.Fatalf("%d jobs, %v", len(waiting.Items), err)
	}
	write := w.Core.Activity.Definitions()[0].Handler
	var batch []domain.Activity
	for range 2 {
		batch = append(batch, domain.Activity{ID: domain.NewID(), At: domain.Stamp(time.Now()), Action: "test.written"})
	}
	payload, err := json.Marshal(batch)
	for range 2 { // a job may run twice
		if err == nil {
			err = write(t.Context(), jobs.Run{Payload: payload})
		}
	}
	if got := list(t, w, "test."); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
