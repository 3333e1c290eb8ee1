package assemble_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/identity"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/hosts/telemetry"
	"github.com/revenge-media/revenge/hosts/worker"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/world"
)

var (
	typeLine = regexp.MustCompile(`(?m)^# TYPE (revenge_\S+) (\w+)$`)
	helpLine = regexp.MustCompile(`(?m)^# HELP (revenge_\S+) (.+)$`)
	series   = regexp.MustCompile(`(?m)^(revenge_[a-z0-9_]+)(?:\{([^}]*)\})? (\S+)$`)
	label    = regexp.MustCompile(`([a-z_]+)="`)
)

// exposed reads Prometheus' text format: each metric as the reference writes it, and each series with its value.
func exposed(page string) (metrics map[string]string, values map[string]string) {
	metrics, values = map[string]string{}, map[string]string{}
	types, labels := map[string]string{}, map[string][]string{}
	for _, m := range typeLine.FindAllStringSubmatch(page, -1) {
		types[m[1]] = m[2]
	}
	for _, m := range series.FindAllStringSubmatch(page, -1) {
		values[m[1]+"{"+m[2]+"}"] = m[3]
		name := m[1]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(name, suffix); types[base] == "histogram" {
				name = base
			}
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels[name], l[1]) && l[1] != "le" {
				labels[name] = append(labels[name], l[1])
			}
		}
	}
	for _, m := range helpLine.FindAllStringSubmatch(page, -1) {
		slices.Sort(labels[m[1]])
		metrics[m[1]] = fmt.Sprintf("%s %v %s", types[m[1]], labels[m[1]], m[2])
	}
	return metrics, values
}

// described reads the table of docs/metrics.md in the form of exposed.
func described(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) < 4 || !strings.HasPrefix(cells[0], "| `revenge_") {
			continue
		}
		names := strings.FieldsFunc(cells[2], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		slices.Sort(names)
		found[strings.Trim(cells[0], "|` ")] = fmt.Sprintf("%s %v %s", cells[1], names, cells[3])
	}
	return found
}

// TestTheReferenceOfMetricsNamesAllThatAServerShowsAndNoOther uses a server as a household does, and holds docs/metrics.md against what it shows then.
func TestTheReferenceOfMetricsNamesAllThatAServerShowsAndNoOther(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, c config.Config) {
		app := open(t, c)
		metrics := app.Metrics()
		face, err := httpd.New(httpd.Config{Core: app.Core, Logger: app.Logger, Metrics: metrics})
		if err != nil {
			t.Fatal(err)
		}
		work := worker.New(app.Core, worker.Config{Logger: app.Logger, Metrics: metrics})
		if err := work.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := work.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}()
		server := httptest.NewServer(face.Handler())
		defer server.Close()
		page := func() string {
			answer := httptest.NewRecorder()
			metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			return answer.Body.String()
		}

		ctx, system := t.Context(), domain.SystemActor()
		for _, name := range []string{"ann", "ulf"} {
			if _, err := app.Core.Account.Create(ctx, system, account.NewUser{Username: name, Password: world.Password, Roles: []domain.RoleName{domain.RoleUser}}); err != nil {
				t.Fatal(err)
			}
			if _, err := app.Core.Auth.Login(ctx, name, world.Password, domain.Client{IP: "127.0.0.1"}, auth.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		provider := httptest.NewServer(http.NotFoundHandler())
		defer provider.Close()
		if _, err := app.Core.Identity.CreateProvider(ctx, system, "elsewhere", identity.Draft{Issuer: &provider.URL, ClientID: new("revenge")}); err == nil {
			t.Fatal("a server that knows no discovery document is taken for a provider")
		}
		for _, method := range []string{http.MethodGet, "BREW", "PROPFIND"} {
			request, _ := http.NewRequestWithContext(ctx, method, server.URL+"/api/v1/settings", nil)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
		}
		if err := app.Core.Jobs.Pause(ctx, jobs.QueueScan); err != nil {
			t.Fatal(err)
		}
		films, err := app.Core.Library.Create(ctx, system, library.Draft{Name: "Films", Paths: []string{t.TempDir()}, Open: true})
		if err != nil {
			t.Fatal(err)
		}
		world.Until(t, "a job has run and the worker is heard of", func() bool {
			text := page()
			return strings.Contains(text, "revenge_job_duration_seconds_count") && strings.Contains(text, "revenge_job_processes 1")
		})

		shown, values := exposed(page())
		written := described(t)
		for name, what := range shown {
			if written[name] != what {
				t.Errorf("%s is shown as\n  %s\nand the reference says\n  %s", name, what, written[name])
			}
		}
		for name := range written {
			if _, is := shown[name]; !is {
				t.Errorf("the reference names %s, which is not shown", name)
			}
		}
		for name, want := range map[string]string{
			"revenge_sessions{}":                                                                              "2",
			`revenge_dependency_up{dependency="database"}`:                                                    "1",
			`revenge_jobs{queue="scan",state="waiting"}`:                                                      "1",
			`revenge_jobs{queue="scan",state="retrying"}`:                                                     "0",
			`revenge_jobs_paused{queue="scan"}`:                                                               "1",
			`revenge_jobs_paused{queue="default"}`:                                                            "0",
			`revenge_scan_files{done="found",library="` + films.ID.String() + `"}`:                            "0",
			`revenge_outbound_request_duration_seconds_count{outcome="refused",service="oidc"}`:               "1",
			`revenge_http_request_duration_seconds_count{method="GET",route="/api/v1/settings",status="200"}`: "1",
		} {
			if values[name] != want {
				t.Errorf("%s is %q, want %s", name, values[name], want)
			}
		}
		if values[`revenge_database_connections_max{}`] == "0" {
			t.Error("no connection may be opened")
		}
		for _, invented := range []string{"BREW", "PROPFIND"} {
			if strings.Contains(page(), invented) {
				t.Errorf("a client's %s is a label", invented)
			}
		}
	})
}

func TestAServerWithoutItsDatabaseShowsThat(t *testing.T) {
	t.Parallel()
	app := open(t, home(t))
	if err := app.Core.Store.Close(); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	app.Metrics().Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	_, values := exposed(answer.Body.String())
	if answer.Code != http.StatusOK || values[`revenge_dependency_up{dependency="database"}`] != "0" || values["revenge_encodes{}"] != "0" {
		t.Errorf("%d: %v", answer.Code, values)
	}
	if _, known := values["revenge_sessions{}"]; known {
		t.Error("sessions are counted in a database that is away")
	}
}

func TestRequestsToOtherServersAreCountedByHowTheyEnded(t *testing.T) {
	t.Parallel()
	status := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer other.Close()
	outbound := telemetry.NewOutbound()
	client := outbound.Client("tried", &http.Client{Transport: &http.Transport{}})
	for _, status = range []int{200, 204, 304, 404, 429, 500, 503} {
		answer, err := client.Get(other.URL)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	client.CloseIdleConnections()
	other.Close()
	if answer, err := client.Get(other.URL); err == nil {
		answer.Body.Close()
		t.Fatal("a server that is closed answers")
	}
	app := open(t, home(t))
	answer := httptest.NewRecorder()
	telemetry.New(app.Core, outbound).Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	_, values := exposed(answer.Body.String())
	for outcome, want := range map[string]string{"done": "3", "refused": "1", "limited": "1", "failed": "2", "unreachable": "1"} {
		if got := values[`revenge_outbound_request_duration_seconds_count{outcome="`+outcome+`",service="tried"}`]; got != want {
			t.Errorf("%s: %s, want %s", outcome, got, want)
		}
	}
}

func TestPostgresIsAskedForNoMoreThanTheConfigurationAllows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, c config.Config) {
		c.Postgres.MaxConns, c.Postgres.StatementTimeout = 5, 7*time.Second
		app := open(t, c)
		store := app.Core.Store.(*sqlstore.Store)
		if store.Pool() == nil {
			if n := store.Stats().Max; n == 5 {
				t.Errorf("SQLite has PostgreSQL's limit of %d connections", n)
			}
			return
		}
		if n := store.Stats().Max; n != 5 {
			t.Errorf("%d connections", n)
		}
		var limit string
		if err := store.SQLDB().QueryRow("SHOW statement_timeout").Scan(&limit); err != nil || limit != "7s" {
			t.Errorf("a statement may take %s, %v", limit, err)
		}
	})
}
