// Package identity lets people sign in with OpenID Connect providers that an administrator set up, and links accounts with who they are there.
package identity

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/ports/oidc"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area; those of providers stand in ports/oidc.
const (
	CodeInvalid       = "oidc.invalid"        // Invalid, with fields
	CodeChanged       = "oidc.changed"        // Precondition
	CodeUnknown       = "oidc.unknown"        // NotFound: no such provider, or it is switched off
	CodeStateInvalid  = "oidc.state_invalid"  // Unauthenticated: not begun by this browser, too late, or answered before
	CodeRefused       = "oidc.refused"        // Unauthenticated: the provider let nobody in
	CodeNotLinked     = "oidc.not_linked"     // Forbidden: nobody's identity, and the provider makes no accounts
	CodeAccountClosed = "oidc.account_closed" // Forbidden: the account is disabled or gone
	CodeLastWay       = "oidc.last_way"       // Conflict: without this link nobody could sign in
	CodeNotYours      = "oidc.not_yours"      // Forbidden: another account began this
)

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Sealer   secrets.Sealer
	Policy   policy.Policy
	Access   *access.Service
	Sessions *session.Service
	Auth     *auth.Service
	Parties  oidc.RelyingParty
	// Link makes an address of this server from a path, by configuration and never by what a request says (S10).
	Link   func(ctx context.Context, path string) (string, error)
	Now    func() time.Time
	Logger *slog.Logger
}

// Service is the sign-in by providers.
type Service struct{ deps Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// Draft is what a provider is set up from. What a Draft leaves nil stays, or is the default: all text and lists empty, Enabled true.
type Draft struct {
	DisplayName  *string
	Issuer       *string
	ClientID     *string
	ClientSecret *string // "" makes it a public client
	Scopes       *[]string
	AutoRegister *bool
	DefaultRoles *[]domain.RoleName
	RoleClaim    *string
	RoleMapping  *[]domain.OIDCRoleMapping
	MapAdmin     *bool
	TrustMFA     *bool
	Position     *int
	Enabled      *bool
}

// Providers lists all. It needs oidc.manage, as all that changes them does.
func (s *Service) Providers(ctx context.Context, actor domain.Actor) ([]domain.OIDCProvider, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionOIDCManage); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().OIDC.Providers(ctx)
}

// Provider returns one.
func (s *Service) Provider(ctx context.Context, actor domain.Actor, name string) (domain.OIDCProvider, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionOIDCManage); err != nil {
		return domain.OIDCProvider{}, err
	}
	return s.deps.Store.Read().OIDC.Provider(ctx, name)
}

// Offered lists whom anybody may sign in with.
func (s *Service) Offered(ctx context.Context) ([]domain.OIDCProvider, error) {
	all, err := s.deps.Store.Read().OIDC.Providers(ctx)
	return slices.DeleteFunc(all, func(p domain.OIDCProvider) bool { return !p.Enabled }), err
}

// CreateProvider sets one up. Its discovery document is read first, so that a provider that cannot work is refused with the reason.
func (s *Service) CreateProvider(ctx context.Context, actor domain.Actor, name string, d Draft) (domain.OIDCProvider, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionOIDCManage); err != nil {
		return domain.OIDCProvider{}, err
	}
	now := domain.Stamp(s.deps.Now())
	p := domain.OIDCProvider{
		ID: domain.NewID(), Name: name, Scopes: []string{"openid", "profile", "email"}, DefaultRoles: []domain.RoleName{domain.RoleUser},
		RoleMapping: []domain.OIDCRoleMapping{}, Enabled: true, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.apply(ctx, &p, d); err != nil {
		return domain.OIDCProvider{}, err
	}
	if _, err := s.discover(ctx, p); err != nil {
		return domain.OIDCProvider{}, err
	}
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.OIDC.CreateProvider(ctx, p); err != nil {
			return err
		}
		return activity.Record(ctx, tx, now, actor, about(domain.ActivityOIDCProviderCreated, p))
	})
	if err != nil {
		return domain.OIDCProvider{}, err
	}
	return p, nil
}

// UpdateProvider changes one if it is still as it was expected to be (nil: in any case), and reads its discovery document as CreateProvider does
// unless it is switched off.
func (s *Service) UpdateProvider(ctx context.Context, actor domain.Actor, name string, expected *time.Time, d Draft) (domain.OIDCProvider, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionOIDCManage); err != nil {
		return domain.OIDCProvider{}, err
	}
	before, err := s.deps.Store.Read().OIDC.Provider(ctx, name)
	if err != nil {
		return domain.OIDCProvider{}, err
	}
	if expected != nil && !expected.Equal(before.UpdatedAt) {
		return domain.OIDCProvider{}, changed()
	}
	p := before
	if err := s.apply(ctx, &p, d); err != nil {
		return domain.OIDCProvider{}, err
	}
	if p.Enabled {
		if _, err := s.discover(ctx, p); err != nil {
			return domain.OIDCProvider{}, err
		}
	}
	p.UpdatedAt = domain.Stamp(s.deps.Now())
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		// While the provider was asked, another administrator may have changed it.
		if current, err := tx.OIDC.Provider(ctx, name); err != nil {
			return err
		} else if !current.UpdatedAt.Equal(before.UpdatedAt) {
			return changed()
		}
		if err := tx.OIDC.UpdateProvider(ctx, p); err != nil {
			return err
		}
		return activity.Record(ctx, tx, p.UpdatedAt, actor, about(domain.ActivityOIDCProviderChanged, p))
	})
	if err != nil {
		return domain.OIDCProvider{}, err
	}
	return p, nil
}

func changed() error {
	return fault.New(fault.Precondition, CodeChanged, "Somebody changed this provider meanwhile. Load it again.")
}

// DeleteProvider takes one away. Whoever was linked with it cannot sign in by it; set up again, it knows them.
func (s *Service) DeleteProvider(ctx context.Context, actor domain.Actor, name string) error {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionOIDCManage); err != nil {
		return err
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		p, err := tx.OIDC.Provider(ctx, name)
		if err != nil {
			return err
		}
		if err := tx.OIDC.DeleteProvider(ctx, p.ID); err != nil {
			return err
		}
		return activity.Record(ctx, tx, s.deps.Now(), actor, about(domain.ActivityOIDCProviderDeleted, p))
	})
}

// Probe is what a provider answers, and what it must be told about this server.
type Probe struct {
	Issuer   string
	Metadata oidc.Metadata
	// RedirectURI, LogoutURI and BackchannelURI are to be registered there.
	RedirectURI, LogoutURI, BackchannelURI string
}

// TestProvider reads the discovery document of one, switched off or not.
func (s *Service) TestProvider(ctx context.Context, actor domain.Actor, name string) (Probe, error) {
	p, err := s.Provider(ctx, actor, name)
	if err != nil {
		return Probe{}, err
	}
	probe := Probe{Issuer: p.Issuer}
	for path, address := range map[string]*string{callbackPath(name): &probe.RedirectURI, "/": &probe.LogoutURI, backchannelPath(name): &probe.BackchannelURI} {
		if *address, err = s.deps.Link(ctx, path); err != nil {
			return Probe{}, err
		}
	}
	probe.Metadata, err = s.discover(ctx, p)
	return probe, err
}

func (s *Service) discover(ctx context.Context, p domain.OIDCProvider) (oidc.Metadata, error) {
	m, err := s.deps.Parties.Discover(ctx, oidc.Client{Issuer: p.Issuer, ID: p.ClientID, Scopes: p.Scopes})
	if f := fault.As(err); f != nil && f.Kind != fault.Internal {
		// Who sets a provider up mistyped its address more likely than not.
		wrong := fault.Wrap(err, fault.Invalid, f.Code, "%s", f.Message)
		wrong.Fields = []fault.Field{{Path: "issuer", Message: f.Message}}
		return m, wrong
	}
	return m, err
}

func about(action string, p domain.OIDCProvider) domain.Activity {
	return domain.Activity{
		Action: action, Success: true, ResourceType: "oidc_provider", ResourceID: p.ID.String(), ResourceName: p.Name, Details: map[string]string{"issuer": p.Issuer},
	}
}

// location is what the secret of a provider is sealed for.
func location(p domain.OIDCProvider) string {
	return "oidc_providers/" + p.ID.String() + "/sealed_secret"
}

// client is this server as the provider knows it.
func (s *Service) client(ctx context.Context, p domain.OIDCProvider) (oidc.Client, error) {
	c := oidc.Client{Issuer: p.Issuer, ID: p.ClientID, Scopes: p.Scopes}
	if p.SealedSecret == nil {
		return c, nil
	}
	secret, err := s.deps.Sealer.Open(ctx, location(p), p.SealedSecret)
	c.Secret = string(secret)
	return c, err
}

var slug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// apply makes p what d says and checks the whole.
func (s *Service) apply(ctx context.Context, p *domain.OIDCProvider, d Draft) error {
	for value, to := range map[*string]*string{d.DisplayName: &p.DisplayName, d.Issuer: &p.Issuer, d.ClientID: &p.ClientID, d.RoleClaim: &p.RoleClaim} {
		if value != nil {
			*to = strings.TrimSpace(*value)
		}
	}
	assign(&p.Scopes, d.Scopes)
	assign(&p.AutoRegister, d.AutoRegister)
	assign(&p.DefaultRoles, d.DefaultRoles)
	assign(&p.RoleMapping, d.RoleMapping)
	assign(&p.MapAdmin, d.MapAdmin)
	assign(&p.TrustMFA, d.TrustMFA)
	assign(&p.Position, d.Position)
	assign(&p.Enabled, d.Enabled)
	if p.DisplayName == "" {
		p.DisplayName = p.Name
	}
	if !slices.Contains(p.Scopes, "openid") {
		p.Scopes = append([]string{"openid"}, p.Scopes...)
	}
	if err := s.check(ctx, *p); err != nil {
		return err
	}
	switch {
	case d.ClientSecret == nil:
	case *d.ClientSecret == "":
		p.SealedSecret = nil
	default:
		sealed, err := s.deps.Sealer.Seal(ctx, location(*p), []byte(*d.ClientSecret))
		if err != nil {
			return err
		}
		p.SealedSecret = sealed
	}
	return nil
}

func assign[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// check collects all that is wrong, so that a person corrects it at once.
func (s *Service) check(ctx context.Context, p domain.OIDCProvider) error {
	var fields []fault.Field
	require := func(ok bool, path, message string) {
		if !ok {
			fields = append(fields, fault.Field{Path: path, Message: message})
		}
	}
	line := func(s string, most int) bool {
		return utf8.RuneCountInString(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
	}
	require(slug.MatchString(p.Name), "name", "A name has 1 to 32 lower-case letters, digits and dashes, and no dash at its ends.")
	require(line(p.DisplayName, 100), "displayName", "A name has at most 100 characters without line breaks.")
	issuer, err := url.Parse(p.Issuer)
	require(err == nil && (issuer.Scheme == "https" || issuer.Scheme == "http") && issuer.Host != "" && issuer.User == nil && issuer.RawQuery == "" && !strings.Contains(p.Issuer, "#") &&
		len(p.Issuer) <= 1000, "issuer", "The issuer is the provider's address, https://…, without query and fragment.")
	require(p.ClientID != "" && line(p.ClientID, 255), "clientId", "The client id is what the provider calls this server.")
	require(len(p.Scopes) <= 20, "scopes", "There are at most 20 scopes.")
	for _, scope := range p.Scopes { // RFC 6749, 3.3
		require(scope != "" && len(scope) <= 200 && !strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }), "scopes", "A scope has no spaces, quotes or letters beyond ASCII.")
	}
	known, err := s.deps.Policy.Roles(ctx)
	if err != nil {
		return err
	}
	for _, role := range p.DefaultRoles {
		require(slices.Contains(known, role), "defaultRoles", "There is no role "+string(role)+".")
		require(role != domain.RoleAdmin, "defaultRoles", "Nobody becomes an administrator by signing in. Map a claim to the role instead.")
	}
	require(line(p.RoleClaim, 200), "roleClaim", "The name of a claim has at most 200 characters.")
	require(len(p.RoleMapping) == 0 || p.RoleClaim != "", "roleClaim", "Say which claim is mapped to roles.")
	require(len(p.RoleMapping) <= 100, "roleMapping", "There are at most 100 values.")
	for _, m := range p.RoleMapping {
		require(m.Value != "" && line(m.Value, 255), "roleMapping", "A value has 1 to 255 characters.")
		require(slices.Contains(known, m.Role), "roleMapping", "There is no role "+string(m.Role)+".")
		require(m.Role != domain.RoleAdmin || p.MapAdmin, "roleMapping", "Whoever manages the provider could make administrators of this server. Set mapAdmin to allow that.")
	}
	if len(fields) == 0 {
		return nil
	}
	invalid := fault.New(fault.Invalid, CodeInvalid, "%s", fields[0].Message)
	invalid.Fields = fields
	return invalid
}
