package auth_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

func TestFiftyParallelClaimsGiveOneOwner(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		second := identity.Start(t, p.Store, p.Bus, p.Clock, identity.Key(1))
		code, err := p.Auth.ClaimCode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if other, err := second.Auth.ClaimCode(t.Context()); err != nil || other != code {
			t.Fatalf("another process prints %q, %v instead of %q", other, err, code)
		}
		var owners atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			process := []*identity.Process{p, second}[i%2]
			wg.Go(func() {
				in, err := process.Auth.Claim(context.Background(), code, account.NewUser{Username: "owner", Password: identity.Password}, domain.Client{})
				switch {
				case err == nil:
					owners.Add(1)
					if !in.User.HasRole(domain.RoleAdmin) {
						t.Error("the owner is no administrator")
					}
				case fault.CodeOf(err) != auth.CodeSetupDone && fault.CodeOf(err) != auth.CodeWrongCode && fault.CodeOf(err) != store.CodeUnavailable:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if owners.Load() != 1 {
			t.Fatalf("%d owners", owners.Load())
		}
		_, err = p.Auth.Claim(t.Context(), code, account.NewUser{Username: "late", Password: identity.Password}, domain.Client{})
		wantCode(t, err, fault.NotFound, auth.CodeSetupDone)
		wantCode(t, p.Auth.CheckClaimCode(t.Context(), code), fault.NotFound, auth.CodeSetupDone)
		_, err = p.Auth.ClaimCode(t.Context())
		wantCode(t, err, fault.NotFound, auth.CodeSetupDone)
		if required, err := p.Auth.SetupRequired(t.Context()); required || err != nil {
			t.Errorf("setup required: %v, %v", required, err)
		}
	})
}

func TestClaimCodeIsLongLastsADayAndMayBeTypedAnyhow(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		if required, err := p.Auth.SetupRequired(ctx); !required || err != nil {
			t.Fatalf("setup required: %v, %v", required, err)
		}
		wantCode(t, p.Auth.CheckClaimCode(ctx, ""), fault.Forbidden, auth.CodeWrongCode)
		code, err := p.Auth.ClaimCode(ctx)
		if err != nil || len(strings.ReplaceAll(code, "-", ""))*5 < 128 {
			t.Fatalf("%q, %v", code, err)
		}
		if err := p.Auth.CheckClaimCode(ctx, " "+strings.ToLower(strings.ReplaceAll(code, "-", ""))+" "); err != nil {
			t.Error(err)
		}
		wantCode(t, p.Auth.CheckClaimCode(ctx, code[1:]), fault.Forbidden, auth.CodeWrongCode)
		_, err = p.Auth.Claim(ctx, "no", account.NewUser{Username: "owner", Password: identity.Password}, domain.Client{})
		wantCode(t, err, fault.Forbidden, auth.CodeWrongCode)
		_, err = p.Auth.Claim(ctx, code, account.NewUser{Username: "owner", Password: "too short"}, domain.Client{})
		wantCode(t, err, fault.Invalid, account.CodeInvalid)

		p.Clock.Add(24*time.Hour - time.Second)
		if same, err := p.Auth.ClaimCode(ctx); err != nil || same != code {
			t.Errorf("before it ends: %q, %v", same, err)
		}
		p.Clock.Add(time.Second)
		wantCode(t, p.Auth.CheckClaimCode(ctx, code), fault.Forbidden, auth.CodeWrongCode)
		next, err := p.Auth.ClaimCode(ctx)
		if err != nil || next == code {
			t.Errorf("an expired code was not replaced: %v", err)
		}
		replaced, err := p.Auth.NewClaimCode(ctx, domain.SystemActor())
		if err != nil || replaced == next {
			t.Errorf("on demand it was not replaced: %v", err)
		}
		wantCode(t, p.Auth.CheckClaimCode(ctx, next), fault.Forbidden, auth.CodeWrongCode)
		_, err = p.Auth.NewClaimCode(ctx, domain.Actor{})
		wantCode(t, err, fault.Unauthenticated, "auth.required")

		p.User(t, "made by the command line", domain.RoleAdmin)
		_, err = p.Auth.Claim(ctx, replaced, account.NewUser{Username: "owner", Password: identity.Password}, domain.Client{})
		wantCode(t, err, fault.NotFound, auth.CodeSetupDone)
	})
}

func TestServersSecretsAreSealedAndAnotherKeyDoesNotStart(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		code, err := p.Auth.ClaimCode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stored, err := p.Store.Read().Secrets.Get(t.Context(), "claim-code")
		if err != nil || strings.Contains(string(stored.Sealed), code) {
			t.Errorf("the code stands in the database: %v", err)
		}
		other := identity.New(t, p.Store, p.Bus, p.Clock, identity.Key(2))
		wantCode(t, other.Auth.Start(t.Context()), fault.Internal, "secrets.wrong_key")
		_, _, err = other.Auth.AuthenticateBearer(t.Context(), "x")
		wantCode(t, err, fault.Unavailable, "auth.not_started")
	})
}

func TestLoginTellsNothingButRightOrWrong(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "Anna")
		disabled := p.User(t, "Bert")
		if _, err := p.Accounts.SetDisabled(ctx, domain.SystemActor(), disabled.ID, true); err != nil {
			t.Fatal(err)
		}
		var messages []string
		for _, c := range [][2]string{{"nobody", identity.Password}, {"anna", "wrong"}, {"bert", identity.Password}, {"bert", "wrong"}, {"", ""}} {
			_, err := p.Auth.Login(ctx, c[0], c[1], domain.Client{}, auth.Options{})
			wantCode(t, err, fault.Unauthenticated, auth.CodeInvalidCredentials)
			messages = append(messages, err.Error())
		}
		if len(slices.Compact(messages)) != 1 {
			t.Errorf("the answers differ: %v", messages)
		}
		in := p.SignIn(t, "ANNA")
		if in.Session.Device != "Firefox on Linux" || in.Session.IP != "192.0.2.1" || in.User.LastLoginAt == nil || in.Actor.SessionID != in.Session.ID ||
			in.Tokens.ExpiresIn != 15*time.Minute || !in.Session.ExpiresAt.Equal(in.Session.CreatedAt.Add(14*24*time.Hour)) {
			t.Errorf("got %+v", in)
		}
		if another := p.SignIn(t, "anna"); another.Session.ID == in.Session.ID {
			t.Error("two logins share a session")
		}
	})
}

func TestLoginRehashesWeakerParameters(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		// bcrypt of identity.Password at cost 4, as an older system stored it.
		const old = domain.PasswordHash("$2a$04$xq9Qr//LEa0Ds3zLAUYFPuza/J4JKu1YK6ZmHbElcf8RaY6qTgoc6")
		if err := p.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Users.SetPasswordHash(ctx, u.ID, old) }); err != nil {
			t.Fatal(err)
		}
		for range 2 { // by the old hash, then by the new one
			p.SignIn(t, "anna")
		}
		if hash, err := p.Store.Read().Users.PasswordHash(t.Context(), u.ID); err != nil || !strings.HasPrefix(string(hash), "$argon2id$") {
			t.Errorf("the hash is %q, %v", hash, err)
		}
	})
}

func TestManyRightLoginsAtOnceAllSucceed(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := p.Auth.Login(context.Background(), "anna", identity.Password, domain.Client{}, auth.Options{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestReplayedRefreshTokenRevokesItsFamily(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		bystander := p.SignIn(t, "anna")
		second := refresh(t, p, in.Tokens.RefreshToken)
		third := refresh(t, p, second.RefreshToken)

		_, err := p.Auth.Refresh(ctx, in.Tokens.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		_, err = p.Auth.Refresh(ctx, third.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		_, _, err = p.Auth.AuthenticateBearer(ctx, third.AccessToken)
		wantCode(t, err, fault.Unauthenticated, session.CodeEnded)
		_, _, err = p.Auth.AuthenticateCookie(ctx, p.Auth.CookieFor(in.Session))
		wantCode(t, err, fault.Unauthenticated, session.CodeEnded)
		refresh(t, p, bystander.Tokens.RefreshToken) // another session of the same account goes on
	})
}

func refresh(t *testing.T, p *identity.Process, token string) auth.Tokens {
	t.Helper()
	pair, err := p.Auth.Refresh(t.Context(), token, identity.Client)
	if err != nil {
		t.Fatal(err)
	}
	if pair.RefreshToken == token {
		t.Fatal("the token was not rotated")
	}
	return pair
}

func TestTwentyParallelRefreshesGiveOneSuccessor(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		second := identity.Start(t, p.Store, p.Bus, p.Clock, identity.Key(1))
		successors := make([]string, 20)
		var wg sync.WaitGroup
		for i := range successors {
			process := []*identity.Process{p, second}[i%2]
			wg.Go(func() {
				pair, err := process.Auth.Refresh(context.Background(), in.Tokens.RefreshToken, identity.Client)
				if err != nil {
					t.Error(err)
				}
				successors[i] = pair.RefreshToken
			})
		}
		wg.Wait()
		if len(slices.Compact(successors)) != 1 {
			t.Errorf("got %v", successors)
		}
		refresh(t, p, successors[0])
	})
}

func TestPredecessorGetsItsSuccessorAgainForTenSeconds(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		next := refresh(t, p, in.Tokens.RefreshToken)
		p.Clock.Add(10 * time.Second)
		if again := refresh(t, p, in.Tokens.RefreshToken); again.RefreshToken != next.RefreshToken {
			t.Error("within the grace it got another successor")
		}
		p.Clock.Add(time.Microsecond)
		_, err := p.Auth.Refresh(t.Context(), in.Tokens.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		_, err = p.Auth.Refresh(t.Context(), next.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
	})
}

func TestSessionEndsThirtyDaysAfterSignInHoweverActive(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		pair := in.Tokens
		for range 29 {
			p.Clock.Add(24 * time.Hour)
			pair = refresh(t, p, pair.RefreshToken)
		}
		p.Clock.Add(24*time.Hour - time.Minute)
		pair = refresh(t, p, pair.RefreshToken)
		if pair.ExpiresIn > time.Minute {
			t.Errorf("the access token lasts %v, the session a minute", pair.ExpiresIn)
		}
		p.Clock.Add(time.Minute)
		_, err := p.Auth.Refresh(t.Context(), pair.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		_, _, err = p.Auth.AuthenticateCookie(t.Context(), p.Auth.CookieFor(in.Session))
		wantCode(t, err, fault.Unauthenticated, session.CodeEnded)
		if n, err := p.Sessions.DeleteExpired(t.Context()); n != 0 || err != nil {
			t.Errorf("at its end %d sessions were removed, %v", n, err)
		}
		p.Clock.Add(time.Microsecond)
		if n, err := p.Sessions.DeleteExpired(t.Context()); n != 1 || err != nil {
			t.Errorf("after its end %d sessions were removed, %v", n, err)
		}
	})
}

func TestNothingElsePassesForACredential(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		p.User(t, "anna")
		in, other := p.SignIn(t, "anna"), p.SignIn(t, "anna")
		cookie := p.Auth.CookieFor(in.Session)
		data, err := base64.RawURLEncoding.DecodeString(cookie)
		if err != nil {
			t.Fatal(err)
		}
		swapped := base64.RawURLEncoding.EncodeToString(append(append([]byte{}, other.Session.ID[:]...), data[16:]...))
		for _, value := range []string{"", "x", cookie[1:], cookie + "A", swapped, in.Session.ID.String(), in.Tokens.AccessToken} {
			_, _, err := p.Auth.AuthenticateCookie(ctx, value)
			wantCode(t, err, fault.Unauthenticated, auth.CodeCookieInvalid)
		}
		for _, value := range []string{"", "x", in.Tokens.RefreshToken, cookie, in.Tokens.AccessToken + "x"} {
			_, _, err := p.Auth.AuthenticateBearer(ctx, value)
			wantCode(t, err, fault.Unauthenticated, "auth.token_invalid")
		}
		for _, value := range []string{"", "x", in.Tokens.AccessToken, cookie, strings.Repeat("A", 43)} {
			_, err := p.Auth.Refresh(ctx, value, identity.Client)
			wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		}
		for _, authenticate := range []func() (domain.Actor, domain.Session, error){
			func() (domain.Actor, domain.Session, error) { return p.Auth.AuthenticateCookie(ctx, cookie) },
			func() (domain.Actor, domain.Session, error) {
				return p.Auth.AuthenticateBearer(ctx, in.Tokens.AccessToken)
			},
		} {
			actor, of, err := authenticate()
			if err != nil || actor.UserID != in.User.ID || actor.SessionID != in.Session.ID || of.ID != in.Session.ID || !actor.HasRole(domain.RoleUser) {
				t.Errorf("got %+v, %+v, %v", actor, of, err)
			}
		}
		p.Clock.Add(15*time.Minute + time.Minute)
		_, _, err = p.Auth.AuthenticateBearer(ctx, in.Tokens.AccessToken)
		wantCode(t, err, fault.Unauthenticated, "auth.token_expired")
	})
}

func TestLogoutEndsTheSessionAtOnceAndSoonInEveryProcess(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in, stays := p.SignIn(t, "anna"), p.SignIn(t, "anna")
		second := identity.Start(t, p.Store, p.Bus, p.Clock, identity.Key(1))
		for _, process := range []*identity.Process{p, second} {
			if err := process.Auth.Check(t.Context(), in.Actor, domain.PermissionSession); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Auth.Logout(t.Context(), in.Actor); err != nil {
			t.Fatal(err)
		}
		wantCode(t, p.Auth.Check(t.Context(), in.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
		eventuallyEnded(t, second, in.Actor)
		_, err := p.Auth.Refresh(t.Context(), in.Tokens.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
		if err := second.Auth.Check(t.Context(), stays.Actor, domain.PermissionSession); err != nil {
			t.Error(err)
		}
	})
}

// eventuallyEnded polls until the process refuses the actor, longer than any cache keeps.
func eventuallyEnded(t *testing.T, p *identity.Process, actor domain.Actor) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := p.Auth.Check(t.Context(), actor, domain.PermissionSession)
		if err != nil {
			wantCode(t, err, fault.Unauthenticated, session.CodeEnded)
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the session goes on")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestDisabledAccountIsOutEverywhere(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		in := p.SignIn(t, "anna")
		second := identity.Start(t, p.Store, p.Bus, p.Clock, identity.Key(1))
		if err := second.Auth.Check(t.Context(), in.Actor, domain.PermissionSession); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Accounts.SetDisabled(t.Context(), domain.SystemActor(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		wantCode(t, p.Auth.Check(t.Context(), in.Actor, domain.PermissionSession), fault.Unauthenticated, session.CodeEnded)
		eventuallyEnded(t, second, in.Actor)
	})
}

func TestSessionEndsAfterTwoWeeksWithoutUse(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		p.Clock.Add(13 * 24 * time.Hour)
		_, of, err := p.Auth.AuthenticateCookie(t.Context(), p.Auth.CookieFor(in.Session))
		if err != nil {
			t.Fatal(err)
		}
		p.Auth.Seen(t.Context(), of, "192.0.2.1", "")
		p.Clock.Add(14*24*time.Hour - time.Second)
		if err := p.Auth.Check(t.Context(), in.Actor, domain.PermissionSession); err != nil {
			t.Errorf("a session that was used a moment less than two weeks ago: %v", err)
		}
		p.Clock.Add(time.Second)
		_, err = p.Auth.Refresh(t.Context(), in.Tokens.RefreshToken, identity.Client)
		wantCode(t, err, fault.Unauthenticated, auth.CodeRefreshInvalid)
	})
}

func TestRotatedKeysSignNobodyOutAndOldOnesEnd(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		second := identity.Start(t, p.Store, p.Bus, p.Clock, identity.Key(1))
		p.User(t, "anna")
		in := p.SignIn(t, "anna")
		cookie := p.Auth.CookieFor(in.Session)
		if err := p.Auth.RotateKeys(ctx, domain.Actor{}); err == nil {
			t.Error("anybody may rotate")
		}
		p.Clock.Add(time.Second)
		if err := p.Auth.RotateKeys(ctx, domain.SystemActor()); err != nil {
			t.Fatal(err)
		}
		later := p.SignIn(t, "anna")
		if p.Auth.CookieFor(in.Session) == cookie {
			t.Error("the old key still makes cookies")
		}
		for name, process := range map[string]*identity.Process{"the one that rotated": p, "another": second} {
			for _, token := range []string{in.Tokens.AccessToken, later.Tokens.AccessToken} {
				if _, _, err := process.Auth.AuthenticateBearer(ctx, token); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, c := range []string{cookie, p.Auth.CookieFor(later.Session)} {
				if _, _, err := process.Auth.AuthenticateCookie(ctx, c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		// A client that lost the answer of before the rotation gets the same successor after it.
		first := refresh(t, second, later.Tokens.RefreshToken)
		if err := p.Auth.RotateKeys(ctx, domain.SystemActor()); err != nil {
			t.Fatal(err)
		}
		if again := refresh(t, p, later.Tokens.RefreshToken); again.RefreshToken != first.RefreshToken {
			t.Error("the same refresh token got another successor")
		}
		p.Clock.Add(20 * time.Minute)
		if err := p.Auth.CleanUp(ctx); err != nil {
			t.Fatal(err)
		}
		stored, err := p.Store.Read().Secrets.Get(ctx, "signing-keys")
		if err != nil {
			t.Fatal(err)
		}
		p.Clock.Add(31 * 24 * time.Hour)
		if err := p.Auth.CleanUp(ctx); err != nil {
			t.Fatal(err)
		}
		after, err := p.Store.Read().Secrets.Get(ctx, "cookie-key")
		if err != nil || len(after.Sealed) >= len(stored.Sealed)+50 {
			t.Errorf("the old cookie keys are still there: %d bytes, %v", len(after.Sealed), err)
		}
	})
}
