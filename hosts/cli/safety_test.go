package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestS1TheHostSetsNoWeakPasswordEither(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, weak := range []string{"fourteen chars", "passwordpassword", "bartholomew2024", "RevengeRevenge1", strings.Repeat("x", 1025)} {
		refused(t, 1, "user.invalid", dir, weak+"\n", "admin", "user", "create", "--admin", "bartholomew")
	}
}

// memory is what a line of /proc/PID/status says, in bytes (proc(5)).
func (p *program) memory(t *testing.T, line string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		t.Skip("this system does not tell of its processes")
	}
	found := regexp.MustCompile(`(?m)^` + line + `:\s+(\d+) kB$`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no %s in %s", line, status)
	}
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

func TestS2TwoHundredRightSignInsQueueAndAllSucceedInBoundedMemory(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	h.owner(t)
	p := h.start(t)
	p.login(t, "ann")
	before := p.memory(t, "VmRSS")
	const many = 200
	statuses := make([]int, many)
	var all sync.WaitGroup
	begun := time.Now()
	for i := range many {
		all.Go(func() {
			body := strings.NewReader(`{"login":"ann","password":"` + world.Password + `"}`)
			answer, err := (&http.Client{Transport: &http.Transport{}}).Post(p.url+"/api/v1/auth/login", "application/json", body)
			if err != nil {
				t.Error(err)
				return
			}
			defer answer.Body.Close()
			statuses[i] = answer.StatusCode
		})
	}
	all.Wait()
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}
	if counts[http.StatusOK] != many {
		t.Errorf("the answers are %v", counts)
	}
	bound := 3*int64(runtime.NumCPU())*46<<20 + 64<<20
	grown := p.memory(t, "VmHWM") - before
	t.Logf("%d sign-ins in %s; memory grew by %d MiB of %d", many, time.Since(begun).Round(time.Millisecond), grown>>20, bound>>20)
	if grown > bound {
		t.Errorf("the memory grew by %d MiB, more than %d", grown>>20, bound>>20)
	}
}

// claimed is a claim's answer.
func (s *served) claim(t *testing.T, code, username string) (int, httpd.SignIn) {
	t.Helper()
	answer, body := s.do(t, http.MethodPost, "/api/v1/setup/claim", "", map[string]any{"code": code, "username": username, "password": world.Password})
	var in httpd.SignIn
	if answer.StatusCode == http.StatusCreated {
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
	}
	return answer.StatusCode, in
}

// code is the claim code that a server printed.
func (p *program) code(t *testing.T) string {
	t.Helper()
	found := printedCode.FindStringSubmatch(p.stdout.String())
	if found == nil {
		t.Fatalf("the server prints no code: %s", p.stdout)
	}
	return found[1]
}

// TestS5S7S31TwoServersOnOneDatabaseAreOne attacks two processes at once that share a PostgreSQL database and a key, and no memory.
func TestS5S7S31TwoServersOnOneDatabaseAreOne(t *testing.T) {
	t.Parallel()
	films := t.TempDir()
	world.Film(t, films, "Alien (1979)", demo.H264AC3MKV)
	settled(t, films)
	h := home{t.TempDir(), sqlstoretest.PostgresDSN(t, false), nil}
	servers := []*program{h.start(t, films), h.start(t)}
	a, b := servers[0], servers[1]

	// S31: both print one code, which makes one owner.
	code := a.code(t)
	if other := b.code(t); other != code {
		t.Fatalf("one prints %s, the other %s", code, other)
	}
	const many = 50
	var all sync.WaitGroup
	var mu sync.Mutex
	var owners []httpd.SignIn
	counts := map[int]int{}
	for i := range many {
		all.Go(func() {
			status, in := servers[i%2].claim(t, code, fmt.Sprintf("owner%d", i))
			mu.Lock()
			defer mu.Unlock()
			if counts[status]++; status == http.StatusCreated {
				owners = append(owners, in)
			}
		})
	}
	all.Wait()
	// 503 is for those whose transaction met too many others: they may come again, and are late.
	if len(owners) != 1 || counts[http.StatusCreated]+counts[http.StatusNotFound]+counts[http.StatusForbidden]+counts[http.StatusServiceUnavailable] != many {
		t.Fatalf("the answers are %v", counts)
	}
	owner := owners[0]
	for _, p := range servers {
		if status, _ := p.claim(t, code, "late"); status != http.StatusNotFound {
			t.Errorf("a late claim is answered with %d", status)
		}
	}

	// S5: of one refresh token both make the same successor; the reuse of an older one ends the session on both.
	refresh := func(p *program, token string) (int, string) {
		answer, body := p.do(t, http.MethodPost, "/api/v1/auth/refresh", "", map[string]string{"refreshToken": token})
		var next httpd.Tokens
		if answer.StatusCode == http.StatusOK {
			if err := json.Unmarshal(body, &next); err != nil {
				t.Error(err)
			}
		}
		return answer.StatusCode, next.RefreshToken
	}
	first := a.login(t, owner.User.Username)
	successors := map[string]int{}
	for i := range 20 {
		all.Go(func() {
			status, next := refresh(servers[i%2], first.RefreshToken)
			for status == http.StatusServiceUnavailable { // as a client would, where too many transactions met
				status, next = refresh(servers[i%2], first.RefreshToken)
			}
			mu.Lock()
			defer mu.Unlock()
			if successors[next]++; status != http.StatusOK {
				t.Errorf("one of many refreshes is answered with %d", status)
			}
		})
	}
	all.Wait()
	if len(successors) != 1 {
		t.Fatalf("%d successors", len(successors))
	}
	for second := range successors {
		status, third := refresh(b, second)
		if status != http.StatusOK {
			t.Fatalf("the successor is answered with %d", status)
		}
		if status, _ := refresh(b, first.RefreshToken); status != http.StatusUnauthorized {
			t.Errorf("a replay is answered with %d", status)
		}
		for _, p := range servers {
			if status, _ := refresh(p, third); status != http.StatusUnauthorized {
				t.Errorf("after the replay the latest token is answered with %d", status)
			}
			world.Until(t, "the session of the replayed token has ended", func() bool {
				answer, _ := p.do(t, http.MethodGet, "/api/v1/users/me", first.AccessToken, nil)
				return answer.StatusCode == http.StatusUnauthorized
			})
		}
	}

	// S7: who signs out of one gets no further segment from the other.
	a.scanned(t, owner.AccessToken)
	viewer := b.login(t, owner.User.Username)
	film := get[domain.Page[domain.MovieItem]](t, &b.served, viewer.AccessToken, "/movies").Items[0]
	_, body := b.do(t, http.MethodPost, "/api/v1/movies/"+film.ID.String()+"/playback", viewer.AccessToken, map[string]any{"capabilities": playback.Capabilities{
		Containers: []string{"mp4"}, Video: []playback.VideoCapability{{Codec: "h264", CodecString: "avc1.640028"}}, Audio: []string{"aac"}, HLS: true,
	}})
	var plan playback.Plan
	if err := json.Unmarshal(body, &plan); err != nil || plan.Selected == nil {
		t.Fatalf("no plan: %v %s", err, body)
	}
	at, _, _ := strings.Cut(plan.Selected.Parts[0].URL, "/master.m3u8")
	segment := func(n int) int {
		answer, _ := b.do(t, http.MethodGet, fmt.Sprintf("%s/video/0/%d.m4s", at, n), viewer.AccessToken, nil)
		return answer.StatusCode
	}
	if got := segment(0); got != http.StatusOK {
		t.Fatalf("before the end of the session a segment is answered with %d", got)
	}
	if answer, body := a.do(t, http.MethodPost, "/api/v1/auth/logout", viewer.AccessToken, nil); answer.StatusCode != http.StatusOK {
		t.Fatalf("signing out: %d %s", answer.StatusCode, body)
	}
	ended := time.Now()
	world.Until(t, "the other server refuses the next segment", func() bool { return segment(1) == http.StatusUnauthorized })
	t.Logf("the other server refused after %s", time.Since(ended).Round(time.Millisecond))
	if took := time.Since(ended); took > 5*time.Second { // a second, and what a busy machine adds
		t.Errorf("it took %s", took)
	}
}

func TestS31TheClaimCodeIsOnTheScreenOnlyAndEndsAfterADayOrOnRequest(t *testing.T) {
	t.Parallel()
	h := onSQLite(t, "REVENGE_LOG_LEVEL=debug")
	p := h.start(t)
	code := p.code(t)
	bare := strings.ReplaceAll(code, "-", "")
	if bits := len(bare) * 5; bits < 128 { // of base 32
		t.Errorf("a code of %d bits: %s", bits, code)
	}
	check := func(code string) int {
		answer, _ := p.do(t, http.MethodPost, "/api/v1/setup/check", "", map[string]string{"code": code})
		return answer.StatusCode
	}
	if right, wrong := check(code), check(code[:len(code)-1]+"A"+"A"); right != http.StatusNoContent || wrong != http.StatusForbidden {
		t.Errorf("the right code is answered with %d, a wrong one with %d", right, wrong)
	}
	if n := strings.Count(p.stdout.String(), code); n != 1 {
		t.Errorf("it is printed %d times", n)
	}
	// Neither the log, at its most talkative, nor any file holds it.
	hidden := func(where string, text []byte) {
		for _, form := range []string{code, bare, strings.ToLower(bare), strings.ToLower(code)} {
			if bytes.Contains(text, []byte(form)) {
				t.Errorf("the code stands in %s", where)
			}
		}
	}
	hidden("the log", []byte(p.stderr.String()))
	if !strings.Contains(p.stderr.String(), "/setup/check") {
		t.Error("the log says nothing of the requests: this test asks nothing")
	}
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		hidden(path, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	// The host's owner replaces it while the server runs.
	replaced := strings.TrimSpace(h.do(t, "", "admin", "claim-code"))
	if replaced == code || check(code) != http.StatusForbidden || check(replaced) != http.StatusNoContent {
		t.Errorf("after %s was replaced by %s they are answered with %d and %d", code, replaced, check(code), check(replaced))
	}
	p.kill()
	if p = h.start(t); p.code(t) != replaced {
		t.Errorf("another start prints %s, not %s", p.code(t), replaced)
	}

	// A day later.
	p.kill()
	s := h.database(t)
	err = s.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
		secret, err := tx.Secrets.Get(ctx, "claim-code")
		if err != nil {
			return err
		}
		if left := time.Until(*secret.ExpiresAt); left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("a code lasts %s", left)
		}
		past, old := domain.Stamp(time.Now().Add(-time.Minute)), secret
		secret.ExpiresAt = &past
		_, err = tx.Secrets.Replace(ctx, old, secret)
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	p = h.start(t)
	fresh := p.code(t)
	if fresh == replaced || check(replaced) != http.StatusForbidden || check(fresh) != http.StatusNoContent {
		t.Errorf("an expired code is answered with %d, its successor %s with %d", check(replaced), fresh, check(fresh))
	}

	if status, _ := p.claim(t, fresh, "ann"); status != http.StatusCreated {
		t.Fatalf("the claim is answered with %d", status)
	}
	if status, _ := p.claim(t, fresh, "bob"); status != http.StatusNotFound || check(fresh) != http.StatusNotFound {
		t.Errorf("afterwards a claim is answered with %d, a check with %d", status, check(fresh))
	}
	late := h.launch(t, "", "admin", "claim-code")
	if late.exit(t) != 1 || !strings.Contains(late.stderr.String(), "setup.done") {
		t.Errorf("a server with an owner gives a code: %s%s", late.stdout, late.stderr)
	}
	p.kill()
	if p = h.start(t); printedCode.MatchString(p.stdout.String()) {
		t.Errorf("a server with an owner prints a code: %s", p.stdout)
	}
}

// TestS30TwoThousandSlowClientsDelayNobodyAndAreCutOff holds connections open with half a header, with half a body, and with a body
// that nobody waits for, while others ask for what they are to get at once.
func TestS30TwoThousandSlowClientsDelayNobodyAndAreCutOff(t *testing.T) {
	t.Parallel()
	many := 2000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Cur) - 500; most < many { // Go has raised it as far as it is let
		t.Logf("%d files may be open here: only %d slow clients", limit.Cur, most)
		many = most
	}
	h := onSQLite(t)
	h.owner(t)
	p := h.start(t)
	address := "127.0.0.1:" + p.url[strings.LastIndex(p.url, ":")+1:]
	slow := []string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", // and no end
		"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"login\":\"",
		"POST /api/v1/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx",
	}
	lasted := make([]time.Duration, many)
	var hanging, opened sync.WaitGroup
	opened.Add(many)
	for i := range many {
		hanging.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				defer conn.Close()
				_, err = io.WriteString(conn, slow[i%len(slow)])
			}
			opened.Done()
			if err != nil {
				t.Errorf("slow client %d: %v", i, err)
				return
			}
			begun := time.Now()
			_ = conn.SetReadDeadline(begun.Add(world.Patience))
			_, err = io.Copy(io.Discard, conn)
			var late net.Error
			lasted[i] = time.Since(begun)
			if errors.As(err, &late) && late.Timeout() {
				lasted[i] = world.Patience
			}
		})
	}
	opened.Wait()
	const asked = 400
	took := make([]time.Duration, asked)
	var asking sync.WaitGroup
	for worker := range 4 {
		asking.Go(func() {
			for i := worker; i < asked; i += 4 {
				begun := time.Now()
				answer, err := http.Get(p.url + "/healthz")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if took[i] = time.Since(begun); err != nil || answer.StatusCode != http.StatusOK || len(body) == 0 {
					t.Errorf("/healthz: %d %s %v", answer.StatusCode, body, err)
				}
			}
		})
	}
	asking.Wait()
	p.login(t, "ann")
	hanging.Wait()
	slices.Sort(took)
	for i, sent := range slow {
		var longest time.Duration
		for n := i; n < many; n += len(slow) {
			longest = max(longest, lasted[n])
		}
		t.Logf("%q was borne for %s at most", sent, longest.Round(time.Millisecond))
		if longest > 25*time.Second { // 5 s, and what a busy machine adds
			t.Errorf("%q was not cut off", sent)
		}
	}
	t.Logf("%d slow clients; /healthz took %s in the middle, %s at p99", many, took[asked/2], took[asked*99/100])
	// Nothing is left of them.
	world.Until(t, "the server has let go of the slow clients", func() bool {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
		return err != nil || len(open) < 200
	})
}
