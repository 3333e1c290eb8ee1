package domain

import "time"

// OIDCProvider is an OpenID Connect provider that people may sign in with.
type OIDCProvider struct {
	ID ID `json:"id"`
	// Name is the slug in addresses, [a-z0-9-]; it does not change, since the provider knows the callback's address.
	Name        string `json:"name"`
	DisplayName string `json:"displayName"` // on the button
	// Issuer is the provider's own name for itself, to the letter: with a subject it is the identity of a person.
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
	// SealedSecret is the client secret as ports/secrets sealed it; nil belongs to a public client.
	SealedSecret []byte `json:"-"`
	// Scopes are asked for; "openid" is always among them.
	Scopes []string `json:"scopes"`
	// AutoRegister makes an account for whoever the provider knows and this server does not, with DefaultRoles.
	AutoRegister bool       `json:"autoRegister"`
	DefaultRoles []RoleName `json:"defaultRoles"`
	// RoleClaim names the claim whose values RoleMapping turns into roles at every sign-in; a dot leads into an object. "" maps none.
	RoleClaim   string            `json:"roleClaim"`
	RoleMapping []OIDCRoleMapping `json:"roleMapping"`
	// MapAdmin lets RoleMapping give and take the role admin.
	MapAdmin bool `json:"mapAdmin"`
	// TrustMFA takes the provider's word (amr "mfa", RFC 8176) for this server's own second factor.
	TrustMFA bool `json:"trustMfa"`
	// Position orders the buttons, lowest first.
	Position  int       `json:"position"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// OIDCRoleMapping gives a role to whose claim has a value.
type OIDCRoleMapping struct {
	Value string   `json:"value"`
	Role  RoleName `json:"role"`
}

// OIDCLink says that an account is a person at a provider: (Issuer, Subject), and nothing else, is the identity (S14). It outlives the provider's
// configuration, so that the same people come back when it is set up again.
type OIDCLink struct {
	ID      ID     `json:"id"`
	UserID  ID     `json:"userId"`
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	// Label is what the provider called the person when the link was last used; it is shown and means nothing.
	Label      string     `json:"label"`
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt,omitempty"`
}

// OIDCSession is what a provider knows of a session that was opened by it: to end both together.
type OIDCSession struct {
	ID        ID
	SessionID ID
	Issuer    string
	Subject   string
	// ProviderSession is the provider's id of its own session (sid), "" where it names none.
	ProviderSession string
	// SealedToken is the sealed identity token, which the provider wants back as a hint at sign-out; nil where it was too long to keep.
	SealedToken []byte
	CreatedAt   time.Time
}
