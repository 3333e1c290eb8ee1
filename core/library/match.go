package library

import (
	"bytes"
	"context"
	"io"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/core/naming"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/store"
)

const (
	// matchBatch is how many films one transaction of the match stage brings into the catalogue.
	matchBatch = 20
	// maxListed is how many changed films a scan remembers for the artwork stage before it looks at all of them.
	maxListed = 500
)

// match groups files into films, one folder after another, and hands them to the catalogue.
func (r *run) match(ctx context.Context) (done bool, err error) {
	todo := store.FileFilter{LibraryID: &r.library.ID, Unsorted: true}
	if !r.cur.Begun {
		page, err := r.Store.Read().Files.List(ctx, domain.ScopeAll(), todo, domain.PageRequest{Limit: 1, IncludeTotal: true})
		if err != nil {
			return false, err
		}
		err = r.commit(ctx, func(_ context.Context, _ store.Tx, to *run) error {
			to.cur.Begun, to.cur.Unsorted = true, *page.Total
			to.scan.MatchTotal = to.scan.Matched + *page.Total
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	for last := (domain.ID{}); ; {
		page, err := r.Store.Read().Files.List(ctx, domain.ScopeAll(), todo, domain.PageRequest{Limit: matchBatch})
		if err != nil || len(page.Items) == 0 {
			return err == nil, err
		}
		var waiting []outcome
		if page.Items[0].ID == last {
			waiting = append(waiting, outcome{files: page.Items[:1]}) // no group wants it: it is nobody's
		}
		last = page.Items[0].ID
		for seen := map[string]bool{}; len(page.Items) > 0; page.Items = page.Items[1:] {
			f := page.Items[0]
			folder := filmFolder(f.Raw)
			if key := f.PathID.String() + string(folder); !seen[key] {
				seen[key] = true
				outcomes, err := r.group(ctx, f.PathID, folder)
				if err != nil {
					return false, err
				}
				waiting = append(waiting, outcomes...)
			}
		}
		for some := range slices.Chunk(waiting, matchBatch) {
			if err := r.apply(ctx, some); err != nil {
				return false, err
			}
			if r.over() {
				return false, nil
			}
		}
	}
}

// earlyRest is how long the read stage goes on at least before it brings what it read into the catalogue: films of a large library
// appear one after the other, not at the end.
const earlyRest = 4 * time.Second

// earlyMatch matches folders while others are still read. What it leaves, or groups before all of a folder was read, is
// done by the match stage.
type earlyMatch struct {
	*run
	folders []folderOf
	since   time.Time
	rest    time.Duration
}

type folderOf struct {
	path   domain.ID
	folder []byte
}

func (e *earlyMatch) add(files []domain.File) {
	for _, f := range files {
		add := folderOf{f.PathID, filmFolder(f.Raw)}
		if !slices.ContainsFunc(e.folders, func(o folderOf) bool { return o.path == add.path && bytes.Equal(o.folder, add.folder) }) {
			e.folders = append(e.folders, add)
		}
	}
}

// match takes its turn when it is due. It takes a tenth of the time at most, so that a folder of very many films does not hold up reading.
func (e *earlyMatch) match(ctx context.Context, last bool) error {
	if !last && time.Since(e.since) < e.rest {
		return nil
	}
	began := time.Now()
	for _, f := range e.folders {
		outcomes, err := e.group(ctx, f.path, f.folder)
		if err != nil {
			return err
		}
		outcomes = slices.DeleteFunc(outcomes, func(o outcome) bool { return o.film == nil })
		for some := range slices.Chunk(outcomes, matchBatch) {
			if err := e.apply(ctx, some); err != nil {
				return err
			}
		}
	}
	e.folders, e.since = nil, time.Now()
	e.rest = max(earlyRest, 10*time.Since(began))
	return nil
}

// outcome is what grouping says of some files: one film with its versions and extras, or files without a film.
type outcome struct {
	film  *movie.FoundFilm // without Files; nil where there is none
	files []domain.File
}

// filmFolder is the folder that a film's files lie in, above folders of parts and extras: in it all that belongs together is found.
func filmFolder(raw []byte) []byte {
	folder := parentOf(raw)
	for {
		above := parentOf(folder)
		if len(above) == 0 {
			return folder // what lies in the library itself is no film's folder
		}
		n := naming.Parse("A Film (2000)/" + path.Base(string(folder)) + "/A Film (2000).mkv")
		if n.Extra == "" && n.Part == 0 {
			return folder
		}
		folder = above
	}
}

// group reads all that belongs to one folder and says which films it holds. Only films of which a file is to be sorted are returned.
func (r *run) group(ctx context.Context, pathID domain.ID, folder []byte) ([]outcome, error) {
	members, err := r.members(ctx, pathID, folder)
	if err != nil {
		return nil, err
	}
	byPath := map[string]domain.File{}
	paths := make([]string, len(members))
	for i, f := range members {
		paths[i] = groupPath(f.Raw, discFile(f))
		byPath[paths[i]] = f
	}
	set := naming.Group(paths)
	notes, err := r.notes(ctx, pathID, folder)
	if err != nil {
		return nil, err
	}
	var outcomes []outcome
	for _, m := range set.Movies {
		o := outcome{film: &movie.FoundFilm{LibraryID: r.library.ID, Locale: r.library.Locale,
			Name: movie.NameFacts{Title: m.Title, Year: m.Year, IMDbID: m.IMDbID, TMDbID: m.TMDbID}}}
		var own []string
		for _, v := range m.Versions {
			key := ""
			for part, p := range v.Parts {
				f, ok := byPath[p]
				if !ok {
					continue
				}
				delete(byPath, p)
				if key == "" {
					key = f.ID.String()
				}
				o.files = append(o.files, asVersion(f, v, part, key))
				own = append(own, stemOf(path.Base(p)))
			}
		}
		for _, e := range m.Extras {
			if f, ok := byPath[e.Path]; ok {
				delete(byPath, e.Path)
				o.files = append(o.files, asExtra(f, e))
			}
		}
		if !slices.ContainsFunc(o.files, unsorted) {
			continue
		}
		if o.film.Facts, err = notes.of(ctx, own, len(set.Movies) == 1); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(o.files, belongs) || m.Title == "" && o.film.Facts.Title == "" {
			o.film = nil
		}
		outcomes = append(outcomes, o)
	}
	var lone []domain.File
	for _, e := range set.Extras {
		if f, ok := byPath[e.Path]; ok {
			delete(byPath, e.Path)
			lone = append(lone, asExtra(f, e))
		}
	}
	for _, f := range byPath {
		if n := naming.Parse(groupPath(f.Raw, discFile(f))); n.Extra == "sample" && (f.State == domain.FileReady || f.State == domain.FileFound) {
			f.State, f.ReasonCode, f.Reason = domain.FileIgnored, reasonSample, reasons[reasonSample]
		}
		lone = append(lone, f)
	}
	for some := range slices.Chunk(slices.DeleteFunc(lone, func(f domain.File) bool { return !unsorted(f) }), 100) {
		outcomes = append(outcomes, outcome{files: some})
	}
	return outcomes, nil
}

// members are all files whose film folder is this one, whatever their state.
func (r *run) members(ctx context.Context, pathID domain.ID, folder []byte) ([]domain.File, error) {
	read := r.Store.Read().Files
	if len(folder) == 0 {
		return read.InFolders(ctx, pathID, folder)
	}
	known := &knownFiles{repos: read, path: pathID, prefix: folder}
	var ids []domain.ID
	for {
		k, err := known.next(ctx)
		if err != nil {
			return nil, err
		}
		if k == nil {
			break
		}
		if bytes.Equal(filmFolder(k.Raw), folder) {
			ids = append(ids, k.ID)
		}
		known.take()
	}
	list, err := read.GetMany(ctx, domain.ScopeAll(), ids...)
	slices.SortFunc(list, func(a, b domain.File) int { return bytes.Compare(store.WalkKey(a.Raw), store.WalkKey(b.Raw)) })
	return list, err
}

// discFile is the file by whose name core/naming knows a disc folder, "" for any other file.
func discFile(f domain.File) string {
	switch {
	case f.ReasonCode != reasonDisc:
		return ""
	case strings.EqualFold(path.Base(string(f.Raw)), "BDMV"):
		return "index.bdmv"
	default:
		return "VIDEO_TS.IFO"
	}
}

func unsorted(f domain.File) bool { return f.MatchedAt == nil }

// belongs tells whether a file is one of a film: it can be shown, or was before.
func belongs(f domain.File) bool {
	return f.Kind == domain.KindMovie && (f.MovieID != nil || f.State == domain.FileReady || f.State == domain.FileUnsupported)
}

func asVersion(f domain.File, v naming.Version, part int, key string) domain.File {
	f.Kind, f.ExtraKind, f.Title = domain.KindMovie, "", ""
	f.Version, f.VersionKey, f.Part, f.Source = display([]byte(v.Label)), key, 0, v.Name.Source
	if len(v.Parts) > 1 {
		f.Part = part + 1
	}
	f.Edition = nil
	for _, e := range v.Name.Edition {
		f.Edition = append(f.Edition, naming.EditionLabel(e))
	}
	if f.Media == nil {
		f.Resolution = v.Name.Resolution
	}
	return f
}

func asExtra(f domain.File, e naming.Extra) domain.File {
	f.Kind, f.ExtraKind, f.Title = domain.KindExtra, e.Kind, display([]byte(e.Title))
	f.Version, f.VersionKey, f.Part, f.Edition = "", f.ID.String(), 0, nil
	return f
}

// apply brings outcomes into the catalogue.
func (r *run) apply(ctx context.Context, outcomes []outcome) error {
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		for _, o := range outcomes {
			if err := to.applyOne(ctx, tx, o); err != nil {
				return err
			}
		}
		to.scan.MatchTotal = to.scan.Matched + to.cur.Unsorted
		return tx.Events.Publish(ctx, moviesChanged(r.library.ID))
	})
}

func (r *run) applyOne(ctx context.Context, tx store.Tx, o outcome) error {
	list, err := r.refreshed(ctx, tx, o.files)
	if err != nil {
		return err
	}
	if o.film != nil {
		film := *o.film
		film.Files = slices.Clone(list)
		if !slices.ContainsFunc(film.Files, func(f domain.File) bool {
			return f.State == domain.FileReady || f.MovieID != nil || f.State == domain.FileUnsupported
		}) {
			return tx.Files.Update(ctx, list...)
		}
		film.Files = slices.DeleteFunc(film.Files, func(f domain.File) bool {
			return !belongs(f) && f.Kind == domain.KindMovie || f.State == domain.FileIgnored
		})
		left := slices.DeleteFunc(list, func(f domain.File) bool {
			return slices.ContainsFunc(film.Files, func(g domain.File) bool { return g.ID == f.ID })
		})
		if err := tx.Files.Update(ctx, left...); err != nil {
			return err
		}
		applied, err := r.Movies.Apply(ctx, tx, film)
		if err != nil {
			return err
		}
		r.scan.Matched++
		if !applied.Created && applied.MovieID != (domain.ID{}) {
			r.remember(applied.MovieID)
		}
		return nil
	}
	var left []domain.ID
	for i := range list {
		if m := list[i].MovieID; m != nil && list[i].State != domain.FileMissing {
			left = append(left, *m)
			list[i].MovieID = nil
		}
	}
	if err := tx.Files.Update(ctx, list...); err != nil {
		return err
	}
	return r.Movies.FilesGone(ctx, tx, left...)
}

// remember notes a film whose pictures are to be looked at again.
func (r *run) remember(film domain.ID) {
	switch {
	case r.cur.Many || slices.Contains(r.cur.Films, film):
	case len(r.cur.Films) == maxListed:
		r.cur.Many, r.cur.Films = true, nil
	default:
		r.cur.Films = append(r.cur.Films, film)
	}
}

// refreshed returns the files as they are now, with what grouping says of them, as sorted.
func (r *run) refreshed(ctx context.Context, tx store.Tx, grouped []domain.File) ([]domain.File, error) {
	byID := map[domain.ID]domain.File{}
	ids := make([]domain.ID, len(grouped))
	for i, f := range grouped {
		ids[i], byID[f.ID] = f.ID, f
	}
	list, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b domain.File) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	for i := range list {
		f, g, was := &list[i], byID[list[i].ID], list[i]
		if was.MatchedAt == nil {
			r.cur.Unsorted = max(r.cur.Unsorted-1, 0)
			f.MatchedAt = ptr(r.now())
		}
		f.Kind, f.ExtraKind, f.Title, f.Edition, f.Source = g.Kind, g.ExtraKind, g.Title, g.Edition, g.Source
		f.Version, f.VersionKey, f.Part = g.Version, g.VersionKey, g.Part
		if f.Media == nil {
			f.Resolution = g.Resolution
		}
		if g.ReasonCode == reasonSample && (f.State == domain.FileReady || f.State == domain.FileFound) {
			f.State, f.ReasonCode, f.Reason = g.State, g.ReasonCode, g.Reason
		}
		if !reflect.DeepEqual(*f, was) {
			f.UpdatedAt = r.now()
		}
	}
	return list, nil
}

// notes are the local metadata files of one folder.
type notes struct {
	*run
	root   []byte
	folder []byte
	names  []string
}

func (r *run) notes(ctx context.Context, pathID domain.ID, folder []byte) (notes, error) {
	n := notes{run: r, folder: folder}
	p, ok := pathOf(r.library, pathID)
	if !ok {
		return n, nil
	}
	n.root = p.Raw
	entries, err := r.Tree.List(ctx, p.Raw, folder)
	if err != nil {
		return n, ctx.Err()
	}
	for _, e := range entries {
		if name := string(e.Name); e.Regular && strings.EqualFold(path.Ext(name), ".nfo") {
			n.names = append(n.names, name)
		}
	}
	return n, nil
}

// of returns the facts about the film whose files have these stems: from the file called like one of them; where the folder holds this
// film alone, from movie.nfo, the one called like the folder, or the only one. What cannot be read is left out.
func (n notes) of(ctx context.Context, stems []string, alone bool) (metadata.Facts, error) {
	var wanted []string
	for _, s := range stems {
		wanted = append(wanted, s+".nfo")
	}
	if alone && len(n.folder) > 0 {
		wanted = append(wanted, "movie.nfo", path.Base(string(n.folder))+".nfo")
		if len(n.names) == 1 {
			wanted = append(wanted, n.names[0])
		}
	}
	for _, w := range wanted {
		i := slices.IndexFunc(n.names, func(name string) bool { return strings.EqualFold(name, w) })
		if i < 0 {
			continue
		}
		facts, err := n.read(ctx, n.names[i])
		if ctx.Err() != nil {
			return metadata.Facts{}, ctx.Err()
		}
		if err != nil {
			n.Logger.InfoContext(ctx, "a metadata file cannot be read", "file", display(join(n.folder, []byte(n.names[i]))), "error", err)
			continue
		}
		if !facts.Empty() {
			return facts, nil
		}
	}
	return metadata.Facts{}, nil
}

func (n notes) read(ctx context.Context, name string) (metadata.Facts, error) {
	open, err := n.Tree.Open(ctx, n.root, join(n.folder, []byte(name)))
	if err != nil {
		return metadata.Facts{}, err
	}
	defer open.Close()
	if open.Size() > metadata.MaxNFOSize {
		return metadata.Facts{}, fault.New(fault.TooLarge, metadata.CodeNFOTooLarge, "The file is too large.")
	}
	data, err := io.ReadAll(io.NewSectionReader(open, 0, metadata.MaxNFOSize+1))
	if err != nil {
		return metadata.Facts{}, fault.Wrap(err, fault.Unavailable, files.CodeUnreadable, "The file cannot be read.")
	}
	return n.Metadata.Read(ctx, name, data)
}
