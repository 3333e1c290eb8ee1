// Package secrets seals values that are kept in the database with a key that is not (S20).
package secrets

import "context"

// Sealer encrypts and authenticates. location is the additional data "table/row/column": a value moved elsewhere does not open.
type Sealer interface {
	// Seal returns ciphertext with the key's id and a random nonce.
	Seal(ctx context.Context, location string, plain []byte) ([]byte, error)
	// Open returns the plain value. Internal with "secrets.wrong_key" when it was sealed with a key that is not known, and with
	// "secrets.tampered" when it was changed or moved.
	Open(ctx context.Context, location string, sealed []byte) ([]byte, error)
}

// Ring is the keys behind a Sealer, newest first. Every process that seals and opens follows its changes.
type Ring interface {
	Sealer
	// Newest tells whether a value is sealed with the newest key.
	Newest(ctx context.Context, sealed []byte) (bool, error)
	// Renew puts a new key in front of those there are, has reseal bring every value under it, and forgets the other keys if and only if reseal returns nil:
	// then nothing may be sealed with them any more. A call that ended before its end, with its process or by an error, is carried on by the next one.
	// Of several at once one runs after the other; who waits when ctx ends gets its error.
	Renew(ctx context.Context, reseal func(ctx context.Context) error) error
}
