package mailing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/mail"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/smtptest"
	"github.com/revenge-media/revenge/testkit/world"
)

// secret is what only the mail may tell.
const secret = "z9Xk7hZ0secretcode"

func reset(to string) mailing.Message {
	return mailing.Message{
		To: to, ToName: "Ann", Template: mailing.ResetPassword, Language: "de-AT",
		Data: map[string]string{"link": "https://movies.example.org/reset#code=" + secret, "expires": "12:00"},
	}
}

// set changes settings of a world.
func set(t *testing.T, w *world.World, values map[string]any) {
	t.Helper()
	changes := map[string]json.RawMessage{}
	for name, value := range values {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		changes[name] = data
	}
	if _, err := w.Settings.Update(t.Context(), domain.SystemActor(), nil, changes); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, w *world.World, m mailing.Message, after error) {
	t.Helper()
	err := w.Store.Update(t.Context(), func(ctx context.Context, tx store.Tx) error { return errors.Join(w.Mailing.Send(ctx, tx, m), after) })
	if !errors.Is(err, after) {
		t.Fatal(err)
	}
}

// sends are the jobs that send mails.
func sends(t *testing.T, w *world.World, state jobs.State) []jobs.Info {
	t.Helper()
	page, err := w.Jobs.List(t.Context(), jobs.Filter{Kind: mailing.KindSend, State: state}, domain.PageRequest{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

func TestAMailGoesWithItsTransactionAndItsLinkStandsNowhereElse(t *testing.T) {
	t.Parallel()
	server := smtptest.Start(t, smtptest.Config{})
	idle := world.New(t, world.Idle())
	send(t, idle, reset("ann@example.org"), nil)
	if ok, err := idle.Mailing.Configured(t.Context()); err != nil || ok || len(sends(t, idle, "")) != 0 {
		t.Errorf("without a mail server: configured %v, %v; %d jobs", ok, err, len(sends(t, idle, "")))
	}
	set(t, idle, map[string]any{"mail.host": "127.0.0.1", "mail.port": server.Port(), "mail.security": "none", "mail.password": secret, "server.publicURL": "https://movies.example.org/"})
	if link, err := idle.Mailing.Link(t.Context(), "/reset#code=x"); err != nil || link != "https://movies.example.org/reset#code=x" {
		t.Errorf("link %q, %v", link, err)
	}
	send(t, idle, reset(""), nil)
	rolledBack := errors.New("rolled back")
	send(t, idle, reset("nobody@example.org"), rolledBack)
	if n := len(sends(t, idle, "")); n != 0 {
		t.Errorf("%d jobs for nobody", n)
	}
	send(t, idle, reset("ann@example.org"), nil)
	if n := len(sends(t, idle, jobs.Waiting)); n != 1 {
		t.Errorf("%d jobs", n)
	}
	files, err := filepath.Glob(filepath.Join(idle.Dir, "revenge.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s holds the link or the password", file)
		}
	}
}

func TestAMailIsTriedAgainUntilTheServerTakesItOrRefusesIt(t *testing.T) {
	t.Parallel()
	server := smtptest.Start(t, smtptest.Config{})
	w := world.New(t)
	set(t, w, map[string]any{"mail.host": "127.0.0.1", "mail.port": server.Port(), "mail.security": "none", "server.publicURL": "https://movies.example.org", "server.name": "Kino"})
	server.Meet(smtptest.Never)
	send(t, w, reset("gone@example.org"), nil)
	world.Until(t, "the refused mail is a dead letter", func() bool { return len(sends(t, w, jobs.Dead)) == 1 })
	if _, err := w.Mailing.Health(t.Context()); fault.CodeOf(err) != mail.CodeRefused {
		t.Errorf("health: %v", err)
	}

	server.Meet(smtptest.Drop)
	send(t, w, reset("ann@example.org"), nil)
	got := server.To(t, "ann@example.org")
	if got.Subject != "Wähle ein neues Passwort für Kino" || len(got.Links) != 1 || !strings.HasSuffix(got.Links[0], secret) || got.From != "revenge@movies.example.org" {
		t.Errorf("got %+v", got)
	}
	if id := got.Header.Get("Message-Id"); !strings.HasSuffix(id, "@movies.example.org>") {
		t.Errorf("its id is %s", id)
	}
	world.Until(t, "the outbox forgets what was sent", func() bool {
		left, err := w.Store.Read().Sealed.List(t.Context(), store.SealedColumn{Table: "mail_outbox", Column: "sealed"}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(left) == 1 // the refused one waits for an administrator
	})
	if stats := w.Mailing.Stats(); stats.Sent != 1 || stats.Failed != 2 || stats.LastError != "" {
		t.Errorf("stats: %+v", stats)
	}
	if err := w.Jobs.Retry(t.Context(), sends(t, w, jobs.Dead)[0].ID); err != nil {
		t.Fatal(err)
	}
	server.To(t, "gone@example.org")
}
