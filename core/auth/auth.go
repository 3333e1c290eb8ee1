// Package auth lets people in: the first owner by a claim code, everybody by password, and each request by access token or cookie.
package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/mfa"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/passwords"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/ports/tokens"
)

// Fault codes of this area; those of tokens stand in ports/tokens.
const (
	codeTokenInvalid       = "auth.token_invalid"       // of ports/tokens
	CodeInvalidCredentials = "auth.invalid_credentials" // Unauthenticated
	CodeRefreshInvalid     = "auth.refresh_invalid"     // Unauthenticated: unknown, expired or used
	CodeCookieInvalid      = "auth.cookie_invalid"      // Unauthenticated
	CodeChallengeInvalid   = "auth.challenge_invalid"   // Unauthenticated: unknown, expired or used
	CodeNoPassword         = "auth.no_password"         // Forbidden: the account cannot show one
	CodeWrongCode          = "setup.wrong_code"         // Forbidden
	CodeSetupDone          = "setup.done"               // NotFound: there is an administrator
)

// AccessTokenLifetime is how long an access token lasts unless Deps says otherwise (S6).
const AccessTokenLifetime = 15 * time.Minute

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Sealer   secrets.Sealer
	Hasher   passwords.Hasher
	Access   *access.Service
	Accounts *account.Service
	Sessions *session.Service
	Attempts *attempts.Guard
	Factors  *mfa.Service
	Mailing  *mailing.Service
	Bus      bus.Bus
	// NewSigner makes a signer of the server's keys, newest first.
	NewSigner func(keys ...tokens.Key) (tokens.Signer, error)
	Now       func() time.Time
	Logger    *slog.Logger
	// AccessTokenLifetime is 0 for the default.
	AccessTokenLifetime time.Duration
}

// Service lets people in.
type Service struct {
	deps Deps
	keys atomic.Pointer[keys]
	// reloading is held while the keys are read again.
	reloading sync.Mutex
	looked    [keyRetries]time.Time // when unknown tokens last made it look for keys, oldest first
}

// New returns the service. Start it before use.
func New(d Deps) *Service {
	if d.AccessTokenLifetime <= 0 {
		d.AccessTokenLifetime = AccessTokenLifetime
	}
	return &Service{deps: d}
}

// Tokens are a pair for clients without cookies.
type Tokens struct {
	AccessToken  string
	RefreshToken string
	// ExpiresIn is how long the access token lasts.
	ExpiresIn time.Duration
}

func invalidCredentials() error {
	return fault.New(fault.Unauthenticated, CodeInvalidCredentials, "The user name or the password is wrong.")
}

// Login opens a session by user name or address and password, or asks for a second factor. Accounts that do not exist or may not be used take as long,
// answer alike, and count alike (S3, S4).
func (s *Service) Login(ctx context.Context, login, password string, client domain.Client, o Options) (Outcome, error) {
	user, hash, err := s.deps.Store.Read().Users.ByLogin(ctx, login)
	known := err == nil
	if err != nil && !fault.IsNotFound(err) {
		return Outcome{}, err
	}
	key := attempts.Login(login)
	if known {
		key = attempts.Account(user.ID)
	}
	var outdated bool
	ok, err := s.deps.Attempts.Try(ctx, func(ctx context.Context) (ok bool, err error) {
		if hash == "" { // no such account, or one without a password
			return false, s.deps.Hasher.Burn(ctx, password)
		}
		ok, outdated, err = s.deps.Hasher.Verify(ctx, password, hash)
		return ok && user.Usable(), err
	}, key, attempts.Address(client.IP))
	if err != nil {
		return Outcome{}, err
	}
	if !ok {
		about := &user
		if !known {
			about = nil
		}
		if err := s.failed(ctx, about, client, map[string]string{"method": string(domain.SignInPassword)}); err != nil {
			return Outcome{}, err
		}
		return Outcome{}, invalidCredentials()
	}
	fresh := hash
	if outdated {
		if fresh, err = s.deps.Hasher.Hash(ctx, password); err != nil {
			return Outcome{}, err
		}
	}
	return s.issue(ctx, entry{
		user: user.ID, method: domain.SignInPassword, client: client, options: o, event: loginEvent(domain.SignInPassword), refused: invalidCredentials(),
		within: func(ctx context.Context, tx store.Tx) error {
			// While the password was compared, it may have been changed.
			if err := unchanged(ctx, tx, user.ID, hash); err != nil || !outdated {
				return err
			}
			return tx.Users.SetPasswordHash(ctx, user.ID, fresh)
		},
	})
}

// failed records a failure to show who one is. What was typed as a name that no account has is not kept: people type their passwords there.
func (s *Service) failed(ctx context.Context, user *domain.User, client domain.Client, details map[string]string) error {
	e := domain.Activity{Action: domain.ActivityLoginFailed, Details: details}
	if user != nil {
		e.UserID, e.Username = &user.ID, user.Username
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		return activity.Record(ctx, tx, s.deps.Now(), domain.Actor{Client: client}, e)
	})
}

// tokens signs an access token that ends with the session at the latest.
func (s *Service) tokens(ctx context.Context, of domain.Session, refresh refreshToken) (Tokens, error) {
	k, err := s.started()
	if err != nil {
		return Tokens{}, err
	}
	now := s.deps.Now()
	lifetime := min(s.deps.AccessTokenLifetime, of.ExpiresAt.Sub(now))
	token, err := k.signer.Sign(ctx, tokens.Claims{UserID: of.UserID, SessionID: of.ID, IssuedAt: now, ExpiresAt: now.Add(lifetime)})
	return Tokens{AccessToken: token, RefreshToken: refresh.String(), ExpiresIn: lifetime}, err
}

// Logout ends the session that the actor acts by: tokens, cookie and streams with it.
func (s *Service) Logout(ctx context.Context, actor domain.Actor) error {
	return s.deps.Sessions.Logout(ctx, actor)
}

// AuthenticateBearer returns who an access token makes act. The session behind it is checked at each call (S7).
func (s *Service) AuthenticateBearer(ctx context.Context, token string) (domain.Actor, domain.Session, error) {
	k, err := s.current(ctx)
	if err != nil {
		return domain.Actor{}, domain.Session{}, err
	}
	claims, err := k.signer.Verify(ctx, token, s.deps.Now())
	if fault.CodeOf(err) == codeTokenInvalid {
		if k, renewed := s.newer(ctx, k); renewed {
			claims, err = k.signer.Verify(ctx, token, s.deps.Now())
		}
	}
	if err != nil {
		return domain.Actor{}, domain.Session{}, err
	}
	actor, of, err := s.deps.Sessions.Authenticate(ctx, claims.SessionID)
	if err == nil && actor.UserID != claims.UserID {
		return domain.Actor{}, domain.Session{}, fault.New(fault.Unauthenticated, codeTokenInvalid, "The access token is not valid. Sign in again.")
	}
	return actor, of, err
}

// CookieFor returns the browser's cookie for a session: base64url(session id || HMAC-SHA-256 of it). It is valid as long as the session is.
func (s *Service) CookieFor(of domain.Session) string {
	k := s.keys.Load()
	return base64.RawURLEncoding.EncodeToString(append(of.ID[:], cookieMAC(k.cookie[0], of.ID)...))
}

func cookieMAC(key []byte, id domain.ID) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(id[:])
	return mac.Sum(nil)
}

// recognises tells whether one of the keys made a cookie.
func (k *keys) recognises(data []byte) bool {
	return len(data) == 16+sha256.Size && slices.ContainsFunc(k.cookie, func(key []byte) bool {
		return hmac.Equal(data[16:], cookieMAC(key, domain.ID(data[:16])))
	})
}

// AuthenticateCookie returns who a cookie makes act. The session behind it is checked at each call (S7).
func (s *Service) AuthenticateCookie(ctx context.Context, value string) (domain.Actor, domain.Session, error) {
	k, err := s.current(ctx)
	if err != nil {
		return domain.Actor{}, domain.Session{}, err
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(value)
	good := err == nil && k.recognises(data)
	if err == nil && !good {
		if k, renewed := s.newer(ctx, k); renewed {
			good = k.recognises(data)
		}
	}
	if !good {
		return domain.Actor{}, domain.Session{}, fault.New(fault.Unauthenticated, CodeCookieInvalid, "The session cookie is not valid. Sign in again.")
	}
	return s.deps.Sessions.Authenticate(ctx, domain.ID(data[:16]))
}

// Check is nil while the session that an actor acts by may still be used and its account, whose roles may be others by now, has the
// permission: for connections that stay open.
func (s *Service) Check(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	now, _, err := s.deps.Sessions.Authenticate(ctx, actor.SessionID)
	if err != nil {
		return err
	}
	return s.deps.Access.Authorize(ctx, now, p)
}

// Seen notes that a session was used, at most once a minute.
func (s *Service) Seen(ctx context.Context, of domain.Session, ip, userAgent string) {
	s.deps.Sessions.Seen(ctx, of, ip, userAgent)
}
