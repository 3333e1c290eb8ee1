package auth

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

// claimLifetime is how long a claim code is good for (S31).
const claimLifetime = 24 * time.Hour

// newClaimCode returns 160 random bits in groups of four letters and digits.
func newClaimCode() string {
	text := base32.StdEncoding.EncodeToString(random(20))
	var groups []string
	for i := 0; i < len(text); i += 4 {
		groups = append(groups, text[i:i+4])
	}
	return strings.Join(groups, "-")
}

// bare is a code as it is compared: how it was typed does not matter.
func bare(code string) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(code)))
}

func setupDone() error {
	return fault.New(fault.NotFound, CodeSetupDone, "This server has an owner. Sign in instead.")
}

// SetupRequired tells whether no administrator exists yet.
func (s *Service) SetupRequired(ctx context.Context) (bool, error) {
	admins, err := s.deps.Store.Read().Users.CountAdmins(ctx)
	return admins == 0, err
}

// ClaimCode returns the code that makes somebody the first administrator, for the host to print: the stored one, in every process the
// same, or a new one when there is none or it has expired. NotFound when there is an administrator.
func (s *Service) ClaimCode(ctx context.Context) (string, error) { return s.claimCode(ctx, false) }

// NewClaimCode replaces the code, for the host's owner who lost it. It needs settings.manage; before there is an administrator only the
// server itself has that.
func (s *Service) NewClaimCode(ctx context.Context, actor domain.Actor) (string, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return "", err
	}
	return s.claimCode(ctx, true)
}

func (s *Service) claimCode(ctx context.Context, replace bool) (string, error) {
	now := domain.Stamp(s.deps.Now())
	offered, err := s.seal(ctx, secretClaimCode, []byte(newClaimCode()))
	if err != nil {
		return "", err
	}
	expires := now.Add(claimLifetime)
	offered.ExpiresAt = &expires
	var stored store.Secret
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if admins, err := tx.Users.CountAdmins(ctx); err != nil {
			return err
		} else if admins > 0 {
			return setupDone()
		}
		if stored, err = tx.Secrets.InsertIfAbsent(ctx, offered); err != nil {
			return err
		}
		if replace || expired(stored, now) {
			if _, err := tx.Secrets.Replace(ctx, stored, offered); err != nil {
				return err
			}
			stored, err = tx.Secrets.Get(ctx, secretClaimCode)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	code, err := s.open(ctx, stored)
	return string(code), err
}

func expired(secret store.Secret, now time.Time) bool {
	return secret.ExpiresAt != nil && !now.Before(*secret.ExpiresAt)
}

// CheckClaimCode returns nil for the right code, Forbidden for another or an expired one, NotFound when there is an administrator.
func (s *Service) CheckClaimCode(ctx context.Context, code string) error {
	_, err := s.checkClaimCode(ctx, code)
	return err
}

func (s *Service) checkClaimCode(ctx context.Context, code string) (store.Secret, error) {
	wrong := fault.New(fault.Forbidden, CodeWrongCode, "This is not the code, or it has expired. The server prints the valid one when it starts.")
	if required, err := s.SetupRequired(ctx); err != nil {
		return store.Secret{}, err
	} else if !required {
		return store.Secret{}, setupDone()
	}
	stored, err := s.deps.Store.Read().Secrets.Get(ctx, secretClaimCode)
	if fault.IsNotFound(err) {
		return store.Secret{}, wrong
	}
	if err != nil {
		return store.Secret{}, err
	}
	right, err := s.open(ctx, stored)
	if err != nil {
		return store.Secret{}, err
	}
	if subtle.ConstantTimeCompare(bare(code), bare(string(right))) != 1 || expired(stored, s.deps.Now()) {
		return store.Secret{}, wrong
	}
	return stored, nil
}

// Claim makes the first administrator and signs them in. Of many claims with the right code one succeeds; afterwards, and as soon as there
// is an administrator by another way, it is NotFound.
func (s *Service) Claim(ctx context.Context, code string, owner account.NewUser, client domain.Client) (SignedIn, error) {
	checked, err := s.checkClaimCode(ctx, code)
	if err != nil {
		return SignedIn{}, err
	}
	owner.Roles = []domain.RoleName{domain.RoleAdmin}
	user, hash, err := s.deps.Accounts.Prepare(ctx, owner)
	if err != nil {
		return SignedIn{}, err
	}
	take := func(ctx context.Context, tx store.Tx) error {
		if admins, err := tx.Users.CountAdmins(ctx); err != nil {
			return err
		} else if admins > 0 {
			return setupDone()
		}
		// The row is the lock: who deletes the code that was checked is the owner.
		if current, err := tx.Secrets.Get(ctx, secretClaimCode); err != nil && !fault.IsNotFound(err) {
			return err
		} else if err != nil || !bytes.Equal(current.Sealed, checked.Sealed) {
			return fault.New(fault.Forbidden, CodeWrongCode, "The code was replaced meanwhile. The server prints the valid one when it starts.")
		}
		if deleted, err := tx.Secrets.Delete(ctx, secretClaimCode); err != nil {
			return err
		} else if !deleted {
			return setupDone()
		}
		if err := tx.Users.Create(ctx, user, hash); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, user.ID)...)
	}
	outcome, err := s.issue(ctx, entry{
		user: user.ID, method: domain.SignInClaim, client: client, event: domain.Activity{Action: domain.ActivityClaimed}, refused: setupDone(), within: take,
	})
	if err != nil {
		return SignedIn{}, err
	}
	return *outcome.SignedIn, nil // an account that was just made has no second factor
}
