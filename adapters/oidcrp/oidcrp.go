// Package oidcrp is the relying party of OpenID Connect, over go-oidc and oauth2.
package oidcrp

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/revenge-media/revenge/core/fault"
	port "github.com/revenge-media/revenge/ports/oidc"
)

// algorithms are how tokens may be signed: by a private key of the provider, never by a secret that both sides know, and never not at all.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}

// keepDiscovered is how long a discovery document is believed. Keys are read again whenever a token names one that is not known.
const keepDiscovered = 10 * time.Minute

// longestLogoutToken is far more than any provider sends.
const longestLogoutToken = 16 << 10

// Config is what a RelyingParty needs.
type Config struct {
	// Client makes the HTTP client for a provider. authority is the issuer's "host:port", which an administrator chose: it alone may lie inside.
	Client func(issuer *url.URL) *http.Client
	// Now is the clock that tokens are held to; nil is time.Now.
	Now func() time.Time
}

// RelyingParty implements ports/oidc.
type RelyingParty struct {
	config Config

	mu    sync.Mutex
	known map[string]discovered // by issuer
}

var _ port.RelyingParty = (*RelyingParty)(nil)

// discovered is a provider as its document describes it.
type discovered struct {
	*oidc.Provider
	client *http.Client
	at     time.Time
	says   document
}

type document struct {
	Authorize       string   `json:"authorization_endpoint"`
	Token           string   `json:"token_endpoint"`
	Keys            string   `json:"jwks_uri"`
	UserInfo        string   `json:"userinfo_endpoint"`
	EndSession      string   `json:"end_session_endpoint"`
	SendsIssuer     bool     `json:"authorization_response_iss_parameter_supported"`
	TokenAuth       []string `json:"token_endpoint_auth_methods_supported"`
	ResponseTypes   []string `json:"response_types_supported"`
	ChallengeMethod []string `json:"code_challenge_methods_supported"`
}

// New returns a relying party.
func New(c Config) *RelyingParty {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &RelyingParty{config: c, known: map[string]discovered{}}
}

// Discover implements ports/oidc.
func (r *RelyingParty) Discover(ctx context.Context, c port.Client) (port.Metadata, error) {
	d, err := r.discover(ctx, c.Issuer)
	return port.Metadata{EndSession: d.says.EndSession, SendsIssuer: d.says.SendsIssuer}, err
}

// Metadata implements ports/oidc.
func (r *RelyingParty) Metadata(ctx context.Context, c port.Client) (port.Metadata, error) {
	d, err := r.provider(ctx, c.Issuer)
	return port.Metadata{EndSession: d.says.EndSession, SendsIssuer: d.says.SendsIssuer}, err
}

func (r *RelyingParty) provider(ctx context.Context, issuer string) (discovered, error) {
	r.mu.Lock()
	d, ok := r.known[issuer]
	r.mu.Unlock()
	if ok && r.config.Now().Sub(d.at).Abs() < keepDiscovered {
		return d, nil
	}
	return r.discover(ctx, issuer)
}

func (r *RelyingParty) discover(ctx context.Context, issuer string) (discovered, error) {
	address, err := url.Parse(issuer)
	if err != nil || !endpoint(issuer) || address.RawQuery != "" || address.Fragment != "" || address.User != nil {
		return discovered{}, unusable(nil, "The issuer must be an http or https address without query and fragment.")
	}
	client := r.config.Client(address)
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, client), issuer)
	var mismatch *oidc.IssuerMismatchError
	var network *url.Error
	switch {
	case errors.As(err, &mismatch):
		return discovered{}, fault.Wrap(err, fault.Invalid, port.CodeIssuerMismatch, "The provider calls itself %q. The issuer must be the same to the letter.", short(mismatch.Discovered))
	case errors.As(err, &network):
		return discovered{}, unreachable(err)
	case err != nil:
		return discovered{}, unusable(err, "There is no discovery document of an OpenID Connect provider at this issuer.")
	}
	d := discovered{Provider: p, client: client, at: r.config.Now()}
	if err := p.Claims(&d.says); err != nil {
		return discovered{}, unusable(err, "The discovery document of this provider cannot be read.")
	}
	switch {
	case !endpoint(d.says.Authorize) || !endpoint(d.says.Token) || !endpoint(d.says.Keys):
		return discovered{}, unusable(nil, "The discovery document of this provider lacks an endpoint for sign-in, tokens or keys.")
	case d.says.UserInfo != "" && !endpoint(d.says.UserInfo), d.says.EndSession != "" && !endpoint(d.says.EndSession):
		return discovered{}, unusable(nil, "The discovery document of this provider names an endpoint that is no http or https address.")
	case len(d.says.ResponseTypes) > 0 && !slices.Contains(d.says.ResponseTypes, "code"):
		return discovered{}, unusable(nil, "This provider does not offer the authorization code flow.")
	case len(d.says.ChallengeMethod) > 0 && !slices.Contains(d.says.ChallengeMethod, "S256"):
		return discovered{}, unusable(nil, "This provider does not offer PKCE with S256.")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= 100 {
		clear(r.known)
	}
	r.known[issuer] = d
	return d, nil
}

// endpoint tells whether an address of a discovery document is one of the web; a browser would follow others too.
func endpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "") }

func unreachable(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, port.CodeUnreachable, "The sign-in provider does not answer. Try again later.")
}

func unusable(cause error, message string) error {
	return fault.Wrap(cause, fault.Invalid, port.CodeNoProvider, "%s", message)
}

func invalid(cause error, message string) error {
	return fault.Wrap(cause, fault.Unauthenticated, port.CodeTokenInvalid, "%s", message)
}

// flow is the oauth2 side of a client. How the client shows its secret follows from the document: trying out would use up the code.
func (d discovered) flow(c port.Client, redirect string) *oauth2.Config {
	at := d.Endpoint()
	at.AuthStyle = oauth2.AuthStyleInHeader // the default of Discovery 1.0, 3
	if c.Secret == "" || (len(d.says.TokenAuth) > 0 && !slices.Contains(d.says.TokenAuth, "client_secret_basic")) {
		at.AuthStyle = oauth2.AuthStyleInParams
	}
	scopes := c.Scopes
	if !slices.Contains(scopes, oidc.ScopeOpenID) {
		scopes = append([]string{oidc.ScopeOpenID}, scopes...)
	}
	return &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: at, RedirectURL: redirect, Scopes: scopes}
}

// Authorize implements ports/oidc.
func (r *RelyingParty) Authorize(ctx context.Context, c port.Client, a port.Attempt) (string, error) {
	d, err := r.provider(ctx, c.Issuer)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if a.Anew {
		// By max_age the provider must tell auth_time (OpenID Connect Core 1.0, 3.1.2.1).
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "300"))
	}
	return d.flow(c, a.RedirectURI).AuthCodeURL(a.State, options...), nil
}

// Redeem implements ports/oidc.
func (r *RelyingParty) Redeem(ctx context.Context, c port.Client, a port.Attempt, with port.Answer, wanted ...string) (port.Identity, error) {
	d, err := r.provider(ctx, c.Issuer)
	if err != nil {
		return port.Identity{}, err
	}
	// RFC 9207: the answer comes from whom it was asked of, and not from another provider that this server knows too.
	if (with.Issuer != "" || d.says.SendsIssuer) && with.Issuer != c.Issuer {
		return port.Identity{}, invalid(nil, "The answer comes from another provider than the one that was asked.")
	}
	ctx = oidc.ClientContext(ctx, d.client)
	flow := d.flow(c, a.RedirectURI)
	tokens, err := flow.Exchange(ctx, with.Code, oauth2.VerifierOption(a.Verifier))
	var refused *oauth2.RetrieveError
	var network *url.Error
	switch {
	case errors.As(err, &refused) && refused.Response.StatusCode < 500, err != nil && !errors.As(err, &network) && refused == nil:
		return port.Identity{}, fault.Wrap(err, fault.Unauthenticated, port.CodeCodeRefused, "The provider did not confirm the sign-in. Try again; if it stays so, its client id or secret is not set up right.")
	case err != nil:
		return port.Identity{}, unreachable(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return port.Identity{}, invalid(nil, "The provider sent no identity token.")
	}
	token, err := r.verifier(ctx, d, c).Verify(ctx, raw)
	if err != nil {
		return port.Identity{}, verification(err)
	}
	var claims struct {
		AuthorizedParty string   `json:"azp"`
		Methods         []string `json:"amr"`
		Session         string   `json:"sid"`
	}
	all := map[string]any{}
	if err := errors.Join(token.Claims(&claims), token.Claims(&all)); err != nil {
		return port.Identity{}, invalid(err, "The provider's identity token cannot be read.")
	}
	switch {
	case token.Subject == "" || len(token.Subject) > 255:
		return port.Identity{}, invalid(nil, "The provider's identity token names nobody.")
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1:
		return port.Identity{}, invalid(nil, "The provider's identity token belongs to another sign-in.")
	case claims.AuthorizedParty != "" && claims.AuthorizedParty != c.ID, claims.AuthorizedParty == "" && len(token.Audience) > 1:
		return port.Identity{}, invalid(nil, "The provider's identity token was made for another client.")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return port.Identity{}, invalid(err, "The provider's tokens do not belong together.")
		}
	}
	var proved time.Time
	if seconds, told := all["auth_time"].(float64); told && seconds > 0 {
		proved = time.Unix(int64(seconds), 0).UTC()
	}
	if err := d.complete(ctx, token.Subject, tokens, all, wanted); err != nil {
		return port.Identity{}, err
	}
	identity := port.Identity{
		Issuer: c.Issuer, Subject: token.Subject, Methods: claims.Methods, AuthenticatedAt: proved, Session: claims.Session, Claims: all, Token: raw,
		Username: text(all, "preferred_username"), Name: text(all, "name"), Email: text(all, "email"),
	}
	switch verified := all["email_verified"].(type) {
	case bool:
		identity.EmailVerified = verified
	case string: // as some providers send it
		identity.EmailVerified = verified == "true"
	}
	return identity, nil
}

func text(claims map[string]any, name string) string {
	s, _ := claims[name].(string)
	return s
}

// complete adds the wanted claims that the token lacks, if the provider has more to tell (Core 1.0, 5.3). It never replaces what the token says.
func (d discovered) complete(ctx context.Context, subject string, tokens *oauth2.Token, claims map[string]any, wanted []string) error {
	lacks := slices.ContainsFunc(wanted, func(name string) bool { _, ok := claims[name]; return !ok })
	if !lacks || d.says.UserInfo == "" {
		return nil
	}
	info, err := d.Provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	var network *url.Error
	if errors.As(err, &network) {
		return unreachable(err)
	}
	if err != nil || info.Subject != subject {
		return invalid(err, "What the provider says of this account does not belong to its identity token.")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return invalid(err, "What the provider says of this account cannot be read.")
	}
	for name, value := range more {
		if _, told := claims[name]; !told {
			claims[name] = value
		}
	}
	return nil
}

func (r *RelyingParty) verifier(ctx context.Context, d discovered, c port.Client) *oidc.IDTokenVerifier {
	return d.Verifier(&oidc.Config{ClientID: c.ID, SupportedSigningAlgs: algorithms, Now: r.config.Now})
}

// verification tells a key that could not be fetched from a token that is wrong.
func verification(err error) error {
	if strings.Contains(err.Error(), "fetching keys") { // go-oidc passes on no error of its own there
		return unreachable(err)
	}
	return invalid(err, "The provider's identity token is not valid: it is not signed by the provider, not for this server, or not of now.")
}

// Logout implements ports/oidc.
func (r *RelyingParty) Logout(ctx context.Context, c port.Client, token string) (port.Logout, error) {
	if len(token) > longestLogoutToken {
		return port.Logout{}, invalid(nil, "The logout token is too long.")
	}
	d, err := r.provider(ctx, c.Issuer)
	if err != nil {
		return port.Logout{}, err
	}
	said, err := r.verifier(ctx, d, c).VerifyLogout(ctx, token)
	if err != nil {
		return port.Logout{}, verification(err)
	}
	if now := r.config.Now(); said.IssuedAt.IsZero() || now.Sub(said.IssuedAt).Abs() > 10*time.Minute {
		return port.Logout{}, invalid(nil, "The logout token is not of now.")
	}
	return port.Logout{Subject: said.Subject, Session: said.SessionID, IssuedAt: said.IssuedAt}, nil
}
