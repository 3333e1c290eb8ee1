package sqlstore

import (
	"encoding/json"

	"github.com/revenge-media/revenge/core/domain"
)

// beside joins a film m with its pictures and one user's state. The file that was playing stands in the state of its own film only: another
// library's film of the same identity keeps its file to itself (S18).
const beside = ` LEFT JOIN movie_images AS p ON p.movie_id = m.id AND p.kind = 'poster' LEFT JOIN movie_images AS b ON b.movie_id = m.id AND b.kind = 'backdrop'` +
	` LEFT JOIN movie_watched AS w ON w.user_id = ? AND w.identity = m.identity LEFT JOIN movie_files AS f ON f.id = w.file_id AND f.movie_id = m.id`

const besideColumns = `p.id, p.width, p.height, p.thumbhash, p.hash, b.id, b.width, b.height, b.thumbhash, b.hash, ` +
	`w.position, w.duration, w.progress, w.watched, w.play_count, w.last_played_at, w.watched_at, f.id`

// besideRow is what beside joins; all is NULL where there is nothing.
type besideRow struct {
	poster, backdrop imageColumns
	state            struct {
		position, duration, progress *float64
		watched                      *bool
		playCount                    *int
		lastPlayedAt, watchedAt      *micros
		file                         *domain.ID
	}
}

type imageColumns struct {
	id              *domain.ID
	width, height   *int
	thumbhash, hash *string
}

func (r *besideRow) into() []any {
	p, b, s := &r.poster, &r.backdrop, &r.state
	return []any{
		&p.id, &p.width, &p.height, &p.thumbhash, &p.hash, &b.id, &b.width, &b.height, &b.thumbhash, &b.hash,
		&s.position, &s.duration, &s.progress, &s.watched, &s.playCount, &s.lastPlayedAt, &s.watchedAt, &s.file,
	}
}

func (c imageColumns) image(kind domain.ImageKind) *domain.Image {
	if c.id == nil {
		return nil
	}
	return &domain.Image{ID: *c.id, Kind: kind, Width: *c.width, Height: *c.height, Thumbhash: *c.thumbhash, Hash: *c.hash}
}

// watchState is the user's; nil where nobody asks.
func (r *besideRow) watchState(user domain.ID) *domain.WatchState {
	s := r.state
	switch {
	case user == domain.ID{}:
		return nil
	case s.position == nil:
		return &domain.WatchState{}
	}
	return &domain.WatchState{
		Position: *s.position, Duration: *s.duration, Progress: *s.progress, Watched: *s.watched, PlayCount: *s.playCount,
		LastPlayedAt: s.lastPlayedAt.timeOrNil(), WatchedAt: s.watchedAt.timeOrNil(), FileID: s.file,
	}
}

// readItem reads one row of itemColumns and besideColumns, and what its cursor needs.
func readItem(scan func(...any) error, user domain.ID) (itemRow, domain.MovieItem, error) {
	var r itemRow
	var row besideRow
	err := scan(append([]any{
		&r.ID, &r.LibraryID, &r.Identity, &r.Title, &r.SortTitle, &r.SortKey, &r.Year, &r.YearOrder, &r.Runtime, &r.Rating, &r.Resolution, &r.HDR,
		&r.Versions, &r.Available, &r.AddedAt, &r.RandomKey,
	}, row.into()...)...)
	item := r.item()
	item.Poster, item.Backdrop, item.State = row.poster.image(domain.ImagePoster), row.backdrop.image(domain.ImageBackdrop), row.watchState(user)
	return r, item, err
}

// filmColumns are a whole film's, without those that only searching and sorting need; its genres are a JSON list.
const filmColumns = `m.id, m.library_id, m.identity, m.title, m.sort_title, m.original_title, m.year, m.tagline, m.overview, m.runtime, m.rating, m.votes, ` +
	`m.certification, m.release_date, m.imdb_id, m.tmdb_id, m.available, m.resolution, m.hdr, m.versions, m.metadata_source, m.added_at, m.updated_at, ` +
	`m.countries, m.studios, m.directors, m.audio_languages, m.subtitle_languages, `

// genreList is a film's genres as a JSON list.
func (r movies) genreList() string {
	if r.postgres {
		return "to_json(ARRAY(SELECT g.genre FROM movie_genres AS g WHERE g.movie_id = m.id ORDER BY g.position))::text"
	}
	return "(SELECT json_group_array(g.genre) FROM (SELECT genre FROM movie_genres WHERE movie_id = m.id ORDER BY position) AS g)"
}

// readFilm reads one row of filmColumns, the genres and besideColumns.
func readFilm(scan func(...any) error, user domain.ID) (m domain.Movie, err error) {
	var row besideRow
	var added, updated micros
	var lists [6]string
	err = scan(append([]any{
		&m.ID, &m.LibraryID, &m.Identity, &m.Title, &m.SortTitle, &m.OriginalTitle, &m.Year, &m.Tagline, &m.Overview, &m.Runtime, &m.Rating, &m.Votes,
		&m.Certification, &m.ReleaseDate, &m.IMDbID, &m.TMDbID, &m.Available, &m.Resolution, &m.HDR, &m.Versions, &m.MetadataSource, &added, &updated,
		&lists[0], &lists[1], &lists[2], &lists[3], &lists[4], &lists[5],
	}, row.into()...)...)
	for i, into := range []*[]string{&m.Countries, &m.Studios, &m.Directors, &m.AudioLanguages, &m.SubtitleLanguages, &m.Genres} {
		if err == nil {
			err = json.Unmarshal([]byte(lists[i]), into)
		}
	}
	m.AddedAt, m.UpdatedAt = added.time(), updated.time()
	m.Poster, m.Backdrop, m.State = row.poster.image(domain.ImagePoster), row.backdrop.image(domain.ImageBackdrop), row.watchState(user)
	return m, err
}
