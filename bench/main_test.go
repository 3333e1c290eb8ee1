package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/revenge-media/revenge/hosts/cli"
)

// asProgram names the program that this test binary is to be.
const asProgram = "REVENGE_BENCH_PROGRAM"

// programs are the limit programs and Revenge itself, by name. Each benchmark's file adds its own.
var programs = map[string]func() int{
	"revenge": func() int {
		return cli.Main(context.Background(), cli.Program{Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	},
}

func TestMain(m *testing.M) {
	if name := os.Getenv(asProgram); name != "" {
		program, ok := programs[name]
		if !ok {
			fmt.Fprintln(os.Stderr, "there is no program", name)
			os.Exit(64)
		}
		os.Exit(profiled(name, program))
	}
	status := m.Run()
	for _, undo := range atExit {
		undo()
	}
	os.Exit(status)
}

// atExit removes what several benchmarks shared.
var atExit []func()

// profileDir names the folder in which every program that is started leaves a CPU profile, NAME-PID.pprof, when the variable is set.
const profileDir = "REVENGE_BENCH_PROFILES"

func profiled(name string, program func() int) int {
	dir := os.Getenv(profileDir)
	if dir == "" {
		return program()
	}
	out, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", name, os.Getpid())))
	if err == nil {
		err = pprof.StartCPUProfile(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		pprof.StopCPUProfile()
		os.Exit(0)
	}()
	defer pprof.StopCPUProfile()
	return program()
}

// process is a program that runs beside the benchmark and ends with it.
type process struct {
	*exec.Cmd
	// Ready is the rest of the line that the program printed after the awaited prefix.
	Ready string
	stop  func()
}

// start runs a program and waits until it prints a line that contains prefix. environ holds NAME=value.
func start(b *testing.B, program, prefix string, environ []string, args ...string) *process {
	b.Helper()
	command := exec.Command(os.Args[0], args...)
	command.Env = append(append(os.Environ(), environ...), asProgram+"="+program)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{Cmd: command}
	ended := false
	p.stop = func() {
		if ended {
			return
		}
		ended = true
		command.Process.Signal(syscall.SIGTERM)
		gone := time.AfterFunc(20*time.Second, func() { command.Process.Kill() })
		command.Wait()
		gone.Stop()
	}
	b.Cleanup(p.stop)
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), prefix); ok {
				select {
				case ready <- strings.TrimSpace(rest):
				default:
				}
			}
		}
		close(ready)
	}()
	select {
	case line, ok := <-ready:
		if !ok {
			b.Fatalf("%s ended before it was ready", program)
		}
		p.Ready = line
	case <-time.After(60 * time.Second):
		b.Fatalf("%s is not ready after a minute", program)
	}
	return p
}
