package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/cli"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// output may be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// served is "revenge serve" as a value.
type served struct {
	url            string
	stdout, stderr *output
	stop           context.CancelFunc
	ended          chan int
}

var printedAddress = regexp.MustCompile(`http://localhost:\d+`)

// serve starts the program on a free port and waits until it says where it is.
func serve(t *testing.T, dir string, folders ...string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &served{stdout: &output{}, stderr: &output{}, stop: stop, ended: make(chan int, 1)}
	args := append([]string{"--data-dir", dir, "serve", "--listen", "127.0.0.1:0"}, folders...)
	go func() {
		s.ended <- cli.Main(ctx, cli.Program{Args: args, Environ: environ, Stdin: strings.NewReader(""), Stdout: s.stdout, Stderr: s.stderr})
	}()
	t.Cleanup(func() { s.end(t) })
	world.Until(t, "the server says where it is", func() bool {
		select {
		case code := <-s.ended:
			s.ended <- code
			t.Fatalf("the server ended with %d: %s", code, s.stderr)
		default:
		}
		s.url = printedAddress.FindString(s.stdout.String())
		return s.url != "" && strings.HasSuffix(s.stdout.String(), "\n\n")
	})
	return s
}

// end stops the server as a signal would and returns its exit code.
func (s *served) end(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case code := <-s.ended:
		s.ended <- code
		return code
	case <-time.After(world.Patience):
		t.Fatal("the server does not stop")
		return -1
	}
}

func (s *served) do(t *testing.T, method, path, token string, body any) (*http.Response, []byte) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var all bytes.Buffer
	if _, err := all.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer, all.Bytes()
}

var printedCode = regexp.MustCompile(`/setup#code=([A-Z2-7-]+)`)

func TestServePrintsTheLinkThatMakesTheOwnerAndShowsTheFolderThatItWasGiven(t *testing.T) {
	t.Parallel()
	dir, films := t.TempDir(), filepath.Join(t.TempDir(), "Our films")
	world.Film(t, films, "Alien (1979)", demo.H264AAC)
	s := serve(t, dir, films)
	code := printedCode.FindStringSubmatch(s.stdout.String())
	if code == nil || strings.Contains(s.stderr.String(), code[1]) {
		t.Fatalf("the first run prints %s%s", s.stdout, s.stderr)
	}
	answer, body := s.do(t, "POST", "/api/v1/setup/claim", "", map[string]any{"code": code[1], "username": "ann", "password": world.Password})
	var in httpd.SignIn
	if err := json.Unmarshal(body, &in); err != nil || answer.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
	var found domain.Page[domain.MovieItem]
	world.Until(t, "the film is there", func() bool {
		_, body := s.do(t, "GET", "/api/v1/movies", in.AccessToken, nil)
		return json.Unmarshal(body, &found) == nil && len(found.Items) == 1
	})
	if found.Items[0].Title != "Alien" || found.Items[0].Year != 1979 {
		t.Errorf("%+v", found.Items[0])
	}
	for _, probe := range []string{"/healthz", "/readyz", "/startupz"} {
		if answer, body := s.do(t, "GET", probe, "", nil); answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", probe, answer.StatusCode, body)
		}
	}
	if _, body := s.do(t, "GET", "/metrics", "", nil); strings.Contains(string(body), "revenge_http_request") {
		t.Error("the metrics are on the public port")
	}
	if code := s.end(t); code != 0 {
		t.Errorf("it ended with %d: %s", code, s.stderr)
	}

	// What a person has stays theirs over a restart: account, session, films; and the set-up is over.
	again := serve(t, dir, films)
	if printedCode.MatchString(again.stdout.String()) {
		t.Errorf("a server with an owner prints a link: %s", again.stdout)
	}
	_, body = again.do(t, "GET", "/api/v1/movies", in.AccessToken, nil)
	if err := json.Unmarshal(body, &found); err != nil || len(found.Items) != 1 {
		t.Errorf("after a restart: %s", body)
	}
	if _, body := again.do(t, "GET", "/api/v1/libraries", in.AccessToken, nil); strings.Count(string(body), `"createdAt"`) != 1 {
		t.Errorf("the folder became a second library: %s", body)
	}
}

func TestAStopLetsRequestsEndAndEndsStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, dir, world.Password+"\n", "admin", "user", "create", "--admin", "ann")
	s := serve(t, dir)
	_, body := s.do(t, "POST", "/api/v1/auth/login", "", map[string]any{"login": "ann", "password": world.Password})
	var in httpd.SignIn
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/admin/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+in.AccessToken)
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	// Sign-ins that are under way when the stop comes take their time to compare passwords, and are answered all the same.
	statuses := make(chan int, 4)
	var asking sync.WaitGroup
	for range cap(statuses) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strings.TrimPrefix(s.url, "http://localhost:"))
		if err != nil {
			t.Fatal(err)
		}
		asking.Go(func() {
			defer conn.Close()
			client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, DisableKeepAlives: true}}
			body, _ := json.Marshal(map[string]any{"login": "ann", "password": world.Password})
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/auth/login", bytes.NewReader(body))
			if err != nil {
				return
			}
			r.Header.Set("Content-Type", "application/json")
			answer, err := client.Do(r)
			if err != nil {
				statuses <- 0
				return
			}
			defer answer.Body.Close()
			statuses <- answer.StatusCode
		})
	}
	first := <-statuses // so that all have been sent
	begun := time.Now()
	code := s.end(t)
	asking.Wait()
	close(statuses)
	if code != 0 || time.Since(begun) > 30*time.Second {
		t.Errorf("it ended with %d after %s: %s", code, time.Since(begun), s.stderr)
	}
	if first != http.StatusOK {
		t.Errorf("before the stop a sign-in is answered with %d", first)
	}
	for status := range statuses {
		if status != http.StatusOK {
			t.Errorf("a sign-in under way is answered with %d", status)
		}
	}
	if _, err := http.Get(s.url + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}

func TestATakenAddressIsSaid(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	refused(t, 1, "serve.listen", t.TempDir(), "", "serve", "--listen", taken.Addr().String())
	refused(t, 1, "serve.no_folder", t.TempDir(), "", "serve", "--listen", "127.0.0.1:0", filepath.Join(t.TempDir(), "gone"))
}

// stopping is standard output that stops the program as soon as it says something.
type stopping struct {
	output
	stop context.CancelFunc
}

func (s *stopping) Write(p []byte) (int, error) {
	s.stop()
	return s.output.Write(p)
}

func TestAStopWhileTheServerSaysWhereItIsEndsItInOrder(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	out, stderr := &stopping{stop: stop}, &output{}
	code := cli.Main(ctx, cli.Program{Args: []string{"--data-dir", t.TempDir(), "serve", "--listen", "127.0.0.1:0"}, Environ: environ, Stdin: strings.NewReader(""), Stdout: out, Stderr: stderr})
	if code != 0 || !strings.Contains(out.String(), "Revenge") {
		t.Errorf("it ended with %d: %s%s", code, out, stderr)
	}
}
