package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
)

// challengeLifetime is how long a second factor is waited for (S11).
const challengeLifetime = 5 * time.Minute

// purposeFactor is what a pending second factor is stored as.
const purposeFactor domain.ChallengePurpose = "auth.second_factor"

// loginNoted is how exact LastLoginAt is: sign-ins that come together do not wait for each other to write it.
const loginNoted = time.Minute

// Options are what is known of a sign-in besides who it is.
type Options struct {
	// DeviceToken is a trusted device's, "" without one.
	DeviceToken string
	// SecondFactorShown says that a provider which is trusted for it saw a second factor (amr "mfa").
	SecondFactorShown bool
	// AuthenticatedAt is when the person proved to a provider who they are: one that has a session of its own asks them nothing, and such a sign-in is no
	// fresh proof (S9). Zero, or a time to come, is now.
	AuthenticatedAt time.Time
	// OIDC is what the provider knows of the sign-in, kept with the session that it opens; nil otherwise. SessionID and CreatedAt are filled in.
	OIDC *domain.OIDCSession
}

// Outcome is either a session or what is asked for besides.
type Outcome struct {
	SignedIn  *SignedIn
	Challenge *Challenge
}

// Challenge asks for a second factor: VerifySecondFactor with Token opens the session. Wrong codes do not use it up.
type Challenge struct {
	Token     string // 256 random bits
	Methods   []domain.FactorMethod
	ExpiresAt time.Time
}

// SignedIn is a new session.
type SignedIn struct {
	User    domain.User
	Session domain.Session
	Actor   domain.Actor
	Tokens  Tokens
}

// pending is what a challenge remembers of the sign-in that it is a part of.
type pending struct {
	Method domain.SignInMethod `json:"method"`
	OIDC   *domain.OIDCSession `json:"oidc,omitempty"`
}

// entry is a sign-in for which everything was shown but, perhaps, a second factor.
type entry struct {
	user   domain.ID
	method domain.SignInMethod
	client domain.Client
	// factor says that a second factor was shown.
	factor  bool
	options Options
	// replaces is the session that this one takes the place of; nil for a sign-in.
	replaces *domain.Session
	event    domain.Activity
	// refused is why an account that may not be used gets no session.
	refused error
	// within runs at the start of the transaction that opens the session; nil for nothing.
	within func(ctx context.Context, tx store.Tx) error
}

// issue is the one place where sessions are opened. The transaction that does it looks again whether the account may be used, and whether a second factor
// is on: only one that was shown, a passkey or a device that is trusted yields a session; everything else gets a Challenge.
func (s *Service) issue(ctx context.Context, e entry) (Outcome, error) {
	now := domain.Stamp(s.deps.Now())
	idle, err := s.deps.Sessions.Idle(ctx)
	if err != nil {
		return Outcome{}, err
	}
	shown := e.factor || e.method == domain.SignInPasskey || e.options.SecondFactorShown
	opened := opening{
		session: domain.Session{
			ID: domain.NewID(), UserID: e.user, Device: session.Device(e.client.UserAgent), UserAgent: session.Printable(e.client.UserAgent), IP: e.client.IP,
			CreatedAt: now, LastSeenAt: now, ExpiresAt: session.Expiry(now, now, idle), Method: e.method, AuthenticatedAt: now, MFAVerified: shown,
		},
		token: newRefreshToken(),
	}
	if at := e.options.AuthenticatedAt; !at.IsZero() && at.Before(now) {
		opened.session.AuthenticatedAt = domain.Stamp(at)
	}
	if shown {
		opened.session.MFAVerifiedAt = &now
	} else if e.replaces != nil {
		opened.session.MFAVerified, opened.session.MFAVerifiedAt = e.replaces.MFAVerified, e.replaces.MFAVerifiedAt
	}
	var user domain.User
	var asked *Challenge
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		asked = nil
		if e.within != nil {
			if err := e.within(ctx, tx); err != nil {
				return err
			}
		}
		if user, err = tx.Users.Get(ctx, e.user); fault.IsNotFound(err) || (err == nil && !user.Usable()) {
			return e.refused
		} else if err != nil {
			return err
		}
		if !shown && e.replaces == nil {
			if asked, err = s.ask(ctx, tx, e, now); err != nil || asked != nil {
				return err
			}
		}
		return s.settle(ctx, tx, e, &user, &opened)
	})
	switch {
	case err != nil:
		return Outcome{}, err
	case asked != nil:
		return Outcome{Challenge: asked}, nil
	}
	s.deps.Sessions.ForgetUsers(ctx, e.user) // who last signed in when
	if e.replaces != nil {
		s.deps.Sessions.Forget(ctx, e.replaces.ID)
	}
	in, err := s.signedIn(ctx, user, opened)
	return Outcome{SignedIn: &in}, err
}

// ask returns the challenge for an account with a second factor; nil where none is on, or the device is trusted.
func (s *Service) ask(ctx context.Context, tx store.Tx, e entry, now time.Time) (*Challenge, error) {
	methods, err := s.deps.Factors.Methods(ctx, tx.Repos, e.user)
	if err != nil || len(methods) == 0 {
		return nil, err
	}
	if trusted, err := s.deps.Factors.Trusted(ctx, tx.Repos, e.user, e.options.DeviceToken, now); err != nil || trusted {
		return nil, err
	}
	data, err := json.Marshal(pending{e.method, e.options.OIDC})
	if err != nil {
		return nil, err
	}
	token := base64.RawURLEncoding.EncodeToString(random(32))
	asked := &Challenge{Token: token, Methods: methods, ExpiresAt: now.Add(challengeLifetime)}
	return asked, tx.Challenges.Create(ctx, domain.Challenge{
		Hash: challengeHash(token), Purpose: purposeFactor, UserID: &e.user, Data: data, CreatedAt: now, ExpiresAt: asked.ExpiresAt,
	})
}

func challengeHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// settle stores a session and what goes with it: the device, who signed in last when, the log, a mail about a device that was not known.
func (s *Service) settle(ctx context.Context, tx store.Tx, e entry, user *domain.User, o *opening) error {
	now := o.session.CreatedAt
	device, unknown, err := tx.Sessions.NoteDevice(ctx, domain.Device{
		ID: domain.NewID(), UserID: user.ID, Fingerprint: session.Fingerprint(e.client.UserAgent), Name: o.session.Device, CreatedAt: now, LastSeenAt: now,
	})
	if err != nil {
		return err
	}
	o.session.DeviceID = &device.ID
	if err := o.store(ctx, tx); err != nil {
		return err
	}
	if e.options.OIDC != nil {
		came := *e.options.OIDC
		came.SessionID, came.CreatedAt = o.session.ID, now
		if err := tx.OIDC.CreateSession(ctx, came); err != nil {
			return err
		}
	}
	if e.replaces != nil {
		if err := replace(ctx, tx, *e.replaces, o.session, now); err != nil {
			return err
		}
	} else if user.LastLoginAt == nil || now.Sub(*user.LastLoginAt) >= loginNoted {
		user.LastLoginAt = &now
		if err := tx.Users.Update(ctx, *user); err != nil {
			return err
		}
	}
	by := domain.Actor{UserID: user.ID, SessionID: o.session.ID, Username: user.Username, Client: e.client}
	event := e.event
	event.ResourceType, event.ResourceID, event.ResourceName, event.Success = "session", o.session.ID.String(), o.session.Device, true
	if err := activity.Record(ctx, tx, now, by, event); err != nil || !unknown {
		return err
	}
	return s.newDevice(ctx, tx, *user, by, device, now)
}

// replace ends a session in favour of the one that takes its place (S7). What a provider knows of it goes over to that.
func replace(ctx context.Context, tx store.Tx, old, next domain.Session, now time.Time) error {
	if err := tx.Sessions.Revoke(ctx, old.ID, now); err != nil {
		return err
	}
	if err := tx.OIDC.MoveSession(ctx, old.ID, next.ID); err != nil {
		return err
	}
	return announceSession(ctx, tx, old.ID)
}

// newDevice tells an account's owner of a device that the account was not used on before.
func (s *Service) newDevice(ctx context.Context, tx store.Tx, user domain.User, by domain.Actor, device domain.Device, now time.Time) error {
	err := activity.Record(ctx, tx, now, by, domain.Activity{
		Action: domain.ActivityNewDevice, ResourceType: "device", ResourceID: device.ID.String(), ResourceName: device.Name, Success: true,
	})
	if err != nil || user.Email == "" {
		return err
	}
	preferences, err := tx.Users.Preferences(ctx, user.ID)
	if err != nil {
		return err
	}
	return s.deps.Mailing.Send(ctx, tx, mailing.Message{
		To: user.Email, ToName: user.DisplayName, Language: preferences.Language, Template: mailing.NewDevice,
		Data: map[string]string{"device": device.Name, "ip": by.Client.IP, "when": now.Format("2006-01-02 15:04 UTC")},
	})
}

// opening is a session that is about to be stored, with its first refresh token.
type opening struct {
	session domain.Session
	token   refreshToken
}

// store keeps both. The token lasts as long as the session may at most; whether that still lives is the session's to say.
func (o opening) store(ctx context.Context, tx store.Tx) error {
	return tx.Sessions.Create(ctx, o.session, domain.RefreshToken{
		Hash: o.token.hash(), SessionID: o.session.ID, CreatedAt: o.session.CreatedAt, ExpiresAt: o.session.CreatedAt.Add(session.Lifetime),
	})
}

func (s *Service) signedIn(ctx context.Context, user domain.User, o opening) (SignedIn, error) {
	pair, err := s.tokens(ctx, o.session, o.token)
	if err != nil {
		return SignedIn{}, err
	}
	actor, err := s.deps.Sessions.ActorOf(ctx, user, o.session)
	return SignedIn{User: user, Session: o.session, Actor: actor, Tokens: pair}, err
}

// announceSession tells every process that a session changed.
func announceSession(ctx context.Context, tx store.Tx, id domain.ID) error {
	return tx.Events.Publish(ctx, caching.Changed(bus.TopicSession, id)...)
}
