package worker_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/telemetry"
	"github.com/revenge-media/revenge/hosts/worker"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

func TestAWorkerScansWhatComesIntoTheFoldersUntilItIsStopped(t *testing.T) {
	t.Parallel()
	w, dir := world.New(t, world.Idle()), t.TempDir()
	l := w.Library(t, dir)
	if w.Health.Started() {
		t.Error("it is said to have started before it did")
	}
	metrics := telemetry.New(w.Core, nil)
	work := worker.New(w.Core, worker.Config{Logger: w.App.Logger, Watch: true, Metrics: metrics})
	if err := work.Stop(t.Context()); err != nil {
		t.Errorf("stopping what never started: %v", err)
	}
	if err := work.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !w.Health.Started() {
		t.Error("it is not said to have started")
	}
	w.ScanUntilDone(t, l.ID)
	world.Film(t, dir, "Alien (1979)", demo.H264AAC)
	actor := w.User(t).Actor
	seen := func(title string) bool {
		page, err := w.Movies.List(t.Context(), actor, domain.MovieFilter{Query: title}, domain.PageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Items) == 1
	}
	world.Until(t, "the film that came is seen", func() bool { return seen("Alien") })
	if err := work.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	page := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(page.Body.String(), `revenge_job_duration_seconds_count{kind="library.`) {
		t.Error("the metrics do not show the scans' jobs")
	}
}
