// Package postgres opens PostgreSQL.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// StatementTimeout ends a statement that takes longer (S30).
const StatementTimeout = 5 * time.Second

// Open returns a pool and a database/sql view of it. Statements take one round trip, as their values are written into them, and end after
// StatementTimeout. Nobody waits longer than acquire for a connection: under overload the answer is a fast error, not a queue.
func Open(ctx context.Context, dsn string, conns int, acquire time.Duration) (*pgxpool.Pool, *sql.DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, nil, err
	}
	cfg.MaxConns = int32(conns)
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnConfig.RuntimeParams["application_name"] = "revenge"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "5000"
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, nil, err
	}
	db := sql.OpenDB(patient{stdlib.GetPoolConnector(pool), acquire})
	db.SetMaxIdleConns(0) // pgxpool keeps them
	return pool, db, nil
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

// OpenForMigration returns a single connection without the statement timeout: changing a large table takes what it takes.
func OpenForMigration(dsn string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.ConnectTimeout = 5 * time.Second
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams["application_name"] = "revenge-migrate"
	return stdlib.OpenDB(*cfg), nil
}
