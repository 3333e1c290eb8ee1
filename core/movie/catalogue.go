// Package movie keeps the catalogue of films: which files are one film, what is known of it, who may see it, and how
// far each user has watched it.
package movie

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/naming"
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
	// MovieID is the zero ID where there are only extras and no film that they belong to.
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
	if !slices.ContainsFunc(found.Files, isFilm) {
		return Applied{}, tx.Files.UpdateGrouping(ctx, found.Files...)
	}
	owners, err := loadOwners(ctx, tx, found)
	if err != nil {
		return Applied{}, err
	}
	choice, err := choose(ctx, tx, found, owners)
	if err != nil {
		return Applied{}, err
	}
	m := choice.movie
	m.LibraryID = found.LibraryID
	if choice.created {
		m.ID, m.AddedAt = domain.NewID(), s.addedAt(found.Files)
	}
	before := m
	whole := choice.created || slices.ContainsFunc(owners, func(o owner) bool { return o.movie.ID == m.ID && o.sole() })
	takeOver(&m, found, choice.anew, whole, naming.SortTitle)
	if m.Identity, err = resolveIdentity(ctx, tx, m); err != nil {
		return Applied{}, err
	}

	// Files point to films, so a new film is saved first, and once more with what its files add up to.
	if choice.created {
		if err := s.save(ctx, tx, m); err != nil {
			return Applied{}, err
		}
	}
	files := slices.Clone(found.Files)
	for i := range files {
		files[i].MovieID = &m.ID
	}
	if err := tx.Files.UpdateGrouping(ctx, files...); err != nil {
		return Applied{}, err
	}
	all, err := tx.Files.ByMovie(ctx, domain.ScopeAll(), m.ID)
	if err != nil {
		return Applied{}, err
	}
	sumUp(&m, all)
	if choice.created || !reflect.DeepEqual(before, m) {
		if err := s.save(ctx, tx, m); err != nil {
			return Applied{}, err
		}
	}
	if err := s.credit(ctx, tx, m.ID, found.Facts.Credits, choice.anew); err != nil {
		return Applied{}, err
	}

	applied := Applied{MovieID: m.ID, Created: choice.created}
	if choice.created {
		err = adoptOrphans(ctx, tx, m, found.Files)
	} else {
		err = changeIdentity(ctx, tx, m, before.Identity)
	}
	if err != nil {
		return Applied{}, err
	}
	for _, o := range owners {
		if o.movie.ID == m.ID {
			continue
		}
		gone, err := s.takeFrom(ctx, tx, o, m, found.Files)
		if err != nil {
			return Applied{}, err
		}
		if gone {
			applied.Merged = append(applied.Merged, o.movie.ID)
		}
	}
	return applied, nil
}

// Create brings films into the catalogue that nothing like them is in: those of a first scan, many at a time. It returns for each found film
// what was made of it; one with the zero MovieID is for Apply to decide. What it makes is what Apply would.
func (s *Service) Create(ctx context.Context, tx store.Tx, library domain.ID, found []FoundFilm) ([]Applied, error) {
	applied := make([]Applied, len(found))
	films := make([]domain.Movie, len(found))
	for i, f := range found {
		films[i] = domain.Movie{ID: domain.NewID(), LibraryID: library, AddedAt: s.addedAt(f.Files)}
		takeOver(&films[i], f, false, true, naming.SortTitle)
	}
	alike, err := tx.Movies.Alike(ctx, library, films...)
	if err != nil {
		return nil, err
	}
	var fingerprints []string
	for _, f := range found {
		fingerprints = append(fingerprints, fingerprintsOf(f.Files)...)
	}
	if orphans, err := tx.Watch.Orphans(ctx, fingerprints...); err != nil || len(orphans) > 0 {
		return applied, err
	}
	var made []domain.Movie
	var files []domain.File
	var credits []int
	for i, f := range found {
		owned := slices.ContainsFunc(f.Files, func(f domain.File) bool { return f.MovieID != nil })
		if alike[i] || owned || !slices.ContainsFunc(f.Files, isFilm) {
			continue
		}
		m := films[i]
		m.Identity, m.UpdatedAt = domain.MovieIdentity(m.ID, m.TMDbID, m.IMDbID), domain.Stamp(s.Now())
		sumUp(&m, f.Files)
		for _, file := range f.Files {
			file.MovieID = &m.ID
			files = append(files, file)
		}
		if made = append(made, m); len(f.Facts.Credits) > 0 {
			credits = append(credits, i)
		}
		applied[i] = Applied{MovieID: m.ID, Created: true}
	}
	if err := tx.Movies.Insert(ctx, made...); err != nil {
		return nil, err
	}
	for _, i := range credits {
		if err := tx.Movies.ReplaceCredits(ctx, applied[i].MovieID, found[i].Facts.Credits); err != nil {
			return nil, err
		}
	}
	return applied, tx.Files.UpdateGrouping(ctx, files...)
}

// FilesGone sums up again what files say of films some of whose files went missing, came back, were ignored or deleted.
// A film without any row of a film file is dropped; its watch events and states stay.
func (s *Service) FilesGone(ctx context.Context, tx store.Tx, movies ...domain.ID) error {
	for _, id := range movies {
		m, err := tx.Movies.Get(ctx, domain.ScopeAll(), domain.ID{}, id)
		if fault.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		files, err := tx.Files.ByMovie(ctx, domain.ScopeAll(), id)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(files, isFilm) {
			if err := tx.Movies.Delete(ctx, id); err != nil {
				return err
			}
			continue
		}
		before := m
		sumUp(&m, files)
		if !reflect.DeepEqual(before, m) {
			if err := s.save(ctx, tx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func isFilm(f domain.File) bool { return f.Kind == domain.KindMovie }

func (s *Service) save(ctx context.Context, tx store.Tx, m domain.Movie) error {
	m.UpdatedAt = domain.Stamp(s.Now())
	return tx.Movies.Save(ctx, m)
}

// addedAt is when the first of the files was.
func (s *Service) addedAt(files []domain.File) (at time.Time) {
	at = domain.Stamp(s.Now())
	for _, f := range files {
		if !f.AddedAt.IsZero() && f.AddedAt.Before(at) {
			at = f.AddedAt
		}
	}
	return at
}

// credit replaces the credits by those of an NFO that has any; a film that is another one now loses those it had.
func (s *Service) credit(ctx context.Context, tx store.Tx, movie domain.ID, credits []domain.Credit, anew bool) error {
	if len(credits) == 0 && !anew {
		return nil
	}
	had, err := tx.Movies.Credits(ctx, domain.ScopeAll(), movie)
	if err != nil {
		return err
	}
	if sameCredits(had, credits) {
		return nil
	}
	return tx.Movies.ReplaceCredits(ctx, movie, credits)
}

func sameCredits(a, b []domain.Credit) bool {
	if len(a) != len(b) {
		return false
	}
	count := map[domain.Credit]int{}
	for i := range a {
		count[a[i]]++
		count[b[i]]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// owner is a film that found files belong to so far, with all of its files.
type owner struct {
	movie domain.Movie
	files []domain.File
	// given counts its film files among the found ones.
	given int
}

// sole tells whether all of the owner's film files are among the found ones.
func (o owner) sole() bool {
	films := 0
	for _, f := range o.files {
		if isFilm(f) {
			films++
		}
	}
	return o.given >= films
}

func loadOwners(ctx context.Context, tx store.Tx, found FoundFilm) ([]owner, error) {
	given := map[domain.ID]int{}
	var order []domain.ID
	for _, f := range found.Files {
		if !isFilm(f) || f.MovieID == nil {
			continue
		}
		if given[*f.MovieID] == 0 {
			order = append(order, *f.MovieID)
		}
		given[*f.MovieID]++
	}
	var owners []owner
	for _, id := range order {
		m, err := tx.Movies.Get(ctx, domain.ScopeAll(), domain.ID{}, id)
		if fault.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files, err := tx.Files.ByMovie(ctx, domain.ScopeAll(), id)
		if err != nil {
			return nil, err
		}
		owners = append(owners, owner{movie: m, files: files, given: given[id]})
	}
	slices.SortStableFunc(owners, func(a, b owner) int { return b.given - a.given })
	return owners, nil
}

// choice is the film that found files are.
type choice struct {
	movie   domain.Movie
	created bool
	// anew: the row is kept, but it is another film now, by its id.
	anew bool
}

// choose decides which film of the library the found one is. An id decides before anything else. Next, files stay with
// the film that they belong to, unless that has others and another name. Next, equal titles are one film when their years are known
// and equal, or when both lie in one folder. Films with different ids are never one.
func choose(ctx context.Context, tx store.Tx, found FoundFilm, owners []owner) (choice, error) {
	wanted := idsOf(found)
	title, year := found.Facts.Title, found.Facts.Year
	if title == "" {
		title = found.Name.Title
	}
	if year == 0 {
		year = found.Name.Year
	}
	candidates, err := tx.Movies.Candidates(ctx, found.LibraryID, wanted.tmdb, wanted.imdb, title, year)
	if err != nil {
		return choice{}, err
	}
	owns := func(m domain.Movie) bool {
		return slices.ContainsFunc(owners, func(o owner) bool { return o.movie.ID == m.ID })
	}
	// Owners first, then the oldest, so that a repeated scan decides alike.
	slices.SortStableFunc(candidates, func(a, b domain.Movie) int {
		if owns(a) != owns(b) {
			if owns(a) {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	for _, m := range candidates {
		if wanted.same(ids{m.TMDbID, m.IMDbID}) {
			return choice{movie: m}, nil
		}
	}
	named := func(m domain.Movie) bool {
		return slices.ContainsFunc(candidates, func(c domain.Movie) bool { return c.ID == m.ID })
	}
	for _, o := range owners {
		if !wanted.conflict(ids{o.movie.TMDbID, o.movie.IMDbID}) && (o.sole() || named(o.movie)) {
			return choice{movie: o.movie}, nil
		}
	}
	for _, m := range candidates {
		if wanted.conflict(ids{m.TMDbID, m.IMDbID}) {
			continue
		}
		if year != 0 && year == m.Year {
			return choice{movie: m}, nil
		}
		files, err := tx.Files.ByMovie(ctx, domain.ScopeAll(), m.ID)
		if err != nil {
			return choice{}, err
		}
		if (year == 0 || m.Year == 0) && shareFolder(files, found.Files) {
			return choice{movie: m}, nil
		}
	}
	for _, o := range owners {
		if o.sole() {
			return choice{movie: o.movie, anew: true}, nil
		}
	}
	return choice{created: true}, nil
}

// shareFolder tells whether two films have a file in one folder.
func shareFolder(a, b []domain.File) bool {
	type place struct {
		path   domain.ID
		folder string
	}
	folders := map[place]bool{}
	at := func(f domain.File) place {
		return place{f.PathID, string(f.Raw[:max(0, bytes.LastIndexByte(f.Raw, '/'))])}
	}
	for _, f := range a {
		if isFilm(f) {
			folders[at(f)] = true
		}
	}
	return slices.ContainsFunc(b, func(f domain.File) bool { return isFilm(f) && folders[at(f)] })
}
