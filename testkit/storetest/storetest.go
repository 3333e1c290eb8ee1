// Package storetest holds an adapter of ports/store to its comments: Run is the conformance suite, one law file per area.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

// Harness is one fresh, empty store and what can be seen of it from outside.
type Harness struct {
	Store store.Store
	// Published returns the messages that were published so far.
	Published func() []bus.Message
	// Enqueued returns the jobs that exist, committed ones only.
	Enqueued func(t *testing.T) []jobs.Job
}

// law is one promise; every one gets a fresh store.
type law struct {
	name string
	test func(t *testing.T, h Harness)
}

// laws collects what the files of this package declare.
var laws []law

// declare adds an area's laws to Run.
func declare(area string, list ...law) struct{} {
	for _, l := range list {
		laws = append(laws, law{area + "/" + l.name, l.test})
	}
	return struct{}{}
}

// Run holds a store to every law. open returns fresh storage that is released with the test it is given.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			l.test(t, open(t))
		})
	}
}

// ctx is a test's context with a deadline that no law comes near.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// update runs fn in a transaction that must commit.
func update(t *testing.T, s store.Store, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	if err := s.Update(deadline(t), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

// wantFault fails unless err is a fault of this kind and code.
func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want a fault %s with code %s", err, kind, code)
	}
}

// aUser stores an account with the role "user" and returns it.
func aUser(t *testing.T, s store.Store, name string) domain.User {
	t.Helper()
	now := domain.Stamp(time.Now())
	u := domain.User{ID: domain.NewID(), Username: name, DisplayName: name, Roles: []domain.RoleName{domain.RoleUser}, CreatedAt: now, UpdatedAt: now}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, u, "$argon2id$none") })
	return u
}

// walk collects all items of a list by pages of the given size and fails when a page is too long or the walk does not end.
func walk[T any](t *testing.T, size int, list func(domain.PageRequest) (domain.Page[T], error)) []T {
	t.Helper()
	var all []T
	req := domain.PageRequest{Limit: size}
	for range 10_000 {
		page, err := list(req)
		if err != nil {
			t.Fatalf("page after %q: %v", req.Cursor, err)
		}
		if len(page.Items) > size {
			t.Fatalf("a page of %d items, asked for %d", len(page.Items), size)
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all
		}
		req.Cursor = page.NextCursor
	}
	t.Fatal("the list does not end")
	return nil
}
