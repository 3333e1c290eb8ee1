package riverjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

// grace is how long running jobs may go on after Stop before their ctx ends.
const grace = 3 * time.Second

// abandoned is how long a job has run when it may be asked whether somebody still does: twice the slice of most kinds.
const abandoned = 40 * time.Second

// Start returns this process's own unfinished jobs to the queue and begins to work.
func (j *Jobs) Start(ctx context.Context, definitions []jobs.Definition, schedules []jobs.Schedule) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running != nil {
		return fault.New(fault.Internal, "jobs.started", "The job runner runs already.")
	}
	id, err := j.config.ID()
	if err != nil {
		return err
	}
	if err := j.db.returnOwn(ctx, id); err != nil {
		return fault.Wrap(err, fault.Unavailable, "jobs.start", "Unfinished jobs could not be returned to the queue.")
	}
	config := &river.Config{
		ID: id, Logger: quiet(j.config.Logger), Workers: river.NewWorkers(), Queues: map[string]river.QueueConfig{},
		SoftStopTimeout: grace, FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 500 * time.Millisecond,
		CompletedJobRetentionPeriod: j.config.Retention, CancelledJobRetentionPeriod: j.config.Retention, DiscardedJobRetentionPeriod: 7 * 24 * time.Hour,
		PeriodicJobs: periodic(schedules),
	}
	for _, d := range definitions {
		if d.Handler == nil || d.MaxAttempts < 1 || d.Timeout <= 0 {
			return fault.New(fault.Internal, "jobs.definition", "The job kind %q needs a handler, attempts and a timeout.", d.Kind)
		}
		river.AddWorkerArgs(config.Workers, envelope{kind: string(d.Kind)}, &worker{definition: d, jobs: j})
	}
	for q, n := range j.workers() {
		config.Queues[string(q)] = river.QueueConfig{MaxWorkers: n}
	}
	// What a killed process of another id left is taken up after this or its kind's own timeout, whichever is longer.
	config.JobTimeout, config.RescueStuckJobsAfter = abandoned/2, abandoned
	if j.config.Pool != nil {
		j.running, err = newClient(riverpgxv5.New(j.config.Pool), config)
	} else {
		j.running, err = newClient(riversqlite.New(j.config.DB), config)
	}
	if err == nil {
		j.id = id
		j.beats, err = j.startHeartbeat(ctx, id)
	}
	if err == nil {
		// River stops by Stop alone, so that jobs are returned in order.
		err = j.running.Start(context.WithoutCancel(ctx))
	}
	if err != nil {
		if j.running = nil; j.beats != nil {
			j.beats.end(ctx, j, id)
		}
		return fault.Wrap(err, fault.Unavailable, "jobs.start", "The job runner could not start.")
	}
	return nil
}

func newClient[TTx any](driver riverdriver.Driver[TTx], config *river.Config) (client, error) {
	c, err := river.NewClient(driver, config)
	if err != nil {
		return nil, err // not c: a typed nil is no nil client
	}
	return c, nil
}

func periodic(schedules []jobs.Schedule) []*river.PeriodicJob {
	out := make([]*river.PeriodicJob, len(schedules))
	for i, s := range schedules {
		out[i] = river.NewPeriodicJob(river.PeriodicInterval(s.Every), func() (river.JobArgs, *river.InsertOpts) {
			return envelopeOf(s.Job), options(s.Job)
		}, &river.PeriodicJobOpts{RunOnStart: s.AtStart})
	}
	return out
}

// Stop takes no new jobs, lets running ones finish for a moment, then ends their ctx and returns them to the queue.
func (j *Jobs) Stop(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running == nil {
		return nil
	}
	err := j.running.Stop(ctx)
	if err != nil {
		hurry, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		err = j.running.StopAndCancel(hurry)
	}
	j.running = nil
	j.beats.end(context.WithoutCancel(ctx), j, j.id)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "jobs.stop", "Jobs did not stop in time; they are taken up again at the next start.")
	}
	return nil
}

// worker runs one kind.
type worker struct {
	river.WorkerDefaults[envelope]
	definition jobs.Definition
	jobs       *Jobs
}

// Timeout is the bound of one slice.
func (w *worker) Timeout(*river.Job[envelope]) time.Duration { return w.definition.Timeout }

// NextRetry is the definition's back-off, else exponential from 1 s to 10 min.
func (w *worker) NextRetry(job *river.Job[envelope]) time.Time {
	wait := min(time.Second<<min(job.Attempt-1, 10), 10*time.Minute)
	if w.definition.Backoff != nil {
		wait = w.definition.Backoff(job.Attempt)
	}
	return time.Now().Add(wait)
}

// Work translates between River's outcomes and the port's.
func (w *worker) Work(ctx context.Context, job *river.Job[envelope]) error {
	var from origin
	if err := json.Unmarshal(job.Metadata, &from); err != nil {
		w.jobs.config.Logger.DebugContext(ctx, "a job does not say who asked for it", "job", job.ID, "error", err)
	}
	job.MaxAttempts = w.definition.MaxAttempts // River decides by this very row whether a failure was the last
	err := w.definition.Handler(ctx, jobs.Run{
		ID: fmt.Sprint(job.ID), Kind: w.definition.Kind, Payload: job.Args.Payload, Trace: from.Trace,
		Attempt: job.Attempt, LastAttempt: job.Attempt >= w.definition.MaxAttempts, Report: w.reporter(job.ID),
	})
	if errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely) {
		return river.JobCancel(rivertype.ErrJobCancelledRemotely)
	}
	if after, ok := jobs.Continued(err); ok {
		return river.JobSnooze(after)
	}
	if err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return river.JobSnooze(0) // this process stops: the job goes on elsewhere or later, as if it had not begun
	}
	if jobs.Discarded(err) {
		job.MaxAttempts = job.Attempt
	}
	return err
}

// reporter stores progress at most once a second, the last word always.
func (w *worker) reporter(id int64) func(context.Context, int, int) {
	var mu sync.Mutex
	var last time.Time
	return func(ctx context.Context, done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if done < total && time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		if _, err := w.jobs.client.JobUpdate(context.WithoutCancel(ctx), id, &river.JobUpdateParams{Output: progress{done, total}}); err != nil {
			w.jobs.config.Logger.WarnContext(ctx, "progress of a job could not be stored", "job", id, "error", err)
		}
	}
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}
