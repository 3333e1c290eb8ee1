package httpd_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/tasks"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestOperatorsSeeAndSteerTheJobs goes through what an operator does with a job that fails for good, a queue that must rest, and schedules; what they did is noted.
func TestOperatorsSeeAndSteerTheJobs(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Idle())
	s := w.Serve(t)
	admin := s.Admin(t)
	queue, ok := w.Core.Jobs.(jobs.Runner)
	if !ok {
		t.Fatal("the world runs no jobs")
	}
	fails := jobs.Definition{Kind: "media.fails", MaxAttempts: 5, Timeout: world.Patience, Handler: func(context.Context, jobs.Run) error { return jobs.Discard(errors.New("no such picture")) }}
	rests := jobs.Definition{Kind: "scan.rests", MaxAttempts: 1, Timeout: world.Patience, Handler: func(context.Context, jobs.Run) error { return nil }}
	if answer := admin.Post(t, "/admin/queues/scan/pause", nil); answer.Status != http.StatusNoContent {
		t.Fatal(answer.Status, string(answer.Body))
	}
	if err := queue.Start(t.Context(), []jobs.Definition{fails, rests}, nil); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := queue.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	if err := queue.Enqueue(t.Context(), jobs.Job{Kind: "media.fails", Key: "one"}, jobs.Job{Kind: "scan.rests", Key: "two"}); err != nil {
		t.Fatal(err)
	}
	listed := func(query string) []jobs.Info {
		t.Helper()
		return world.Decode[domain.Page[jobs.Info]](t, admin.Get(t, "/admin/jobs?"+query), http.StatusOK).Items
	}
	queues := func() map[jobs.Queue]tasks.Queue {
		t.Helper()
		out := map[jobs.Queue]tasks.Queue{}
		for _, q := range world.Decode[listOf[tasks.Queue]](t, admin.Get(t, "/admin/queues"), http.StatusOK).Items {
			out[q.Queue] = q
		}
		return out
	}
	world.Until(t, "the job is dead", func() bool { return len(listed("state=dead&queue=media&key=one")) == 1 })
	if q := queues(); len(q) != len(jobs.Queues()) || q[jobs.QueueMedia].Dead != 1 || q[jobs.QueueScan].Waiting != 1 || !q[jobs.QueueScan].Paused || q[jobs.QueueMedia].Paused {
		t.Errorf("the queues are %+v", q)
	}
	if all := listed("kind=scan.rests"); len(all) != 1 || all[0].State != jobs.Waiting {
		t.Errorf("in the queue that rests there is %+v", all)
	}

	at := "/admin/jobs/" + listed("state=dead")[0].ID
	job := world.Decode[jobs.Info](t, admin.Get(t, at), http.StatusOK)
	if len(job.Failures) != 1 || job.Failures[0].Attempt != 1 || job.LastError == "" || job.Process == "" {
		t.Errorf("the job is %+v", job)
	}
	if p := admin.Post(t, at+"/cancel", nil).Problem(t); p.Status != http.StatusConflict || p.Code != "job.finished" {
		t.Errorf("cancelling a dead job: %+v", p)
	}
	if answer := admin.Post(t, at+"/retry", nil); answer.Status != http.StatusNoContent {
		t.Fatal(answer.Status, string(answer.Body))
	}
	world.Until(t, "it has failed again", func() bool {
		return len(world.Decode[jobs.Info](t, admin.Get(t, at), http.StatusOK).Failures) == 2 && len(listed("state=dead")) == 1
	})
	if answer := admin.Do(t, http.MethodDelete, "/api/v1"+at, nil); answer.Status != http.StatusNoContent {
		t.Fatal(answer.Status, string(answer.Body))
	}
	if p := admin.Get(t, at).Problem(t); p.Status != http.StatusNotFound || p.Code != "job.not_found" {
		t.Errorf("the deleted job: %+v", p)
	}
	if answer := admin.Post(t, "/admin/queues/scan/resume", nil); answer.Status != http.StatusNoContent {
		t.Fatal(answer.Status, string(answer.Body))
	}
	world.Until(t, "the queue goes on", func() bool { return len(listed("kind=scan.rests&state=done")) == 1 })
	if p := admin.Post(t, "/admin/queues/nonsense/pause", nil).Problem(t); p.Status != http.StatusNotFound || p.Code != "job.no_queue" {
		t.Errorf("pausing what is no queue: %+v", p)
	}

	processes := world.Decode[listOf[jobs.Process]](t, admin.Get(t, "/admin/processes"), http.StatusOK).Items
	if len(processes) != 1 || processes[0].ID == "" || processes[0].Workers[jobs.QueueScan] < 1 {
		t.Errorf("the processes are %+v", processes)
	}
	schedules := world.Decode[listOf[tasks.Schedule]](t, admin.Get(t, "/admin/schedules"), http.StatusOK).Items
	if len(schedules) < 3 || !slices.ContainsFunc(schedules, func(s tasks.Schedule) bool { return s.Kind == "core.clean-up" && s.Every == 3600 && s.AtStart }) {
		t.Errorf("the schedules are %+v", schedules)
	}
	w.Core.Activity.Close() // what was noted is enqueued now
	world.Until(t, "what was done is noted", func() bool {
		return slices.ContainsFunc(listed("kind=activity.log"), func(j jobs.Info) bool {
			return strings.Contains(string(j.Payload), domain.ActivityJobDeleted) || strings.Contains(string(j.Payload), domain.ActivityQueueResumed)
		})
	})
}
