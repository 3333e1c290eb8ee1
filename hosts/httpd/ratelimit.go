package httpd

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/ratelimit"
)

// perAddress bounds what nobody in particular may ask one address's worth of: work with passwords and keys, mails, others' servers. It is far above
// what a household behind one address does, and stands before what counts failures of an account (S4).
var perAddress = ratelimit.Rate{Requests: 60, Per: time.Minute}

// expensive tells whether perAddress is for a route, each by itself: the anonymous ones that do something, but the exchange of refresh tokens, of which
// every client behind an address needs its own, and the sign-in by password, whose failures core/attempts counts by address.
func expensive(method, path string, permission domain.Permission) bool {
	return permission == domain.PermissionPublic && path != "/auth/refresh" && path != "/auth/login" && (method == http.MethodPost || strings.HasPrefix(path, "/auth/oidc/{provider}/"))
}

// admitted refuses a request to an expensive route when its address sent too many. Forwarded addresses count only from trusted proxies (S29). A
// limiter that is out of reach stops nobody: accounts have their own guard.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, route Route) error {
	if !expensive(route.Method, route.Path, route.Permission) {
		return nil
	}
	decision, err := s.core.Limiter.Allow(r.Context(), "address:"+route.ID+":"+network(clientIP(r)), perAddress)
	if err != nil {
		s.logger.WarnContext(r.Context(), "the requests of an address cannot be counted", "requestId", requestID(r.Context()), "error", err)
		return nil
	}
	if !decision.Allowed {
		showLimit(w.Header(), perAddress, decision)
		return fault.New(fault.RateLimited, "request.rate_limited", "Too many of these requests came from your address. Wait a moment.").WithRetryAfter(decision.RetryAfter)
	}
	return nil
}

// network is what one household has of addresses: an IPv4 address, or 64 bits of an IPv6 one.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // never fails for IPv6
	return prefix.String()
}

// showLimit says where a client stands (draft-ietf-httpapi-ratelimit-headers-07). Seconds are rounded up.
func showLimit(h http.Header, rate ratelimit.Rate, d ratelimit.Decision) {
	size := strconv.Itoa(rate.Size())
	h["Ratelimit-Limit"] = []string{size}
	h["Ratelimit-Remaining"] = []string{strconv.Itoa(d.Remaining)}
	h["Ratelimit-Reset"] = []string{strconv.Itoa(int(math.Ceil(d.ResetAfter.Seconds())))}
	h["Ratelimit-Policy"] = []string{strconv.Itoa(rate.Requests) + ";w=" + strconv.Itoa(int(rate.Per.Seconds()))}
}

// counted counts a request by an API key against the key's limit.
func (s *Server) counted(ctx context.Context, w http.ResponseWriter, c *credential) error {
	rate, decision, err := s.core.APIKeys.Allow(ctx, c.actor)
	if rate.Requests > 0 && (decision != ratelimit.Decision{Allowed: true}) {
		showLimit(w.Header(), rate, decision)
	}
	return err
}
