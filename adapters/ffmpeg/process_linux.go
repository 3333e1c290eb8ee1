package ffmpeg

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownGroup puts the process into a group of its own and has the kernel kill it when the thread that started it ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a process with all that it started.
func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// limits bound one process; see setrlimit(2).
type limits struct {
	memory int64 // bytes of address space
	cpu    time.Duration
	file   int64 // bytes of the longest file it may write
	nice   bool  // give way to what somebody waits for
}

// limit binds a running process that has not been waited for (so its id cannot have been taken over). It comes a moment after the start, before
// the program has read anything that matters; a process that is already gone needs none.
func limit(pid int, l limits) error {
	seconds := uint64(max(1, l.cpu/time.Second))
	for _, r := range []struct {
		resource int
		max      uint64
	}{
		{unix.RLIMIT_AS, uint64(l.memory)}, {unix.RLIMIT_CPU, seconds}, {unix.RLIMIT_FSIZE, uint64(l.file)},
		{unix.RLIMIT_NOFILE, 64}, {unix.RLIMIT_CORE, 0},
	} {
		err := unix.Prlimit(pid, r.resource, &unix.Rlimit{Cur: r.max, Max: r.max}, nil)
		if errors.Is(err, unix.EPERM) { // the server itself runs under a lower hard limit, which the child has inherited
			continue
		}
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	if l.nice {
		_ = unix.Setpriority(unix.PRIO_PROCESS, pid, 10) // best effort: no worse than without
	}
	return nil
}
