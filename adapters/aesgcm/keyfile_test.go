package aesgcm_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/testkit/secretstest"
)

func open(t *testing.T, path string) *aesgcm.KeyFile {
	t.Helper()
	f, err := aesgcm.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

func TestKeyFileKeepsASealersLaws(t *testing.T) {
	secretstest.Run(t, func(t *testing.T, keys ...[]byte) secrets.Sealer {
		path := filepath.Join(t.TempDir(), "key")
		var text strings.Builder
		for _, key := range keys {
			text.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return open(t, path)
	})
}

func TestRingKeepsItsLaws(t *testing.T) {
	secretstest.RunRing(t, func(t *testing.T) func() secrets.Ring {
		path := filepath.Join(t.TempDir(), "folder", "key")
		return func() secrets.Ring { return open(t, path) }
	})
}

func TestAKeyFileIsMadeOnceAndForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "key")
	sealed := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range sealed {
		wg.Go(func() {
			f, err := aesgcm.OpenFile(path)
			if err == nil {
				sealed[i], err = f.Seal(context.Background(), "a/b/c", []byte("x"))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, value := range sealed {
		if plain, err := open(t, path).Open(t.Context(), "a/b/c", value); err != nil || string(plain) != "x" {
			t.Errorf("got %q, %v", plain, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || len(lines(t, path)) != 1 {
		t.Errorf("%v, %v", info, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestARenewalThatWasInterruptedIsCarriedOnWithTheSameKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	f := open(t, path)
	first := lines(t, path)
	stop := errors.New("killed")
	var during [][]string
	for range 2 {
		if err := f.Renew(t.Context(), func(context.Context) error { during = append(during, lines(t, path)); return stop }); !errors.Is(err, stop) {
			t.Fatal(err)
		}
	}
	if len(during[0]) != 2 || during[0][1] != first[0] || strings.Join(during[0], " ") != strings.Join(during[1], " ") {
		t.Errorf("keys: first %v, then %v", first, during)
	}
	if err := f.Renew(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if last := lines(t, path); len(last) != 1 || last[0] != during[0][0] {
		t.Errorf("keys at last: %v", last)
	}
}

func TestFilesThatHoldNoKeysAreRefused(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	for _, content := range []string{"", "\n", "no base64", good + "\nAAAA\n", good + good} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := aesgcm.OpenFile(path); fault.CodeOf(err) != aesgcm.CodeKeyFile || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", content, err)
		}
	}
}
