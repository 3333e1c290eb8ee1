package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// OIDC keeps OpenID Connect providers, who is who at them, and which sessions came by them.
type OIDC interface {
	// CreateProvider adds a provider. Conflict with "oidc.name_taken" or "oidc.issuer_taken".
	CreateProvider(ctx context.Context, p domain.OIDCProvider) error
	// Provider finds one by its name; NotFound with "oidc_provider.not_found".
	Provider(ctx context.Context, name string) (domain.OIDCProvider, error)
	// Providers lists all by position, then by name.
	Providers(ctx context.Context) ([]domain.OIDCProvider, error)
	// UpdateProvider writes all fields of the provider with this id. NotFound; Conflict as CreateProvider.
	UpdateProvider(ctx context.Context, p domain.OIDCProvider) error
	// DeleteProvider removes one; links stay. NotFound.
	DeleteProvider(ctx context.Context, id domain.ID) error

	// CreateLink adds a link. Conflict with "oidc.identity_taken" when the identity is linked already, to whomever, and with
	// "oidc.already_linked" when the account has a link to this issuer.
	CreateLink(ctx context.Context, l domain.OIDCLink) error
	// LinkOf finds the link of an identity, to the letter; NotFound with "oidc_link.not_found".
	LinkOf(ctx context.Context, issuer, subject string) (domain.OIDCLink, error)
	// LinksOf lists an account's, oldest first.
	LinksOf(ctx context.Context, user domain.ID) ([]domain.OIDCLink, error)
	// UseLink notes that a link was used, and what the provider calls the person now. NotFound.
	UseLink(ctx context.Context, id domain.ID, label string, at time.Time) error
	// DeleteLink removes one. NotFound.
	DeleteLink(ctx context.Context, id domain.ID) error

	// CreateSession notes what a session came by; it goes with the session.
	CreateSession(ctx context.Context, s domain.OIDCSession) error
	// Session finds it by the session; NotFound with "oidc_session.not_found".
	Session(ctx context.Context, session domain.ID) (domain.OIDCSession, error)
	// MoveSession notes that another session took a session's place; nothing happens where that came by no provider.
	MoveSession(ctx context.Context, from, to domain.ID) error
	// SessionsOf lists what an issuer opened before a time for a subject, and by its session; "" is any, of which one at most may be.
	SessionsOf(ctx context.Context, issuer, subject, providerSession string, before time.Time) ([]domain.OIDCSession, error)
}
