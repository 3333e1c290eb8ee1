package library_test

import (
	"fmt"
	"testing"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
)

// countWrites has the database count every row of films and files that is written from now on.
func (w *world) countWrites() func() int {
	w.t.Helper()
	db := w.store.SQLDB()
	statements := []string{"CREATE TABLE written (name TEXT)"}
	if w.store.Pool() != nil {
		statements = append(statements, `CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO written VALUES (TG_TABLE_NAME); RETURN NULL; END $$`)
	}
	for _, table := range []string{"movies", "movie_files", "movie_genres", "movie_credits", "movie_images"} {
		for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
			do := fmt.Sprintf("BEGIN INSERT INTO written VALUES ('%s'); END", table)
			if w.store.Pool() != nil {
				do = "FOR EACH ROW EXECUTE FUNCTION count_write()"
			}
			statements = append(statements, fmt.Sprintf("CREATE TRIGGER %s_%s AFTER %s ON %s %s", table, event, event, table, do))
		}
	}
	for _, s := range statements {
		_, err := db.ExecContext(w.t.Context(), s)
		w.must(err)
	}
	return func() (n int) {
		w.t.Helper()
		w.must(db.QueryRowContext(w.t.Context(), "SELECT COUNT(*) FROM written").Scan(&n))
		return n
	}
}

func TestARescanOfUnchangedFilesWritesNoFilmAndNoFile(t *testing.T) {
	t.Parallel()
	sqlstoretest.Each(t, func(t *testing.T, open func(t testing.TB, cfg sqlstore.Config) *sqlstore.Store) {
		paths := append(many(120), "Heat (1995)/Heat (1995) - 1080p.mkv", "Heat (1995)/Heat (1995) - 720p.mkv", "Heat (1995)/trailers/one.mkv", "Set/disc 1/a.mkv", "loose.mkv")
		w := newWorldOn(t, open, paths...)
		w.write("Heat (1995)/Heat (1995) - 1080p.en.srt", "1")
		w.write("Heat (1995)/movie.nfo", "Heat")
		if first := w.scan(); first.Added != len(paths) || first.Matched == 0 {
			t.Fatalf("the first scan: %+v", first)
		}
		w.scan() // whatever the first one left to a second
		written := w.countWrites()
		for range 2 {
			if s := w.scan(); s.State != domain.ScanDone || s.Found != len(paths) || s.Added+s.Changed+s.Moved+s.Missing+s.Read+s.Matched+s.Artwork != 0 {
				t.Errorf("a scan in which nothing changed: %+v", s)
			}
		}
		if n := written(); n != 0 {
			t.Errorf("%d rows of films and files were written", n)
		}
		w.write("loose.mkv", "film that is another one now")
		if s := w.scan(); s.Changed != 1 || written() == 0 {
			t.Errorf("after a change: %+v, %d writes", s, written())
		}
	})
}

// What is read ahead must not take what the files before it are about to take.
func TestTwoCopiesFarApartAreOneMoveAndOneCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "Film (2001)/Film (2001).mkv")
	w.scan()
	was := w.file("Film (2001)/Film (2001).mkv")
	w.remove("Film (2001)")
	for _, p := range append(many(150), "A (2002)/A (2002).mkv", "Z (2003)/Z (2003).mkv") {
		w.write(p, "film "+p)
	}
	w.write("A (2002)/A (2002).mkv", "film Film (2001)/Film (2001).mkv")
	w.write("Z (2003)/Z (2003).mkv", "film Film (2001)/Film (2001).mkv")
	s := w.scan()
	a, z := w.file("A (2002)/A (2002).mkv"), w.file("Z (2003)/Z (2003).mkv")
	if s.Moved != 1 || len(w.files()) != 152 || (a.ID == was.ID) == (z.ID == was.ID) || a.State != domain.FileReady || z.State != domain.FileReady {
		t.Errorf("%+v\n%+v\n%+v", s, a, z)
	}
}
