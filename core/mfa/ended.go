package mfa

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

// endOthers ends the actor's other sessions, with their refresh tokens, and its trusted devices (S9).
func endOthers(ctx context.Context, tx store.Tx, now time.Time, actor domain.Actor) ([]domain.ID, error) {
	ended, err := tx.Sessions.RevokeUser(ctx, actor.UserID, now, &actor.SessionID)
	if err != nil {
		return nil, err
	}
	if _, err := tx.MFA.DeleteTrustedDevices(ctx, actor.UserID); err != nil {
		return nil, err
	}
	return ended, tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, ended...)...)
}
