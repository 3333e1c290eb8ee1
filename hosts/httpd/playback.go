package httpd

import (
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
)

type playbackInput struct {
	ByID
	Body struct {
		Capabilities playback.Capabilities `json:"capabilities"`
		Version      string                `json:"version,omitempty" maxLength:"500" doc:"The key of a version; the best that plays where it is left out"`
		Part         *domain.ID            `json:"part,omitempty" doc:"A file: the version, or the extra, that it belongs to"`
		URLToken     bool                  `json:"urlToken,omitempty" doc:"Put a token into the addresses, for players that send neither cookie nor header"`
	}
}

func (s *Server) mountPlayback() {
	register(s, Route{ID: "planPlayback", Method: http.MethodPost, Path: "/movies/{id}/playback", Summary: "How a film will be played, and why so", Tag: "Playback", Permission: domain.PermissionPlayback, InLibrary: true},
		func(ctx context.Context, in *playbackInput) (*output[playback.Plan], error) {
			return body(s.core.Playback.Plan(ctx, actorOf(ctx), in.ID, playback.Request{
				Capabilities: in.Body.Capabilities, Version: in.Body.Version, Part: in.Body.Part, URLToken: in.Body.URLToken, Base: base + "/stream",
			}))
		})
	s.mountStream()
}
