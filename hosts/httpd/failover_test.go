package httpd_test

import (
	"database/sql"
	"net/http"
	"testing"

	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/pgserver"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestADatabaseThatOnlyReadsIsReadAndWritesComeBack is a failover as people meet it (R5): while the database takes no writes, what writes is answered 503
// with Retry-After and what reads is served; as soon as it takes them again, requests and jobs go on without a restart.
func TestADatabaseThatOnlyReadsIsReadAndWritesComeBack(t *testing.T) {
	t.Parallel()
	server := pgserver.New(t)
	w := world.New(t, world.Configure(func(c *config.Config) { c.Database = server.DSN() }))
	s := w.Serve(t)
	u := s.User(t)
	films := w.Library(t, t.TempDir())
	w.ScanUntilDone(t, films.ID)
	operator, err := sql.Open("pgx", server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close()
	rename := func(name string) world.Response {
		return u.Do(t, http.MethodPatch, "/api/v1/users/me", map[string]any{"displayName": name})
	}
	for _, state := range []string{"on", "off"} {
		for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = " + state, "SELECT pg_reload_conf()"} {
			if _, err := operator.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]int{"on": http.StatusServiceUnavailable, "off": http.StatusOK}[state]
		world.Until(t, "the server notices that read-only is "+state, func() bool {
			got := rename("Ulf " + state)
			if got.Status != http.StatusOK && (got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "") {
				t.Fatalf("a write is answered with %d %v %s", got.Status, got.Header, got.Body)
			}
			return got.Status == want
		})
		for _, path := range []string{"/users/me", "/movies", "/libraries"} {
			if got := u.Get(t, path); got.Status != http.StatusOK {
				t.Errorf("while read-only is %s, %s is answered with %d %s", state, path, got.Status, got.Body)
			}
		}
	}
	w.ScanUntilDone(t, films.ID)
}
