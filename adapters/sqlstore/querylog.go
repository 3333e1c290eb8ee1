package sqlstore

import (
	"context"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// queryLog counts and logs statements, without their values: those may be secrets.
type queryLog struct{ store *Store }

// BeforeQuery implements bun.QueryHook.
func (l *queryLog) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery implements bun.QueryHook.
func (l *queryLog) AfterQuery(ctx context.Context, event *bun.QueryEvent) {
	l.store.ran(ctx, event.StartTime, event.Query)
}

// ran counts and logs a statement that began at start.
func (s *Store) ran(ctx context.Context, start time.Time, query string) {
	took := time.Since(start)
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

const module, own = "github.com/revenge-media/revenge/", "adapters/sqlstore."

// caller names the function that asked this store for something, such as "core/session.(*Service).Count"; "" where it is none of this program's.
func caller() string {
	var stack [64]uintptr
	frames := runtime.CallersFrames(stack[:runtime.Callers(3, stack[:])])
	for asked := false; ; {
		frame, more := frames.Next()
		name, ours := strings.CutPrefix(frame.Function, module)
		switch {
		case strings.HasPrefix(name, own+"(*queryLog)"): // which bun calls, before a repository is met
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
