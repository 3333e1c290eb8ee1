package telemetry

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Figure is a metric as the reference describes it.
type Figure struct {
	Name, Type string
	Labels     []string
	// Meaning is its HELP line.
	Meaning string
	// Watch says what to look for, or to be woken by.
	Watch string
}

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// figures are all, in the order of the reference: a metric that is not declared here cannot be made.
var figures []Figure

func declare(kind, name, meaning, watch string, labels ...string) Figure {
	f := Figure{Name: "revenge_" + name, Type: kind, Labels: labels, Meaning: meaning, Watch: watch}
	figures = append(figures, f)
	return f
}

// Figures lists every metric of Revenge's own.
func Figures() []Figure { return figures }

var (
	figureRequests = declare(histogram, "http_request_duration_seconds",
		"Requests by method, route pattern and status. Streams count until their end.",
		"`sum(rate(…_count{status=~\"5..\"}[5m])) / sum(rate(…_count[5m])) > 0.01`, and the 0.99 quantile of the routes that people wait for", "method", "route", "status")
	figureOutbound = declare(histogram, "outbound_request_duration_seconds",
		"Requests to other servers by service (oidc) and outcome: done (below 400), refused (4xx), limited (429), failed (5xx), unreachable.",
		"a rising share of `failed` and `unreachable`: people cannot sign in with that provider", "service", "outcome")
	figureUp = declare(gauge, "dependency_up",
		"1 while a dependency answers this process, else 0: database, and cache where processes share one.",
		"`== 0` for a minute: with the database nothing works, without the cache everything is slower and limits are stricter", "dependency")

	figureSessions = declare(gauge, "sessions",
		"Sessions that neither ended nor ran out, of all processes; counted at most every 10 s.",
		"a fall to next to nothing: everybody was signed out")
	figureStreams = declare(gauge, "streams",
		"Plays of this process that asked for something within the last minute, by method.",
		"what to expect of the network and, for audio-encode, of the processor", "method")
	figureEncodes = declare(gauge, "encodes",
		"Encoded segments of this process that somebody waits for.",
		"at `encode.total` for minutes: more is answered 503")

	figureJobRuns = declare(histogram, "job_duration_seconds",
		"Runs of jobs of this process by outcome: done, continued, failed, discarded or interrupted.",
		"a rising rate of `failed` or any `discarded`", "queue", "kind", "outcome")
	figureJobs = declare(gauge, "jobs",
		"Unfinished and dead jobs of all processes by queue and state: waiting, running, retrying, dead.",
		"`{state=\"dead\"} > 0`: they wait for a person, and each keeps its error; `retrying` that only rises", "queue", "state")
	figureOldest = declare(gauge, "jobs_oldest_waiting_seconds",
		"How long the longest waiting job of a queue could have run.",
		"`> 300` in the queue default: no process runs jobs, or too few do; a long scan is no reason in the queue scan", "queue")
	figurePaused = declare(gauge, "jobs_paused",
		"1 while a queue is paused, else 0.",
		"`== 1` for a day: somebody forgot it", "queue")
	figureProcesses = declare(gauge, "job_processes",
		"Processes that run jobs and were heard of within the last minute.",
		"fewer than there should be; 0 is `degraded` in /readyz")
	figureScans = declare(gauge, "scan_files",
		"Files of scans that are queued or run, by what was done with them: found, read, failed. Absent while none does.",
		"`read` that does not move for an hour", "library", "done")
	figureMails = declare(counter, "mails_total",
		"Mails of this process by outcome: sent, or an attempt that failed.",
		"any rate of `failed`: /readyz and the mail test name the reason", "outcome")

	figureConnections = declare(gauge, "database_connections",
		"Connections of this process by state: in_use, idle.",
		"`in_use` at the maximum for minutes", "state")
	figureMaxConnections = declare(gauge, "database_connections_max",
		"Most connections that this process opens. What all processes open must fit into the server's max_connections.",
		"")
	figureWaits = declare(counter, "database_pool_waits_total",
		"Times that a query waited for a connection.",
		"a rate beside `in_use` at the maximum: raise `postgres.maxConns`, or find what is slow")
	figureWaited = declare(counter, "database_pool_wait_seconds_total",
		"Time that queries waited for a connection.",
		"`rate(…[5m]) > 1`: on average somebody always waits")
	figureCancelled = declare(counter, "database_pool_cancelled_waits_total",
		"Waits for a connection that were given up, which is answered 503.",
		"any rate")
	figureSlow = declare(counter, "database_slow_queries_total",
		"Statements of this process that took longer than `log.slowQuery`; the log has them.",
		"a rate that was not there before an upgrade")
	figureCache = declare(counter, "cache_requests_total",
		"Cache look-ups of this process by level (l1 its memory, l2 the shared cache) and result: hit, miss.",
		"the share of hits, `hit / (hit + miss)`, falling at unchanged use", "level", "result")
)

// histogram is the figure as one that counts by these buckets.
func (f Figure) histogram(buckets ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Meaning, Buckets: buckets}, f.Labels)
}

// now is the figure's value at this moment.
func (f Figure) now(v float64, labels ...string) prometheus.Metric {
	kind := prometheus.GaugeValue
	if f.Type == counter {
		kind = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(prometheus.NewDesc(f.Name, f.Meaning, f.Labels, nil), kind, v, labels...)
}

// Reference is docs/metrics.md.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" +
		"Printed by `revenge metrics`. Every process shows them in Prometheus' formats at `GET /metrics`, on a listener of its own that is not for the public: " +
		"`metricsListen` where requests are answered, `workers.listen` where only jobs run. What is said to be of a process is to be added up over all of them, " +
		"for example `sum(revenge_streams)`; what all processes share is the same at each, so take one: `max(revenge_jobs) by (queue, state)`.\n\n" +
		"| metric | type | labels | meaning | look for |\n| --- | --- | --- | --- | --- |\n")
	for _, f := range figures {
		labels := ""
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, labels, f.Meaning, f.Watch)
	}
	b.WriteString("\nBeside these there are `go_…` (the runtime: memory, goroutines, collection of garbage) and `process_…` (processor time, memory, open files, start).\n\n" +
		"Labels have few values: routes are patterns such as `/api/v1/movies/{id}` (`none` where there is no such address), methods that HTTP does not know are `other`, " +
		"kinds and queues are those of the program. `library` is a library's id. A histogram has its name with `_bucket`, `_sum` and `_count`; " +
		"how many there were is its `_count`.\n")
	return b.String()
}
