package asynqjobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"

	"github.com/revenge-media/revenge/adapters/asynqjobs"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
)

// until waits for something that takes as long as the machine is busy.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// own is a Redis of the test's own, that it may stop and empty.
type own struct {
	binary, folder, port string
	command              *exec.Cmd
}

func newOwn(t *testing.T) *own {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("there is no redis-server")
	}
	// Below the ports that systems give to whoever asks for any, so that nobody else gets it while the server is away.
	s := &own{binary: binary, folder: t.TempDir(), port: strconv.Itoa(20_000 + rand.IntN(12_000))}
	t.Cleanup(s.stop)
	return s
}

func (s *own) url() string { return "redis://127.0.0.1:" + s.port + "/0" }

func (s *own) start(t *testing.T) {
	t.Helper()
	s.command = exec.Command(s.binary, "--port", s.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.folder, "--logfile", filepath.Join(s.folder, "log"))
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "Redis answers", func() bool { return s.client(t).Ping(t.Context()).Err() == nil })
}

func (s *own) stop() {
	if s.command != nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
		s.command = nil
	}
}

func (s *own) client(t *testing.T) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + s.port})
	t.Cleanup(func() { c.Close() })
	return c
}

func definition(kind jobs.Kind, handler jobs.Handler) jobs.Definition {
	return jobs.Definition{Kind: kind, MaxAttempts: 3, Timeout: time.Minute, Handler: handler}
}

func begin(t *testing.T, j *asynqjobs.Jobs, schedules []jobs.Schedule, definitions ...jobs.Definition) {
	t.Helper()
	if err := j.Start(t.Context(), definitions, schedules); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = j.Stop(ctx) // some tests leave a job that ends by nothing
	})
}

func all(t *testing.T, j *asynqjobs.Jobs, f jobs.Filter) []jobs.Info {
	t.Helper()
	page, err := j.List(t.Context(), f, domain.PageRequest{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

func many(kind jobs.Kind, n int) []jobs.Job {
	out := make([]jobs.Job, n)
	for i := range out {
		out[i] = jobs.Job{Kind: kind, Key: fmt.Sprint(i)}
	}
	return out
}

// TestATasksIDIsTheRowsID looks into Redis: what was handed over carries the rows' ids, of committed rows alone.
func TestATasksIDIsTheRowsID(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	s.start(t)
	i := newInstallation(t)
	i.url = s.url()
	j := i.one(t, "worker")
	db := stdlib.OpenDBFromPool(i.pool)
	t.Cleanup(func() { db.Close() })
	release := make(chan struct{})
	begin(t, j, nil, definition("test.id", func(context.Context, jobs.Run) error { <-release; return nil }))
	defer close(release)
	no := errors.New("no")
	for _, failure := range []error{no, nil} {
		if err := inTransaction(t.Context(), db, j, func(e jobs.Enqueuer) error {
			return errors.Join(e.Enqueue(t.Context(), many("test.id", 5)...), failure)
		}); !errors.Is(err, failure) {
			t.Fatal(err)
		}
		if n := len(all(t, j, jobs.Filter{})); failure != nil && n != 0 {
			t.Fatalf("%d jobs of a transaction that was rolled back", n)
		}
	}
	inspector := asynq.NewInspectorFromRedisClient(s.client(t))
	handed := map[string]bool{}
	until(t, "all are handed over", func() bool {
		queues, err := inspector.Queues()
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queues {
			waiting, err := inspector.ListPendingTasks(q)
			running, wrong := inspector.ListActiveTasks(q)
			if err != nil || wrong != nil {
				t.Fatal(err, wrong)
			}
			for _, task := range append(waiting, running...) {
				handed[task.ID] = true
			}
		}
		return len(handed) >= 5
	})
	rows := all(t, j, jobs.Filter{})
	for _, info := range rows {
		if !handed[info.ID] {
			t.Errorf("%s is not known by its id", info.ID)
		}
	}
	if len(rows) != 5 || len(handed) != 5 {
		t.Errorf("%d rows, %d tasks", len(rows), len(handed))
	}
}

// TestAnEmptiedRedisLosesNoJob empties it while jobs wait in it, while one runs and while one is to go on.
func TestAnEmptiedRedisLosesNoJob(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	s.start(t)
	i := newInstallation(t)
	i.url = s.url()
	j := i.open(t, "worker")
	var runs [30]atomic.Int64
	release, started := make(chan struct{}), make(chan struct{}, 100)
	if err := j.Enqueue(t.Context(), many("test.flush", len(runs))...); err != nil {
		t.Fatal(err)
	}
	var slices atomic.Int64
	begin(t, j, nil, definition("test.flush", func(ctx context.Context, run jobs.Run) error {
		started <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
			return ctx.Err()
		}
		info, err := j.Get(context.WithoutCancel(ctx), run.ID)
		if err != nil {
			return err
		}
		if info.Key == "0" && slices.Add(1) == 1 {
			return jobs.Continue(0)
		}
		var n int
		if _, err := fmt.Sscan(info.Key, &n); err != nil {
			return err
		}
		runs[n].Add(1)
		return nil
	}))
	<-started
	if err := s.client(t).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	close(release)
	until(t, "all jobs are done", func() bool { return len(all(t, j, jobs.Filter{State: jobs.Done})) == len(runs) })
	for i := range runs {
		if n := runs[i].Load(); n != 1 {
			t.Errorf("job %d ran %d times", i, n)
		}
	}
}

// TestWithoutRedisJobsAreKeptAndRunWhenItIsBack opens, starts and enqueues while there is none.
func TestWithoutRedisJobsAreKeptAndRunWhenItIsBack(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	i := newInstallation(t)
	i.url = s.url()
	j := i.open(t, "worker")
	var ran atomic.Int64
	begin(t, j, nil, definition("test.away", func(context.Context, jobs.Run) error { ran.Add(1); return nil }))
	if err := j.Enqueue(t.Context(), many("test.away", 3)...); err != nil {
		t.Fatal(err)
	}
	if list := all(t, j, jobs.Filter{State: jobs.Waiting}); len(list) != 3 {
		t.Fatalf("%d jobs wait", len(list))
	}
	s.start(t)
	until(t, "they run", func() bool { return len(all(t, j, jobs.Filter{State: jobs.Done})) == 3 })
	s.stop()
	if err := j.Enqueue(t.Context(), many("test.away", 3)...); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	until(t, "they run again", func() bool { return len(all(t, j, jobs.Filter{State: jobs.Done})) == 6 })
	if ran.Load() != 6 {
		t.Errorf("%d runs", ran.Load())
	}
}

// TestThreeProcessesRunAScheduleOnce starts three at once: AtStart is one run, and a slot is one run.
func TestThreeProcessesRunAScheduleOnce(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	pool := i.pool
	work := definition("test.nightly", func(context.Context, jobs.Run) error { return nil })
	later := definition("test.later", func(context.Context, jobs.Run) error { return nil })
	schedules := []jobs.Schedule{
		{Job: jobs.Job{Kind: "test.nightly"}, Every: 10_000 * time.Hour, AtStart: true}, {Job: jobs.Job{Kind: "test.later"}, Every: 10_000 * time.Hour},
	}
	var runners []*asynqjobs.Jobs
	for n := range 3 {
		runners = append(runners, i.open(t, fmt.Sprint("worker", n)))
	}
	var starts sync.WaitGroup
	for _, j := range runners {
		starts.Go(func() { begin(t, j, schedules, work, later) })
	}
	starts.Wait()
	until(t, "it ran", func() bool { return len(all(t, runners[0], jobs.Filter{Kind: "test.nightly", State: jobs.Done})) > 0 })
	if n := len(all(t, runners[0], jobs.Filter{})); n != 1 {
		t.Fatalf("%d jobs were enqueued at the start", n)
	}
	// The next slot comes, and all three go for it at the same moment: they read that it is due, and wait to change that.
	var before int
	var slot pgx.Tx
	until(t, "the slot is held before one of them has seen it", func() bool {
		if _, err := pool.Exec(t.Context(), `UPDATE outbox_schedule SET slot = 0`); err != nil {
			t.Fatal(err)
		}
		var err error
		if slot, err = pool.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		var moved int
		if _, err = slot.Exec(t.Context(), `LOCK TABLE outbox_schedule IN EXCLUSIVE MODE`); err == nil {
			err = slot.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM outbox_schedule WHERE slot > 0), (SELECT count(*) FROM outbox)`).Scan(&moved, &before)
		}
		if err != nil {
			t.Fatal(err)
		}
		if moved > 0 {
			_ = slot.Rollback(t.Context())
		}
		return moved == 0
	})
	until(t, "all three wait for it", func() bool {
		var waiting int
		err := slot.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE relation = 'outbox_schedule'::regclass AND NOT granted`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		return waiting == 3
	})
	if err := slot.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "both are in their slot", func() bool {
		var moved int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM outbox_schedule WHERE slot > 0`).Scan(&moved); err != nil {
			t.Fatal(err)
		}
		return moved == 2
	})
	for _, j := range runners { // a stop waits for the scheduler: nobody enqueues afterwards
		if err := j.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := len(all(t, runners[0], jobs.Filter{})); n != before+2 {
		t.Errorf("%d jobs before the slot, %d after it", before, n)
	}
}

// TestAVanishedProcessesJobRunsOnAnother has a process fall silent past its lease: another runs its job, and what the first still does counts for nothing.
func TestAVanishedProcessesJobRunsOnAnother(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	pool := i.pool
	first, second := i.one(t, "first"), i.open(t, "second")
	started, release, lost := make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)
	begin(t, first, nil, definition("test.vanish", func(ctx context.Context, _ jobs.Run) error {
		started <- struct{}{}
		<-ctx.Done() // what tells it that the job is another's
		lost <- struct{}{}
		<-release
		return nil // too late: it must not make the job done
	}))
	if err := first.Enqueue(t.Context(), jobs.Job{Kind: "test.vanish", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	<-started
	id := all(t, first, jobs.Filter{})[0].ID
	// As a process that is stopped and cannot renew; the first is alive, so its row is made another's, who says nothing.
	if _, err := pool.Exec(t.Context(), `UPDATE outbox SET process = 'gone', lease_until = now() - interval '1 second' WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	attempts, finish := make(chan int, 2), make(chan struct{})
	begin(t, second, nil, definition("test.vanish", func(ctx context.Context, run jobs.Run) error {
		attempts <- run.Attempt
		select {
		case <-finish:
		case <-ctx.Done():
		}
		return jobs.Discard(errors.New("as the second one says"))
	}))
	<-lost
	if n := <-attempts; n != 1 { // the first has no other worker
		t.Errorf("it counted as attempt %d", n)
	}
	close(release)
	if err := first.Stop(t.Context()); err != nil { // it has said its last word
		t.Error(err)
	}
	close(finish)
	until(t, "the job is finished", func() bool { return all(t, second, jobs.Filter{})[0].FinishedAt != nil })
	info, err := second.Get(t.Context(), id)
	if err != nil || info.State != jobs.Dead || info.Process != "second" {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestWhatAnOvertakenProcessStillDoesIsNotRecorded ends the first run while the second goes on: the row is the second's.
func TestWhatAnOvertakenProcessStillDoesIsNotRecorded(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	pool := i.pool
	first, second := i.one(t, "first"), i.open(t, "second")
	started, release := make(chan struct{}, 1), make(chan struct{})
	begin(t, first, nil, definition("test.overtaken", func(context.Context, jobs.Run) error {
		started <- struct{}{}
		<-release
		return nil
	}))
	if err := first.Enqueue(t.Context(), jobs.Job{Kind: "test.overtaken"}); err != nil {
		t.Fatal(err)
	}
	<-started
	taken, finish := make(chan struct{}, 1), make(chan struct{})
	begin(t, second, nil, definition("test.overtaken", func(context.Context, jobs.Run) error {
		taken <- struct{}{}
		<-finish
		return jobs.Discard(errors.New("as the second one says"))
	}))
	if _, err := pool.Exec(t.Context(), `UPDATE outbox SET state = 'waiting', handed_at = NULL`); err != nil {
		t.Fatal(err)
	}
	<-taken // the first has no other worker
	close(release)
	if err := first.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if info := all(t, second, jobs.Filter{})[0]; info.State != jobs.Running || info.Process != "second" {
		t.Errorf("after the first's last word it is %+v", info)
	}
	close(finish)
	until(t, "the second ends it", func() bool { return len(all(t, second, jobs.Filter{State: jobs.Dead})) == 1 })
}

// TestARunningJobIsCancelledFromAnotherProcess cancels where it does not run, with Redis there and with none.
func TestARunningJobIsCancelledFromAnotherProcess(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	s.start(t)
	i := newInstallation(t)
	i.url = s.url()
	worker, api := i.open(t, "worker"), i.open(t, "api")
	started := make(chan string, 2)
	begin(t, worker, nil, definition("test.cancel", func(ctx context.Context, run jobs.Run) error {
		started <- run.ID
		<-ctx.Done()
		return ctx.Err()
	}))
	if err := api.Enqueue(t.Context(), many("test.cancel", 2)...); err != nil {
		t.Fatal(err)
	}
	ids := []string{<-started, <-started}
	for i, id := range ids {
		if i == 1 {
			s.stop()
		}
		if err := api.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		until(t, "it is cancelled", func() bool { return len(all(t, api, jobs.Filter{State: jobs.Cancelled})) == i+1 })
	}
}

// TestAKindThatOnlyANewerVersionKnowsWaitsForIt has a process of the version before get tasks of a kind that it does not know, beside one that does.
func TestAKindThatOnlyANewerVersionKnowsWaitsForIt(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	older, newer := i.open(t, "older"), i.one(t, "newer")
	begin(t, older, nil, definition("test.known", func(context.Context, jobs.Run) error { return nil }))
	var ran atomic.Int64
	begin(t, newer, nil, definition("test.known", func(context.Context, jobs.Run) error { return nil }),
		definition("test.new", func(context.Context, jobs.Run) error { ran.Add(1); return nil }))
	if err := older.Enqueue(t.Context(), many("test.new", 30)...); err != nil {
		t.Fatal(err)
	}
	until(t, "the newer one runs them", func() bool { return len(all(t, newer, jobs.Filter{State: jobs.Done})) == 30 })
	if n := ran.Load(); n != 30 || len(all(t, newer, jobs.Filter{State: jobs.Dead})) != 0 {
		t.Errorf("%d ran, dead are %+v", n, all(t, newer, jobs.Filter{State: jobs.Dead}))
	}
}

// TestAClaimWhoseAnswerWasLostIsTakenUp leaves a job claimed by a process that lives and does not know of it.
func TestAClaimWhoseAnswerWasLostIsTakenUp(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	j := i.open(t, "worker")
	if err := j.Enqueue(t.Context(), jobs.Job{Kind: "test.orphan"}); err != nil {
		t.Fatal(err)
	}
	begin(t, j, nil)
	i.exec(t, `UPDATE outbox SET state = 'running', attempt = 1, turn = 1, process = 'worker', started_at = now(), lease_until = now() + interval '7 seconds'`)
	ran := make(chan struct{}, 1)
	begin(t, i.open(t, "other"), nil, definition("test.orphan", func(context.Context, jobs.Run) error { ran <- struct{}{}; return nil }))
	select {
	case <-ran:
	case <-time.After(90 * time.Second):
		t.Fatal("it is held for ever")
	}
}

// TestWhatItsEnqueuerDidNotHandOutRunsAllTheSame has the enqueuer die between its commit and the hand-over.
func TestWhatItsEnqueuerDidNotHandOutRunsAllTheSame(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	j := i.open(t, "worker")
	db := stdlib.OpenDBFromPool(i.pool)
	t.Cleanup(func() { db.Close() })
	var ran atomic.Int64
	begin(t, j, nil, definition("test.left", func(context.Context, jobs.Run) error { ran.Add(1); return nil }))
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = j.Transactional().Enqueue(t.Context(), tx, nil, many("test.left", 3)...)
	if err = errors.Join(err, tx.Commit()); err != nil {
		t.Fatal(err)
	}
	until(t, "they run", func() bool { return len(all(t, j, jobs.Filter{State: jobs.Done})) == 3 })
	if n := ran.Load(); n != 3 {
		t.Errorf("%d runs", n)
	}
}

// TestOfSeveralTasksOfAJobOneRuns has Asynq deliver each job three times, to workers that claim in groups.
func TestOfSeveralTasksOfAJobOneRuns(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.prefix = "twice" + i.prefix[:8]
	j := i.with(t, asynqjobs.Config{ID: func() (string, error) { return "worker", nil }, Workers: map[jobs.Queue]int{jobs.QueueDefault: 8}})
	if err := j.Enqueue(t.Context(), many("test.twice", 40)...); err != nil {
		t.Fatal(err)
	}
	options, err := asynq.ParseRedisURI(i.url)
	if err != nil {
		t.Fatal(err)
	}
	client := asynq.NewClient(options)
	t.Cleanup(func() { client.Close() })
	tasks := 0
	for _, info := range all(t, j, jobs.Filter{}) {
		for n := range 2 {
			if _, err := client.EnqueueContext(t.Context(), asynq.NewTask("job", []byte(info.ID)), asynq.TaskID(fmt.Sprint(info.ID, "/again/", n)),
				asynq.Queue(i.prefix+":default:1")); err != nil {
				t.Fatal(err)
			}
			tasks++
		}
	}
	for n := range 5 { // and somebody else's
		if _, err := client.EnqueueContext(t.Context(), asynq.NewTask("job", []byte(fmt.Sprint("no job ", n))), asynq.Queue(i.prefix+":default:1")); err != nil {
			t.Fatal(err)
		}
		tasks++
	}
	var runs sync.Map
	var ran atomic.Int64
	begin(t, j, nil, definition("test.twice", func(_ context.Context, run jobs.Run) error {
		if _, before := runs.LoadOrStore(run.ID, true); before {
			t.Errorf("%s ran twice", run.ID)
		}
		ran.Add(1)
		return nil
	}))
	inspector := asynq.NewInspector(options)
	t.Cleanup(func() { inspector.Close() })
	until(t, "all tasks are delivered", func() bool {
		info, err := inspector.GetQueueInfo(i.prefix + ":default:1")
		return err == nil && info.Processed == tasks+40
	})
	if n := ran.Load(); n != 40 || len(all(t, j, jobs.Filter{State: jobs.Done})) != 40 {
		t.Errorf("%d runs, %d jobs are done", n, len(all(t, j, jobs.Filter{State: jobs.Done})))
	}
}

// TestTablesOfBeforeAnyReleaseAreBroughtUpToDate opens those that had the state in their indexes.
func TestTablesOfBeforeAnyReleaseAreBroughtUpToDate(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	j := i.open(t, "before")
	if err := j.Enqueue(t.Context(), many("test.before", 2)...); err != nil {
		t.Fatal(err)
	}
	i.exec(t, `UPDATE outbox SET state = 'dead', finished_at = now() WHERE key = '0'`)
	i.exec(t, `ALTER TABLE outbox DROP COLUMN ended CASCADE`)
	i.exec(t, `CREATE UNIQUE INDEX outbox_key ON outbox (kind, key) WHERE key <> '' AND state IN ('waiting', 'running', 'retrying')`)
	j = i.open(t, "after")
	begin(t, j, nil, definition("test.before", func(context.Context, jobs.Run) error { return nil }))
	if err := j.Enqueue(t.Context(), many("test.before", 2)...); err != nil { // the dead one's key is free
		t.Fatal(err)
	}
	until(t, "they run", func() bool { return len(all(t, j, jobs.Filter{State: jobs.Done})) >= 2 })
	stats, err := j.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dead := 0
	for _, s := range stats {
		dead += s.Dead
	}
	if dead != 1 {
		t.Errorf("%d are dead", dead)
	}
}
