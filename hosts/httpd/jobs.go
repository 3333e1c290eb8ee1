package httpd

import (
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/tasks"
	"github.com/revenge-media/revenge/ports/jobs"
)

type jobsInput struct {
	PageQuery
	Kind  string `query:"kind" maxLength:"100"`
	Queue string `query:"queue" maxLength:"100"`
	State string `query:"state" enum:"waiting,running,retrying,done,cancelled,dead"`
	Key   string `query:"key" maxLength:"200" doc:"What makes a job unique among those of its kind that are not finished."`
}

type jobInput struct {
	ID string `path:"id" pattern:"^[0-9A-Za-z-]{1,64}$"`
}

type queueInput struct {
	Queue string `path:"queue" pattern:"^[0-9A-Za-z-]{1,64}$"`
}

func (s *Server) mountJobs() {
	const tag = "Jobs"
	get := func(id, path, summary string) Route {
		return Route{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: tag, Permission: domain.PermissionJobsManage}
	}
	register(s, get("listJobs", "/admin/jobs", "Background work, newest first"),
		func(ctx context.Context, in *jobsInput) (*output[domain.Page[jobs.Info]], error) {
			filter := jobs.Filter{Kind: jobs.Kind(in.Kind), Queue: jobs.Queue(in.Queue), State: jobs.State(in.State), Key: in.Key}
			return page(s.core.Tasks.List(ctx, actorOf(ctx), filter, in.request()))
		})
	register(s, get("getJob", "/admin/jobs/{id}", "A job with what its attempts failed of"),
		func(ctx context.Context, in *jobInput) (*output[jobs.Info], error) {
			return body(s.core.Tasks.Get(ctx, actorOf(ctx), in.ID))
		})
	act := func(id, method, path, summary string, do func(context.Context, domain.Actor, string) error) {
		register(s, Route{ID: id, Method: method, Path: path, Summary: summary, Tag: tag, Permission: domain.PermissionJobsManage, Errors: []int{http.StatusConflict}},
			func(ctx context.Context, in *jobInput) (*struct{}, error) { return nil, do(ctx, actorOf(ctx), in.ID) })
	}
	act("cancelJob", http.MethodPost, "/admin/jobs/{id}/cancel", "Stop a job", s.core.Tasks.Cancel)
	act("retryJob", http.MethodPost, "/admin/jobs/{id}/retry", "Run a dead or cancelled job again", s.core.Tasks.Retry)
	act("deleteJob", http.MethodDelete, "/admin/jobs/{id}", "Remove a job that is not running", s.core.Tasks.Delete)

	register(s, get("listQueues", "/admin/queues", "The queues and what they hold"),
		func(ctx context.Context, _ *struct{}) (*output[items[tasks.Queue]], error) {
			return list(s.core.Tasks.Queues(ctx, actorOf(ctx)))
		})
	steer := func(id, verb, summary string, do func(context.Context, domain.Actor, jobs.Queue) error) {
		register(s, Route{ID: id, Method: http.MethodPost, Path: "/admin/queues/{queue}/" + verb, Summary: summary, Tag: tag, Permission: domain.PermissionJobsManage},
			func(ctx context.Context, in *queueInput) (*struct{}, error) {
				return nil, do(ctx, actorOf(ctx), jobs.Queue(in.Queue))
			})
	}
	steer("pauseQueue", "pause", "Begin no more jobs of a queue; what runs goes on", s.core.Tasks.Pause)
	steer("resumeQueue", "resume", "End a pause", s.core.Tasks.Resume)
	register(s, get("listSchedules", "/admin/schedules", "Jobs that come by themselves, with the newest of each"),
		func(ctx context.Context, _ *struct{}) (*output[items[tasks.Schedule]], error) {
			return list(s.core.Tasks.Schedules(ctx, actorOf(ctx)))
		})
	register(s, get("listProcesses", "/admin/processes", "Processes that run jobs"),
		func(ctx context.Context, _ *struct{}) (*output[items[jobs.Process]], error) {
			return list(s.core.Tasks.Processes(ctx, actorOf(ctx)))
		})
}
