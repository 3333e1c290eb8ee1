// Package apikey lets programs act for accounts: keys that hold some of their owner's permissions, shown once and kept as hashes (S16).
package apikey

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeInvalid   = "apikey.invalid"           // Unauthenticated: no key, revoked, expired, or its owner may not sign in
	CodeTooMany   = "apikey.too_many"          // Conflict
	CodeScope     = "apikey.scope_not_allowed" // Invalid: the owner lacks it, or keys never hold it
	CodeName      = "apikey.bad_name"          // Invalid
	CodeExpired   = "apikey.bad_expiry"        // Invalid
	CodeBadLimit  = "apikey.bad_limit"         // Invalid
	CodeExhausted = "apikey.rate_limited"      // RateLimited
)

// The limits of keys.
const (
	MaxPerUser           = 50
	MaxName              = 100 // characters
	MaxRequestsPerMinute = 1_000_000
)

// A key is "rvg_", eight letters and digits to be recognised by, and 43 more that hold 256 random bits.
const (
	mark         = "rvg_"
	prefixDigits = 8
	secretDigits = 43
)

var form = regexp.MustCompile(`^rvg_[0-9A-Za-z]{51}$`)

// touchEvery is how often the last use is written down.
const touchEvery = time.Minute

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Access   *access.Service
	Sessions *session.Service
	Cache    cache.Cache
	Shared   cache.Shared // nil: none
	Bus      bus.Bus
	Limiter  ratelimit.Limiter
	Now      func() time.Time
	Logger   *slog.Logger
	// RequestsPerMinute is the limit of keys that have none of their own.
	RequestsPerMinute func(ctx context.Context) (int, error)
	// AllowInQuery tells whether the owner of the server lets keys stand in addresses.
	AllowInQuery func(ctx context.Context) (bool, error)
	// MustEnrol tells whether an account must add a second factor before it may do anything else: then its keys may not either.
	MustEnrol func(ctx context.Context, u domain.User) (bool, error)
}

// Service makes, checks and revokes API keys.
type Service struct {
	deps Deps
	// ids maps the hash of a key to its id, which never changes; keys is what decides.
	ids  *caching.Cached[domain.ID]
	keys *caching.Cached[domain.APIKey]

	mu   sync.Mutex
	seen map[domain.ID]time.Time // when this process last wrote a use down
}

// New returns the service. Run Listen beside it.
func New(d Deps) *Service {
	deps := caching.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger}
	return &Service{
		deps: d, seen: map[domain.ID]time.Time{},
		ids:  caching.New[domain.ID](deps, caching.Config{Prefix: "apikeyid", TTL: time.Minute}),
		keys: caching.New[domain.APIKey](deps, caching.Config{Prefix: "apikey", TTL: caching.Access, Topics: []bus.Topic{bus.TopicAPIKey}}),
	}
}

// Listen takes up changes that the bus tells of, until ctx ends.
func (s *Service) Listen(ctx context.Context) error { return s.keys.Listen(ctx) }

// Draft is what an owner says of a key.
type Draft struct {
	Name        string
	Permissions []domain.Permission
	// ExpiresAt is nil for never.
	ExpiresAt *time.Time
	// RequestsPerMinute is nil for the server's limit.
	RequestsPerMinute *int
}

// Create makes a key of the actor's own account and returns it with its text, which is never seen again. It takes a person who proved just now
// who they are.
func (s *Service) Create(ctx context.Context, actor domain.Actor, d Draft) (domain.APIKey, string, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionAPIKey); err != nil {
		return domain.APIKey{}, "", err
	}
	if err := access.Fresh(actor, s.deps.Now()); err != nil {
		return domain.APIKey{}, "", err
	}
	return s.create(ctx, actor, actor, d)
}

// CreateFor is Create by the server itself, for the account that logs in by this name or address.
func (s *Service) CreateFor(ctx context.Context, actor domain.Actor, login string, d Draft) (domain.APIKey, string, error) {
	owner, err := s.account(ctx, actor, login)
	if err != nil {
		return domain.APIKey{}, "", err
	}
	return s.create(ctx, actor, owner, d)
}

// account is the actor that an account is, for the server itself.
func (s *Service) account(ctx context.Context, actor domain.Actor, login string) (domain.Actor, error) {
	if !actor.System {
		return domain.Actor{}, fault.New(fault.Forbidden, access.CodeDenied, "Only the server itself may do this.")
	}
	u, _, err := s.deps.Store.Read().Users.ByLogin(ctx, login)
	return domain.Actor{UserID: u.ID, Username: u.Username, Roles: u.Roles}, err
}

func (s *Service) create(ctx context.Context, actor, owner domain.Actor, d Draft) (domain.APIKey, string, error) {
	now := domain.Stamp(s.deps.Now())
	text := newKey()
	k := domain.APIKey{ID: domain.NewID(), UserID: owner.UserID, Prefix: text[:len(mark)+prefixDigits], Hash: hashOf(text), CreatedAt: now}
	if err := s.apply(ctx, owner, d, &k); err != nil {
		return domain.APIKey{}, "", err
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		others, err := tx.APIKeys.ByUser(ctx, owner.UserID)
		if err != nil {
			return err
		}
		if len(others) >= MaxPerUser {
			return fault.New(fault.Conflict, CodeTooMany, "An account has at most %d API keys. Revoke one that is not in use.", MaxPerUser)
		}
		if err := tx.APIKeys.Create(ctx, k); err != nil {
			return err
		}
		return record(ctx, tx, now, actor, domain.ActivityAPIKeyCreated, k)
	})
	if err != nil {
		return domain.APIKey{}, "", err
	}
	return k, text, nil
}

// apply checks a draft against what its owner may and writes it into the key.
func (s *Service) apply(ctx context.Context, owner domain.Actor, d Draft, k *domain.APIKey) error {
	name := strings.TrimSpace(d.Name)
	if name == "" || utf8.RuneCountInString(name) > MaxName || strings.ContainsFunc(name, unicode.IsControl) {
		return fault.InvalidField(CodeName, "name", "A key needs a name of at most %d characters on one line.", MaxName)
	}
	permissions := slices.Compact(slices.Sorted(slices.Values(d.Permissions)))
	if len(permissions) == 0 {
		return fault.InvalidField(CodeScope, "permissions", "A key needs at least one permission.")
	}
	may, err := s.deps.Access.Permissions(ctx, owner)
	if err != nil {
		return err
	}
	for _, p := range permissions {
		if !p.Delegable() {
			return fault.InvalidField(CodeScope, "permissions", "API keys never hold the permission %q: that is for people who sign in.", p)
		}
		if !slices.Contains(may, p) {
			return fault.InvalidField(CodeScope, "permissions", "The account does not have the permission %q itself.", p)
		}
	}
	if d.ExpiresAt != nil && !d.ExpiresAt.After(s.deps.Now()) {
		return fault.InvalidField(CodeExpired, "expiresAt", "The key would have expired already.")
	}
	if n := d.RequestsPerMinute; n != nil && (*n < 1 || *n > MaxRequestsPerMinute) {
		return fault.InvalidField(CodeBadLimit, "requestsPerMinute", "A limit is between 1 and %d requests a minute.", MaxRequestsPerMinute)
	}
	k.Name, k.Permissions, k.RequestsPerMinute, k.ExpiresAt = name, permissions, d.RequestsPerMinute, nil
	if d.ExpiresAt != nil {
		expires := domain.Stamp(*d.ExpiresAt)
		k.ExpiresAt = &expires
	}
	return nil
}

// newKey returns the text of a new key.
func newKey() string { return mark + digits(prefixDigits, 47) + digits(secretDigits, 256) }

// digits writes random bits in base 62, which no program breaks at a hyphen.
func digits(n, bits int) string {
	random, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits))) // never fails (crypto/rand)
	text := random.Text(62)
	return strings.Repeat("0", n-len(text)) + text
}

func hashOf(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

func record(ctx context.Context, tx store.Tx, now time.Time, actor domain.Actor, action string, k domain.APIKey) error {
	scope := make([]string, len(k.Permissions))
	for i, p := range k.Permissions {
		scope[i] = string(p)
	}
	return activity.Record(ctx, tx, now, actor, domain.Activity{
		Action: action, ResourceType: "apikey", ResourceID: k.ID.String(), ResourceName: k.Name, Success: true,
		Details: map[string]string{"prefix": k.Prefix, "owner": k.UserID.String(), "permissions": strings.Join(scope, " ")},
	})
}

// List returns the actor's own keys, newest first.
func (s *Service) List(ctx context.Context, actor domain.Actor) ([]domain.APIKey, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionAPIKey); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().APIKeys.ByUser(ctx, actor.UserID)
}

// ListOf returns an account's keys, newest first: for administrators.
func (s *Service) ListOf(ctx context.Context, actor domain.Actor, user domain.ID) ([]domain.APIKey, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return nil, err
	}
	if _, err := s.deps.Store.Read().Users.Get(ctx, user); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().APIKeys.ByUser(ctx, user)
}

// ListFor is ListOf by login, for the server itself.
func (s *Service) ListFor(ctx context.Context, actor domain.Actor, login string) ([]domain.APIKey, error) {
	owner, err := s.account(ctx, actor, login)
	if err != nil {
		return nil, err
	}
	return s.deps.Store.Read().APIKeys.ByUser(ctx, owner.UserID)
}

// Update changes one of the actor's own keys by what change makes of its draft. Only a person does that, and to give it more than it had (a
// permission, a later end, a higher limit) one who proved just now who they are.
func (s *Service) Update(ctx context.Context, actor domain.Actor, id domain.ID, change func(*Draft)) (domain.APIKey, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionAPIKey); err != nil {
		return domain.APIKey{}, err
	}
	if err := access.Interactive(actor); err != nil {
		return domain.APIKey{}, err
	}
	var k domain.APIKey
	now := domain.Stamp(s.deps.Now())
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		before, err := own(ctx, tx, actor.UserID, id)
		if err != nil {
			return err
		}
		d := Draft{before.Name, slices.Clone(before.Permissions), before.ExpiresAt, before.RequestsPerMinute}
		change(&d)
		k = before
		if err := s.apply(ctx, actor, d, &k); err != nil {
			return err
		}
		if widens(before, k) {
			if err := access.Fresh(actor, now); err != nil {
				return err
			}
		}
		if err := tx.APIKeys.Update(ctx, k); err != nil {
			return err
		}
		if err := record(ctx, tx, now, actor, domain.ActivityAPIKeyChanged, k); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicAPIKey, id)...)
	})
	if err != nil {
		return domain.APIKey{}, err
	}
	s.keys.Forget(ctx, id.String())
	return k, nil
}

// own is a key of an account; another's is as absent as none.
func own(ctx context.Context, tx store.Tx, user, id domain.ID) (domain.APIKey, error) {
	k, err := tx.APIKeys.Get(ctx, id)
	if err == nil && k.UserID != user {
		return domain.APIKey{}, fault.New(fault.NotFound, "api_key.not_found", "There is no such api key.")
	}
	return k, err
}

// widens tells whether a key may do more, or for longer, or more often.
func widens(before, after domain.APIKey) bool {
	longer := before.ExpiresAt != nil && (after.ExpiresAt == nil || after.ExpiresAt.After(*before.ExpiresAt))
	oftener := before.RequestsPerMinute != nil && (after.RequestsPerMinute == nil || *after.RequestsPerMinute > *before.RequestsPerMinute) ||
		before.RequestsPerMinute == nil && after.RequestsPerMinute != nil
	more := slices.ContainsFunc(after.Permissions, func(p domain.Permission) bool { return !slices.Contains(before.Permissions, p) })
	return longer || oftener || more
}

// Revoke ends one of the actor's own keys, its streams included. Only a person does that.
func (s *Service) Revoke(ctx context.Context, actor domain.Actor, id domain.ID) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionAPIKey); err != nil {
		return err
	}
	return s.revoke(ctx, actor, func(k domain.APIKey) bool { return k.UserID == actor.UserID }, id)
}

// RevokeOf ends a key of another account: for administrators.
func (s *Service) RevokeOf(ctx context.Context, actor domain.Actor, user, id domain.ID) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionUserManage); err != nil {
		return err
	}
	return s.revoke(ctx, actor, func(k domain.APIKey) bool { return k.UserID == user }, id)
}

// RevokeAny ends a key by its id alone: for the server itself.
func (s *Service) RevokeAny(ctx context.Context, actor domain.Actor, id domain.ID) error {
	if !actor.System {
		return fault.New(fault.Forbidden, access.CodeDenied, "Only the server itself may do this.")
	}
	return s.revoke(ctx, actor, func(domain.APIKey) bool { return true }, id)
}

func (s *Service) revoke(ctx context.Context, actor domain.Actor, whose func(domain.APIKey) bool, id domain.ID) error {
	if err := access.Interactive(actor); err != nil {
		return err
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		k, err := tx.APIKeys.Get(ctx, id)
		if err != nil {
			return err
		}
		if !whose(k) {
			return fault.New(fault.NotFound, "api_key.not_found", "There is no such api key.")
		}
		if err := tx.APIKeys.Delete(ctx, id); err != nil {
			return err
		}
		if err := record(ctx, tx, domain.Stamp(s.deps.Now()), actor, domain.ActivityAPIKeyRevoked, k); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, caching.Changed(bus.TopicAPIKey, id)...)
	})
	if err == nil {
		s.keys.Forget(ctx, id.String())
	}
	return err
}
