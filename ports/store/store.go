// Package store is what the core needs of a database. Its comments are law: testkit/storetest holds every adapter to them.
//
// Laws of all repositories: a value read equals the value written (times to the microsecond, UTC). What is absent is a NotFound fault
// with code "<noun>.not_found". A method that takes a domain.Scope treats what the scope does not see exactly as absent. Lists are keyset
// pages in a total order; a cursor that is not one of this list's is Invalid with "page.bad_cursor". A canceled ctx returns its error.
package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Fault codes of the store itself.
const (
	CodeUnavailable = "store.unavailable" // Unavailable: the database is out of reach or overloaded; trying again is right
	CodeNested      = "store.nested"      // Internal: Update inside Update, or Read inside Update
	CodeBadCursor   = "page.bad_cursor"   // Invalid
)

// Store is a database.
type Store interface {
	// Update runs fn in one transaction and returns nil if and only if it committed. fn's error rolls back and is returned; a panic rolls
	// back and goes on; a failed commit is returned. fn may run again after a conflict, so it does no I/O of its own. An Update or Read
	// with fn's ctx is refused with CodeNested.
	Update(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// Read returns repositories that read the latest committed state, each call by itself. Their writing methods are refused.
	Read() Repos
	// Attempts counts attempts to show a secret, beside transactions.
	Attempts() Attempts
	// Ping tells whether the database answers, and its latency.
	Ping(ctx context.Context) (time.Duration, error)
	// Stats describes the connection pools.
	Stats() PoolStats
	Close() error
}

// PoolStats is what metrics show of the pools, added up.
type PoolStats struct {
	// Max is how many there may be open at most.
	Open, InUse, Idle, Max int
	WaitCount              int64
	WaitDuration           time.Duration
	// CancelledWaits counts waits for a connection that were given up.
	CancelledWaits int64
	// SlowQueries counts statements over the threshold.
	SlowQueries uint64
}

// Repos are the repositories.
type Repos struct {
	Users      Users
	Sessions   Sessions
	Challenges Challenges
	Roles      Roles
	MFA        MFA

	Invitations   Invitations
	Registrations Registrations
	OneTimeTokens OneTimeTokens
	Avatars       Avatars

	OIDC      OIDC
	Secrets   Secrets
	Libraries Libraries
	Scans     Scans
	Files     Files
	Movies    Movies
	Watch     Watch
	Images    Images
	Activity  Activity
	APIKeys   APIKeys

	Settings Settings
	Outbox   Outbox
	Sealed   Sealed
}

// Tx is one transaction.
type Tx struct {
	Repos
	// Jobs are enqueued if and only if the transaction commits.
	Jobs jobs.Enqueuer
	// Events are published after the commit.
	Events bus.Publisher
}
