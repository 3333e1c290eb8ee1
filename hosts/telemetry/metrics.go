// Package telemetry is what a process shows about itself: the figures of its core, its requests and its jobs, whichever of them it runs.
package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/domain"
)

// Metrics are what GET /metrics shows on its own listener (SPEC 2). One serves a whole process: its API, its jobs or both.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	jobs     *prometheus.HistogramVec
}

// New returns the metrics of a process that runs c.
func New(c *core.Core) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "revenge_http_request_duration_seconds", Help: "Requests by route pattern and status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "revenge_job_duration_seconds", Help: "Runs of jobs of this process: done, continued, failed, discarded or interrupted.",
			Buckets: []float64{.005, .025, .1, .5, 1, 5, 15, 60, 300, 1800},
		}, []string{"queue", "kind", "outcome"}),
	}
	m.registry.MustRegister(m.requests, m.jobs, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), coreCollector{c})
	return m
}

// Request counts a request that was answered; route is its pattern, which bounds how many there are.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Handler shows the metrics in Prometheus' formats. It belongs on a listener that is not public.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// coreCollector reads the core's own figures when it is asked for them.
type coreCollector struct{ core *core.Core }

var (
	descPoolOpen  = prometheus.NewDesc("revenge_database_connections", "Connections of the database pools by state.", []string{"state"}, nil)
	descPoolWaits = prometheus.NewDesc("revenge_database_pool_waits_total", "Times that a query waited for a connection.", nil, nil)
	descPoolWait  = prometheus.NewDesc("revenge_database_pool_wait_seconds_total", "Time that queries waited for a connection.", nil, nil)
	descSlow      = prometheus.NewDesc("revenge_database_slow_queries_total", "Statements over the threshold.", nil, nil)
	descCache     = prometheus.NewDesc("revenge_cache_requests_total", "Cache look-ups by level and result.", []string{"level", "result"}, nil)
	descJobs      = prometheus.NewDesc("revenge_jobs", "Jobs by queue and state.", []string{"queue", "state"}, nil)
	descOldest    = prometheus.NewDesc("revenge_jobs_oldest_waiting_seconds", "Age of the oldest waiting job by queue.", []string{"queue"}, nil)
	descStreams   = prometheus.NewDesc("revenge_streams", "Play sessions that were active within the last minute, by method.", []string{"method"}, nil)
	descEncodes   = prometheus.NewDesc("revenge_encodes", "Encoded segments that somebody waits for.", nil, nil)
	descMails     = prometheus.NewDesc("revenge_mails_total", "Mails of this process by outcome: sent, or an attempt that failed.", []string{"outcome"}, nil)
	descScans     = prometheus.NewDesc("revenge_scan_files", "Files of scans that are queued or run, by what was done with them.", []string{"library", "done"}, nil)
)

// Describe sends nothing: the set depends on what is there, which makes this an unchecked collector.
func (c coreCollector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the core.
func (c coreCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	if c.core.Store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	pool := c.core.Store.Stats()
	gauge(descPoolOpen, float64(pool.InUse), "in_use")
	gauge(descPoolOpen, float64(pool.Idle), "idle")
	counter(descPoolWaits, float64(pool.WaitCount))
	counter(descPoolWait, pool.WaitDuration.Seconds())
	counter(descSlow, float64(pool.SlowQueries))
	hits, misses := c.core.Cache.Stats()
	counter(descCache, float64(hits), "l1", "hit")
	counter(descCache, float64(misses), "l1", "miss")
	if c.core.Shared != nil {
		hits, misses = c.core.Shared.Stats()
		counter(descCache, float64(hits), "l2", "hit")
		counter(descCache, float64(misses), "l2", "miss")
	}
	activity := c.core.Playback.Activity()
	for method, n := range activity.Streams {
		gauge(descStreams, float64(n), string(method))
	}
	gauge(descEncodes, float64(activity.Encodes))
	mails := c.core.Mailing.Stats()
	counter(descMails, float64(mails.Sent), "sent")
	counter(descMails, float64(mails.Failed), "failed")
	c.collectScans(ctx, gauge)
	if queues, err := c.core.Jobs.Stats(ctx); err == nil {
		for _, q := range queues {
			gauge(descJobs, float64(q.Waiting), string(q.Queue), "waiting")
			gauge(descJobs, float64(q.Running), string(q.Queue), "running")
			gauge(descJobs, float64(q.Dead), string(q.Queue), "dead")
			gauge(descOldest, q.OldestWaiting.Seconds(), string(q.Queue))
		}
	}
}

func (c coreCollector) collectScans(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	libraries, err := c.core.Library.List(ctx, domain.SystemActor())
	if err != nil {
		return
	}
	for _, l := range libraries {
		scan, err := c.core.Library.CurrentScan(ctx, domain.SystemActor(), l.ID)
		if err != nil || !scan.Active() {
			continue
		}
		gauge(descScans, float64(scan.Found), l.ID.String(), "found")
		gauge(descScans, float64(scan.Read), l.ID.String(), "read")
		gauge(descScans, float64(scan.Failed), l.ID.String(), "failed")
	}
}
