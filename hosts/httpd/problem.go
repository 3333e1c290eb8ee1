package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/revenge-media/revenge/core/fault"
)

// Problem is the body of every error (RFC 9457, application/problem+json).
type Problem struct {
	Type      string         `json:"type" doc:"A URI reference that names the sort of problem: /problems/ and the code"`
	Title     string         `json:"title" doc:"The status in words"`
	Status    int            `json:"status" minimum:"400" maximum:"599"`
	Detail    string         `json:"detail" doc:"What happened and what to do, for a person"`
	Code      string         `json:"code" doc:"Stable and machine-readable, e.g. auth.invalid_credentials"`
	Errors    []ProblemField `json:"errors,omitempty"`
	RequestID string         `json:"requestId" doc:"To be quoted to the operator, whose log carries it too"`

	retryAfter string
	challenge  bool
}

// ProblemField is one violated rule.
type ProblemField struct {
	Path    string `json:"path" doc:"Where: body.name, query.limit, path.id"`
	Message string `json:"message"`
}

// Error makes a Problem an error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is application/problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders adds Retry-After and WWW-Authenticate where they belong.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter != "" {
		h.Set("Retry-After", p.retryAfter)
	}
	if p.challenge {
		h.Set("WWW-Authenticate", `Bearer realm="revenge"`)
	}
	return h
}

// statusOf is the one table from fault kinds to statuses.
var statusOf = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Precondition:    http.StatusPreconditionFailed,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
}

const internalDetail = "Something went wrong in the server. The operator finds the cause in the log under this request id."

// problemOf translates any error. An Internal one is logged with its cause and shown without.
func (s *Server) problemOf(ctx context.Context, err error) *Problem {
	p := &Problem{RequestID: requestID(ctx)}
	var known *Problem
	f := fault.As(err)
	switch {
	case errors.As(err, &known):
		p = known
		p.RequestID = requestID(ctx)
		return p
	case f == nil && errors.Is(err, context.Canceled):
		// The client is gone: nobody reads this, and it is nobody's mistake.
		p.Status, p.Code, p.Detail = http.StatusServiceUnavailable, "request.cancelled", "The request was cancelled."
	case f == nil && errors.Is(err, context.DeadlineExceeded):
		p.Status, p.Code, p.Detail = http.StatusServiceUnavailable, "request.timeout", "The server took too long. Try again in a moment."
		p.retryAfter = "1"
	case f == nil || f.Kind == fault.Internal:
		p.Status, p.Code, p.Detail = http.StatusInternalServerError, "internal", internalDetail
		s.logger.LogAttrs(ctx, slog.LevelError, "a request failed", slog.String("requestId", p.RequestID), slog.Any("error", err))
	default:
		p.Status, p.Code, p.Detail = statusOf[f.Kind], f.Code, f.Message
		for _, field := range f.Fields {
			p.Errors = append(p.Errors, ProblemField{"body." + field.Path, field.Message})
		}
		if f.Kind == fault.Unavailable {
			s.logger.LogAttrs(ctx, slog.LevelWarn, "a request could not be served", slog.String("requestId", p.RequestID), slog.Any("error", err))
		}
		if f.RetryAfter > 0 {
			p.retryAfter = strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds())))
		} else if f.Kind == fault.Unavailable || f.Kind == fault.RateLimited {
			p.retryAfter = "1"
		}
	}
	p.complete()
	return p
}

func (p *Problem) complete() {
	p.Title = http.StatusText(p.Status)
	p.Type = "/problems/" + p.Code
	p.challenge = p.Status == http.StatusUnauthorized
}

// codeOfStatus names the problems that the router and the validation meet.
var codeOfStatus = map[int]string{
	http.StatusBadRequest:            "request.malformed",
	http.StatusNotFound:              "request.no_such_route",
	http.StatusMethodNotAllowed:      "request.method_not_allowed",
	http.StatusNotAcceptable:         "request.not_acceptable",
	http.StatusRequestTimeout:        "request.too_slow",
	http.StatusRequestEntityTooLarge: "request.too_large",
	http.StatusUnsupportedMediaType:  "request.unsupported_media_type",
	http.StatusPreconditionFailed:    "request.changed",

	http.StatusRequestedRangeNotSatisfiable: "request.bad_range",
	http.StatusUnprocessableEntity:          "request.invalid",
}

// unreadableBody is what huma says, with status 500, of a body that cannot be read to its end.
const unreadableBody = "cannot read request body"

// validationProblem is what huma's own failures become: its texts are about the input, never about the server.
func validationProblem(ctx context.Context, status int, message string, errs []error) *Problem {
	if message == unreadableBody { // malformed chunks (RFC 9112, 7.1), or a connection that broke off: none is the server's fault
		status, message, errs = http.StatusBadRequest, "the body of the request is malformed or breaks off: send it again", nil
	}
	p := &Problem{Status: status, Code: codeOfStatus[status], RequestID: requestID(ctx)}
	if p.Code == "" {
		p.Code = "request.failed"
	}
	if status >= http.StatusInternalServerError {
		p.Code, p.Detail = "internal", internalDetail
		p.complete()
		return p
	}
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			detail := d.ErrorDetail()
			p.Errors = append(p.Errors, ProblemField{detail.Location, detail.Message})
		}
	}
	p.Detail = sentence(message)
	if len(p.Errors) > 0 {
		p.Detail = sentence(p.Errors[0].Path + ": " + p.Errors[0].Message)
	}
	p.complete()
	return p
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.TrimSuffix(strings.ToUpper(s[:1])+s[1:], ".") + "."
}

// huma keeps its error constructor and its rules in package variables; all servers of a process share this one, which depends on nothing but the request.
func init() {
	huma.DefaultArrayNullable = false
	// "Login" beside "login" would pass for the same field, unchecked, and be the one that encoding/json takes (S30).
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return validationProblem(context.Background(), status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		if ctx == nil {
			return validationProblem(context.Background(), status, message, errs)
		}
		p := validationProblem(ctx.Context(), status, message, errs)
		if p.Status >= http.StatusInternalServerError && len(errs) > 0 {
			r, _ := humachi.Unwrap(ctx)
			slog.Default().LogAttrs(ctx.Context(), slog.LevelError, "a response could not be made", slog.String("requestId", p.RequestID), slog.String("path", r.URL.Path), slog.Any("error", errs[0]))
		}
		return p
	}
}

// writeProblem answers outside huma: router, middleware, raw handlers.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problemOf(r.Context(), err)
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	if p.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", strings.Join(s.methodsOf(r.URL.Path), ", ")) // RFC 9110, 15.5.6
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// methodsOf are those that an address takes. The web UI's page, which is behind every address, is none of the API's.
func (s *Server) methodsOf(path string) (methods []string) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		pattern := s.router.Find(chi.NewRouteContext(), method, path)
		if pattern == "" || pattern == webUIPattern && strings.HasPrefix(path, "/api/") {
			continue
		}
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return methods
}

// writeStatus answers with a problem that only its status describes.
func (s *Server) writeStatus(w http.ResponseWriter, r *http.Request, status int) {
	s.writeProblem(w, r, routerProblem(r.Context(), status, http.StatusText(status)))
}

// routerProblem is a problem that has a status but no fault.
func routerProblem(ctx context.Context, status int, detail string) *Problem {
	return validationProblem(ctx, status, detail, nil)
}
