// Package pgserver runs a PostgreSQL server of a test's own, which the test may stop as a power cut does and start again.
package pgserver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds a start and a stop.
const patience = 60 * time.Second

// Server is a PostgreSQL server in a temporary folder, on loopback. What it acknowledged survives Kill; not a machine that loses power,
// as it does not wait for the disk.
type Server struct {
	bin, data string
	port      int
	as        *syscall.Credential
	running   *exec.Cmd
}

// New makes and starts a server that ends with the test. Where PostgreSQL is not installed the test is skipped.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{bin: binaries(t)}
	// Not t.TempDir: the server's own user must be able to pass.
	folder, err := os.MkdirTemp("", "revenge-postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop(t)
		os.RemoveAll(folder)
	})
	s.data = filepath.Join(folder, "data")
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // as whom PostgreSQL refuses to run
		s.as = other(t)
		if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // passing through is the point
			t.Fatal(err)
		}
		if err := os.Chown(s.data, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.command("initdb", "--pgdata="+s.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	s.Start(t)
	return s
}

// DSN is the address of the server's database "postgres", which is empty.
func (s *Server) DSN() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// Start starts a stopped server, at the same address, and returns when it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.running = s.command("postgres", "-D", s.data, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "shared_buffers=32MB")
	if err := s.running.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		// Line 1 is the pid, line 8 the state (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
		state, _ := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
		lines := strings.Split(string(state), "\n")
		if len(lines) > 7 && lines[0] == strconv.Itoa(s.running.Process.Pid) && (strings.HasPrefix(lines[7], "ready") || strings.HasPrefix(lines[7], "standby")) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("PostgreSQL does not start")
		}
	}
}

// Kill is `pg_ctl stop -m immediate`: connections end in the middle of what they do, and the next start recovers.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.stop(t)
}

// Demote starts a stopped server again as the standby of one that is away: it answers what reads and refuses what writes, as a primary does that came back
// after its standby took over.
func (s *Server) Demote(t testing.TB) {
	t.Helper()
	signal := filepath.Join(s.data, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.as != nil {
		if err := os.Chown(signal, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s.Start(t)
}

// Promote makes a standby the primary, and returns when it is.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	if out, err := s.command("pg_ctl", "promote", "--wait", "--pgdata="+s.data, "--timeout="+strconv.Itoa(int(patience.Seconds()))).CombinedOutput(); err != nil {
		t.Fatalf("pg_ctl promote: %v\n%s", err, out)
	}
}

func (s *Server) stop(t testing.TB) {
	t.Helper()
	if s.running == nil {
		return
	}
	process := s.running
	s.running = nil
	if err := process.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Errorf("stopping PostgreSQL: %v", err)
	}
	ended := make(chan struct{})
	go func() { process.Wait(); close(ended) }() //nolint:errcheck // it was told to die
	select {
	case <-ended:
	case <-time.After(patience):
		t.Errorf("PostgreSQL does not stop")
		process.Process.Kill() //nolint:errcheck // nothing is left to try
	}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// binaries finds the folder of initdb: POSTGRES_BIN, Debian's newest, or PATH.
func binaries(t testing.TB) string {
	t.Helper()
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	version := func(folder string) int { n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder))); return n }
	slices.SortFunc(installed, func(a, b string) int { return version(b) - version(a) })
	places := append([]string{os.Getenv("POSTGRES_BIN")}, installed...)
	if path, err := exec.LookPath("initdb"); err == nil {
		places = append(places, filepath.Dir(path))
	}
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, "initdb")); place != "" && err == nil {
			return place
		}
	}
	t.Skip("PostgreSQL's initdb is not installed: run scripts/install")
	return ""
}

func other(t testing.TB) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("PostgreSQL cannot run as root and there is no user postgres: run scripts/install")
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
