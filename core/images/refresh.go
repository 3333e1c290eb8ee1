package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/images"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
)

// Where a picture came from, as domain.StoredImage.Source says.
const (
	sourceLocal = "local"
	sourceFrame = "frame"
)

const (
	// LookAgain is how long a film goes without anybody looking for its pictures, and waitForTool how long one whose frame waits for ffmpeg
	// to be installed.
	LookAgain   = 30 * 24 * time.Hour
	waitForTool = 6 * time.Hour
	// frameAt is where in a film its frame is taken: behind titles and set-up, before anything is given away.
	frameAt = 0.25
	// frameWidth is how wide a frame is kept.
	frameWidth = 1920
)

// Refresh looks for the pictures of one film beside its files and brings what is stored in line: the server's own work,
// at the end of a scan. It does I/O, so it runs outside of any transaction. Pictures that did not change cost a directory listing; unreadable
// ones are logged and left out. Where a folder cannot be looked at, what is known stays. A film that is gone is no error. One whose frame
// waits for ffmpeg to be installed is soon to be looked at again.
func (s *Service) Refresh(ctx context.Context, movieID domain.ID) error {
	read := s.Store.Read()
	m, err := read.Movies.Get(ctx, domain.ScopeAll(), domain.ID{}, movieID)
	if fault.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	library, err := read.Libraries.Get(ctx, domain.ScopeAll(), m.LibraryID)
	if fault.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := read.Files.ByMovie(ctx, domain.ScopeAll(), movieID)
	if err != nil {
		return err
	}
	had, err := read.Images.ByMovie(ctx, domain.ScopeAll(), movieID)
	if err != nil {
		return err
	}
	looked := domain.Stamp(s.Now())
	roots := rootsOf(library)
	films := present(all)
	if len(films) == 0 {
		return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Images.Looked(ctx, movieID, looked) })
	}
	found, complete, err := s.look(ctx, roots, films)
	if err != nil {
		return err
	}

	var put []domain.StoredImage
	var drop []domain.ID
	waits := false
	for _, kind := range []domain.ImageKind{domain.ImagePoster, domain.ImageBackdrop, domain.ImageLogo} {
		old := ofKind(had, kind)
		image, err := s.choose(ctx, m, kind, found[kind], old)
		if err != nil {
			return err
		}
		if image == nil && kind == domain.ImageBackdrop && (complete || old == nil) {
			image, err = s.frame(ctx, m, films, roots, old)
			if waits = fault.CodeOf(err) == media.CodeToolMissing; err != nil && !waits {
				return err
			}
		}
		switch {
		case image != nil && image != old:
			put = append(put, *image)
		case image == nil && old != nil && complete:
			drop = append(drop, old.ID)
		}
	}

	if waits {
		looked = looked.Add(waitForTool - LookAgain)
	}
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Images.Looked(ctx, movieID, looked); fault.IsNotFound(err) {
			return nil // the film went meanwhile
		} else if err != nil {
			return err
		}
		for _, image := range put {
			if _, err := tx.Images.Put(ctx, image); err != nil {
				return err
			}
		}
		if err := tx.Images.Delete(ctx, drop...); err != nil {
			return err
		}
		if len(put)+len(drop) == 0 {
			return nil
		}
		return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicMovie, Payload: []byte(m.LibraryID.String())})
	})
}

func rootsOf(l domain.Library) map[domain.ID][]byte {
	roots := map[domain.ID][]byte{}
	for _, p := range l.Paths {
		roots[p.ID] = p.Raw
	}
	return roots
}

// present are the film files that are on disk.
func present(all []domain.File) []domain.File {
	var films []domain.File
	for _, f := range all {
		if f.Kind == domain.KindMovie && f.State != domain.FileMissing && f.State != domain.FileIgnored && f.MovieID != nil {
			films = append(films, f)
		}
	}
	return films
}

func ofKind(list []domain.StoredImage, kind domain.ImageKind) *domain.StoredImage {
	for i := range list {
		if list[i].Kind == kind {
			return &list[i]
		}
	}
	return nil
}

// choose returns the best candidate that can be read: old itself when it is that one, nil when there is none.
func (s *Service) choose(ctx context.Context, m domain.Movie, kind domain.ImageKind, list []candidate, old *domain.StoredImage) (*domain.StoredImage, error) {
	for _, c := range list {
		revision := fmt.Sprintf("%d-%d", c.entry.Size, c.entry.ModifiedAt.UnixMicro())
		if old != nil && old.Source == sourceLocal && old.SourcePathID != nil && *old.SourcePathID == c.path && bytes.Equal(old.SourceRaw, c.raw) && old.SourceRevision == revision {
			return old, nil
		}
		image, err := s.read(ctx, c)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.Logger.WarnContext(ctx, "a picture beside a film cannot be used", "movie", m.ID, "picture", string(c.raw), "error", err)
			continue
		}
		image.ID, image.Kind, image.MovieID, image.LibraryID = domain.NewID(), kind, m.ID, m.LibraryID
		image.SourceRevision, image.UpdatedAt = revision, domain.Stamp(s.Now())
		return &image, nil
	}
	return nil, nil
}

// read measures a picture file.
func (s *Service) read(ctx context.Context, c candidate) (domain.StoredImage, error) {
	data, err := s.load(ctx, c.root, c.raw)
	if err != nil {
		return domain.StoredImage{}, err
	}
	image, err := s.measure(ctx, data)
	path := c.path
	image.Source, image.SourcePathID, image.SourceRaw = sourceLocal, &path, c.raw
	return image, err
}

// load reads a picture file whole, which the limit bounds.
func (s *Service) load(ctx context.Context, root, raw []byte) ([]byte, error) {
	file, err := s.Files.Open(ctx, root, raw)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if file.Size() > images.MaxBytes {
		return nil, fault.New(fault.TooLarge, images.CodeTooLarge, "The picture has more than %d MB.", images.MaxBytes>>20)
	}
	return io.ReadAll(io.NewSectionReader(file, 0, images.MaxBytes))
}

// measure checks a picture and returns its size, placeholder and hash.
func (s *Service) measure(ctx context.Context, data []byte) (domain.StoredImage, error) {
	width, height, _, err := s.Processor.Inspect(ctx, bytes.NewReader(data))
	if err != nil {
		return domain.StoredImage{}, err
	}
	leave, err := s.cores.Enter(ctx)
	if err != nil {
		return domain.StoredImage{}, err
	}
	defer leave()
	thumbhash, err := s.Processor.Thumbhash(ctx, bytes.NewReader(data))
	if err != nil {
		return domain.StoredImage{}, err
	}
	return domain.StoredImage{Image: domain.Image{Width: width, Height: height, Thumbhash: thumbhash, Hash: hashOf(data)}}, nil
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// frame makes a backdrop of the film itself, once per revision of its first file. Films that ffmpeg cannot open have none. Without
// ffmpeg it returns old with media.CodeToolMissing.
func (s *Service) frame(ctx context.Context, m domain.Movie, films []domain.File, roots map[domain.ID][]byte, old *domain.StoredImage) (*domain.StoredImage, error) {
	for _, f := range films {
		root, known := roots[f.PathID]
		if f.State != domain.FileReady || f.Media == nil || !known {
			continue
		}
		if old != nil && old.Source == sourceFrame && (s.NoFrames || old.SourceRevision == f.Revision) {
			return old, nil
		}
		if s.NoFrames {
			return nil, nil
		}
		data, err := s.capture(ctx, root, f)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var image domain.StoredImage
		if err == nil {
			image, err = s.measure(ctx, data)
		}
		if fault.CodeOf(err) == media.CodeToolMissing {
			return old, err
		}
		if err != nil {
			s.Logger.DebugContext(ctx, "no frame could be taken of a film", "movie", m.ID, "file", f.ID, "error", err)
			return old, nil
		}
		image.ID, image.Kind, image.MovieID, image.LibraryID, image.Source = domain.NewID(), domain.ImageBackdrop, m.ID, m.LibraryID, sourceFrame
		image.SourceRevision, image.UpdatedAt = f.Revision, domain.Stamp(s.Now())
		image.Blob = "frames/" + image.Hash + ".jpg"
		if err := s.Blobs.Put(ctx, image.Blob, bytes.NewReader(data)); err != nil {
			s.Logger.WarnContext(ctx, "a frame could not be kept", "movie", m.ID, "error", err)
			return old, nil
		}
		return &image, nil
	}
	return old, nil
}

// capture takes the frame.
func (s *Service) capture(ctx context.Context, root []byte, f domain.File) ([]byte, error) {
	file, err := s.Files.Open(ctx, root, f.Raw)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return s.Transcoder.Frame(ctx, media.Input{Path: file.Path(), Reader: file, Size: file.Size()}, f.Media.Duration*frameAt, frameWidth)
}
