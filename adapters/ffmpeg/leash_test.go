package ffmpeg_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/ffmpeg"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// script writes an executable stand-in for ffmpeg, for what the real one cannot be brought to do.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// endless is a request whose sound never ends, so that ffmpeg waits for more.
func endless(source io.Reader) media.EncodeAudio {
	return media.EncodeAudio{Source: source, Stretch: media.Stretch{Format: "s16le", SampleRate: 48000, Channels: 2, Packets: 1},
		Format: media.AACFormat{SampleRate: 48000, Channels: 2}, Packets: 10}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// running tells whether a process is there and no zombie.
func running(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// pipe makes a FIFO through which a script reports: the programs may write no files.
func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// report returns what a script wrote to a FIFO.
func report(t *testing.T, path string) string {
	t.Helper()
	said := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(path)
		said <- strings.TrimSpace(string(b))
	}()
	select {
	case s := <-said:
		return s
	case <-time.After(20 * time.Second):
		t.Fatal("the program was not started")
		return ""
	}
}

// TestMain is also the server that TestKilledServerLeavesNoProcess kills: it starts an encode and says which process runs it.
func TestMain(m *testing.M) {
	if tool := os.Getenv("REVENGE_TEST_DOOMED_SERVER"); tool != "" {
		tc, err := ffmpeg.Open(ffmpeg.Config{FFmpeg: tool})
		if err != nil {
			panic(err)
		}
		source, hold := io.Pipe()
		go func() { _ = tc.EncodeAudio(context.Background(), endless(source), io.Discard) }()
		// Threads come and go meanwhile: the death signal must hang on one that stays.
		for range 50 {
			go runtime.LockOSThread()
		}
		fmt.Println("started")
		_, _ = hold.Write(make([]byte, 1<<16))
		select {}
	}
	os.Exit(m.Run())
}

func TestKilledServerLeavesNoProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child to its parent's life")
	}
	pidFile := pipe(t)
	// It reads no standard input, so that it is not the end of the pipe that ends it.
	tool := script(t, `echo $$ > `+pidFile+`; exec sleep 1000`)
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "REVENGE_TEST_DOOMED_SERVER="+tool)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	pid := report(t, pidFile)
	if !running(pid) {
		t.Fatal("the encode ended by itself")
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	eventually(t, "ffmpeg died with its server", func() bool { return !running(pid) })
}

func TestEndOfContextKillsTheWholeGroup(t *testing.T) {
	t.Parallel()
	pids := pipe(t)
	tool := script(t, `sleep 1000 & echo $! $$ > `+pids+`; wait`)
	tc := open(t, ffmpeg.Config{FFmpeg: tool})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- tc.EncodeAudio(ctx, endless(bytes.NewReader(nil)), io.Discard) }()
	child, self, _ := strings.Cut(report(t, pids), " ")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled encode answered %v", err)
	}
	eventually(t, "the process and its child died", func() bool { return !running(self) && !running(child) })
}

func TestCloseEndsWhatRuns(t *testing.T) {
	t.Parallel()
	started := pipe(t)
	tc := open(t, ffmpeg.Config{FFmpeg: script(t, `echo $$ > `+started+`; exec sleep 1000`)})
	ended := make(chan error, 1)
	go func() { ended <- tc.EncodeAudio(t.Context(), endless(bytes.NewReader(nil)), io.Discard) }()
	report(t, started)
	if err := tc.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; fault.CodeOf(err) != media.CodeToolFailed {
		t.Errorf("the encode ended with %v", err)
	}
	if _, err := tc.Available(t.Context()); fault.CodeOf(err) != media.CodeToolFailed {
		t.Errorf("a closed Transcoder answered %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config ffmpeg.Config
		body   string
	}{
		"wall time": {ffmpeg.Config{Timeout: 200 * time.Millisecond}, `exec sleep 1000`},
		"output":    {ffmpeg.Config{}, `exec cat /dev/zero`},
		"CPU time":  {ffmpeg.Config{Timeout: time.Second}, `while :; do :; done`},
		"files":     {ffmpeg.Config{}, `while dd if=/dev/zero of="$TMPDIR/big" bs=1k count=10; do :; done; exit 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.FFmpeg, c.config.TempDir = script(t, c.body), t.TempDir()
			var out bytes.Buffer
			err := open(t, c.config).EncodeAudio(t.Context(), endless(bytes.NewReader(nil)), &out)
			if fault.CodeOf(err) != media.CodeToolFailed || out.Len() > 0 {
				t.Fatalf("answered %v with %d bytes", err, out.Len())
			}
		})
	}
	t.Run("set on the process", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("prlimit is Linux's")
		}
		started := pipe(t)
		tc := open(t, ffmpeg.Config{FFmpeg: script(t, `echo $$ > `+started+`; sleep 1000`), MaxMemory: 123 << 20})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = tc.EncodeAudio(ctx, endless(bytes.NewReader(nil)), io.Discard) }()
		pid := report(t, started)
		eventually(t, "the limits hold", func() bool {
			b, _ := os.ReadFile("/proc/" + pid + "/limits")
			fields := strings.Join(strings.Fields(string(b)), " ")
			return strings.Contains(fields, "Max address space 128974848 128974848") && strings.Contains(fields, "Max file size 0 0") &&
				strings.Contains(fields, "Max cpu time 120 120") && strings.Contains(fields, "Max core file size 0 0")
		})
	})
}

func TestNothingOfTheEnvironmentReachesTheProgram(t *testing.T) {
	t.Setenv("REVENGE_SECRET", "hunter2")
	seen := pipe(t)
	tc := open(t, ffmpeg.Config{FFmpeg: script(t, `{ env; printf '%s\n' "$@"; } > `+seen)})
	go func() { _ = tc.EncodeAudio(t.Context(), endless(bytes.NewReader(nil)), io.Discard) }()
	args := report(t, seen)
	if strings.Contains(args, "hunter2") {
		t.Fatal(args)
	}
	if !strings.Contains(args, "-nostdin\n") || !strings.Contains(args, "-protocol_whitelist\nfile,pipe\n") || !strings.Contains(args, "-format_whitelist\ns16le\n") {
		t.Fatal(args)
	}
}

func TestWaitingForAPlaceEndsWithTheContextAndLeavesOneForWatchers(t *testing.T) {
	t.Parallel()
	film := filepath.Join(t.TempDir(), "film.avi")
	if err := os.WriteFile(film, []byte("RIFF"), 0o600); err != nil {
		t.Fatal(err)
	}
	probing, encoding := pipe(t), pipe(t)
	tc := open(t, ffmpeg.Config{MaxProcesses: 2, FFmpeg: script(t, `echo $$ > `+encoding+`; exec sleep 1000`), FFprobe: script(t, `echo $$ > `+probing+`; exec sleep 1000`)})
	in := media.Input{Path: film, Size: 4}

	busy, release := context.WithCancel(t.Context())
	defer release()
	go func() { _, _ = tc.Probe(busy, in) }()
	report(t, probing)

	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := tc.Frame(short, in, 0, 100); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frame got a place that is kept for watchers: %v", err)
	}
	go func() { _ = tc.EncodeAudio(busy, endless(bytes.NewReader(nil)), io.Discard) }()
	report(t, encoding)
	short, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := tc.EncodeAudio(short, endless(bytes.NewReader(nil)), io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a third process ran: %v", err)
	}
}

func TestMissingProgramsSayHowToGetThem(t *testing.T) {
	t.Parallel()
	tc := open(t, ffmpeg.Config{FFmpeg: "/nowhere/ffmpeg", FFprobe: "/nowhere/ffprobe"})
	film := media.Input{Path: "/film.mkv", Size: 1}
	_, probe := tc.Probe(t.Context(), film)
	_, frame := tc.Frame(t.Context(), film, 0, 100)
	_, available := tc.Available(t.Context())
	for name, err := range map[string]error{"probe": probe, "frame": frame, "available": available, "sound": tc.EncodeAudio(t.Context(), endless(nil), io.Discard),
		"repackage": tc.Repackage(t.Context(), film, "/out", nil)} {
		if fault.CodeOf(err) != media.CodeToolMissing || !strings.Contains(fault.As(err).Message, "Install") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRelativePathsAreRefused(t *testing.T) {
	t.Parallel()
	tc := open(t, ffmpeg.Config{})
	if _, err := tc.Probe(t.Context(), media.Input{Path: "film.mkv", Size: 1}); fault.CodeOf(err) != media.CodeToolFailed {
		t.Errorf("answered %v", err)
	}
	if err := tc.Repackage(t.Context(), media.Input{Path: "/film.mkv", Size: 1}, "out.mkv", nil); fault.CodeOf(err) != media.CodeToolFailed {
		t.Errorf("answered %v", err)
	}
}
