package telemetry

import (
	"context"
	"slices"
	"time"

	"github.com/revenge-media/revenge/ports/jobs"
)

// Jobs returns definitions whose runs are measured by queue, kind and outcome. A nil Metrics measures nothing.
func (m *Metrics) Jobs(definitions []jobs.Definition) []jobs.Definition {
	if m == nil {
		return definitions
	}
	out := slices.Clone(definitions)
	for i, d := range out {
		out[i].Handler = func(ctx context.Context, run jobs.Run) (err error) {
			start, ended := time.Now(), "failed" // what a panic is
			defer func() {
				m.jobs.WithLabelValues(string(jobs.QueueOf(d.Kind)), string(d.Kind), ended).Observe(time.Since(start).Seconds())
			}()
			err = d.Handler(ctx, run)
			ended = outcome(ctx, err)
			return err
		}
	}
	return out
}

// outcome names how a run ended. A process that stops interrupts its jobs, which is no failure of theirs; a timeout is.
func outcome(ctx context.Context, err error) string {
	if err == nil {
		return "done"
	}
	if _, ok := jobs.Continued(err); ok {
		return "continued"
	}
	if jobs.Discarded(err) {
		return "discarded"
	}
	if ctx.Err() == context.Canceled {
		return "interrupted"
	}
	return "failed"
}
