package movie

import (
	"log/slog"
	"time"

	"github.com/revenge-media/revenge/ports/store"
)

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Now    func() time.Time
	Logger *slog.Logger
}

// Service holds the use cases.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{Deps: d} }
