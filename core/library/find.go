package library

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
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

const (
	// batchSize and batchTime bound what one transaction of the find stage changes.
	batchSize = 200
	batchTime = time.Second
	// vanishBatch is the same where a whole disk is away.
	vanishBatch = 2000
)

// find walks over the folders and compares them with what is known. Files that did not change cost nothing but the walk.
func (r *run) find(ctx context.Context) (done bool, err error) {
	for i := range r.cur.Walks {
		for !r.cur.Walks[i].Done {
			if err := r.walk(ctx, i); err != nil {
				return false, err
			}
			if r.over() {
				return false, nil
			}
		}
	}
	return true, nil
}

// walk goes over one path or folder until it is done or the slice is.
func (r *run) walk(ctx context.Context, i int) error {
	w := r.cur.Walks[i]
	p, ok := pathOf(r.library, w.PathID)
	if !ok {
		return r.end(ctx, i, newBatch(), "")
	}
	root, err := r.Tree.Stat(ctx, p.Raw, nil)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.CodeOf(err) == files.CodeNotFound:
		return r.lost(ctx, i, p)
	case err != nil:
		return r.end(ctx, i, newBatch(), reasonFor("", err))
	case !root.Dir:
		return r.end(ctx, i, newBatch(), "There is a file in the folder's place.")
	case w.Root == "":
		w.Root = root.Inode
		if w.Folder, ok, err = r.begin(ctx, p, w.Folder); err != nil || !ok {
			return errors.Join(err, r.end(ctx, i, newBatch(), ""))
		}
		r.cur.Walks[i] = w
	case w.Root != root.Inode:
		return r.end(ctx, i, newBatch(), changedMeanwhile)
	}
	m := &merge{run: r, walk: i, path: p, batch: newBatch(), known: &knownFiles{repos: r.Store.Read().Files, path: p.ID, prefix: w.Folder, after: w.After}}
	walker := &walker{tree: r.Tree, root: p.Raw, after: w.After,
		visit:   func(f found) error { return m.met(ctx, f) },
		enter:   func(position []byte) error { return m.reached(ctx, position) },
		trouble: func(raw []byte, err error) error { return m.trouble(ctx, raw, err) },
	}
	if err := walker.walk(ctx, w.Folder); err != nil {
		if errors.Is(err, errPause) {
			return nil
		}
		return err
	}
	if err := m.rest(ctx); err != nil {
		return err
	}
	trouble := ""
	root, err = r.Tree.Stat(ctx, p.Raw, nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || root.Inode != w.Root {
		trouble = changedMeanwhile
	} else if len(m.batch.vanished) > 0 {
		if entries, err := r.Tree.List(ctx, p.Raw, nil); err != nil || len(entries) == 0 {
			trouble = "The folder is empty, as if its disk were not mounted."
		}
	}
	return r.end(ctx, i, m.batch, trouble)
}

// lost takes a path that is not there for an empty one: all of it may be gone, which only an administrator can say.
func (r *run) lost(ctx context.Context, i int, p domain.LibraryPath) error {
	w := r.cur.Walks[i]
	m := &merge{run: r, walk: i, path: p, batch: newBatch(), known: &knownFiles{repos: r.Store.Read().Files, path: p.ID, prefix: w.Folder, after: w.After}}
	if err := m.rest(ctx); err != nil {
		return err
	}
	return r.end(ctx, i, m.batch, "The folder is not there. If it is on another disk, check that the disk is there.")
}

const changedMeanwhile = "The folder became another one while it was scanned, as if a disk had been mounted or taken out."

// begin checks a folder that is to be walked on its own: nothing above it may be left out of the library, and what is one thing
// as a whole (a disc folder) is looked at from the folder above. ok is false when there is nothing to do.
func (r *run) begin(ctx context.Context, p domain.LibraryPath, folder []byte) (from []byte, ok bool, err error) {
	for at := folder; len(at) > 0; at = parentOf(at) {
		name := path.Base(string(at))
		if naming.IgnoredName(name) {
			return nil, false, nil
		}
		entries, err := r.Tree.List(ctx, p.Raw, at)
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		if err != nil {
			continue
		}
		if ignored(entries) && len(at) < len(folder) {
			return nil, false, nil
		}
		if ignored(entries) || discOf(entries) != "" || naming.IsVideo(name) || strings.EqualFold(name, "BDMV") || strings.EqualFold(name, "VIDEO_TS") {
			folder = parentOf(at)
		}
	}
	return folder, true, nil
}

// end commits the last batch of a walk.
func (r *run) end(ctx context.Context, i int, b *batch, trouble string) error {
	if trouble == changedMeanwhile {
		b.vanished = nil // what was not seen may have been on the other disk
	}
	return r.flush(ctx, i, b, func(w *walked) {
		w.Done = true
		if trouble != "" {
			w.Trouble = trouble
		}
	})
}

// batch is what one transaction of the find stage does.
type batch struct {
	begun    time.Time
	inserted []domain.File
	changed  map[domain.ID]found
	vanished []domain.ID
	appeared []domain.ID
	found    int
	troubles []string
	position []byte
}

func newBatch() *batch { return &batch{begun: time.Now(), changed: map[domain.ID]found{}} }

func (b *batch) size() int {
	return len(b.inserted) + len(b.changed) + len(b.vanished) + len(b.appeared)
}

// merge compares a walk with what is known, both in the order of walk keys.
type merge struct {
	*run
	walk  int
	path  domain.LibraryPath
	known *knownFiles
	batch *batch
	// unseen are the raw paths that could not be looked at: what is known of them and below is neither there nor gone.
	unseen [][]byte
}

// until takes what is known before a walk key, which the walk did not meet.
func (m *merge) until(ctx context.Context, key []byte) (*store.KnownFile, error) {
	for {
		k, err := m.known.next(ctx)
		if err != nil || k == nil {
			return nil, err
		}
		at := store.WalkKey(k.Raw)
		if key != nil && bytes.Compare(at, key) >= 0 {
			if bytes.Equal(at, key) {
				return k, nil
			}
			return nil, nil
		}
		if k.VanishedAt == nil && !slices.ContainsFunc(m.unseen, func(u []byte) bool { return within(k.Raw, u) }) {
			m.batch.vanished = append(m.batch.vanished, k.ID)
		}
		m.known.take()
		if len(m.batch.vanished) == vanishBatch {
			m.batch.position = at
			if err := m.flush(ctx, m.walk, m.batch, nil); err != nil {
				return nil, err
			}
			m.batch = newBatch()
		}
	}
}

func (m *merge) rest(ctx context.Context) error {
	_, err := m.until(ctx, nil)
	return err
}

func (m *merge) met(ctx context.Context, f found) error {
	k, err := m.until(ctx, f.key())
	if err != nil {
		return err
	}
	m.batch.found++
	switch {
	case k == nil:
		m.batch.inserted = append(m.batch.inserted, m.fresh(f))
	case m.differs(*k, f):
		m.batch.changed[k.ID] = f
	case k.VanishedAt != nil:
		m.batch.appeared = append(m.batch.appeared, k.ID)
	}
	if k != nil {
		m.known.take()
	}
	return m.advance(ctx, f.key())
}

func (m *merge) reached(ctx context.Context, position []byte) error {
	if bytes.Compare(position, m.cur.Walks[m.walk].After) <= 0 {
		return nil
	}
	if _, err := m.until(ctx, position); err != nil {
		return err
	}
	return m.advance(ctx, position)
}

// advance notes how far the walk is and commits when it is time.
func (m *merge) advance(ctx context.Context, position []byte) error {
	m.batch.position = position
	over := m.over()
	if m.batch.size() < batchSize && time.Since(m.batch.begun) < batchTime && !over {
		return nil
	}
	if err := m.flush(ctx, m.walk, m.batch, nil); err != nil {
		return err
	}
	m.batch = newBatch()
	if over {
		return errPause
	}
	return nil
}

// trouble notes what cannot be looked at. Folders that are nobody's business (lost+found) are no trouble: no permission and nothing known in them.
func (m *merge) trouble(ctx context.Context, raw []byte, cause error) error {
	m.unseen = append(m.unseen, raw)
	if len(raw) > 0 && errors.Is(cause, fs.ErrPermission) {
		known, err := m.Store.Read().Files.Known(ctx, m.path.ID, raw, nil, 1)
		if err != nil || len(known) == 0 {
			return err
		}
	}
	m.Logger.WarnContext(ctx, "a folder cannot be looked at", "library", m.library.ID, "folder", display(join(m.path.Raw, raw)), "error", cause)
	m.batch.troubles = append(m.batch.troubles, reasonFor("", cause))
	return nil
}

// differs tells whether a known file has to be written. A file that is only there again is not.
func (m *merge) differs(k store.KnownFile, f found) bool {
	switch {
	case k.Size != f.size || !k.ModifiedAt.Equal(f.modified), k.Beside != f.beside:
		return true
	case f.state != "" && k.State != domain.FileIgnored && k.State != domain.FileMissing:
		return k.State != f.state
	case k.State == domain.FileGrowing:
		return !m.grows(f)
	}
	return false
}

// grows tells whether a file may still be written to: it changed a moment ago, or in the future of this computer's clock.
func (r *run) grows(f found) bool { return f.state == "" && r.Now().Sub(f.modified) < r.Settle }

func (m *merge) fresh(f found) domain.File {
	now := m.now()
	file := domain.File{
		ID: domain.NewID(), LibraryID: m.library.ID, PathID: m.path.ID, Raw: f.raw, Path: display(f.raw), Kind: domain.KindMovie,
		AddedAt: now, UpdatedAt: now,
	}
	m.contentOf(&file, f)
	file.Sidecars, file.Beside = f.sidecars, f.beside
	return file
}

// contentOf makes a file one whose content nobody read yet.
func (r *run) contentOf(file *domain.File, f found) {
	file.Size, file.ModifiedAt, file.Inode = f.size, f.modified, f.inode
	file.Fingerprint, file.Media, file.MatchedAt = "", nil, nil
	file.Revision = revisionOf(f.size, f.modified, "")
	file.State, file.ReasonCode, file.Reason = domain.FileFound, "", ""
	switch {
	case f.state != "":
		file.State, file.ReasonCode, file.Reason = f.state, f.code, reasonFor(f.code, nil)
	case r.grows(f):
		file.State = domain.FileGrowing
	}
}

// renew brings a known file in line with what the walk met.
func (r *run) renew(file *domain.File, f found) (changed bool) {
	was := *file
	switch {
	case file.Size != f.size || !file.ModifiedAt.Equal(f.modified), f.state != "" && f.state != file.State, file.State == domain.FileGrowing:
		changed = file.Size != f.size || !file.ModifiedAt.Equal(f.modified)
		r.contentOf(file, f)
	case file.State == domain.FileMissing:
		file.State, file.MatchedAt = stateOf(file.ReasonCode), nil
	}
	if was.ReasonCode == reasonIgnored {
		file.State, file.ReasonCode, file.Reason = domain.FileIgnored, was.ReasonCode, was.Reason
	}
	if file.Beside != f.beside {
		file.Sidecars, file.Beside, file.MatchedAt = f.sidecars, f.beside, nil
	}
	file.VanishedAt, file.MissingSince, file.UpdatedAt = nil, nil, r.now()
	return changed
}

// flush commits a batch with the position up to which the walk is done.
func (r *run) flush(ctx context.Context, i int, b *batch, ending func(*walked)) error {
	now := r.now()
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		w := &to.cur.Walks[i]
		if b.position != nil {
			w.After = b.position
		}
		for _, t := range b.troubles {
			w.Trouble = t
		}
		if ending != nil {
			ending(w)
		}
		w.Added += len(b.inserted)
		to.scan.Found += b.found
		to.scan.Added += len(b.inserted)
		growing := false
		for _, f := range b.inserted {
			growing = growing || f.State == domain.FileGrowing
			if f.State == domain.FileFailed {
				to.scan.Failed++
			}
		}
		if err := tx.Files.Insert(ctx, b.inserted...); err != nil {
			return err
		}
		if err := tx.Files.Vanish(ctx, now, b.vanished...); err != nil {
			return err
		}
		if err := to.reappear(ctx, tx, b.appeared); err != nil {
			return err
		}
		ids := make([]domain.ID, 0, len(b.changed))
		for id := range b.changed {
			ids = append(ids, id)
		}
		known, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
		if err != nil {
			return err
		}
		for j := range known {
			if to.renew(&known[j], b.changed[known[j].ID]) {
				to.scan.Changed++
			}
			growing = growing || known[j].State == domain.FileGrowing
		}
		if err := tx.Files.Update(ctx, known...); err != nil {
			return err
		}
		if growing {
			return enqueueSettle(ctx, tx, r.library.ID, r.Now().Add(r.Settle))
		}
		return nil
	})
}

// reappear takes back that files vanished. What an administrator told to ignore stays ignored.
func (r *run) reappear(ctx context.Context, tx store.Tx, ids []domain.ID) error {
	if len(ids) == 0 {
		return nil
	}
	if err := tx.Files.Reappear(ctx, ids...); err != nil {
		return err
	}
	back, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
	if err != nil {
		return err
	}
	for _, f := range back {
		if f.State == domain.FileFound && f.ReasonCode != "" {
			f.State = stateOf(f.ReasonCode)
			if err := tx.Files.Update(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// stateOf is the state that a reason stands for.
func stateOf(code string) domain.FileState {
	switch code {
	case reasonIgnored, reasonSample:
		return domain.FileIgnored
	case reasonDisc, reasonImage, reasonStub:
		return domain.FileUnsupported
	case reasonFolder, files.CodeOutside, files.CodeNotRegular:
		return domain.FileFailed
	}
	return domain.FileFound
}

// startAt is a scan of single folders, for what is known to have changed; a running one is Conflict "scan.active".
func (s *Service) startAt(ctx context.Context, library domain.ID, folders [][]byte) error {
	_, err := s.start(ctx, library, triggerEvent, folders)
	if fault.IsNotFound(err) {
		return nil
	}
	return err
}
