package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// APIKeys keeps API keys by their hashes. They go with their account.
type APIKeys interface {
	Create(ctx context.Context, k domain.APIKey) error
	// Get, and what changes one, is NotFound with "api_key.not_found".
	Get(ctx context.Context, id domain.ID) (domain.APIKey, error)
	// ByHash finds the key whose SHA-256 this is.
	ByHash(ctx context.Context, hash []byte) (domain.APIKey, error)
	// ByUser lists all of an account's, newest first.
	ByUser(ctx context.Context, user domain.ID) ([]domain.APIKey, error)
	// Update writes name, permissions, limit and expiry.
	Update(ctx context.Context, k domain.APIKey) error
	// Touch sets when and from where it was last used; it never goes back in time.
	Touch(ctx context.Context, id domain.ID, at time.Time, ip string) error
	Delete(ctx context.Context, id domain.ID) error
}
