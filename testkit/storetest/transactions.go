package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

var errRefused = errors.New("the function says no")

// secretNamed is the smallest thing to write.
func secretNamed(name string) store.Secret {
	return store.Secret{Name: name, Sealed: []byte(name), CreatedAt: domain.Stamp(time.Now())}
}

func insert(ctx context.Context, tx store.Tx, name string) error {
	_, err := tx.Secrets.InsertIfAbsent(ctx, secretNamed(name))
	return err
}

func exists(t *testing.T, s store.Store, name string) bool {
	t.Helper()
	_, err := s.Read().Secrets.Get(deadline(t), name)
	if err != nil && !fault.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

var _ = declare("transactions",
	law{"WhatSucceedsIsCommittedAndSeenByReaders", func(t *testing.T, h Harness) {
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := insert(ctx, tx, "a"); err != nil {
				return err
			}
			if exists(t, h.Store, "a") {
				t.Error("a reader saw what was not committed")
			}
			_, err := tx.Secrets.Get(ctx, "a")
			return err
		})
		if !exists(t, h.Store, "a") {
			t.Error("the commit is not seen")
		}
	}},
	law{"AnErrorRollsBackAndComesBack", func(t *testing.T, h Harness) {
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
			if err := insert(ctx, tx, "a"); err != nil {
				return err
			}
			return fmt.Errorf("wrapped: %w", errRefused)
		})
		if !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
		if exists(t, h.Store, "a") {
			t.Error("it was committed")
		}
	}},
	law{"APanicRollsBackAndGoesOn", func(t *testing.T, h Harness) {
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic was swallowed or replaced")
				}
			}()
			_ = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
				_ = insert(ctx, tx, "a")
				panic("boom")
			})
		}()
		if exists(t, h.Store, "a") {
			t.Error("it was committed")
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return insert(ctx, tx, "b") })
	}},
	law{"ACancelledTransactionIsNotCommitted", func(t *testing.T, h Harness) {
		ctx, cancel := context.WithCancel(deadline(t))
		err := h.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			err := insert(ctx, tx, "a")
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the error of the ctx", err)
		}
		if exists(t, h.Store, "a") {
			t.Error("it was committed")
		}
		if _, err := h.Store.Read().Users.Get(ctx, domain.NewID()); !errors.Is(err, context.Canceled) {
			t.Errorf("a read with a cancelled ctx: %v", err)
		}
	}},
	law{"NestingIsRefused", func(t *testing.T, h Harness) {
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			wantFault(t, h.Store.Update(ctx, func(context.Context, store.Tx) error { return nil }), fault.Internal, store.CodeNested)
			_, err := h.Store.Read().Users.Get(ctx, domain.NewID())
			wantFault(t, err, fault.Internal, store.CodeNested)
			return insert(ctx, tx, "a")
		})
		if !exists(t, h.Store, "a") {
			t.Error("the refusal broke the transaction")
		}
	}},
	law{"ReadDoesNotWrite", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "reader")
		r := h.Store.Read()
		writes := map[string]func(context.Context) error{
			"insert": func(ctx context.Context) error { return r.Users.Create(ctx, domain.User{ID: domain.NewID()}, "x") },
			"update": func(ctx context.Context) error { return r.Users.SetPasswordHash(ctx, u.ID, "x") },
			"delete": func(ctx context.Context) error { _, err := r.Secrets.Delete(ctx, "a"); return err },
			"returning": func(ctx context.Context) error {
				_, err := r.Sessions.RevokeUser(ctx, u.ID, time.Now(), nil)
				return err
			},
		}
		for name, write := range writes {
			if err := write(deadline(t)); err == nil || fault.KindOf(err) != fault.Internal {
				t.Errorf("%s: got %v, want it refused as Internal", name, err)
			}
		}
		if hash, err := r.Users.PasswordHash(deadline(t), u.ID); err != nil || hash == "x" {
			t.Errorf("it was written: %q, %v", hash, err)
		}
	}},
	law{"EveryRepositoryIsThere", func(t *testing.T, h Harness) {
		v := reflect.ValueOf(h.Store.Read())
		for i := range v.NumField() {
			if v.Field(i).IsNil() {
				t.Errorf("Repos.%s is nil", v.Type().Field(i).Name)
			}
		}
	}},
	law{"ParallelTransactionsLoseNoUpdate", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "counter")
		const writers, rounds = 8, 5
		addOne := func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Users.Get(ctx, u.ID)
			if err != nil {
				return err
			}
			got.DisplayName += "+"
			return tx.Users.Update(ctx, got)
		}
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range rounds {
					err := h.Store.Update(deadline(t), addOne)
					for fault.CodeOf(err) == store.CodeUnavailable { // right to say under contention, and to try again after
						err = h.Store.Update(deadline(t), addOne)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		got, err := h.Store.Read().Users.Get(deadline(t), u.ID)
		if err != nil || strings.Count(got.DisplayName, "+") != writers*rounds {
			t.Errorf("%d of %d updates are left (%v)", strings.Count(got.DisplayName, "+"), writers*rounds, err)
		}
	}},
	law{"JobsAndEventsAreThereIfAndOnlyIfItCommitted", func(t *testing.T, h Harness) {
		job, err := jobs.New("test.work", "key", map[string]string{"a": "b"})
		if err != nil {
			t.Fatal(err)
		}
		announce := func(ctx context.Context, tx store.Tx) error {
			if err := tx.Jobs.Enqueue(ctx, job); err != nil {
				return err
			}
			return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicUser, Payload: []byte("x")})
		}
		_ = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return errors.Join(announce(ctx, tx), errRefused) })
		if n, m := len(h.Enqueued(t)), len(h.Published()); n != 0 || m != 0 {
			t.Fatalf("%d jobs and %d events of a transaction that failed", n, m)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			err := announce(ctx, tx)
			if n := len(h.Published()); n != 0 {
				t.Errorf("%d events before the commit", n)
			}
			return err
		})
		got := h.Enqueued(t)
		if len(got) != 1 || got[0].Kind != job.Kind || got[0].Key != job.Key || string(got[0].Payload) != string(job.Payload) {
			t.Fatalf("got jobs %+v", got)
		}
		if got := h.Published(); len(got) != 1 || got[0].Topic != bus.TopicUser || string(got[0].Payload) != "x" {
			t.Fatalf("got events %+v", got)
		}
	}},
	law{"PingAndStatsAnswer", func(t *testing.T, h Harness) {
		if took, err := h.Store.Ping(deadline(t)); err != nil || took <= 0 {
			t.Errorf("Ping: %v, %v", took, err)
		}
		if st := h.Store.Stats(); st.Open < 1 {
			t.Errorf("Stats: %+v", st)
		}
	}},
)
