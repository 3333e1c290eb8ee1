package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

type sessions struct{ base }

var _ store.Sessions = sessions{}

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`
	ID            domain.ID `bun:",pk"`
	UserID        domain.ID
	Device        string
	UserAgent     string
	IP            string `bun:"ip"`
	CreatedAt     micros
	LastSeenAt    micros
	ExpiresAt     micros
	RevokedAt     *micros

	DeviceID        *domain.ID
	Method          domain.SignInMethod
	MFAVerified     bool    `bun:"mfa_verified"`
	MFAVerifiedAt   *micros `bun:"mfa_verified_at"`
	AuthenticatedAt micros
}

type tokenRow struct {
	bun.BaseModel `bun:"table:auth_tokens,alias:t"`
	Hash          []byte `bun:",pk"`
	SessionID     domain.ID
	Generation    int
	CreatedAt     micros
	ExpiresAt     micros
	UsedAt        *micros
}

func newTokenRow(t domain.RefreshToken) *tokenRow {
	return &tokenRow{
		Hash: t.Hash, SessionID: t.SessionID, Generation: t.Generation,
		CreatedAt: at(t.CreatedAt), ExpiresAt: at(t.ExpiresAt), UsedAt: atOrNull(t.UsedAt),
	}
}

func (r sessionRow) session() domain.Session {
	return domain.Session{
		ID: r.ID, UserID: r.UserID, Device: r.Device, UserAgent: r.UserAgent, IP: r.IP,
		CreatedAt: r.CreatedAt.time(), LastSeenAt: r.LastSeenAt.time(), ExpiresAt: r.ExpiresAt.time(), RevokedAt: r.RevokedAt.timeOrNil(),
		DeviceID: r.DeviceID, Method: r.Method, MFAVerified: r.MFAVerified, MFAVerifiedAt: r.MFAVerifiedAt.timeOrNil(), AuthenticatedAt: r.AuthenticatedAt.time(),
	}
}

func (r sessions) Create(ctx context.Context, s domain.Session, first domain.RefreshToken) error {
	_, err := r.db.NewInsert().Model(&sessionRow{
		ID: s.ID, UserID: s.UserID, Device: s.Device, UserAgent: s.UserAgent, IP: s.IP,
		CreatedAt: at(s.CreatedAt), LastSeenAt: at(s.LastSeenAt), ExpiresAt: at(s.ExpiresAt), RevokedAt: atOrNull(s.RevokedAt),
		DeviceID: s.DeviceID, Method: s.Method, MFAVerified: s.MFAVerified, MFAVerifiedAt: atOrNull(s.MFAVerifiedAt), AuthenticatedAt: at(s.AuthenticatedAt),
	}).Exec(ctx)
	if err == nil {
		_, err = r.db.NewInsert().Model(newTokenRow(first)).Exec(ctx)
	}
	return translated(ctx, err, "session")
}

func (r sessions) Get(ctx context.Context, id domain.ID) (domain.Session, error) {
	var row sessionRow
	err := r.db.NewSelect().Model(&row).Where("s.id = ?", id).Scan(ctx)
	if err != nil {
		return domain.Session{}, translated(ctx, err, "session")
	}
	return row.session(), nil
}

func (r sessions) ByUser(ctx context.Context, user domain.ID, now time.Time) ([]domain.Session, error) {
	var rows []sessionRow
	err := r.db.NewSelect().Model(&rows).Where("s.user_id = ?", user).Where("s.revoked_at IS NULL").Where("s.expires_at > ?", at(now)).
		Order("s.last_seen_at DESC", "s.id DESC").Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "session")
	}
	list := make([]domain.Session, len(rows))
	for i, row := range rows {
		list[i] = row.session()
	}
	return list, nil
}

func (r sessions) Count(ctx context.Context, now time.Time) (int, error) {
	n, err := r.db.NewSelect().Model((*sessionRow)(nil)).Where("s.revoked_at IS NULL").Where("s.expires_at > ?", at(now)).Count(ctx)
	return int(n), translated(ctx, err, "session")
}

func (r sessions) Touch(ctx context.Context, id domain.ID, use domain.SessionUse) error {
	res, err := r.db.NewUpdate().Model((*sessionRow)(nil)).Set("last_seen_at = ?", at(use.At)).Set("expires_at = ?", at(use.ExpiresAt)).
		Set("ip = ?", use.IP).Set("user_agent = ?", use.UserAgent).Where("id = ?", id).Where("last_seen_at <= ?", at(use.At)).Exec(ctx)
	return r.changedOrThere(ctx, id, found(ctx, res, err, "session"))
}

func (r sessions) Revoke(ctx context.Context, id domain.ID, now time.Time) error {
	res, err := r.db.NewUpdate().Model((*sessionRow)(nil)).Set("revoked_at = ?", at(now)).Where("id = ?", id).Where("revoked_at IS NULL").Exec(ctx)
	return r.changedOrThere(ctx, id, found(ctx, res, err, "session"))
}

// changedOrThere makes "nothing changed" no error where the session exists.
func (r sessions) changedOrThere(ctx context.Context, id domain.ID, err error) error {
	if err == nil {
		return nil
	}
	if exists, e := r.db.NewSelect().Model((*sessionRow)(nil)).Where("s.id = ?", id).Exists(ctx); e == nil && exists {
		return nil
	}
	return err
}

func (r sessions) RevokeUser(ctx context.Context, user domain.ID, now time.Time, except *domain.ID) ([]domain.ID, error) {
	q := r.db.NewUpdate().Model((*sessionRow)(nil)).Set("revoked_at = ?", at(now)).Where("user_id = ?", user).Where("revoked_at IS NULL").Returning("id")
	if except != nil {
		q = q.Where("id <> ?", *except)
	}
	ids := []domain.ID{}
	_, err := q.Exec(ctx, &ids)
	return ids, translated(ctx, err, "session")
}

func (r sessions) RefreshToken(ctx context.Context, hash []byte) (domain.RefreshToken, error) {
	var row tokenRow
	if err := r.db.NewSelect().Model(&row).Where("t.hash = ?", hash).Scan(ctx); err != nil {
		return domain.RefreshToken{}, translated(ctx, err, "refresh_token")
	}
	return domain.RefreshToken{
		Hash: row.Hash, SessionID: row.SessionID, Generation: row.Generation,
		CreatedAt: row.CreatedAt.time(), ExpiresAt: row.ExpiresAt.time(), UsedAt: row.UsedAt.timeOrNil(),
	}, nil
}

func (r sessions) Rotate(ctx context.Context, hash []byte, now time.Time, next domain.RefreshToken) (bool, error) {
	res, err := r.db.NewUpdate().Model((*tokenRow)(nil)).Set("used_at = ?", at(now)).Where("hash = ?", hash).Where("used_at IS NULL").Exec(ctx)
	if rotated, err := changed(ctx, res, err, "refresh_token"); err != nil {
		return false, err
	} else if !rotated {
		_, err := r.RefreshToken(ctx, hash)
		return false, err
	}
	_, err = r.db.NewInsert().Model(newTokenRow(next)).Exec(ctx)
	return err == nil, translated(ctx, err, "refresh_token")
}

func (r sessions) DeleteExpired(ctx context.Context, before time.Time) (int, error) {
	res, err := r.db.NewDelete().Model((*sessionRow)(nil)).Where("expires_at < ?", at(before)).Exec(ctx)
	if err != nil {
		return 0, translated(ctx, err, "session")
	}
	n, err := res.RowsAffected()
	return int(n), translated(ctx, err, "session")
}

type deviceRow struct {
	bun.BaseModel `bun:"table:session_devices,alias:d"`
	ID            domain.ID `bun:",pk"`
	UserID        domain.ID
	Fingerprint   []byte
	Name          string
	CreatedAt     micros
	LastSeenAt    micros
}

func (r sessions) NoteDevice(ctx context.Context, d domain.Device) (domain.Device, bool, error) {
	var row deviceRow
	err := r.db.NewSelect().Model(&row).Where("d.user_id = ?", d.UserID).Where("d.fingerprint = ?", d.Fingerprint).Scan(ctx)
	switch {
	case err == nil:
		if d.LastSeenAt.Sub(row.LastSeenAt.time()) >= time.Minute {
			row.LastSeenAt = at(d.LastSeenAt)
			_, err = r.db.NewUpdate().Model(&row).Column("last_seen_at").WherePK().Exec(ctx)
		}
		d.ID, d.Name, d.CreatedAt, d.LastSeenAt = row.ID, row.Name, row.CreatedAt.time(), row.LastSeenAt.time()
		return d, false, translated(ctx, err, "device")
	case !errors.Is(err, sql.ErrNoRows):
		return domain.Device{}, false, translated(ctx, err, "device")
	}
	others, err := r.db.NewSelect().Model((*deviceRow)(nil)).Where("d.user_id = ?", d.UserID).Exists(ctx)
	if err != nil {
		return domain.Device{}, false, translated(ctx, err, "device")
	}
	_, err = r.db.NewInsert().Model(&deviceRow{
		ID: d.ID, UserID: d.UserID, Fingerprint: d.Fingerprint, Name: d.Name, CreatedAt: at(d.CreatedAt), LastSeenAt: at(d.LastSeenAt),
	}).Exec(ctx)
	return d, others, translated(ctx, err, "device")
}

func (r sessions) ForgetDevices(ctx context.Context, since time.Time) (int, error) {
	return deleted(ctx, r.db.NewDelete().TableExpr("session_devices").Where("last_seen_at < ?", at(since)), "device")
}
