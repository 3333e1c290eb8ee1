// Package mailtest holds every mail.Sender to its port, against a real mail server on loopback.
package mailtest

import (
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/mail"
	"github.com/revenge-media/revenge/testkit/smtptest"
)

// Open returns a sender that trusts these authorities (nil: the system's) and gives a server this long.
type Open func(roots *x509.CertPool, timeout time.Duration) mail.Sender

// patience is long beside what the tests wait for.
const patience = 30 * time.Second

// message is a mail with letters beyond ASCII wherever people have them.
func message() mail.Message {
	return mail.Message{
		ID: "0190f0a0-0000-7000-8000-000000000001@movies.example.org", Subject: "Wähle ein neues Passwort für „Kino“ 🎬", HTML: "<p>Grüße &amp; <b>mehr</b></p>\n",
		From: mail.Address{Name: "Kino, der Große", Address: "kino@movies.example.org"}, To: mail.Address{Name: "Jürgen \"J\" Groß", Address: "juergen@example.org"},
		Text: "Grüße\n\n.\n--\nhttps://movies.example.org/reset#code=" + strings.Repeat("abc", 40) + "\n", Headers: map[string]string{"Auto-Submitted": "auto-generated"},
	}
}

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, security := range []mail.Security{mail.None, mail.StartTLS, mail.TLS} {
		t.Run("WhatIsSentArrives/"+string(security), func(t *testing.T) {
			t.Parallel()
			server := smtptest.Start(t, smtptest.Config{Security: security, Username: "kino", Password: "pass wörd"})
			sent := message()
			if err := open(server.Roots(), patience).Send(t.Context(), server.Server(), sent); err != nil {
				t.Fatal(err)
			}
			mails := server.Mails()
			if len(mails) != 1 {
				t.Fatalf("%d mails came", len(mails))
			}
			got := mails[0]
			if got.Subject != sent.Subject || got.Text != sent.Text || strings.TrimSpace(got.HTML) != strings.TrimSpace(sent.HTML) {
				t.Errorf("another mail came: %+v", got)
			}
			if got.From != sent.From.Address || len(got.To) != 1 || got.To[0] != sent.To.Address || got.Username != "kino" || got.Protected != (security != mail.None) {
				t.Errorf("the envelope is %s to %v by %q, protected %v", got.From, got.To, got.Username, got.Protected)
			}
			for name, want := range map[string]mail.Address{"From": sent.From, "To": sent.To} {
				list, err := got.Header.AddressList(name)
				if err != nil || len(list) != 1 || list[0].Name != want.Name || list[0].Address != want.Address {
					t.Errorf("%s is %v, %v", name, got.Header[name], err)
				}
			}
			if got.Header.Get("Message-Id") != "<"+sent.ID+">" || got.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("headers: %v", got.Header)
			}
			if _, err := got.Header.Date(); err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("AnswersSayWhetherToTryAgain", func(t *testing.T) {
		t.Parallel()
		server := smtptest.Start(t, smtptest.Config{})
		sender := open(nil, patience)
		server.Meet(smtptest.Later, smtptest.Never, smtptest.Drop, smtptest.Taken)
		for _, want := range []string{mail.CodeUnavailable, mail.CodeRefused, mail.CodeUnavailable, ""} {
			if err := sender.Send(t.Context(), server.Server(), message()); fault.CodeOf(err) != want {
				t.Errorf("got %v, not %q", err, want)
			} else if want == mail.CodeRefused && !strings.Contains(fault.As(err).Message, "Nobody of this name lives here") {
				t.Errorf("the server's words are lost: %v", err)
			}
		}
		if n := len(server.Mails()); n != 1 {
			t.Errorf("%d mails came", n)
		}
	})

	t.Run("AnEndOfTheConnectionAfterTheMessageWasTakenIsNoFailure", func(t *testing.T) {
		t.Parallel()
		server := smtptest.Start(t, smtptest.Config{})
		sender := open(nil, patience)
		server.Meet(smtptest.HangUp)
		if err := sender.Send(t.Context(), server.Server(), message()); err != nil || len(server.Mails()) != 1 {
			t.Errorf("%d mails came, %v", len(server.Mails()), err)
		}
	})

	t.Run("NobodyWaitsForAServerThatHangs", func(t *testing.T) {
		t.Parallel()
		server := smtptest.Start(t, smtptest.Config{})
		server.Meet(smtptest.Hang, smtptest.Hang)
		if err := open(nil, 200*time.Millisecond).Send(t.Context(), server.Server(), message()); fault.CodeOf(err) != mail.CodeUnavailable {
			t.Errorf("after its own time: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- open(nil, time.Hour).Send(ctx, server.Server(), message()) }()
		for server.Attempts() < 2 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		select {
		case err := <-ended:
			if fault.CodeOf(err) != mail.CodeUnavailable {
				t.Errorf("canceled: %v", err)
			}
		case <-time.After(patience):
			t.Error("a canceled sender goes on")
		}
	})

	t.Run("NobodyListensIsUnavailable", func(t *testing.T) {
		t.Parallel()
		server, err := smtptest.Listen(smtptest.Config{})
		if err != nil {
			t.Fatal(err)
		}
		_ = server.Close()
		if err := open(nil, patience).Send(t.Context(), server.Server(), message()); fault.CodeOf(err) != mail.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	})

	t.Run("WrongCredentialsAreToldApart", func(t *testing.T) {
		t.Parallel()
		server := smtptest.Start(t, smtptest.Config{Security: mail.StartTLS, Username: "kino", Password: "right"})
		for _, credentials := range [][2]string{{"kino", "wrong"}, {"", ""}} {
			at := server.Server()
			at.Username, at.Password = credentials[0], credentials[1]
			err := open(server.Roots(), patience).Send(t.Context(), at, message())
			if fault.CodeOf(err) != mail.CodeCredentials || strings.Contains(err.Error(), "wrong") {
				t.Errorf("%v: got %v", credentials, err)
			}
		}
	})

	t.Run("NothingIsSentWithoutTheProtectionThatIsAskedFor", func(t *testing.T) {
		t.Parallel()
		plain := smtptest.Start(t, smtptest.Config{Username: "kino", Password: "right"})
		at := plain.Server()
		for _, security := range []mail.Security{mail.StartTLS, mail.TLS} {
			at.Security = security
			if err := open(nil, patience).Send(t.Context(), at, message()); fault.CodeOf(err) != mail.CodeInsecure {
				t.Errorf("%s at a server without: %v", security, err)
			}
		}
		for _, security := range []mail.Security{mail.StartTLS, mail.TLS} {
			server := smtptest.Start(t, smtptest.Config{Security: security, Username: "kino", Password: "right"})
			if err := open(x509.NewCertPool(), patience).Send(t.Context(), server.Server(), message()); fault.CodeOf(err) != mail.CodeInsecure {
				t.Errorf("%s with a certificate of nobody's: %v", security, err)
			}
			if n := server.Attempts(); n != 0 {
				t.Errorf("%d messages were begun", n)
			}
		}
		if n := plain.Attempts(); n != 0 {
			t.Errorf("%d messages were begun", n)
		}
	})

	t.Run("NothingAddsAHeaderOrARecipient", func(t *testing.T) {
		t.Parallel()
		server := smtptest.Start(t, smtptest.Config{})
		sender := open(nil, patience)
		const evil = "x\r\nBcc: eve@example.org"
		for name, change := range map[string]func(*mail.Message){
			"subject":      func(m *mail.Message) { m.Subject = evil },
			"bare LF":      func(m *mail.Message) { m.Subject = "x\nBcc: eve@example.org" },
			"name":         func(m *mail.Message) { m.To.Name = evil },
			"own name":     func(m *mail.Message) { m.From.Name = evil },
			"address":      func(m *mail.Message) { m.To.Address = "a@example.org\r\nRCPT TO:<eve@example.org>" },
			"two":          func(m *mail.Message) { m.To.Address = "a@example.org, eve@example.org" },
			"a named one":  func(m *mail.Message) { m.To.Address = "Eve <eve@example.org>" },
			"a parameter":  func(m *mail.Message) { m.To.Address = "a@example.org> ORCPT=rfc822;eve@example.org" },
			"no address":   func(m *mail.Message) { m.To.Address = "nobody" },
			"id":           func(m *mail.Message) { m.ID = "a@b>\r\nBcc: eve@example.org" },
			"header":       func(m *mail.Message) { m.Headers = map[string]string{"X-A": evil} },
			"header name":  func(m *mail.Message) { m.Headers = map[string]string{"X-A: b\r\nBcc": "eve@example.org"} },
			"empty header": func(m *mail.Message) { m.Headers = map[string]string{"": "x"} },
		} {
			m := message()
			change(&m)
			if err := sender.Send(t.Context(), server.Server(), m); fault.CodeOf(err) != mail.CodeInvalid {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if n := server.Attempts(); n != 0 {
			t.Errorf("%d messages were begun", n)
		}
	})
}
