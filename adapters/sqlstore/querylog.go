package sqlstore

import (
	"context"
	"log/slog"
	"regexp"
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
	if s.cfg.Logger.Enabled(ctx, level) {
		s.cfg.Logger.Log(ctx, level, message, "took", took, "sql", withoutValues(query))
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
