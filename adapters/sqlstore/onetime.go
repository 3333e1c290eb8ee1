package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// oneTimeTokens keeps each kind in a table of its own; the tables are alike.
type oneTimeTokens struct{ base }

var _ store.OneTimeTokens = oneTimeTokens{}

var tokenTables = map[domain.TokenKind]string{
	domain.TokenResetPassword: "password_reset_tokens",
	domain.TokenVerifyEmail:   "email_verification_tokens",
}

type oneTimeRow struct {
	bun.BaseModel `bun:"table:password_reset_tokens,alias:o"`
	Hash          []byte `bun:",pk"`
	UserID        domain.ID
	Email         string
	CreatedAt     micros
	ExpiresAt     micros
}

func tokenTable(kind domain.TokenKind) (string, error) {
	table, ok := tokenTables[kind]
	if !ok {
		return "", fault.New(fault.Internal, "one_time_token.bad_kind", "There are no one-time tokens of this kind.")
	}
	return table, nil
}

func (r oneTimeTokens) Create(ctx context.Context, t domain.OneTimeToken) error {
	table, err := tokenTable(t.Kind)
	if err != nil {
		return err
	}
	if _, err := r.db.NewDelete().TableExpr(table).Where("user_id = ?", t.UserID).Exec(ctx); err != nil {
		return translated(ctx, err, "one_time_token")
	}
	row := oneTimeRow{Hash: t.Hash, UserID: t.UserID, Email: t.Email, CreatedAt: at(t.CreatedAt), ExpiresAt: at(t.ExpiresAt)}
	_, err = r.db.NewInsert().Model(&row).ModelTableExpr(table).Exec(ctx)
	return translated(ctx, err, "one_time_token")
}

func (r oneTimeTokens) Of(ctx context.Context, kind domain.TokenKind, user domain.ID, now time.Time) (domain.OneTimeToken, error) {
	return r.one(ctx, kind, now, "o.user_id = ?", user)
}

func (r oneTimeTokens) Get(ctx context.Context, kind domain.TokenKind, hash []byte, now time.Time) (domain.OneTimeToken, error) {
	return r.one(ctx, kind, now, "o.hash = ?", hash)
}

func (r oneTimeTokens) one(ctx context.Context, kind domain.TokenKind, now time.Time, where string, arg any) (domain.OneTimeToken, error) {
	table, err := tokenTable(kind)
	if err != nil {
		return domain.OneTimeToken{}, err
	}
	var row oneTimeRow
	err = r.db.NewSelect().Model(&row).ModelTableExpr(table+" AS o").Where(where, arg).Where("o.expires_at > ?", at(now)).Scan(ctx)
	if err != nil {
		return domain.OneTimeToken{}, translated(ctx, err, "one_time_token")
	}
	return domain.OneTimeToken{
		Hash: row.Hash, Kind: kind, UserID: row.UserID, Email: row.Email, CreatedAt: row.CreatedAt.time(), ExpiresAt: row.ExpiresAt.time(),
	}, nil
}

func (r oneTimeTokens) Take(ctx context.Context, kind domain.TokenKind, hash []byte, now time.Time) (domain.OneTimeToken, error) {
	taken, err := r.Get(ctx, kind, hash, now)
	if err != nil {
		return domain.OneTimeToken{}, err
	}
	res, err := r.db.NewDelete().TableExpr(tokenTables[kind]).Where("hash = ?", hash).Exec(ctx)
	return taken, found(ctx, res, err, "one_time_token")
}

func (r oneTimeTokens) Void(ctx context.Context, user domain.ID) error {
	for _, table := range tokenTables {
		if _, err := r.db.NewDelete().TableExpr(table).Where("user_id = ?", user).Exec(ctx); err != nil {
			return translated(ctx, err, "one_time_token")
		}
	}
	return nil
}

func (r oneTimeTokens) DeleteExpired(ctx context.Context, before time.Time) (n int, err error) {
	for _, table := range tokenTables {
		some, err := deleted(ctx, r.db.NewDelete().TableExpr(table).Where("expires_at < ?", at(before)), "one_time_token")
		if err != nil {
			return n, err
		}
		n += some
	}
	return n, nil
}
