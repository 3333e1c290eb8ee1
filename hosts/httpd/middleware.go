package httpd

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/revenge-media/revenge/core/domain"
)

// requestIDs gives every request an id of its own; a client's is never taken over, so that nobody writes into the log.
func requestIDs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := domain.NewID().String()
		w.Header().Set("X-Request-Id", id)
		r.Header.Set(middleware.RequestIDHeader, id)
		middleware.RequestID(next).ServeHTTP(w, r)
	})
}

// recovered turns a panic into a problem; the server goes on. An answer that has begun is broken off: half of one is never taken for a whole.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		w := middleware.NewWrapResponseWriter(plain, r.ProtoMajor)
		defer func() {
			thrown := recover()
			if thrown == nil {
				return
			}
			if thrown == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares so too
				panic(thrown)
			}
			s.logger.Error("a handler panicked", "panic", thrown, "stack", string(debug.Stack()), "requestId", requestID(r.Context()))
			if w.Status() != 0 {
				panic(http.ErrAbortHandler)
			}
			s.writeProblem(w, r, fmt.Errorf("panic: %v", thrown))
		}()
		next.ServeHTTP(w, r)
	})
}

// observed logs and measures every request by its route's pattern, never by its path, which may hold a token.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(wrapped, r)
		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "" {
			route = "none"
		}
		status := wrapped.Status()
		if status == 0 {
			status = http.StatusOK
		}
		s.metrics.observe(r.Method, route, status, time.Since(start))
		level := slog.LevelDebug
		if status >= http.StatusInternalServerError {
			level = slog.LevelWarn
		}
		s.logger.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status),
			slog.Int("bytes", wrapped.BytesWritten()), slog.Duration("duration", time.Since(start)), slog.String("ip", clientIP(r)), slog.String("requestId", requestID(r.Context())))
	})
}

// secured sets the headers of S28 on every answer, errors included.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Content-Security-Policy", s.webui.policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		if s.isSecure(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// fromTrustedProxy tells whether the peer is one of the configured proxies (S29).
func (s *Server) fromTrustedProxy(r *http.Request) bool {
	if len(s.proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range s.proxies {
		if p.Contains(peer.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
