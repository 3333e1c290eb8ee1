package httpd

import (
	"context"
	"net/http"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
)

type jobsInput struct {
	PageQuery
	Kind  string `query:"kind" maxLength:"100"`
	State string `query:"state" enum:"waiting,running,retrying,done,cancelled,dead"`
}

type jobInput struct {
	ID string `path:"id" pattern:"^[0-9A-Za-z-]{1,64}$"`
}

func (s *Server) mountJobs() {
	register(s, Route{ID: "listJobs", Method: http.MethodGet, Path: "/admin/jobs", Summary: "Background work, newest first", Tag: "Jobs", Permission: domain.PermissionJobsManage},
		func(ctx context.Context, in *jobsInput) (*output[domain.Page[jobs.Info]], error) {
			return page(s.core.Jobs.List(ctx, jobs.Filter{Kind: jobs.Kind(in.Kind), State: jobs.State(in.State)}, in.request()))
		})
	act := func(id, verb, summary string, do func(context.Context, string) error) {
		register(s, Route{ID: id, Method: http.MethodPost, Path: "/admin/jobs/{id}/" + verb, Summary: summary, Tag: "Jobs", Permission: domain.PermissionJobsManage, Errors: []int{http.StatusConflict}},
			func(ctx context.Context, in *jobInput) (*struct{}, error) { return nil, do(ctx, in.ID) })
	}
	act("cancelJob", "cancel", "Stop a job", func(ctx context.Context, id string) error { return s.core.Jobs.Cancel(ctx, id) })
	act("retryJob", "retry", "Run a dead or cancelled job again", func(ctx context.Context, id string) error { return s.core.Jobs.Retry(ctx, id) })
}
