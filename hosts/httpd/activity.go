package httpd

import (
	"context"
	"net/http"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/session"
)

// ActivityQuery narrows the log.
type ActivityQuery struct {
	Action  string    `query:"action" maxLength:"100" pattern:"^[a-z_]+\\.[a-z_]*$" doc:"An action, or an area that ends with a dot" example:"auth."`
	From    time.Time `query:"from" doc:"The first moment"`
	To      time.Time `query:"to" doc:"The first moment that is too late"`
	Success string    `query:"success" enum:"true,false"`
}

func (q ActivityQuery) filter() domain.ActivityFilter {
	f := domain.ActivityFilter{Action: q.Action, From: q.From, To: q.To}
	if q.Success != "" {
		success := q.Success == "true"
		f.Success = &success
	}
	return f
}

// ActivityEntry is an entry of the log with its device as people call it.
type ActivityEntry struct {
	domain.Activity
	Device string `json:"device,omitempty" doc:"What userAgent stands for" example:"Firefox on Linux"`
}

// entries are a page of the log, as it is answered.
func entries(found domain.Page[domain.Activity], err error) (*output[domain.Page[ActivityEntry]], error) {
	items := make([]ActivityEntry, len(found.Items))
	for i, e := range found.Items {
		items[i].Activity = e
		if e.UserAgent != "" {
			items[i].Device = session.Device(e.UserAgent)
		}
	}
	return body(domain.Page[ActivityEntry]{Items: items, NextCursor: found.NextCursor, Total: found.Total}, err)
}

type ownActivityInput struct {
	PageQuery
	ActivityQuery
}

type activityInput struct {
	PageQuery
	ActivityQuery
	User         string `query:"user" maxLength:"36" format:"uuid" doc:"Who did it, by id; also of an account that is gone"`
	ResourceType string `query:"resourceType" maxLength:"100"`
	ResourceID   string `query:"resourceId" maxLength:"300"`
	IP           string `query:"ip" maxLength:"45"`
}

type activityStatsInput struct {
	From time.Time `query:"from" doc:"Absent: 30 days before to"`
	To   time.Time `query:"to" doc:"Absent: now. At most a year after from"`
}

func (s *Server) mountActivity() {
	const tag = "Activity"
	register(s, Route{ID: "listOwnActivity", Method: http.MethodGet, Path: "/users/me/activity", Summary: "What the account did, newest first", Tag: tag, Permission: domain.PermissionSession},
		func(ctx context.Context, in *ownActivityInput) (*output[domain.Page[ActivityEntry]], error) {
			return entries(s.core.Activity.Own(ctx, actorOf(ctx), in.filter(), in.request()))
		})
	register(s, Route{ID: "listActivity", Method: http.MethodGet, Path: "/admin/activity", Summary: "What everybody did, newest first", Tag: tag, Permission: domain.PermissionActivityRead},
		func(ctx context.Context, in *activityInput) (*output[domain.Page[ActivityEntry]], error) {
			filter := in.filter()
			filter.ResourceType, filter.ResourceID, filter.IP = in.ResourceType, in.ResourceID, in.IP
			if id, ok := domain.ParseID(in.User); ok {
				filter.User = &id
			}
			return entries(s.core.Activity.List(ctx, actorOf(ctx), filter, in.request()))
		})
	register(s, Route{ID: "getActivityStats", Method: http.MethodGet, Path: "/admin/activity/stats", Summary: "Counts by action and by day", Tag: tag, Permission: domain.PermissionActivityRead},
		func(ctx context.Context, in *activityStatsInput) (*output[domain.ActivityStats], error) {
			return body(s.core.Activity.Stats(ctx, actorOf(ctx), in.From, in.To))
		})
}
