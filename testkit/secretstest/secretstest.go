// Package secretstest holds an adapter of ports/secrets to its comments.
package secretstest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
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

// RunRing holds a ring to every law beyond a Sealer's. fresh returns a function that gives each call another process's view of the same new ring.
func RunRing(t *testing.T, fresh func(t *testing.T) (process func() secrets.Ring)) {
	const here = "server_secrets/a/sealed"
	seal := func(t *testing.T, r secrets.Ring) []byte {
		t.Helper()
		sealed, err := r.Seal(t.Context(), here, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	newest := func(t *testing.T, r secrets.Ring, sealed []byte) bool {
		t.Helper()
		ok, err := r.Newest(t.Context(), sealed)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	opens := func(t *testing.T, r secrets.Ring, sealed []byte) {
		t.Helper()
		if plain, err := r.Open(t.Context(), here, sealed); err != nil || string(plain) != "x" {
			t.Errorf("got %q, %v", plain, err)
		}
	}

	t.Run("OtherProcessesFollowANewKey", func(t *testing.T) {
		t.Parallel()
		process := fresh(t)
		one, other := process(), process()
		old := seal(t, other)
		if !newest(t, one, old) || newest(t, one, nil) || newest(t, one, []byte("x")) {
			t.Error("before: the newest key's values are not recognised")
		}
		var renewed []byte
		err := one.Renew(t.Context(), func(context.Context) error {
			renewed = seal(t, one)
			if newest(t, other, old) || !newest(t, other, renewed) || !newest(t, other, seal(t, other)) {
				t.Error("meanwhile: a process seals with the old key")
			}
			opens(t, other, renewed)
			opens(t, one, old)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		opens(t, other, renewed)
		if _, err := process().Open(t.Context(), here, old); fault.CodeOf(err) != "secrets.wrong_key" {
			t.Errorf("afterwards: the old key still opens, %v", err)
		}
	})
	t.Run("WhoOnlyOpensFollowsToo", func(t *testing.T) {
		t.Parallel()
		process := fresh(t)
		one, reader := process(), process()
		if err := one.Renew(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		opens(t, reader, seal(t, one))
	})
	t.Run("AFailedRenewalForgetsNothing", func(t *testing.T) {
		t.Parallel()
		process := fresh(t)
		old := seal(t, process())
		stop := errors.New("stopped")
		if err := process().Renew(t.Context(), func(context.Context) error { return stop }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		opens(t, process(), old)
	})
	t.Run("OneRenewsAtATime", func(t *testing.T) {
		t.Parallel()
		process := fresh(t)
		one, other := process(), process()
		var running atomic.Int32
		var wg sync.WaitGroup
		for _, r := range []secrets.Ring{one, other, process()} {
			wg.Go(func() {
				err := r.Renew(context.Background(), func(context.Context) error {
					if running.Add(1) > 1 {
						t.Error("two at once")
					}
					_, err := r.Seal(context.Background(), here, nil)
					running.Add(-1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		err := one.Renew(t.Context(), func(context.Context) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := other.Renew(ctx, func(context.Context) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("who need not wait any more: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
