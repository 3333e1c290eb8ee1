package httpd_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestForwardedHeadersAreBelievedFromConfiguredProxiesOnly(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	ulf := w.User(t)
	for name, c := range map[string]struct {
		proxies    []netip.Prefix
		ip, cookie string
	}{
		"nobody's":             {nil, "127.0.0.1", "revenge="},
		"another proxy's":      {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "127.0.0.1", "revenge="},
		"a configured proxy's": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, "203.0.113.9", "__Host-revenge="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.Serve(t, world.HTTPConfig(func(h *httpd.Config) { h.TrustedProxies = c.proxies }))
			body := map[string]any{"login": ulf.User.Username, "password": world.Password, "cookie": true}
			got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", body, "X-Forwarded-For", "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto", "https")
			in := world.Decode[struct{ Session domain.Session }](t, got, http.StatusOK)
			if c.ip != "" && in.Session.IP != c.ip {
				t.Errorf("the address is %q, not %q", in.Session.IP, c.ip)
			}
			if in.Session.IP == "198.51.100.1" || c.proxies == nil && strings.HasPrefix(in.Session.IP, "203") {
				t.Errorf("what anybody can write is believed: %q", in.Session.IP)
			}
			if cookie := got.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, c.cookie) {
				t.Errorf("the cookie is %s", cookie)
			}
		})
	}
}

// TestWhoComesByProxiesAloneHasAnAddressAllTheSame: a proxy that names only trusted ones, or no address, does not leave anybody without one.
func TestWhoComesByProxiesAloneHasAnAddressAllTheSame(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	ulf := w.User(t)
	s := w.Serve(t, world.HTTPConfig(func(h *httpd.Config) {
		h.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("172.30.85.0/24")}
	}))
	for _, forwarded := range []string{"172.30.85.1", "172.30.85.1, 127.0.0.1", "nonsense"} {
		got := s.Anonymous().Do(t, http.MethodPost, "/api/v1/auth/login", map[string]any{"login": ulf.User.Username, "password": world.Password}, "X-Forwarded-For", forwarded)
		if in := world.Decode[struct{ Session domain.Session }](t, got, http.StatusOK); in.Session.IP != "127.0.0.1" && in.Session.IP != "::1" {
			t.Errorf("by %q the address is %q", forwarded, in.Session.IP)
		}
	}
}
