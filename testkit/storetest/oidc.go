package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// aLink stores that the account is this identity.
func aLink(t *testing.T, s store.Store, user domain.ID, issuer, subject string) domain.OIDCLink {
	t.Helper()
	l := domain.OIDCLink{ID: domain.NewID(), UserID: user, Issuer: issuer, Subject: subject, CreatedAt: domain.Stamp(time.Now())}
	update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateLink(ctx, l) })
	return l
}

var _ = declare("oidc",
	law{"EveryFieldOfAProviderComesBack", func(t *testing.T, h Harness) {
		var p domain.OIDCProvider
		fill(t, &p)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateProvider(ctx, p) })
		got, err := h.Store.Read().OIDC.Provider(deadline(t), p.Name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, p)
		id := p.ID
		fill(t, &p)
		p.ID, p.AutoRegister, p.MapAdmin, p.TrustMFA, p.Enabled, p.SealedSecret, p.RoleMapping = id, false, false, false, false, nil, []domain.OIDCRoleMapping{}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OIDC.UpdateProvider(ctx, p) })
		list, err := h.Store.Read().OIDC.Providers(deadline(t))
		if err != nil || len(list) != 1 {
			t.Fatalf("%d providers, %v", len(list), err)
		}
		same(t, list[0], p)
	}},
	law{"ProvidersAreInTheirOrderAndApartInNameAndIssuer", func(t *testing.T, h Harness) {
		create := func(name, issuer string, position int) (domain.OIDCProvider, error) {
			p := domain.OIDCProvider{ID: domain.NewID(), Name: name, Issuer: issuer, Position: position}
			return p, h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateProvider(ctx, p) })
		}
		var last domain.OIDCProvider
		for i, name := range []string{"c", "b", "a"} {
			var err error
			if last, err = create(name, "https://"+name, []int{1, 2, 2}[i]); err != nil {
				t.Fatal(err)
			}
		}
		list, err := h.Store.Read().OIDC.Providers(deadline(t))
		if err != nil || len(list) != 3 || list[0].Name+list[1].Name+list[2].Name != "cab" {
			t.Fatalf("got %+v, %v", list, err)
		}
		_, err = create("a", "https://new", 0)
		wantFault(t, err, fault.Conflict, "oidc.name_taken")
		_, err = create("new", "https://a", 0)
		wantFault(t, err, fault.Conflict, "oidc.issuer_taken")
		if _, err = create("other-letters", "https://A", 0); err != nil {
			t.Errorf("issuers are compared to the letter: %v", err)
		}
		last.Issuer = "https://b"
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.UpdateProvider(ctx, last) })
		wantFault(t, err, fault.Conflict, "oidc.issuer_taken")
	}},
	law{"AnIdentityIsOneAccountsAndOutlivesItsProvider", func(t *testing.T, h Harness) {
		ann, bob := aUser(t, h.Store, "ann"), aUser(t, h.Store, "bob")
		p := domain.OIDCProvider{ID: domain.NewID(), Name: "p", Issuer: "https://p"}
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateProvider(ctx, p) })
		first := aLink(t, h.Store, ann.ID, "https://p", "Subject")
		for _, c := range []struct {
			user    domain.ID
			subject string
			code    string
		}{{bob.ID, "Subject", "oidc.identity_taken"}, {ann.ID, "another", "oidc.already_linked"}} {
			l := domain.OIDCLink{ID: domain.NewID(), UserID: c.user, Issuer: "https://p", Subject: c.subject}
			err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateLink(ctx, l) })
			wantFault(t, err, fault.Conflict, c.code)
		}
		aLink(t, h.Store, bob.ID, "https://p", "subject") // another letter is another person
		aLink(t, h.Store, ann.ID, "https://q", "Subject") // as is the same subject elsewhere
		used := domain.Stamp(time.Now().Add(time.Minute))
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.OIDC.UseLink(ctx, first.ID, "Ann at P", used); err != nil {
				return err
			}
			return tx.OIDC.DeleteProvider(ctx, p.ID)
		})
		first.Label, first.LastUsedAt = "Ann at P", &used
		got, err := h.Store.Read().OIDC.LinkOf(deadline(t), "https://p", "Subject")
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, first)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error { return tx.OIDC.DeleteLink(ctx, first.ID) })
		if list, err := h.Store.Read().OIDC.LinksOf(deadline(t), ann.ID); err != nil || len(list) != 1 || list[0].Issuer != "https://q" {
			t.Errorf("got %+v, %v", list, err)
		}
	}},
	law{"OfManyAtOnceOneGetsAnIdentity", func(t *testing.T, h Harness) {
		var got atomic.Int32
		var wg sync.WaitGroup
		for i := range 4 {
			user := aUser(t, h.Store, fmt.Sprint("user", i))
			wg.Go(func() {
				l := domain.OIDCLink{ID: domain.NewID(), UserID: user.ID, Issuer: "https://p", Subject: "s"}
				err := h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.CreateLink(ctx, l) })
				switch {
				case err == nil:
					got.Add(1)
				case fault.CodeOf(err) != "oidc.identity_taken" && fault.CodeOf(err) != store.CodeUnavailable:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got.Load() != 1 {
			t.Errorf("%d accounts have it", got.Load())
		}
	}},
	law{"SessionsAreFoundBySubjectOrByTheProvidersSession", func(t *testing.T, h Harness) {
		ann := aUser(t, h.Store, "ann")
		var first domain.OIDCSession
		fill(t, &first)
		first.SessionID = aSession(t, h.Store, ann.ID, "first", nil).ID
		second := first
		second.ID, second.SessionID, second.ProviderSession, second.SealedToken = domain.NewID(), aSession(t, h.Store, ann.ID, "second", nil).ID, "other", nil
		second.CreatedAt = first.CreatedAt.Add(time.Minute)
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.OIDC.CreateSession(ctx, first); err != nil {
				return err
			}
			return tx.OIDC.CreateSession(ctx, second)
		})
		got, err := h.Store.Read().OIDC.Session(deadline(t), first.SessionID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, first)
		third := aSession(t, h.Store, ann.ID, "third", nil).ID
		update(t, h.Store, func(ctx context.Context, tx store.Tx) error {
			if err := tx.OIDC.MoveSession(ctx, domain.NewID(), second.SessionID); err != nil {
				return err
			}
			return tx.OIDC.MoveSession(ctx, first.SessionID, third)
		})
		first.SessionID = third
		if got, err = h.Store.Read().OIDC.Session(deadline(t), third); err != nil {
			t.Fatal(err)
		}
		same(t, got, first)
		later := second.CreatedAt.Add(time.Second)
		for name, c := range map[string]struct {
			subject, session string
			before           time.Time
			want             int
		}{
			"by subject": {first.Subject, "", later, 2}, "by session": {"", first.ProviderSession, later, 1}, "by both": {first.Subject, "other", later, 1},
			"of nobody": {"nobody", "", later, 0}, "of somebody else's session": {"nobody", "other", later, 0}, "of neither": {"", "", later, 0},
			"before the second": {first.Subject, "", second.CreatedAt, 1},
		} {
			if list, err := h.Store.Read().OIDC.SessionsOf(deadline(t), first.Issuer, c.subject, c.session, c.before); err != nil || len(list) != c.want {
				t.Errorf("%s: %d, %v", name, len(list), err)
			}
		}
	}},
	law{"WhatIsAbsentIsNotFound", func(t *testing.T, h Harness) {
		none, r := domain.NewID(), h.Store.Read()
		_, err := r.OIDC.Provider(deadline(t), "none")
		wantFault(t, err, fault.NotFound, "oidc_provider.not_found")
		_, err = r.OIDC.LinkOf(deadline(t), "https://p", "none")
		wantFault(t, err, fault.NotFound, "oidc_link.not_found")
		_, err = r.OIDC.Session(deadline(t), none)
		wantFault(t, err, fault.NotFound, "oidc_session.not_found")
		for code, write := range map[string]func(ctx context.Context, tx store.Tx) error{
			"oidc_provider.not_found": func(ctx context.Context, tx store.Tx) error {
				return tx.OIDC.UpdateProvider(ctx, domain.OIDCProvider{ID: none})
			},
			"oidc_link.not_found": func(ctx context.Context, tx store.Tx) error { return tx.OIDC.UseLink(ctx, none, "", time.Now()) },
		} {
			wantFault(t, h.Store.Update(deadline(t), write), fault.NotFound, code)
		}
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.DeleteLink(ctx, none) })
		wantFault(t, err, fault.NotFound, "oidc_link.not_found")
		err = h.Store.Update(deadline(t), func(ctx context.Context, tx store.Tx) error { return tx.OIDC.DeleteProvider(ctx, none) })
		wantFault(t, err, fault.NotFound, "oidc_provider.not_found")
	}},
)
