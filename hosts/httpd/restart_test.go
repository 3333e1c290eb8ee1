package httpd_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/pgserver"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestADatabaseThatDiesIsWaitedForAndKeepsWhatWasAcknowledged stops PostgreSQL immediately, again and again, under a server that goes on
// (R5): every answer meanwhile is 503 with Retry-After, what was acknowledged is there afterwards, requests and jobs work again within 10 s.
// REVENGE_TEST_OUTAGES sets how often; 3 when it is not set.
func TestADatabaseThatDiesIsWaitedForAndKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	rounds := 3
	if wanted, err := strconv.Atoi(os.Getenv("REVENGE_TEST_OUTAGES")); err == nil {
		rounds = wanted
	}
	server := pgserver.New(t)
	w := world.New(t, world.Configure(func(c *config.Config) { c.Database = server.DSN() }))
	s := w.Serve(t)
	u := s.User(t)
	films := w.Library(t, t.TempDir())
	var slowest time.Duration
	for round := range rounds {
		name := fmt.Sprintf("Ulf %d", round)
		if got := u.Do(t, http.MethodPatch, "/api/v1/users/me", map[string]any{"displayName": name}); got.Status != http.StatusOK {
			t.Fatalf("round %d: %d %s", round, got.Status, got.Body)
		}
		server.Kill(t)
		for refused := 0; refused < 10; {
			for _, got := range []world.Response{
				u.Get(t, "/users/me"),
				u.Do(t, http.MethodPatch, "/api/v1/users/me", map[string]any{"displayName": "Nobody"}),
				s.Anonymous().Post(t, "/auth/login", map[string]any{"login": "ulf", "password": world.Password}),
			} {
				switch {
				case got.Status == http.StatusOK && refused == 0: // what was read a moment ago
				case got.Status == http.StatusServiceUnavailable && got.Header.Get("Retry-After") != "":
					got.Problem(t)
					refused++
				default:
					t.Fatalf("round %d: an outage is answered with %d %v %s", round, got.Status, got.Header, got.Body)
				}
			}
		}
		if got := s.Anonymous().Do(t, http.MethodGet, "/healthz", nil); got.Status != http.StatusOK {
			t.Fatalf("round %d: liveness is answered with %d", round, got.Status)
		}
		server.Start(t)
		back := time.Now()
		var me world.Response
		world.Until(t, "the server has its database back", func() bool {
			me = u.Get(t, "/users/me")
			if me.Status != http.StatusOK && me.Status != http.StatusServiceUnavailable {
				t.Fatalf("round %d: while it comes back: %d %s", round, me.Status, me.Body)
			}
			return me.Status == http.StatusOK
		})
		took := time.Since(back)
		slowest = max(slowest, took)
		if took > 10*time.Second {
			t.Errorf("round %d: it took %s", round, took)
		}
		if got := world.Decode[httpd.Me](t, me, http.StatusOK); got.User.DisplayName != name {
			t.Fatalf("round %d: acknowledged %q, kept %s", round, name, me.Body)
		}
		w.ScanUntilDone(t, films.ID) // the jobs go on by themselves
	}
	t.Logf("%d rounds, the slowest recovery took %s", rounds, slowest)
}
