// Package passkey is what the core needs of WebAuthn (Level 3).
package passkey

import (
	"context"
	"encoding/json"
)

// Fault codes. Challenges that were used before and counters that went back are the caller's to refuse: an implementation keeps nothing.
const (
	CodeRefused = "mfa.passkey_refused" // Invalid: the answer is malformed, of another origin or host name, without user verification, or not signed by the key
)

// RelyingParty is the site that a credential is for.
type RelyingParty struct {
	// ID is the host name, Origin the one address that answers may come from, e.g. "https://movies.example.org".
	ID     string `json:"id"`
	Name   string `json:"name"`
	Origin string `json:"origin"`
}

// Credential is what is kept of a registered one.
type Credential struct {
	ID        []byte
	PublicKey []byte // COSE
	// Counter is 0 where the authenticator keeps none.
	Counter    uint32
	AAGUID     []byte
	Transports []string
	// Attachment is "platform", "cross-platform" or "".
	Attachment string
	// Discoverable says that it signs in without being told who does.
	Discoverable             bool
	BackupEligible, BackedUp bool
}

// Person is whose credentials they are.
type Person struct {
	// Handle stands in discoverable credentials for who it is: 1 to 64 bytes that tell nothing of a person.
	Handle            []byte
	Name, DisplayName string
	Credentials       []Credential
}

// Claim is what an answer says of itself, unproven.
type Claim struct {
	CredentialID []byte
	Handle       []byte // of a discoverable credential; may be nil
}

// Assertion is a proven use.
type Assertion struct {
	Counter  uint32
	BackedUp bool
}

// Ceremonies asks browsers and checks what they answer. Options are what navigator.credentials takes as "publicKey", in its JSON form (section 5.1.8 and 5.1.9);
// every one has another random challenge of 16 bytes at least. state is for the matching Finish; it is no secret, and the client must not be able to change it.
// User verification is always required.
type Ceremonies interface {
	// BeginRegistration asks for a new credential, by none that p has already; with discoverable only one that can sign in by itself.
	BeginRegistration(ctx context.Context, rp RelyingParty, p Person, discoverable bool) (options json.RawMessage, state []byte, err error)
	// FinishRegistration returns the new credential. Invalid with CodeRefused.
	FinishRegistration(ctx context.Context, rp RelyingParty, p Person, state []byte, answer json.RawMessage) (Credential, error)
	// BeginSignIn asks for a use of one of p's credentials, of which there must be one at least; for nil of any discoverable one.
	BeginSignIn(ctx context.Context, rp RelyingParty, p *Person) (options json.RawMessage, state []byte, err error)
	// Claim reads whose answer it claims to be. Invalid with CodeRefused.
	Claim(answer json.RawMessage) (Claim, error)
	// FinishSignIn proves that p answered what BeginSignIn asked p, or anybody. p has all its credentials for this RelyingParty. Invalid with CodeRefused.
	FinishSignIn(ctx context.Context, rp RelyingParty, p Person, state []byte, answer json.RawMessage) (Assertion, error)
}
