// Package smtp hands mails to an SMTP server (RFC 5321, 6409): ports/mail by go-mail.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/mail"
)

// Timeout bounds the handing over of one message, and within it every answer of the server.
const Timeout = 30 * time.Second

// Config is how servers are reached.
type Config struct {
	// Roots are the authorities that servers' certificates come from; nil is the system's.
	Roots *x509.CertPool
	// Timeout is 0 for Timeout.
	Timeout time.Duration
}

// Sender implements mail.Sender.
type Sender struct{ config Config }

var _ mail.Sender = (*Sender)(nil)

// New returns a sender.
func New(c Config) *Sender {
	if c.Timeout <= 0 {
		c.Timeout = Timeout
	}
	return &Sender{c}
}

// Send implements mail.Sender.
func (s *Sender) Send(ctx context.Context, server mail.Server, m mail.Message) error {
	if err := checked(m); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	client, err := s.client(ctx, server, m.From.Address)
	if err != nil {
		return invalid(err)
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return translated(ctx, server, err)
	}
	defer func() { _ = client.CloseWithSMTPClient(connection) }() // the message was taken or not: what QUIT says changes nothing
	return translated(ctx, server, client.SendWithSMTPClient(connection, written(m)))
}

// mechanisms are how to sign in, best first (RFC 7677, 5802, 4616). The library shows a password in the clear to nobody but this computer.
var mechanisms = []gomail.SMTPAuthType{
	gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5,
}

func (s *Sender) client(ctx context.Context, server mail.Server, from string) (*gomail.Client, error) {
	security := &tls.Config{ServerName: server.Host, MinVersion: tls.VersionTLS12, RootCAs: s.config.Roots}
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		plain, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = plain.Close() }) // ctx ends with Send at the latest; the library knows deadlines, not cancellation
		if server.Security != mail.TLS {
			return plain, nil
		}
		protected := tls.Client(plain, security)
		return protected, protected.HandshakeContext(ctx)
	}
	policy := gomail.NoTLS
	if server.Security == mail.StartTLS {
		policy = gomail.TLSMandatory
	}
	_, helo, _ := strings.Cut(from, "@")
	options := []gomail.Option{
		gomail.WithPort(server.Port), gomail.WithTimeout(s.config.Timeout), gomail.WithTLSConfig(security), gomail.WithTLSPolicy(policy),
		gomail.WithDialContextFunc(dial), gomail.WithHELO(helo),
		gomail.WithoutNoop(), gomail.WithoutRset(), // one message each: what may fail after it was taken only makes it look lost
	}
	if server.Username != "" {
		options = append(options, gomail.WithOpportunisticSMTPAuth(mechanisms...), gomail.WithUsername(server.Username), gomail.WithPassword(server.Password))
	}
	return gomail.NewClient(server.Host, options...)
}

// checked refuses what could add a header or a recipient (CWE-93) before anything is written.
func checked(m mail.Message) error {
	lines := []string{m.ID, m.Subject, m.From.Name, m.From.Address, m.To.Name, m.To.Address}
	for name, value := range m.Headers {
		lines = append(lines, value)
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return invalid(errors.New("a header has no name that can be written"))
		}
	}
	for _, line := range lines {
		if strings.ContainsFunc(line, unicode.IsControl) {
			return invalid(errors.New("a header holds a line break or another control character"))
		}
	}
	if strings.ContainsAny(m.ID, "<> ") || !strings.Contains(m.ID, "@") {
		return invalid(errors.New("the message has no id that can be written"))
	}
	for _, address := range []string{m.From.Address, m.To.Address} {
		if parsed, err := netmail.ParseAddress(address); err != nil || parsed.Address != address || parsed.Name != "" {
			return invalid(errors.New("an address is none"))
		}
	}
	return nil
}

func written(m mail.Message) *gomail.Msg {
	w := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	w.FromMailAddress(&netmail.Address{Name: m.From.Name, Address: m.From.Address})
	w.ToMailAddress(&netmail.Address{Name: m.To.Name, Address: m.To.Address})
	w.Subject(m.Subject)
	w.SetDate()
	w.SetMessageIDWithValue(m.ID)
	for name, value := range m.Headers {
		w.SetGenHeader(gomail.Header(name), value)
	}
	w.SetBodyString(gomail.TypeTextPlain, m.Text)
	w.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return w
}

func invalid(cause error) error {
	return fault.Wrap(cause, fault.Invalid, mail.CodeInvalid, "The mail cannot be written: %s.", cause)
}

// translated says what a failure means. The server's own words are for the administrator who set it up.
func translated(ctx context.Context, server mail.Server, err error) error {
	if err == nil {
		return nil
	}
	said := said(err)
	var reply *textproto.Error
	var refused *gomail.SendError
	code := 0
	switch {
	case errors.As(err, &reply):
		code = reply.Code
	case errors.As(err, &refused):
		code = refused.ErrorCode()
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate), errors.As(err, &record), isSTARTTLS(err):
		return fault.Wrap(err, fault.Conflict, mail.CodeInsecure, "The connection to %s cannot be protected: %s", server.Host, said)
	case code == 530 || code == 534 || code == 535 || code == 538: // RFC 4954, section 6
		return fault.Wrap(err, fault.Conflict, mail.CodeCredentials, "%s refuses the user name or the password: %s", server.Host, said)
	case code >= 500 && code < 600:
		return fault.Wrap(err, fault.Conflict, mail.CodeRefused, "%s refuses the mail: %s", server.Host, said)
	case ctx.Err() != nil:
		return fault.Wrap(errors.Join(ctx.Err(), err), fault.Unavailable, mail.CodeUnavailable, "%s did not take the mail in time.", server.Host)
	default:
		return fault.Wrap(err, fault.Unavailable, mail.CodeUnavailable, "%s cannot take the mail now: %s", server.Host, said)
	}
}

// isSTARTTLS tells whether the server has no STARTTLS, for which the library has no error of its own.
func isSTARTTLS(err error) bool { return strings.Contains(err.Error(), "STARTTLS") }

// said is the innermost error's text on one line, bounded.
func said(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "?"))
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}
