package httpd

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
)

// base is where the API lives.
const base = "/api/v1"

// anonymous is the one list of routes that nobody must sign in for (S17). A public route that is not in it, or an entry
// without its route, does not start the server.
var anonymous = []string{
	"GET /healthz", "GET /readyz", "GET /startupz",
	"GET /api/openapi.json", "GET /api/openapi.yaml", "GET /api/docs", "GET /api/docs/*",
	"GET " + base + "/settings",
	"POST " + base + "/setup/check", "POST " + base + "/setup/claim",
	"GET " + base + "/auth/oidc/providers", "GET " + base + "/auth/oidc/{provider}/authorize", "GET " + base + "/auth/oidc/{provider}/callback",
	"POST " + base + "/auth/oidc/{provider}/backchannel-logout",
	"POST " + base + "/auth/login", "POST " + base + "/auth/mfa/verify", "POST " + base + "/auth/refresh",
	"POST " + base + "/auth/register", "POST " + base + "/auth/verify-email", "POST " + base + "/auth/resend-verification",
	"POST " + base + "/auth/forgot-password", "POST " + base + "/auth/reset-password",
	"POST " + base + "/mfa/webauthn/login/begin", "POST " + base + "/mfa/webauthn/login/finish",
	"GET /*", // the web UI: static files that hold no data
}

// Route declares one operation: what it is called, what it needs, what it may answer.
type Route struct {
	ID      string // camelCase operation id: the generated client's method name
	Method  string
	Path    string // below /api/v1
	Summary string
	// Description is what there is to say beyond Summary; "" mostly.
	Description string
	Tag         string
	Permission  domain.Permission
	// InLibrary lets in who has the permission for at least one library: the handler's use case says for which (domain.Permission.InLibrary).
	InLibrary bool
	// Enrolling lets in who must add a second factor first (access.AuthorizeEnrolling).
	Enrolling bool
	// Status is the answer of success; 0 is 200, or 204 without a body.
	Status int
	// Also are answers of success beside Status: 304, 206.
	Also []int
	// Media are the types of an answer that is no JSON.
	Media []string
	// Errors are statuses beyond those that every route of its permission and method can answer.
	Errors []int
	// MaxBody in bytes; 0 is 1 MiB.
	MaxBody int64
	// StreamToken lets a play session's token in the query stand for a credential (S19): media routes only.
	StreamToken bool
	// ForeignQuery says that others write the query: what this server does not know of it is left aside.
	ForeignQuery bool
}

const defaultMaxBody = 1 << 20

// register mounts an operation behind the guard of its permission. Handlers get the actor from actorOf(ctx).
func register[I, O any](s *Server, r Route, handler func(context.Context, *I) (*O, error)) {
	op := s.operation(r)
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			s.denied(ctx, r.Method+" "+base+r.Path, err)
			return nil, s.problemOf(ctx, err)
		}
		return out, nil
	})
}

// operation is the huma form of a route, entered into the table of guarded routes.
func (s *Server) operation(r Route) huma.Operation {
	s.declare(r.Method, base+r.Path, r.Permission)
	s.inLibrary[r.Method+" "+base+r.Path] = r.InLibrary
	maxBody := r.MaxBody
	if maxBody == 0 {
		maxBody = defaultMaxBody
	}
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: base + r.Path, Summary: r.Summary, Description: r.Description, Tags: []string{r.Tag},
		DefaultStatus: r.Status, SkipValidateParams: r.ForeignQuery, Errors: errorsOf(r, r.Permission != domain.PermissionPublic), Responses: answersOf(r), MaxBodyBytes: maxBody,
		Metadata:   map[string]any{"permission": r.Permission},
		Extensions: map[string]any{"x-permission": string(r.Permission)},
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			request, w := humachi.Unwrap(ctx)
			if err := s.admitted(w, request, r); err != nil {
				s.writeProblem(w, request, err)
				return
			}
			if err := s.authorize(ctx.Context(), r); err != nil {
				s.denied(ctx.Context(), r.Method+" "+base+r.Path, err)
				s.writeProblem(w, request, err)
				return
			}
			if err := plainText(request); err != nil {
				s.writeProblem(w, request, err)
				return
			}
			next(ctx)
		}},
	}
	if r.Permission != domain.PermissionPublic {
		op.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
		if r.Permission.Delegable() {
			op.Security = append(op.Security, map[string][]string{"apiKey": {}})
		}
		if r.StreamToken {
			op.Security = append(op.Security, map[string][]string{"streamToken": {}})
		}
	}
	return op
}

// handle mounts a plain handler behind the same guard.
func (s *Server) handle(method, pattern string, permission domain.Permission, h http.HandlerFunc) {
	s.declare(method, pattern, permission)
	s.router.Method(method, pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.authorize(r.Context(), Route{Permission: permission}); err != nil {
			s.denied(r.Context(), method+" "+pattern, err)
			s.writeProblem(w, r, err)
			return
		}
		h(w, r)
	}))
}

func (s *Server) declare(method, pattern string, permission domain.Permission) {
	s.routes[method+" "+pattern] = permission
}

// authorize is the guard of every route. A stream token's actor passes only where the route says so.
func (s *Server) authorize(ctx context.Context, r Route) error {
	c := credentialOf(ctx)
	if c.viaStreamToken && !r.StreamToken {
		return fault.New(fault.Unauthenticated, "auth.stream_token_only", "A stream token opens its film's media only. Sign in to use the API.")
	}
	if r.Permission == domain.PermissionPublic {
		return nil
	}
	if c.err != nil {
		return c.err
	}
	switch {
	case r.InLibrary:
		return s.core.Access.AuthorizeAnywhere(ctx, c.actor, r.Permission)
	case r.Enrolling:
		return s.core.Access.AuthorizeEnrolling(ctx, c.actor, r.Permission)
	default:
		return s.core.Access.Authorize(ctx, c.actor, r.Permission)
	}
}

// denied notes in the activity log that somebody was refused a route (S27): its pattern, never what was asked about.
func (s *Server) denied(ctx context.Context, route string, err error) {
	if actor := actorOf(ctx); !actor.Anonymous() && fault.KindOf(err) == fault.Forbidden {
		s.core.Activity.Denied(ctx, actor, route)
	}
}

// checkRoutes walks the router itself, so that a route mounted in any way is checked: what was not declared through the guard does not
// start the server, and the public ones are exactly those of the anonymous list (S17).
func (s *Server) checkRoutes() error {
	var wrong []string
	public := map[string]bool{}
	walk := func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		name := method + " " + pattern
		switch permission, declared := s.routes[name]; {
		case !declared || permission == "":
			wrong = append(wrong, name+" declares no permission")
		case permission == domain.PermissionPublic:
			public[name] = true
			if !slices.Contains(anonymous, name) {
				wrong = append(wrong, name+" is public but not in the list of anonymous routes")
			}
		}
		return nil
	}
	if err := chi.Walk(s.router, walk); err != nil {
		return err
	}
	for _, name := range anonymous {
		if !public[name] {
			wrong = append(wrong, name+" is in the list of anonymous routes but is not a public route")
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("the server does not start with unguarded routes:\n  %s", strings.Join(wrong, "\n  "))
	}
	return nil
}

// Routes lists every route with its permission, "METHOD pattern": what generated suites walk over.
func (s *Server) Routes() map[string]domain.Permission { return maps.Clone(s.routes) }
