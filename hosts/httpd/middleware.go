package httpd

import (
	"context"
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

// exchange is what the middleware knows of one request and its answer. The request's context holds it once, so that no layer copies the
// request to add to it.
type exchange struct {
	id         string
	credential credential
	// answer tells what was written so far.
	answer middleware.WrapResponseWriter
}

type contextKey int

const keyExchange contextKey = iota

// exchangeOf is nil outside of a request.
func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(keyExchange).(*exchange)
	return x
}

func requestID(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.id
	}
	return ""
}

// begun gives every request an id of its own; a client's is never taken over, so that nobody writes into the log.
func begun(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{id: domain.NewID().String(), answer: middleware.NewWrapResponseWriter(w, r.ProtoMajor)}
		x.credential.err = errNobody
		w.Header()["X-Request-Id"] = []string{x.id}
		next.ServeHTTP(x.answer, r.WithContext(context.WithValue(r.Context(), keyExchange, x)))
	})
}

// recovered turns a panic into a problem; the server goes on. An answer that has begun is broken off: half of one is never taken for a whole.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			thrown := recover()
			if thrown == nil {
				return
			}
			if thrown == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares so too
				panic(thrown)
			}
			s.logger.Error("a handler panicked", "panic", thrown, "stack", string(debug.Stack()), "requestId", requestID(r.Context()))
			if exchangeOf(r.Context()).answer.Status() != 0 {
				panic(http.ErrAbortHandler)
			}
			s.writeProblem(w, r, fmt.Errorf("panic: %v", thrown))
		}()
		next.ServeHTTP(w, r)
	})
}

// probes come every few seconds from every balancer and are not worth a trace.
var probes = map[string]bool{"/healthz": true, "/readyz": true, "/startupz": true}

func untraced(string, int, string) {}

// observed logs, traces and measures every request by its route's pattern, never by its path, which may hold a token.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		ended := untraced
		if s.tracing != nil && !probes[r.URL.Path] {
			r, ended = s.tracing.Request(r, s.fromTrustedProxy(r))
		}
		next.ServeHTTP(w, r)
		answer := exchangeOf(r.Context()).answer
		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "" {
			route = "none"
		}
		status := answer.Status()
		if status == 0 {
			status = http.StatusOK
		}
		took := time.Since(start)
		s.metrics.Request(r.Method, route, status, took)
		ended(route, status, requestID(r.Context()))
		level := slog.LevelDebug
		if status >= http.StatusInternalServerError {
			level = slog.LevelWarn
		}
		if !s.logger.Enabled(r.Context(), level) {
			return
		}
		s.logger.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("route", route), slog.Int("status", status),
			slog.Int("bytes", answer.BytesWritten()), slog.Duration("duration", took), slog.String("ip", clientIP(r)), slog.String("requestId", requestID(r.Context())))
	})
}

// secured sets the headers of S28 on every answer, errors included. All answers share the values.
func (s *Server) secured(next http.Handler) http.Handler {
	always := http.Header{
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"same-origin"},
		"Content-Security-Policy":      {s.webui.policy},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy":           {"camera=(), microphone=(), geolocation=(), interest-cohort=()"},
	}
	notStored, overTLS := []string{"no-store"}, []string{"max-age=31536000"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, values := range always {
			h[name] = values[:1:1] // which Add copies
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h["Cache-Control"] = notStored[:1:1]
		}
		if s.isSecure(r) {
			h["Strict-Transport-Security"] = overTLS[:1:1]
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
