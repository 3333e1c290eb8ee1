package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/tasks"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/ports/jobs"
)

type jobsCommands struct {
	List      jobsListCommand      `cmd:"" help:"List jobs, newest first."`
	Show      jobsShowCommand      `cmd:"" help:"Print a job with what its attempts failed of, as JSON."`
	Retry     jobsRetryCommand     `cmd:"" help:"Run dead or cancelled jobs again."`
	Cancel    jobsCancelCommand    `cmd:"" help:"Stop jobs that are not finished."`
	Delete    jobsDeleteCommand    `cmd:"" help:"Forget jobs that are not running."`
	Queues    jobsQueuesCommand    `cmd:"" help:"Print what the queues hold."`
	Pause     jobsPauseCommand     `cmd:"" help:"Begin no more jobs of a queue; what runs goes on."`
	Resume    jobsResumeCommand    `cmd:"" help:"End a pause."`
	Schedules jobsSchedulesCommand `cmd:"" help:"List jobs that come by themselves."`
	Processes jobsProcessesCommand `cmd:"" help:"List processes that run jobs."`
}

// tasks runs fn on the jobs of the configured server, as the system.
func (r *run) tasks(fn func(s *tasks.Service, system domain.Actor) error) error {
	return r.with(func(app *assemble.App) error { return fn(app.Core.Tasks, domain.SystemActor()) })
}

// table prints lines of cells that are parted by tabs, in columns.
func (r *run) table(fn func(w io.Writer)) error {
	w := tabwriter.NewWriter(r.program.Stdout, 0, 8, 2, ' ', 0)
	fn(w)
	return w.Flush()
}

type jobsListCommand struct {
	Kind  string `help:"Only of this kind, like library.scan."`
	Queue string `help:"Only of this queue: default, scan or media."`
	State string `help:"Only in this state." enum:"waiting,running,retrying,done,cancelled,dead," default:""`
	Limit int    `help:"At most so many." default:"50"`
}

// Run prints one job a line.
func (c *jobsListCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		filter := jobs.Filter{Kind: jobs.Kind(c.Kind), Queue: jobs.Queue(c.Queue), State: jobs.State(c.State)}
		var all []jobs.Info
		for page := (domain.PageRequest{Limit: min(max(c.Limit, 1), domain.MaxPageSize)}); ; {
			found, err := s.List(r.ctx, system, filter, page)
			if err != nil {
				return err
			}
			all = append(all, found.Items...)
			if page.Cursor = found.NextCursor; page.Cursor == "" || len(all) >= c.Limit {
				break
			}
		}
		return r.table(func(w io.Writer) {
			fmt.Fprintln(w, "ID\tKIND\tSTATE\tATTEMPT\tASKED FOR\tENDED\tFAILED OF")
			for _, j := range all[:min(len(all), max(c.Limit, 1))] {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", j.ID, j.Kind, j.State, j.Attempt, moment(&j.CreatedAt), moment(j.FinishedAt), j.LastError)
			}
		})
	})
}

type jobsShowCommand struct {
	ID string `arg:"" help:"The job's id."`
}

// Run prints the job as the API answers it.
func (c *jobsShowCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		job, err := s.Get(r.ctx, system, c.ID)
		if err != nil {
			return err
		}
		out := json.NewEncoder(r.program.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(job)
	})
}

type jobIDs struct {
	IDs []string `arg:"" name:"id" help:"The jobs' ids."`
}

// each does it to one job after another and says so; the first that it cannot be done to ends it.
func (c jobIDs) each(r *run, done string, do func(s *tasks.Service, system domain.Actor, id string) error) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		for _, id := range c.IDs {
			if err := do(s, system, id); err != nil {
				return err
			}
			fmt.Fprintf(r.program.Stdout, "%s %s\n", id, done)
		}
		return nil
	})
}

type (
	jobsRetryCommand  struct{ jobIDs }
	jobsCancelCommand struct{ jobIDs }
	jobsDeleteCommand struct{ jobIDs }
)

// Run has a process run the jobs again.
func (c *jobsRetryCommand) Run(r *run) error {
	return c.each(r, "runs again", func(s *tasks.Service, system domain.Actor, id string) error { return s.Retry(r.ctx, system, id) })
}

// Run stops the jobs.
func (c *jobsCancelCommand) Run(r *run) error {
	return c.each(r, "is cancelled", func(s *tasks.Service, system domain.Actor, id string) error { return s.Cancel(r.ctx, system, id) })
}

// Run removes the jobs.
func (c *jobsDeleteCommand) Run(r *run) error {
	return c.each(r, "is deleted", func(s *tasks.Service, system domain.Actor, id string) error { return s.Delete(r.ctx, system, id) })
}

type jobsQueuesCommand struct{}

// Run prints one queue a line.
func (*jobsQueuesCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		queues, err := s.Queues(r.ctx, system)
		if err != nil {
			return err
		}
		return r.table(func(w io.Writer) {
			fmt.Fprintln(w, "QUEUE\tRUNNING\tWAITING\tOLDEST\tRETRYING\tDEAD\t")
			for _, q := range queues {
				note := ""
				if q.Paused {
					note = "paused"
				}
				oldest := time.Duration(q.OldestWaiting * float64(time.Second)).Round(time.Second)
				fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%s\n", q.Queue, q.Running, q.Waiting, oldest, q.Retrying, q.Dead, note)
			}
		})
	})
}

type queueName struct {
	Queue string `arg:"" help:"default, scan or media."`
}

type (
	jobsPauseCommand  struct{ queueName }
	jobsResumeCommand struct{ queueName }
)

// Run pauses the queue for all processes.
func (c *jobsPauseCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		return s.Pause(r.ctx, system, jobs.Queue(c.Queue))
	})
}

// Run lets all processes go on with the queue.
func (c *jobsResumeCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		return s.Resume(r.ctx, system, jobs.Queue(c.Queue))
	})
}

type jobsSchedulesCommand struct{}

// Run prints one schedule a line, with its newest job.
func (*jobsSchedulesCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		schedules, err := s.Schedules(r.ctx, system)
		if err != nil {
			return err
		}
		return r.table(func(w io.Writer) {
			fmt.Fprintln(w, "KIND\tEVERY\tLAST\tSTATE\tFAILED OF")
			for _, each := range schedules {
				last, state, failed := moment(nil), "-", ""
				if j := each.Last; j != nil {
					last, state, failed = moment(&j.CreatedAt), string(j.State), j.LastError
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", each.Kind, time.Duration(each.Every*float64(time.Second)), last, state, failed)
			}
		})
	})
}

type jobsProcessesCommand struct{}

// Run prints one process a line.
func (*jobsProcessesCommand) Run(r *run) error {
	return r.tasks(func(s *tasks.Service, system domain.Actor) error {
		processes, err := s.Processes(r.ctx, system)
		if err != nil {
			return err
		}
		return r.table(func(w io.Writer) {
			fmt.Fprintln(w, "PROCESS\tHOST\tSINCE\tRUNNING")
			for _, p := range processes {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", p.ID, p.Host, moment(&p.StartedAt), p.Running)
			}
		})
	})
}
