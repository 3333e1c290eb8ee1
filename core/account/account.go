// Package account keeps accounts: who there is, what they prefer, and which passwords are good enough.
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

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/passwords"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeInvalid   = "user.invalid"    // Invalid, with fields
	CodeLastAdmin = "user.last_admin" // Conflict
)

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Hasher   passwords.Hasher
	Policy   policy.Policy
	Access   *access.Service
	Sessions *session.Service
	Now      func() time.Time
}

// Service keeps accounts.
type Service struct{ deps Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// NewUser is what an account is made from. DisplayName defaults to Username, Roles to "user"; Email is optional.
type NewUser struct {
	Username    string
	DisplayName string
	Email       string
	Password    string
	Roles       []domain.RoleName
}

// Create adds an account. It needs user.manage.
func (s *Service) Create(ctx context.Context, actor domain.Actor, n NewUser) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return domain.User{}, err
	}
	user, hash, err := s.Prepare(ctx, n)
	if err != nil {
		return domain.User{}, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users.Create(ctx, user, hash); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicUser, user.ID)...)
	})
	if err != nil {
		return domain.User{}, err
	}
	return user, nil
}

// Prepare checks what an account is to be made from and hashes its password, without storing anything: for callers that create it in a
// transaction of their own.
func (s *Service) Prepare(ctx context.Context, n NewUser) (domain.User, domain.PasswordHash, error) {
	now := domain.Stamp(s.deps.Now())
	user := domain.User{
		ID: domain.NewID(), Username: strings.TrimSpace(n.Username), DisplayName: strings.TrimSpace(n.DisplayName),
		Email: strings.TrimSpace(n.Email), Roles: n.Roles, CreatedAt: now, UpdatedAt: now,
	}
	if user.DisplayName == "" {
		user.DisplayName = user.Username
	}
	if len(user.Roles) == 0 {
		user.Roles = []domain.RoleName{domain.RoleUser}
	}
	if err := s.check(ctx, user, n.Password); err != nil {
		return domain.User{}, "", err
	}
	hash, err := s.deps.Hasher.Hash(ctx, n.Password)
	return user, hash, err
}

// check collects all that is wrong, so that a person corrects it at once.
func (s *Service) check(ctx context.Context, u domain.User, password string) error {
	var fields []fault.Field
	wrong := func(path, message string) { fields = append(fields, fault.Field{Path: path, Message: message}) }
	if n := utf8.RuneCountInString(u.Username); n < 1 || n > 64 || !printable(u.Username) {
		wrong("username", "A user name has 1 to 64 characters without line breaks.")
	}
	if n := utf8.RuneCountInString(u.DisplayName); n > 100 || !printable(u.DisplayName) {
		wrong("displayName", "A name has at most 100 characters without line breaks.")
	}
	if a, err := mail.ParseAddress(u.Email); u.Email != "" && (err != nil || a.Address != u.Email || len(u.Email) > 254) {
		wrong("email", "This is no e-mail address.")
	}
	known, err := s.deps.Policy.Roles(ctx)
	if err != nil {
		return err
	}
	seen := map[domain.RoleName]bool{}
	for _, role := range u.Roles {
		if !slices.Contains(known, role) || seen[role] {
			wrong("roles", "There is no role "+string(role)+", or it is given twice.")
		}
		seen[role] = true
	}
	if message := weakness(password, u.Username, u.DisplayName, u.Email); message != "" {
		wrong("password", message)
	}
	if len(fields) == 0 {
		return nil
	}
	invalid := fault.New(fault.Invalid, CodeInvalid, "%s", fields[0].Message)
	invalid.Fields = fields
	return invalid
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Me returns the actor's own account.
func (s *Service) Me(ctx context.Context, actor domain.Actor) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
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

// SetDisabled closes an account, which ends its sessions everywhere within a second, or opens it again. It needs user.manage. The last
// administrator stays: Conflict.
func (s *Service) SetDisabled(ctx context.Context, actor domain.Actor, id domain.ID, disabled bool) (domain.User, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return domain.User{}, err
	}
	var user domain.User
	var ended []domain.ID
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		ended = nil
		if user, err = tx.Users.Get(ctx, id); err != nil || user.Disabled == disabled {
			return err
		}
		now := domain.Stamp(s.deps.Now())
		user.Disabled, user.UpdatedAt = disabled, now
		if err := tx.Users.Update(ctx, user); err != nil {
			return err
		}
		if disabled {
			if err := anAdminIsLeft(ctx, tx, user); err != nil {
				return err
			}
			if ended, err = tx.Sessions.RevokeUser(ctx, id, now, nil); err != nil {
				return err
			}
		}
		return tx.Events.Publish(ctx, append(caching.Changed(bus.TopicSession, ended...), caching.Changed(bus.TopicUser, id)...)...)
	})
	if err != nil {
		return domain.User{}, err
	}
	s.deps.Sessions.ForgetUsers(ctx, id)
	s.deps.Sessions.Forget(ctx, ended...)
	return user, nil
}

func anAdminIsLeft(ctx context.Context, tx store.Tx, changed domain.User) error {
	if !changed.HasRole(domain.RoleAdmin) {
		return nil
	}
	admins, err := tx.Users.CountAdmins(ctx)
	if err == nil && admins == 0 {
		return fault.New(fault.Conflict, CodeLastAdmin, "This is the last administrator. Make another one first.")
	}
	return err
}

// Preferences returns the actor's, or the defaults.
func (s *Service) Preferences(ctx context.Context, actor domain.Actor) (domain.Preferences, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
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
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
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
