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

func (s *Server) mountUsers() {
	register(s, Route{ID: "getMe", Method: http.MethodGet, Path: "/users/me", Summary: "The signed-in account", Tag: "Users", Permission: domain.PermissionSession},
		func(ctx context.Context, _ *struct{}) (*output[Me], error) {
			c := credentialOf(ctx)
			user, err := s.core.Account.Me(ctx, c.actor)
			if err != nil {
				return nil, err
			}
			permissions, err := s.core.Access.Permissions(ctx, c.actor)
			return body(Me{user, permissions, c.session}, err)
		})
	register(s, Route{ID: "getPreferences", Method: http.MethodGet, Path: "/users/me/preferences", Summary: "Languages and subtitles", Tag: "Users", Permission: domain.PermissionSession},
		func(ctx context.Context, _ *struct{}) (*output[domain.Preferences], error) {
			return body(s.core.Account.Preferences(ctx, actorOf(ctx)))
		})
	register(s, Route{ID: "patchPreferences", Method: http.MethodPatch, Path: "/users/me/preferences", Summary: "Change languages and subtitles", Tag: "Users", Permission: domain.PermissionSession},
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
	register(s, Route{ID: "listUsers", Method: http.MethodGet, Path: "/admin/users", Summary: "All accounts", Tag: "Admin", Permission: domain.PermissionUserManage},
		func(ctx context.Context, in *struct{ PageQuery }) (*output[domain.Page[domain.User]], error) {
			return page(s.core.Account.List(ctx, actorOf(ctx), domain.UserFilter{}, in.request()))
		})
}

// assign sets a field that a PATCH mentions.
func assign[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}
