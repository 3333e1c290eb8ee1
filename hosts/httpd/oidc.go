package httpd

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/identity"
)

// OIDCChoice is a way to sign in that the login page offers.
type OIDCChoice struct {
	Name        string `json:"name" example:"home"`
	DisplayName string `json:"displayName" example:"Family account"`
}

// OIDCProvider is a provider as administrators see it. Its client secret is never shown.
type OIDCProvider struct {
	domain.OIDCProvider
	HasSecret bool `json:"hasSecret" doc:"A client secret is set"`
}

// OIDCProbe is what a provider answered, and what it must be told.
type OIDCProbe struct {
	Issuer          string `json:"issuer"`
	RedirectURI     string `json:"redirectUri" doc:"To be registered as a redirect URI"`
	LogoutURI       string `json:"logoutUri" doc:"To be registered as a post-logout redirect URI"`
	BackchannelURI  string `json:"backchannelUri" doc:"To be registered as the back-channel logout URI"`
	EndSession      string `json:"endSession,omitempty" doc:"Where signing out continues at the provider"`
	AnnouncesIssuer bool   `json:"announcesIssuer" doc:"It names itself in every answer (RFC 9207)"`
}

// OIDCLink is a provider that the account is linked with.
type OIDCLink struct {
	Provider    string     `json:"provider"`
	DisplayName string     `json:"displayName"`
	Label       string     `json:"label" doc:"What the provider calls you"`
	Enabled     bool       `json:"enabled" doc:"You can sign in by it"`
	CreatedAt   time.Time  `json:"createdAt"`
	LastUsedAt  *time.Time `json:"lastUsedAt,omitempty"`
}

// OIDCRedirect is where the browser goes next.
type OIDCRedirect struct {
	URL string `json:"url"`
}

type oidcRedirectOutput struct {
	SetCookie []*http.Cookie `header:"Set-Cookie"`
	Body      OIDCRedirect
}

// foundOutput sends a browser on.
type foundOutput struct {
	SetCookie    []*http.Cookie `header:"Set-Cookie"`
	Location     string         `header:"Location"`
	CacheControl string         `header:"Cache-Control"`
}

type oidcProviderOutput struct {
	ETag string `header:"ETag"`
	Body OIDCProvider
}

func oidcProviderBody(p domain.OIDCProvider, err error) (*oidcProviderOutput, error) {
	if err != nil {
		return nil, err
	}
	return &oidcProviderOutput{ETag: versionTag(p.UpdatedAt), Body: OIDCProvider{p, p.SealedSecret != nil}}, nil
}

// ByProvider is the path of everything about one provider.
type ByProvider struct {
	Provider string `path:"provider" maxLength:"32" pattern:"^[a-z0-9-]+$" doc:"The provider's name"`
}

// OIDCDraft is what a provider is made from, or changed to.
type OIDCDraft struct {
	DisplayName  *string                   `json:"displayName,omitempty" maxLength:"100" doc:"On the button; its name when empty"`
	Issuer       *string                   `json:"issuer,omitempty" maxLength:"1000" format:"uri" example:"https://auth.example.org/realms/home" doc:"The provider's address as it writes it itself"`
	ClientID     *string                   `json:"clientId,omitempty" maxLength:"255"`
	ClientSecret *string                   `json:"clientSecret,omitempty" maxLength:"1000" doc:"Kept sealed and never shown; empty for a public client"`
	Scopes       *[]string                 `json:"scopes,omitempty" maxItems:"20"`
	AutoRegister *bool                     `json:"autoRegister,omitempty" doc:"Make an account for whoever the provider knows"`
	DefaultRoles *[]domain.RoleName        `json:"defaultRoles,omitempty" maxItems:"20" doc:"Of accounts made so; never admin"`
	RoleClaim    *string                   `json:"roleClaim,omitempty" maxLength:"200" example:"realm_access.roles" doc:"The claim that roleMapping reads; a dot leads into an object"`
	RoleMapping  *[]domain.OIDCRoleMapping `json:"roleMapping,omitempty" maxItems:"100" doc:"At each sign-in these roles, and no others, are given and taken as the claim says"`
	MapAdmin     *bool                     `json:"mapAdmin,omitempty" doc:"Let roleMapping give and take the role admin"`
	TrustMFA     *bool                     `json:"trustMfa,omitempty" doc:"Take the provider's word (amr: mfa) for the second factor"`
	Position     *int                      `json:"position,omitempty" minimum:"0" maximum:"1000" doc:"Order of the buttons"`
	Enabled      *bool                     `json:"enabled,omitempty"`
}

func (d OIDCDraft) draft() identity.Draft { return identity.Draft(d) }

type createOIDCProviderInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"32" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" example:"home" doc:"Part of addresses; it stays"`
		OIDCDraft
	}
}

type updateOIDCProviderInput struct {
	ByProvider
	IfMatch string `header:"If-Match" doc:"The ETag that was read: 412 when the provider changed since"`
	Body    struct{ OIDCDraft }
}

type oidcCallbackInput struct {
	origin
	ByProvider
	State  string `query:"state"`
	Code   string `query:"code"`
	Issuer string `query:"iss" doc:"RFC 9207"`
	Error  string `query:"error"`
}

// oidcRoute is a route of an administrator's.
func oidcRoute(id, method, path, summary string, status int, errors ...int) Route {
	return Route{ID: id, Method: method, Path: "/admin/oidc/providers" + path, Summary: summary, Tag: "OpenID Connect", Permission: domain.PermissionOIDCManage, Status: status, Errors: errors}
}

// attemptCookieName is that of the browser's side of a sign-in under way.
func attemptCookieName(secure bool) string { return cookieName(secure) + "-oidc" }

// attemptCookie keeps a browser's secret for as long as an attempt lasts. It comes back from the provider's site, which Lax allows for addresses that
// one goes to.
func (s *Server) attemptCookie(r *http.Request, value string, expires time.Time) *http.Cookie {
	secure := s.isSecure(r)
	return &http.Cookie{Name: attemptCookieName(secure), Value: value, Path: "/", HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, Expires: expires}
}

func (s *Server) mountOIDC() {
	register(s, Route{ID: "listOidcChoices", Method: http.MethodGet, Path: "/auth/oidc/providers", Summary: "Whom one may sign in with", Tag: "OpenID Connect", Permission: domain.PermissionPublic},
		func(ctx context.Context, _ *struct{}) (*output[items[OIDCChoice]], error) {
			offered, err := s.core.Identity.Offered(ctx)
			choices := make([]OIDCChoice, len(offered))
			for i, p := range offered {
				choices[i] = OIDCChoice{p.Name, p.DisplayName}
			}
			return list(choices, err)
		})
	register(s, Route{ID: "oidcAuthorize", Method: http.MethodGet, Path: "/auth/oidc/{provider}/authorize", Summary: "Go to a provider to sign in; an address for browsers, which end up in the web UI", Tag: "OpenID Connect", Permission: domain.PermissionPublic, Status: http.StatusFound},
		func(ctx context.Context, in *struct {
			origin
			ByProvider
			ReturnTo string `query:"returnTo" maxLength:"2000" doc:"Path of this server to end up at; anything else leads home"`
			Anew     bool   `query:"anew" doc:"Have the provider ask for credentials, whoever is signed in there"`
		}) (*foundOutput, error) {
			begun, err := s.core.Identity.Begin(ctx, in.Provider, in.ReturnTo, in.Anew)
			if err != nil {
				return s.signInFailed(ctx, in.request, err)
			}
			return onward(begun.URL, s.attemptCookie(in.request, begun.Secret, begun.ExpiresAt)), nil
		})
	register(s, Route{ID: "oidcCallback", Method: http.MethodGet, Path: "/auth/oidc/{provider}/callback", Summary: "Come back from a provider: signed in, or to /login with #challenge=… (a second factor is asked for) or #error=…", Tag: "OpenID Connect", Permission: domain.PermissionPublic, Status: http.StatusFound, ForeignQuery: true},
		s.oidcCallback)
	register(s, Route{ID: "oidcBackchannelLogout", Method: http.MethodPost, Path: "/auth/oidc/{provider}/backchannel-logout", Summary: "For providers: end the sessions that a logout token names", Tag: "OpenID Connect", Permission: domain.PermissionPublic, Status: http.StatusOK, Errors: []int{http.StatusBadRequest, http.StatusNotFound}, MaxBody: 64 << 10},
		func(ctx context.Context, in *struct {
			origin
			ByProvider
			RawBody []byte `contentType:"application/x-www-form-urlencoded"`
		}) (*struct{}, error) {
			form, err := url.ParseQuery(string(in.RawBody))
			if err != nil || form.Get("logout_token") == "" {
				return nil, fault.InvalidField("oidc.no_logout_token", "logout_token", "A logout token is missing.")
			}
			return nil, s.core.Identity.Logout(ctx, in.Provider, form.Get("logout_token"), in.client())
		})

	register(s, Route{ID: "listOidcLinks", Method: http.MethodGet, Path: "/users/me/oidc", Summary: "Providers that this account is linked with", Tag: "OpenID Connect", Permission: domain.PermissionSession},
		func(ctx context.Context, _ *struct{}) (*output[items[OIDCLink]], error) {
			linked, err := s.core.Identity.Links(ctx, actorOf(ctx))
			links := make([]OIDCLink, len(linked))
			for i, l := range linked {
				links[i] = OIDCLink{l.Provider.Name, l.Provider.DisplayName, l.Link.Label, l.Provider.Enabled, l.Link.CreatedAt, l.Link.LastUsedAt}
			}
			return list(links, err)
		})
	register(s, Route{ID: "linkOidc", Method: http.MethodPost, Path: "/users/me/oidc/link/{provider}", Summary: "Begin to link this account with a provider; the browser then goes to the answered address and comes back to returnTo with #linked=… or #error=…", Tag: "OpenID Connect", Permission: domain.PermissionProfile, Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *struct {
			origin
			ByProvider
			Body struct {
				ReturnTo string `json:"returnTo,omitempty" maxLength:"2000" doc:"Path of this server to end up at; home when empty"`
			}
		}) (*oidcRedirectOutput, error) {
			begun, err := s.core.Identity.BeginLink(ctx, actorOf(ctx), in.Provider, in.Body.ReturnTo)
			if err != nil {
				return nil, err
			}
			return &oidcRedirectOutput{[]*http.Cookie{s.attemptCookie(in.request, begun.Secret, begun.ExpiresAt)}, OIDCRedirect{begun.URL}}, nil
		})
	register(s, Route{ID: "unlinkOidc", Method: http.MethodDelete, Path: "/users/me/oidc/unlink/{provider}", Summary: "Unlink a provider; the last way to sign in stays", Tag: "OpenID Connect", Permission: domain.PermissionProfile, Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(ctx context.Context, in *ByProvider) (*struct{}, error) {
			return nil, s.core.Identity.Unlink(ctx, actorOf(ctx), in.Provider)
		})
	s.mountOIDCProviders()
}

func (s *Server) mountOIDCProviders() {
	register(s, oidcRoute("listOidcProviders", http.MethodGet, "", "All providers, by position", 0),
		func(ctx context.Context, _ *struct{}) (*output[items[OIDCProvider]], error) {
			all, err := s.core.Identity.Providers(ctx, actorOf(ctx))
			shown := make([]OIDCProvider, len(all))
			for i, p := range all {
				shown[i] = OIDCProvider{p, p.SealedSecret != nil}
			}
			return list(shown, err)
		})
	register(s, oidcRoute("getOidcProvider", http.MethodGet, "/{provider}", "One provider", 0, http.StatusNotFound),
		func(ctx context.Context, in *ByProvider) (*oidcProviderOutput, error) {
			return oidcProviderBody(s.core.Identity.Provider(ctx, actorOf(ctx), in.Provider))
		})
	register(s, oidcRoute("createOidcProvider", http.MethodPost, "", "Set up a provider, which must answer", http.StatusCreated, http.StatusConflict),
		func(ctx context.Context, in *createOIDCProviderInput) (*oidcProviderOutput, error) {
			return oidcProviderBody(s.core.Identity.CreateProvider(ctx, actorOf(ctx), in.Body.Name, in.Body.draft()))
		})
	register(s, oidcRoute("updateOidcProvider", http.MethodPatch, "/{provider}", "Change a provider, which must answer unless it is switched off", 0, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed),
		func(ctx context.Context, in *updateOIDCProviderInput) (*oidcProviderOutput, error) {
			expected, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			return oidcProviderBody(s.core.Identity.UpdateProvider(ctx, actorOf(ctx), in.Provider, expected, in.Body.draft()))
		})
	register(s, oidcRoute("deleteOidcProvider", http.MethodDelete, "/{provider}", "Remove a provider; set up again, it knows who was linked", 0, http.StatusNotFound),
		func(ctx context.Context, in *ByProvider) (*struct{}, error) {
			return nil, s.core.Identity.DeleteProvider(ctx, actorOf(ctx), in.Provider)
		})
	register(s, oidcRoute("testOidcProvider", http.MethodPost, "/{provider}/test", "Does the provider answer? And what must it be told", 0, http.StatusNotFound),
		func(ctx context.Context, in *ByProvider) (*output[OIDCProbe], error) {
			probe, err := s.core.Identity.TestProvider(ctx, actorOf(ctx), in.Provider)
			return body(OIDCProbe{probe.Issuer, probe.RedirectURI, probe.LogoutURI, probe.BackchannelURI, probe.Metadata.EndSession, probe.Metadata.SendsIssuer}, err)
		})
}

// onward sends a browser to an address that nobody keeps.
func onward(address string, cookies ...*http.Cookie) *foundOutput {
	return &foundOutput{SetCookie: cookies, Location: address, CacheControl: "no-store"}
}

// withFragment adds what the page reads and no server sees.
func withFragment(path string, values url.Values) string {
	path, _, _ = strings.Cut(path, "#")
	return path + "#" + values.Encode()
}

// signInFailed brings a browser to the login page with the code of what went wrong.
func (s *Server) signInFailed(ctx context.Context, r *http.Request, err error, cookies ...*http.Cookie) (*foundOutput, error) {
	return onward(withFragment("/login", url.Values{"error": {s.failureCode(ctx, r, err)}}), cookies...), nil
}

// failureCode is what a page is told of an error; what is no fault of the request is logged.
func (s *Server) failureCode(ctx context.Context, r *http.Request, err error) string {
	f := fault.As(err)
	if f == nil || f.Kind == fault.Internal {
		s.logger.ErrorContext(ctx, "a sign-in by a provider failed", "path", r.URL.Path, "error", err)
		return "internal"
	}
	return f.Code
}

func (s *Server) oidcCallback(ctx context.Context, in *oidcCallbackInput) (*foundOutput, error) {
	answer := identity.Answer{State: in.State, Code: in.Code, Issuer: in.Issuer, Error: in.Error}
	if cookie, err := in.request.Cookie(attemptCookieName(s.isSecure(in.request))); err == nil {
		answer.Secret = cookie.Value
	}
	used := s.attemptCookie(in.request, "", time.Time{})
	used.MaxAge = -1
	finished, err := s.core.Identity.Finish(ctx, actorOf(ctx), in.Provider, answer, in.client(), auth.Options{DeviceToken: s.deviceToken(in.request)})
	switch challenge := finished.Outcome.Challenge; {
	case err != nil && finished.Linked:
		return onward(withFragment(finished.ReturnTo, url.Values{"error": {s.failureCode(ctx, in.request, err)}}), used), nil
	case err != nil:
		return s.signInFailed(ctx, in.request, err, used)
	case finished.Linked:
		return onward(withFragment(finished.ReturnTo, url.Values{"linked": {in.Provider}}), used), nil
	case challenge != nil:
		methods := make([]string, len(challenge.Methods))
		for i, m := range challenge.Methods {
			methods[i] = string(m)
		}
		return onward(withFragment("/login", url.Values{
			"challenge": {challenge.Token}, "methods": {strings.Join(methods, ",")}, "expires": {strconv.FormatInt(challenge.ExpiresAt.Unix(), 10)}, "returnTo": {finished.ReturnTo},
		}), used), nil
	}
	session := finished.Outcome.SignedIn.Session
	return onward(finished.ReturnTo, used, s.sessionCookie(in.request, s.core.Auth.CookieFor(session), session)), nil
}
