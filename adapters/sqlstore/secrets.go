package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/ports/store"
)

var _ = sealedColumn("server_secrets", "name", "sealed")

type secrets struct{ base }

var _ store.Secrets = secrets{}

type secretRow struct {
	bun.BaseModel `bun:"table:server_secrets,alias:s"`
	Name          string `bun:",pk"`
	Sealed        []byte
	CreatedAt     micros
	ExpiresAt     *micros
}

func newSecretRow(s store.Secret) *secretRow {
	return &secretRow{Name: s.Name, Sealed: s.Sealed, CreatedAt: at(s.CreatedAt), ExpiresAt: atOrNull(s.ExpiresAt)}
}

func (r secrets) InsertIfAbsent(ctx context.Context, s store.Secret) (store.Secret, error) {
	if _, err := r.db.NewInsert().Model(newSecretRow(s)).On("CONFLICT (name) DO NOTHING").Exec(ctx); err != nil {
		return store.Secret{}, translated(ctx, err, "secret")
	}
	return r.Get(ctx, s.Name)
}

func (r secrets) Get(ctx context.Context, name string) (store.Secret, error) {
	var row secretRow
	if err := r.db.NewSelect().Model(&row).Where("s.name = ?", name).Scan(ctx); err != nil {
		return store.Secret{}, translated(ctx, err, "secret")
	}
	return store.Secret{Name: row.Name, Sealed: row.Sealed, CreatedAt: row.CreatedAt.time(), ExpiresAt: row.ExpiresAt.timeOrNil()}, nil
}

func (r secrets) Replace(ctx context.Context, old, s store.Secret) (bool, error) {
	res, err := r.db.NewUpdate().Model(newSecretRow(s)).Where("name = ?", old.Name).Where("sealed = ?", old.Sealed).Exec(ctx)
	return changed(ctx, res, err, "secret")
}

func (r secrets) Delete(ctx context.Context, name string) (bool, error) {
	res, err := r.db.NewDelete().Model((*secretRow)(nil)).Where("name = ?", name).Exec(ctx)
	return changed(ctx, res, err, "secret")
}
