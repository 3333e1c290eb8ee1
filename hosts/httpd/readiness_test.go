package httpd_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/health"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/worker"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestAServerWhoseJobsNobodyRunsSaysSoAndStaysReady has an API alone: after a minute it is degraded, in words, until a process runs jobs.
func TestAServerWhoseJobsNobodyRunsSaysSoAndStaysReady(t *testing.T) {
	t.Parallel()
	onEitherDatabase(t, func(t *testing.T, options ...world.Option) {
		var passed atomic.Int64
		w := world.New(t, append(options, world.Idle(), world.Bring(func(o *assemble.Options) {
			o.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
		}))...)
		s := w.Serve(t)
		queue := func() health.Check {
			t.Helper()
			answer := s.Anonymous().Do(t, http.MethodGet, "/readyz", nil)
			report := world.Decode[health.Report](t, answer, http.StatusOK)
			for _, check := range report.Checks {
				if check.Name != "queue" {
					continue
				}
				if check.Status == health.Degraded && report.Status != health.Degraded {
					t.Errorf("the queue is %s, all of it %s", check.Status, report.Status)
				}
				return check
			}
			t.Fatalf("the queue is not checked: %s", answer.Body)
			return health.Check{}
		}
		if got := queue(); got.Status != health.OK { // whoever starts together need not start at once
			t.Errorf("at its start: %+v", got)
		}
		passed.Store(int64(time.Hour))
		if got := queue(); got.Status != health.Degraded || !strings.Contains(got.Detail, "no process has run jobs for a minute") {
			t.Errorf("later: %+v", got)
		}
		work := worker.New(w.Core, worker.Config{Logger: w.App.Logger})
		if err := work.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := work.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}()
		world.Until(t, "the process that runs jobs is seen", func() bool { return queue().Status == health.OK })
	})
}
