// Package passwords hashes passwords (S2).
package passwords

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
)

// Hasher is slow on purpose and bounded: at most a few hashes run at once, the others queue until ctx ends. Passwords are hashed and compared in normal
// form (NFC; RFC 8265, 4.2), so that it does not matter on which keyboard one was typed.
type Hasher interface {
	// Hash returns the encoded hash with salt and parameters.
	Hash(ctx context.Context, password string) (domain.PasswordHash, error)
	// Verify compares in constant time. rehash is true when it matched an older scheme, weaker parameters or the form that was not normalised.
	Verify(ctx context.Context, password string, hash domain.PasswordHash) (ok, rehash bool, err error)
	// Burn takes as long as Verify and fails always: for accounts that do not exist (S3).
	Burn(ctx context.Context, password string) error
}
