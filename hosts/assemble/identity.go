package assemble

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlite"
	"github.com/revenge-media/revenge/core/fault"
)

// maxProcesses is how many processes may run jobs on one data folder.
const maxProcesses = 1000

// identify names this process among all that run jobs: its host, its data folder, and the first number there that no living process holds. So a process
// that is started again has the name of the one that was killed, and two that run never share one. The number is held until Close, or the end.
func (a *App) identify() (string, error) {
	full, cancel := context.WithCancel(context.Background())
	cancel() // a lock that is taken is not waited for
	for n := range maxProcesses {
		free, err := sqlite.Lock(full, filepath.Join(a.Config.DataDir, fmt.Sprintf("process-%d.lock", n)))
		if errors.Is(err, context.Canceled) {
			continue
		}
		if err != nil {
			return "", fault.Wrap(err, fault.Unavailable, "assemble.identity", "The data folder %s cannot be written to, or not be locked.", a.Config.DataDir)
		}
		a.closes(func() error { free(); return nil })
		folder := fnv.New32a()
		folder.Write([]byte(a.Config.DataDir))
		return fmt.Sprintf("%s-%08x-%d", hostName(), folder.Sum32(), n), nil
	}
	return "", fault.New(fault.Unavailable, "assemble.identity", "More than %d processes run on the data folder %s.", maxProcesses, a.Config.DataDir)
}

// hostName is the host's, in visible characters.
func hostName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "revenge"
	}
	return strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return '-'
		}
		return r
	}, host)
}
