package sqlstore

import "context"

// Rest gives back the memory that only work made use of: on SQLite the pages that the writing connection keeps, which is never idle long
// enough to be closed (sqlite.org/pragma.html#pragma_shrink_memory). PostgreSQL has its pages elsewhere.
func (s *Store) Rest(ctx context.Context) error {
	if s.postgres {
		return nil
	}
	_, err := s.write.DB.ExecContext(ctx, "PRAGMA shrink_memory")
	return err
}
