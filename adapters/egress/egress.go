// Package egress makes the HTTP clients for whatever lies outside of this machine (S21). They look at the address that a connection really goes to,
// after names were resolved and at every redirect, so that no name, however its answers change, leads to the inside.
package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Errors of refused requests; they are in the chain of what the client returns.
var (
	ErrAddress  = errors.New("this address is not reachable from here on purpose")
	ErrRedirect = errors.New("this redirect is not followed")
	ErrTooLarge = errors.New("the answer is too large")
)

// MaxRedirects is how many redirects are followed.
const MaxRedirects = 3

// Config bounds what a client may reach. The zero Config is for public addresses only, with the default limits.
type Config struct {
	// Inside are authorities ("host:port", as HostPort writes them) that an administrator chose, which may be private addresses or this machine:
	// only they, and never link-local addresses or a cloud's metadata services.
	Inside []string
	// Timeout is for one request with its redirects and its body; 0 is 10 s.
	Timeout time.Duration
	// MaxBytes is how much of a body is read, after decompression; 0 is 1 MiB.
	MaxBytes int64

	resolver *net.Resolver
	// connecting is told of each address that passed, before the connection; an error prevents it.
	connecting func(netip.AddrPort) error
}

// New returns a client. It knows no proxy, whatever the environment says, keeps no cookies, and closes with its idle connections.
func New(c Config) *http.Client {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 20
	}
	transport := &http.Transport{
		DialContext: c.dial, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: c.Timeout, MaxResponseHeaderBytes: 64 << 10,
	}
	return &http.Client{Transport: limited{transport, c.MaxBytes}, CheckRedirect: followable, Timeout: c.Timeout}
}

// HostPort returns the authority of a URL as Config.Inside takes it, with the scheme's port where none is given.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// dial connects to an authority. Control runs with each resolved address, right before the connection.
func (c Config) dial(ctx context.Context, network, authority string) (net.Conn, error) {
	inside := slices.Contains(c.Inside, strings.ToLower(authority))
	dialer := net.Dialer{
		Timeout: 5 * time.Second, Resolver: c.resolver,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %s", ErrAddress, address)
			}
			if !allowed(to.Addr(), inside) {
				return fmt.Errorf("%w: %s", ErrAddress, to.Addr())
			}
			if c.connecting != nil {
				return c.connecting(to)
			}
			return nil
		},
	}
	return dialer.DialContext(ctx, network, authority)
}

// followable refuses redirects that are too many, that leave TLS, and those that would send a request's body to somebody else.
func followable(r *http.Request, via []*http.Request) error {
	before := via[len(via)-1]
	switch {
	case len(via) > MaxRedirects:
		return fmt.Errorf("%w: there were %d already", ErrRedirect, MaxRedirects)
	case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || before.URL.Scheme == "https"):
		return fmt.Errorf("%w: from %s to %s", ErrRedirect, before.URL.Scheme, r.URL.Scheme)
	case via[0].Method != http.MethodGet && via[0].Method != http.MethodHead:
		return fmt.Errorf("%w: of a %s", ErrRedirect, via[0].Method)
	case HostPort(r.URL) != HostPort(before.URL):
		r.Header.Del("Authorization") // net/http keeps it for subdomains and other ports of a host
	}
	return nil
}

// limited reads no more of a body than a limit.
type limited struct {
	transport *http.Transport
	max       int64
}

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%w: %s is no scheme of the web", ErrAddress, r.URL.Scheme)
	}
	answer, err := l.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &body{ReadCloser: answer.Body, left: l.max}
	return answer, nil
}

// CloseIdleConnections is what http.Client looks for.
func (l limited) CloseIdleConnections() { l.transport.CloseIdleConnections() }

type body struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

var (
	// never are link-local and unspecified addresses, groups, and where clouds tell machines their secrets: 169.254.169.254 and its likes.
	never = prefixes("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
		"::/128", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128")
	// special are the rest of what is not globally reachable (IANA special-purpose address registries of IPv4 and IPv6).
	special = prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
	global = netip.MustParsePrefix("2000::/3")
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// allowed tells whether an address may be connected to.
func allowed(a netip.Addr, inside bool) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	if a.Is6() { // an address of IPv4 in one of IPv6 leads where that leads
		b := a.As16()
		switch {
		case nat64.Contains(a):
			return allowed(netip.AddrFrom4([4]byte(b[12:16])), inside)
		case sixTo4.Contains(a):
			return allowed(netip.AddrFrom4([4]byte(b[2:6])), inside)
		}
	}
	in := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	switch {
	case in(never):
		return false
	case inside:
		return true
	default:
		return !in(special) && (a.Is4() || global.Contains(a))
	}
}
