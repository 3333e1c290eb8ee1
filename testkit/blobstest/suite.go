// Package blobstest is the conformance suite of ports/blobs.Store.
package blobstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/blobs"
)

// Harness is what an implementation brings: an empty store with a cap of Cap bytes, 1 MiB or less.
type Harness struct {
	Store blobs.Store
	Cap   int64
}

// Run checks every promise of blobs.Store. open is called once for each part and may register clean-ups.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for name, part := range map[string]func(*testing.T, Harness){
		"ReadsWhatWasPut": reads, "PutIsAllOrNothing": atomic, "ReadersOutliveTheirBlob": outlive, "Create": create, "Delete": deletes, "Keys": keys, "TheCapHolds": capped, "ManyAtOnce": many,
	} {
		t.Run(name, func(t *testing.T) { part(t, open(t)) })
	}
}

func put(t *testing.T, s blobs.Store, key, content string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s blobs.Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	if fault.CodeOf(err) == blobs.CodeNotFound {
		return "<absent>"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func want(t *testing.T, s blobs.Store, key, content string) {
	t.Helper()
	if got := get(t, s, key); got != content {
		t.Errorf("%s is %.50q, not %.50q", key, got, content)
	}
}

func reads(t *testing.T, h Harness) {
	want(t, h.Store, "none", "<absent>")
	put(t, h.Store, "a/b/c.jpg", "content")
	want(t, h.Store, "a/b/c.jpg", "content")
	put(t, h.Store, "a/b", "beside its own folder")
	want(t, h.Store, "a/b", "beside its own folder")
	want(t, h.Store, "a/b/c.jpg", "content")
	want(t, h.Store, "a", "<absent>")
	put(t, h.Store, "a/b/c.jpg", "other")
	want(t, h.Store, "a/b/c.jpg", "other")
	r, err := h.Store.Get(t.Context(), "a/b/c.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	part := make([]byte, 3)
	if _, err := r.ReadAt(part, 2); err != nil || string(part) != "her" || r.Size() != 5 {
		t.Errorf("%q of %d, %v", part, r.Size(), err)
	}
	if at, err := r.Seek(-1, io.SeekEnd); err != nil || at != 4 {
		t.Error(at, err)
	}
}

// broken gives some bytes and then fails.
type broken struct{ left int }

var errBroken = errors.New("broken")

func (b *broken) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBroken
	}
	n := min(b.left, len(p))
	b.left -= n
	return n, nil
}

func atomic(t *testing.T, h Harness) {
	put(t, h.Store, "key", "old")
	if err := h.Store.Put(t.Context(), "key", &broken{left: 5000}); !errors.Is(err, errBroken) {
		t.Errorf("a broken source answered %v", err)
	}
	want(t, h.Store, "key", "old")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Store.Put(ctx, "key", strings.NewReader("new")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Put answered %v", err)
	}
	want(t, h.Store, "key", "old")
	used, err := h.Store.Sweep(t.Context())
	if err != nil || used != 3 {
		t.Errorf("%d bytes in use, %v", used, err)
	}
}

func outlive(t *testing.T, h Harness) {
	for name, change := range map[string]func() error{
		"replaced": func() error { return h.Store.Put(t.Context(), "key", strings.NewReader("new!")) },
		"deleted":  func() error { return h.Store.Delete(t.Context(), "key") },
	} {
		put(t, h.Store, "key", "old content")
		r, err := h.Store.Get(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(r.Path()) {
			t.Errorf("Path %q", r.Path())
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != "old content" {
			t.Errorf("%s: the reader has %q, %v", name, b, err)
		}
		if b, err := os.ReadFile(r.Path()); err != nil || string(b) != "old content" {
			t.Errorf("%s: the path has %q, %v", name, b, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func create(t *testing.T, h Harness) {
	err := h.Store.Create(t.Context(), "made/by/tool", func(path string) error {
		if !filepath.IsAbs(path) {
			t.Errorf("path %q", path)
		}
		return os.WriteFile(path, []byte("tool"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, h.Store, "made/by/tool", "tool")
	var left string
	err = h.Store.Create(t.Context(), "made/by/tool", func(path string) error {
		left = path
		_ = os.WriteFile(path, []byte("half"), 0o600)
		return errBroken
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("a failed tool answered %v", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error("a failed tool left its file")
	}
	want(t, h.Store, "made/by/tool", "tool")
	if err := h.Store.Create(t.Context(), "nothing", func(string) error { return nil }); fault.As(err) == nil {
		t.Errorf("a tool that wrote nothing answered %v", err)
	}
}

func deletes(t *testing.T, h Harness) {
	for _, k := range []string{"f/a", "f/b/c", "f", "fa"} {
		put(t, h.Store, k, k)
	}
	for range 2 { // absent ones are no error
		if err := h.Store.Delete(t.Context(), "f/"); err != nil {
			t.Fatal(err)
		}
		want(t, h.Store, "f/a", "<absent>")
		want(t, h.Store, "f/b/c", "<absent>")
		want(t, h.Store, "fa", "fa")
	}
	for range 2 {
		if err := h.Store.Delete(t.Context(), "fa"); err != nil {
			t.Fatal(err)
		}
		want(t, h.Store, "fa", "<absent>")
	}
}

func keys(t *testing.T, h Harness) {
	for _, k := range []string{"", "/", "/a", "a//b", "../a", "a/../b", ".", "a/.", "A", "ä", "a b", "a\x00", "a~", strings.Repeat("a", 201), "tmp~~/x", `a\b`} {
		_, err := h.Store.Get(t.Context(), k)
		made := h.Store.Create(t.Context(), k, func(string) error { t.Errorf("%q was made", k); return nil })
		for what, err := range map[string]error{"Get": err, "Put": h.Store.Put(t.Context(), k, strings.NewReader("x")), "Create": made} {
			if err == nil || fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s %q: %v", what, k, err)
			}
		}
		if err := h.Store.Delete(t.Context(), k+"/"); err == nil {
			t.Errorf("Delete %q was accepted", k+"/")
		}
	}
	long := strings.Repeat("a", 200)
	put(t, h.Store, long, "x")
	want(t, h.Store, long, "x")
}

func capped(t *testing.T, h Harness) {
	size := int(h.Cap / 10)
	for i := range 30 {
		put(t, h.Store, fmt.Sprintf("n/%d", i), strings.Repeat("x", size))
	}
	used, err := h.Store.Sweep(t.Context())
	if err != nil || used > h.Cap || used < h.Cap/2 {
		t.Errorf("%d bytes in use of %d, %v", used, h.Cap, err)
	}
	if get(t, h.Store, "n/29") == "<absent>" || get(t, h.Store, "n/0") != "<absent>" {
		t.Error("not the oldest went")
	}
	if err := h.Store.Put(t.Context(), "n/29", bytes.NewReader(make([]byte, h.Cap+1))); fault.CodeOf(err) != blobs.CodeFull {
		t.Errorf("a blob over the cap answered %v", err)
	}
	if get(t, h.Store, "n/29") == "<absent>" {
		t.Error("a refused blob took the old one with it")
	}
}

func many(t *testing.T, h Harness) {
	contents := []string{strings.Repeat("a", 3000), strings.Repeat("b", 5000)}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 50 {
				key := fmt.Sprintf("shared/%d", i%5)
				if err := h.Store.Put(t.Context(), key, strings.NewReader(contents[worker%2])); err != nil {
					t.Error(err)
				}
				if got := get(t, h.Store, key); got != contents[0] && got != contents[1] && got != "<absent>" {
					t.Errorf("a mixture of %d bytes", len(got))
				}
				if worker == 0 && i%10 == 0 {
					if err := h.Store.Delete(t.Context(), "shared/"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}
