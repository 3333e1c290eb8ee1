package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Outbound measures requests to other servers.
type Outbound struct{ requests *prometheus.HistogramVec }

// NewOutbound returns one that has measured nothing.
func NewOutbound() *Outbound {
	return &Outbound{figureOutbound.histogram(.01, .05, .1, .25, .5, 1, 2.5, 5, 10)}
}

// Client returns client with its requests measured under the name of a service: one of few, never a host's. A redirect is a request more.
func (o *Outbound) Client(service string, client *http.Client) *http.Client {
	measured := *client
	if measured.Transport == nil {
		measured.Transport = http.DefaultTransport
	}
	measured.Transport = measuring{measured.Transport, o.requests.MustCurryWith(prometheus.Labels{"service": service})}
	return &measured
}

type measuring struct {
	http.RoundTripper
	requests prometheus.ObserverVec
}

// RoundTrip implements http.RoundTripper. The time is that until the headers.
func (m measuring) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	answer, err := m.RoundTripper.RoundTrip(r)
	outcome := "unreachable"
	if err == nil {
		switch {
		case answer.StatusCode == http.StatusTooManyRequests:
			outcome = "limited"
		case answer.StatusCode >= http.StatusInternalServerError:
			outcome = "failed"
		case answer.StatusCode >= http.StatusBadRequest:
			outcome = "refused"
		default:
			outcome = "done"
		}
	}
	m.requests.WithLabelValues(outcome).Observe(time.Since(start).Seconds())
	return answer, err
}

// CloseIdleConnections is what http.Client looks for.
func (m measuring) CloseIdleConnections() {
	if c, ok := m.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
