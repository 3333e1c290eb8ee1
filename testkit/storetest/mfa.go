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

// aPasskey stores one of an account and returns it.
func aPasskey(t *testing.T, s store.Store, of domain.User) domain.Passkey {
	t.Helper()
	var p domain.Passkey
	fill(t, &p)
	p.UserID, p.CredentialID = of.ID, p.ID[:]
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.MFA.CreatePasskey(ctx, p) })
	return p
}

// once runs use forty times in parallel and fails unless one says that it succeeded.
func once(t *testing.T, s store.Store, what string, use func(ctx context.Context, tx store.Tx) (bool, error)) {
	t.Helper()
	var succeeded atomic.Int32
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			ok := false
			err := s.Update(context.Background(), func(ctx context.Context, tx store.Tx) (err error) {
				ok, err = use(ctx, tx)
				return err
			})
			switch {
			case err != nil && fault.CodeOf(err) != store.CodeUnavailable:
				t.Error(err)
			case err == nil && ok:
				succeeded.Add(1)
			}
		})
	}
	wg.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("%s: %d of 40 succeeded", what, succeeded.Load())
	}
}

var _ = declare("second factors",
	law{"SettingsAreOffUntilSaved", func(t *testing.T, h Harness) {
		anna := aUser(t, h.Store, "anna")
		got, err := h.Store.Read().MFA.Settings(deadline(t), anna.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, domain.MFASettings{UserID: anna.ID})
		var on domain.MFASettings
		fill(t, &on)
		on.UserID = anna.ID
		for _, want := range []domain.MFASettings{on, {UserID: anna.ID, UpdatedAt: on.UpdatedAt.Add(time.Hour)}} {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.SaveSettings(ctx, want) })
			if got, err = h.Store.Read().MFA.Settings(deadline(t), anna.ID); err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		}
	}},
	law{"AuthenticatorAppsAreKeptWholeAndGo", func(t *testing.T, h Harness) {
		anna := aUser(t, h.Store, "anna")
		_, err := h.Store.Read().MFA.TOTP(deadline(t), anna.ID)
		wantFault(t, err, fault.NotFound, "totp_secret.not_found")
		var whole domain.TOTPSecret
		fill(t, &whole)
		whole.UserID = anna.ID
		for _, want := range []domain.TOTPSecret{whole, {UserID: anna.ID, Pending: []byte{1}, CreatedAt: whole.CreatedAt}} {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.SaveTOTP(ctx, want) })
			got, err := h.Store.Read().MFA.TOTP(deadline(t), anna.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.DeleteTOTP(ctx, anna.ID) })
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.MFA.DeleteTOTP(ctx, anna.ID) })
		wantFault(t, err, fault.NotFound, "totp_secret.not_found")
	}},
	law{"ATimeStepIsAcceptedOnceAndNoEarlierOneAfterIt", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert")
		at := time.UnixMicro(1_700_000_000_000_000).UTC()
		for _, u := range []domain.User{anna, bert} {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				return tx.MFA.SaveTOTP(ctx, domain.TOTPSecret{UserID: u.ID, Secret: []byte{1}, CreatedAt: at})
			})
		}
		once(t, h.Store, "a step", func(ctx context.Context, tx store.Tx) (bool, error) {
			return tx.MFA.AcceptTOTPStep(ctx, anna.ID, 1000, at)
		})
		accept := func(u domain.User, step int64, want bool) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				ok, err := tx.MFA.AcceptTOTPStep(ctx, u.ID, step, at)
				if ok != want {
					t.Errorf("step %d: %v", step, ok)
				}
				return err
			})
		}
		accept(anna, 999, false)
		accept(anna, 1001, true)
		accept(anna, 1000, false)
		accept(bert, 1000, true)
		accept(aUser(t, h.Store, "without one"), 1000, false)
		if got, err := h.Store.Read().MFA.TOTP(deadline(t), anna.ID); err != nil || got.LastStep != 1001 || got.LastUsedAt == nil || !got.LastUsedAt.Equal(at) {
			t.Errorf("got %+v, %v", got, err)
		}
	}},
	law{"PasskeysAreKeptWholeAndAreTheirOwners", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert")
		first := aPasskey(t, h.Store, anna)
		bare := domain.Passkey{
			ID: domain.NewID(), UserID: anna.ID, CredentialID: []byte{0, 1}, PublicKey: []byte{2}, AAGUID: []byte{}, Transports: []string{}, Counter: 1<<32 - 1,
			CreatedAt: first.CreatedAt.Add(time.Hour),
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.CreatePasskey(ctx, bare) })
		others := aPasskey(t, h.Store, bert)
		mfa := h.Store.Read().MFA
		list, err := mfa.Passkeys(deadline(t), anna.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, list, []domain.Passkey{first, bare})
		if got, err := mfa.PasskeyOf(deadline(t), anna.ID, first.ID); err != nil {
			t.Fatal(err)
		} else {
			same(t, got, first)
		}
		if got, err := mfa.PasskeyByCredential(deadline(t), bare.CredentialID); err != nil {
			t.Fatal(err)
		} else {
			same(t, got, bare)
		}
		_, err = mfa.PasskeyByCredential(deadline(t), []byte("another"))
		wantFault(t, err, fault.NotFound, "passkey.not_found")

		taken := others
		taken.ID, taken.CredentialID = domain.NewID(), first.CredentialID
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.MFA.CreatePasskey(ctx, taken) })
		wantFault(t, err, fault.Conflict, "mfa.passkey_taken")
		for name, fn := range map[string]func(ctx context.Context, m store.MFA) error{
			"get": func(ctx context.Context, m store.MFA) error {
				_, err := m.PasskeyOf(ctx, anna.ID, others.ID)
				return err
			},
			"rename": func(ctx context.Context, m store.MFA) error { return m.RenamePasskey(ctx, anna.ID, others.ID, "mine") },
			"delete": func(ctx context.Context, m store.MFA) error { return m.DeletePasskey(ctx, anna.ID, others.ID) },
			"mark": func(ctx context.Context, m store.MFA) error {
				return m.MarkPasskeyCloned(ctx, domain.NewID(), first.CreatedAt)
			},
		} {
			t.Log(name)
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return fn(ctx, tx.MFA) })
			wantFault(t, err, fault.NotFound, "passkey.not_found")
		}
		cloned := first.CreatedAt.Add(2 * time.Hour)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.MFA.RenamePasskey(ctx, anna.ID, first.ID, "new name"); err != nil {
				return err
			}
			return tx.MFA.MarkPasskeyCloned(ctx, first.ID, cloned)
		})
		first.Name, first.ClonedAt = "new name", &cloned
		if got, err := mfa.PasskeyOf(deadline(t), anna.ID, first.ID); err != nil {
			t.Fatal(err)
		} else {
			same(t, got, first)
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.DeletePasskey(ctx, anna.ID, first.ID) })
		if list, err = mfa.Passkeys(deadline(t), anna.ID); err != nil {
			t.Fatal(err)
		}
		same(t, list, []domain.Passkey{bare})
	}},
	law{"ACounterOnlyGoesOnAndMayStayAtZero", func(t *testing.T, h Harness) {
		p := aPasskey(t, h.Store, aUser(t, h.Store, "anna"))
		at := p.CreatedAt.Add(time.Hour)
		use := func(counter uint32, want bool) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				ok, err := tx.MFA.UsePasskey(ctx, p.ID, domain.PasskeyUse{Counter: counter, BackedUp: true, At: at})
				if ok != want {
					t.Errorf("counter %d: %v", counter, ok)
				}
				return err
			})
		}
		next := p.Counter + 10
		once(t, h.Store, "a counter", func(ctx context.Context, tx store.Tx) (bool, error) {
			return tx.MFA.UsePasskey(ctx, p.ID, domain.PasskeyUse{Counter: next, At: at})
		})
		use(next, false)
		use(next-1, false)
		use(0, false)
		use(1<<32-1, true)
		if got, err := h.Store.Read().MFA.PasskeyByCredential(deadline(t), p.CredentialID); err != nil || got.Counter != 1<<32-1 || !got.LastUsedAt.Equal(at) || !got.BackedUp {
			t.Errorf("got %+v, %v", got, err)
		}
		p = domain.Passkey{ID: domain.NewID(), UserID: p.UserID, CredentialID: []byte{7}, PublicKey: []byte{2}, AAGUID: []byte{}, CreatedAt: at}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.CreatePasskey(ctx, p) })
		use(0, true)
		use(0, true)
		use(1, true)
		use(0, false)
	}},
	law{"ABackupCodeIsUsedOnceByItsOwnerAndReplacedWithItsSet", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert")
		set := func(of domain.User) []domain.BackupCode {
			codes := make([]domain.BackupCode, 3)
			for i := range codes {
				fill(t, &codes[i], "UsedAt")
				codes[i].UserID, codes[i].Hash, codes[i].UsedIP = of.ID, []byte{byte(i)}, ""
			}
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.ReplaceBackupCodes(ctx, of.ID, codes...) })
			return codes
		}
		hers, his := set(anna), set(bert)
		at := hers[0].CreatedAt.Add(time.Hour)
		once(t, h.Store, "a code", func(ctx context.Context, tx store.Tx) (bool, error) {
			return tx.MFA.UseBackupCode(ctx, anna.ID, hers[1].Hash, at, "192.0.2.7")
		})
		hers[1].UsedAt, hers[1].UsedIP = &at, "192.0.2.7"
		for of, want := range map[domain.ID][]domain.BackupCode{anna.ID: hers, bert.ID: his} {
			list, err := h.Store.Read().MFA.BackupCodes(deadline(t), of)
			if err != nil {
				t.Fatal(err)
			}
			same(t, list, want)
		}
		set(anna)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if ok, err := tx.MFA.UseBackupCode(ctx, anna.ID, hers[1].Hash, at, ""); err != nil || !ok {
				t.Errorf("a code of the new set: %v, %v", ok, err)
			}
			if ok, err := tx.MFA.UseBackupCode(ctx, anna.ID, []byte("another"), at, ""); err != nil || ok {
				t.Errorf("another code: %v, %v", ok, err)
			}
			return tx.MFA.ReplaceBackupCodes(ctx, anna.ID)
		})
		if list, err := h.Store.Read().MFA.BackupCodes(deadline(t), anna.ID); err != nil || len(list) != 0 {
			t.Errorf("got %v, %v", list, err)
		}
	}},
	law{"TrustedDevicesAreTheirOwnersUntilTheyEnd", func(t *testing.T, h Harness) {
		anna, bert := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert")
		now := time.UnixMicro(1_700_000_000_000_000).UTC()
		device := func(of domain.User, used time.Time) domain.TrustedDevice {
			var d domain.TrustedDevice
			fill(t, &d)
			d.UserID, d.Hash, d.LastUsedAt, d.ExpiresAt = of.ID, d.ID[:], used, now.Add(time.Hour)
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.MFA.CreateTrustedDevice(ctx, d) })
			return d
		}
		older, newer, his := device(anna, now), device(anna, now.Add(time.Second)), device(bert, now)
		devices := func(at time.Time, want ...domain.TrustedDevice) {
			t.Helper()
			list, err := h.Store.Read().MFA.TrustedDevices(deadline(t), anna.ID, at)
			if err != nil {
				t.Fatal(err)
			}
			same(t, list, append([]domain.TrustedDevice{}, want...))
		}
		devices(now, newer, older)
		devices(now.Add(time.Hour))
		use := func(of domain.User, d domain.TrustedDevice, at time.Time, want bool) {
			t.Helper()
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				ok, err := tx.MFA.UseTrustedDevice(ctx, of.ID, d.Hash, at)
				if ok != want {
					t.Errorf("trusted: %v", ok)
				}
				return err
			})
		}
		older.LastUsedAt = now.Add(time.Minute)
		use(anna, older, older.LastUsedAt, true)
		use(anna, older, now.Add(time.Hour), false)
		use(bert, older, now, false)
		use(anna, his, now, false)
		devices(now, older, newer)
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.MFA.DeleteTrustedDevice(ctx, anna.ID, his.ID) })
		wantFault(t, err, fault.NotFound, "trusted_device.not_found")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			return tx.MFA.DeleteTrustedDevice(ctx, anna.ID, newer.ID)
		})
		devices(now, older)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if n, err := tx.MFA.DeleteExpiredTrustedDevices(ctx, now.Add(time.Hour)); n != 0 || err != nil {
				t.Errorf("at its end %d are gone, %v", n, err)
			}
			if n, err := tx.MFA.DeleteTrustedDevices(ctx, anna.ID); n != 1 || err != nil {
				t.Errorf("%d are gone, %v", n, err)
			}
			n, err := tx.MFA.DeleteExpiredTrustedDevices(ctx, now.Add(time.Hour+time.Microsecond))
			if n != 1 {
				t.Errorf("after its end %d are gone", n)
			}
			return err
		})
	}},
	law{"SecondFactorsGoWithTheirAccount", func(t *testing.T, h Harness) {
		anna := aUser(t, h.Store, "anna")
		p := aPasskey(t, h.Store, anna)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.MFA.SaveTOTP(ctx, domain.TOTPSecret{UserID: anna.ID}); err != nil {
				return err
			}
			if err := tx.MFA.SaveSettings(ctx, domain.MFASettings{UserID: anna.ID, Enabled: true}); err != nil {
				return err
			}
			return tx.Users.Purge(ctx, anna.ID)
		})
		_, err := h.Store.Read().MFA.PasskeyByCredential(deadline(t), p.CredentialID)
		wantFault(t, err, fault.NotFound, "passkey.not_found")
		if s, err := h.Store.Read().MFA.Settings(deadline(t), anna.ID); err != nil || s.Enabled {
			t.Errorf("got %+v, %v", s, err)
		}
	}},
)
