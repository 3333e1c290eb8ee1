package images_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/diskblobs"
	"github.com/revenge-media/revenge/adapters/ffmpeg"
	"github.com/revenge-media/revenge/adapters/imaging"
	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/osfiles"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/images"
	"github.com/revenge-media/revenge/core/views"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/testkit/demo"
)

// shelf is a library folder with its pictures, on real adapters; films are files of four bytes unless a test wants frames.
type shelf struct {
	t       *testing.T
	dir     string
	blobs   string
	store   *sqlstore.Store
	images  *images.Service
	library domain.Library
	scope   domain.Scope
}

// noFrames is a server without ffmpeg.
type noFrames struct{ media.Transcoder }

func (noFrames) Frame(context.Context, media.Input, float64, int) ([]byte, error) {
	return nil, fault.New(fault.Unavailable, media.CodeToolMissing, "not installed")
}

func (s *shelf) Authorize(_ context.Context, actor domain.Actor, _ domain.Permission) error {
	if actor.Anonymous() {
		return fault.New(fault.Unauthenticated, "auth.required", "Sign in.")
	}
	return nil
}

func (s *shelf) Scope(context.Context, domain.Actor) (domain.Scope, error) { return s.scope, nil }

// ScopeFor implements Access.
func (s *shelf) ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error) {
	if err := s.Authorize(ctx, actor, p); err != nil {
		return domain.Scope{}, err
	}
	return s.Scope(ctx, actor)
}

func newShelf(t *testing.T, transcoder media.Transcoder) *shelf {
	t.Helper()
	told := membus.New()
	s := &shelf{t: t, dir: t.TempDir(), blobs: filepath.Join(t.TempDir(), "blobs"), store: sqlstoretest.SQLite(t, sqlstore.Config{Publisher: told})}
	own, err := otter.Open(t.Context(), otter.Config{})
	if err != nil {
		t.Fatal(err)
	}
	kept := views.New(views.Deps{Cache: own, Bus: told, Logger: slog.New(slog.DiscardHandler)})
	told.Ahead(t.Context(), func(m bus.Message) { kept.Forget(t.Context(), string(m.Payload)) }, bus.TopicMovie)
	blobs, err := diskblobs.Open(diskblobs.Config{Dir: s.blobs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	s.images = images.New(images.Deps{Store: s.store, Access: s, Views: kept, Files: osfiles.NewTree(), Blobs: blobs, Processor: imaging.New(), Transcoder: transcoder, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	root, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	at := domain.Stamp(time.Now())
	s.library = domain.Library{ID: domain.NewID(), Name: "films", Open: true, CreatedAt: at, UpdatedAt: at}
	s.library.Paths = []domain.LibraryPath{{ID: domain.NewID(), LibraryID: s.library.ID, Raw: []byte(root), Path: root, State: domain.PathOK}}
	s.scope = domain.ScopeOf(s.library.ID)
	s.update(func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, s.library) })
	return s
}

func (s *shelf) update(fn func(ctx context.Context, tx store.Tx) error) {
	s.t.Helper()
	if err := s.store.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// film stores a film whose file is at path.
func (s *shelf) film(path string, change ...func(*domain.File)) domain.ID {
	s.t.Helper()
	at := domain.Stamp(time.Now())
	m := domain.Movie{ID: domain.NewID(), LibraryID: s.library.ID, Title: path, SortTitle: path, Genres: []string{}, Available: true, AddedAt: at, UpdatedAt: at}
	m.Identity = domain.MovieIdentity(m.ID, 0, "")
	f := domain.File{ID: domain.NewID(), LibraryID: s.library.ID, PathID: s.library.Paths[0].ID, MovieID: &m.ID, Raw: []byte(path), Path: path, Kind: domain.KindMovie, State: domain.FileReady,
		Revision: "ab", Media: &domain.Media{Duration: 16}, ModifiedAt: at, AddedAt: at, UpdatedAt: at}
	for _, c := range change {
		c(&f)
	}
	s.update(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Movies.Save(ctx, m); err != nil {
			return err
		}
		return tx.Files.Insert(ctx, f)
	})
	if _, err := os.Stat(filepath.Join(s.dir, path)); err != nil {
		s.write(path, []byte("film"))
	}
	return m.ID
}

func (s *shelf) write(path string, data []byte) {
	s.t.Helper()
	whole := filepath.Join(s.dir, path)
	if err := os.MkdirAll(filepath.Dir(whole), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(whole, data, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// picture is a JPEG, or a PNG by its name, of one colour and a width that tells it apart.
func (s *shelf) picture(path string, width int) {
	s.t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, 150))
	for i := range img.Pix {
		img.Pix[i] = byte(width)
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	var err error
	if filepath.Ext(path) == ".png" {
		err = png.Encode(&b, img)
	} else {
		err = jpeg.Encode(&b, img, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(path, b.Bytes())
}

// look refreshes a film and returns the widths of its pictures by kind.
func (s *shelf) look(movie domain.ID) map[domain.ImageKind]domain.StoredImage {
	s.t.Helper()
	if err := s.images.Refresh(s.t.Context(), movie); err != nil {
		s.t.Fatal(err)
	}
	list, err := s.store.Read().Images.ByMovie(s.t.Context(), s.scope, movie)
	if err != nil {
		s.t.Fatal(err)
	}
	found := map[domain.ImageKind]domain.StoredImage{}
	for _, i := range list {
		found[i.Kind] = i
	}
	return found
}

var viewer = domain.Actor{UserID: domain.NewID(), Username: "u"}

func TestPicturesBesideAFilmAreFound(t *testing.T) {
	t.Parallel()
	s := newShelf(t, noFrames{})
	alone := s.film("Alone (1990)/alone.mkv")
	s.picture("Alone (1990)/folder.jpg", 101)
	s.picture("Alone (1990)/Fanart.PNG.jpg", 102) // no picture's name
	s.picture("Alone (1990)/BackDrop.JPEG", 103)
	s.picture("Alone (1990)/clearlogo.png", 104)
	one, two := s.film("Flat/one.mkv"), s.film("Flat/two.mkv")
	s.picture("Flat/poster.jpg", 110) // whose?
	s.picture("Flat/one-poster.png", 111)
	s.picture("Flat/two.jpg", 112)
	s.picture("Flat/two-fanart.jpg", 113)
	part := s.film("Epic/disc 1/epic.mkv", func(f *domain.File) { f.Part = 1 })
	s.picture("Epic/poster.jpg", 120)
	own := s.film("Own/film.mkv")
	s.picture("Own/poster.jpg", 130)
	s.picture("Own/film-poster.jpg", 131)
	bare := s.film("Bare/film.mkv")
	for movie, want := range map[domain.ID]map[domain.ImageKind]int{
		alone: {domain.ImagePoster: 101, domain.ImageBackdrop: 103, domain.ImageLogo: 104},
		one:   {domain.ImagePoster: 111}, two: {domain.ImagePoster: 112, domain.ImageBackdrop: 113},
		part: {domain.ImagePoster: 120}, own: {domain.ImagePoster: 131}, bare: {},
	} {
		found := s.look(movie)
		if len(found) != len(want) {
			t.Errorf("found %+v, want %v", found, want)
		}
		for kind, width := range want {
			if i := found[kind]; i.Width != width || i.Height != 150 || i.Thumbhash == "" || i.Hash == "" || i.Source != "local" {
				t.Errorf("%s is %+v, want the one of %d pixels", kind, i, width)
			}
		}
	}
}

func TestPicturesFollowTheirFiles(t *testing.T) {
	t.Parallel()
	s := newShelf(t, noFrames{})
	film := s.film("Film/film.mkv")
	s.picture("Film/poster.jpg", 101)
	first := s.look(film)[domain.ImagePoster]
	if again := s.look(film)[domain.ImagePoster]; again.ID != first.ID || !again.UpdatedAt.Equal(first.UpdatedAt) {
		t.Errorf("an unchanged picture was read again: %+v", again)
	}
	s.picture("Film/poster.jpg", 140)
	if changed := s.look(film)[domain.ImagePoster]; changed.ID != first.ID || changed.Width != 140 || changed.Hash == first.Hash {
		t.Errorf("a changed picture: %+v", changed)
	}
	s.write("Film/poster.jpg", []byte("<svg/>"))
	s.picture("Film/cover.png", 150)
	if next := s.look(film)[domain.ImagePoster]; next.Width != 150 {
		t.Errorf("behind a damaged one: %+v", next)
	}
	away := s.dir + " away"
	if err := os.Rename(filepath.Join(s.dir, "Film"), away); err != nil {
		t.Fatal(err)
	}
	if kept := s.look(film); len(kept) != 1 {
		t.Errorf("while the folder cannot be looked at: %+v", kept)
	}
	if err := os.Rename(away, filepath.Join(s.dir, "Film")); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(s.dir, "Film/cover.png"))
	if gone := s.look(film); len(gone) != 0 {
		t.Errorf("without a picture: %+v", gone)
	}
	if err := s.images.Refresh(t.Context(), domain.NewID()); err != nil {
		t.Errorf("a film that is gone: %v", err)
	}
}

func TestRenditionsAreMadeOnceAndServedByScope(t *testing.T) {
	t.Parallel()
	s := newShelf(t, noFrames{})
	film := s.film("Film/film.mkv")
	s.picture("Film/poster.jpg", 300)
	poster := s.look(film)[domain.ImagePoster]
	ctx := t.Context()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			r, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, poster.ID, 160, true)
			if err != nil || r.Format != "webp" || !bytes.HasPrefix(r.Data, []byte("RIFF")) || r.Hash != poster.Hash {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	all.Wait()
	made, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, film, 160, false)
	if err != nil {
		t.Fatal(err)
	}
	if img, err := jpeg.Decode(bytes.NewReader(made.Data)); err != nil || img.Bounds().Dx() != 160 {
		t.Errorf("as JPEG: %v", err)
	}
	os.Remove(filepath.Join(s.dir, "Film/poster.jpg"))
	if cached, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, film, 160, false); err != nil || !bytes.Equal(cached.Data, made.Data) || cached.ETag != made.ETag {
		t.Errorf("from the cache: %v", err)
	}
	if _, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, film, 320, false); !fault.IsNotFound(err) {
		t.Errorf("a new size of a picture that is gone: %v", err)
	}
	s.picture("Film/poster.jpg", 310)
	if _, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, film, 320, false); fault.CodeOf(err) != "image.changed" {
		t.Errorf("another picture in its place: %v", err)
	}
	if _, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, film, 333, false); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("an odd size: %v", err)
	}
	if _, err := s.images.Rendition(ctx, domain.Actor{}, domain.ImagePoster, film, 160, false); err == nil || fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
	s.scope = domain.Scope{}
	for _, id := range []domain.ID{poster.ID, film} {
		if _, err := s.images.Rendition(ctx, viewer, domain.ImagePoster, id, 160, false); !fault.IsNotFound(err) {
			t.Errorf("out of scope: %v", err)
		}
	}
}

func TestAFilmThatWaitsForFFmpegIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	s := newShelf(t, noFrames{})
	bare, complete := s.film("Bare/film.mkv"), s.film("Complete/film.mkv")
	s.picture("Bare/poster.jpg", 100)
	s.picture("Complete/fanart.jpg", 300)
	if got := s.look(bare); got[domain.ImagePoster].Width != 100 {
		t.Errorf("the pictures that are there: %+v", got)
	}
	s.look(complete)
	for after, want := range map[time.Duration]int{time.Hour: 0, 24 * time.Hour: 1, 2 * images.LookAgain: 2} {
		due, err := s.store.Read().Images.WithoutPicture(t.Context(), s.library.ID, time.Now().Add(after-images.LookAgain), domain.ID{}, 10)
		if err != nil || len(due) != want || want == 1 && due[0] != bare {
			t.Errorf("to be looked at again after %v: %v %v, want %d (%v first)", after, due, err, want, bare)
		}
	}
}

func TestAFrameStandsInForABackdrop(t *testing.T) {
	t.Parallel()
	tools, err := ffmpeg.Open(ffmpeg.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tools.Close() })
	s := newShelf(t, tools)
	demo.Copy(t, demo.H264AAC, filepath.Join(s.dir, "Film/film.mp4"))
	film := s.film("Film/film.mp4")
	frame := s.look(film)[domain.ImageBackdrop]
	if frame.Source != "frame" || frame.Width != 320 || frame.Height != 180 {
		t.Fatalf("frame %+v", frame)
	}
	if again := s.look(film)[domain.ImageBackdrop]; !again.UpdatedAt.Equal(frame.UpdatedAt) {
		t.Errorf("the frame was taken again: %+v", again)
	}
	if err := os.RemoveAll(filepath.Join(s.blobs, "frames")); err != nil { // evicted
		t.Fatal(err)
	}
	if r, err := s.images.Rendition(t.Context(), viewer, domain.ImageBackdrop, frame.ID, 160, false); err != nil || len(r.Data) == 0 {
		t.Errorf("after eviction: %v", err)
	}
	without := s.images.Deps
	without.NoFrames = true
	s.images = images.New(without)
	if again := s.look(film)[domain.ImageBackdrop]; again.ID != frame.ID {
		t.Errorf("without frames the one that was taken is gone: %+v", again)
	}
	demo.Copy(t, demo.H264AAC, filepath.Join(s.dir, "Other/other.mp4"))
	if other := s.look(s.film("Other/other.mp4")); len(other) != 0 {
		t.Errorf("without frames one was taken: %+v", other)
	}
	s.picture("Film/fanart.jpg", 200)
	if local := s.look(film)[domain.ImageBackdrop]; local.Source != "local" || local.ID != frame.ID {
		t.Errorf("with a picture of its own: %+v", local)
	}
}
