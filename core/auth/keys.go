package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/ports/tokens"
)

// The names of the server's own secrets in the store.
const (
	secretSigning   = "signing-keys" // JSON of []signingKey, newest first
	secretRefresh   = "refresh-key"
	secretCookie    = "cookie-key"
	secretClaimCode = "claim-code"
)

// keys are what the server signs and recognises with.
type keys struct {
	signer  tokens.Signer
	refresh []byte
	cookie  []byte
}

type signingKey struct {
	ID     string `json:"id"`
	Secret []byte `json:"secret"`
}

// Start makes the server's keys at the first start and opens them at every other. Of many processes that start together all get the same.
// A database that was sealed with another key is refused (S20).
func (s *Service) Start(ctx context.Context) error {
	signing, err := s.secret(ctx, secretSigning, func() ([]byte, error) {
		return json.Marshal([]signingKey{{ID: base64.RawURLEncoding.EncodeToString(random(9)), Secret: random(32)}})
	})
	if err != nil {
		return err
	}
	k := &keys{}
	for name, into := range map[string]*[]byte{secretRefresh: &k.refresh, secretCookie: &k.cookie} {
		if *into, err = s.secret(ctx, name, func() ([]byte, error) { return random(32), nil }); err != nil {
			return err
		}
	}
	var list []signingKey
	if err := json.Unmarshal(signing, &list); err != nil {
		return fault.Wrap(err, fault.Internal, "auth.bad_keys", "The stored signing keys cannot be read. Restore them from a backup.")
	}
	signers := make([]tokens.Key, len(list))
	for i, key := range list {
		signers[i] = tokens.Key{ID: key.ID, Secret: key.Secret}
	}
	if k.signer, err = s.deps.NewSigner(signers...); err != nil {
		return fault.Wrap(err, fault.Internal, "auth.bad_keys", "The stored signing keys cannot be used. Restore them from a backup.")
	}
	s.keys.Store(k)
	return nil
}

func (s *Service) started() (*keys, error) {
	if k := s.keys.Load(); k != nil {
		return k, nil
	}
	return nil, fault.New(fault.Unavailable, "auth.not_started", "The server is starting. Try again shortly.")
}

// secret returns one of the server's secrets, which is made if it is absent.
func (s *Service) secret(ctx context.Context, name string, generate func() ([]byte, error)) ([]byte, error) {
	stored, err := s.deps.Store.Read().Secrets.Get(ctx, name)
	if fault.IsNotFound(err) {
		var plain []byte
		if plain, err = generate(); err != nil {
			return nil, err
		}
		var offered store.Secret
		if offered, err = s.seal(ctx, name, plain); err != nil {
			return nil, err
		}
		err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
			stored, err = tx.Secrets.InsertIfAbsent(ctx, offered)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return s.open(ctx, stored)
}

// location binds a sealed value to where it stands, so that one cannot be put in another's place (S20).
func location(name string) string { return "server_secrets/" + name + "/sealed" }

func (s *Service) seal(ctx context.Context, name string, plain []byte) (store.Secret, error) {
	sealed, err := s.deps.Sealer.Seal(ctx, location(name), plain)
	return store.Secret{Name: name, Sealed: sealed, CreatedAt: domain.Stamp(s.deps.Now())}, err
}

func (s *Service) open(ctx context.Context, secret store.Secret) ([]byte, error) {
	return s.deps.Sealer.Open(ctx, location(secret.Name), secret.Sealed)
}

// random returns n random bytes; crypto/rand never fails.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
