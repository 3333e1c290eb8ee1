// Package passwordstest holds an adapter of ports/passwords to its comments.
package passwordstest

import (
	"strings"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/ports/passwords"
)

// Run holds a hasher to every law. Give it cheap parameters: the laws hash many times.
func Run(t *testing.T, open func(t *testing.T) passwords.Hasher) {
	t.Run("TheRightPasswordMatchesAndNoOther", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		for _, password := range []string{"correct horse battery staple", "ünïcödé 漢字 🎬🎬🎬", strings.Repeat("x", 128), strings.Repeat("y", 100) + "\x00z"} {
			hash, err := h.Hash(t.Context(), password)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(hash), password) {
				t.Error("the hash shows the password")
			}
			if ok, rehash, err := h.Verify(t.Context(), password, hash); !ok || rehash || err != nil {
				t.Errorf("%q: %v, %v, %v", password, ok, rehash, err)
			}
			for _, wrong := range []string{"", password + " ", password[:len(password)-1], strings.ToUpper(password)[:1] + "other", password[:min(72, len(password)-1)]} {
				if ok, _, err := h.Verify(t.Context(), wrong, hash); ok || err != nil {
					t.Errorf("%q instead of %q: %v, %v", wrong, password, ok, err)
				}
			}
		}
	})
	t.Run("TheFormOfLettersDoesNotMatter", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		forms := []string{"J\u00fcrgens Passwort \u1e69", "Ju\u0308rgens Passwort s\u0323\u0307", "Ju\u0308rgens Passwort s\u0307\u0323"}
		for _, hashed := range forms {
			hash, err := h.Hash(t.Context(), hashed)
			if err != nil {
				t.Fatal(err)
			}
			for _, typed := range forms {
				if ok, rehash, err := h.Verify(t.Context(), typed, hash); !ok || rehash || err != nil {
					t.Errorf("%q for %q: %v, %v, %v", typed, hashed, ok, rehash, err)
				}
			}
			if ok, _, _ := h.Verify(t.Context(), "Jurgens Passwort s", hash); ok {
				t.Error("marks are left out")
			}
		}
	})
	t.Run("TwoHashesOfOnePasswordDiffer", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		a, errA := h.Hash(t.Context(), "the same password")
		b, errB := h.Hash(t.Context(), "the same password")
		if errA != nil || errB != nil || a == b {
			t.Errorf("%q, %q, %v, %v", a, b, errA, errB)
		}
	})
	t.Run("NoHashMatchesNothing", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		if ok, _, err := h.Verify(t.Context(), "", ""); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if err := h.Burn(t.Context(), "anything"); err != nil {
			t.Error(err)
		}
	})
	t.Run("ManyQueueAndAllSucceed", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		hash, err := h.Hash(t.Context(), "right")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if ok, _, err := h.Verify(t.Context(), "right", hash); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		wg.Wait()
	})
}
