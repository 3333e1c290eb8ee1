package playback

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/media"
)

// located is a file that an actor may play, and where it lies.
type located struct {
	file domain.File
	root []byte
}

// key names what is derived from exactly this content.
func (l located) key() string { return l.file.ID.String() + "/" + l.file.Revision }

// stale is what everything that was made of another content of the file looks like.
func stale() error {
	return fault.New(fault.NotFound, "playback.stale", "The film changed on disk. Start playing it again.")
}

// locate checks what every request for a stream checks: that the actor may play at all, sees the file, and means its present content.
func (s *Service) locate(ctx context.Context, actor domain.Actor, id domain.ID, revision string) (located, error) {
	scope, err := s.reader(ctx, actor)
	if err != nil {
		return located{}, err
	}
	l, err := s.places.get(ctx, s, scope, id)
	if err != nil {
		return located{}, err
	}
	f := l.file
	if f.Revision != revision || f.Media == nil {
		return located{}, stale()
	}
	if f.State == domain.FileMissing {
		return located{}, fault.New(fault.NotFound, ReasonMissing, "The file is missing on disk.")
	}
	if l.root == nil {
		return located{}, stale()
	}
	return l, nil
}

// placeCache remembers for a moment what the store says of files that play: a player asks for several segments a second, and for ranges
// without end. Who may see a file is asked every time.
type placeCache struct {
	mu   sync.Mutex
	held map[domain.ID]place
}

type place struct {
	located // without a root where the library has the file's path no more
	at      time.Time
}

// maxPlaces is when expired places are looked for.
const maxPlaces = 256

// get returns the file as the scope sees it.
func (c *placeCache) get(ctx context.Context, s *Service, scope domain.Scope, id domain.ID) (located, error) {
	now := s.Now()
	fresh := func(p place) bool { return now.Sub(p.at) < caching.Access && !now.Before(p.at) }
	c.mu.Lock()
	p, ok := c.held[id]
	c.mu.Unlock()
	if ok && fresh(p) && scope.Sees(p.file.LibraryID) {
		return p.located, nil
	}
	f, err := s.Store.Read().Files.Get(ctx, scope, id)
	if err != nil {
		return located{}, err
	}
	library, err := s.Store.Read().Libraries.Get(ctx, scope, f.LibraryID)
	if err != nil {
		return located{}, err
	}
	p = place{located: located{file: f}, at: now}
	if i := slices.IndexFunc(library.Paths, func(p domain.LibraryPath) bool { return p.ID == f.PathID }); i >= 0 {
		p.root = library.Paths[i].Raw
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[domain.ID]place{}
	}
	if len(c.held) >= maxPlaces {
		maps.DeleteFunc(c.held, func(_ domain.ID, p place) bool { return !fresh(p) })
	}
	c.held[id] = p
	return p.located, nil
}

// open opens the file itself.
func (s *Service) open(ctx context.Context, l located) (files.Open, error) {
	file, err := s.Files.Open(ctx, l.root, l.file.Raw)
	if err != nil {
		return nil, err
	}
	if file.Size() != l.file.Size {
		file.Close()
		return nil, stale()
	}
	return file, nil
}

// opened is what is known of a container that segments are made of.
type opened struct {
	media    domain.Media
	index    []byte
	timeline media.Timeline
}

// source is a container that segments can be made of now: the file, or its repackaged copy.
type source struct {
	opened
	located
	in    media.Input
	close func() // of what was only read from
}

// source opens what segments of a file are made of. A container that cannot be cut in process is repackaged first, which may take longer
// than a request waits: Unavailable with RetryAfter then.
func (s *Service) source(ctx context.Context, l located) (*source, error) {
	src := &source{located: l}
	if l.file.Media.Indexed {
		file, err := s.open(ctx, l)
		if err != nil {
			return nil, err
		}
		src.in, src.close = media.Input{Path: file.Path(), Reader: file, Size: file.Size()}, func() { _ = file.Close() }
	} else {
		copied, err := s.copies.copyOf(ctx, l)
		if err != nil {
			return nil, err
		}
		src.in, src.close = media.Input{Path: copied.Path(), Reader: copied, Size: copied.Size()}, func() { _ = copied.Close() }
	}
	var err error
	if src.opened, err = s.opened(ctx, src); err != nil {
		src.close()
		return nil, err
	}
	return src, nil
}

// opened returns the index from memory, else the one that is kept, else makes it again.
func (s *Service) opened(ctx context.Context, src *source) (opened, error) {
	key := src.key()
	if o, ok := s.indexes.get(key); ok {
		return o, nil
	}
	// The work reads through this request's input, so this request waits for it even if the asker leaves.
	o, err := s.indexing.Do(context.WithoutCancel(ctx), key, func(context.Context) (opened, error) {
		if o, err := s.readIndex(ctx, src); err == nil {
			return o, nil
		}
		m, index, err := s.Packager.Index(ctx, src.in)
		if err != nil {
			return opened{}, err
		}
		timeline, err := s.Packager.Timeline(index)
		if err != nil {
			return opened{}, err
		}
		o := opened{media: m, index: index, timeline: timeline}
		if err := s.Blobs.Put(ctx, src.indexKey(), bytes.NewReader(src.encodeIndex(o))); err != nil {
			s.Logger.WarnContext(ctx, "a film's index could not be cached", "file", src.file.ID, "error", err)
		}
		return o, nil
	})
	if err == nil {
		s.indexes.put(key, o)
	}
	return o, err
}

// indexKey is where the index is kept: that of a file since it was read by a scan, that of a copy beside it.
func (src *source) indexKey() string {
	if src.file.Media.Indexed {
		return media.IndexKey(src.file.Revision)
	}
	return "repackaged/" + src.key() + ".index"
}

// encodeIndex writes the index of a file alone, since the store has its facts; that of a copy with the facts' length and JSON before it.
func (src *source) encodeIndex(o opened) []byte {
	if src.file.Media.Indexed {
		return o.index
	}
	facts, err := json.Marshal(o.media)
	if err != nil {
		panic(err) // domain.Media is plain
	}
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(facts))), facts...), o.index...)
}

func (s *Service) readIndex(ctx context.Context, src *source) (opened, error) {
	blob, err := s.Blobs.Get(ctx, src.indexKey())
	if err != nil {
		return opened{}, err
	}
	defer blob.Close()
	data, err := io.ReadAll(blob)
	if err != nil {
		return opened{}, err
	}
	if src.file.Media.Indexed {
		o := opened{media: *src.file.Media, index: data}
		o.timeline, err = s.Packager.Timeline(o.index) // refuses what another version wrote
		return o, err
	}
	damaged := fault.New(fault.Invalid, media.CodeDamaged, "The cached index is damaged.")
	if len(data) < 4 {
		return opened{}, damaged
	}
	facts, rest := int64(binary.BigEndian.Uint32(data)), data[4:]
	if facts > int64(len(rest)) {
		return opened{}, damaged
	}
	var o opened
	if err := json.Unmarshal(rest[:facts], &o.media); err != nil {
		return opened{}, damaged
	}
	o.index = rest[facts:]
	o.timeline, err = s.Packager.Timeline(o.index) // refuses what another version wrote
	return o, err
}

// indexCache keeps the indexes that were used last.
type indexCache struct {
	mu    sync.Mutex
	order []string
	held  map[string]opened
}

// maxIndexes bounds the cache: an index has a few megabytes at most.
const maxIndexes = 8

func (c *indexCache) get(key string) (opened, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.held[key]
	if ok {
		c.touch(key)
	}
	return o, ok
}

func (c *indexCache) put(key string, o opened) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[string]opened{}
	}
	c.held[key] = o
	c.touch(key)
	if len(c.order) > maxIndexes {
		delete(c.held, c.order[0])
		c.order = c.order[1:]
	}
}

func (c *indexCache) touch(key string) {
	for i, k := range c.order {
		if k == key {
			c.order = append(c.order[:i], c.order[i+1:]...)
			break
		}
	}
	c.order = append(c.order, key)
}

func noTrack() error {
	return fault.New(fault.NotFound, media.CodeNoSegment, "The film has no such track or segment.")
}

// videoTrack is the number of a picture track in the container that segments are made of. Addresses name tracks as the file does; a
// repackaged copy has the same ones in the same order, but without covers and data.
func (src *source) videoTrack(index int) (int, error) {
	var ours, theirs []int
	for _, v := range src.file.Media.Video {
		if !v.AttachedPicture {
			ours = append(ours, v.Index)
		}
	}
	for _, v := range src.media.Video {
		if !v.AttachedPicture {
			theirs = append(theirs, v.Index)
		}
	}
	return counterpart(index, ours, theirs)
}

func (src *source) audioTrack(index int) (int, error) {
	var ours, theirs []int
	for _, a := range src.file.Media.Audio {
		ours = append(ours, a.Index)
	}
	for _, a := range src.media.Audio {
		theirs = append(theirs, a.Index)
	}
	return counterpart(index, ours, theirs)
}

func (src *source) subtitleTrack(index int) (int, error) {
	var ours, theirs []int
	for _, t := range src.file.Media.Subtitles {
		if t.Text {
			ours = append(ours, t.Index)
		}
	}
	for _, t := range src.media.Subtitles {
		if t.Text {
			theirs = append(theirs, t.Index)
		}
	}
	return counterpart(index, ours, theirs)
}

func counterpart(index int, ours, theirs []int) (int, error) {
	for i, o := range ours {
		if o == index && i < len(theirs) {
			return theirs[i], nil
		}
	}
	return 0, noTrack()
}
