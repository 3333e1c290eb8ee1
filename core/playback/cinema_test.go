package playback_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/adapters/astisub"
	"github.com/revenge-media/revenge/adapters/cmaf"
	"github.com/revenge-media/revenge/adapters/diskblobs"
	"github.com/revenge-media/revenge/adapters/ffmpeg"
	"github.com/revenge-media/revenge/adapters/osfiles"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/demo"
)

// cinema plays films of a real folder through real adapters. Who may see what and whose session lives is the test's to say.
type cinema struct {
	t       *testing.T
	dir     string
	store   *sqlstore.Store
	library domain.Library
	service *playback.Service
	deps    playback.Deps
	encoder *watchedEncoder

	mu    sync.Mutex
	now   time.Time
	blind map[domain.ID]bool // users who see no library
	ended map[domain.ID]bool // sessions
	actor map[domain.ID]domain.Actor
}

// watchedEncoder is ffmpeg, counted, and held up where a test wants it.
type watchedEncoder struct {
	media.Transcoder
	encodes atomic.Int32
	hold    atomic.Pointer[func(ctx context.Context) error]
	missing atomic.Bool
}

func (w *watchedEncoder) Available(ctx context.Context) (string, error) {
	if w.missing.Load() {
		return "", fault.New(fault.Unavailable, media.CodeToolMissing, "not installed")
	}
	return w.Transcoder.Available(ctx)
}

func (w *watchedEncoder) EncodeAudio(ctx context.Context, req media.EncodeAudio, out io.Writer) error {
	w.encodes.Add(1)
	if hold := w.hold.Load(); hold != nil {
		if err := (*hold)(ctx); err != nil {
			return err
		}
	}
	return w.Transcoder.EncodeAudio(ctx, req, out)
}

func newCinema(t *testing.T, change ...func(*playback.Deps)) *cinema {
	t.Helper()
	c := &cinema{t: t, dir: t.TempDir(), store: sqlstoretest.SQLite(t, sqlstore.Config{}), now: time.Now(), blind: map[domain.ID]bool{}, ended: map[domain.ID]bool{}, actor: map[domain.ID]domain.Actor{}}
	tools, err := ffmpeg.Open(ffmpeg.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tools.Close() })
	kept, err := diskblobs.Open(diskblobs.Config{Dir: filepath.Join(t.TempDir(), "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	values, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := aesgcm.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c.encoder = &watchedEncoder{Transcoder: tools}
	deps := playback.Deps{
		Store: c.store, Access: c, Sessions: c, Keys: c, Files: osfiles.NewTree(), Blobs: kept, Cache: values, Packager: cmaf.New(cmaf.Config{}), Transcoder: c.encoder,
		Subtitles: astisub.New(), Sealer: sealer, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.now
		},
	}
	for _, ch := range change {
		ch(&deps)
	}
	c.deps, c.service = deps, playback.New(deps)
	t.Cleanup(func() { c.service.Close() })
	root, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	at := domain.Stamp(c.now)
	c.library = domain.Library{ID: domain.NewID(), Name: "films", Open: true, Locale: "en", CreatedAt: at, UpdatedAt: at}
	c.library.Paths = []domain.LibraryPath{{ID: domain.NewID(), LibraryID: c.library.ID, Raw: []byte(root), Path: root, State: domain.PathOK}}
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, c.library) })
	return c
}

func (c *cinema) update(fn func(ctx context.Context, tx store.Tx) error) {
	c.t.Helper()
	if err := c.store.Update(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

// Authorize lets everybody signed in.
func (c *cinema) Authorize(_ context.Context, actor domain.Actor, _ domain.Permission) error {
	if actor.Anonymous() {
		return fault.New(fault.Unauthenticated, "auth.required", "Sign in.")
	}
	return nil
}

// Scope is the library, unless the user was blinded.
func (c *cinema) Scope(_ context.Context, actor domain.Actor) (domain.Scope, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blind[actor.UserID] {
		return domain.Scope{}, nil
	}
	return domain.ScopeOf(c.library.ID), nil
}

// ScopeFor implements Access.
func (c *cinema) ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error) {
	if err := c.Authorize(ctx, actor, p); err != nil {
		return domain.Scope{}, err
	}
	return c.Scope(ctx, actor)
}

// Authenticate knows sessions that were not ended.
func (c *cinema) Resume(ctx context.Context, id domain.ID) (domain.Actor, error) {
	actor, _, err := c.Authenticate(ctx, id)
	return actor, err
}

func (c *cinema) Current(ctx context.Context, actor domain.Actor) (domain.Actor, error) {
	return c.Resume(ctx, actor.Credential())
}

func (c *cinema) Authenticate(_ context.Context, id domain.ID) (domain.Actor, domain.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if actor, ok := c.actor[id]; ok && !c.ended[id] {
		return actor, domain.Session{ID: id, UserID: actor.UserID}, nil
	}
	return domain.Actor{}, domain.Session{}, fault.New(fault.Unauthenticated, "session.ended", "Sign in again.")
}

func (c *cinema) end(session domain.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[session] = true
}

func (c *cinema) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *cinema) viewer(name string, prefs ...domain.Preferences) domain.Actor {
	c.t.Helper()
	at := domain.Stamp(time.Now())
	u := domain.User{ID: domain.NewID(), Username: name, Roles: []domain.RoleName{domain.RoleUser}, CreatedAt: at, UpdatedAt: at}
	c.update(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users.Create(ctx, u, "x"); err != nil || len(prefs) == 0 {
			return err
		}
		return tx.Users.SavePreferences(ctx, u.ID, prefs[0])
	})
	actor := domain.Actor{UserID: u.ID, SessionID: domain.NewID(), Username: name, Roles: u.Roles}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.actor[actor.SessionID] = actor
	return actor
}

// film puts copies of fixtures into the library as the parts of one film, read as a scan reads them.
func (c *cinema) film(title string, fixtures ...demo.Fixture) (domain.ID, []domain.File) {
	c.t.Helper()
	return c.filmOf(title, len(fixtures), func(i int, folder string) string {
		demo.Copy(c.t, fixtures[i], filepath.Join(folder, fixtures[i].Name()))
		return fixtures[i].Name()
	})
}

// filmOf is film of parts that put makes in the film's folder, giving their names.
func (c *cinema) filmOf(title string, parts int, put func(part int, folder string) string) (domain.ID, []domain.File) {
	c.t.Helper()
	at := domain.Stamp(time.Now())
	m := domain.Movie{ID: domain.NewID(), LibraryID: c.library.ID, Title: title, SortTitle: title, Genres: []string{}, Available: true, Versions: 1, Runtime: 16, AddedAt: at, UpdatedAt: at, MetadataSource: "name"}
	m.Identity = domain.MovieIdentity(m.ID, 0, "")
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Movies.Save(ctx, m) })
	var list []domain.File
	for i := range parts {
		name := title + "/" + put(i, filepath.Join(c.dir, title))
		path := filepath.Join(c.dir, name)
		f := domain.File{ID: domain.NewID(), LibraryID: c.library.ID, PathID: c.library.Paths[0].ID, MovieID: &m.ID, Raw: []byte(name), Path: name, Kind: domain.KindMovie, State: domain.FileReady,
			Revision: "0a" + string(rune('0'+i)) + "b", VersionKey: "v", ModifiedAt: at, AddedAt: at, UpdatedAt: at}
		if parts > 1 {
			f.Part = i + 1
		}
		file, err := os.Open(path)
		if err != nil {
			c.t.Fatal(err)
		}
		info, _ := file.Stat()
		in := media.Input{Path: path, Reader: file, Size: info.Size()}
		found, err := cmaf.New(cmaf.Config{}).Probe(c.t.Context(), in)
		if fault.CodeOf(err) == media.CodeUnknownContainer {
			found, err = c.encoder.Probe(c.t.Context(), in)
		}
		file.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		f.Media, f.Size = &found, info.Size()
		list = append(list, f)
	}
	c.insert(list...)
	return m.ID, list
}

func (c *cinema) insert(list ...domain.File) {
	c.t.Helper()
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Files.Insert(ctx, list...) })
}

// browser is a Chromium.
var browser = playback.Capabilities{
	Containers: []string{"mp4", "webm"}, Video: []playback.VideoCapability{{Codec: "h264"}, {Codec: "vp9"}}, Audio: []string{"aac", "opus", "flac"}, HLS: true, MaxAudioChannels: 8,
}

func (c *cinema) plan(actor domain.Actor, movie domain.ID, change ...func(*playback.Request)) playback.Plan {
	c.t.Helper()
	r := playback.Request{Capabilities: browser, Base: "/api/v1/stream"}
	for _, ch := range change {
		ch(&r)
	}
	plan, err := c.service.Plan(c.t.Context(), actor, movie, r)
	if err != nil {
		c.t.Fatal(err)
	}
	return plan
}
