package library

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/naming"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/store"
)

// maxDepth bounds how deep folders are entered: only a file system that contains itself is deeper.
const maxDepth = 60

// Reason codes of files that are listed without being read. Those of reading are the codes of ports/files and ports/media.
const (
	reasonDisc    = "library.disc_folder"
	reasonImage   = "library.disc_image"
	reasonStub    = "library.not_a_video"
	reasonFolder  = "library.folder_named_like_video"
	reasonSample  = "library.sample"
	reasonIgnored = "library.ignored"
)

var reasons = map[string]string{
	reasonDisc:           "This is a disc folder, which cannot be played yet. Make one file of it (for example with MakeMKV) to play it here.",
	reasonImage:          "This is a disc image, which cannot be played yet. Make a video file of it (for example with MakeMKV) to play it here.",
	reasonStub:           "This file only points to a film elsewhere, which is not followed. Put the film itself into the library.",
	reasonFolder:         "This is a folder with a name like a video file, and no video is in it. Rename it, or put the film into it.",
	reasonSample:         "This is a sample of a film and is left out.",
	reasonIgnored:        "An administrator told Revenge to leave this file out.",
	files.CodeOutside:    "This symlink leads out of the library, which is not followed. Move the film into the library, or add the folder that it is in.",
	files.CodeNotRegular: "This is no ordinary file (a pipe, socket or device). Remove it, or replace it by the film.",
}

// found is one file, disc folder or disc image as a walk meets it.
type found struct {
	raw      []byte
	size     int64
	modified time.Time
	inode    string
	sidecars []domain.Sidecar
	beside   string
	// state and code are set for what is not to be read.
	state domain.FileState
	code  string
	// disc is the file by whose name a disc folder is known.
	disc string
}

func (f found) key() []byte { return store.WalkKey(f.raw) }

// groupPath is the path by which core/naming knows the file.
func (f found) groupPath() string { return groupPath(f.raw, f.disc) }

func groupPath(raw []byte, disc string) string {
	if disc == "" {
		return string(raw)
	}
	return path.Join(string(raw), disc)
}

// errPause ends a walk that goes on later.
var errPause = errors.New("the walk goes on later")

// walker walks depth first over the folders of a library path, in the order of store.WalkKey. It enters neither what systems and
// downloaders leave behind nor folders that hold .ignore or .nomedia, and follows no symlink to a folder: those that stay within
// the library are met where they lead to.
type walker struct {
	tree files.Tree
	root []byte
	// after is the walk key up to which all was met before; nil begins at the start.
	after []byte
	// visit gets every file, enter the walk key of every position that is reached. Both may end the walk by an error.
	visit func(found) error
	enter func(position []byte) error
	// trouble gets the raw path of what cannot be looked at.
	trouble func(raw []byte, err error) error
	// ahead are listings of folders that come next, by raw path: several are asked for at a time, since a disk or a network takes its time for each.
	ahead map[string]chan listing
	// begun counts them by depth.
	begun [maxDepth + 1]int
}

// listing is what a folder holds, or why that cannot be said.
type listing struct {
	entries []files.Entry
	err     error
}

// lookAhead is how many folders of one folder are listed before the walk comes to them.
const lookAhead = 16

// walk goes over a folder and all below it.
func (w *walker) walk(ctx context.Context, raw []byte) error {
	w.ahead = map[string]chan listing{}
	ahead, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		for _, l := range w.ahead {
			<-l
		}
	}()
	return w.folder(ahead, raw, 0)
}

// list returns what a folder holds.
func (w *walker) list(ctx context.Context, raw []byte, depth int) ([]files.Entry, error) {
	if begun, ok := w.ahead[string(raw)]; ok {
		delete(w.ahead, string(raw))
		w.begun[depth]--
		l := <-begun
		return l.entries, l.err
	}
	return w.tree.List(ctx, w.root, raw)
}

// prepare begins to list the first folders among entries of a folder at a depth.
func (w *walker) prepare(ctx context.Context, folder []byte, entries []files.Entry, depth int) {
	for _, e := range entries {
		if w.begun[depth+1] >= lookAhead {
			return
		}
		raw := join(folder, e.Name)
		if _, begun := w.ahead[string(raw)]; begun || !w.enters(raw, e, depth) {
			continue
		}
		l := make(chan listing, 1)
		w.ahead[string(raw)] = l
		w.begun[depth+1]++
		go func() {
			entries, err := w.tree.List(ctx, w.root, raw)
			l <- listing{entries, err}
		}()
	}
}

// enters tells whether an entry is a folder that the walk goes into.
func (w *walker) enters(raw []byte, e files.Entry, depth int) bool {
	if !e.Dir || e.Err != nil || e.Symlink || depth == maxDepth || naming.IgnoredName(string(e.Name)) || len(raw) > maxPath {
		return false
	}
	if len(w.after) == 0 {
		return true
	}
	key := store.WalkKey(raw)
	passed := bytes.Compare(key, w.after) <= 0 && !bytes.HasPrefix(w.after, append(key, 0))
	return !passed
}

func (w *walker) folder(ctx context.Context, raw []byte, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := w.list(ctx, raw, depth)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && fault.CodeOf(err) == files.CodeNotFound && len(raw) > 0:
		return nil // gone since the folder above was listed
	case err != nil:
		return w.trouble(raw, err)
	}
	if len(raw) > 0 {
		if ignored(entries) {
			return nil
		}
		if disc := discOf(entries); disc != "" {
			return w.meet(found{raw: raw, modified: newest(entries), state: domain.FileUnsupported, code: reasonDisc, disc: disc})
		}
		if naming.IsVideo(path.Base(string(raw))) && !slices.ContainsFunc(entries, func(e files.Entry) bool { return e.Dir || naming.IsVideo(string(e.Name)) }) {
			if err := w.meet(found{raw: raw, modified: newest(entries), state: domain.FileFailed, code: reasonFolder}); err != nil {
				return err
			}
		}
	}
	if err := w.enter(append(store.WalkKey(raw), 0)); err != nil {
		return err
	}
	companions := companionsOf(raw, entries)
	for i, e := range entries {
		if e.Dir && depth < maxDepth && w.begun[depth+1] <= lookAhead/2 {
			w.prepare(ctx, raw, entries[i:min(i+2*lookAhead, len(entries))], depth)
		}
		if err := w.entry(ctx, raw, e, companions, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(ctx context.Context, folder []byte, e files.Entry, companions companions, depth int) error {
	name, raw := string(e.Name), join(folder, e.Name)
	if naming.IgnoredName(name) || len(raw) > maxPath {
		return nil
	}
	if e.Err != nil {
		return w.unseen(ctx, raw, name, e.Err)
	}
	if e.Dir {
		if !w.enters(raw, e, depth) {
			return nil
		}
		return w.folder(ctx, raw, depth+1)
	}
	if !naming.IsVideo(name) {
		return nil
	}
	f := found{raw: raw, size: e.Size, modified: domain.Stamp(e.ModifiedAt), inode: e.Inode}
	switch strings.ToLower(path.Ext(name)) {
	case ".ifo", ".bdmv":
		return nil // a part of a disc that is no disc folder
	case ".iso", ".img", ".nrg":
		f.state, f.code = domain.FileUnsupported, reasonImage
	case ".strm", ".disc":
		f.state, f.code = domain.FileUnsupported, reasonStub
	}
	f.sidecars, f.beside = companions.of(name)
	switch {
	case !e.Regular:
		f.state, f.code = domain.FileFailed, files.CodeNotRegular
	case naming.IsSample(string(raw)):
		f.state, f.code = domain.FileIgnored, reasonSample
	}
	return w.meet(f)
}

// unseen deals with an entry that cannot be looked at. One that leads out of the library is listed where it may be a film;
// one that leads nowhere is not there.
func (w *walker) unseen(ctx context.Context, raw []byte, name string, err error) error {
	switch fault.CodeOf(err) {
	case files.CodeNotFound:
		return nil
	case files.CodeOutside:
		ext := strings.TrimPrefix(path.Ext(name), ".")
		if !naming.IsVideo(name) && len(ext) > 0 && len(ext) < 5 && !strings.ContainsAny(ext, " ()") {
			return nil // a link to a picture or text
		}
		return w.meet(found{raw: raw, modified: time.Unix(0, 0).UTC(), state: domain.FileFailed, code: files.CodeOutside})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return w.trouble(raw, err)
}

// meet passes on what was not met before.
func (w *walker) meet(f found) error {
	if len(w.after) > 0 && bytes.Compare(f.key(), w.after) <= 0 {
		return nil
	}
	if len(f.raw) > maxPath {
		return nil
	}
	return w.visit(f)
}

func join(folder, name []byte) []byte {
	if len(folder) == 0 {
		return bytes.Clone(name)
	}
	return bytes.Join([][]byte{folder, name}, []byte{'/'})
}

func ignored(entries []files.Entry) bool {
	return slices.ContainsFunc(entries, func(e files.Entry) bool { return string(e.Name) == ".ignore" || string(e.Name) == ".nomedia" })
}

// discOf returns the file that makes a folder a disc, or "". A folder above BDMV or VIDEO_TS is none: it may hold extras.
func discOf(entries []files.Entry) string {
	for _, e := range entries {
		if name := strings.ToLower(string(e.Name)); !e.Dir && (name == "index.bdmv" || name == "video_ts.ifo") {
			return string(e.Name)
		}
	}
	return ""
}

func newest(entries []files.Entry) time.Time {
	at := time.Unix(0, 0)
	for _, e := range entries {
		if e.ModifiedAt.After(at) {
			at = e.ModifiedAt
		}
	}
	return domain.Stamp(at)
}

// companions are the files beside the videos of one folder.
type companions struct {
	folder []byte
	own    map[string][]files.Entry // by the stem of the video whose name they begin with
	shared []files.Entry
}

var companionExtensions = []string{".nfo", ".jpg", ".jpeg", ".png", ".webp", ".srt", ".vtt", ".ass", ".ssa"}

func companionsOf(folder []byte, entries []files.Entry) companions {
	c := companions{folder: folder, own: map[string][]files.Entry{}}
	for _, e := range entries {
		if name := string(e.Name); !e.Dir && e.Err == nil && naming.IsVideo(name) {
			c.own[stemOf(name)] = nil
		}
	}
	if len(c.own) == 0 {
		return c
	}
	for _, e := range entries {
		name := string(e.Name)
		if e.Dir || e.Err != nil || !slices.Contains(companionExtensions, strings.ToLower(path.Ext(name))) {
			continue
		}
		if stem, ok := c.owner(name); ok {
			c.own[stem] = append(c.own[stem], e)
		} else {
			c.shared = append(c.shared, e)
		}
	}
	return c
}

// owner is the longest stem of a video that a name begins with.
func (c companions) owner(name string) (string, bool) {
	for i := len(name) - 1; i > 0; i-- {
		if _, ok := c.own[name[:i]]; ok {
			return name[:i], true
		}
	}
	return "", false
}

// of returns a video's subtitle files and a hash over all that lies beside it.
func (c companions) of(video string) (sidecars []domain.Sidecar, beside string) {
	all := slices.Concat(c.own[stemOf(video)], c.shared)
	if len(all) == 0 {
		return nil, ""
	}
	slices.SortFunc(all, func(a, b files.Entry) int { return bytes.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, e := range all {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(e.Name))))
		h.Write(e.Name)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(e.Size)))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(e.ModifiedAt.UnixMicro())))
		s, ok := naming.ParseSidecar(video, string(e.Name))
		if !ok || !slices.Contains([]string{"srt", "vtt", "ass", "ssa"}, s.Format) {
			continue
		}
		sidecars = append(sidecars, domain.Sidecar{
			Raw: join(c.folder, e.Name), Name: display(e.Name), Language: s.Language, Title: s.Title, Format: s.Format,
			Forced: s.Forced, Default: s.Default, HearingImpaired: s.HearingImpaired, Size: e.Size,
		})
	}
	return sidecars, hex.EncodeToString(h.Sum(nil)[:16])
}

func stemOf(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// knownFiles reads what is known of a path in the order of a walk.
type knownFiles struct {
	repos  store.Files
	path   domain.ID
	prefix []byte
	after  []byte
	page   []store.KnownFile
	end    bool
	// next page, which is read while this one is compared.
	coming chan knownPage
}

type knownPage struct {
	files []store.KnownFile
	err   error
}

// next returns the first known file that was not taken yet, or nil at the end.
func (k *knownFiles) next(ctx context.Context) (*store.KnownFile, error) {
	const size = 1000
	if len(k.page) == 0 && !k.end {
		if k.coming == nil {
			k.read(ctx, size)
		}
		page := <-k.coming
		k.coming = nil
		if page.err != nil {
			return nil, page.err
		}
		k.page, k.end = page.files, len(page.files) < size
		if len(k.page) > 0 {
			k.after = store.WalkKey(k.page[len(k.page)-1].Raw)
		}
		if !k.end {
			k.read(ctx, size)
		}
	}
	if len(k.page) == 0 {
		return nil, nil
	}
	return &k.page[0], nil
}

func (k *knownFiles) read(ctx context.Context, size int) {
	k.coming = make(chan knownPage, 1)
	go func(coming chan<- knownPage, after []byte) {
		files, err := k.repos.Known(ctx, k.path, k.prefix, after, size)
		coming <- knownPage{files, err}
	}(k.coming, k.after)
}

func (k *knownFiles) take() { k.page = k.page[1:] }

// within tells whether a raw path is folder or lies below it; everything lies below the empty one.
func within(raw, folder []byte) bool {
	return len(folder) == 0 || bytes.HasPrefix(raw, folder) && (len(raw) == len(folder) || raw[len(folder)] == '/')
}

func parentOf(raw []byte) []byte { return raw[:max(bytes.LastIndexByte(raw, '/'), 0)] }

// revisionOf changes whenever the content may have: with size, time of change or fingerprint.
func revisionOf(size int64, modified time.Time, fingerprint string) string {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(size)))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(modified.UnixMicro())))
	h.Write([]byte(fingerprint))
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// reasonFor is what a person is told about a code.
func reasonFor(code string, err error) string {
	if text := reasons[code]; text != "" {
		return text
	}
	if f := fault.As(err); f != nil {
		return f.Message
	}
	return cmp.Or(code, "This file cannot be read.")
}
