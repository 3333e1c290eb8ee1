package aesgcm_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/testkit/secretstest"
)

func TestSealerKeepsItsLaws(t *testing.T) {
	secretstest.Run(t, func(t *testing.T, keys ...[]byte) secrets.Sealer {
		s, err := aesgcm.New(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestKeysOfAnotherSizeAreRefused(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{nil, {make([]byte, 16)}, {make([]byte, 32), make([]byte, 31)}} {
		if _, err := aesgcm.New(keys...); err == nil {
			t.Errorf("%d keys were taken", len(keys))
		}
	}
}
