package cli_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/revenge-media/revenge/testkit/world"
)

// spans is what a collector got.
type spans struct {
	mu       sync.Mutex
	all      []*traces.Span
	services map[string]bool
	text     strings.Builder // all of it as JSON
}

// collecting starts a collector for OTLP over HTTP.
func collecting(t *testing.T) (*spans, string) {
	t.Helper()
	got := &spans{services: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			plain, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = plain
		}
		data, err := io.ReadAll(body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(data, &sent) != nil {
			t.Errorf("the collector gets %s %s: %v", r.Method, r.URL, err)
			return
		}
		got.mu.Lock()
		defer got.mu.Unlock()
		got.text.WriteString(protojson.Format(&sent))
		for _, resource := range sent.ResourceSpans {
			got.services[value(resource.Resource.Attributes, "service.name")] = true
			for _, scope := range resource.ScopeSpans {
				got.all = append(got.all, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	return got, server.URL
}

func value(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// named are the spans of this name.
func (s *spans) named(name string) (found []*traces.Span) {
	for _, span := range s.all {
		if span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

// within are the statements of a span.
func (s *spans) within(parent *traces.Span) (statements []string) {
	for _, span := range s.all {
		if string(span.TraceId) == string(parent.TraceId) && string(span.ParentSpanId) == string(parent.SpanId) {
			statements = append(statements, value(span.Attributes, "db.query.text"))
		}
	}
	return statements
}

// TestRequestsJobsAndTheirStatementsAreTraced looks at what a collector has got when a server has ended in order: what it had not sent by then it sent last.
func TestRequestsJobsAndTheirStatementsAreTraced(t *testing.T) {
	t.Parallel()
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	for name, trusted := range map[string]bool{"a client": false, "a trusted proxy": true} {
		t.Run("named by "+name, func(t *testing.T) {
			t.Parallel()
			onEither(t, func(t *testing.T, h home) {
				got, address := collecting(t)
				h.owner(t) // with the collector known, which commands do not bother
				h.environ = append(h.environ, "OTEL_EXPORTER_OTLP_ENDPOINT="+address, "OTEL_BSP_SCHEDULE_DELAY=3600000")
				if trusted {
					h.environ = append(h.environ, "REVENGE_TRUSTED_PROXIES=127.0.0.1/32")
				}
				p := h.start(t)
				in := p.login(t, "ann")
				world.Until(t, "a job has run", func() bool {
					_, jobs := p.do(t, http.MethodGet, "/api/v1/admin/jobs?state=done&kind=core.clean-up", in.AccessToken, nil)
					return strings.Contains(string(jobs), "core.clean-up")
				})
				if answer, text := p.do(t, http.MethodPost, "/api/v1/admin/libraries", in.AccessToken, map[string]any{"name": "Films", "paths": []string{t.TempDir()}}); answer.StatusCode != http.StatusCreated {
					t.Fatalf("making a library is answered %d %s", answer.StatusCode, text)
				}
				world.Until(t, "the library is scanned", func() bool {
					_, jobs := p.do(t, http.MethodGet, "/api/v1/admin/jobs?state=done&kind=library.scan", in.AccessToken, nil)
					return strings.Contains(string(jobs), "library.scan")
				})
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/api/v1/movies?q=in-the-query", nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Authorization", "Bearer "+in.AccessToken)
				request.Header.Set("Traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				p.do(t, http.MethodGet, "/readyz", "", nil)
				if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if code := p.exit(t); code != 0 {
					t.Fatalf("it ends with %d: %s", code, p.stderr)
				}

				got.mu.Lock()
				defer got.mu.Unlock()
				logins, lists, runs := got.named("POST /api/v1/auth/login"), got.named("GET /api/v1/movies"), got.named("job core.clean-up")
				if len(logins) != 1 || len(lists) != 1 || len(runs) == 0 {
					t.Fatalf("%d sign-ins, %d lists, %d runs among %d spans: %.2000s", len(logins), len(lists), len(runs), len(got.all), p.stderr)
				}
				for what, span := range map[string]*traces.Span{"sign-in": logins[0], "list": lists[0], "job": runs[0]} {
					selects := 0
					for _, statement := range got.within(span) {
						if strings.Contains(strings.ToUpper(statement), "SELECT") {
							selects++
						}
					}
					if selects == 0 {
						t.Errorf("the trace of the %s has no statement that reads: %q", what, got.within(span))
					}
				}
				if route := value(lists[0].Attributes, "http.route"); route != "/api/v1/movies" || lists[0].Kind != traces.Span_SPAN_KIND_SERVER {
					t.Errorf("route %q, %s", route, lists[0].Kind)
				}
				if value(runs[0].Attributes, "revenge.job.queue") != "default" || value(runs[0].Attributes, "revenge.job.outcome") != "done" || len(runs[0].ParentSpanId) != 0 {
					t.Errorf("the run is %s", protojson.Format(runs[0]))
				}
				made, scans := got.named("POST /api/v1/admin/libraries"), got.named("job library.scan")
				if len(made) != 1 || len(scans) == 0 || string(scans[0].TraceId) != string(made[0].TraceId) || string(scans[0].ParentSpanId) != string(made[0].SpanId) {
					t.Errorf("the scan does not belong to the request that asked for it: %v and %v", made, scans)
				}
				if taken := hex.EncodeToString(lists[0].TraceId) == theirs; taken != trusted {
					t.Errorf("a trace that %s names is taken over: %v", name, taken)
				}
				if !got.services["revenge"] || len(got.services) != 1 {
					t.Errorf("the services are %v", got.services)
				}
				for _, hidden := range []string{world.Password, in.AccessToken, in.RefreshToken, "in-the-query", "readyz", "'ann'"} {
					if strings.Contains(got.text.String(), hidden) {
						t.Errorf("%q is in a span", hidden)
					}
				}
			})
		})
	}
}

// TestACollectorThatIsAwayHarmsNothing has one that is not there, and one that takes what it gets and never answers.
func TestACollectorThatIsAwayHarmsNothing(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-never }))
	t.Cleanup(func() { close(never); silent.Close() })
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, address := range map[string]string{"silent": silent.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := onSQLite(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+address, "OTEL_EXPORTER_OTLP_TIMEOUT=600000", "OTEL_BSP_SCHEDULE_DELAY=50", "REVENGE_LOG_LEVEL=warn")
			h.owner(t)
			p := h.start(t)
			in := p.login(t, "ann")
			for range 50 {
				if answer, body := p.do(t, http.MethodGet, "/api/v1/users/me", in.AccessToken, nil); answer.StatusCode != http.StatusOK {
					t.Fatalf("%d %s", answer.StatusCode, body)
				}
			}
			if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			told := time.Now()
			if code := p.exit(t); code != 0 || time.Since(told) > 30*time.Second { // which is how long a stop may take in all
				t.Errorf("it ends with %d after %s: %s", code, time.Since(told), p.stderr)
			}
			if name == "gone" && !strings.Contains(p.stderr.String(), "traces are not taken") {
				t.Errorf("the log says: %s", p.stderr)
			}
		})
	}
}
