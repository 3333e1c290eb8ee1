package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var (
	_ = meaning("libraries_pkey", "library.exists", "A library with this id exists already.")
	_ = meaning("libraries_name_key_key", "library.name_taken", "Another library has this name. Choose another.")
	_ = meaning("library_paths_raw_key", "library.path_taken", "This folder belongs to a library already.")
)

type libraries struct{ base }

var _ store.Libraries = libraries{}

type libraryRow struct {
	bun.BaseModel `bun:"table:libraries,alias:l"`
	ID            domain.ID `bun:",pk"`
	Name          string
	NameKey       string
	Restricted    bool
	Open          bool
	Locale        string
	CreatedAt     micros
	UpdatedAt     micros
}

type libraryPathRow struct {
	bun.BaseModel `bun:"table:library_paths,alias:p"`
	ID            domain.ID `bun:",pk"`
	LibraryID     domain.ID
	Raw           []byte
	Path          string
	State         domain.PathState
	Reason        string
	Vanished      int
	FrozenAt      *micros
	ScannedAt     *micros
	ConfirmedAt   *micros
}

type libraryAccessRow struct {
	bun.BaseModel `bun:"table:library_access,alias:a"`
	LibraryID     domain.ID `bun:",pk"`
	UserID        domain.ID `bun:",pk"`
	GrantedAt     micros
	Username      string `bun:",scanonly"`
}

func newLibraryRow(l domain.Library) libraryRow {
	return libraryRow{
		ID: l.ID, Name: l.Name, NameKey: canonical(l.Name), Restricted: l.Restricted, Open: l.Open, Locale: l.Locale,
		CreatedAt: at(l.CreatedAt), UpdatedAt: at(l.UpdatedAt),
	}
}

func newLibraryPathRow(p domain.LibraryPath) libraryPathRow {
	return libraryPathRow{
		ID: p.ID, LibraryID: p.LibraryID, Raw: p.Raw, Path: p.Path, State: p.State, Reason: p.Reason, Vanished: p.Vanished,
		FrozenAt: atOrNull(p.FrozenAt), ScannedAt: atOrNull(p.ScannedAt), ConfirmedAt: atOrNull(p.ConfirmedAt),
	}
}

func (r libraryPathRow) path() domain.LibraryPath {
	return domain.LibraryPath{
		ID: r.ID, LibraryID: r.LibraryID, Raw: r.Raw, Path: r.Path, State: r.State, Reason: r.Reason, Vanished: r.Vanished,
		FrozenAt: r.FrozenAt.timeOrNil(), ScannedAt: r.ScannedAt.timeOrNil(), ConfirmedAt: r.ConfirmedAt.timeOrNil(),
	}
}

// Create implements store.Libraries. It looks before it inserts, as PostgreSQL ends a transaction whose statement failed; the constraint decides races.
func (r libraries) Create(ctx context.Context, l domain.Library) error {
	if err := r.nameFree(ctx, l); err != nil {
		return err
	}
	row := newLibraryRow(l)
	if _, err := r.db.NewInsert().Model(&row).Exec(ctx); err != nil {
		return translated(ctx, err, "library")
	}
	for _, p := range l.Paths {
		p.LibraryID = l.ID
		if err := r.AddPath(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (r libraries) nameFree(ctx context.Context, l domain.Library) error {
	taken, err := r.db.NewSelect().Model((*libraryRow)(nil)).Where("name_key = ?", canonical(l.Name)).Where("id <> ?", l.ID).Exists(ctx)
	if err != nil {
		return translated(ctx, err, "library")
	}
	if taken {
		c := conflicts["libraries_name_key_key"]
		return fault.New(fault.Conflict, c.code, "%s", c.message)
	}
	return nil
}

// Get implements store.Libraries.
func (r libraries) Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.Library, error) {
	list, err := r.all(ctx, scope, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("l.id = ?", id) })
	if err != nil {
		return domain.Library{}, err
	}
	if len(list) == 0 {
		return domain.Library{}, notFound("library")
	}
	return list[0], nil
}

// List implements store.Libraries.
func (r libraries) List(ctx context.Context, scope domain.Scope) ([]domain.Library, error) {
	return r.all(ctx, scope, func(q *bun.SelectQuery) *bun.SelectQuery { return q })
}

func (r libraries) all(ctx context.Context, scope domain.Scope, where func(*bun.SelectQuery) *bun.SelectQuery) ([]domain.Library, error) {
	var rows []libraryRow
	if err := inScope(where(r.db.NewSelect().Model(&rows)), "l.id", scope).Order("l.name_key", "l.id").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "library")
	}
	list := make([]domain.Library, len(rows))
	if len(rows) == 0 {
		return list, nil
	}
	ids, index := make([]domain.ID, len(rows)), map[domain.ID]int{}
	for i, row := range rows {
		ids[i], index[row.ID] = row.ID, i
		list[i] = domain.Library{
			ID: row.ID, Name: row.Name, Restricted: row.Restricted, Open: row.Open, Locale: row.Locale, Paths: []domain.LibraryPath{},
			CreatedAt: row.CreatedAt.time(), UpdatedAt: row.UpdatedAt.time(),
		}
	}
	var paths []libraryPathRow
	if err := r.db.NewSelect().Model(&paths).Where("p.library_id IN (?)", bun.List(ids)).Order("p.id").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "library")
	}
	for _, p := range paths {
		l := &list[index[p.LibraryID]]
		l.Paths = append(l.Paths, p.path())
	}
	return list, nil
}

// Update implements store.Libraries.
func (r libraries) Update(ctx context.Context, l domain.Library) error {
	if err := r.nameFree(ctx, l); err != nil {
		return err
	}
	row := newLibraryRow(l)
	res, err := r.db.NewUpdate().Model(&row).ExcludeColumn("id").WherePK().Exec(ctx)
	return found(ctx, res, err, "library")
}

// Delete implements store.Libraries.
func (r libraries) Delete(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*libraryRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "library")
}

// AddPath implements store.Libraries.
func (r libraries) AddPath(ctx context.Context, p domain.LibraryPath) error {
	row := newLibraryPathRow(p)
	_, err := r.db.NewInsert().Model(&row).Exec(ctx)
	return translated(ctx, err, "library_path")
}

// UpdatePath implements store.Libraries.
func (r libraries) UpdatePath(ctx context.Context, p domain.LibraryPath) error {
	row := newLibraryPathRow(p)
	res, err := r.db.NewUpdate().Model(&row).ExcludeColumn("id").WherePK().Exec(ctx)
	return found(ctx, res, err, "library_path")
}

// RemovePath implements store.Libraries.
func (r libraries) RemovePath(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*libraryPathRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "library_path")
}

// Grant implements store.Libraries.
func (r libraries) Grant(ctx context.Context, a domain.LibraryAccess) error {
	row := libraryAccessRow{LibraryID: a.LibraryID, UserID: a.UserID, GrantedAt: at(a.GrantedAt)}
	_, err := r.db.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
	return translated(ctx, err, "library_access")
}

// Ungrant implements store.Libraries.
func (r libraries) Ungrant(ctx context.Context, library, user domain.ID) error {
	_, err := r.db.NewDelete().Model((*libraryAccessRow)(nil)).Where("library_id = ?", library).Where("user_id = ?", user).Exec(ctx)
	return translated(ctx, err, "library_access")
}

// Access implements store.Libraries.
func (r libraries) Access(ctx context.Context, library domain.ID) ([]domain.LibraryAccess, error) {
	var rows []libraryAccessRow
	err := r.db.NewSelect().Model(&rows).Column("a.library_id", "a.user_id", "a.granted_at").ColumnExpr("u.username AS username").
		Join("JOIN users AS u ON u.id = a.user_id").Where("a.library_id = ?", library).Order("u.username_key", "u.id").Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "library_access")
	}
	list := make([]domain.LibraryAccess, len(rows))
	for i, row := range rows {
		list[i] = domain.LibraryAccess{LibraryID: row.LibraryID, UserID: row.UserID, Username: row.Username, GrantedAt: row.GrantedAt.time()}
	}
	return list, nil
}

// VisibleTo implements store.Libraries.
func (r libraries) VisibleTo(ctx context.Context, user domain.ID, restricted bool) ([]domain.ID, error) {
	ids := []domain.ID{}
	granted := r.db.NewSelect().Model((*libraryAccessRow)(nil)).ColumnExpr("1").Where("a.library_id = l.id").Where("a.user_id = ?", user)
	q := r.db.NewSelect().Model((*libraryRow)(nil)).Column("l.id").Order("l.id")
	if restricted {
		q = q.Where("EXISTS (?) OR (l.open AND NOT l.restricted)", granted)
	} else {
		q = q.Where("NOT l.restricted").Where("EXISTS (?) OR l.open", granted)
	}
	err := q.Scan(ctx, &ids)
	return ids, translated(ctx, err, "library")
}
