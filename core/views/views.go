// Package views keeps what was read of the catalogue for whoever asks for the same again: lists, films, pictures' data.
//
// A view's key is who looks, what they see, what they ask for, and a stamp of everything that it was read from: of each library, and of the account whose
// watch states it holds. A change makes a new stamp, and what was kept under the old one is never asked for again. So nothing is searched for what a
// change made old, and who may not see a library any more asks for another view at once, however long the old one is kept.
package views

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
)

const (
	// viewLife is a view's time to live. Its stamps make it worthless before: they live as long as what decides on access (caching.Access), or, where nothing
	// is told of but by this process, as long as views.
	viewLife = time.Minute
	// tagLength is how long a View's ETag is: 12 bytes in base64, quoted.
	tagLength = 18
	// allLibraries is the stamp of whoever sees every library.
	allLibraries = "*"
)

// Deps is what the service needs.
type Deps struct {
	Cache cache.Cache
	// Shared is behind Cache; nil: this process keeps views for itself.
	Shared cache.Shared
	Bus    bus.Bus
	// Alone says that no other process changes the catalogue.
	Alone  bool
	Logger *slog.Logger
}

// Service keeps views. Run Listen beside it.
type Service struct {
	bus    bus.Bus
	stamps *caching.Cached[stamp]
	kept   *caching.Cached[View]
}

// New returns the service with nothing kept.
func New(d Deps) *Service {
	deps := caching.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger}
	stampLife := caching.Access
	if d.Alone {
		stampLife = viewLife
	}
	return &Service{
		bus:    d.Bus,
		stamps: caching.New[stamp](deps, caching.Config{Prefix: "stamp", TTL: stampLife}),
		kept:   caching.New[View](deps, caching.Config{Prefix: "view", TTL: viewLife}),
	}
}

// View is something that was read, as JSON: what the API answers with.
type View struct {
	JSON json.RawMessage
	// ETag is a strong validator of JSON, quoted (RFC 9110, 8.8.3).
	ETag string
}

// Of is the View of what was just read.
func Of(v any) (View, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return View{}, fault.Wrap(err, fault.Internal, "views.encode", "What was read cannot be shown.")
	}
	sum := sha256.Sum256(data)
	return View{JSON: data, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

// MarshalBinary is the ETag and then the JSON.
func (v View) MarshalBinary() ([]byte, error) { return append([]byte(v.ETag), v.JSON...), nil }

// UnmarshalBinary reads what MarshalBinary made; the View refers to data.
func (v *View) UnmarshalBinary(data []byte) error {
	if len(data) < tagLength {
		return fault.New(fault.Internal, "views.short", "A kept view has %d bytes only.", len(data))
	}
	v.ETag, v.JSON = string(data[:tagLength]), data[tagLength:]
	return nil
}

// Asked is what a view shows. Whatever its content depends on, beside the catalogue and the watch states, is in it.
type Asked struct {
	// Scope is what the one who asks sees.
	Scope domain.Scope
	// User is whose watch states the view holds; zero: nobody's.
	User domain.ID
	// Name tells apart views of one kind from those of others.
	Name string
	// With is what was asked for, as JSON tells it apart.
	With any
}

// Get returns the view of a T, which load reads when it is not kept. What load returns is the same for everybody who asks for the same; errors are
// not kept.
func Get[T any](ctx context.Context, s *Service, a Asked, load func(ctx context.Context) (T, error)) (View, error) {
	key, err := s.key(ctx, a, caching.Shape(reflect.TypeFor[T]()))
	if err != nil {
		return View{}, err
	}
	return s.kept.Get(ctx, key, func(ctx context.Context) (View, error) {
		read, err := load(ctx)
		if err != nil {
			return View{}, err
		}
		return Of(read)
	})
}

// Read is Get of something that is not answered with but worked on.
func Read[T any](ctx context.Context, s *Service, a Asked, load func(ctx context.Context) (T, error)) (value T, err error) {
	view, err := Get(ctx, s, a, load)
	if err == nil {
		err = json.Unmarshal(view.JSON, &value)
	}
	return value, err
}

// stamp is of what views show: a random text.
type stamp string

// MarshalBinary is the text.
func (s stamp) MarshalBinary() ([]byte, error) { return []byte(s), nil }

// UnmarshalBinary reads what MarshalBinary made.
func (s *stamp) UnmarshalBinary(data []byte) error { *s = stamp(data); return nil }

// key takes the stamps before anything is read: what changes meanwhile is at worst kept under a stamp that nobody has any more.
func (s *Service) key(ctx context.Context, a Asked, shape string) (string, error) {
	with, err := json.Marshal(a.With)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "views.asked", "What was asked for cannot be told apart.")
	}
	key := make([]byte, 0, 512)
	for _, part := range []string{a.Name, shape, string(with)} {
		key = append(append(key, part...), 0)
	}
	stamps := []string{allLibraries}
	if !a.Scope.All() {
		stamps = make([]string, 0, len(a.Scope.Libraries())+1)
		for _, library := range a.Scope.Libraries() {
			stamps = append(stamps, library.String())
		}
		slices.Sort(stamps)
	}
	if a.User != (domain.ID{}) {
		stamps = append(stamps, a.User.String())
	}
	for _, of := range stamps {
		current, err := s.stamps.Get(ctx, of, func(context.Context) (stamp, error) { return stamp(rand.Text()), nil })
		if err != nil {
			return "", err
		}
		key = append(append(append(append(key, of...), ' '), current...), 0)
	}
	sum := sha256.Sum256(key)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// topics are what makes views old.
var topics = []bus.Topic{bus.TopicMovie, bus.TopicAccess, bus.TopicWatch}

// Forget makes old what was read of a library, or of an account's watch states.
func (s *Service) Forget(ctx context.Context, id string) { s.stamps.Forget(ctx, id, allLibraries) }

// Listen takes up changes that the bus tells of, until ctx ends. Those of this process are taken up before it tells anybody.
func (s *Service) Listen(ctx context.Context) error {
	s.bus.Ahead(ctx, func(m bus.Message) { s.Forget(context.WithoutCancel(ctx), string(m.Payload)) }, topics...)
	messages, err := s.bus.Subscribe(ctx, topics...)
	if err != nil {
		return err
	}
	s.stamps.ForgetAll() // what changed before somebody listened
	for m := range messages {
		if m.Gap {
			s.stamps.ForgetAll()
		} else {
			s.Forget(ctx, string(m.Payload))
		}
	}
	return ctx.Err()
}
