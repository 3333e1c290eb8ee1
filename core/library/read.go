package library

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/store"
)

// sampleSize is how much of a file's beginning, middle and end its fingerprint covers.
const sampleSize = 64 << 10

// indexTime is how long the index of one file may take, probeTime how long its facts alone: a very large file without an
// index of its own must not hold up a slice for longer than its job may take.
const (
	indexTime = 10 * time.Second
	probeTime = 5 * time.Second
)

// readBatch is how many files are read before what they are is committed, readTime for how long none is begun any more: what is read and not
// committed is lost with the process.
const (
	readBatch = 100
	readTime  = time.Second
)

// mayPass are the reasons for which a file that failed is tried again by each full scan.
var mayPass = []string{files.CodeUnreadable, media.CodeToolMissing, media.CodeToolFailed}

// read fingerprints and probes what the find stage left, and then says of each path whether what vanished is believed (R10).
func (r *run) read(ctx context.Context) (done bool, err error) {
	todo := store.FileFilter{LibraryID: &r.library.ID, States: []domain.FileState{domain.FileFound}}
	if !r.cur.Begun {
		page, err := r.Store.Read().Files.List(ctx, domain.ScopeAll(), todo, domain.PageRequest{Limit: 1, IncludeTotal: true})
		if err != nil {
			return false, err
		}
		err = r.commit(ctx, func(_ context.Context, _ store.Tx, to *run) error {
			to.cur.Begun, to.scan.ReadTotal = true, to.scan.Read+*page.Total
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	early := &earlyMatch{run: r, since: time.Now(), rest: earlyRest}
	var ahead chan *batchRead // what is read while what was read before is kept
	defer func() {
		if ahead != nil {
			(<-ahead).close()
		}
	}()
	for tried, cursor := map[domain.ID]int{}, ""; ; {
		var b *batchRead
		if ahead != nil {
			b, ahead = <-ahead, nil
		} else {
			page, waiting, err := r.unread(ctx, todo)
			if err != nil || waiting {
				return false, err
			}
			if len(page.Items) == 0 {
				break
			}
			cursor = page.NextCursor
			b = r.readFiles(ctx, page.Items)
		}
		if stubborn := slices.ContainsFunc(b.list, func(f domain.File) bool { tried[f.ID]++; return tried[f.ID] > 20 }); stubborn {
			b.close()
			return false, fault.New(fault.Unavailable, "library.files_change", "Files changed again and again while they were read.")
		}
		if cursor != "" && b.err == nil && time.Until(r.until) > 2*readTime {
			page, err := r.Store.Read().Files.List(ctx, domain.ScopeAll(), todo, domain.PageRequest{Limit: readBatch, Cursor: cursor})
			if err != nil {
				b.close()
				return false, err
			}
			if cursor = page.NextCursor; len(page.Items) > 0 {
				ahead = make(chan *batchRead, 1)
				go func(reader run, ahead chan<- *batchRead) { ahead <- reader.readFiles(ctx, page.Items) }(*r, ahead)
			}
		}
		if err := r.keepRead(ctx, b); err != nil {
			return false, err
		}
		early.add(b.list)
		if err := early.match(ctx, r.over()); err != nil {
			return false, err
		}
		if r.over() {
			return false, nil
		}
	}
	if r.full() {
		if done, err := r.retry(ctx); err != nil || !done {
			return false, err
		}
	}
	return true, r.judge(ctx)
}

// unread returns files that wait to be read; waiting says that there may be some in a moment.
func (r *run) unread(ctx context.Context, todo store.FileFilter) (page domain.Page[domain.File], waiting bool, err error) {
	page, err = r.Store.Read().Files.List(ctx, domain.ScopeAll(), todo, domain.PageRequest{Limit: readBatch})
	if err != nil || len(page.Items) > 0 {
		return page, false, err
	}
	if waiting, err = r.await(ctx); err != nil || waiting {
		return page, waiting, err
	}
	page, err = r.Store.Read().Files.List(ctx, domain.ScopeAll(), todo, domain.PageRequest{Limit: readBatch})
	return page, false, err
}

// await has a full scan wait once for files that were changed a moment before it, so that it ends with all films that are there.
// Those that go on growing are left to RunSettle.
func (r *run) await(ctx context.Context) (waiting bool, err error) {
	if !r.full() || r.cur.Waited {
		return false, nil
	}
	growing, looked, err := r.lookAtGrowing(ctx, r.library)
	if err != nil {
		return false, err
	}
	now := r.now()
	if growing > 0 && now.Before(r.cur.Settled) || growing > 0 && r.cur.Settled.IsZero() {
		r.pause = min(r.Settle, time.Second)
		if r.cur.Settled.IsZero() {
			r.cur.Settled = now.Add(r.Settle)
		}
		return true, r.commit(ctx, func(context.Context, store.Tx, *run) error { return nil })
	}
	settled, err := r.settle(ctx, looked)
	if err != nil {
		return false, err
	}
	return false, r.commit(ctx, func(_ context.Context, _ store.Tx, to *run) error {
		to.cur.Waited = true
		to.scan.ReadTotal += settled
		return nil
	})
}

// retry reads files again that failed for a reason that may have passed; those that fail again are not written.
func (r *run) retry(ctx context.Context) (done bool, err error) {
	filter := store.FileFilter{LibraryID: &r.library.ID, States: []domain.FileState{domain.FileFailed}}
	for r.cur.Retry != "-" {
		page, err := r.Store.Read().Files.List(ctx, domain.ScopeAll(), filter, domain.PageRequest{Limit: 50, Cursor: r.cur.Retry})
		if err != nil {
			return false, err
		}
		again := slices.DeleteFunc(page.Items, func(f domain.File) bool { return f.VanishedAt != nil || !slices.Contains(mayPass, f.ReasonCode) })
		r.cur.Retry = page.NextCursor
		if r.cur.Retry == "" {
			r.cur.Retry = "-"
		}
		for left := again; len(left) > 0; {
			some, err := r.readSome(ctx, left)
			if err != nil {
				return false, err
			}
			left = left[len(some):]
		}
		if r.over() && r.cur.Retry != "-" {
			return false, nil
		}
	}
	return true, nil
}

// reading is one file on its way through the read stage.
type reading struct {
	was, file domain.File
	open      files.Open
	// done says that there is nothing left to probe.
	done bool
	// moved is the known file that this one is, found at another place.
	moved *domain.ID
}

// readSome reads the first of the files, for as long as readTime lasts, and commits what they are. It returns those that it read, at least one.
func (r *run) readSome(ctx context.Context, list []domain.File) ([]domain.File, error) {
	b := r.readFiles(ctx, list)
	return b.list, r.keepRead(ctx, b)
}

// batchRead is what was read of some files. It holds them open until it is closed.
type batchRead struct {
	list     []domain.File
	readings []*reading
	err      error
}

func (b *batchRead) close() {
	for _, rd := range b.readings {
		if rd.open != nil {
			rd.open.Close()
		}
	}
}

// readFiles reads the first of the files, some at a time, and writes nothing to the database.
func (r *run) readFiles(ctx context.Context, list []domain.File) *batchRead {
	b := &batchRead{list: list}
	ids := make([]domain.ID, len(list))
	order := map[domain.ID]int{}
	for i, f := range list {
		ids[i], order[f.ID] = f.ID, i
	}
	whole, err := r.Store.Read().Files.GetMany(ctx, domain.ScopeAll(), ids...)
	if err != nil {
		b.err = err
		return b
	}
	slices.SortFunc(whole, func(a, b domain.File) int { return order[a.ID] - order[b.ID] })
	b.readings = make([]*reading, len(whole))
	for i, f := range whole {
		b.readings[i] = &reading{was: f, file: f}
	}
	until := r.batchEnd()
	opened := b.readings[:r.parallel(b.readings, until, func(rd *reading) { r.fingerprint(ctx, rd) })]
	if b.err = r.findMoves(ctx, opened); b.err != nil {
		return b
	}
	read := opened[:r.parallel(opened, until, func(rd *reading) { r.probe(ctx, rd) })]
	if b.err = ctx.Err(); b.err != nil || len(read) == len(whole) {
		return b
	}
	for _, rd := range opened[len(read):] {
		if rd.open != nil {
			rd.open.Close()
		}
	}
	b.list, b.readings = list[:order[read[len(read)-1].was.ID]+1], read
	return b
}

// keepRead commits what files turned out to be, and closes them.
func (r *run) keepRead(ctx context.Context, b *batchRead) error {
	defer b.close()
	if b.err != nil {
		return b.err
	}
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error { return to.keep(ctx, tx, b.readings) })
}

// batchEnd is until when files of a batch are begun.
func (r *run) batchEnd() time.Time {
	if end := time.Now().Add(readTime); end.Before(r.until) {
		return end
	}
	return r.until
}

// parallel runs fn for readings, a few at a time and in their order, until the time is over, and returns for how many it did: all but
// the last ones, at least one.
func (r *run) parallel(readings []*reading, until time.Time, fn func(*reading)) (done int) {
	var workers sync.WaitGroup
	slots := make(chan struct{}, r.Readers)
	for i, rd := range readings {
		slots <- struct{}{}
		if i > 0 && time.Now().After(until) {
			break
		}
		done++
		workers.Go(func() {
			defer func() { <-slots }()
			fn(rd)
		})
	}
	workers.Wait()
	return done
}

// fingerprint opens the file and hashes its size and samples.
func (r *run) fingerprint(ctx context.Context, rd *reading) {
	p, ok := pathOf(r.library, rd.file.PathID)
	if !ok {
		rd.done = true
		return
	}
	open, err := r.Tree.Open(ctx, p.Raw, rd.file.Raw)
	if err != nil {
		r.failed(ctx, rd, err)
		if fault.CodeOf(err) == files.CodeNotFound && rd.file.VanishedAt == nil {
			rd.file.VanishedAt = ptr(r.now())
		}
		return
	}
	rd.open = open
	seen := found{raw: rd.file.Raw, size: open.Size(), modified: domain.Stamp(open.ModifiedAt()), inode: rd.file.Inode}
	if seen.size != rd.file.Size || !seen.modified.Equal(rd.file.ModifiedAt) {
		r.contentOf(&rd.file, seen)
		if rd.file.State == domain.FileGrowing {
			rd.done = true
			return
		}
	}
	sum, err := fingerprint(open, seen.size)
	if err != nil {
		r.failed(ctx, rd, fault.Wrap(err, fault.Unavailable, files.CodeUnreadable, "The file cannot be read. Check the disk or the network share."))
		return
	}
	// A file that was away and is back as it was needs no second look.
	if sum != "" && sum == rd.file.Fingerprint && rd.file.Media != nil {
		rd.file.State, rd.file.ReasonCode, rd.file.Reason, rd.done = domain.FileReady, "", "", true
	}
	rd.file.Fingerprint, rd.file.Revision = sum, revisionOf(rd.file.Size, rd.file.ModifiedAt, sum)
}

var samples = sync.Pool{New: func() any {
	b := make([]byte, sampleSize)
	return &b
}}

// fingerprint is equal for equal files, and "" for empty ones, which are all equal and yet not the same.
func fingerprint(content io.ReaderAt, size int64) (string, error) {
	if size == 0 {
		return "", nil
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(size)))
	lent := samples.Get().(*[]byte)
	defer samples.Put(lent)
	buffer := *lent
	for _, at := range []int64{0, (size - sampleSize) / 2, size - sampleSize} {
		n, err := content.ReadAt(buffer[:min(size, sampleSize)], max(at, 0))
		if err != nil && !(errors.Is(err, io.EOF) && int64(n) == min(size, sampleSize)) {
			return "", err
		}
		h.Write(buffer[:n])
		if size <= sampleSize {
			break
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// failed notes why a file cannot be read.
func (r *run) failed(ctx context.Context, rd *reading, err error) {
	if ctx.Err() != nil {
		return
	}
	code := fault.CodeOf(err)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.Wrap(err, fault.Unavailable, files.CodeUnreadable, "The file could not be read in time. Check the disk or the network share, then read it again.")
		code = files.CodeUnreadable
	}
	if code == "" || fault.KindOf(err) == fault.Internal && code != media.CodeToolFailed {
		r.Logger.WarnContext(ctx, "a file cannot be read", "file", rd.file.Path, "error", err)
		code = media.CodeDamaged
	}
	rd.file.State, rd.file.ReasonCode, rd.file.Reason, rd.file.Media, rd.done = domain.FileFailed, code, readingReason(code, err), nil, true
}

var readingReasons = map[string]string{
	media.CodeEmpty:            "The file is empty. Copy it again.",
	media.CodeTruncated:        "The file ends too early: it was not copied or downloaded to its end. Get it again.",
	media.CodeUnknownContainer: "This is no video, whatever its name says. Remove it, or replace it by the film.",
	media.CodeNoVideo:          "There is no picture in this file, only sound or other data. Remove it, or replace it by the film.",
	media.CodeRefused:          "This file only points to other files or addresses, which are never followed. Put the film itself into the library.",
	media.CodeDamaged:          "The file is damaged. Get it again, or repair it (for example with MKVToolNix).",
	files.CodeNotFound:         "The file was gone before it could be read.",
}

func readingReason(code string, err error) string {
	if text := readingReasons[code]; text != "" {
		return text
	}
	return reasonFor(code, err)
}

// findMoves decides which files that were never read are known ones at new places: exactly one known file with the same fingerprint
// vanished. Others are copies or hard links (SPEC 4).
func (r *run) findMoves(ctx context.Context, readings []*reading) error {
	var fresh []*reading
	var fingerprints []string
	for _, rd := range readings {
		if !rd.done && rd.file.Fingerprint != "" && rd.was.Fingerprint == "" && rd.was.MovieID == nil {
			fresh, fingerprints = append(fresh, rd), append(fingerprints, rd.file.Fingerprint)
		}
	}
	equal, err := r.Store.Read().Files.ByFingerprint(ctx, r.library.ID, fingerprints...)
	if err != nil || len(equal) == 0 {
		return err
	}
	for _, rd := range fresh {
		r.findMove(ctx, rd, equal, r.claimed)
	}
	return nil
}

// findMove decides about one file among the known ones that are equal to it or to others; claimed are those that others took.
func (r *run) findMove(ctx context.Context, rd *reading, known []domain.File, claimed map[domain.ID]bool) {
	var pending, missing []domain.ID
	for _, f := range known {
		switch {
		case f.Fingerprint != rd.file.Fingerprint || f.ID == rd.file.ID || claimed[f.ID]:
		case f.State == domain.FileMissing:
			missing = append(missing, f.ID)
		case f.VanishedAt != nil || r.gone(ctx, f):
			pending = append(pending, f.ID)
		}
	}
	switch {
	case len(pending) == 1:
		rd.moved = &pending[0]
	case len(pending) == 0 && len(missing) == 1:
		rd.moved = &missing[0]
	default:
		return
	}
	claimed[*rd.moved], rd.done = true, true
}

// gone looks whether a known file is still there: the walk may have met the new place only.
func (r *run) gone(ctx context.Context, f domain.File) bool {
	p, ok := pathOf(r.library, f.PathID)
	if !ok {
		return false
	}
	if _, err := r.Tree.Stat(ctx, p.Raw, nil); err != nil {
		return false
	}
	_, err := r.Tree.Stat(ctx, p.Raw, f.Raw)
	return fault.CodeOf(err) == files.CodeNotFound
}

// probe reads the container's facts, in process where that is possible, and keeps its index.
func (r *run) probe(ctx context.Context, rd *reading) {
	if rd.done || ctx.Err() != nil {
		return
	}
	in := media.Input{Path: rd.open.Path(), Reader: rd.open, Size: rd.open.Size()}
	facts, index, err := r.index(ctx, in)
	switch {
	case err == nil:
		if err := r.Blobs.Put(ctx, media.IndexKey(rd.file.Revision), bytes.NewReader(index)); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "an index was not kept; it is made again when the film is played", "file", rd.file.Path, "error", err)
		}
	case fault.CodeOf(err) == media.CodeUnknownContainer, fault.CodeOf(err) == media.CodeDamaged, errors.Is(err, context.DeadlineExceeded):
		// Another program may know the container, read what contradicts itself, or do without an index.
		own := err
		within, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		if facts, err = r.Prober.Probe(within, in); err != nil && fault.CodeOf(own) == media.CodeDamaged {
			err = own
		}
	}
	if err != nil {
		r.failed(ctx, rd, err)
		return
	}
	rd.file.State, rd.file.ReasonCode, rd.file.Reason, rd.file.Media = domain.FileReady, "", "", &facts
	if picture := slices.IndexFunc(facts.Video, func(v domain.Video) bool { return !v.AttachedPicture }); picture >= 0 {
		rd.file.Resolution = domain.Resolution(facts.Video[picture].Width, facts.Video[picture].Height)
	}
}

func (r *run) index(ctx context.Context, in media.Input) (domain.Media, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, indexTime)
	defer cancel()
	return r.Packager.Index(ctx, in)
}

// keep writes what files turned out to be, but not of those that somebody else changed meanwhile.
func (r *run) keep(ctx context.Context, tx store.Tx, readings []*reading) error {
	ids := make([]domain.ID, len(readings))
	for i, rd := range readings {
		ids[i] = rd.was.ID
	}
	list, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
	if err != nil {
		return err
	}
	stored := map[domain.ID]domain.File{}
	for _, f := range list {
		stored[f.ID] = f
	}
	var learnt []domain.File
	for _, rd := range readings {
		now, ok := stored[rd.was.ID]
		if !ok || now.State != rd.was.State || !now.UpdatedAt.Equal(rd.was.UpdatedAt) {
			continue
		}
		again := rd.was.State == domain.FileFailed
		if rd.moved != nil {
			if err := r.keepMoved(ctx, tx, rd); err != nil {
				return err
			}
			continue
		}
		if again && rd.file.State == domain.FileFailed && rd.file.ReasonCode == rd.was.ReasonCode {
			continue
		}
		if !again {
			r.scan.Read++
		}
		switch rd.file.State {
		case domain.FileFailed:
			r.scan.Failed++
		case domain.FileGrowing:
			if err := enqueueSettle(ctx, tx, r.library.ID, r.Now().Add(r.Settle)); err != nil {
				return err
			}
		}
		rd.file.MatchedAt, rd.file.UpdatedAt = nil, r.now()
		learnt = append(learnt, rd.file)
	}
	return tx.Files.UpdateContent(ctx, learnt...)
}

// keepMoved gives the known file its new place: its id, its film and with them everybody's progress stay.
func (r *run) keepMoved(ctx context.Context, tx store.Tx, rd *reading) error {
	known, err := tx.Files.Get(ctx, domain.ScopeAll(), *rd.moved)
	if err != nil {
		return err
	}
	if err := tx.Files.Delete(ctx, rd.was.ID); err != nil {
		return err
	}
	n := rd.file
	known.PathID, known.Raw, known.Path, known.Inode = n.PathID, n.Raw, n.Path, n.Inode
	known.Size, known.ModifiedAt, known.Revision = n.Size, n.ModifiedAt, n.Revision
	known.Sidecars, known.Beside = n.Sidecars, n.Beside
	known.VanishedAt, known.MissingSince, known.MatchedAt, known.UpdatedAt = nil, nil, nil, r.now()
	if known.ReasonCode != reasonIgnored {
		if known.State = domain.FileFound; known.Media != nil {
			known.State, known.ReasonCode, known.Reason = domain.FileReady, "", ""
		}
	}
	r.scan.Read++
	r.scan.Moved++
	r.scan.Added--
	for i := range r.cur.Walks {
		if w := &r.cur.Walks[i]; w.PathID == n.PathID && w.Added > 0 && within(n.Raw, w.Folder) {
			w.Added--
			break
		}
	}
	return tx.Files.Update(ctx, known)
}
