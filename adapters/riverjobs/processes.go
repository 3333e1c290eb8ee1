package riverjobs

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
)

// River forgets its clients, so who runs jobs is written into a table beside its own. All times are the database's (R15).
const (
	makeProcesses = `CREATE TABLE IF NOT EXISTS river_process (id TEXT PRIMARY KEY, host TEXT NOT NULL, started_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, workers TEXT NOT NULL)`
	beatProcess   = `INSERT INTO river_process (id, host, started_at, seen_at, workers) VALUES ($1, $2, NOW, NOW, $3)
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, seen_at = excluded.seen_at, workers = excluded.workers`
	endProcess      = `DELETE FROM river_process WHERE id = $1`
	forgetProcesses = `DELETE FROM river_process WHERE seen_at < NOW - 86400000000`
	listProcesses   = `SELECT id, host, started_at, seen_at, workers FROM river_process WHERE seen_at > NOW - 60000000 ORDER BY id`
	// beat is how often a process says that it lives.
	beat = 10 * time.Second
)

// heartbeat says until it is ended that a process lives.
type heartbeat struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

func (j *Jobs) startHeartbeat(ctx context.Context, id string) (*heartbeat, error) {
	workers, err := json.Marshal(j.workers())
	if err != nil {
		return nil, err
	}
	say := func(ctx context.Context) error {
		return j.db.exec(ctx, beatProcess, id, j.config.Host, string(workers))
	}
	for _, statement := range []string{forgetProcesses, endProcess} { // it starts now, whatever an earlier one of this id did
		var args []any
		if statement == endProcess {
			args = []any{id}
		}
		if err := j.db.exec(ctx, statement, args...); err != nil {
			return nil, err
		}
	}
	if err := say(ctx); err != nil {
		return nil, err
	}
	h := &heartbeat{}
	ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	h.group.Go(func() {
		ticker := time.NewTicker(beat)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := say(ctx); err != nil && ctx.Err() == nil {
				j.config.Logger.WarnContext(ctx, "other processes do not hear that this one runs jobs", "error", err)
			}
		}
	})
	return h, nil
}

// end stops it and takes the process off the list.
func (h *heartbeat) end(ctx context.Context, j *Jobs, id string) {
	h.cancel()
	h.group.Wait()
	if err := j.db.exec(ctx, endProcess, id); err != nil {
		j.config.Logger.WarnContext(ctx, "this process is listed for another minute", "error", err)
	}
}

// workers is how many jobs of each queue run at once here.
func (j *Jobs) workers() map[jobs.Queue]int {
	out := map[jobs.Queue]int{}
	for _, q := range jobs.Queues() {
		out[q] = j.config.Workers[q]
		if out[q] == 0 {
			out[q] = 2
		}
	}
	return out
}

// Processes lists who runs jobs.
func (j *Jobs) Processes(ctx context.Context) ([]jobs.Process, error) {
	out := []jobs.Process{}
	err := j.db.rows(ctx, listProcesses, func(scan func(...any) error) error {
		var p jobs.Process
		var started, seen int64
		var workers string
		if err := scan(&p.ID, &p.Host, &started, &seen, &workers); err != nil {
			return err
		}
		p.StartedAt, p.SeenAt = domain.Stamp(time.UnixMicro(started)), domain.Stamp(time.UnixMicro(seen))
		out = append(out, p)
		return json.Unmarshal([]byte(workers), &out[len(out)-1].Workers)
	})
	if err != nil {
		return nil, translate(err)
	}
	running, err := j.client.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateRunning).First(10_000))
	if err != nil {
		return nil, translate(err)
	}
	for _, row := range running.Jobs {
		for i := range out {
			if n := len(row.AttemptedBy); n > 0 && row.AttemptedBy[n-1] == out[i].ID {
				out[i].Running++
			}
		}
	}
	return out, nil
}
