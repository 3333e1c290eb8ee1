package httpd_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/world"
)

// route is one of the router's own, with what the generated document says of it; op is nil outside of the API.
type route struct {
	method, pattern string
	permission      domain.Permission
	op              *openapi3.Operation
}

func (r route) String() string { return r.method + " " + r.pattern }

// reads tells whether it changes nothing.
func (r route) reads() bool { return r.method == http.MethodGet || r.method == http.MethodHead }

// own tells whether it is about nothing but the asker's own account.
func (r route) own() bool {
	return slices.Contains([]domain.Permission{domain.PermissionEnrol, domain.PermissionSession, domain.PermissionProfile, domain.PermissionAPIKey}, r.permission)
}

// takesStreamToken tells whether the document offers a stream token as its credential.
func (r route) takesStreamToken() bool {
	if r.op == nil || r.op.Security == nil {
		return false
	}
	return slices.ContainsFunc(*r.op.Security, func(one openapi3.SecurityRequirement) bool { _, ok := one["streamToken"]; return ok })
}

// routes are all of the server's: reading ones first, then what adds, changes and at last deletes, what is part of something before the whole.
func (h *household) routes(t *testing.T) []route {
	t.Helper()
	doc := document(t)
	var list []route
	for name, permission := range h.Face.Routes() {
		r := route{permission: permission}
		r.method, r.pattern, _ = strings.Cut(name, " ")
		if item := doc.Paths.Value(r.pattern); item != nil {
			r.op = item.GetOperation(r.method)
		}
		list = append(list, r)
	}
	if len(list) < 50 {
		t.Fatalf("only %d routes", len(list))
	}
	order := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	slices.SortFunc(list, func(a, b route) int {
		return cmp.Or(slices.Index(order, a.method)-slices.Index(order, b.method), strings.Count(b.pattern, "/")-strings.Count(a.pattern, "/"), strings.Compare(a.pattern, b.pattern))
	})
	return list
}

var parameter = regexp.MustCompile(`\{[^}]*\}|/\*$`)

// values are what a parameter in the path of a route stands for in a place.
func (h *household) values(t *testing.T, pattern, name string, p *place) []string {
	t.Helper()
	switch name {
	case "/*":
		if pattern == "/*" {
			return []string{"/", "/icon.svg"}
		}
		return []string{"/swagger-ui.css"}
	case "{fileId}":
		return []string{p.file.ID.String()}
	case "{revision}":
		return []string{p.file.Revision}
	case "{track}":
		if strings.Contains(pattern, "/audio/") {
			return []string{strconv.Itoa(p.file.Media.Audio[0].Index)}
		}
		return []string{strconv.Itoa(p.file.Media.Video[0].Index)}
	case "{n}":
		return []string{"0"}
	case "{method}":
		return []string{"copy", "aac"}
	case "{queue}":
		return []string{string(jobs.QueueMedia)}
	case "{kind}":
		return []string{"poster", "backdrop", "logo"}
	case "{pathId}":
		return []string{p.library.Paths[0].ID.String()}
	case "{keyId}":
		return []string{h.bystanderKey.String()}
	case "{userId}":
		return []string{h.bystander.User.ID.String()}
	case "{role}":
		return []string{string(domain.RoleUser)}
	case "{name}":
		return []string{string(nobodysRole)}
	case "{provider}":
		return []string{householdProvider}
	case "{id}":
		switch {
		case strings.Contains(pattern, "/subtitles/"):
			return p.subtitles
		case strings.Contains(pattern, "/users/{id}"):
			return []string{h.bystander.User.ID.String()}
		case strings.Contains(pattern, "/movies/"), strings.Contains(pattern, "/images/"):
			return []string{p.movie.ID.String()}
		case strings.Contains(pattern, "/libraries/"):
			return []string{p.library.ID.String()}
		case strings.Contains(pattern, "/files/"):
			return []string{p.file.ID.String()}
		case strings.Contains(pattern, "/api-keys/"):
			return []string{h.bystanderKey.String()}
		case strings.Contains(pattern, "/sessions/"):
			return []string{h.bystander.Session.ID.String()}
		case strings.Contains(pattern, "/webauthn/credentials/"), strings.Contains(pattern, "/trusted-devices/"):
			return []string{domain.NewID().String()}
		case strings.Contains(pattern, "/invitations/"):
			return []string{h.invitation.String()}
		case strings.Contains(pattern, "/jobs/"):
			return []string{h.job}
		}
	}
	t.Fatalf("what does %s stand for in %s? Say so in values.", name, pattern)
	return nil
}

// addresses are those of a route for a place: one for each combination of what its parameters stand for.
func (h *household) addresses(t *testing.T, pattern string, p *place) []string {
	t.Helper()
	list := []string{pattern}
	for parameter.MatchString(list[0]) {
		var next []string
		for _, address := range list {
			at := parameter.FindStringIndex(address)
			for _, value := range h.values(t, pattern, address[at[0]:at[1]], p) {
				next = append(next, address[:at[0]]+value+address[at[1]:])
			}
		}
		list = next
	}
	if pattern == "/*" {
		for i := range list {
			list[i] = "/" + strings.TrimLeft(list[i], "/")
		}
	}
	return list
}

// absent is a place that is not there.
func absent(p *place) *place {
	none := *p
	none.library.ID, none.movie.ID, none.file.ID, none.twin.ID, none.twinFile.ID = domain.NewID(), domain.NewID(), domain.NewID(), domain.NewID(), domain.NewID()
	none.library.Paths = []domain.LibraryPath{{ID: domain.NewID()}}
	none.file.VersionKey = domain.NewID().String()
	return &none
}

// concerns tells whether a route's addresses name something of a place.
func (h *household) concerns(t *testing.T, r route, p *place) bool {
	t.Helper()
	return h.addresses(t, r.pattern, p)[0] != h.addresses(t, r.pattern, absent(p))[0]
}

// playable is what a browser says of itself.
var playable = map[string]any{
	"containers": []string{"mp4", "webm"}, "video": []map[string]any{{"codec": "h264"}, {"codec": "vp9"}}, "audio": []string{"aac", "opus", "mp3", "flac"}, "hls": true,
}

// field is what a field of a request's body says about a place: valid, so that nothing but the guard stands in the way.
func (h *household) field(t *testing.T, r route, name string, p *place) any {
	t.Helper()
	if value, ok := h.oidcField(r, name); ok {
		return value
	}
	switch name {
	case "role":
		return domain.RoleUser
	case "parents":
		return []domain.RoleName{domain.RoleGuest}
	case "libraryId":
		return p.library.ID
	case "capabilities":
		return playable
	case "position":
		return 3
	case "duration":
		return 16
	case "fileId", "part":
		return p.file.ID
	case "version":
		return p.file.VersionKey
	case "pathId":
		return p.library.Paths[0].ID
	case "userId":
		return h.bystander.User.ID
	case "paths":
		return []string{t.TempDir()}
	case "path":
		return t.TempDir()
	case "name", "displayName", "description":
		if strings.HasSuffix(r.pattern, "/admin/roles") && name == "name" {
			return "zarquon"
		}
		return "Zarquon"
	case "permissions":
		return []domain.Permission{domain.PermissionLibraryRead}
	case "expiresAt":
		return time.Now().Add(time.Hour)
	case "requestsPerMinute":
		return 100
	case "neverExpires":
		return false
	case "locale":
		return "en"
	case "values":
		if strings.Contains(r.pattern, "/admin/") {
			return map[string]any{settings.ServerName.Name(): "Zarquon"}
		}
		return map[string]any{"zarquon": nil}
	case "language":
		return "de"
	case "open", "restricted", "paused", "urlToken", "cookie":
		return true
	case "audioLanguage", "subtitleLanguage":
		return "ger"
	case "subtitleMode":
		return "off"
	case "login", "username":
		return "zarquon"
	case "password", "currentPassword":
		return world.Password
	case "roles":
		return []domain.RoleName{domain.RoleUser}
	case "expiresInDays":
		return 7
	case "email":
		return "zarquon@example.org"
	case "code":
		if strings.HasPrefix(r.pattern, "/api/v1/mfa/totp/") {
			return "000000"
		}
		return "no token of anybody's"
	case "refreshToken", "invitation", "token", "deviceToken", "challengeId":
		return "no token of anybody's"
	case "method":
		return domain.FactorTOTP
	case "credential":
		return map[string]any{"type": "public-key"}
	case "passwordless", "trustDevice":
		return true
	case "reauthenticate":
		return false
	}
	t.Fatalf("what does the field %q say in the body of %s? Say so in field.", name, r)
	return nil
}

// body is a whole request for a route, every field of its schema filled; nil where it reads none.
func (h *household) body(t *testing.T, r route, p *place) any {
	t.Helper()
	if r.op == nil || r.op.RequestBody == nil {
		return nil
	}
	if r.op.RequestBody.Value.Content.Get("application/json") == nil {
		return nil
	}
	filled := map[string]any{}
	for name := range r.op.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
		filled[name] = h.field(t, r, name, p)
	}
	return filled
}

// ask reads an answer to its end, but that of an event stream, which has none.
func (h *household) ask(t *testing.T, c world.Client, method, path string, body any, header ...string) world.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), world.Patience)
	defer cancel()
	answer, err := h.HTTP.Do(c.Request(t, method, path, body, header...).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	r := world.Response{Status: answer.StatusCode, Header: answer.Header}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return r
	}
	if r.Body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// timeless is an answer without what differs between any two: its time, the id of its request, and how many more may come.
func timeless(r world.Response) string {
	header := r.Header.Clone()
	id := header.Get("X-Request-Id")
	for _, own := range []string{"Date", "X-Request-Id", "Ratelimit-Remaining", "Ratelimit-Reset"} {
		header.Del(own)
	}
	data, _ := json.Marshal(header) // strings always marshal
	body := string(r.Body)
	if id != "" {
		body = strings.ReplaceAll(body, id, "")
	}
	return strconv.Itoa(r.Status) + " " + string(data) + " " + body
}

// plain is a problem without what differs between any two.
func plain(t *testing.T, r world.Response) string {
	t.Helper()
	id := r.Header.Get("X-Request-Id")
	if id == "" {
		t.Fatal("an answer without a request id")
	}
	return strings.ReplaceAll(string(r.Body), id, "")
}

var encoded = regexp.MustCompile(`[A-Za-z0-9_+/-]{16,}`)

// decoded is what a text holds in base64: cursors and paths.
func decoded(r world.Response) (all []byte) {
	kind := r.Header.Get("Content-Type")
	if !strings.Contains(kind, "json") && !strings.Contains(kind, "mpegurl") {
		return nil
	}
	for _, run := range encoded.FindAll(r.Body, -1) {
		for _, coding := range []*base64.Encoding{base64.RawURLEncoding, base64.RawStdEncoding} {
			if data, err := coding.DecodeString(string(run)); err == nil {
				all = append(append(all, data...), '\n')
			}
		}
	}
	return all
}
