package account

import (
	"context"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/store"
)

const (
	// InvitationLifetime is how long an invitation is good unless it says otherwise.
	InvitationLifetime = 7 * 24 * time.Hour
	// MaxInvitationLifetime is how long one is good at most.
	MaxInvitationLifetime = 90 * 24 * time.Hour
	// invitationsAreKept is how long one is listed after its end.
	invitationsAreKept = 30 * 24 * time.Hour
)

// NewInvitation is what an invitation is made from. Roles default to "user", Lifetime to InvitationLifetime; Email is optional.
type NewInvitation struct {
	Email    string
	Roles    []domain.RoleName
	Lifetime time.Duration
	Language string // BCP 47, of the mail; the server's when empty
}

// Invited is a new invitation. Link is for whoever made it to hand over; empty where a mail is on its way.
type Invited struct {
	domain.Invitation
	Sent bool
	Link string
}

// Invite makes an invitation, and sends it where it is for an address and mails can be sent. It needs user.manage, a person (S16), and all rights of the
// roles. While registration is closed nobody could use it: Conflict.
func (s *Service) Invite(ctx context.Context, actor domain.Actor, n NewInvitation) (Invited, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return Invited{}, err
	}
	if err := access.Interactive(actor); err != nil {
		return Invited{}, err
	}
	if mode, err := settings.Get(ctx, s.deps.Settings, settings.RegistrationMode); err != nil {
		return Invited{}, err
	} else if mode == registrationClosed {
		return Invited{}, fault.New(fault.Conflict, CodeRegistrationClosed, "Registration is closed, so nobody could use an invitation. Set auth.registration to invite first.")
	}
	user := s.draft(NewUser{Username: "invited", Email: n.Email, Roles: n.Roles})
	fields, err := s.faults(ctx, user)
	if err != nil {
		return Invited{}, err
	}
	if n.Lifetime == 0 {
		n.Lifetime = InvitationLifetime
	}
	if n.Lifetime < time.Minute || n.Lifetime > MaxInvitationLifetime {
		fields = append(fields, fault.Field{Path: "expiresInDays", Message: "An invitation is good for 1 to 90 days."})
	}
	if err := invalid(fields); err != nil {
		return Invited{}, err
	}
	if err := s.deps.Access.MayGive(ctx, actor, user.Roles...); err != nil {
		return Invited{}, err
	}
	now := domain.Stamp(s.deps.Now())
	code, hash := newCode()
	made := Invited{Invitation: domain.Invitation{
		ID: user.ID, CodeHash: hash, Email: user.Email, Roles: user.Roles, CreatedAt: now, ExpiresAt: domain.Stamp(now.Add(n.Lifetime)),
	}}
	if !actor.System {
		made.CreatedBy = &actor.UserID
	}
	link, err := s.link(ctx, "register", "invitation", code)
	if err != nil {
		return Invited{}, err
	}
	can, err := s.mails(ctx)
	if err != nil {
		return Invited{}, err
	}
	if made.Sent = can && user.Email != ""; !made.Sent {
		made.Link = link
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Invitations.Create(ctx, made.Invitation); err != nil {
			return err
		}
		if made.Sent {
			err := s.deps.Mail.Send(ctx, tx, mailing.Message{To: user.Email, Language: n.Language, Template: mailing.Invitation, Data: map[string]string{
				"link": link, "inviter": actor.Username, "expires": moment(made.ExpiresAt),
			}})
			if err != nil {
				return err
			}
		}
		return s.recordInvitation(ctx, tx, actor, domain.ActivityInvitationCreated, made.Invitation)
	})
	return made, err
}

func (s *Service) recordInvitation(ctx context.Context, tx store.Tx, actor domain.Actor, action string, i domain.Invitation) error {
	return activity.Record(ctx, tx, s.deps.Now(), actor, domain.Activity{
		Action: action, ResourceType: "invitation", ResourceID: i.ID.String(), Success: true, Details: rolesDetail(i.Roles),
	})
}

// Invitations lists invitations, the newest first. It needs user.manage.
func (s *Service) Invitations(ctx context.Context, actor domain.Actor, page domain.PageRequest) (domain.Page[domain.Invitation], error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return domain.Page[domain.Invitation]{}, err
	}
	return s.deps.Store.Read().Invitations.List(ctx, page)
}

// RevokeInvitation ends an invitation that nobody used. It needs user.manage.
func (s *Service) RevokeInvitation(ctx context.Context, actor domain.Actor, id domain.ID) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Invitations.Revoke(ctx, id, domain.Stamp(s.deps.Now())); err != nil {
			return err
		}
		return s.recordInvitation(ctx, tx, actor, domain.ActivityInvitationRevoked, domain.Invitation{ID: id})
	})
}

// Now is the time by which invitations are judged.
func (s *Service) Now() time.Time { return s.deps.Now() }

// invitation returns the open invitation of a code. Whether another was used, revoked, has expired or never was looks the same.
func (s *Service) invitation(ctx context.Context, code string) (domain.Invitation, error) {
	i, err := s.deps.Store.Read().Invitations.ByCode(ctx, hashOf(strings.TrimSpace(code)))
	if fault.IsNotFound(err) || (err == nil && i.State(s.deps.Now()) != domain.InvitationOpen) {
		return domain.Invitation{}, notInvited()
	}
	return i, err
}

func notInvited() error {
	return fault.New(fault.Forbidden, CodeInvitation, "This invitation was used already, has expired or was withdrawn. Ask for another.")
}
