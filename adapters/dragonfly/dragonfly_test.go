package dragonfly_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/dragonfly"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/locks"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/testkit/bustest"
	"github.com/revenge-media/revenge/testkit/cachetest"
	"github.com/revenge-media/revenge/testkit/lockstest"
	"github.com/revenge-media/revenge/testkit/ratelimittest"
)

const patience = 15 * time.Second

// shared is the server that all tests use; it is skipped where there is none.
func shared(t *testing.T) string {
	t.Helper()
	url := os.Getenv("REVENGE_TEST_REDIS")
	if url == "" {
		t.Skip("REVENGE_TEST_REDIS is not set: scripts/with-services sets it")
	}
	return url
}

func open(t *testing.T, url, prefix string, o dragonfly.Options) *dragonfly.Conn {
	t.Helper()
	o.Prefix, o.Logger = prefix, slog.New(slog.DiscardHandler)
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second // on a busy machine the contract counts, and not how fast it is kept
	}
	c, err := dragonfly.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newPrefix() string { return "test:" + domain.NewID().String() + ":" }

func pair(t *testing.T) (a, b *dragonfly.Conn) {
	t.Helper()
	prefix := newPrefix()
	return open(t, shared(t), prefix, dragonfly.Options{}), open(t, shared(t), prefix, dragonfly.Options{})
}

func TestCacheConformance(t *testing.T) {
	for name, o := range map[string]dragonfly.Options{"with client-side caching": {}, "without": {NoClientCaching: true}} {
		t.Run(name, func(t *testing.T) {
			cachetest.Run(t, func(t *testing.T) cachetest.Harness {
				return cachetest.Harness{Cache: open(t, shared(t), newPrefix(), o).Cache()}
			})
		})
	}
	t.Run("shared", func(t *testing.T) {
		cachetest.RunShared(t, func(t *testing.T) (cache.Shared, cache.Shared) { a, b := pair(t); return a.Shared(), b.Shared() })
	})
}

func TestBusConformance(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bus.Bus { return open(t, shared(t), newPrefix(), dragonfly.Options{}).Bus() })
	bustest.RunShared(t, func(t *testing.T) (bus.Bus, bus.Bus) { a, b := pair(t); return a.Bus(), b.Bus() })
}

func TestLimiterConformance(t *testing.T) {
	a, b := pair(t)
	ratelimittest.Run(t, func(*testing.T) ratelimit.Limiter { return a.Limiter() })
	t.Run("processes count together", func(t *testing.T) {
		rate, passed := ratelimit.Rate{Requests: 6, Per: time.Hour}, 0
		for i := range 20 {
			d, err := []*dragonfly.Conn{a, b}[i%2].Limiter().Allow(t.Context(), "together", rate)
			if err != nil {
				t.Fatal(err)
			}
			if d.Allowed {
				passed++
			}
		}
		if passed != 6 {
			t.Errorf("%d passed", passed)
		}
	})
}

func TestLocksConformance(t *testing.T) {
	a, b := pair(t)
	lockstest.Run(t, func(*testing.T) (locks.Locker, locks.Locker) { return a.Locker(), b.Locker() })
}

func TestAnAddressThatIsNoneIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost", "http://localhost", "redis://u:secret@localhost/x", "redis://u:secret@local host"} {
		_, err := dragonfly.Open(t.Context(), url, dragonfly.Options{})
		if fault.CodeOf(err) != dragonfly.CodeBadURL {
			t.Errorf("%q: %v", url, err)
		} else if text := fmt.Sprintf("%v %+v", err, err); len(text) == 0 || contains(text, "secret") {
			t.Errorf("%q: %s", url, text)
		}
	}
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}

// server is a server of a test's own, to be stopped and suspended.
type server struct {
	t       *testing.T
	address string
	process *exec.Cmd
	down    func()
}

func serve(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, address: free.Addr().String()}
	_ = free.Close()
	s.start()
	return s
}

func (s *server) url() string { return "redis://" + s.address }

func (s *server) start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.address)
	s.process = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	process := s.process
	if err := process.Start(); err != nil {
		s.t.Fatal(err)
	}
	stopped := false
	s.down = func() {
		if !stopped {
			stopped = true
			_ = process.Process.Kill()
			_ = process.Wait()
		}
	}
	s.t.Cleanup(s.down)
	until(s.t, "the server starts", func() bool { return s.say("PING") == "+PONG\r\n" })
}

func (s *server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// say sends one command on a connection of its own.
func (s *server) say(command string) string {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, command+"\r\n")
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return answer
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// faults are what happens to a server, with what ends it.
var faults = map[string]struct{ begin, end func(*server) }{
	"stopped":   {func(s *server) { s.down() }, func(s *server) { s.start() }},
	"suspended": {func(s *server) { s.signal(syscall.SIGSTOP) }, func(s *server) { s.signal(syscall.SIGCONT) }},
}

func TestAServerThatIsAwayCostsAMomentAndComesBackByItself(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			const timeout = 200 * time.Millisecond // four times the usual, for a busy machine
			c := open(t, s.url(), newPrefix(), dragonfly.Options{Timeout: timeout})
			calls := map[string]func(context.Context) error{
				"get":   func(ctx context.Context) error { _, _, err := c.Cache().Get(ctx, "k"); return err },
				"set":   func(ctx context.Context) error { return c.Cache().Set(ctx, "k", nil, time.Minute) },
				"lease": func(ctx context.Context) error { _, _, _, err := c.Shared().Lease(ctx, "g", "k"); return err },
				"allow": func(ctx context.Context) error {
					_, err := c.Limiter().Allow(ctx, "k", ratelimit.Rate{Requests: 1e6, Per: time.Second})
					return err
				},
				"lock": func(ctx context.Context) error {
					_, err := c.Locker().Acquire(ctx, domain.NewID().String(), time.Minute)
					return err
				},
				"tell": func(ctx context.Context) error { return c.Bus().Publish(ctx, bus.Message{Topic: "a"}) },
			}
			for what, call := range calls {
				until(t, what, func() bool { return call(t.Context()) == nil })
			}
			fault.begin(s)
			begin := time.Now()
			for range 100 {
				for what, call := range calls {
					if what == "get" {
						_ = call(t.Context()) // may still be known in this process
					} else if err := call(t.Context()); err == nil {
						t.Fatalf("%s is said to have worked", what)
					}
				}
			}
			if took := time.Since(begin); took > 5*timeout {
				t.Errorf("600 calls took %s", took)
			}
			fault.end(s)
			for what, call := range calls {
				until(t, what+" works again", func() bool { return call(t.Context()) == nil })
			}
		})
	}
}

func TestItStartsWithoutTheServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.down()
	c := open(t, s.url(), newPrefix(), dragonfly.Options{ConnectTimeout: 50 * time.Millisecond})
	if _, err := c.Ping(t.Context()); fault.CodeOf(err) != dragonfly.CodeUnreachable {
		t.Errorf("got %v", err)
	}
	heard, err := c.Bus().Subscribe(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	until(t, "it answers", func() bool { _, err := c.Ping(t.Context()); return err == nil })
	expectGap(t, heard)
}

func expectGap(t *testing.T, c <-chan bus.Message) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case m := <-c:
			if m.Gap {
				return
			}
		case <-deadline:
			t.Fatal("nobody told of a gap")
		}
	}
}

// drain takes what is there.
func drain(c <-chan bus.Message) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

func TestWhatWasPublishedWhileTheServerWasAwayIsAGapAndHeardAtHome(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, prefix := serve(t), newPrefix()
			o := dragonfly.Options{Timeout: 200 * time.Millisecond}
			a, b := open(t, s.url(), prefix, o), open(t, s.url(), prefix, o)
			home, err := a.Bus().Subscribe(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			away, err := b.Bus().Subscribe(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			fault.begin(s)
			if err := a.Bus().Publish(t.Context(), bus.Message{Topic: "a", Payload: []byte("1")}); err == nil {
				t.Error("it is said to be told")
			}
			select {
			case m := <-home:
				if string(m.Payload) != "1" {
					t.Errorf("got %+v", m)
				}
			case <-time.After(patience):
				t.Error("its own process did not hear it")
			}
			drain(away)
			fault.end(s)
			expectGap(t, away)
			until(t, "messages arrive again", func() bool {
				drain(away)
				if err := a.Bus().Publish(t.Context(), bus.Message{Topic: "a", Payload: []byte("2")}); err != nil {
					return false
				}
				select {
				case m := <-away:
					return string(m.Payload) == "2"
				case <-time.After(100 * time.Millisecond):
					return false
				}
			})
		})
	}
}

// What a process could not delete may be what says that a session lives: after the server was away nothing from before counts.
func TestADeletionThatWasLostHidesNothingOld(t *testing.T) {
	t.Parallel()
	s, prefix := serve(t), newPrefix()
	o := dragonfly.Options{Timeout: 200 * time.Millisecond}
	a, b := open(t, s.url(), prefix, o), open(t, s.url(), prefix, o)
	_, _, lease, err := b.Shared().Lease(t.Context(), "g", "k")
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := b.Shared().Fill(t.Context(), "g", "k", lease, []byte("old"), time.Hour); err != nil || !kept {
		t.Fatal(kept, err)
	}
	s.signal(syscall.SIGSTOP)
	if err := a.Shared().Delete(t.Context(), "other", "x"); err == nil { // what is stopped here is not the same key: the server may still act on that
		t.Error("it is said to be deleted")
	}
	if err := a.Shared().Delete(t.Context(), "g", "k"); err == nil { // refused at once
		t.Error("it is said to be deleted")
	}
	s.signal(syscall.SIGCONT)
	until(t, "the server is back", func() bool { _, err := a.Ping(t.Context()); return err == nil })
	for _, c := range []*dragonfly.Conn{a, b} {
		until(t, "it answers", func() bool { _, err := c.Ping(t.Context()); return err == nil })
		if value, ok, _, err := c.Shared().Lease(t.Context(), "g", "k"); err != nil || ok {
			t.Errorf("got %q, %v, %v", value, ok, err)
		}
	}
}

func TestAServerThatForgotKeepsNoLeaseAndNoLock(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := open(t, s.url(), newPrefix(), dragonfly.Options{})
	_, _, old, err := c.Shared().Lease(t.Context(), "g", "k")
	if err != nil {
		t.Fatal(err)
	}
	held, err := c.Locker().TryAcquire(t.Context(), "lock", 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.say("FLUSHALL"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	if kept, err := c.Shared().Fill(t.Context(), "g", "k", old, []byte("old"), time.Hour); err != nil || kept {
		t.Errorf("what was read before is kept: %v, %v", kept, err)
	}
	next, err := c.Locker().TryAcquire(t.Context(), "lock", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if next.Token() <= held.Token() {
		t.Errorf("token %d after %d: the earlier holder looks like the later", next.Token(), held.Token())
	}
	select {
	case <-held.Lost():
	case <-time.After(patience):
		t.Error("the earlier holder was not told")
	}
}

func TestALockIsLostWithinItsTimeAndFreeAfterItsHolderDied(t *testing.T) {
	t.Parallel()
	s, prefix := serve(t), newPrefix()
	a, b := open(t, s.url(), prefix, dragonfly.Options{}), open(t, s.url(), prefix, dragonfly.Options{Timeout: 200 * time.Millisecond})
	dead, err := a.Locker().TryAcquire(t.Context(), "lock", 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	<-dead.Lost()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const ttl = time.Second
	held, err := b.Locker().Acquire(ctx, "lock", ttl)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.signal(syscall.SIGSTOP)
	defer s.signal(syscall.SIGCONT)
	select {
	case <-held.Lost():
		if took := time.Since(begin); took > ttl+500*time.Millisecond {
			t.Errorf("it was told after %s", took)
		}
	case <-time.After(patience):
		t.Error("nobody told the holder")
	}
	if _, err := b.Locker().Acquire(ctx, "lock", ttl); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that is away made somebody wait: %v", err)
	}
}
