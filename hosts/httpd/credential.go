package httpd

import (
	"context"
	"mime"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
)

// credential is who a request comes from, and how they showed it.
type credential struct {
	actor          domain.Actor
	session        domain.Session
	viaCookie      bool
	viaStreamToken bool
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

// setCookie hands the browser its session: out of reach of scripts, sent with same-site requests only, gone with the session (S8).
func (s *Server) sessionCookie(r *http.Request, value string, session domain.Session) *http.Cookie {
	secure := s.isSecure(r)
	return &http.Cookie{
		Name: cookieName(secure), Value: value, Path: "/", HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteLaxMode, Expires: session.ExpiresAt,
	}
}

func (s *Server) clearedCookie(r *http.Request) *http.Cookie {
	c := s.sessionCookie(r, "", domain.Session{})
	c.MaxAge = -1
	return c
}

// authenticate finds the credential. A Bearer token wins over the cookie; a stream token counts only where nothing else is shown.
func (s *Server) authenticate(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		var c credential
		cookie, cookieErr := r.Cookie(cookieName(s.isSecure(r)))
		switch header := r.Header.Get("Authorization"); {
		case header != "":
			scheme, token, ok := strings.Cut(header, " ")
			if !ok || !strings.EqualFold(scheme, "Bearer") {
				c.err = fault.New(fault.Unauthenticated, "auth.unknown_scheme", "The Authorization header must be \"Bearer\" and an access token.")
				break
			}
			c.actor, c.session, c.err = s.core.Auth.AuthenticateBearer(ctx, strings.TrimSpace(token))
		case cookieErr == nil && cookie.Value != "":
			c.viaCookie = true
			if err := sameOrigin(crossOrigin, r); err != nil {
				s.writeProblem(w, r, err)
				return
			}
			c.actor, c.session, c.err = s.core.Auth.AuthenticateCookie(ctx, cookie.Value)
		case r.URL.Query().Get("token") != "":
			c.viaStreamToken = true
			c.actor, c.session, c.err = s.core.Playback.AuthenticateToken(ctx, r.URL.Query().Get("token"), r.URL.Path)
		default:
			if err := crossOrigin.Check(r); err != nil && !isSafe(r.Method) {
				// Nobody to be forged, but a login from another site would sign the browser in as somebody else.
				s.writeProblem(w, r, fault.Wrap(err, fault.Forbidden, "csrf.cross_origin", "This request came from another site and was refused."))
				return
			}
			c.err = errNobody
		}
		if c.err == nil {
			s.core.Auth.Seen(ctx, c.session, clientIP(r), r.UserAgent())
		}
		exchangeOf(ctx).credential = c
		next.ServeHTTP(w, r)
	})
}

func isSafe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// sameOrigin refuses unsafe requests by cookie that another site could have caused: by their origin, and by a body that a plain form can send (S8).
func sameOrigin(protection *http.CrossOriginProtection, r *http.Request) error {
	if isSafe(r.Method) {
		return nil
	}
	if err := protection.Check(r); err != nil {
		return fault.Wrap(err, fault.Forbidden, "csrf.cross_origin", "This request came from another site and was refused.")
	}
	if r.ContentLength == 0 && r.Header.Get("Content-Type") == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return fault.New(fault.Forbidden, "csrf.content_type", "Requests with the browser's session must be JSON.")
	}
	return nil
}

// clientIP is the address that is logged and shown in the list of sessions; it never grants access (S29).
func clientIP(r *http.Request) string { return middleware.GetClientIP(r.Context()) }
