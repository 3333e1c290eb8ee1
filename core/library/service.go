// Package library keeps libraries: their folders, who may see them, and what lies in the folders. A scan finds files,
// reads and groups them; the catalogue (core/movie) makes films of the groups. Nothing here writes to the folders of films.
package library

import (
	"context"
	"log/slog"
	"time"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/images"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/store"
)

// Access decides what an actor may do and see (core/access).
type Access interface {
	Authorize(ctx context.Context, actor domain.Actor, permission domain.Permission) error
	AuthorizeIn(ctx context.Context, actor domain.Actor, permission domain.Permission, library domain.ID) error
	AuthorizeAnywhere(ctx context.Context, actor domain.Actor, permission domain.Permission) error
	ScopeFor(ctx context.Context, actor domain.Actor, permission domain.Permission) (domain.Scope, error)
	Scope(ctx context.Context, actor domain.Actor) (domain.Scope, error)
}

// Deps is what the service needs.
type Deps struct {
	Store   store.Store
	Access  Access
	Tree    files.Tree
	Browser files.Browser
	// Watcher tells of changes; nil leaves everything to the periodic scan.
	Watcher files.Watcher
	// Packager reads the containers that can be cut into segments, Prober the others and the odd ones.
	Packager media.Packager
	Prober   media.Prober
	Metadata metadata.LocalReader
	Blobs    blobs.Store
	Bus      bus.Bus
	Movies   *movie.Service
	Images   *images.Service
	// Activity notes scans that were asked for; nil notes nothing.
	Activity *activity.Service
	Now      func() time.Time
	Logger   *slog.Logger

	// Settle is how long a file must not change before it is read; 0 means 10 s.
	Settle time.Duration
	// Slice is how long a job works before it commits and makes room; 0 means 8 s.
	Slice time.Duration
	// PictureTime is how long one film's pictures may take at a time; 0 means 12 s.
	PictureTime time.Duration
	// Readers is how many files are read at a time; 0 means 4.
	Readers int
	// RescanEvery is how long after a full scan another one starts; 0 means 12 h.
	RescanEvery time.Duration
}

// Service holds the use cases.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service {
	if d.Settle <= 0 {
		d.Settle = 10 * time.Second
	}
	if d.Slice <= 0 {
		d.Slice = 8 * time.Second
	}
	if d.PictureTime <= 0 {
		d.PictureTime = 12 * time.Second
	}
	if d.Readers <= 0 {
		d.Readers = 4
	}
	if d.RescanEvery <= 0 {
		d.RescanEvery = 12 * time.Hour
	}
	return &Service{Deps: d}
}

func (s *Service) now() time.Time { return domain.Stamp(s.Now()) }

// manage passes who manages every library.
func (s *Service) manage(ctx context.Context, actor domain.Actor) error {
	return s.Access.Authorize(ctx, actor, domain.PermissionLibraryManage)
}

// managed returns a library that the actor sees and manages, by a role that holds everywhere or for this one.
func (s *Service) managed(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Library, error) {
	if err := s.Access.AuthorizeAnywhere(ctx, actor, domain.PermissionLibraryManage); err != nil {
		return domain.Library{}, err
	}
	scope, err := s.Access.Scope(ctx, actor)
	if err != nil {
		return domain.Library{}, err
	}
	l, err := s.Store.Read().Libraries.Get(ctx, scope, id)
	if err != nil {
		return domain.Library{}, err
	}
	return l, s.Access.AuthorizeIn(ctx, actor, domain.PermissionLibraryManage, id)
}

// owned is managed by who manages every library: for what reaches beyond one, as do folders of the server and who sees what.
func (s *Service) owned(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Library, error) {
	if err := s.manage(ctx, actor); err != nil {
		return domain.Library{}, err
	}
	return s.managed(ctx, actor, id)
}
