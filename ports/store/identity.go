package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Users keeps accounts. Names and addresses are compared in canonical form (Unicode NFKC, case folded, trimmed), whatever form was written.
type Users interface {
	// Create adds an account. Conflict with "user.username_taken" or "user.email_taken" (a name may not equal another's address either).
	Create(ctx context.Context, u domain.User, hash domain.PasswordHash) error
	Get(ctx context.Context, id domain.ID) (domain.User, error)
	// ByLogin finds an account by user name or address.
	ByLogin(ctx context.Context, login string) (domain.User, domain.PasswordHash, error)
	// Update writes all fields but the hash. NotFound; Conflict as Create.
	Update(ctx context.Context, u domain.User) error
	SetPasswordHash(ctx context.Context, id domain.ID, hash domain.PasswordHash) error
	PasswordHash(ctx context.Context, id domain.ID) (domain.PasswordHash, error)
	// MarkPassword notes whether the password has fewer characters than an account without a second factor may have; PasswordIsShort returns it.
	MarkPassword(ctx context.Context, id domain.ID, short bool) error
	PasswordIsShort(ctx context.Context, id domain.ID) (bool, error)
	// CountAdmins counts accounts with the admin role that are neither disabled nor deleted.
	CountAdmins(ctx context.Context) (int, error)
	// List is in order of canonical user name.
	List(ctx context.Context, filter domain.UserFilter, page domain.PageRequest) (domain.Page[domain.User], error)
	// DeletedBefore lists up to limit accounts that were deleted before, the oldest first.
	DeletedBefore(ctx context.Context, before time.Time, limit int) ([]domain.ID, error)
	// Purge removes an account and all that is its own, watch history included. NotFound.
	Purge(ctx context.Context, id domain.ID) error
	// Preferences returns what was saved, or the defaults (mode "auto").
	Preferences(ctx context.Context, id domain.ID) (domain.Preferences, error)
	SavePreferences(ctx context.Context, id domain.ID, p domain.Preferences) error
}

// Sessions keeps sessions and their refresh tokens.
type Sessions interface {
	Create(ctx context.Context, s domain.Session, first domain.RefreshToken) error
	Get(ctx context.Context, id domain.ID) (domain.Session, error)
	// ByUser lists sessions that are not revoked and not expired at now, latest seen first.
	ByUser(ctx context.Context, user domain.ID, now time.Time) ([]domain.Session, error)
	// Count counts everybody's sessions that are not revoked and not expired at now.
	Count(ctx context.Context, now time.Time) (int, error)
	// Touch sets LastSeenAt, ExpiresAt, IP and UserAgent; LastSeenAt never goes back in time.
	Touch(ctx context.Context, id domain.ID, use domain.SessionUse) error
	// Revoke sets RevokedAt if it is not set. NotFound.
	Revoke(ctx context.Context, id domain.ID, at time.Time) error
	// RevokeUser revokes all of a user's sessions but except, and returns their ids.
	RevokeUser(ctx context.Context, user domain.ID, at time.Time, except *domain.ID) ([]domain.ID, error)
	// RefreshToken finds one by its hash, used or not.
	RefreshToken(ctx context.Context, hash []byte) (domain.RefreshToken, error)
	// Rotate marks the token used at, if it is not yet, and adds its successor; rotated is false when it was used before (then nothing changes).
	// Of many concurrent calls one gets true.
	Rotate(ctx context.Context, hash []byte, at time.Time, next domain.RefreshToken) (rotated bool, err error)
	// DeleteExpired removes sessions that ended before, with their tokens, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time) (int, error)

	// NoteDevice stores a device of an account, or finds the one with its fingerprint and notes its use, at most once a minute. unknown is true when it
	// was not known and others of the account were.
	NoteDevice(ctx context.Context, d domain.Device) (stored domain.Device, unknown bool, err error)
	// ForgetDevices removes devices that were not used since, and returns how many.
	ForgetDevices(ctx context.Context, since time.Time) (int, error)
}

// Challenges keeps what clients were asked and have not answered yet.
type Challenges interface {
	Create(ctx context.Context, c domain.Challenge) error
	// Get returns the challenge of this purpose without using it up; NotFound with "challenge.not_found" when there is none that lives at now.
	Get(ctx context.Context, purpose domain.ChallengePurpose, hash []byte, now time.Time) (domain.Challenge, error)
	// Take is Get that uses it up: of many concurrent calls one gets it.
	Take(ctx context.Context, purpose domain.ChallengePurpose, hash []byte, now time.Time) (domain.Challenge, error)
	// DeleteExpired removes what ended before, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time) (int, error)
}

// Secret is one sealed value.
type Secret struct {
	Name      string
	Sealed    []byte
	CreatedAt time.Time
	ExpiresAt *time.Time
}

// Secrets keeps the server's own sealed values (signing keys, claim code).
type Secrets interface {
	// InsertIfAbsent stores s unless the name exists, and returns what is stored then: of many processes that start together all get one value.
	InsertIfAbsent(ctx context.Context, s Secret) (Secret, error)
	Get(ctx context.Context, name string) (Secret, error)
	// Replace stores s over the value that was read as old; replaced is false when it changed meanwhile.
	Replace(ctx context.Context, old, s Secret) (replaced bool, err error)
	// Delete removes it; deleted is true for exactly one of many concurrent calls.
	Delete(ctx context.Context, name string) (deleted bool, err error)
}
