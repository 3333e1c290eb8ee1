package httpd

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/health"
)

var zeroTime time.Time

// mountOperations serves the probes of SPEC 2, in Kubernetes' conventions.
func (s *Server) mountOperations() {
	s.handle(http.MethodGet, "/healthz", domain.PermissionPublic, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	s.handle(http.MethodGet, "/readyz", domain.PermissionPublic, func(w http.ResponseWriter, r *http.Request) {
		report := s.core.Health.Ready(r.Context())
		status := http.StatusOK
		if report.Status == health.Down {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, report)
	})
	s.handle(http.MethodGet, "/startupz", domain.PermissionPublic, func(w http.ResponseWriter, r *http.Request) {
		status, body := http.StatusOK, map[string]string{"status": "started"}
		if !s.core.Health.Started() {
			status, body = http.StatusServiceUnavailable, map[string]string{"status": "starting"}
		}
		writeJSON(w, status, body)
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
