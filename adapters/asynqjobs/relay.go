package asynqjobs

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/revenge-media/revenge/ports/jobs"
)

const (
	// look is how often a relay looks without being told, and whether the server of keys and values has lost what it was given.
	look = time.Second
	// check is how often it asks Asynq for tasks that it was given a while ago, and takes up what lost processes left.
	check = 5 * time.Second
	// together is how many tasks are given to Asynq at once, and of how many it is worth it.
	together = 8
)

// wake has the relay look at once.
func (p *process) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// relay hands due jobs to Asynq until the process stops.
func (p *process) relay() {
	away := false
	var remembered time.Time
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-p.background.Done():
			timer.Stop()
			return
		case <-p.kick:
			timer.Stop()
		case <-timer.C:
		}
		var err error
		if away || time.Since(remembered) >= look {
			err, remembered = p.remember(p.background), time.Now()
		}
		for n := batch; err == nil && n == batch; {
			n, err = p.handOver(p.background)
		}
		switch wait = p.untilDue(); {
		case err == nil && away:
			p.config.Logger.InfoContext(p.background, "jobs are handed out again")
		case err != nil && !away && p.background.Err() == nil:
			p.config.Logger.WarnContext(p.background, "jobs cannot be handed out; they are kept and wait", "error", err)
		}
		if away = err != nil; away {
			wait = look
		}
	}
}

// untilDue is when to look next: when the next job is due, and from time to time anyhow.
func (p *process) untilDue() time.Duration {
	var seconds *float64
	if err := p.config.Pool.QueryRow(p.background, nextDue, p.kinds).Scan(&seconds); err != nil || seconds == nil {
		return look
	}
	return min(max(time.Duration(*seconds*float64(time.Second)), 5*time.Millisecond), look)
}

// remember puts a mark into the server of keys and values. Where it is gone all else is, and everything is handed over again.
func (p *process) remember(ctx context.Context) error {
	mark := "asynq:{" + p.config.Prefix + "}:handed"
	fresh, err := p.redis.SetNX(ctx, mark, time.Now().Unix(), 0).Result()
	if err == nil && fresh {
		_, err = p.config.Pool.Exec(ctx, takeBack)
	}
	if err != nil && fresh { // not done: whoever comes next does it
		err = errors.Join(err, p.redis.Del(ctx, mark).Err())
	}
	return err
}

// handed is a job's task.
type handed struct {
	ID       string
	Queue    jobs.Queue
	Priority int
	Task     string
}

// handOver gives some due jobs to Asynq and returns how many. The mark that they are handed over comes first, so that no other relay takes them and no worker
// waits for the mark; should this process die between the two, askAsynq finds that Asynq does not know them.
func (p *process) handOver(ctx context.Context) (int, error) {
	rows, err := p.config.Pool.Query(ctx, handJobs, p.kinds, batch)
	if err != nil {
		return 0, err
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[handed])
	if err != nil {
		return 0, err
	}
	return len(due), p.hand(ctx, due)
}

// hand gives tasks to Asynq, the first ones first, and takes the mark back from those that it may not have. It may have some of them all the same: it refuses a
// name that it knows.
func (j *Jobs) hand(ctx context.Context, tasks []handed) error {
	given := make([]bool, len(tasks))
	var next atomic.Int64
	group, giving := errgroup.WithContext(ctx)
	some := func() error {
		for i := next.Add(1) - 1; i < int64(len(tasks)); i = next.Add(1) - 1 {
			if err := j.give(giving, tasks[i]); err != nil {
				return err
			}
			given[i] = true
		}
		return nil
	}
	for range min(together, len(tasks)/together) {
		group.Go(some)
	}
	err := errors.Join(some(), group.Wait())
	if err == nil {
		return nil
	}
	var left []string
	for i, h := range tasks {
		if !given[i] {
			left = append(left, h.ID)
		}
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	_, wrong := j.config.Pool.Exec(back, takeBackThese, left)
	return errors.Join(err, wrong)
}

func (j *Jobs) give(ctx context.Context, h handed) error {
	_, err := j.client.EnqueueContext(ctx, asynq.NewTask("job", []byte(h.ID)),
		asynq.TaskID(h.Task), asynq.Queue(j.taskQueue(h.Queue, h.Priority)), asynq.MaxRetry(1_000_000), asynq.Timeout(24*time.Hour))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

// handAll hands over what was committed, the most urgent first. What fails is the relays' to do. An empty one only asks whether what came before it was done.
func (j *Jobs) handAll(tasks []handed) ([]struct{}, error) {
	some := slices.DeleteFunc(slices.Clone(tasks), func(h handed) bool { return h.ID == "" })
	slices.SortStableFunc(some, func(a, b handed) int { return a.Priority - b.Priority })
	if err := j.hand(context.Background(), some); err != nil {
		j.config.Logger.Debug("jobs could not be handed out by who asked for them", "error", err)
	}
	return make([]struct{}, len(tasks)), nil
}

// sweep takes up what lost processes left, hands over again what Asynq does not know, and forgets old jobs.
func (p *process) sweep() {
	for p.every(check) {
		for _, do := range []func(context.Context) error{p.takeUp, p.askAsynq, p.forget} {
			if err := do(p.background); err != nil && p.background.Err() == nil {
				p.config.Logger.DebugContext(p.background, "tidying jobs failed; it is tried again", "error", err)
			}
		}
	}
}

func (p *process) takeUp(ctx context.Context) error {
	tag, err := p.config.Pool.Exec(ctx, releaseExpired, lost, mostLosses)
	if err == nil && tag.RowsAffected() > 0 {
		p.config.Logger.WarnContext(ctx, "jobs of processes that were lost are taken up", "jobs", tag.RowsAffected())
		p.wake()
	}
	return err
}

// askAsynq looks for tasks that were handed over a while ago.
func (p *process) askAsynq(ctx context.Context) error {
	rows, err := p.config.Pool.Query(ctx, handedLongAgo)
	if err != nil {
		return err
	}
	longAgo, err := pgx.CollectRows(rows, pgx.RowToStructByPos[handed])
	if err != nil {
		return err
	}
	var there, gone []string
	for _, h := range longAgo {
		switch _, err := p.inspect.GetTaskInfo(p.taskQueue(h.Queue, h.Priority), h.Task); {
		case err == nil:
			there = append(there, h.ID)
		case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
			gone = append(gone, h.ID)
		default:
			return err
		}
	}
	if len(there) > 0 {
		if _, err := p.config.Pool.Exec(ctx, stillHanded, there); err != nil {
			return err
		}
	}
	if len(gone) > 0 {
		if _, err := p.config.Pool.Exec(ctx, takeBackThese, gone); err != nil {
			return err
		}
		p.wake()
	}
	return nil
}

func (p *process) forget(ctx context.Context) error {
	_, err := p.config.Pool.Exec(ctx, forgetFinished, p.config.Retention)
	return err
}

// schedule enqueues each schedule's job once in each slot of its length, whichever process comes first.
func (p *process) schedule(schedules []jobs.Schedule) {
	if len(schedules) == 0 {
		return
	}
	shortest := schedules[0].Every
	for _, s := range schedules {
		shortest = min(shortest, s.Every)
	}
	for first := true; first || p.every(min(max(shortest/4, 50*time.Millisecond), look)); first = false {
		for _, s := range schedules {
			if err := p.enqueueSlot(p.background, s); err != nil && p.background.Err() == nil {
				p.config.Logger.WarnContext(p.background, "a scheduled job could not be enqueued; it is tried again", "kind", s.Job.Kind, "error", err)
			}
		}
	}
}

func (p *process) enqueueSlot(ctx context.Context, s jobs.Schedule) error {
	return p.transact(ctx, func(tx pgx.Tx, enqueue func(...jobs.Job) error) error {
		var later bool
		err := tx.QueryRow(ctx, nextSlot, string(s.Job.Kind), s.Job.Key, s.Every.Seconds()).Scan(&later)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil || !later {
			return err
		}
		return enqueue(s.Job)
	})
}
