package mfa_test

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mfa"
	"github.com/revenge-media/revenge/ports/passkey"
	"github.com/revenge-media/revenge/testkit/passkeytest"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

var client = domain.Client{IP: "192.0.2.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

func wantCode(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Fatalf("got error %v, want %s with code %s", err, kind, code)
	}
}

// app is an authenticator app with its secret.
type app struct{ secret string }

func (a app) code(t *testing.T, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(a.secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrolled adds an app to the actor's account, which switches the second factor on, and moves to the next time step.
func enrolled(t *testing.T, p *identity.Process, actor domain.Actor) (app, []string) {
	t.Helper()
	p.Clock.Add(time.Second) // since the session was opened
	e, err := p.MFA.SetUpTOTP(t.Context(), actor)
	if err != nil {
		t.Fatal(err)
	}
	a := app{e.Secret}
	added, err := p.MFA.VerifyTOTP(t.Context(), actor, a.code(t, p.Clock.Now()))
	if err != nil || !added.Status.Enabled || !added.Status.TOTP || len(added.BackupCodes) != 10 || added.Status.BackupCodesRemaining != 10 {
		t.Fatalf("got %+v, %v", added, err)
	}
	p.Clock.Add(30 * time.Second)
	return a, added.BackupCodes
}

// oneOf shows the same proof many times at once on two instances and fails unless one is taken.
func oneOf(t *testing.T, many int, instances [2]*identity.Process, user domain.ID, proof domain.FactorProof) {
	t.Helper()
	var taken atomic.Int32
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			_, err := instances[i%2].MFA.Verify(context.Background(), user, proof, client)
			switch {
			case err == nil:
				taken.Add(1)
			case fault.CodeOf(err) != mfa.CodeWrong && fault.CodeOf(err) != attempts.CodeTooMany:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d of %d were taken", taken.Load(), many)
	}
}

func TestACodeIsTakenOnceByAllInstances(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		a, codes := enrolled(t, p, p.SignIn(t, "anna").Actor)
		pair := [2]*identity.Process{p, identity.Start(t, p.Store, p.Bus, p.Clock, identity.Key(1))}
		oneOf(t, 20, pair, u.ID, domain.FactorProof{Method: domain.FactorTOTP, Code: a.code(t, p.Clock.Now())})
		p.Clock.Add(time.Hour)
		oneOf(t, 50, pair, u.ID, domain.FactorProof{Method: domain.FactorBackupCode, Code: strings.ToLower(strings.ReplaceAll(codes[3], "-", " "))})
	})
}

func TestFiveWrongCodesCloseTheDoorForAWhile(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		a, _ := enrolled(t, p, p.SignIn(t, "anna").Actor)
		show := func(code string) error {
			_, err := p.MFA.Verify(t.Context(), u.ID, domain.FactorProof{Method: domain.FactorTOTP, Code: code}, client)
			return err
		}
		for range 5 {
			wantCode(t, show("wrong"), fault.Unauthenticated, mfa.CodeWrong)
		}
		wantCode(t, show(a.code(t, p.Clock.Now())), fault.RateLimited, attempts.CodeTooMany)
		p.Clock.Add(time.Hour)
		if err := show(a.code(t, p.Clock.Now())); err != nil {
			t.Error(err)
		}
	})
}

func TestAClockThatGoesBackAcceptsNothing(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		a, _ := enrolled(t, p, p.SignIn(t, "anna").Actor)
		show := func() error {
			_, err := p.MFA.Verify(t.Context(), u.ID, domain.FactorProof{Method: domain.FactorTOTP, Code: a.code(t, p.Clock.Now())}, client)
			return err
		}
		if err := show(); err != nil {
			t.Fatal(err)
		}
		p.Clock.Add(-5 * time.Minute)
		wantCode(t, show(), fault.Unauthenticated, mfa.CodeWrong)
		p.Clock.Add(6 * time.Minute)
		if err := show(); err != nil {
			t.Error(err)
		}
	})
}

func TestSecretsAndCodesAreKeptSoThatNobodyReadsThem(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		a, codes := enrolled(t, p, p.SignIn(t, "anna").Actor)
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(a.secret)
		if err != nil || len(secret)*8 != 160 {
			t.Fatalf("%d bytes, %v", len(secret), err)
		}
		kept, err := p.Store.Read().MFA.TOTP(t.Context(), u.ID)
		if err != nil || strings.Contains(string(kept.Secret), string(secret)) || kept.Pending != nil {
			t.Errorf("the secret shows: %v", err)
		}
		seen := map[string]bool{}
		for _, c := range codes {
			if groups := strings.Split(c, "-"); seen[c] || len(strings.Join(groups, ""))*5 < 112 || len(groups[0]) != 4 {
				t.Errorf("the code %q", c)
			}
			seen[c] = true
		}
		list, err := p.Store.Read().MFA.BackupCodes(t.Context(), u.ID)
		if err != nil || len(list) != 10 || len(list[0].Hash) != 32 {
			t.Errorf("got %v, %v", list, err)
		}
	})
}

func TestRegeneratingKillsTheOldSetAndEndsOtherSessions(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		mine := p.SignIn(t, "anna")
		other := p.SignIn(t, "anna")
		_, old := enrolled(t, p, mine.Actor)
		if _, _, err := p.Auth.AuthenticateBearer(t.Context(), other.Tokens.AccessToken); fault.CodeOf(err) != "session.ended" {
			t.Errorf("the other session goes on: %v", err)
		}
		_, err := p.MFA.BackupCodes(t.Context(), mine.Actor, false)
		wantCode(t, err, fault.Conflict, mfa.CodeHaveCodes)
		fresh, err := p.MFA.BackupCodes(t.Context(), mine.Actor, true)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.MFA.Verify(t.Context(), u.ID, domain.FactorProof{Method: domain.FactorBackupCode, Code: old[0]}, client)
		wantCode(t, err, fault.Unauthenticated, mfa.CodeWrong)
		if _, err := p.MFA.Verify(t.Context(), u.ID, domain.FactorProof{Method: domain.FactorBackupCode, Code: fresh[0]}, client); err != nil {
			t.Error(err)
		}
		status, err := p.MFA.Status(t.Context(), mine.Actor)
		if err != nil || status.BackupCodesRemaining != 9 {
			t.Errorf("got %+v, %v", status, err)
		}
		list, err := p.Store.Read().MFA.BackupCodes(t.Context(), u.ID)
		used := 0
		for _, c := range list {
			if c.UsedAt != nil && c.UsedIP == client.IP {
				used++
			}
		}
		if err != nil || used != 1 {
			t.Errorf("%d are noted as used, %v", used, err)
		}
	})
}

func TestFactorsChangeOnlyForWhoJustShowedThem(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		mine := p.SignIn(t, "anna").Actor
		enrolled(t, p, mine)
		trusted := mine // a session that was opened on a trusted device, after the switch
		trusted.SessionID, trusted.AuthenticatedAt, trusted.MFAVerified = domain.NewID(), p.Clock.Now(), false
		early := trusted // whatever a clock that is behind says of it
		early.AuthenticatedAt = mine.AuthenticatedAt
		wantCode(t, p.MFA.RemoveTOTP(t.Context(), early), fault.Forbidden, mfa.CodeShow)
		_, err := p.MFA.Disable(t.Context(), trusted)
		wantCode(t, err, fault.Forbidden, mfa.CodeShow)
		wantCode(t, p.MFA.RemoveTOTP(t.Context(), trusted), fault.Forbidden, mfa.CodeShow)
		stale := mine
		stale.MFAVerified, stale.AuthenticatedAt = true, p.Clock.Now().Add(-6*time.Minute)
		_, err = p.MFA.Disable(t.Context(), stale)
		wantCode(t, err, fault.Forbidden, "auth.reauthentication_required")
		shown := trusted
		shown.MFAVerified = true
		if status, err := p.MFA.Disable(t.Context(), shown); err != nil || status.Enabled || !status.TOTP {
			t.Fatalf("got %+v, %v", status, err)
		}
		if methods, err := p.MFA.Methods(t.Context(), p.Store.Read(), u.ID); err != nil || len(methods) != 0 {
			t.Errorf("off, it asks for %v, %v", methods, err)
		}
		if added, err := p.MFA.Enable(t.Context(), shown); err != nil || !added.Status.Enabled || added.BackupCodes != nil {
			t.Errorf("got %+v, %v", added, err)
		}
		if err := p.MFA.RemoveTOTP(t.Context(), shown); err != nil {
			t.Fatal(err)
		}
		status, err := p.MFA.Status(t.Context(), shown)
		if err != nil || status.Enabled || status.BackupCodesRemaining != 0 {
			t.Errorf("without a factor: %+v, %v", status, err)
		}
		_, err = p.MFA.Enable(t.Context(), shown)
		wantCode(t, err, fault.Conflict, mfa.CodeNoFactor)
	})
}

func TestARoleMayAskForASecondFactor(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		u := p.User(t, "anna")
		mine := p.SignIn(t, "anna").Actor
		require(t, p, `["user"]`)
		if must, err := p.MFA.MustEnrol(t.Context(), u); err != nil || !must {
			t.Fatalf("must enrol: %v, %v", must, err)
		}
		enrolled(t, p, mine)
		if must, err := p.MFA.MustEnrol(t.Context(), u); err != nil || must {
			t.Errorf("must enrol: %v, %v", must, err)
		}
		_, err := p.MFA.Disable(t.Context(), mine)
		wantCode(t, err, fault.Forbidden, mfa.CodeRequired)
		wantCode(t, p.MFA.RemoveTOTP(t.Context(), mine), fault.Forbidden, mfa.CodeRequired)
		if _, err := p.MFA.Reset(t.Context(), domain.SystemActor(), u.ID); err != nil {
			t.Fatal(err)
		}
		if must, err := p.MFA.MustEnrol(t.Context(), u); err != nil || !must {
			t.Errorf("after a reset it must enrol: %v, %v", must, err)
		}
	})
}

func require(t *testing.T, p *identity.Process, value string) {
	t.Helper()
	_, err := p.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{"auth.mfaRequiredRoles": json.RawMessage(value)})
	if err != nil {
		t.Fatal(err)
	}
}

const localhost = "http://localhost:8096"

func TestPasskeysSignInAndEverythingElseIsRefused(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		anna, bert := p.User(t, "anna"), p.User(t, "bert")
		rp := passkey.RelyingParty{ID: "localhost", Name: "Revenge", Origin: localhost}
		hers, his := passkeytest.NewBrowser(rp), passkeytest.NewBrowser(rp)
		register := func(name string, b *passkeytest.Browser) {
			actor := p.SignIn(t, name).Actor
			options, id, err := p.MFA.BeginPasskey(ctx, actor, true, localhost)
			if err != nil {
				t.Fatal(err)
			}
			answer := b.Create(t, options)
			if _, added, err := p.MFA.FinishPasskey(ctx, actor, id, "key", answer); err != nil || len(added.BackupCodes) != 10 || !added.Status.Enabled {
				t.Fatalf("got %+v, %v", added, err)
			}
			_, _, err = p.MFA.FinishPasskey(ctx, actor, id, "key", answer)
			wantCode(t, err, fault.Unauthenticated, mfa.CodeChallenge)
		}
		register("anna", hers)
		register("bert", his)

		begin := func() (json.RawMessage, string) {
			options, id, err := p.MFA.BeginPasskeySignIn(ctx, localhost)
			if err != nil {
				t.Fatal(err)
			}
			return options, id
		}
		options, id := begin()
		answer := hers.Show(t, options)
		if user, err := p.MFA.FinishPasskeySignIn(ctx, id, answer, client); err != nil || user != anna.ID {
			t.Fatalf("it signs in %v, %v", user, err)
		}
		_, err := p.MFA.FinishPasskeySignIn(ctx, id, answer, client)
		wantCode(t, err, fault.Unauthenticated, mfa.CodeChallenge)
		_, id = begin()
		_, err = p.MFA.FinishPasskeySignIn(ctx, id, answer, client)
		wantCode(t, err, fault.Unauthenticated, passkey.CodeRefused)

		options, id = begin()
		hers.Key.Counter -= 2 // Show adds one
		_, err = p.MFA.FinishPasskeySignIn(ctx, id, hers.Show(t, options), client)
		wantCode(t, err, fault.Unauthenticated, passkey.CodeRefused)
		list, err := p.Store.Read().MFA.Passkeys(ctx, anna.ID)
		if err != nil || len(list) != 1 || list[0].ClonedAt == nil || list[0].LastUsedAt == nil {
			t.Errorf("the copy was not noted: %+v, %v", list, err)
		}
		hers.Key.Counter += 5

		for what, ask := range map[string]func() (json.RawMessage, string, error){
			"as a factor":         func() (json.RawMessage, string, error) { return p.MFA.BeginPasskeyFactor(ctx, anna.ID, localhost) },
			"without being named": func() (json.RawMessage, string, error) { return p.MFA.BeginPasskeySignIn(ctx, localhost) },
		} {
			for _, b := range []*passkeytest.Browser{hers, his} {
				options, id, err := ask()
				if err != nil {
					t.Fatal(err)
				}
				_, err = p.MFA.Verify(ctx, anna.ID, domain.FactorProof{Method: domain.FactorWebAuthn, ChallengeID: id, Credential: b.Show(t, options)}, client)
				if (err == nil) != (b == hers) {
					t.Errorf("%s, hers is %v: %v", what, b == hers, err)
				}
			}
		}
		options, id, err = p.MFA.BeginPasskeyFactor(ctx, bert.ID, localhost)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.MFA.FinishPasskeySignIn(ctx, id, his.Show(t, options), client)
		wantCode(t, err, fault.Unauthenticated, passkey.CodeRefused)

		options, id = begin()
		p.Clock.Add(5 * time.Minute)
		_, err = p.MFA.FinishPasskeySignIn(ctx, id, hers.Show(t, options), client)
		wantCode(t, err, fault.Unauthenticated, mfa.CodeChallenge)
	})
}

func TestPasskeysAreForTheConfiguredAddressOnly(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		for _, c := range []struct{ configured, request, rpID string }{
			{"", "http://localhost:8096", "localhost"}, {"", "http://tv.localhost", "tv.localhost"}, {"", "https://movies.example.org", ""}, {"", "http://127.0.0.1:8096", ""},
			{"", "http://localhost.example.org", ""}, {"https://Movies.example.org:443/tv", "http://localhost:8096", "movies.example.org"}, {"http://localhost:9000", "", "localhost"},
			{"http://movies.example.org", "http://localhost:8096", ""}, {"https://192.0.2.1", "https://192.0.2.1", ""}, {"https://[2001:db8::1]", "", ""},
		} {
			_, err := p.Settings.Update(t.Context(), domain.SystemActor(), nil, map[string]json.RawMessage{"server.publicURL": json.RawMessage(`"` + c.configured + `"`)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.MFA.Availability(t.Context(), c.request)
			if err != nil || got.RPID != c.rpID || got.Available != (c.rpID != "") || (got.Reason == "") != got.Available {
				t.Errorf("%+v: got %+v, %v", c, got, err)
			}
		}
	})
}

func TestATrustedDeviceWaivesItsOwnersSecondFactorOnly(t *testing.T) {
	identity.Each(t, func(t *testing.T, p *identity.Process) {
		ctx := t.Context()
		factor := map[string]app{}
		for _, name := range []string{"anna", "bert"} {
			p.User(t, name)
			factor[name], _ = enrolled(t, p, p.SignIn(t, name).Actor)
		}
		login := func(name, password, device string) (auth.Outcome, error) {
			return p.Auth.Login(ctx, name, password, client, auth.Options{DeviceToken: device})
		}
		asked, err := login("anna", identity.Password, "")
		if err != nil || asked.Challenge == nil || asked.SignedIn != nil {
			t.Fatalf("got %+v, %v", asked, err)
		}
		_, device, err := p.Auth.VerifySecondFactor(ctx, asked.Challenge.Token, domain.FactorProof{Method: domain.FactorTOTP, Code: factor["anna"].code(t, p.Clock.Now())}, true, client)
		if err != nil || len(device) < 43 {
			t.Fatalf("the token %q, %v", device, err)
		}
		if in, err := login("anna", identity.Password, device); err != nil || in.SignedIn == nil || in.SignedIn.Actor.MFAVerified {
			t.Errorf("the device is not trusted: %+v, %v", in, err)
		}
		if in, err := login("bert", identity.Password, device); err != nil || in.Challenge == nil {
			t.Errorf("it signs somebody else in: %+v, %v", in, err)
		}
		_, err = login("anna", "wrong", device)
		wantCode(t, err, fault.Unauthenticated, auth.CodeInvalidCredentials)
		p.Clock.Add(mfa.TrustFor)
		if in, err := login("anna", identity.Password, device); err != nil || in.Challenge == nil {
			t.Errorf("after thirty days it is trusted: %+v, %v", in, err)
		}
	})
}
