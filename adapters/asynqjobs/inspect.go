package asynqjobs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

const columns = `id::text, kind, queue, key, payload, priority, state, attempt, failures, done, total, process, created_at, run_at, started_at, finished_at`

func scan(row pgx.CollectableRow) (info jobs.Info, err error) {
	var failures []byte
	err = row.Scan(&info.ID, &info.Kind, &info.Queue, &info.Key, &info.Payload, &info.Priority, &info.State, &info.Attempt, &failures, &info.Done, &info.Total,
		&info.Process, &info.CreatedAt, &info.RunAt, &info.StartedAt, &info.FinishedAt)
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(failures, &info.Failures); err != nil {
		return info, err
	}
	if n := len(info.Failures); n > 0 {
		info.LastError = info.Failures[n-1].Error
	}
	for i := range info.Failures {
		info.Failures[i].At = domain.Stamp(info.Failures[i].At)
	}
	for _, at := range []*time.Time{&info.CreatedAt, &info.RunAt, info.StartedAt, info.FinishedAt} {
		if at != nil {
			*at = domain.Stamp(*at)
		}
	}
	return info, nil
}

// List is newest first: ids are in the order of time.
func (j *Jobs) List(ctx context.Context, f jobs.Filter, page domain.PageRequest) (domain.Page[jobs.Info], error) {
	where, args := conditions(f)
	out := domain.Page[jobs.Info]{Items: []jobs.Info{}}
	if page.IncludeTotal {
		var total int
		if err := j.config.Pool.QueryRow(ctx, "SELECT count(*) FROM outbox WHERE "+where, args...).Scan(&total); err != nil {
			return out, translate(err)
		}
		out.Total = &total
	}
	if page.Cursor != "" {
		before, err := decodeCursor(page.Cursor)
		if err != nil {
			return out, err
		}
		args = append(args, before)
		where += fmt.Sprintf(" AND id < $%d::uuid", len(args))
	}
	rows, err := j.config.Pool.Query(ctx, fmt.Sprintf("SELECT %s FROM outbox WHERE %s ORDER BY id DESC LIMIT %d", columns, where, page.Size()+1), args...)
	if err != nil {
		return out, translate(err)
	}
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return out, translate(err)
	}
	if len(found) > page.Size() {
		found = found[:page.Size()]
		out.NextCursor = encodeCursor(found[len(found)-1].ID)
	}
	for i := range found {
		found[i].Failures = nil // only Get has them
	}
	out.Items = append(out.Items, found...)
	return out, nil
}

func conditions(f jobs.Filter) (string, []any) {
	parts, args := []string{"TRUE"}, []any{}
	for _, c := range [][2]string{{"kind", string(f.Kind)}, {"queue", string(f.Queue)}, {"state", string(f.State)}, {"key", f.Key}} {
		if c[1] != "" {
			args = append(args, c[1])
			parts = append(parts, fmt.Sprintf("%s = $%d", c[0], len(args)))
		}
	}
	if f.Key != "" {
		parts = append(parts, "key <> ''") // for its index
	}
	return strings.Join(parts, " AND "), args
}

func encodeCursor(id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("jobs:" + id))
}

func decodeCursor(cursor string) (string, error) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if text, ours := strings.CutPrefix(string(data), "jobs:"); err == nil && ours {
		if id, ok := domain.ParseID(text); ok {
			return id.String(), nil
		}
	}
	return "", fault.InvalidField("page.bad_cursor", "cursor", "This cursor does not belong to this list. Start from the first page.")
}

// Get returns one job with what its attempts failed of.
func (j *Jobs) Get(ctx context.Context, id string) (jobs.Info, error) {
	if _, ok := domain.ParseID(id); !ok {
		return jobs.Info{}, translate(pgx.ErrNoRows)
	}
	rows, err := j.config.Pool.Query(ctx, "SELECT "+columns+" FROM outbox WHERE id = $1::uuid", id)
	if err != nil {
		return jobs.Info{}, translate(err)
	}
	info, err := pgx.CollectExactlyOneRow(rows, scan)
	return info, translate(err)
}

// Cancel stops a job. A running one's process is told at once, and sees it in the row when the message is lost.
func (j *Jobs) Cancel(ctx context.Context, id string) error {
	if _, err := j.Get(ctx, id); err != nil {
		return err
	}
	var state jobs.State
	var task string
	var queue jobs.Queue
	var priority int
	err := j.config.Pool.QueryRow(ctx, cancelJob, id).Scan(&state, &task, &queue, &priority)
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.Conflict, "job.finished", "The job is finished already.")
	}
	if err != nil {
		return translate(err)
	}
	if state == jobs.Running {
		err = j.inspect.CancelProcessing(task)
	} else {
		err = j.drop(task, queue, priority)
	}
	if err != nil { // the row says it, which is what counts
		j.config.Logger.DebugContext(ctx, "Asynq was not told of a cancelled job", "job", id, "error", err)
	}
	return nil
}

// drop removes a task that nobody needs any more; one that stays does nothing when it is delivered.
func (j *Jobs) drop(task string, queue jobs.Queue, priority int) error {
	if task == "" {
		return nil
	}
	return j.inspect.DeleteTask(j.taskQueue(queue, priority), task)
}

// Retry runs a dead or cancelled job again.
func (j *Jobs) Retry(ctx context.Context, id string) error {
	if _, err := j.Get(ctx, id); err != nil {
		return err
	}
	tag, err := j.config.Pool.Exec(ctx, retryEnded, id)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "job.not_ended", "Only a dead or cancelled job can be tried again.")
	}
	return translate(err)
}

// Delete removes a job that is not running.
func (j *Jobs) Delete(ctx context.Context, id string) error {
	if _, err := j.Get(ctx, id); err != nil {
		return err
	}
	var task string
	var queue jobs.Queue
	var priority int
	err := j.config.Pool.QueryRow(ctx, deleteJob, id).Scan(&task, &queue, &priority)
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.Conflict, "job.running", "The job is running. Cancel it first.")
	}
	if err != nil {
		return translate(err)
	}
	_ = j.drop(task, queue, priority) // without its row it does nothing
	return nil
}

// Pause keeps all processes from beginning jobs of a queue: no claim succeeds while the row is there.
func (j *Jobs) Pause(ctx context.Context, q jobs.Queue) error {
	if err := known(q); err != nil {
		return err
	}
	_, err := j.config.Pool.Exec(ctx, `INSERT INTO outbox_pause (queue) VALUES ($1) ON CONFLICT (queue) DO NOTHING`, string(q))
	return translate(err)
}

// Resume ends a pause.
func (j *Jobs) Resume(ctx context.Context, q jobs.Queue) error {
	if err := known(q); err != nil {
		return err
	}
	_, err := j.config.Pool.Exec(ctx, `DELETE FROM outbox_pause WHERE queue = $1`, string(q))
	return translate(err)
}

func known(q jobs.Queue) error {
	if !slices.Contains(jobs.Queues(), q) {
		return fault.New(fault.NotFound, "job.no_queue", "There is no queue %q; there are %v.", q, jobs.Queues())
	}
	return nil
}

// Processes lists who runs jobs.
func (j *Jobs) Processes(ctx context.Context) ([]jobs.Process, error) {
	rows, err := j.config.Pool.Query(ctx, processes)
	if err != nil {
		return nil, translate(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p jobs.Process, err error) {
		var workers []byte
		if err := row.Scan(&p.ID, &p.Host, &workers, &p.StartedAt, &p.SeenAt, &p.Running); err != nil {
			return p, err
		}
		p.StartedAt, p.SeenAt = domain.Stamp(p.StartedAt), domain.Stamp(p.SeenAt)
		return p, json.Unmarshal(workers, &p.Workers)
	})
	return list, translate(err)
}

// Stats counts jobs by queue.
func (j *Jobs) Stats(ctx context.Context) ([]jobs.QueueStats, error) {
	out := make([]jobs.QueueStats, len(jobs.Queues()))
	for i, q := range jobs.Queues() {
		out[i].Queue = q
	}
	rows, err := j.config.Pool.Query(ctx, `SELECT queue, state, count(*), coalesce(max(extract(epoch FROM clock_timestamp() - run_at)), 0)::float8 FROM outbox WHERE ended IS NULL OR ended = 'dead' GROUP BY queue, state
		UNION ALL SELECT queue, 'paused', 1, 0 FROM outbox_pause`)
	if err != nil {
		return nil, translate(err)
	}
	var queue jobs.Queue
	var state string
	var n int
	var age float64
	_, err = pgx.ForEachRow(rows, []any{&queue, &state, &n, &age}, func() error {
		i := slices.Index(jobs.Queues(), queue)
		if i < 0 {
			return nil
		}
		switch s := &out[i]; state {
		case string(jobs.Waiting):
			s.Waiting, s.OldestWaiting = n, time.Duration(max(age, 0)*float64(time.Second))
		case string(jobs.Running):
			s.Running = n
		case string(jobs.Retrying):
			s.Retrying = n
		case string(jobs.Dead):
			s.Dead = n
		case "paused":
			s.Paused = true
		}
		return nil
	})
	return out, translate(err)
}
