// Package mfa keeps second factors: authenticator apps, passkeys, backup codes, and devices that need show none. It says whether an account has
// one and checks what is shown; sessions are core/auth's to issue.
package mfa

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/otp"
	"github.com/revenge-media/revenge/ports/passkey"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeWrong         = "mfa.wrong_code"             // Unauthenticated: wrong, used before, or there is no such factor
	CodeMethod        = "mfa.unknown_method"         // Invalid
	CodeShow          = "mfa.second_factor_required" // Forbidden: show the second factor in this session first
	CodeRequired      = "mfa.required"               // Forbidden: a role of the account asks for a second factor
	CodeShortPassword = "mfa.password_too_short"     // Conflict: without a second factor the password must be longer
	CodeNoFactor      = "mfa.no_factor"              // Conflict: there is nothing to switch on
	CodeNotSetUp      = "mfa.totp_not_set_up"        // Conflict
	CodeHaveCodes     = "mfa.have_backup_codes"      // Conflict: regenerate instead
	CodeUnavailable   = "mfa.passkeys_unavailable"   // Conflict: not under this address
	CodeTooMany       = "mfa.too_many_passkeys"      // Conflict
	CodeElsewhere     = "mfa.passkeys_elsewhere"     // Conflict: the account's are for another address
	CodeChallenge     = "mfa.challenge_expired"      // Unauthenticated: unknown, used or too old
	CodeName          = "mfa.bad_name"               // Invalid
	CodeOwn           = "mfa.own_account"            // Conflict: an administrator's own is no case for a reset
)

// ceremony is how long a passkey may take to answer (S12).
const ceremony = 5 * time.Minute

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Sealer   secrets.Sealer
	Codes    otp.Generator
	Passkeys passkey.Ceremonies
	Access   *access.Service
	Sessions *session.Service
	Settings *settings.Service
	Mailing  *mailing.Service
	Attempts *attempts.Guard
	Cache    cache.Cache
	Shared   cache.Shared // nil: none
	Bus      bus.Bus
	Now      func() time.Time
	Logger   *slog.Logger
}

// Service keeps and checks second factors.
type Service struct {
	deps Deps
	// enabled is what every request of an account with a required second factor asks, and every page.
	enabled *caching.Cached[bool]
}

// New returns the service. Run Listen beside it.
func New(d Deps) *Service {
	return &Service{deps: d, enabled: caching.New[bool](caching.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger},
		caching.Config{Prefix: "mfa", TTL: caching.Access, Topics: []bus.Topic{bus.TopicUser}})}
}

// Listen takes up changes that the bus tells of, until ctx ends.
func (s *Service) Listen(ctx context.Context) error { return s.enabled.Listen(ctx) }

// Methods lists what an account can show as its second factor, the most convenient first; empty where none is asked for.
func (s *Service) Methods(ctx context.Context, r store.Repos, user domain.ID) ([]domain.FactorMethod, error) {
	of, err := r.MFA.Settings(ctx, user)
	if err != nil || !of.Enabled { // as most are: every sign-in asks
		return nil, err
	}
	has, err := inventoryOf(ctx, r, of)
	if err != nil || !has.any() {
		return nil, err
	}
	var methods []domain.FactorMethod
	if len(has.passkeys) > 0 {
		methods = append(methods, domain.FactorWebAuthn)
	}
	if has.totp {
		methods = append(methods, domain.FactorTOTP)
	}
	if has.codes > 0 {
		methods = append(methods, domain.FactorBackupCode)
	}
	return methods, nil
}

// factors is what an account has.
type factors struct {
	settings domain.MFASettings
	totp     bool
	passkeys []domain.Passkey
	codes    int // that are left
}

// any tells whether there is a factor that backup codes could stand in for.
func (f factors) any() bool { return f.totp || len(f.passkeys) > 0 }

func inventory(ctx context.Context, r store.Repos, user domain.ID) (factors, error) {
	of, err := r.MFA.Settings(ctx, user)
	if err != nil {
		return factors{}, err
	}
	return inventoryOf(ctx, r, of)
}

func inventoryOf(ctx context.Context, r store.Repos, of domain.MFASettings) (has factors, err error) {
	has.settings = of
	user := of.UserID
	if t, err := r.MFA.TOTP(ctx, user); err == nil {
		has.totp = t.Secret != nil
	} else if !fault.IsNotFound(err) {
		return has, err
	}
	if has.passkeys, err = r.MFA.Passkeys(ctx, user); err != nil {
		return has, err
	}
	codes, err := r.MFA.BackupCodes(ctx, user)
	for _, c := range codes {
		if c.UsedAt == nil {
			has.codes++
		}
	}
	return has, err
}

// Status is what an account's owner sees of its second factors.
func (s *Service) Status(ctx context.Context, actor domain.Actor) (domain.MFAStatus, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return domain.MFAStatus{}, err
	}
	return s.status(ctx, actor)
}

func (s *Service) status(ctx context.Context, actor domain.Actor) (domain.MFAStatus, error) {
	has, err := inventory(ctx, s.deps.Store.Read(), actor.UserID)
	if err != nil {
		return domain.MFAStatus{}, err
	}
	required, err := s.Required(ctx, domain.User{Roles: actor.Roles})
	if err != nil {
		return domain.MFAStatus{}, err
	}
	devices, err := s.deps.Store.Read().MFA.TrustedDevices(ctx, actor.UserID, s.deps.Now())
	return domain.MFAStatus{
		Enabled: has.settings.Enabled && has.any(), Required: required, TOTP: has.totp, Passkeys: len(has.passkeys), BackupCodesRemaining: has.codes,
		TrustedDevices: len(devices),
	}, err
}

// Required tells whether a role of the account asks for a second factor.
func (s *Service) Required(ctx context.Context, user domain.User) (bool, error) {
	names, err := settings.Get(ctx, s.deps.Settings, settings.MFARequiredRoles)
	return asks(names, user), err
}

// asks tells whether one of these roles is the account's.
func asks(roles []string, user domain.User) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return user.HasRole(domain.RoleName(r)) })
}

// MustEnrol tells whether a role of the account asks for a second factor and it has none: until it has, it may do nothing but add one. It is at
// most a second old.
func (s *Service) MustEnrol(ctx context.Context, user domain.User) (bool, error) {
	required, err := s.Required(ctx, user)
	if err != nil || !required {
		return false, err
	}
	on, err := s.Enabled(ctx, user.ID)
	return !on, err
}

// Enabled tells whether a second factor is asked of an account, at most a second late.
func (s *Service) Enabled(ctx context.Context, user domain.ID) (bool, error) {
	return s.enabled.Get(ctx, user.String(), func(ctx context.Context) (bool, error) {
		methods, err := s.Methods(ctx, s.deps.Store.Read(), user)
		return len(methods) > 0, err
	})
}

// Verify checks a second factor of an account and uses it up: Unauthenticated with CodeWrong or CodeChallenge when it is not right, was used before,
// or is somebody else's. Of many that show the same code at once one succeeds.
func (s *Service) Verify(ctx context.Context, user domain.ID, proof domain.FactorProof, client domain.Client) (domain.FactorMethod, error) {
	var check func(ctx context.Context) (bool, error)
	switch proof.Method {
	case domain.FactorTOTP:
		check = func(ctx context.Context) (bool, error) { return s.useTOTP(ctx, user, proof.Code) }
	case domain.FactorBackupCode:
		check = func(ctx context.Context) (bool, error) { return s.useBackupCode(ctx, user, proof.Code, client) }
	case domain.FactorWebAuthn:
		// No counter of failures stands in its way: nobody guesses a signature, and it lets the owner in while others guess passwords (S4).
		_, err := s.usePasskey(ctx, proof.ChallengeID, proof.Credential, &user, client)
		return proof.Method, err
	default:
		return "", fault.InvalidField(CodeMethod, "body.method", "The method must be totp, webauthn or backup_code.")
	}
	ok, err := s.deps.Attempts.Try(ctx, check, attempts.SecondFactor(user), attempts.Address(client.IP))
	if err == nil && !ok {
		err = wrong()
	}
	return proof.Method, err
}

func wrong() error {
	return fault.New(fault.Unauthenticated, CodeWrong, "The code is wrong or was used before. Wait for the next one.")
}

// shown is nil when the actor may change its factors: it proved just now who it is, and once a second factor is on, showed that in this session. The
// one that switched it on did so then: all others ended.
func (s *Service) shown(actor domain.Actor, of domain.MFASettings) error {
	if err := access.Fresh(actor, s.deps.Now()); err != nil {
		return err
	}
	if of.Enabled && !actor.MFAVerified && (of.EnabledBy == nil || *of.EnabledBy != actor.SessionID) {
		return fault.New(fault.Forbidden, CodeShow, "Confirm with your second factor that it is you, then try again.")
	}
	return nil
}

// change is a change of the actor's own factors: its other sessions, their tokens and trusted devices end with it, the log and the owner's
// mailbox tell of it (S9). event is what the log calls it, said what the mail does.
func (s *Service) change(ctx context.Context, actor domain.Actor, event domain.Activity, said string,
	fn func(ctx context.Context, tx store.Tx, has factors, now time.Time) error,
) error {
	var ended []domain.ID
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		now := domain.Stamp(s.deps.Now())
		has, err := inventory(ctx, tx.Repos, actor.UserID)
		if err != nil {
			return err
		}
		if err := s.shown(actor, has.settings); err != nil {
			return err
		}
		if err := fn(ctx, tx, has, now); err != nil {
			return err
		}
		if ended, err = session.EndOthers(ctx, tx, now, actor); err != nil {
			return err
		}
		return s.announce(ctx, tx, now, actor, actor.UserID, event, said)
	})
	if err == nil {
		s.forget(ctx, actor.UserID, ended)
	}
	return err
}

// announce records a change of an account's factors, writes to its owner and tells every process.
func (s *Service) announce(ctx context.Context, tx store.Tx, now time.Time, actor domain.Actor, user domain.ID, event domain.Activity, said string) error {
	event.Success = true
	if event.ResourceType == "" {
		event.ResourceType, event.ResourceID = "user", user.String()
	}
	if err := activity.Record(ctx, tx, now, actor, event); err != nil {
		return err
	}
	data := map[string]string{"change": said}
	if actor.UserID == user {
		data["ip"], data["device"] = actor.Client.IP, session.Device(actor.Client.UserAgent)
	}
	if err := s.write(ctx, tx, now, user, mailing.SecondFactorChanged, data); err != nil {
		return err
	}
	return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, user)...)
}

// write sends a mail to an account's owner.
func (s *Service) write(ctx context.Context, tx store.Tx, now time.Time, user domain.ID, template mailing.Template, data map[string]string) error {
	u, err := tx.Users.Get(ctx, user)
	if err != nil {
		return err
	}
	preferences, err := tx.Users.Preferences(ctx, user)
	if err != nil {
		return err
	}
	data["when"] = now.Format("2006-01-02 15:04 UTC")
	return s.deps.Mailing.Send(ctx, tx, mailing.Message{To: u.Email, ToName: u.DisplayName, Language: preferences.Language, Template: template, Data: data})
}

// forget makes this process look again at what changed, without waiting for the bus.
func (s *Service) forget(ctx context.Context, user domain.ID, ended []domain.ID) {
	s.deps.Sessions.Forget(ctx, ended...)
	s.enabled.Forget(ctx, user.String())
}

// token returns 256 random bits for a client to hold, and the hash that is kept.
func token() (text string, hash []byte) {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	text = base64.RawURLEncoding.EncodeToString(b)
	return text, hashed(text)
}

func hashed(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// named is a name that a person gave to a passkey: one line of at most 100 characters.
func named(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fault.InvalidField(CodeName, "body.name", "The name must be one line of 1 to 100 characters.")
	}
	return name, nil
}
