package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Tracing makes the spans of a process and sends them to a collector, by OTLP over HTTP. A nil one makes none, and costs nothing.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// flush bounds how long the end of a process waits for its last spans to be taken.
const flush = 3 * time.Second

// NewTracing sends to the collector that the environment names (opentelemetry.io/docs/specs/otel/protocol/exporter: OTEL_EXPORTER_OTLP_ENDPOINT and those
// beside it, of which it reads all), as the named service unless OTEL_SERVICE_NAME says otherwise. It does not wait for the collector: spans that cannot be
// sent are dropped, and logged at most once a minute.
func NewTracing(ctx context.Context, service, version string, logger *slog.Logger) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "tracing.exporter", "Traces cannot be sent as the OTEL_ variables of the environment say: %v.", err)
	}
	of, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", service), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "tracing.resource", "OTEL_RESOURCE_ATTRIBUTES cannot be read: %v.", err)
	}
	otel.SetErrorHandler(&seldom{logger: logger})
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(of))
	return &Tracing{provider, provider.Tracer("github.com/revenge-media/revenge")}, nil
}

// Tracer makes the spans; nil where t is.
func (t *Tracing) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.tracer
}

// Close sends what is left, for as long as flush. A collector that is away is no failure.
func (t *Tracing) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flush)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
	return nil
}

// seldom logs one error a minute: those of a collector that is away come by the batch.
type seldom struct {
	logger *slog.Logger
	last   atomic.Int64
}

// Handle implements otel.ErrorHandler.
func (s *seldom) Handle(err error) {
	now, before := time.Now().UnixNano(), s.last.Load()
	if (before == 0 || now-before > int64(time.Minute)) && s.last.CompareAndSwap(before, now) {
		s.logger.Warn("traces are not taken by the collector; nothing else suffers from that", "error", err)
	}
}

// Request begins the span of a request and returns the request that carries it, and how it ends. It belongs to the trace that the request names where
// trusted says that a proxy of one's own did so: nobody else decides what is traced, or under which id. Neither address nor query becomes part of it,
// since both may hold a token.
func (t *Tracing) Request(r *http.Request, trusted bool) (*http.Request, func(route string, status int, id string)) {
	if t == nil {
		return r, func(string, int, string) {}
	}
	ctx, method := r.Context(), methodOf(r.Method)
	if trusted {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.request.method", method)))
	ctx = jobs.WithTrace(ctx, parentIn(ctx))
	return r.WithContext(ctx), func(route string, status int, id string) {
		defer span.End()
		span.SetName(method + " " + route)
		span.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", status), attribute.String("revenge.request.id", id))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
}

// parentIn names ctx's span for jobs that it asks for.
func parentIn(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Jobs returns definitions whose runs belong to the trace of the request or job that asked for them. What nobody asked for, as schedules enqueue it, begins a
// trace of its own with each run.
func (t *Tracing) Jobs(definitions []jobs.Definition) []jobs.Definition {
	if t == nil {
		return definitions
	}
	out := slices.Clone(definitions)
	for i, d := range out {
		out[i].Handler = func(ctx context.Context, run jobs.Run) (err error) {
			ctx = propagation.TraceContext{}.Extract(trace.ContextWithSpanContext(ctx, trace.SpanContext{}), propagation.MapCarrier{"traceparent": run.Trace})
			ctx, span := t.tracer.Start(ctx, "job "+string(d.Kind), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
				attribute.String("revenge.job.kind", string(d.Kind)), attribute.String("revenge.job.queue", string(jobs.QueueOf(d.Kind))),
				attribute.String("revenge.job.id", run.ID), attribute.Int("revenge.job.attempt", run.Attempt)))
			ended := "failed" // what a panic is
			defer func() {
				span.SetAttributes(attribute.String("revenge.job.outcome", ended))
				if ended == "failed" || ended == "discarded" {
					span.SetStatus(codes.Error, "")
				}
				span.End()
			}()
			err = d.Handler(jobs.WithTrace(ctx, parentIn(ctx)), run)
			ended = outcome(ctx, err)
			return err
		}
	}
	return out
}
