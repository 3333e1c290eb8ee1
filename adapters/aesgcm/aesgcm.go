// Package aesgcm seals values with AES-256-GCM (NIST SP 800-38D). A sealed value is: a version byte, the key's id, a random nonce, the
// ciphertext with its tag. The location is additional data, as are version and key id.
package aesgcm

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/secrets"
)

const (
	version    = 1
	idSize     = 8
	headerSize = 1 + idSize
	// KeySize is the size of a key in bytes.
	KeySize = 32
)

type keyID [idSize]byte

// Sealer implements secrets.Sealer.
type Sealer struct {
	sealing keyID
	keys    map[keyID]cipher.AEAD
}

var _ secrets.Sealer = (*Sealer)(nil)

// New returns a sealer. The first key seals, all open: put a new key in front to rotate. Keys are KeySize random bytes; their ids follow
// from them.
func New(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("sealing needs a key")
	}
	s := &Sealer{keys: map[keyID]cipher.AEAD{}}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("sealing key %d has %d bytes, not %d", i, len(key), KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("revenge sealing key id\x00"), key...))
		id := keyID(sum[:idSize])
		s.keys[id] = aead
		if i == 0 {
			s.sealing = id
		}
	}
	return s, nil
}

func additional(header []byte, location string) []byte {
	return append(append([]byte{}, header...), location...)
}

// Seal implements secrets.Sealer.
func (s *Sealer) Seal(_ context.Context, location string, plain []byte) ([]byte, error) {
	aead := s.keys[s.sealing]
	sealed := append([]byte{version}, s.sealing[:]...)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // which never fails (crypto/rand)
	sealed = append(sealed, nonce...)
	return aead.Seal(sealed, nonce, plain, additional(sealed[:headerSize], location)), nil
}

// knows tells whether a value is sealed with one of the keys.
func (s *Sealer) knows(sealed []byte) bool {
	if len(sealed) < headerSize || sealed[0] != version {
		return false
	}
	_, ok := s.keys[keyID(sealed[1:headerSize])]
	return ok
}

// Open implements secrets.Sealer.
func (s *Sealer) Open(_ context.Context, location string, sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize || sealed[0] != version {
		return nil, tampered(errors.New("no such form"), location)
	}
	aead, ok := s.keys[keyID(sealed[1:headerSize])]
	if !ok {
		return nil, fault.New(fault.Internal, "secrets.wrong_key", "%s was sealed with another key. Start with the key that this database was made with.", location)
	}
	if len(sealed) < headerSize+aead.NonceSize() {
		return nil, tampered(errors.New("too short"), location)
	}
	nonce, text := sealed[headerSize:headerSize+aead.NonceSize()], sealed[headerSize+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, text, additional(sealed[:headerSize], location))
	if err != nil {
		return nil, tampered(err, location)
	}
	return plain, nil
}

func tampered(cause error, location string) error {
	return fault.Wrap(cause, fault.Internal, "secrets.tampered", "%s was changed or moved in the database. Restore it from a backup.", location)
}
