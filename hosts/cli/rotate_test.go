package cli_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/world"
)

// keysOf are the lines of the key file.
func (h home) keysOf(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(h.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// TestS20TheSecretKeyIsRenewedUnderLoadWhateverKillsIt renews the key of a server that somebody uses, kills the renewal with its first and in the
// middle of its values, and lets a third one end: then everything opens with the new key alone, and nothing that was acknowledged is lost.
func TestS20TheSecretKeyIsRenewedUnderLoadWhateverKillsIt(t *testing.T) {
	t.Parallel()
	onEither(t, func(t *testing.T, h home) {
		h.owner(t)
		const mails = 250
		original := h.keysOf(t)
		h.fillOutbox(t, mails)
		server := h.start(t)
		ann := server.login(t, "ann").AccessToken

		// Somebody sets a secret again and again, each time sealed by the running server.
		stop, acknowledged := make(chan struct{}), ""
		var load sync.WaitGroup
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Millisecond):
				}
				password := fmt.Sprintf("password %d", n)
				answer, body := server.do(t, http.MethodPatch, "/api/v1/admin/settings", ann, map[string]any{"values": map[string]any{"mail.password": password}})
				if answer.StatusCode != http.StatusOK {
					t.Errorf("setting it: %d %s", answer.StatusCode, body)
					return
				}
				acknowledged = password
			}
		})

		rotate := func(grace string) *program { return h.launch(t, "", "admin", "rotate-secret-key", "--grace", grace) }
		first := rotate("1h")
		world.Until(t, "there is a new key", func() bool { return len(h.keysOf(t)) == 2 })
		first.kill()
		during := h.keysOf(t)
		second := rotate("1h")
		world.Until(t, "some values are under the new key", func() bool { return strings.Contains(second.stderr.String(), "100 values") })
		second.kill()
		if now := h.keysOf(t); strings.Join(now, " ") != strings.Join(during, " ") || now[1] != original[0] {
			t.Errorf("the keys were %v, then %v and %v", original, during, now)
		}
		third := rotate("200ms")
		if code := third.exit(t); code != 0 {
			t.Fatalf("it ended with %d: %s", code, third.stderr)
		}
		close(stop)
		load.Wait()
		if now := h.keysOf(t); len(now) != 1 || now[0] != during[0] {
			t.Errorf("at last the keys are %v, not %s", now, during[0])
		}

		server.login(t, "ann") // the running server goes on
		server.kill()
		if n := h.opened(t, acknowledged); n < mails+4 {
			t.Errorf("only %d values are sealed", n)
		}
		again := h.start(t)
		again.login(t, "ann")
	})
}

// fillOutbox seals mails as a server does, that no job sends.
func (h home) fillOutbox(t *testing.T, n int) {
	t.Helper()
	keys, err := aesgcm.OpenFile(filepath.Join(h.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	s := h.database(t)
	defer s.Close()
	err = s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		for range n {
			m := store.Mail{ID: domain.NewID(), CreatedAt: domain.Stamp(time.Now())}
			if m.Sealed, err = keys.Seal(ctx, "mail_outbox/"+m.ID.String()+"/sealed", []byte("mail "+m.ID.String())); err != nil {
				return err
			}
			if err := tx.Outbox.Add(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// opened counts the sealed values of every column: each must open where it stands, with the keys there are now, and nowhere else.
func (h home) opened(t *testing.T, password string) (n int) {
	t.Helper()
	keys, err := aesgcm.OpenFile(filepath.Join(h.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	s := h.database(t)
	defer s.Close()
	before := ""
	for _, column := range s.Read().Sealed.Columns() {
		values, err := s.Read().Sealed.List(t.Context(), column, "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			n++
			location := column.Table + "/" + v.Row + "/" + column.Column
			plain, err := keys.Open(t.Context(), location, v.Sealed)
			if err != nil {
				t.Errorf("%s: %v", location, err)
			}
			if want := `"` + password + `"`; column.Table == "server_settings" && string(plain) != want {
				t.Errorf("%s is %s, not %s", location, plain, want)
			}
			if _, err := keys.Open(t.Context(), before, v.Sealed); fault.CodeOf(err) != "secrets.tampered" {
				t.Errorf("%s opens as %s: %v", location, before, err)
			}
			before = location
		}
	}
	return n
}
