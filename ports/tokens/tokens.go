// Package tokens issues and checks signed access tokens (S6).
package tokens

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Claims are what an access token says.
type Claims struct {
	UserID    domain.ID
	SessionID domain.ID
	ID        string // jti
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Key is one signing key. The newest signs, all verify.
type Key struct {
	ID     string // 1–64 of [A-Za-z0-9_-]
	Secret []byte // 32 bytes or more
}

// Signer issues and verifies. Algorithm, issuer, audience and type are fixed; a key id only ever chooses among its own keys.
type Signer interface {
	// Sign returns a compact JWS for claims with a new ID when that is empty.
	Sign(ctx context.Context, c Claims) (string, error)
	// Verify checks everything but the session's state. Unauthenticated with "auth.token_expired" or "auth.token_invalid".
	Verify(ctx context.Context, token string, now time.Time) (Claims, error)
}
