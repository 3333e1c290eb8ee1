// Package sqlstore keeps everything in SQLite or PostgreSQL: one set of repositories for both, chosen by the DSN's scheme.
//
// How a repository is written: rows are private structs; times are micros, JSON documents jsonOf, ids domain.ID and bytes []byte, which
// behave equally on both databases; every error passes through translated; lists use a keyset. A repository uses r.db only: from Read it
// refuses to write and to run inside Update, from Update it is the transaction.
package sqlstore

import (
	"context"
	"database/sql"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"go.opentelemetry.io/otel/trace"

	"github.com/revenge-media/revenge/adapters/sqlstore/postgres"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlite"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

var _ store.Store = (*Store)(nil)

// Enqueuer adds jobs within a transaction. conn is the connection that tx runs on, for drivers that need more of it than database/sql
// shows; it is nil on SQLite. The enqueuer must neither commit nor roll back. committed, unless it is nil, is called when the transaction has committed.
type Enqueuer interface {
	Enqueue(ctx context.Context, tx *sql.Tx, conn *sql.Conn, jobs ...jobs.Job) (committed func(), err error)
}

// Config says which database to open and whom to tell of what a transaction did.
type Config struct {
	// DSN is "sqlite:/path/revenge.db", "postgres://…" or "postgresql://…".
	DSN string
	// MaxConns bounds the connections of a pool; 0 means 10 (SQLite: readers, beside one writer).
	MaxConns int
	// Enqueuer serves Tx.Jobs; it may be set later, see UseEnqueuer.
	Enqueuer Enqueuer
	// Publisher gets what was published in a transaction, after its commit; nil drops it.
	Publisher bus.Publisher
	// Logger gets slow queries (warn) and, where it is enabled for debug, every query, without the values; nil is silent.
	Logger *slog.Logger
	// SlowQuery is the threshold of the slow-query log; 0 means 200 ms.
	SlowQuery time.Duration
	// BeforeMigration backs the database up, which is not changed when that fails; it is not asked for an empty one. nil copies a SQLite file beside itself.
	BeforeMigration func(ctx context.Context, s *Store) error
	// Tracer makes a span of each statement, without its values, within a trace that is there; nil makes none.
	Tracer trace.Tracer
	// AcquireTimeout bounds the wait for a connection (SQLite: for the right to write, in this process or among several); 0 means 5 s.
	// After it the store is Unavailable.
	AcquireTimeout time.Duration
	// StatementTimeout ends a statement that takes longer, and the store is Unavailable; 0 means 5 s. Migrations, snapshots and the monthly parts of the
	// activity log take what they take. PostgreSQL only.
	StatementTimeout time.Duration
	// ConnLifetime is how long a connection is used; 0 means 30 minutes. PostgreSQL only.
	ConnLifetime time.Duration
}

// Store is an open database.
type Store struct {
	cfg      Config
	postgres bool
	path     string // SQLite's file
	write    *bun.DB
	read     *bun.DB // PostgreSQL: the same as write
	pool     *pgxpool.Pool
	enqueuer atomic.Pointer[Enqueuer]
	// statements that SQLite's readers keep; PostgreSQL's are pgx's.
	statements statements
	slow       atomic.Uint64
	// cancelled are waits for SQLite's one writing connection that were given up; PostgreSQL's pool counts for itself.
	cancelled atomic.Int64
	// again is held by the transaction that runs again because it lost against another.
	again chan struct{}
}

// Open connects. It neither creates nor changes tables: see Migrate. A SQLite file and its folder are made when they are absent.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 10
	}
	if cfg.SlowQuery <= 0 {
		cfg.SlowQuery = 200 * time.Millisecond
	}
	if cfg.AcquireTimeout <= 0 {
		cfg.AcquireTimeout = 5 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, again: make(chan struct{}, 1)}
	if cfg.Enqueuer != nil {
		s.UseEnqueuer(cfg.Enqueuer)
	}
	scheme, rest, _ := strings.Cut(cfg.DSN, ":")
	switch scheme {
	case "sqlite":
		s.path = strings.TrimPrefix(rest, "//")
		write, read, err := sqlite.Open(ctx, s.path, cfg.MaxConns, cfg.AcquireTimeout)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "store.open_failed", "The database file %q cannot be opened. Check that it is one and that its folder may be written to.", s.path)
		}
		s.write, s.read = bun.NewDB(write, sqlitedialect.New()), bun.NewDB(read, sqlitedialect.New())
		s.read = s.read.WithQueryHook(&queryLog{s})
	case "postgres", "postgresql":
		pool, db, err := postgres.Open(ctx, cfg.DSN, postgres.Limits{
			Conns: cfg.MaxConns, Acquire: cfg.AcquireTimeout, Statement: cfg.StatementTimeout, Lifetime: cfg.ConnLifetime,
		})
		if err != nil {
			return nil, translated(ctx, err, "database")
		}
		s.postgres, s.pool = true, pool
		s.write = bun.NewDB(db, pgdialect.New())
	default:
		return nil, fault.New(fault.Invalid, "store.bad_dsn", "The database address must begin with sqlite: or postgres://.")
	}
	s.write = s.write.WithQueryHook(&queryLog{s})
	if s.read == nil {
		s.read = s.write
	}
	return s, nil
}

// UseEnqueuer sets who serves Tx.Jobs: for enqueuers that are themselves opened on this store.
func (s *Store) UseEnqueuer(e Enqueuer) { s.enqueuer.Store(&e) }

// Read implements store.Store.
func (s *Store) Read() store.Repos { return s.repos(reading{DB: s.read, store: s}) }

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	var one int
	err := s.read.DB.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	return time.Since(start), translated(ctx, err, "database")
}

// Stats implements store.Store.
func (s *Store) Stats() store.PoolStats {
	sum := store.PoolStats{SlowQueries: s.slow.Load()}
	if s.postgres {
		st := s.pool.Stat()
		sum.Open, sum.InUse, sum.Idle = int(st.TotalConns()), int(st.AcquiredConns()), int(st.IdleConns())
		sum.Max, sum.WaitCount, sum.WaitDuration = int(st.MaxConns()), st.EmptyAcquireCount(), st.EmptyAcquireWaitTime()
		sum.CancelledWaits = st.CanceledAcquireCount()
		return sum
	}
	sum.CancelledWaits = s.cancelled.Load()
	for _, pool := range []*sql.DB{s.write.DB, s.read.DB} {
		st := pool.Stats()
		sum.Max += st.MaxOpenConnections
		sum.Open += st.OpenConnections
		sum.InUse += st.InUse
		sum.Idle += st.Idle
		sum.WaitCount += st.WaitCount
		sum.WaitDuration += st.WaitDuration
	}
	return sum
}

// SQLDB is the pool that writes; one connection on SQLite.
func (s *Store) SQLDB() *sql.DB { return s.write.DB }

// ReadDB is the pool that reads; the same as SQLDB on PostgreSQL.
func (s *Store) ReadDB() *sql.DB { return s.read.DB }

// Pool is PostgreSQL's pool; nil on SQLite.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Close ends all connections. Transactions that run are waited for.
func (s *Store) Close() error {
	err := s.read.Close()
	if s.postgres {
		s.pool.Close()
		return err
	}
	if e := s.write.Close(); err == nil {
		err = e
	}
	return err
}
