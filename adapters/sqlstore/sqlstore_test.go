package sqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/testkit/storetest"
)

func TestStoreKeepsItsLaws(t *testing.T) {
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		storetest.Run(t, func(t *testing.T) storetest.Harness {
			published, queue := &recorder{}, jobTable{}
			s := open(t, sqlstore.Config{Publisher: published, Enqueuer: queue})
			if _, err := s.SQLDB().Exec("CREATE TABLE test_jobs (job TEXT NOT NULL)"); err != nil {
				t.Fatal(err)
			}
			return storetest.Harness{Store: s, Published: published.list, Enqueued: func(t *testing.T) []jobs.Job { return queue.list(t, s.ReadDB()) }}
		})
	})
}

type recorder struct {
	mu       sync.Mutex
	messages []bus.Message
}

func (r *recorder) Publish(_ context.Context, messages ...bus.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, messages...)
	return nil
}

func (r *recorder) list() []bus.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]bus.Message(nil), r.messages...)
}

// jobTable enqueues into a table, through what a job library would use.
type jobTable struct{}

func (jobTable) Enqueue(ctx context.Context, tx *sql.Tx, conn *sql.Conn, list ...jobs.Job) (func(), error) {
	if conn != nil {
		err := conn.Raw(func(raw any) error {
			if c, ok := raw.(*stdlib.Conn); !ok || c.Conn().PgConn().TxStatus() != 'T' {
				return errors.New("the connection is not the transaction's")
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, job := range list {
		data, err := json.Marshal(job)
		if err != nil {
			return nil, err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO test_jobs (job) VALUES ($1)", string(data)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (jobTable) list(t *testing.T, db *sql.DB) []jobs.Job {
	rows, err := db.Query("SELECT job FROM test_jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []jobs.Job
	for rows.Next() {
		var data string
		var job jobs.Job
		if err := errors.Join(rows.Scan(&data), json.Unmarshal([]byte(data), &job)); err != nil {
			t.Fatal(err)
		}
		list = append(list, job)
	}
	return list
}
