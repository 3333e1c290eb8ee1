package assemble

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/hosts/telemetry"
	"github.com/revenge-media/revenge/hosts/worker"
	"github.com/revenge-media/revenge/web"
)

// drain is how long a graceful stop may take in all, Config.ShutdownDelay included; SPEC 2 allows 30 s.
const drain = 25 * time.Second

// Handler returns the API and the web UI, to be mounted at the root of a host of one's own.
func (a *App) Handler() (http.Handler, error) {
	face, err := a.face(nil)
	if err != nil {
		return nil, err
	}
	return face.Handler(), nil
}

func (a *App) face(figures *telemetry.Metrics) (*httpd.Server, error) {
	proxies, err := a.Config.Proxies()
	if err != nil {
		return nil, err
	}
	files, built := web.Build()
	if !built {
		a.Logger.Warn("this program was built without the web UI; it serves the API alone")
		files = nil
	}
	return httpd.New(httpd.Config{Core: a.Core, Logger: a.Logger, Web: files, Version: a.Version, TrustedProxies: proxies, Metrics: figures, Tracing: a.tracing})
}

// Metrics are those of this process: its core's, and its requests to other servers.
func (a *App) Metrics() *telemetry.Metrics { return telemetry.New(a.Core, a.outbound) }

// Serve runs everything in this process until ctx ends, then stops in order: no new requests, streams drained, jobs returned.
// It listens at Config.Listen; ready, where not nil, is told the address once requests are answered.
func (a *App) Serve(ctx context.Context, ready func(net.Addr)) error {
	figures := a.Metrics()
	return a.serve(ctx, figures, a.worker(figures), ready)
}

// ServeAPI is Serve for a process that answers requests and leaves the jobs to others, which Work.
func (a *App) ServeAPI(ctx context.Context, ready func(net.Addr)) error {
	if err := a.several(); err != nil {
		return err
	}
	return a.serve(ctx, a.Metrics(), nil, ready)
}

// Work runs jobs until ctx ends and leaves requests to other processes. At Config.Workers.Listen it answers probes and shows metrics; ready, where not
// nil, is told that address once jobs run.
func (a *App) Work(ctx context.Context, ready func(net.Addr)) error {
	if err := a.several(); err != nil {
		return err
	}
	figures := a.Metrics()
	face, err := httpd.New(httpd.Config{Core: a.Core, Logger: a.Logger, Version: a.Version, Metrics: figures, Tracing: a.tracing})
	if err != nil {
		return err
	}
	listener, err := listen(ctx, a.Config.Workers.Listen, "workers.listen")
	if err != nil {
		return err
	}
	defer listener.Close()
	work := a.worker(figures)
	if err := work.Start(ctx); err != nil {
		return err
	}
	server := httpd.Limits(&http.Server{Handler: face.Operations()})
	defer server.Close()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr())
	}
	failure := ended(ctx, failed)
	a.Logger.Info("stopping")
	a.Core.Health.MarkStopping()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	return errors.Join(failure, work.Stop(deadline)) // probes are answered until the last job is back
}

// several refuses to run one part of a server that only one process may run.
func (a *App) several() error {
	if _, embedded := sqliteFile(a.Config); embedded {
		return fault.New(fault.Conflict, "assemble.one_process",
			"An SQLite database belongs to one process: run \"revenge serve\", which is all of it. To run parts apart, move to PostgreSQL and set the database to postgres://USER:PASSWORD@HOST/NAME.")
	}
	return nil
}

func (a *App) worker(figures *telemetry.Metrics) *worker.Worker {
	return worker.New(a.Core, worker.Config{Logger: a.Logger, Watch: a.Config.Scan.Watch, Rest: a.rest, Metrics: figures, Tracing: a.tracing})
}

func listen(ctx context.Context, address, setting string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "serve.listen", "The address %s cannot be listened on. Is another server running there? Choose another with %s.", address, setting)
	}
	return listener, nil
}

// ended waits for the end of ctx, or a server's own, which is a failure.
func ended(ctx context.Context, failed <-chan error) error {
	select {
	case err := <-failed:
		return stopped(err)
	case <-ctx.Done():
		return nil
	}
}

func stopped(err error) error {
	return fault.Wrap(err, fault.Unavailable, "serve.failed", "The server stopped by itself.")
}

// serve answers requests, and runs jobs where work is not nil.
func (a *App) serve(ctx context.Context, figures *telemetry.Metrics, work *worker.Worker, ready func(net.Addr)) error {
	face, err := a.face(figures)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, a.Config.Listen, "--listen")
	if err != nil {
		return err
	}
	defer listener.Close()
	if work == nil {
		a.Core.Health.MarkStarted()
	} else if err := work.Start(ctx); err != nil {
		return err
	}
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	server := httpd.Limits(&http.Server{Handler: face.Handler(), BaseContext: func(net.Listener) context.Context { return streams }})
	metrics := a.serveMetrics(ctx, face)
	defer metrics.Close()

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if ready != nil {
		ready(listener.Addr())
	}
	failure := ended(ctx, failed)
	a.Logger.Info("stopping")
	a.Core.Health.MarkStopping()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if failure == nil {
		select { // until proxies have seen it; what they send meanwhile is answered
		case <-time.After(a.Config.ShutdownDelay):
		case err := <-failed:
			failure = stopped(err)
		}
	}
	// Event streams never end by themselves; whoever plays gets the time to reach the end of a segment.
	ending := time.AfterFunc(drain/5, endStreams)
	defer ending.Stop()
	if err := server.Shutdown(deadline); err != nil {
		a.Logger.Warn("some requests did not end in time", "error", err)
		_ = server.Close()
	}
	if work != nil {
		failure = errors.Join(failure, work.Stop(deadline))
	}
	return failure
}

// rest gives memory back to the system. A scan needs several times what a server at rest needs, and neither the runtime nor the database
// would look at that for minutes, since nothing happens that makes them.
func (a *App) rest() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.database.Rest(ctx); err != nil {
		a.Logger.Warn("the database keeps the memory that it needed", "error", err)
	}
	debug.FreeOSMemory()
}

// serveMetrics listens apart from the public port (S28). A taken address costs the metrics, not the server.
func (a *App) serveMetrics(ctx context.Context, face *httpd.Server) *http.Server {
	server := httpd.Limits(&http.Server{Handler: face.Metrics()})
	if a.Config.MetricsListen == "" {
		return server
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.Config.MetricsListen)
	if err != nil {
		a.Logger.Warn("metrics are off: their address is taken", "address", a.Config.MetricsListen, "error", err)
		return server
	}
	go func() { _ = server.Serve(listener) }()
	return server
}
