// Package domain holds the nouns of Revenge: values and read models that are true without any I/O.
// Read models carry JSON tags and are the bodies of the HTTP API. Times are UTC with microseconds,
// durations are seconds, sizes are bytes. Secrets live in types that no read model contains.
package domain

import (
	"time"

	"github.com/google/uuid"
)

// ID identifies a row. New ones are UUIDv7 (RFC 9562, 5.7), so that they sort by creation.
type ID = uuid.UUID

// NewID returns a new UUIDv7.
func NewID() ID { return uuid.Must(uuid.NewV7()) }

// ParseID reads the canonical text form; ok is false for anything else.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != 36 {
		return ID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}

// Stamp truncates to what both databases keep: UTC, microseconds.
func Stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
