// Package metadata is what the core needs from whatever reads facts about a film that lie beside it on disk.
package metadata

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
)

// Fault codes that every adapter uses.
const (
	// CodeNFOUnreadable (Invalid): the bytes are no metadata that can be read; the message says why. The film keeps what its name says.
	CodeNFOUnreadable = "metadata.nfo_unreadable"
	// CodeNFOTooLarge (TooLarge): more than MaxNFOSize bytes.
	CodeNFOTooLarge = "metadata.nfo_too_large"
)

// MaxNFOSize is how many bytes a local metadata file may have.
const MaxNFOSize = 1 << 20

// Facts are what a local file says of a film. Zero fields are unknown, never "none": they overwrite nothing. Text is
// trimmed valid UTF-8 without control characters (Overview may hold '\n'); it is somebody's text all the same and is only ever shown as text.
type Facts struct {
	Title         string
	OriginalTitle string
	SortTitle     string
	Set           string // the collection it belongs to
	Year          int
	Tagline       string
	Overview      string
	Runtime       float64 // seconds
	Rating        float64 // 0–10
	Votes         int
	Certification string
	ReleaseDate   string // RFC 3339 full-date
	IMDbID        string // "tt" and at least seven digits
	TMDbID        int
	Genres        []string
	Countries     []string
	Studios       []string
	// Credits are in the order of the file within a department; the cast by its billing.
	Credits []domain.Credit
}

// Empty tells whether nothing at all is known.
func (f Facts) Empty() bool {
	return f.Title == "" && f.OriginalTitle == "" && f.SortTitle == "" && f.Set == "" && f.Year == 0 && f.Tagline == "" && f.Overview == "" &&
		f.Runtime == 0 && f.Rating == 0 && f.Votes == 0 && f.Certification == "" && f.ReleaseDate == "" && f.IMDbID == "" && f.TMDbID == 0 &&
		len(f.Genres) == 0 && len(f.Countries) == 0 && len(f.Studios) == 0 && len(f.Credits) == 0
}

// LocalReader reads one local metadata file.
type LocalReader interface {
	// Read returns the facts in data, the content of the file called name (its own name, for messages). It opens nothing,
	// follows no reference and expands no entity. Faults: CodeNFOUnreadable, CodeNFOTooLarge.
	Read(ctx context.Context, name string, data []byte) (Facts, error)
}
