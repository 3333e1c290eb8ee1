// Package smtptest is a mail server in the test's own process: it takes mails on loopback, keeps them as people would see them, and fails as told.
package smtptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/revenge-media/revenge/ports/mail"
)

// Mail is a message as it was taken, decoded.
type Mail struct {
	// From and To are the envelope's, without names.
	From    string         `json:"from"`
	To      []string       `json:"to"`
	Subject string         `json:"subject"`
	Header  netmail.Header `json:"header"`
	Text    string         `json:"text"`
	HTML    string         `json:"html"`
	// Links are the addresses in Text, in order.
	Links      []string  `json:"links"`
	ReceivedAt time.Time `json:"receivedAt"`
	// Username is who the client signed in as.
	Username string `json:"username,omitempty"`
	// Protected tells whether the connection was.
	Protected bool `json:"protected"`
	// Raw is the message as it came over the wire.
	Raw string `json:"-"`
}

// Fault is what a message meets in place of being taken.
type Fault string

// The faults.
const (
	Later  Fault = "later"  // 451, try again
	Never  Fault = "never"  // 550, refused for good
	Hang   Fault = "hang"   // no answer until the server closes
	Drop   Fault = "drop"   // the connection ends in the middle of the message
	Taken  Fault = "taken"  // none: it is taken
	HangUp Fault = "hangUp" // the message is taken, but the connection ends before QUIT
)

// Config is how a server protects itself. The zero value takes plain connections of anybody.
type Config struct {
	// Security is what the server offers; mail.StartTLS does not insist on it.
	Security mail.Security
	// Username and Password must be shown when they are set.
	Username, Password string
	// Address to listen on; "" is a free port of 127.0.0.1.
	Address string
}

// Server takes mails until it is closed.
type Server struct {
	config   Config
	listener net.Listener
	server   *smtp.Server
	roots    *x509.CertPool
	closed   chan struct{}

	mu     sync.Mutex
	mails  []Mail
	faults []Fault
	asked  int
}

// Start starts a server that ends with the test.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Listen starts a server. Close it.
func Listen(c Config) (*Server, error) {
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	s := &Server{config: c, closed: make(chan struct{})}
	s.server = smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: conn}, nil }))
	s.server.Domain, s.server.AllowInsecureAuth, s.server.EnableSMTPUTF8 = "localhost", true, true
	s.server.ReadTimeout, s.server.WriteTimeout, s.server.MaxMessageBytes = time.Minute, time.Minute, 10<<20
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	var err error
	if s.listener, err = net.Listen("tcp", c.Address); err != nil {
		return nil, err
	}
	if c.Security == mail.TLS || c.Security == mail.StartTLS {
		certificate, roots, err := certified()
		if err != nil {
			return nil, errors.Join(err, s.listener.Close())
		}
		s.roots = roots
		s.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		if c.Security == mail.TLS {
			s.listener = tls.NewListener(s.listener, s.server.TLSConfig)
		}
	}
	go func() { _ = s.server.Serve(s.listener) }()
	return s, nil
}

// Close ends the server and every connection.
func (s *Server) Close() error {
	close(s.closed)
	_ = s.listener.Close() // which the server does not know of before its first moment
	return s.server.Close()
}

// Server is where to hand in mails.
func (s *Server) Server() mail.Server {
	security := s.config.Security
	if security == "" {
		security = mail.None
	}
	return mail.Server{Host: "127.0.0.1", Port: s.Port(), Security: security, Username: s.config.Username, Password: s.config.Password}
}

// Port is where the server listens.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Roots is the authority of the server's certificate, which is for 127.0.0.1 and localhost; nil without one.
func (s *Server) Roots() *x509.CertPool { return s.roots }

// Meet makes the next messages meet these faults in turn; later ones are taken.
func (s *Server) Meet(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Mails returns what was taken, oldest first.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Attempts counts messages that were begun, taken or not.
func (s *Server) Attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Clear forgets what was taken.
func (s *Server) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = nil
}

// To waits for the first mail to an address and returns it; after a minute the test fails.
func (s *Server) To(t testing.TB, address string) Mail {
	t.Helper()
	return s.Wait(t, "a mail to "+address, func(m Mail) bool { return slices.Contains(m.To, address) })
}

// Wait waits for the first mail of this sort and returns it; after a minute the test fails.
func (s *Server) Wait(t testing.TB, what string, wanted func(Mail) bool) Mail {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		mails := s.Mails()
		if i := slices.IndexFunc(mails, wanted); i >= 0 {
			return mails[i]
		}
	}
	t.Fatalf("waited a minute in vain for %s; %d other mails came", what, len(s.Mails()))
	return Mail{}
}

func (s *Server) next() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if len(s.faults) == 0 {
		return Taken
	}
	fault := s.faults[0]
	s.faults = s.faults[1:]
	return fault
}

// session is one connection.
type session struct {
	server *Server
	conn   *smtp.Conn
	user   string
	from   string
	to     []string
	hangUp bool
}

var _ smtp.AuthSession = (*session)(nil)

func (s *session) AuthMechanisms() []string {
	if s.server.config.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.config.Username || password != s.server.config.Password {
			return smtp.ErrAuthFailed
		}
		s.user = username
		return nil
	}), nil
}

func (s *session) Logout() error { return nil }

// Reset comes after the answer to a message.
func (s *session) Reset() {
	s.from, s.to = "", nil
	if s.hangUp {
		_ = s.conn.Conn().Close()
	}
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.config.Username != "" && s.user == "" {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	switch fault := s.server.next(); fault {
	case Later:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Come back later"}
	case Never:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "Nobody of this name lives here"}
	case Hang:
		<-s.server.closed
		return smtp.ErrServerClosed
	case Drop:
		return s.conn.Conn().Close()
	case HangUp:
		s.hangUp = true
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "The message cannot be read: " + err.Error()}
	}
	_, protected := s.conn.TLSConnectionState()
	m.From, m.To, m.Username, m.Protected, m.ReceivedAt = s.from, slices.Clone(s.to), s.user, protected, time.Now()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, m)
	return nil
}

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// parse reads a message with a plain and an HTML part.
func parse(raw []byte) (Mail, error) {
	read, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{Raw: string(raw), Header: read.Header}
	words := mime.WordDecoder{}
	if m.Subject, err = words.DecodeHeader(read.Header.Get("Subject")); err != nil {
		return Mail{}, err
	}
	if err := m.part(read.Header.Get("Content-Type"), read.Header.Get("Content-Transfer-Encoding"), read.Body); err != nil {
		return Mail{}, err
	}
	m.Links = link.FindAllString(m.Text, -1)
	return m, nil
}

func (m *Mail) part(contentType, encoding string, body io.Reader) error {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	if strings.HasPrefix(kind, "multipart/") {
		for parts := multipart.NewReader(body, parameters["boundary"]); ; {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err == nil {
				err = m.part(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part)
			}
			if err != nil {
				return err
			}
		}
	}
	data, err := io.ReadAll(body)
	switch kind {
	case "text/plain":
		m.Text = strings.ReplaceAll(string(data), "\r\n", "\n")
	case "text/html":
		m.HTML = string(data)
	}
	return err
}

// certified makes a certificate for this computer, and the pool that trusts it.
func certified() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}
