package bench_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/argon2"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlite"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
)

// The limit programs of the API. They share the domain's read models, so that their JSON is the same, and nothing else of Revenge but how
// SQLite is opened. Statements are prepared once, values are scanned into the models and encoding/json writes to the connection.
func init() {
	programs["limit-api"] = limitAPI
	programs["limit-argon2"] = limitArgon2
}

// limitSettings are what the benchmark tells the limit program in its environment.
type limitSettings struct {
	DSN       string
	Member    domain.ID
	Libraries []domain.ID
	Key       []byte // of the JWTs
	Me        httpd.Me
}

const limitVariable = "REVENGE_BENCH_LIMIT"

func limitAPI() int {
	var s limitSettings
	if err := json.Unmarshal([]byte(os.Getenv(limitVariable)), &s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	films, err := openFilms(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	router := chi.NewRouter()
	router.Use(func(next http.Handler) http.Handler { return checked(s.Key, next) })
	router.Get("/movies", func(w http.ResponseWriter, r *http.Request) {
		page, err := films.list(r.Context())
		answer(w, page, err)
	})
	router.Get("/movies/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := uuid.Parse(chi.URLParam(r, "id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		m, err := films.get(r.Context(), id)
		answer(w, m, err)
	})
	hot, err := films.marshalled()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	router.Get("/hot", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(hot)
	})
	router.Get("/ping", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	router.Get("/users/me", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Me, nil) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("listening", listener.Addr())
	server := http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	return 1
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// checked lets requests with a valid JWT pass.
func checked(key []byte, next http.Handler) http.Handler {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if ok {
			_, err := parser.ParseWithClaims(token, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil })
			ok = err == nil
		}
		if !ok {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitToken is what the limit program lets in.
func limitToken(key []byte, member domain.ID) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer: "limit", Audience: jwt.ClaimStrings{"limit-api"}, Subject: member.String(), ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
	}).SignedString(key)
}

// query runs one prepared statement and hands over each row.
type query func(ctx context.Context, each func(scan func(...any) error) error, args ...any) error

type films struct {
	member, libraries []any
	page, one         query
}

const itemColumns = `m.id, m.library_id, m.title, m.sort_title, m.year, m.runtime, m.rating, m.resolution, m.hdr, m.versions, m.available, m.added_at,
	p.id, p.width, p.height, p.thumbhash, p.hash, b.id, b.width, b.height, b.thumbhash, b.hash,
	w.position, w.duration, w.progress, w.watched, w.play_count, w.last_played_at, w.watched_at, f.id`

const joins = ` LEFT JOIN movie_images AS p ON p.movie_id = m.id AND p.kind = 'poster' LEFT JOIN movie_images AS b ON b.movie_id = m.id AND b.kind = 'backdrop'
	LEFT JOIN movie_watched AS w ON w.user_id = $1 AND w.identity = m.identity LEFT JOIN movie_files AS f ON f.id = w.file_id AND f.movie_id = m.id`

// openFilms prepares one statement for the list and one for a film: the first films of each library in the order of its index, merged.
func openFilms(s limitSettings) (*films, error) {
	f := &films{member: []any{s.Member}}
	var branches, places []string
	for i, library := range s.Libraries {
		f.libraries = append(f.libraries, library)
		place := fmt.Sprintf("$%d", i+2)
		places = append(places, place)
		branches = append(branches, "SELECT * FROM (SELECT m.id, m.sort_key FROM movies AS m WHERE m.library_id = "+place+" ORDER BY m.sort_key, m.id LIMIT 51) AS b")
	}
	page := "SELECT " + itemColumns + ", m.sort_key FROM (SELECT * FROM (" + strings.Join(branches, " UNION ALL ") + ") AS u ORDER BY u.sort_key, u.id LIMIT 51) AS k JOIN movies AS m ON m.id = k.id" +
		joins + " ORDER BY m.sort_key, m.id"
	genres := "(SELECT json_group_array(g.genre) FROM (SELECT genre FROM movie_genres WHERE movie_id = m.id ORDER BY position) AS g)"
	if !strings.HasPrefix(s.DSN, "sqlite:") {
		genres = "to_json(ARRAY(SELECT g.genre FROM movie_genres AS g WHERE g.movie_id = m.id ORDER BY g.position))::text"
	}
	one := "SELECT " + itemColumns + `, m.identity, m.original_title, m.tagline, m.overview, m.votes, m.certification, m.release_date, m.imdb_id, m.tmdb_id,
		m.countries, m.studios, m.directors, m.audio_languages, m.subtitle_languages, m.updated_at, m.metadata_source, ` + genres +
		" FROM movies AS m" + joins + " WHERE m.id = $" + fmt.Sprint(len(places)+2) + " AND m.library_id IN (" + strings.Join(places, ", ") + ")"
	prepare, err := preparing(s.DSN)
	if err != nil {
		return nil, err
	}
	if f.page, err = prepare(page); err != nil {
		return nil, err
	}
	f.one, err = prepare(one)
	return f, err
}

// preparing opens the database with as many connections as Revenge has, and returns how statements are prepared.
func preparing(dsn string) (func(string) (query, error), error) {
	ctx := context.Background()
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		_, db, err := sqlite.Open(ctx, path, 10, 5*time.Second)
		if err != nil {
			return nil, err
		}
		return func(text string) (query, error) {
			statement, err := db.Prepare(text)
			return func(ctx context.Context, each func(func(...any) error) error, args ...any) error {
				rows, err := statement.QueryContext(ctx, args...)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					if err := each(rows.Scan); err != nil {
						return err
					}
				}
				return rows.Err()
			}, err
		}, nil
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return func(text string) (query, error) {
		return func(ctx context.Context, each func(func(...any) error) error, args ...any) error {
			rows, err := pool.Query(ctx, text, args...) // prepared at first use on each connection, pgx's usual way
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := each(rows.Scan); err != nil {
					return err
				}
			}
			return rows.Err()
		}, nil
	}, err
}

// picture and state are what the joins add; absent ones are NULL.
type picture struct {
	id              *domain.ID
	width, height   *int
	thumbhash, hash *string
}

func (p *picture) into() []any { return []any{&p.id, &p.width, &p.height, &p.thumbhash, &p.hash} }

func (p *picture) image(kind domain.ImageKind) *domain.Image {
	if p.id == nil {
		return nil
	}
	return &domain.Image{ID: *p.id, Kind: kind, Width: *p.width, Height: *p.height, Thumbhash: *p.thumbhash, Hash: *p.hash}
}

type watched struct {
	position, duration, progress *float64
	watched                      *bool
	plays                        *int
	last, at                     *int64
	file                         *domain.ID
}

func (w *watched) into() []any {
	return []any{&w.position, &w.duration, &w.progress, &w.watched, &w.plays, &w.last, &w.at, &w.file}
}

func (w *watched) state() *domain.WatchState {
	if w.position == nil {
		return &domain.WatchState{}
	}
	moment := func(micros *int64) *time.Time {
		if micros == nil {
			return nil
		}
		t := time.UnixMicro(*micros).UTC()
		return &t
	}
	return &domain.WatchState{
		Position: *w.position, Duration: *w.duration, Progress: *w.progress, Watched: *w.watched, PlayCount: *w.plays,
		LastPlayedAt: moment(w.last), WatchedAt: moment(w.at), FileID: w.file,
	}
}

// readItem reads the columns of an item, and those behind them.
func readItem(m *domain.MovieItem, scan func(...any) error, more ...any) error {
	var poster, backdrop picture
	var state watched
	var added int64
	into := []any{&m.ID, &m.LibraryID, &m.Title, &m.SortTitle, &m.Year, &m.Runtime, &m.Rating, &m.Resolution, &m.HDR, &m.Versions, &m.Available, &added}
	into = append(append(append(append(into, poster.into()...), backdrop.into()...), state.into()...), more...)
	if err := scan(into...); err != nil {
		return err
	}
	m.AddedAt = time.UnixMicro(added).UTC()
	m.Poster, m.Backdrop, m.State = poster.image(domain.ImagePoster), backdrop.image(domain.ImageBackdrop), state.state()
	return nil
}

func (f *films) list(ctx context.Context) (domain.Page[domain.MovieItem], error) {
	page := domain.Page[domain.MovieItem]{Items: make([]domain.MovieItem, 0, 51)}
	var sortKey string
	err := f.page(ctx, func(scan func(...any) error) error {
		if n := len(page.Items); n == 50 {
			page.NextCursor = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "12345678[%q,%q]", sortKey, page.Items[n-1].ID))
			return nil
		}
		var m domain.MovieItem
		err := readItem(&m, scan, &sortKey)
		page.Items = append(page.Items, m)
		return err
	}, append(f.member[:1:1], f.libraries...)...)
	return page, err
}

// marshalled is the list as it is answered.
func (f *films) marshalled() ([]byte, error) {
	page, err := f.list(context.Background())
	if err != nil {
		return nil, err
	}
	return json.Marshal(page)
}

func (f *films) get(ctx context.Context, id domain.ID) (domain.Movie, error) {
	var m domain.Movie
	err := errors.New("there is no such film")
	failure := f.one(ctx, func(scan func(...any) error) error {
		var i domain.MovieItem
		var lists [6][]byte
		var updated int64
		err = readItem(&i, scan, &m.Identity, &m.OriginalTitle, &m.Tagline, &m.Overview, &m.Votes, &m.Certification, &m.ReleaseDate, &m.IMDbID, &m.TMDbID,
			&lists[0], &lists[1], &lists[2], &lists[3], &lists[4], &updated, &m.MetadataSource, &lists[5])
		for n, into := range []*[]string{&m.Countries, &m.Studios, &m.Directors, &m.AudioLanguages, &m.SubtitleLanguages, &m.Genres} {
			if err == nil {
				err = json.Unmarshal(lists[n], into)
			}
		}
		m.ID, m.LibraryID, m.Title, m.SortTitle, m.Year, m.Runtime, m.Rating = i.ID, i.LibraryID, i.Title, i.SortTitle, i.Year, i.Runtime, i.Rating
		m.Resolution, m.HDR, m.Versions, m.Available, m.AddedAt = i.Resolution, i.HDR, i.Versions, i.Available, i.AddedAt
		m.Poster, m.Backdrop, m.State, m.UpdatedAt = i.Poster, i.Backdrop, i.State, time.UnixMicro(updated).UTC()
		return err
	}, append(append(f.member[:1:1], f.libraries...), id)...)
	if failure != nil {
		err = failure
	}
	return m, err
}

// limitArgon2 hashes 64 passwords, as many at once as there are cores, for each connection that it is asked by.
func limitArgon2() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	fmt.Println("listening", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			return 1
		}
		start := time.Now()
		var group sync.WaitGroup
		slots := make(chan struct{}, min(runtime.NumCPU(), 4))
		for range logins {
			group.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				salt := make([]byte, 16)
				rand.Read(salt)
				argon2.IDKey([]byte(memberPassword), salt, 1, hashMemory, 1, 32)
			})
		}
		group.Wait()
		fmt.Fprintf(conn, "%d\n", time.Since(start).Nanoseconds())
		conn.Close()
	}
}
