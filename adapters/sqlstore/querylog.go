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
	took := time.Since(event.StartTime)
	level, message := slog.LevelDebug, "query"
	if took >= l.store.cfg.SlowQuery {
		l.store.slow.Add(1)
		level, message = slog.LevelWarn, "slow query"
	}
	if l.store.cfg.Logger.Enabled(ctx, level) {
		l.store.cfg.Logger.Log(ctx, level, message, "took", took, "sql", withoutValues(event.Query))
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
