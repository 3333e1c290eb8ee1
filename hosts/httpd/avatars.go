package httpd

import (
	"bytes"
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/domain"
)

// avatarUpload is a picture as it is: no form, which another site could send in the browser's name (S8).
type avatarUpload struct {
	RawBody []byte `contentType:"image/*"`
}

type avatarInput struct {
	ByID
	Version     string `query:"v" maxLength:"64" doc:"The picture's revision: with the right one the answer never changes"`
	IfNoneMatch string `header:"If-None-Match"`
}

type avatarOutput struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag"`
	Body         []byte
}

func (s *Server) mountAvatars() {
	register(s, Route{ID: "setAvatar", Method: http.MethodPost, Path: "/users/me/avatar", Summary: "Set the own picture: a PNG, JPEG or WebP of at most 5 MiB and 4096 x 4096 pixels, which is cut to a square", Tag: "Users", Permission: domain.PermissionProfile, MaxBody: account.MaxAvatarBytes, Errors: []int{http.StatusRequestEntityTooLarge}},
		func(ctx context.Context, in *avatarUpload) (*output[domain.User], error) {
			return body(s.core.Account.SetAvatar(ctx, actorOf(ctx), bytes.NewReader(in.RawBody)))
		})
	register(s, Route{ID: "deleteAvatar", Method: http.MethodDelete, Path: "/users/me/avatar", Summary: "Take the own picture away", Tag: "Users", Permission: domain.PermissionProfile},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			return nil, s.core.Account.DeleteAvatar(ctx, actorOf(ctx))
		})
	register(s, Route{ID: "getAvatar", Method: http.MethodGet, Path: "/users/{id}/avatar", Summary: "An account's picture", Tag: "Users", Permission: domain.PermissionSession, Also: []int{http.StatusNotModified}, Media: []string{"image/webp"}, Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *avatarInput) (*avatarOutput, error) {
			a, err := s.core.Account.Avatar(ctx, actorOf(ctx), in.ID)
			if err != nil {
				return nil, err
			}
			out := &avatarOutput{Status: http.StatusOK, ContentType: a.MediaType, ETag: `"` + a.Revision + `"`, CacheControl: "private, no-cache", Body: a.Data}
			if in.Version == a.Revision {
				out.CacheControl = "private, max-age=31536000, immutable"
			}
			if matches(in.IfNoneMatch, out.ETag) {
				out.Status, out.Body = http.StatusNotModified, nil
			}
			return out, nil
		})
}
