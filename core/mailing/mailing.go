// Package mailing writes to people: what happened to their account, and links that let them go on.
package mailing

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/mail"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area; those of sending stand in ports/mail.
const (
	CodeNotConfigured = "mail.not_configured" // Conflict
	CodeNoAddress     = "mail.no_address"     // Conflict: the account has none
	CodeNoPublicURL   = "mail.no_public_url"  // Conflict: nobody said under which address the server is reached
)

// KindSend sends one message of the outbox.
const KindSend jobs.Kind = "mail.send"

// keepUnsent is how long a message that could not be sent waits for an administrator to try again.
const keepUnsent = 7 * 24 * time.Hour

// Message is a mail to one person. A message without an address is not sent, which is no error.
type Message struct {
	To     string `json:"to"`
	ToName string `json:"toName,omitempty"`
	// Language is the account's (BCP 47); empty, or one that there are no texts in, is the server's.
	Language string   `json:"language,omitempty"`
	Template Template `json:"template"`
	// Data are the values that the template names. Paragraphs that name a missing one are left out.
	Data map[string]string `json:"data,omitempty"`
}

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Access   *access.Service
	Settings *settings.Service
	Sealer   secrets.Sealer
	Sender   mail.Sender
	Now      func() time.Time
	Logger   *slog.Logger
}

// Service writes mails.
type Service struct {
	deps Deps

	mu    sync.Mutex
	stats Stats
}

// Stats are what this process sent since it started.
type Stats struct {
	Sent, Failed uint64
	// LastError is what the last attempt failed with, "" when it did not; LastAt is when that was.
	LastError string
	LastAt    time.Time
}

// New returns the service.
func New(d Deps) *Service { return &Service{deps: d} }

// Stats returns what this process sent.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Health says whether mails can be sent, and what became of the last one of this process.
func (s *Service) Health(ctx context.Context) (string, error) {
	configured, err := s.Configured(ctx)
	if err != nil || !configured {
		return "not configured", err
	}
	stats := s.Stats()
	switch {
	case stats.LastAt.IsZero():
		return "configured, none sent yet", nil
	case stats.LastError != "":
		return "", fault.New(fault.Unavailable, stats.LastError, "The last mail was not sent.")
	default:
		return "the last one was sent", nil
	}
}

// Configured tells whether mails can be sent: an SMTP server is set.
func (s *Service) Configured(ctx context.Context) (bool, error) {
	host, err := settings.Get(ctx, s.deps.Settings, settings.MailHost)
	return host != "", err
}

// Link returns the address of a page of this server ("/reset#code=…") from the configured public address and never from a request, whose Host header
// anybody chooses (S10). Conflict with CodeNoPublicURL when none is configured.
func (s *Service) Link(ctx context.Context, path string) (string, error) {
	base, err := settings.Get(ctx, s.deps.Settings, settings.PublicURL)
	if err != nil {
		return "", err
	}
	if base == "" {
		return "", fault.New(fault.Conflict, CodeNoPublicURL, "Links need the address under which people reach this server. Set server.publicURL.")
	}
	return strings.TrimRight(base, "/") + path, nil
}

// Send puts a message into the outbox and enqueues the job that sends it, both with the transaction. The stored message is sealed, as the link in it may
// let somebody in. Without an address, or without an SMTP server, nothing is sent and nothing is wrong.
func (s *Service) Send(ctx context.Context, tx store.Tx, m Message) error {
	host, err := settings.InTx(ctx, s.deps.Settings, tx, settings.MailHost)
	if err != nil || host == "" || m.To == "" {
		return err
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return err
	}
	waiting := store.Mail{ID: domain.NewID(), CreatedAt: domain.Stamp(s.deps.Now())}
	if waiting.Sealed, err = s.deps.Sealer.Seal(ctx, location(waiting.ID), plain); err != nil {
		return err
	}
	job, err := jobs.New(KindSend, waiting.ID.String(), sendPayload{waiting.ID})
	if err != nil {
		return err
	}
	if err := tx.Outbox.Add(ctx, waiting); err != nil {
		return err
	}
	return tx.Jobs.Enqueue(ctx, job)
}

// location binds a sealed message to its row (S20).
func location(id domain.ID) string { return "mail_outbox/" + id.String() + "/sealed" }

type sendPayload struct {
	MailID domain.ID `json:"mailId"`
}

// Definitions are the jobs of this area.
func (s *Service) Definitions() []jobs.Definition {
	return []jobs.Definition{{
		Kind: KindSend, MaxAttempts: 12, Timeout: time.Minute, Handler: s.send,
		Backoff: func(attempt int) time.Duration { return min(5*time.Second<<min(attempt-1, 12), time.Hour) },
	}}
}

// send sends one message and forgets it. A server that crashes in between sends it again with the same Message-ID: at least once. What the mail server
// refuses for good becomes a dead letter, which an administrator may try again within a week.
func (s *Service) send(ctx context.Context, run jobs.Run) error {
	var payload sendPayload
	if err := json.Unmarshal(run.Payload, &payload); err != nil {
		return jobs.Discard(err)
	}
	waiting, err := s.deps.Store.Read().Outbox.Get(ctx, payload.MailID)
	if fault.IsNotFound(err) {
		return nil // sent before
	}
	if err != nil {
		return err
	}
	plain, err := s.deps.Sealer.Open(ctx, location(waiting.ID), waiting.Sealed)
	if err != nil {
		return err
	}
	var m Message
	if err := json.Unmarshal(plain, &m); err != nil {
		return jobs.Discard(err)
	}
	err = s.deliver(ctx, waiting.ID, m)
	if code := fault.CodeOf(err); code == mail.CodeRefused || code == mail.CodeInvalid {
		return jobs.Discard(err)
	}
	if err != nil {
		return err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Outbox.Delete(ctx, waiting.ID) })
	if fault.IsNotFound(err) {
		return nil
	}
	return err
}

// deliver writes and sends a message now.
func (s *Service) deliver(ctx context.Context, id domain.ID, m Message) error {
	server, from, err := s.server(ctx)
	if err != nil {
		return err
	}
	name, err := settings.Get(ctx, s.deps.Settings, settings.ServerName)
	if err != nil {
		return err
	}
	language, err := s.language(ctx, m.Language)
	if err != nil {
		return err
	}
	written, err := write(m, name, language)
	if err != nil {
		return err
	}
	_, domainName, _ := strings.Cut(from.Address, "@")
	err = s.deps.Sender.Send(ctx, server, mail.Message{
		ID: id.String() + "@" + domainName, From: from, To: mail.Address{Name: m.ToName, Address: m.To},
		Subject: written.subject, HTML: written.html, Text: written.text,
		Headers: map[string]string{"Auto-Submitted": "auto-generated" /* RFC 3834: no out-of-office answers */, "Content-Language": language},
	})
	s.noted(err)
	return err
}

func (s *Service) noted(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.LastAt, s.stats.LastError = s.deps.Now(), ""
	if err != nil {
		s.stats.Failed++
		s.stats.LastError = fault.CodeOf(err)
		return
	}
	s.stats.Sent++
}

// language is the first of the wanted one and the server's that there are texts in.
func (s *Service) language(ctx context.Context, wanted string) (string, error) {
	tag, _, _ := strings.Cut(strings.ToLower(wanted), "-")
	if _, ok := catalogues[tag]; ok {
		return tag, nil
	}
	return settings.Get(ctx, s.deps.Settings, settings.Language)
}

// server reads where mails are handed in, and from whom they come.
func (s *Service) server(ctx context.Context) (server mail.Server, from mail.Address, err error) {
	var security, public string
	read := func(into *string, key settings.Key[string]) {
		if err == nil {
			*into, err = settings.Get(ctx, s.deps.Settings, key)
		}
	}
	read(&server.Host, settings.MailHost)
	read(&security, settings.MailSecurity)
	read(&server.Username, settings.MailUsername)
	read(&server.Password, settings.MailPassword)
	read(&from.Address, settings.MailFrom)
	read(&from.Name, settings.MailFromName)
	read(&public, settings.PublicURL)
	if from.Name == "" {
		read(&from.Name, settings.ServerName)
	}
	if err == nil {
		server.Port, err = settings.Get(ctx, s.deps.Settings, settings.MailPort)
	}
	if err != nil {
		return server, from, err
	}
	if server.Host == "" {
		return server, from, fault.New(fault.Conflict, CodeNotConfigured, "There is no mail server. Set mail.host.")
	}
	server.Security = mail.Security(security)
	if from.Address == "" {
		from.Address = "revenge@" + domainOf(public, server.Host)
	}
	return server, from, nil
}

// domainOf is the host of the public address, else the mail server's own name; an IP address is written as RFC 5321, section 4.1.3 has it.
func domainOf(public, host string) string {
	if u, err := url.Parse(public); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return strings.TrimSuffix(host, ".")
	case ip.Is4():
		return "[" + host + "]"
	default:
		return "[IPv6:" + host + "]"
	}
}

// Test sends a mail to the asking administrator now, and returns what the mail server said when it did not take it.
func (s *Service) Test(ctx context.Context, actor domain.Actor) (to string, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return "", err
	}
	if err := access.Interactive(actor); err != nil {
		return "", err
	}
	user, err := s.deps.Store.Read().Users.Get(ctx, actor.UserID)
	if err != nil {
		return "", err
	}
	if user.Email == "" {
		return "", fault.New(fault.Conflict, CodeNoAddress, "Your account has no mail address to send a test to. Add one first.")
	}
	preferences, err := s.deps.Store.Read().Users.Preferences(ctx, user.ID)
	if err != nil {
		return "", err
	}
	return user.Email, s.TestTo(ctx, actor, user.Email, preferences.Language)
}

// TestTo is Test to any address, for who sits at the host.
func (s *Service) TestTo(ctx context.Context, actor domain.Actor, to, language string) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return err
	}
	return s.deliver(ctx, domain.NewID(), Message{To: to, Language: language, Template: Test})
}

// CleanUp forgets messages that could not be sent for long.
func (s *Service) CleanUp(ctx context.Context) error {
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Outbox.DeleteBefore(ctx, s.deps.Now().Add(-keepUnsent))
		return err
	})
}
