// Package webauthn implements ports/passkey with go-webauthn.
package webauthn

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/passkey"
)

// timeout is how long browsers are told to wait, as long as a challenge lives.
const timeout = 5 * time.Minute

// Ceremonies asks and checks. The zero value is ready.
type Ceremonies struct{}

var _ passkey.Ceremonies = Ceremonies{}

func site(rp passkey.RelyingParty) (*webauthn.WebAuthn, error) {
	wait := webauthn.TimeoutConfig{Timeout: timeout, TimeoutUVD: timeout}
	w, err := webauthn.New(&webauthn.Config{
		RPID: rp.ID, RPDisplayName: rp.Name, RPOrigins: []string{rp.Origin}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired},
		Timeouts:               webauthn.TimeoutsConfig{Login: wait, Registration: wait},
		// What an authenticator says unasked decides nothing here (section 9.3).
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, failed(err)
	}
	return w, nil
}

// person is a passkey.Person as the library asks for it.
type person struct{ passkey.Person }

func (p person) WebAuthnID() []byte          { return p.Handle }
func (p person) WebAuthnName() string        { return p.Name }
func (p person) WebAuthnDisplayName() string { return p.DisplayName }
func (p person) WebAuthnCredentials() []webauthn.Credential {
	list := make([]webauthn.Credential, len(p.Credentials))
	for i, c := range p.Credentials {
		list[i] = webauthn.Credential{
			ID: c.ID, PublicKey: c.PublicKey, AttestationType: "none",
			Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: c.BackupEligible, BackupState: c.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: c.AAGUID, SignCount: c.Counter, Attachment: protocol.AuthenticatorAttachment(c.Attachment)},
		}
		for _, t := range c.Transports {
			list[i].Transport = append(list[i].Transport, protocol.AuthenticatorTransport(t))
		}
	}
	return list
}

// BeginRegistration implements ports/passkey.Ceremonies.
func (Ceremonies) BeginRegistration(_ context.Context, rp passkey.RelyingParty, p passkey.Person, discoverable bool) (json.RawMessage, []byte, error) {
	w, err := site(rp)
	if err != nil {
		return nil, nil, err
	}
	resident := protocol.ResidentKeyRequirementPreferred
	if discoverable {
		resident = protocol.ResidentKeyRequirementRequired
	}
	whose := person{p}
	created, session, err := w.BeginRegistration(whose, webauthn.WithResidentKeyRequirement(resident), webauthn.WithExtensions(webauthn.WithExtensionCredProps()),
		webauthn.WithExclusions(webauthn.Credentials(whose.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return nil, nil, failed(err)
	}
	return written(created.Response, session)
}

// written is what goes to the browser and what is kept for its answer.
func written(options any, session *webauthn.SessionData) (json.RawMessage, []byte, error) {
	shown, err := json.Marshal(options)
	if err != nil {
		return nil, nil, failed(err)
	}
	kept, err := json.Marshal(session)
	if err != nil {
		return nil, nil, failed(err)
	}
	return shown, kept, nil
}

func read(state []byte) (session webauthn.SessionData, err error) {
	if err := json.Unmarshal(state, &session); err != nil {
		return session, failed(err)
	}
	return session, nil
}

// FinishRegistration implements ports/passkey.Ceremonies.
func (Ceremonies) FinishRegistration(_ context.Context, rp passkey.RelyingParty, p passkey.Person, state []byte, answer json.RawMessage) (passkey.Credential, error) {
	w, err := site(rp)
	if err != nil {
		return passkey.Credential{}, err
	}
	session, err := read(state)
	if err != nil {
		return passkey.Credential{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return passkey.Credential{}, refused(err)
	}
	c, err := w.CreateCredential(person{p}, session, parsed)
	if err != nil {
		return passkey.Credential{}, refused(err)
	}
	created := passkey.Credential{
		ID: c.ID, PublicKey: c.PublicKey, Counter: c.Authenticator.SignCount, AAGUID: c.Authenticator.AAGUID, Transports: []string{}, Attachment: string(c.Authenticator.Attachment),
		Discoverable: c.Extensions.RK != nil && *c.Extensions.RK, BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState,
	}
	known := []protocol.AuthenticatorTransport{protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal}
	for _, t := range c.Transport {
		if slices.Contains(known, t) && !slices.Contains(created.Transports, string(t)) {
			created.Transports = append(created.Transports, string(t))
		}
	}
	return created, nil
}

// BeginSignIn implements ports/passkey.Ceremonies.
func (Ceremonies) BeginSignIn(_ context.Context, rp passkey.RelyingParty, p *passkey.Person) (json.RawMessage, []byte, error) {
	w, err := site(rp)
	if err != nil {
		return nil, nil, err
	}
	var asked *protocol.CredentialAssertion
	var session *webauthn.SessionData
	if p == nil {
		asked, session, err = w.BeginDiscoverableLogin()
	} else {
		asked, session, err = w.BeginLogin(person{*p})
	}
	if err != nil {
		return nil, nil, failed(err)
	}
	return written(asked.Response, session)
}

// Claim implements ports/passkey.Ceremonies.
func (Ceremonies) Claim(answer json.RawMessage) (passkey.Claim, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return passkey.Claim{}, refused(err)
	}
	return passkey.Claim{CredentialID: parsed.RawID, Handle: parsed.Response.UserHandle}, nil
}

// FinishSignIn implements ports/passkey.Ceremonies. That a counter went back the library only warns of: the store decides that, where it is written.
func (Ceremonies) FinishSignIn(_ context.Context, rp passkey.RelyingParty, p passkey.Person, state []byte, answer json.RawMessage) (passkey.Assertion, error) {
	w, err := site(rp)
	if err != nil {
		return passkey.Assertion{}, err
	}
	session, err := read(state)
	if err != nil {
		return passkey.Assertion{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return passkey.Assertion{}, refused(err)
	}
	whose := person{p}
	if len(session.UserID) == 0 {
		_, _, err = w.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return whose, nil }, session, parsed)
	} else {
		_, err = w.ValidateLogin(whose, session, parsed)
	}
	if err != nil {
		return passkey.Assertion{}, refused(err)
	}
	proven := parsed.Response.AuthenticatorData
	return passkey.Assertion{Counter: proven.Counter, BackedUp: proven.Flags.HasBackupState()}, nil
}

func refused(cause error) error {
	return fault.Wrap(cause, fault.Invalid, passkey.CodeRefused, "The passkey was not accepted. Begin again, on the address of this server and with the screen lock or PIN of your device.")
}

func failed(cause error) error {
	return fault.Wrap(cause, fault.Internal, "mfa.passkey_failed", "Passkeys do not work at the moment.")
}
