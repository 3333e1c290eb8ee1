package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/revenge-media/revenge/ports/jobs"
)

// restAfter is how long no job has run when that is called a pause.
const restAfter = 5 * time.Second

// rest notices when work has paused.
type rest struct {
	give    func()
	wait    time.Duration
	mu      sync.Mutex
	running int
	pause   *time.Timer
}

// after returns definitions whose handlers are followed by a rest.
func (r *rest) after(definitions []jobs.Definition) []jobs.Definition {
	if r.give == nil {
		return definitions
	}
	out := slices.Clone(definitions)
	for i, d := range out {
		out[i].Handler = func(ctx context.Context, run jobs.Run) error {
			r.begin()
			defer r.end()
			return d.Handler(ctx, run)
		}
	}
	return out
}

func (r *rest) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running++
	if r.pause != nil {
		r.pause.Stop()
	}
}

func (r *rest) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running--; r.running == 0 {
		r.pause = time.AfterFunc(r.wait, r.give)
	}
}

// stop ends pauses for good.
func (r *rest) stop() { r.begin() }
