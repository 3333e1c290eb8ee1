package sqlstore

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

const scanActive = "A scan of this library is running. Stop it, or wait until it is done."

var (
	_ = meaning("scans_pkey", "scan.exists", "A scan with this id exists already.")
	_ = meaning("scans_library_id_key", "scan.active", scanActive)
)

type scans struct{ base }

var _ store.Scans = scans{}

type scanRow struct {
	bun.BaseModel `bun:"table:scans,alias:s"`
	ID            domain.ID `bun:",pk"`
	LibraryID     domain.ID
	State         domain.ScanState
	Stage         domain.ScanStage
	Trigger       string
	Folders       jsonOf[[][]byte]
	Cursor        []byte
	Found         int
	ReadTotal     int
	Read          int
	Failed        int
	MatchTotal    int
	Matched       int
	ArtworkTotal  int
	Artwork       int
	Added         int
	Changed       int
	Moved         int
	Missing       int
	Error         string
	CreatedAt     micros
	StartedAt     *micros
	FinishedAt    *micros
}

func newScanRow(s domain.Scan) scanRow {
	return scanRow{
		ID: s.ID, LibraryID: s.LibraryID, State: s.State, Stage: s.Stage, Trigger: s.Trigger, Folders: inJSON(s.Folders), Cursor: s.Cursor,
		Found: s.Found, ReadTotal: s.ReadTotal, Read: s.Read, Failed: s.Failed, MatchTotal: s.MatchTotal, Matched: s.Matched,
		ArtworkTotal: s.ArtworkTotal, Artwork: s.Artwork, Added: s.Added, Changed: s.Changed, Moved: s.Moved, Missing: s.Missing, Error: s.Error,
		CreatedAt: at(s.CreatedAt), StartedAt: atOrNull(s.StartedAt), FinishedAt: atOrNull(s.FinishedAt),
	}
}

func (r scanRow) scan() domain.Scan {
	return domain.Scan{
		ID: r.ID, LibraryID: r.LibraryID, State: r.State, Stage: r.Stage, Trigger: r.Trigger, Folders: r.Folders.V, Cursor: r.Cursor,
		Found: r.Found, ReadTotal: r.ReadTotal, Read: r.Read, Failed: r.Failed, MatchTotal: r.MatchTotal, Matched: r.Matched,
		ArtworkTotal: r.ArtworkTotal, Artwork: r.Artwork, Added: r.Added, Changed: r.Changed, Moved: r.Moved, Missing: r.Missing, Error: r.Error,
		CreatedAt: r.CreatedAt.time(), StartedAt: r.StartedAt.timeOrNil(), FinishedAt: r.FinishedAt.timeOrNil(),
	}
}

var activeScan = bun.List([]domain.ScanState{domain.ScanQueued, domain.ScanRunning})

// Create implements store.Scans. It looks before it inserts, as PostgreSQL ends a transaction whose statement failed; the constraint decides races.
func (r scans) Create(ctx context.Context, s domain.Scan) error {
	if s.Active() {
		switch _, err := r.Active(ctx, s.LibraryID); {
		case err == nil:
			return fault.New(fault.Conflict, "scan.active", scanActive)
		case !fault.IsNotFound(err):
			return err
		}
	}
	row := newScanRow(s)
	_, err := r.db.NewInsert().Model(&row).Exec(ctx)
	return translated(ctx, err, "scan")
}

// Get implements store.Scans.
func (r scans) Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.Scan, error) {
	var row scanRow
	err := inScope(r.db.NewSelect().Model(&row).Where("s.id = ?", id), "s.library_id", scope).Scan(ctx)
	if err != nil {
		return domain.Scan{}, translated(ctx, err, "scan")
	}
	return row.scan(), nil
}

// Update implements store.Scans.
func (r scans) Update(ctx context.Context, s domain.Scan) error {
	row := newScanRow(s)
	res, err := r.db.NewUpdate().Model(&row).ExcludeColumn("id").WherePK().Where("state IN (?)", activeScan).Exec(ctx)
	if err = found(ctx, res, err, "scan"); !fault.IsNotFound(err) {
		return err
	}
	if _, e := r.Get(ctx, domain.ScopeAll(), s.ID); e != nil {
		return e
	}
	return fault.New(fault.Conflict, "scan.finished", "This scan has ended already.")
}

// Active implements store.Scans.
func (r scans) Active(ctx context.Context, library domain.ID) (domain.Scan, error) {
	var row scanRow
	err := r.db.NewSelect().Model(&row).Where("s.library_id = ?", library).Where("s.state IN (?)", activeScan).Scan(ctx)
	if err != nil {
		return domain.Scan{}, translated(ctx, err, "scan")
	}
	return row.scan(), nil
}

// List implements store.Scans.
func (r scans) List(ctx context.Context, library domain.ID, req domain.PageRequest) (domain.Page[domain.Scan], error) {
	var rows []scanRow
	var created micros
	var id domain.ID
	keys := newKeyset("scans", library, sortKey{"s.created_at", true}, sortKey{"s.id", true})
	q := r.db.NewSelect().Model(&rows).Where("s.library_id = ?", library)
	count, err := total(ctx, q, req)
	if err != nil {
		return domain.Page[domain.Scan]{}, err
	}
	if q, err = keys.page(q, req, &created, &id); err != nil {
		return domain.Page[domain.Scan]{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return domain.Page[domain.Scan]{}, translated(ctx, err, "scan")
	}
	page := pageOf(rows, req, scanRow.scan, func(last scanRow) string { return keys.cursor(last.CreatedAt, last.ID) })
	page.Total = count
	return page, nil
}
