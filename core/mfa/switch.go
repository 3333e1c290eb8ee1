package mfa

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

func noFactor() error {
	return fault.New(fault.Conflict, CodeNoFactor, "There is no second factor. Add an authenticator app or a passkey first.")
}

// added ends every change that added a factor: the account's first one switches the second factor on, as whoever adds one expects. Who switched it off and
// has others leaves it off. It returns new backup codes where that switched it on.
func (s *Service) added(ctx context.Context, tx store.Tx, actor domain.Actor, had factors, now time.Time) ([]string, error) {
	if had.any() {
		return nil, nil
	}
	return s.switchOn(ctx, tx, actor, had, now)
}

// switchOn returns new backup codes where none were left.
func (s *Service) switchOn(ctx context.Context, tx store.Tx, actor domain.Actor, has factors, now time.Time) ([]string, error) {
	err := tx.MFA.SaveSettings(ctx, domain.MFASettings{UserID: has.settings.UserID, Enabled: true, EnabledAt: &now, EnabledBy: &actor.SessionID, UpdatedAt: now})
	if err != nil || has.codes > 0 {
		return nil, err
	}
	return s.makeCodes(ctx, tx, has.settings.UserID, now)
}

// removed ends every change that took a factor away: with the last one the second factor is off, and backup codes stand in for nothing.
func (s *Service) removed(ctx context.Context, tx store.Tx, actor domain.Actor, now time.Time) error {
	left, err := inventory(ctx, tx.Repos, actor.UserID)
	if err != nil || left.any() {
		return err
	}
	if err := s.mayBeOff(ctx, tx, actor); err != nil {
		return err
	}
	if err := tx.MFA.ReplaceBackupCodes(ctx, actor.UserID); err != nil {
		return err
	}
	return tx.MFA.SaveSettings(ctx, domain.MFASettings{UserID: actor.UserID, UpdatedAt: now})
}

// mayBeOff is nil when the account may be without a second factor: no role of it asks for one, and its password is long enough to stand alone (S1).
func (s *Service) mayBeOff(ctx context.Context, tx store.Tx, actor domain.Actor) error {
	u, err := tx.Users.Get(ctx, actor.UserID)
	if err != nil {
		return err
	}
	if roles, err := settings.InTx(ctx, s.deps.Settings, tx, settings.MFARequiredRoles); err != nil {
		return err
	} else if asks(roles, u) {
		return fault.New(fault.Forbidden, CodeRequired, "Your account must have a second factor. Add another before you remove this one.")
	}
	if short, err := tx.Users.PasswordIsShort(ctx, actor.UserID); err != nil {
		return err
	} else if short {
		return fault.New(fault.Conflict, CodeShortPassword, "Without a second factor your password needs at least 15 characters. Choose a longer one first.")
	}
	return nil
}

// Enable switches the second factor on for an account that has one.
func (s *Service) Enable(ctx context.Context, actor domain.Actor) (added Added, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return Added{}, err
	}
	err = s.change(ctx, actor, domain.Activity{Action: domain.ActivityMFAEnabled}, "enabled", func(ctx context.Context, tx store.Tx, has factors, now time.Time) error {
		if !has.any() {
			return noFactor()
		}
		if has.settings.Enabled {
			added.BackupCodes = nil
			return nil
		}
		added.BackupCodes, err = s.switchOn(ctx, tx, actor, has, now)
		return err
	})
	if err != nil {
		return Added{}, err
	}
	added.Status, err = s.status(ctx, actor)
	return added, err
}

// Disable switches the second factor off. The factors stay, for Enable.
func (s *Service) Disable(ctx context.Context, actor domain.Actor) (domain.MFAStatus, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return domain.MFAStatus{}, err
	}
	err := s.change(ctx, actor, domain.Activity{Action: domain.ActivityMFADisabled}, "disabled", func(ctx context.Context, tx store.Tx, _ factors, now time.Time) error {
		if err := s.mayBeOff(ctx, tx, actor); err != nil {
			return err
		}
		return tx.MFA.SaveSettings(ctx, domain.MFASettings{UserID: actor.UserID, UpdatedAt: now})
	})
	if err != nil {
		return domain.MFAStatus{}, err
	}
	return s.status(ctx, actor)
}

// Reset takes all second factors of somebody who lost them away and ends that account's sessions. shortPassword says that its password is shorter than one
// without a second factor may be: its owner should get a new one. An administrator's own is no case for it, as it would spare them showing theirs;
// an administrator's is for administrators.
func (s *Service) Reset(ctx context.Context, actor domain.Actor, user domain.ID) (shortPassword bool, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return false, err
	}
	if err := access.Fresh(actor, s.deps.Now()); err != nil {
		return false, err
	}
	if !actor.System && actor.UserID == user {
		return false, fault.New(fault.Conflict, CodeOwn, "Change your own second factors in your settings. If you lost them, ask another administrator or use the command line.")
	}
	var ended []domain.ID
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		now := domain.Stamp(s.deps.Now())
		u, err := tx.Users.Get(ctx, user)
		if err != nil {
			return err
		}
		if u.HasRole(domain.RoleAdmin) && !actor.System && !actor.HasRole(domain.RoleAdmin) {
			return fault.New(fault.Forbidden, access.CodeDenied, "Only an administrator may reset the second factor of an administrator.")
		}
		if shortPassword, err = tx.Users.PasswordIsShort(ctx, user); err != nil {
			return err
		}
		if err := s.clear(ctx, tx, user, now); err != nil {
			return err
		}
		if ended, err = tx.Sessions.RevokeUser(ctx, user, now, nil); err != nil {
			return err
		}
		if err := tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, ended...)...); err != nil {
			return err
		}
		return s.announce(ctx, tx, now, actor, user, domain.Activity{Action: domain.ActivityMFAReset, ResourceType: "user", ResourceID: user.String(), ResourceName: u.Username}, "reset")
	})
	if err == nil {
		s.forget(ctx, user, ended)
	}
	return shortPassword, err
}

// clear removes all that an account has of second factors.
func (s *Service) clear(ctx context.Context, tx store.Tx, user domain.ID, now time.Time) error {
	if err := tx.MFA.DeleteTOTP(ctx, user); err != nil && !fault.IsNotFound(err) {
		return err
	}
	passkeys, err := tx.MFA.Passkeys(ctx, user)
	if err != nil {
		return err
	}
	for _, p := range passkeys {
		if err := tx.MFA.DeletePasskey(ctx, user, p.ID); err != nil {
			return err
		}
	}
	if err := tx.MFA.ReplaceBackupCodes(ctx, user); err != nil {
		return err
	}
	if _, err := tx.MFA.DeleteTrustedDevices(ctx, user); err != nil {
		return err
	}
	return tx.MFA.SaveSettings(ctx, domain.MFASettings{UserID: user, UpdatedAt: now})
}
