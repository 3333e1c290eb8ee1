package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var (
	_ = meaning("oidc_providers_name_key", "oidc.name_taken", "Another provider has this name. Choose another.")
	_ = meaning("oidc_providers_issuer_key", "oidc.issuer_taken", "There is a provider with this issuer already. Change that one.")
	_ = meaning("oidc_user_links_issuer_subject_key", "oidc.identity_taken", "This identity belongs to an account already.")
	_ = sealedColumn("oidc_providers", "id", "sealed_secret")
	_ = sealedColumn("oidc_sessions", "id", "sealed_token")
	_ = meaning("oidc_user_links_user_id_issuer_key", "oidc.already_linked", "This account is linked with this provider already. Unlink it first.")
)

type oidc struct{ base }

var _ store.OIDC = oidc{}

type oidcProviderRow struct {
	bun.BaseModel `bun:"table:oidc_providers,alias:p"`
	ID            domain.ID `bun:",pk"`
	Name          string
	DisplayName   string
	Issuer        string
	ClientID      string
	SealedSecret  []byte
	Scopes        jsonOf[[]string]
	AutoRegister  bool
	DefaultRoles  jsonOf[[]domain.RoleName]
	RoleClaim     string
	RoleMapping   jsonOf[[]domain.OIDCRoleMapping]
	MapAdmin      bool
	TrustMFA      bool
	Position      int
	Enabled       bool
	CreatedAt     micros
	UpdatedAt     micros
}

type oidcLinkRow struct {
	bun.BaseModel `bun:"table:oidc_user_links,alias:l"`
	ID            domain.ID `bun:",pk"`
	UserID        domain.ID
	Issuer        string
	Subject       string
	Label         string
	CreatedAt     micros
	LastUsedAt    *micros
}

type oidcSessionRow struct {
	bun.BaseModel   `bun:"table:oidc_sessions,alias:s"`
	ID              domain.ID `bun:",pk"`
	SessionID       domain.ID
	Issuer          string
	Subject         string
	ProviderSession string
	SealedToken     []byte
	CreatedAt       micros
}

func newOIDCProviderRow(p domain.OIDCProvider) *oidcProviderRow {
	return &oidcProviderRow{
		ID: p.ID, Name: p.Name, DisplayName: p.DisplayName, Issuer: p.Issuer, ClientID: p.ClientID, SealedSecret: p.SealedSecret, Scopes: inJSON(p.Scopes),
		AutoRegister: p.AutoRegister, DefaultRoles: inJSON(p.DefaultRoles), RoleClaim: p.RoleClaim, RoleMapping: inJSON(p.RoleMapping), MapAdmin: p.MapAdmin,
		TrustMFA: p.TrustMFA, Position: p.Position, Enabled: p.Enabled, CreatedAt: at(p.CreatedAt), UpdatedAt: at(p.UpdatedAt),
	}
}

func (r oidcProviderRow) provider() domain.OIDCProvider {
	return domain.OIDCProvider{
		ID: r.ID, Name: r.Name, DisplayName: r.DisplayName, Issuer: r.Issuer, ClientID: r.ClientID, SealedSecret: r.SealedSecret, Scopes: r.Scopes.V,
		AutoRegister: r.AutoRegister, DefaultRoles: r.DefaultRoles.V, RoleClaim: r.RoleClaim, RoleMapping: r.RoleMapping.V, MapAdmin: r.MapAdmin,
		TrustMFA: r.TrustMFA, Position: r.Position, Enabled: r.Enabled, CreatedAt: r.CreatedAt.time(), UpdatedAt: r.UpdatedAt.time(),
	}
}

func (r oidcLinkRow) link() domain.OIDCLink {
	return domain.OIDCLink{
		ID: r.ID, UserID: r.UserID, Issuer: r.Issuer, Subject: r.Subject, Label: r.Label, CreatedAt: r.CreatedAt.time(), LastUsedAt: r.LastUsedAt.timeOrNil(),
	}
}

func (r oidcSessionRow) session() domain.OIDCSession {
	return domain.OIDCSession{
		ID: r.ID, SessionID: r.SessionID, Issuer: r.Issuer, Subject: r.Subject, ProviderSession: r.ProviderSession, SealedToken: r.SealedToken, CreatedAt: r.CreatedAt.time(),
	}
}

// free looks before a row is written, as PostgreSQL ends a transaction whose statement failed; the constraint decides races.
func (r oidc) free(ctx context.Context, q *bun.SelectQuery, constraint string) error {
	exists, err := q.Exists(ctx)
	if err == nil && exists {
		c := conflicts[constraint]
		return fault.New(fault.Conflict, c.code, "%s", c.message)
	}
	return translated(ctx, err, "oidc_provider")
}

func (r oidc) providerFree(ctx context.Context, p domain.OIDCProvider) error {
	others := func() *bun.SelectQuery {
		return r.db.NewSelect().Model((*oidcProviderRow)(nil)).Where("p.id <> ?", p.ID)
	}
	if err := r.free(ctx, others().Where("p.name = ?", p.Name), "oidc_providers_name_key"); err != nil {
		return err
	}
	return r.free(ctx, others().Where("p.issuer = ?", p.Issuer), "oidc_providers_issuer_key")
}

func (r oidc) CreateProvider(ctx context.Context, p domain.OIDCProvider) error {
	if err := r.providerFree(ctx, p); err != nil {
		return err
	}
	_, err := r.db.NewInsert().Model(newOIDCProviderRow(p)).Exec(ctx)
	return translated(ctx, err, "oidc_provider")
}

func (r oidc) Provider(ctx context.Context, name string) (domain.OIDCProvider, error) {
	var row oidcProviderRow
	if err := r.db.NewSelect().Model(&row).Where("p.name = ?", name).Scan(ctx); err != nil {
		return domain.OIDCProvider{}, translated(ctx, err, "oidc_provider")
	}
	return row.provider(), nil
}

func (r oidc) Providers(ctx context.Context) ([]domain.OIDCProvider, error) {
	var rows []oidcProviderRow
	if err := r.db.NewSelect().Model(&rows).Order("p.position", "p.name").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "oidc_provider")
	}
	list := make([]domain.OIDCProvider, len(rows))
	for i, row := range rows {
		list[i] = row.provider()
	}
	return list, nil
}

func (r oidc) UpdateProvider(ctx context.Context, p domain.OIDCProvider) error {
	if err := r.providerFree(ctx, p); err != nil {
		return err
	}
	res, err := r.db.NewUpdate().Model(newOIDCProviderRow(p)).WherePK().Exec(ctx)
	return found(ctx, res, err, "oidc_provider")
}

func (r oidc) DeleteProvider(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*oidcProviderRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "oidc_provider")
}

func (r oidc) CreateLink(ctx context.Context, l domain.OIDCLink) error {
	all := func() *bun.SelectQuery {
		return r.db.NewSelect().Model((*oidcLinkRow)(nil)).Where("l.issuer = ?", l.Issuer)
	}
	if err := r.free(ctx, all().Where("l.subject = ?", l.Subject), "oidc_user_links_issuer_subject_key"); err != nil {
		return err
	}
	if err := r.free(ctx, all().Where("l.user_id = ?", l.UserID), "oidc_user_links_user_id_issuer_key"); err != nil {
		return err
	}
	_, err := r.db.NewInsert().Model(&oidcLinkRow{
		ID: l.ID, UserID: l.UserID, Issuer: l.Issuer, Subject: l.Subject, Label: l.Label, CreatedAt: at(l.CreatedAt), LastUsedAt: atOrNull(l.LastUsedAt),
	}).Exec(ctx)
	return translated(ctx, err, "oidc_link")
}

func (r oidc) LinkOf(ctx context.Context, issuer, subject string) (domain.OIDCLink, error) {
	var row oidcLinkRow
	if err := r.db.NewSelect().Model(&row).Where("l.issuer = ?", issuer).Where("l.subject = ?", subject).Scan(ctx); err != nil {
		return domain.OIDCLink{}, translated(ctx, err, "oidc_link")
	}
	return row.link(), nil
}

func (r oidc) LinksOf(ctx context.Context, user domain.ID) ([]domain.OIDCLink, error) {
	var rows []oidcLinkRow
	if err := r.db.NewSelect().Model(&rows).Where("l.user_id = ?", user).Order("l.created_at", "l.id").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "oidc_link")
	}
	list := make([]domain.OIDCLink, len(rows))
	for i, row := range rows {
		list[i] = row.link()
	}
	return list, nil
}

func (r oidc) UseLink(ctx context.Context, id domain.ID, label string, used time.Time) error {
	res, err := r.db.NewUpdate().Model((*oidcLinkRow)(nil)).Set("label = ?", label).Set("last_used_at = ?", at(used)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "oidc_link")
}

func (r oidc) DeleteLink(ctx context.Context, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*oidcLinkRow)(nil)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "oidc_link")
}

func (r oidc) CreateSession(ctx context.Context, s domain.OIDCSession) error {
	_, err := r.db.NewInsert().Model(&oidcSessionRow{
		ID: s.ID, SessionID: s.SessionID, Issuer: s.Issuer, Subject: s.Subject, ProviderSession: s.ProviderSession, SealedToken: s.SealedToken, CreatedAt: at(s.CreatedAt),
	}).Exec(ctx)
	return translated(ctx, err, "oidc_session")
}

func (r oidc) Session(ctx context.Context, session domain.ID) (domain.OIDCSession, error) {
	var row oidcSessionRow
	if err := r.db.NewSelect().Model(&row).Where("s.session_id = ?", session).Scan(ctx); err != nil {
		return domain.OIDCSession{}, translated(ctx, err, "oidc_session")
	}
	return row.session(), nil
}

func (r oidc) MoveSession(ctx context.Context, from, to domain.ID) error {
	_, err := r.db.NewUpdate().Model((*oidcSessionRow)(nil)).Set("session_id = ?", to).Where("session_id = ?", from).Exec(ctx)
	return translated(ctx, err, "oidc_session")
}

func (r oidc) SessionsOf(ctx context.Context, issuer, subject, providerSession string, before time.Time) ([]domain.OIDCSession, error) {
	if subject == "" && providerSession == "" {
		return nil, nil // whoever that is, it is not everybody
	}
	var rows []oidcSessionRow
	q := r.db.NewSelect().Model(&rows).Where("s.issuer = ?", issuer).Where("s.created_at < ?", at(before)).Order("s.created_at", "s.session_id")
	if subject != "" {
		q = q.Where("s.subject = ?", subject)
	}
	if providerSession != "" {
		q = q.Where("s.provider_session = ?", providerSession)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, translated(ctx, err, "oidc_session")
	}
	list := make([]domain.OIDCSession, len(rows))
	for i, row := range rows {
		list[i] = row.session()
	}
	return list, nil
}
