package mfa

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/store"
)

// TrustFor is how long a device is trusted (S15).
const TrustFor = 30 * 24 * time.Hour

// TrustDevice lets a client that just showed the account's second factor do without it for TrustFor. It returns the token of 256 random bits that the
// client holds; only its hash is kept.
func (s *Service) TrustDevice(ctx context.Context, tx store.Tx, user domain.ID, client domain.Client) (string, error) {
	now := domain.Stamp(s.deps.Now())
	text, hash := token()
	d := domain.TrustedDevice{
		ID: domain.NewID(), UserID: user, Hash: hash, Name: session.Device(client.UserAgent), IP: client.IP, LastUsedAt: now, CreatedAt: now, ExpiresAt: now.Add(TrustFor),
	}
	if err := tx.MFA.CreateTrustedDevice(ctx, d); err != nil {
		return "", err
	}
	by, err := person(ctx, tx.Repos, user, client)
	if err != nil {
		return "", err
	}
	event := domain.Activity{Action: domain.ActivityMFADeviceTrusted, ResourceType: "trusted_device", ResourceID: d.ID.String(), ResourceName: d.Name, Success: true}
	return text, activity.Record(ctx, tx, now, by, event)
}

// Trusted tells whether this token is one of the account's trusted devices, and notes the use: r are a transaction's. It waives the second factor only.
func (s *Service) Trusted(ctx context.Context, r store.Repos, user domain.ID, token string, now time.Time) (bool, error) {
	if token == "" {
		return false, nil
	}
	return r.MFA.UseTrustedDevice(ctx, user, hashed(token), domain.Stamp(now))
}

// TrustedDevices lists the actor's, latest used first.
func (s *Service) TrustedDevices(ctx context.Context, actor domain.Actor) ([]domain.TrustedDevice, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().MFA.TrustedDevices(ctx, actor.UserID, s.deps.Now())
}

// DistrustDevice makes one of the actor's devices show the second factor again; somebody else's is NotFound.
func (s *Service) DistrustDevice(ctx context.Context, actor domain.Actor, id domain.ID) error {
	return s.distrust(ctx, actor, id.String(), func(ctx context.Context, tx store.Tx) error { return tx.MFA.DeleteTrustedDevice(ctx, actor.UserID, id) })
}

// DistrustDevices is DistrustDevice for all.
func (s *Service) DistrustDevices(ctx context.Context, actor domain.Actor) error {
	return s.distrust(ctx, actor, "all", func(ctx context.Context, tx store.Tx) error {
		_, err := tx.MFA.DeleteTrustedDevices(ctx, actor.UserID)
		return err
	})
}

func (s *Service) distrust(ctx context.Context, actor domain.Actor, which string, fn func(ctx context.Context, tx store.Tx) error) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return err
	}
	if err := access.Interactive(actor); err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		event := domain.Activity{Action: domain.ActivityMFADeviceRevoked, ResourceType: "trusted_device", ResourceID: which, Success: true}
		return activity.Record(ctx, tx, s.deps.Now(), actor, event)
	})
}

// CleanUp removes what has expired: the server's own housekeeping.
func (s *Service) CleanUp(ctx context.Context) error {
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.MFA.DeleteExpiredTrustedDevices(ctx, s.deps.Now())
		return err
	})
}
