// Package health tells whether this process can do its work (SPEC 2).
package health

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
)

// State is how a dependency, or all of it, is.
type State string

// The states. Degraded serves all that it can: an optional dependency is missing.
const (
	OK       State = "ok"
	Degraded State = "degraded"
	Down     State = "down"
)

// Check is one dependency.
type Check struct {
	Name    string  `json:"name"`
	Status  State   `json:"status"`
	Latency float64 `json:"latency"` // seconds
	Detail  string  `json:"detail,omitempty"`
}

// Report is the whole.
type Report struct {
	Status State   `json:"status"`
	Checks []Check `json:"checks"`
}

// Deps are what is checked.
type Deps struct {
	Store      store.Store
	Jobs       jobs.Inspector
	Transcoder media.Transcoder
	// Shared is the cache that processes share; nil: there is none.
	Shared cache.Shared
	// Mail says whether mails can be sent and what became of the last one.
	Mail func(context.Context) (string, error)
	Now  func() time.Time
}

// Service answers probes.
type Service struct {
	deps     Deps
	since    time.Time // when it was made
	started  atomic.Bool
	stopping atomic.Bool
}

// New returns a Service that is not started yet.
func New(deps Deps) *Service { return &Service{deps: deps, since: deps.Now()} }

// MarkStarted says that migrations are applied and workers run.
func (s *Service) MarkStarted() { s.started.Store(true) }

// MarkStopping says that this process is about to go: it answers, and is not to be asked any more.
func (s *Service) MarkStopping() { s.stopping.Store(true) }

// Started tells whether MarkStarted was called.
func (s *Service) Started() bool { return s.started.Load() }

// checkTimeout bounds each dependency, so that a probe is answered while one hangs.
const checkTimeout = 2 * time.Second

// Ready checks every dependency. The database and the queue are needed; ffmpeg, mail and a shared cache are optional.
func (s *Service) Ready(ctx context.Context) Report {
	type dependency struct {
		name    string
		failing State
		run     func(context.Context) (string, error)
	}
	checks := []dependency{
		{"database", Down, func(ctx context.Context) (string, error) { _, err := s.deps.Store.Ping(ctx); return "", err }},
		{"queue", Down, s.queue},
		{"ffmpeg", Degraded, func(ctx context.Context) (string, error) { return s.deps.Transcoder.Available(ctx) }},
		{"mail", Degraded, s.deps.Mail},
	}
	if s.deps.Shared != nil {
		checks = append(checks, dependency{"cache", Degraded, func(ctx context.Context) (string, error) { _, err := s.deps.Shared.Ping(ctx); return "", err }})
	}
	report := Report{Status: OK}
	if s.stopping.Load() {
		report = Report{Status: Down, Checks: []Check{{Name: "process", Status: Down, Detail: "it is stopping"}}}
	}
	for _, c := range checks {
		bounded, cancel := context.WithTimeout(ctx, checkTimeout)
		start := time.Now()
		detail, err := c.run(bounded)
		cancel()
		check := Check{Name: c.name, Status: OK, Latency: time.Since(start).Seconds(), Detail: detail}
		if err != nil {
			// The cause may name hosts and users of the database: it goes to the operator's log, not to this open endpoint.
			check.Status, check.Detail = c.failing, "not available"
			var l lack
			if errors.As(err, &l) {
				check.Status, check.Detail = Degraded, string(l)
			}
			if report.Status != Down {
				report.Status = check.Status
			}
		}
		report.Checks = append(report.Checks, check)
	}
	return report
}

// lack is why a dependency that is there does not do all that it should: said to everybody.
type lack string

func (l lack) Error() string { return string(l) }

// patience is how long processes that run jobs may take to be seen, from this one's start and after each other.
const patience = time.Minute

// queue is degraded where jobs are taken and nobody runs them: requests are answered, but no film is found and no mail leaves.
func (s *Service) queue(ctx context.Context) (string, error) {
	stats, err := s.deps.Jobs.Stats(ctx)
	if err != nil {
		return "", err
	}
	var oldest time.Duration
	for _, q := range stats {
		oldest = max(oldest, q.OldestWaiting)
	}
	processes, err := s.deps.Jobs.Processes(ctx)
	if err != nil {
		return "", err
	}
	if len(processes) == 0 && s.deps.Now().Sub(s.since) >= patience {
		return "", lack(fmt.Sprintf("no process has run jobs for a minute (start \"revenge worker\"), oldest waiting job %s", oldest.Round(time.Second)))
	}
	return fmt.Sprintf("%d processes run jobs, oldest waiting job %s", len(processes), oldest.Round(time.Second)), nil
}
