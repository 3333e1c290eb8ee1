package sqlstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

var (
	_ = sealedColumn("server_settings", "name", "sealed")
	_ = sealedColumn("mail_outbox", "id", "sealed")
)

type (
	settings struct{ base }
	outbox   struct{ base }
)

var (
	_ store.Settings = settings{}
	_ store.Outbox   = outbox{}
)

type settingRow struct {
	bun.BaseModel `bun:"table:server_settings,alias:s"`
	Name          string `bun:",pk"`
	Value         *string
	Sealed        []byte
	UpdatedAt     micros
	UpdatedBy     *domain.ID
}

type userSettingRow struct {
	bun.BaseModel `bun:"table:user_settings,alias:s"`
	UserID        domain.ID `bun:",pk"`
	Name          string    `bun:",pk"`
	Value         string
	UpdatedAt     micros
}

type mailRow struct {
	bun.BaseModel `bun:"table:mail_outbox,alias:m"`
	ID            domain.ID `bun:",pk"`
	Sealed        []byte
	CreatedAt     micros
}

func (r settings) All(ctx context.Context) ([]store.Setting, error) {
	var rows []settingRow
	if err := r.db.NewSelect().Model(&rows).Order("s.name").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "setting")
	}
	all := make([]store.Setting, len(rows))
	for i, row := range rows {
		all[i] = store.Setting{Name: row.Name, Sealed: row.Sealed, UpdatedAt: row.UpdatedAt.time(), UpdatedBy: row.UpdatedBy}
		if row.Value != nil {
			all[i].Value = json.RawMessage(*row.Value)
		}
	}
	return all, nil
}

func (r settings) Save(ctx context.Context, changed ...store.Setting) error {
	if len(changed) == 0 {
		return nil
	}
	rows := make([]settingRow, len(changed))
	for i, s := range changed {
		rows[i] = settingRow{Name: s.Name, Sealed: s.Sealed, UpdatedAt: at(s.UpdatedAt), UpdatedBy: s.UpdatedBy}
		if s.Value != nil {
			value := string(s.Value)
			rows[i].Value = &value
		}
	}
	_, err := r.db.NewInsert().Model(&rows).On("CONFLICT (name) DO UPDATE").
		Set("value = EXCLUDED.value").Set("sealed = EXCLUDED.sealed").Set("updated_at = EXCLUDED.updated_at").Set("updated_by = EXCLUDED.updated_by").Exec(ctx)
	return translated(ctx, err, "setting")
}

func (r settings) OfUser(ctx context.Context, user domain.ID) (map[string]json.RawMessage, error) {
	var rows []userSettingRow
	if err := r.db.NewSelect().Model(&rows).Where("s.user_id = ?", user).Scan(ctx); err != nil {
		return nil, translated(ctx, err, "setting")
	}
	values := make(map[string]json.RawMessage, len(rows))
	for _, row := range rows {
		values[row.Name] = json.RawMessage(row.Value)
	}
	return values, nil
}

func (r settings) SaveOfUser(ctx context.Context, user domain.ID, values map[string]json.RawMessage, when time.Time) error {
	var rows []userSettingRow
	var gone []string
	for name, value := range values {
		if value == nil {
			gone = append(gone, name)
			continue
		}
		rows = append(rows, userSettingRow{UserID: user, Name: name, Value: string(value), UpdatedAt: at(when)})
	}
	if len(gone) > 0 {
		if _, err := r.db.NewDelete().Model((*userSettingRow)(nil)).Where("user_id = ?", user).Where("name IN (?)", bun.List(gone)).Exec(ctx); err != nil {
			return translated(ctx, err, "setting")
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := r.db.NewInsert().Model(&rows).On("CONFLICT (user_id, name) DO UPDATE").
		Set("value = EXCLUDED.value").Set("updated_at = EXCLUDED.updated_at").Exec(ctx)
	return translated(ctx, err, "setting")
}

func (r outbox) Add(ctx context.Context, m store.Mail) error {
	_, err := r.db.NewInsert().Model(&mailRow{ID: m.ID, Sealed: m.Sealed, CreatedAt: at(m.CreatedAt)}).Exec(ctx)
	return translated(ctx, err, "mail")
}

func (r outbox) Get(ctx context.Context, id domain.ID) (store.Mail, error) {
	var row mailRow
	if err := r.db.NewSelect().Model(&row).Where("m.id = ?", id).Scan(ctx); err != nil {
		return store.Mail{}, translated(ctx, err, "mail")
	}
	return store.Mail{ID: row.ID, Sealed: row.Sealed, CreatedAt: row.CreatedAt.time()}, nil
}

func (r outbox) Delete(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*mailRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "mail")
}

func (r outbox) DeleteBefore(ctx context.Context, before time.Time) (int, error) {
	res, err := r.db.NewDelete().Model((*mailRow)(nil)).Where("created_at < ?", at(before)).Exec(ctx)
	if err != nil {
		return 0, translated(ctx, err, "mail")
	}
	n, err := res.RowsAffected()
	return int(n), translated(ctx, err, "mail")
}
