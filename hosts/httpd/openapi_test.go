package httpd_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestTheCommittedDocumentIsTheOneThatTheCodeMakes(t *testing.T) {
	t.Parallel()
	made, err := httpd.OpenAPI(httpd.APIVersion)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, committed) {
		t.Error("hosts/httpd/openapi.json is not what the code says: run \"just generate\" and look at the difference")
	}
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	made, err := httpd.OpenAPI(httpd.APIVersion)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(made)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryRouteOfTheAPIIsDescribed(t *testing.T) {
	t.Parallel()
	doc := document(t)
	w := world.New(t, world.Idle())
	described, operations := 0, map[string]string{}
	for route, permission := range w.Serve(t).Face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(pattern, "/api/v1/") {
			continue
		}
		item := doc.Paths.Value(pattern)
		if item == nil || item.GetOperation(method) == nil {
			t.Errorf("%s is not described", route)
			continue
		}
		described++
		op := item.GetOperation(method)
		if other, taken := operations[op.OperationID]; taken {
			t.Errorf("%s and %s are both called %s", route, other, op.OperationID)
		}
		operations[op.OperationID] = route
		if op.Summary == "" || len(op.Tags) == 0 {
			t.Errorf("%s has no summary or tag", route)
		}
		if open := op.Security == nil || len(*op.Security) == 0; open != (permission == domain.PermissionPublic) {
			t.Errorf("%s needs %s and is described as open: %v", route, permission, open)
		}
	}
	if total := len(doc.Paths.Map()); described < total {
		t.Errorf("%d routes are described by %d paths", described, total)
	}
}

// TestAnswersAreAsTheDocumentSays asks every route that only reads, and the main ones that change something, and holds the answers to the document.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	h, doc := openHouse(t), document(t)
	ulf := h.World.User(t)
	holds := func(t *testing.T, c world.Client, method, pattern, address string, body any, statuses ...int) {
		t.Helper()
		r := c.Request(t, method, address, body)
		answer, err := h.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		item := doc.Paths.Value(pattern)
		in := &openapi3filter.RequestValidationInput{Request: c.Request(t, method, address, body), Route: &routers.Route{Spec: doc, Path: pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)}}
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.StatusCode, Header: answer.Header, Options: &openapi3filter.Options{IncludeResponseStatus: true}}
		kind := answer.Header.Get("Content-Type")
		var data []byte
		if !strings.HasPrefix(kind, "text/event-stream") {
			if data, err = io.ReadAll(answer.Body); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(kind, "json") {
			out.Options.ExcludeResponseBody = true
		}
		out.SetBodyBytes(data)
		if len(statuses) == 0 {
			statuses = []int{http.StatusOK}
		}
		if !slices.Contains(statuses, answer.StatusCode) {
			t.Errorf("%s %s: %d %.300s", method, address, answer.StatusCode, data)
		}
		if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
			t.Errorf("%s %s: %v\n%.2000s", method, address, err, data)
		}
	}
	for route := range h.Face.Routes() {
		method, pattern, _ := strings.Cut(route, " ")
		if method != http.MethodGet || !strings.HasPrefix(pattern, "/api/v1/") {
			continue
		}
		statuses := []int{http.StatusOK}
		switch {
		case strings.HasSuffix(pattern, "/authorize"), strings.HasSuffix(pattern, "/callback"):
			statuses = []int{http.StatusFound} // a browser goes on to a page
		case strings.Contains(pattern, "{provider}"):
			statuses = []int{http.StatusNotFound} // no provider answers here
		}
		for _, address := range h.addresses(t, pattern, h.open) {
			holds(t, h.Admin(t), method, pattern, address, nil, statuses...)
		}
		if strings.Contains(pattern, "{") {
			continue
		}
		holds(t, h.Anonymous(), method, pattern, pattern, nil, http.StatusOK, http.StatusUnauthorized)
		holds(t, h.User(t), method, pattern, pattern, nil, http.StatusOK, http.StatusForbidden)
	}
	movie := "/api/v1/movies/" + h.open.movie.ID.String()
	for _, c := range []struct {
		client                   world.Client
		method, pattern, address string
		body                     any
		status                   int
	}{
		{h.Anonymous(), "POST", "/api/v1/auth/login", "", map[string]any{"login": "ulf", "password": world.Password}, 200},
		{h.Anonymous(), "POST", "/api/v1/auth/login", "", map[string]any{"login": "ulf", "password": "wrong"}, 401},
		{h.Anonymous(), "POST", "/api/v1/auth/login", "", map[string]any{}, 422},
		{h.Anonymous(), "POST", "/api/v1/setup/check", "", map[string]any{"code": "x"}, 404},
		{h.Anonymous(), "POST", "/api/v1/auth/refresh", "", map[string]any{"refreshToken": "x"}, 401},
		{h.User(t), "POST", "/api/v1/movies/{id}/playback", movie + "/playback", map[string]any{"capabilities": playable}, 200},
		{h.User(t), "POST", "/api/v1/movies/{id}/progress", movie + "/progress", map[string]any{"position": 3, "duration": 16}, 200},
		{h.User(t), "POST", "/api/v1/movies/{id}/watched", movie + "/watched", nil, 200},
		{h.User(t), "DELETE", "/api/v1/movies/{id}/watched", movie + "/watched", nil, 200},
		{h.User(t), "DELETE", "/api/v1/movies/{id}/progress", movie + "/progress", nil, 204},
		{h.User(t), "PATCH", "/api/v1/users/me/preferences", "", map[string]any{"audioLanguage": "ger", "subtitleMode": nil}, 200},
		{h.Admin(t), "POST", "/api/v1/admin/libraries", "", map[string]any{"name": "Other", "paths": []string{t.TempDir()}}, 201},
		{h.Admin(t), "POST", "/api/v1/admin/libraries", "", map[string]any{"name": "Same", "paths": []string{h.open.library.Paths[0].Path}}, 409},
		{h.Admin(t), "PATCH", "/api/v1/admin/libraries/{id}", "/api/v1/admin/libraries/" + h.open.library.ID.String(), map[string]any{"name": "Renamed"}, 200},
		{h.Admin(t), "POST", "/api/v1/admin/libraries/{id}/scan", "/api/v1/admin/libraries/" + h.open.library.ID.String() + "/scan", nil, 202},
		{h.Admin(t), "POST", "/api/v1/admin/libraries/{id}/access", "/api/v1/admin/libraries/" + h.open.library.ID.String() + "/access", map[string]any{"userId": ulf.User.ID}, 204},
	} {
		if c.address == "" {
			c.address = c.pattern
		}
		holds(t, c.client, c.method, c.pattern, c.address, c.body, c.status)
	}
}

func TestTheDocumentAndItsPagesAreServedFromTheBinary(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	for path, want := range map[string]string{
		"/api/openapi.json": `"openapi": "3.1`, "/api/openapi.yaml": "openapi: 3.1", "/api/docs": "swagger-ui", "/api/docs/start.js": "/api/openapi.json",
		"/api/docs/swagger-ui-bundle.js": "SwaggerUI", "/api/docs/swagger-ui.css": ".swagger-ui",
	} {
		got := s.Anonymous().Do(t, http.MethodGet, path, nil)
		if got.Status != http.StatusOK || !bytes.Contains(got.Body, []byte(want)) {
			t.Errorf("%s is answered with %d %.100s", path, got.Status, got.Body)
		}
		if strings.HasSuffix(path, "docs") && bytes.Contains(got.Body, []byte("://")) {
			t.Errorf("%s loads from elsewhere: %s", path, got.Body)
		}
	}
	if got := s.Anonymous().Do(t, http.MethodGet, "/api/docs/../openapi.json", nil); got.Status == http.StatusInternalServerError {
		t.Errorf("a path out of the pages: %d", got.Status)
	}
	if got := s.Anonymous().Do(t, http.MethodGet, "/api/docs/nothing.js", nil); got.Status != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", got.Status)
	}
}
