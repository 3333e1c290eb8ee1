//go:build unix && !linux

package ffmpeg

import (
	"syscall"
	"time"
)

// ownGroup puts the process into a group of its own. Only Linux can tie a child to its parent's life.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a process with all that it started.
func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// limits bound one process. Only Linux can set them on a child (prlimit(2)); elsewhere the wall clock and the output cap remain.
type limits struct {
	memory int64
	cpu    time.Duration
	file   int64
	nice   bool
}

func limit(int, limits) error { return nil }
