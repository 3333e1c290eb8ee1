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

// Frames are taken at a low priority, so on a busy machine a film's time may be over before its frame is there. pictureTries is how often
// a scan tries such a film, lateFilms for how many films it tries more than once; what is missing after that is left to the next scan.
const (
	pictureTries = 5
	lateFilms    = 200
)

// pictureBatch is for how many films pictures are looked for before that is committed, unless readTime is over first.
const pictureBatch = 100

// artwork looks for the pictures of films whose files changed, and of those that nobody looked at yet.
func (r *run) artwork(ctx context.Context) (done bool, err error) {
	for len(r.cur.Films) > 0 {
		some := slices.Clone(r.cur.Films[:min(len(r.cur.Films), pictureBatch)])
		if err := r.picture(ctx, some, 1, func(to *run, films []domain.ID) { to.cur.Films = to.cur.Films[len(films):] }); err != nil {
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
		some, err := r.Store.Read().Images.WithoutPicture(ctx, r.library.ID, before, r.cur.Pictured, pictureBatch)
		if err != nil {
			return false, err
		}
		if len(some) == 0 {
			break
		}
		if err := r.picture(ctx, some, 1, func(to *run, films []domain.ID) { to.cur.Pictured = films[len(films)-1] }); err != nil {
			return false, err
		}
		if r.over() {
			return false, nil
		}
	}
	// One at a time, so that none has less than the whole of what the machine has left.
	for len(r.cur.Late) > 0 {
		next := r.cur.Late[0]
		if err := r.picture(ctx, []domain.ID{next.Film}, next.Tries+1, func(to *run, _ []domain.ID) { to.cur.Late = to.cur.Late[1:] }); err != nil {
			return false, err
		}
		if r.over() {
			return false, nil
		}
	}
	return true, nil
}

// picture refreshes the first of some films, a few at a time and at least one, and commits that it did. Those that took too long are late, until
// they were tried often enough; other films whose pictures fail are left for the next scan.
func (r *run) picture(ctx context.Context, films []domain.ID, try int, done func(to *run, films []domain.ID)) error {
	slow := make([]bool, len(films))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(r.Readers)
	until := r.batchEnd()
	for i, id := range films {
		if i > 0 && time.Now().After(until) {
			films = films[:i]
			break
		}
		group.Go(func() error {
			hurry, cancel := context.WithTimeout(within, r.PictureTime)
			defer cancel()
			if err := r.Images.Refresh(hurry, id); err != nil && within.Err() == nil {
				slow[i] = hurry.Err() != nil
				r.Logger.WarnContext(within, "the pictures of a film failed", "movie", id, "try", try, "error", err)
			}
			return within.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		done(to, films)
		for i, id := range films {
			known := slices.ContainsFunc(to.cur.Late, func(l late) bool { return l.Film == id })
			if slow[i] && !known && try < pictureTries && len(to.cur.Late) < lateFilms {
				to.cur.Late = append(to.cur.Late, late{id, try})
			}
		}
		if try == 1 {
			to.scan.Artwork += len(films)
		}
		to.scan.ArtworkTotal = max(to.scan.ArtworkTotal, to.scan.Matched, to.scan.Artwork+len(to.cur.Films))
		return tx.Events.Publish(ctx, moviesChanged(r.library.ID))
	})
}
