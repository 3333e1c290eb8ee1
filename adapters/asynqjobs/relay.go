package asynqjobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"

	"github.com/revenge-media/revenge/ports/jobs"
)

const (
	// look is how often a relay looks without being told, and whether the server of keys and values has lost what it was given.
	look = time.Second
	// check is how often it asks Asynq for tasks that it was given a while ago, and takes up what lost processes left.
	check = 5 * time.Second
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
		err := p.remember(p.background)
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

// handOver gives some due jobs to Asynq and returns how many. Other relays skip them; should this process die before the commit they hand them over again
// under the same ids, which Asynq refuses as known.
func (p *process) handOver(ctx context.Context) (n int, err error) {
	err = pgx.BeginFunc(ctx, p.config.Pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, dueJobs, p.kinds, batch)
		if err != nil {
			return err
		}
		due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
			ID       string
			Queue    jobs.Queue
			Priority int
			Turn     int
		}])
		if err != nil || len(due) == 0 {
			return err
		}
		ids, tasks := make([]string, len(due)), make([]string, len(due))
		for i, d := range due {
			ids[i], tasks[i] = d.ID, d.ID
			if d.Turn > 0 { // Asynq may still hold the task of its last turn
				tasks[i] = fmt.Sprintf("%s/%d", d.ID, d.Turn)
			}
			_, err := p.client.EnqueueContext(ctx, asynq.NewTask("job", []byte(d.ID)),
				asynq.TaskID(tasks[i]), asynq.Queue(p.taskQueue(d.Queue, d.Priority)), asynq.MaxRetry(1_000_000), asynq.Timeout(24*time.Hour))
			if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
				return err
			}
		}
		n = len(due)
		_, err = tx.Exec(ctx, handJobs, ids, tasks)
		return err
	})
	return n, err
}

// listen hears of jobs that were committed and wakes the relay.
func (p *process) listen() {
	for first := true; first || p.every(look); first = false {
		if err := p.hear(); err != nil && p.background.Err() == nil {
			p.config.Logger.DebugContext(p.background, "the relay of jobs hears of no commits; it looks each second", "error", err)
		}
	}
}

func (p *process) hear() error {
	// A connection of its own, which waits for news all the time.
	conn, err := pgx.ConnectConfig(p.background, p.config.Pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(p.background))
	if _, err := conn.Exec(p.background, "LISTEN "+channel); err != nil {
		return err
	}
	p.wake()
	for {
		if _, err := conn.WaitForNotification(p.background); err != nil {
			return err
		}
		p.wake()
	}
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
	handed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		ID       string
		Queue    jobs.Queue
		Priority int
		Task     string
	}])
	if err != nil {
		return err
	}
	var there, gone []string
	for _, h := range handed {
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
	return pgx.BeginFunc(ctx, p.config.Pool, func(tx pgx.Tx) error {
		var later bool
		err := tx.QueryRow(ctx, nextSlot, string(s.Job.Kind), s.Job.Key, s.Every.Seconds()).Scan(&later)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil || !later {
			return err
		}
		return enqueueIn(ctx, tx, s.Job)
	})
}
