package domain

import (
	"encoding/json"
	"time"
)

// FactorMethod is a way to show a second factor.
type FactorMethod string

// The second factors.
const (
	FactorTOTP       FactorMethod = "totp"        // six digits of an authenticator app (RFC 6238)
	FactorWebAuthn   FactorMethod = "webauthn"    // a passkey or security key
	FactorBackupCode FactorMethod = "backup_code" // one of ten codes on paper
)

// FactorProof is what a client shows: Code for TOTP and backup codes; for a passkey the ceremony's ChallengeID and the Credential that the
// browser answered with (PublicKeyCredential as JSON, WebAuthn L3 section 5.1).
type FactorProof struct {
	Method      FactorMethod
	Code        string
	ChallengeID string
	Credential  json.RawMessage
}

// MFASettings tell whether an account asks for a second factor.
type MFASettings struct {
	UserID  ID
	Enabled bool
	// EnabledAt is when it was last switched on; nil while it is off.
	EnabledAt *time.Time
	// EnabledBy is the session that did it; nil while it is off.
	EnabledBy *ID
	UpdatedAt time.Time
}

// TOTPSecret is an account's authenticator app. The secrets are sealed.
type TOTPSecret struct {
	UserID ID
	// Secret is in use, sealed for "user_totp_secrets/<user>/secret"; nil until a code of the first one was shown.
	Secret []byte
	// Pending was set up and waits for its first code, sealed for "user_totp_secrets/<user>/pending"; nil for none.
	Pending   []byte
	CreatedAt time.Time
	// ConfirmedAt is when Secret came into use.
	ConfirmedAt *time.Time
	// LastStep is the latest time step whose code was accepted, in units of 30 s since 1970; no code of it or an earlier one is accepted again.
	LastStep   int64
	LastUsedAt *time.Time
}

// Passkey is a WebAuthn credential of an account.
type Passkey struct {
	ID     ID     `json:"id"`
	UserID ID     `json:"-"`
	Name   string `json:"name" example:"Security key"`
	// CredentialID is the authenticator's name for it, PublicKey its COSE key (RFC 9052).
	CredentialID []byte `json:"-"`
	PublicKey    []byte `json:"-"`
	// RPID is the host name that it is for: it works nowhere else.
	RPID string `json:"rpId" example:"movies.example.org"`
	// Counter is the signature counter that it showed last; 0 where it keeps none.
	Counter uint32 `json:"-"`
	AAGUID  []byte `json:"-"` // model of the authenticator, 16 bytes
	// Transports are hints for browsers: "internal", "usb", "nfc", "ble", "hybrid", "smart-card".
	Transports []string `json:"transports"`
	// Attachment is "platform", "cross-platform" or empty where the browser did not say.
	Attachment     string    `json:"attachment,omitempty"`
	Discoverable   bool      `json:"discoverable" doc:"It can sign in without a user name"`
	BackupEligible bool      `json:"backupEligible" doc:"It may be synchronised between devices"`
	BackedUp       bool      `json:"backedUp" doc:"It is synchronised now"`
	CreatedAt      time.Time `json:"createdAt"`
	// LastUsedAt is nil until it signed somebody in.
	LastUsedAt *time.Time `json:"lastUsedAt,omitempty"`
	// ClonedAt is when it last showed a counter that was not ahead of Counter: a copy of it may exist.
	ClonedAt *time.Time `json:"clonedAt,omitempty" doc:"When it last looked like a copy and was refused"`
}

// PasskeyUse is what one successful use of a passkey changes.
type PasskeyUse struct {
	Counter  uint32
	BackedUp bool
	At       time.Time
}

// BackupCode is one code for when nothing else is at hand. Only its hash is kept.
type BackupCode struct {
	ID        ID
	UserID    ID
	Hash      []byte // SHA-256 of the code without its dashes, 32 bytes
	CreatedAt time.Time
	// UsedAt and UsedIP tell when and from where it was used up.
	UsedAt *time.Time
	UsedIP string
}

// TrustedDevice is a browser that need not show the second factor again.
type TrustedDevice struct {
	ID     ID     `json:"id"`
	UserID ID     `json:"-"`
	Hash   []byte `json:"-"` // SHA-256 of the token that it holds, 32 bytes
	Name   string `json:"name" example:"Firefox on Linux"`
	IP     string `json:"ip" doc:"Where it was trusted from"`
	// LastUsedAt is when it last stood in for the second factor.
	LastUsedAt time.Time `json:"lastUsedAt"`
	CreatedAt  time.Time `json:"createdAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

// MFAStatus is what an account's owner sees of its second factors.
type MFAStatus struct {
	Enabled  bool `json:"enabled" doc:"A second factor is asked for"`
	Required bool `json:"required" doc:"A role of the account asks for one: it cannot be switched off"`
	// TOTP says that an authenticator app is in use.
	TOTP                 bool `json:"totp"`
	Passkeys             int  `json:"passkeys"`
	BackupCodesRemaining int  `json:"backupCodesRemaining"`
	TrustedDevices       int  `json:"trustedDevices"`
}
