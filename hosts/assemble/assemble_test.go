package assemble_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/world"
)

func quiet() assemble.Options {
	return assemble.Options{Logger: slog.New(slog.DiscardHandler), Settle: time.Nanosecond}
}

// home is a configuration for one test.
func home(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.DataDir, c.Listen, c.MetricsListen = t.TempDir(), "127.0.0.1:0", ""
	return c
}

func open(t *testing.T, c config.Config) *assemble.App {
	t.Helper()
	app, err := assemble.Open(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Close() })
	return app
}

// onBoth runs fn with an empty database of each kind.
func onBoth(t *testing.T, fn func(t *testing.T, c config.Config)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, home(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		c := home(t)
		c.Database = sqlstoretest.PostgresDSN(t, false)
		fn(t, c)
	})
}

func TestWhatIsWrittenIsThereAfterTheNextOpenOnBothDatabases(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, c config.Config) {
		app := open(t, c)
		if app.SchemaVersion < 1 {
			t.Errorf("the schema has version %d", app.SchemaVersion)
		}
		if _, err := app.Core.Account.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: "ann", Password: world.Password}); err != nil {
			t.Fatal(err)
		}
		in, err := app.Core.Auth.Login(t.Context(), "ann", world.Password, domain.Client{}, auth.Options{})
		if err != nil {
			t.Fatal(err)
		}
		cookie := app.Core.Auth.CookieFor(in.SignedIn.Session)
		if err := errors.Join(app.Close(), app.Close()); err != nil {
			t.Fatalf("closing twice: %v", err)
		}
		again := open(t, c)
		if actor, _, err := again.Core.Auth.AuthenticateBearer(t.Context(), in.SignedIn.Tokens.AccessToken); err != nil || actor.Username != "ann" {
			t.Errorf("the token after a restart: %+v %v", actor, err)
		}
		if actor, _, err := again.Core.Auth.AuthenticateCookie(t.Context(), cookie); err != nil || actor.Username != "ann" {
			t.Errorf("the cookie after a restart: %+v %v", actor, err)
		}
	})
}

func TestManyThatOpenAtOnceMigrateOnceAndShareTheKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, c config.Config) {
		var all sync.WaitGroup
		apps, errs := make([]*assemble.App, 4), make([]error, 4)
		for i := range apps {
			all.Go(func() { apps[i], errs[i] = assemble.Open(t.Context(), c, quiet()) })
		}
		all.Wait()
		codes := map[string]bool{}
		for i, app := range apps {
			if errs[i] != nil {
				t.Errorf("%d: %v", i, errs[i])
				continue
			}
			code, err := app.Core.Auth.ClaimCode(t.Context())
			if err != nil {
				t.Error(err)
			}
			codes[code] = true
			if err := app.Close(); err != nil {
				t.Error(err)
			}
		}
		if len(codes) != 1 {
			t.Errorf("they print %d different codes", len(codes))
		}
	})
}

func TestWhatCannotBeOpenedIsSaidWithItsCode(t *testing.T) {
	t.Parallel()
	for code, change := range map[string]func(t *testing.T, c *config.Config){
		"config.invalid": func(_ *testing.T, c *config.Config) { c.Database = "mysql://x" },
		"assemble.data_dir": func(t *testing.T, c *config.Config) {
			world.Write(t, filepath.Join(c.DataDir, "file"), nil)
			c.DataDir = filepath.Join(c.DataDir, "file", "below")
		},
		"secrets.key_file": func(t *testing.T, c *config.Config) {
			world.Write(t, filepath.Join(c.DataDir, "secret.key"), []byte("short"))
		},
		"store.unavailable": func(_ *testing.T, c *config.Config) {
			c.Database = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"
		},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c := home(t)
			change(t, &c)
			app, err := assemble.Open(t.Context(), c, quiet())
			if app != nil || fault.CodeOf(err) != code {
				t.Errorf("it opens, or says %v", err)
			}
		})
	}
}

func TestAHandlerIsMountedInAnotherProgramsServer(t *testing.T) {
	t.Parallel()
	c := home(t)
	c.TrustedProxies = []string{"127.0.0.0/8"}
	app := open(t, c)
	handler, err := app.Handler()
	if err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(handler)
	defer host.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, host.URL+"/api/v1/settings", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), `"version":"embedded"`) {
		t.Errorf("%d %s %v", answer.StatusCode, body, err)
	}
	if answer.Header.Get("Strict-Transport-Security") == "" {
		t.Error("a trusted proxy is not believed")
	}
}

func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := home(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.MetricsListen = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	app := open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() { ended <- app.Serve(ctx, func(at net.Addr) { ready <- at }) }()
	at := <-ready
	get := func(address string) string {
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	get("http://" + at.String() + "/api/v1/settings?token=secret")
	metrics := func() string { return get("http://" + c.MetricsListen + "/metrics") }
	world.Until(t, "a job was seen", func() bool { return strings.Contains(metrics(), "revenge_jobs{") })
	text := metrics()
	for _, want := range []string{`revenge_http_request_duration_seconds_count{method="GET",route="/api/v1/settings"`, "revenge_database_connections", "revenge_cache_requests_total", "go_goroutines"} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(text, "secret") {
		t.Error("the metrics hold what was in an address")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAScanThatAStopInterruptedGoesOnAtTheNextStart(t *testing.T) {
	t.Parallel()
	c, films := home(t), t.TempDir()
	c.Scan.Watch = false
	for i := range 200 {
		world.Write(t, filepath.Join(films, "Film "+string(rune('A'+i%26))+string(rune('A'+i/26))+" (1950).mkv"), nil)
	}
	serve := func(until func(app *assemble.App) bool) {
		t.Helper()
		app := open(t, c)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		ready := make(chan net.Addr, 1)
		go func() { ended <- app.Serve(ctx, func(at net.Addr) { ready <- at }) }()
		<-ready
		world.Until(t, "the server has done its part", func() bool { return until(app) })
		stop()
		if err := errors.Join(<-ended, app.Close()); err != nil {
			t.Fatal(err)
		}
	}
	var id domain.ID
	serve(func(app *assemble.App) bool {
		l, err := app.Core.Library.Create(t.Context(), domain.SystemActor(), library.Draft{Name: "Films", Paths: []string{films}})
		if err != nil {
			t.Fatal(err)
		}
		id = l.ID
		return true // and stops at once
	})
	serve(func(app *assemble.App) bool {
		scan, err := app.Core.Library.CurrentScan(t.Context(), domain.SystemActor(), id)
		return err == nil && scan.State == domain.ScanDone && scan.Found == 200
	})
}

func TestTheSecretKeyIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	c := home(t)
	open(t, c)
	info, err := os.Stat(filepath.Join(c.DataDir, "secret.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	entries, err := filepath.Glob(filepath.Join(c.DataDir, ".secret-*"))
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
