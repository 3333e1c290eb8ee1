package images

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/files"
)

// names of pictures beside a film, best first. Each also works behind a film file's own name and a dash. They are those that
// Kodi, Jellyfin and Plex look for.
var names = map[domain.ImageKind][]string{
	domain.ImagePoster:   {"poster", "folder", "cover", "movie", "default"},
	domain.ImageBackdrop: {"fanart", "backdrop", "background", "art", "landscape"},
	domain.ImageLogo:     {"clearlogo", "logo"},
}

// extensions are the formats that are read, in the order of preference.
var extensions = []string{"jpg", "jpeg", "png", "webp"}

// candidate is a file that may be a picture of the film.
type candidate struct {
	path  domain.ID
	root  []byte
	raw   []byte
	entry files.Entry
	// rank orders candidates of a kind: the lowest is the best.
	rank int
}

// place is one folder that films lie in.
type place struct {
	path   domain.ID
	folder string
}

// folderOf is the raw folder of a file, relative to the library path; "" is the path itself.
func folderOf(raw []byte) string { return string(raw[:max(0, bytes.LastIndexByte(raw, '/'))]) }

// baseOf is a file's own name without folder and extension.
func baseOf(raw []byte) string {
	name := string(raw[bytes.LastIndexByte(raw, '/')+1:])
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		name = name[:dot]
	}
	return name
}

// places returns the folders of a film's files; parts that lie in folders of their own ("disc 1/") share the one above. bases are the
// names of its files there.
func places(films []domain.File) map[place][]string {
	found := map[place][]string{}
	for _, f := range films {
		folder := folderOf(f.Raw)
		at := place{f.PathID, folder}
		found[at] = append(found[at], baseOf(f.Raw))
		if f.Part > 0 && folder != "" {
			above := place{f.PathID, folderOf([]byte(folder))}
			found[above] = append(found[above], baseOf([]byte(folder)))
		}
	}
	return found
}

// kindOf tells which picture of the film an entry is, if any. In a folder that other films share only pictures with the film's own
// file name are its.
func kindOf(name string, bases []string, shared bool) (kind domain.ImageKind, rank int, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return "", 0, false
	}
	format := slices.Index(extensions, strings.ToLower(name[dot+1:]))
	if format < 0 {
		return "", 0, false
	}
	stem := strings.ToLower(name[:dot])
	for _, base := range bases {
		base = strings.ToLower(base)
		if stem == base {
			return domain.ImagePoster, 50 + format, true // "film.jpg" beside "film.mkv": behind everything that says what it is
		}
		if own, ok := strings.CutPrefix(stem, base+"-"); ok {
			for kind, list := range names {
				if i := slices.Index(list, own); i >= 0 {
					return kind, 4*i + format, true
				}
			}
		}
	}
	if shared {
		return "", 0, false
	}
	for kind, list := range names {
		if i := slices.Index(list, stem); i >= 0 {
			return kind, 100 + 4*i + format, true
		}
	}
	return "", 0, false
}

// look lists a film's folders and returns its pictures, best first. complete is false when a folder could not be listed: what is
// not found then may still be there.
func (s *Service) look(ctx context.Context, roots map[domain.ID][]byte, films []domain.File) (found map[domain.ImageKind][]candidate, complete bool, err error) {
	found, complete = map[domain.ImageKind][]candidate{}, true
	for at, bases := range places(films) {
		root, known := roots[at.path]
		if !known {
			continue
		}
		shared, err := s.Store.Read().Files.Shared(ctx, at.path, []byte(at.folder), *films[0].MovieID)
		if err != nil {
			return nil, false, err
		}
		entries, err := s.Files.List(ctx, root, []byte(at.folder))
		if err != nil {
			if ctx.Err() != nil {
				return nil, false, err
			}
			s.Logger.DebugContext(ctx, "a folder could not be looked at for pictures", "folder", at.folder, "error", err)
			complete = false
			continue
		}
		for _, e := range entries {
			if !e.Regular || e.Err != nil {
				continue
			}
			kind, rank, ok := kindOf(string(e.Name), bases, shared)
			if !ok {
				continue
			}
			raw := e.Name
			if at.folder != "" {
				raw = []byte(at.folder + "/" + string(e.Name))
			}
			found[kind] = append(found[kind], candidate{path: at.path, root: root, raw: raw, entry: e, rank: rank})
		}
	}
	for _, list := range found {
		slices.SortStableFunc(list, func(a, b candidate) int {
			if a.rank != b.rank {
				return a.rank - b.rank
			}
			return bytes.Compare(a.raw, b.raw)
		})
	}
	return found, complete, nil
}
