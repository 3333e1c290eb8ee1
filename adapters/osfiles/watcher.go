package osfiles

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
)

// CodeUnwatchable (Unavailable) says that changes below a root are not reported; it is left to the periodic scan.
const CodeUnwatchable = "files.unwatchable"

// WatcherConfig times a Watcher. Zero fields take the default.
type WatcherConfig struct {
	// Quiet is how long a folder must be left alone before its change is told (default 1 s), MaxWait how long at most that is put off (default 10 s).
	Quiet, MaxWait time.Duration
	// Recheck is how often roots are looked at for having been mounted, unmounted or replaced (default 30 s).
	Recheck time.Duration
}

// Watcher is a files.Watcher on the system's own notifications (fsnotify: inotify on Linux). Network shares tell nothing of what
// other machines change, so it only hastens what the periodic scan finds.
type Watcher struct{ config WatcherConfig }

// NewWatcher returns a Watcher.
func NewWatcher(config WatcherConfig) *Watcher {
	if config.Quiet <= 0 {
		config.Quiet = time.Second
	}
	if config.MaxWait <= 0 {
		config.MaxWait = 10 * time.Second
	}
	if config.Recheck <= 0 {
		config.Recheck = 30 * time.Second
	}
	return &Watcher{config}
}

var _ files.Watcher = (*Watcher)(nil)

// maxPending is how many changed folders of one root are told one by one; more become one change of the root itself.
const maxPending = 1000

// Watch implements files.Watcher. A Change whose Dir is empty is of the root itself: something in it changed, it was mounted or replaced, or so much
// happened that nobody knows where. A new folder is told as itself and so are the folders in it; a folder that went as itself and as its parent.
// Symlinked folders are not watched. failed hears of each root once until it works again.
func (w *Watcher) Watch(ctx context.Context, roots [][]byte, failed func(root []byte, err error)) <-chan files.Change {
	out := make(chan files.Change)
	s := &watch{config: w.config, failed: failed, out: out, folders: map[string]*watchedRoot{}, pending: map[pendingKey]*pendingChange{}}
	for _, r := range roots {
		s.roots = append(s.roots, &watchedRoot{raw: append([]byte(nil), r...), path: filepath.Clean(string(r))})
	}
	go s.run(ctx)
	return out
}

// watch is one call of Watch; only its goroutine touches it.
type watch struct {
	config  WatcherConfig
	failed  func([]byte, error)
	out     chan<- files.Change
	notify  *fsnotify.Watcher
	roots   []*watchedRoot
	folders map[string]*watchedRoot // watched path to its root
	pending map[pendingKey]*pendingChange
	ready   []files.Change // told as soon as somebody listens
}

type watchedRoot struct {
	raw  []byte
	path string // raw with symlinks resolved when it was watched
	// info is what was watched: another identity there means that the root was mounted, unmounted or replaced. nil while unwatched.
	info fs.FileInfo
	told bool // failed has heard of it
	// pending counts its folders that have changed and are not told yet.
	pending int
}

type pendingKey struct {
	root *watchedRoot
	dir  string
}

type pendingChange struct{ first, last time.Time }

func (s *watch) run(ctx context.Context) {
	defer close(s.out)
	notify, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil {
		for _, r := range s.roots {
			s.fail(r, err)
		}
		<-ctx.Done()
		return
	}
	s.notify = notify
	defer func() { _ = notify.Close() }()
	for _, r := range s.roots {
		s.arm(r)
	}
	recheck := time.NewTicker(s.config.Recheck)
	defer recheck.Stop()
	flush := time.NewTicker(max(time.Millisecond, s.config.Quiet/4))
	defer flush.Stop()
	for {
		var out chan<- files.Change
		var next files.Change
		if len(s.ready) > 0 {
			out, next = s.out, s.ready[0]
		}
		select {
		case <-ctx.Done():
			return
		case out <- next:
			s.ready = s.ready[1:]
		case event, ok := <-notify.Events:
			if !ok {
				return
			}
			s.happened(event)
		case err, ok := <-notify.Errors:
			if !ok {
				return
			}
			s.lost(err)
		case <-recheck.C:
			s.recheck()
		case now := <-flush.C:
			s.flush(now)
		}
	}
}

// arm watches a root and all folders below it.
func (s *watch) arm(r *watchedRoot) {
	path, err := filepath.EvalSymlinks(string(r.raw))
	if err == nil {
		r.path = path
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(r.path)
	}
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err == nil {
		err = s.add(r, r.path, false)
	}
	if err != nil {
		s.disarm(r)
		s.fail(r, err)
		return
	}
	r.info, r.told = info, false
}

// disarm forgets a root's watches.
func (s *watch) disarm(r *watchedRoot) {
	for path, of := range s.folders {
		if of == r {
			_ = s.notify.Remove(path) // gone already where the folder is
			delete(s.folders, path)
		}
	}
	r.info = nil
}

// add watches a folder and what is below it; fresh folders are told, since what they hold came before the watch did. Folders that cannot
// be read are left to the scan, which reports them; a limit of the system is an error.
func (s *watch) add(r *watchedRoot, folder string, fresh bool) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == r.path {
				return err
			}
			return fs.SkipDir
		}
		if !d.IsDir() {
			return nil
		}
		if err := s.notify.Add(path); err != nil {
			if path != r.path && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
				return fs.SkipDir
			}
			return err
		}
		s.folders[path] = r
		if fresh {
			s.changed(r, path)
		}
		return nil
	})
}

// happened notes one event.
func (s *watch) happened(event fsnotify.Event) {
	if event.Op == fsnotify.Chmod {
		return // times and permissions: nothing that a scan would see differently
	}
	parent := filepath.Dir(event.Name)
	if r := s.folders[event.Name]; r != nil && event.Has(fsnotify.Remove|fsnotify.Rename) {
		s.changed(r, event.Name)
		if event.Name == r.path {
			s.disarm(r) // until recheck finds it again
			return
		}
		for path, of := range s.folders {
			if of == r && (path == event.Name || strings.HasPrefix(path, event.Name+"/")) {
				_ = s.notify.Remove(path)
				delete(s.folders, path)
			}
		}
	}
	r := s.folders[parent]
	if r == nil {
		return
	}
	if event.Has(fsnotify.Create) {
		if info, err := os.Lstat(event.Name); err == nil && info.IsDir() {
			if err := s.add(r, event.Name, true); err != nil {
				s.changed(r, parent)
				s.disarm(r)
				s.fail(r, err)
			}
			return
		}
	}
	s.changed(r, parent)
}

// lost tells all roots when notifications were dropped.
func (s *watch) lost(err error) {
	for _, r := range s.roots {
		if r.info == nil {
			continue
		}
		s.changed(r, r.path)
		if !errors.Is(err, fsnotify.ErrEventOverflow) {
			s.fail(r, err)
		}
	}
}

// recheck watches again what was mounted, replaced or has become readable, and stops believing watches on what is gone.
func (s *watch) recheck() {
	for _, r := range s.roots {
		info, err := os.Stat(string(r.raw))
		if r.info != nil && err == nil && os.SameFile(info, r.info) {
			continue
		}
		was := r.info != nil
		s.disarm(r)
		s.arm(r)
		if was || r.info != nil {
			s.changed(r, r.path)
		}
	}
}

func (s *watch) fail(r *watchedRoot, err error) {
	if r.told {
		return
	}
	r.told = true
	message := "Changes below %q are not noticed at once (%s); the periodic scan finds them."
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) {
		message = "Changes below %q are not noticed at once, since the system's limit for watched folders is reached (%s). Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances; until then the periodic scan finds them."
	}
	s.failed(r.raw, fault.Wrap(err, fault.Unavailable, CodeUnwatchable, message, display(r.raw), reason(err)))
}

// changed notes that something happened in a folder.
func (s *watch) changed(r *watchedRoot, folder string) {
	dir, err := filepath.Rel(r.path, folder)
	if err != nil || dir == "." {
		dir = ""
	}
	now := time.Now()
	key := pendingKey{r, dir}
	if p := s.pending[key]; p != nil {
		p.last = now
		return
	}
	if r.pending >= maxPending {
		r.pending = 0
		for k := range s.pending {
			if k.root == r {
				delete(s.pending, k)
			}
		}
		key.dir = ""
	}
	r.pending++
	s.pending[key] = &pendingChange{first: now, last: now}
}

// flush tells what has been quiet for long enough, or put off for too long; while nobody listens, changes go on being merged.
func (s *watch) flush(now time.Time) {
	if len(s.ready) > 0 {
		return
	}
	for key, p := range s.pending {
		if now.Sub(p.last) >= s.config.Quiet || now.Sub(p.first) >= s.config.MaxWait {
			s.ready = append(s.ready, files.Change{Root: key.root.raw, Dir: []byte(key.dir)})
			delete(s.pending, key)
			key.root.pending--
		}
	}
}
