package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/uptrace/bun"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

type movies struct{ base }

var _ store.Movies = movies{}

// movieRow is a film with everything. Columns behind facts are made from them for searching, sorting and matching.
type movieRow struct {
	bun.BaseModel     `bun:"table:movies,alias:m"`
	ID                domain.ID `bun:",pk"`
	LibraryID         domain.ID
	Identity          string
	Title             string
	SortTitle         string
	SortKey           string
	Letter            string
	TitleKey          string
	OriginalKey       string
	SearchText        string
	OriginalTitle     string
	Year              int
	YearOrder         int
	Tagline           string
	Runtime           float64
	Rating            float64
	Votes             int
	Certification     string
	ReleaseDate       string
	IMDbID            string `bun:"imdb_id"`
	TMDbID            int    `bun:"tmdb_id"`
	Available         bool
	Resolution        string
	HDR               bool `bun:"hdr"`
	AudioLanguages    jsonOf[[]string]
	SubtitleLanguages jsonOf[[]string]
	Versions          int
	RandomKey         int64
	MetadataSource    string
	AddedAt           micros
	AddedYear         int
	UpdatedAt         micros
	Countries         jsonOf[[]string]
	Studios           jsonOf[[]string]
	Directors         jsonOf[[]string]
	Overview          string
}

type genreRow struct {
	bun.BaseModel `bun:"table:movie_genres,alias:g"`
	MovieID       domain.ID `bun:",pk"`
	Genre         string    `bun:",pk"`
	LibraryID     domain.ID
	Position      int
}

type creditRow struct {
	bun.BaseModel `bun:"table:movie_credits,alias:c"`
	MovieID       domain.ID `bun:",pk"`
	Position      int       `bun:",pk"`
	Department    string
	Billing       int
	Person        string
	PersonKey     string
	Role          string
}

// itemRow is a film in a list, with what its cursor needs.
type itemRow struct {
	bun.BaseModel `bun:"table:movies,alias:m"`
	ID            domain.ID
	LibraryID     domain.ID
	Identity      string
	Title         string
	SortTitle     string
	SortKey       string
	Year          int
	YearOrder     int
	Runtime       float64
	Rating        float64
	Resolution    string
	HDR           bool `bun:"hdr"`
	Versions      int
	Available     bool
	AddedAt       micros
	RandomKey     int64
}

const (
	// randomPrime is 2^31-1: multiplied by any number below it, the random keys are permuted.
	randomPrime = 1<<31 - 1
	// unknownYearLast is YearOrder of a film without a year.
	unknownYearLast = 99999
)

// letters that do not decompose into a base letter and a mark (Unicode NFKD leaves them), as they are usually typed.
var plainLetters = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "ħ", "h", "æ", "ae", "œ", "oe", "þ", "th", "ı", "i")

// folded is the form in which titles and names are searched and compared: NFKD, case folded, without marks and punctuation, words separated
// by single spaces. Apostrophes vanish, so that "Schindlers" finds "Schindler's".
func folded(s string) string {
	s = plainLetters.Replace(cases.Fold().String(norm.NFKD.String(s)))
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
		default:
			gap = true
		}
	}
	return b.String()
}

// titleKey is the folded title without its spaces; a title of signs alone is its own key.
func titleKey(title string) string {
	if key := strings.ReplaceAll(folded(title), " ", ""); key != "" {
		return keyed(key)
	}
	return keyed(strings.TrimSpace(title))
}

// longestKey is how much of a title its keys hold, in bytes: more would fit into no row of a PostgreSQL index, and tells no films apart.
const longestKey = 400

// keyed is as much of a folded text as keys hold.
func keyed(folded string) string {
	if len(folded) <= longestKey {
		return folded
	}
	return strings.ToValidUTF8(folded[:longestKey], "")
}

// sortKeyOf returns the key of a sort title and the letter that it is found under.
func sortKeyOf(sortTitle string) (key, letter string) {
	key = keyed(folded(sortTitle))
	first, _ := utf8.DecodeRuneInString(key)
	if upper := unicode.ToUpper(first); unicode.IsLetter(first) && upper != first {
		return "1" + key, string(upper)
	}
	return "0" + key, "#"
}

func newMovieRow(m domain.Movie) movieRow {
	row := movieRow{
		ID: m.ID, LibraryID: m.LibraryID, Identity: m.Identity, Title: m.Title, SortTitle: m.SortTitle, OriginalTitle: m.OriginalTitle,
		Year: m.Year, YearOrder: m.Year, Tagline: m.Tagline, Overview: m.Overview, Runtime: m.Runtime, Rating: m.Rating, Votes: m.Votes,
		Certification: m.Certification, ReleaseDate: m.ReleaseDate, IMDbID: m.IMDbID, TMDbID: m.TMDbID,
		Countries: inJSON(m.Countries), Studios: inJSON(m.Studios), Directors: inJSON(m.Directors),
		Available: m.Available, Resolution: m.Resolution, HDR: m.HDR,
		AudioLanguages: inJSON(m.AudioLanguages), SubtitleLanguages: inJSON(m.SubtitleLanguages), Versions: m.Versions,
		MetadataSource: m.MetadataSource, AddedAt: at(m.AddedAt), AddedYear: m.AddedAt.UTC().Year(), UpdatedAt: at(m.UpdatedAt),
	}
	if m.Year == 0 {
		row.YearOrder = unknownYearLast
	}
	row.SortKey, row.Letter = sortKeyOf(m.SortTitle)
	row.TitleKey = titleKey(m.Title)
	text := folded(m.Title)
	if m.OriginalTitle != "" {
		row.OriginalKey = titleKey(m.OriginalTitle)
		if original := folded(m.OriginalTitle); original != text {
			text += "  " + original // two spaces: no word spans both titles
		}
	}
	row.SearchText = " " + text
	row.RandomKey = int64(binary.BigEndian.Uint64(m.ID[8:])&^(1<<63)) % randomPrime
	return row
}

func (r itemRow) item() domain.MovieItem {
	return domain.MovieItem{
		ID: r.ID, LibraryID: r.LibraryID, Title: r.Title, SortTitle: r.SortTitle, Year: r.Year, Runtime: r.Runtime, Rating: r.Rating,
		Resolution: r.Resolution, HDR: r.HDR, Versions: r.Versions, Available: r.Available, AddedAt: r.AddedAt.time(),
	}
}

func (r movies) Save(ctx context.Context, m domain.Movie) error {
	row := newMovieRow(m)
	res, err := r.db.NewUpdate().Model(&row).ExcludeColumn("id").WherePK().Exec(ctx)
	there, err := changed(ctx, res, err, "movie")
	if err != nil {
		return err
	}
	if !there {
		if _, err := r.db.NewInsert().Model(&row).Exec(ctx); err != nil {
			return translated(ctx, err, "movie")
		}
	} else if _, err := r.db.NewDelete().Model((*genreRow)(nil)).Where("movie_id = ?", m.ID).Exec(ctx); err != nil {
		return translated(ctx, err, "movie")
	}
	genres := genresOf(m)
	if len(genres) == 0 {
		return nil
	}
	_, err = r.db.NewInsert().Model(&genres).Exec(ctx)
	return translated(ctx, err, "movie")
}

// Insert implements store.Movies.
func (r movies) Insert(ctx context.Context, films ...domain.Movie) error {
	for chunk := range slices.Chunk(films, 100) {
		rows := make([]movieRow, len(chunk))
		var genres []genreRow
		for i, m := range chunk {
			rows[i] = newMovieRow(m)
			genres = append(genres, genresOf(m)...)
		}
		if _, err := r.db.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return translated(ctx, err, "movie")
		}
		if len(genres) == 0 {
			continue
		}
		if _, err := r.db.NewInsert().Model(&genres).Exec(ctx); err != nil {
			return translated(ctx, err, "movie")
		}
	}
	return nil
}

// Alike implements store.Movies.
func (r movies) Alike(ctx context.Context, library domain.ID, films ...domain.Movie) ([]bool, error) {
	titles, ids := map[string]int{}, map[string]int{}
	named, identified := make([][]string, len(films)), make([][]string, len(films))
	var tmdb []int
	var imdb []string
	for i, m := range films {
		for _, title := range []string{m.Title, m.OriginalTitle} {
			if key := titleKey(title); key != "" && !slices.Contains(named[i], key) {
				named[i] = append(named[i], key)
				titles[key]++
			}
		}
		if m.TMDbID > 0 {
			tmdb, identified[i] = append(tmdb, m.TMDbID), append(identified[i], strconv.Itoa(m.TMDbID))
		}
		if m.IMDbID != "" {
			imdb, identified[i] = append(imdb, m.IMDbID), append(identified[i], m.IMDbID)
		}
		for _, id := range identified[i] {
			ids[id]++
		}
	}
	stored := func(known map[string]int, q *bun.SelectQuery) error {
		var keys []string
		err := q.TableExpr("movies AS m").Scan(ctx, &keys)
		for _, key := range keys {
			known[key] = 2
		}
		return err
	}
	for some := range slices.Chunk(slices.Collect(maps.Keys(titles)), 500) {
		for _, column := range []string{"title_key", "original_key"} {
			q := r.db.NewSelect().Column("m."+column).Where("m.library_id = ?", library).Where("? IN (?)", bun.Ident("m."+column), bun.List(some))
			if err := stored(titles, q); err != nil {
				return nil, translated(ctx, err, "movie")
			}
		}
	}
	for some := range slices.Chunk(tmdb, 500) {
		if err := stored(ids, r.db.NewSelect().ColumnExpr("CAST(m.tmdb_id AS TEXT)").Where("m.tmdb_id IN (?)", bun.List(some))); err != nil {
			return nil, translated(ctx, err, "movie")
		}
	}
	for some := range slices.Chunk(imdb, 500) {
		if err := stored(ids, r.db.NewSelect().Column("m.imdb_id").Where("m.imdb_id IN (?)", bun.List(some))); err != nil {
			return nil, translated(ctx, err, "movie")
		}
	}
	alike := make([]bool, len(films))
	for i := range films {
		alike[i] = slices.ContainsFunc(named[i], func(key string) bool { return titles[key] > 1 }) ||
			slices.ContainsFunc(identified[i], func(id string) bool { return ids[id] > 1 })
	}
	return alike, nil
}

func genresOf(m domain.Movie) (genres []genreRow) {
	for i, genre := range m.Genres {
		if !slices.Contains(m.Genres[:i], genre) {
			genres = append(genres, genreRow{MovieID: m.ID, Genre: genre, LibraryID: m.LibraryID, Position: i})
		}
	}
	return genres
}

func (r movies) Get(ctx context.Context, scope domain.Scope, user, id domain.ID) (domain.Movie, error) {
	found, err := r.GetMany(ctx, scope, user, id)
	if err == nil && len(found) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return domain.Movie{}, translated(ctx, err, "movie")
	}
	return found[0], nil
}

// GetMany implements store.Movies.
func (r movies) GetMany(ctx context.Context, scope domain.Scope, user domain.ID, ids ...domain.ID) ([]domain.Movie, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return r.load(ctx, user, ids, scoped("m.library_id", scope)...)
}

// load reads those of the films that meet the conditions, by id, with genres, pictures and the user's states.
func (r movies) load(ctx context.Context, user domain.ID, ids []domain.ID, conditions ...clause) ([]domain.Movie, error) {
	s := statement{known: len(ids) == 1}
	s.add("SELECT "+filmColumns+r.genreList()+", "+besideColumns+" FROM movies AS m"+beside+" WHERE ", user)
	films := oneOf("m.id", ids)
	s.add(films.text, films.args...)
	s.and(conditions...)
	s.add(" ORDER BY m.id")
	var list []domain.Movie
	err := r.each(ctx, &s, func(scan func(...any) error) error {
		m, err := readFilm(scan, user)
		list = append(list, m)
		return err
	})
	return list, translated(ctx, err, "movie")
}

// stateFor is a film's state; nil where nobody asks.
func stateFor(user domain.ID, states map[string]filmState, identity string, movie domain.ID) *domain.WatchState {
	if user == (domain.ID{}) {
		return nil
	}
	return states[identity].of(movie)
}

func (r movies) Candidates(ctx context.Context, library domain.ID, tmdb int, imdb, title string, year int) ([]domain.Movie, error) {
	conditions := idConditions(tmdb, imdb)
	if key := titleKey(title); key != "" {
		for _, column := range []string{"m.title_key", "m.original_key"} {
			conditions = append(conditions, func(q *bun.SelectQuery) *bun.SelectQuery {
				q = q.Where("? = ?", bun.Ident(column), key)
				if year != 0 {
					q = q.Where("m.year IN (0, ?)", year)
				}
				return q
			})
		}
	}
	return r.any(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("m.library_id = ?", library) }, conditions)
}

func (r movies) SameFilm(ctx context.Context, tmdb int, imdb string) ([]domain.Movie, error) {
	return r.any(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q }, idConditions(tmdb, imdb))
}

type condition func(*bun.SelectQuery) *bun.SelectQuery

func idConditions(tmdb int, imdb string) (list []condition) {
	if tmdb > 0 {
		list = append(list, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("m.tmdb_id = ?", tmdb) })
	}
	if imdb != "" {
		list = append(list, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("m.imdb_id = ?", imdb) })
	}
	return list
}

// any returns the films that meet all and one of the conditions, by id: a query for each, as one with OR walks over all films.
func (r movies) any(ctx context.Context, all condition, conditions []condition) ([]domain.Movie, error) {
	var ids []domain.ID
	for _, only := range conditions {
		var found []domain.ID
		if err := only(all(r.db.NewSelect().TableExpr("movies AS m").Column("m.id"))).Scan(ctx, &found); err != nil && !isNoRows(err) {
			return nil, translated(ctx, err, "movie")
		}
		ids = append(ids, found...)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return r.load(ctx, domain.ID{}, ids)
}

func (r movies) Delete(ctx context.Context, ids ...domain.ID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := r.db.NewDelete().Model((*movieRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return translated(ctx, err, "movie")
}

func (r movies) ReplaceCredits(ctx context.Context, movie domain.ID, credits []domain.Credit) error {
	if _, err := r.db.NewDelete().Model((*creditRow)(nil)).Where("movie_id = ?", movie).Exec(ctx); err != nil {
		return translated(ctx, err, "movie")
	}
	rows := make([]creditRow, len(credits))
	for i, c := range credits {
		rows[i] = creditRow{MovieID: movie, Position: i, Department: c.Department, Billing: c.Order, Person: c.Person, PersonKey: keyed(folded(c.Person)), Role: c.Role}
	}
	// Both databases bound how much one statement may hold.
	for chunk := range slices.Chunk(rows, 200) {
		if _, err := r.db.NewInsert().Model(&chunk).Exec(ctx); err != nil {
			return translated(ctx, err, "movie")
		}
	}
	return nil
}

func (r movies) Credits(ctx context.Context, scope domain.Scope, movie domain.ID) ([]domain.Credit, error) {
	if err := r.visible(ctx, scope, movie); err != nil {
		return nil, err
	}
	var rows []creditRow
	err := r.db.NewSelect().Model(&rows).Where("c.movie_id = ?", movie).Order("c.department", "c.billing", "c.position").Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "movie")
	}
	list := make([]domain.Credit, len(rows))
	for i, c := range rows {
		list[i] = domain.Credit{Person: c.Person, Department: c.Department, Role: c.Role, Order: c.Billing}
	}
	return list, nil
}

// visible is NotFound for a film that the scope does not see.
func (r movies) visible(ctx context.Context, scope domain.Scope, movie domain.ID) error {
	seen, err := inScope(r.db.NewSelect().Model((*movieRow)(nil)).Where("m.id = ?", movie), "m.library_id", scope).Exists(ctx)
	if err == nil && !seen {
		err = sql.ErrNoRows
	}
	return translated(ctx, err, "movie")
}

func (r movies) Genres(ctx context.Context, scope domain.Scope) ([]domain.Count, error) {
	list := []domain.Count{}
	q := r.db.NewSelect().TableExpr("movie_genres AS g").ColumnExpr("g.genre AS value").ColumnExpr("count(*) AS count").
		GroupExpr("g.genre").OrderExpr("count(*) DESC").Order("g.genre")
	err := inScope(q, "g.library_id", scope).Scan(ctx, &list)
	return list, translated(ctx, err, "genre")
}

func (r movies) Stats(ctx context.Context, scope domain.Scope, user domain.ID) (domain.MovieStats, error) {
	var s domain.MovieStats
	q := r.db.NewSelect().TableExpr("movies AS m").ColumnExpr("count(*)").ColumnExpr("coalesce(sum(m.runtime), 0.0)").
		ColumnExpr("coalesce(sum(CASE WHEN m.available THEN 0 ELSE 1 END), 0)")
	if err := inScope(q, "m.library_id", scope).Scan(ctx, &s.Movies, &s.Runtime, &s.Missing); err != nil {
		return s, translated(ctx, err, "movie")
	}
	q = r.db.NewSelect().TableExpr("movie_watched AS w").Join("JOIN movies AS m ON m.identity = w.identity").Where("w.user_id = ?", user).
		ColumnExpr("coalesce(sum(CASE WHEN w.watched THEN 1 ELSE 0 END), 0)").ColumnExpr("coalesce(sum(CASE WHEN w.position > 0 THEN 1 ELSE 0 END), 0)")
	if err := inScope(q, "m.library_id", scope).Scan(ctx, &s.Watched, &s.InProgress); err != nil {
		return s, translated(ctx, err, "movie")
	}
	q = r.db.NewSelect().TableExpr("movie_files AS f").ColumnExpr("coalesce(sum(f.size), 0)").Where("f.movie_id IS NOT NULL").Where("f.state <> ?", domain.FileMissing)
	if err := inScope(q, "f.library_id", scope).Scan(ctx, &s.Size); err != nil {
		return s, translated(ctx, err, "movie")
	}
	var err error
	s.Genres, err = r.Genres(ctx, scope)
	return s, err
}

// filtered selects the films of a filter as m.
func (r movies) filtered(scope domain.Scope, user domain.ID, f domain.MovieFilter) *bun.SelectQuery {
	q := inScope(r.db.NewSelect().TableExpr("movies AS m"), "m.library_id", scope)
	if f.LibraryID != nil {
		q = q.Where("m.library_id = ?", *f.LibraryID)
	}
	return restricted(q, filters(user, f)...)
}

// filters are a filter's conditions on a film m, but for its library.
func filters(user domain.ID, f domain.MovieFilter) (list []clause) {
	add := func(text string, args ...any) { list = append(list, where(text, args...)) }
	for _, state := range []struct {
		condition string
		wanted    *bool
	}{{"w.watched", f.Watched}, {"w.position > 0", f.InProgress}} {
		if state.wanted == nil {
			continue
		}
		in := " IN "
		if !*state.wanted {
			in = " NOT IN "
		}
		// What a user began is little beside all films, so it is looked up once.
		add("m.identity"+in+"(SELECT w.identity FROM movie_watched AS w WHERE w.user_id = ? AND "+state.condition+")", user)
	}
	if words := strings.Fields(folded(f.Query)); len(words) > 0 {
		// The index on the text alone answers which films these are.
		likes := make([]any, len(words))
		for i, word := range words {
			likes[i] = likeWord(word)
		}
		add("m.id IN (SELECT t.id FROM movies AS t WHERE t.search_text LIKE ?"+strings.Repeat(" AND t.search_text LIKE ?", len(words)-1)+")", likes...)
	} else if strings.TrimSpace(f.Query) != "" {
		add("m.title_key = ?", titleKey(f.Query)) // a title of signs alone
	}
	if len(f.Genres) > 0 {
		genres := oneOf("g.genre", f.Genres)
		add("EXISTS (SELECT 1 FROM movie_genres AS g WHERE g.movie_id = m.id AND "+genres.text+")", genres.args...)
	}
	if f.Person != "" {
		add("m.id IN (SELECT c.movie_id FROM movie_credits AS c WHERE c.person_key = ?)", keyed(folded(f.Person)))
	}
	if f.YearFrom != 0 {
		add("m.year >= ?", f.YearFrom)
	}
	if f.YearTo != 0 {
		add("m.year <= ?", f.YearTo)
		add("m.year > 0")
	}
	if f.RatingFrom > 0 {
		add("m.rating >= ?", f.RatingFrom)
	}
	if len(f.Resolutions) > 0 {
		list = append(list, oneOf("m.resolution", f.Resolutions))
	}
	if f.HDR != nil {
		add("m.hdr = ?", *f.HDR)
	}
	for _, spoken := range []struct{ column, language string }{{"m.audio_languages", f.AudioLanguage}, {"m.subtitle_languages", f.SubtitleLanguage}} {
		if spoken.language != "" {
			add(spoken.column+" LIKE ? ESCAPE '!'", `%"`+escapeLike(spoken.language)+`"%`)
		}
	}
	return list
}

// likeWord matches a word anywhere in a word; a short Latin one only at the beginning, where it is less than noise.
func likeWord(word string) string {
	if len(word) < 3 { // bytes: two ideographs are no short word
		return "% " + word + "%"
	}
	return "%" + word + "%"
}

func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// order is a filter's keyset with how to fill it from a row; into returns fresh pointers of the keys' types.
type order struct {
	keyset
	// columns are those that the keys are made of.
	columns []string
	into    func() []any
	values  func(itemRow) []any
}

// multiplier turns a seed into a factor that permutes the random keys.
func multiplier(seed int64) int64 {
	x := uint64(seed) + 0x9e3779b97f4a7c15 // splitmix64, so that near seeds have nothing in common
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return int64(x%(randomPrime-2)) + 1
}

func movieOrder(f domain.MovieFilter) order {
	key := func(column string) sortKey { return sortKey{column: column, desc: f.Descending} }
	id := key("m.id")
	o := order{}
	orderBy := func(keys ...sortKey) keyset { return newKeyset("movies", f, keys...) }
	switch f.Sort {
	case domain.SortYear:
		// The newest year first still has its films from A to Z.
		primary := sortKey{column: "m.year_order"}
		if f.Descending {
			primary = sortKey{column: "m.year", desc: true}
		}
		o.columns = []string{primary.column, "m.sort_key"}
		o.keyset = orderBy(primary, sortKey{column: "m.sort_key"}, sortKey{column: "m.id"})
		o.into = func() []any { return []any{new(int), new(string), new(domain.ID)} }
		o.values = func(r itemRow) []any {
			if f.Descending {
				return []any{r.Year, r.SortKey, r.ID}
			}
			return []any{r.YearOrder, r.SortKey, r.ID}
		}
	case domain.SortAdded:
		o.columns = []string{"m.added_at"}
		o.keyset = orderBy(key("m.added_at"), id)
		o.into = func() []any { return []any{new(micros), new(domain.ID)} }
		o.values = func(r itemRow) []any { return []any{r.AddedAt, r.ID} }
	case domain.SortRating:
		o.columns = []string{"m.rating"}
		o.keyset = orderBy(key("m.rating"), id)
		o.into = func() []any { return []any{new(float64), new(domain.ID)} }
		o.values = func(r itemRow) []any { return []any{r.Rating, r.ID} }
	case domain.SortRuntime:
		o.columns = []string{"m.runtime"}
		o.keyset = orderBy(key("m.runtime"), id)
		o.into = func() []any { return []any{new(float64), new(domain.ID)} }
		o.values = func(r itemRow) []any { return []any{r.Runtime, r.ID} }
	case domain.SortRandom:
		o.columns = []string{"m.random_key"}
		factor := multiplier(f.Seed)
		o.keyset = orderBy(key(fmt.Sprintf("(m.random_key * %d %% %d)", factor, randomPrime)), id)
		o.into = func() []any { return []any{new(int64), new(domain.ID)} }
		o.values = func(r itemRow) []any { return []any{r.RandomKey * factor % randomPrime, r.ID} }
	default:
		o.columns = []string{"m.sort_key"}
		o.keyset = orderBy(key("m.sort_key"), id)
		o.into = func() []any { return []any{new(string), new(domain.ID)} }
		o.values = func(r itemRow) []any { return []any{r.SortKey, r.ID} }
	}
	return o
}

var itemColumns = []string{"m.id", "m.library_id", "m.identity", "m.title", "m.sort_title", "m.sort_key", "m.year", "m.year_order", "m.runtime",
	"m.rating", "m.resolution", "m.hdr", "m.versions", "m.available", "m.added_at", "m.random_key"}

// List implements store.Movies. One statement takes the first films of each library, in the order of an index, and merges them, so that no
// page walks over the films before it.
func (r movies) List(ctx context.Context, scope domain.Scope, user domain.ID, f domain.MovieFilter, req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
	libraries, err := r.libraries(ctx, scope, f)
	if err != nil {
		return domain.Page[domain.MovieItem]{}, err
	}
	o := movieOrder(f)
	conditions := filters(user, f)
	// What a filter keeps, and so the best plan, depends on its values; an order by a seed is one of very many.
	s := statement{known: len(conditions) == 0 && f.Sort != domain.SortRandom}
	if req.Cursor != "" {
		into := o.into()
		if err := o.keyset.values(req.Cursor, into...); err != nil {
			return domain.Page[domain.MovieItem]{}, err
		}
		conditions = append(conditions, o.after(into))
		if f.Sort == domain.SortYear && f.Descending {
			conditions = append(conditions, where("m.year <= ?", into[0])) // follows from the mixed condition, and lets the index be entered where the page begins
		}
	}
	ordered := o.ordered(req)
	s.add("SELECT " + strings.Join(itemColumns, ", ") + ", " + besideColumns + " FROM (SELECT m.id FROM (")
	for i, library := range libraries {
		if i > 0 {
			s.add(" UNION ALL ")
		}
		s.add("SELECT * FROM (SELECT m.id, "+strings.Join(o.columns, ", ")+" FROM movies AS m WHERE m.library_id = ?", library) // what an index holds
		s.and(conditions...)
		s.add(ordered + ") AS b")
	}
	s.add(") AS m"+ordered+") AS k JOIN movies AS m ON m.id = k.id"+beside+ordered, user)
	var rows []itemRow
	items := make([]domain.MovieItem, 0, req.Size()+1)
	if len(libraries) > 0 {
		err = r.each(ctx, &s, func(scan func(...any) error) error {
			row, item, err := readItem(scan, user)
			rows, items = append(rows, row), append(items, item)
			return err
		})
		if err != nil {
			return domain.Page[domain.MovieItem]{}, translated(ctx, err, "movie")
		}
	}
	page := domain.Page[domain.MovieItem]{Items: items}
	if n := req.Size(); len(items) > n {
		page.Items, page.NextCursor = items[:n], o.cursor(o.values(rows[n-1])...)
	}
	page.Total, err = total(ctx, r.filtered(scope, user, f), req)
	return page, err
}

// libraries are those that a list is of.
func (r movies) libraries(ctx context.Context, scope domain.Scope, f domain.MovieFilter) ([]domain.ID, error) {
	if f.LibraryID != nil {
		if !scope.Sees(*f.LibraryID) {
			return nil, nil
		}
		return []domain.ID{*f.LibraryID}, nil
	}
	var all []domain.ID
	if !scope.All() {
		for _, id := range scope.Libraries() {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
		return all, nil
	}
	err := r.db.NewSelect().TableExpr("libraries AS l").Column("l.id").Scan(ctx, &all)
	if isNoRows(err) {
		err = nil
	}
	return all, translated(ctx, err, "library")
}

// fill adds pictures and states to the items of a page; rows begin with the same films.
func (r movies) fill(ctx context.Context, user domain.ID, items []domain.MovieItem, rows []itemRow) error {
	if len(items) == 0 {
		return nil
	}
	ids := make([]domain.ID, len(items))
	identities := make([]string, len(items))
	for i, item := range items {
		ids[i], identities[i] = item.ID, rows[i].Identity
	}
	pictures, err := r.pictures(ctx, ids)
	if err != nil {
		return err
	}
	states, err := watch(r).states(ctx, user, identities)
	if err != nil {
		return err
	}
	for i := range items {
		items[i].Poster, items[i].Backdrop = pictures.of(items[i].ID)
		items[i].State = stateFor(user, states, identities[i], items[i].ID)
	}
	return nil
}

// maxYears is how many single years an index shows before it shows decades.
const maxYears = 30

func (r movies) Index(ctx context.Context, scope domain.Scope, user domain.ID, f domain.MovieFilter) ([]domain.IndexEntry, error) {
	switch f.Sort {
	case domain.SortTitle, "":
		return r.letters(ctx, scope, user, f)
	case domain.SortYear, domain.SortAdded:
		return r.years(ctx, scope, user, f)
	}
	return []domain.IndexEntry{}, nil
}

// lastID is behind every id of equal keys in a descending order, as the zero ID is before every one in an ascending order.
var lastID = domain.ID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (r movies) letters(ctx context.Context, scope domain.Scope, user domain.ID, f domain.MovieFilter) ([]domain.IndexEntry, error) {
	q := r.filtered(scope, user, f).ColumnExpr("m.letter AS letter").ColumnExpr("count(*) AS count").GroupExpr("m.letter")
	border := domain.ID{}
	if f.Descending {
		q, border = q.ColumnExpr("max(m.sort_key) AS first").OrderExpr("max(m.sort_key) DESC"), lastID
	} else {
		q = q.ColumnExpr("min(m.sort_key) AS first").OrderExpr("min(m.sort_key) ASC")
	}
	var rows []struct {
		Letter, First string
		Count         int
	}
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, translated(ctx, err, "movie")
	}
	o := movieOrder(f)
	list := make([]domain.IndexEntry, len(rows))
	for i, row := range rows {
		list[i] = domain.IndexEntry{Label: row.Letter, Count: row.Count, Cursor: o.cursor(row.First, border)}
	}
	return list, nil
}

func (r movies) years(ctx context.Context, scope domain.Scope, user domain.ID, f domain.MovieFilter) ([]domain.IndexEntry, error) {
	column := "m.year_order"
	if f.Sort == domain.SortAdded {
		column = "m.added_year"
	} else if f.Descending {
		column = "m.year"
	}
	direction := "ASC"
	if f.Descending {
		direction = "DESC"
	}
	q := r.filtered(scope, user, f).ColumnExpr("? AS year", bun.Ident(column)).ColumnExpr("count(*) AS count").
		GroupExpr("?", bun.Ident(column)).OrderExpr("? "+direction, bun.Ident(column))
	if f.Sort == domain.SortAdded {
		q = q.ColumnExpr("min(m.added_at) AS oldest").ColumnExpr("max(m.added_at) AS newest")
	}
	var rows []struct {
		Year, Count    int
		Oldest, Newest micros
	}
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, translated(ctx, err, "movie")
	}
	o := movieOrder(f)
	list := []domain.IndexEntry{}
	for _, row := range rows {
		label := fmt.Sprint(row.Year)
		switch {
		case row.Year == 0 || row.Year == unknownYearLast:
			label = "?"
		case len(rows) > maxYears:
			label = fmt.Sprintf("%ds", row.Year/10*10)
		}
		if n := len(list); n > 0 && list[n-1].Label == label {
			list[n-1].Count += row.Count
			continue
		}
		var cursor string
		switch {
		case f.Sort == domain.SortYear:
			cursor = o.cursor(row.Year, "", domain.ID{})
		case f.Descending:
			cursor = o.cursor(row.Newest, lastID)
		default:
			cursor = o.cursor(row.Oldest, domain.ID{})
		}
		list = append(list, domain.IndexEntry{Label: label, Count: row.Count, Cursor: cursor})
	}
	return list, nil
}
