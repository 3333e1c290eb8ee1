package library

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/files"
)

const (
	// quiet is how long changes are collected before a scan; patience bounds it while more keep coming.
	quiet    = 2 * time.Second
	patience = 15 * time.Second
	// manyFolders is how many changed folders are scanned one by one; more are one scan of the library.
	manyFolders = 200
)

// WatchFiles starts scans of the folders in which something happens, until ctx ends. It follows libraries as they come and go. What
// it misses is found by the periodic scan.
func (s *Service) WatchFiles(ctx context.Context) error {
	if s.Watcher == nil {
		return nil
	}
	changed, err := s.Bus.Subscribe(ctx, bus.TopicAccess)
	if err != nil {
		return err
	}
	w := &watching{Service: s, folders: map[domain.ID]map[string]bool{}}
	for ctx.Err() == nil {
		libraries, err := s.Store.Read().Libraries.List(ctx, domain.ScopeAll())
		if err != nil {
			s.Logger.WarnContext(ctx, "the libraries to be watched cannot be read", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Second):
			}
			continue
		}
		w.roots(ctx, libraries, changed)
	}
	return ctx.Err()
}

// watching collects changed folders by library.
type watching struct {
	*Service
	folders map[domain.ID]map[string]bool
}

// roots watches the folders of these libraries until they are others.
func (w *watching) roots(ctx context.Context, libraries []domain.Library, changed <-chan bus.Message) {
	within, stop := context.WithCancel(ctx)
	defer stop()
	owner := map[string]domain.ID{}
	var roots [][]byte
	for _, l := range libraries {
		for _, p := range l.Paths {
			owner[string(p.Raw)] = l.ID
			roots = append(roots, p.Raw)
		}
	}
	changes := w.Watcher.Watch(within, roots, func(root []byte, err error) {
		if within.Err() == nil {
			w.Logger.WarnContext(within, "a folder cannot be watched; it is scanned from time to time", "folder", display(root), "error", err)
		}
	})
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-changed:
			if !open || !sameRoots(w.load(ctx, libraries), libraries) {
				return
			}
		case c, open := <-changes:
			if !open {
				changes = nil // nothing can be watched; libraries may still change
				continue
			}
			w.note(owner, c)
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) < patience {
				timer.Reset(quiet)
			}
		case <-timer.C:
			since = time.Time{}
			w.start(ctx)
			if len(w.folders) > 0 {
				timer.Reset(quiet)
			}
		}
	}
}

func (w *watching) load(ctx context.Context, old []domain.Library) []domain.Library {
	libraries, err := w.Store.Read().Libraries.List(ctx, domain.ScopeAll())
	if err != nil {
		return old
	}
	return libraries
}

func sameRoots(a, b []domain.Library) bool {
	count := map[string]int{}
	for _, l := range a {
		for _, p := range l.Paths {
			count[p.ID.String()]++
		}
	}
	for _, l := range b {
		for _, p := range l.Paths {
			count[p.ID.String()]--
		}
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func (w *watching) note(owner map[string]domain.ID, c files.Change) {
	id, ok := owner[string(c.Root)]
	if !ok {
		return
	}
	if w.folders[id] == nil {
		w.folders[id] = map[string]bool{}
	}
	folder := c.Root
	if len(c.Dir) > 0 {
		folder = join(c.Root, c.Dir)
	}
	w.folders[id][string(folder)] = true
}

// start starts a scan for each library with changes; those that have one already wait for it.
func (w *watching) start(ctx context.Context) {
	for id, set := range w.folders {
		var folders [][]byte
		for folder := range set {
			if len(set) <= manyFolders {
				folders = append(folders, []byte(folder))
			}
		}
		_, err := w.Service.start(ctx, id, triggerEvent, folders)
		switch {
		case fault.CodeOf(err) == codeScanActive:
			continue
		case err != nil && !fault.IsNotFound(err) && fault.KindOf(err) != fault.Conflict:
			w.Logger.WarnContext(ctx, "a scan for changed files did not start", "library", id, "error", err)
			continue
		}
		delete(w.folders, id)
	}
}
