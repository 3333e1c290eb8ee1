package sqlstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/ports/store"
)

// attempts run beside transactions, on a connection of their own for one statement. PostgreSQL runs such a statement in READ COMMITTED: ON CONFLICT locks
// the row and looks at its latest version, so of many at once each sees what the others did.
type attempts struct{ store *Store }

var _ store.Attempts = attempts{}

// Attempts implements store.Store.
func (s *Store) Attempts() store.Attempts { return attempts{s} }

func (r attempts) on(ctx context.Context, fn func(db bun.IDB) error) error {
	if r.store.inUpdate(ctx) {
		return nested("Attempts")
	}
	conn, err := r.store.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return translated(ctx, fn(conn), "attempt")
}

// What a row says at @now: failures, and attempts that run.
const (
	failuresNow = "(CASE WHEN a.expires_at <= @now THEN 0 ELSE a.failures END)"
	takenNow    = "(CASE WHEN a.taken_until <= @now THEN 0 ELSE a.taken END)"
	failuresNew = "(" + failuresNow + " + 1)"
	// doublings of the time that a key is blocked for.
	doublings = "(CASE WHEN " + failuresNew + " - a.allowed > 5 THEN 5 ELSE " + failuresNew + " - a.allowed END)"
)

const acquirePlaces = `INSERT INTO auth_attempts AS a (key, allowed, failures, taken, taken_until, generation, blocked_until, expires_at) VALUES @rows
	ON CONFLICT (key) DO UPDATE SET
		allowed = excluded.allowed, failures = ` + failuresNow + `, taken = ` + takenNow + ` + 1,
		generation = a.generation + (CASE WHEN a.taken_until <= @now THEN 1 ELSE 0 END),
		taken_until = (CASE WHEN a.taken_until > excluded.taken_until THEN a.taken_until ELSE excluded.taken_until END),
		expires_at = (CASE WHEN a.expires_at > excluded.expires_at THEN a.expires_at ELSE excluded.expires_at END)
	WHERE a.blocked_until <= @now AND (` + failuresNow + ` + ` + takenNow + ` < excluded.allowed OR (` + failuresNow + ` >= excluded.allowed AND ` + takenNow + ` = 0))
	RETURNING key, generation`

// In a row that is offered, failures say what to do with those that are there: one more (1), forget them (-1), nothing (0).
const settlePlaces = `INSERT INTO auth_attempts AS a (key, allowed, failures, taken, taken_until, generation, blocked_until, expires_at) VALUES @rows
	ON CONFLICT (key) DO UPDATE SET
		failures = (CASE excluded.failures WHEN 1 THEN ` + failuresNew + ` WHEN -1 THEN 0 ELSE a.failures END),
		taken = (CASE WHEN a.generation = excluded.generation AND a.taken > 0 THEN a.taken - 1 ELSE a.taken END),
		blocked_until = (CASE WHEN excluded.failures = -1 THEN 0
			WHEN excluded.failures = 1 AND ` + failuresNew + ` >= a.allowed THEN @now + (CAST(@base AS BIGINT) << CAST(` + doublings + ` AS INTEGER))
			ELSE a.blocked_until END),
		expires_at = (CASE WHEN a.expires_at > excluded.expires_at THEN a.expires_at ELSE excluded.expires_at END)`

// filled puts numbers and rows of parameters into a statement.
func filled(statement string, now time.Time, base time.Duration, row string, rows int) string {
	return strings.NewReplacer("@now", strconv.FormatInt(now.UnixMicro(), 10), "@base", strconv.FormatInt(base.Microseconds(), 10),
		"@rows", strings.TrimSuffix(strings.Repeat(row+", ", rows), ", ")).Replace(statement)
}

func (r attempts) Acquire(ctx context.Context, now time.Time, places ...store.AttemptPlace) ([]store.AttemptPlace, error) {
	var args []any
	for _, p := range places {
		args = append(args, p.Key, p.Limit, at(p.Until), at(p.Until))
	}
	var free []struct {
		Key        string
		Generation int
	}
	err := r.on(ctx, func(db bun.IDB) error {
		return db.NewRaw(filled(acquirePlaces, now, 0, "(?, ?, 0, 1, ?, 0, 0, ?)", len(places)), args...).Scan(ctx, &free)
	})
	if err != nil {
		return nil, err
	}
	got := make([]store.AttemptPlace, 0, len(free))
	for _, p := range places {
		for _, f := range free {
			if f.Key == p.Key {
				p.Generation = f.Generation
				got = append(got, p)
			}
		}
	}
	return got, nil
}

func (r attempts) Settle(ctx context.Context, now time.Time, base time.Duration, ended ...store.AttemptResult) error {
	var args []any
	for _, e := range ended {
		failures, forget := 0, now
		switch {
		case e.Failed:
			failures, forget = 1, e.ForgetAt
		case e.Clear:
			failures = -1
		}
		args = append(args, e.Key, e.Limit, failures, e.Generation, at(forget))
	}
	return r.on(ctx, func(db bun.IDB) error {
		_, err := db.NewRaw(filled(settlePlaces, now, base, "(?, ?, ?, 0, 0, ?, 0, ?)", len(ended)), args...).Exec(ctx)
		return err
	})
}

func (r attempts) Blocked(ctx context.Context, now time.Time, keys ...string) (map[string]time.Time, error) {
	var rows []struct {
		Key          string
		BlockedUntil micros
	}
	err := r.store.read.NewSelect().TableExpr("auth_attempts AS a").Column("a.key", "a.blocked_until").
		Where("a.key IN (?)", bun.List(keys)).Where("a.blocked_until > ?", at(now)).Scan(ctx, &rows)
	if err != nil {
		return nil, translated(ctx, err, "attempt")
	}
	blocked := map[string]time.Time{}
	for _, row := range rows {
		blocked[row.Key] = row.BlockedUntil.time()
	}
	return blocked, nil
}

func (r attempts) DeleteExpired(ctx context.Context, now time.Time) (n int, err error) {
	err = r.on(ctx, func(db bun.IDB) error {
		n, err = deleted(ctx, db.NewDelete().TableExpr("auth_attempts").
			Where("expires_at <= ?", at(now)).Where("taken_until <= ?", at(now)).Where("blocked_until <= ?", at(now)), "attempt")
		return err
	})
	return n, err
}
