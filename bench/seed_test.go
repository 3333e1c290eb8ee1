package bench_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/revenge-media/revenge/adapters/argon2"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core/domain"
)

const (
	postgresVariable = "REVENGE_TEST_POSTGRES"
	memberName       = "member"
	memberPassword   = "correct horse battery staple"
)

// catalogue is a database of films that a household could have: four libraries, of which the member sees three.
type catalogue struct {
	DSN       string
	Dir       string // the data folder with the key that seals what is secret in the database
	Member    domain.ID
	Libraries []domain.ID // those that the member sees
	Films     []domain.ID // some of those that the member sees
}

var (
	seedLock sync.Mutex
	seeded   = map[string]*catalogue{} // by kind and size, so that several benchmarks share one
)

// catalogueOf makes the database of so many films at its first use; kind is "SQLite" or "PostgreSQL". It goes when the program ends.
func catalogueOf(b *testing.B, kind string, films int) *catalogue {
	b.Helper()
	seedLock.Lock()
	defer seedLock.Unlock()
	name := fmt.Sprint(kind, films)
	if c := seeded[name]; c != nil {
		return c
	}
	dir, err := os.MkdirTemp("", "revenge-bench-")
	if err != nil {
		b.Fatal(err)
	}
	atExit = append(atExit, func() { os.RemoveAll(dir) })
	c := &catalogue{Dir: dir, DSN: "sqlite:" + filepath.Join(dir, "revenge.db"), Member: idOf("user", 0)}
	if kind == "PostgreSQL" {
		c.DSN = newPostgres(b, fmt.Sprintf("revenge_bench_%d", films))
	}
	start := time.Now()
	if err := c.fill(b.Context(), films); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d films in %s took %v", films, kind, time.Since(start).Round(time.Millisecond))
	seeded[name] = c
	return c
}

// newPostgres makes an empty database and returns its address.
func newPostgres(b *testing.B, name string) string {
	b.Helper()
	address := os.Getenv(postgresVariable)
	if address == "" {
		b.Skip("PostgreSQL is not there: set " + postgresVariable)
	}
	execute := func(statement string) error {
		ctx := context.WithoutCancel(b.Context())
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, statement)
		return err
	}
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if err := execute(statement); err != nil {
			b.Fatal(err)
		}
	}
	atExit = append(atExit, func() { _ = execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// fill migrates and inserts. Indexes are made after the rows, as one would restore a database.
func (c *catalogue) fill(ctx context.Context, films int) error {
	store, err := sqlstore.Open(ctx, sqlstore.Config{DSN: c.DSN})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	hash, err := argon2.New(argon2.Config{}).Hash(ctx, memberPassword)
	if err != nil {
		return err
	}
	for library := range libraries {
		if library < len(libraries)-1 {
			c.Libraries = append(c.Libraries, idOf("library", library))
		}
	}
	for i := 0; len(c.Films) < 500 && i < films; i += max(1, films/700) {
		if f := filmOf(i); slices.Contains(c.Libraries, f.library) {
			c.Films = append(c.Films, f.id)
		}
	}
	for _, t := range tables(string(hash), films) {
		if store.Pool() != nil {
			err = t.copyInto(ctx, store)
		} else {
			err = t.insertInto(ctx, store.SQLDB())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if store.Pool() != nil {
		conn, err := pgx.Connect(ctx, c.DSN) // without the pool's statement timeout
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "VACUUM ANALYZE") // which autovacuum does by itself, later
		return err
	}
	return nil
}

// table is one table's rows.
type table struct {
	name    string
	columns []string
	rows    iter.Seq[[]any]
}

func (t table) copyInto(ctx context.Context, store *sqlstore.Store) error {
	conn, err := pgx.ConnectConfig(ctx, store.Pool().Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SET statement_timeout = 0"); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, `SELECT i.indexname, i.indexdef FROM pg_indexes AS i WHERE i.schemaname = current_schema() AND i.tablename = $1
		AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conname = i.indexname)`, t.name)
	if err != nil {
		return err
	}
	type index struct{ Name, Definition string }
	indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if _, err := conn.Exec(ctx, "DROP INDEX "+i.Name); err != nil {
			return err
		}
	}
	next, stop := iter.Pull(t.rows)
	defer stop()
	source := pgx.CopyFromFunc(func() ([]any, error) {
		row, ok := next()
		if !ok {
			return nil, nil
		}
		for i, v := range row {
			if id, ok := v.(domain.ID); ok {
				row[i] = [16]byte(id)
			}
		}
		return row, nil
	})
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, source); err != nil {
		return err
	}
	for _, i := range indexes {
		if _, err := conn.Exec(ctx, i.Definition); err != nil {
			return err
		}
	}
	return nil
}

func (t table) insertInto(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	var names, definitions []string
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return err
		}
		names, definitions = append(names, name), append(definitions, definition)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := tx.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return err
		}
	}
	const atOnce = 20
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(t.columns)), ", ") + ")"
	insert := func(n int) string {
		return `INSERT INTO ` + t.name + ` ("` + strings.Join(t.columns, `", "`) + `") VALUES ` + strings.TrimSuffix(strings.Repeat(one+", ", n), ", ")
	}
	many, err := tx.PrepareContext(ctx, insert(atOnce)) //nolint:sqlclosecheck // it is, below
	if err != nil {
		return err
	}
	defer many.Close()
	var values []any
	for row := range t.rows {
		if values = append(values, row...); len(values) == atOnce*len(t.columns) {
			if _, err := many.ExecContext(ctx, values...); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	if len(values) > 0 {
		if _, err := tx.ExecContext(ctx, insert(len(values)/len(t.columns)), values...); err != nil {
			return err
		}
	}
	for _, definition := range definitions {
		if _, err := tx.ExecContext(ctx, definition); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// idOf is the same for the same thing in every database: a UUIDv7 whose order is that of n.
func idOf(what string, n int) domain.ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", what, n))
	id := domain.ID(sum[:16])
	binary.BigEndian.PutUint64(id[:8], uint64(1_700_000_000_000+n)<<16|uint64(binary.BigEndian.Uint16(sum[16:])))
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

// shelf is a library, and of how many in a hundred films it or one before it has.
type shelf struct {
	name  string
	share int
}

var (
	libraries  = []shelf{{"Feature films", 50}, {"Documentaries", 80}, {"Animation", 95}, {"Attic", 100}}
	adjectives = strings.Fields("Silent Broken Golden Distant Electric Hollow Crimson Forgotten Gentle Restless Paper Northern Velvet Burning Last Hidden")
	nouns      = strings.Fields("Harbour Garden Engine Winter Letter Orchard Signal Empire River Mirror Station Carnival Horizon Lantern Witness Meadow")
	genreNames = strings.Fields("Action Adventure Animation Comedy Crime Documentary Drama Family Fantasy History Horror Music Mystery Romance Thriller War Western")
	people     = strings.Fields("Adler Brandt Castillo Dubois Eriksen Fontaine Gallo Haddad Ito Jensen Kowalski Larsson Moreau Novak Okafor Petrov Quiroga Rossi Sato")
)

// film is what all tables say of one film.
type film struct {
	n, shelf            int
	id, library         domain.ID
	title, sortTitle    string
	identity            string
	tmdb, year          int
	runtime, rating     float64
	added               int64
	resolution          string
	versions            int
	genres              []string
	began               bool
	directors, overview string
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func filmOf(n int) film {
	r := rand.New(rand.NewPCG(uint64(n), 653))
	f := film{n: n, id: idOf("film", n), tmdb: n + 1}
	share := r.IntN(100)
	f.shelf = slices.IndexFunc(libraries, func(l shelf) bool { return share < l.share })
	f.library = idOf("library", f.shelf)
	f.identity = fmt.Sprintf("tmdb:%d", f.tmdb)
	f.sortTitle = fmt.Sprintf("%s %s %05d", adjectives[r.IntN(len(adjectives))], nouns[r.IntN(len(nouns))], n)
	if f.title = f.sortTitle; n%3 == 0 {
		f.title = "The " + f.sortTitle
	}
	if f.year = 1930 + r.IntN(96); r.IntN(100) == 0 {
		f.year = 0
	}
	f.runtime = float64(4200+r.IntN(6000)) + float64(r.IntN(1000))/1000
	f.rating = float64(30+r.IntN(66)) / 10
	f.added = epoch.Add(-time.Duration(r.IntN(3*365*24*3600)) * time.Second).UnixMicro()
	f.resolution = []string{"2160p", "1080p", "1080p", "720p", "576p"}[r.IntN(5)]
	f.versions = 1 + min(1, r.IntN(7)/6)
	for _, g := range r.Perm(len(genreNames))[:3] {
		f.genres = append(f.genres, genreNames[g])
	}
	f.began = r.IntN(10) == 0
	f.directors = fmt.Sprintf(`["%s %s"]`, people[r.IntN(len(people))], people[r.IntN(len(people))])
	f.overview = strings.Repeat(fmt.Sprintf("A %s %s changes what everybody believed. ", strings.ToLower(adjectives[r.IntN(len(adjectives))]), strings.ToLower(nouns[r.IntN(len(nouns))])), 4)
	return f
}

func tables(passwordHash string, count int) []table {
	now := epoch.UnixMicro()
	member := idOf("user", 0)
	rows := func(list ...[]any) iter.Seq[[]any] { return slices.Values(list) }
	films := func(of func(film, func(...any))) iter.Seq[[]any] {
		return func(yield func([]any) bool) {
			for n := range count {
				var made [][]any
				of(filmOf(n), func(values ...any) { made = append(made, values) })
				for _, row := range made {
					if !yield(row) {
						return
					}
				}
			}
		}
	}
	var shelves, folders [][]any
	for i, l := range libraries {
		id := idOf("library", i)
		shelves = append(shelves, []any{id, l.name, strings.ToLower(l.name), false, i < len(libraries)-1, "en", now, now})
		// No such folder, and just scanned: nothing runs beside the requests.
		path := fmt.Sprintf("/nonexistent/revenge-bench/%d", i)
		folders = append(folders, []any{idOf("path", i), id, []byte(path), path, "ok", "", 0, nil, time.Now().UnixMicro(), nil})
	}
	return []table{
		{"users", columns("id username username_key display_name email disabled password_hash created_at updated_at last_login_at"),
			rows([]any{member, memberName, memberName, "Member", "", false, passwordHash, now, now, nil})},
		{"user_logins", columns("login user_id"), rows([]any{memberName, member})},
		{"user_roles", columns("user_id role position"), rows([]any{member, "user", 0})},
		{"libraries", columns("id name name_key restricted open locale created_at updated_at"), slices.Values(shelves)},
		{"library_paths", columns("id library_id raw path state reason vanished frozen_at scanned_at confirmed_at"), slices.Values(folders)},
		{"movies", columns(`id library_id identity title sort_title sort_key letter title_key original_key search_text original_title year year_order tagline
			runtime rating votes certification release_date imdb_id tmdb_id available resolution hdr audio_languages subtitle_languages versions random_key
			metadata_source added_at added_year updated_at pictures_at countries studios directors overview`),
			films(func(f film, add func(...any)) {
				yearOrder, folded := f.year, strings.ToLower(f.title)
				if f.year == 0 {
					yearOrder = 99999
				}
				add(f.id, f.library, f.identity, f.title, f.sortTitle, "1"+strings.ToLower(f.sortTitle), f.sortTitle[:1], strings.ReplaceAll(folded, " ", ""), "",
					" "+folded, "", f.year, yearOrder, "", f.runtime, f.rating, 1000+f.n, "PG-13", fmt.Sprintf("%04d-06-15", f.year), fmt.Sprintf("tt%07d", f.n+1), f.tmdb,
					true, f.resolution, f.resolution == "2160p", `["eng","ger"]`, `["eng"]`, f.versions, int64(binary.BigEndian.Uint64(f.id[8:])&^(1<<63))%(1<<31-1),
					"nfo", f.added, time.UnixMicro(f.added).UTC().Year(), f.added, time.Now().UnixMicro(), `["US"]`, `["Studio"]`, f.directors, f.overview)
			})},
		{"movie_genres", columns("movie_id genre library_id position"), films(func(f film, add func(...any)) {
			for i, g := range f.genres {
				add(f.id, g, f.library, i)
			}
		})},
		{"movie_credits", columns("movie_id position department billing person person_key role"), films(func(f film, add func(...any)) {
			for i := range 4 {
				name := people[(f.n+i)%len(people)] + " " + people[(f.n*7+i)%len(people)]
				add(f.id, i, "cast", i, name, strings.ToLower(name), "Role")
			}
		})},
		{"movie_images", columns("id movie_id library_id kind width height thumbhash hash source source_path_id source_raw blob source_revision updated_at"),
			films(func(f film, add func(...any)) {
				for i, kind := range []string{"poster", "backdrop"} {
					add(idOf(kind, f.n), f.id, f.library, kind, 1000+500*i, 1500, "3OcRJYB4d3h/iIeHeEh3eIhw+j3A", fmt.Sprintf("%064x", f.n*2+i), "local", nil, nil,
						fmt.Sprintf("images/%d-%s", f.n, kind), "1", f.added)
				}
			})},
		{"movie_files", columns(`id library_id path_id movie_id walk_key folder path kind state reason_code reason size modified_at fingerprint revision version
			version_key part edition resolution source extra_kind title media sidecars missing_since vanished_at inode beside matched_at added_at updated_at`),
			films(func(f film, add func(...any)) {
				path := idOf("path", f.shelf)
				for i := range f.versions {
					name := fmt.Sprintf("%s (%d)/%s.%d.mkv", f.title, f.year, f.title, i)
					add(idOf("file", f.n*2+i), f.library, path, f.id, []byte(strings.ReplaceAll(name, "/", "\x00")), []byte(name[:strings.IndexByte(name, '/')]), name,
						"movie", "ready", "", "", int64(4_000_000_000+f.n), f.added, fmt.Sprintf("%032x", f.n*2+i), "1-1", f.resolution, fmt.Sprint(i), 0, "[]", f.resolution,
						"bluray", "", "", mediaOf(f), "[]", nil, nil, fmt.Sprint(f.n*2+i), "", f.added, f.added, f.added)
				}
			})},
		{"movie_watched", columns("user_id identity position duration progress watched play_count last_played_at watched_at file_id dismissed"),
			films(func(f film, add func(...any)) {
				if f.began {
					add(member, f.identity, f.runtime/3, f.runtime, 1.0/3, f.n%2 == 0, 1, now+int64(f.n), now+int64(f.n), idOf("file", f.n*2), false)
				}
			})},
	}
}

func columns(names string) []string { return strings.Fields(names) }

// mediaOf is what a container says of itself, as its column holds it.
func mediaOf(f film) string {
	media := domain.Media{
		Container: "matroska", Duration: f.runtime, BitRate: 6_000_000, Indexed: true, KeyframeCount: 900, KeyframeInterval: 10,
		Video: []domain.Video{{Codec: "h264", Profile: "High", Level: 41, CodecString: "avc1.640029", Width: 1920, Height: 1080, FrameRate: 23.976, Default: true}},
		Audio: []domain.Audio{{Index: 1, Codec: "aac", Channels: 2, SampleRate: 48000, Language: "eng", Default: true}, {Index: 2, Codec: "ac3", Channels: 6, SampleRate: 48000, Language: "ger"}},
	}
	data, _ := json.Marshal(media) // always marshals
	return string(data)
}
