// Package mail sends messages to people.
package mail

import "context"

// Fault codes of sending. Their messages tell what the server answered, for the administrator who set it up.
const (
	// CodeUnavailable is Unavailable: no connection, a time-out, or an answer that says "later" (4yz of RFC 5321). Trying again is right.
	CodeUnavailable = "mail.unavailable"
	// CodeRefused is Conflict: the server will not take this message (5yz). Trying again cannot help.
	CodeRefused = "mail.refused"
	// CodeCredentials is Conflict: the server refuses user name and password.
	CodeCredentials = "mail.credentials"
	// CodeInsecure is Conflict: the connection cannot be protected as it must be (no STARTTLS, a certificate that is not valid).
	CodeInsecure = "mail.insecure"
	// CodeInvalid is Invalid: an address or a header that cannot be written.
	CodeInvalid = "mail.invalid"
)

// Security is how a connection is protected.
type Security string

// The ways.
const (
	StartTLS Security = "starttls" // required: without it nothing is sent
	TLS      Security = "tls"      // from the first byte
	None     Security = "none"
)

// Server is where messages are handed in.
type Server struct {
	Host     string
	Port     int
	Security Security
	// Username is empty for servers that ask for none.
	Username, Password string
}

// Address is a person's, or the server's own.
type Address struct {
	Name    string // may be empty
	Address string // local@domain
}

// Message is one mail, as HTML and as plain text.
type Message struct {
	// ID is the Message-ID without its angle brackets, the same whenever the message is sent again.
	ID      string
	From    Address
	To      Address
	Subject string
	HTML    string
	Text    string
	// Headers are further ones, by name.
	Headers map[string]string
}

// Sender hands messages in. It keeps no connection, and is safe for concurrent use.
type Sender interface {
	// Send returns nil if and only if the server took the message. No field can add a header or a recipient: what holds a line break is encoded, or refused
	// with CodeInvalid. It ends soon after ctx does.
	Send(ctx context.Context, server Server, m Message) error
}
