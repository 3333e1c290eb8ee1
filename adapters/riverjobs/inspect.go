package riverjobs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

var statesOf = map[jobs.State][]rivertype.JobState{
	jobs.Waiting:   {rivertype.JobStateAvailable, rivertype.JobStateScheduled, rivertype.JobStatePending},
	jobs.Running:   {rivertype.JobStateRunning},
	jobs.Retrying:  {rivertype.JobStateRetryable},
	jobs.Done:      {rivertype.JobStateCompleted},
	jobs.Cancelled: {rivertype.JobStateCancelled},
	jobs.Dead:      {rivertype.JobStateDiscarded},
}

func stateOf(s rivertype.JobState) jobs.State {
	for state, all := range statesOf {
		for _, x := range all {
			if x == s {
				return state
			}
		}
	}
	return jobs.Waiting
}

// List is newest first: ids grow.
func (j *Jobs) List(ctx context.Context, f jobs.Filter, page domain.PageRequest) (domain.Page[jobs.Info], error) {
	p := river.NewJobListParams().OrderBy(river.JobListOrderByID, river.SortOrderDesc).First(page.Size() + 1).States(rivertype.JobStates()...)
	if f.Kind != "" {
		p = p.Kinds(string(f.Kind))
	}
	if f.State != "" {
		p = p.States(statesOf[f.State]...)
	}
	if f.Queue != "" {
		p = p.Queues(string(f.Queue))
	}
	if f.Key != "" {
		p = p.Where("args ->> 'key' = @key", river.NamedArgs{"key": f.Key})
	}
	if page.Cursor != "" {
		before, err := decodeCursor(page.Cursor)
		if err != nil {
			return domain.Page[jobs.Info]{}, err
		}
		p = p.Where("id < @before", river.NamedArgs{"before": before})
	}
	found, err := j.client.JobList(ctx, p)
	if err != nil {
		return domain.Page[jobs.Info]{}, translate(err)
	}
	out := domain.Page[jobs.Info]{Items: []jobs.Info{}}
	for i, row := range found.Jobs {
		if i == page.Size() {
			out.NextCursor = encodeCursor(found.Jobs[i-1].ID)
			break
		}
		out.Items = append(out.Items, infoOf(row))
	}
	if page.IncludeTotal {
		total, err := j.db.count(ctx, f, statesOf[f.State])
		if err != nil {
			return domain.Page[jobs.Info]{}, translate(err)
		}
		out.Total = &total
	}
	return out, nil
}

func encodeCursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "jobs:%d", id))
}

func decodeCursor(cursor string) (int64, error) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(data) > 5 && string(data[:5]) == "jobs:" {
		if id, err := strconv.ParseInt(string(data[5:]), 10, 64); err == nil {
			return id, nil
		}
	}
	return 0, fault.InvalidField("page.bad_cursor", "cursor", "This cursor does not belong to this list. Start from the first page.")
}

func infoOf(row *rivertype.JobRow) jobs.Info {
	var e envelope
	_ = json.Unmarshal(row.EncodedArgs, &e)
	info := jobs.Info{
		ID: strconv.FormatInt(row.ID, 10), Kind: jobs.Kind(row.Kind), Queue: jobs.Queue(row.Queue), State: stateOf(row.State), Attempt: row.Attempt,
		Payload: e.Payload, Key: e.Key, Priority: row.Priority, CreatedAt: domain.Stamp(row.CreatedAt), RunAt: domain.Stamp(row.ScheduledAt),
	}
	if row.AttemptedAt != nil {
		at := domain.Stamp(*row.AttemptedAt)
		info.StartedAt = &at
	}
	if n := len(row.AttemptedBy); n > 0 {
		info.Process = row.AttemptedBy[n-1]
	}
	if row.FinalizedAt != nil {
		at := domain.Stamp(*row.FinalizedAt)
		info.FinishedAt = &at
	}
	if n := len(row.Errors); n > 0 {
		info.LastError = row.Errors[n-1].Error
	}
	var p progress
	if json.Unmarshal(row.Output(), &p) == nil {
		info.Done, info.Total = p.Done, p.Total
	}
	return info
}

// find reads one job; any id that is none is simply absent.
func (j *Jobs) find(ctx context.Context, id string) (*rivertype.JobRow, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, translate(rivertype.ErrNotFound)
	}
	row, err := j.client.JobGet(ctx, n)
	if err != nil {
		return nil, translate(err)
	}
	return row, nil
}

// Get returns one job with what its attempts failed of.
func (j *Jobs) Get(ctx context.Context, id string) (jobs.Info, error) {
	row, err := j.find(ctx, id)
	if err != nil {
		return jobs.Info{}, err
	}
	info := infoOf(row)
	for _, e := range row.Errors[max(0, len(row.Errors)-20):] {
		info.Failures = append(info.Failures, jobs.Failure{Attempt: e.Attempt, At: domain.Stamp(e.At), Error: e.Error})
	}
	return info, nil
}

// Pause keeps all processes from beginning jobs of a queue.
func (j *Jobs) Pause(ctx context.Context, q jobs.Queue) error {
	if err := known(q); err != nil {
		return err
	}
	// River knows a queue once a process has worked on it, and forgets it a day after the last one did.
	if err := j.db.exec(ctx, `INSERT INTO river_queue (name, updated_at) VALUES ($1, CURRENT_TIMESTAMP) ON CONFLICT (name) DO NOTHING`, string(q)); err != nil {
		return translate(err)
	}
	return translate(j.client.QueuePause(ctx, string(q), nil))
}

// Resume ends a pause.
func (j *Jobs) Resume(ctx context.Context, q jobs.Queue) error {
	if err := known(q); err != nil {
		return err
	}
	if err := j.client.QueueResume(ctx, string(q), nil); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
		return translate(err)
	}
	return nil
}

func known(q jobs.Queue) error {
	if !slices.Contains(jobs.Queues(), q) {
		return fault.New(fault.NotFound, "job.no_queue", "There is no queue %q; there are %v.", q, jobs.Queues())
	}
	return nil
}

// Cancel stops a job.
func (j *Jobs) Cancel(ctx context.Context, id string) error {
	row, err := j.find(ctx, id)
	if err != nil {
		return err
	}
	if row.FinalizedAt != nil {
		return fault.New(fault.Conflict, "job.finished", "The job is finished already.")
	}
	if row, err = j.client.JobCancel(ctx, row.ID); err != nil {
		return translate(err)
	}
	if row.State == rivertype.JobStateRunning {
		return translate(j.db.notifyCancel(ctx, row.ID, row.Queue))
	}
	return nil
}

// Retry runs a dead or cancelled job again.
func (j *Jobs) Retry(ctx context.Context, id string) error {
	row, err := j.find(ctx, id)
	if err != nil {
		return err
	}
	if row.State != rivertype.JobStateDiscarded && row.State != rivertype.JobStateCancelled {
		return fault.New(fault.Conflict, "job.not_ended", "Only a dead or cancelled job can be tried again.")
	}
	_, err = j.client.JobRetry(ctx, row.ID)
	return translate(err)
}

// Delete removes a job that is not running.
func (j *Jobs) Delete(ctx context.Context, id string) error {
	row, err := j.find(ctx, id)
	if err != nil {
		return err
	}
	_, err = j.client.JobDelete(ctx, row.ID)
	if errors.Is(err, rivertype.ErrJobRunning) {
		return fault.New(fault.Conflict, "job.running", "The job is running. Cancel it first.")
	}
	return translate(err)
}

// Stats counts jobs by queue.
func (j *Jobs) Stats(ctx context.Context) ([]jobs.QueueStats, error) {
	stats, err := j.db.stats(ctx)
	if err == nil {
		err = j.db.rows(ctx, `SELECT name FROM river_queue WHERE paused_at IS NOT NULL`, func(scan func(...any) error) error {
			var name string
			if err := scan(&name); err != nil {
				return err
			}
			if i := slices.Index(jobs.Queues(), jobs.Queue(name)); i >= 0 {
				stats[i].Paused = true
			}
			return nil
		})
	}
	return stats, translate(err)
}

func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, rivertype.ErrNotFound):
		return fault.New(fault.NotFound, "job.not_found", "There is no such job.")
	default:
		return fault.Wrap(err, fault.Unavailable, "jobs.unavailable", "The job queue could not be reached. Try again.")
	}
}
