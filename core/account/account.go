// Package account keeps accounts: who there is, how one comes to have one and loses it, what they prefer, and which passwords are good enough.
package account

import (
	"context"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

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
	"github.com/revenge-media/revenge/ports/images"
	"github.com/revenge-media/revenge/ports/passwords"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeInvalid            = "user.invalid"            // Invalid, with fields
	CodeChanged            = "user.changed"            // Precondition, or Conflict when it changed while one worked on it
	CodeNotDeleted         = "user.not_deleted"        // Conflict: only what was deleted is purged or restored
	CodeWrongPassword      = "user.wrong_password"     // Invalid: the current password
	CodeNoMail             = "user.no_mail"            // Conflict: an address can be confirmed by mail only
	CodeBadCode            = "auth.code_invalid"       // Invalid: used, expired, replaced or never given out
	CodeRegistrationClosed = "registration.closed"     // Forbidden, or Conflict for invitations
	CodeInvitation         = "registration.invitation" // Forbidden: none, or not open
	CodeTooMany            = "registration.too_many"   // RateLimited
	CodeAvatar             = "avatar.invalid"          // Invalid: too many pixels
	CodeAvatarTooLarge     = "avatar.too_large"        // TooLarge: bytes
)

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Hasher   passwords.Hasher
	Policy   policy.Policy
	Access   *access.Service
	Sessions *session.Service
	Settings *settings.Service
	Mail     *mailing.Service
	Attempts *attempts.Guard
	Limiter  ratelimit.Limiter
	Pictures images.Processor
	// SecondFactor tells whether an account has a second factor on; without it none has.
	SecondFactor func(ctx context.Context, r store.Repos, user domain.ID) (bool, error)
	Now          func() time.Time
}

// Service keeps accounts.
type Service struct {
	deps Deps
	// decoding bounds how many uploads are decoded at once: each may hold 64 MiB.
	decoding chan struct{}
}

// New returns the service.
func New(d Deps) *Service {
	if d.SecondFactor == nil {
		d.SecondFactor = func(context.Context, store.Repos, domain.ID) (bool, error) { return false, nil }
	}
	return &Service{deps: d, decoding: make(chan struct{}, 2)}
}

// NewUser is what an account is made from. DisplayName defaults to Username, Roles to "user"; Email is optional.
type NewUser struct {
	Username    string
	DisplayName string
	Email       string
	// EmailVerified says that the address is known to be the person's.
	EmailVerified bool
	Password      string
	// NoPassword makes an account that signs in by other means, until a password is set.
	NoPassword bool
	Roles      []domain.RoleName
}

// Create adds an account. It needs user.manage, and every permission of the roles.
func (s *Service) Create(ctx context.Context, actor domain.Actor, n NewUser) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return domain.User{}, err
	}
	user, hash, err := s.Prepare(ctx, n)
	if err != nil {
		return domain.User{}, err
	}
	if err := s.deps.Access.MayGive(ctx, actor, user.Roles...); err != nil {
		return domain.User{}, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users.Create(ctx, user, hash); err != nil {
			return err
		}
		return s.record(ctx, tx, actor, domain.ActivityUserCreated, user, rolesDetail(user.Roles))
	})
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}

// record adds a security event about an account to its transaction, and tells every process that the account changed.
func (s *Service) record(ctx context.Context, tx store.Tx, actor domain.Actor, action string, about domain.User, details map[string]string) error {
	err := activity.Record(ctx, tx, s.deps.Now(), actor, domain.Activity{
		Action: action, ResourceType: "user", ResourceID: about.ID.String(), ResourceName: about.Username, Success: true, Details: details,
	})
	if err != nil {
		return err
	}
	return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, about.ID)...)
}

func rolesDetail(roles []domain.RoleName) map[string]string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return map[string]string{"roles": strings.Join(names, " ")}
}

// Prepare checks what an account is to be made from and hashes its password, without storing anything: for callers that create it in a
// transaction of their own.
func (s *Service) Prepare(ctx context.Context, n NewUser) (domain.User, domain.PasswordHash, error) {
	user := s.draft(n)
	fields, err := s.faults(ctx, user)
	if err != nil {
		return domain.User{}, "", err
	}
	if n.NoPassword {
		return user, "", invalid(fields)
	}
	fields = append(fields, passwordFaults(n.Password, MinPasswordLength, user)...)
	if err := invalid(fields); err != nil {
		return domain.User{}, "", err
	}
	hash, err := s.deps.Hasher.Hash(ctx, n.Password)
	return user, hash, err
}

func (s *Service) draft(n NewUser) domain.User {
	now := domain.Stamp(s.deps.Now())
	user := domain.User{
		ID: domain.NewID(), Username: strings.TrimSpace(n.Username), DisplayName: strings.TrimSpace(n.DisplayName),
		Email: strings.TrimSpace(n.Email), HasPassword: !n.NoPassword, Roles: n.Roles, CreatedAt: now, UpdatedAt: now,
	}
	if user.DisplayName == "" {
		user.DisplayName = user.Username
	}
	if len(user.Roles) == 0 {
		user.Roles = []domain.RoleName{domain.RoleUser}
	}
	if n.EmailVerified && user.Email != "" {
		user.EmailVerifiedAt = &now
	}
	return user
}

// faults collects all that is wrong, so that a person corrects it at once.
func (s *Service) faults(ctx context.Context, u domain.User) (fields []fault.Field, err error) {
	wrong := func(path, message string) { fields = append(fields, fault.Field{Path: path, Message: message}) }
	if n := utf8.RuneCountInString(u.Username); n < 1 || n > 64 || !printable(u.Username) {
		wrong("username", "A user name has 1 to 64 characters without line breaks.")
	}
	if n := utf8.RuneCountInString(u.DisplayName); n > 100 || !printable(u.DisplayName) {
		wrong("displayName", "A name has at most 100 characters without line breaks.")
	}
	if u.Email != "" && !address(u.Email) {
		wrong("email", "This is no e-mail address.")
	}
	known, err := s.deps.Policy.Roles(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[domain.RoleName]bool{}
	for _, role := range u.Roles {
		if !slices.Contains(known, role) || seen[role] {
			wrong("roles", "There is no role "+string(role)+", or it is given twice.")
		}
		seen[role] = true
	}
	return fields, nil
}

func passwordFaults(password string, least int, u domain.User) []fault.Field {
	if message := weakness(password, least, u.Username, u.DisplayName, u.Email); message != "" {
		return []fault.Field{{Path: "password", Message: message}}
	}
	return nil
}

// invalid is the fault of these fields, nil without any.
func invalid(fields []fault.Field) error {
	if len(fields) == 0 {
		return nil
	}
	f := fault.New(fault.Invalid, CodeInvalid, "%s", fields[0].Message)
	f.Fields = fields
	return f
}

func address(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 254
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// looksLikeAddress tells whether a name could be somebody's address, in whatever width its letters are written. Who chooses their own name may not take
// one like that: names that are taken are told, so that it would tell which addresses have an account (S3).
func looksLikeAddress(username string) bool { return strings.Contains(norm.NFKC.String(username), "@") }

// Me returns the actor's own account, also to who must add a second factor first.
func (s *Service) Me(ctx context.Context, actor domain.Actor) (domain.User, error) {
	if err := s.deps.Access.AuthorizeEnrolling(ctx, actor, domain.PermissionSession); err != nil {
		return domain.User{}, err
	}
	return s.deps.Sessions.User(ctx, actor.UserID)
}

// List returns all accounts by name. It needs user.manage.
func (s *Service) List(ctx context.Context, actor domain.Actor, filter domain.UserFilter, page domain.PageRequest) (domain.Page[domain.User], error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return domain.Page[domain.User]{}, err
	}
	return s.deps.Store.Read().Users.List(ctx, filter, page)
}

// Preferences returns the actor's, or the defaults, also to who must add a second factor first: their language is among them.
func (s *Service) Preferences(ctx context.Context, actor domain.Actor) (domain.Preferences, error) {
	if err := s.deps.Access.AuthorizeEnrolling(ctx, actor, domain.PermissionSession); err != nil {
		return domain.Preferences{}, err
	}
	return s.deps.Store.Read().Users.Preferences(ctx, actor.UserID)
}

var (
	languageCode = regexp.MustCompile(`^([a-z]{3})?$`)
	languageTag  = regexp.MustCompile(`^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*)?$`)
)

// UpdatePreferences applies change to what is stored then and returns the result. change may run again.
func (s *Service) UpdatePreferences(ctx context.Context, actor domain.Actor, change func(*domain.Preferences)) (domain.Preferences, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionProfile); err != nil {
		return domain.Preferences{}, err
	}
	var p domain.Preferences
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if p, err = tx.Users.Preferences(ctx, actor.UserID); err != nil {
			return err
		}
		change(&p)
		if err := checkPreferences(p); err != nil {
			return err
		}
		p.UpdatedAt = domain.Stamp(s.deps.Now())
		if err := tx.Users.SavePreferences(ctx, actor.UserID, p); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, actor.UserID)...)
	})
	if err != nil {
		return domain.Preferences{}, err
	}
	return p, nil
}

func checkPreferences(p domain.Preferences) error {
	const code = "preferences.invalid"
	switch {
	case !languageCode.MatchString(p.AudioLanguage):
		return fault.InvalidField(code, "audioLanguage", "A language is three letters of ISO 639-2, or empty.")
	case !languageCode.MatchString(p.SubtitleLanguage):
		return fault.InvalidField(code, "subtitleLanguage", "A language is three letters of ISO 639-2, or empty.")
	case !slices.Contains([]string{"auto", "on", "off"}, p.SubtitleMode):
		return fault.InvalidField(code, "subtitleMode", "Subtitles are auto, on or off.")
	case len(p.Language) > 35 || !languageTag.MatchString(p.Language):
		return fault.InvalidField(code, "language", "This is no language tag (BCP 47).")
	}
	return nil
}
