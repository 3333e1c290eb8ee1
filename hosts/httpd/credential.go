package httpd

import (
	"context"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
)

// credential is who a request comes from, and how they showed it.
type credential struct {
	actor          domain.Actor
	session        domain.Session
	viaCookie      bool
	viaStreamToken bool
	viaKey         bool
	// err says why there is no actor: told by routes that need one, ignored by public ones.
	err error
}

// credentialOf returns what the request showed, or why it shows nothing.
func credentialOf(ctx context.Context) credential {
	if x := exchangeOf(ctx); x != nil {
		return x.credential
	}
	return credential{err: errNobody}
}

var errNobody = fault.New(fault.Unauthenticated, "auth.required", "Sign in to use this.")

// actorOf returns who acts; routes behind a permission always have one.
func actorOf(ctx context.Context) domain.Actor { return credentialOf(ctx).actor }

// cookieName is the session cookie's. The __Host- prefix (RFC 6265bis) needs Secure, so plain-HTTP set-ups on localhost or a
// home network get a name without it.
func cookieName(secure bool) string {
	if secure {
		return "__Host-revenge"
	}
	return "revenge"
}

// isSecure tells whether the browser reached this server by TLS, directly or through a trusted proxy that says so (S29).
func (s *Server) isSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return s.fromTrustedProxy(r) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// setCookie hands the browser its session: out of reach of scripts, sent with same-site requests only, and gone when that must have ended (S8).
func (s *Server) sessionCookie(r *http.Request, value string, of domain.Session) *http.Cookie {
	secure := s.isSecure(r)
	return &http.Cookie{
		Name: cookieName(secure), Value: value, Path: "/", HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteLaxMode, Expires: of.CreatedAt.Add(session.Lifetime),
	}
}

func (s *Server) clearedCookie(r *http.Request) *http.Cookie {
	c := s.sessionCookie(r, "", domain.Session{})
	c.MaxAge = -1
	return c
}

// keyHeader is where an API key stands, keyQuery where it may stand if the owner of the server lets it.
const (
	keyHeader = "X-Api-Key"
	keyQuery  = "apiKey"
)

// Faults of credentials.
var (
	errAmbiguous  = fault.New(fault.Unauthenticated, "auth.ambiguous_credentials", "Show one credential only: the Authorization header, X-API-Key or apiKey.")
	errScheme     = fault.New(fault.Unauthenticated, "auth.unknown_scheme", "The Authorization header must be \"Bearer\" and an access token.")
	errKeyInQuery = fault.New(fault.Unauthenticated, "auth.key_in_query", "This server takes API keys in the X-API-Key header only.")
)

// authenticate finds the credential. What a client adds by itself (an Authorization header, an API key) wins over the cookie, which browsers add
// unasked; two of that sort are refused, as it would be unclear who asks; a stream token counts only where nothing else is shown.
func (s *Server) authenticate(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.shown(r, crossOrigin)
		if err == nil && c.err == nil {
			c.actor.Client = clientOf(r)
			if c.viaKey {
				err = s.counted(r.Context(), w, &c)
			}
		}
		if err != nil {
			s.writeProblem(w, r, err)
			return
		}
		switch {
		case c.err != nil:
			c.actor = domain.Actor{Client: clientOf(r)}
		case c.actor.KeyID != nil:
			s.core.APIKeys.Seen(r.Context(), c.actor)
		default:
			s.core.Auth.Seen(r.Context(), c.session, c.actor.Client.IP, c.actor.Client.UserAgent)
		}
		exchangeOf(r.Context()).credential = c
		next.ServeHTTP(w, r)
	})
}

// clientOf is where a request comes from.
func clientOf(r *http.Request) domain.Client {
	return domain.Client{IP: clientIP(r), UserAgent: r.UserAgent()}
}

// shown checks the credential of a request. An error refuses the request whatever it asks for: it could come from another site.
func (s *Server) shown(r *http.Request, crossOrigin *http.CrossOriginProtection) (c credential, err error) {
	ctx := r.Context()
	keys, inQuery := r.Header[keyHeader], takeKeys(r)
	authorization := r.Header["Authorization"]
	switch explicit := len(authorization) + len(keys) + len(inQuery); {
	case explicit > 1:
		c.err = errAmbiguous
		return c, nil
	case len(keys) == 1:
		c.viaKey = true
		c.actor, c.err = s.core.APIKeys.Authenticate(ctx, keys[0], clientOf(r))
		return c, nil
	case len(inQuery) == 1:
		if err := notForged(crossOrigin, r); err != nil { // a form of another site can send it
			return c, err
		}
		c.viaKey = true
		if allowed, err := s.core.APIKeys.AllowedInQuery(ctx); err != nil || !allowed {
			c.err = err
			if err == nil {
				c.err = errKeyInQuery
			}
			return c, nil
		}
		c.actor, c.err = s.core.APIKeys.Authenticate(ctx, inQuery[0], clientOf(r))
		return c, nil
	case explicit == 1:
		scheme, token, ok := strings.Cut(authorization[0], " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			c.err = errScheme
			return c, nil
		}
		c.actor, c.session, c.err = s.core.Auth.AuthenticateBearer(ctx, strings.TrimSpace(token))
		return c, nil
	}
	if cookie, err := r.Cookie(cookieName(s.isSecure(r))); err == nil && cookie.Value != "" {
		c.viaCookie = true
		if err := sameOrigin(crossOrigin, r); err != nil {
			return c, err
		}
		c.actor, c.session, c.err = s.core.Auth.AuthenticateCookie(ctx, cookie.Value)
		return c, nil
	}
	if token := r.URL.Query().Get("token"); token != "" {
		c.viaStreamToken = true
		c.actor, c.session, c.err = s.core.Playback.AuthenticateToken(ctx, token, r.URL.Path)
		return c, nil
	}
	c.err = errNobody
	return c, notForged(crossOrigin, r) // nobody to be forged, but a login from another site would sign the browser in as somebody else
}

// takeKeys takes API keys out of a request's address before anything logs it or reads it, and returns them.
func takeKeys(r *http.Request) (keys []string) {
	if !strings.Contains(r.URL.RawQuery, keyQuery) && !strings.Contains(r.URL.RawQuery, "%") {
		return nil
	}
	var rest []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err != nil || plain != keyQuery {
			rest = append(rest, pair)
			continue
		}
		key, err := url.QueryUnescape(value)
		if err != nil {
			key = "" // which is none
		}
		keys = append(keys, key)
	}
	if keys == nil {
		return nil
	}
	r.URL.RawQuery = strings.Join(rest, "&")
	r.RequestURI = r.URL.RequestURI()
	r.Header.Del("Referer") // which may repeat it
	return keys
}

// notForged refuses what another site could have made a browser send.
func notForged(protection *http.CrossOriginProtection, r *http.Request) error {
	if err := protection.Check(r); err != nil && !isSafe(r.Method) {
		return fault.Wrap(err, fault.Forbidden, "csrf.cross_origin", "This request came from another site and was refused.")
	}
	return nil
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// sameOrigin refuses unsafe requests by cookie that another site could have caused: by their origin, and by a body that a plain form can send (S8).
func sameOrigin(protection *http.CrossOriginProtection, r *http.Request) error {
	if isSafe(r.Method) {
		return nil
	}
	if err := notForged(protection, r); err != nil {
		return err
	}
	if r.ContentLength == 0 && r.Header.Get("Content-Type") == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json") && !strings.HasPrefix(media, "image/")) {
		return fault.New(fault.Forbidden, "csrf.content_type", "Requests with the browser's session must be JSON, or a picture.")
	}
	return nil
}

// clientIP is the address that is logged, shown in the list of sessions and counted by limits; it never grants access (S29). Where proxies name none but one another, or
// nothing that is an address, it is that of the peer: nobody is without one, for whom nothing would be counted.
func clientIP(r *http.Request) string {
	if ip := middleware.GetClientIP(r.Context()); ip != "" {
		return ip
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return peer.Addr().Unmap().String()
}
