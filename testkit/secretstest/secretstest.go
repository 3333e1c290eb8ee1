// Package secretstest holds an adapter of ports/secrets to its comments.
package secretstest

import (
	"bytes"
	"testing"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/secrets"
)

// Run holds a sealer to every law. open returns one with these 32-byte keys, of which the first seals and all open.
func Run(t *testing.T, open func(t *testing.T, keys ...[]byte) secrets.Sealer) {
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	const here = "server_secrets/a/sealed"
	seal := func(t *testing.T, s secrets.Sealer, plain []byte) []byte {
		t.Helper()
		sealed, err := s.Seal(t.Context(), here, plain)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	code := func(t *testing.T, s secrets.Sealer, location string, sealed []byte) string {
		t.Helper()
		plain, err := s.Open(t.Context(), location, sealed)
		if err == nil {
			t.Fatalf("it opened as %q", plain)
		}
		if fault.KindOf(err) != fault.Internal {
			t.Fatalf("got %v, want it Internal", err)
		}
		return fault.CodeOf(err)
	}

	t.Run("WhatIsSealedOpens", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		for _, plain := range [][]byte{{}, []byte("a secret"), bytes.Repeat([]byte{0xff, 0}, 5000)} {
			sealed := seal(t, s, plain)
			if len(plain) > 0 && bytes.Contains(sealed, plain) {
				t.Error("the plain value shows")
			}
			if got, err := s.Open(t.Context(), here, sealed); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})
	t.Run("EverySealingDiffers", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		if bytes.Equal(seal(t, s, []byte("x")), seal(t, s, []byte("x"))) {
			t.Error("equal values look equal")
		}
	})
	t.Run("AValueMovedElsewhereDoesNotOpen", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		if got := code(t, s, "server_secrets/b/sealed", seal(t, s, []byte("x"))); got != "secrets.tampered" {
			t.Error(got)
		}
	})
	t.Run("NoChangedBitOpens", func(t *testing.T) {
		t.Parallel()
		s := open(t, first)
		sealed := seal(t, s, []byte("x"))
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1
			code(t, s, here, changed)
			code(t, s, here, sealed[:i])
		}
	})
	t.Run("AnotherKeyIsToldFromTampering", func(t *testing.T) {
		t.Parallel()
		if got := code(t, open(t, second), here, seal(t, open(t, first), []byte("x"))); got != "secrets.wrong_key" {
			t.Error(got)
		}
	})
	t.Run("OldKeysStillOpenAndTheFirstSeals", func(t *testing.T) {
		t.Parallel()
		rotated := open(t, second, first)
		if got, err := rotated.Open(t.Context(), here, seal(t, open(t, first), []byte("x"))); err != nil || string(got) != "x" {
			t.Errorf("an old value: %q, %v", got, err)
		}
		if got, err := open(t, second).Open(t.Context(), here, seal(t, rotated, []byte("x"))); err != nil || string(got) != "x" {
			t.Errorf("a new value: %q, %v", got, err)
		}
	})
}
