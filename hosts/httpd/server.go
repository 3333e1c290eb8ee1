// Package httpd is the HTTP face of a Core: the API of SPEC 1, the web UI and the operator's endpoints. It is a library:
// New returns a handler that any program can mount or serve.
package httpd

import (
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/telemetry"
)

// Config is what a Server is made of.
type Config struct {
	Core   *core.Core
	Logger *slog.Logger
	// Web is the built web UI (index.html at its root); nil serves the API alone.
	Web fs.FS
	// Version is shown by GET /settings and in the OpenAPI document.
	Version string
	// TrustedProxies are networks whose X-Forwarded-For and -Proto are believed.
	TrustedProxies []netip.Prefix
	// Heartbeat is how often an idle event stream says that it lives and checks that its session still does; 0 is 15 s.
	Heartbeat time.Duration
	// Tracing makes a span of every request but probes; nil makes none.
	Tracing *telemetry.Tracing
	// Metrics are the process's own, where it shows more than requests; nil makes new ones.
	Metrics *telemetry.Metrics
}

// Server is the API with its router.
type Server struct {
	core      *core.Core
	logger    *slog.Logger
	router    chi.Router
	api       huma.API
	routes    map[string]domain.Permission
	inLibrary map[string]bool // routes that Route.InLibrary marks
	proxies   []netip.Prefix
	webui     *webui
	metrics   *telemetry.Metrics
	tracing   *telemetry.Tracing
	version   string
	heartbeat time.Duration
}

// New mounts every route. It fails when one of them is not guarded by a permission (S17).
func New(config Config) (*Server, error) {
	ui, err := newWebUI(config.Web)
	if err != nil {
		return nil, err
	}
	s := &Server{
		core: config.Core, logger: config.Logger, router: chi.NewRouter(), routes: map[string]domain.Permission{}, inLibrary: map[string]bool{},
		proxies: config.TrustedProxies, webui: ui, metrics: config.Metrics, tracing: config.Tracing, version: config.Version, heartbeat: config.Heartbeat,
	}
	if s.metrics == nil {
		s.metrics = telemetry.New(config.Core, nil)
	}
	if s.heartbeat == 0 {
		s.heartbeat = 15 * time.Second
	}
	addresses := middleware.ClientIPFromRemoteAddr
	if len(s.proxies) > 0 {
		prefixes := make([]string, len(s.proxies))
		for i, p := range s.proxies {
			prefixes[i] = p.String()
		}
		addresses = middleware.ClientIPFromXFF(prefixes...)
	}
	s.router.Use(middleware.GetHead, begun, addresses, s.observed, s.secured, middleware.Compress(4, "application/json", "application/problem+json", "image/svg+xml", "application/vnd.apple.mpegurl"), s.recovered, s.authenticate)
	s.router.NotFound(s.nothingHere)
	s.router.MethodNotAllowed(s.nothingHere)
	s.api = humachi.New(s.router, apiConfig(config.Version))
	s.mount()
	describeNulls(s.api.OpenAPI())
	if err := s.checkRoutes(); err != nil {
		return nil, err
	}
	return s, nil
}

// mount is the table of contents of the API: one file per area.
func (s *Server) mount() {
	s.mountOperations()
	s.mountDocs()
	s.mountSetup()
	s.mountAuth()
	s.mountOIDC()
	s.mountUsers()
	s.mountAvatars()
	s.mountAccounts()
	s.mountSettings()
	s.mountRoles()
	s.mountMFA()
	s.mountAPIKeys()
	s.mountActivity()
	s.mountLibraries()
	s.mountMovies()
	s.mountImages()
	s.mountPlayback()
	s.mountJobs()
	s.mountEvents()
	s.mountWebUI()
}

// nothingHere answers where no route is, with what other methods would find (RFC 9110, 15.5.6). GET of any address of the API ends here too,
// since the pages' route takes every GET that no other does.
func (s *Server) nothingHere(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		found := chi.NewRouteContext()
		if s.router.Match(found, method, r.URL.Path) && (found.RoutePattern() != webUIPattern || s.hasPage(r)) {
			allowed = append(allowed, method)
			if method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	if len(allowed) == 0 {
		s.writeProblem(w, r, routerProblem(r.Context(), http.StatusNotFound, "There is nothing at this address"))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	s.writeProblem(w, r, routerProblem(r.Context(), http.StatusMethodNotAllowed, r.Method+" is not possible here"))
}

// Handler returns the whole server.
func (s *Server) Handler() http.Handler { return s.router }

// Metrics returns the handler of the metrics listener: never on the public port (S28).
func (s *Server) Metrics() http.Handler { return s.metrics.Handler() }

// Operations returns the probes and the metrics alone, for a process that serves nothing else.
func (s *Server) Operations() http.Handler {
	mux := http.NewServeMux()
	for probe := range probes {
		mux.Handle("GET "+probe, s.router)
	}
	mux.Handle("GET /metrics", s.Metrics())
	return mux
}

// Limits sets the timeouts of S30 on an http.Server: slow headers are cut off, and slow bodies that no handler reads, whose end net/http waits for
// before it answers; who reads one sets a time of their own. Long answers are not: the time ends once a request has been read.
func Limits(server *http.Server) *http.Server {
	server.ReadHeaderTimeout = 5 * time.Second
	server.ReadTimeout = 5 * time.Second
	server.IdleTimeout = 2 * time.Minute
	server.MaxHeaderBytes = 32 << 10
	return server
}

func apiConfig(version string) huma.Config {
	config := huma.DefaultConfig("Revenge", version)
	config.Info.Description = "Movies of a household: libraries, films, watch state and playback. Times are RFC 3339 in UTC, durations seconds, sizes bytes."
	config.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	config.CreateHooks = nil
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.RejectUnknownQueryParameters = true
	config.Formats = map[string]huma.Format{"application/json": plainJSON, "json": plainJSON}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer":      {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token of POST /auth/login."},
		"cookie":      {Type: "apiKey", In: "cookie", Name: "__Host-revenge", Description: "The browser's session; its name is \"revenge\" on plain HTTP."},
		"apiKey":      {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "A key of POST /users/me/api-keys: some of its owner's permissions, for programs. In the query (apiKey=) only where the server's owner allows it."},
		"streamToken": {Type: "apiKey", In: "query", Name: "token", Description: "A play session's token, for players that can send neither header nor cookie."},
	}
	return config
}

// APIVersion is the version of the API, not of a build.
const APIVersion = "1.0.0"

// OpenAPI returns the document of the API without a running core: routes are declared, never called.
func OpenAPI(version string) ([]byte, error) {
	s, err := New(Config{Core: &core.Core{}, Logger: slog.New(slog.DiscardHandler), Version: version})
	if err != nil {
		return nil, err
	}
	data, err := s.document()
	if err != nil {
		return nil, fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	return data, nil
}
