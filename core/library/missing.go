package library

import (
	"context"
	"fmt"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

// The limits of R10: a path of which more than this vanished within the window is frozen, for a disk is likelier to be away than
// so many films to be deleted.
const (
	window        = 24 * time.Hour
	believedFiles = 50
	doubtFrom     = 5
	doubtPercent  = 10
	// purgeAfter is how long a file is missing before it is forgotten.
	purgeAfter = 30 * 24 * time.Hour
)

// judge decides for every path that was walked over whether the files that vanished are believed to be gone (R10).
func (r *run) judge(ctx context.Context) error {
	if r.cur.Judged {
		return nil
	}
	type verdict struct {
		trouble string
		added   int
	}
	verdicts := map[domain.ID]*verdict{}
	for _, w := range r.cur.Walks {
		v := verdicts[w.PathID]
		if v == nil {
			v = &verdict{}
			verdicts[w.PathID] = v
		}
		v.added += w.Added
		if w.Trouble != "" {
			v.trouble = w.Trouble
		}
		if p, ok := pathOf(r.library, w.PathID); ok && v.trouble == "" {
			if root, err := r.Tree.Stat(ctx, p.Raw, nil); ctx.Err() != nil {
				return ctx.Err()
			} else if err != nil || root.Inode != w.Root {
				v.trouble = changedMeanwhile
			}
		}
	}
	now := r.now()
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		to.cur.Judged = true
		l, err := tx.Libraries.Get(ctx, domain.ScopeAll(), r.library.ID)
		if err != nil {
			return err
		}
		for _, p := range l.Paths {
			v := verdicts[p.ID]
			if v == nil {
				continue
			}
			counted, err := tx.Files.Count(ctx, p.ID, windowOf(p, now))
			if err != nil {
				return err
			}
			was := p
			p.Vanished = counted.Vanished
			if r.full() {
				p.ScannedAt = &now
			}
			reason := v.trouble
			if reason == "" {
				reason = doubt(counted, v.added)
			}
			switch {
			case reason != "":
				p.State, p.Reason = domain.PathFrozen, reason
				if p.FrozenAt == nil {
					p.FrozenAt = &now
				}
			case was.State == domain.PathFrozen && !r.full():
				// A look at single folders says nothing about the others.
			default:
				missing, err := r.believe(ctx, tx, &p, now)
				if err != nil {
					return err
				}
				to.scan.Missing += missing
			}
			if err := tx.Libraries.UpdatePath(ctx, p); err != nil {
				return err
			}
			if p.State != was.State {
				if err := accessChanged(ctx, tx, l.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// windowOf is since when files count as vanished: for a day, or, while the path is frozen, since a day before that; never
// before an administrator confirmed.
func windowOf(p domain.LibraryPath, now time.Time) time.Time {
	since := now.Add(-window)
	if p.FrozenAt != nil && p.FrozenAt.Add(-window).Before(since) {
		since = p.FrozenAt.Add(-window)
	}
	if p.ConfirmedAt != nil && p.ConfirmedAt.After(since) {
		since = *p.ConfirmedAt
	}
	return since
}

// doubt says why it is not believed that files are gone, or "". added files were not known before the walk.
func doubt(c store.PathCount, added int) string {
	known := c.Known - added
	switch {
	case c.Pending == 0:
		return ""
	case c.Vanished >= known:
		return "None of the known files is there."
	case c.Vanished > believedFiles, c.Vanished >= doubtFrom && c.Vanished*100 > known*doubtPercent:
		return fmt.Sprintf("%d of %d known files are not there.", c.Vanished, known)
	}
	return ""
}

// believe marks what vanished from a path as missing and thaws the path. While it was frozen the clock of what was
// missing before stood still.
func (s *Service) believe(ctx context.Context, tx store.Tx, p *domain.LibraryPath, now time.Time) (missing int, err error) {
	if p.State == domain.PathFrozen && p.FrozenAt != nil {
		if err := s.shiftClocks(ctx, tx, p.ID, now.Sub(*p.FrozenAt)); err != nil {
			return 0, err
		}
	}
	p.State, p.Reason, p.FrozenAt = domain.PathOK, "", nil
	ids, err := tx.Files.MarkMissing(ctx, p.ID, now)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	gone, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
	if err != nil {
		return 0, err
	}
	if err := s.Movies.FilesGone(ctx, tx, filmsOf(gone)...); err != nil {
		return 0, err
	}
	return len(ids), tx.Events.Publish(ctx, moviesChanged(p.LibraryID))
}

func (s *Service) shiftClocks(ctx context.Context, tx store.Tx, path domain.ID, by time.Duration) error {
	var ids []domain.ID
	err := eachFile(ctx, tx.Repos, store.FileFilter{PathID: &path, States: []domain.FileState{domain.FileMissing}}, func(f domain.File) error {
		ids = append(ids, f.ID)
		return nil
	})
	if err != nil {
		return err
	}
	list, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
	if err != nil {
		return err
	}
	for i := range list {
		list[i].MissingSince = ptr(list[i].MissingSince.Add(by))
	}
	return tx.Files.Update(ctx, list...)
}

func filmsOf(list []domain.File) []domain.ID {
	seen := map[domain.ID]bool{}
	var films []domain.ID
	for _, f := range list {
		if f.MovieID != nil && !seen[*f.MovieID] {
			seen[*f.MovieID] = true
			films = append(films, *f.MovieID)
		}
	}
	return films
}

// Confirm says that what vanished from a library's frozen paths, or from one of them, is gone: it is marked missing, and
// purged 30 days later.
func (s *Service) Confirm(ctx context.Context, actor domain.Actor, id domain.ID, path *domain.ID) (domain.Library, error) {
	if _, err := s.managed(ctx, actor, id); err != nil {
		return domain.Library{}, err
	}
	var l domain.Library
	err := s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if l, err = tx.Libraries.Get(ctx, domain.ScopeAll(), id); err != nil {
			return err
		}
		if path != nil {
			if _, ok := pathOf(l, *path); !ok {
				return fault.New(fault.NotFound, "library_path.not_found", "This library has no such folder.")
			}
		}
		for i := range l.Paths {
			p := &l.Paths[i]
			if p.State != domain.PathFrozen || path != nil && p.ID != *path {
				continue
			}
			now := s.now()
			if _, err := s.believe(ctx, tx, p, now); err != nil {
				return err
			}
			// What vanished at this very moment is confirmed too.
			p.ConfirmedAt, p.Vanished = ptr(now.Add(time.Microsecond)), 0
			if err := tx.Libraries.UpdatePath(ctx, *p); err != nil {
				return err
			}
		}
		return s.touched(ctx, tx, &l)
	})
	return l, err
}

// Purge forgets files that are missing for 30 days, and films without any file: the handler of KindPurge. What people
// watched stays (R10).
func (s *Service) Purge(ctx context.Context, _ jobs.Run) error {
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		films, err := tx.Files.PurgeMissing(ctx, s.now().Add(-purgeAfter))
		if err != nil || len(films) == 0 {
			return err
		}
		if err := s.Movies.FilesGone(ctx, tx, films...); err != nil {
			return err
		}
		libraries, err := tx.Libraries.List(ctx, domain.ScopeAll())
		if err != nil {
			return err
		}
		for _, l := range libraries {
			if err := tx.Events.Publish(ctx, moviesChanged(l.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}
