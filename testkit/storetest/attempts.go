package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// blockBase is what one failure at the limit blocks for.
const blockBase = time.Minute

// enter takes a place of three on each key and returns those that were free.
func enter(t *testing.T, h Harness, now time.Time, keys ...string) []store.AttemptPlace {
	t.Helper()
	places := make([]store.AttemptPlace, len(keys))
	for i, k := range keys {
		places[i] = store.AttemptPlace{Key: k, Limit: 3, Until: now.Add(time.Minute)}
	}
	got, err := h.Store.Attempts().Acquire(deadline(t), now, places...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// end gives a place back with what change makes of the result.
func end(t *testing.T, h Harness, now time.Time, p store.AttemptPlace, change func(*store.AttemptResult)) {
	t.Helper()
	r := store.AttemptResult{AttemptPlace: p, ForgetAt: now.Add(time.Hour)}
	if change != nil {
		change(&r)
	}
	if err := h.Store.Attempts().Settle(deadline(t), now, blockBase, r); err != nil {
		t.Fatal(err)
	}
}

func failed(r *store.AttemptResult) { r.Failed = true }

// blockedFor is how long a key is blocked at now; 0 when it is not.
func blockedFor(t *testing.T, h Harness, now time.Time, key string) time.Duration {
	t.Helper()
	blocked, err := h.Store.Attempts().Blocked(deadline(t), now, key, "another")
	if err != nil {
		t.Fatal(err)
	}
	if until, ok := blocked[key]; ok {
		return until.Sub(now)
	}
	return 0
}

var _ = declare("attempts",
	law{"OfManyAtOnceAsManyGetAPlaceAsThereAre", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		var taken atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				got, err := h.Store.Attempts().Acquire(context.Background(), now, store.AttemptPlace{Key: "a", Limit: 3, Until: now.Add(time.Minute)})
				if err != nil {
					t.Error(err)
				}
				taken.Add(int32(len(got)))
			})
		}
		all.Wait()
		if taken.Load() != 3 {
			t.Errorf("%d places of 3 were taken", taken.Load())
		}
		// Of several keys those with a place are told.
		if got := enter(t, h, now, "a", "b"); len(got) != 1 || got[0].Key != "b" || got[0].Limit != 3 {
			t.Errorf("got %+v", got)
		}
	}},
	law{"FailuresTakePlacesAndBlockForLongerEachTime", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		for range 3 {
			if d := blockedFor(t, h, now, "a"); d != 0 {
				t.Fatalf("blocked for %s before the limit", d)
			}
			end(t, h, now, enter(t, h, now, "a")[0], failed)
		}
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 32} {
			if d := blockedFor(t, h, now, "a"); d != want*blockBase {
				t.Fatalf("block %d is %s, want %s", i+1, d, want*blockBase)
			}
			if got := enter(t, h, now, "a"); len(got) != 0 {
				t.Fatal("a blocked key has places")
			}
			now = now.Add(want * blockBase)
			got := enter(t, h, now, "a")
			if len(got) != 1 || len(enter(t, h, now, "a")) != 0 {
				t.Fatal("after a block there is not exactly one place")
			}
			end(t, h, now, got[0], failed)
		}
		if d := blockedFor(t, h, now, "b"); d != 0 {
			t.Errorf("another key is blocked for %s", d)
		}
	}},
	law{"ASuccessForgetsFailuresAndSoDoesTime", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		twice := func() {
			t.Helper()
			for range 2 {
				end(t, h, now, enter(t, h, now, "a")[0], failed)
			}
			if got := enter(t, h, now, "a"); len(got) != 1 {
				t.Fatal("two failures leave no place of three")
			} else {
				end(t, h, now, got[0], nil) // an error counts nothing
			}
		}
		twice()
		end(t, h, now, enter(t, h, now, "a")[0], func(r *store.AttemptResult) { r.Clear = true })
		twice()
		now = now.Add(time.Hour)
		twice()
		end(t, h, now, enter(t, h, now, "a")[0], failed)
		if blockedFor(t, h, now, "a") != blockBase {
			t.Error("the third failure does not block")
		}
	}},
	law{"PlacesThatWereGivenUpAreFreeAndAreNotGivenBackTwice", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		var old []store.AttemptPlace
		for range 3 {
			old = append(old, enter(t, h, now, "a")...)
		}
		if len(old) != 3 || len(enter(t, h, now.Add(time.Minute-time.Microsecond), "a")) != 0 {
			t.Fatalf("%d places", len(old))
		}
		now = now.Add(time.Minute)
		for range 3 {
			if len(enter(t, h, now, "a")) != 1 {
				t.Fatal("a place that was given up is not free")
			}
		}
		end(t, h, now, old[0], nil)
		if len(enter(t, h, now, "a")) != 0 {
			t.Error("who was too late gave another's place back")
		}
	}},
	law{"OnlyWhatSaysNothingIsRemoved", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		enter(t, h, now, "running")
		end(t, h, now, enter(t, h, now, "failed")[0], failed)
		for range 3 {
			end(t, h, now, enter(t, h, now, "blocked")[0], func(r *store.AttemptResult) { r.Failed, r.ForgetAt = true, now.Add(time.Second) })
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{time.Second, 0}, {time.Minute, 2}, {time.Hour, 1}} {
			n, err := h.Store.Attempts().DeleteExpired(deadline(t), now.Add(c.after))
			if err != nil || n != c.want {
				t.Errorf("after %s %d were removed, want %d (%v)", c.after, n, c.want, err)
			}
		}
	}},
	law{"InsideATransactionNothingIsCounted", func(t *testing.T, h Harness) {
		err := h.Store.Update(deadline(t), func(ctx context.Context, _ store.Tx) error {
			_, err := h.Store.Attempts().Acquire(ctx, time.Now(), store.AttemptPlace{Key: "a", Limit: 3, Until: time.Now()})
			return err
		})
		if fault.CodeOf(err) != store.CodeNested {
			t.Errorf("got %v", err)
		}
	}},
)

var _ = declare("devices",
	law{"ADeviceIsKnownByItsFingerprint", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert")
		var first domain.Device
		fill(t, &first)
		first.UserID = anna.ID
		note := func(d domain.Device, unknown bool) (stored domain.Device) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
				var news bool
				if stored, news, err = tx.Sessions.NoteDevice(ctx, d); news != unknown {
					t.Errorf("%s is unknown: %v", d.Name, news)
				}
				return err
			})
			return stored
		}
		same(t, note(first, false), first) // nobody is warned of the first one
		again := first
		again.ID, again.Name, again.CreatedAt, again.LastSeenAt = domain.NewID(), "renamed", first.CreatedAt.Add(time.Hour), first.LastSeenAt.Add(time.Minute-time.Microsecond)
		same(t, note(again, false), first) // at most once a minute
		again.LastSeenAt = first.LastSeenAt.Add(time.Minute)
		later := first
		later.LastSeenAt = again.LastSeenAt
		same(t, note(again, false), later)
		same(t, note(again, false), later)

		second := first
		second.ID, second.Fingerprint = domain.NewID(), []byte("another")
		second.LastSeenAt = later.LastSeenAt.Add(-time.Hour)
		same(t, note(second, true), second)
		his := first
		his.ID, his.UserID = domain.NewID(), bert.ID
		same(t, note(his, false), his)

		forget := func(since time.Time, want int) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				n, err := tx.Sessions.ForgetDevices(ctx, since)
				if n != want {
					t.Errorf("%d devices were forgotten, want %d", n, want)
				}
				return err
			})
		}
		forget(second.LastSeenAt, 0)
		forget(later.LastSeenAt, 2) // the second and his
		note(again, false)
		note(second, true)
	}},
)
