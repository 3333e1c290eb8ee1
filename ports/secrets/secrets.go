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
