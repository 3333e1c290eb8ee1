package auth

import (
	"context"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/store"
)

// Renew puts a new session in the place of the one that the actor acts by, right after they proved who they are by what they changed: with an id and tokens
// of its own, and no more rights than the old one had, which ends (S7).
func (s *Service) Renew(ctx context.Context, actor domain.Actor, client domain.Client) (SignedIn, error) {
	return s.renew(ctx, actor, client, false, map[string]string{"method": "change"}, nil)
}

// renew issues a session in the place of the actor's; factor says that a second factor was shown. within, unless nil, is entry's.
func (s *Service) renew(
	ctx context.Context, actor domain.Actor, client domain.Client, factor bool, details map[string]string, within func(ctx context.Context, tx store.Tx) error,
) (SignedIn, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return SignedIn{}, err
	}
	if err := access.Interactive(actor); err != nil {
		return SignedIn{}, err
	}
	old, err := s.deps.Store.Read().Sessions.Get(ctx, actor.SessionID)
	if err != nil {
		return SignedIn{}, err
	}
	ended := fault.New(fault.Unauthenticated, session.CodeEnded, "This session has ended. Sign in again.")
	outcome, err := s.issue(ctx, entry{
		user: actor.UserID, method: old.Method, client: client, factor: factor, replaces: &old, refused: ended,
		event: domain.Activity{Action: domain.ActivityReauthed, Details: details},
		within: func(ctx context.Context, tx store.Tx) error {
			if now, err := tx.Sessions.Get(ctx, old.ID); err != nil {
				return err
			} else if !now.Active(s.deps.Now()) {
				return ended
			}
			if within == nil {
				return nil
			}
			return within(ctx, tx)
		},
	})
	if err != nil {
		return SignedIn{}, err
	}
	return *outcome.SignedIn, nil
}
