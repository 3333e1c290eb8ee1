package playback

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// A stream token stands for a credential in the addresses of one film's streams, for players that can send neither cookie nor header
// (S19). It is a MAC over its purpose, the play session, the film, the user and the session or API key, and the time of issue, so that any process
// can check it. It must first be used within tokenFirstUse; from then on each use keeps the play session alive for tokenIdle in the cache that
// all processes share, and the session behind it is checked every time. A process also remembers the uses that it served itself, so while the shared cache is
// away a play session goes on where it was served within tokenIdle, and elsewhere is refused for the moment. Where no process remembers it the player
// asks for a new plan. Nothing but media routes takes it.
const (
	tokenFirstUse = 5 * time.Minute
	tokenIdle     = 10 * time.Minute
	// tokenRenew is how often a use is written down.
	tokenRenew = 20 * time.Second
	// The purpose is part of what is authenticated: it says whether the token is a session's or an API key's.
	tokenPurpose    = "revenge stream token 1"
	tokenPurposeKey = "revenge stream token 1 of an API key"
	tokenSecret     = "stream-token-key"
	// tokenGroup is where processes tell each other which play sessions live.
	tokenGroup  = "play"
	tokenClaims = 4*16 + 8
)

// tokenKey is the key of the MAC, once it is loaded.
type tokenKey struct {
	mu  sync.Mutex
	key []byte
	// renewed is when this process last wrote a use of a play session down.
	renewed map[domain.ID]time.Time
}

func badToken() error {
	return fault.New(fault.Unauthenticated, "auth.stream_token_invalid", "This address is not valid any more. Start playing again.")
}

// macKey loads the key, or makes it: of many processes that start together all get one.
func (s *Service) macKey(ctx context.Context) ([]byte, error) {
	s.key.mu.Lock()
	defer s.key.mu.Unlock()
	if s.key.key != nil {
		return s.key.key, nil
	}
	location := "server_secrets/" + tokenSecret + "/sealed"
	stored, err := s.Store.Read().Secrets.Get(ctx, tokenSecret)
	if fault.IsNotFound(err) {
		fresh := make([]byte, 32)
		rand.Read(fresh) // never fails (crypto/rand)
		sealed, sealErr := s.Sealer.Seal(ctx, location, fresh)
		if sealErr != nil {
			return nil, sealErr
		}
		offered := store.Secret{Name: tokenSecret, Sealed: sealed, CreatedAt: domain.Stamp(s.Now())}
		err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			stored, err = tx.Secrets.InsertIfAbsent(ctx, offered)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	s.key.key, err = s.Sealer.Open(ctx, location, stored.Sealed)
	return s.key.key, err
}

// claims are what a token says.
type claims struct {
	play, movie, user domain.ID
	// credential is the session, or with viaKey the API key, that the token lives and ends with.
	credential domain.ID
	viaKey     bool
	issued     time.Time
}

func (c claims) bytes() []byte {
	b := make([]byte, 0, tokenClaims)
	for _, id := range []domain.ID{c.play, c.movie, c.user, c.credential} {
		b = append(b, id[:]...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(c.issued.UnixMicro()))
}

func mac(key, claims []byte, viaKey bool) []byte {
	h := hmac.New(sha256.New, key)
	if viaKey {
		h.Write([]byte(tokenPurposeKey))
	} else {
		h.Write([]byte(tokenPurpose))
	}
	h.Write(claims)
	return h.Sum(nil)
}

// issueToken begins a play session of a film.
func (s *Service) issueToken(ctx context.Context, actor domain.Actor, movie domain.ID) (string, error) {
	if actor.Credential() == (domain.ID{}) {
		return "", fault.New(fault.Forbidden, "playback.no_session", "Stream tokens are for sessions and API keys.")
	}
	key, err := s.macKey(ctx)
	if err != nil {
		return "", err
	}
	said := claims{play: domain.NewID(), movie: movie, user: actor.UserID, credential: actor.Credential(), issued: s.Now()}.bytes()
	return base64.RawURLEncoding.EncodeToString(append(said, mac(key, said, actor.KeyID != nil)...)), nil
}

// AuthenticateToken returns who a stream token stands for, and the session where it is one's. path is that of the request: it must be a stream of a
// file of the token's film. It is Unauthenticated for anything else, and when the session has ended or the API key was revoked.
func (s *Service) AuthenticateToken(ctx context.Context, token, path string) (domain.Actor, domain.Session, error) {
	c, err := s.readToken(ctx, token)
	if err != nil {
		return domain.Actor{}, domain.Session{}, err
	}
	file, ok := streamedFile(path)
	if !ok {
		return domain.Actor{}, domain.Session{}, badToken()
	}
	// The token's film is fixed; whether its user may still see it is asked where the stream is opened.
	l, err := s.places.get(ctx, s, domain.ScopeAll(), file)
	if fault.IsNotFound(err) || err == nil && (l.file.MovieID == nil || *l.file.MovieID != c.movie) {
		return domain.Actor{}, domain.Session{}, badToken()
	}
	if err != nil {
		return domain.Actor{}, domain.Session{}, err
	}
	var actor domain.Actor
	var session domain.Session
	if c.viaKey {
		actor, err = s.Keys.Resume(ctx, c.credential)
	} else {
		actor, session, err = s.Sessions.Authenticate(ctx, c.credential)
	}
	if err != nil {
		return domain.Actor{}, domain.Session{}, err
	}
	if actor.UserID != c.user {
		return domain.Actor{}, domain.Session{}, badToken()
	}
	return actor, session, s.use(ctx, c)
}

func (s *Service) readToken(ctx context.Context, token string) (claims, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != tokenClaims+sha256.Size {
		return claims{}, badToken()
	}
	key, err := s.macKey(ctx)
	if err != nil {
		return claims{}, err
	}
	said := raw[:tokenClaims]
	viaKey := hmac.Equal(mac(key, said, true), raw[tokenClaims:])
	if !viaKey && !hmac.Equal(mac(key, said, false), raw[tokenClaims:]) {
		return claims{}, badToken()
	}
	return claims{
		play: domain.ID(said[:16]), movie: domain.ID(said[16:32]), user: domain.ID(said[32:48]), credential: domain.ID(said[48:64]), viaKey: viaKey,
		issued: time.UnixMicro(int64(binary.BigEndian.Uint64(said[64:]))),
	}, nil
}

// streamedFile is the file in ".../stream/{fileId}/{revision}/…".
func streamedFile(path string) (domain.ID, bool) {
	_, rest, ok := strings.Cut(path, "/stream/")
	if !ok {
		return domain.ID{}, false
	}
	id, _, ok := strings.Cut(rest, "/")
	if !ok {
		return domain.ID{}, false
	}
	return domain.ParseID(id)
}

// use refuses a token that was not used in time, and keeps its play session alive.
func (s *Service) use(ctx context.Context, c claims) error {
	now := s.Now()
	if now.Sub(c.issued) > tokenFirstUse {
		alive, err := s.playLives(ctx, c.play)
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "playback.cache", "The server cannot check this address just now. Try again shortly.").WithRetryAfter(time.Second)
		}
		if !alive {
			return badToken()
		}
	}
	if !s.key.due(c.play, now) {
		return nil
	}
	err := s.Cache.Set(ctx, ownPlay(c.play), []byte{1}, tokenIdle)
	if s.Shared != nil {
		err = errors.Join(err, s.Shared.Keep(ctx, tokenGroup, c.play.String(), []byte{1}, tokenIdle))
	}
	if err != nil {
		s.key.again(c.play)
		s.Logger.WarnContext(ctx, "the use of a stream token could not be written down", "error", err)
	}
	return nil
}

// playLives tells whether a play session was used within tokenIdle, here or in another process. What this one served needs no other's word.
func (s *Service) playLives(ctx context.Context, play domain.ID) (bool, error) {
	_, alive, err := s.Cache.Get(ctx, ownPlay(play))
	if alive && err == nil || s.Shared == nil {
		return alive, err
	}
	_, alive, _, err = s.Shared.Lease(ctx, tokenGroup, play.String())
	return alive, err
}

// ownPlay is where this process keeps what it served of a play session.
func ownPlay(play domain.ID) string { return "play/" + play.String() }

// due tells whether a use is to be written down, and forgets play sessions that ended.
func (k *tokenKey) due(play domain.ID, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.renewed == nil {
		k.renewed = map[domain.ID]time.Time{}
	}
	if last, ok := k.renewed[play]; ok && now.Sub(last) < tokenRenew && !now.Before(last) {
		return false
	}
	if len(k.renewed) > 1000 {
		for id, last := range k.renewed {
			if now.Sub(last) > tokenIdle {
				delete(k.renewed, id)
			}
		}
	}
	k.renewed[play] = now
	return true
}

// again has the next use written down, since this one was not.
func (k *tokenKey) again(play domain.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.renewed, play)
}
