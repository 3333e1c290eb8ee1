// Package movie keeps the catalogue of films: which files are one film, what is known of it, who may see it, and how
// far each user has watched it.
package movie

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/store"
)

// NameFacts are what folder and file names say of a film; zero fields are unknown.
type NameFacts struct {
	Title  string
	Year   int
	IMDbID string // "tt" and digits
	TMDbID int
}

// FoundFilm is one film as a scan found it.
type FoundFilm struct {
	LibraryID domain.ID
	// Locale is the library's BCP 47 tag, whose articles sort titles ignore.
	Locale string
	Name   NameFacts
	// Facts are what an NFO says; zero where there is none. They win over Name. Blank ones overwrite nothing.
	Facts metadata.Facts
	// Files are rows that exist already: the film's files and extras that the scan looked at, with Version, VersionKey,
	// Part, Kind and the rest as they shall be. Apply writes them with MovieID set. A VersionKey is the same for the parts of
	// one version and different for any two versions of one library (so it stands for the folder as well).
	Files []domain.File
}

// Applied is what became of a found film.
type Applied struct {
	MovieID domain.ID
	// Created is true when no film of the library was this one.
	Created bool
	// Merged are films that gave their last file to this one and are gone.
	Merged []domain.ID
}

// Apply brings the catalogue in line with one found film, in the caller's transaction: it chooses or makes the film,
// attaches the files, takes over facts, sums up what the files say, and re-keys watch data when the film's identity becomes another
// (SPEC 4). The same input twice changes nothing. The caller publishes bus.TopicMovie once a batch.
func (s *Service) Apply(ctx context.Context, tx store.Tx, found FoundFilm) (Applied, error) {
	return Applied{}, nil
}

// FilesGone sums up again what files say of films some of whose files went missing, came back, were ignored or deleted.
// A film without any row of a film file is dropped; its watch events and states stay.
func (s *Service) FilesGone(ctx context.Context, tx store.Tx, movies ...domain.ID) error {
	return nil
}
