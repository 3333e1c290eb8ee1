package sqlstore

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

// maxAttempts bounds how often a transaction that lost against another one runs again; Config.AcquireTimeout bounds it in time.
const maxAttempts = 40

// updating is the context key that marks the inside of a store's Update.
type updating struct{ store *Store }

func (s *Store) inUpdate(ctx context.Context) bool { return ctx.Value(updating{s}) != nil }

func nested(what string) error {
	return fault.New(fault.Internal, store.CodeNested, "%s inside Update: use the transaction's repositories.", what)
}

// Update implements store.Store. PostgreSQL runs it serializable, so that both databases decide alike: as if one transaction came after the other.
func (s *Store) Update(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if s.inUpdate(ctx) {
		return nested("Update")
	}
	start := time.Now()
	for attempt := 1; ; attempt++ {
		events, err := s.attempt(ctx, fn)
		if err == nil {
			s.publish(ctx, events)
			return nil
		}
		if !lostAgainstAnother(err) {
			return err
		}
		if attempt == maxAttempts || time.Since(start) > s.cfg.AcquireTimeout {
			return translated(ctx, err, "transaction")
		}
		if attempt == 1 {
			defer s.lineUp(ctx)()
			continue
		}
		// Full jitter: those that collided must not meet again.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(time.Millisecond << min(attempt, 7))):
		}
	}
}

// lineUp waits until no other transaction of this process that lost runs again, as beside each other they lose again and again, and returns how the line
// is left. It does not wait for long: what holds it up may be slow, and to run beside that is allowed.
func (s *Store) lineUp(ctx context.Context) (leave func()) {
	patience := time.NewTimer(s.cfg.AcquireTimeout / 2)
	defer patience.Stop()
	select {
	case s.again <- struct{}{}:
		return func() { <-s.again }
	case <-ctx.Done():
	case <-patience.C:
	}
	return func() {}
}

func (s *Store) attempt(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) (*collected, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var opts *sql.TxOptions
	if s.postgres {
		opts = &sql.TxOptions{Isolation: sql.LevelSerializable}
	}
	tx, err := conn.BeginTx(ctx, opts)
	if err != nil {
		return nil, translated(ctx, err, "transaction")
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit; a panic goes on behind it
	queue, events := &txJobs{store: s, tx: tx.Tx}, &collected{}
	if s.postgres {
		queue.conn = conn.Conn
	}
	inner := context.WithValue(ctx, updating{s}, true)
	if err := fn(inner, store.Tx{Repos: s.repos(tx), Jobs: queue, Events: events}); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, translated(ctx, err, "transaction")
	}
	for _, committed := range queue.committed {
		committed()
	}
	return events, nil
}

// acquire takes a connection, waiting no longer than AcquireTimeout: a full queue is answered, not joined.
func (s *Store) acquire(ctx context.Context) (bun.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, s.cfg.AcquireTimeout)
	defer cancel()
	conn, err := s.write.Conn(wait)
	if err != nil && wait.Err() != nil {
		s.cancelled.Add(1)
	}
	if err != nil && ctx.Err() == nil && wait.Err() != nil {
		return conn, unavailable(err)
	}
	return conn, translated(ctx, err, "connection")
}

// publish hands over what the committed transaction announced. A message that is lost is lost (ports/bus), so failures are only logged.
func (s *Store) publish(ctx context.Context, events *collected) {
	if s.cfg.Publisher == nil || len(events.messages) == 0 {
		return
	}
	if err := s.cfg.Publisher.Publish(context.WithoutCancel(ctx), events.messages...); err != nil {
		s.cfg.Logger.WarnContext(ctx, "events of a committed transaction were not published", "count", len(events.messages), "error", err)
	}
}

// collected keeps a transaction's events until it has committed.
type collected struct{ messages []bus.Message }

// Publish implements bus.Publisher.
func (c *collected) Publish(_ context.Context, messages ...bus.Message) error {
	c.messages = append(c.messages, messages...)
	return nil
}

// txJobs enqueues within the transaction.
type txJobs struct {
	store *Store
	tx    *sql.Tx
	conn  *sql.Conn
	// committed is to be called after the commit.
	committed []func()
}

// Enqueue implements jobs.Enqueuer.
func (q *txJobs) Enqueue(ctx context.Context, jobs ...jobs.Job) error {
	e := q.store.enqueuer.Load()
	if e == nil {
		return fault.New(fault.Internal, "store.no_enqueuer", "This process has no job queue.")
	}
	committed, err := (*e).Enqueue(ctx, q.tx, q.conn, jobs...)
	if committed != nil {
		q.committed = append(q.committed, committed)
	}
	return translated(ctx, err, "job")
}
