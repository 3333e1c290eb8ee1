package asynqjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

const (
	// grace is how long running jobs may go on after Stop before their ctx ends.
	grace = 3 * time.Second
	// lease is for how long a claim holds that nobody prolongs: then the job of a process that was killed, or stands still, is anybody's.
	lease = 30 * time.Second
	// beat is how often a process prolongs its claims and says that it lives.
	beat = 5 * time.Second
	// perServer is how many workers share one of Asynq's servers, which asks for one task after the other.
	perServer = 8
	// patience is how long what is claimed or done waits for others that run, so that few transactions do for many jobs.
	patience = time.Millisecond
	// lost is what a job failed of whose process did not come back, and mostLosses how many in a row are too many.
	lost       = "the process that ran it was lost"
	mostLosses = 20
)

// process is what works between Start and Stop.
type process struct {
	*Jobs
	id          string
	definitions map[jobs.Kind]jobs.Definition
	kinds       []string
	servers     []*asynq.Server // those of a queue take no other's workers
	kick        chan struct{}

	background context.Context // of the relay and the beat
	stop       context.CancelFunc
	group      sync.WaitGroup

	mu      sync.Mutex
	claims  map[string]*claim // by the job's id
	active  int               // tasks that are worked on
	hurried bool              // the handlers are to end

	rows batcher[step, *claimed] // what is claimed and what is done
	conn *pgx.Conn               // of rows
}

// step is one of a job that runs: it is claimed, or it is done.
type step struct {
	id   string
	done bool
	turn int // of the claim of what is done
}

// claimed is a job as its claim found it.
type claimed struct {
	Kind    jobs.Kind
	Payload []byte
	Attempt int
	Turn    int
	Trace   string
}

// claim is a job that runs here.
type claim struct {
	id     string
	turn   int
	cancel context.CancelFunc
}

// Start returns this process's own unfinished jobs to the queue and begins to work.
func (j *Jobs) Start(ctx context.Context, definitions []jobs.Definition, schedules []jobs.Schedule) (err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running != nil {
		return fault.New(fault.Internal, "jobs.started", "The job runner runs already.")
	}
	p := &process{Jobs: j, definitions: map[jobs.Kind]jobs.Definition{}, kick: make(chan struct{}, 1), claims: map[string]*claim{}}
	p.rows.do, p.rows.most = p.takeSteps, batch
	p.rows.others, p.rows.patience = p.working, patience
	if p.id, err = j.config.ID(); err != nil {
		return err
	}
	for _, d := range definitions {
		if d.Handler == nil || d.MaxAttempts < 1 || d.Timeout <= 0 {
			return fault.New(fault.Internal, "jobs.definition", "The job kind %q needs a handler, attempts and a timeout.", d.Kind)
		}
		p.definitions[d.Kind] = d
		p.kinds = append(p.kinds, string(d.Kind))
	}
	if _, err := j.handing.call(ctx, handed{}); err != nil { // what waits is in its order before anybody takes of it
		return err
	}
	if err := p.begin(ctx, schedules); err != nil {
		return fault.Wrap(err, fault.Unavailable, "jobs.start", "The job runner could not start.")
	}
	p.background, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, run := range []func(){p.relay, p.beat, func() { p.schedule(schedules) }, p.sweep} {
		p.group.Go(run)
	}
	for q, n := range j.workers() {
		for ; n > 0; n -= perServer {
			server := p.server(q, min(n, perServer))
			if err := server.Start(asynq.HandlerFunc(p.process)); err != nil { // it was started before: never
				return errors.Join(err, p.end(ctx))
			}
			p.servers = append(p.servers, server)
		}
	}
	j.running = p
	return nil
}

// begin takes back what an earlier process of this id left, and notes that this one runs. The first of all processes enqueues what is to run at a start.
func (p *process) begin(ctx context.Context, schedules []jobs.Schedule) error {
	workers, err := json.Marshal(p.workers())
	if err != nil {
		return err
	}
	return p.transact(ctx, func(tx pgx.Tx, enqueue func(...jobs.Job) error) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('revenge outbox'))"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, releaseOwn, p.id); err != nil {
			return err
		}
		var first bool
		if err := tx.QueryRow(ctx, alone, p.id).Scan(&first); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, beginProcess, p.id, p.config.Host, string(workers)); err != nil {
			return err
		}
		for _, s := range schedules {
			if first && s.AtStart {
				if err := enqueue(s.Job); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// server works on a queue's tasks, the most urgent first. How often and when a job is tried again is decided by the rows: to Asynq a task succeeds unless the database
// is away.
func (p *process) server(q jobs.Queue, workers int) *asynq.Server {
	queues := map[string]int{}
	for priority := 1; priority <= priorities; priority++ {
		queues[p.taskQueue(q, priority)] = priorities + 1 - priority
	}
	return asynq.NewServerFromRedisClient(p.redis, asynq.Config{
		Concurrency: workers, Queues: queues, StrictPriority: true,
		TaskCheckInterval: 100 * time.Millisecond, DelayedTaskCheckInterval: time.Second,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 2 * time.Second },
		IsFailure:      func(error) bool { return false }, // tasks never run out of attempts
		Logger:         quiet{p.config.Logger}, LogLevel: asynq.WarnLevel, ShutdownTimeout: grace,
	})
}

// Stop takes no new jobs, lets running ones finish for a moment, then ends their ctx and returns them to the queue.
func (j *Jobs) Stop(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.running == nil {
		return nil
	}
	err := j.running.end(ctx)
	j.running = nil
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "jobs.stop", "Jobs did not stop in time; they are taken up again at the next start.")
	}
	return nil
}

func (p *process) end(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range p.servers {
		all.Go(s.Stop)
	}
	all.Wait()
	wait := func(d time.Duration) bool {
		for deadline := time.Now().Add(d); p.working() > 0; time.Sleep(10 * time.Millisecond) {
			if ctx.Err() != nil || time.Now().After(deadline) {
				return false
			}
		}
		return true
	}
	if !wait(grace) {
		p.hurry()
	}
	ended := wait(2 * grace)
	p.hurry()
	for _, s := range p.servers {
		all.Go(s.Shutdown)
	}
	all.Wait()
	p.stop()
	p.group.Wait()
	if ended { // else handlers go on, and record what becomes of them
		p.rows.wait()
		p.disconnect()
	}
	say, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if _, err := p.config.Pool.Exec(say, endProcess, p.id); err != nil {
		p.config.Logger.WarnContext(ctx, "this process is listed for another minute", "error", err)
	}
	if !ended {
		return errors.New("handlers go on")
	}
	return nil
}

// process runs the job of a task that Asynq delivers. Only where the database does not answer the task is tried again; whatever else becomes of the job is in
// its row before Asynq forgets the task.
func (p *process) process(ctx context.Context, task *asynq.Task) error {
	id := string(task.Payload())
	if _, ok := domain.ParseID(id); !ok { // somebody else's, by which no claim must fail that is made together with it
		p.config.Logger.WarnContext(ctx, "a task in the queue names no job; it is forgotten", "task", id)
		return nil
	}
	p.count(1)
	defer p.count(-1)
	job, err := p.rows.call(context.Background(), step{id: id}) // a claim that nobody waits for would be nobody's
	if err != nil {
		return err
	}
	if job == nil { // nothing to do; what waits for the end of a pause, or its time, is handed over again then
		_, err = p.config.Pool.Exec(ctx, takeBackThese, []string{id})
		return err
	}
	d := p.definitions[job.Kind]
	running, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	c := &claim{id: id, turn: job.Turn, cancel: cancel}
	p.mu.Lock()
	p.claims[id] = c
	if p.hurried {
		cancel()
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.claims[id] == c {
			delete(p.claims, id)
		}
	}()
	run := jobs.Run{ID: id, Kind: d.Kind, Payload: job.Payload, Trace: job.Trace, Attempt: job.Attempt, LastAttempt: job.Attempt >= d.MaxAttempts, Report: p.reporter(c)}
	p.record(c, d, job.Attempt, p.handle(running, d, run))
	return nil
}

// takeSteps claims jobs and records that jobs are done, those that are not somebody else's by now, in one transaction and one round trip. A claim is answered with
// the job, or with nil where it is not to be run here; of two tasks of the same job one gets it. Rows are locked in the order of their ids, so that no two
// transactions wait for each other.
func (p *process) takeSteps(steps []step) ([]*claimed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.background), lease)
	defer cancel()
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(steps[a].id, steps[b].id) })
	var wanted, done, turns []string
	for _, i := range order {
		if s := steps[i]; s.done {
			done, turns = append(done, s.id), append(turns, strconv.Itoa(s.turn))
		} else {
			wanted = append(wanted, s.id)
		}
	}
	got := map[string]*claimed{}
	var all pgx.Batch
	if len(wanted) > 0 {
		all.Queue(claimJobs, literal(wanted), p.id, lease, p.kinds).Query(func(rows pgx.Rows) error {
			var id, kind string
			var job claimed
			_, err := pgx.ForEachRow(rows, []any{&id, &kind, &job.Payload, &job.Attempt, &job.Turn, &job.Trace}, func() error {
				one := job
				one.Kind = jobs.Kind(kind)
				got[id] = &one
				return nil
			})
			return err
		})
	}
	if len(done) > 0 {
		all.Queue(finishJobs, literal(done), literal(turns))
	}
	if err := p.conn.SendBatch(ctx, &all).Close(); err != nil {
		p.disconnect()
		return nil, err
	}
	out := make([]*claimed, len(steps))
	for i, s := range steps {
		if !s.done {
			out[i] = got[s.id]
			delete(got, s.id)
		}
	}
	return out, nil
}

// literal is PostgreSQL's literal of an array of ids or numbers, which costs a tenth of what its driver takes to encode one.
func literal(list []string) string { return "{" + strings.Join(list, ",") + "}" }

// connect makes the connection that takeSteps has for itself: there PostgreSQL finds each job by its id, whatever it believes about the size of the table.
func (p *process) connect(ctx context.Context) error {
	if p.conn != nil {
		return nil
	}
	config := p.config.Pool.Config().ConnConfig
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	p.conn = conn
	if _, err = conn.Exec(ctx, byID, pgx.QueryExecModeSimpleProtocol); err != nil {
		p.disconnect()
	}
	return err
}

func (p *process) disconnect() {
	if p.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		_ = p.conn.Close(ctx)
		p.conn = nil
	}
}

func (p *process) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active += n
}

// hurry ends the ctx of the handlers.
func (p *process) hurry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hurried = true
	for _, c := range p.claims {
		c.cancel()
	}
}

func (p *process) ending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hurried
}

// working is how many tasks are worked on.
func (p *process) working() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active
}

// handle turns a panic into a failure.
func (p *process) handle(ctx context.Context, d jobs.Definition, run jobs.Run) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			p.config.Logger.ErrorContext(ctx, "a job panicked", "kind", run.Kind, "job", run.ID, "panic", trouble, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", trouble)
		}
	}()
	return d.Handler(ctx, run)
}

// record writes the outcome, as long as the claim holds: while the database is away the lease decides who is to go on.
func (p *process) record(c *claim, d jobs.Definition, attempt int, outcome error) {
	var statement string
	var args []any
	after, again := jobs.Continued(outcome)
	again = again || outcome != nil && p.ending() // this process stops: the job goes on elsewhere or later, as if it had not begun
	switch {
	case outcome == nil:
	case again:
		statement, args = continueJob, []any{after, c.id, c.turn}
	case jobs.Discarded(outcome) || attempt >= d.MaxAttempts:
		statement, args = failJob, []any{outcome.Error(), c.id, c.turn}
	default:
		statement, args = retryJob, []any{outcome.Error(), c.id, c.turn, backoff(d, attempt)}
	}
	deadline := time.Now().Add(lease)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := p.write(c, statement, args)
		if err == nil {
			break
		}
		p.config.Logger.WarnContext(p.background, "the outcome of a job could not be recorded", "job", c.id, "error", err)
		select {
		case <-p.background.Done():
			return
		case <-time.After(wait):
		}
		if time.Now().After(deadline) {
			return
		}
	}
	if outcome != nil {
		p.wake()
	}
}

// write runs the statement of an outcome, or, without one, records with others that the job is done.
func (p *process) write(c *claim, statement string, args []any) error {
	if statement == "" {
		_, err := p.rows.call(context.Background(), step{id: c.id, done: true, turn: c.turn}) // takes no longer than a lease
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.background), lease)
	defer cancel()
	_, err := p.config.Pool.Exec(ctx, statement, args...)
	return err
}

// backoff is the definition's, else exponential from 1 s to 10 min.
func backoff(d jobs.Definition, attempt int) time.Duration {
	if d.Backoff != nil {
		return d.Backoff(attempt)
	}
	return min(time.Second<<min(attempt-1, 10), 10*time.Minute)
}

// reporter stores progress at most once a second, the last word always.
func (p *process) reporter(c *claim) func(context.Context, int, int) {
	var mu sync.Mutex
	var last time.Time
	return func(ctx context.Context, done, total int) {
		mu.Lock()
		defer mu.Unlock()
		if done < total && time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		if _, err := p.config.Pool.Exec(context.WithoutCancel(ctx), reportJob, done, c.id, c.turn, total); err != nil {
			p.config.Logger.WarnContext(ctx, "progress of a job could not be stored", "job", c.id, "error", err)
		}
	}
}

// beat prolongs this process's claims, and ends what was cancelled or is somebody else's by now.
func (p *process) beat() {
	for p.every(beat) {
		if err := p.prolong(); err != nil {
			p.config.Logger.WarnContext(p.background, "other processes do not hear that this one runs jobs", "error", err)
		}
	}
}

func (p *process) prolong() error {
	p.mu.Lock()
	mine := make(map[string]*claim, len(p.claims))
	for id, c := range p.claims {
		mine[id] = c
	}
	p.mu.Unlock()
	ids := slices.Collect(maps.Keys(mine))
	if _, err := p.config.Pool.Exec(p.background, beatProcess, p.id); err != nil {
		return err
	}
	rows, err := p.config.Pool.Query(p.background, prolong, p.id, lease, ids)
	if err != nil {
		return err
	}
	var id string
	var turn int
	var cancelling bool
	if _, err := pgx.ForEachRow(rows, []any{&id, &turn, &cancelling}, func() error {
		if c := mine[id]; c != nil && c.turn == turn && !cancelling {
			delete(mine, id)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, c := range mine {
		c.cancel()
	}
	return nil
}

// every waits and tells whether to go on.
func (p *process) every(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.background.Done():
		return false
	case <-timer.C:
		return true
	}
}

// workers is how many jobs of each queue run at once here.
func (j *Jobs) workers() map[jobs.Queue]int {
	out := map[jobs.Queue]int{}
	for _, q := range jobs.Queues() {
		if out[q] = j.config.Workers[q]; out[q] == 0 {
			out[q] = 2
		}
	}
	return out
}

// quiet keeps Asynq's running commentary out of the log; its warnings stay. That a server is away is one line from the relay, not one from each of Asynq's
// loops.
type quiet struct{ to *slog.Logger }

func (quiet) Debug(...any)     {}
func (quiet) Info(...any)      {}
func (q quiet) Warn(a ...any)  { q.to.Debug("asynq: " + fmt.Sprint(a...)) }
func (q quiet) Error(a ...any) { q.to.Debug("asynq: " + fmt.Sprint(a...)) }
func (q quiet) Fatal(a ...any) { q.to.Error("asynq: " + fmt.Sprint(a...)) }
