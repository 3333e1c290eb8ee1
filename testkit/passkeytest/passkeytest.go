package passkeytest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/passkey"
)

// Run holds ceremonies to every law.
func Run(t *testing.T, c passkey.Ceremonies) {
	site := passkey.RelyingParty{ID: "movies.example.org", Name: "Revenge", Origin: "https://movies.example.org"}
	anna := passkey.Person{Handle: []byte("0123456789abcdef"), Name: "anna", DisplayName: "Anna"}
	registered := func(t *testing.T, b *Browser) passkey.Person {
		t.Helper()
		options, state, err := c.BeginRegistration(t.Context(), site, anna, false)
		if err != nil {
			t.Fatal(err)
		}
		created, err := c.FinishRegistration(t.Context(), site, anna, state, b.Create(t, options))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(created.ID, b.Key.ID) || len(created.PublicKey) == 0 || len(created.AAGUID) != 16 {
			t.Fatalf("got %+v", created)
		}
		owner := anna
		owner.Credentials = []passkey.Credential{created}
		return owner
	}
	refused := func(t *testing.T, what string, err error) {
		t.Helper()
		if err == nil || fault.CodeOf(err) != passkey.CodeRefused || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", what, err)
		}
	}

	t.Run("OptionsAskForWhatIsPromised", func(t *testing.T) {
		t.Parallel()
		owner := registered(t, NewBrowser(site))
		options, _, err := c.BeginRegistration(t.Context(), site, owner, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`"userVerification":"required"`, `"residentKey":"required"`, `"excludeCredentials":[{`, `"id":"movies.example.org"`, `"credProps":true`} {
			if !strings.Contains(string(options), part) {
				t.Errorf("%s is missing in %s", part, options)
			}
		}
		if strings.Contains(string(options), `"attestation":"direct"`) {
			t.Errorf("it asks which device it is: %s", options)
		}
		again, _, err := c.BeginRegistration(t.Context(), site, owner, true)
		if err != nil || bytes.Equal(options, again) {
			t.Errorf("two challenges are alike: %v", err)
		}
	})
	for _, way := range []string{"Known", "Discoverable"} {
		t.Run(way+"SignInProvesWhoItIs", func(t *testing.T) {
			t.Parallel()
			b := NewBrowser(site)
			owner := registered(t, b)
			begin := func() (json.RawMessage, []byte) {
				asked := &owner
				if way == "Discoverable" {
					asked = nil
				}
				options, state, err := c.BeginSignIn(t.Context(), site, asked)
				if err != nil {
					t.Fatal(err)
				}
				return options, state
			}
			options, state := begin()
			answer := b.Show(t, options)
			claim, err := c.Claim(answer)
			if err != nil || !bytes.Equal(claim.CredentialID, b.Key.ID) || !bytes.Equal(claim.Handle, owner.Handle) {
				t.Errorf("it claims %+v, %v", claim, err)
			}
			if proven, err := c.FinishSignIn(t.Context(), site, owner, state, answer); err != nil || proven.Counter != b.Key.Counter {
				t.Errorf("got %+v, %v", proven, err)
			}
			_, other := begin()
			_, err = c.FinishSignIn(t.Context(), site, owner, other, answer)
			refused(t, "an answer to another challenge", err)
			for what, change := range map[string]func(*Browser){
				"another origin":       func(b *Browser) { b.Site.Origin = "https://movies.example.com" },
				"another port":         func(b *Browser) { b.Site.Origin = site.Origin + ":8443" },
				"another host name":    func(b *Browser) { b.Site.ID = "example.org" },
				"no user verification": func(b *Browser) { b.Unverified = true },
				"another account":      func(b *Browser) { b.Handle = []byte("fedcba9876543210") },
				"another key":          func(b *Browser) { b.Key.Key = NewBrowser(site).Key.Key },
				"another credential":   func(b *Browser) { b.Key.ID = []byte("unknown") },
			} {
				options, state := begin()
				changed := *b
				change(&changed)
				_, err := c.FinishSignIn(t.Context(), site, owner, state, changed.Show(t, options))
				refused(t, what, err)
			}
		})
	}
	t.Run("WrongRegistrationsAreRefused", func(t *testing.T) {
		t.Parallel()
		for what, change := range map[string]func(*Browser){
			"another origin":       func(b *Browser) { b.Site.Origin = "https://movies.example.com" },
			"another host name":    func(b *Browser) { b.Site.ID = "example.org" },
			"no user verification": func(b *Browser) { b.Unverified = true },
		} {
			b := NewBrowser(site)
			change(b)
			options, state, err := c.BeginRegistration(t.Context(), site, anna, false)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.FinishRegistration(t.Context(), site, anna, state, b.Create(t, options))
			refused(t, what, err)
		}
		_, state, err := c.BeginRegistration(t.Context(), site, anna, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, nonsense := range []string{"", "null", "{}", `{"id":1}`, "[]"} {
			_, err := c.FinishRegistration(t.Context(), site, anna, state, json.RawMessage(nonsense))
			refused(t, nonsense, err)
			_, err = c.Claim(json.RawMessage(nonsense))
			refused(t, nonsense, err)
		}
	})
}
