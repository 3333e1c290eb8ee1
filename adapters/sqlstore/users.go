package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var _ = meaning("users_pkey", "user.exists", "An account with this id exists already.")

type users struct{ base }

var _ store.Users = users{}

type userRow struct {
	bun.BaseModel `bun:"table:users,alias:u"`
	ID            domain.ID `bun:",pk"`
	Username      string
	UsernameKey   string
	DisplayName   string
	Email         string
	Disabled      bool
	PasswordHash  domain.PasswordHash
	CreatedAt     micros
	UpdatedAt     micros
	LastLoginAt   *micros

	EmailVerifiedAt *micros
	DeletedAt       *micros
	Avatar          string
	PasswordShort   bool
}

type loginRow struct {
	bun.BaseModel `bun:"table:user_logins,alias:l"`
	Login         string `bun:",pk"`
	UserID        domain.ID
}

type roleRow struct {
	bun.BaseModel `bun:"table:user_roles,alias:r"`
	UserID        domain.ID       `bun:",pk"`
	Role          domain.RoleName `bun:",pk"`
	Position      int
}

type preferencesRow struct {
	bun.BaseModel    `bun:"table:user_preferences,alias:p"`
	UserID           domain.ID `bun:",pk"`
	AudioLanguage    string
	SubtitleLanguage string
	SubtitleMode     string
	Language         string
	UpdatedAt        micros
}

// canonical is the form in which names are compared: NFKC, case folded, trimmed (Unicode Standard, 5.18: folding may undo the normal form).
func canonical(s string) string {
	folded := cases.Fold().String(norm.NFKC.String(s))
	return strings.TrimSpace(norm.NFKC.String(folded))
}

func newUserRow(u domain.User) userRow {
	return userRow{
		ID: u.ID, Username: u.Username, UsernameKey: canonical(u.Username), DisplayName: u.DisplayName, Email: u.Email,
		Disabled: u.Disabled, CreatedAt: at(u.CreatedAt), UpdatedAt: at(u.UpdatedAt), LastLoginAt: atOrNull(u.LastLoginAt),
		EmailVerifiedAt: atOrNull(u.EmailVerifiedAt), DeletedAt: atOrNull(u.DeletedAt), Avatar: u.Avatar,
	}
}

func (r userRow) user() domain.User {
	return domain.User{
		ID: r.ID, Username: r.Username, DisplayName: r.DisplayName, Email: r.Email, Roles: []domain.RoleName{},
		Disabled: r.Disabled, CreatedAt: r.CreatedAt.time(), UpdatedAt: r.UpdatedAt.time(), LastLoginAt: r.LastLoginAt.timeOrNil(),
		EmailVerifiedAt: r.EmailVerifiedAt.timeOrNil(), HasPassword: r.PasswordHash != "", DeletedAt: r.DeletedAt.timeOrNil(), Avatar: r.Avatar,
	}
}

func (r users) Create(ctx context.Context, u domain.User, hash domain.PasswordHash) error {
	row := newUserRow(u)
	row.PasswordHash = hash
	if _, err := r.db.NewInsert().Model(&row).Exec(ctx); err != nil {
		return translated(ctx, err, "user")
	}
	if err := r.setLogins(ctx, u); err != nil {
		return err
	}
	return r.setRoles(ctx, u)
}

func (r users) Update(ctx context.Context, u domain.User) error {
	before, err := r.Get(ctx, u.ID)
	if err != nil {
		return err
	}
	row := newUserRow(u)
	res, err := r.db.NewUpdate().Model(&row).ExcludeColumn("password_hash", "password_short").WherePK().Exec(ctx)
	if err := found(ctx, res, err, "user"); err != nil {
		return err
	}
	// Each login updates the account: what it does not change must not be written, nor be in the way of others.
	if canonical(before.Username) != canonical(u.Username) || canonical(before.Email) != canonical(u.Email) {
		if _, err := r.db.NewDelete().Model((*loginRow)(nil)).Where("user_id = ?", u.ID).Exec(ctx); err != nil {
			return translated(ctx, err, "user")
		}
		if err := r.setLogins(ctx, u); err != nil {
			return err
		}
	}
	if slices.Equal(before.Roles, u.Roles) {
		return nil
	}
	if _, err := r.db.NewDelete().Model((*roleRow)(nil)).Where("user_id = ?", u.ID).Exec(ctx); err != nil {
		return translated(ctx, err, "user")
	}
	return r.setRoles(ctx, u)
}

// setLogins looks before it inserts, as PostgreSQL ends a transaction whose statement failed; the constraint decides races.
func (r users) setLogins(ctx context.Context, u domain.User) error {
	username := canonical(u.Username)
	if err := r.setLogin(ctx, u.ID, username, fault.New(fault.Conflict, "user.username_taken", "This user name is taken. Choose another.")); err != nil {
		return err
	}
	if email := canonical(u.Email); email != "" && email != username {
		return r.setLogin(ctx, u.ID, email, fault.New(fault.Conflict, "user.email_taken", "This e-mail address belongs to an account already."))
	}
	return nil
}

func (r users) setLogin(ctx context.Context, user domain.ID, login string, taken *fault.Error) error {
	exists, err := r.db.NewSelect().Model((*loginRow)(nil)).Where("login = ?", login).Exists(ctx)
	if err != nil {
		return translated(ctx, err, "user")
	}
	if exists {
		return taken
	}
	_, err = r.db.NewInsert().Model(&loginRow{Login: login, UserID: user}).Exec(ctx)
	if err = translated(ctx, err, "user"); err != nil && fault.KindOf(err) == fault.Conflict {
		return taken
	}
	return err
}

func (r users) setRoles(ctx context.Context, u domain.User) error {
	if len(u.Roles) == 0 {
		return nil
	}
	rows := make([]roleRow, len(u.Roles))
	for i, role := range u.Roles {
		rows[i] = roleRow{UserID: u.ID, Role: role, Position: i}
	}
	_, err := r.db.NewInsert().Model(&rows).Exec(ctx)
	return translated(ctx, err, "role")
}

func (r users) Get(ctx context.Context, id domain.ID) (domain.User, error) {
	u, _, err := r.one(ctx, r.db.NewSelect().Where("u.id = ?", id))
	return u, err
}

func (r users) ByLogin(ctx context.Context, login string) (domain.User, domain.PasswordHash, error) {
	return r.one(ctx, r.db.NewSelect().Join("JOIN user_logins AS l ON l.user_id = u.id").Where("l.login = ?", canonical(login)))
}

// one reads an account with its roles in a single query: it takes as long whether the account exists or not (S3).
func (r users) one(ctx context.Context, q *bun.SelectQuery) (domain.User, domain.PasswordHash, error) {
	var rows []struct {
		userRow `bun:",extend"`
		Role    *domain.RoleName `bun:",scanonly"`
	}
	err := q.Model(&rows).ColumnExpr("u.*, r.role").Join("LEFT JOIN user_roles AS r ON r.user_id = u.id").Order("r.position").Scan(ctx)
	if err == nil && len(rows) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return domain.User{}, "", translated(ctx, err, "user")
	}
	u := rows[0].user()
	for _, row := range rows {
		if row.Role != nil {
			u.Roles = append(u.Roles, *row.Role)
		}
	}
	return u, rows[0].PasswordHash, nil
}

func (r users) addRoles(ctx context.Context, list []domain.User) error {
	if len(list) == 0 {
		return nil
	}
	byID := make(map[domain.ID]*domain.User, len(list))
	ids := make([]domain.ID, len(list))
	for i := range list {
		ids[i] = list[i].ID
		byID[list[i].ID] = &list[i]
	}
	var rows []roleRow
	if err := r.db.NewSelect().Model(&rows).Where("r.user_id IN (?)", bun.List(ids)).Order("r.position").Scan(ctx); err != nil {
		return translated(ctx, err, "role")
	}
	for _, row := range rows {
		u := byID[row.UserID]
		u.Roles = append(u.Roles, row.Role)
	}
	return nil
}

func (r users) SetPasswordHash(ctx context.Context, id domain.ID, hash domain.PasswordHash) error {
	res, err := r.db.NewUpdate().Model((*userRow)(nil)).Set("password_hash = ?", hash).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "user")
}

func (r users) PasswordHash(ctx context.Context, id domain.ID) (hash domain.PasswordHash, err error) {
	err = r.db.NewSelect().Model((*userRow)(nil)).Column("password_hash").Where("u.id = ?", id).Scan(ctx, &hash)
	return hash, translated(ctx, err, "user")
}

func (r users) CountAdmins(ctx context.Context) (int, error) {
	n, err := r.db.NewSelect().Model((*userRow)(nil)).Join("JOIN user_roles AS r ON r.user_id = u.id").
		Where("r.role = ?", domain.RoleAdmin).Where("NOT u.disabled").Where("u.deleted_at IS NULL").Count(ctx)
	return int(n), translated(ctx, err, "user")
}

func (r users) MarkPassword(ctx context.Context, id domain.ID, short bool) error {
	res, err := r.db.NewUpdate().Model((*userRow)(nil)).Set("password_short = ?", short).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "user")
}

func (r users) PasswordIsShort(ctx context.Context, id domain.ID) (short bool, err error) {
	err = r.db.NewSelect().Model((*userRow)(nil)).Column("password_short").Where("u.id = ?", id).Scan(ctx, &short)
	return short, translated(ctx, err, "user")
}

func userClauses(f domain.UserFilter) (list []clause) {
	if f.Query != "" {
		part := "%" + escapeLike(canonical(f.Query)) + "%"
		list = append(list, where("(EXISTS (SELECT 1 FROM user_logins AS l WHERE l.user_id = u.id AND l.login LIKE ? ESCAPE '!') OR LOWER(u.display_name) LIKE ? ESCAPE '!')", part, part))
	}
	if f.Role != "" {
		list = append(list, where("EXISTS (SELECT 1 FROM user_roles AS r WHERE r.user_id = u.id AND r.role = ?)", f.Role))
	}
	switch f.State {
	case domain.UserActive:
		list = append(list, where("NOT u.disabled AND u.deleted_at IS NULL"))
	case domain.UserDisabled:
		list = append(list, where("u.disabled AND u.deleted_at IS NULL"))
	case domain.UserDeleted:
		list = append(list, where("u.deleted_at IS NOT NULL"))
	}
	return list
}

func (r users) List(ctx context.Context, filter domain.UserFilter, req domain.PageRequest) (domain.Page[domain.User], error) {
	order := newKeyset("users", filter, sortKey{column: "u.username_key"}, sortKey{column: "u.id"})
	clauses := userClauses(filter)
	var rows []userRow
	q, err := order.page(restricted(r.db.NewSelect().Model(&rows), clauses...), req, new(string), new(domain.ID))
	if err == nil {
		err = q.Scan(ctx)
	}
	if err != nil {
		return domain.Page[domain.User]{}, translated(ctx, err, "user")
	}
	page := pageOf(rows, req, userRow.user, func(last userRow) string { return order.cursor(last.UsernameKey, last.ID) })
	if err := r.addRoles(ctx, page.Items); err != nil {
		return domain.Page[domain.User]{}, err
	}
	page.Total, err = total(ctx, restricted(r.db.NewSelect().Model((*userRow)(nil)), clauses...), req)
	return page, err
}

func (r users) DeletedBefore(ctx context.Context, before time.Time, limit int) ([]domain.ID, error) {
	ids := []domain.ID{}
	err := r.db.NewSelect().Model((*userRow)(nil)).Column("id").Where("u.deleted_at < ?", at(before)).Order("u.deleted_at").Limit(int64(limit)).Scan(ctx, &ids)
	return ids, translated(ctx, err, "user")
}

// Purge relies on the foreign keys of all that belongs to an account.
func (r users) Purge(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*userRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "user")
}

func (r users) Preferences(ctx context.Context, id domain.ID) (domain.Preferences, error) {
	var row preferencesRow
	err := r.db.NewSelect().Model(&row).Where("p.user_id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		exists, err := r.db.NewSelect().Model((*userRow)(nil)).Where("u.id = ?", id).Exists(ctx)
		if err == nil && !exists {
			err = sql.ErrNoRows
		}
		return domain.Preferences{SubtitleMode: "auto"}, translated(ctx, err, "user")
	}
	if err != nil {
		return domain.Preferences{}, translated(ctx, err, "user")
	}
	return domain.Preferences{
		AudioLanguage: row.AudioLanguage, SubtitleLanguage: row.SubtitleLanguage, SubtitleMode: row.SubtitleMode,
		Language: row.Language, UpdatedAt: row.UpdatedAt.time(),
	}, nil
}

func (r users) SavePreferences(ctx context.Context, id domain.ID, p domain.Preferences) error {
	_, err := r.db.NewInsert().Model(&preferencesRow{
		UserID: id, AudioLanguage: p.AudioLanguage, SubtitleLanguage: p.SubtitleLanguage, SubtitleMode: p.SubtitleMode,
		Language: p.Language, UpdatedAt: at(p.UpdatedAt),
	}).On("CONFLICT (user_id) DO UPDATE").
		Set("audio_language = EXCLUDED.audio_language").Set("subtitle_language = EXCLUDED.subtitle_language").
		Set("subtitle_mode = EXCLUDED.subtitle_mode").Set("language = EXCLUDED.language").Set("updated_at = EXCLUDED.updated_at").Exec(ctx)
	if err = translated(ctx, err, "user"); fault.CodeOf(err) == codeReference {
		return notFound("user")
	}
	return err
}
