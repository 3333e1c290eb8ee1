// Package sealing gives what is sealed in the database a new key while servers run (S20).
package sealing

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
)

// Grace is how long a value may take from being sealed to being committed: what a process sealed with the old key just before it saw the new one is in the
// database by then, as requests and jobs' slices are shorter.
const Grace = 2 * time.Minute

// batch is how many values are listed at once.
const batch = 100

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Access *access.Service
	Ring   secrets.Ring
	Now    func() time.Time
}

// Service renews the key.
type Service struct{ deps Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// Declared returns the sealer with a guard before it: sealing for a place that the store does not declare to hold sealed values is Internal with
// "secrets.undeclared", since a new key would never reach it.
func Declared(ring secrets.Ring, columns []store.SealedColumn) secrets.Ring {
	return declared{ring, columns}
}

type declared struct {
	secrets.Ring
	columns []store.SealedColumn
}

// Seal implements secrets.Sealer.
func (d declared) Seal(ctx context.Context, location string, plain []byte) ([]byte, error) {
	table, rest, _ := strings.Cut(location, "/")
	column := rest[strings.LastIndexByte(rest, '/')+1:]
	if !slices.Contains(d.columns, store.SealedColumn{Table: table, Column: column}) {
		return nil, fault.New(fault.Internal, "secrets.undeclared", "%s is no place of sealed values.", location)
	}
	return d.Ring.Seal(ctx, location, plain)
}

// Renewed says what was done.
type Renewed struct {
	// Values is how many were sealed anew, by this call.
	Values int
	// Columns is how many columns were gone through.
	Columns int
}

// Renew makes a new key, seals everything with it and forgets the old one. Servers may run meanwhile. Whatever ends it in between, the next call carries
// on: the key file and the values themselves say how far it came. grace is Grace, or shorter where no server runs. progress hears of every value.
func (s *Service) Renew(ctx context.Context, actor domain.Actor, grace time.Duration, progress func(done int)) (Renewed, error) {
	var did Renewed
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return did, err
	}
	err := s.deps.Ring.Renew(ctx, func(ctx context.Context) error {
		columns := s.deps.Store.Read().Sealed.Columns()
		did.Columns = len(columns)
		for waited := false; ; waited = true {
			before := did.Values
			for _, column := range columns {
				if err := s.column(ctx, column, func() { did.Values++; progress(did.Values) }); err != nil {
					return err
				}
			}
			if waited && did.Values == before {
				break // nothing under an old key is left, nor on its way
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(grace):
			}
		}
		return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
			return activity.Record(ctx, tx, s.deps.Now(), actor, domain.Activity{Action: domain.ActivityKeyRenewed, ResourceType: "key", Success: true})
		})
	})
	return did, err
}

// column seals the values of a column anew that are not under the newest key yet, a batch at a time.
func (s *Service) column(ctx context.Context, column store.SealedColumn, did func()) error {
	for after := ""; ; {
		values, err := s.deps.Store.Read().Sealed.List(ctx, column, after, batch)
		if err != nil {
			return err
		}
		for _, old := range values {
			if err := s.value(ctx, column, old, did); err != nil {
				return err
			}
		}
		if len(values) < batch {
			return nil
		}
		after = values[len(values)-1].Row
	}
}

// value seals one anew, by itself: nobody waits long for it, and who changes or removes it meanwhile wins.
func (s *Service) value(ctx context.Context, column store.SealedColumn, old store.SealedValue, did func()) error {
	newest, err := s.deps.Ring.Newest(ctx, old.Sealed)
	if err != nil || newest {
		return err
	}
	location := column.Table + "/" + old.Row + "/" + column.Column
	plain, err := s.deps.Ring.Open(ctx, location, old.Sealed)
	if err != nil {
		return err
	}
	sealed, err := s.deps.Ring.Seal(ctx, location, plain)
	if err != nil {
		return err
	}
	var replaced bool
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		replaced, err = tx.Sealed.Replace(ctx, column, old, sealed)
		return err
	})
	if replaced {
		did()
	}
	return err
}
