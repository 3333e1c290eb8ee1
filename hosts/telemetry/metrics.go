// Package telemetry is what a process shows about itself: the figures of its core, its requests and its jobs, whichever of them it runs.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Metrics are what GET /metrics shows on its own listener (SPEC 2). One serves a whole process: its API, its jobs or both.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	jobs     *prometheus.HistogramVec
}

// New returns the metrics of a process that runs c and asks other servers by way of outbound, which may be nil.
func New(c *core.Core, outbound *Outbound) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: figureRequests.histogram(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10),
		jobs:     figureJobRuns.histogram(.005, .025, .1, .5, 1, 5, 15, 60, 300, 1800),
	}
	m.registry.MustRegister(m.requests, m.jobs, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &coreCollector{core: c})
	if outbound != nil {
		m.registry.MustRegister(outbound.requests)
	}
	return m
}

// methods are those whose names become labels: a client may send any.
var methods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true,
	http.MethodOptions: true, http.MethodConnect: true, http.MethodTrace: true,
}

// methodOf bounds how many names of methods there are.
func methodOf(method string) string {
	if methods[method] {
		return method
	}
	return "other"
}

// Request counts a request that was answered; route is its pattern, which bounds how many there are.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(methodOf(method), route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Handler shows the metrics in Prometheus' formats. It belongs on a listener that is not public.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// coreCollector reads the core's own figures when it is asked for them.
type coreCollector struct {
	core *core.Core

	mu       sync.Mutex
	sessions int
	counted  time.Time // when the sessions were
}

// sessionsFor is how long a count of all sessions serves.
const sessionsFor = 10 * time.Second

// Describe sends nothing: the set depends on what is there, which makes this an unchecked collector.
func (c *coreCollector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the core. What cannot be known while the database is away is left out.
func (c *coreCollector) Collect(out chan<- prometheus.Metric) {
	if c.core.Store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	show := func(f Figure, v float64, labels ...string) { out <- f.now(v, labels...) }
	pool := c.core.Store.Stats()
	show(figureConnections, float64(pool.InUse), "in_use")
	show(figureConnections, float64(pool.Idle), "idle")
	show(figureMaxConnections, float64(pool.Max))
	show(figureWaits, float64(pool.WaitCount))
	show(figureWaited, pool.WaitDuration.Seconds())
	show(figureCancelled, float64(pool.CancelledWaits))
	show(figureSlow, float64(pool.SlowQueries))
	hits, misses := c.core.Cache.Stats()
	show(figureCache, float64(hits), "l1", "hit")
	show(figureCache, float64(misses), "l1", "miss")
	if c.core.Shared != nil {
		hits, misses = c.core.Shared.Stats()
		show(figureCache, float64(hits), "l2", "hit")
		show(figureCache, float64(misses), "l2", "miss")
		_, err := c.core.Shared.Ping(ctx)
		show(figureUp, truth(err == nil), "cache")
	}
	activity := c.core.Playback.Activity()
	for method, n := range activity.Streams {
		show(figureStreams, float64(n), string(method))
	}
	show(figureEncodes, float64(activity.Encodes))
	mails := c.core.Mailing.Stats()
	show(figureMails, float64(mails.Sent), "sent")
	show(figureMails, float64(mails.Failed), "failed")

	_, err := c.core.Store.Ping(ctx)
	show(figureUp, truth(err == nil), "database")
	if err != nil {
		return
	}
	if n, err := c.countSessions(ctx); err == nil {
		show(figureSessions, float64(n))
	}
	c.collectScans(ctx, show)
	c.collectJobs(ctx, show)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// countSessions counts at most every sessionsFor, however many ask.
func (c *coreCollector) countSessions(ctx context.Context) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.counted.IsZero() && time.Since(c.counted) < sessionsFor {
		return c.sessions, nil
	}
	n, err := c.core.Sessions.Count(ctx)
	if err == nil {
		c.sessions, c.counted = n, time.Now()
	}
	return n, err
}

func (c *coreCollector) collectJobs(ctx context.Context, show func(Figure, float64, ...string)) {
	if queues, err := c.core.Jobs.Stats(ctx); err == nil {
		for _, q := range queues {
			for state, n := range map[jobs.State]int{jobs.Waiting: q.Waiting, jobs.Running: q.Running, jobs.Retrying: q.Retrying, jobs.Dead: q.Dead} {
				show(figureJobs, float64(n), string(q.Queue), string(state))
			}
			show(figureOldest, q.OldestWaiting.Seconds(), string(q.Queue))
			show(figurePaused, truth(q.Paused), string(q.Queue))
		}
	}
	if processes, err := c.core.Jobs.Processes(ctx); err == nil {
		show(figureProcesses, float64(len(processes)))
	}
}

func (c *coreCollector) collectScans(ctx context.Context, show func(Figure, float64, ...string)) {
	libraries, err := c.core.Library.List(ctx, domain.SystemActor())
	if err != nil {
		return
	}
	for _, l := range libraries {
		scan, err := c.core.Library.CurrentScan(ctx, domain.SystemActor(), l.ID)
		if err != nil || !scan.Active() {
			continue
		}
		show(figureScans, float64(scan.Found), l.ID.String(), "found")
		show(figureScans, float64(scan.Read), l.ID.String(), "read")
		show(figureScans, float64(scan.Failed), l.ID.String(), "failed")
	}
}
