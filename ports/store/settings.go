package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Setting is one stored setting of the server. Without Value and Sealed it is back at its default; the row stays, so that UpdatedAt tells of it.
type Setting struct {
	Name string
	// Value is JSON; nil where Sealed stands for it.
	Value json.RawMessage
	// Sealed is the JSON of a secret setting, sealed for "server_settings/<name>/sealed".
	Sealed    []byte
	UpdatedAt time.Time
	// UpdatedBy is nil when the server itself changed it.
	UpdatedBy *domain.ID
}

// Settings keeps what administrators set for the server, and what clients keep for their account.
type Settings interface {
	// All lists the server's settings by name.
	All(ctx context.Context) ([]Setting, error)
	// Save writes settings over those of the same names.
	Save(ctx context.Context, settings ...Setting) error
	// OfUser returns an account's client settings; empty for one that has none.
	OfUser(ctx context.Context, user domain.ID) (map[string]json.RawMessage, error)
	// SaveOfUser writes the given client settings of an account and leaves the others; a nil value removes one.
	SaveOfUser(ctx context.Context, user domain.ID, values map[string]json.RawMessage, at time.Time) error
}

// Mail is a message that waits to be sent.
type Mail struct {
	ID domain.ID
	// Sealed is the message, sealed for "mail_outbox/<id>/sealed": what it links to may let somebody in.
	Sealed    []byte
	CreatedAt time.Time
}

// Outbox keeps messages until they are sent: a job in the queue names one.
type Outbox interface {
	Add(ctx context.Context, m Mail) error
	// Get is NotFound with "mail.not_found" once it was sent.
	Get(ctx context.Context, id domain.ID) (Mail, error)
	Delete(ctx context.Context, id domain.ID) error
	// DeleteBefore removes what was never sent, and returns how many.
	DeleteBefore(ctx context.Context, before time.Time) (int, error)
}

// SealedColumn is a column of sealed values. A value's location is "Table/<row's key>/Column".
type SealedColumn struct{ Table, Column string }

// SealedValue is one value of a SealedColumn.
type SealedValue struct {
	// Row is the row's key as it stands in the location.
	Row    string
	Sealed []byte
}

// Sealed reaches every sealed value of the database, so that all can be sealed anew with another key (S20).
type Sealed interface {
	// Columns lists every column that holds sealed values.
	Columns() []SealedColumn
	// List returns up to limit values of a column, of rows after the given one ("" begins), in order of the rows' keys.
	List(ctx context.Context, column SealedColumn, after string, limit int) ([]SealedValue, error)
	// Replace writes sealed over the value that was read as old; replaced is false when that changed or went meanwhile.
	Replace(ctx context.Context, column SealedColumn, old SealedValue, sealed []byte) (replaced bool, err error)
}
