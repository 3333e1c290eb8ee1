package httpd

import (
	"context"
	"net/http"
	"time"

	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/core/domain"
)

// NewAPIKey is a key that was just made. Its text is shown here and never again.
type NewAPIKey struct {
	domain.APIKey
	Key string `json:"key" example:"rvg_4f9ZkQ2mB0dE7rT1yUqXwL8sNcVaHj3KpGi5Mo6ZtRfYbWeCuAx" doc:"Keep it: it is not shown again"`
}

type createAPIKeyInput struct {
	Body struct {
		Name              string              `json:"name" minLength:"1" maxLength:"100" example:"Radarr"`
		Permissions       []domain.Permission `json:"permissions" minItems:"1" maxItems:"50" example:"[\"library.read\",\"playback.use\"]" doc:"Of the account's own permissions. Those that change how one signs in (profile.manage, apikey.manage, session.enrol) are for people"`
		ExpiresAt         *time.Time          `json:"expiresAt,omitempty" doc:"Absent: it does not expire"`
		RequestsPerMinute *int                `json:"requestsPerMinute,omitempty" minimum:"1" maximum:"1000000" doc:"Absent: the server's limit"`
	}
}

type patchAPIKeyInput struct {
	ByID
	Body struct {
		Name              *string              `json:"name,omitempty" minLength:"1" maxLength:"100"`
		Permissions       *[]domain.Permission `json:"permissions,omitempty" minItems:"1" maxItems:"50"`
		ExpiresAt         *time.Time           `json:"expiresAt,omitempty"`
		NeverExpires      bool                 `json:"neverExpires,omitempty" doc:"Take the expiry away"`
		RequestsPerMinute *int                 `json:"requestsPerMinute,omitempty" minimum:"0" maximum:"1000000" doc:"0: the server's limit"`
	}
}

// KeyOfUser is the path of a key of somebody's.
type KeyOfUser struct {
	ByID
	KeyID domain.ID `path:"keyId"`
}

func (s *Server) mountAPIKeys() {
	const tag = "API keys"
	own := func(id, method, path, summary string) Route {
		return Route{ID: id, Method: method, Path: "/users/me/api-keys" + path, Summary: summary, Tag: tag, Permission: domain.PermissionAPIKey}
	}
	register(s, own("listAPIKeys", http.MethodGet, "", "The account's API keys"),
		func(ctx context.Context, _ *struct{}) (*output[items[domain.APIKey]], error) {
			return list(s.core.APIKeys.List(ctx, actorOf(ctx)))
		})
	create := own("createAPIKey", http.MethodPost, "", "Make an API key; needs a proof of identity of the last five minutes")
	create.Status = http.StatusCreated
	register(s, create, func(ctx context.Context, in *createAPIKeyInput) (*output[NewAPIKey], error) {
		k, text, err := s.core.APIKeys.Create(ctx, actorOf(ctx), apikey.Draft{
			Name: in.Body.Name, Permissions: in.Body.Permissions, ExpiresAt: in.Body.ExpiresAt, RequestsPerMinute: in.Body.RequestsPerMinute,
		})
		return body(NewAPIKey{k, text}, err)
	})
	register(s, own("patchAPIKey", http.MethodPatch, "/{id}", "Change an API key; giving it more needs a proof of identity of the last five minutes"),
		func(ctx context.Context, in *patchAPIKeyInput) (*output[domain.APIKey], error) {
			return body(s.core.APIKeys.Update(ctx, actorOf(ctx), in.ID, func(d *apikey.Draft) {
				assign(&d.Name, in.Body.Name)
				assign(&d.Permissions, in.Body.Permissions)
				if in.Body.ExpiresAt != nil || in.Body.NeverExpires {
					d.ExpiresAt = in.Body.ExpiresAt
				}
				if n := in.Body.RequestsPerMinute; n != nil {
					d.RequestsPerMinute = n
					if *n == 0 {
						d.RequestsPerMinute = nil
					}
				}
			}))
		})
	register(s, own("revokeAPIKey", http.MethodDelete, "/{id}", "Revoke an API key, its streams included"),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.APIKeys.Revoke(ctx, actorOf(ctx), in.ID)
		})
	register(s, Route{ID: "listAPIKeysOfUser", Method: http.MethodGet, Path: "/admin/users/{id}/api-keys", Summary: "An account's API keys", Tag: "Admin", Permission: domain.PermissionUserManage},
		func(ctx context.Context, in *ByID) (*output[items[domain.APIKey]], error) {
			return list(s.core.APIKeys.ListOf(ctx, actorOf(ctx), in.ID))
		})
	register(s, Route{ID: "revokeAPIKeyOfUser", Method: http.MethodDelete, Path: "/admin/users/{id}/api-keys/{keyId}", Summary: "Revoke an account's API key", Tag: "Admin", Permission: domain.PermissionUserManage},
		func(ctx context.Context, in *KeyOfUser) (*struct{}, error) {
			return nil, s.core.APIKeys.RevokeOf(ctx, actorOf(ctx), in.ID, in.KeyID)
		})
}
