package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

type challenges struct{ base }

var _ store.Challenges = challenges{}

type challengeRow struct {
	bun.BaseModel `bun:"table:auth_challenges,alias:c"`
	Hash          []byte `bun:",pk"`
	Purpose       domain.ChallengePurpose
	UserID        *domain.ID
	Data          []byte
	CreatedAt     micros
	ExpiresAt     micros
}

func (r challengeRow) challenge() domain.Challenge {
	return domain.Challenge{Hash: r.Hash, Purpose: r.Purpose, UserID: r.UserID, Data: r.Data, CreatedAt: r.CreatedAt.time(), ExpiresAt: r.ExpiresAt.time()}
}

func (r challenges) Create(ctx context.Context, c domain.Challenge) error {
	_, err := r.db.NewInsert().Model(&challengeRow{
		Hash: c.Hash, Purpose: c.Purpose, UserID: c.UserID, Data: c.Data, CreatedAt: at(c.CreatedAt), ExpiresAt: at(c.ExpiresAt),
	}).Exec(ctx)
	return translated(ctx, err, "challenge")
}

func (r challenges) Get(ctx context.Context, purpose domain.ChallengePurpose, hash []byte, now time.Time) (domain.Challenge, error) {
	var row challengeRow
	err := r.db.NewSelect().Model(&row).Where("c.hash = ?", hash).Where("c.purpose = ?", purpose).Where("c.expires_at > ?", at(now)).Scan(ctx)
	if err != nil {
		return domain.Challenge{}, translated(ctx, err, "challenge")
	}
	return row.challenge(), nil
}

func (r challenges) Take(ctx context.Context, purpose domain.ChallengePurpose, hash []byte, now time.Time) (domain.Challenge, error) {
	taken, err := r.Get(ctx, purpose, hash, now)
	if err != nil {
		return domain.Challenge{}, err
	}
	res, err := r.db.NewDelete().Model((*challengeRow)(nil)).Where("hash = ?", hash).Exec(ctx)
	return taken, found(ctx, res, err, "challenge")
}

func (r challenges) DeleteExpired(ctx context.Context, before time.Time) (int, error) {
	res, err := r.db.NewDelete().Model((*challengeRow)(nil)).Where("expires_at < ?", at(before)).Exec(ctx)
	if err != nil {
		return 0, translated(ctx, err, "challenge")
	}
	n, err := res.RowsAffected()
	return int(n), translated(ctx, err, "challenge")
}
