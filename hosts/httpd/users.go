package httpd

import (
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/domain"
)

// Me is the signed-in account.
type Me struct {
	User        domain.User         `json:"user"`
	Permissions []domain.Permission `json:"permissions"`
	Session     domain.Session      `json:"session"`
	MustEnrol   bool                `json:"mustEnrol" doc:"A role asks for a second factor: nothing else is allowed before one is added"`
	MFAEnabled  bool                `json:"mfaEnabled"`
	Avatar      string              `json:"avatar,omitempty" example:"/api/v1/users/0199c1f0-8a3e-7d2b-9c41-5e6f7a8b9c0d/avatar?v=3f2a9c1d5e7b8a60" doc:"Where its picture is; absent without one"`
}

// SessionItem is a session in the list of one's own.
type SessionItem struct {
	domain.Session
	Current bool `json:"current" doc:"The session that asks"`
}

// PageQuery is every list's query.
type PageQuery struct {
	Limit        int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
	Cursor       string `query:"cursor" maxLength:"8000" doc:"nextCursor of the page before"`
	IncludeTotal bool   `query:"includeTotal"`
}

func (p PageQuery) request() domain.PageRequest {
	return domain.PageRequest{Limit: p.Limit, Cursor: p.Cursor, IncludeTotal: p.IncludeTotal}
}

// ByID is the path of every single resource. It is exported, as all embedded inputs are, because huma reads no others.
type ByID struct {
	ID domain.ID `path:"id"`
}

// items is the body of a list that is never long.
type items[T any] struct {
	Items []T `json:"items"`
}

type output[T any] struct{ Body T }

func body[T any](v T, err error) (*output[T], error) {
	if err != nil {
		return nil, err
	}
	return &output[T]{v}, nil
}

func list[T any](v []T, err error) (*output[items[T]], error) {
	if v == nil {
		v = []T{}
	}
	return body(items[T]{v}, err)
}

func page[T any](p domain.Page[T], err error) (*output[domain.Page[T]], error) {
	if p.Items == nil {
		p.Items = []T{}
	}
	return body(p, err)
}

type preferencesPatch struct {
	Body struct {
		AudioLanguage    *string `json:"audioLanguage,omitempty" pattern:"^([a-z]{3})?$" doc:"ISO 639-2, empty for the film's own"`
		SubtitleLanguage *string `json:"subtitleLanguage,omitempty" pattern:"^([a-z]{3})?$"`
		SubtitleMode     *string `json:"subtitleMode,omitempty" enum:"auto,on,off"`
		Language         *string `json:"language,omitempty" maxLength:"35"`
	}
}

type patchMeInput struct {
	Body struct {
		Username    *string `json:"username,omitempty" minLength:"1" maxLength:"64"`
		DisplayName *string `json:"displayName,omitempty" maxLength:"100"`
	}
}

type changePasswordInput struct {
	origin
	Body struct {
		CurrentPassword string `json:"currentPassword,omitempty" maxLength:"1024" doc:"Needed where the account has one"`
		Password        string `json:"password" minLength:"1" maxLength:"1024"`
		Cookie          bool   `json:"cookie,omitempty" doc:"Set the browser's session cookie instead of returning tokens; taken as true when the request came by it"`
	}
}

type emailInput struct {
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"254"`
	}
}

func (s *Server) mountUsers() {
	register(s, Route{ID: "getMe", Method: http.MethodGet, Path: "/users/me", Summary: "The signed-in account, also where it must add a second factor before anything else", Tag: "Users", Permission: domain.PermissionSession, Enrolling: true},
		func(ctx context.Context, _ *struct{}) (*output[Me], error) {
			c := credentialOf(ctx)
			user, err := s.core.Account.Me(ctx, c.actor)
			if err != nil {
				return nil, err
			}
			me := Me{User: user, Session: c.session, MustEnrol: c.actor.MustEnrol}
			if user.Avatar != "" {
				me.Avatar = base + "/users/" + user.ID.String() + "/avatar?v=" + user.Avatar
			}
			if me.MFAEnabled, err = s.core.MFA.Enabled(ctx, user.ID); err != nil {
				return nil, err
			}
			me.Permissions, err = s.core.Access.Permissions(ctx, c.actor)
			return body(me, err)
		})
	register(s, Route{ID: "patchMe", Method: http.MethodPatch, Path: "/users/me", Summary: "Change the own names", Tag: "Users", Permission: domain.PermissionProfile, Errors: []int{http.StatusConflict}},
		func(ctx context.Context, in *patchMeInput) (*output[domain.User], error) {
			return body(s.core.Account.UpdateMe(ctx, actorOf(ctx), in.Body.Username, in.Body.DisplayName))
		})
	register(s, Route{ID: "deleteMe", Method: http.MethodDelete, Path: "/users/me", Summary: "Delete the own account: it ends at once, and is gone for good after a time of grace", Tag: "Users", Permission: domain.PermissionProfile, Errors: []int{http.StatusConflict}},
		func(ctx context.Context, in *struct{ origin }) (*logoutOutput, error) {
			if err := s.core.Account.DeleteMe(ctx, actorOf(ctx)); err != nil {
				return nil, err
			}
			return &logoutOutput{SetCookie: []*http.Cookie{s.clearedCookie(in.request)}}, nil
		})
	register(s, Route{ID: "changePassword", Method: http.MethodPost, Path: "/users/me/change-password", Summary: "Set the own password: all other sessions end, and this one goes on under a new id", Tag: "Users", Permission: domain.PermissionProfile, Errors: []int{http.StatusConflict, http.StatusTooManyRequests}},
		func(ctx context.Context, in *changePasswordInput) (*signInOutput, error) {
			actor := actorOf(ctx)
			if err := s.core.Account.ChangePassword(ctx, actor, in.Body.CurrentPassword, in.Body.Password); err != nil {
				return nil, err
			}
			return s.renewed(ctx, in.origin, actor, in.Body.Cookie || credentialOf(ctx).viaCookie)
		})
	register(s, Route{ID: "changeEmail", Method: http.MethodPost, Path: "/users/me/email", Summary: "Ask for another address: the link that is sent there makes it the account's", Tag: "Users", Permission: domain.PermissionProfile, Status: http.StatusAccepted, Errors: []int{http.StatusConflict, http.StatusTooManyRequests}},
		func(ctx context.Context, in *emailInput) (*struct{}, error) {
			return nil, s.core.Account.ChangeEmail(ctx, actorOf(ctx), in.Body.Email)
		})
	register(s, Route{ID: "getPreferences", Method: http.MethodGet, Path: "/users/me/preferences", Summary: "Languages and subtitles", Tag: "Users", Permission: domain.PermissionSession, Enrolling: true},
		func(ctx context.Context, _ *struct{}) (*output[domain.Preferences], error) {
			return body(s.core.Account.Preferences(ctx, actorOf(ctx)))
		})
	register(s, Route{ID: "patchPreferences", Method: http.MethodPatch, Path: "/users/me/preferences", Summary: "Change languages and subtitles", Tag: "Users", Permission: domain.PermissionProfile},
		func(ctx context.Context, in *preferencesPatch) (*output[domain.Preferences], error) {
			return body(s.core.Account.UpdatePreferences(ctx, actorOf(ctx), func(p *domain.Preferences) {
				assign(&p.AudioLanguage, in.Body.AudioLanguage)
				assign(&p.SubtitleLanguage, in.Body.SubtitleLanguage)
				assign(&p.SubtitleMode, in.Body.SubtitleMode)
				assign(&p.Language, in.Body.Language)
			}))
		})
	register(s, Route{ID: "listSessions", Method: http.MethodGet, Path: "/sessions", Summary: "Where this account is signed in", Tag: "Sessions", Permission: domain.PermissionSession},
		func(ctx context.Context, _ *struct{}) (*output[items[SessionItem]], error) {
			actor := actorOf(ctx)
			sessions, err := s.core.Sessions.List(ctx, actor)
			found := make([]SessionItem, len(sessions))
			for i, x := range sessions {
				found[i] = SessionItem{x, x.ID == actor.SessionID}
			}
			return list(found, err)
		})
	register(s, Route{ID: "revokeSession", Method: http.MethodDelete, Path: "/sessions/{id}", Summary: "End one session, its streams included", Tag: "Sessions", Permission: domain.PermissionSession},
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Sessions.Revoke(ctx, actorOf(ctx), in.ID)
		})
	register(s, Route{ID: "revokeSessions", Method: http.MethodDelete, Path: "/sessions", Summary: "End all sessions of this account", Tag: "Sessions", Permission: domain.PermissionSession},
		func(ctx context.Context, in *struct {
			KeepCurrent bool `query:"keepCurrent"`
		}) (*struct{}, error) {
			return nil, s.core.Sessions.RevokeAll(ctx, actorOf(ctx), in.KeepCurrent)
		})
}

// assign sets a field that a PATCH mentions.
func assign[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}
