package httpd_test

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestADatabaseThatIsTooSlowIsNotQueuedForWithoutEnd has five hundred clients ask for what a database with a pool of five connections does not answer (R6): each is told to come
// again, none that it is not signed in, liveness is answered meanwhile, and all is well once the database is quick.
func TestADatabaseThatIsTooSlowIsNotQueuedForWithoutEnd(t *testing.T) {
	t.Parallel()
	if os.Getenv(sqlstoretest.PostgresVariable) == "" {
		t.Skip(sqlstoretest.PostgresVariable + " is not set: scripts/with-services sets it")
	}
	w := world.New(t, world.Idle(), world.Postgres(), world.Configure(func(c *config.Config) {
		c.Postgres.MaxConns, c.Postgres.StatementTimeout = 5, time.Second
	}))
	s := w.Serve(t)
	u := s.Admin(t)
	w.Library(t, t.TempDir())
	if got := u.Get(t, "/movies"); got.Status != http.StatusOK {
		t.Fatal(got.Status, string(got.Body))
	}
	conn, err := pgx.Connect(t.Context(), w.App.Config.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	slow, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Exec(t.Context(), "LOCK TABLE movies IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	answers := make([]world.Response, 500)
	for i := range answers {
		// What is kept needs no database, so nobody asks for that.
		if i%2 == 0 {
			clients.Go(func() { answers[i] = u.Do(t, http.MethodGet, "/api/v1/movies", nil, "Cache-Control", "no-cache") })
		} else {
			clients.Go(func() { answers[i] = u.Get(t, fmt.Sprintf("/movies?yearFrom=%d", i)) })
		}
	}
	over := make(chan struct{})
	go func() { clients.Wait(); close(over) }()
	looks := 0
	for waiting := true; waiting; looks++ {
		begin := time.Now()
		if got := s.Anonymous().Do(t, http.MethodGet, "/healthz", nil); got.Status != http.StatusOK {
			t.Fatalf("liveness is answered with %d", got.Status)
		}
		if took := time.Since(begin); took > 10*time.Second { // a database that is waited for takes for ever
			t.Errorf("liveness took %s", took)
		}
		select {
		case <-over:
			waiting = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := slow.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	statuses := map[int]int{}
	for _, a := range answers {
		if statuses[a.Status]++; a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Fatalf("it is answered with %d %v %s", a.Status, a.Header, a.Body)
		}
	}
	t.Logf("%v, liveness asked %d times", statuses, looks)
	world.Until(t, "all is well again", func() bool { return u.Get(t, "/movies").Status == http.StatusOK })
}
