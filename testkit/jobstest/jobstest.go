// Package jobstest holds every adapter of ports/jobs to its contract.
package jobstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Harness is one queue under test.
type Harness struct {
	// Open returns a runner on the harness's storage, as a process that starts anew would, with the same process id each time.
	Open func(t *testing.T) jobs.Runner
	// InTx runs fn with an enqueuer that is bound to a transaction; fn's error rolls it back. nil skips the laws about transactions.
	InTx func(ctx context.Context, runner jobs.Runner, fn func(jobs.Enqueuer) error) error
	// Abandon leaves the job that runs now as a killed process would: marked running, with nobody at work.
	Abandon func(t *testing.T, id string)
}

const patience = 30 * time.Second

// Run runs the suite; open returns fresh, empty storage for each subtest.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	cases := []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"AJobRunsWithItsPayload", testPayload},
		{"AKeyKeepsASecondOneOutUntilTheFirstIsFinished", testUnique},
		{"ContinueRunsSlicesThatCountAsOneAttempt", testContinue},
		{"AFailureIsTriedAgainThenDead", testRetry},
		{"DiscardIsDeadAtOnceAndCanBeRetried", testDiscard},
		{"APanicIsAFailure", testPanic},
		{"HigherPriorityGoesFirst", testPriority},
		{"ADelayedJobWaits", testDelay},
		{"CancelEndsARunningJobsContext", testCancelRunning},
		{"CancelKeepsAWaitingJobFromRunning", testCancelWaiting},
		{"StopReturnsARunningJobToTheQueue", testStop},
		{"AKilledProcessesJobIsTakenUpAtTheNextStart", testKilled},
		{"ATransactionDecidesWhetherAJobExists", testTransaction},
		{"AScheduleEnqueues", testSchedule},
		{"ListPagesNewestFirstAndFilters", testList},
		{"ProgressIsVisible", testProgress},
		{"StatsCountByQueue", testStats},
		{"AnAbsentJobIsNotFound", testAbsent},
		{"APausedQueueTakesJobsAndRunsNone", testPause},
		{"ProcessesThatRunJobsAreListed", testProcesses},
		{"ATimeoutEndsTheSlice", testTimeout},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

func definition(kind jobs.Kind, handler jobs.Handler) jobs.Definition {
	return jobs.Definition{Kind: kind, MaxAttempts: 3, Timeout: 20 * time.Second, Backoff: func(int) time.Duration { return 10 * time.Millisecond }, Handler: handler}
}

func start(t *testing.T, r jobs.Runner, definitions ...jobs.Definition) {
	t.Helper()
	if err := r.Start(t.Context(), definitions, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, r) })
}

func stop(t *testing.T, r jobs.Runner) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func enqueue(t *testing.T, e jobs.Enqueuer, list ...jobs.Job) {
	t.Helper()
	if err := e.Enqueue(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
}

func job(kind jobs.Kind, key string, n int) jobs.Job {
	return jobs.Job{Kind: kind, Key: key, Payload: fmt.Appendf(nil, `{"n":%d}`, n)}
}

func number(run jobs.Run) int {
	var p struct{ N int }
	_ = json.Unmarshal(run.Payload, &p)
	return p.N
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func infos(t *testing.T, r jobs.Runner, f jobs.Filter) []jobs.Info {
	t.Helper()
	p, err := r.List(t.Context(), f, domain.PageRequest{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

func reaches(t *testing.T, r jobs.Runner, kind jobs.Kind, state jobs.State) jobs.Info {
	t.Helper()
	var found jobs.Info
	eventually(t, fmt.Sprintf("a %s job becomes %s", kind, state), func() bool {
		list := infos(t, r, jobs.Filter{Kind: kind, State: state})
		if len(list) > 0 {
			found = list[0]
		}
		return len(list) > 0
	})
	return found
}

func testPayload(t *testing.T, h Harness) {
	r, ran := h.Open(t), make(chan jobs.Run, 1)
	start(t, r, definition("test.payload", func(_ context.Context, run jobs.Run) error { ran <- run; return nil }))
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if err := r.Enqueue(jobs.WithTrace(t.Context(), trace), job("test.payload", "", 7)); err != nil {
		t.Fatal(err)
	}
	run := receive(t, ran, "the job")
	if number(run) != 7 || run.Attempt != 1 || run.Kind != "test.payload" || run.LastAttempt || run.Trace != trace {
		t.Fatalf("%+v", run)
	}
	if info := reaches(t, r, "test.payload", jobs.Done); info.FinishedAt == nil || info.ID != run.ID {
		t.Fatalf("%+v", info)
	}
}

func testUnique(t *testing.T, h Harness) {
	r, started, release := h.Open(t), make(chan int, 10), make(chan struct{})
	start(t, r, definition("test.unique", func(ctx context.Context, run jobs.Run) error {
		started <- number(run)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil
	}), definition("test.other", func(context.Context, jobs.Run) error { return nil }))
	enqueue(t, r, job("test.unique", "k", 1), job("test.unique", "k", 2))
	if n := receive(t, started, "the first"); n != 1 {
		t.Fatalf("%d ran", n)
	}
	enqueue(t, r, job("test.unique", "k", 3), job("test.other", "k", 0))
	if n := len(infos(t, r, jobs.Filter{Kind: "test.unique"})); n != 1 {
		t.Fatalf("%d jobs with the key", n)
	}
	reaches(t, r, "test.other", jobs.Done)
	enqueue(t, r, job("test.unique", "", 4), job("test.unique", "", 4))
	eventually(t, "jobs without a key are not kept out", func() bool { return len(infos(t, r, jobs.Filter{Kind: "test.unique"})) == 3 })
	close(release)
	eventually(t, "all finish", func() bool { return len(infos(t, r, jobs.Filter{Kind: "test.unique", State: jobs.Done})) == 3 })
	enqueue(t, r, job("test.unique", "k", 5))
	eventually(t, "the key is free again", func() bool { return len(infos(t, r, jobs.Filter{Kind: "test.unique"})) == 4 })
}

func testContinue(t *testing.T, h Harness) {
	r := h.Open(t)
	var slices, highest atomic.Int64
	start(t, r, definition("test.continue", func(_ context.Context, run jobs.Run) error {
		highest.Store(max(highest.Load(), int64(run.Attempt)))
		if slices.Add(1) < 8 {
			return jobs.Continue(0)
		}
		return nil
	}))
	enqueue(t, r, job("test.continue", "k", 0))
	reaches(t, r, "test.continue", jobs.Done)
	if slices.Load() != 8 || highest.Load() != 1 {
		t.Fatalf("%d slices, attempt %d", slices.Load(), highest.Load())
	}
}

func testRetry(t *testing.T, h Harness) {
	r := h.Open(t)
	var mu sync.Mutex
	var attempts []int
	var last []bool
	start(t, r, definition("test.retry", func(_ context.Context, run jobs.Run) error {
		mu.Lock()
		defer mu.Unlock()
		attempts, last = append(attempts, run.Attempt), append(last, run.LastAttempt)
		return errors.New("no luck")
	}))
	enqueue(t, r, job("test.retry", "", 0))
	info := reaches(t, r, "test.retry", jobs.Dead)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(attempts, []int{1, 2, 3}) || !slices.Equal(last, []bool{false, false, true}) {
		t.Fatalf("attempts %v, last %v", attempts, last)
	}
	whole, err := r.Get(t.Context(), info.ID)
	if err != nil {
		t.Fatal(err)
	}
	if info.LastError == "" || info.Failures != nil || len(whole.Failures) != 3 {
		t.Fatalf("the errors are not shown: %+v and %+v", info, whole)
	}
	for i, f := range whole.Failures {
		if f.Attempt != i+1 || f.Error != "no luck" || f.At.IsZero() {
			t.Errorf("failure %d is %+v", i, f)
		}
	}
	if whole.StartedAt == nil || whole.Process == "" || whole.Priority != 1 {
		t.Errorf("%+v", whole)
	}
}

func testDiscard(t *testing.T, h Harness) {
	r := h.Open(t)
	var runs atomic.Int64
	start(t, r, definition("test.discard", func(context.Context, jobs.Run) error {
		if runs.Add(1) == 1 {
			return jobs.Discard(errors.New("hopeless"))
		}
		return nil
	}))
	enqueue(t, r, job("test.discard", "", 0))
	dead := reaches(t, r, "test.discard", jobs.Dead)
	if runs.Load() != 1 {
		t.Fatalf("%d runs", runs.Load())
	}
	if err := r.Retry(t.Context(), dead.ID); err != nil {
		t.Fatal(err)
	}
	done := reaches(t, r, "test.discard", jobs.Done)
	if err := r.Retry(t.Context(), done.ID); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("retrying a finished job: %v", err)
	}
	if err := r.Delete(t.Context(), done.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(infos(t, r, jobs.Filter{})); n != 0 {
		t.Fatalf("%d jobs are left", n)
	}
}

func testPanic(t *testing.T, h Harness) {
	r := h.Open(t)
	var runs atomic.Int64
	start(t, r, definition("test.panic", func(context.Context, jobs.Run) error {
		if runs.Add(1) == 1 {
			panic("boom")
		}
		return nil
	}))
	enqueue(t, r, job("test.panic", "", 0))
	reaches(t, r, "test.panic", jobs.Done)
}

func testPriority(t *testing.T, h Harness) {
	r := h.Open(t)
	for i, p := range []int{4, 1, 3, 2} {
		j := job("test.priority", "", p)
		j.Priority = p
		_ = i
		enqueue(t, r, j)
	}
	var mu sync.Mutex
	var order []int
	start(t, r, definition("test.priority", func(_ context.Context, run jobs.Run) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, number(run))
		return nil
	}))
	eventually(t, "all ran", func() bool { return len(infos(t, r, jobs.Filter{State: jobs.Done})) == 4 })
	mu.Lock()
	defer mu.Unlock()
	// Several workers may swap neighbours that were fetched together; the first fetched is never the last in line.
	if slices.Index(order, 1) > slices.Index(order, 4) {
		t.Fatalf("ran in order %v", order)
	}
}

func testDelay(t *testing.T, h Harness) {
	r := h.Open(t)
	var ran atomic.Bool
	start(t, r, definition("test.delay", func(context.Context, jobs.Run) error { ran.Store(true); return nil }), definition("test.now", func(context.Context, jobs.Run) error { return nil }))
	later := job("test.delay", "", 0)
	later.RunAt = time.Now().Add(time.Hour)
	enqueue(t, r, later, job("test.now", "", 0))
	reaches(t, r, "test.now", jobs.Done)
	if ran.Load() || len(infos(t, r, jobs.Filter{Kind: "test.delay", State: jobs.Waiting})) != 1 {
		t.Fatal("it did not wait")
	}
}

func testCancelRunning(t *testing.T, h Harness) {
	r, started, ended := h.Open(t), make(chan string, 1), make(chan struct{}, 1)
	start(t, r, definition("test.cancel", func(ctx context.Context, run jobs.Run) error {
		started <- run.ID
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}))
	enqueue(t, r, job("test.cancel", "", 0))
	id := receive(t, started, "the job")
	if err := r.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	receive(t, ended, "the end of its context")
	reaches(t, r, "test.cancel", jobs.Cancelled)
	if err := r.Cancel(t.Context(), id); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("cancelling a finished job: %v", err)
	}
}

func testCancelWaiting(t *testing.T, h Harness) {
	r := h.Open(t)
	enqueue(t, r, job("test.cancelled", "", 0))
	if err := r.Cancel(t.Context(), infos(t, r, jobs.Filter{})[0].ID); err != nil {
		t.Fatal(err)
	}
	var ran atomic.Bool
	start(t, r, definition("test.cancelled", func(context.Context, jobs.Run) error { ran.Store(true); return nil }), definition("test.after", func(context.Context, jobs.Run) error { return nil }))
	enqueue(t, r, job("test.after", "", 0))
	reaches(t, r, "test.after", jobs.Done)
	if ran.Load() {
		t.Fatal("it ran")
	}
}

func testStop(t *testing.T, h Harness) {
	r, started := h.Open(t), make(chan struct{}, 1)
	if err := r.Start(t.Context(), []jobs.Definition{definition("test.stop", func(ctx context.Context, _ jobs.Run) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})}, nil); err != nil {
		t.Fatal(err)
	}
	enqueue(t, r, job("test.stop", "", 0))
	receive(t, started, "the job")
	stop(t, r)
	again, attempt := h.Open(t), make(chan int, 1)
	start(t, again, definition("test.stop", func(_ context.Context, run jobs.Run) error { attempt <- run.Attempt; return nil }))
	if n := receive(t, attempt, "the job after the restart"); n != 1 {
		t.Fatalf("stopping counted as a failure: attempt %d", n)
	}
}

func testKilled(t *testing.T, h Harness) {
	if h.Abandon == nil {
		t.Skip("the harness cannot abandon a job")
	}
	r := h.Open(t)
	enqueue(t, r, job("test.killed", "k", 0))
	h.Abandon(t, infos(t, r, jobs.Filter{})[0].ID)
	if len(infos(t, r, jobs.Filter{State: jobs.Running})) != 1 {
		t.Fatal("the job is not left running")
	}
	again, ran := h.Open(t), make(chan struct{}, 1)
	start(t, again, definition("test.killed", func(context.Context, jobs.Run) error { ran <- struct{}{}; return nil }))
	receive(t, ran, "the abandoned job")
}

func testTransaction(t *testing.T, h Harness) {
	if h.InTx == nil {
		t.Skip("the adapter has no transactions")
	}
	r, no := h.Open(t), errors.New("no")
	if err := h.InTx(t.Context(), r, func(e jobs.Enqueuer) error {
		enqueue(t, e, job("test.tx", "", 1))
		return no
	}); !errors.Is(err, no) {
		t.Fatal(err)
	}
	if n := len(infos(t, r, jobs.Filter{})); n != 0 {
		t.Fatalf("%d jobs after a rollback", n)
	}
	if err := h.InTx(t.Context(), r, func(e jobs.Enqueuer) error {
		enqueue(t, e, job("test.tx", "k", 1))
		enqueue(t, e, job("test.tx", "k", 2), job("test.tx", "", 3))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(infos(t, r, jobs.Filter{})); n != 2 {
		t.Fatalf("%d jobs after a commit", n)
	}
}

func testSchedule(t *testing.T, h Harness) {
	r, ran := h.Open(t), make(chan struct{}, 100)
	scheduled := job("test.schedule", "", 0)
	err := r.Start(t.Context(), []jobs.Definition{definition("test.schedule", func(context.Context, jobs.Run) error { ran <- struct{}{}; return nil })},
		[]jobs.Schedule{{Job: scheduled, Every: time.Second, AtStart: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, r) })
	receive(t, ran, "the first run")
	receive(t, ran, "the second run")
}

func testList(t *testing.T, h Harness) {
	r := h.Open(t)
	for i := range 7 {
		enqueue(t, r, job("test.list", fmt.Sprint("k", i), i))
	}
	enqueue(t, r, job("test.unlisted", "", 0))
	var seen []int
	var request domain.PageRequest
	for request = (domain.PageRequest{Limit: 3, IncludeTotal: true}); ; {
		p, err := r.List(t.Context(), jobs.Filter{Kind: "test.list", State: jobs.Waiting}, request)
		if err != nil {
			t.Fatal(err)
		}
		if p.Total == nil || *p.Total != 7 {
			t.Fatalf("total %v", p.Total)
		}
		for _, i := range p.Items {
			seen = append(seen, number(jobs.Run{Payload: i.Payload}))
		}
		if request.Cursor = p.NextCursor; request.Cursor == "" {
			break
		}
	}
	if !slices.Equal(seen, []int{6, 5, 4, 3, 2, 1, 0}) {
		t.Fatalf("saw %v", seen)
	}
	if list := infos(t, r, jobs.Filter{Key: "k3"}); len(list) != 1 || number(jobs.Run{Payload: list[0].Payload}) != 3 {
		t.Fatalf("by key: %+v", list)
	}
	if _, err := r.List(t.Context(), jobs.Filter{}, domain.PageRequest{Cursor: "nonsense"}); fault.CodeOf(err) != "page.bad_cursor" {
		t.Fatalf("a bad cursor: %v", err)
	}
}

func testProgress(t *testing.T, h Harness) {
	r, reported, release := h.Open(t), make(chan struct{}), make(chan struct{})
	start(t, r, definition("test.progress", func(ctx context.Context, run jobs.Run) error {
		run.Report(ctx, 3, 9)
		close(reported)
		select {
		case <-release:
		case <-ctx.Done():
		}
		run.Report(ctx, 9, 9)
		return nil
	}))
	enqueue(t, r, job("test.progress", "", 0))
	receive(t, reported, "a report")
	if i := infos(t, r, jobs.Filter{})[0]; i.Done != 3 || i.Total != 9 {
		t.Fatalf("%d of %d", i.Done, i.Total)
	}
	close(release)
	if i := reaches(t, r, "test.progress", jobs.Done); i.Done != 9 {
		t.Fatalf("%d of %d", i.Done, i.Total)
	}
}

func testStats(t *testing.T, h Harness) {
	r := h.Open(t)
	enqueue(t, r, job("scan.stats", "", 0), job("media.stats", "", 0), job("media.stats", "", 1))
	stats, err := r.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var queues []jobs.Queue
	for _, q := range stats {
		queues = append(queues, q.Queue)
		want := jobs.QueueStats{Queue: q.Queue, Waiting: map[jobs.Queue]int{jobs.QueueScan: 1, jobs.QueueMedia: 2}[q.Queue]}
		if q.OldestWaiting > 0 && want.Waiting > 0 {
			q.OldestWaiting = 0
		}
		if q != want {
			t.Errorf("%+v", q)
		}
	}
	if !slices.Equal(queues, jobs.Queues()) {
		t.Errorf("queues %v", queues)
	}
	if n := len(infos(t, r, jobs.Filter{Queue: jobs.QueueMedia})); n != 2 {
		t.Errorf("%d jobs of the queue are listed", n)
	}
	p, err := r.List(t.Context(), jobs.Filter{Queue: jobs.QueueScan}, domain.PageRequest{IncludeTotal: true})
	if err != nil || p.Total == nil || *p.Total != 1 {
		t.Errorf("in all %v, %v", p.Total, err)
	}
}

// statsOf returns what is counted of a queue.
func statsOf(t *testing.T, r jobs.Runner, q jobs.Queue) jobs.QueueStats {
	t.Helper()
	all, err := r.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s jobs.QueueStats) bool { return s.Queue == q })
	if i < 0 {
		t.Fatalf("no %s in %+v", q, all)
	}
	return all[i]
}

func testPause(t *testing.T, h Harness) {
	r := h.Open(t)
	for range 2 { // also before anybody ever worked on it, and twice
		if err := r.Pause(t.Context(), jobs.QueueScan); err != nil {
			t.Fatal(err)
		}
	}
	if s := statsOf(t, r, jobs.QueueScan); !s.Paused || statsOf(t, r, jobs.QueueMedia).Paused {
		t.Fatalf("%+v", s)
	}
	var ran, other atomic.Int64
	again := h.Open(t) // as a process that starts later
	start(t, again, definition("scan.pause", func(context.Context, jobs.Run) error { ran.Add(1); return nil }),
		definition("media.pause", func(context.Context, jobs.Run) error { other.Add(1); return nil }))
	enqueue(t, r, job("scan.pause", "", 1), job("media.pause", "", 1))
	eventually(t, "another queue goes on", func() bool { return other.Load() == 1 })
	if ran.Load() != 0 {
		t.Fatal("a paused queue runs")
	}
	for range 2 {
		if err := r.Resume(t.Context(), jobs.QueueScan); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it runs after the pause", func() bool { return ran.Load() == 1 })
	if statsOf(t, r, jobs.QueueScan).Paused {
		t.Error("it counts as paused")
	}
	for _, act := range []func(context.Context, jobs.Queue) error{r.Pause, r.Resume} {
		if err := act(t.Context(), "nonsense"); !fault.IsNotFound(err) {
			t.Errorf("an unknown queue: %v", err)
		}
	}
}

func testProcesses(t *testing.T, h Harness) {
	listed := func(r jobs.Runner) []jobs.Process {
		t.Helper()
		list, err := r.Processes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	r, started, release := h.Open(t), make(chan struct{}, 1), make(chan struct{})
	if n := len(listed(r)); n != 0 {
		t.Fatalf("%d processes before the first started", n)
	}
	if err := r.Start(t.Context(), []jobs.Definition{definition("test.process", func(context.Context, jobs.Run) error {
		started <- struct{}{}
		<-release
		return nil
	})}, nil); err != nil {
		t.Fatal(err)
	}
	enqueue(t, r, job("test.process", "", 0))
	receive(t, started, "the job")
	list := listed(h.Open(t)) // as another process sees it
	if len(list) != 1 || list[0].ID == "" || list[0].StartedAt.IsZero() || list[0].SeenAt.Before(list[0].StartedAt) || list[0].Running != 1 || list[0].Workers[jobs.QueueScan] < 1 {
		t.Errorf("%+v", list)
	}
	close(release)
	stop(t, r)
	if list := listed(r); len(list) != 0 {
		t.Errorf("after its end it is listed: %+v", list)
	}
}

func testAbsent(t *testing.T, h Harness) {
	r := h.Open(t)
	for _, id := range []string{"123456", "nonsense", ""} {
		for name, do := range map[string]func(context.Context, string) error{
			"cancel": r.Cancel, "retry": r.Retry, "delete": r.Delete, "get": func(ctx context.Context, id string) error { _, err := r.Get(ctx, id); return err },
		} {
			if err := do(t.Context(), id); !fault.IsNotFound(err) {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
}

func testTimeout(t *testing.T, h Harness) {
	r := h.Open(t)
	d := definition("test.timeout", func(ctx context.Context, _ jobs.Run) error { <-ctx.Done(); return ctx.Err() })
	d.Timeout, d.MaxAttempts = 50*time.Millisecond, 1
	start(t, r, d)
	enqueue(t, r, job("test.timeout", "", 0))
	reaches(t, r, "test.timeout", jobs.Dead)
}
