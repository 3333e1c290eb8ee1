package httpd

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// errorsOf are the statuses of problems that a route may answer with, by class: what the guard, the reading of the request and the
// resources that it names can refuse, and what the route itself adds.
func errorsOf(r Route, guarded bool) []int {
	codes := []int{http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusServiceUnavailable}
	if guarded {
		codes = append(codes, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests)
	}
	if expensive(r.Method, r.Path, r.Permission) {
		codes = append(codes, http.StatusTooManyRequests)
	}
	if strings.Contains(r.Path, "{") {
		codes = append(codes, http.StatusNotFound)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		// A body may be refused as it is read, a browser from elsewhere by the cross-origin check, and what the change concerns may
		// have changed or gone meanwhile.
		codes = append(codes, http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
			http.StatusRequestTimeout, http.StatusConflict)
	}
	codes = append(codes, r.Errors...)
	slices.Sort(codes)
	return slices.Compact(codes)
}

// answersOf are the answers that huma does not learn from the handler's type: media, and those of success beside the ordinary one.
func answersOf(r Route) map[string]*huma.Response {
	answers := map[string]*huma.Response{}
	if len(r.Media) > 0 {
		answers[strconv.Itoa(http.StatusOK)] = &huma.Response{Description: http.StatusText(http.StatusOK), Content: media(r.Media)}
	}
	for _, status := range r.Also {
		answer := &huma.Response{Description: http.StatusText(status)}
		if status == http.StatusPartialContent {
			answer.Content = media(r.Media)
		}
		answers[strconv.Itoa(status)] = answer
	}
	return answers
}

// media are bodies of bytes: a schema would say nothing about them.
func media(types []string) map[string]*huma.MediaType {
	content := map[string]*huma.MediaType{}
	for _, kind := range types {
		content[kind] = &huma.MediaType{Schema: &huma.Schema{}}
	}
	return content
}

// describeNulls says of the bodies of requests what is true of them: that null stands for what is left out (huma takes it so).
func describeNulls(api *huma.OpenAPI) {
	seen := map[*huma.Schema]bool{}
	var describe func(s *huma.Schema)
	describe = func(s *huma.Schema) {
		if s != nil && s.Ref != "" {
			s = api.Components.Schemas.SchemaFromRef(s.Ref)
		}
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		describe(s.Items)
		for name, property := range s.Properties {
			describe(property)
			if !slices.Contains(s.Required, name) && property.Ref == "" {
				property.Nullable = true
				if len(property.Enum) > 0 && !slices.Contains(property.Enum, nil) {
					property.Enum = append(property.Enum, nil)
				}
			}
		}
	}
	for _, path := range api.Paths {
		for _, op := range []*huma.Operation{path.Post, path.Put, path.Patch} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, content := range op.RequestBody.Content {
				describe(content.Schema)
			}
		}
	}
}
