package images

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/views"
	"github.com/revenge-media/revenge/ports/images"
)

// Widths are the sizes that pictures are served in, in pixels.
var Widths = []int{160, 320, 480, 640, 960, 1280, 1920}

// Rendition is a picture in one size and format.
type Rendition struct {
	Data   []byte
	Format string // images.FormatJPEG or images.FormatWebP
	// Hash is of the source that this was made from: a URL that carries it never changes its content.
	Hash string
	// ETag is a strong validator, quoted (RFC 9110, 8.8.3).
	ETag string
}

// Rendition returns a picture of a kind, named by its own id or by its film's, at most width pixels wide. It is made when it is
// first asked for and cached. Faults: NotFound "image.not_found", Invalid "image.bad_width".
func (s *Service) Rendition(ctx context.Context, actor domain.Actor, kind domain.ImageKind, id domain.ID, width int, webp bool) (Rendition, error) {
	scope, err := s.Access.ScopeFor(ctx, actor, domain.PermissionLibraryRead)
	if err != nil {
		return Rendition{}, err
	}
	if !slices.Contains(Widths, width) {
		return Rendition{}, fault.InvalidField("image.bad_width", "width", "Pictures are %v pixels wide.", Widths)
	}
	image, err := views.Read(ctx, s.Views, views.Asked{Scope: scope, Name: "image", With: []any{kind, id}}, func(ctx context.Context) (domain.StoredImage, error) {
		return s.find(ctx, scope, kind, id)
	})
	if err != nil {
		return Rendition{}, err
	}
	format, extension := images.FormatJPEG, "jpg"
	if webp {
		format, extension = images.FormatWebP, "webp"
	}
	r := Rendition{Format: format, Hash: image.Hash, ETag: fmt.Sprintf(`"%s-%d-%s"`, image.Hash, width, extension)}
	key := fmt.Sprintf("images/%s/%s-%d.%s", image.Hash[:min(2, len(image.Hash))], image.Hash, width, extension)
	if r.Data, err = s.cached(ctx, key); err == nil {
		return r, nil
	}
	r.Data, err = s.resizing.Do(ctx, key, func(ctx context.Context) ([]byte, error) { return s.make(ctx, image, key, width, format) })
	return r, err
}

// find looks a picture up by its id, else by its film's.
func (s *Service) find(ctx context.Context, scope domain.Scope, kind domain.ImageKind, id domain.ID) (domain.StoredImage, error) {
	image, err := s.Store.Read().Images.Get(ctx, scope, id)
	if err == nil && image.Kind == kind {
		return image, nil
	}
	if err != nil && !fault.IsNotFound(err) {
		return domain.StoredImage{}, err
	}
	list, err := s.Store.Read().Images.ByMovie(ctx, scope, id)
	if err != nil {
		return domain.StoredImage{}, err
	}
	if of := ofKind(list, kind); of != nil {
		return *of, nil
	}
	return domain.StoredImage{}, fault.New(fault.NotFound, "image.not_found", "There is no such picture.")
}

func (s *Service) cached(ctx context.Context, key string) ([]byte, error) {
	blob, err := s.Blobs.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

// make resizes the source and caches the result. A source that is not the one that was measured is refused, for under its hash another
// picture is promised; the next scan measures it.
func (s *Service) make(ctx context.Context, image domain.StoredImage, key string, width int, format string) ([]byte, error) {
	source, err := s.source(ctx, image)
	if err != nil {
		return nil, err
	}
	if image.Source == sourceLocal && hashOf(source) != image.Hash {
		return nil, fault.New(fault.NotFound, "image.changed", "The picture changed on disk. It is shown after the next scan.")
	}
	leave, err := s.cores.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	data, err := s.Processor.Resize(ctx, bytes.NewReader(source), width, format)
	if err != nil {
		return nil, err
	}
	if err := s.Blobs.Put(ctx, key, bytes.NewReader(data)); err != nil {
		s.Logger.WarnContext(ctx, "a resized picture could not be cached", "image", image.ID, "error", err) // it is served all the same
	}
	return data, nil
}

// source reads what a picture is made from. A frame that was evicted is taken again.
func (s *Service) source(ctx context.Context, image domain.StoredImage) ([]byte, error) {
	library, err := s.Store.Read().Libraries.Get(ctx, domain.ScopeAll(), image.LibraryID)
	if err != nil {
		return nil, err
	}
	roots := rootsOf(library)
	if image.Source == sourceLocal {
		root, known := roots[derefID(image.SourcePathID)]
		if !known {
			return nil, fault.New(fault.NotFound, "image.not_found", "There is no such picture.")
		}
		return s.load(ctx, root, image.SourceRaw)
	}
	if data, err := s.cached(ctx, image.Blob); err == nil {
		return data, nil
	}
	all, err := s.Store.Read().Files.ByMovie(ctx, domain.ScopeAll(), image.MovieID)
	if err != nil {
		return nil, err
	}
	for _, f := range present(all) {
		root, known := roots[f.PathID]
		if !known || f.Revision != image.SourceRevision || f.Media == nil {
			continue
		}
		data, err := s.capture(ctx, root, f)
		if err != nil {
			return nil, err
		}
		if err := s.Blobs.Put(ctx, image.Blob, bytes.NewReader(data)); err != nil {
			s.Logger.WarnContext(ctx, "a frame could not be kept", "image", image.ID, "error", err)
		}
		return data, nil
	}
	return nil, fault.New(fault.NotFound, "image.not_found", "There is no such picture.")
}

func derefID(id *domain.ID) domain.ID {
	if id == nil {
		return domain.ID{}
	}
	return *id
}
