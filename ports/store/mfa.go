package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// MFA keeps second factors. What is single use is used up by one statement: of many concurrent calls one gets true.
type MFA interface {
	// Settings returns an account's; Enabled is false where nothing is stored.
	Settings(ctx context.Context, user domain.ID) (domain.MFASettings, error)
	SaveSettings(ctx context.Context, s domain.MFASettings) error

	// TOTP returns an account's authenticator app; NotFound with "totp_secret.not_found".
	TOTP(ctx context.Context, user domain.ID) (domain.TOTPSecret, error)
	// SaveTOTP writes all fields.
	SaveTOTP(ctx context.Context, t domain.TOTPSecret) error
	// AcceptTOTPStep notes that the code of a time step was shown, if neither that step nor a later one was noted before.
	AcceptTOTPStep(ctx context.Context, user domain.ID, step int64, at time.Time) (accepted bool, err error)
	// DeleteTOTP removes it. NotFound.
	DeleteTOTP(ctx context.Context, user domain.ID) error

	// CreatePasskey adds one. Conflict with "mfa.passkey_taken" when the credential is registered already, for whomever.
	CreatePasskey(ctx context.Context, p domain.Passkey) error
	// PasskeyOf finds an account's by its id; NotFound with "passkey.not_found", somebody else's as well.
	PasskeyOf(ctx context.Context, user, id domain.ID) (domain.Passkey, error)
	// PasskeyByCredential finds one by the authenticator's name for it; NotFound.
	PasskeyByCredential(ctx context.Context, credentialID []byte) (domain.Passkey, error)
	// Passkeys lists an account's, oldest first.
	Passkeys(ctx context.Context, user domain.ID) ([]domain.Passkey, error)
	// RenamePasskey is NotFound where PasskeyOf is.
	RenamePasskey(ctx context.Context, user, id domain.ID, name string) error
	// UsePasskey notes a use, if its counter is ahead of the stored one or both are 0 (WebAuthn L3, section 7.2 step 22).
	UsePasskey(ctx context.Context, id domain.ID, use domain.PasskeyUse) (advanced bool, err error)
	// MarkPasskeyCloned notes that a copy of it may exist. NotFound.
	MarkPasskeyCloned(ctx context.Context, id domain.ID, at time.Time) error
	// DeletePasskey is NotFound where PasskeyOf is.
	DeletePasskey(ctx context.Context, user, id domain.ID) error

	// ReplaceBackupCodes removes all of an account's and adds these.
	ReplaceBackupCodes(ctx context.Context, user domain.ID, codes ...domain.BackupCode) error
	// BackupCodes lists an account's, used or not, in order of their ids.
	BackupCodes(ctx context.Context, user domain.ID) ([]domain.BackupCode, error)
	// UseBackupCode uses an account's code up, if there is one with this hash that was not used.
	UseBackupCode(ctx context.Context, user domain.ID, hash []byte, at time.Time, ip string) (used bool, err error)

	CreateTrustedDevice(ctx context.Context, d domain.TrustedDevice) error
	// UseTrustedDevice notes a use of an account's device by the hash of its token, if it is trusted at that time.
	UseTrustedDevice(ctx context.Context, user domain.ID, hash []byte, at time.Time) (trusted bool, err error)
	// TrustedDevices lists an account's that are trusted at now, latest used first.
	TrustedDevices(ctx context.Context, user domain.ID, now time.Time) ([]domain.TrustedDevice, error)
	// DeleteTrustedDevice removes one of an account's; NotFound with "trusted_device.not_found", somebody else's as well.
	DeleteTrustedDevice(ctx context.Context, user, id domain.ID) error
	// DeleteTrustedDevices removes all of an account's, and returns how many.
	DeleteTrustedDevices(ctx context.Context, user domain.ID) (int, error)
	// DeleteExpiredTrustedDevices removes what ended before, and returns how many.
	DeleteExpiredTrustedDevices(ctx context.Context, before time.Time) (int, error)
}
