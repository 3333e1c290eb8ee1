package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

type apiKeys struct{ base }

var _ store.APIKeys = apiKeys{}

type apiKeyRow struct {
	bun.BaseModel     `bun:"table:api_keys,alias:k"`
	ID                domain.ID `bun:",pk"`
	UserID            domain.ID
	Name              string
	Prefix            string
	Hash              []byte
	RequestsPerMinute *int
	CreatedAt         micros
	ExpiresAt         *micros
	LastUsedAt        *micros
	LastUsedIP        string `bun:"last_used_ip"`
}

type apiKeyPermissionRow struct {
	bun.BaseModel `bun:"table:api_key_permissions,alias:p"`
	KeyID         domain.ID         `bun:",pk"`
	Permission    domain.Permission `bun:",pk"`
}

func (r apiKeys) Create(ctx context.Context, k domain.APIKey) error {
	_, err := r.db.NewInsert().Model(&apiKeyRow{
		ID: k.ID, UserID: k.UserID, Name: k.Name, Prefix: k.Prefix, Hash: k.Hash, RequestsPerMinute: k.RequestsPerMinute, CreatedAt: at(k.CreatedAt),
		ExpiresAt: atOrNull(k.ExpiresAt), LastUsedAt: atOrNull(k.LastUsedAt), LastUsedIP: k.LastUsedIP,
	}).Exec(ctx)
	if err != nil {
		return translated(ctx, err, "api_key")
	}
	return r.permit(ctx, k)
}

func (r apiKeys) permit(ctx context.Context, k domain.APIKey) error {
	if len(k.Permissions) == 0 {
		return nil
	}
	rows := make([]apiKeyPermissionRow, len(k.Permissions))
	for i, p := range k.Permissions {
		rows[i] = apiKeyPermissionRow{KeyID: k.ID, Permission: p}
	}
	_, err := r.db.NewInsert().Model(&rows).Exec(ctx)
	return translated(ctx, err, "api_key")
}

// find reads keys with their permissions.
func (r apiKeys) find(ctx context.Context, by clause) ([]domain.APIKey, error) {
	var rows []apiKeyRow
	if err := restricted(r.db.NewSelect().Model(&rows), by).Order("k.created_at DESC", "k.id DESC").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "api_key")
	}
	list := make([]domain.APIKey, len(rows))
	if len(rows) == 0 {
		return list, nil
	}
	place, ids := map[domain.ID]int{}, make([]domain.ID, len(rows))
	for i, row := range rows {
		place[row.ID], ids[i] = i, row.ID
		list[i] = domain.APIKey{
			ID: row.ID, UserID: row.UserID, Name: row.Name, Prefix: row.Prefix, Hash: row.Hash, Permissions: []domain.Permission{},
			RequestsPerMinute: row.RequestsPerMinute, CreatedAt: row.CreatedAt.time(), ExpiresAt: row.ExpiresAt.timeOrNil(),
			LastUsedAt: row.LastUsedAt.timeOrNil(), LastUsedIP: row.LastUsedIP,
		}
	}
	var permissions []apiKeyPermissionRow
	if err := restricted(r.db.NewSelect().Model(&permissions), oneOf("p.key_id", ids)).Order("p.permission").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "api_key")
	}
	for _, p := range permissions {
		k := &list[place[p.KeyID]]
		k.Permissions = append(k.Permissions, p.Permission)
	}
	return list, nil
}

func (r apiKeys) one(ctx context.Context, by clause) (domain.APIKey, error) {
	list, err := r.find(ctx, by)
	if err == nil && len(list) == 0 {
		err = notFound("api_key")
	}
	if err != nil {
		return domain.APIKey{}, err
	}
	return list[0], nil
}

func (r apiKeys) Get(ctx context.Context, id domain.ID) (domain.APIKey, error) {
	return r.one(ctx, where("k.id = ?", id))
}

func (r apiKeys) ByHash(ctx context.Context, hash []byte) (domain.APIKey, error) {
	return r.one(ctx, where("k.hash = ?", hash))
}

func (r apiKeys) ByUser(ctx context.Context, user domain.ID) ([]domain.APIKey, error) {
	return r.find(ctx, where("k.user_id = ?", user))
}

func (r apiKeys) Update(ctx context.Context, k domain.APIKey) error {
	res, err := r.db.NewUpdate().Model((*apiKeyRow)(nil)).Set("name = ?", k.Name).Set("requests_per_minute = ?", k.RequestsPerMinute).
		Set("expires_at = ?", atOrNull(k.ExpiresAt)).Where("id = ?", k.ID).Exec(ctx)
	if err := found(ctx, res, err, "api_key"); err != nil {
		return err
	}
	if _, err := r.db.NewDelete().Model((*apiKeyPermissionRow)(nil)).Where("key_id = ?", k.ID).Exec(ctx); err != nil {
		return translated(ctx, err, "api_key")
	}
	return r.permit(ctx, k)
}

func (r apiKeys) Touch(ctx context.Context, id domain.ID, used time.Time, ip string) error {
	res, err := r.db.NewUpdate().Model((*apiKeyRow)(nil)).Set("last_used_at = ?", at(used)).Set("last_used_ip = ?", ip).
		Where("id = ?", id).Where("last_used_at IS NULL OR last_used_at <= ?", at(used)).Exec(ctx)
	if ok, err := changed(ctx, res, err, "api_key"); err != nil || ok {
		return err
	}
	_, err = r.Get(ctx, id)
	return err
}

func (r apiKeys) Delete(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*apiKeyRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "api_key")
}
