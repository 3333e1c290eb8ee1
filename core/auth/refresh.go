package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/store"
)

// refreshGrace is how long the predecessor of the live refresh token still gets that one: for a client that lost the answer, or asked twice
// at once (RFC 9700, 4.14.2).
const refreshGrace = 10 * time.Second

// refreshToken is 256 bits. The first of a family is random, every other follows from its predecessor by the server's key, so that only
// hashes need to be stored and yet a repeated request gets the same successor.
type refreshToken [32]byte

func newRefreshToken() refreshToken { return refreshToken(random(32)) }

func parseRefreshToken(text string) (t refreshToken, ok bool) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != len(t) {
		return t, false
	}
	return refreshToken(data), true
}

// String is the form that clients keep.
func (t refreshToken) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

func (t refreshToken) hash() []byte {
	sum := sha256.Sum256(t[:])
	return sum[:]
}

func (t refreshToken) successor(key []byte) refreshToken {
	mac := hmac.New(sha256.New, key)
	mac.Write(t[:])
	return refreshToken(mac.Sum(nil))
}

func refreshInvalid() error {
	return fault.New(fault.Unauthenticated, CodeRefreshInvalid, "The refresh token is not valid any more. Sign in again.")
}

// Refresh exchanges a refresh token for the next pair. A token is used once: its reuse says that somebody copied it, and ends the whole
// session (RFC 9700, 4.14.2), except within refreshGrace while its successor is unused.
func (s *Service) Refresh(ctx context.Context, text string, client domain.Client) (Tokens, error) {
	k, err := s.current(ctx)
	if err != nil {
		return Tokens{}, err
	}
	token, ok := parseRefreshToken(text)
	if !ok {
		return Tokens{}, refreshInvalid()
	}
	idle, err := s.deps.Sessions.Idle(ctx)
	if err != nil {
		return Tokens{}, err
	}
	var of domain.Session
	var next refreshToken
	var replayed bool
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		of, next, replayed, err = s.rotate(ctx, tx, k.refresh, token, idle, client)
		return err
	})
	switch {
	case err != nil:
		return Tokens{}, err
	case replayed:
		s.deps.Sessions.Forget(ctx, of.ID)
		s.deps.Logger.WarnContext(ctx, "a refresh token was used again: its session was ended", "user", of.UserID, "session", of.ID)
		return Tokens{}, refreshInvalid()
	}
	return s.tokens(ctx, of, next)
}

// rotate uses the token up. It returns no error for a replay, as the revocation must be committed.
func (s *Service) rotate(
	ctx context.Context, tx store.Tx, keys [][]byte, token refreshToken, idle time.Duration, client domain.Client,
) (of domain.Session, next refreshToken, replayed bool, err error) {
	now := domain.Stamp(s.deps.Now())
	stored, err := tx.Sessions.RefreshToken(ctx, token.hash())
	if err != nil {
		return of, next, false, invalidIfAbsent(err)
	}
	if of, err = tx.Sessions.Get(ctx, stored.SessionID); err != nil {
		return of, next, false, invalidIfAbsent(err)
	}
	user, err := tx.Users.Get(ctx, of.UserID)
	if err != nil {
		return of, next, false, invalidIfAbsent(err)
	}
	if !of.Active(now) || !user.Usable() {
		return of, next, false, refreshInvalid()
	}
	next = token.successor(keys[0])
	rotated, err := tx.Sessions.Rotate(ctx, stored.Hash, now, domain.RefreshToken{
		Hash: next.hash(), SessionID: of.ID, Generation: stored.Generation + 1, CreatedAt: now, ExpiresAt: of.CreatedAt.Add(session.Lifetime),
	})
	if err != nil {
		return of, next, false, err
	}
	if rotated {
		of.ExpiresAt, err = session.Prolong(ctx, tx, of, now, idle, client)
		return of, next, false, err
	}
	if stored, err = tx.Sessions.RefreshToken(ctx, token.hash()); err != nil { // again, for when it was used
		return of, next, false, err
	}
	for _, key := range keys { // it may have been exchanged under the key before
		next = token.successor(key)
		successor, err := tx.Sessions.RefreshToken(ctx, next.hash())
		if err != nil && !fault.IsNotFound(err) {
			return of, next, false, err
		}
		if err == nil && successor.UsedAt == nil && stored.UsedAt != nil && now.Sub(*stored.UsedAt) <= refreshGrace {
			return of, next, false, nil
		}
	}
	if err := tx.Sessions.Revoke(ctx, of.ID, now); err != nil {
		return of, next, false, err
	}
	err = activity.Record(ctx, tx, now, domain.Actor{UserID: user.ID, Username: user.Username, Client: client}, domain.Activity{
		Action: domain.ActivityRefreshReused, ResourceType: "session", ResourceID: of.ID.String(), ResourceName: of.Device,
	})
	if err != nil {
		return of, next, false, err
	}
	return of, next, true, announceSession(ctx, tx, of.ID)
}

func invalidIfAbsent(err error) error {
	if fault.IsNotFound(err) {
		return refreshInvalid()
	}
	return err
}
