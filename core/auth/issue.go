package auth

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// Options are what is known of a sign-in besides who it is.
type Options struct {
	// DeviceToken is a trusted device's, "" without one.
	DeviceToken string
	// SecondFactorShown says that a provider which is trusted for it saw a second factor (amr "mfa").
	SecondFactorShown bool
	// OIDC is what the provider knows of the sign-in, kept with the session that it opens; nil otherwise. SessionID and CreatedAt are filled in.
	OIDC *domain.OIDCSession
}

// Outcome is either a session or what is asked for besides.
type Outcome struct {
	SignedIn  *SignedIn
	Challenge *Challenge
}

// Challenge asks for a second factor.
type Challenge struct {
	Token     string
	Methods   []domain.FactorMethod
	ExpiresAt time.Time
}

// Open opens a session for an account that proved itself by other means than a password.
func (s *Service) Open(ctx context.Context, userID domain.ID, method domain.SignInMethod, client domain.Client, o Options) (Outcome, error) {
	opening := s.newSession(userID, method, client)
	if o.SecondFactorShown {
		opening.session.MFAVerified, opening.session.MFAVerifiedAt = true, &opening.session.CreatedAt
	}
	var user domain.User
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if user, err = tx.Users.Get(ctx, userID); err != nil {
			return err
		}
		if !user.Usable() {
			return fault.New(fault.Unauthenticated, CodeInvalidCredentials, "This account is closed.")
		}
		user.LastLoginAt = &opening.session.CreatedAt
		if err := tx.Users.Update(ctx, user); err != nil {
			return err
		}
		if err := opening.store(ctx, tx); err != nil || o.OIDC == nil {
			return err
		}
		came := *o.OIDC
		came.SessionID, came.CreatedAt = opening.session.ID, opening.session.CreatedAt
		return tx.OIDC.CreateSession(ctx, came)
	})
	if err != nil {
		return Outcome{}, err
	}
	s.deps.Sessions.ForgetUsers(ctx, userID)
	in, err := s.signedIn(ctx, user, opening)
	return Outcome{SignedIn: &in}, err
}
