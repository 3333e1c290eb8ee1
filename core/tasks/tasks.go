// Package tasks shows operators the work that goes on in the background, and lets them steer it.
package tasks

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Deps are what the service stands on.
type Deps struct {
	Jobs     jobs.Inspector
	Access   *access.Service
	Activity *activity.Service
	// Schedules are the jobs that come by themselves.
	Schedules func() []jobs.Schedule
}

// Service is for accounts that may manage jobs; everybody else is Forbidden.
type Service struct{ deps Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

func (s *Service) authorize(ctx context.Context, actor domain.Actor) error {
	return s.deps.Access.Authorize(ctx, actor, domain.PermissionJobsManage)
}

// List is newest first.
func (s *Service) List(ctx context.Context, actor domain.Actor, f jobs.Filter, page domain.PageRequest) (domain.Page[jobs.Info], error) {
	if err := s.authorize(ctx, actor); err != nil {
		return domain.Page[jobs.Info]{}, err
	}
	return s.deps.Jobs.List(ctx, f, page)
}

// Get returns a job with what its attempts failed of. NotFound.
func (s *Service) Get(ctx context.Context, actor domain.Actor, id string) (jobs.Info, error) {
	if err := s.authorize(ctx, actor); err != nil {
		return jobs.Info{}, err
	}
	return s.deps.Jobs.Get(ctx, id)
}

// Retry runs a dead or cancelled job again. NotFound, or Conflict for another one.
func (s *Service) Retry(ctx context.Context, actor domain.Actor, id string) error {
	return s.act(ctx, actor, id, domain.ActivityJobRetried, s.deps.Jobs.Retry)
}

// Cancel stops a job that is not finished. NotFound, or Conflict for one that is.
func (s *Service) Cancel(ctx context.Context, actor domain.Actor, id string) error {
	return s.act(ctx, actor, id, domain.ActivityJobCancelled, s.deps.Jobs.Cancel)
}

// Delete removes a job that is not running. NotFound, or Conflict for one that is.
func (s *Service) Delete(ctx context.Context, actor domain.Actor, id string) error {
	return s.act(ctx, actor, id, domain.ActivityJobDeleted, s.deps.Jobs.Delete)
}

func (s *Service) act(ctx context.Context, actor domain.Actor, id, action string, do func(context.Context, string) error) error {
	if err := s.authorize(ctx, actor); err != nil {
		return err
	}
	job, err := s.deps.Jobs.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := do(ctx, id); err != nil {
		return err
	}
	s.deps.Activity.Note(ctx, actor, domain.Activity{Action: action, ResourceType: "job", ResourceID: job.ID, ResourceName: string(job.Kind), Success: true})
	return nil
}

// Queue is what a queue holds.
type Queue struct {
	Queue    jobs.Queue `json:"queue"`
	Waiting  int        `json:"waiting"`
	Running  int        `json:"running"`
	Retrying int        `json:"retrying" doc:"They failed and wait for their next attempt."`
	Dead     int        `json:"dead" doc:"They failed for good and wait for a person."`
	// OldestWaiting is in seconds.
	OldestWaiting float64 `json:"oldestWaiting" doc:"For how many seconds the job that waits longest could have run."`
	Paused        bool    `json:"paused" doc:"It takes jobs and runs none."`
}

// Queues has every queue, in a fixed order.
func (s *Service) Queues(ctx context.Context, actor domain.Actor) ([]Queue, error) {
	if err := s.authorize(ctx, actor); err != nil {
		return nil, err
	}
	stats, err := s.deps.Jobs.Stats(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Queue, len(stats))
	for i, q := range stats {
		out[i] = Queue{q.Queue, q.Waiting, q.Running, q.Retrying, q.Dead, q.OldestWaiting.Seconds(), q.Paused}
	}
	return out, nil
}

// Pause keeps all processes from beginning jobs of a queue until Resume; what runs goes on. NotFound.
func (s *Service) Pause(ctx context.Context, actor domain.Actor, q jobs.Queue) error {
	return s.steer(ctx, actor, q, domain.ActivityQueuePaused, s.deps.Jobs.Pause)
}

// Resume ends a pause. NotFound.
func (s *Service) Resume(ctx context.Context, actor domain.Actor, q jobs.Queue) error {
	return s.steer(ctx, actor, q, domain.ActivityQueueResumed, s.deps.Jobs.Resume)
}

func (s *Service) steer(ctx context.Context, actor domain.Actor, q jobs.Queue, action string, do func(context.Context, jobs.Queue) error) error {
	if err := s.authorize(ctx, actor); err != nil {
		return err
	}
	if err := do(ctx, q); err != nil {
		return err
	}
	s.deps.Activity.Note(ctx, actor, domain.Activity{Action: action, ResourceType: "queue", ResourceID: string(q), ResourceName: string(q), Success: true})
	return nil
}

// Schedule is a job that comes by itself.
type Schedule struct {
	Kind    jobs.Kind  `json:"kind"`
	Key     string     `json:"key,omitempty"`
	Queue   jobs.Queue `json:"queue"`
	Every   float64    `json:"every" doc:"Seconds between two of them."`
	AtStart bool       `json:"atStart" doc:"It also comes when the first process that runs jobs starts."`
	Last    *jobs.Info `json:"last,omitempty" doc:"The newest job of it that is remembered."`
}

// Schedules lists what comes by itself, with its newest job.
func (s *Service) Schedules(ctx context.Context, actor domain.Actor) ([]Schedule, error) {
	if err := s.authorize(ctx, actor); err != nil {
		return nil, err
	}
	out := []Schedule{}
	for _, each := range s.deps.Schedules() {
		schedule := Schedule{Kind: each.Job.Kind, Key: each.Job.Key, Queue: jobs.QueueOf(each.Job.Kind), Every: each.Every.Round(time.Second).Seconds(), AtStart: each.AtStart}
		newest, err := s.deps.Jobs.List(ctx, jobs.Filter{Kind: each.Job.Kind, Key: each.Job.Key}, domain.PageRequest{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(newest.Items) > 0 {
			schedule.Last = &newest.Items[0]
		}
		out = append(out, schedule)
	}
	return out, nil
}

// Processes lists who runs jobs.
func (s *Service) Processes(ctx context.Context, actor domain.Actor) ([]jobs.Process, error) {
	if err := s.authorize(ctx, actor); err != nil {
		return nil, err
	}
	return s.deps.Jobs.Processes(ctx)
}
