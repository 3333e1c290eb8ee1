package library

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

// The kinds of jobs of this package. Only scans run on the queue of scans: the rest never waits for one.
const (
	KindScan   jobs.Kind = "library.scan" // one scan, in slices
	KindSettle jobs.Kind = "files.settle" // growing files of one library, until they are stable
	KindTend   jobs.Kind = "files.tend"   // what is due: scans, and frozen paths that are back
	KindPurge  jobs.Kind = "files.purge"  // files that are missing for 30 days
)

// lookForReturn is how long after the last scan a frozen path is scanned again because its disk seems to be back.
const lookForReturn = 5 * time.Minute

// stalled is how long a scan that runs may go without a commit: longer than the slowest file takes.
const stalled = 25 * time.Second

// Definitions are the jobs that every worker must know.
func (s *Service) Definitions() []jobs.Definition {
	// The longest timeout of all kinds decides how soon the jobs of a killed process are taken up: after twice as long (R2).
	const timeout = 25 * time.Second
	steady := func(int) time.Duration { return 5 * time.Second }
	return []jobs.Definition{
		{Kind: KindScan, MaxAttempts: 20, Timeout: timeout, Backoff: steady, Handler: s.RunScan},
		{Kind: KindSettle, MaxAttempts: 10, Timeout: timeout, Backoff: steady, Handler: s.RunSettle},
		{Kind: KindTend, MaxAttempts: 3, Timeout: timeout, Handler: s.Tend},
		{Kind: KindPurge, MaxAttempts: 5, Timeout: timeout, Handler: s.Purge},
	}
}

// Schedules are the jobs that come by themselves.
func (s *Service) Schedules() []jobs.Schedule {
	return []jobs.Schedule{
		{Job: jobs.Job{Kind: KindTend, Key: "tend", Payload: json.RawMessage("{}"), Priority: 3}, Every: 20 * time.Second, AtStart: true},
		{Job: jobs.Job{Kind: KindPurge, Key: "purge", Payload: json.RawMessage("{}"), Priority: 4}, Every: 12 * time.Hour},
	}
}

type settlePayload struct {
	LibraryID domain.ID `json:"libraryId"`
}

func enqueueSettle(ctx context.Context, tx store.Tx, library domain.ID, at time.Time) error {
	job, err := jobs.New(KindSettle, library.String(), settlePayload{library})
	if err != nil {
		return err
	}
	job.RunAt = at
	return tx.Jobs.Enqueue(ctx, job)
}

// RunSettle looks at the growing files of a library until none is left: one that did not change between two looks is read.
func (s *Service) RunSettle(ctx context.Context, job jobs.Run) error {
	var payload settlePayload
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return jobs.Discard(err)
	}
	l, err := s.Store.Read().Libraries.Get(ctx, domain.ScopeAll(), payload.LibraryID)
	if err != nil {
		if fault.IsNotFound(err) {
			return nil
		}
		return err
	}
	growing, looked, err := s.lookAtGrowing(ctx, l)
	if err != nil {
		return err
	}
	settled, err := s.settle(ctx, looked)
	if err != nil {
		return err
	}
	waiting, err := s.readSettled(ctx, l)
	if err != nil {
		return err
	}
	if waiting || growing-settled > 0 && len(looked) > 0 {
		return jobs.Continue(s.Settle)
	}
	return nil
}

// lookAtGrowing counts a library's growing files and looks at those that are there.
func (s *Service) lookAtGrowing(ctx context.Context, l domain.Library) (growing int, looked map[domain.ID]found, err error) {
	looked = map[domain.ID]found{}
	filter := store.FileFilter{LibraryID: &l.ID, States: []domain.FileState{domain.FileGrowing}}
	err = eachFile(ctx, s.Store.Read(), filter, func(f domain.File) error {
		growing++
		p, _ := pathOf(l, f.PathID)
		if e, err := s.Tree.Stat(ctx, p.Raw, f.Raw); err == nil {
			looked[f.ID] = found{raw: f.Raw, size: e.Size, modified: domain.Stamp(e.ModifiedAt), inode: e.Inode}
		}
		return ctx.Err()
	})
	return growing, looked, err
}

// settle notes what a look at growing files found, and returns how many of them are stable.
func (s *Service) settle(ctx context.Context, looked map[domain.ID]found) (settled int, err error) {
	ids := make([]domain.ID, 0, len(looked))
	for id := range looked {
		ids = append(ids, id)
	}
	now := s.now()
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		settled = 0
		list, err := tx.Files.GetMany(ctx, domain.ScopeAll(), ids...)
		if err != nil {
			return err
		}
		for _, f := range list {
			seen := looked[f.ID]
			if f.State != domain.FileGrowing {
				continue
			}
			switch {
			case f.Size != seen.size || !f.ModifiedAt.Equal(seen.modified):
				f.Size, f.ModifiedAt, f.Inode, f.Revision = seen.size, seen.modified, seen.inode, revisionOf(seen.size, seen.modified, "")
			case now.Sub(f.UpdatedAt) < s.Settle:
				continue
			default:
				f.State = domain.FileFound
				settled++
			}
			f.UpdatedAt = now
			if err := tx.Files.Update(ctx, f); err != nil {
				return err
			}
		}
		return nil
	})
	return settled, err
}

// readSettled starts a scan for files that wait to be read; waiting says that one that runs has to end first.
func (s *Service) readSettled(ctx context.Context, l domain.Library) (waiting bool, err error) {
	page, err := s.Store.Read().Files.List(ctx, domain.ScopeAll(), store.FileFilter{LibraryID: &l.ID, States: []domain.FileState{domain.FileFound}}, domain.PageRequest{Limit: 100})
	if err != nil || len(page.Items) == 0 {
		return false, err
	}
	var folders [][]byte
	for _, f := range page.Items {
		p, _ := pathOf(l, f.PathID)
		folders = append(folders, join(p.Raw, parentOf(f.Raw)))
	}
	err = s.startAt(ctx, l.ID, folders)
	if fault.CodeOf(err) == codeScanActive {
		return true, nil
	}
	return false, err
}

// Tend does what is due: it revives scans whose job was lost, and starts scans of libraries that were not scanned for long, have a path
// that never was, or a frozen one whose files seem to be back.
func (s *Service) Tend(ctx context.Context, _ jobs.Run) error {
	libraries, err := s.Store.Read().Libraries.List(ctx, domain.ScopeAll())
	if err != nil {
		return err
	}
	for _, l := range libraries {
		active, err := s.Store.Read().Scans.Active(ctx, l.ID)
		switch {
		case err == nil:
			if err := s.revive(ctx, active); err != nil {
				return err
			}
			continue
		case !fault.IsNotFound(err):
			return err
		}
		due, err := s.due(ctx, l)
		if err != nil {
			return err
		}
		if !due {
			continue
		}
		if _, err := s.start(ctx, l.ID, "schedule", nil); err != nil && fault.CodeOf(err) != codeScanActive && !fault.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// revive has a job go on with a scan that does not move. The job of a process that was killed still counts as running, so another one is
// made; should the first one live after all, the one that commits first goes on.
func (s *Service) revive(ctx context.Context, scan domain.Scan) error {
	var cur cursor
	key := scan.ID.String()
	if scan.State == domain.ScanRunning {
		if err := json.Unmarshal(scan.Cursor, &cur); err != nil {
			return err
		}
		if s.Now().Sub(cur.At) < stalled {
			return nil
		}
		key += "/" + strconv.Itoa(cur.Step)
	}
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return enqueueScan(ctx, tx, scan, key) })
}

func (s *Service) due(ctx context.Context, l domain.Library) (bool, error) {
	latest, err := s.Store.Read().Scans.List(ctx, l.ID, domain.PageRequest{Limit: 1})
	if err != nil {
		return false, err
	}
	now := s.Now()
	// Scans of single folders thaw nothing, so they are no reason to wait.
	rested := len(latest.Items) == 0 || len(latest.Items[0].Folders) > 0 || now.Sub(latest.Items[0].CreatedAt) >= lookForReturn
	for _, p := range l.Paths {
		switch {
		case p.ScannedAt == nil:
			// One that was cancelled or failed is not taken up again at once.
			if len(latest.Items) == 0 || latest.Items[0].State == domain.ScanDone || rested && latest.Items[0].State == domain.ScanFailed {
				return true, nil
			}
		case now.Sub(*p.ScannedAt) >= s.RescanEvery:
			return true, nil
		}
		if p.State != domain.PathFrozen || !rested {
			continue
		}
		if back, err := s.back(ctx, p); err != nil || back {
			return back, err
		}
	}
	return false, nil
}

// back tells whether a frozen path seems to be there again: one of some files that had vanished is, or the folder itself where none had.
func (s *Service) back(ctx context.Context, p domain.LibraryPath) (bool, error) {
	page, err := s.Store.Read().Files.List(ctx, domain.ScopeAll(), store.FileFilter{PathID: &p.ID, Vanished: true}, domain.PageRequest{Limit: 5})
	if err != nil {
		return false, err
	}
	for _, f := range page.Items {
		if _, err := s.Tree.Stat(ctx, p.Raw, f.Raw); err == nil {
			return true, nil
		}
	}
	if len(page.Items) > 0 {
		return false, ctx.Err()
	}
	entries, err := s.Tree.List(ctx, p.Raw, nil)
	return err == nil && len(entries) > 0, ctx.Err()
}
