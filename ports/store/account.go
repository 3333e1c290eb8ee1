package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Invitations keeps invitations, used ones too until they are cleaned up.
type Invitations interface {
	Create(ctx context.Context, i domain.Invitation) error
	Get(ctx context.Context, id domain.ID) (domain.Invitation, error)
	// ByCode finds one by its code's hash, in whatever state.
	ByCode(ctx context.Context, hash []byte) (domain.Invitation, error)
	// List is newest first.
	List(ctx context.Context, page domain.PageRequest) (domain.Page[domain.Invitation], error)
	// Use marks an open one used by a user name at now. used is false when it is not open (any more): of many concurrent calls one gets true.
	Use(ctx context.Context, id domain.ID, now time.Time, by string) (used bool, err error)
	// Renamed writes another user name where from used one; "" for an account that is purged, whose address goes too.
	Renamed(ctx context.Context, from, to string) error
	// Revoke ends an open one; one that was used, revoked or has expired stays what it is. NotFound.
	Revoke(ctx context.Context, id domain.ID, at time.Time) error
	// DeleteEnded removes what expired before, whatever became of it, and returns how many.
	DeleteEnded(ctx context.Context, before time.Time) (int, error)
}

// Registrations keeps who asked for an account and has not shown yet that the address is theirs. Names and addresses compare as in Users.
type Registrations interface {
	// Create reserves the name. Conflict with "user.username_taken" when a registration that lives at now has it, or an account.
	Create(ctx context.Context, r domain.Registration, now time.Time) error
	Get(ctx context.Context, id domain.ID) (domain.Registration, error)
	// ByEmail lists those of an address that live at now, newest first.
	ByEmail(ctx context.Context, email string, now time.Time) ([]domain.Registration, error)
	// Mailed notes when something was sent, and the hash of the code that was; nil for none. NotFound.
	Mailed(ctx context.Context, id domain.ID, codeHash []byte, at time.Time) error
	// Take uses up the one whose code this is, if it lives at now; else NotFound. Of many concurrent calls one gets it.
	Take(ctx context.Context, codeHash []byte, now time.Time) (domain.Registration, error)
	// CountFrom counts those that an address of the network made since.
	CountFrom(ctx context.Context, ip string, since time.Time) (int, error)
	// DeleteExpired removes what ended before, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time) (int, error)
}

// OneTimeTokens keeps what was sent to people so that they can act without signing in.
type OneTimeTokens interface {
	// Create stores a token and removes the account's older one of its kind.
	Create(ctx context.Context, t domain.OneTimeToken) error
	// Of returns an account's token of a kind that lives at now; NotFound.
	Of(ctx context.Context, kind domain.TokenKind, user domain.ID, now time.Time) (domain.OneTimeToken, error)
	// Get returns one that lives at now without using it up; else NotFound.
	Get(ctx context.Context, kind domain.TokenKind, hash []byte, now time.Time) (domain.OneTimeToken, error)
	// Take uses one up that lives at now; else NotFound with "one_time_token.not_found". Of many concurrent calls one gets it.
	Take(ctx context.Context, kind domain.TokenKind, hash []byte, now time.Time) (domain.OneTimeToken, error)
	// Void removes an account's tokens of all kinds: they were sent to who held it before.
	Void(ctx context.Context, user domain.ID) error
	// DeleteExpired removes what ended before, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time) (int, error)
}

// Avatars keeps accounts' pictures. User.Avatar names the revision; whoever saves or deletes one updates that in the same transaction.
type Avatars interface {
	// Save stores the picture in the place of the one before. NotFound with "user.not_found".
	Save(ctx context.Context, a domain.Avatar) error
	Get(ctx context.Context, user domain.ID) (domain.Avatar, error)
	// Delete removes it; nothing happens where there is none.
	Delete(ctx context.Context, user domain.ID) error
}
