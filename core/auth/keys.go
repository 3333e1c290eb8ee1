package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/ports/tokens"
)

// The names of the server's own secrets in the store. The keys are JSON of []key, newest first; cookie and refresh keys that were never rotated are 32
// bytes, as earlier versions made them.
const (
	secretSigning   = "signing-keys"
	secretRefresh   = "refresh-key"
	secretCookie    = "cookie-key"
	secretClaimCode = "claim-code"
)

// keyCheck is how old what a process knows of the keys may be when the bus lost the news.
const keyCheck = 4 * time.Second

// keyRetries bounds how many times a second what cannot be recognised makes a process look for new keys. Not evenly spaced: right after a look there
// may be new ones as well.
const keyRetries = 5

// margin is for clocks that differ and for processes that have not heard yet.
const margin = 2 * time.Minute

// keys are what the server signs and recognises with, each kind newest first.
type keys struct {
	signer  tokens.Signer
	refresh [][]byte
	cookie  [][]byte
	// raw is what they were made of, by name.
	raw map[string][]byte
	// checked is when they were last compared with the store.
	checked time.Time
}

type key struct {
	ID     string `json:"id"`
	Secret []byte `json:"secret"`
	// RetiredAt is when a newer one took its place: then it only recognises, and for so long as what it made may live.
	RetiredAt *time.Time `json:"retiredAt,omitempty"`
}

func newKey() key {
	return key{ID: base64.RawURLEncoding.EncodeToString(random(9)), Secret: random(32)}
}

// Start makes the server's keys at the first start and opens them at every other. Of many processes that start together all get the same.
// A database that was sealed with another key is refused (S20).
func (s *Service) Start(ctx context.Context) error { return s.load(ctx) }

// load reads the keys from the store, or makes them.
func (s *Service) load(ctx context.Context) error {
	k := &keys{raw: map[string][]byte{}, checked: s.deps.Now()}
	for _, name := range []string{secretSigning, secretRefresh, secretCookie} {
		raw, err := s.secret(ctx, name, func() ([]byte, error) { return json.Marshal([]key{newKey()}) })
		if err != nil {
			return err
		}
		list, err := parseKeys(raw)
		if err != nil {
			return err
		}
		k.raw[name] = raw
		switch name {
		case secretSigning:
			signers := make([]tokens.Key, len(list))
			for i, key := range list {
				signers[i] = tokens.Key{ID: key.ID, Secret: key.Secret}
			}
			if old := s.keys.Load(); old != nil && bytes.Equal(old.raw[name], raw) {
				k.signer = old.signer // which remembers what it verified
			} else if k.signer, err = s.deps.NewSigner(signers...); err != nil {
				return fault.Wrap(err, fault.Internal, "auth.bad_keys", "The stored signing keys cannot be used. Restore them from a backup.")
			}
		case secretRefresh:
			k.refresh = secretsOf(list)
		case secretCookie:
			k.cookie = secretsOf(list)
		}
	}
	s.keys.Store(k)
	return nil
}

func secretsOf(list []key) [][]byte {
	all := make([][]byte, len(list))
	for i, k := range list {
		all[i] = k.Secret
	}
	return all
}

func parseKeys(raw []byte) (list []key, err error) {
	if len(raw) == 32 {
		return []key{{Secret: raw}}, nil
	}
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return nil, fault.Wrap(err, fault.Internal, "auth.bad_keys", "The stored keys cannot be read. Restore them from a backup.")
	}
	return list, nil
}

func (s *Service) started() (*keys, error) {
	if k := s.keys.Load(); k != nil {
		return k, nil
	}
	return nil, fault.New(fault.Unavailable, "auth.not_started", "The server is starting. Try again shortly.")
}

// current are the keys, at most keyCheck old. A database out of reach leaves them as they are.
func (s *Service) current(ctx context.Context) (*keys, error) {
	k, err := s.started()
	if err != nil || s.deps.Now().Sub(k.checked) < keyCheck {
		return k, err
	}
	s.reload(ctx, k)
	return s.started()
}

// newer are keys that may know what k do not: another process may have made what they are asked to recognise.
func (s *Service) newer(ctx context.Context, k *keys) (*keys, bool) {
	if next := s.keys.Load(); next != k {
		return next, true
	}
	if !s.mayLook() {
		return k, false
	}
	s.reload(ctx, k)
	next := s.keys.Load()
	return next, next != k
}

// mayLook tells whether fewer than keyRetries looks were allowed within the last second.
func (s *Service) mayLook() bool {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	now := s.deps.Now()
	if since := now.Sub(s.looked[0]); since >= 0 && since < time.Second {
		return false
	}
	copy(s.looked[:], s.looked[1:])
	s.looked[keyRetries-1] = now
	return true
}

// reload reads the keys again unless they are others than k already; of many that ask at once one does.
func (s *Service) reload(ctx context.Context, k *keys) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.keys.Load() != k {
		return
	}
	if err := s.load(context.WithoutCancel(ctx)); err != nil {
		s.deps.Logger.WarnContext(ctx, "the server's keys were not read again", "error", err)
	}
}

// Listen takes up keys that another process made, until ctx ends.
func (s *Service) Listen(ctx context.Context) error {
	told, err := s.deps.Bus.Subscribe(ctx, bus.TopicKeys)
	if err != nil {
		return err
	}
	for range told {
		s.reload(ctx, s.keys.Load())
	}
	return ctx.Err()
}

// RotateKeys puts new keys in front of those that sign access tokens, cookies and refresh tokens. The old ones go on recognising what they made until the
// last of it has ended, so that nobody is signed out. It needs settings.manage.
func (s *Service) RotateKeys(ctx context.Context, actor domain.Actor) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return err
	}
	return s.changeKeys(ctx, actor, true)
}

// CleanUp drops keys whose time is over, challenges that nobody answered, and counts of attempts that say nothing any more.
func (s *Service) CleanUp(ctx context.Context) error {
	if err := s.changeKeys(ctx, domain.SystemActor(), false); err != nil {
		return err
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Challenges.DeleteExpired(ctx, s.deps.Now())
		return err
	})
	if err != nil {
		return err
	}
	return s.deps.Attempts.CleanUp(ctx)
}

// changeKeys adds a key of each kind, if wanted, and drops those that are over.
func (s *Service) changeKeys(ctx context.Context, actor domain.Actor, add bool) error {
	now := domain.Stamp(s.deps.Now())
	lasting := map[string]time.Duration{
		secretSigning: s.deps.AccessTokenLifetime + margin, secretCookie: session.Lifetime + margin, secretRefresh: refreshGrace + margin,
	}
	changed := false
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		changed = false
		for name, lasts := range lasting {
			stored, err := tx.Secrets.Get(ctx, name)
			if err != nil {
				return err
			}
			raw, err := s.open(ctx, stored)
			if err != nil {
				return err
			}
			had, err := parseKeys(raw)
			if err != nil {
				return err
			}
			var next []key
			if add {
				next = append(next, newKey())
			}
			for _, k := range had {
				if k.RetiredAt != nil && now.Sub(*k.RetiredAt) > lasts {
					continue
				}
				if add && k.RetiredAt == nil {
					k.RetiredAt = &now
				}
				next = append(next, k)
			}
			if !add && len(next) == len(had) {
				continue
			}
			plain, err := json.Marshal(next)
			if err != nil {
				return err
			}
			sealed, err := s.seal(ctx, name, plain)
			if err != nil {
				return err
			}
			if replaced, err := tx.Secrets.Replace(ctx, stored, sealed); err != nil {
				return err
			} else if !replaced {
				return fault.New(fault.Conflict, "auth.keys_changed", "The keys were changed meanwhile. Try again.")
			}
			changed = true
		}
		if !changed {
			return nil
		}
		if add {
			err := activity.Record(ctx, tx, now, actor, domain.Activity{Action: domain.ActivityKeysRotated, ResourceType: "keys", Success: true})
			if err != nil {
				return err
			}
		}
		return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicKeys})
	})
	if err != nil || !changed {
		return err
	}
	s.reloading.Lock() // a look that began before the change must not end after this one
	defer s.reloading.Unlock()
	return s.load(ctx)
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
