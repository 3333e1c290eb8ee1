package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	sqlite3 "modernc.org/sqlite"
)

// queryLog counts and logs statements, without their values: those may be secrets.
type queryLog struct{ store *Store }

// BeforeQuery implements bun.QueryHook.
func (l *queryLog) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery implements bun.QueryHook.
func (l *queryLog) AfterQuery(ctx context.Context, event *bun.QueryEvent) {
	l.store.ran(ctx, event.StartTime, event.Query, event.Err)
}

// ran counts, logs and traces a statement that began at start and ended with err.
func (s *Store) ran(ctx context.Context, start time.Time, query string, err error) {
	took := time.Since(start)
	if s.cfg.Tracer != nil {
		s.traced(ctx, start, query, err)
	}
	level, message := slog.LevelDebug, "query"
	if took >= s.cfg.SlowQuery {
		s.slow.Add(1)
		level, message = slog.LevelWarn, "slow query"
	}
	if !s.cfg.Logger.Enabled(ctx, level) {
		return
	}
	fields := []any{"took", took, "sql", withoutValues(query)}
	if level == slog.LevelWarn {
		fields = append(fields, "caller", caller())
	}
	s.cfg.Logger.Log(ctx, level, message, fields...)
}

// traced makes a span of a statement where it is part of a trace. bunotel would not see the statements that go past bun, and shows values.
func (s *Store) traced(ctx context.Context, start time.Time, query string, err error) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	text, system := withoutValues(query), "sqlite"
	if s.postgres {
		system = "postgresql"
	}
	operation, _, _ := strings.Cut(text, " ")
	_, span := s.cfg.Tracer.Start(ctx, operation, trace.WithTimestamp(start), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", system), attribute.String("db.operation.name", operation), attribute.String("db.query.text", text),
		attribute.String("code.function.name", caller())))
	if err != nil && !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, sql.ErrTxDone) {
		// Not the message, which may quote values.
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", errorType(err)))
	}
	span.End()
}

// errorType is a database's own code, or the Go type.
func errorType(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	var lite *sqlite3.Error
	if errors.As(err, &lite) {
		return strconv.Itoa(lite.Code())
	}
	return fmt.Sprintf("%T", err)
}

const module, own = "github.com/revenge-media/revenge/", "adapters/sqlstore."

// caller names the function that asked this store for something, such as "core/session.(*Service).Count"; "" where it is none of this program's.
func caller() string {
	var stack [64]uintptr
	frames := runtime.CallersFrames(stack[:runtime.Callers(2, stack[:])])
	for asked := false; ; {
		frame, more := frames.Next()
		name, ours := strings.CutPrefix(frame.Function, module)
		switch {
		case strings.HasPrefix(name, own+"(*queryLog)"), strings.HasPrefix(name, own+"(*Store).ran"), strings.HasPrefix(name, own+"(*Store).traced"):
			// the way here, by way of bun, before a repository is met
		case strings.HasPrefix(name, own):
			asked = true
		case asked && ours:
			return name
		}
		if !more {
			return ""
		}
	}
}

var literal = regexp.MustCompile(`X?'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b`)

func withoutValues(query string) string {
	query = literal.ReplaceAllString(query, "?")
	if len(query) > 1000 {
		query = query[:1000] + "…"
	}
	return query
}
