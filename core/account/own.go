package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/ports/images"
	"github.com/revenge-media/revenge/ports/store"
)

// WeakWithoutFactor tells whether an account's password is too short to be all that is asked for: whoever takes the last second factor away has a new one
// chosen first (S1).
func WeakWithoutFactor(ctx context.Context, r store.Repos, user domain.ID) (bool, error) {
	return r.Users.PasswordIsShort(ctx, user)
}

// own is Authorize for what changes the own account: by a person, never by an API key (S16).
func (s *Service) own(ctx context.Context, actor domain.Actor) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return domain.User{}, err
	}
	if err := access.Interactive(actor); err != nil {
		return domain.User{}, err
	}
	return s.deps.Store.Read().Users.Get(ctx, actor.UserID)
}

// fresh is own for what changes how one signs in (S9).
func (s *Service) fresh(ctx context.Context, actor domain.Actor) (domain.User, error) {
	user, err := s.own(ctx, actor)
	if err != nil {
		return domain.User{}, err
	}
	return user, access.Fresh(actor, s.deps.Now())
}

// UpdateMe changes the actor's names; nil stays.
func (s *Service) UpdateMe(ctx context.Context, actor domain.Actor, username, displayName *string) (domain.User, error) {
	checked, err := s.own(ctx, actor)
	if err != nil {
		return domain.User{}, err
	}
	e := Edit{Username: username, DisplayName: displayName}
	wanted := checked
	e.apply(&wanted)
	fields, err := s.faults(ctx, wanted)
	if err != nil {
		return domain.User{}, err
	}
	if wanted.Username != checked.Username && looksLikeAddress(wanted.Username) {
		fields = append(fields, fault.Field{Path: "username", Message: "A user name holds no @. You can sign in by your address as well."})
	}
	if err := invalid(fields); err != nil {
		return domain.User{}, err
	}
	return s.change(ctx, actor, checked, domain.ActivityUserChanged, false, func(_ context.Context, _ store.Tx, u *domain.User) (map[string]string, error) {
		e.apply(u)
		return nil, nil
	})
}

// DeleteMe removes the actor's account: every session ends at once, and after account.deletionGraceDays all that is its own is gone. Until then an
// administrator can restore it. It needs fresh proof of who one is. The last administrator stays: Conflict.
func (s *Service) DeleteMe(ctx context.Context, actor domain.Actor) error {
	user, err := s.fresh(ctx, actor)
	if err != nil {
		return err
	}
	return s.softDelete(ctx, actor, user)
}

// newPassword checks a password for an account, and hashes it.
func (s *Service) newPassword(ctx context.Context, u domain.User, password string) (domain.PasswordHash, error) {
	least := MinPasswordLength
	if on, err := s.deps.SecondFactor(ctx, s.deps.Store.Read(), u.ID); err != nil {
		return "", err
	} else if on {
		least = MinPasswordLengthWithFactor
	}
	if err := invalid(passwordFaults(password, least, u)); err != nil {
		return "", err
	}
	return s.deps.Hasher.Hash(ctx, password)
}

// setPassword stores a password whose strength was checked before; that of an account without a second factor is checked again, which may have lost it.
func (s *Service) setPassword(ctx context.Context, tx store.Tx, user domain.ID, password string, hash domain.PasswordHash) error {
	if short(password) {
		if on, err := s.deps.SecondFactor(ctx, tx.Repos, user); err != nil {
			return err
		} else if !on {
			return fault.New(fault.Conflict, CodeChanged, "The account was changed meanwhile. Try again.")
		}
	}
	if err := tx.Users.SetPasswordHash(ctx, user, hash); err != nil {
		return err
	}
	return tx.Users.MarkPassword(ctx, user, short(password))
}

// ChangePassword sets the actor's password. It needs the current one; an account without one needs fresh proof of who one is instead. All other sessions,
// their refresh tokens and the trusted devices end (S9), and so do links for a new password.
func (s *Service) ChangePassword(ctx context.Context, actor domain.Actor, current, password string) error {
	user, err := s.own(ctx, actor)
	if err != nil {
		return err
	}
	before, err := s.deps.Store.Read().Users.PasswordHash(ctx, user.ID)
	if err != nil {
		return err
	}
	if err := s.proven(ctx, actor, before, current); err != nil {
		return err
	}
	hash, err := s.newPassword(ctx, user, password)
	if err != nil {
		return err
	}
	note, err := s.note(ctx, user, mailing.PasswordChanged)
	if err != nil {
		return err
	}
	var ended []domain.ID
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if now, err := tx.Users.PasswordHash(ctx, user.ID); err != nil {
			return err
		} else if now != before {
			return fault.New(fault.Conflict, CodeChanged, "The password was changed meanwhile. Sign in again.")
		}
		if err := s.setPassword(ctx, tx, user.ID, password, hash); err != nil {
			return err
		}
		if ended, err = s.endOthers(ctx, tx, actor); err != nil {
			return err
		}
		if err := s.deps.Mail.Send(ctx, tx, from(note, actor.Client)); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, domain.ActivityUserPasswordChanged, user, nil)
	})
	if err == nil {
		s.forget(ctx, user.ID, ended)
	}
	return err
}

// proven is nil for the right current password. Wrong ones count as failed sign-ins do (S4).
func (s *Service) proven(ctx context.Context, actor domain.Actor, hash domain.PasswordHash, current string) error {
	if hash == "" {
		return access.Fresh(actor, s.deps.Now())
	}
	ok, err := s.deps.Attempts.Try(ctx, func(ctx context.Context) (bool, error) {
		ok, _, err := s.deps.Hasher.Verify(ctx, current, hash)
		return ok, err
	}, attempts.Account(actor.UserID), attempts.Address(actor.Client.IP))
	if err == nil && !ok {
		return fault.InvalidField(CodeWrongPassword, "currentPassword", "This is not your current password.")
	}
	return err
}

// ChangeEmail asks for another address. Nothing changes before its owner has confirmed it; where it belongs to an account already, that one's owner hears
// of it and nothing else happens: the answer is the same (S3). It needs fresh proof of who one is.
func (s *Service) ChangeEmail(ctx context.Context, actor domain.Actor, email string) error {
	user, err := s.fresh(ctx, actor)
	if err != nil {
		return err
	}
	if email = strings.TrimSpace(email); !address(email) {
		return invalid([]fault.Field{{Path: "email", Message: "This is no e-mail address."}})
	}
	if can, err := s.mails(ctx); err != nil {
		return err
	} else if !can {
		return fault.New(fault.Conflict, CodeNoMail, "This server sends no mails, so an address cannot be confirmed. Ask an administrator to change yours.")
	}
	if err := s.allow(ctx, "email", domain.Client{IP: user.ID.String()}); err != nil {
		return err
	}
	change, err := s.issue(ctx, user, domain.TokenVerifyEmail, email, "confirm-email", verifyLifetime, mailing.ConfirmEmailChange, map[string]string{"email": email})
	if err != nil {
		return err
	}
	owner, _, err := s.deps.Store.Read().Users.ByLogin(ctx, email)
	switch {
	case fault.IsNotFound(err) || (err == nil && owner.ID == user.ID):
	case err != nil:
		return err
	default:
		m, err := s.to(ctx, owner, mailing.AddressInUse, map[string]string{"when": moment(s.deps.Now())})
		if err != nil {
			return err
		}
		if !same(owner.Email, email) {
			m.To = ""
		}
		change.mail = &m
		_, change.token.Hash = newCode() // which nobody holds
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return change.store(ctx, tx, s) })
}

// confirmAddress takes the code that was sent to an address.
func (s *Service) confirmAddress(ctx context.Context, actor domain.Actor, hash []byte) error {
	token, err := s.deps.Store.Read().OneTimeTokens.Get(ctx, domain.TokenVerifyEmail, hash, s.deps.Now())
	if err != nil {
		return badCodeIfAbsent(err)
	}
	user, err := s.deps.Store.Read().Users.Get(ctx, token.UserID)
	if err != nil {
		return badCodeIfAbsent(err)
	}
	note, err := s.note(ctx, user, mailing.EmailChanged) // to the old address
	if err != nil {
		return err
	}
	note.Data["email"] = token.Email
	var ended []domain.ID
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		ended = nil
		now := domain.Stamp(s.deps.Now())
		token, err := tx.OneTimeTokens.Take(ctx, domain.TokenVerifyEmail, hash, now)
		if err != nil {
			return badCodeIfAbsent(err)
		}
		user, err := tx.Users.Get(ctx, token.UserID)
		if err != nil {
			return badCodeIfAbsent(err)
		}
		if !user.Usable() {
			return badCode()
		}
		changed := !same(user.Email, token.Email)
		user.Email, user.EmailVerifiedAt, user.UpdatedAt = token.Email, &now, now
		if err := tx.Users.Update(ctx, user); err != nil {
			return err
		}
		by := actor
		if actor.UserID != user.ID {
			by = domain.Actor{UserID: user.ID, Username: user.Username, Client: actor.Client}
		}
		if !changed {
			return s.record(ctx, tx, by, domain.ActivityUserEmailVerified, user, nil)
		}
		if ended, err = s.endOthers(ctx, tx, by); err != nil {
			return err
		}
		if err := s.deps.Mail.Send(ctx, tx, note); err != nil {
			return err
		}
		return s.record(ctx, tx, by, domain.ActivityUserEmailChanged, user, nil)
	})
	if err == nil {
		s.forget(ctx, user.ID, ended)
	}
	return err
}

// ResetPassword sets the password of who holds the code, once. Nobody is signed in by it, second factors stay, all sessions, refresh tokens and trusted
// devices end, and what wrong passwords counted up is forgotten (S10).
func (s *Service) ResetPassword(ctx context.Context, code, password string, client domain.Client) error {
	hash := hashOf(strings.TrimSpace(code))
	token, err := s.deps.Store.Read().OneTimeTokens.Get(ctx, domain.TokenResetPassword, hash, s.deps.Now())
	if err != nil {
		return badCodeIfAbsent(err)
	}
	user, err := s.deps.Store.Read().Users.Get(ctx, token.UserID)
	if err != nil {
		return badCodeIfAbsent(err)
	}
	fresh, err := s.newPassword(ctx, user, password)
	if err != nil {
		return err
	}
	note, err := s.note(ctx, user, mailing.PasswordChanged)
	if err != nil {
		return err
	}
	var ended []domain.ID
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		now := domain.Stamp(s.deps.Now())
		token, err := tx.OneTimeTokens.Take(ctx, domain.TokenResetPassword, hash, now)
		if err != nil {
			return badCodeIfAbsent(err)
		}
		if user, err = tx.Users.Get(ctx, token.UserID); err != nil {
			return badCodeIfAbsent(err)
		}
		if !user.Usable() {
			return badCode()
		}
		if err := s.setPassword(ctx, tx, user.ID, password, fresh); err != nil {
			return err
		}
		if user.EmailVerifiedAt == nil && token.Email != "" && same(token.Email, user.Email) { // the link came back from there
			user.EmailVerifiedAt, user.UpdatedAt = &now, now
			if err := tx.Users.Update(ctx, user); err != nil {
				return err
			}
		}
		if ended, err = s.endAll(ctx, tx, user.ID); err != nil {
			return err
		}
		if err := s.deps.Mail.Send(ctx, tx, from(note, client)); err != nil {
			return err
		}
		return s.record(ctx, tx, domain.Actor{UserID: user.ID, Username: user.Username, Client: client}, domain.ActivityUserPasswordReset, user, nil)
	})
	if err != nil {
		return err
	}
	s.forget(ctx, user.ID, ended)
	return s.deps.Attempts.Clear(ctx, attempts.Account(user.ID))
}

// SetPassword sets an account's password for whoever sits at the host: only the server itself may. Otherwise it does what ResetPassword does.
func (s *Service) SetPassword(ctx context.Context, actor domain.Actor, id domain.ID, password string) error {
	if !actor.System {
		return fault.New(fault.Forbidden, access.CodeDenied, "Passwords of others are set on the host only.")
	}
	user, err := s.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	hash, err := s.newPassword(ctx, user, password)
	if err != nil {
		return err
	}
	note, err := s.note(ctx, user, mailing.PasswordChanged)
	if err != nil {
		return err
	}
	var ended []domain.ID
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if err := s.setPassword(ctx, tx, user.ID, password, hash); err != nil {
			return err
		}
		if ended, err = s.endAll(ctx, tx, user.ID); err != nil {
			return err
		}
		if err := s.deps.Mail.Send(ctx, tx, note); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, domain.ActivityUserPasswordReset, user, nil)
	})
	if err != nil {
		return err
	}
	s.forget(ctx, user.ID, ended)
	return s.deps.Attempts.Clear(ctx, attempts.Account(user.ID))
}

// The limits of an avatar (S24), which hold before anything is decoded, and what is kept of it.
const (
	MaxAvatarBytes = 5 << 20
	maxAvatarSide  = 4096
	avatarSide     = 512
)

// SetAvatar makes a picture the actor's: cut to a square, at most 512 pixels wide, without anything that the upload says besides the picture.
func (s *Service) SetAvatar(ctx context.Context, actor domain.Actor, r io.Reader) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return domain.User{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxAvatarBytes+1))
	if err != nil {
		return domain.User{}, fault.Wrap(err, fault.Invalid, CodeAvatar, "The picture cannot be read to its end.")
	}
	if len(data) > MaxAvatarBytes {
		return domain.User{}, fault.New(fault.TooLarge, CodeAvatarTooLarge, "The picture has more than %d MiB.", MaxAvatarBytes>>20)
	}
	width, height, _, err := s.deps.Pictures.Inspect(ctx, bytes.NewReader(data))
	if err != nil {
		return domain.User{}, err
	}
	if width > maxAvatarSide || height > maxAvatarSide {
		return domain.User{}, fault.New(fault.Invalid, CodeAvatar, "The picture has %d x %d pixels; %d x %d is the most.", width, height, maxAvatarSide, maxAvatarSide)
	}
	small, err := s.square(ctx, data)
	if err != nil {
		return domain.User{}, err
	}
	sum := sha256.Sum256(small)
	a := domain.Avatar{UserID: actor.UserID, Revision: hex.EncodeToString(sum[:8]), MediaType: "image/webp", Data: small, CreatedAt: domain.Stamp(s.deps.Now())}
	return s.setAvatar(ctx, actor, a.Revision, func(ctx context.Context, tx store.Tx) error { return tx.Avatars.Save(ctx, a) })
}

// square waits for one of the places for decoding.
func (s *Service) square(ctx context.Context, data []byte) ([]byte, error) {
	select {
	case s.decoding <- struct{}{}:
		defer func() { <-s.decoding }()
		return s.deps.Pictures.Square(ctx, bytes.NewReader(data), avatarSide, images.FormatWebP)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// DeleteAvatar takes the actor's picture away.
func (s *Service) DeleteAvatar(ctx context.Context, actor domain.Actor) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return err
	}
	_, err := s.setAvatar(ctx, actor, "", func(ctx context.Context, tx store.Tx) error { return tx.Avatars.Delete(ctx, actor.UserID) })
	return err
}

func (s *Service) setAvatar(ctx context.Context, actor domain.Actor, revision string, save func(ctx context.Context, tx store.Tx) error) (user domain.User, err error) {
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if user, err = tx.Users.Get(ctx, actor.UserID); err != nil {
			return err
		}
		if err := save(ctx, tx); err != nil {
			return err
		}
		user.Avatar, user.UpdatedAt = revision, domain.Stamp(s.deps.Now())
		if err := tx.Users.Update(ctx, user); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, domain.ActivityUserChanged, user, map[string]string{"avatar": revision})
	})
	if err == nil {
		s.deps.Sessions.ForgetUsers(ctx, actor.UserID)
	}
	return user, err
}

// Avatar returns an account's picture, to whoever is signed in.
func (s *Service) Avatar(ctx context.Context, actor domain.Actor, user domain.ID) (domain.Avatar, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return domain.Avatar{}, err
	}
	return s.deps.Store.Read().Avatars.Get(ctx, user)
}
