package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
			return h.Store.Read().Users.List(deadline(t), domain.UserFilter{}, req)
		})
		names := make([]string, len(got))
		for i, u := range got {
			names[i] = u.Username
		}
		if !slices.Equal(names, []string{"a0", "B1", "c2", "D3", "e4"}) {
			t.Fatalf("got %v", names)
		}
		page, err := h.Store.Read().Users.List(deadline(t), domain.UserFilter{}, domain.PageRequest{Limit: 1, IncludeTotal: true})
		if err != nil || page.Total == nil || *page.Total != 5 {
			t.Fatalf("total %v, %v", page.Total, err)
		}
		_, err = h.Store.Read().Users.List(deadline(t), domain.UserFilter{}, domain.PageRequest{Cursor: page.NextCursor[:len(page.NextCursor)-1]})
		wantFault(t, err, fault.Invalid, store.CodeBadCursor)
	}},
	law{"NamesAndAddressesAreUniqueAcrossEachOther", func(t *testing.T, h Harness) {
		first := aUser(t, h.Store, "anna@example.org")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			first.Email = "Anna@Example.org" // one's own name may be one's address
			return tx.Users.Update(ctx, first)
		})
		second := aUser(t, h.Store, "bert")
		for _, c := range []struct {
			username, email, code string
		}{
			{"ANNA@example.org", "", "user.username_taken"},
			{"carl", "anna@EXAMPLE.org", "user.email_taken"},
			{"Bert", "new@example.org", "user.username_taken"},
		} {
			u := domain.User{ID: domain.NewID(), Username: c.username, Email: c.email}
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, u, "x") })
			wantFault(t, err, fault.Conflict, c.code)
		}
		second.Email = "anna@example.org"
		err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, second) })
		wantFault(t, err, fault.Conflict, "user.email_taken")
		first.Username, first.Email = "annabel", ""
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, first) })
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, second) }) // it is free now
	}},
	law{"ParallelAccountsOfOneNameGiveOne", func(t *testing.T, h Harness) {
		var made atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
					return tx.Users.Create(ctx, domain.User{ID: domain.NewID(), Username: "only"}, "x")
				})
				switch {
				case err == nil:
					made.Add(1)
				case fault.CodeOf(err) != "user.username_taken" && fault.CodeOf(err) != store.CodeUnavailable:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != 1 {
			t.Errorf("%d accounts", made.Load())
		}
	}},
	law{"WhatIsAbsentIsNotFound", func(t *testing.T, h Harness) {
		none, r, now := domain.NewID(), h.Store.Read(), time.Now()
		reads := map[string]func(ctx context.Context) error{
			"user.not_found Get":                   func(ctx context.Context) error { _, err := r.Users.Get(ctx, none); return err },
			"user.not_found ByLogin":               func(ctx context.Context) error { _, _, err := r.Users.ByLogin(ctx, "none"); return err },
			"user.not_found PasswordHash":          func(ctx context.Context) error { _, err := r.Users.PasswordHash(ctx, none); return err },
			"user.not_found Preferences":           func(ctx context.Context) error { _, err := r.Users.Preferences(ctx, none); return err },
			"session.not_found Get":                func(ctx context.Context) error { _, err := r.Sessions.Get(ctx, none); return err },
			"refresh_token.not_found RefreshToken": func(ctx context.Context) error { _, err := r.Sessions.RefreshToken(ctx, []byte("none")); return err },
			"secret.not_found Get":                 func(ctx context.Context) error { _, err := r.Secrets.Get(ctx, "none"); return err },
		}
		for name, read := range reads {
			code, _, _ := strings.Cut(name, " ")
			wantFault(t, read(deadline(t)), fault.NotFound, code)
		}
		writes := map[string]func(ctx context.Context, tx store.Tx) error{
			"user.not_found Update":          func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, domain.User{ID: none}) },
			"user.not_found SetPasswordHash": func(ctx context.Context, tx store.Tx) error { return tx.Users.SetPasswordHash(ctx, none, "x") },
			"user.not_found SavePreferences": func(ctx context.Context, tx store.Tx) error {
				return tx.Users.SavePreferences(ctx, none, domain.Preferences{})
			},
			"session.not_found Touch": func(ctx context.Context, tx store.Tx) error {
				return tx.Sessions.Touch(ctx, none, domain.SessionUse{At: now, ExpiresAt: now})
			},
			"session.not_found Revoke": func(ctx context.Context, tx store.Tx) error { return tx.Sessions.Revoke(ctx, none, now) },
			"refresh_token.not_found Rotate": func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Sessions.Rotate(ctx, []byte("none"), now, domain.RefreshToken{Hash: []byte("next")})
				return err
			},
		}
		for name, write := range writes {
			code, _, _ := strings.Cut(name, " ")
			wantFault(t, h.Store.Update(deadline(t), write), fault.NotFound, code)
		}
	}},
	law{"OnlyEnabledAdministratorsCount", func(t *testing.T, h Harness) {
		aUser(t, h.Store, "user")
		for i, disabled := range []bool{false, true} {
			admin := aUser(t, h.Store, fmt.Sprintf("admin%d", i))
			admin.Roles, admin.Disabled = []domain.RoleName{domain.RoleUser, domain.RoleAdmin}, disabled
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.Update(ctx, admin) })
		}
		if n, err := h.Store.Read().Users.CountAdmins(deadline(t)); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}},
	law{"PasswordHashIsReplaced", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "user")
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.SetPasswordHash(ctx, u.ID, "second") })
		if hash, err := h.Store.Read().Users.PasswordHash(deadline(t), u.ID); hash != "second" || err != nil {
			t.Errorf("got %q, %v", hash, err)
		}
	}},
	law{"PreferencesComeBackAndHaveDefaults", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "user")
		got, err := h.Store.Read().Users.Preferences(deadline(t), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, domain.Preferences{SubtitleMode: "auto"})
		for range 2 { // the first is an insert, the second replaces
			var p domain.Preferences
			fill(t, &p)
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Users.SavePreferences(ctx, u.ID, p) })
			if got, err = h.Store.Read().Users.Preferences(deadline(t), u.ID); err != nil {
				t.Fatal(err)
			}
			same(t, got, p)
		}
	}},
)

// aSession stores a session of the user with its first refresh token, named by hash, and returns it.
func aSession(t *testing.T, s store.Store, user domain.ID, hash string, change func(*domain.Session)) domain.Session {
	t.Helper()
	now := domain.Stamp(time.Now())
	session := domain.Session{ID: domain.NewID(), UserID: user, CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour)}
	if change != nil {
		change(&session)
	}
	token := domain.RefreshToken{Hash: []byte(hash), SessionID: session.ID, CreatedAt: now, ExpiresAt: session.ExpiresAt}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Sessions.Create(ctx, session, token) })
	return session
}

var _ = declare("sessions",
	law{"EveryFieldComesBack", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "user")
		var want domain.Session
		var token domain.RefreshToken
		fill(t, &want)
		fill(t, &token)
		want.UserID, token.SessionID = u.ID, want.ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Sessions.Create(ctx, want, token) })
		got, err := h.Store.Read().Sessions.Get(deadline(t), want.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
		gotToken, err := h.Store.Read().Sessions.RefreshToken(deadline(t), token.Hash)
		if err != nil {
			t.Fatal(err)
		}
		same(t, gotToken, token)
	}},
	law{"ByUserListsTheLivingLatestSeenFirst", func(t *testing.T, h Harness) {
		u, other, now := aUser(t, h.Store, "user"), aUser(t, h.Store, "other"), domain.Stamp(time.Now())
		seen := func(ago time.Duration) func(*domain.Session) {
			return func(s *domain.Session) { s.LastSeenAt = now.Add(-ago) }
		}
		older := aSession(t, h.Store, u.ID, "a", seen(2*time.Minute))
		newer := aSession(t, h.Store, u.ID, "b", seen(time.Minute))
		aSession(t, h.Store, u.ID, "c", func(s *domain.Session) { s.RevokedAt = &now })
		aSession(t, h.Store, u.ID, "d", func(s *domain.Session) { s.ExpiresAt = now })
		aSession(t, h.Store, other.ID, "e", nil)
		got, err := h.Store.Read().Sessions.ByUser(deadline(t), u.ID, now)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, []domain.Session{newer, older})
		if n, err := h.Store.Read().Sessions.Count(deadline(t), now); n != 3 || err != nil {
			t.Errorf("%d sessions live, %v: there are two of one user and one of another", n, err)
		}
	}},
	law{"TouchNeverGoesBackInTime", func(t *testing.T, h Harness) {
		s := aSession(t, h.Store, aUser(t, h.Store, "user").ID, "a", nil)
		later := s.LastSeenAt.Add(time.Minute)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			return tx.Sessions.Touch(ctx, s.ID, domain.SessionUse{At: later, ExpiresAt: later.Add(time.Hour), IP: "192.0.2.1", UserAgent: "new"})
		})
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			return tx.Sessions.Touch(ctx, s.ID, domain.SessionUse{At: s.LastSeenAt, ExpiresAt: s.LastSeenAt, IP: "192.0.2.2", UserAgent: "old"})
		})
		s.LastSeenAt, s.ExpiresAt, s.IP, s.UserAgent = later, later.Add(time.Hour), "192.0.2.1", "new"
		got, err := h.Store.Read().Sessions.Get(deadline(t), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, s)
	}},
	law{"RevocationKeepsItsFirstTime", func(t *testing.T, h Harness) {
		s := aSession(t, h.Store, aUser(t, h.Store, "user").ID, "a", nil)
		for i := range 2 {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
				return tx.Sessions.Revoke(ctx, s.ID, s.CreatedAt.Add(time.Duration(i)*time.Minute))
			})
		}
		got, err := h.Store.Read().Sessions.Get(deadline(t), s.ID)
		if err != nil || got.RevokedAt == nil || !got.RevokedAt.Equal(s.CreatedAt) {
			t.Errorf("got %v, %v", got.RevokedAt, err)
		}
	}},
	law{"RevokeUserSparesOneAndReturnsTheOthers", func(t *testing.T, h Harness) {
		u, other := aUser(t, h.Store, "user"), aUser(t, h.Store, "other")
		a, b, c := aSession(t, h.Store, u.ID, "a", nil), aSession(t, h.Store, u.ID, "b", nil), aSession(t, h.Store, u.ID, "c", nil)
		aSession(t, h.Store, other.ID, "d", nil)
		revoke := func(except *domain.ID) (ids []domain.ID) {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
				ids, err = tx.Sessions.RevokeUser(ctx, u.ID, time.Now(), except)
				return err
			})
			slices.SortFunc(ids, func(x, y domain.ID) int { return bytes.Compare(x[:], y[:]) })
			return ids
		}
		same(t, revoke(&b.ID), []domain.ID{a.ID, c.ID})
		same(t, revoke(nil), []domain.ID{b.ID})
		if left, err := h.Store.Read().Sessions.ByUser(deadline(t), other.ID, time.Now()); len(left) != 1 || err != nil {
			t.Errorf("another user's sessions: %v, %v", left, err)
		}
	}},
	law{"OfManyRotationsOneWins", func(t *testing.T, h Harness) {
		s := aSession(t, h.Store, aUser(t, h.Store, "user").ID, "first", nil)
		var wins atomic.Int32
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				next := domain.RefreshToken{Hash: []byte{byte(i)}, SessionID: s.ID, Generation: 1, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt}
				var rotated bool
				err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) (err error) {
					rotated, err = tx.Sessions.Rotate(ctx, []byte("first"), s.CreatedAt, next)
					return err
				})
				if err != nil && fault.CodeOf(err) != store.CodeUnavailable {
					t.Error(err)
				}
				if rotated && err == nil {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d rotations", wins.Load())
		}
		used, err := h.Store.Read().Sessions.RefreshToken(deadline(t), []byte("first"))
		if err != nil || used.UsedAt == nil || !used.UsedAt.Equal(s.CreatedAt) {
			t.Errorf("got %+v, %v", used, err)
		}
	}},
	law{"DeleteExpiredTakesTheTokensAlong", func(t *testing.T, h Harness) {
		u, now := aUser(t, h.Store, "user"), domain.Stamp(time.Now())
		gone := aSession(t, h.Store, u.ID, "gone", func(s *domain.Session) { s.ExpiresAt = now.Add(-time.Second) })
		stays := aSession(t, h.Store, u.ID, "stays", func(s *domain.Session) { s.ExpiresAt = now })
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if n, err := tx.Sessions.DeleteExpired(ctx, now); n != 1 || err != nil {
				t.Errorf("deleted %d, %v", n, err)
			}
			return nil
		})
		_, err := h.Store.Read().Sessions.Get(deadline(t), gone.ID)
		wantFault(t, err, fault.NotFound, "session.not_found")
		_, err = h.Store.Read().Sessions.RefreshToken(deadline(t), []byte("gone"))
		wantFault(t, err, fault.NotFound, "refresh_token.not_found")
		if _, err := h.Store.Read().Sessions.Get(deadline(t), stays.ID); err != nil {
			t.Error(err)
		}
	}},
)

var _ = declare("secrets",
	law{"EveryFieldComesBack", func(t *testing.T, h Harness) {
		var want store.Secret
		fill(t, &want)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Secrets.InsertIfAbsent(ctx, want)
			if err == nil {
				same(t, got, want)
			}
			return err
		})
		got, err := h.Store.Read().Secrets.Get(deadline(t), want.Name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}},
	law{"AllThatStartTogetherGetOneValue", func(t *testing.T, h Harness) {
		got := make([]string, 10)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				s := secretNamed("key")
				s.Sealed = []byte{byte('a' + i)}
				update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
					stored, err := tx.Secrets.InsertIfAbsent(ctx, s)
					got[i] = string(stored.Sealed)
					return err
				})
			})
		}
		wg.Wait()
		if len(slices.Compact(got)) != 1 {
			t.Errorf("got %v", got)
		}
	}},
	law{"ReplaceNeedsTheValueThatWasRead", func(t *testing.T, h Harness) {
		first, second, third := secretNamed("key"), secretNamed("key"), secretNamed("key")
		second.Sealed, third.Sealed = []byte("second"), []byte("third")
		replace := func(old, s store.Secret) (ok bool) {
			update(t, h.Store, func(ctx context.Context, tx store.Tx) (err error) {
				ok, err = tx.Secrets.Replace(ctx, old, s)
				return err
			})
			return ok
		}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Secrets.InsertIfAbsent(ctx, first)
			return err
		})
		if !replace(first, second) || replace(first, third) {
			t.Error("Replace did not compare")
		}
		got, err := h.Store.Read().Secrets.Get(deadline(t), "key")
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, second)
	}},
	law{"OfManyDeletionsOneIsTrue", func(t *testing.T, h Harness) {
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return insert(ctx, tx, "key") })
		var deletions atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				var deleted bool
				err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) (err error) {
					deleted, err = tx.Secrets.Delete(ctx, "key")
					return err
				})
				if deleted && err == nil {
					deletions.Add(1)
				}
			})
		}
		wg.Wait()
		if deletions.Load() != 1 || exists(t, h.Store, "key") {
			t.Errorf("%d deletions", deletions.Load())
		}
	}},
)

var _ = declare("challenges",
	law{"OneOfManyTakesAChallenge", func(t *testing.T, h Harness) {
		u := aUser(t, h.Store, "anna")
		var c domain.Challenge
		fill(t, &c)
		c.UserID = &u.ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.Challenges.Create(ctx, c) })
		now := c.ExpiresAt.Add(-time.Microsecond)
		got, err := h.Store.Read().Challenges.Get(deadline(t), c.Purpose, c.Hash, now)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, c)
		_, err = h.Store.Read().Challenges.Get(deadline(t), "another", c.Hash, now)
		wantFault(t, err, fault.NotFound, "challenge.not_found")
		_, err = h.Store.Read().Challenges.Get(deadline(t), c.Purpose, c.Hash, c.ExpiresAt)
		wantFault(t, err, fault.NotFound, "challenge.not_found")
		var taken atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error {
					_, err := tx.Challenges.Take(ctx, c.Purpose, c.Hash, now)
					return err
				})
				if err == nil {
					taken.Add(1)
				} else if !fault.IsNotFound(err) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("%d of 8 took it", n)
		}
	}},
	law{"ChallengesEndWithTimeAndAccount", func(t *testing.T, h Harness) {
		var old, young domain.Challenge
		fill(t, &old)
		fill(t, &young)
		old.UserID, young.UserID, young.Hash = nil, nil, []byte("another")
		young.ExpiresAt = old.ExpiresAt.Add(time.Hour)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			for _, c := range []domain.Challenge{old, young} {
				if err := tx.Challenges.Create(ctx, c); err != nil {
					return err
				}
			}
			n, err := tx.Challenges.DeleteExpired(ctx, old.ExpiresAt.Add(time.Minute))
			if err != nil || n != 1 {
				t.Errorf("%d were removed (%v)", n, err)
			}
			return err
		})
		if _, err := h.Store.Read().Challenges.Get(deadline(t), young.Purpose, young.Hash, old.ExpiresAt); err != nil {
			t.Error(err)
		}
	}},
)
