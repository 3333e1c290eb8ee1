package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
)

const (
	// turn is how long a side is asked at a time; quick rounds while somebody works on a path set it in the environment.
	turn         = 1500 * time.Millisecond
	turnVariable = "REVENGE_BENCH_TURN"
	api          = "/api/v1"
	logins       = 64
	hashMemory   = 46 * 1024 // KiB, as sign-ins cost by default
)

var apiDatabases = []string{"SQLite", "PostgreSQL"}

func turnLength() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(turnVariable)); err == nil {
		return d
	}
	return turn
}

// served is Revenge and its limit program on one catalogue.
type served struct {
	*catalogue
	revenge, limit    *process
	ours, theirs      string // addresses
	token, limitToken string
	key               []byte
}

// serve starts both on the catalogue and signs the member in. settings are Revenge's besides, as NAME=value.
func serve(b *testing.B, c *catalogue, settings ...string) *served {
	b.Helper()
	s := &served{catalogue: c, key: make([]byte, 32)}
	rand.Read(s.key)
	environ := append([]string{"REVENGE_DATABASE=" + c.DSN, "REVENGE_METRICS_LISTEN=", "REVENGE_SCAN_WATCH=false", "REVENGE_LOG_SLOW_QUERY=5s"}, settings...)
	s.revenge = start(b, "revenge", "http://localhost:", environ, "--data-dir", c.Dir, "serve", "--listen", "127.0.0.1:0")
	s.ours = "127.0.0.1:" + s.revenge.Ready
	connection, err := dial(s.ours)
	if err != nil {
		b.Fatal(err)
	}
	defer connection.conn.Close()
	status, body, err := connection.do(newPost(api+"/auth/login", fmt.Sprintf(`{"login":%q,"password":%q}`, memberName, memberPassword)))
	var in httpd.SignIn
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || status != 200 {
		b.Fatalf("signing in is answered %d %s %v", status, body, err)
	}
	s.token = in.AccessToken
	if s.limitToken, err = limitToken(s.key, c.Member); err != nil {
		b.Fatal(err)
	}
	var me httpd.Me
	s.get(b, s.ours, api+"/users/me", s.token, &me)
	same, err := json.Marshal(limitSettings{DSN: c.DSN, Member: c.Member, Libraries: c.Libraries, Key: s.key, Me: me})
	if err != nil {
		b.Fatal(err)
	}
	s.limit = start(b, "limit-api", "listening ", []string{limitVariable + "=" + string(same)})
	s.theirs = s.limit.Ready
	return s
}

// get reads one answer.
func (s *served) get(b *testing.B, address, path, token string, into any) {
	b.Helper()
	connection, err := dial(address)
	if err != nil {
		b.Fatal(err)
	}
	defer connection.conn.Close()
	status, body, err := connection.do(newRequest(path, token))
	if err == nil && status == 200 {
		err = json.Unmarshal(body, into)
	}
	if err != nil || status != 200 {
		b.Fatalf("%s is answered %d %s %v", path, status, body, err)
	}
}

// same fails unless both sides answer a path with the same.
func same[T any](b *testing.B, s *served, path string) {
	b.Helper()
	var ours, theirs T
	s.get(b, s.ours, api+path, s.token, &ours)
	s.get(b, s.theirs, path, s.limitToken, &theirs)
	if page, ok := any(&ours).(*domain.Page[domain.MovieItem]); ok {
		if len(page.Items) != 50 || page.NextCursor == "" {
			b.Fatalf("%s has %d items", path, len(page.Items))
		}
		page.NextCursor = any(&theirs).(*domain.Page[domain.MovieItem]).NextCursor // of another form
	}
	if !reflect.DeepEqual(ours, theirs) {
		a, _ := json.Marshal(ours)
		z, _ := json.Marshal(theirs)
		b.Fatalf("%s is answered\n%s\nand by the limit program\n%s", path, a, z)
	}
}

// compare asks both sides for the paths in turn, Revenge for what its database has.
func (s *served) compare(b *testing.B, clients int, paths ...string) measure.Comparison {
	b.Helper()
	var ours, theirs []request
	for _, path := range paths {
		ours = append(ours, fresh(newRequest(api+path, s.token)))
		theirs = append(theirs, newRequest(path, s.limitToken))
	}
	return s.versus(b, clients, ours, theirs)
}

// versus lets both sides answer their requests in turn.
func (s *served) versus(b *testing.B, clients int, ours, theirs []request) measure.Comparison {
	b.Helper()
	for address, requests := range map[string][]request{s.ours: ours, s.theirs: theirs} {
		if err := learn(address, requests); err != nil {
			b.Fatal(err)
		}
	}
	side := func(address string, requests []request) measure.Side {
		return func(ctx context.Context) (float64, error) { return load(ctx, address, requests, clients, turnLength()) }
	}
	c, err := measure.Interleave(b.Context(), measure.Rounds, side(s.ours, ours), side(s.theirs, theirs))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkAPI compares what pages of the web UI ask for with the limit program, at two sizes on both apiDatabases.
func BenchmarkAPI(b *testing.B) {
	for _, count := range []int{10_000, 100_000} {
		for _, kind := range apiDatabases {
			b.Run(fmt.Sprintf("%s/%d", kind, count), func(b *testing.B) {
				s := serve(b, catalogueOf(b, kind, count))
				section := fmt.Sprintf("API, %s, %d films", kind, count)
				films := make([]string, len(s.Films))
				for i, id := range s.Films {
					films[i] = "/movies/" + id.String()
				}
				same[domain.Page[domain.MovieItem]](b, s, "/movies")
				for _, path := range films[:20] {
					same[domain.Movie](b, s, path)
				}
				same[httpd.Me](b, s, "/users/me")
				for _, clients := range []int{16, 64} {
					run := func(name string, wish float64, paths ...string) {
						b.Run(fmt.Sprintf("%s/c=%d", strings.NewReplacer(" ", "-", "/", "-").Replace(name), clients), func(b *testing.B) {
							for b.Loop() {
								measure.Report(b, s.compare(b, clients, paths...).AtLeast(wish, section, fmt.Sprintf("%s, %d clients", name, clients), "requests/s"))
							}
						})
					}
					run("list of 50", 0.6, "/movies")
					run("one film", 0.6, films...)
					if count == 10_000 { // what the account is, no film changes
						run("GET /users/me", 0.8, "/users/me")
					}
				}
			})
		}
	}
}

// sorts are all that lists of films offer.
var sorts = strings.Fields("title -title year -year added -added rating -rating runtime -runtime random -random")

// BenchmarkDeepPages compares a page deep in each order with the first one, by their medians.
func BenchmarkDeepPages(b *testing.B) {
	const films, deep, rounds, samples = 100_000, 20_000, 9, 20 // the two differ by less than a busy second: many short turns
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			s := serve(b, catalogueOf(b, kind, films))
			median := func(path string) measure.Side {
				r := fresh(newRequest(path, s.token))
				return func(context.Context) (float64, error) { return medianAnswer(s.ours, r, samples) }
			}
			for _, sort := range sorts {
				b.Run(sort, func(b *testing.B) {
					first := api + "/movies?sort=" + sort
					var page domain.Page[domain.MovieItem]
					for seen := 0; seen < deep; seen += len(page.Items) {
						path := first + "&limit=100"
						if page.NextCursor != "" {
							path += "&cursor=" + page.NextCursor
						}
						page = domain.Page[domain.MovieItem]{}
						s.get(b, s.ours, path, s.token, &page)
						if page.NextCursor == "" {
							b.Fatalf("the list ends after %d films", seen)
						}
					}
					for b.Loop() {
						c, err := measure.Interleave(b.Context(), rounds, median(first+"&cursor="+page.NextCursor), median(first))
						if err != nil {
							b.Fatal(err)
						}
						measure.Report(b, c.AtMost(1.2, fmt.Sprintf("Page after %d of %d films against the first, %s, medians", deep, films, kind), "sort="+sort, "ms"))
					}
				})
			}
		})
	}
}

// BenchmarkLogin signs in from 64 clients at once and compares with as many hashes of argon2id alone.
func BenchmarkLogin(b *testing.B) {
	const films = 10_000
	hashing := start(b, "limit-argon2", "listening ", nil)
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			s := serve(b, catalogueOf(b, kind, films))
			r := newPost(api+"/auth/login", fmt.Sprintf(`{"login":%q,"password":%q}`, memberName, memberPassword))
			growth := 0.0
			ours := func(context.Context) (float64, error) {
				before, err := memory(s.revenge.Process.Pid, "VmRSS")
				if err != nil {
					return 0, err
				}
				if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.revenge.Process.Pid), []byte("5"), 0); err != nil { // the peak counts from here: proc(5)
					return 0, err
				}
				took, err := together(s.ours, logins, func(_ int, c *client) error {
					status, body, err := c.do(r)
					if err != nil || status != 200 {
						return fmt.Errorf("a login is answered %d %s: %w", status, body, err)
					}
					return nil
				})
				if err != nil {
					return 0, err
				}
				peak, err := memory(s.revenge.Process.Pid, "VmHWM")
				growth = math.Max(growth, peak-before)
				return logins / took.Seconds(), err
			}
			for b.Loop() {
				c, err := measure.Interleave(b.Context(), measure.Rounds, ours, hashes(hashing))
				if err != nil {
					b.Fatal(err)
				}
				section := "Login, " + kind
				measure.Report(b, c.AtLeast(0.85, section, fmt.Sprintf("%d at once, all of which succeed", logins), "logins/s"))
				most := float64(3*runtime.NumCPU()*hashMemory)/1024 + 64
				measure.Report(b, measure.Absolute(growth, most, section, "memory growth", "MiB"))
			}
		})
	}
}

// together runs do once for each of so many connections, all at once, and returns how long that took.
func together(address string, count int, do func(i int, c *client) error) (time.Duration, error) {
	failures := make([]error, count)
	var group sync.WaitGroup
	start := time.Now()
	for i := range count {
		group.Go(func() {
			connection, err := dial(address)
			if err != nil {
				failures[i] = err
				return
			}
			defer connection.conn.Close()
			failures[i] = do(i, connection)
		})
	}
	group.Wait()
	return time.Since(start), errors.Join(failures...)
}

// hashes has the limit program of sign-ins compute as many hashes as there are sign-ins at once.
func hashes(of *process) measure.Side {
	return func(context.Context) (float64, error) {
		connection, err := dial(of.Ready)
		if err != nil {
			return 0, err
		}
		defer connection.conn.Close()
		line, err := connection.in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		took, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		return logins / (took / 1e9), err
	}
}

// memory reads a figure of a process from /proc, in MiB.
func memory(pid int, name string) (float64, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), name+":")
	line, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	return kib / 1024, err
}
