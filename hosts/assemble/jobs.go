package assemble

import (
	"context"

	"github.com/revenge-media/revenge/adapters/asynqjobs"
	"github.com/revenge-media/revenge/adapters/riverjobs"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/ports/jobs"
)

// openJobs opens the job queue that the configuration names, and has the store's transactions enqueue there.
func (a *App) openJobs(ctx context.Context, c config.Config, o Options, store *sqlstore.Store) (jobs.Runner, error) {
	workers := map[jobs.Queue]int{jobs.QueueDefault: c.Workers.Default, jobs.QueueScan: c.Workers.Scan, jobs.QueueMedia: c.Workers.Media}
	if c.Jobs.URL != "" {
		queue, err := asynqjobs.Open(ctx, asynqjobs.Config{
			Pool: store.Pool(), URL: c.Jobs.URL, Prefix: c.Jobs.Prefix, ID: a.identify, Host: hostName(), Workers: workers, Logger: o.Logger,
		})
		if err != nil {
			return nil, err
		}
		a.closes(queue.Close)
		store.UseEnqueuer(queue.Transactional())
		return queue, nil
	}
	queue, err := riverjobs.Open(ctx, riverjobs.Config{DB: store.SQLDB(), Pool: store.Pool(), ID: a.identify, Host: hostName(), Workers: workers, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	store.UseEnqueuer(queue.Transactional())
	return queue, nil
}
