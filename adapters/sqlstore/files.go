package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

var (
	_ = meaning("movie_files_pkey", "file.exists", "This file is known already.")
	_ = meaning("movie_files_path_id_walk_key_key", "file.exists", "This file is known already.")
)

type files struct{ base }

var _ store.Files = files{}

type fileRow struct {
	bun.BaseModel `bun:"table:movie_files,alias:f"`
	ID            domain.ID `bun:",pk"`
	LibraryID     domain.ID
	PathID        domain.ID
	MovieID       *domain.ID
	WalkKey       []byte
	Folder        []byte
	Path          string
	Kind          domain.FileKind
	State         domain.FileState
	ReasonCode    string
	Reason        string
	Size          int64
	ModifiedAt    micros
	Fingerprint   string
	Revision      string
	Version       string
	VersionKey    string
	Part          int
	Edition       jsonOf[[]string]
	Resolution    string
	Source        string
	ExtraKind     string
	Title         string
	Media         *jsonOf[domain.Media]
	Sidecars      jsonOf[[]domain.Sidecar]
	MissingSince  *micros
	VanishedAt    *micros
	Inode         string
	Beside        string
	MatchedAt     *micros
	AddedAt       micros
	UpdatedAt     micros
}

// rawOf undoes store.WalkKey, which loses nothing, as no path holds a 0.
func rawOf(walkKey []byte) []byte { return bytes.ReplaceAll(walkKey, []byte{0}, []byte{'/'}) }

// folderOf is never nil, which would be NULL.
func folderOf(raw []byte) []byte {
	return append([]byte{}, raw[:max(bytes.LastIndexByte(raw, '/'), 0)]...)
}

func newFileRow(f domain.File) fileRow {
	row := fileRow{
		ID: f.ID, LibraryID: f.LibraryID, PathID: f.PathID, MovieID: f.MovieID, WalkKey: store.WalkKey(f.Raw), Folder: folderOf(f.Raw), Path: f.Path,
		Kind: f.Kind, State: f.State, ReasonCode: f.ReasonCode, Reason: f.Reason, Size: f.Size, ModifiedAt: at(f.ModifiedAt),
		Fingerprint: f.Fingerprint, Revision: f.Revision, Version: f.Version, VersionKey: f.VersionKey, Part: f.Part, Edition: inJSON(f.Edition),
		Resolution: f.Resolution, Source: f.Source, ExtraKind: f.ExtraKind, Title: f.Title, Sidecars: inJSON(f.Sidecars),
		MissingSince: atOrNull(f.MissingSince), VanishedAt: atOrNull(f.VanishedAt), Inode: f.Inode, Beside: f.Beside, MatchedAt: atOrNull(f.MatchedAt),
		AddedAt: at(f.AddedAt), UpdatedAt: at(f.UpdatedAt),
	}
	if f.Media != nil {
		row.Media = &jsonOf[domain.Media]{*f.Media}
	}
	return row
}

func (r fileRow) file() domain.File {
	f := domain.File{
		ID: r.ID, LibraryID: r.LibraryID, PathID: r.PathID, MovieID: r.MovieID, Raw: rawOf(r.WalkKey), Path: r.Path,
		Kind: r.Kind, State: r.State, ReasonCode: r.ReasonCode, Reason: r.Reason, Size: r.Size, ModifiedAt: r.ModifiedAt.time(),
		Fingerprint: r.Fingerprint, Revision: r.Revision, Version: r.Version, VersionKey: r.VersionKey, Part: r.Part, Edition: r.Edition.V,
		Resolution: r.Resolution, Source: r.Source, ExtraKind: r.ExtraKind, Title: r.Title, Sidecars: r.Sidecars.V,
		MissingSince: r.MissingSince.timeOrNil(), VanishedAt: r.VanishedAt.timeOrNil(), Inode: r.Inode, Beside: r.Beside, MatchedAt: r.MatchedAt.timeOrNil(),
		AddedAt: r.AddedAt.time(), UpdatedAt: r.UpdatedAt.time(),
	}
	if r.Media != nil {
		f.Media = &r.Media.V
	}
	return f
}

// Known implements store.Files.
func (r files) Known(ctx context.Context, path domain.ID, prefix, after []byte, limit int) ([]store.KnownFile, error) {
	q := r.db.NewSelect().Where("f.path_id = ?", path).Order("f.walk_key").Limit(int64(limit))
	if len(prefix) > 0 {
		from, to := below(prefix)
		q = q.Where("f.walk_key > ?", from).Where("f.walk_key < ?", to)
	}
	if len(after) > 0 {
		q = q.Where("f.walk_key > ?", after)
	}
	return r.known(ctx, q)
}

// Below implements store.Files. Each folder is a range of the index of walk keys, and ranges of folders in folders give a file once all the same.
func (r files) Below(ctx context.Context, path domain.ID, limit int, folders ...[]byte) ([]store.KnownFile, error) {
	if len(folders) == 0 {
		return []store.KnownFile{}, nil
	}
	return r.known(ctx, r.db.NewSelect().WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		for _, folder := range folders {
			from, to := below(folder)
			q = q.WhereOr("f.path_id = ? AND f.walk_key > ? AND f.walk_key < ?", path, from, to)
		}
		return q
	}).Limit(int64(limit)))
}

// below returns the walk keys between which all is that lies below a folder.
func below(folder []byte) (from, to []byte) {
	key := store.WalkKey(folder)
	return append(key[:len(key):len(key)], 0), append(key[:len(key):len(key)], 1)
}

// known runs q, which has conditions and an order. A rescan reads all files of a library by it, so the rows are read without a model.
func (r files) known(ctx context.Context, q *bun.SelectQuery) ([]store.KnownFile, error) {
	rows, err := q.TableExpr("movie_files AS f").Column("f.id", "f.walk_key", "f.size", "f.modified_at", "f.state", "f.vanished_at", "f.beside").Rows(ctx)
	if err != nil {
		return nil, translated(ctx, err, "file")
	}
	defer rows.Close()
	known := []store.KnownFile{}
	for rows.Next() {
		var k store.KnownFile
		var key []byte
		var modified micros
		var vanished *micros
		if err := rows.Scan(&k.ID, &key, &k.Size, &modified, &k.State, &vanished, &k.Beside); err != nil {
			return nil, translated(ctx, err, "file")
		}
		k.Raw, k.ModifiedAt, k.VanishedAt = rawOf(key), modified.time(), vanished.timeOrNil()
		known = append(known, k)
	}
	return known, translated(ctx, rows.Err(), "file")
}

// Insert implements store.Files.
func (r files) Insert(ctx context.Context, list ...domain.File) error {
	for chunk := range slices.Chunk(list, 100) {
		rows := make([]fileRow, len(chunk))
		for i, f := range chunk {
			rows[i] = newFileRow(f)
		}
		if _, err := r.db.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return translated(ctx, err, "file")
		}
	}
	return nil
}

// contentRow are the columns of what reading a file finds out. That no others are written keeps all other indexes as they are.
type contentRow struct {
	bun.BaseModel `bun:"table:movie_files,alias:f"`
	ID            domain.ID             `bun:",pk,type:uuid"`
	Size          int64                 `bun:",type:bigint"`
	ModifiedAt    micros                `bun:",type:bigint"`
	Inode         string                `bun:",type:text"`
	Fingerprint   string                `bun:",type:text"`
	Revision      string                `bun:",type:text"`
	Media         *jsonOf[domain.Media] `bun:",type:text"`
	Resolution    string                `bun:",type:text"`
	State         domain.FileState      `bun:",type:text"`
	ReasonCode    string                `bun:",type:text"`
	Reason        string                `bun:",type:text"`
	VanishedAt    *micros               `bun:",type:bigint"`
	MatchedAt     *micros               `bun:",type:bigint"`
	UpdatedAt     micros                `bun:",type:bigint"`
}

// groupingRow are the columns of what grouping says of a file.
type groupingRow struct {
	bun.BaseModel `bun:"table:movie_files,alias:f"`
	ID            domain.ID        `bun:",pk,type:uuid"`
	MovieID       *domain.ID       `bun:",type:uuid"`
	Kind          domain.FileKind  `bun:",type:text"`
	ExtraKind     string           `bun:",type:text"`
	Title         string           `bun:",type:text"`
	Version       string           `bun:",type:text"`
	VersionKey    string           `bun:",type:text"`
	Part          int              `bun:",type:integer"`
	Edition       jsonOf[[]string] `bun:",type:text"`
	Source        string           `bun:",type:text"`
	Resolution    string           `bun:",type:text"`
	State         domain.FileState `bun:",type:text"`
	ReasonCode    string           `bun:",type:text"`
	Reason        string           `bun:",type:text"`
	MatchedAt     *micros          `bun:",type:bigint"`
	UpdatedAt     micros           `bun:",type:bigint"`
}

// Update implements store.Files.
func (r files) Update(ctx context.Context, list ...domain.File) error {
	for _, f := range list {
		row := newFileRow(f)
		res, err := r.db.NewUpdate().Model(&row).ExcludeColumn("id").WherePK().Exec(ctx)
		if err := found(ctx, res, err, "file"); err != nil {
			return err
		}
	}
	return nil
}

// UpdateContent implements store.Files.
func (r files) UpdateContent(ctx context.Context, list ...domain.File) error {
	return updateRows(ctx, r.base, "file", list, func(f domain.File) contentRow {
		row := contentRow{
			ID: f.ID, Size: f.Size, ModifiedAt: at(f.ModifiedAt), Inode: f.Inode, Fingerprint: f.Fingerprint, Revision: f.Revision, Resolution: f.Resolution,
			State: f.State, ReasonCode: f.ReasonCode, Reason: f.Reason, VanishedAt: atOrNull(f.VanishedAt), MatchedAt: atOrNull(f.MatchedAt), UpdatedAt: at(f.UpdatedAt),
		}
		if f.Media != nil {
			row.Media = &jsonOf[domain.Media]{*f.Media}
		}
		return row
	})
}

// UpdateGrouping implements store.Files.
func (r files) UpdateGrouping(ctx context.Context, list ...domain.File) error {
	return updateRows(ctx, r.base, "file", list, func(f domain.File) groupingRow {
		return groupingRow{
			ID: f.ID, MovieID: f.MovieID, Kind: f.Kind, ExtraKind: f.ExtraKind, Title: f.Title, Version: f.Version, VersionKey: f.VersionKey, Part: f.Part,
			Edition: inJSON(f.Edition), Source: f.Source, Resolution: f.Resolution, State: f.State, ReasonCode: f.ReasonCode, Reason: f.Reason,
			MatchedAt: atOrNull(f.MatchedAt), UpdatedAt: at(f.UpdatedAt),
		}
	})
}

// updateRows writes the columns of rows, a hundred in a statement. The rows' fields say their types, as PostgreSQL wants to know those of values.
func updateRows[T, Row any](ctx context.Context, b base, noun string, list []T, rowOf func(T) Row) error {
	for chunk := range slices.Chunk(list, 100) {
		rows := make([]Row, len(chunk))
		for i, v := range chunk {
			rows[i] = rowOf(v)
		}
		res, err := b.db.NewUpdate().Model(&rows).Bulk().Exec(ctx)
		if err != nil {
			return translated(ctx, err, noun)
		}
		if n, err := res.RowsAffected(); err != nil || int(n) != len(rows) {
			return cmp.Or(translated(ctx, err, noun), notFound(noun))
		}
	}
	return nil
}

// Get implements store.Files.
func (r files) Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.File, error) {
	list, err := r.GetMany(ctx, scope, id)
	if err != nil {
		return domain.File{}, err
	}
	if len(list) == 0 {
		return domain.File{}, notFound("file")
	}
	return list[0], nil
}

// GetMany implements store.Files.
func (r files) GetMany(ctx context.Context, scope domain.Scope, ids ...domain.ID) ([]domain.File, error) {
	list := []domain.File{}
	for chunk := range slices.Chunk(ids, 500) {
		some, err := r.selected(ctx, inScope(r.db.NewSelect().Where("f.id IN (?)", bun.List(chunk)), "f.library_id", scope))
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// selected runs q, which has conditions and an order, for whole files.
func (r files) selected(ctx context.Context, q *bun.SelectQuery) ([]domain.File, error) {
	var rows []fileRow
	if err := q.Model(&rows).Scan(ctx); err != nil {
		return nil, translated(ctx, err, "file")
	}
	list := make([]domain.File, len(rows))
	for i, row := range rows {
		list[i] = row.file()
	}
	return list, nil
}

// ByMovie implements store.Files.
func (r files) ByMovie(ctx context.Context, scope domain.Scope, movie domain.ID) ([]domain.File, error) {
	return r.selected(ctx, inScope(r.db.NewSelect().Where("f.movie_id = ?", movie), "f.library_id", scope).
		OrderExpr("CASE f.kind WHEN ? THEN 0 ELSE 1 END, f.version_key, f.part, f.path_id, f.walk_key", domain.KindMovie))
}

// ByFingerprint implements store.Files.
func (r files) ByFingerprint(ctx context.Context, library domain.ID, fingerprints ...string) ([]domain.File, error) {
	wanted := slices.DeleteFunc(slices.Clone(fingerprints), func(f string) bool { return f == "" })
	if len(wanted) == 0 {
		return []domain.File{}, nil
	}
	// Sorted here: asked for an order, SQLite would rather walk over the whole library in it.
	list, err := r.selected(ctx, r.db.NewSelect().Where("f.fingerprint <> ''").Where("f.fingerprint IN (?)", bun.List(wanted)).Where("f.library_id = ?", library))
	sortByWalk(list)
	return list, err
}

func sortByWalk(list []domain.File) {
	slices.SortFunc(list, func(a, b domain.File) int {
		return cmp.Or(bytes.Compare(a.PathID[:], b.PathID[:]), bytes.Compare(store.WalkKey(a.Raw), store.WalkKey(b.Raw)))
	})
}

// InFolders implements store.Files.
func (r files) InFolders(ctx context.Context, path domain.ID, folders ...[]byte) ([]domain.File, error) {
	list := []domain.File{}
	for chunk := range slices.Chunk(folders, 500) {
		filled := make([][]byte, len(chunk))
		for i, folder := range chunk {
			filled[i] = append([]byte{}, folder...)
		}
		some, err := r.selected(ctx, r.db.NewSelect().Where("f.path_id = ?", path).Where("f.folder IN (?)", bun.List(filled)))
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	sortByWalk(list)
	return slices.CompactFunc(list, func(a, b domain.File) bool { return a.ID == b.ID }), nil
}

// Shared implements store.Files.
func (r files) Shared(ctx context.Context, path domain.ID, folder []byte, movie domain.ID) (bool, error) {
	shared, err := r.db.NewSelect().Model((*fileRow)(nil)).Where("f.path_id = ?", path).Where("f.folder = ?", append([]byte{}, folder...)).
		Where("f.kind = ?", domain.KindMovie).Where("f.movie_id <> ?", movie).Exists(ctx)
	return shared, translated(ctx, err, "file")
}

// List implements store.Files.
func (r files) List(ctx context.Context, scope domain.Scope, f store.FileFilter, req domain.PageRequest) (domain.Page[domain.File], error) {
	var rows []fileRow
	q := inScope(r.db.NewSelect().Model(&rows).ExcludeColumn("media"), "f.library_id", scope)
	if f.LibraryID != nil {
		q = q.Where("f.library_id = ?", *f.LibraryID)
	}
	if f.PathID != nil {
		q = q.Where("f.path_id = ?", *f.PathID)
	}
	if len(f.States) > 0 {
		q = q.Where("f.state IN (?)", bun.List(f.States))
		if !slices.Contains(f.States, domain.FileReady) {
			q = q.Where("f.state <> 'ready'") // lets both databases use the index of the few others
		}
	}
	if f.Unmatched {
		q = q.Where("f.movie_id IS NULL").Where("f.kind = ?", domain.KindMovie)
	}
	if f.Unsorted {
		q = q.Where("f.matched_at IS NULL")
	}
	if f.Vanished {
		q = q.Where("f.vanished_at IS NOT NULL").Where("f.state <> ?", domain.FileMissing)
	}
	count, err := total(ctx, q, req)
	if err != nil {
		return domain.Page[domain.File]{}, err
	}
	order := newKeyset("files", f, sortKey{column: "f.library_id"}, sortKey{column: "f.path_id"}, sortKey{column: "f.walk_key"})
	if q, err = order.page(q, req, new(domain.ID), new(domain.ID), new([]byte)); err != nil {
		return domain.Page[domain.File]{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return domain.Page[domain.File]{}, translated(ctx, err, "file")
	}
	page := pageOf(rows, req, fileRow.file, func(last fileRow) string { return order.cursor(last.LibraryID, last.PathID, last.WalkKey) })
	page.Total = count
	return page, nil
}

// Vanish implements store.Files.
func (r files) Vanish(ctx context.Context, when time.Time, ids ...domain.ID) error {
	for chunk := range slices.Chunk(ids, 500) {
		_, err := r.db.NewUpdate().Model((*fileRow)(nil)).Set("vanished_at = ?", at(when)).
			Where("id IN (?)", bun.List(chunk)).Where("vanished_at IS NULL").Exec(ctx)
		if err != nil {
			return translated(ctx, err, "file")
		}
	}
	return nil
}

// Reappear implements store.Files.
func (r files) Reappear(ctx context.Context, ids ...domain.ID) error {
	for chunk := range slices.Chunk(ids, 500) {
		_, err := r.db.NewUpdate().Model((*fileRow)(nil)).Set("vanished_at = NULL").Set("missing_since = NULL").
			Set("matched_at = CASE state WHEN ? THEN NULL ELSE matched_at END", domain.FileMissing).
			Set("state = CASE state WHEN ? THEN ? ELSE state END", domain.FileMissing, domain.FileFound).
			Where("id IN (?)", bun.List(chunk)).Exec(ctx)
		if err != nil {
			return translated(ctx, err, "file")
		}
	}
	return nil
}

// Count implements store.Files.
func (r files) Count(ctx context.Context, path domain.ID, since time.Time) (c store.PathCount, err error) {
	const counted = "f.state <> 'ignored' AND (f.state <> 'missing' OR f.vanished_at >= ?)"
	err = r.db.NewSelect().Model((*fileRow)(nil)).Where("f.path_id = ?", path).Where(counted, at(since)).
		ColumnExpr("COUNT(*)").
		ColumnExpr("COUNT(CASE WHEN f.vanished_at IS NOT NULL THEN 1 END)").
		ColumnExpr("COUNT(CASE WHEN f.vanished_at IS NOT NULL AND f.state <> 'missing' THEN 1 END)").
		Scan(ctx, &c.Known, &c.Vanished, &c.Pending)
	return c, translated(ctx, err, "file")
}

// MarkMissing implements store.Files.
func (r files) MarkMissing(ctx context.Context, path domain.ID, when time.Time) ([]domain.ID, error) {
	ids := []domain.ID{}
	err := r.db.NewUpdate().Model((*fileRow)(nil)).Set("state = ?", domain.FileMissing).Set("missing_since = ?", at(when)).Set("updated_at = ?", at(when)).
		Where("path_id = ?", path).Where("vanished_at IS NOT NULL").Where("state <> ?", domain.FileMissing).Returning("id").Scan(ctx, &ids)
	return ids, translatedUnlessNone(ctx, err)
}

// PurgeMissing implements store.Files.
func (r files) PurgeMissing(ctx context.Context, before time.Time) ([]domain.ID, error) {
	var rows []fileRow
	frozen := r.db.NewSelect().Model((*libraryPathRow)(nil)).Column("p.id").Where("p.state = ?", domain.PathFrozen)
	err := r.db.NewDelete().Model(&rows).Where("state <> 'ready'").Where("state = ?", domain.FileMissing).Where("missing_since < ?", at(before)).
		Where("path_id NOT IN (?)", frozen).Returning("id, movie_id").Scan(ctx)
	if err := translatedUnlessNone(ctx, err); err != nil {
		return nil, err
	}
	seen, movies := map[domain.ID]bool{}, []domain.ID{}
	for _, row := range rows {
		if row.MovieID != nil && !seen[*row.MovieID] {
			seen[*row.MovieID] = true
			movies = append(movies, *row.MovieID)
		}
	}
	return movies, nil
}

// translatedUnlessNone is for statements that return what they changed, where nothing is no error.
func translatedUnlessNone(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return translated(ctx, err, "file")
}

// Delete implements store.Files.
func (r files) Delete(ctx context.Context, ids ...domain.ID) error {
	for chunk := range slices.Chunk(ids, 500) {
		if _, err := r.db.NewDelete().Model((*fileRow)(nil)).Where("id IN (?)", bun.List(chunk)).Exec(ctx); err != nil {
			return translated(ctx, err, "file")
		}
	}
	return nil
}
