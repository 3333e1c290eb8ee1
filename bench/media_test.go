package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/world"
)

func init() {
	programs["fileserver"] = fileServer
	programs["filereader"] = fileReader
}

// fileServer is the limit of direct play: Go's own file server over a folder.
func fileServer() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("listening http://" + listener.Addr().String())
	fmt.Fprintln(os.Stderr, http.Serve(listener, http.FileServer(http.Dir(os.Args[1]))))
	return 1
}

// fileReader is the limit of segments: it reads stretches of files, "OFFSET LENGTH PATH" a line, and answers with the nanoseconds that each took.
func fileReader() int {
	fmt.Println("ready")
	buffer := make([]byte, 1<<20)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var offset, length int64
		var path string
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %q", &offset, &length, &path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		began := time.Now()
		file, err := os.Open(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for length > 0 {
			n, err := file.ReadAt(buffer[:min(length, int64(len(buffer)))], offset)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			offset, length = offset+int64(n), length-int64(n)
		}
		file.Close()
		fmt.Println("took", time.Since(began).Nanoseconds())
	}
	return 0
}

// theatre is Revenge as a process of its own, on SQLite, with a signed-in administrator.
type theatre struct {
	*process
	b         *testing.B
	data, url string
	token     string
	client    *http.Client
}

var serverEnvironment = []string{"REVENGE_METRICS_LISTEN=", "REVENGE_LOG_LEVEL=error", "REVENGE_CACHE_DIR="}

// openTheatre starts Revenge over a folder of films and waits until all of it is scanned.
func openTheatre(b *testing.B, films string) *theatre {
	b.Helper()
	th := &theatre{b: b, data: b.TempDir(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}}
	create := exec.Command(os.Args[0], "--data-dir", th.data, "admin", "user", "create", "--admin", "ann")
	create.Env = append(append(os.Environ(), serverEnvironment...), asProgram+"=revenge")
	create.Stdin = strings.NewReader(world.Password + "\n")
	if out, err := create.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	th.serve(films)
	var in httpd.SignIn
	th.call(http.MethodPost, "/auth/login", map[string]any{"login": "ann", "password": world.Password}, &in)
	th.token = in.AccessToken
	var libraries struct{ Items []domain.Library }
	th.call(http.MethodGet, "/libraries", nil, &libraries)
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var scan domain.Scan
		th.call(http.MethodGet, "/admin/libraries/"+libraries.Items[0].ID.String()+"/scan", nil, &scan)
		if scan.State == domain.ScanDone {
			return th
		}
		if time.Now().After(deadline) {
			b.Fatalf("the scan is not done: %+v", scan)
		}
	}
}

// serve starts the server again over what it has.
func (th *theatre) serve(films ...string) {
	th.b.Helper()
	if th.process != nil {
		th.stop()
	}
	th.process = start(th.b, "revenge", "On this computer", serverEnvironment, append([]string{"--data-dir", th.data, "serve", "--listen", "127.0.0.1:0"}, films...)...)
	at, err := url.Parse(th.Ready)
	if err != nil {
		th.b.Fatal(err)
	}
	th.url = "http://127.0.0.1:" + at.Port()
}

// call asks the API.
func (th *theatre) call(method, path string, body, into any) {
	th.b.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		th.b.Fatal(err)
	}
	r := th.request(th.b.Context(), method, th.url+"/api/v1"+path, bytes.NewReader(data))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := th.client.Do(r)
	if err != nil {
		th.b.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		th.b.Fatalf("%s: %d %s %v", path, answer.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		th.b.Fatalf("%s: %v", path, err)
	}
}

func (th *theatre) request(ctx context.Context, method, address string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		th.b.Fatal(err)
	}
	if th.token != "" {
		r.Header.Set("Authorization", "Bearer "+th.token)
	}
	return r
}

// streams returns the address below which a film's streams are, ".../stream/FILE/REVISION".
func (th *theatre) streams(title string) string {
	th.b.Helper()
	var found domain.Page[domain.MovieItem]
	th.call(http.MethodGet, "/movies?q="+url.QueryEscape(title), nil, &found)
	if len(found.Items) != 1 {
		th.b.Fatalf("%d films are called %s", len(found.Items), title)
	}
	var plan playback.Plan
	th.call(http.MethodPost, "/movies/"+found.Items[0].ID.String()+"/playback", map[string]any{"capabilities": playback.Capabilities{
		Containers: []string{"mp4"}, Video: []playback.VideoCapability{{Codec: "h264", CodecString: "avc1.640028"}}, Audio: []string{"aac"}, HLS: true,
	}}, &plan)
	if plan.Selected == nil {
		th.b.Fatalf("%s is not played: %+v", title, plan)
	}
	address, _, _ := strings.Cut(plan.Selected.Parts[0].URL, "?")
	return th.url + address[:strings.LastIndexByte(address, '/')]
}

// privateMemory is what a process has for itself alone, in MiB: what would be free if it ended. Pages of the program's file count where no
// other process has mapped them.
func privateMemory(b *testing.B, pid int) float64 {
	b.Helper()
	return rollup(b, pid, "Private_Clean:", "Private_Dirty:")
}

// ownMemory is what of that lies in no file.
func ownMemory(b *testing.B, pid int) float64 {
	b.Helper()
	return rollup(b, pid, "Anonymous:")
}

// rollup adds up lines of what the system tells of a process's memory (proc(5), smaps), in MiB.
func rollup(b *testing.B, pid int, names ...string) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Skip("this system does not tell of its processes: ", err)
	}
	kib := 0.0
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && slices.Contains(names, f[0]) {
			n, _ := strconv.ParseFloat(f[1], 64)
			kib += n
		}
	}
	return kib / 1024
}

// Films of the benchmarks: an hour of 1280x720 at about 4 Mbit/s with stereo, as players get them, once in each container.
const (
	filmTitle   = "Long Way"
	filmMinutes = 40
)

// makeFilms encodes twenty seconds and repeats them.
func makeFilms(b *testing.B, dir string) (mkv, mp4 string) {
	b.Helper()
	run := func(args ...string) {
		if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-nostdin", "-y"}, args...)...).CombinedOutput(); err != nil {
			b.Fatalf("ffmpeg: %v: %s", err, out)
		}
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		b.Skip("ffmpeg is not installed")
	}
	reel := filepath.Join(b.TempDir(), "reel.mkv")
	run("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=24,noise=alls=12:allf=t", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "20",
		"-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-maxrate", "5M", "-bufsize", "8M", "-g", "72", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k", "-ac", "2", reel)
	mkv, mp4 = filepath.Join(dir, filmTitle+" One (2001)", "film.mkv"), filepath.Join(dir, filmTitle+" Two (2002)", "film.mp4")
	old := time.Now().Add(-time.Hour)
	for _, film := range []string{mkv, mp4} {
		if err := os.MkdirAll(filepath.Dir(film), 0o755); err != nil {
			b.Fatal(err)
		}
		run("-stream_loop", strconv.Itoa(3*filmMinutes-1), "-i", reel, "-c", "copy", "-movflags", "+faststart", film)
		if err := errors.Join(os.Chtimes(film, old, old), os.Chtimes(filepath.Dir(film), old, old)); err != nil {
			b.Fatal(err)
		}
	}
	return mkv, mp4
}

// BenchmarkPlaying measures what viewers wait for: bytes of a file that plays as it is, and segments of one that does not.
func BenchmarkPlaying(b *testing.B) {
	films := b.TempDir()
	if err := os.Chmod(filepath.Dir(films), 0o755); err != nil { // other servers' workers are other users
		b.Fatal(err)
	}
	mkv, mp4 := makeFilms(b, films)
	th := openTheatre(b, films)
	b.Run("Direct", func(b *testing.B) { direct(b, th, films, mp4) })
	for _, film := range []struct{ container, title, path string }{{"Matroska", filmTitle + " One", mkv}, {"MP4", filmTitle + " Two", mp4}} {
		b.Run("Segment"+film.container, func(b *testing.B) { segments(b, th, "segment of "+film.container, film.title, film.path) })
	}
}

const (
	section     = "Playing"
	viewers     = 16
	directRound = 3 * time.Second
)

// direct lets viewers jump about in one film that lies in the system's file cache.
func direct(b *testing.B, th *theatre, folder, film string) {
	info, err := os.Stat(film)
	if err != nil {
		b.Fatal(err)
	}
	relative, err := filepath.Rel(folder, film)
	if err != nil {
		b.Fatal(err)
	}
	escaped := (&url.URL{Path: "/" + relative}).EscapedPath()
	side := func(request *http.Request) measure.Side {
		return func(ctx context.Context) (float64, error) {
			return randomRanges(ctx, request, info.Size(), viewers, directRound)
		}
	}
	ours := side(th.request(b.Context(), http.MethodGet, th.streams(filmTitle+" Two")+"/direct", nil))
	limits := []struct{ name, base string }{{"Go's file server", start(b, "fileserver", "listening", nil, folder).Ready}}
	if at := startNginx(b, folder); at != "" {
		limits = append(limits, struct{ name, base string }{"nginx", at})
	}
	if _, err := ours(b.Context()); err != nil { // everything is in the file cache, and every connection was made once
		b.Fatal(err)
	}
	before := privateMemory(b, th.Process.Pid)
	most := before
	watching, stop := context.WithCancel(b.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-watching.Done():
				tick.Stop()
				return
			case <-tick.C:
				most = max(most, privateMemory(b, th.Process.Pid))
			}
		}
	})
	for _, limit := range limits {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, limit.base+escaped, nil)
		if err != nil {
			b.Fatal(err)
		}
		compared, err := measure.Interleave(b.Context(), measure.Rounds, ours, side(request))
		if err != nil {
			b.Fatal(err)
		}
		measure.Report(b, compared.AtLeast(0.85, section, fmt.Sprintf("direct play, %d clients, random ranges; limit: %s", viewers, limit.name), "MiB/s"))
	}
	stop()
	watch.Wait()
	measure.Report(b, measure.Absolute(most-before, 16, section, fmt.Sprintf("direct play, %d clients: private memory over that before", viewers), "MiB"))
}

// randomRanges returns the MiB per second that so many viewers get together, each with one connection, asking for ranges of 256 KiB to 8 MiB.
func randomRanges(ctx context.Context, pattern *http.Request, size int64, viewers int, round time.Duration) (float64, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: viewers, DisableCompression: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, round)
	defer cancel()
	var got atomic.Int64
	failures := make([]error, viewers)
	var all sync.WaitGroup
	began := time.Now()
	for v := range viewers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(v), 4))
			buffer := make([]byte, 256<<10)
			for ctx.Err() == nil && failures[v] == nil {
				length := int64(float64(256<<10) * math.Pow(32, random.Float64()))
				from := random.Int64N(size - length)
				request := pattern.Clone(ctx)
				request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+length-1))
				answer, err := transport.RoundTrip(request)
				if err != nil {
					failures[v] = err
					return
				}
				var n int64
				for err == nil {
					var some int
					some, err = answer.Body.Read(buffer)
					n += int64(some)
					got.Add(int64(some))
				}
				answer.Body.Close()
				if !errors.Is(err, io.EOF) || answer.StatusCode != http.StatusPartialContent || n != length {
					failures[v] = fmt.Errorf("%s: %d with %d of %d bytes: %w", request.URL, answer.StatusCode, n, length, err)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	for _, err := range failures {
		if err != nil && ctx.Err() == nil {
			return 0, err
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return 0, err
		}
	}
	return float64(got.Load()) / took.Seconds() / (1 << 20), nil
}

// startNginx serves a folder on a free port of the loopback interface and returns its address; "" where nginx is not installed.
func startNginx(b *testing.B, folder string) string {
	b.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		b.Log("nginx is not installed: no comparison with it")
		return ""
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	dir := b.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	text := fmt.Sprintf(`%s daemon off; worker_processes auto; pid %[2]s/pid; error_log stderr error;
events { worker_connections 256; }
http {
	access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000; default_type video/mp4;
	client_body_temp_path %[2]s/a; proxy_temp_path %[2]s/b; fastcgi_temp_path %[2]s/c; uwsgi_temp_path %[2]s/d; scgi_temp_path %[2]s/e;
	server { listen %[3]s; root "%[4]s"; }
}`, user, dir, address, folder)
	configuration := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	command := exec.Command(binary, "-e", "stderr", "-c", configuration, "-p", dir)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM)
		command.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if connection, err := net.Dial("tcp", address); err == nil {
			connection.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			b.Fatal("nginx does not listen")
		}
	}
}

const (
	seeks      = 60 // of a round
	ffmpegRuns = 6
)

var (
	pictureList = regexp.MustCompile(`(?m)^video/\d+/index\.m3u8`)
	segmentLine = regexp.MustCompile(`(?m)^#EXTINF:([0-9.]+),.*\n(.+)$`)
)

// segments jumps about in a film whose pictures are repackaged, one request after the other.
func segments(b *testing.B, th *theatre, name, title, path string) {
	base := th.streams(title) + "/"
	list := base + pictureList.FindString(string(fetch(b, th, base+"master.m3u8")))
	type place struct {
		address    string
		at, length float64 // seconds
		size       int64   // bytes
	}
	var places []place
	duration := 0.0
	for _, line := range segmentLine.FindAllStringSubmatch(string(fetch(b, th, list)), -1) {
		length, err := strconv.ParseFloat(line[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		places = append(places, place{address: list[:strings.LastIndexByte(list, '/')+1] + line[2], at: duration, length: length})
		duration += length
	}
	info, err := os.Stat(path)
	if err != nil || len(places) < 100 {
		b.Fatal(len(places), " segments ", err)
	}
	reader := startReader(b)
	random := rand.New(rand.NewPCG(7, 7))
	// Both sides of a round jump to the same places. How much lies there is asked beforehand, which also brings it into the file cache.
	compare := func(wish float64, what string, seeks int, prepare func() error, limit func(p place) (time.Duration, error)) {
		var jumps []place
		side := func(one func(p place) (time.Duration, error)) measure.Side {
			return func(context.Context) (float64, error) {
				now := jumps
				if jumps = nil; now == nil {
					for range seeks {
						p := places[random.IntN(len(places)-1)]
						if p.size, err = drain(th, p.address); err != nil {
							return 0, err
						}
						now = append(now, p)
					}
					jumps = now
				}
				var took []float64
				for _, p := range now {
					if err := prepare(); err != nil {
						return 0, err
					}
					t, err := one(p)
					if err != nil {
						return 0, err
					}
					took = append(took, t.Seconds()*1000)
				}
				return measure.Median(took), nil
			}
		}
		compared, err := measure.Interleave(b.Context(), measure.Rounds, side(func(p place) (time.Duration, error) {
			began := time.Now()
			_, err := drain(th, p.address)
			return time.Since(began), err
		}), side(limit))
		if err != nil {
			b.Fatal(err)
		}
		measure.Report(b, compared.AtMost(wish, section, name+" after a seek"+what, "ms"))
	}
	// A segment's bytes are taken to lie as far into the file as it begins into the film.
	fromDisk := func(p place) (time.Duration, error) {
		return reader.read(path, min(int64(p.at/duration*float64(info.Size())), info.Size()-p.size), p.size)
	}
	byFFmpeg := func(p place) (time.Duration, error) {
		command := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-ss", fmt.Sprintf("%.3f", p.at), "-t", fmt.Sprintf("%.3f", p.length), "-i", path,
			"-map", "0:v:0", "-c", "copy", "-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "-")
		began := time.Now()
		out, err := command.StdoutPipe()
		if err != nil {
			return 0, err
		}
		if err := command.Start(); err != nil {
			return 0, err
		}
		if _, err := io.Copy(io.Discard, out); err != nil {
			return 0, err
		}
		err = command.Wait()
		return time.Since(began), err
	}
	cached, forgotten := func() error { return nil }, func() error { return dropFromCache(path) }
	compare(4, ", in the file cache; limit: reading the same bytes", seeks, cached, fromDisk)
	compare(4, ", not in the file cache; limit: reading the same bytes", seeks/3, forgotten, fromDisk)
	compare(0.05, "; limit: ffmpeg -ss -c copy", ffmpegRuns, cached, byFFmpeg)

	// Without the index that the scan kept, the first segment makes it.
	if err := os.RemoveAll(filepath.Join(th.data, "cache")); err != nil {
		b.Fatal(err)
	}
	th.serve()
	began := time.Now()
	if _, err := drain(th, strings.Replace(places[len(places)/2].address, base, th.streams(title)+"/", 1)); err != nil {
		b.Fatal(err)
	}
	measure.Report(b, measure.Absolute(time.Since(began).Seconds()*1000, 1000, section, name+", the first of a film whose index is lost", "ms"))
}

func fetch(b *testing.B, th *theatre, address string) []byte {
	b.Helper()
	answer, err := th.client.Do(th.request(b.Context(), http.MethodGet, address, nil))
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d %s %v", address, answer.StatusCode, data, err)
	}
	return data
}

var drainBuffer = make([]byte, 256<<10)

// drain reads an answer to its end and returns its length.
func drain(th *theatre, address string) (int64, error) {
	answer, err := th.client.Do(th.request(th.b.Context(), http.MethodGet, address, nil))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var n int64
	for err == nil {
		var some int
		some, err = answer.Body.Read(drainBuffer)
		n += int64(some)
	}
	if !errors.Is(err, io.EOF) || answer.StatusCode != http.StatusOK {
		return n, fmt.Errorf("%s: %d after %d bytes: %w", address, answer.StatusCode, n, err)
	}
	return n, nil
}

// dropFromCache has the system forget a file's content, as far as it lets itself be told (posix_fadvise(2)).
func dropFromCache(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return errors.Join(file.Sync(), unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED))
}

// readerProcess is the program "filereader".
type readerProcess struct {
	in  io.Writer
	out *bufio.Scanner
}

func startReader(b *testing.B) *readerProcess {
	b.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asProgram+"=filereader")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		command.Wait()
	})
	r := &readerProcess{in, bufio.NewScanner(out)}
	if !r.out.Scan() {
		b.Fatal("the reader did not start")
	}
	return r
}

func (r *readerProcess) read(path string, offset, length int64) (time.Duration, error) {
	if _, err := fmt.Fprintf(r.in, "%d %d %q\n", offset, length, path); err != nil {
		return 0, err
	}
	if !r.out.Scan() {
		return 0, errors.New("the reader ended")
	}
	var ns int64
	_, err := fmt.Sscanf(r.out.Text(), "took %d", &ns)
	return time.Duration(ns), err
}
