package library

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

const (
	codeScanActive   = "scan.active"
	codeScanFinished = "scan.finished"
)

// triggerEvent marks scans that changes of files asked for.
const triggerEvent = "event"

type scanPayload struct {
	ScanID domain.ID `json:"scanId"`
}

// Scan starts a full scan of a library. Conflict "scan.active" while another full one runs; one that file events asked for makes room.
func (s *Service) Scan(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Scan, error) {
	l, err := s.managed(ctx, actor, id)
	if err != nil {
		return domain.Scan{}, err
	}
	scan, err := s.start(ctx, id, "manual", nil)
	if err == nil {
		s.Activity.Note(ctx, actor, about(domain.ActivityLibraryScanned, l))
	}
	return scan, err
}

// start makes a scan with its job. A full one takes the place of an active one of single folders, and one for changed files that of one
// which only looks for pictures any more: it goes on with those when it has found its files.
func (s *Service) start(ctx context.Context, library domain.ID, trigger string, folders [][]byte) (scan domain.Scan, err error) {
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		scan, err = s.startIn(ctx, tx, library, trigger, folders)
		return err
	})
	return scan, err
}

// startIn is start within the caller's transaction.
func (s *Service) startIn(ctx context.Context, tx store.Tx, library domain.ID, trigger string, folders [][]byte) (domain.Scan, error) {
	active, err := tx.Scans.Active(ctx, library)
	if err != nil && !fault.IsNotFound(err) {
		return domain.Scan{}, err
	}
	var inherited []byte
	switch {
	case err != nil:
	case trigger == triggerEvent && active.State == domain.ScanRunning && active.Stage == domain.StageArtwork:
		if inherited, err = bequeath(active); err != nil {
			return domain.Scan{}, err
		}
		active.State, active.FinishedAt = domain.ScanDone, ptr(s.now())
		active.ArtworkTotal, active.Cursor = active.Artwork, nil
		err = tx.Scans.Update(ctx, active)
	case folders == nil && len(active.Folders) > 0:
		active.State, active.FinishedAt = domain.ScanCancelled, ptr(s.now())
		err = tx.Scans.Update(ctx, active)
	}
	if err != nil && !fault.IsNotFound(err) {
		return domain.Scan{}, err
	}
	if active.FinishedAt != nil {
		if err := tx.Events.Publish(ctx, progressed(active.ID)); err != nil {
			return domain.Scan{}, err
		}
	}
	return startScan(ctx, tx, library, trigger, folders, inherited, s.now())
}

// bequeath returns the cursor of a scan that goes on with another's pictures.
func bequeath(scan domain.Scan) ([]byte, error) {
	var cur cursor
	if err := json.Unmarshal(scan.Cursor, &cur); err != nil {
		return nil, err
	}
	for _, l := range cur.Late {
		cur.Films = append(cur.Films, l.Film)
	}
	return json.Marshal(cursor{Films: cur.Films, Many: cur.Many, Since: cur.since(scan)})
}

// since is when the first of the scans began whose changed films wait for pictures.
func (c cursor) since(scan domain.Scan) time.Time {
	if c.Since.IsZero() && scan.StartedAt != nil {
		return *scan.StartedAt
	}
	return c.Since
}

func startScan(ctx context.Context, tx store.Tx, library domain.ID, trigger string, folders [][]byte, inherited []byte, now time.Time) (domain.Scan, error) {
	scan := domain.Scan{ID: domain.NewID(), LibraryID: library, State: domain.ScanQueued, Stage: domain.StageFind, Trigger: trigger, Folders: folders, Cursor: inherited, CreatedAt: now}
	if err := tx.Scans.Create(ctx, scan); err != nil {
		return domain.Scan{}, err
	}
	return scan, enqueueScan(ctx, tx, scan, scan.ID.String())
}

func enqueueScan(ctx context.Context, tx store.Tx, scan domain.Scan, key string) error {
	job, err := jobs.New(KindScan, key, scanPayload{scan.ID})
	if err != nil {
		return err
	}
	if err := tx.Jobs.Enqueue(ctx, job); err != nil {
		return err
	}
	return tx.Events.Publish(ctx, progressed(scan.ID))
}

func progressed(scan domain.ID) bus.Message {
	return bus.Message{Topic: bus.TopicScan, Payload: []byte(scan.String())}
}

// CurrentScan returns a library's active scan, else its latest. NotFound when there was none.
func (s *Service) CurrentScan(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Scan, error) {
	if _, err := s.managed(ctx, actor, id); err != nil {
		return domain.Scan{}, err
	}
	scan, err := s.Store.Read().Scans.Active(ctx, id)
	if !fault.IsNotFound(err) {
		return scan, err
	}
	page, err := s.Store.Read().Scans.List(ctx, id, domain.PageRequest{Limit: 1})
	if err != nil {
		return domain.Scan{}, err
	}
	if len(page.Items) == 0 {
		return domain.Scan{}, fault.New(fault.NotFound, "scan.not_found", "This library was never scanned.")
	}
	return page.Items[0], nil
}

// GetScan returns one scan: what follows progress events.
func (s *Service) GetScan(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Scan, error) {
	scope, err := s.Access.ScopeFor(ctx, actor, domain.PermissionLibraryManage)
	if err != nil {
		return domain.Scan{}, err
	}
	return s.Store.Read().Scans.Get(ctx, scope, id)
}

// Scans is the history of a library, newest first.
func (s *Service) Scans(ctx context.Context, actor domain.Actor, id domain.ID, page domain.PageRequest) (domain.Page[domain.Scan], error) {
	if _, err := s.managed(ctx, actor, id); err != nil {
		return domain.Page[domain.Scan]{}, err
	}
	return s.Store.Read().Scans.List(ctx, id, page)
}

// CancelScan stops the active scan; what it did so far stays. NotFound when none runs.
func (s *Service) CancelScan(ctx context.Context, actor domain.Actor, id domain.ID) error {
	if _, err := s.managed(ctx, actor, id); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		scan, err := tx.Scans.Active(ctx, id)
		if err != nil {
			return err
		}
		scan.State, scan.FinishedAt = domain.ScanCancelled, ptr(s.now())
		if err := tx.Scans.Update(ctx, scan); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, progressed(scan.ID))
	})
}

// cursor is where a scan goes on after a kill: everything that it needs to know beside the scan's own fields.
type cursor struct {
	Walks []walked `json:"walks,omitempty"`
	// Unsorted counts files that wait for the match stage, once that has begun.
	Unsorted int `json:"unsorted,omitempty"`
	// Retry is the cursor in the list of failed files that are tried again.
	Retry string `json:"retry,omitempty"`
	// Films had their files changed and wait for the artwork stage; Many says that they are too many to be listed.
	Films []domain.ID `json:"films,omitempty"`
	Many  bool        `json:"many,omitempty"`
	// Since is when the scan began from which this one took over the films that wait.
	Since time.Time `json:"since,omitzero"`
	// Pictured is the last film without a picture that was looked at.
	Pictured domain.ID `json:"pictured"`
	// Late are films whose pictures took too long: they are tried again at the end.
	Late   []late `json:"late,omitempty"`
	Begun  bool   `json:"begun,omitempty"` // the current stage's total is known
	Judged bool   `json:"judged,omitempty"`
	// Settled is until when a full scan waits for files that changed a moment ago; they are looked at once more then.
	Settled time.Time `json:"settled,omitzero"`
	Waited  bool      `json:"waited,omitempty"`
	// Step counts commits and At is when the last one was: a scan that does not move lost its process.
	Step int       `json:"step"`
	At   time.Time `json:"at,omitzero"`
}

// late is a film whose pictures took too long, each of so many times.
type late struct {
	Film  domain.ID `json:"film"`
	Tries int       `json:"tries"`
}

// walked is the walk over a library path, or over one folder of it.
type walked struct {
	PathID domain.ID `json:"pathId"`
	Folder []byte    `json:"folder,omitempty"`
	// Root identifies the library path as it was when the walk began: if it becomes another, a disk came or went meanwhile.
	Root  string `json:"root,omitempty"`
	After []byte `json:"after,omitempty"`
	Done  bool   `json:"done,omitempty"`
	// Added counts files that were new, without those that turned out to have moved.
	Added int `json:"added,omitempty"`
	// Trouble says in words what could not be looked at, and freezes the path.
	Trouble string `json:"trouble,omitempty"`
}

// run is one slice of a scan.
type run struct {
	*Service
	library domain.Library
	scan    domain.Scan
	cur     cursor
	until   time.Time
	// pause is how long nothing can be done.
	pause time.Duration
	// claimed are known files of which this slice found the new places: what is read ahead must not claim them again.
	claimed map[domain.ID]bool
}

func (r *run) over() bool { return !time.Now().Before(r.until) }

func (r *run) full() bool { return len(r.scan.Folders) == 0 }

// RunScan works on a scan for one slice: the handler of KindScan. Whatever it did is committed with where it goes on, so that a
// killed process costs a slice, and a repeated one does nothing twice (R2).
func (s *Service) RunScan(ctx context.Context, job jobs.Run) error {
	var payload scanPayload
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return jobs.Discard(err)
	}
	scan, err := s.Store.Read().Scans.Get(ctx, domain.ScopeAll(), payload.ScanID)
	if fault.IsNotFound(err) || err == nil && !scan.Active() {
		return nil
	}
	if err != nil {
		return err
	}
	library, err := s.Store.Read().Libraries.Get(ctx, domain.ScopeAll(), scan.LibraryID)
	if err != nil {
		return unlessGone(err)
	}
	r := &run{Service: s, library: library, scan: scan, until: time.Now().Add(s.Slice), claimed: map[domain.ID]bool{}}
	if err := r.resume(ctx); err != nil {
		return unlessGone(err)
	}
	done, err := r.stages(ctx)
	if err != nil && unlessGone(err) == nil {
		done, err = true, nil // cancelled, its library removed, or another process goes on
	}
	switch {
	case err != nil && job.LastAttempt && ctx.Err() == nil:
		return errors.Join(err, r.fail(ctx, err))
	case err != nil:
		return err
	case !done:
		job.Report(ctx, r.scan.Read+r.scan.Matched+r.scan.Artwork, r.scan.ReadTotal+r.scan.MatchTotal+r.scan.ArtworkTotal)
		return jobs.Continue(r.pause)
	}
	return nil
}

// errOvertaken says that another process works on the scan: one that was thought dead, or one that thought so of this one.
var errOvertaken = errors.New("another process goes on with the scan")

// unlessGone drops the errors that say that the scan, or what it works on, is no more this process's business.
func unlessGone(err error) error {
	if errors.Is(err, errOvertaken) {
		return nil
	}
	switch fault.CodeOf(err) {
	case codeScanFinished, "scan.not_found", "library.not_found":
		return nil
	}
	return err
}

func (r *run) stages(ctx context.Context) (done bool, err error) {
	for {
		var stage func(context.Context) (bool, error)
		var next domain.ScanStage
		switch r.scan.Stage {
		case domain.StageFind:
			stage, next = r.find, domain.StageRead
		case domain.StageRead:
			stage, next = r.read, domain.StageMatch
		case domain.StageMatch:
			stage, next = r.match, domain.StageArtwork
		default:
			stage = r.artwork
		}
		if done, err = stage(ctx); err != nil || !done {
			return false, err
		}
		if next == "" {
			return true, r.finish(ctx)
		}
		err = r.commit(ctx, func(_ context.Context, _ store.Tx, to *run) error {
			to.scan.Stage, to.cur.Begun = next, false
			return nil
		})
		if err != nil || r.over() {
			return false, err
		}
	}
}

// commit runs fn in a transaction that also saves how far the scan is. fn changes to, which becomes r if and only if it committed. A scan
// that was cancelled meanwhile stays so, and nothing is done.
func (r *run) commit(ctx context.Context, fn func(ctx context.Context, tx store.Tx, to *run) error) error {
	position, err := json.Marshal(r.cur)
	if err != nil {
		return err
	}
	var to run
	now := r.now()
	err = r.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		stored, err := tx.Scans.Get(ctx, domain.ScopeAll(), r.scan.ID)
		if err != nil {
			return err
		}
		if !bytes.Equal(stored.Cursor, r.scan.Cursor) {
			return errOvertaken
		}
		to = *r
		to.cur = cursor{}
		if err := json.Unmarshal(position, &to.cur); err != nil {
			return err
		}
		if err := fn(ctx, tx, &to); err != nil {
			return err
		}
		to.cur.Step, to.cur.At = r.cur.Step+1, now
		if to.scan.Cursor, err = json.Marshal(to.cur); err != nil {
			return err
		}
		if err := tx.Scans.Update(ctx, to.scan); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, progressed(to.scan.ID))
	})
	if err == nil {
		*r = to
	}
	return err
}

// resume reads where the scan is, or begins it.
func (r *run) resume(ctx context.Context) error {
	if len(r.scan.Cursor) > 0 {
		if err := json.Unmarshal(r.scan.Cursor, &r.cur); err != nil || r.scan.State == domain.ScanRunning {
			return err
		}
	}
	walks := r.walks()
	return r.commit(ctx, func(_ context.Context, _ store.Tx, to *run) error {
		to.scan.State, to.scan.StartedAt, to.cur.Walks = domain.ScanRunning, ptr(r.now()), walks
		return nil
	})
}

// walks are what the scan is to walk over: all paths, or the outermost of the folders.
func (r *run) walks() []walked {
	var walks []walked
	if r.full() {
		for _, p := range r.library.Paths {
			walks = append(walks, walked{PathID: p.ID})
		}
		return walks
	}
	folders := slices.Clone(r.scan.Folders)
	slices.SortFunc(folders, func(a, b []byte) int { return bytes.Compare(store.WalkKey(a), store.WalkKey(b)) })
	for _, p := range r.library.Paths {
		var last *walked
		for _, folder := range folders {
			if !below(folder, p.Raw) {
				continue
			}
			rest := bytes.Trim(bytes.TrimPrefix(folder, p.Raw), "/")
			if last != nil && within(rest, last.Folder) {
				continue
			}
			walks = append(walks, walked{PathID: p.ID, Folder: rest})
			last = &walks[len(walks)-1]
		}
	}
	return walks
}

// finish ends the scan, and has files that still grow looked at again.
func (r *run) finish(ctx context.Context) error {
	now := r.now()
	return r.commit(ctx, func(ctx context.Context, tx store.Tx, to *run) error {
		to.scan.State, to.scan.FinishedAt = domain.ScanDone, &now
		to.scan.MatchTotal, to.scan.ArtworkTotal, to.cur = to.scan.Matched, to.scan.Artwork, cursor{}
		return tx.Events.Publish(ctx, moviesChanged(r.library.ID))
	})
}

// fail ends the scan with what a person can do about it.
func (r *run) fail(ctx context.Context, cause error) error {
	message := "The scan stopped because of an unexpected error. The log says more. Start it again."
	if f := fault.As(cause); f != nil && f.Kind != fault.Internal {
		message = f.Message + " Start the scan again."
	}
	r.Logger.ErrorContext(ctx, "a scan failed", "library", r.library.ID, "scan", r.scan.ID, "stage", r.scan.Stage, "error", cause)
	return r.commit(ctx, func(_ context.Context, _ store.Tx, to *run) error {
		to.scan.State, to.scan.FinishedAt, to.scan.Error = domain.ScanFailed, ptr(r.now()), message
		return nil
	})
}

func ptr[T any](v T) *T { return &v }
