package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
)

// Fault codes of this area.
const (
	CodeInvalid = "settings.invalid" // Invalid: an unknown name or a value that breaks its rule; Fields says which
	CodeChanged = "settings.changed" // Precondition: changed since they were read
	CodeTooMany = "settings.too_many"
)

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Access *access.Service
	Sealer secrets.Sealer
	Cache  cache.Cache
	Shared cache.Shared // nil: none
	Bus    bus.Bus
	Now    func() time.Time
	Logger *slog.Logger
	// Fallback is what the host's configuration says, by name: it stands in place of the defaults of what nobody set.
	Fallback map[string]any
}

// Service keeps the settings.
type Service struct {
	deps   Deps
	stored *caching.Cached[map[string]store.Setting]
}

// New returns the service. Run Listen beside it: without it a change is seen when the cached value ends, within a second.
func New(d Deps) *Service {
	return &Service{deps: d, stored: caching.New[map[string]store.Setting](caching.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger},
		caching.Config{Prefix: "settings", TTL: caching.Access, Topics: []bus.Topic{bus.TopicSettings}, ForgetAll: true})}
}

// Listen takes up changes that the bus tells of, until ctx ends.
func (s *Service) Listen(ctx context.Context) error { return s.stored.Listen(ctx) }

// Get returns a setting's value, at most a second old: what an administrator set, else what the configuration says, else the default. A stored value
// that this version's rules refuse counts as not set. A secret one that cannot be opened is an error (S20).
func Get[T any](ctx context.Context, s *Service, key Key[T]) (T, error) {
	var zero T
	stored, err := s.all(ctx)
	if err != nil {
		return zero, err
	}
	v, err := s.value(ctx, key.def, stored)
	if err != nil {
		return zero, err
	}
	return v.(T), nil
}

// InTx is Get within a transaction, where Get is refused: it reads what the transaction sees.
func InTx[T any](ctx context.Context, s *Service, tx store.Tx, key Key[T]) (T, error) {
	var zero T
	stored, err := byName(ctx, tx.Repos)
	if err != nil {
		return zero, err
	}
	v, err := s.value(ctx, key.def, stored)
	if err != nil {
		return zero, err
	}
	return v.(T), nil
}

func (s *Service) all(ctx context.Context) (map[string]store.Setting, error) {
	return s.stored.Get(ctx, "all", func(ctx context.Context) (map[string]store.Setting, error) { return byName(ctx, s.deps.Store.Read()) })
}

func byName(ctx context.Context, r store.Repos) (map[string]store.Setting, error) {
	list, err := r.Settings.All(ctx)
	all := make(map[string]store.Setting, len(list))
	for _, row := range list {
		all[row.Name] = row
	}
	return all, err
}

// location binds a sealed setting to its row (S20).
func location(name string) string { return "server_settings/" + name + "/sealed" }

// value is what a setting is, given what is stored.
func (s *Service) value(ctx context.Context, d *Definition, stored map[string]store.Setting) (any, error) {
	row := stored[d.Name]
	data := row.Value
	if row.Sealed != nil {
		var err error
		if data, err = s.deps.Sealer.Open(ctx, location(d.Name), row.Sealed); err != nil {
			return nil, err
		}
	}
	if data != nil {
		v, wrong := d.read(data)
		if wrong == "" {
			return v, nil
		}
		s.deps.Logger.WarnContext(ctx, "a stored setting breaks its rule, and its default stands for it", "setting", d.Name, "rule", wrong)
	}
	if v, ok := s.deps.Fallback[d.Name]; ok {
		return v, nil
	}
	return d.Default, nil
}

// read returns a value, or what is wrong with it.
func (d *Definition) read(data json.RawMessage) (v any, wrong string) {
	v, err := d.decode(data)
	if err != nil {
		return nil, fmt.Sprintf("It must be a JSON %s.", map[Type]string{Text: "string", Choice: "string", Number: "whole number", YesNo: "true or false", List: "list of strings"}[d.Type])
	}
	if d.check != nil {
		wrong = d.check(v)
	}
	return v, wrong
}

// Setting is a setting with its value as an administrator sees it.
type Setting struct {
	Definition
	Value     any        `json:"value,omitempty" doc:"What is in effect; absent for secrets"`
	Set       bool       `json:"set" doc:"Whether somebody set it; else the configuration or the default is in effect"`
	UpdatedAt *time.Time `json:"updatedAt,omitempty"`
}

// View is all settings at one revision.
type View struct {
	Items []Setting `json:"items"`
	// Revision is when something changed last; the zero time before the first change.
	Revision time.Time `json:"-"`
}

// List returns every setting with what a form needs. Secret values are never in it.
func (s *Service) List(ctx context.Context, actor domain.Actor) (View, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return View{}, err
	}
	stored, err := byName(ctx, s.deps.Store.Read())
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, stored)
}

func (s *Service) view(ctx context.Context, stored map[string]store.Setting) (View, error) {
	view := View{Revision: revision(stored)}
	for _, d := range registry {
		row, entry := stored[d.Name], Setting{Definition: *d}
		entry.Set = row.Value != nil || row.Sealed != nil
		if entry.Set {
			entry.UpdatedAt = &row.UpdatedAt
		}
		if d.Secret {
			entry.Default = nil
		} else {
			v, err := s.value(ctx, d, stored)
			if err != nil {
				return View{}, err
			}
			entry.Value = v
		}
		view.Items = append(view.Items, entry)
	}
	return view, nil
}

func revision(stored map[string]store.Setting) (last time.Time) {
	for _, row := range stored {
		if row.UpdatedAt.After(last) {
			last = row.UpdatedAt
		}
	}
	return last
}

// Update sets many settings at once, or none: values are JSON by name, null goes back to the default. expected is the Revision that the caller saw, nil
// for any: Precondition otherwise.
func (s *Service) Update(ctx context.Context, actor domain.Actor, expected *time.Time, values map[string]json.RawMessage) (View, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSettingsManage); err != nil {
		return View{}, err
	}
	changes, err := s.changes(ctx, values)
	if err != nil {
		return View{}, err
	}
	var stored map[string]store.Setting
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if stored, err = byName(ctx, tx.Repos); err != nil {
			return err
		}
		last := revision(stored)
		if expected != nil && !expected.Equal(last) {
			return fault.New(fault.Precondition, CodeChanged, "The settings were changed since you read them. Load them again.")
		}
		now := domain.Stamp(s.deps.Now())
		if !now.After(last) {
			now = last.Add(time.Microsecond) // no revision twice
		}
		for i := range changes {
			changes[i].UpdatedAt, changes[i].UpdatedBy = now, nil
			if !actor.System {
				changes[i].UpdatedBy = &actor.UserID
			}
			if err := activity.Record(ctx, tx, now, actor, recorded(stored[changes[i].Name], changes[i])); err != nil {
				return err
			}
			stored[changes[i].Name] = changes[i]
		}
		if err := tx.Settings.Save(ctx, changes...); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicSettings})
	})
	if err != nil {
		return View{}, err
	}
	s.stored.ForgetAll() // who changed it sees it at once, whatever becomes of the message
	return s.view(ctx, stored)
}

// changes are the rows that values ask for, in order of their names; Invalid with every field that is wrong.
func (s *Service) changes(ctx context.Context, values map[string]json.RawMessage) ([]store.Setting, error) {
	var rows []store.Setting
	var wrong []fault.Field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		d, data := definition(name), values[name]
		if d == nil {
			wrong = append(wrong, fault.Field{Path: name, Message: "There is no such setting."})
			continue
		}
		row := store.Setting{Name: name}
		if !isNull(data) {
			v, problem := d.read(data)
			if problem != "" {
				wrong = append(wrong, fault.Field{Path: name, Message: problem})
				continue
			}
			plain, err := json.Marshal(v)
			if err == nil && d.Secret {
				row.Sealed, err = s.deps.Sealer.Seal(ctx, location(name), plain)
			} else {
				row.Value = plain
			}
			if err != nil {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	if len(wrong) > 0 {
		e := fault.New(fault.Invalid, CodeInvalid, "Some settings cannot be set so.")
		e.Fields = wrong
		return nil, e
	}
	return rows, nil
}

func isNull(data json.RawMessage) bool { return data == nil || string(bytes.TrimSpace(data)) == "null" }

// recorded is the security event of a change. Of a secret it says that it changed, never what it is or was.
func recorded(before, after store.Setting) domain.Activity {
	e := domain.Activity{Action: domain.ActivitySettingChanged, ResourceType: "setting", ResourceID: after.Name, ResourceName: after.Name, Success: true}
	if d := definition(after.Name); !d.Secret {
		e.Details = map[string]string{"from": shown(before.Value), "to": shown(after.Value)}
	}
	return e
}

func shown(value json.RawMessage) string {
	if value == nil {
		return "default"
	}
	return string(value)
}

// The bounds of an account's client settings.
const (
	maxUserSettings = 100
	maxUserName     = 64
	maxUserValue    = 4 << 10
)

// OfUser returns what clients keep for the actor's account.
func (s *Service) OfUser(ctx context.Context, actor domain.Actor) (map[string]json.RawMessage, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return nil, err
	}
	return s.deps.Store.Read().Settings.OfUser(ctx, actor.UserID)
}

// UpdateOfUser changes the named client settings of the actor's account and leaves the others; null removes one. It returns all.
func (s *Service) UpdateOfUser(ctx context.Context, actor domain.Actor, values map[string]json.RawMessage) (all map[string]json.RawMessage, err error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return nil, err
	}
	changes, err := clientValues(values)
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if err := tx.Settings.SaveOfUser(ctx, actor.UserID, changes, domain.Stamp(s.deps.Now())); err != nil {
			return err
		}
		if all, err = tx.Settings.OfUser(ctx, actor.UserID); err == nil && len(all) > maxUserSettings {
			return fault.New(fault.Invalid, CodeTooMany, "An account keeps %d client settings at most. Remove some.", maxUserSettings)
		}
		return err
	})
	return all, err
}

// clientValues checks names and sizes; removed ones are nil.
func clientValues(values map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	changes := make(map[string]json.RawMessage, len(values))
	var wrong []fault.Field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		data := values[name]
		switch {
		case name == "" || len(name) > maxUserName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "":
			wrong = append(wrong, fault.Field{Path: name, Message: fmt.Sprintf("A name has 1 to %d letters, digits, dots, dashes and underscores.", maxUserName)})
		case len(data) > maxUserValue:
			wrong = append(wrong, fault.Field{Path: name, Message: fmt.Sprintf("A value has %d bytes of JSON at most.", maxUserValue)})
		case isNull(data):
			changes[name] = nil
		default:
			var compact bytes.Buffer
			if err := json.Compact(&compact, data); err != nil || !utf8.Valid(data) {
				wrong = append(wrong, fault.Field{Path: name, Message: "It must be JSON."})
				continue
			}
			changes[name] = compact.Bytes()
		}
	}
	if len(wrong) > 0 {
		e := fault.New(fault.Invalid, CodeInvalid, "Some settings cannot be kept so.")
		e.Fields = wrong
		return nil, e
	}
	return changes, nil
}
