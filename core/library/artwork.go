package library

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/images"
	"github.com/revenge-media/revenge/ports/store"
)

// pictureTime is how long one film's pictures may take.
const pictureTime = 12 * time.Second

// artwork looks for the pictures of films whose files changed, and of those that nobody looked at yet.
func (r *run) artwork(ctx context.Context) (done bool, err error) {
	for len(r.cur.Films) > 0 {
		some := slices.Clone(r.cur.Films[:min(len(r.cur.Films), r.Readers)])
		if err := r.picture(ctx, some, func(to *run) { to.cur.Films = to.cur.Films[len(some):] }); err != nil {
			return false, err
		}
		if r.over() {
			return false, nil
		}
	}
	before := r.Now().Add(-images.LookAgain)
	if r.cur.Many {
		before = r.cur.since(r.scan)
	}
	for {
		some, err := r.Store.Read().Images.WithoutPicture(ctx, r.library.ID, before, r.cur.Pictured, r.Readers)
		if err != nil || len(some) == 0 {
			return err == nil, err
		}
		if err := r.picture(ctx, some, func(to *run) { to.cur.Pictured = some[len(some)-1] }); err != nil {
			return false, err
		}
		if r.over() {
			return false, nil
		}
	}
}

// picture refreshes some films, a few at a time, and commits that it did. A film whose pictures fail is left for the next scan.
func (r *run) picture(ctx context.Context, films []domain.ID, done func(to *run)) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(r.Readers)
	for _, id := range films {
		group.Go(func() error {
			hurry, cancel := context.WithTimeout(within, pictureTime)
			defer cancel()
			if err := r.Images.Refresh(hurry, id); err != nil && within.Err() == nil {
				r.Logger.WarnContext(within, "the pictures of a film failed", "movie", id, "error", err)
			}
			return within.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		done(to)
		to.scan.Artwork += len(films)
		to.scan.ArtworkTotal = max(to.scan.ArtworkTotal, to.scan.Matched, to.scan.Artwork+len(to.cur.Films))
		return tx.Events.Publish(ctx, moviesChanged(r.library.ID))
	})
}
