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

// drain is how long a graceful stop may take in all; SPEC 2 allows 30 s.
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
	return httpd.New(httpd.Config{Core: a.Core, Logger: a.Logger, Web: files, Version: a.Version, TrustedProxies: proxies, Metrics: figures})
}

// Serve runs everything in this process until ctx ends, then stops in order: no new requests, streams drained, jobs returned.
// It listens at Config.Listen; ready, where not nil, is told the address once requests are answered.
func (a *App) Serve(ctx context.Context, ready func(net.Addr)) error {
	figures := telemetry.New(a.Core)
	face, err := a.face(figures)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.Config.Listen)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "serve.listen", "The address %s cannot be listened on. Is another server running there? Choose another with --listen.", a.Config.Listen)
	}
	defer listener.Close()
	work := worker.New(a.Core, worker.Config{Logger: a.Logger, Watch: a.Config.Scan.Watch, Rest: a.rest, Metrics: figures})
	if err := work.Start(ctx); err != nil {
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
	var failure error
	select {
	case err := <-failed:
		failure = fault.Wrap(err, fault.Unavailable, "serve.failed", "The server stopped by itself.")
	case <-ctx.Done():
	}
	a.Logger.Info("stopping")
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	// Event streams never end by themselves; whoever plays gets the time to reach the end of a segment.
	ending := time.AfterFunc(drain/5, endStreams)
	defer ending.Stop()
	if err := server.Shutdown(deadline); err != nil {
		a.Logger.Warn("some requests did not end in time", "error", err)
		_ = server.Close()
	}
	return errors.Join(failure, work.Stop(deadline))
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
