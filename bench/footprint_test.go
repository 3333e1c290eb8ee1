package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
)

const (
	starts     = 11
	restMinute = time.Minute
	restFilms  = 1000
	startFilms = 10000
)

// installed is the program as it is installed, running on SQLite.
type installed struct {
	*exec.Cmd
	b       *testing.B
	address string
	began   time.Time
}

// install builds the program as scripts/build does.
func install(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "revenge")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "../hosts/cli/cmd/revenge")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return path
}

// launch starts the program without waiting for it.
func launch(b *testing.B, program string, environ []string, args ...string) *installed {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	i := &installed{b: b, address: free.Addr().String()}
	free.Close()
	i.Cmd = exec.Command(program, append([]string{"serve", "--listen", i.address}, args...)...)
	i.Env = append(append(os.Environ(), "REVENGE_METRICS_LISTEN=", "REVENGE_LOG_LEVEL=error", "REVENGE_SCAN_FRAMES=false"), environ...)
	i.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	i.began = time.Now()
	if err := i.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(i.stop)
	return i
}

func (i *installed) stop() {
	if i.ProcessState == nil {
		i.Process.Signal(syscall.SIGTERM)
		i.Wait()
	}
}

// answered waits until a path is answered with 200 and returns the milliseconds since the start.
func (i *installed) answered(path, token string) float64 {
	i.b.Helper()
	r := newRequest(path, token)
	for time.Since(i.began) < time.Minute {
		if connection, err := dial(i.address); err == nil {
			status, _, err := connection.do(r)
			connection.conn.Close()
			if err == nil && status == http.StatusOK {
				return time.Since(i.began).Seconds() * 1000
			}
		}
		time.Sleep(500 * time.Microsecond)
	}
	i.b.Fatalf("%s is not answered", path)
	return 0
}

// processorTime is what the process has used in all.
func (i *installed) processorTime() time.Duration {
	i.b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.Process.Pid))
	if err != nil {
		i.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ") // proc(5): the name may hold anything
	fields, ticks := strings.Fields(rest), 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			i.b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}

// BenchmarkFootprint measures what the program costs where it is installed: its file, its start, and its rest.
func BenchmarkFootprint(b *testing.B) {
	program := install(b)
	info, err := os.Stat(program)
	if err != nil {
		b.Fatal(err)
	}
	report := func(r measure.Row) {
		b.Run(strings.ReplaceAll(r.Path, " ", "-"), func(b *testing.B) { measure.Report(b, r) })
	}
	const section = "Footprint"
	report(measure.Absolute(float64(info.Size())/1e6, 60, section, "the program's file", "MB"))

	c := catalogueOf(b, "SQLite", startFilms)
	environ := []string{"REVENGE_DATABASE=" + c.DSN, "REVENGE_DATA_DIR=" + c.Dir}
	first := launch(b, program, environ)
	first.answered("/healthz", "")
	token := signIn(b, first.address, memberName)
	first.stop()
	var resting *installed
	for _, answer := range []struct{ name, path string }{{"/healthz", "/healthz"}, {"a page of films", "/api/v1/movies?limit=50"}} {
		var took []float64
		for range starts {
			if resting != nil {
				resting.stop()
			}
			resting = launch(b, program, environ)
			took = append(took, resting.answered(answer.path, token))
		}
		row := measure.Absolute(measure.Median(took), 100, section, fmt.Sprintf("from start to %s, %d films", answer.name, startFilms), "ms")
		row.Spread = fmt.Sprintf("%.3g–%.3g", measure.Percentile(took, 0), measure.Percentile(took, 1))
		report(row)
	}

	// One server rests after its start, another after the first scan of its library. Each has a file of its own, whose pages are private
	// memory, too, as long as one process alone has mapped them.
	films := b.TempDir()
	fill(b, films, restFilms, content(b, demo.H264AAC), content(b, demo.H264MKV))
	scanned := launch(b, install(b), []string{"REVENGE_DATA_DIR=" + b.TempDir()}, films)
	for deadline, last, still := time.Now().Add(5*time.Minute), time.Duration(0), 0; still < 3; time.Sleep(2 * time.Second) {
		// The scan is over when the process has done next to nothing for six seconds.
		now := scanned.processorTime()
		if still++; now-last > 200*time.Millisecond {
			still = 0
		}
		if last = now; time.Now().After(deadline) {
			b.Fatal("the scan does not end")
		}
	}
	before := resting.processorTime()
	time.Sleep(restMinute)
	used := (resting.processorTime() - before).Seconds() / restMinute.Seconds() * 100
	report(measure.Absolute(privateMemory(b, resting.Process.Pid), 60, section, fmt.Sprintf("private memory a minute after the start, %d films", startFilms), "MiB"))
	report(measure.Absolute(privateMemory(b, scanned.Process.Pid), 60, section, fmt.Sprintf("private memory a minute after the first scan of %d films", restFilms), "MiB"))
	report(measure.Absolute(used, 3, section, "processor time at rest", "% of a core"))
}

// signIn returns an access token of an account that has the member's password.
func signIn(b *testing.B, address, name string) string {
	b.Helper()
	body, err := json.Marshal(map[string]string{"login": name, "password": memberPassword})
	if err != nil {
		b.Fatal(err)
	}
	answer, err := http.Post("http://"+address+"/api/v1/auth/login", "application/json", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	var in httpd.SignIn
	if err := json.NewDecoder(answer.Body).Decode(&in); err != nil || in.AccessToken == "" {
		b.Fatalf("%d: %v", answer.StatusCode, err)
	}
	return in.AccessToken
}
