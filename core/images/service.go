// Package images finds the pictures that lie beside films, keeps what is known of them, and serves them in a fixed set of sizes.
package images

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/flight"
	"github.com/revenge-media/revenge/core/views"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/images"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
)

// Access says what an actor may do and see: core/access.
type Access interface {
	// ScopeFor is the libraries that the actor sees and has the permission in; Unauthenticated or Forbidden where no role of theirs carries it.
	ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error)
}

// Deps is what the service needs.
type Deps struct {
	Store     store.Store
	Access    Access
	Views     *views.Service
	Files     files.Tree
	Blobs     blobs.Store
	Processor images.Processor
	// Transcoder makes a backdrop of a frame; where it has no tool, films without a picture have none.
	Transcoder media.Transcoder
	// NoFrames takes no more frames of films; those that were taken stay.
	NoFrames bool
	Now      func() time.Time
	Logger   *slog.Logger
}

// Service holds the use cases.
type Service struct {
	Deps
	resizing flight.Group[[]byte]
	cores    flight.Gate
}

// New returns the service. It resizes as many pictures at once as there are cores.
func New(d Deps) *Service { return &Service{Deps: d, cores: flight.NewGate(runtime.NumCPU())} }
