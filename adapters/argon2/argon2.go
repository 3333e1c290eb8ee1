// Package argon2 hashes passwords with Argon2id (RFC 9106). Hashes are PHC strings that carry their parameters; bcrypt hashes of older
// systems are still verified, and reported for rehashing.
package argon2

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/text/unicode/norm"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/passwords"
)

// Config sets the cost. Zero fields mean 46 MiB, one pass, one lane (OWASP Password Storage Cheat Sheet) and as many at once as there are
// cores, at most 4: so that sign-ins hold less than 200 MiB however many come.
type Config struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
	AtOnce int
}

const (
	saltSize = 16
	keySize  = 32
	// maxMemory and maxPasses bound what a stored hash may make the server do.
	maxMemory, maxPasses = 1 << 20, 64
)

// Hasher implements passwords.Hasher.
type Hasher struct {
	cfg   Config
	slots chan struct{}
	burnt domain.PasswordHash
}

var _ passwords.Hasher = (*Hasher)(nil)

// New returns a hasher.
func New(cfg Config) *Hasher {
	if cfg.Memory == 0 {
		cfg.Memory = 46 * 1024
	}
	if cfg.Passes == 0 {
		cfg.Passes = 1
	}
	if cfg.Lanes == 0 {
		cfg.Lanes = 1
	}
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = min(runtime.NumCPU(), 4)
	}
	h := &Hasher{cfg: cfg, slots: make(chan struct{}, cfg.AtOnce)}
	h.burnt = h.parameters().encode(make([]byte, saltSize), make([]byte, keySize))
	return h
}

func (h *Hasher) parameters() parameters { return parameters{h.cfg.Memory, h.cfg.Passes, h.cfg.Lanes} }

// slot waits for one of the slots.
func (h *Hasher) slot(ctx context.Context) (release func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Hash implements passwords.Hasher.
func (h *Hasher) Hash(ctx context.Context, password string) (domain.PasswordHash, error) {
	release, err := h.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	salt := make([]byte, saltSize)
	rand.Read(salt) // which never fails (crypto/rand)
	p := h.parameters()
	return p.encode(salt, p.key(norm.NFC.String(password), salt, keySize)), nil
}

// Verify implements passwords.Hasher. An account without a password (an empty hash) costs as much and fails. Where the password is not in normal
// form, hashes of both forms are good: the other comes from a system that did not normalise.
func (h *Hasher) Verify(ctx context.Context, password string, hash domain.PasswordHash) (ok, rehash bool, err error) {
	if hash == "" {
		return false, false, h.Burn(ctx, password)
	}
	normal := norm.NFC.String(password)
	if ok, rehash, err = h.verify(ctx, normal, hash); ok || err != nil || normal == password {
		return ok, rehash, err
	}
	ok, _, err = h.verify(ctx, password, hash)
	return ok, ok, err
}

func (h *Hasher) verify(ctx context.Context, password string, hash domain.PasswordHash) (ok, rehash bool, err error) {
	release, err := h.slot(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	if strings.HasPrefix(string(hash), "$2") {
		switch err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)); {
		case err == nil:
			return true, true, nil
		case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
			return false, false, nil
		default:
			return false, false, unreadable(err)
		}
	}
	p, salt, key, err := decode(hash)
	if err != nil {
		return false, false, unreadable(err)
	}
	if subtle.ConstantTimeCompare(p.key(password, salt, uint32(len(key))), key) != 1 {
		return false, false, nil
	}
	weaker := p.memory < h.cfg.Memory || p.passes < h.cfg.Passes || p.lanes != h.cfg.Lanes || len(key) < keySize || len(salt) < saltSize
	return true, weaker, nil
}

// Burn implements passwords.Hasher.
func (h *Hasher) Burn(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, password, h.burnt)
	return err
}

func unreadable(err error) error {
	return fault.Wrap(err, fault.Internal, "passwords.bad_hash", "A stored password cannot be read. Reset the password.")
}

type parameters struct {
	memory, passes uint32
	lanes          uint8
}

func (p parameters) key(password string, salt []byte, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, p.passes, p.memory, p.lanes, size)
}

var b64 = base64.RawStdEncoding

func (p parameters) encode(salt, key []byte) domain.PasswordHash {
	return domain.PasswordHash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.lanes,
		b64.EncodeToString(salt), b64.EncodeToString(key)))
}

func decode(hash domain.PasswordHash) (p parameters, salt, key []byte, err error) {
	parts := strings.Split(string(hash), "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errors.New("it is no argon2id hash of a known version")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return p, nil, nil, err
	}
	if p.memory > maxMemory || p.passes == 0 || p.passes > maxPasses || p.lanes == 0 {
		return p, nil, nil, errors.New("its parameters are out of bounds")
	}
	salt, err = b64.DecodeString(parts[4])
	if err == nil {
		key, err = b64.DecodeString(parts[5])
	}
	if err == nil && (len(salt) < 8 || len(key) < 16 || len(key) > 128) {
		err = errors.New("its salt or key has a wrong size")
	}
	return p, salt, key, err
}
