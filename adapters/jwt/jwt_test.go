package jwt_test

import (
	"bytes"
	"testing"

	"github.com/revenge-media/revenge/adapters/jwt"
	"github.com/revenge-media/revenge/ports/tokens"
	"github.com/revenge-media/revenge/testkit/tokenstest"
)

func TestSignerKeepsItsLaws(t *testing.T) {
	tokenstest.Run(t, func(t *testing.T, keys ...tokens.Key) tokens.Signer {
		s, err := jwt.New(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestWeakKeysAreRefused(t *testing.T) {
	t.Parallel()
	good := bytes.Repeat([]byte{1}, 32)
	for _, keys := range [][]tokens.Key{nil, {{ID: "a", Secret: good[:31]}}, {{ID: "", Secret: good}}, {{ID: "../a", Secret: good}}} {
		if _, err := jwt.New(keys...); err == nil {
			t.Errorf("%v were taken", keys)
		}
	}
}
