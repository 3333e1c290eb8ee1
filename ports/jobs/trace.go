package jobs

import "context"

type traceKey struct{}

// WithTrace returns a ctx whose jobs belong to the trace of what asks for them. It is named by a traceparent (W3C Trace Context, 3.2), or "".
func WithTrace(ctx context.Context, parent string) context.Context {
	return context.WithValue(ctx, traceKey{}, parent)
}

// TraceOf returns what WithTrace was told; Enqueuers keep it with the job.
func TraceOf(ctx context.Context) string {
	parent, _ := ctx.Value(traceKey{}).(string)
	return parent
}
