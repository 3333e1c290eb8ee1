// Package cachetest holds every adapter of ports/cache to its contract.
package cachetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/revenge-media/revenge/ports/cache"
)

// Harness is one cache under test.
type Harness struct {
	Cache cache.Cache
	// MaxBytes is roughly what it may hold; the suite puts more into it. 0 skips the bound.
	MaxBytes int
}

// Run runs the suite; open returns a fresh, empty cache for each subtest.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	get := func(t *testing.T, c cache.Cache, key string) ([]byte, bool) {
		t.Helper()
		v, ok, err := c.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return v, ok
	}
	t.Run("AValueIsThereUntilDeleted", func(t *testing.T) {
		c := open(t).Cache
		if _, ok := get(t, c, "k"); ok {
			t.Fatal("a fresh cache holds something")
		}
		for _, v := range [][]byte{[]byte("one"), {}, bytes.Repeat([]byte{0, 255}, 5000)} {
			if err := c.Set(t.Context(), "k", v, time.Minute); err != nil {
				t.Fatal(err)
			}
			if got, ok := get(t, c, "k"); !ok || !bytes.Equal(got, v) {
				t.Fatalf("got %d bytes, %v; want %d", len(got), ok, len(v))
			}
		}
		if err := c.Delete(t.Context(), "k", "absent"); err != nil {
			t.Fatal(err)
		}
		if _, ok := get(t, c, "k"); ok {
			t.Fatal("it is still there")
		}
	})
	t.Run("AValueExpires", func(t *testing.T) {
		c := open(t).Cache
		if err := c.Set(t.Context(), "k", []byte("v"), 30*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for {
			if _, ok := get(t, c, "k"); !ok {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("it never expired")
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	t.Run("ATimeToLiveIsRequired", func(t *testing.T) {
		if err := open(t).Cache.Set(t.Context(), "k", nil, 0); err == nil {
			t.Fatal("a value without one was taken")
		}
	})
	t.Run("WhatIsKeptIsNotTheCallers", func(t *testing.T) {
		c := open(t).Cache
		v := []byte("abc")
		_ = c.Set(t.Context(), "k", v, time.Minute)
		v[0] = 'X'
		if again, _ := get(t, c, "k"); string(again) != "abc" {
			t.Fatalf("got %q", again)
		}
	})
	t.Run("ItStaysWithinItsBound", func(t *testing.T) {
		h := open(t)
		if h.MaxBytes == 0 {
			t.Skip("unbounded")
		}
		value := make([]byte, 1024)
		n := 4 * h.MaxBytes / len(value)
		for i := range n {
			_ = h.Cache.Set(t.Context(), fmt.Sprint(i), value, time.Minute)
		}
		deadline := time.Now().Add(10 * time.Second)
		for {
			held := 0
			for i := range n {
				if _, ok := get(t, h.Cache, fmt.Sprint(i)); ok {
					held += len(value)
				}
			}
			if held > 0 && held <= h.MaxBytes+h.MaxBytes/4 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("holds %d bytes, may hold %d", held, h.MaxBytes)
			}
		}
	})
	t.Run("StatsCountHitsAndMisses", func(t *testing.T) {
		c := open(t).Cache
		_ = c.Set(t.Context(), "k", []byte("v"), time.Minute)
		get(t, c, "k")
		get(t, c, "absent")
		if hits, misses := c.Stats(); hits != 1 || misses != 1 {
			t.Fatalf("%d hits, %d misses", hits, misses)
		}
	})
}
