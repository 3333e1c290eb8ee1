package httpd

import (
	"context"
	"net/http"
	"time"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
)

type registerInput struct {
	origin
	Body struct {
		Username    string `json:"username" minLength:"1" maxLength:"64"`
		Email       string `json:"email,omitempty" maxLength:"254" doc:"Needed where the server sends mails, unless the invitation is for an address"`
		Password    string `json:"password" minLength:"1" maxLength:"1024"`
		DisplayName string `json:"displayName,omitempty" maxLength:"100"`
		Invitation  string `json:"invitation,omitempty" maxLength:"200" doc:"The code behind #invitation= of an invitation's link"`
	}
}

// Registered is the answer to a registration: the same whether the address has an account already or not.
type Registered struct {
	VerificationRequired bool `json:"verificationRequired" doc:"A mail is on its way: the account can be used once its link was opened. Else it can be used now"`
}

type accountCodeInput struct {
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"200" doc:"What stands behind #code= of the link"`
	}
}

type resendInput struct {
	origin
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"254"`
	}
}

type forgotInput struct {
	origin
	Body struct {
		Login string `json:"login" minLength:"1" maxLength:"254" doc:"User name or e-mail address"`
	}
}

type resetInput struct {
	origin
	Body struct {
		Code     string `json:"code" minLength:"1" maxLength:"200" doc:"What stands behind #code= of the link"`
		Password string `json:"password" minLength:"1" maxLength:"1024"`
	}
}

// NewAccount is an account that an administrator made. Without a password its owner chooses one by a link.
type NewAccount struct {
	User      domain.User `json:"user"`
	Sent      bool        `json:"sent" doc:"A mail with the link is on its way"`
	Link      string      `json:"link,omitempty" doc:"To hand over, where no mail can be sent. A path where the server does not know its public address"`
	ExpiresAt *time.Time  `json:"expiresAt,omitempty" doc:"When the link ends"`
}

// ResetLink is how somebody gets a new password.
type ResetLink struct {
	Sent      bool      `json:"sent" doc:"A mail with the link is on its way"`
	Link      string    `json:"link,omitempty" doc:"To hand over, where no mail can be sent. A path where the server does not know its public address"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// InvitationItem is an invitation with where it stands.
type InvitationItem struct {
	domain.Invitation
	State domain.InvitationState `json:"state" enum:"open,used,expired,revoked"`
}

// NewInvitation is an invitation that was just made. Its link is shown here and never again.
type NewInvitation struct {
	InvitationItem
	Sent bool   `json:"sent" doc:"A mail with the link is on its way"`
	Link string `json:"link,omitempty" doc:"To hand over, where no mail is sent. A path where the server does not know its public address"`
}

type createUserInput struct {
	Body struct {
		Username    string            `json:"username" minLength:"1" maxLength:"64"`
		DisplayName string            `json:"displayName,omitempty" maxLength:"100"`
		Email       string            `json:"email,omitempty" maxLength:"254"`
		Password    string            `json:"password,omitempty" maxLength:"1024" doc:"Without one the answer tells how its owner chooses it"`
		Roles       []domain.RoleName `json:"roles,omitempty" maxItems:"20" doc:"Absent: user"`
	}
}

type patchUserInput struct {
	ByID
	IfMatch string `header:"If-Match" doc:"The ETag that was read: 412 when the account changed since"`
	Body    struct {
		Username    *string            `json:"username,omitempty" minLength:"1" maxLength:"64"`
		DisplayName *string            `json:"displayName,omitempty" maxLength:"100"`
		Email       *string            `json:"email,omitempty" maxLength:"254" doc:"Empty takes it away"`
		Roles       *[]domain.RoleName `json:"roles,omitempty" maxItems:"20"`
	}
}

type userOutput struct {
	ETag string `header:"ETag"`
	Body domain.User
}

func userBody(u domain.User, err error) (*userOutput, error) {
	if err != nil {
		return nil, err
	}
	return &userOutput{ETag: versionTag(u.UpdatedAt), Body: u}, nil
}

type usersQuery struct {
	PageQuery
	Query string           `query:"q" maxLength:"200" doc:"Part of the user name, the address or the name shown"`
	Role  domain.RoleName  `query:"role" maxLength:"64"`
	State domain.UserState `query:"state" enum:"active,disabled,deleted"`
}

type inviteInput struct {
	Body struct {
		Email         string            `json:"email,omitempty" maxLength:"254" doc:"Whom it is for: it is sent there where mails can be sent, and needs no further confirmation"`
		Roles         []domain.RoleName `json:"roles,omitempty" maxItems:"20" doc:"Absent: user"`
		ExpiresInDays int               `json:"expiresInDays,omitempty" minimum:"0" maximum:"90" doc:"0: 7 days"`
		Language      string            `json:"language,omitempty" maxLength:"35" doc:"BCP 47 tag of the mail's language; empty for the server's"`
	}
}

// mountAccounts serves how people come to have an account and get back into it, and how administrators keep everybody's.
func (s *Server) mountAccounts() {
	public := func(id, path, summary string, status int, errors ...int) Route {
		return Route{ID: id, Method: http.MethodPost, Path: "/auth/" + path, Summary: summary, Tag: "Authentication", Permission: domain.PermissionPublic, Status: status, Errors: errors}
	}
	register(s, public("register", "register", "Ask for an account", http.StatusAccepted, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests),
		func(ctx context.Context, in *registerInput) (*output[Registered], error) {
			b := in.Body
			verify, err := s.core.Account.Register(ctx, account.Applicant{Username: b.Username, Email: b.Email, Password: b.Password, DisplayName: b.DisplayName, Invitation: b.Invitation}, in.client())
			return body(Registered{verify}, err)
		})
	register(s, public("verifyEmail", "verify-email", "Confirm an address by the code that was sent there: of a registration, or of an account's new address", 0, http.StatusConflict),
		func(ctx context.Context, in *accountCodeInput) (*struct{}, error) {
			return nil, s.core.Account.VerifyEmail(ctx, actorOf(ctx), in.Body.Code)
		})
	register(s, public("resendVerification", "resend-verification", "Send the code once more; the answer is the same whatever is known of the address", http.StatusAccepted, http.StatusTooManyRequests),
		func(ctx context.Context, in *resendInput) (*struct{}, error) {
			return nil, s.core.Account.ResendVerification(ctx, in.Body.Email, in.client())
		})
	register(s, public("forgotPassword", "forgot-password", "Send a link for a new password; the answer is the same whatever is known of the login", http.StatusAccepted, http.StatusTooManyRequests),
		func(ctx context.Context, in *forgotInput) (*struct{}, error) {
			return nil, s.core.Account.ForgotPassword(ctx, in.Body.Login, in.client())
		})
	register(s, public("resetPassword", "reset-password", "Choose a new password by the code of a link: all sessions end, second factors stay, nobody is signed in", 0, http.StatusConflict),
		func(ctx context.Context, in *resetInput) (*struct{}, error) {
			return nil, s.core.Account.ResetPassword(ctx, in.Body.Code, in.Body.Password, in.client())
		})
	s.mountAdminUsers()
	s.mountInvitations()
}

func (s *Server) mountAdminUsers() {
	admin := func(id, method, path, summary string, errors ...int) Route {
		return Route{ID: id, Method: method, Path: "/admin/users" + path, Summary: summary, Tag: "Admin", Permission: domain.PermissionUserManage, Errors: errors}
	}
	register(s, admin("listUsers", http.MethodGet, "", "All accounts, those too that are disabled or deleted"),
		func(ctx context.Context, in *usersQuery) (*output[domain.Page[domain.User]], error) {
			return page(s.core.Account.List(ctx, actorOf(ctx), domain.UserFilter{Query: in.Query, Role: in.Role, State: in.State}, in.request()))
		})
	create := admin("createUser", http.MethodPost, "", "Add an account, with a password or with a link by which its owner chooses one", http.StatusConflict)
	create.Status = http.StatusCreated
	register(s, create,
		func(ctx context.Context, in *createUserInput) (*output[NewAccount], error) {
			b, actor := in.Body, actorOf(ctx)
			user, err := s.core.Account.Create(ctx, actor, account.NewUser{
				Username: b.Username, DisplayName: b.DisplayName, Email: b.Email, Password: b.Password, NoPassword: b.Password == "", Roles: b.Roles,
			})
			made := NewAccount{User: user}
			if err != nil || b.Password != "" {
				return body(made, err)
			}
			reset, err := s.core.Account.SendReset(ctx, actor, user.ID)
			made.Sent, made.Link, made.ExpiresAt = reset.Sent, reset.Link, &reset.ExpiresAt
			return body(made, err)
		})
	register(s, admin("getUser", http.MethodGet, "/{id}", "One account", http.StatusNotFound),
		func(ctx context.Context, in *ByID) (*userOutput, error) {
			return userBody(s.core.Account.Get(ctx, actorOf(ctx), in.ID))
		})
	register(s, admin("patchUser", http.MethodPatch, "/{id}", "Change an account's names, address or roles", http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed),
		func(ctx context.Context, in *patchUserInput) (*userOutput, error) {
			expected, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			return userBody(s.core.Account.Edit(ctx, actorOf(ctx), in.ID, expected, account.Edit{Username: b.Username, DisplayName: b.DisplayName, Email: b.Email, Roles: b.Roles}))
		})
	register(s, admin("disableUser", http.MethodPost, "/{id}/disable", "Close an account: its sessions end within a second", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*userOutput, error) {
			return userBody(s.core.Account.SetDisabled(ctx, actorOf(ctx), in.ID, true))
		})
	register(s, admin("enableUser", http.MethodPost, "/{id}/enable", "Open a closed account", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*userOutput, error) {
			return userBody(s.core.Account.SetDisabled(ctx, actorOf(ctx), in.ID, false))
		})
	register(s, admin("deleteUser", http.MethodDelete, "/{id}", "Delete an account: it ends at once, and is gone for good after a time of grace", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Account.Delete(ctx, actorOf(ctx), in.ID)
		})
	register(s, admin("restoreUser", http.MethodPost, "/{id}/restore", "Bring a deleted account back", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*userOutput, error) {
			return userBody(s.core.Account.Restore(ctx, actorOf(ctx), in.ID))
		})
	register(s, admin("purgeUser", http.MethodPost, "/{id}/purge", "Remove a deleted account for good now, its watch history with it", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Account.Purge(ctx, actorOf(ctx), in.ID)
		})
	register(s, admin("sendPasswordReset", http.MethodPost, "/{id}/reset-password", "Let an account's owner choose a new password: by mail, or by a link to hand over", http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*output[ResetLink], error) {
			reset, err := s.core.Account.SendReset(ctx, actorOf(ctx), in.ID)
			return body(ResetLink{Sent: reset.Sent, Link: reset.Link, ExpiresAt: reset.ExpiresAt}, err)
		})
}

func (s *Server) mountInvitations() {
	admin := func(id, method, path, summary string, errors ...int) Route {
		return Route{ID: id, Method: method, Path: "/admin/invitations" + path, Summary: summary, Tag: "Admin", Permission: domain.PermissionUserManage, Errors: errors}
	}
	item := func(i domain.Invitation) InvitationItem { return InvitationItem{i, i.State(s.core.Account.Now())} }
	register(s, admin("listInvitations", http.MethodGet, "", "All invitations, the newest first"),
		func(ctx context.Context, in *struct{ PageQuery }) (*output[domain.Page[InvitationItem]], error) {
			found, err := s.core.Account.Invitations(ctx, actorOf(ctx), in.request())
			items := make([]InvitationItem, len(found.Items))
			for n, i := range found.Items {
				items[n] = item(i)
			}
			return body(domain.Page[InvitationItem]{Items: items, NextCursor: found.NextCursor, Total: found.Total}, err)
		})
	create := admin("createInvitation", http.MethodPost, "", "Invite somebody: the link lets them make one account", http.StatusConflict)
	create.Status = http.StatusCreated
	register(s, create,
		func(ctx context.Context, in *inviteInput) (*output[NewInvitation], error) {
			b := in.Body
			made, err := s.core.Account.Invite(ctx, actorOf(ctx), account.NewInvitation{
				Email: b.Email, Roles: b.Roles, Lifetime: time.Duration(b.ExpiresInDays) * 24 * time.Hour, Language: b.Language,
			})
			return body(NewInvitation{item(made.Invitation), made.Sent, made.Link}, err)
		})
	register(s, admin("revokeInvitation", http.MethodDelete, "/{id}", "Withdraw an invitation that nobody used", http.StatusNotFound),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Account.RevokeInvitation(ctx, actorOf(ctx), in.ID)
		})
}

// renewed gives the actor's session a new id after what proved or changed who they are (S7): another session is opened and the old one ends.
func (s *Server) renewed(ctx context.Context, o origin, actor domain.Actor, cookie bool) (*signInOutput, error) {
	session, err := s.core.Auth.Renew(ctx, actor, o.client())
	if err != nil {
		return nil, err
	}
	return s.signIn(ctx, o, session, cookie)
}
