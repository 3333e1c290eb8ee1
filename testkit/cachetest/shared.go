package cachetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/cache"
)

// RunShared holds an adapter of cache.Shared to its contract; open returns two that share their values, as two processes do, and may share them with others.
func RunShared(t *testing.T, open func(t *testing.T) (a, b cache.Shared)) {
	lease := func(t *testing.T, c cache.Shared, group, key string) cache.Lease {
		t.Helper()
		value, ok, l, err := c.Lease(t.Context(), group, key)
		if err != nil || ok || l == "" {
			t.Fatalf("wanted a lease, got %q, %v, %q, %v", value, ok, l, err)
		}
		return l
	}
	fill := func(t *testing.T, c cache.Shared, group, key string, l cache.Lease, value string, want bool) {
		t.Helper()
		if kept, err := c.Fill(t.Context(), group, key, l, []byte(value), time.Minute); err != nil || kept != want {
			t.Fatalf("Fill of %q: %v, %v; want %v", value, kept, err, want)
		}
	}
	has := func(t *testing.T, c cache.Shared, group, key, want string) {
		t.Helper()
		if value, ok, _, err := c.Lease(t.Context(), group, key); err != nil || !ok || string(value) != want {
			t.Fatalf("got %q, %v, %v; want %q", value, ok, err, want)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name := func() string { return domain.NewID().String() }

	t.Run("WhatOneFillsInTheOtherHas", func(t *testing.T) {
		a, b := open(t)
		group := name()
		for key, value := range map[string]string{"k": "one", "": "", "k:2 ü": string(bytes.Repeat([]byte{0, 255}, 5000))} {
			fill(t, a, group, key, lease(t, a, group, key), value, true)
			has(t, b, group, key, value)
			has(t, a, group, key, value)
		}
		lease(t, b, name(), "k") // groups are apart
	})
	t.Run("OfSeveralThatMissEachMayFill", func(t *testing.T) {
		a, b := open(t)
		group := name()
		first, second := lease(t, a, group, "k"), lease(t, b, group, "k")
		fill(t, a, group, "k", first, "1", true)
		fill(t, b, group, "k", second, "2", true)
		has(t, a, group, "k", "2")
	})
	t.Run("WhatWasReadBeforeADeletionIsNotKept", func(t *testing.T) {
		for what, remove := range map[string]func(*testing.T, cache.Shared, string) error{
			"one": func(t *testing.T, c cache.Shared, group string) error {
				return c.Delete(t.Context(), group, "other", "k")
			},
			"all": func(t *testing.T, c cache.Shared, group string) error { return c.DeleteAll(t.Context(), group) },
		} {
			t.Run(what, func(t *testing.T) {
				a, b := open(t)
				group, bystander := name(), name()
				fill(t, a, bystander, "k", lease(t, a, bystander, "k"), "stays", true)
				old := lease(t, a, group, "k")
				must(t, remove(t, b, group))
				fill(t, a, group, "k", old, "old", false)
				fresh := lease(t, b, group, "k")
				fill(t, a, group, "k", old, "old", false)
				fill(t, b, group, "k", fresh, "new", true)
				fill(t, a, group, "k", old, "old", false)
				has(t, a, group, "k", "new")
				must(t, remove(t, a, group))
				lease(t, b, group, "k")
				has(t, b, bystander, "k", "stays")
			})
		}
	})
	t.Run("WhatIsKeptNeedsNoLeaseAndEndsThose", func(t *testing.T) {
		a, b := open(t)
		group := name()
		must(t, a.Keep(t.Context(), group, "k", []byte("1"), time.Minute))
		has(t, b, group, "k", "1")
		must(t, b.Keep(t.Context(), group, "k", []byte("2"), time.Minute))
		has(t, a, group, "k", "2")
		old := lease(t, a, group, "other")
		must(t, b.Keep(t.Context(), group, "other", []byte("kept"), time.Minute))
		fill(t, a, group, "other", old, "loaded", false)
		has(t, a, group, "other", "kept")
		must(t, a.Delete(t.Context(), group, "k"))
		lease(t, b, group, "k")
		must(t, a.DeleteAll(t.Context(), group))
		lease(t, b, group, "other")
		must(t, a.Keep(t.Context(), group, "k", []byte("short"), 30*time.Millisecond))
		deadline := time.Now().Add(10 * time.Second)
		for gone := false; !gone; {
			_, ok, _, err := b.Lease(t.Context(), group, "k")
			must(t, err)
			if gone = !ok; time.Now().After(deadline) {
				t.Fatal("it never expired")
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	t.Run("NoLeaseFillsNothing", func(t *testing.T) {
		a, b := open(t)
		group := name()
		fill(t, a, group, "k", "", "v", false)
		fill(t, a, group, "k", "made up", "v", false)
		fill(t, a, group, "k", lease(t, b, group, "other"), "v", false)
		lease(t, b, group, "k")
	})
	t.Run("AValueAndALeaseExpire", func(t *testing.T) {
		a, b := open(t)
		group := name()
		late := lease(t, a, group, "late")
		if kept, err := a.Fill(t.Context(), group, "k", lease(t, a, group, "k"), []byte("v"), 30*time.Millisecond); err != nil || !kept {
			t.Fatal(kept, err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for gone := false; !gone; {
			_, ok, _, err := b.Lease(t.Context(), group, "k")
			must(t, err)
			if gone = !ok; time.Now().After(deadline) {
				t.Fatal("the value never expired")
			}
			time.Sleep(5 * time.Millisecond)
		}
		for l := late; l == late; l = lease(t, b, group, "late") {
			if time.Now().After(deadline) {
				t.Fatal("the lease never expired")
			}
			time.Sleep(50 * time.Millisecond)
		}
		fill(t, a, group, "late", late, "v", false)
	})
	t.Run("ATimeToLiveIsRequired", func(t *testing.T) {
		a, _ := open(t)
		group := name()
		if _, err := a.Fill(t.Context(), group, "k", lease(t, a, group, "k"), nil, 0); err == nil {
			t.Fatal("a value without one was taken")
		}
		if err := a.Keep(t.Context(), group, "k", nil, 0); err == nil {
			t.Fatal("a value without one was kept")
		}
	})
	t.Run("StatsCountHitsAndMisses", func(t *testing.T) {
		a, _ := open(t)
		group := name()
		hits, misses := a.Stats()
		fill(t, a, group, "k", lease(t, a, group, "k"), "v", true)
		has(t, a, group, "k", "v")
		if h, m := a.Stats(); h != hits+1 || m != misses+1 {
			t.Fatalf("%d hits, %d misses", h-hits, m-misses)
		}
	})
}
