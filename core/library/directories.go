package library

import (
	"bytes"
	"context"
	"encoding/base64"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/naming"
)

const (
	// browseTime is how long counting the videos below the folders of one listing may take.
	browseTime = time.Second
	// recogniseTime is how long looking for titles may take, recogniseLimit how many files it looks at.
	recogniseTime  = 1500 * time.Millisecond
	recogniseLimit = 2000
)

// Listing is one step of the path picker.
type Listing struct {
	// Path is "" and Handle absent at the top, where the items are places to begin at.
	Path   string             `json:"path"`
	Handle string             `json:"handle,omitempty"`
	Parent string             `json:"parent,omitempty" doc:"handle of the folder above"`
	Items  []domain.Directory `json:"items"`
	// Titles are films recognised from names, where asked for; Videos counts the files looked at, Partial says that time ran out.
	Titles  []Title `json:"titles,omitempty"`
	Videos  int     `json:"videos"`
	Partial bool    `json:"partial"`
}

// Title is a film as its name says it.
type Title struct {
	Title string `json:"title"`
	Year  int    `json:"year,omitempty"`
}

// Directories lists the folders in a folder of this computer ("" for places to begin at) and, on request, which films
// its names speak of. It takes a few seconds at most.
func (s *Service) Directories(ctx context.Context, actor domain.Actor, handle string, titles bool) (Listing, error) {
	if err := s.manage(ctx, actor); err != nil {
		return Listing{}, err
	}
	if handle == "" {
		items, err := s.Browser.Places(ctx)
		return Listing{Items: orEmpty(items)}, err
	}
	raw, err := fromHandle(handle)
	if err != nil {
		return Listing{}, err
	}
	items, err := s.Browser.Directories(ctx, raw, naming.IsVideo, browseTime)
	if err != nil {
		return Listing{}, err
	}
	l := Listing{Path: display(raw), Handle: toHandle(raw), Items: orEmpty(items)}
	if parent := path.Dir(string(raw)); parent != string(raw) {
		l.Parent = toHandle([]byte(parent))
	}
	if titles {
		l.Titles, l.Videos, l.Partial = s.recognise(ctx, raw)
	}
	return l, nil
}

// recognise reads the names of films below a folder for a moment. What cannot be read is left out.
func (s *Service) recognise(ctx context.Context, root []byte) (titles []Title, videos int, partial bool) {
	ctx, cancel := context.WithTimeout(ctx, recogniseTime)
	defer cancel()
	var paths []string
	w := walker{tree: s.Tree, root: root,
		visit: func(f found) error {
			if len(paths) == recogniseLimit {
				return errPause
			}
			paths = append(paths, f.groupPath())
			return nil
		},
		enter:   func([]byte) error { return nil },
		trouble: func([]byte, error) error { return nil },
	}
	partial = w.walk(ctx, nil) != nil
	titles = []Title{}
	for _, m := range naming.Group(paths).Movies {
		if m.Title != "" {
			titles = append(titles, Title{m.Title, m.Year})
		}
	}
	return titles, len(paths), partial
}

func orEmpty(items []domain.Directory) []domain.Directory {
	if items == nil {
		return []domain.Directory{}
	}
	return items
}

func toHandle(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// fromHandle reads a handle, or an absolute path as a person writes it.
func fromHandle(handle string) ([]byte, error) {
	raw := []byte(handle)
	if !absolute(raw) {
		decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(handle, "="))
		if err != nil {
			return nil, fault.InvalidField("library.bad_path", "path", "Choose a folder of this computer.")
		}
		raw = decoded
	}
	if !absolute(raw) || bytes.IndexByte(raw, 0) >= 0 || len(raw) > maxPath {
		return nil, fault.InvalidField("library.bad_path", "path", "Choose a folder of this computer.")
	}
	return raw, nil
}

// absolute tells a path from the root, or from a drive ("C:\" or "C:/"), from a handle, which has neither slash nor colon.
func absolute(raw []byte) bool {
	return len(raw) > 0 && raw[0] == '/' || len(raw) > 2 && raw[1] == ':' && (raw[2] == '\\' || raw[2] == '/') || bytes.HasPrefix(raw, []byte(`\\`))
}

// display is a path as a person reads it: bytes that are no text, and characters that would disturb a page, become U+FFFD.
func display(raw []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u202e' || r == '\u202d' {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(string(raw), "\uFFFD"))
}

func field(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
