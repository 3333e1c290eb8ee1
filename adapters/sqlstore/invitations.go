package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var (
	_ = meaning("invitations_code_hash_key", "invitation.exists", "An invitation with this code exists already.")
	_ = meaning("registrations_username_key_key", "user.username_taken", "This user name is taken. Choose another.")
)

type invitations struct{ base }

var _ store.Invitations = invitations{}

type invitationRow struct {
	bun.BaseModel `bun:"table:invitations,alias:i"`
	ID            domain.ID `bun:",pk"`
	CodeHash      []byte
	Email         string
	Roles         jsonOf[[]domain.RoleName]
	CreatorID     *domain.ID
	CreatedAt     micros
	ExpiresAt     micros
	UsedAt        *micros
	UsedBy        string
	RevokedAt     *micros
}

func (r invitationRow) invitation() domain.Invitation {
	return domain.Invitation{
		ID: r.ID, CodeHash: r.CodeHash, Email: r.Email, Roles: r.Roles.V, CreatedBy: r.CreatorID, CreatedAt: r.CreatedAt.time(),
		ExpiresAt: r.ExpiresAt.time(), UsedAt: r.UsedAt.timeOrNil(), UsedBy: r.UsedBy, RevokedAt: r.RevokedAt.timeOrNil(),
	}
}

func (r invitations) Create(ctx context.Context, i domain.Invitation) error {
	_, err := r.db.NewInsert().Model(&invitationRow{
		ID: i.ID, CodeHash: i.CodeHash, Email: i.Email, Roles: inJSON(i.Roles), CreatorID: i.CreatedBy, CreatedAt: at(i.CreatedAt),
		ExpiresAt: at(i.ExpiresAt), UsedAt: atOrNull(i.UsedAt), UsedBy: i.UsedBy, RevokedAt: atOrNull(i.RevokedAt),
	}).Exec(ctx)
	return translated(ctx, err, "invitation")
}

func (r invitations) Get(ctx context.Context, id domain.ID) (domain.Invitation, error) {
	return r.one(ctx, "i.id = ?", id)
}

func (r invitations) ByCode(ctx context.Context, hash []byte) (domain.Invitation, error) {
	return r.one(ctx, "i.code_hash = ?", hash)
}

func (r invitations) one(ctx context.Context, where string, arg any) (domain.Invitation, error) {
	var row invitationRow
	if err := r.db.NewSelect().Model(&row).Where(where, arg).Scan(ctx); err != nil {
		return domain.Invitation{}, translated(ctx, err, "invitation")
	}
	return row.invitation(), nil
}

func (r invitations) List(ctx context.Context, req domain.PageRequest) (domain.Page[domain.Invitation], error) {
	order := newKeyset("invitations", nil, sortKey{column: "i.created_at", desc: true}, sortKey{column: "i.id", desc: true})
	var rows []invitationRow
	q, err := order.page(r.db.NewSelect().Model(&rows), req, new(micros), new(domain.ID))
	if err == nil {
		err = q.Scan(ctx)
	}
	if err != nil {
		return domain.Page[domain.Invitation]{}, translated(ctx, err, "invitation")
	}
	page := pageOf(rows, req, invitationRow.invitation, func(last invitationRow) string { return order.cursor(last.CreatedAt, last.ID) })
	page.Total, err = total(ctx, r.db.NewSelect().Model((*invitationRow)(nil)), req)
	return page, err
}

func (r invitations) Use(ctx context.Context, id domain.ID, now time.Time, by string) (bool, error) {
	res, err := r.db.NewUpdate().Model((*invitationRow)(nil)).Set("used_at = ?", at(now)).Set("used_by = ?", by).
		Where("id = ?", id).Where("used_at IS NULL").Where("revoked_at IS NULL").Where("expires_at > ?", at(now)).Exec(ctx)
	return changed(ctx, res, err, "invitation")
}

func (r invitations) Renamed(ctx context.Context, from, to string) error {
	q := r.db.NewUpdate().Model((*invitationRow)(nil)).Set("used_by = ?", to).Where("used_by = ?", from)
	if to == "" {
		q = q.Set("email = ''")
	}
	_, err := q.Exec(ctx)
	return translated(ctx, err, "invitation")
}

func (r invitations) Revoke(ctx context.Context, id domain.ID, now time.Time) error {
	res, err := r.db.NewUpdate().Model((*invitationRow)(nil)).Set("revoked_at = ?", at(now)).
		Where("id = ?", id).Where("used_at IS NULL").Where("revoked_at IS NULL").Where("expires_at > ?", at(now)).Exec(ctx)
	if revoked, err := changed(ctx, res, err, "invitation"); err != nil || revoked {
		return err
	}
	_, err = r.Get(ctx, id)
	return err
}

func (r invitations) DeleteEnded(ctx context.Context, before time.Time) (int, error) {
	return deleted(ctx, r.db.NewDelete().Model((*invitationRow)(nil)).Where("expires_at < ?", at(before)), "invitation")
}

// deleted runs a statement and returns how many rows it removed.
func deleted(ctx context.Context, q *bun.DeleteQuery, noun string) (int, error) {
	res, err := q.Exec(ctx)
	if err != nil {
		return 0, translated(ctx, err, noun)
	}
	n, err := res.RowsAffected()
	return int(n), translated(ctx, err, noun)
}

type registrations struct{ base }

var _ store.Registrations = registrations{}

type registrationRow struct {
	bun.BaseModel `bun:"table:registrations,alias:g"`
	ID            domain.ID `bun:",pk"`
	Username      string
	UsernameKey   string
	DisplayName   string
	Email         string
	EmailKey      string
	PasswordHash  domain.PasswordHash
	Roles         jsonOf[[]domain.RoleName]
	CodeHash      []byte `bun:",nullzero"`
	IP            string `bun:"ip"`
	CreatedAt     micros
	MailedAt      *micros
	ExpiresAt     micros
}

func (r registrationRow) registration() domain.Registration {
	return domain.Registration{
		ID: r.ID, Username: r.Username, DisplayName: r.DisplayName, Email: r.Email, PasswordHash: r.PasswordHash, Roles: r.Roles.V, IP: r.IP,
		CodeHash: r.CodeHash, CreatedAt: r.CreatedAt.time(), MailedAt: r.MailedAt.timeOrNil(), ExpiresAt: r.ExpiresAt.time(),
	}
}

// Create looks before it inserts, as PostgreSQL ends a transaction whose statement failed; the constraint decides races.
func (r registrations) Create(ctx context.Context, g domain.Registration, now time.Time) error {
	key := canonical(g.Username)
	taken := fault.New(fault.Conflict, "user.username_taken", "This user name is taken. Choose another.")
	if _, err := r.db.NewDelete().Model((*registrationRow)(nil)).Where("username_key = ?", key).Where("expires_at <= ?", at(now)).Exec(ctx); err != nil {
		return translated(ctx, err, "registration")
	}
	var n int
	err := r.db.NewRaw("SELECT (SELECT COUNT(*) FROM registrations WHERE username_key = ?) + (SELECT COUNT(*) FROM user_logins WHERE login = ?)", key, key).Scan(ctx, &n)
	if err != nil {
		return translated(ctx, err, "registration")
	}
	if n > 0 {
		return taken
	}
	_, err = r.db.NewInsert().Model(&registrationRow{
		ID: g.ID, Username: g.Username, UsernameKey: key, DisplayName: g.DisplayName, Email: g.Email, EmailKey: canonical(g.Email),
		PasswordHash: g.PasswordHash, Roles: inJSON(g.Roles), CodeHash: g.CodeHash, IP: g.IP, CreatedAt: at(g.CreatedAt),
		MailedAt: atOrNull(g.MailedAt), ExpiresAt: at(g.ExpiresAt),
	}).Exec(ctx)
	return translated(ctx, err, "registration")
}

func (r registrations) Get(ctx context.Context, id domain.ID) (domain.Registration, error) {
	var row registrationRow
	if err := r.db.NewSelect().Model(&row).Where("g.id = ?", id).Scan(ctx); err != nil {
		return domain.Registration{}, translated(ctx, err, "registration")
	}
	return row.registration(), nil
}

func (r registrations) ByEmail(ctx context.Context, email string, now time.Time) ([]domain.Registration, error) {
	var rows []registrationRow
	err := r.db.NewSelect().Model(&rows).Where("g.email_key = ?", canonical(email)).Where("g.expires_at > ?", at(now)).
		OrderExpr("g.created_at DESC, g.id DESC").Scan(ctx)
	list := make([]domain.Registration, len(rows))
	for i, row := range rows {
		list[i] = row.registration()
	}
	return list, translated(ctx, err, "registration")
}

func (r registrations) Mailed(ctx context.Context, id domain.ID, codeHash []byte, now time.Time) error {
	q := r.db.NewUpdate().Model((*registrationRow)(nil)).Set("mailed_at = ?", at(now)).Where("id = ?", id)
	if codeHash != nil {
		q = q.Set("code_hash = ?", codeHash)
	}
	res, err := q.Exec(ctx)
	return found(ctx, res, err, "registration")
}

func (r registrations) Take(ctx context.Context, codeHash []byte, now time.Time) (domain.Registration, error) {
	var row registrationRow
	if err := r.db.NewSelect().Model(&row).Where("g.code_hash = ?", codeHash).Where("g.expires_at > ?", at(now)).Scan(ctx); err != nil {
		return domain.Registration{}, translated(ctx, err, "registration")
	}
	res, err := r.db.NewDelete().Model((*registrationRow)(nil)).Where("id = ?", row.ID).Exec(ctx)
	return row.registration(), found(ctx, res, err, "registration")
}

func (r registrations) CountFrom(ctx context.Context, ip string, since time.Time) (int, error) {
	n, err := r.db.NewSelect().Model((*registrationRow)(nil)).Where("g.ip = ?", ip).Where("g.created_at >= ?", at(since)).Count(ctx)
	return int(n), translated(ctx, err, "registration")
}

func (r registrations) DeleteExpired(ctx context.Context, before time.Time) (int, error) {
	return deleted(ctx, r.db.NewDelete().Model((*registrationRow)(nil)).Where("expires_at < ?", at(before)), "registration")
}
