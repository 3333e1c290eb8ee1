package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/hosts/telemetry"
	"github.com/revenge-media/revenge/ports/jobs"
)

func TestEveryRunOfAJobIsCountedByHowItEnded(t *testing.T) {
	t.Parallel()
	metrics := telemetry.New(&core.Core{}, nil)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	late, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	broken := errors.New("broken")
	for i, run := range []struct {
		ctx   context.Context
		err   error
		panic bool
		want  string
	}{
		{ctx: t.Context(), want: "done"},
		{ctx: t.Context(), err: jobs.Continue(0), want: "continued"},
		{ctx: t.Context(), err: jobs.Discard(broken), want: "discarded"},
		{ctx: t.Context(), err: broken, want: "failed"},
		{ctx: late, err: broken, want: "failed"},
		{ctx: t.Context(), panic: true, want: "failed"},
		{ctx: stopped, err: broken, want: "interrupted"},
		{ctx: stopped, want: "done"},
	} {
		kind := jobs.Kind(fmt.Sprintf("test.kind%d", i))
		measured := metrics.Jobs([]jobs.Definition{{Kind: kind, Handler: func(context.Context, jobs.Run) error {
			if run.panic {
				panic("broken")
			}
			return run.err
		}}})
		func() {
			defer func() {
				if recovered := recover(); (recovered != nil) != run.panic {
					t.Errorf("run %d: a panic was kept from the queue, or made: %v", i, recovered)
				}
			}()
			if err := measured[0].Handler(run.ctx, jobs.Run{}); !errors.Is(err, run.err) {
				t.Errorf("run %d: the queue is told %v, want %v", i, err, run.err)
			}
		}()
		page := httptest.NewRecorder()
		metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		want := fmt.Sprintf("revenge_job_duration_seconds_count{kind=%q,outcome=%q,queue=%q} 1\n", kind, run.want, jobs.QueueOf(kind))
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("run %d is not counted as %s", i, want)
		}
	}
}

func TestWithoutMetricsJobsRunAsTheyAre(t *testing.T) {
	t.Parallel()
	ran := false
	var none *telemetry.Metrics
	if err := none.Jobs([]jobs.Definition{{Handler: func(context.Context, jobs.Run) error {
		ran = true
		return nil
	}}})[0].Handler(t.Context(), jobs.Run{}); err != nil || !ran {
		t.Errorf("ran: %v, error %v", ran, err)
	}
}
