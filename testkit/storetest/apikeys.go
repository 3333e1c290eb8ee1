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

// anAPIKey stores a key of an account and returns it. Its permissions are in order.
func anAPIKey(t *testing.T, s store.Store, of domain.User) domain.APIKey {
	t.Helper()
	var k domain.APIKey
	fill(t, &k)
	k.UserID, k.Hash = of.ID, k.ID[:]
	slices.Sort(k.Permissions)
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.APIKeys.Create(ctx, k) })
	return k
}

var _ = declare("api keys",
	law{"KeysAreKeptWholeAndFoundByHash", func(t *testing.T, h Harness) {
		anna := aUser(t, h.Store, "anna")
		k, bare := anAPIKey(t, h.Store, anna), domain.APIKey{ID: domain.NewID(), UserID: anna.ID, Hash: []byte{1}, Permissions: []domain.Permission{}, CreatedAt: time.UnixMicro(1).UTC()}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.APIKeys.Create(ctx, bare) })
		anAPIKey(t, h.Store, aUser(t, h.Store, "bert"))
		keys := h.Store.Read().APIKeys
		for _, find := range []func() (domain.APIKey, error){
			func() (domain.APIKey, error) { return keys.Get(deadline(t), k.ID) },
			func() (domain.APIKey, error) { return keys.ByHash(deadline(t), k.Hash) },
		} {
			got, err := find()
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, k)
		}
		list, err := keys.ByUser(deadline(t), anna.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, list, []domain.APIKey{k, bare})
		_, err = keys.ByHash(deadline(t), []byte("another"))
		wantFault(t, err, fault.NotFound, "api_key.not_found")
	}},
	law{"AKeyChangesAndGoes", func(t *testing.T, h Harness) {
		k := anAPIKey(t, h.Store, aUser(t, h.Store, "anna"))
		change := func(fn func(ctx context.Context, keys store.APIKeys) error) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return fn(ctx, tx.APIKeys) })
			got, err := h.Store.Read().APIKeys.Get(deadline(t), k.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, k)
		}
		k.Name, k.Permissions, k.ExpiresAt, k.RequestsPerMinute = "new", []domain.Permission{"a.b", "c.d", "e.f"}, nil, nil
		other := k
		other.Prefix, other.Hash, other.LastUsedIP = "no", []byte("no"), "no"
		change(func(ctx context.Context, keys store.APIKeys) error { return keys.Update(ctx, other) })
		later := k.LastUsedAt.Add(time.Hour)
		k.LastUsedAt, k.LastUsedIP = &later, "192.0.2.1"
		for i := range 2 { // the second comes too late
			change(func(ctx context.Context, keys store.APIKeys) error {
				return keys.Touch(ctx, k.ID, later.Add(-time.Duration(i)*time.Minute), fmt.Sprint("192.0.2.", i+1))
			})
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.APIKeys.Delete(ctx, k.ID) })
		for name, fn := range map[string]func(ctx context.Context, keys store.APIKeys) error{
			"get":    func(ctx context.Context, keys store.APIKeys) error { _, err := keys.Get(ctx, k.ID); return err },
			"update": func(ctx context.Context, keys store.APIKeys) error { return keys.Update(ctx, k) },
			"touch":  func(ctx context.Context, keys store.APIKeys) error { return keys.Touch(ctx, k.ID, later, "") },
			"delete": func(ctx context.Context, keys store.APIKeys) error { return keys.Delete(ctx, k.ID) },
		} {
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return fn(ctx, tx.APIKeys) })
			if fault.CodeOf(err) != "api_key.not_found" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}},
)
