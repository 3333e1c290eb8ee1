package httpd_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

// secured checks the headers of S28, which every answer has, whatever its route and status.
func secured(t *testing.T, name string, r world.Response) {
	t.Helper()
	armoured(t, name, r, false)
}

// armoured is secured for an answer that may have come by TLS.
func armoured(t *testing.T, name string, r world.Response, tls bool) {
	t.Helper()
	for header, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"Access-Control-Allow-Origin": "", "Server": "", "X-Powered-By": "",
	} {
		if got := r.Header.Values(header); strings.Join(got, "|") != want {
			t.Errorf("%s, %d: %s is %q", name, r.Status, header, got)
		}
	}
	policy := map[string]string{}
	for directive := range strings.SplitSeq(r.Header.Get("Content-Security-Policy"), ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(directive), " ")
		policy[key] = value
	}
	for directive, want := range map[string]string{"default-src": "'self'", "object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'self'", "connect-src": "'self'"} {
		if policy[directive] != want {
			t.Errorf("%s, %d: %s is %q", name, r.Status, directive, policy[directive])
		}
	}
	for source := range strings.FieldsSeq(policy["script-src"]) {
		if source != "'self'" && !strings.HasPrefix(source, "'sha256-") {
			t.Errorf("%s, %d: scripts may be %s", name, r.Status, source)
		}
	}
	if policy["script-src"] == "" {
		t.Errorf("%s, %d: scripts of any kind", name, r.Status)
	}
	if r.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s, %d: no request id", name, r.Status)
	}
	if transport := r.Header.Get("Strict-Transport-Security"); strings.Contains(transport, "max-age=") != tls {
		t.Errorf("%s, %d: Strict-Transport-Security is %q", name, r.Status, transport)
	}
	kind, kept := r.Header.Get("Content-Type"), r.Header.Get("Cache-Control")
	if strings.Contains(kind, "json") && !strings.Contains(kind, "openapi") && !strings.Contains(kind, "manifest") && kept != "no-store" {
		t.Errorf("%s, %d: JSON may be kept: %q", name, r.Status, kept)
	}
	if strings.HasPrefix(kind, "image/jpeg") || strings.HasPrefix(kind, "image/webp") || strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "text/vtt") || strings.Contains(kind, "mpegurl") {
		if !strings.Contains(kept, "private") {
			t.Errorf("%s, %d: others' caches may keep a film: %q", name, r.Status, kept)
		}
	}
}

// everyHeader asks every route in all the ways that lead to another class of answer, by plain HTTP and by TLS.
func (h *household) everyHeader(t *testing.T) {
	admin := h.who(t, domain.RoleAdmin, member)
	safe := &household{Server: h.World.Serve(t, world.TLS(), world.Web(page())), bystander: h.bystander, job: h.job}
	seen := map[int]int{}
	check := func(what string, r world.Response, tls bool) world.Response {
		armoured(t, what, r, tls)
		seen[r.Status]++
		return r
	}
	for _, r := range h.routes(t) {
		for _, address := range h.addresses(t, r.pattern, h.open)[:1] {
			name := r.method + " " + address
			check(name+" by TLS", safe.ask(t, safe.Anonymous(), r.method, address, nil), true)
			check(name+" by OPTIONS", h.ask(t, admin.client(), http.MethodOptions, address, nil), false)
			if r.method == http.MethodGet {
				h.reading(t, r, address, check)
				continue
			}
			if r.op == nil || r.op.RequestBody == nil || r.op.RequestBody.Value.Content.Get("application/json") == nil {
				continue
			}
			for status, sent := range map[int][2]string{
				http.StatusBadRequest: {"application/json", `{"x":`}, http.StatusUnprocessableEntity: {"application/json", `{"noSuchField":1}`}, http.StatusUnsupportedMediaType: {"application/xml", "<x/>"},
				http.StatusRequestEntityTooLarge: {"application/json", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`},
			} {
				got := check(name, h.ask(t, admin.clients[0], r.method, address, strings.NewReader(sent[1]), "Content-Type", sent[0]), false)
				if got.Status != status {
					t.Errorf("%s with %.20s is answered with %d, not %d: %.200s", name, sent[1], got.Status, status, got.Body)
				}
			}
		}
	}
	for _, nowhere := range []string{"/api/v1/nothing", "/api/v1/", "/api", "/api/v2/movies", "/_app/immutable/gone.js", "/api/v1/movies/%00", "//evil.example/%2e%2e"} {
		check(nowhere, h.ask(t, h.Anonymous(), http.MethodGet, nowhere, nil), false)
	}
	// The operator's listener is another one.
	for _, private := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/api/metrics"} {
		for _, c := range []world.Client{h.Anonymous(), admin.client()} {
			if got := check(private, h.ask(t, c, http.MethodGet, private, nil), false); bytes.Contains(got.Body, []byte("go_goroutines")) || bytes.Contains(got.Body, []byte("goroutine")) || bytes.Contains(got.Body, []byte("cmdline")) {
				t.Errorf("%s is public: %.200s", private, got.Body)
			}
		}
	}
	for _, status := range []int{200, 206, 304, 400, 401, 404, 405, 413, 415, 422} {
		if seen[status] == 0 {
			t.Errorf("no answer had the status %d", status)
		}
	}
}

// reading asks a GET route by HEAD, which answers the same without a body (RFC 9110, 9.3.2), for a part, and for what the client has already.
func (h *household) reading(t *testing.T, r route, address string, check func(string, world.Response, bool) world.Response) {
	t.Helper()
	c := h.who(t, domain.RoleAdmin, member).clients[0]
	got := check("GET "+address, h.ask(t, c, http.MethodGet, address, nil), false)
	head := check("HEAD "+address, h.ask(t, c, http.MethodHead, address, nil), false)
	if head.Status != got.Status || len(head.Body) > 0 || head.Header.Get("Content-Type") != got.Header.Get("Content-Type") || head.Header.Get("Cache-Control") != got.Header.Get("Cache-Control") {
		t.Errorf("HEAD %s is answered with %d %v, GET with %d %v", address, head.Status, head.Header, got.Status, got.Header)
	}
	if r.permission != domain.PermissionPublic {
		if head := check("HEAD "+address, h.ask(t, h.Anonymous(), http.MethodHead, address, nil), false); head.Status != http.StatusUnauthorized {
			t.Errorf("HEAD %s is answered with %d to nobody", address, head.Status)
		}
	}
	if tag := got.Header.Get("ETag"); tag != "" {
		again := check(address+" again", h.ask(t, c, http.MethodGet, address, nil, "If-None-Match", tag), false)
		if again.Status == http.StatusNotModified && (len(again.Body) > 0 || again.Header.Get("Cache-Control") != got.Header.Get("Cache-Control")) {
			t.Errorf("%s again: %v %.100s", address, again.Header, again.Body)
		}
	}
	if got.Header.Get("Accept-Ranges") != "" {
		check(address+" in part", h.ask(t, c, http.MethodGet, address, nil, "Range", "bytes=0-9"), false)
		check(address+" beyond its end", h.ask(t, c, http.MethodGet, address, nil, "Range", "bytes=99999999999-"), false)
	}
}

// everyMethod tries on each path what no route declares.
func (h *household) everyMethod(t *testing.T) {
	declared := map[string][]string{}
	var patterns []string
	for _, r := range h.routes(t) {
		if declared[r.pattern] == nil {
			patterns = append(patterns, r.pattern)
		}
		declared[r.pattern] = append(declared[r.pattern], r.method)
		if r.method == http.MethodGet {
			declared[r.pattern] = append(declared[r.pattern], http.MethodHead)
		}
	}
	before := h.snapshot(t)
	admin := h.who(t, domain.RoleAdmin, member).clients[0]
	for _, pattern := range patterns {
		address := h.addresses(t, pattern, h.open)[0]
		if pattern == "/api/v1/users/me/avatar" { // which is also /users/{id}/avatar
			declared[pattern] = append(declared[pattern], http.MethodGet, http.MethodHead)
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			if slices.Contains(declared[pattern], method) {
				continue
			}
			for _, c := range []world.Client{admin, h.Anonymous()} {
				got := h.ask(t, c, method, address, map[string]any{}, "X-HTTP-Method-Override", declared[pattern][0])
				secured(t, method+" "+address, got)
				if got.Status != http.StatusMethodNotAllowed && got.Status != http.StatusNotFound {
					t.Errorf("%s %s, which no route declares, is answered with %d %.200s", method, address, got.Status, got.Body)
					continue
				}
				allow := strings.Join(got.Header.Values("Allow"), ", ")
				for _, offered := range declared[pattern] {
					if got.Status == http.StatusMethodNotAllowed && offered != http.MethodHead && !strings.Contains(allow, offered) {
						t.Errorf("%s %s does not say that there is %s: Allow is %q (RFC 9110, 15.5.6)", method, address, offered, allow)
					}
				}
				if method != http.MethodHead {
					got.Problem(t)
				}
			}
		}
	}
	h.unchanged(t, before)
}

// A face whose services are all missing panics at every route, in the credential's check or in the handler.
func TestAPanicAtAnyRouteIsAProblemWithItsHeaders(t *testing.T) {
	t.Parallel()
	face, err := httpd.New(httpd.Config{Core: &core.Core{}, Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for route := range face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		answer, r := httptest.NewRecorder(), httptest.NewRequest(method, strings.ReplaceAll(pattern, "*", ""), nil)
		r.Header.Set("Authorization", "Bearer x")
		face.Handler().ServeHTTP(answer, r)
		got := world.Response{Status: answer.Code, Header: answer.Header(), Body: answer.Body.Bytes()}
		if got.Status != http.StatusInternalServerError || strings.Contains(string(got.Body), "nil pointer") {
			t.Errorf("%s: %d %s", route, got.Status, got.Body)
			continue
		}
		got.Problem(t)
		secured(t, route, got)
	}
}
