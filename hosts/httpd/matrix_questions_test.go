package httpd_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/world"
)

// question is a query that finds what is in a hidden place, and one of the same form that finds nothing anywhere; with no second one only the
// secrets are looked for in its answer.
type question struct{ hidden, nothing string }

// questions are what a query parameter can be asked about a place.
func (h *household) questions(t *testing.T, r route, name string, at *place) (list []question) {
	t.Helper()
	const nonsense = "Zyzzogeton"
	pair := func(hidden, nothing string) {
		list = append(list, question{name + "=" + url.QueryEscape(hidden), name + "=" + url.QueryEscape(nothing)})
	}
	alone := func(queries ...string) {
		for _, query := range queries {
			list = append(list, question{hidden: query})
		}
	}
	schema := r.op.Parameters.GetByInAndName("query", name).Schema.Value
	switch name {
	case "q":
		for _, word := range []string{"WORDfilm", "WORDoriginal", "WORDsort", "WORD"} {
			pair(strings.ReplaceAll(word, "WORD", at.word), strings.ReplaceAll(word, "WORD", nonsense))
		}
	case "genre":
		pair(at.word+"genre", nonsense+"genre")
	case "person":
		for _, who := range []string{"actor", "director", "writer"} {
			pair(at.word+who, nonsense+who)
		}
	case "libraryId":
		pair(at.library.ID.String(), domain.NewID().String())
	case "yearFrom", "yearTo":
		list = append(list, question{"yearFrom=1930&yearTo=1940", "yearFrom=1830&yearTo=1840"})
	case "ratingFrom":
		pair("9.8", "9.99")
	case "audioLanguage":
		pair("swa", "zzz")
	case "subtitleLanguage":
		pair("ice", "zzz")
	case "v":
		if strings.HasSuffix(r.pattern, "/avatar") {
			break // of an account
		}
		pair(at.pictures[0].Hash, strings.Repeat("0", len(at.pictures[0].Hash)))
	case "resolution":
		alone("resolution=sd&resolution=1080p")
	case "hdr", "watched", "inProgress", "titles":
		alone(name+"=true", name+"=false")
	case "sort", "width", "state":
		for _, value := range schema.Enum {
			alone(name + "=" + url.QueryEscape(textOf(value)))
		}
	case "seed":
		alone("sort=random&seed=4", "sort=-random&seed=42")
	case "limit":
		alone("limit=1", "limit=100")
	case "includeTotal":
		alone("includeTotal=true")
	case "cursor":
		// Another's place in the list, which stands behind a hidden film.
		admin := world.Decode[domain.Page[any]](t, h.who(t, domain.RoleAdmin, member).clients[0].Do(t, http.MethodGet, h.addresses(t, r.pattern, h.open)[0]+"?limit=1", nil), http.StatusOK)
		if admin.NextCursor != "" {
			alone("limit=1&cursor=" + url.QueryEscape(admin.NextCursor))
		}
	case "audio", "selected":
		alone("audio=1-copy.2-aac&selected=2")
	case "from", "to", "action", "success":
		alone("from=2020-01-01T00:00:00Z", "to=2099-01-01T00:00:00Z", "action=playback.&success=true")
	case "token", "kind", "queue", "key", "path", "user", "role", "force", "resourceType", "resourceId", "ip": // byStreamToken's, and administrators' alone
	default:
		t.Fatalf("what does the query parameter %s of %s ask about a place? Say so in questions.", name, r)
	}
	return list
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

// everyQuestion asks by each query parameter of each route for what is hidden. The answers say nothing of it, and are those to a question about nothing.
func (h *household) everyQuestion(t *testing.T) {
	told := 0
	for _, r := range h.routes(t) {
		if r.op == nil || !r.reads() || r.permission == domain.PermissionPublic {
			continue
		}
		address := h.addresses(t, r.pattern, h.open)[0]
		for _, parameter := range r.op.Parameters {
			if parameter.Value.In != "query" {
				continue
			}
			for _, at := range []*place{h.closed, h.restricted} {
				for _, q := range h.questions(t, r, parameter.Value.Name, at) {
					for _, p := range h.people {
						if p.sees(at) || !p.may[r.permission] {
							continue
						}
						c := p.client()
						got := h.ask(t, c, r.method, address+"?"+q.hidden, nil)
						h.hides(t, p, q.hidden, got)
						if got.Status >= http.StatusBadRequest && parameter.Value.Name != "cursor" {
							t.Errorf("%s?%s is answered with %d %.200s", address, q.hidden, got.Status, got.Body)
						}
						if q.nothing == "" {
							continue
						}
						if nothing := h.ask(t, c, r.method, address+"?"+q.nothing, nil); timeless(got) != timeless(nothing) && !p.seesAnother(at, h, q) {
							t.Errorf("%s asks %s?%s and is answered with\n%.400q\nand when it is about nothing with\n%.400q", p.name, address, q.hidden, timeless(got), timeless(nothing))
						}
					}
					if admin := h.who(t, domain.RoleAdmin, member).clients[0]; q.nothing != "" &&
						string(h.ask(t, admin, r.method, address+"?"+q.hidden, nil).Body) != string(h.ask(t, admin, r.method, address+"?"+q.nothing, nil).Body) {
						told++
					}
				}
			}
		}
	}
	if told < 30 {
		t.Errorf("only %d questions tell an administrator anything: the others ask nothing", told)
	}
}

// seesAnother tells whether a question that is not about one place alone is about one that the asker sees.
func (p *person) seesAnother(at *place, h *household, q question) bool {
	if strings.Contains(q.hidden, at.word) || strings.Contains(q.hidden, at.library.ID.String()) || strings.HasPrefix(q.hidden, "v=") {
		return false
	}
	return at != h.closed && p.sees(h.closed) || at != h.restricted && p.sees(h.restricted)
}
