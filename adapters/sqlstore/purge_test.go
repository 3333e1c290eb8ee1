package sqlstore_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/testkit/world/identity"
)

// Columns that hold somebody's id or name whether the schema says so or not.
var (
	holdsAnID  = regexp.MustCompile(`(^|_)(user|owner|creator|actor)_id$|^resource_id$|_by$`)
	holdsAName = regexp.MustCompile(`^(username|login|label|email|used_by|resource_name)(_key)?$`)
)

// outlives says where an account's id or name stays after its purge, and why.
var outlives = map[string]string{
	"activity_logs.user_id":      "the log is appended to only: its entries stay, without the name",
	"activity_logs.resource_id":  "as above",
	"invitations.creator_id":     "the invitation is somebody else's",
	"registrations.username":     "who is not let in yet has no account; it ends by itself",
	"registrations.username_key": "as above",
	"registrations.email":        "as above",
	"registrations.email_key":    "as above",
}

// TestAPurgedAccountLeavesNothingInAnyTable fills every table that there is with rows of three accounts, by what the schema says, and purges one.
func TestAPurgedAccountLeavesNothingInAnyTable(t *testing.T) {
	t.Parallel()
	sqlstoretest.Each(t, func(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
		bus := membus.New()
		s := open(t, sqlstore.Config{Publisher: bus})
		db, postgres := s.SQLDB(), s.Pool() != nil
		fill(t, db, postgres)
		const name, address = "Nomen Nescio", "nescio@example.org"
		id := fmt.Sprint(value("users.id", "text", 0))
		tables, parents := columns(t, db, postgres), references(t, db, postgres)
		set := func(table, column, to string) {
			t.Helper()
			where := strings.NewReplacer("'", "''").Replace(fmt.Sprint(value(table+"."+column, "text", 0)))
			r, err := db.Exec(fmt.Sprintf("UPDATE %s SET %s = '%s' WHERE %s = '%s'", table, column, to, column, where))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.RowsAffected(); n != 1 || err != nil {
				t.Fatalf("%d rows of %s.%s tell whose they are, %v", n, table, column, err)
			}
		}
		for table, list := range tables {
			for _, c := range list {
				column, kind, _ := strings.Cut(c, " ")
				_, refers := parents[table][column]
				switch {
				case refers || !strings.HasPrefix(kind, "text"):
				case holdsAName.MatchString(column) && strings.HasPrefix(column, "email"):
					set(table, column, address)
				case holdsAName.MatchString(column):
					set(table, column, name)
				case holdsAnID.MatchString(column):
					set(table, column, id)
				}
			}
		}
		set("activity_logs", "resource_type", "user")

		p := identity.New(t, s, bus, &identity.Clock{}, identity.Key(1))
		whose, _ := domain.ParseID(id)
		if err := p.Accounts.Purge(t.Context(), domain.SystemActor(), whose); err != nil {
			t.Fatal(err)
		}

		// What refers to the account, or to what refers to it, is gone; what is the others' is not.
		belongs := []string{"users"}
		for i := 0; i < len(belongs); i++ {
			for table, refers := range parents {
				for column, parent := range refers {
					of, _, _ := strings.Cut(parent, ".")
					if of != belongs[i] {
						continue
					}
					if !slices.Contains(belongs, table) {
						belongs = append(belongs, table)
					}
					left := texts(t, db, fmt.Sprintf("SELECT CAST(%s AS TEXT) FROM %s", column, table))
					if slices.Contains(left, fmt.Sprint(value(parent, "text", 0))) {
						t.Errorf("%s.%s still refers to the account: give it ON DELETE CASCADE or SET NULL", table, column)
					}
					for row := 1; row < filled; row++ {
						if !slices.Contains(left, fmt.Sprint(value(parent, "text", row))) {
							t.Errorf("%s has lost another account's row", table)
						}
					}
				}
			}
		}
		if len(belongs) < 20 {
			t.Errorf("only %v belong to accounts", belongs)
		}
		// Nor is it named anywhere.
		found := map[string]bool{}
		for table, list := range tables {
			for _, c := range list {
				column, kind, _ := strings.Cut(c, " ")
				if !strings.HasPrefix(kind, "text") {
					continue
				}
				for _, cell := range texts(t, db, fmt.Sprintf("SELECT CAST(%q AS TEXT) FROM %s", column, table)) {
					if strings.Contains(cell, id) || strings.Contains(cell, name) || strings.Contains(cell, address) {
						found[table+"."+column] = true
					}
				}
			}
		}
		for where := range found {
			if outlives[where] == "" {
				t.Errorf("%s still names the account: let its purge see to it, or add it to outlives and say why it stays", where)
			}
		}
		for where := range outlives {
			if !found[where] {
				t.Errorf("%s does not outlive accounts", where)
			}
		}
	})
}
