package sqlstore

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

func TestPreparedStatementsAreBoundedAndStayOpenWhileTheyRun(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "known.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	held, err := s.statements.take(t.Context(), s.ReadDB(), "SELECT 'held'")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 5 * maxStatements {
				of := &statement{known: true}
				of.add(fmt.Sprintf("SELECT %d + ?", worker%2*5*maxStatements+i), 1) // two workers share each
				rows := 0
				err := (base{db: reading{DB: s.read, store: s}}).each(t.Context(), of, func(scan func(...any) error) error {
					var n int
					rows++
					if err := scan(&n); err != nil || n != worker%2*5*maxStatements+i+1 {
						return fmt.Errorf("%d, %w", n, err)
					}
					return nil
				})
				if err != nil || rows != 1 {
					t.Errorf("%d rows, %v", rows, err)
				}
			}
		})
	}
	group.Wait()
	if n := len(s.statements.kept); n > maxStatements {
		t.Errorf("%d statements are kept", n)
	}
	var text string
	if err := held.QueryRowContext(t.Context()).Scan(&text); err != nil || text != "held" {
		t.Errorf("%q, %v", text, err)
	}
	s.statements.giveBack(held)
}

func TestPlacesAreNumberedForPostgres(t *testing.T) {
	t.Parallel()
	if got := numbered("a = ? AND (b, c) > (?, ?) LIMIT 51"); got != "a = $1 AND (b, c) > ($2, $3) LIMIT 51" {
		t.Error(got)
	}
}
