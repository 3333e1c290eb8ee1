package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
	"github.com/revenge-media/revenge/web"
)

// leashed says that the process has a pipe as file 3, with whose end it ends.
const leashed = "REVENGE_TEST_LEASHED"

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

var (
	printedAddress = regexp.MustCompile(`http://localhost:(\d+)`)
	printedCode    = regexp.MustCompile(`/setup#code=([A-Z2-7-]+)`)
)

// backend starts "revenge serve" as a process and returns its address and the code for its owner.
func backend(t *testing.T, films string, environ ...string) (address, code string) {
	t.Helper()
	leash, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := &output{}, &output{}
	command := exec.Command(os.Args[0], "--data-dir", t.TempDir(), "serve", "--listen", "127.0.0.1:0", films)
	command.Env = append(append(os.Environ(), "REVENGE_METRICS_LISTEN=", "REVENGE_LOG_LEVEL=error", asProgram+"=revenge", leashed+"=1"), environ...)
	command.Stdout, command.Stderr, command.ExtraFiles = stdout, stderr, []*os.File{leash}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	leash.Close()
	gone := make(chan struct{})
	go func() {
		_ = command.Wait()
		hold.Close()
		close(gone)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-gone
	})
	world.Until(t, "the server says where it is", func() bool {
		select {
		case <-gone:
			t.Fatalf("the server ended: %s", stderr)
		default:
		}
		return strings.HasSuffix(stdout.String(), "\n\n") && printedCode.MatchString(stdout.String())
	})
	return "127.0.0.1:" + printedAddress.FindStringSubmatch(stdout.String())[1], printedCode.FindStringSubmatch(stdout.String())[1]
}

// front starts nginx with our configuration before a backend, believing proxies at 127.0.0.1, and returns its address.
func front(t *testing.T, backend string) string {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if nginx, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed")
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	pages, err := filepath.Abs("../web/build")
	if err != nil {
		t.Fatal(err)
	}
	headers, err := exec.Command(node, "headers.mjs", filepath.Join(pages, "index.html")).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	world.Write(t, filepath.Join(dir, "headers.conf"), headers)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	text := read(t, "deploy/nginx.conf")
	var places []string
	for _, place := range []struct{ was, is string }{ // what a container has, and this computer has elsewhere
		{"listen 8080;", "listen " + address + ";"}, {"/usr/share/nginx/html", `"` + pages + `"`}, {"/etc/nginx/headers.conf", dir + "/headers.conf"}, {"/tmp/", dir + "/"},
		{"http://revenge:8585", "http://" + backend}, {"172.30.85.0/24 1", "127.0.0.1/32 1"}, {"worker_processes auto;", "worker_processes 1;"}, {"/dev/stderr", "stderr"},
	} {
		if !strings.Contains(text, place.was) {
			t.Fatalf("nginx.conf has no %q any more", place.was)
		}
		places = append(places, place.was, place.is)
	}
	text = strings.NewReplacer(places...).Replace(text)
	if os.Geteuid() == 0 {
		text = "user root;\n" + text
	}
	configuration := filepath.Join(dir, "nginx.conf")
	world.Write(t, configuration, []byte(text))
	if said, err := exec.Command(nginx, "-t", "-e", "stderr", "-c", configuration, "-p", dir).CombinedOutput(); err != nil || bytes.Contains(said, []byte("[warn]")) {
		t.Fatalf("nginx -t: %v %s", err, said)
	}
	said := &output{}
	command := exec.Command(nginx, "-e", "stderr", "-c", configuration, "-p", dir, "-g", "daemon off;")
	command.Stderr, command.SysProcAttr = said, &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	gone := make(chan struct{})
	go func() { // one thread for all of its life, by whose death nginx would end
		defer close(gone)
		runtime.LockOSThread()
		started <- command.Start()
		_ = command.Wait()
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-gone
	})
	world.Until(t, "nginx listens", func() bool {
		select {
		case <-gone:
			t.Fatalf("nginx ended: %s", said)
		default:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return address
}

// from is a client that has this address.
func from(t *testing.T, ip string) *http.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: world.Patience}
}

// ask sends a request; headers are names and values by turns.
func ask(t *testing.T, client *http.Client, method, address string, body any, headers ...string) (*http.Response, []byte) {
	t.Helper()
	answer := begin(t, client, method, address, body, headers...)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, text
}

func begin(t *testing.T, client *http.Client, method, address string, body any, headers ...string) *http.Response {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestNginxBeforeTheServerAnswersAsTheServerDoes starts both and asks either.
func TestNginxBeforeTheServerAnswersAsTheServerDoes(t *testing.T) {
	t.Parallel()
	if _, built := web.Build(); !built {
		t.Skip("the web pages are not built: scripts/build web")
	}
	films := t.TempDir()
	film := world.Film(t, films, "Alien (1979)", demo.H264AAC)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(film, old, old); err != nil {
		t.Fatal(err)
	}
	direct, code := backend(t, films, "REVENGE_TRUSTED_PROXIES=127.0.0.1/32")
	through := front(t, direct)
	proxy, stranger := from(t, "127.0.0.1"), from(t, "127.0.0.2")

	// Pages: the same headers by either way, over TLS or not, and the application's page for every address of its own.
	index, err := os.ReadFile("../web/build/index.html")
	if err != nil {
		t.Fatal(err)
	}
	hashed := regexp.MustCompile(`/_app/immutable/[^"]+\.js`).Find(index)
	for _, path := range []string{"/", "/movies/0199?tab=cast", "/admin/jobs", "/index.html", "/theme.js", "/icon.svg", "/manifest.webmanifest", string(hashed),
		"/_app/immutable/gone.js", "/_app/gone", "/gone.js", "/healthz", "/readyz", "/startupz", "/api/v1/settings", "/api/v1/gone", "/api/v1/movies", "/metrics"} {
		for _, proto := range []string{"http", "https"} {
			want, wanted := ask(t, proxy, http.MethodGet, "http://"+direct+path, nil, "X-Forwarded-Proto", proto)
			got, text := ask(t, proxy, http.MethodGet, "http://"+through+path, nil, "X-Forwarded-Proto", proto)
			if got.StatusCode != want.StatusCode || want.StatusCode == http.StatusOK && !strings.HasPrefix(path, "/readyz") && !bytes.Equal(text, wanted) {
				t.Errorf("%s: %d %.100s and not %d %.100s", path, got.StatusCode, text, want.StatusCode, wanted)
			}
			for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy",
				"Permissions-Policy", "Strict-Transport-Security", "Cache-Control", "Content-Type"} {
				if name == "Content-Type" && want.StatusCode == http.StatusNotFound {
					continue // each says it in its own way
				}
				a, b := fmt.Sprint(want.Header.Values(name)), strings.Replace(fmt.Sprint(got.Header.Values(name)), "application/javascript", "text/javascript", 1)
				if want.StatusCode == http.StatusNotFound && name == "Cache-Control" {
					if strings.Contains(b, "max-age") {
						t.Errorf("%s: that it is not there is kept: %s", path, b)
					}
					continue
				}
				if a != b {
					t.Errorf("%s by %s: %s is %s and not %s", path, proto, name, b, a)
				}
			}
		}
	}
	if got, text := ask(t, proxy, http.MethodGet, "http://"+through+"/play/0199", nil); got.StatusCode != http.StatusOK || !bytes.Equal(text, index) {
		t.Errorf("a deep link is answered with %d %.100s", got.StatusCode, text)
	}
	if got, _ := ask(t, proxy, http.MethodGet, "http://"+through+string(hashed), nil, "Accept-Encoding", "gzip"); got.Header.Get("Content-Encoding") != "gzip" || got.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("a script is not compressed: %v", got.Header)
	}

	// Who asks, and how, is believed of proxies only.
	status, text := ask(t, proxy, http.MethodPost, "http://"+through+"/api/v1/setup/claim", map[string]any{"code": code, "username": "ann", "password": world.Password})
	var in httpd.SignIn
	if err := json.Unmarshal(text, &in); err != nil || status.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", status.StatusCode, text)
	}
	bearer := []string{"Authorization", "Bearer " + in.AccessToken}
	for _, c := range []struct {
		client     *http.Client
		ip, cookie string
	}{{proxy, "203.0.113.9", "__Host-revenge="}, {stranger, "127.0.0.2", "revenge="}} {
		answer, text := ask(t, c.client, http.MethodPost, "http://"+through+"/api/v1/auth/login", map[string]any{"login": "ann", "password": world.Password, "cookie": true},
			"X-Forwarded-For", "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto", "https")
		var got struct{ Session domain.Session }
		if err := json.Unmarshal(text, &got); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", answer.StatusCode, text)
		}
		if cookie := answer.Header.Get("Set-Cookie"); got.Session.IP != c.ip || !strings.HasPrefix(cookie, c.cookie) {
			t.Errorf("who asks is %s and not %s, with the cookie %s", got.Session.IP, c.ip, cookie)
		}
	}
	if page, _ := ask(t, stranger, http.MethodGet, "http://"+through+"/", nil, "X-Forwarded-Proto", "https"); page.Header.Get("Strict-Transport-Security") != "" {
		t.Error("anybody can say that a page came over TLS")
	}

	// Events arrive while the stream goes on: what was scanned last is the first. They would with buffers too, since nginx passes each chunk of an answer without
	// a length on; what buffers are switched off for is in TestNginxReadsNoFasterThanItsClient.
	var found domain.Page[domain.MovieItem]
	world.Until(t, "the film is there", func() bool {
		_, text := ask(t, proxy, http.MethodGet, "http://"+through+"/api/v1/movies", nil, bearer...)
		return json.Unmarshal(text, &found) == nil && len(found.Items) == 1
	})
	stream := begin(t, proxy, http.MethodGet, "http://"+through+"/api/v1/admin/events", nil, bearer...)
	first := make([]byte, 16)
	if n, err := io.ReadFull(stream.Body, first); err != nil || stream.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("of the events arrive %q, %v, %v", first[:n], err, stream.Header)
	}
	stream.Body.Close()

	// Any part of a film.
	whole, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	_, text = ask(t, proxy, http.MethodPost, "http://"+through+"/api/v1/movies/"+found.Items[0].ID.String()+"/playback", map[string]any{"urlToken": true,
		"capabilities": playback.Capabilities{Containers: []string{"mp4"}, Video: []playback.VideoCapability{{Codec: "h264", CodecString: "avc1.640028"}}, Audio: []string{"aac"}}}, bearer...)
	var plan playback.Plan
	if err := json.Unmarshal(text, &plan); err != nil || plan.Selected == nil {
		t.Fatalf("no plan: %s", text)
	}
	got, part := ask(t, proxy, http.MethodGet, "http://"+through+plan.Selected.Parts[0].URL, nil, "Range", "bytes=100-299")
	if want := fmt.Sprintf("bytes 100-299/%d", len(whole)); got.StatusCode != http.StatusPartialContent || got.Header.Get("Content-Range") != want || !bytes.Equal(part, whole[100:300]) {
		t.Errorf("a part of the film is answered with %d %v", got.StatusCode, got.Header)
	}

	// The health checks of the images and the Compose file, as processes, with the environments of their containers but for where the server listens.
	_, all := services(t)
	for _, name := range []string{"revenge", "worker"} {
		check := all.in(name).in("healthcheck").words("test")[1:]
		for address, code := range map[string]int{direct: 0, freed(t): 1} {
			command := exec.CommandContext(t.Context(), os.Args[0], check[1:]...)
			for key, value := range all.in(name).in("environment") {
				command.Env = append(command.Env, fmt.Sprintf("%s=%v", key, value))
			}
			command.Env = append(command.Env, "REVENGE_DATA_DIR="+t.TempDir(), "REVENGE_LISTEN="+address, "REVENGE_WORKERS_LISTEN="+address, asProgram+"="+check[0])
			said, _ := command.CombinedOutput()
			if command.ProcessState.ExitCode() != code {
				t.Errorf("%v of %s ends with %d: %s", check, address, command.ProcessState.ExitCode(), said)
			}
		}
	}
}

// TestNginxReadsNoFasterThanItsClient: a film that somebody looks at slowly stays where it is. With buffers nginx would fetch it whole, into files of its container.
func TestNginxReadsNoFasterThanItsClient(t *testing.T) {
	t.Parallel()
	if _, built := web.Build(); !built {
		t.Skip("the web pages are not built: scripts/build web")
	}
	const size = 128 << 20 // far above what two connections' buffers of the system hold
	var sent atomic.Int64
	film := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		for part := make([]byte, 1<<20); sent.Load() < size; sent.Add(int64(len(part))) {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}))
	t.Cleanup(film.Close)
	through := front(t, film.Listener.Addr().String())
	answer := begin(t, from(t, "127.0.0.1"), http.MethodGet, "http://"+through+"/api/v1/film", nil)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the film is answered with %d", answer.StatusCode)
	}
	before, since := sent.Load(), time.Now()
	world.Until(t, "nginx reads on or waits for its client", func() bool {
		now := sent.Load()
		if now != before {
			before, since = now, time.Now()
		}
		return now == size || time.Since(since) > time.Second
	})
	if before == size {
		t.Errorf("nginx read %d bytes that nobody took", before)
	}
}

// freed is an address where nobody listens.
func freed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
