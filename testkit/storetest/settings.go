package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var _ = declare("settings",
	law{"EveryFieldOfASettingComesBackAndIsWrittenOver", func(t *testing.T, h Harness) {
		ann := aUser(t, h.Store, "ann")
		var full store.Setting
		fill(t, &full)
		full.Value, full.UpdatedBy = json.RawMessage(`{"a": ["é", 1]}`), &ann.ID
		blank := store.Setting{Name: "blank", UpdatedAt: full.UpdatedAt}
		for range 2 { // the second time over what is there
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Settings.Save(ctx, full, blank) })
			all, err := h.Store.Read().Settings.All(deadline(t))
			if err != nil || len(all) != 2 {
				t.Fatalf("%d settings, %v", len(all), err)
			}
			for _, got := range all {
				if got.Name == blank.Name {
					same(t, got, blank)
				} else {
					same(t, got, full)
				}
			}
			full.Value, full.Sealed, full.UpdatedBy, full.UpdatedAt = nil, []byte{7}, nil, full.UpdatedAt.Add(time.Second)
			blank.Value = json.RawMessage("3")
		}
	}},
	law{"ClientSettingsAreTheAccountsAndGoWithIt", func(t *testing.T, h Harness) {
		ann, bob := aUser(t, h.Store, "ann"), aUser(t, h.Store, "bob")
		save := func(user domain.ID, values map[string]json.RawMessage) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				return tx.Settings.SaveOfUser(ctx, user, values, domain.Stamp(time.Now()))
			})
		}
		save(ann.ID, map[string]json.RawMessage{"theme": json.RawMessage(`"dark"`), "grid": json.RawMessage("6"), "absent": nil})
		save(bob.ID, map[string]json.RawMessage{"theme": json.RawMessage(`"light"`)})
		save(ann.ID, map[string]json.RawMessage{"theme": nil, "grid": json.RawMessage(`{"x":7}`), "Grid": json.RawMessage("1")})
		want := map[domain.ID]string{ann.ID: `{"Grid":1,"grid":{"x":7}}`, bob.ID: `{"theme":"light"}`, domain.NewID(): `{}`}
		for user, wanted := range want {
			got, err := h.Store.Read().Settings.OfUser(deadline(t), user)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := json.Marshal(got); err != nil || string(data) != wanted {
				t.Errorf("got %s, %v, not %s", data, err, wanted)
			}
		}
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
			return tx.Settings.SaveOfUser(ctx, domain.NewID(), map[string]json.RawMessage{"a": json.RawMessage("1")}, time.Now())
		})
		wantFault(t, err, fault.Conflict, "store.reference")
	}},
	law{"AMailWaitsUntilItIsTakenOut", func(t *testing.T, h Harness) {
		var m, young store.Mail
		fill(t, &m)
		fill(t, &young)
		young.CreatedAt = m.CreatedAt.Add(time.Hour)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Outbox.Add(ctx, m); err != nil {
				return err
			}
			return tx.Outbox.Add(ctx, young)
		})
		got, err := h.Store.Read().Outbox.Get(deadline(t), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, m)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			n, err := tx.Outbox.DeleteBefore(ctx, young.CreatedAt)
			if n != 1 {
				t.Errorf("%d old ones", n)
			}
			return err
		})
		_, err = h.Store.Read().Outbox.Get(deadline(t), m.ID)
		wantFault(t, err, fault.NotFound, "mail.not_found")
		remove := func(ctx context.Context, tx store.Tx) error { return tx.Outbox.Delete(ctx, young.ID) }
		update(t, h.Store, remove)
		wantFault(t, h.Store.Update(deadline(t), remove), fault.NotFound, "mail.not_found")
	}},
	law{"EverySealedValueIsReachedAndReplacedOnlyAsItWasRead", func(t *testing.T, h Harness) {
		mails, secrets := store.SealedColumn{Table: "mail_outbox", Column: "sealed"}, store.SealedColumn{Table: "server_secrets", Column: "sealed"}
		want := map[store.SealedColumn]map[string][]byte{mails: {}, secrets: {}}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			for i := range 5 {
				id, value := domain.NewID(), []byte{0xff, byte(i)}
				want[mails][id.String()] = value
				if err := tx.Outbox.Add(ctx, store.Mail{ID: id, Sealed: value, CreatedAt: domain.Stamp(time.Now())}); err != nil {
					return err
				}
				name := fmt.Sprintf("Ä secret/%d", i)
				want[secrets][name] = value
				if _, err := tx.Secrets.InsertIfAbsent(ctx, store.Secret{Name: name, Sealed: value, CreatedAt: domain.Stamp(time.Now())}); err != nil {
					return err
				}
			}
			return tx.Settings.Save(ctx, store.Setting{Name: "plain", Value: json.RawMessage("1"), UpdatedAt: domain.Stamp(time.Now())})
		})
		repos := h.Store.Read()
		columns := map[store.SealedColumn]bool{}
		for _, column := range repos.Sealed.Columns() {
			columns[column] = true
			var found []store.SealedValue
			for after := ""; ; after = found[len(found)-1].Row {
				page, err := repos.Sealed.List(deadline(t), column, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				if found = append(found, page...); len(page) < 2 {
					break
				}
			}
			if len(found) != len(want[column]) {
				t.Errorf("%d values in %v, not %d", len(found), column, len(want[column]))
			}
			for _, value := range found {
				if !bytes.Equal(value.Sealed, want[column][value.Row]) {
					t.Errorf("%v has %v at %q", column, value.Sealed, value.Row)
				}
			}
			if column != mails {
				continue
			}
			replace := func(old store.SealedValue, sealed []byte) (replaced bool) {
				update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
					replaced, err = tx.Sealed.Replace(ctx, column, old, sealed)
					return err
				})
				return replaced
			}
			if !replace(found[0], []byte{1}) || replace(found[0], []byte{2}) || replace(store.SealedValue{Row: domain.NewID().String(), Sealed: []byte{1}}, []byte{3}) {
				t.Error("a value is replaced once, as it was read")
			}
			if got, err := repos.Sealed.List(deadline(t), column, "", 1); err != nil || !bytes.Equal(got[0].Sealed, []byte{1}) {
				t.Errorf("got %v, %v", got, err)
			}
		}
		if !columns[mails] || !columns[secrets] || !columns[store.SealedColumn{Table: "server_settings", Column: "sealed"}] {
			t.Errorf("columns: %v", columns)
		}
		_, err := repos.Sealed.List(deadline(t), store.SealedColumn{Table: "users", Column: "password_hash"}, "", 1)
		wantFault(t, err, fault.Internal, "store.failed")
	}},
)
