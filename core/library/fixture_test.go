package library_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/imaging"
	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/osfiles"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/images"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/store"
)

var owner = domain.SystemActor()

// world is a library service on a real disk and database. Its films are texts that begin with "film": what is in a
// container is the business of others.
type world struct {
	*library.Service
	t       *testing.T
	deps    library.Deps
	store   *sqlstore.Store
	root    string // where films are
	library domain.Library
	queue   *queue
	clock   *clock
	tree    *tree
	packer  *packer
	bus     *membus.Bus
}

type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// newWorld makes a library of these files, of which none was changed lately.
func newWorld(t *testing.T, paths ...string) *world {
	t.Helper()
	return newWorldOn(t, sqlstoretest.SQLite, paths...)
}

// newWorldOn is newWorld on another database.
func newWorldOn(t *testing.T, open func(testing.TB, sqlstore.Config) *sqlstore.Store, paths ...string) *world {
	t.Helper()
	w := &world{t: t, root: t.TempDir(), queue: &queue{}, clock: &clock{}, tree: &tree{Tree: osfiles.NewTree()}, packer: &packer{}, bus: membus.New()}
	for _, p := range paths {
		w.write(p, "film "+p)
	}
	w.open(open)
	l, err := w.Create(t.Context(), owner, library.Draft{Name: "Films", Paths: []string{w.root}, Open: true})
	if err != nil {
		t.Fatal(err)
	}
	w.library = l
	return w
}

func (w *world) open(open func(testing.TB, sqlstore.Config) *sqlstore.Store) {
	w.store = open(w.t, sqlstore.Config{Enqueuer: w.queue, Publisher: w.bus})
	logger := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	kept := &memoryBlobs{content: map[string][]byte{}}
	w.deps = library.Deps{
		Store: w.store, Access: everybody{}, Tree: w.tree, Browser: osfiles.NewBrowser(), Watcher: osfiles.NewWatcher(osfiles.WatcherConfig{}),
		Packager: w.packer, Prober: noTool{}, Metadata: titleNFO{}, Blobs: kept, Bus: w.bus,
		Movies: movie.New(movie.Deps{Store: w.store, Now: w.clock.now, Logger: logger}),
		Images: images.New(images.Deps{Store: w.store, Files: w.tree, Blobs: kept, Processor: imaging.New(), Transcoder: noTool{}, Now: w.clock.now, Logger: logger}),
		Now:    w.clock.now, Logger: logger,
	}
	w.Service = library.New(w.deps)
}

func (w *world) path(rel string) string { return filepath.Join(w.root, rel) }

// write makes a file that was last changed an hour ago.
func (w *world) write(rel, content string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(rel)), 0o755))
	w.must(os.WriteFile(w.path(rel), []byte(content), 0o644))
	w.settled(rel)
}

func (w *world) settled(rel string) {
	w.t.Helper()
	at := time.Now().Add(-time.Hour)
	w.must(os.Chtimes(w.path(rel), at, at))
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(to)), 0o755))
	w.must(os.Rename(w.path(from), w.path(to)))
}

func (w *world) remove(rel ...string) {
	w.t.Helper()
	for _, r := range rel {
		w.must(os.RemoveAll(w.path(r)))
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// scan runs a full scan to its end.
func (w *world) scan() domain.Scan {
	w.t.Helper()
	active, err := w.store.Read().Scans.Active(w.t.Context(), w.library.ID)
	if fault.IsNotFound(err) {
		active, err = w.Scan(w.t.Context(), owner, w.library.ID)
	}
	w.must(err)
	return w.finish(active)
}

// finish runs a scan's job slice by slice.
func (w *world) finish(scan domain.Scan) domain.Scan {
	w.t.Helper()
	for range 10_000 {
		if !w.slice(scan) {
			done, err := w.store.Read().Scans.Get(w.t.Context(), domain.ScopeAll(), scan.ID)
			w.must(err)
			return done
		}
	}
	w.t.Fatal("the scan does not end")
	return scan
}

// slice runs one slice and tells whether another is wanted.
func (w *world) slice(scan domain.Scan) bool {
	w.t.Helper()
	return w.run(w.RunScan, library.KindScan, map[string]any{"scanId": scan.ID})
}

func (w *world) run(handler jobs.Handler, kind jobs.Kind, payload any) (again bool) {
	w.t.Helper()
	job, err := jobs.New(kind, "", payload)
	w.must(err)
	err = handler(w.t.Context(), jobs.Run{Kind: kind, Payload: job.Payload, Attempt: 1, Report: func(context.Context, int, int) {}})
	if after, again := jobs.Continued(err); again {
		w.clock.pass(after)
		return true
	}
	w.must(err)
	return false
}

// event scans some folders, as file events ask for.
func (w *world) event(folders ...string) domain.Scan {
	w.t.Helper()
	return w.finish(w.asked(folders...))
}

// asked is a scan of some folders that file events ask for, and that did not begin.
func (w *world) asked(folders ...string) domain.Scan {
	w.t.Helper()
	raws := make([][]byte, len(folders))
	for i, f := range folders {
		raws[i] = []byte(w.path(f))
	}
	scan := domain.Scan{ID: domain.NewID(), LibraryID: w.library.ID, State: domain.ScanQueued, Stage: domain.StageFind, Trigger: "event", Folders: raws, CreatedAt: w.clock.now()}
	w.must(w.store.Update(w.t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Scans.Create(ctx, scan) }))
	return scan
}

// files returns all files by path.
func (w *world) files() map[string]domain.File {
	w.t.Helper()
	list := map[string]domain.File{}
	req := domain.PageRequest{Limit: 100}
	for {
		page, err := w.store.Read().Files.List(w.t.Context(), domain.ScopeAll(), store.FileFilter{LibraryID: &w.library.ID}, req)
		w.must(err)
		for _, f := range page.Items {
			list[string(f.Raw)] = f
		}
		if page.NextCursor == "" {
			return list
		}
		req.Cursor = page.NextCursor
	}
}

func (w *world) file(rel string) domain.File {
	w.t.Helper()
	f, ok := w.files()[rel]
	if !ok {
		w.t.Fatalf("%q is not known", rel)
	}
	return f
}

func (w *world) state(rel string, want domain.FileState, code string) {
	w.t.Helper()
	if f := w.file(rel); f.State != want || f.ReasonCode != code || (code != "") != (f.Reason != "") {
		w.t.Fatalf("%s is %s (%s: %s), want %s (%s)", f.Path, f.State, f.ReasonCode, f.Reason, want, code)
	}
}

// films returns the titles of all films with the paths of their files.
func (w *world) films() map[string][]string {
	w.t.Helper()
	titles := map[string][]string{}
	page, err := w.store.Read().Movies.List(w.t.Context(), domain.ScopeAll(), domain.ID{}, domain.MovieFilter{Sort: domain.SortTitle}, domain.PageRequest{Limit: 100})
	w.must(err)
	for _, m := range page.Items {
		own, err := w.store.Read().Files.ByMovie(w.t.Context(), domain.ScopeAll(), m.ID)
		w.must(err)
		key := fmt.Sprintf("%s (%d)", m.Title, m.Year)
		for _, f := range own {
			titles[key] = append(titles[key], string(f.Raw))
		}
	}
	return titles
}

func (w *world) pathState() domain.LibraryPath {
	w.t.Helper()
	l, err := w.store.Read().Libraries.Get(w.t.Context(), domain.ScopeAll(), w.library.ID)
	w.must(err)
	return l.Paths[0]
}

func (w *world) frozen(want bool) {
	w.t.Helper()
	if p := w.pathState(); (p.State == domain.PathFrozen) != want || want && (p.Reason == "" || p.FrozenAt == nil) {
		w.t.Fatalf("the path is %s (%q), want frozen: %v", p.State, p.Reason, want)
	}
}

func (w *world) count(state domain.FileState) (n int) {
	w.t.Helper()
	for _, f := range w.files() {
		if f.State == state {
			n++
		}
	}
	return n
}

func many(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("Film %c%03d (2001)/Film %c%03d (2001).mkv", 'A'+i%26, i, 'A'+i%26, i)
	}
	return paths
}

func folders(paths []string) []string {
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = filepath.Dir(p)
	}
	return list
}

// everybody may do everything.
type everybody struct{}

func (everybody) Authorize(_ context.Context, actor domain.Actor, permission domain.Permission) error {
	if actor.System || permission == domain.PermissionLibraryRead {
		return nil
	}
	return fault.New(fault.Forbidden, "access.denied", "No.")
}

func (everybody) Scope(_ context.Context, actor domain.Actor) (domain.Scope, error) {
	if actor.System {
		return domain.ScopeAll(), nil
	}
	return domain.Scope{}, nil
}

// ScopeFor implements Access.
func (e everybody) ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error) {
	if err := e.Authorize(ctx, actor, p); err != nil {
		return domain.Scope{}, err
	}
	return e.Scope(ctx, actor)
}

// AuthorizeIn implements Access.
func (e everybody) AuthorizeIn(ctx context.Context, actor domain.Actor, p domain.Permission, _ domain.ID) error {
	return e.Authorize(ctx, actor, p)
}

// AuthorizeAnywhere implements Access.
func (e everybody) AuthorizeAnywhere(ctx context.Context, actor domain.Actor, p domain.Permission) error {
	return e.Authorize(ctx, actor, p)
}

type queue struct {
	mu   sync.Mutex
	jobs []jobs.Job
}

func (q *queue) Enqueue(_ context.Context, _ *sql.Tx, _ *sql.Conn, list ...jobs.Job) (func(), error) {
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.jobs = append(q.jobs, list...)
	}, nil
}

func (q *queue) take(kind jobs.Kind) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = slices.DeleteFunc(q.jobs, func(j jobs.Job) bool {
		if j.Kind == kind {
			n++
			return true
		}
		return false
	})
	return n
}

// tree is the disk with faults.
type tree struct {
	files.Tree
	mu     sync.Mutex
	broken map[string]error // by relative folder
	listed func(rel string)
}

func (d *tree) List(ctx context.Context, root, rel []byte) ([]files.Entry, error) {
	d.mu.Lock()
	err, listed := d.broken[string(rel)], d.listed
	d.mu.Unlock()
	if listed != nil {
		listed(string(rel))
	}
	if err != nil {
		return nil, err
	}
	return d.Tree.List(ctx, root, rel)
}

func (d *tree) breaks(rel string, cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = map[string]error{rel: fault.Wrap(cause, fault.Unavailable, files.CodeUnreadable, "%q cannot be read (input/output error).", rel)}
}

// watched has listed called before each listing, also of those who look ahead.
func (d *tree) watched(listed func(rel string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listed = listed
}

func (d *tree) heals() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = nil
}

// packer reads "film…" as a video of an hour and counts what it read.
type packer struct {
	media.Packager
	mu   sync.Mutex
	read []string
}

func (p *packer) Index(_ context.Context, in media.Input) (domain.Media, []byte, error) {
	data, err := io.ReadAll(io.NewSectionReader(in.Reader, 0, in.Size))
	if err != nil {
		return domain.Media{}, nil, err
	}
	p.mu.Lock()
	p.read = append(p.read, filepath.Base(in.Path))
	p.mu.Unlock()
	switch text := string(data); {
	case text == "":
		return domain.Media{}, nil, fault.New(fault.Invalid, media.CodeEmpty, "empty")
	case strings.HasPrefix(text, "half a film"):
		return domain.Media{}, nil, fault.New(fault.Invalid, media.CodeTruncated, "truncated")
	case strings.HasPrefix(text, "film"):
		return domain.Media{Container: "matroska", Duration: 3600, Indexed: true, Video: []domain.Video{{Codec: "h264", Width: 1920, Height: 1080}}}, []byte("index of " + text), nil
	}
	return domain.Media{}, nil, fault.New(fault.Invalid, media.CodeUnknownContainer, "unknown")
}

func (p *packer) Probe(ctx context.Context, in media.Input) (domain.Media, error) {
	m, _, err := p.Index(ctx, in)
	return m, err
}

func (p *packer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.read)
}

// noTool is a machine without ffmpeg.
type noTool struct{ media.Transcoder }

var errNoTool = fault.New(fault.Unavailable, media.CodeToolMissing, "ffprobe is not installed. Install ffmpeg.")

func (noTool) Probe(context.Context, media.Input) (domain.Media, error) {
	return domain.Media{}, errNoTool
}
func (noTool) Frame(context.Context, media.Input, float64, int) ([]byte, error) {
	return nil, errNoTool
}
func (noTool) Available(context.Context) (string, error) { return "", errNoTool }

// titleNFO reads a title.
type titleNFO struct{}

func (titleNFO) Read(_ context.Context, _ string, data []byte) (metadata.Facts, error) {
	title, ok := strings.CutPrefix(string(data), "title: ")
	if !ok {
		return metadata.Facts{}, fault.New(fault.Invalid, metadata.CodeNFOUnreadable, "no title")
	}
	return metadata.Facts{Title: strings.TrimSpace(title)}, nil
}

type memoryBlobs struct {
	mu      sync.Mutex
	content map[string][]byte
}

func (b *memoryBlobs) Put(_ context.Context, key string, content io.Reader) error {
	data, err := io.ReadAll(content)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.content[key] = data
	return err
}

func (b *memoryBlobs) Get(_ context.Context, key string) (blobs.Reader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.content[key]
	if !ok {
		return nil, fault.New(fault.NotFound, blobs.CodeNotFound, "no blob")
	}
	return blob{bytes.NewReader(data)}, nil
}

func (b *memoryBlobs) Create(context.Context, string, func(string) error) error {
	return errors.New("not needed here")
}
func (b *memoryBlobs) Delete(context.Context, string) error { return nil }
func (b *memoryBlobs) Sweep(context.Context) (int64, error) { return 0, nil }

type blob struct{ *bytes.Reader }

func (blob) Close() error { return nil }
func (blob) Path() string { return "" }
