package ffmpeg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/blobs"
)

// job is one process to run.
type job struct {
	program   program
	args      []string
	stdin     io.Reader // nil is the null device
	stdout    io.Writer
	maxOutput int64         // bytes on stdout before the process is killed
	wall      time.Duration // 0: Config.Timeout
	maxFile   int64         // bytes that it may write to a file
	// waited: somebody sits before a screen for it.
	waited bool
}

// errOutput stops a process that says too much.
var errOutput = errors.New("more output than allowed")

// errSlow is the cause of a context that ended by the wall clock.
var errSlow = errors.New("took longer than allowed")

// run waits for a place, runs the process to its end and returns what it wrote to stderr (its last 8 KiB). The error is ctx's own when
// ctx ended, a fault where the program is missing or the disk full, else the plain reason.
func (t *Transcoder) run(ctx context.Context, j job) (stderr string, err error) {
	if j.program.missing != nil {
		return "", j.program.missing
	}
	release, err := t.place(ctx, j.waited)
	if err != nil {
		return "", err
	}
	defer release()

	wall := j.wall
	if wall == 0 {
		wall = t.config.Timeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, wall, errSlow)
	defer cancel()

	cmd := exec.CommandContext(limited, j.program.path, j.args...)
	cmd.Dir = t.config.TempDir
	// Nothing of the server's environment reaches the program: no secrets, no FFREPORT, no proxies, no LD_PRELOAD.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + t.config.TempDir, "TMPDIR=" + t.config.TempDir, "AV_LOG_FORCE_NOCOLOR=1"}
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdin = j.stdin
	out := &cappedWriter{to: j.stdout, left: j.maxOutput, over: cancel}
	cmd.Stdout = out
	var said tail
	cmd.Stderr = &said

	if err := t.start.start(cmd); err != nil {
		return "", err
	}
	if err := limit(cmd.Process.Pid, limits{memory: t.config.MaxMemory, cpu: 2 * wall, file: j.maxFile, nice: !j.waited}); err != nil {
		cancel()
		return said.String(), errors.Join(err, cmd.Wait())
	}
	err = cmd.Wait()
	stderr = said.String()
	switch {
	case ctx.Err() != nil && err != nil:
		return stderr, context.Cause(ctx)
	case out.err != nil:
		return stderr, out.err
	case err != nil && errors.Is(context.Cause(limited), errSlow):
		return stderr, errSlow
	case err != nil && strings.Contains(stderr, "No space left on device"):
		return stderr, fault.Wrap(err, fault.Unavailable, blobs.CodeFull, "The disk is full, so this could not be prepared. Free some space and try again.")
	}
	return stderr, err
}

// output runs a job and returns what it wrote; a failure is a CodeToolFailed fault.
func (t *Transcoder) output(ctx context.Context, j job) ([]byte, error) {
	var out bytes.Buffer
	j.stdout = &out
	stderr, err := t.run(ctx, j)
	if err != nil {
		return nil, asFault(ctx, err, stderr)
	}
	return out.Bytes(), nil
}

// asFault leaves faults and the context's own error as they are and makes CodeToolFailed of the rest.
func asFault(ctx context.Context, err error, stderr string) error {
	if fault.As(err) != nil || ctx.Err() != nil {
		return err
	}
	if errors.Is(err, errSlow) || errors.Is(err, errOutput) {
		return failed(err, stderr, "FFmpeg was stopped because it went over a limit with this file (%v).", err)
	}
	return failed(err, stderr, "FFmpeg could not work with this file; the server's log says why.")
}

// place waits until a process may run; release gives the place back.
func (t *Transcoder) place(ctx context.Context, waited bool) (release func(), err error) {
	queues := []chan struct{}{t.background, t.places}
	if waited {
		queues = queues[1:]
	}
	held := 0
	release = func() {
		for _, q := range queues[:held] {
			<-q
		}
	}
	for _, q := range queues {
		select {
		case q <- struct{}{}:
			held++
		case <-ctx.Done():
			release()
			return nil, context.Cause(ctx)
		}
	}
	return release, nil
}

// starter starts processes from one operating-system thread that it never gives back: PR_SET_PDEATHSIG fires when the *thread* that
// forked ends (prctl(2)), and Go may end any other thread at any time. When the starter is closed its thread ends, and with it whatever it started.
type starter struct {
	requests chan startRequest
	done     chan struct{}
	once     sync.Once
}

type startRequest struct {
	cmd    *exec.Cmd
	result chan error
}

func newStarter() *starter {
	s := &starter{requests: make(chan startRequest), done: make(chan struct{})}
	go s.loop()
	return s
}

func (s *starter) loop() {
	runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
	for {
		select {
		case r := <-s.requests:
			r.result <- r.cmd.Start()
		case <-s.done:
			return
		}
	}
}

func (s *starter) start(cmd *exec.Cmd) error {
	r := startRequest{cmd, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.result
	case <-s.done:
		return errors.New("closed")
	}
}

func (s *starter) close() { s.once.Do(func() { close(s.done) }) }

// cappedWriter passes on up to left bytes and then ends the process. Writers to a nil destination are discarded but counted.
type cappedWriter struct {
	to   io.Writer
	left int64
	over func()
	err  error
}

func (w *cappedWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.left -= int64(len(p)); w.left < 0 {
		w.err = errOutput
	} else if w.to != nil {
		_, w.err = w.to.Write(p)
	}
	if w.err != nil {
		w.over()
		return 0, w.err
	}
	return len(p), nil
}

// tail keeps the last 8 KiB written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 8 << 10
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - most; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.ToValidUTF8(strings.TrimSpace(string(t.kept)), "\uFFFD")
}
