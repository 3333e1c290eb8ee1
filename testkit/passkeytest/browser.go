// Package passkeytest holds an adapter of ports/passkey to its comments, and has a browser with an authenticator for tests of what uses it.
package passkeytest

import (
	"encoding/json"
	"testing"

	"github.com/descope/virtualwebauthn"

	"github.com/revenge-media/revenge/ports/passkey"
)

// Browser is at a site and has one passkey. Its fields may be changed between two answers.
type Browser struct {
	Site virtualwebauthn.RelyingParty
	Key  virtualwebauthn.Credential
	// Unverified leaves out that the person showed a PIN or finger.
	Unverified bool
	// Handle is the account that the passkey is for, known once it was created.
	Handle []byte
}

// NewBrowser returns one at the site's own address.
func NewBrowser(rp passkey.RelyingParty) *Browser {
	return &Browser{Site: virtualwebauthn.RelyingParty{ID: rp.ID, Name: rp.Name, Origin: rp.Origin}, Key: NewKey()}
}

// wholeKey is the length of a P-256 key in COSE whose coordinates have 32 bytes each.
const wholeKey = 77

// NewKey makes a passkey. Of each 128 keys the library writes one with a coordinate that lacks its leading zero, which no authenticator does
// (RFC 9053, 7.1.1) and no server accepts.
func NewKey() virtualwebauthn.Credential {
	for {
		if key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(key.Key.AttestationData()) == wholeKey {
			return key
		}
	}
}

func (b *Browser) authenticator() virtualwebauthn.Authenticator {
	return virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: b.Handle, UserNotVerified: b.Unverified})
}

// Create answers the options of a registration.
func (b *Browser) Create(t testing.TB, options json.RawMessage) json.RawMessage {
	t.Helper()
	asked, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	b.Handle = []byte(asked.UserID)
	return json.RawMessage(virtualwebauthn.CreateAttestationResponse(b.Site, b.authenticator(), b.Key, *asked))
}

// Show answers the options of a sign-in; the counter goes on by one first.
func (b *Browser) Show(t testing.TB, options json.RawMessage) json.RawMessage {
	t.Helper()
	asked, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	b.Key.Counter++
	return json.RawMessage(virtualwebauthn.CreateAssertionResponse(b.Site, b.authenticator(), b.Key, *asked))
}
