package account

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/store"
)

// Get returns an account. It needs user.manage.
func (s *Service) Get(ctx context.Context, actor domain.Actor, id domain.ID) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return domain.User{}, err
	}
	return s.deps.Store.Read().Users.Get(ctx, id)
}

// managed is Authorize for work on somebody's account: who works on it must have all the rights that it has, and that it is to get.
func (s *Service) managed(ctx context.Context, actor domain.Actor, id domain.ID, roles ...domain.RoleName) (domain.User, error) {
	user, err := s.Get(ctx, actor, id)
	if err != nil {
		return domain.User{}, err
	}
	return user, s.deps.Access.MayGive(ctx, actor, append(slices.Clone(user.Roles), roles...)...)
}

// change is one change of an account by who manages it, in a transaction: it is loaded again, changed, saved and recorded, its sessions end where ends
// says so, and an administrator is left (Conflict).
func (s *Service) change(ctx context.Context, actor domain.Actor, checked domain.User, action string, ends bool, apply func(ctx context.Context, tx store.Tx, u *domain.User) (map[string]string, error)) (domain.User, error) {
	var user domain.User
	var ended []domain.ID
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		ended = nil
		if user, err = tx.Users.Get(ctx, checked.ID); err != nil {
			return err
		}
		if !slices.Equal(user.Roles, checked.Roles) { // whether the actor may touch it was decided on others
			return fault.New(fault.Conflict, CodeChanged, "The account was changed meanwhile. Look at it again.")
		}
		before, now := user, domain.Stamp(s.deps.Now())
		details, err := apply(ctx, tx, &user)
		if err != nil {
			return err
		}
		user.UpdatedAt = now
		if !now.After(before.UpdatedAt) {
			user.UpdatedAt = before.UpdatedAt.Add(time.Microsecond) // so that its ETag changes
		}
		if err := tx.Users.Update(ctx, user); err != nil {
			return err
		}
		if before.Username != user.Username {
			if err := tx.Invitations.Renamed(ctx, before.Username, user.Username); err != nil {
				return err
			}
		}
		if before.Usable() && before.HasRole(domain.RoleAdmin) {
			if err := access.AnAdminIsLeft(ctx, tx); err != nil {
				return err
			}
		}
		if ends {
			if ended, err = s.endAll(ctx, tx, user.ID); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, actor, action, user, details)
	})
	if err != nil {
		return domain.User{}, err
	}
	s.deps.Sessions.ForgetUsers(ctx, user.ID)
	s.deps.Sessions.Forget(ctx, ended...)
	return user, nil
}

// endAll ends all sessions of an account, its refresh tokens and its trusted devices, and voids what was sent to it.
func (s *Service) endAll(ctx context.Context, tx store.Tx, user domain.ID) ([]domain.ID, error) {
	return s.endOthers(ctx, tx, domain.Actor{UserID: user})
}

// endOthers is endAll but for the session that the actor acts by.
func (s *Service) endOthers(ctx context.Context, tx store.Tx, actor domain.Actor) ([]domain.ID, error) {
	if err := tx.OneTimeTokens.Void(ctx, actor.UserID); err != nil {
		return nil, err
	}
	return session.EndOthers(ctx, tx, s.deps.Now(), actor)
}

// grace is how long a deleted account can be restored.
func (s *Service) grace(ctx context.Context) (time.Duration, error) {
	days, err := settings.Get(ctx, s.deps.Settings, settings.DeletionGraceDays)
	return time.Duration(days) * 24 * time.Hour, err
}

// Edit is a change of an account; nil fields stay.
type Edit struct {
	Username    *string
	DisplayName *string
	Email       *string
	Roles       *[]domain.RoleName
}

// Edit changes an account. It needs user.manage, and all rights that the account has or gets. expected is UpdatedAt as it was read (Precondition when it
// changed since); nil takes whatever is there. Another address is not verified, and what was sent to the old one is void.
func (s *Service) Edit(ctx context.Context, actor domain.Actor, id domain.ID, expected *time.Time, e Edit) (domain.User, error) {
	var roles []domain.RoleName
	if e.Roles != nil {
		roles = *e.Roles
	}
	checked, err := s.managed(ctx, actor, id, roles...)
	if err != nil {
		return domain.User{}, err
	}
	wanted := checked
	e.apply(&wanted)
	fields, err := s.faults(ctx, wanted)
	if err != nil {
		return domain.User{}, err
	}
	if err := invalid(fields); err != nil {
		return domain.User{}, err
	}
	return s.change(ctx, actor, checked, domain.ActivityUserChanged, false, func(ctx context.Context, tx store.Tx, u *domain.User) (map[string]string, error) {
		if expected != nil && !u.UpdatedAt.Equal(*expected) {
			return nil, fault.New(fault.Precondition, CodeChanged, "The account was changed meanwhile. Load it again.")
		}
		before := *u
		e.apply(u)
		details := map[string]string{}
		if !slices.Equal(before.Roles, u.Roles) {
			details = rolesDetail(u.Roles)
		}
		if !strings.EqualFold(before.Email, u.Email) {
			u.EmailVerifiedAt = nil
			details["email"] = "changed"
			if err := tx.OneTimeTokens.Void(ctx, u.ID); err != nil {
				return nil, err
			}
		}
		return details, nil
	})
}

func (e Edit) apply(u *domain.User) {
	if e.Username != nil {
		u.Username = strings.TrimSpace(*e.Username)
	}
	if e.DisplayName != nil {
		u.DisplayName = strings.TrimSpace(*e.DisplayName)
	}
	if e.Email != nil {
		u.Email = strings.TrimSpace(*e.Email)
	}
	if e.Roles != nil {
		u.Roles = *e.Roles
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Username
	}
}

// SetDisabled closes an account, which ends its sessions everywhere within a second, or opens it again. It needs user.manage and all rights that the
// account has. The last administrator stays: Conflict.
func (s *Service) SetDisabled(ctx context.Context, actor domain.Actor, id domain.ID, disabled bool) (domain.User, error) {
	checked, err := s.managed(ctx, actor, id)
	if err != nil || checked.Disabled == disabled {
		return checked, err
	}
	action := domain.ActivityUserEnabled
	if disabled {
		action = domain.ActivityUserDisabled
	}
	return s.change(ctx, actor, checked, action, disabled, func(_ context.Context, _ store.Tx, u *domain.User) (map[string]string, error) {
		u.Disabled = disabled
		return nil, nil
	})
}

// Delete removes an account: it ends at once everywhere, and is purged after account.deletionGraceDays unless it is restored. It needs user.manage and
// all rights that the account has. The last administrator stays: Conflict.
func (s *Service) Delete(ctx context.Context, actor domain.Actor, id domain.ID) error {
	checked, err := s.managed(ctx, actor, id)
	if err != nil || checked.DeletedAt != nil {
		return err
	}
	return s.softDelete(ctx, actor, checked)
}

func (s *Service) softDelete(ctx context.Context, actor domain.Actor, checked domain.User) error {
	note, err := s.note(ctx, checked, mailing.AccountDeleted)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, actor, checked, domain.ActivityUserDeleted, true, func(ctx context.Context, tx store.Tx, u *domain.User) (map[string]string, error) {
		now := domain.Stamp(s.deps.Now())
		u.DeletedAt = &now
		return nil, s.deps.Mail.Send(ctx, tx, note)
	})
	return err
}

// Restore brings a deleted account back. It needs user.manage and all rights that the account has.
func (s *Service) Restore(ctx context.Context, actor domain.Actor, id domain.ID) (domain.User, error) {
	checked, err := s.managed(ctx, actor, id)
	if err != nil {
		return domain.User{}, err
	}
	return s.change(ctx, actor, checked, domain.ActivityUserRestored, false, func(_ context.Context, _ store.Tx, u *domain.User) (map[string]string, error) {
		if u.DeletedAt == nil {
			return nil, fault.New(fault.Conflict, CodeNotDeleted, "The account is not deleted.")
		}
		u.DeletedAt = nil
		return nil, nil
	})
}

// Purge removes a deleted account for good: all that is its own, its watch history too, and its name out of the activity log and of the invitation
// that it came by. It needs user.manage and all rights that the account has.
func (s *Service) Purge(ctx context.Context, actor domain.Actor, id domain.ID) error {
	checked, err := s.managed(ctx, actor, id)
	if err != nil {
		return err
	}
	return s.purge(ctx, actor, checked.ID)
}

func (s *Service) purge(ctx context.Context, actor domain.Actor, id domain.ID) error {
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		user, err := tx.Users.Get(ctx, id)
		if err != nil {
			return err
		}
		if user.DeletedAt == nil {
			return fault.New(fault.Conflict, CodeNotDeleted, "Delete the account first.")
		}
		if err := activity.Forget(ctx, tx, id); err != nil {
			return err
		}
		if err := tx.Invitations.Renamed(ctx, user.Username, ""); err != nil {
			return err
		}
		if err := tx.Users.Purge(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, domain.ActivityUserPurged, domain.User{ID: id}, nil)
	})
	if err == nil {
		s.deps.Sessions.ForgetUsers(ctx, id)
	}
	return err
}

// CleanUp purges accounts whose time of grace is over, and removes what has expired: the server's own housekeeping. It does a bounded part and goes on
// the next time.
func (s *Service) CleanUp(ctx context.Context) error {
	grace, err := s.grace(ctx)
	if err != nil {
		return err
	}
	now := s.deps.Now()
	gone, err := s.deps.Store.Read().Users.DeletedBefore(ctx, now.Add(-grace), 20)
	if err != nil {
		return err
	}
	for _, id := range gone {
		if err := s.purge(ctx, domain.SystemActor(), id); err != nil && !fault.IsNotFound(err) && fault.CodeOf(err) != CodeNotDeleted {
			return err
		}
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.OneTimeTokens.DeleteExpired(ctx, now); err != nil {
			return err
		}
		if _, err := tx.Registrations.DeleteExpired(ctx, now); err != nil {
			return err
		}
		_, err := tx.Invitations.DeleteEnded(ctx, now.Add(-invitationsAreKept))
		return err
	})
}

// ResetLink is how somebody gets a password again.
type ResetLink struct {
	// Sent says that a mail is on its way; then Link is empty.
	Sent bool
	// Link is for the administrator to hand over: absolute where the server knows its public address, else its path.
	Link      string
	ExpiresAt time.Time
}

// SendReset lets an account choose a new password: by mail where that can be sent, else by a link to hand over. The password, sessions and second factors
// stay what they are until it is used. It needs user.manage and all rights that the account has, and a person (S16).
func (s *Service) SendReset(ctx context.Context, actor domain.Actor, id domain.ID) (ResetLink, error) {
	if err := access.Interactive(actor); err != nil {
		return ResetLink{}, err
	}
	user, err := s.managed(ctx, actor, id)
	if err != nil {
		return ResetLink{}, err
	}
	if !user.Usable() {
		return ResetLink{}, fault.New(fault.Conflict, "user.not_active", "The account is disabled or deleted. Open it first.")
	}
	reset, err := s.newReset(ctx, user, domain.Client{})
	if err != nil {
		return ResetLink{}, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := reset.store(ctx, tx, s); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, domain.ActivityUserResetRequested, user, nil)
	})
	return reset.answer(), err
}

// forget drops what this process keeps of ended sessions and of the account.
func (s *Service) forget(ctx context.Context, user domain.ID, ended []domain.ID) {
	s.deps.Sessions.ForgetUsers(ctx, user)
	s.deps.Sessions.Forget(ctx, ended...)
}
