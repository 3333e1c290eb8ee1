package auth_test

import (
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

func TestReauthenticationReplacesTheSessionAndCountsWithSignIns(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "anna")
		old := p.SignIn(t, "anna")
		p.Clock.Add(time.Hour)
		in, err := p.Auth.Reauthenticate(ctx, old.Actor, auth.Proof{Password: identity.Password}, identity.Client)
		if err != nil {
			t.Fatal(err)
		}
		if in.Session.ID == old.Session.ID || !in.Session.AuthenticatedAt.Equal(domain.Stamp(p.Clock.Now())) || *in.Session.DeviceID != *old.Session.DeviceID {
			t.Errorf("got %+v", in.Session)
		}
		wantCode(t, p.Auth.Check(ctx, old.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
		_, err = p.Auth.Refresh(ctx, old.Tokens.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		_, err = p.Auth.Reauthenticate(ctx, old.Actor, auth.Proof{Password: identity.Password}, identity.Client)
		wantCode(t, err, fault.Unauthenticated, session.CodeEnded)

		wrong := func(n int) {
			for range n {
				_, err := p.Auth.Reauthenticate(ctx, in.Actor, auth.Proof{Password: "wrong"}, identity.Client)
				wantCode(t, err, fault.Unauthenticated, auth.CodeInvalidCredentials)
			}
		}
		wrong(3)
		for range 2 {
			_, err := p.Auth.Login(ctx, "ANNA", "wrong", domain.Client{IP: "192.0.2.9"}, auth.Options{})
			wantCode(t, err, fault.Unauthenticated, auth.CodeInvalidCredentials)
		}
		_, err = p.Auth.Reauthenticate(ctx, in.Actor, auth.Proof{Password: identity.Password}, identity.Client)
		wantCode(t, err, fault.RateLimited, attempts.CodeTooMany)
		_, err = p.Auth.Login(ctx, "anna", identity.Password, domain.Client{}, auth.Options{})
		wantCode(t, err, fault.RateLimited, attempts.CodeTooMany)
		if err := p.Auth.Check(ctx, in.Actor, domain.PermissionSession); err != nil {
			t.Errorf("who is signed in was signed out: %v", err)
		}
	})
}

func TestNamesThatNobodyHasAreCountedAsAccountsAre(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		for _, name := range []string{"anna", "nobody"} {
			for i := range 6 {
				_, err := p.Auth.Login(t.Context(), []string{name, " " + name + " "}[i%2], "wrong", domain.Client{}, auth.Options{})
				if i < 5 {
					wantCode(t, err, fault.Unauthenticated, auth.CodeInvalidCredentials)
				} else {
					wantCode(t, err, fault.RateLimited, attempts.CodeTooMany)
				}
			}
		}
	})
}

func TestOwnerIsToldOfAnUnknownDeviceButNotOfTheFirst(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		told := func() int {
			t.Helper()
			page, err := p.Store.Read().Activity.List(t.Context(), domain.ActivityFilter{Action: domain.ActivityNewDevice}, domain.PageRequest{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			return len(page.Items)
		}
		for _, c := range []struct {
			userAgent string
			want      int
		}{
			{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 0},
			{"Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0", 0}, // after an update
			{"VLC/3.0.20 LibVLC/3.0.20", 1},
			{"VLC/3.0.20 LibVLC/3.0.20", 1},
		} {
			if _, err := p.Auth.Login(t.Context(), "anna", identity.Password, domain.Client{UserAgent: c.userAgent}, auth.Options{}); err != nil {
				t.Fatal(err)
			}
			if got := told(); got != c.want {
				t.Errorf("after %s: told %d times, want %d", c.userAgent, got, c.want)
			}
		}
	})
}

func TestASessionThatEndsMeanwhileIsNotRenewed(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "anna")
		for range 8 {
			old := p.SignIn(t, "anna")
			var renewed auth.SignedIn
			var failed error
			var both sync.WaitGroup
			both.Go(func() { renewed, failed = p.Auth.Renew(ctx, old.Actor, identity.Client) })
			both.Go(func() {
				if err := p.Sessions.RevokeAll(ctx, old.Actor, false); err != nil {
					t.Error(err)
				}
			})
			both.Wait()
			if failed != nil {
				wantCode(t, failed, fault.Unauthenticated, session.CodeEnded)
			} else { // renewed first: then what came of it ended with all the others
				wantCode(t, p.Auth.Check(ctx, renewed.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
			}
			wantCode(t, p.Auth.Check(ctx, old.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
			_, err := p.Auth.Renew(ctx, old.Actor, identity.Client)
			wantCode(t, err, fault.Unauthenticated, session.CodeEnded)
		}
	})
}
