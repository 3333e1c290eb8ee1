package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

type images struct{ base }

var _ store.Images = images{}

type imageRow struct {
	bun.BaseModel  `bun:"table:movie_images,alias:i"`
	ID             domain.ID `bun:",pk"`
	MovieID        domain.ID
	LibraryID      domain.ID
	Kind           domain.ImageKind
	Width          int
	Height         int
	Thumbhash      string
	Hash           string
	Source         string
	SourcePathID   *domain.ID
	SourceRaw      []byte
	Blob           string
	SourceRevision string
	UpdatedAt      micros
}

func (r imageRow) image() domain.Image {
	return domain.Image{ID: r.ID, Kind: r.Kind, Width: r.Width, Height: r.Height, Thumbhash: r.Thumbhash, Hash: r.Hash}
}

func (r imageRow) stored() domain.StoredImage {
	return domain.StoredImage{
		Image: r.image(), MovieID: r.MovieID, LibraryID: r.LibraryID, Source: r.Source, SourcePathID: r.SourcePathID, SourceRaw: r.SourceRaw,
		Blob: r.Blob, SourceRevision: r.SourceRevision, UpdatedAt: r.UpdatedAt.time(),
	}
}

func (r images) Put(ctx context.Context, i domain.StoredImage) (domain.ID, error) {
	row := imageRow{
		ID: i.ID, MovieID: i.MovieID, LibraryID: i.LibraryID, Kind: i.Kind, Width: i.Width, Height: i.Height, Thumbhash: i.Thumbhash, Hash: i.Hash,
		Source: i.Source, SourcePathID: i.SourcePathID, SourceRaw: i.SourceRaw, Blob: i.Blob, SourceRevision: i.SourceRevision, UpdatedAt: at(i.UpdatedAt),
	}
	var had imageRow
	err := r.db.NewSelect().Model(&had).Where("i.movie_id = ?", i.MovieID).Where("i.kind = ?", i.Kind).Limit(1).Scan(ctx)
	switch {
	case err == nil:
		row.ID = had.ID
		_, err = r.db.NewUpdate().Model(&row).WherePK().Exec(ctx)
	case isNoRows(err):
		_, err = r.db.NewInsert().Model(&row).Exec(ctx)
	}
	return row.ID, translated(ctx, err, "image")
}

func (r images) Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.StoredImage, error) {
	var row imageRow
	if err := inScope(r.db.NewSelect().Model(&row).Where("i.id = ?", id), "i.library_id", scope).Scan(ctx); err != nil {
		return domain.StoredImage{}, translated(ctx, err, "image")
	}
	return row.stored(), nil
}

func (r images) ByMovie(ctx context.Context, scope domain.Scope, movie domain.ID) ([]domain.StoredImage, error) {
	var rows []imageRow
	if err := inScope(r.db.NewSelect().Model(&rows).Where("i.movie_id = ?", movie), "i.library_id", scope).Order("i.kind").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "image")
	}
	list := make([]domain.StoredImage, len(rows))
	for n, row := range rows {
		list[n] = row.stored()
	}
	return list, nil
}

func (r images) Delete(ctx context.Context, ids ...domain.ID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := r.db.NewDelete().Model((*imageRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return translated(ctx, err, "image")
}

func (r images) Looked(ctx context.Context, movie domain.ID, looked time.Time) error {
	res, err := r.db.NewUpdate().Table("movies").Set("pictures_at = ?", at(looked)).Where("id = ?", movie).Exec(ctx)
	return found(ctx, res, err, "movie")
}

func (r images) WithoutPicture(ctx context.Context, library domain.ID, before time.Time, after domain.ID, limit int) ([]domain.ID, error) {
	ids := []domain.ID{}
	// SQLite would walk over an index of the whole library and sort it each time; the plus keeps it to the order of ids.
	ofLibrary := "+m.library_id = ?"
	if r.postgres {
		ofLibrary = "m.library_id = ?"
	}
	err := r.db.NewSelect().TableExpr("movies AS m").Column("m.id").Where(ofLibrary, library).Where("m.id > ?", after).
		Where("(m.pictures_at IS NULL OR m.pictures_at < ?)", at(before)).Order("m.id").Limit(int64(limit)).Scan(ctx, &ids)
	return ids, translated(ctx, err, "movie")
}

// pictures are posters and backdrops by film.
type pictures map[domain.ID][2]*domain.Image

func (p pictures) of(movie domain.ID) (poster, backdrop *domain.Image) {
	return p[movie][0], p[movie][1]
}

func (r movies) pictures(ctx context.Context, ids []domain.ID) (pictures, error) {
	var rows []imageRow
	err := r.db.NewSelect().Model(&rows).Where("i.movie_id IN (?)", bun.List(ids)).
		Where("i.kind IN (?)", bun.List([]domain.ImageKind{domain.ImagePoster, domain.ImageBackdrop})).Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "image")
	}
	p := pictures{}
	for _, row := range rows {
		image, pair := row.image(), p[row.MovieID]
		if row.Kind == domain.ImagePoster {
			pair[0] = &image
		} else {
			pair[1] = &image
		}
		p[row.MovieID] = pair
	}
	return p, nil
}
