package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// inParallel runs fn n times at once, each in an Update, and returns how many committed; other errors than lost (by code, or the database's being
// out of reach) fail the test.
func inParallel(t *testing.T, h Harness, n int, lost string, fn func(ctx context.Context, tx store.Tx, i int) error) int {
	t.Helper()
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			switch err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return fn(ctx, tx, i) }); {
			case err == nil:
				won.Add(1)
			case fault.CodeOf(err) != lost && fault.CodeOf(err) != store.CodeUnavailable:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return int(won.Load())
}

var _ = declare("accounts",
	law{"ListsAreNarrowed", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		for i, u := range []domain.User{
			{Username: "Ännchen", Email: "Anne@Example.org", DisplayName: "The Mother", Roles: []domain.RoleName{domain.RoleUser, domain.RoleAdmin}},
			{Username: "bert_50%", DisplayName: "bert", Disabled: true, Roles: []domain.RoleName{domain.RoleUser}},
			{Username: "carl", DisplayName: "carl", DeletedAt: &now, Disabled: true, Roles: []domain.RoleName{domain.RoleGuest}},
			{Username: "dora", DisplayName: "dora", DeletedAt: ref(now.Add(time.Hour)), Roles: []domain.RoleName{domain.RoleUser}},
		} {
			u.ID, u.CreatedAt, u.UpdatedAt = domain.NewID(), now, now.Add(time.Duration(i))
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, u, "x") })
		}
		for _, c := range []struct {
			filter domain.UserFilter
			want   []string
		}{
			{domain.UserFilter{}, []string{"bert_50%", "carl", "dora", "Ännchen"}},
			{domain.UserFilter{Query: "ÄNN"}, []string{"Ännchen"}},
			{domain.UserFilter{Query: "EXAMPLE.org"}, []string{"Ännchen"}},
			{domain.UserFilter{Query: "mother"}, []string{"Ännchen"}},
			{domain.UserFilter{Query: "_50%"}, []string{"bert_50%"}},
			{domain.UserFilter{Query: "r_"}, []string{}},
			{domain.UserFilter{Role: domain.RoleUser}, []string{"bert_50%", "dora", "Ännchen"}},
			{domain.UserFilter{State: domain.UserActive}, []string{"Ännchen"}},
			{domain.UserFilter{State: domain.UserDisabled}, []string{"bert_50%"}},
			{domain.UserFilter{State: domain.UserDeleted}, []string{"carl", "dora"}},
			{domain.UserFilter{State: domain.UserDeleted, Role: domain.RoleUser, Query: "d"}, []string{"dora"}},
		} {
			got := []string{}
			for _, u := range walk(t, 1, func(req domain.PageRequest) (domain.Page[domain.User], error) {
				return h.Store.Read().Users.List(deadline(t), c.filter, req)
			}) {
				got = append(got, u.Username)
			}
			page, err := h.Store.Read().Users.List(deadline(t), c.filter, domain.PageRequest{IncludeTotal: true})
			if err != nil || !slices.Equal(got, c.want) || *page.Total != len(c.want) {
				t.Errorf("%+v: got %v, want %v (%v, %v)", c.filter, got, c.want, page.Total, err)
			}
		}
		page, err := h.Store.Read().Users.List(deadline(t), domain.UserFilter{}, domain.PageRequest{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Store.Read().Users.List(deadline(t), domain.UserFilter{Query: "a"}, domain.PageRequest{Cursor: page.NextCursor})
		wantFault(t, err, fault.Invalid, store.CodeBadCursor)
		gone, err := h.Store.Read().Users.DeletedBefore(deadline(t), now.Add(time.Minute), 5)
		if err != nil || len(gone) != 1 {
			t.Errorf("got %v, %v", gone, err)
		}
	}},
	law{"ShortPasswordsAreRemembered", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "user")
		for _, short := range []bool{true, false, true} {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.MarkPassword(ctx, u.ID, short) })
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, u) })
			if got, err := h.Store.Read().Users.PasswordIsShort(deadline(t), u.ID); got != short || err != nil {
				t.Errorf("got %v, %v", got, err)
			}
		}
		none := domain.NewID()
		_, err := h.Store.Read().Users.PasswordIsShort(deadline(t), none)
		wantFault(t, err, fault.NotFound, "user.not_found")
		wantFault(t, h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Users.MarkPassword(ctx, none, true) }), fault.NotFound, "user.not_found")
	}},
	law{"PurgedAccountsLeaveNothingAndFreeTheirName", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "anna")
		s := aSession(t, h.Store, u.ID, "token", nil)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.Avatars.Save(ctx, domain.Avatar{UserID: u.ID, Data: []byte("x")}); err != nil {
				return err
			}
			return tx.OneTimeTokens.Create(ctx, domain.OneTimeToken{Hash: []byte("reset"), Kind: domain.TokenResetPassword, UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)})
		})
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Purge(ctx, u.ID) })
		r := h.Store.Read()
		_, err := r.Users.Get(deadline(t), u.ID)
		wantFault(t, err, fault.NotFound, "user.not_found")
		_, err = r.Sessions.Get(deadline(t), s.ID)
		wantFault(t, err, fault.NotFound, "session.not_found")
		_, err = r.Avatars.Get(deadline(t), u.ID)
		wantFault(t, err, fault.NotFound, "avatar.not_found")
		_, err = r.OneTimeTokens.Of(deadline(t), domain.TokenResetPassword, u.ID, time.Now())
		wantFault(t, err, fault.NotFound, "one_time_token.not_found")
		aUser(t, h.Store, "ANNA")
		wantFault(t, h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Users.Purge(ctx, u.ID) }), fault.NotFound, "user.not_found")
	}},
	law{"OfAdministratorsWhoRemoveEachOtherOneStays", func(t *testing.T, h Harness) {
		var admins []domain.User
		for i := range 4 {
			u := aUser(t, h.Store, fmt.Sprintf("admin%d", i))
			u.Roles = []domain.RoleName{domain.RoleAdmin}
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, u) })
			admins = append(admins, u)
		}
		now := domain.Stamp(time.Now())
		inParallel(t, h, len(admins), "last", func(ctx context.Context, tx store.Tx, i int) error {
			u := admins[i]
			switch i % 3 { // each in its own way
			case 0:
				u.Disabled = true
			case 1:
				u.Roles = []domain.RoleName{domain.RoleUser}
			case 2:
				u.DeletedAt = &now
			}
			if err := tx.Users.Update(ctx, u); err != nil {
				return err
			}
			if n, err := tx.Users.CountAdmins(ctx); err != nil || n > 0 {
				return err
			}
			return fault.New(fault.Conflict, "last", "the last one")
		})
		if n, err := h.Store.Read().Users.CountAdmins(deadline(t)); n < 1 || err != nil {
			t.Errorf("%d administrators are left (%v)", n, err)
		}
	}},
)

func ref[T any](v T) *T { return &v }

var _ = declare("invitations",
	law{"EveryFieldComesBackAndTheNewestIsFirst", func(t *testing.T, h Harness) {
		var want []domain.Invitation
		for i := range 3 {
			var inv domain.Invitation
			fill(t, &inv)
			inv.CodeHash, inv.CreatedAt = fmt.Appendf(nil, "hash %d", i), inv.CreatedAt.Add(time.Duration(i)*time.Hour)
			if i == 1 {
				inv.CreatedBy, inv.UsedAt, inv.RevokedAt = nil, nil, nil
			}
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Create(ctx, inv) })
			want = append([]domain.Invitation{inv}, want...)
		}
		same(t, walk(t, 2, func(req domain.PageRequest) (domain.Page[domain.Invitation], error) {
			return h.Store.Read().Invitations.List(deadline(t), req)
		}), want)
		got, err := h.Store.Read().Invitations.ByCode(deadline(t), want[0].CodeHash)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want[0])
		got, err = h.Store.Read().Invitations.Get(deadline(t), want[1].ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want[1])
		_, err = h.Store.Read().Invitations.ByCode(deadline(t), []byte("other"))
		wantFault(t, err, fault.NotFound, "invitation.not_found")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			n, err := tx.Invitations.DeleteEnded(ctx, want[0].ExpiresAt.Add(time.Second))
			if n != 3 || err != nil {
				t.Errorf("%d were removed, %v", n, err)
			}
			return err
		})
	}},
	law{"OfManyUsesOneSucceeds", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		inv := domain.Invitation{ID: domain.NewID(), CodeHash: []byte("code"), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Create(ctx, inv) })
		won := inParallel(t, h, 8, "lost", func(ctx context.Context, tx store.Tx, i int) error {
			if used, err := tx.Invitations.Use(ctx, inv.ID, now, fmt.Sprint(i)); err != nil || used {
				return err
			}
			return fault.New(fault.Conflict, "lost", "lost")
		})
		if won != 1 {
			t.Errorf("%d uses succeeded", won)
		}
	}},
	law{"ARenamedUserIsFollowedAndAPurgedOneIsForgotten", func(t *testing.T, h Harness) {
		var anna, bert domain.Invitation
		for name, inv := range map[string]*domain.Invitation{"anna": &anna, "bert": &bert} {
			fill(t, inv)
			inv.CodeHash, inv.UsedBy = []byte(name), name
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Create(ctx, *inv) })
		}
		stands := func() {
			t.Helper()
			for _, want := range []domain.Invitation{anna, bert} {
				got, err := h.Store.Read().Invitations.Get(deadline(t), want.ID)
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want)
			}
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Renamed(ctx, "anna", "anne") })
		anna.UsedBy = "anne"
		stands()
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Renamed(ctx, "anne", "") })
		anna.UsedBy, anna.Email = "", ""
		stands()
	}},
	law{"WhatIsNotOpenIsNotUsedAndStaysWhatItIs", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		for name, inv := range map[string]domain.Invitation{
			"used":    {UsedAt: &now, UsedBy: "anna", ExpiresAt: now.Add(time.Hour)},
			"revoked": {RevokedAt: &now, ExpiresAt: now.Add(time.Hour)},
			"expired": {ExpiresAt: now},
		} {
			inv.ID, inv.CodeHash, inv.CreatedAt = domain.NewID(), []byte(name), now
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Create(ctx, inv) })
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				if used, err := tx.Invitations.Use(ctx, inv.ID, now, "bert"); used || err != nil {
					t.Errorf("%s: %v, %v", name, used, err)
				}
				return tx.Invitations.Revoke(ctx, inv.ID, now.Add(time.Second))
			})
			got, err := h.Store.Read().Invitations.Get(deadline(t), inv.ID)
			if err != nil || string(got.State(now)) != name || got.UsedBy != inv.UsedBy {
				t.Errorf("%s became %+v (%v)", name, got, err)
			}
		}
		wantFault(t, h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Invitations.Revoke(ctx, domain.NewID(), now) }), fault.NotFound, "invitation.not_found")
	}},
)

// aRegistration stores one of this name and address.
func aRegistration(t *testing.T, h Harness, name, email string, now time.Time, change func(*domain.Registration)) domain.Registration {
	t.Helper()
	r := domain.Registration{ID: domain.NewID(), Username: name, Email: email, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if change != nil {
		change(&r)
	}
	update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Registrations.Create(ctx, r, now) })
	return r
}

var _ = declare("registrations",
	law{"EveryFieldComesBackByIdByCodeAndByAddress", func(t *testing.T, h Harness) {
		var r domain.Registration
		fill(t, &r)
		aRegistration(t, h, "", "", r.CreatedAt, func(x *domain.Registration) { *x = r })
		got, err := h.Store.Read().Registrations.Get(deadline(t), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, r)
		live := r.ExpiresAt.Add(-time.Second)
		list, err := h.Store.Read().Registrations.ByEmail(deadline(t), r.Email, live)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %v, %v", list, err)
		}
		same(t, list[0], r)
		r.CodeHash, r.MailedAt = []byte("another"), &live
		update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
			if err := tx.Registrations.Mailed(ctx, r.ID, r.CodeHash, live); err != nil {
				return err
			}
			got, err = tx.Registrations.Take(ctx, r.CodeHash, live)
			return err
		})
		same(t, got, r)
		_, err = h.Store.Read().Registrations.Get(deadline(t), r.ID)
		wantFault(t, err, fault.NotFound, "registration.not_found")
	}},
	law{"NamesAreReservedWhileTheRegistrationLives", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		aUser(t, h.Store, "Jürgen")
		aRegistration(t, h, "Anna", "anna@example.org", now, func(r *domain.Registration) { r.IP = "192.0.2.1" })
		for _, name := range []string{"ANNA", "JU\u0308RGEN"} {
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
				return tx.Registrations.Create(ctx, domain.Registration{ID: domain.NewID(), Username: name, ExpiresAt: now.Add(time.Hour)}, now.Add(time.Minute))
			})
			wantFault(t, err, fault.Conflict, "user.username_taken")
		}
		later := now.Add(2 * time.Hour)
		aRegistration(t, h, "anna", "ANNA@example.org", later, func(r *domain.Registration) { r.IP = "192.0.2.1" })
		second := aRegistration(t, h, "bert", "anna@example.org", later.Add(time.Second), nil)
		list, err := h.Store.Read().Registrations.ByEmail(deadline(t), " anna@EXAMPLE.org", later)
		if err != nil || len(list) != 2 || list[0].ID != second.ID {
			t.Errorf("got %+v, %v", list, err)
		}
		if n, err := h.Store.Read().Registrations.CountFrom(deadline(t), "192.0.2.1", now.Add(time.Minute)); n != 1 || err != nil {
			t.Errorf("%d from the address, %v", n, err)
		}
		won := inParallel(t, h, 8, "user.username_taken", func(ctx context.Context, tx store.Tx, _ int) error {
			return tx.Registrations.Create(ctx, domain.Registration{ID: domain.NewID(), Username: "Only", ExpiresAt: later}, now)
		})
		if won != 1 {
			t.Errorf("%d reserved one name", won)
		}
	}},
	law{"ACodeIsGoodOnceAndInTime", func(t *testing.T, h Harness) {
		now := domain.Stamp(time.Now())
		r := aRegistration(t, h, "anna", "a@example.org", now, func(r *domain.Registration) { r.CodeHash = []byte("code") })
		late := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Registrations.Take(ctx, r.CodeHash, r.ExpiresAt)
			return err
		})
		wantFault(t, late, fault.NotFound, "registration.not_found")
		won := inParallel(t, h, 8, "registration.not_found", func(ctx context.Context, tx store.Tx, _ int) error {
			_, err := tx.Registrations.Take(ctx, r.CodeHash, now)
			return err
		})
		if won != 1 {
			t.Errorf("%d took it", won)
		}
		aRegistration(t, h, "bert", "b@example.org", now, nil)
		aRegistration(t, h, "carl", "c@example.org", now, nil) // two without a code are no conflict
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			n, err := tx.Registrations.DeleteExpired(ctx, now.Add(2*time.Hour))
			if n != 2 || err != nil {
				t.Errorf("%d were removed, %v", n, err)
			}
			return err
		})
	}},
)

var _ = declare("one-time tokens",
	law{"EveryFieldComesBackAndTheNewerVoidsTheOlder", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "anna")
		for _, kind := range []domain.TokenKind{domain.TokenResetPassword, domain.TokenVerifyEmail} {
			var older, token domain.OneTimeToken
			fill(t, &older)
			fill(t, &token)
			token.Kind, token.UserID, older.Kind, older.UserID = kind, u.ID, kind, u.ID
			older.Hash = []byte("older")
			for _, one := range []domain.OneTimeToken{older, token} {
				update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OneTimeTokens.Create(ctx, one) })
			}
			got, err := h.Store.Read().OneTimeTokens.Of(deadline(t), kind, u.ID, token.ExpiresAt.Add(-time.Second))
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, token)
			for name, take := range map[string]struct {
				kind domain.TokenKind
				hash []byte
				at   time.Time
			}{
				"older":   {kind, older.Hash, token.CreatedAt},
				"expired": {kind, token.Hash, token.ExpiresAt},
				"other":   {map[bool]domain.TokenKind{true: domain.TokenVerifyEmail, false: domain.TokenResetPassword}[kind == domain.TokenResetPassword], token.Hash, token.CreatedAt},
			} {
				err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
					_, err := tx.OneTimeTokens.Take(ctx, take.kind, take.hash, take.at)
					return err
				})
				if fault.CodeOf(err) != "one_time_token.not_found" {
					t.Errorf("%s %s: %v", kind, name, err)
				}
			}
			won := inParallel(t, h, 8, "one_time_token.not_found", func(ctx context.Context, tx store.Tx, _ int) error {
				_, err := tx.OneTimeTokens.Take(ctx, kind, token.Hash, token.CreatedAt)
				return err
			})
			if won != 1 {
				t.Errorf("%s: %d took it", kind, won)
			}
		}
	}},
	law{"TokensAreVoidedAndExpire", func(t *testing.T, h Harness) {
		anna, bert, now := aUser(t, h.Store, "anna"), aUser(t, h.Store, "bert"), domain.Stamp(time.Now())
		for i, u := range []domain.User{anna, bert} {
			for _, kind := range []domain.TokenKind{domain.TokenResetPassword, domain.TokenVerifyEmail} {
				token := domain.OneTimeToken{Hash: fmt.Appendf(nil, "%d", i), Kind: kind, UserID: u.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
				update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OneTimeTokens.Create(ctx, token) })
			}
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OneTimeTokens.Void(ctx, anna.ID) })
		for _, kind := range []domain.TokenKind{domain.TokenResetPassword, domain.TokenVerifyEmail} {
			_, err := h.Store.Read().OneTimeTokens.Of(deadline(t), kind, anna.ID, now)
			wantFault(t, err, fault.NotFound, "one_time_token.not_found")
			if _, err := h.Store.Read().OneTimeTokens.Of(deadline(t), kind, bert.ID, now); err != nil {
				t.Error(err)
			}
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			n, err := tx.OneTimeTokens.DeleteExpired(ctx, now.Add(2*time.Hour))
			if n != 2 || err != nil {
				t.Errorf("%d were removed, %v", n, err)
			}
			return err
		})
	}},
)

var _ = declare("avatars", law{"OnePictureAnAccount", func(t *testing.T, h Harness) {
	u := aUser(t, h.Store, "anna")
	for range 2 { // the first is an insert, the second replaces
		var a domain.Avatar
		fill(t, &a)
		a.UserID = u.ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Avatars.Save(ctx, a) })
		got, err := h.Store.Read().Avatars.Get(deadline(t), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, a)
	}
	for range 2 {
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Avatars.Delete(ctx, u.ID) })
	}
	_, err := h.Store.Read().Avatars.Get(deadline(t), u.ID)
	wantFault(t, err, fault.NotFound, "avatar.not_found")
	err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
		return tx.Avatars.Save(ctx, domain.Avatar{UserID: domain.NewID(), Data: []byte("x")})
	})
	wantFault(t, err, fault.NotFound, "user.not_found")
}})
