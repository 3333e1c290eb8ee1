package egress

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestOnlyPublicAddressesAreReachedUnlessAnAdministratorChoseThem(t *testing.T) {
	t.Parallel()
	const no, inside, public = "never", "inside", "public"
	for address, reach := range map[string]string{
		"8.8.8.8": public, "93.184.215.14": public, "2606:4700::1111": public, "64:ff9b::808:808": public, "2002:808:808::1": public, "::ffff:8.8.8.8": public,
		"127.0.0.1": inside, "127.255.0.9": inside, "::1": inside, "::ffff:127.0.0.1": inside, "10.1.2.3": inside, "172.16.0.1": inside, "172.31.255.255": inside,
		"192.168.1.1": inside, "100.64.0.1": inside, "fc00::1": inside, "fd12:3456::1": inside, "192.0.2.1": inside, "198.18.0.1": inside, "2001:db8::1": inside,
		"64:ff9b::a00:1": inside, "2002:7f00:1::": inside, "64:ff9b:1::1": inside, "::7f00:1": inside, "2001::1": inside, "4000::1": inside,
		"169.254.169.254": no, "::ffff:169.254.169.254": no, "169.254.0.1": no, "fe80::1": no, "fe80::1%lo": no, "0.0.0.0": no, "0.1.2.3": no, "::": no,
		"224.0.0.1": no, "255.255.255.255": no, "ff02::1": no, "64:ff9b::a9fe:a9fe": no, "2002:a9fe:a9fe::": no, "fd00:ec2::254": no,
		"100.100.100.200": no, "168.63.129.16": no,
	} {
		a := netip.MustParseAddr(address)
		if got := allowed(a, false); got != (reach == public) {
			t.Errorf("%s is public: %v", address, got)
		}
		if got := allowed(a, true); got != (reach != no) {
			t.Errorf("%s may be chosen: %v", address, got)
		}
	}
}

// canary is a server on loopback that nobody may reach, and its hits.
func canary(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	hits := new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if handler != nil {
			handler(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s, hits
}

func chosen(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return HostPort(u)
}

func get(c *http.Client, address string) error {
	answer, err := c.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func TestTheInsideIsNotReachedByAnySpelling(t *testing.T) {
	t.Parallel()
	inner, hits := canary(t, nil)
	port := inner.Listener.Addr().(*net.TCPAddr).Port
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0.0.0.0", "[::]", "169.254.169.254"} {
		if err := get(New(Config{Timeout: 2 * time.Second}), "http://"+host+":"+itoa(port)+"/"); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	// What an administrator chose is that authority, not its neighbours on other ports.
	if err := get(New(Config{Inside: []string{"127.0.0.1:1"}}), inner.URL); !errors.Is(err, ErrAddress) {
		t.Errorf("another port of a chosen host: %v", err)
	}
	for _, metadata := range []string{"http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/"} {
		if err := get(New(Config{Inside: []string{chosen(t, metadata)}}), metadata); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", metadata, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d hits", hits.Load())
	}
	if err := get(New(Config{Inside: []string{chosen(t, inner.URL)}}), inner.URL); err != nil || hits.Load() != 1 {
		t.Errorf("what was chosen is not reached: %v", err)
	}
}

func itoa(n int) string {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(n)).String()[len("0.0.0.0:"):]
}

// names answers each question for an IPv4 address with the next of its answers, and every other with none (RFC 1035, 4.1).
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		asked, packet := 0, make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(packet)
			if err != nil {
				return
			}
			end := 12 + bytes.IndexByte(packet[12:n], 0) + 5 // the one question: name, type, class
			kind := binary.BigEndian.Uint16(packet[end-4:])
			reply := append([]byte(nil), packet[:end]...)
			copy(reply[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
			if kind == 1 {
				reply[7] = 1
				ip := netip.MustParseAddr(answers[min(asked, len(answers)-1)]).As4()
				asked++
				reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), ip[:]...)
			}
			_, _ = socket.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", socket.LocalAddr().String())
	}}
}

func TestANameThatChangesItsMindLeadsNowhere(t *testing.T) {
	t.Parallel()
	inner, hits := canary(t, nil)
	port := inner.Listener.Addr().(*net.TCPAddr).Port
	var outside atomic.Int32
	// The first answer is public: who checked that and resolved again to connect would reach the second.
	c := New(Config{resolver: names(t, "93.184.215.14", "127.0.0.1"), connecting: func(to netip.AddrPort) error {
		outside.Add(1)
		return errors.New("no connection outside in a test")
	}})
	for range 3 {
		if err := get(c, "http://rebinding.example.:"+itoa(port)+"/"); err == nil {
			t.Error("the name was reached")
		}
	}
	if hits.Load() != 0 || outside.Load() != 1 {
		t.Errorf("%d hits inside, %d connections outside", hits.Load(), outside.Load())
	}
}

func TestRedirectsAreFewAndNeverLeadInward(t *testing.T) {
	t.Parallel()
	inner, hits := canary(t, nil)
	for name, target := range map[string]string{"another port": inner.URL, "the metadata service": "http://169.254.169.254/", "a file": "file:///etc/passwd"} {
		outer, _ := canary(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		err := get(New(Config{Inside: []string{chosen(t, outer.URL)}}), outer.URL)
		if !errors.Is(err, ErrAddress) && !errors.Is(err, ErrRedirect) {
			t.Errorf("to %s: %v", name, err)
		}
	}
	round, rounds := canary(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
	if err := get(New(Config{Inside: []string{chosen(t, round.URL)}}), round.URL); !errors.Is(err, ErrRedirect) || rounds.Load() != MaxRedirects+1 {
		t.Errorf("%d requests, %v", rounds.Load(), err)
	}
	posted, posts := canary(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
	})
	if _, err := New(Config{Inside: []string{chosen(t, posted.URL)}}).Post(posted.URL, "text/plain", strings.NewReader("secret")); !errors.Is(err, ErrRedirect) || posts.Load() != 1 {
		t.Errorf("a body was sent %d times, %v", posts.Load(), err)
	}
	plain, plainHits := canary(t, nil)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	c := New(Config{Inside: []string{chosen(t, secure.URL), chosen(t, plain.URL)}})
	c.Transport.(limited).transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	if err := get(c, secure.URL); !errors.Is(err, ErrRedirect) || plainHits.Load() != 0 {
		t.Errorf("out of TLS: %v", err)
	}
	if hits.Load() != 0 {
		t.Errorf("%d hits", hits.Load())
	}
}

func TestAnswersAreBoundedInSizeAndTime(t *testing.T) {
	t.Parallel()
	large, _ := canary(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = packed.Write(make([]byte, 10_000))
		_ = packed.Close()
	})
	if err := get(New(Config{Inside: []string{chosen(t, large.URL)}, MaxBytes: 9_999}), large.URL); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a packed answer over the limit: %v", err)
	}
	if err := get(New(Config{Inside: []string{chosen(t, large.URL)}, MaxBytes: 10_000}), large.URL); err != nil {
		t.Errorf("an answer at the limit: %v", err)
	}
	slow, _ := canary(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	err := get(New(Config{Inside: []string{chosen(t, slow.URL)}, Timeout: 50 * time.Millisecond}), slow.URL)
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("an answer that does not come: %v", err)
	}
}

func TestNoProxyOfTheEnvironmentIsAsked(t *testing.T) {
	proxy, hits := canary(t, nil)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	c := New(Config{connecting: func(netip.AddrPort) error { return errors.New("no connection outside in a test") }})
	if err := get(c, "http://93.184.215.14/"); err == nil || hits.Load() != 0 {
		t.Errorf("%d hits, %v", hits.Load(), err)
	}
}
