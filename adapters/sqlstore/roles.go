package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/store"
)

var _ = meaning("roles_pkey", "role.exists", "There is a role of this name already. Choose another.")

type roles struct{ base }

var (
	_ store.Roles   = roles{}
	_ policy.Source = roles{}
)

type madeRoleRow struct {
	bun.BaseModel `bun:"table:roles,alias:m"`
	Name          domain.RoleName `bun:",pk"`
	Description   string
	CreatedAt     micros
	UpdatedAt     micros
}

// ruleRow is a line of Casbin's policy: see the table's comment.
type ruleRow struct {
	bun.BaseModel `bun:"table:casbin_rules,alias:c"`
	PType         string `bun:"ptype,pk"`
	V0            string `bun:"v0,pk"`
	V1            string `bun:"v1,pk"`
	V2            string `bun:"v2,pk"`
	UserID        *domain.ID
	LibraryID     *domain.ID
	CreatedAt     micros
}

type policyVersionRow struct {
	bun.BaseModel `bun:"table:policy_versions,alias:v"`
	ID            int `bun:",pk"`
	Version       int64
}

// Kinds of rules, and the domain that is everywhere.
const (
	rulePermission, ruleGroup = "p", "g"
	everywhere                = "*"
)

func (r roles) PolicyVersion(ctx context.Context) (version int64, err error) {
	err = r.db.NewSelect().Model((*policyVersionRow)(nil)).Column("version").Where("v.id = 1").Scan(ctx, &version)
	return version, translated(ctx, err, "policy_version")
}

// changed counts the version up. Its row is also what makes changes of roles wait for each other.
func (r roles) changed(ctx context.Context) error {
	res, err := r.db.NewUpdate().Model((*policyVersionRow)(nil)).Set("version = version + 1").Where("id = 1").Exec(ctx)
	return found(ctx, res, err, "policy_version")
}

func (r roles) List(ctx context.Context) ([]domain.Role, error) {
	var rows []madeRoleRow
	if err := r.db.NewSelect().Model(&rows).Order("m.name").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "role")
	}
	return r.complete(ctx, rows)
}

func (r roles) Get(ctx context.Context, name domain.RoleName) (domain.Role, error) {
	var row madeRoleRow
	if err := r.db.NewSelect().Model(&row).Where("m.name = ?", name).Scan(ctx); err != nil {
		return domain.Role{}, translated(ctx, err, "role")
	}
	list, err := r.complete(ctx, []madeRoleRow{row})
	if err != nil {
		return domain.Role{}, err
	}
	return list[0], nil
}

// complete reads what the roles carry.
func (r roles) complete(ctx context.Context, rows []madeRoleRow) ([]domain.Role, error) {
	list, at := make([]domain.Role, len(rows)), make(map[string]int, len(rows))
	for i, row := range rows {
		list[i] = domain.Role{
			Name: row.Name, Description: row.Description, Permissions: []domain.Permission{}, Parents: []domain.RoleName{},
			CreatedAt: row.CreatedAt.time(), UpdatedAt: row.UpdatedAt.time(),
		}
		at[string(row.Name)] = i
	}
	if len(rows) == 0 {
		return list, nil
	}
	var rules []ruleRow
	q := r.db.NewSelect().Model(&rules).Where("c.user_id IS NULL").Order("c.v1", "c.v2")
	if len(rows) == 1 {
		q = q.Where("c.v0 = ?", rows[0].Name)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, translated(ctx, err, "role")
	}
	for _, rule := range rules {
		i, ok := at[rule.V0]
		switch {
		case !ok: // a role that was removed since its row was read
		case rule.PType == rulePermission:
			list[i].Permissions = append(list[i].Permissions, domain.Permission(rule.V2))
		case rule.PType == ruleGroup:
			list[i].Parents = append(list[i].Parents, domain.RoleName(rule.V1))
		}
	}
	return list, nil
}

func (r roles) Create(ctx context.Context, role domain.Role) error {
	exists, err := r.db.NewSelect().Model((*madeRoleRow)(nil)).Where("m.name = ?", role.Name).Exists(ctx)
	if err != nil {
		return translated(ctx, err, "role")
	}
	if exists {
		return fault.New(fault.Conflict, "role.exists", "There is a role of this name already. Choose another.")
	}
	_, err = r.db.NewInsert().Model(&madeRoleRow{
		Name: role.Name, Description: role.Description, CreatedAt: at(role.CreatedAt), UpdatedAt: at(role.UpdatedAt),
	}).Exec(ctx)
	if err != nil {
		return translated(ctx, err, "role")
	}
	return r.setRules(ctx, role)
}

func (r roles) Update(ctx context.Context, role domain.Role) error {
	res, err := r.db.NewUpdate().Model(&madeRoleRow{
		Name: role.Name, Description: role.Description, CreatedAt: at(role.CreatedAt), UpdatedAt: at(role.UpdatedAt),
	}).ExcludeColumn("name").WherePK().Exec(ctx)
	if err := found(ctx, res, err, "role"); err != nil {
		return err
	}
	if _, err := r.db.NewDelete().Model((*ruleRow)(nil)).Where("v0 = ?", role.Name).Where("user_id IS NULL").Exec(ctx); err != nil {
		return translated(ctx, err, "role")
	}
	return r.setRules(ctx, role)
}

func (r roles) setRules(ctx context.Context, role domain.Role) error {
	var rules []ruleRow
	for _, p := range role.Permissions {
		rules = append(rules, ruleRow{PType: rulePermission, V0: string(role.Name), V1: everywhere, V2: string(p), CreatedAt: at(role.UpdatedAt)})
	}
	for _, parent := range role.Parents {
		rules = append(rules, ruleRow{PType: ruleGroup, V0: string(role.Name), V1: string(parent), V2: everywhere, CreatedAt: at(role.UpdatedAt)})
	}
	if len(rules) > 0 {
		if _, err := r.db.NewInsert().Model(&rules).Exec(ctx); err != nil {
			return translated(ctx, err, "role")
		}
	}
	return r.changed(ctx)
}

func (r roles) Delete(ctx context.Context, name domain.RoleName) error {
	res, err := r.db.NewDelete().Model((*madeRoleRow)(nil)).Where("name = ?", name).Exec(ctx)
	if err := found(ctx, res, err, "role"); err != nil {
		return err
	}
	_, err = r.db.NewDelete().Model((*ruleRow)(nil)).WhereGroup(" AND ", func(q *bun.DeleteQuery) *bun.DeleteQuery {
		return q.Where("v0 = ?", name).Where("user_id IS NULL").WhereOr("ptype = ? AND v1 = ?", ruleGroup, name)
	}).Exec(ctx)
	if err != nil {
		return translated(ctx, err, "role")
	}
	if _, err := r.db.NewDelete().Model((*roleRow)(nil)).Where("role = ?", name).Exec(ctx); err != nil {
		return translated(ctx, err, "role")
	}
	return r.changed(ctx)
}

func (r roles) Granted(ctx context.Context, user domain.ID) ([]domain.LibraryRole, error) {
	var rows []ruleRow
	err := r.db.NewSelect().Model(&rows).Where("c.user_id = ?", user).Where("c.library_id IS NOT NULL").Order("c.library_id", "c.v1").Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "role")
	}
	list := make([]domain.LibraryRole, len(rows))
	for i, row := range rows {
		list[i] = domain.LibraryRole{LibraryID: *row.LibraryID, Role: domain.RoleName(row.V1)}
	}
	return list, nil
}

// Grant looks before it inserts, as PostgreSQL ends a transaction whose statement failed.
func (r roles) Grant(ctx context.Context, user domain.ID, g domain.LibraryRole, when time.Time) error {
	if exists, err := r.db.NewSelect().Model((*userRow)(nil)).Where("u.id = ?", user).Exists(ctx); err != nil || !exists {
		return firstOf(translated(ctx, err, "user"), notFound("user"))
	}
	if exists, err := r.db.NewSelect().Model((*libraryRow)(nil)).Where("l.id = ?", g.LibraryID).Exists(ctx); err != nil || !exists {
		return firstOf(translated(ctx, err, "library"), notFound("library"))
	}
	_, err := r.db.NewInsert().Model(&ruleRow{
		PType: ruleGroup, V0: user.String(), V1: string(g.Role), V2: g.LibraryID.String(), UserID: &user, LibraryID: &g.LibraryID, CreatedAt: at(when),
	}).On("CONFLICT DO NOTHING").Exec(ctx)
	return translated(ctx, err, "role")
}

// firstOf returns the first error that is one.
func firstOf(errs ...error) error {
	return errs[slices.IndexFunc(errs, func(err error) bool { return err != nil })]
}

func (r roles) Ungrant(ctx context.Context, user domain.ID, g domain.LibraryRole) (bool, error) {
	res, err := r.db.NewDelete().Model((*ruleRow)(nil)).
		Where("ptype = ? AND v0 = ? AND v1 = ? AND v2 = ?", ruleGroup, user.String(), g.Role, g.LibraryID.String()).Exec(ctx)
	return changed(ctx, res, err, "role")
}

// holding selects who has roles, everywhere (library is empty) or for one library.
const holding = "SELECT user_id, role, '' AS library FROM user_roles UNION ALL SELECT user_id, v1, v2 FROM casbin_rules WHERE ptype = 'g' AND user_id IS NOT NULL"

type holderRow struct {
	ID          domain.ID
	Username    string
	UsernameKey string
	DisplayName string
	Library     string
}

func (r holderRow) holder() domain.RoleHolder {
	h := domain.RoleHolder{UserID: r.ID, Username: r.Username, DisplayName: r.DisplayName}
	if id, ok := domain.ParseID(r.Library); ok {
		h.LibraryID = &id
	}
	return h
}

func (r roles) Holders(ctx context.Context, role domain.RoleName, req domain.PageRequest) (domain.Page[domain.RoleHolder], error) {
	order := newKeyset("role holders", role, sortKey{column: "u.username_key"}, sortKey{column: "u.id"}, sortKey{column: "h.library"})
	all := func() *bun.SelectQuery {
		return r.db.NewSelect().TableExpr("("+holding+") AS h").Join("JOIN users AS u ON u.id = h.user_id").Where("h.role = ?", role)
	}
	var rows []holderRow
	q, err := order.page(all().ColumnExpr("u.id, u.username, u.username_key, u.display_name, h.library"), req, new(string), new(domain.ID), new(string))
	if err == nil {
		err = q.Scan(ctx, &rows)
	}
	if err != nil {
		return domain.Page[domain.RoleHolder]{}, translated(ctx, err, "role")
	}
	page := pageOf(rows, req, holderRow.holder, func(last holderRow) string { return order.cursor(last.UsernameKey, last.ID, last.Library) })
	page.Total, err = total(ctx, all(), req)
	return page, err
}

func (r roles) CountHolders(ctx context.Context) (map[domain.RoleName]int, error) {
	var rows []struct {
		Role  domain.RoleName
		Users int
	}
	err := r.db.NewSelect().TableExpr("("+holding+") AS h").ColumnExpr("h.role, COUNT(DISTINCT h.user_id) AS users").GroupExpr("h.role").Scan(ctx, &rows)
	counts := make(map[domain.RoleName]int, len(rows))
	for _, row := range rows {
		counts[row.Role] = row.Users
	}
	return counts, translated(ctx, err, "role")
}
