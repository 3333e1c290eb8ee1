// Package postgres opens PostgreSQL.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// StatementTimeout ends a statement that takes longer (S30), where Limits say nothing else.
const StatementTimeout = 5 * time.Second

// Lifetime is how long a connection is used, where Limits say nothing else.
const Lifetime = 30 * time.Minute

// Limits bound what a pool takes and waits for.
type Limits struct {
	// Conns is the most connections.
	Conns int
	// Acquire bounds the wait for one: under overload the answer is a fast error, not a queue.
	Acquire time.Duration
	// Statement ends a statement that takes longer; 0 means StatementTimeout.
	Statement time.Duration
	// Lifetime, and up to a tenth more, is how long a connection is used; 0 means Lifetime.
	Lifetime time.Duration
}

// Open returns a pool and a database/sql view of it. Statements take one round trip, as their values are written into them.
func Open(ctx context.Context, dsn string, limits Limits) (*pgxpool.Pool, *sql.DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, nil, err
	}
	if limits.Statement <= 0 {
		limits.Statement = StatementTimeout
	}
	if limits.Lifetime <= 0 {
		limits.Lifetime = Lifetime
	}
	cfg.MaxConns = int32(limits.Conns)
	cfg.MaxConnLifetime, cfg.MaxConnLifetimeJitter = limits.Lifetime, limits.Lifetime/10
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnConfig.RuntimeParams["application_name"] = "revenge"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = strconv.FormatInt(limits.Statement.Milliseconds(), 10)
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
	moved := &failover{closes: cfg.ConnConfig.OnPgError}
	cfg.ConnConfig.OnPgError = moved.keeps
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	moved.pool.Store(pool)
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, nil, err
	}
	db := sql.OpenDB(patient{stdlib.GetPoolConnector(pool), limits.Acquire})
	db.SetMaxIdleConns(0) // pgxpool keeps them
	return pool, db, nil
}

// Standby tells whether an error says that this server takes no writes: it is, or became, the standby of another
// (PostgreSQL documentation, appendix A: read_only_sql_transaction; a standby refuses serializable transactions as a feature that it lacks).
func Standby(err *pgconn.PgError) bool { return err.Code == "25006" || err.Code == "0A000" }

// failover gives up connections to a server that is not the right one any more: the next ones ask where the address leads now.
type failover struct {
	closes pgconn.PgErrorHandler // what it does otherwise
	pool   atomic.Pointer[pgxpool.Pool]
	reset  atomic.Int64 // when all were given up, Unix nanoseconds
}

// keeps tells whether a connection goes on after an error (pgconn.Config.OnPgError).
func (f *failover) keeps(conn *pgconn.PgConn, err *pgconn.PgError) bool {
	if Standby(err) {
		// All of them lead there, those that only read too. Once a second is enough while it lasts.
		now, before := time.Now().UnixNano(), f.reset.Load()
		if pool := f.pool.Load(); pool != nil && now-before > int64(time.Second) && f.reset.CompareAndSwap(before, now) {
			pool.Reset()
		}
		return false
	}
	return !strings.HasPrefix(err.Code, "08") && !strings.HasPrefix(err.Code, "57P") && f.closes(conn, err)
}

// patient bounds the wait for a connection.
type patient struct {
	driver.Connector
	limit time.Duration
}

// Connect implements driver.Connector.
func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	return p.Connector.Connect(ctx)
}

// OpenForMigration returns a single connection without a statement timeout, whatever the server's own is: changing a large table takes what it takes.
func OpenForMigration(dsn string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = 5 * time.Second
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams["application_name"] = "revenge-migrate"
	cfg.RuntimeParams["statement_timeout"] = "0"
	return stdlib.OpenDB(*cfg), nil
}
