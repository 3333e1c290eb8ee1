package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/world"
)

// fresh asks past what is kept.
func fresh(r request) request {
	r.wire = withHeader(r.wire, "Cache-Control: no-cache")
	return r
}

// BenchmarkKept compares a list that is asked for again with JSON that was marshalled before, and being told that nothing changed with an empty
// answer. Both sides look at the token of every request.
func BenchmarkKept(b *testing.B) {
	const films = 10_000
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			section := fmt.Sprintf("Kept, %s, %d films", kind, films)
			s := serve(b, catalogueOf(b, kind, films))
			same[domain.Page[domain.MovieItem]](b, s, "/movies")
			known := newRequest(api+"/movies", s.token)
			known.wire = withHeader(known.wire, "If-None-Match: "+s.etag(b, api+"/movies"))
			known.status = http.StatusNotModified
			ping := newRequest("/ping", s.limitToken)
			ping.status = http.StatusNoContent
			for _, clients := range []int{16, 64} {
				for _, c := range []struct {
					name         string
					ours, theirs request
				}{
					{"list of 50, again; limit: marshalled before", newRequest(api+"/movies", s.token), newRequest("/hot", s.limitToken)},
					{"304 of a list; limit: an empty answer", known, ping},
				} {
					b.Run(fmt.Sprintf("%d/c=%d", c.ours.status, clients), func(b *testing.B) {
						for b.Loop() {
							measure.Report(b, s.versus(b, clients, []request{c.ours}, []request{c.theirs}).AtLeast(0.6, section, fmt.Sprintf("%s, %d clients", c.name, clients), "requests/s"))
						}
					})
				}
			}
		})
	}
}

// etag returns the entity tag of what the member is answered.
func (s *served) etag(b *testing.B, path string) string {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+s.ours+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.Header.Get("ETag") == "" {
		b.Fatalf("%s is answered %d without an entity tag", path, answer.StatusCode)
	}
	return answer.Header.Get("ETag")
}

// BenchmarkSessionCheck looks at sessions as every request by one does: of a thousand in turn, whether it is open, and whose it is with what roles. The
// limit checks a JWT, which says nothing of what happened since it was made.
func BenchmarkSessionCheck(b *testing.B) {
	const sessions, checks = 1000, 200_000
	w := world.New(b, world.Idle())
	open := make([]domain.ID, sessions)
	for i := range open {
		if i == 0 {
			w.User(b)
		}
		in, err := w.Auth.Login(b.Context(), "ulf", world.Password, domain.Client{IP: "192.0.2.1", UserAgent: "bench"}, auth.Options{})
		if err != nil {
			b.Fatal(err)
		}
		open[i] = in.SignedIn.Session.ID
	}
	key := bytes.Repeat([]byte{7}, 32)
	token, err := limitToken(key, domain.NewID())
	if err != nil {
		b.Fatal(err)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	ours := perSecond(checks, func(ctx context.Context, i int) bool {
		_, _, err := w.Sessions.Authenticate(ctx, open[i%sessions])
		return err == nil
	})
	theirs := perSecond(checks, func(context.Context, int) bool {
		_, err := parser.ParseWithClaims(token, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil })
		return err == nil
	})
	for b.Loop() {
		c, err := measure.Interleave(b.Context(), measure.Rounds, ours, theirs)
		if err != nil {
			b.Fatal(err)
		}
		measure.Report(b, c.AtLeast(0.8, "Access", "check of a kept session, of a thousand in turn; limit: check of a JWT", "checks/s"))
	}
}

// perSecond measures how many of many checks are made in a second.
func perSecond(n int, check func(ctx context.Context, i int) bool) measure.Side {
	each := perCheck(n, check)
	return func(ctx context.Context) (float64, error) {
		took, err := each(ctx)
		return 1e6 / took, err
	}
}

// BenchmarkMillion compares a list of a million films with that of a thousand, by their medians, each read from the database.
func BenchmarkMillion(b *testing.B) {
	const many, few, rounds, samples = 1_000_000, 1_000, 9, 40
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			median := func(films int) measure.Side {
				s := serve(b, catalogueOf(b, kind, films))
				r := fresh(newRequest(api+"/movies", s.token))
				var page domain.Page[domain.MovieItem]
				if s.get(b, s.ours, api+"/movies", s.token, &page); len(page.Items) != 50 {
					b.Fatalf("a list of %d films has %d items", films, len(page.Items))
				}
				return func(context.Context) (float64, error) { return medianAnswer(s.ours, r, samples) }
			}
			ours, limit := median(many), median(few)
			for b.Loop() {
				c, err := measure.Interleave(b.Context(), rounds, ours, limit)
				if err != nil {
					b.Fatal(err)
				}
				measure.Report(b, c.AtMost(1.2, "A list of a million films against one of a thousand, medians", kind+", list of 50", "ms"))
			}
		})
	}
}

// medianAnswer is how long one of some answers takes over one connection, in ms.
func medianAnswer(address string, r request, samples int) (float64, error) {
	connection, err := dial(address)
	if err != nil {
		return 0, err
	}
	defer connection.conn.Close()
	took := make([]float64, samples)
	for i := range took {
		start := time.Now()
		status, body, err := connection.do(r)
		if took[i] = float64(time.Since(start)) / float64(time.Millisecond); err != nil || status != r.status {
			return 0, fmt.Errorf("%.60q is answered %d %s: %w", r.wire, status, body, err)
		}
	}
	return measure.Median(took), nil
}

// readAddresses are what somebody may read of a catalogue, as the API has it; the films are in place of %s. Pictures and streams are measured where there
// are files (BenchmarkPlaying).
func readAddresses() []string {
	return strings.Fields(`/movies /movies?limit=100 /movies?q=the /movies?sort=random&seed=7 /movies?sort=-rating&genre=Drama /movies/%s /movies/%s/cast /movies/%s/crew /movies/%s/files
		/movies/%s/genres /movies/%s/progress /movies/index /movies/stats /movies/recently-added /movies/continue-watching /movies/watch-history /genres /libraries /sessions /settings /mfa/status
		/mfa/trusted-devices /mfa/webauthn/credentials /users/me /users/me/activity /users/me/api-keys /users/me/oidc /users/me/preferences /users/me/settings
		/admin/activity /admin/activity/stats /admin/files /admin/invitations /admin/jobs /admin/oidc/providers /admin/permissions /admin/processes /admin/queues /admin/roles
		/admin/schedules /admin/settings /admin/users`)
}

// BenchmarkMemory measures the memory of the installed program while 64 clients ask for one address after the other, past what is kept and for it. Pages
// of the program's file, which the system may drop at any time, are not counted: that they are all this process's alone is since nobody else runs it.
func BenchmarkMemory(b *testing.B) {
	const films, clients, wish = 10_000, 64, 120
	program := install(b)
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			c := catalogueOf(b, kind, films)
			environ := []string{"REVENGE_DATABASE=" + c.DSN, "REVENGE_DATA_DIR=" + c.Dir, "REVENGE_SCAN_WATCH=false"}
			create := exec.Command(program, "admin", "user", "create", "--admin", "keeper")
			create.Env, create.Stdin = append(environ, "PATH=/usr/bin:/bin"), strings.NewReader(memberPassword+"\n")
			if out, err := create.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("taken")) {
				b.Fatalf("%v: %s", err, out)
			}
			server := launch(b, program, environ)
			server.answered("/healthz", "")
			keeper, member := signIn(b, server.address, "keeper"), signIn(b, server.address, memberName)
			asked := map[string][]request{}
			for _, address := range readAddresses() {
				paths := []string{address}
				if strings.Contains(address, "%s") {
					paths = nil
					for _, id := range c.Films {
						paths = append(paths, strings.Replace(address, "%s", id.String(), 1))
					}
				}
				for _, path := range paths {
					token := member
					if strings.HasPrefix(path, "/admin/") {
						token = keeper
					}
					r := newRequest(api+path, token)
					asked[address] = append(asked[address], r, fresh(r))
				}
				if err := learn(server.address, asked[address]); err != nil {
					b.Fatal(err)
				}
				for i := range asked[address] {
					asked[address][i].length = -1 // jobs come and go
				}
			}
			for b.Loop() {
				worst, most := "", 0.0
				for _, address := range readAddresses() {
					peak, err := memoryUnder(b, server, asked[address], clients)
					if err != nil {
						b.Fatalf("%s: %v", address, err)
					}
					b.Logf("%s: %.0f MiB", address, peak)
					if peak > most {
						worst, most = address, peak
					}
				}
				row := measure.Absolute(most, wish, "Memory, "+kind, fmt.Sprintf("memory of its own, %d clients at each of %d addresses", clients, len(asked)), "MiB")
				row.Spread = "most at " + strings.Replace(worst, "%s", "ID", 1)
				measure.Report(b, row)
			}
		})
	}
}

// memoryUnder is the most memory of its own that the server has while it is asked.
func memoryUnder(b *testing.B, server *installed, requests []request, clients int) (most float64, err error) {
	b.Helper()
	loaded, stop := context.WithCancel(b.Context())
	var group sync.WaitGroup
	group.Go(func() {
		defer stop()
		_, err = load(b.Context(), server.address, requests, clients, turnLength())
	})
	for tick := time.NewTicker(100 * time.Millisecond); loaded.Err() == nil; {
		select {
		case <-loaded.Done():
		case <-tick.C:
			most = max(most, ownMemory(b, server.Process.Pid))
		}
	}
	group.Wait()
	return most, err
}
