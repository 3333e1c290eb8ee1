package httpd

import (
	"context"
	"net/http"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
)

// imageInput names a picture by its own id, or by its film's.
type imageInput struct {
	Kind        domain.ImageKind `path:"kind" enum:"poster,backdrop,logo"`
	ID          domain.ID        `path:"id"`
	Width       int              `query:"width" enum:"160,320,480,640,960,1280,1920" default:"480" doc:"At most so many pixels wide"`
	Version     string           `query:"v" maxLength:"64" doc:"The picture's hash: with the right one the answer never changes"`
	Accept      string           `header:"Accept"`
	IfNoneMatch string           `header:"If-None-Match"`
}

type imageOutput struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag"`
	Vary         string `header:"Vary"`
	Body         []byte
}

func (s *Server) mountImages() {
	register(s, Route{ID: "getImage", Method: http.MethodGet, Path: "/images/{kind}/{id}", Summary: "A picture in one of the sizes, as WebP or JPEG", Tag: "Images", Permission: domain.PermissionLibraryRead, InLibrary: true, Also: []int{http.StatusNotModified}, Media: []string{"image/webp", "image/jpeg"}},
		func(ctx context.Context, in *imageInput) (*imageOutput, error) {
			r, err := s.core.Images.Rendition(ctx, actorOf(ctx), in.Kind, in.ID, in.Width, strings.Contains(in.Accept, "image/webp"))
			if err != nil {
				return nil, err
			}
			out := &imageOutput{Status: http.StatusOK, ContentType: "image/" + r.Format, ETag: r.ETag, Vary: "Accept", CacheControl: "private, no-cache", Body: r.Data}
			if in.Version == r.Hash {
				out.CacheControl = "private, max-age=31536000, immutable"
			}
			if matches(in.IfNoneMatch, r.ETag) {
				out.Status, out.Body = http.StatusNotModified, nil
			}
			return out, nil
		})
}
