// Package oidc is what the core needs of OpenID Connect: to be a relying party of providers that an administrator chose (OpenID Connect Core 1.0,
// Discovery 1.0, RP-Initiated Logout 1.0, Back-Channel Logout 1.0). testkit/oidctest holds adapters to these comments.
package oidc

import (
	"context"
	"time"
)

// Fault codes of the port.
const (
	CodeUnreachable    = "oidc.provider_unreachable" // Unavailable: the provider does not answer, or not in time
	CodeIssuerMismatch = "oidc.issuer_mismatch"      // Invalid: it calls itself otherwise
	CodeNoProvider     = "oidc.no_provider"          // Invalid: what answers is no provider that can be used
	CodeCodeRefused    = "oidc.code_refused"         // Unauthenticated: the provider does not take the code, or this client
	CodeTokenInvalid   = "oidc.token_invalid"        // Unauthenticated: what the provider says is not signed by it, not for this client, or not for this sign-in
)

// Client is this server as a provider knows it.
type Client struct {
	// Issuer is an http or https URL without query and fragment, to the letter as the provider calls itself.
	Issuer string
	ID     string
	// Secret is "" for a public client.
	Secret string
	Scopes []string
}

// Metadata is what a provider's discovery document promises.
type Metadata struct {
	// EndSession is where a browser signs out of the provider, "" where it cannot.
	EndSession string
	// SendsIssuer says that every answer names its issuer (RFC 9207).
	SendsIssuer bool
}

// Attempt is one sign-in: secrets that bind its end to its beginning. Nonce and Verifier are at least 43 characters of base64url.
type Attempt struct {
	RedirectURI string
	State       string
	Nonce       string
	// Verifier is PKCE's (RFC 7636); its S256 challenge is sent.
	Verifier string
	// Anew asks the provider to have the person prove again who they are, whatever its own session says, and to tell when they did.
	Anew bool
}

// Answer is what the provider sent the browser back with.
type Answer struct {
	Code string
	// Issuer is the parameter "iss" (RFC 9207), "" when absent.
	Issuer string
}

// Identity is somebody that a provider vouches for. Only Issuer and Subject say who it is.
type Identity struct {
	Issuer  string
	Subject string
	// Username, Name and Email are what they are called there; "" when unknown.
	Username      string
	Name          string
	Email         string
	EmailVerified bool
	// Methods are how they proved who they are (amr, RFC 8176).
	Methods []string
	// AuthenticatedAt is when they did so (auth_time), which may be long before this sign-in; zero where the provider does not say.
	AuthenticatedAt time.Time
	// Session is the provider's id of its own session (sid), "" where it names none.
	Session string
	// Claims are all, as JSON decodes them.
	Claims map[string]any
	// Token is the identity token itself.
	Token string
}

// Logout is what a provider says has ended: a person's sessions, or the one session that it names.
type Logout struct {
	Subject string // or "", then Session is not
	Session string
	// IssuedAt is when it was said: what began later goes on.
	IssuedAt time.Time
}

// RelyingParty talks to providers. Every method that does fails with CodeUnreachable, CodeIssuerMismatch or CodeNoProvider where the provider's
// discovery document cannot be had or used.
type RelyingParty interface {
	// Discover reads the provider's discovery document anew.
	Discover(ctx context.Context, c Client) (Metadata, error)
	// Metadata is Discover that may answer from what was read before.
	Metadata(ctx context.Context, c Client) (Metadata, error)
	// Authorize returns where the browser goes to sign in there: authorization code flow, PKCE S256, state and nonce.
	Authorize(ctx context.Context, c Client, a Attempt) (string, error)
	// Redeem exchanges the answer's code for an identity. It checks the issuer in the answer and in the token, the signature by a key of the
	// provider and an algorithm that is not symmetric and not "none", audience, authorized party, times, nonce and, where given, the access
	// token's hash. Claims named in wanted that the token lacks are asked for at the userinfo endpoint, whose subject must be the same.
	// CodeCodeRefused, CodeTokenInvalid.
	Redeem(ctx context.Context, c Client, a Attempt, with Answer, wanted ...string) (Identity, error)
	// Logout checks a logout token as Redeem checks identity tokens. CodeTokenInvalid.
	Logout(ctx context.Context, c Client, token string) (Logout, error)
}
