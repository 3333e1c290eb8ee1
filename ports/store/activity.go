package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Activity keeps the log of who did what. Entries are appended and expire: no method changes what one says, but Forget.
type Activity interface {
	// Append adds entries. One that is there already (by time and id) is left as it is, so that a batch may be written again.
	Append(ctx context.Context, entries ...domain.Activity) error
	// List is newest first.
	List(ctx context.Context, filter domain.ActivityFilter, page domain.PageRequest) (domain.Page[domain.Activity], error)
	// Stats counts entries from a moment to the one before to.
	Stats(ctx context.Context, from, to time.Time) (domain.ActivityStats, error)
	// Forget takes the name of an account that is purged out of all entries, as who did it and as what was changed.
	Forget(ctx context.Context, user domain.ID) error
	// Provide makes room for entries of these times, where the database keeps them in parts: writing never depends on it.
	Provide(ctx context.Context, from, to time.Time) error
	// Expire removes what is older than before, a part or a batch at a time; more says that it is not done.
	Expire(ctx context.Context, before time.Time) (more bool, err error)
}
