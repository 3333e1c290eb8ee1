package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

type avatars struct{ base }

var _ store.Avatars = avatars{}

type avatarRow struct {
	bun.BaseModel `bun:"table:user_avatars,alias:a"`
	UserID        domain.ID `bun:",pk"`
	Revision      string
	MediaType     string
	Data          []byte
	CreatedAt     micros
}

func (r avatars) Save(ctx context.Context, a domain.Avatar) error {
	_, err := r.db.NewInsert().Model(&avatarRow{UserID: a.UserID, Revision: a.Revision, MediaType: a.MediaType, Data: a.Data, CreatedAt: at(a.CreatedAt)}).
		On("CONFLICT (user_id) DO UPDATE").Set("revision = EXCLUDED.revision").Set("media_type = EXCLUDED.media_type").
		Set("data = EXCLUDED.data").Set("created_at = EXCLUDED.created_at").Exec(ctx)
	if err = translated(ctx, err, "avatar"); fault.CodeOf(err) == codeReference {
		return notFound("user")
	}
	return err
}

func (r avatars) Get(ctx context.Context, user domain.ID) (domain.Avatar, error) {
	var row avatarRow
	if err := r.db.NewSelect().Model(&row).Where("a.user_id = ?", user).Scan(ctx); err != nil {
		return domain.Avatar{}, translated(ctx, err, "avatar")
	}
	return domain.Avatar{UserID: row.UserID, Revision: row.Revision, MediaType: row.MediaType, Data: row.Data, CreatedAt: row.CreatedAt.time()}, nil
}

func (r avatars) Delete(ctx context.Context, user domain.ID) error {
	_, err := r.db.NewDelete().Model((*avatarRow)(nil)).Where("user_id = ?", user).Exec(ctx)
	return translated(ctx, err, "avatar")
}
