package mfa

import (
	"bytes"
	"context"
	"crypto/rand"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/otp"
	"github.com/revenge-media/revenge/ports/store"
)

// secretBytes are 160 random bits, as long as HMAC-SHA-1's output (RFC 4226, section 4).
const secretBytes = 20

// location binds a sealed secret to its row and column (S20).
func location(user domain.ID, column string) string {
	return "user_totp_secrets/" + user.String() + "/" + column
}

// SetUpTOTP makes a secret for an authenticator app, which counts once VerifyTOTP got its first code. Until then the app in use, if there is one, stays so.
func (s *Service) SetUpTOTP(ctx context.Context, actor domain.Actor) (otp.Enrolment, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return otp.Enrolment{}, err
	}
	issuer, err := settings.Get(ctx, s.deps.Settings, settings.ServerName)
	if err != nil {
		return otp.Enrolment{}, err
	}
	secret := make([]byte, secretBytes)
	rand.Read(secret) // never fails
	enrolment, err := s.deps.Codes.Enrol(issuer, actor.Username, secret)
	if err != nil {
		return otp.Enrolment{}, err
	}
	sealed, err := s.deps.Sealer.Seal(ctx, location(actor.UserID, "pending"), secret)
	if err != nil {
		return otp.Enrolment{}, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		of, err := tx.MFA.Settings(ctx, actor.UserID)
		if err != nil {
			return err
		}
		if err := s.shown(actor, of); err != nil {
			return err
		}
		t, err := tx.MFA.TOTP(ctx, actor.UserID)
		if fault.IsNotFound(err) {
			t, err = domain.TOTPSecret{UserID: actor.UserID, CreatedAt: domain.Stamp(s.deps.Now())}, nil
		}
		if err != nil {
			return err
		}
		t.Pending = sealed
		return tx.MFA.SaveTOTP(ctx, t)
	})
	return enrolment, err
}

// Added is what adding a factor led to.
type Added struct {
	Status domain.MFAStatus
	// BackupCodes are new ones, shown here and never again; nil where the account has some.
	BackupCodes []string
}

// VerifyTOTP takes the app that was set up into use by its first code; the account's first factor switches the second factor on.
func (s *Service) VerifyTOTP(ctx context.Context, actor domain.Actor, code string) (Added, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return Added{}, err
	}
	t, err := s.deps.Store.Read().MFA.TOTP(ctx, actor.UserID)
	if fault.IsNotFound(err) || (err == nil && t.Pending == nil) {
		return Added{}, fault.New(fault.Conflict, CodeNotSetUp, "There is no authenticator app to confirm. Set one up first.")
	}
	if err != nil {
		return Added{}, err
	}
	secret, err := s.deps.Sealer.Open(ctx, location(actor.UserID, "pending"), t.Pending)
	if err != nil {
		return Added{}, err
	}
	sealed, err := s.deps.Sealer.Seal(ctx, location(actor.UserID, "secret"), secret)
	if err != nil {
		return Added{}, err
	}
	var added Added
	err = s.change(ctx, actor, domain.Activity{Action: domain.ActivityMFATOTPAdded}, "totpAdded", func(ctx context.Context, tx store.Tx, has factors, now time.Time) error {
		step, ok, err := s.deps.Codes.Match(secret, digits(code), now)
		if err != nil {
			return err
		}
		if !ok {
			return fault.InvalidField(CodeWrong, "body.code", "The code is wrong. Check the clock of your device and type the code that it shows now.")
		}
		current, err := tx.MFA.TOTP(ctx, actor.UserID)
		if err != nil {
			return err
		}
		if !bytes.Equal(current.Pending, t.Pending) {
			return fault.New(fault.Conflict, CodeNotSetUp, "This authenticator app was confirmed or replaced meanwhile.")
		}
		current.Secret, current.Pending, current.ConfirmedAt, current.LastStep = sealed, nil, &now, step
		if err := tx.MFA.SaveTOTP(ctx, current); err != nil {
			return err
		}
		added.BackupCodes, err = s.added(ctx, tx, actor, has, now)
		return err
	})
	if err != nil {
		return Added{}, err
	}
	added.Status, err = s.status(ctx, actor)
	return added, err
}

// RemoveTOTP takes the authenticator app away; without another factor that switches the second factor off.
func (s *Service) RemoveTOTP(ctx context.Context, actor domain.Actor) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return err
	}
	return s.change(ctx, actor, domain.Activity{Action: domain.ActivityMFATOTPRemoved}, "totpRemoved", func(ctx context.Context, tx store.Tx, _ factors, now time.Time) error {
		if err := tx.MFA.DeleteTOTP(ctx, actor.UserID); err != nil {
			return err
		}
		return s.removed(ctx, tx, actor, now)
	})
}

// useTOTP accepts a code of the account's app, of each time step once. A clock that went back has only steps that were accepted or are older, which are
// refused until it is where it was (R15).
func (s *Service) useTOTP(ctx context.Context, user domain.ID, code string) (accepted bool, err error) {
	t, err := s.deps.Store.Read().MFA.TOTP(ctx, user)
	if fault.IsNotFound(err) || (err == nil && t.Secret == nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	secret, err := s.deps.Sealer.Open(ctx, location(user, "secret"), t.Secret)
	if err != nil {
		return false, err
	}
	now := domain.Stamp(s.deps.Now())
	step, ok, err := s.deps.Codes.Match(secret, digits(code), now)
	if err != nil || !ok {
		return false, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		accepted = false
		current, err := tx.MFA.TOTP(ctx, user)
		if fault.IsNotFound(err) || (err == nil && !bytes.Equal(current.Secret, t.Secret)) {
			return nil // removed or replaced meanwhile
		}
		if err != nil {
			return err
		}
		accepted, err = tx.MFA.AcceptTOTPStep(ctx, user, step, now)
		return err
	})
	return accepted, err
}
