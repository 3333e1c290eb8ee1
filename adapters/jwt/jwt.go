// Package jwt signs access tokens as JWS (RFC 7515) in the shape of RFC 9068, with HMAC-SHA-256. What a token says of algorithm and type
// is compared with the only ones there are (RFC 8725, 3.1 and 3.11); a key id is looked up among the own keys and used for nothing else.
package jwt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/tokens"
)

const (
	issuer    = "revenge"
	audience  = "revenge-api"
	tokenType = "at+jwt"
	// skew is how far clocks may differ.
	skew = 30 * time.Second
	// maxSize bounds what is parsed, in bytes.
	maxSize = 2048
)

var (
	method     = jwt.SigningMethodHS256
	keyPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// Signer implements tokens.Signer.
type Signer struct {
	newest tokens.Key
	keys   map[string][]byte

	mu       sync.RWMutex
	verified map[[sha256.Size]byte]tokens.Claims // by the token's hash
}

// maxVerified bounds the tokens that are remembered: those of about as many clients at once.
const maxVerified = 10_000

var _ tokens.Signer = (*Signer)(nil)

// New returns a signer with these keys, newest first.
func New(keys ...tokens.Key) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("signing needs a key")
	}
	s := &Signer{newest: keys[0], keys: map[string][]byte{}, verified: map[[sha256.Size]byte]tokens.Claims{}}
	for _, key := range keys {
		if !keyPattern.MatchString(key.ID) || len(key.Secret) < 32 {
			return nil, fmt.Errorf("the signing key %q has a wrong id, or less than 32 bytes", key.ID)
		}
		s.keys[key.ID] = key.Secret
	}
	return s, nil
}

type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// Sign implements tokens.Signer. Times are kept to the second.
func (s *Signer) Sign(_ context.Context, c tokens.Claims) (string, error) {
	if c.ID == "" {
		c.ID = uuid.NewString()
	}
	token := jwt.NewWithClaims(method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: c.UserID.String(), ID: c.ID,
			IssuedAt: jwt.NewNumericDate(c.IssuedAt), ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
		},
		Session: c.SessionID.String(),
	})
	token.Header["typ"], token.Header["kid"] = tokenType, s.newest.ID
	signed, err := token.SignedString(s.newest.Secret)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "auth.signing_failed", "The access token could not be signed.")
	}
	return signed, nil
}

// Verify implements tokens.Signer. Whether a token is well-formed, of this server and signed never changes, so that is found out once; its
// times are compared at every call.
func (s *Signer) Verify(_ context.Context, token string, now time.Time) (tokens.Claims, error) {
	if len(token) > maxSize {
		return tokens.Claims{}, invalid(errors.New("it is too long"))
	}
	hash := sha256.Sum256([]byte(token))
	s.mu.RLock()
	c, known := s.verified[hash]
	s.mu.RUnlock()
	if known && now.Before(c.ExpiresAt.Add(skew)) && !now.Before(c.IssuedAt.Add(-skew)) {
		return c, nil
	}
	c, err := s.verify(token, now)
	if err == nil && !known {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.verified) >= maxVerified {
			clear(s.verified)
		}
		s.verified[hash] = c
	}
	return c, err
}

func (s *Signer) verify(token string, now time.Time) (tokens.Claims, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(skew), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }))
	var c claims
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != tokenType {
			return nil, errors.New("it is of another type")
		}
		kid, _ := t.Header["kid"].(string)
		key, ok := s.keys[kid]
		if !ok {
			return nil, errors.New("its key is unknown")
		}
		return key, nil
	})
	if errors.Is(err, jwt.ErrTokenExpired) {
		return tokens.Claims{}, fault.Wrap(err, fault.Unauthenticated, "auth.token_expired", "The access token has expired. Refresh it or sign in again.")
	}
	if err != nil {
		return tokens.Claims{}, invalid(err)
	}
	user, okUser := domain.ParseID(c.Subject)
	session, okSession := domain.ParseID(c.Session)
	if !okUser || !okSession || c.IssuedAt == nil {
		return tokens.Claims{}, invalid(errors.New("a claim is missing"))
	}
	return tokens.Claims{UserID: user, SessionID: session, ID: c.ID, IssuedAt: c.IssuedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC()}, nil
}

func invalid(cause error) error {
	return fault.Wrap(cause, fault.Unauthenticated, "auth.token_invalid", "The access token is not valid. Sign in again.")
}
