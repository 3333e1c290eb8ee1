package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

type activity struct{ base }

var _ store.Activity = activity{}

type activityRow struct {
	bun.BaseModel `bun:"table:activity_logs,alias:a"`
	ID            domain.ID `bun:",pk"`
	At            micros    `bun:",pk"`
	UserID        *domain.ID
	Username      string
	Action        string
	ResourceType  string
	ResourceID    string
	ResourceName  string
	IP            string `bun:"ip"`
	UserAgent     string
	Success       bool
	Details       jsonOf[map[string]string]
}

func newActivityRow(a domain.Activity) activityRow {
	return activityRow{
		ID: a.ID, At: at(a.At), UserID: a.UserID, Username: a.Username, Action: a.Action, ResourceType: a.ResourceType, ResourceID: a.ResourceID,
		ResourceName: a.ResourceName, IP: a.IP, UserAgent: a.UserAgent, Success: a.Success, Details: inJSON(a.Details),
	}
}

func (r activityRow) activity() domain.Activity {
	return domain.Activity{
		ID: r.ID, At: r.At.time(), UserID: r.UserID, Username: r.Username, Action: r.Action, ResourceType: r.ResourceType, ResourceID: r.ResourceID,
		ResourceName: r.ResourceName, IP: r.IP, UserAgent: r.UserAgent, Success: r.Success, Details: r.Details.V,
	}
}

func (r activity) Append(ctx context.Context, entries ...domain.Activity) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]activityRow, len(entries))
	for i, e := range entries {
		rows[i] = newActivityRow(e)
	}
	_, err := r.db.NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx)
	return translated(ctx, err, "activity")
}

// activityClauses are a filter's conditions. An area is a range of names, which the index on actions finds: '/' is the byte after '.'.
func activityClauses(f domain.ActivityFilter) (list []clause) {
	equal := func(column, value string) {
		if value != "" {
			list = append(list, where(column+" = ?", value))
		}
	}
	if f.User != nil {
		list = append(list, where("a.user_id = ?", *f.User))
	}
	if area, ok := strings.CutSuffix(f.Action, "."); ok {
		list = append(list, where("a.action > ?", f.Action), where("a.action < ?", area+"/"))
	} else {
		equal("a.action", f.Action)
	}
	equal("a.resource_type", f.ResourceType)
	equal("a.resource_id", f.ResourceID)
	equal("a.ip", f.IP)
	if f.Success != nil {
		list = append(list, where("a.success = ?", *f.Success))
	}
	if !f.From.IsZero() {
		list = append(list, where("a.at >= ?", at(f.From)))
	}
	if !f.To.IsZero() {
		list = append(list, where("a.at < ?", at(f.To)))
	}
	return list
}

func (r activity) List(ctx context.Context, filter domain.ActivityFilter, req domain.PageRequest) (domain.Page[domain.Activity], error) {
	var rows []activityRow
	order := newKeyset("activity", filter, sortKey{column: "a.at", desc: true}, sortKey{column: "a.id", desc: true})
	var lastAt micros
	var lastID domain.ID
	q := restricted(r.db.NewSelect().Model(&rows), activityClauses(filter)...)
	count, err := total(ctx, restricted(r.db.NewSelect().Model((*activityRow)(nil)), activityClauses(filter)...), req)
	if err != nil {
		return domain.Page[domain.Activity]{}, err
	}
	if q, err = order.page(q, req, &lastAt, &lastID); err != nil {
		return domain.Page[domain.Activity]{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return domain.Page[domain.Activity]{}, translated(ctx, err, "activity")
	}
	page := pageOf(rows, req, activityRow.activity, func(last activityRow) string { return order.cursor(last.At, last.ID) })
	page.Total = count
	return page, nil
}

func (r activity) Stats(ctx context.Context, from, to time.Time) (domain.ActivityStats, error) {
	stats := domain.ActivityStats{From: from, To: to, Actions: []domain.Count{}, Days: []domain.DayCount{}}
	within := func(q *bun.SelectQuery) *bun.SelectQuery {
		return restricted(q.Model((*activityRow)(nil)), activityClauses(domain.ActivityFilter{From: from, To: to})...)
	}
	var actions []struct {
		Action string
		N      int
	}
	if err := within(r.db.NewSelect()).Column("a.action").ColumnExpr("COUNT(*) AS n").Group("a.action").OrderExpr("n DESC, a.action").Scan(ctx, &actions); err != nil {
		return stats, translated(ctx, err, "activity")
	}
	for _, a := range actions {
		stats.Entries += a.N
		stats.Actions = append(stats.Actions, domain.Count{Value: a.Action, Count: a.N})
		if a.Action == domain.ActivityLoginFailed {
			stats.FailedSignIns = a.N
		}
	}
	var days []struct {
		Day int64
		N   int
	}
	if err := within(r.db.NewSelect()).ColumnExpr("a.at / ? AS day", int64(microsOfDay)).ColumnExpr("COUNT(*) AS n").GroupExpr("1").OrderExpr("1").Scan(ctx, &days); err != nil {
		return stats, translated(ctx, err, "activity")
	}
	for _, d := range days {
		stats.Days = append(stats.Days, domain.DayCount{Day: micros(d.Day * microsOfDay).time().Format(time.DateOnly), Count: d.N})
	}
	err := within(r.db.NewSelect()).ColumnExpr("COUNT(DISTINCT a.user_id)").Where("a.success = ?", true).Scan(ctx, &stats.ActiveUsers)
	return stats, translated(ctx, err, "activity")
}

func (r activity) Forget(ctx context.Context, user domain.ID) error {
	_, err := r.db.NewUpdate().Model((*activityRow)(nil)).Set("username = ''").Where("user_id = ?", user).Exec(ctx)
	if err == nil {
		_, err = r.db.NewUpdate().Model((*activityRow)(nil)).Set("resource_name = ''").Where("resource_type = 'user'").Where("resource_id = ?", user.String()).Exec(ctx)
	}
	return translated(ctx, err, "activity")
}

// monthly is the name of a month's partition.
const monthly = "activity_logs_2006_01"

func (r activity) Provide(ctx context.Context, from, to time.Time) error {
	if !r.postgres {
		return nil
	}
	existing, err := r.partitions(ctx)
	if err != nil {
		return err
	}
	year, month, _ := from.UTC().Date()
	for begin := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC); !begin.After(to); begin = begin.AddDate(0, 1, 0) {
		if existing[begin.Format(monthly)] {
			continue
		}
		if err := r.addPartition(ctx, begin); err != nil {
			return translated(ctx, err, "activity")
		}
	}
	return nil
}

// oneAtATime comes before months are made or dropped: PostgreSQL's catalogue tells two that do so at once of what the other has half done.
const oneAtATime = "SELECT pg_advisory_xact_lock(hashtext('revenge months'))"

// addPartition makes a month's partition and moves what the default one holds of it, which PostgreSQL demands before it is attached. The lock
// keeps writers out of the default partition meanwhile; they write on as soon as this commits.
func (r activity) addPartition(ctx context.Context, begin time.Time) error {
	name, first, end := begin.Format(monthly), at(begin), at(begin.AddDate(0, 1, 0))
	for _, statement := range []string{
		"SET LOCAL lock_timeout = '2s'", // a long reader must not make everybody behind this wait
		"SET LOCAL statement_timeout = 0",
		oneAtATime,
		"LOCK TABLE activity_logs_default IN ACCESS EXCLUSIVE MODE",
		fmt.Sprintf("CREATE TABLE %s (LIKE activity_logs INCLUDING ALL)", name),
		fmt.Sprintf("WITH moved AS (DELETE FROM activity_logs_default WHERE at >= %d AND at < %d RETURNING *) INSERT INTO %s SELECT * FROM moved", first, end, name),
		fmt.Sprintf("ALTER TABLE activity_logs ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)", name, first, end),
	} {
		if _, err := r.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// partitions are the names of the months' partitions.
func (r activity) partitions(ctx context.Context) (map[string]bool, error) {
	var names []string
	err := r.db.NewSelect().TableExpr("pg_inherits AS i").Join("JOIN pg_class AS c ON c.oid = i.inhrelid").ColumnExpr("c.relname").
		Where("i.inhparent = 'activity_logs'::regclass").Scan(ctx, &names)
	all := map[string]bool{}
	for _, name := range names {
		if _, err := time.Parse(monthly, name); err == nil {
			all[name] = true
		}
	}
	return all, translated(ctx, err, "activity")
}

// expireBatch is how many entries go in one transaction, so that nobody waits long for the right to write.
const expireBatch = 2000

func (r activity) Expire(ctx context.Context, before time.Time) (more bool, err error) {
	if r.postgres {
		existing, err := r.partitions(ctx)
		if err != nil {
			return false, err
		}
		for name := range existing {
			if month, _ := time.Parse(monthly, name); month.AddDate(0, 1, 0).After(before) {
				continue
			}
			for _, statement := range []string{"SET LOCAL lock_timeout = '2s'", "SET LOCAL statement_timeout = 0", oneAtATime, "DROP TABLE IF EXISTS " + name} {
				if _, err := r.db.ExecContext(ctx, statement); err != nil {
					return false, translated(ctx, err, "activity")
				}
			}
			return true, nil
		}
	}
	oldest := r.db.NewSelect().Model((*activityRow)(nil)).Column("a.at", "a.id").Where("a.at < ?", at(before)).Order("a.at", "a.id").Limit(expireBatch)
	res, err := r.db.NewDelete().Model((*activityRow)(nil)).Where("(at, id) IN (?)", oldest).Exec(ctx)
	if err != nil {
		return false, translated(ctx, err, "activity")
	}
	n, err := res.RowsAffected()
	return n == expireBatch, translated(ctx, err, "activity")
}
