package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

// watch relies on Update being serializable: who read a user's events and state saves what they add up to, or runs again.
type watch struct{ base }

var _ store.Watch = watch{}

type eventRow struct {
	bun.BaseModel `bun:"table:watch_events,alias:e"`
	ID            domain.ID `bun:",pk"`
	UserID        domain.ID
	Identity      string
	MovieID       domain.ID
	Title         string
	Year          int
	Kind          domain.WatchEventKind
	Fingerprint   string
	FileID        *domain.ID
	Position      float64
	Duration      float64
	At            micros
}

type stateRow struct {
	bun.BaseModel `bun:"table:movie_watched,alias:w"`
	UserID        domain.ID `bun:",pk"`
	Identity      string    `bun:",pk"`
	Position      float64
	Duration      float64
	Progress      float64
	Watched       bool
	PlayCount     int
	LastPlayedAt  *micros
	WatchedAt     *micros
	FileID        *domain.ID
	Dismissed     bool
}

type dayRow struct {
	bun.BaseModel `bun:"table:watch_days,alias:d"`
	UserID        domain.ID `bun:",pk"`
	Day           int64     `bun:",pk"`
	Identity      string    `bun:",pk"`
	At            micros
	EventID       domain.ID
}

const microsOfDay = 24 * 60 * 60 * 1_000_000

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

func newEventRow(e domain.WatchEvent) eventRow {
	return eventRow{
		ID: e.ID, UserID: e.UserID, Identity: e.Identity, MovieID: e.MovieID, Title: e.Title, Year: e.Year, Kind: e.Kind, Fingerprint: e.Fingerprint,
		FileID: e.FileID, Position: e.Position, Duration: e.Duration, At: at(e.At),
	}
}

func (r eventRow) event() domain.WatchEvent {
	return domain.WatchEvent{
		ID: r.ID, UserID: r.UserID, Identity: r.Identity, MovieID: r.MovieID, Title: r.Title, Year: r.Year, Kind: r.Kind, Fingerprint: r.Fingerprint,
		FileID: r.FileID, Position: r.Position, Duration: r.Duration, At: r.At.time(),
	}
}

func (r stateRow) state() domain.WatchState {
	return domain.WatchState{
		Position: r.Position, Duration: r.Duration, Progress: r.Progress, Watched: r.Watched, PlayCount: r.PlayCount,
		LastPlayedAt: r.LastPlayedAt.timeOrNil(), WatchedAt: r.WatchedAt.timeOrNil(), FileID: r.FileID,
	}
}

func (r watch) Append(ctx context.Context, e domain.WatchEvent) error {
	row := newEventRow(e)
	if _, err := r.db.NewInsert().Model(&row).Exec(ctx); err != nil {
		return translated(ctx, err, "watch_event")
	}
	return r.enterDays(ctx, row)
}

// enterDays keeps the newest progress or watched event of each user, day and film in the history.
func (r watch) enterDays(ctx context.Context, events ...eventRow) error {
	for _, e := range events {
		if e.Kind != domain.WatchProgress && e.Kind != domain.WatchWatched {
			continue
		}
		day := dayRow{UserID: e.UserID, Day: int64(e.At) / microsOfDay, Identity: e.Identity, At: e.At, EventID: e.ID}
		_, err := r.db.NewInsert().Model(&day).On("CONFLICT (user_id, day, identity) DO UPDATE").
			Set("at = EXCLUDED.at").Set("event_id = EXCLUDED.event_id").Where("d.at <= EXCLUDED.at").Exec(ctx)
		if err != nil {
			return translated(ctx, err, "watch_event")
		}
	}
	return nil
}

func (r watch) Events(ctx context.Context, user domain.ID, identity string) ([]domain.WatchEvent, error) {
	var rows []eventRow
	err := r.db.NewSelect().Model(&rows).Where("e.user_id = ?", user).Where("e.identity = ?", identity).Order("e.at", "e.id").Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "watch_event")
	}
	list := make([]domain.WatchEvent, len(rows))
	for i, row := range rows {
		list[i] = row.event()
	}
	return list, nil
}

func (r watch) State(ctx context.Context, user domain.ID, identity string) (domain.WatchState, error) {
	states, err := r.states(ctx, user, []string{identity})
	return states[identity].WatchState, err
}

// filmState is a state with the film that its file belongs to.
type filmState struct {
	domain.WatchState
	film *domain.ID
}

// of is the state as one film shows it: another library's film of the same identity keeps its file to itself (S18).
func (s filmState) of(movie domain.ID) *domain.WatchState {
	state := s.WatchState
	if s.film == nil || *s.film != movie {
		state.FileID = nil
	}
	return &state
}

// states returns those that there are. Files that do not exist any more are left out of them.
func (r watch) states(ctx context.Context, user domain.ID, identities []string) (map[string]filmState, error) {
	if user == (domain.ID{}) || len(identities) == 0 {
		return nil, nil
	}
	var rows []struct {
		stateRow `bun:",extend"`
		FilmID   *domain.ID
	}
	q := r.db.NewSelect().Model(&rows).ExcludeColumn("file_id", "film_id").ColumnExpr("f.id AS file_id").ColumnExpr("f.movie_id AS film_id").Join("LEFT JOIN movie_files AS f ON f.id = w.file_id").
		Where("w.user_id = ?", user).Where("w.identity IN (?)", bun.List(identities))
	if err := q.Scan(ctx); err != nil {
		return nil, translated(ctx, err, "watch_state")
	}
	states := make(map[string]filmState, len(rows))
	for _, row := range rows {
		states[row.Identity] = filmState{row.state(), row.FilmID}
	}
	return states, nil
}

func (r watch) SaveState(ctx context.Context, user domain.ID, identity string, s domain.WatchState, dismissed bool) error {
	row := stateRow{
		UserID: user, Identity: identity, Position: s.Position, Duration: s.Duration, Progress: s.Progress, Watched: s.Watched, PlayCount: s.PlayCount,
		LastPlayedAt: atOrNull(s.LastPlayedAt), WatchedAt: atOrNull(s.WatchedAt), FileID: s.FileID, Dismissed: dismissed,
	}
	q := r.db.NewInsert().Model(&row).On("CONFLICT (user_id, identity) DO UPDATE")
	for _, column := range []string{"position", "duration", "progress", "watched", "play_count", "last_played_at", "watched_at", "file_id", "dismissed"} {
		q = q.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
	}
	_, err := q.Exec(ctx)
	return translated(ctx, err, "watch_state")
}

func (r watch) ContinueWatching(ctx context.Context, scope domain.Scope, user domain.ID, req domain.PageRequest) (domain.Page[domain.MovieItem], error) {
	order := newKeyset("continue-watching", user, sortKey{column: "w.last_played_at", desc: true}, sortKey{column: "w.identity", desc: true})
	// Of several libraries' rows of one film the one stands here that has the file which was playing, else the oldest.
	pick := inScope(r.db.NewSelect().TableExpr("movies AS p").Column("p.id").Where("p.identity = w.identity").Where("p.available"), "p.library_id", scope).
		OrderExpr("CASE WHEN p.id = (SELECT f.movie_id FROM movie_files AS f WHERE f.id = w.file_id) THEN 0 ELSE 1 END").Order("p.id").Limit(1)
	begun := func() *bun.SelectQuery {
		return r.db.NewSelect().TableExpr("movie_watched AS w").Join("JOIN movies AS m ON m.id = (?)", pick).
			Where("w.user_id = ?", user).Where("w.position > 0").Where("NOT w.dismissed").Where("w.last_played_at IS NOT NULL")
	}
	type row struct {
		itemRow      `bun:",extend"`
		LastPlayedAt micros
	}
	q, err := order.page(begun(), req, new(micros), new(string))
	if err != nil {
		return domain.Page[domain.MovieItem]{}, err
	}
	var rows []row
	if err := q.Column(itemColumns...).Column("w.last_played_at").Scan(ctx, &rows); err != nil && !isNoRows(err) {
		return domain.Page[domain.MovieItem]{}, translated(ctx, err, "movie")
	}
	page := pageOf(rows, req, func(r row) domain.MovieItem { return r.item() }, func(last row) string { return order.cursor(last.LastPlayedAt, last.Identity) })
	items := make([]itemRow, len(rows))
	for i := range rows {
		items[i] = rows[i].itemRow
	}
	if err := movies(r).fill(ctx, user, page.Items, items); err != nil {
		return domain.Page[domain.MovieItem]{}, err
	}
	page.Total, err = total(ctx, begun(), req)
	return page, err
}

func (r watch) History(ctx context.Context, scope domain.Scope, user domain.ID, req domain.PageRequest) (domain.Page[domain.HistoryEntry], error) {
	order := newKeyset("watch-history", user, sortKey{column: "d.at", desc: true}, sortKey{column: "d.event_id", desc: true})
	q, err := order.page(r.db.NewSelect().Where("d.user_id = ?", user), req, new(micros), new(domain.ID))
	if err != nil {
		return domain.Page[domain.HistoryEntry]{}, err
	}
	var days []dayRow
	if err := q.Model(&days).Scan(ctx); err != nil {
		return domain.Page[domain.HistoryEntry]{}, translated(ctx, err, "watch_event")
	}
	page := pageOf(days, req, func(d dayRow) domain.HistoryEntry {
		return domain.HistoryEntry{Event: domain.WatchEvent{ID: d.EventID, Identity: d.Identity}}
	}, func(last dayRow) string { return order.cursor(last.At, last.EventID) })
	if err := r.recall(ctx, scope, user, page.Items); err != nil {
		return domain.Page[domain.HistoryEntry]{}, err
	}
	page.Total, err = total(ctx, r.db.NewSelect().Model((*dayRow)(nil)).Where("d.user_id = ?", user), req)
	return page, err
}

// recall fills entries with their events and films. Of a film that there is but that the scope does not see nothing is told (S18); where the
// scope sees the same film in another library the event is told as that one's.
func (r watch) recall(ctx context.Context, scope domain.Scope, user domain.ID, entries []domain.HistoryEntry) error {
	if len(entries) == 0 {
		return nil
	}
	var ids []domain.ID
	var identities []string
	for _, e := range entries {
		ids, identities = append(ids, e.Event.ID), append(identities, e.Event.Identity)
	}
	var rows []eventRow
	if err := r.db.NewSelect().Model(&rows).Where("e.id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return translated(ctx, err, "watch_event")
	}
	events := map[domain.ID]domain.WatchEvent{}
	for _, row := range rows {
		events[row.ID] = row.event()
	}
	var films []itemRow
	err := r.db.NewSelect().TableExpr("movies AS m").Column(itemColumns...).Where("m.identity IN (?)", bun.List(identities)).Order("m.id").Scan(ctx, &films)
	if err != nil && !isNoRows(err) {
		return translated(ctx, err, "movie")
	}
	var seen []itemRow
	place, exists, visible := map[string]int{}, map[string]bool{}, map[domain.ID]bool{}
	for _, film := range films {
		exists[film.Identity] = true
		if !scope.Sees(film.LibraryID) {
			continue
		}
		visible[film.ID] = true
		if _, double := place[film.Identity]; !double {
			place[film.Identity] = len(seen)
			seen = append(seen, film)
		}
	}
	items := make([]domain.MovieItem, len(seen))
	for i, film := range seen {
		items[i] = film.item()
	}
	if err := movies(r).fill(ctx, user, items, seen); err != nil {
		return err
	}
	for i := range entries {
		e := events[entries[i].Event.ID]
		if at, there := place[e.Identity]; there {
			film := items[at]
			entries[i].Movie = &film
			if !visible[e.MovieID] { // it was watched in another library, which calls it what it likes
				e.MovieID, e.Title, e.Year, e.FileID, e.Fingerprint = film.ID, film.Title, film.Year, nil, ""
			}
		} else if exists[e.Identity] {
			e = domain.WatchEvent{ID: e.ID, UserID: e.UserID, Kind: e.Kind, Position: e.Position, Duration: e.Duration, At: e.At}
		}
		entries[i].Event = e
	}
	return nil
}

func (r watch) Rekey(ctx context.Context, from, to string) ([]domain.ID, error) {
	users, err := r.rekey(ctx, from, to, func(q *bun.UpdateQuery) *bun.UpdateQuery { return q })
	if err != nil {
		return nil, err
	}
	_, err = r.db.NewDelete().Model((*stateRow)(nil)).Where("identity = ?", from).Exec(ctx)
	return users, translated(ctx, err, "watch_state")
}

func (r watch) RekeyFilm(ctx context.Context, from, to string, movie domain.ID, fingerprints ...string) ([]domain.ID, error) {
	return r.rekey(ctx, from, to, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		q = q.Where("movie_id = ?", movie)
		if len(fingerprints) > 0 {
			q = q.Where("fingerprint IN (?)", bun.List(fingerprints))
		}
		return q
	})
}

func (r watch) rekey(ctx context.Context, from, to string, only func(*bun.UpdateQuery) *bun.UpdateQuery) ([]domain.ID, error) {
	if from == to {
		return nil, nil
	}
	var moved []eventRow
	q := only(r.db.NewUpdate().Model((*eventRow)(nil)).Set("identity = ?", to).Where("identity = ?", from)).Returning("*")
	if _, err := q.Exec(ctx, &moved); err != nil && !isNoRows(err) {
		return nil, translated(ctx, err, "watch_event")
	}
	if len(moved) == 0 {
		return nil, nil
	}
	var users []domain.ID
	for _, e := range moved {
		if !slices.Contains(users, e.UserID) {
			users = append(users, e.UserID)
		}
	}
	// The days of from are made again from what is left of it.
	if _, err := r.db.NewDelete().Model((*dayRow)(nil)).Where("identity = ?", from).Where("user_id IN (?)", bun.List(users)).Exec(ctx); err != nil {
		return nil, translated(ctx, err, "watch_event")
	}
	var left []eventRow
	if err := r.db.NewSelect().Model(&left).Where("e.identity = ?", from).Where("e.user_id IN (?)", bun.List(users)).Scan(ctx); err != nil {
		return nil, translated(ctx, err, "watch_event")
	}
	return users, r.enterDays(ctx, append(newestOfDays(left), newestOfDays(moved)...)...)
}

// newestOfDays leaves out events that the history does not show, so that a re-key writes days and not events.
func newestOfDays(events []eventRow) []eventRow {
	type key struct {
		user domain.ID
		day  int64
	}
	newest := map[key]eventRow{}
	for _, e := range events {
		if e.Kind != domain.WatchProgress && e.Kind != domain.WatchWatched {
			continue
		}
		k := key{e.UserID, int64(e.At) / microsOfDay}
		if had, ok := newest[k]; !ok || had.At < e.At {
			newest[k] = e
		}
	}
	list := make([]eventRow, 0, len(newest))
	for _, e := range newest {
		list = append(list, e)
	}
	return list
}

func (r watch) Orphans(ctx context.Context, fingerprints ...string) ([]string, error) {
	if len(fingerprints) == 0 {
		return nil, nil
	}
	identities := []string{}
	err := r.db.NewSelect().TableExpr("watch_events AS e").ColumnExpr("DISTINCT e.identity").Where("e.fingerprint IN (?)", bun.List(fingerprints)).
		Where("e.fingerprint <> ''").Where("e.identity LIKE 'movie:%'").
		Where("NOT EXISTS (SELECT 1 FROM movies AS m WHERE m.identity = e.identity)").Order("e.identity").Scan(ctx, &identities)
	return identities, translated(ctx, err, "watch_event")
}
