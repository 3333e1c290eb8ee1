package library

import (
	"bytes"
	"context"
	"io"
	"maps"
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
	// matchBatch is how many new films one transaction of the match stage brings into the catalogue, and applyBatch how many that may be known: others
	// who want to write wait meanwhile.
	matchBatch = 100
	applyBatch = 20
	// belowLimit is how many files below some folders are looked through at once.
	belowLimit = 5000
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
		outcomes, err := r.groups(ctx, foldersOf(page.Items))
		if err != nil {
			return false, err
		}
		waiting = append(waiting, outcomes...)
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

// folderOf is a film folder of a library path.
type folderOf struct {
	path   domain.ID
	folder string
}

// foldersOf are the film folders of files, each once.
func foldersOf(files []domain.File) []folderOf {
	all := make([]folderOf, len(files))
	for i, f := range files {
		all[i] = folderOf{f.PathID, string(filmFolder(f.Raw))}
	}
	return distinct(all)
}

func distinct(folders []folderOf) (each []folderOf) {
	seen := map[folderOf]bool{}
	for _, f := range folders {
		if !seen[f] {
			seen[f] = true
			each = append(each, f)
		}
	}
	return each
}

func (e *earlyMatch) add(files []domain.File) { e.folders = append(e.folders, foldersOf(files)...) }

// match takes its turn when it is due. It takes a tenth of the time at most, so that a folder of very many films does not hold up reading.
func (e *earlyMatch) match(ctx context.Context, last bool) error {
	if !last && time.Since(e.since) < e.rest {
		return nil
	}
	began := time.Now()
	for folders := range slices.Chunk(distinct(e.folders), matchBatch) {
		outcomes, err := e.groups(ctx, folders)
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

// groups reads all that belongs to some folders and says which films they hold. Only films of which a file is to be sorted are returned.
func (r *run) groups(ctx context.Context, folders []folderOf) ([]outcome, error) {
	members, err := r.members(ctx, folders)
	if err != nil {
		return nil, err
	}
	var all []outcome
	for _, f := range folders {
		outcomes, err := r.group(ctx, f.path, []byte(f.folder), members[f])
		if err != nil {
			return nil, err
		}
		all = append(all, outcomes...)
	}
	return all, nil
}

// group says which films a folder with these members holds.
func (r *run) group(ctx context.Context, pathID domain.ID, folder []byte, members []domain.File) ([]outcome, error) {
	byPath := map[string]domain.File{}
	paths := make([]string, len(members))
	for i, f := range members {
		paths[i] = groupPath(f.Raw, discFile(f))
		byPath[paths[i]] = f
	}
	set := naming.Group(paths)
	notes, err := r.notes(ctx, pathID, folder, members)
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
		if naming.IsSample(groupPath(f.Raw, discFile(f))) && (f.State == domain.FileReady || f.State == domain.FileFound) {
			f.State, f.ReasonCode, f.Reason = domain.FileIgnored, reasonSample, reasons[reasonSample]
		}
		lone = append(lone, f)
	}
	for some := range slices.Chunk(slices.DeleteFunc(lone, func(f domain.File) bool { return !unsorted(f) }), 100) {
		outcomes = append(outcomes, outcome{files: some})
	}
	return outcomes, nil
}

// members are for each folder all files whose film folder it is, whatever their state, in the order of a walk.
func (r *run) members(ctx context.Context, folders []folderOf) (map[folderOf][]domain.File, error) {
	read := r.Store.Read().Files
	members := map[folderOf][]domain.File{}
	below := map[domain.ID][][]byte{}
	for _, f := range folders {
		if f.folder != "" {
			below[f.path] = append(below[f.path], []byte(f.folder))
			continue
		}
		list, err := read.InFolders(ctx, f.path, nil)
		if err != nil {
			return nil, err
		}
		members[f] = list
	}
	wanted := map[domain.ID]folderOf{}
	for path, folders := range below {
		known, err := read.Below(ctx, path, belowLimit, folders...)
		if err == nil && len(known) == belowLimit {
			known, err = r.allBelow(ctx, path, folders)
		}
		if err != nil {
			return nil, err
		}
		for _, k := range known {
			at := folderOf{path, string(filmFolder(k.Raw))}
			if slices.ContainsFunc(folders, func(f []byte) bool { return string(f) == at.folder }) {
				wanted[k.ID] = at
			}
		}
	}
	list, err := read.GetMany(ctx, domain.ScopeAll(), slices.Collect(maps.Keys(wanted))...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b domain.File) int { return bytes.Compare(store.WalkKey(a.Raw), store.WalkKey(b.Raw)) })
	for _, f := range list {
		members[wanted[f.ID]] = append(members[wanted[f.ID]], f)
	}
	return members, nil
}

// allBelow walks through very many files below some folders.
func (r *run) allBelow(ctx context.Context, path domain.ID, folders [][]byte) (all []store.KnownFile, err error) {
	for _, folder := range folders {
		for known := (&knownFiles{repos: r.Store.Read().Files, path: path, prefix: folder}); ; known.take() {
			k, err := known.next(ctx)
			if err != nil {
				return nil, err
			}
			if k == nil {
				break
			}
			if bytes.Equal(filmFolder(k.Raw), folder) {
				all = append(all, *k)
			}
		}
	}
	return all, nil
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

// apply brings outcomes into the catalogue: new films together, what touches films that are known one after the other.
func (r *run) apply(ctx context.Context, outcomes []outcome) error {
	left := outcomes
	if slices.ContainsFunc(outcomes, mayBeNew) {
		err := r.commitFilms(ctx, func(ctx context.Context, tx store.Tx, to *run) (err error) {
			left, err = to.applyNew(ctx, tx, outcomes)
			return err
		})
		if err != nil {
			return err
		}
	}
	for some := range slices.Chunk(left, applyBatch) {
		err := r.commitFilms(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
			for _, o := range some {
				if err := to.applyOne(ctx, tx, o); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *run) commitFilms(ctx context.Context, fn func(ctx context.Context, tx store.Tx, to *run) error) error {
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		if err := fn(ctx, tx, to); err != nil {
			return err
		}
		to.scan.MatchTotal = to.scan.Matched + to.cur.Unsorted
		return tx.Events.Publish(ctx, moviesChanged(r.library.ID))
	})
}

// mayBeNew tells whether no file of a film belonged to one before.
func mayBeNew(o outcome) bool {
	return o.film != nil && !slices.ContainsFunc(o.files, func(f domain.File) bool { return f.MovieID != nil })
}

// applyNew brings films into the catalogue that are new to it, and returns the other outcomes.
func (r *run) applyNew(ctx context.Context, tx store.Tx, outcomes []outcome) (left []outcome, err error) {
	var maybe []outcome
	var grouped []domain.File
	for _, o := range outcomes {
		if !mayBeNew(o) {
			left = append(left, o)
			continue
		}
		maybe, grouped = append(maybe, o), append(grouped, o.files...)
	}
	now, err := r.refreshed(ctx, tx, grouped)
	if err != nil {
		return nil, err
	}
	byID := map[domain.ID]domain.File{}
	for _, f := range now {
		byID[f.ID] = f
	}
	var films []movie.FoundFilm
	var others []domain.File
	var found []outcome
	for _, o := range maybe {
		var list []domain.File
		for _, f := range o.files {
			if f, ok := byID[f.ID]; ok {
				list = append(list, f)
			}
		}
		film, rest, ok := filmOf(o, list)
		if !ok {
			left = append(left, o)
			continue
		}
		films, found, others = append(films, film), append(found, o), append(others, rest...)
	}
	applied, err := r.Movies.Create(ctx, tx, r.library.ID, films)
	if err != nil {
		return nil, err
	}
	var rest []domain.File
	for i, o := range found {
		if !applied[i].Created {
			left = append(left, o)
			continue
		}
		for _, f := range o.files {
			if unsorted(f) {
				r.cur.Unsorted = max(r.cur.Unsorted-1, 0)
			}
			if slices.ContainsFunc(others, func(g domain.File) bool { return g.ID == f.ID }) {
				rest = append(rest, byID[f.ID])
			}
		}
		r.scan.Matched++
	}
	return left, tx.Files.UpdateGrouping(ctx, rest...)
}

// filmOf is what the catalogue is told of an outcome whose files are these now, and the files that are none of the film's. ok is false
// where none of them can be shown, or could be before.
func filmOf(o outcome, list []domain.File) (film movie.FoundFilm, rest []domain.File, ok bool) {
	if !slices.ContainsFunc(list, func(f domain.File) bool {
		return f.State == domain.FileReady || f.MovieID != nil || f.State == domain.FileUnsupported
	}) {
		return movie.FoundFilm{}, list, false
	}
	film = *o.film
	for _, f := range list {
		if !belongs(f) && f.Kind == domain.KindMovie || f.State == domain.FileIgnored {
			rest = append(rest, f)
		} else {
			film.Files = append(film.Files, f)
		}
	}
	return film, rest, true
}

func (r *run) applyOne(ctx context.Context, tx store.Tx, o outcome) error {
	list, err := r.refreshed(ctx, tx, o.files)
	if err != nil {
		return err
	}
	for _, f := range o.files {
		if unsorted(f) {
			r.cur.Unsorted = max(r.cur.Unsorted-1, 0)
		}
	}
	if o.film != nil {
		film, rest, ok := filmOf(o, list)
		if err := tx.Files.UpdateGrouping(ctx, rest...); err != nil || !ok {
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
	if err := tx.Files.UpdateGrouping(ctx, list...); err != nil {
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
	order := map[domain.ID]int{}
	for i, id := range ids {
		order[id] = i
	}
	slices.SortFunc(list, func(a, b domain.File) int { return order[a.ID] - order[b.ID] })
	for i := range list {
		f, g, was := &list[i], byID[list[i].ID], list[i]
		if was.MatchedAt == nil {
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

func (r *run) notes(ctx context.Context, pathID domain.ID, folder []byte, members []domain.File) (notes, error) {
	n := notes{run: r, folder: folder}
	p, ok := pathOf(r.library, pathID)
	// The walk saw all that lies beside a file in its own folder.
	bare := !slices.ContainsFunc(members, func(f domain.File) bool { return f.Beside != "" || !bytes.Equal(parentOf(f.Raw), folder) })
	if !ok || bare {
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
