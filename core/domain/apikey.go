package domain

import "time"

// APIKey lets a program act for its owner, within the permissions that it names and that the owner has at the time (S16). The key itself is shown
// once and never kept.
type APIKey struct {
	ID     ID     `json:"id"`
	UserID ID     `json:"userId"`
	Name   string `json:"name" doc:"What the owner calls it"`
	// Prefix is how the key begins, to be recognised by.
	Prefix string `json:"prefix" example:"rvg_4f9ZkQ2m"`
	// Hash is the SHA-256 of the whole key, 32 bytes.
	Hash []byte `json:"-"`
	// Permissions are sorted.
	Permissions []Permission `json:"permissions"`
	// RequestsPerMinute is its own limit; nil is the server's.
	RequestsPerMinute *int       `json:"requestsPerMinute,omitempty" doc:"Absent: the server's limit"`
	CreatedAt         time.Time  `json:"createdAt"`
	ExpiresAt         *time.Time `json:"expiresAt,omitempty"`
	LastUsedAt        *time.Time `json:"lastUsedAt,omitempty" doc:"Within about a minute"`
	LastUsedIP        string     `json:"lastUsedIp,omitempty"`
}

// Active tells whether the key may be used at now, as far as it says itself.
func (k APIKey) Active(now time.Time) bool { return k.ExpiresAt == nil || now.Before(*k.ExpiresAt) }

// Delegable tells whether an API key may hold the permission: what changes how an account signs in stays with people (S16).
func (p Permission) Delegable() bool {
	switch p {
	case PermissionPublic, PermissionEnrol, PermissionProfile, PermissionAPIKey:
		return false
	default:
		return true
	}
}

// Credential is the id of what the actor acts by: an API key or a session. It is zero for nobody and for the server itself.
func (a Actor) Credential() ID {
	if a.KeyID != nil {
		return *a.KeyID
	}
	return a.SessionID
}
