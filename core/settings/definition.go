package settings

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Type is what a setting's value is, as JSON.
type Type string

// The types.
const (
	Text   Type = "string"
	Number Type = "integer"
	YesNo  Type = "boolean"
	Choice Type = "choice" // a string, one of Options
	List   Type = "list"   // of strings
)

// Definition is what is known of a setting whatever its value: enough to draw a form and to write its documentation.
type Definition struct {
	Name        string   `json:"name" example:"mail.host"`
	Type        Type     `json:"type" enum:"string,integer,boolean,choice,list"`
	Default     any      `json:"default,omitempty" doc:"Absent for secrets"`
	Options     []string `json:"options,omitempty" doc:"The values of a choice"`
	Minimum     *int     `json:"minimum,omitempty"`
	Maximum     *int     `json:"maximum,omitempty"`
	MaxLength   int      `json:"maxLength,omitempty" doc:"Characters"`
	Secret      bool     `json:"secret" doc:"Never shown: only whether it is set"`
	Public      bool     `json:"public" doc:"Shown to everybody, signed in or not"`
	Restart     bool     `json:"restart" doc:"Takes effect at the next start"`
	Description string   `json:"description"`
	// check says in words for a person what is wrong with a value of the right type; "" for a good one.
	check func(any) string
	// decode reads JSON into the type's Go value.
	decode func(json.RawMessage) (any, error)
}

// Key is a setting with its Go type.
type Key[T any] struct{ def *Definition }

// Name is the setting's.
func (k Key[T]) Name() string { return k.def.Name }

func (k Key[T]) public() Key[T] { k.def.Public = true; return k }
func (k Key[T]) secret() Key[T] { k.def.Secret = true; return k }

// registry is every setting, in the order of declaration.
var registry []*Definition

// Registry returns every setting, by area and in the order in which a person meets them.
func Registry() []Definition {
	all := make([]Definition, len(registry))
	for i, d := range registry {
		all[i] = *d
	}
	return all
}

func definition(name string) *Definition {
	for _, d := range registry {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// maxText bounds every text, in characters.
const maxText = 2000

// rule completes a definition: a bound that forms show, and the check behind it.
type rule func(*Definition)

func declare[T any](name string, kind Type, initial T, description string, rules ...rule) Key[T] {
	d := &Definition{Name: name, Type: kind, Default: initial, Description: description}
	d.decode = func(data json.RawMessage) (any, error) {
		var v *T
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, err
		}
		if v == nil {
			return nil, fmt.Errorf("null")
		}
		return *v, nil
	}
	for _, r := range rules {
		r(d)
	}
	registry = append(registry, d)
	return Key[T]{d}
}

// checked adds a check to those that stand already.
func checked[T any](check func(T) string) rule {
	return func(d *Definition) {
		before := d.check
		d.check = func(v any) string {
			if before != nil {
				if wrong := before(v); wrong != "" {
					return wrong
				}
			}
			return check(v.(T))
		}
	}
}

func text(name, initial, description string, rules ...rule) Key[string] {
	return declare(name, Text, initial, description, append([]rule{atMost(maxText), oneLine}, rules...)...)
}

func number(name string, initial int, description string, rules ...rule) Key[int] {
	return declare(name, Number, initial, description, rules...)
}

func yesNo(name string, initial bool, description string) Key[bool] {
	return declare(name, YesNo, initial, description)
}

func choice(name, initial, description string, options ...string) Key[string] {
	return declare(name, Choice, initial, description, func(d *Definition) { d.Options = options }, checked(func(v string) string {
		if slices.Contains(options, v) {
			return ""
		}
		return "It must be one of " + strings.Join(options, ", ") + "."
	}))
}

func list(name, description string, rules ...rule) Key[[]string] {
	return declare(name, List, []string{}, description, append([]rule{checked(func(v []string) string {
		if len(v) > 100 {
			return "It must have 100 entries at most."
		}
		return ""
	})}, rules...)...)
}

func atMost(characters int) rule {
	return func(d *Definition) {
		d.MaxLength = characters
		checked(func(v string) string {
			if utf8.RuneCountInString(v) > characters {
				return fmt.Sprintf("It must have %d characters at most.", characters)
			}
			return ""
		})(d)
	}
}

func between(low, high int) rule {
	return func(d *Definition) {
		d.Minimum, d.Maximum = &low, &high
		checked(func(v int) string {
			if v < low || v > high {
				return fmt.Sprintf("It must be from %d to %d.", low, high)
			}
			return ""
		})(d)
	}
}

// oneLine keeps line breaks and other control characters out of what may end up in a header.
var oneLine = checked(func(v string) string {
	if strings.ContainsFunc(v, unicode.IsControl) || !utf8.ValidString(v) {
		return "It must be one line of text."
	}
	return ""
})

var notEmpty = checked(func(v string) string {
	if strings.TrimSpace(v) == "" {
		return "It must not be empty."
	}
	return ""
})

var httpAddress = checked(func(v string) string {
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "It must be an address like https://movies.example.org."
	}
	return ""
})

// hostNamePattern is a name of RFC 1123, section 2.1.
var hostNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$`)

var hostName = checked(func(v string) string {
	if _, err := netip.ParseAddr(v); v == "" || err == nil || len(v) <= 253 && hostNamePattern.MatchString(v) {
		return ""
	}
	return "It must be a host name or an IP address, without a port."
})

var mailAddress = checked(func(v string) string {
	if v == "" {
		return ""
	}
	if a, err := mail.ParseAddress(v); err != nil || a.Address != v {
		return "It must be a mail address like movies@example.org."
	}
	return ""
})

var roleName = regexp.MustCompile(`^[a-z][a-z0-9:._-]{0,63}$`)

var roleNames = checked(func(v []string) string {
	for _, name := range v {
		if !roleName.MatchString(name) {
			return fmt.Sprintf("%q is no name of a role.", name)
		}
	}
	return ""
})
