package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/domain"
)

func newServer(t *testing.T) *Server {
	t.Helper()
	s, err := New(Config{Core: &core.Core{}, Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnUnguardedRouteDoesNotStartTheServer(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *struct{}) (*struct{}, error) { return nil, nil }
	for name, c := range map[string]struct {
		mount func(*Server)
		says  string
	}{
		"mounted on the router":     {func(s *Server) { s.router.Get("/leak", func(http.ResponseWriter, *http.Request) {}) }, "GET /leak declares no permission"},
		"mounted below a subrouter": {func(s *Server) { s.router.Mount("/debug", http.NotFoundHandler()) }, "/debug/* declares no permission"},
		"registered beside the guard": {func(s *Server) {
			huma.Register(s.api, huma.Operation{OperationID: "leak", Method: http.MethodGet, Path: base + "/leak"}, nothing)
		}, "GET /api/v1/leak declares no permission"},
		"public and on no list": {func(s *Server) {
			register(s, Route{ID: "leak", Method: http.MethodGet, Path: "/leak", Permission: domain.PermissionPublic}, nothing)
		}, "GET /api/v1/leak is public but not in the list"},
		"without a permission":      {func(s *Server) { register(s, Route{ID: "leak", Method: http.MethodGet, Path: "/leak"}, nothing) }, "GET /api/v1/leak declares no permission"},
		"on the list and not there": {func(s *Server) { delete(s.routes, "GET /healthz") }, "GET /healthz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c.mount(s)
			if err := s.checkRoutes(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it starts: %v", err)
			}
		})
	}
}

func TestEveryFaultHasItsStatus(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for kind, status := range statusOf {
		if http.StatusText(status) == "" || seen[status] {
			t.Errorf("%s is answered with %d", kind, status)
		}
		seen[status] = true
	}
	if len(statusOf) != 10 {
		t.Errorf("%d kinds have a status", len(statusOf))
	}
}
