package httpd_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/adapters/sqlstore"
)

// volatile is what changes by itself, in any table or in one: who was last seen when, for how long that lets a session live, and which key was used.
var volatile = map[string]bool{
	"last_seen_at": true, "ip": true, "user_agent": true, "device": true, "last_used_at": true, "last_used_ip": true, "sessions.expires_at": true,
}

// snapshot is all that the database holds, by table.
func (h *household) snapshot(t *testing.T) map[string][]string {
	t.Helper()
	db := h.World.Store.(*sqlstore.Store).ReadDB()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if strings.HasPrefix(h.World.App.Config.Database, "postgres") {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
	}
	names, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer names.Close()
	var tables []string
	for names.Next() {
		var name string
		if err := names.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "river_") && !strings.HasPrefix(name, "sqlite_") && !strings.HasPrefix(name, "activity_logs") && name != "auth_challenges" && name != "auth_attempts" { // which tell of denials, and what anybody may begin
			tables = append(tables, name)
		}
	}
	if err := names.Err(); err != nil || len(tables) < 15 {
		t.Fatalf("only the tables %v, %v", tables, err)
	}
	all := map[string][]string{}
	for _, table := range tables {
		all[table] = rowsOf(t, db, table)
	}
	return all
}

// rowsOf returns a table's rows as texts, sorted.
func rowsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	list := []string{}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var row strings.Builder
		for i, column := range columns {
			if raw, ok := values[i].([]byte); ok { // legible, so that a secret among them is found
				values[i] = string(raw)
			}
			if !volatile[column] && !volatile[table+"."+column] {
				fmt.Fprintf(&row, "%s=%v ", column, values[i])
			}
		}
		list = append(list, row.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// unchanged fails the test where the database is not as it was.
func (h *household) unchanged(t *testing.T, before map[string][]string) {
	t.Helper()
	for table, rows := range h.snapshot(t) {
		for _, row := range rows {
			if _, was := slices.BinarySearch(before[table], row); !was {
				t.Errorf("what was denied changed %s, which now has %.300s", table, row)
			}
		}
		if len(rows) < len(before[table]) {
			t.Errorf("what was denied deleted from %s", table)
		}
	}
}
