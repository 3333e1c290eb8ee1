// Package worker runs a Core's background work: its jobs and its watch over the libraries' folders. It is a library that a host composes.
package worker

import (
	"context"
	"log/slog"
	"sync"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/hosts/telemetry"
)

// Config is how a Worker works.
type Config struct {
	Logger *slog.Logger
	// Watch scans folders as soon as something changes in them.
	Watch bool
	// Rest is called when no job has run for a while, to give back what only work needs.
	Rest func()
	// Metrics count and time the jobs; nil counts nothing.
	Metrics *telemetry.Metrics
	// Tracing makes a span of every run of a job; nil makes none.
	Tracing *telemetry.Tracing
}

// Worker is the background work of one process.
type Worker struct {
	core   *core.Core
	config Config
	cancel context.CancelFunc
	group  sync.WaitGroup
	rest   *rest
}

// New returns a Worker that is not started.
func New(c *core.Core, config Config) *Worker {
	return &Worker{core: c, config: config, rest: &rest{give: config.Rest, wait: restAfter}}
}

// Start begins with what an earlier process left behind.
func (w *Worker) Start(ctx context.Context) error {
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := w.core.Jobs.Start(ctx, w.rest.after(w.config.Metrics.Jobs(w.config.Tracing.Jobs(w.core.Definitions()))), w.core.Schedules()); err != nil {
		return err
	}
	if w.config.Watch {
		w.group.Go(func() {
			if err := w.core.Library.WatchFiles(ctx); err != nil && ctx.Err() == nil {
				w.config.Logger.WarnContext(ctx, "file events are off; the periodic scan goes on", "error", err)
			}
		})
	}
	w.core.Health.MarkStarted()
	return nil
}

// Stop returns unfinished jobs to the queue.
func (w *Worker) Stop(ctx context.Context) error {
	if w.cancel == nil {
		return nil
	}
	err := w.core.Jobs.Stop(ctx)
	w.rest.stop()
	w.cancel()
	w.group.Wait()
	return err
}
