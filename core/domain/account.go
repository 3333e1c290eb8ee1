package domain

import "time"

// UserState is where an account stands.
type UserState string

// The states of an account.
const (
	UserActive   UserState = "active"
	UserDisabled UserState = "disabled"
	UserDeleted  UserState = "deleted" // not purged yet
)

// UserFilter narrows the list of accounts. Zero fields do not.
type UserFilter struct {
	// Query is part of the user name or the address, in canonical form, or of the display name.
	Query string
	Role  RoleName
	State UserState
}

// Invitation lets somebody make an account while registration is by invitation. Whoever holds the code may, once.
type Invitation struct {
	ID ID `json:"id"`
	// CodeHash is the SHA-256 of the code, 32 bytes.
	CodeHash []byte `json:"-"`
	// Email is whom it is for; empty for whoever holds the code.
	Email     string     `json:"email,omitempty"`
	Roles     []RoleName `json:"roles"`
	CreatedBy *ID        `json:"createdBy,omitempty" doc:"Absent when the server's owner made it on the command line"`
	CreatedAt time.Time  `json:"createdAt"`
	ExpiresAt time.Time  `json:"expiresAt"`
	UsedAt    *time.Time `json:"usedAt,omitempty"`
	UsedBy    string     `json:"usedBy,omitempty" doc:"The user name of who used it; absent once the account was purged"`
	RevokedAt *time.Time `json:"revokedAt,omitempty"`
}

// InvitationState is where an invitation stands.
type InvitationState string

// The states of an invitation.
const (
	InvitationOpen    InvitationState = "open"
	InvitationUsed    InvitationState = "used"
	InvitationExpired InvitationState = "expired"
	InvitationRevoked InvitationState = "revoked"
)

// State tells where it stands at now.
func (i Invitation) State(now time.Time) InvitationState {
	switch {
	case i.UsedAt != nil:
		return InvitationUsed
	case i.RevokedAt != nil:
		return InvitationRevoked
	case !now.Before(i.ExpiresAt):
		return InvitationExpired
	default:
		return InvitationOpen
	}
}

// Registration is an account that somebody asked for who has not shown yet that the address is theirs. It keeps the name from others, whether the
// address is free or not: else a second attempt at the name would tell whether it was (S3).
type Registration struct {
	ID           ID
	Username     string
	DisplayName  string
	Email        string
	PasswordHash PasswordHash
	Roles        []RoleName
	IP           string
	// CodeHash is the SHA-256 of the code that was sent to Email; nil where none was.
	CodeHash  []byte
	CreatedAt time.Time
	// MailedAt is when something was last sent about it.
	MailedAt  *time.Time
	ExpiresAt time.Time
}

// OneTimeToken stands for an account where its owner cannot sign in: whoever shows it once may do what its kind says.
type OneTimeToken struct {
	Hash   []byte // SHA-256 of the token, 32 bytes
	Kind   TokenKind
	UserID ID
	// Email is where it was sent: what a TokenVerifyEmail confirms. Empty where an administrator handed it over.
	Email     string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// TokenKind keeps one-time tokens apart: one of a kind does nothing else.
type TokenKind string

// The kinds of one-time tokens.
const (
	TokenResetPassword TokenKind = "reset"
	TokenVerifyEmail   TokenKind = "verify" // also a change of the address
)

// Avatar is an account's picture.
type Avatar struct {
	UserID ID
	// Revision changes with the picture: the first 16 hex digits of its SHA-256.
	Revision  string
	MediaType string
	Data      []byte
	CreatedAt time.Time
}
