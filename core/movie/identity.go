package movie

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/store"
)

// ids name a film at its providers.
type ids struct {
	tmdb int
	imdb string
}

func idsOf(found FoundFilm) ids {
	w := ids{found.Name.TMDbID, found.Name.IMDbID}
	if found.Facts.TMDbID != 0 {
		w.tmdb = found.Facts.TMDbID
	}
	if found.Facts.IMDbID != "" {
		w.imdb = found.Facts.IMDbID
	}
	return w
}

// same tells whether an id that both have is equal and none that both have differs.
func (a ids) same(b ids) bool {
	shared := a.tmdb != 0 && a.tmdb == b.tmdb || a.imdb != "" && a.imdb == b.imdb
	return shared && !a.conflict(b)
}

// conflict tells whether an id that both have differs. The TMDb id decides where both have one.
func (a ids) conflict(b ids) bool {
	if a.tmdb != 0 && b.tmdb != 0 {
		return a.tmdb != b.tmdb
	}
	return a.imdb != "" && b.imdb != "" && a.imdb != b.imdb
}

// resolveIdentity says which film this is over all libraries. Where one library knows a film by both ids and another by its IMDb id
// only, both mean the TMDb one: the other library's rows and all watch data follow at once.
func resolveIdentity(ctx context.Context, tx store.Tx, m domain.Movie) (string, error) {
	if m.IMDbID == "" {
		return domain.MovieIdentity(m.ID, m.TMDbID, ""), nil
	}
	siblings, err := tx.Movies.SameFilm(ctx, 0, m.IMDbID)
	if err != nil {
		return "", err
	}
	tmdb := m.TMDbID
	if tmdb == 0 {
		for _, o := range siblings {
			if o.ID != m.ID && o.TMDbID != 0 && (tmdb == 0 || o.TMDbID < tmdb) {
				tmdb = o.TMDbID
			}
		}
	}
	identity := domain.MovieIdentity(m.ID, tmdb, m.IMDbID)
	byIMDb := domain.MovieIdentity(m.ID, 0, m.IMDbID)
	if identity == byIMDb {
		return identity, nil
	}
	moved := false
	for _, o := range siblings {
		if o.ID != m.ID && o.TMDbID == 0 && o.Identity == byIMDb {
			o.Identity, moved = identity, true
			if err := tx.Movies.Save(ctx, o); err != nil {
				return "", err
			}
		}
	}
	if moved {
		return identity, rekeyAll(ctx, tx, byIMDb, identity)
	}
	return identity, nil
}

// changeIdentity lets watch data follow a film from the identity that it had. What another library's film of that
// identity recorded stays there.
func changeIdentity(ctx context.Context, tx store.Tx, m domain.Movie, from string) error {
	if from == m.Identity || from == "" {
		return nil
	}
	shared, err := sharesIdentity(ctx, tx, from, m)
	if err != nil {
		return err
	}
	if !shared {
		return rekeyAll(ctx, tx, from, m.Identity)
	}
	return rekeyFilm(ctx, tx, from, m.Identity, m.ID)
}

// sharesIdentity tells whether a film other than m has the identity.
func sharesIdentity(ctx context.Context, tx store.Tx, identity string, m domain.Movie) (bool, error) {
	tmdb, imdb := parseIdentity(identity)
	films, err := tx.Movies.SameFilm(ctx, tmdb, imdb)
	return slices.ContainsFunc(films, func(o domain.Movie) bool { return o.ID != m.ID && o.Identity == identity }), err
}

// adoptOrphans gives a new film the watch data of films that are gone and had one of its files.
func adoptOrphans(ctx context.Context, tx store.Tx, m domain.Movie, files []domain.File) error {
	fingerprints := fingerprintsOf(files)
	if len(fingerprints) == 0 {
		return nil
	}
	orphans, err := tx.Watch.Orphans(ctx, fingerprints...)
	if err != nil {
		return err
	}
	for _, from := range orphans {
		if err := rekeyAll(ctx, tx, from, m.Identity); err != nil {
			return err
		}
	}
	return nil
}

// takeFrom settles a film that gave files to m: one with no film file left goes, with its extras and watch data becoming m's; another
// keeps all watch data but that of the files it gave.
func (s *Service) takeFrom(ctx context.Context, tx store.Tx, o owner, m domain.Movie, given []domain.File) (gone bool, err error) {
	left, err := tx.Files.ByMovie(ctx, domain.ScopeAll(), o.movie.ID)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(left, isFilm) {
		if o.movie.Identity != m.Identity {
			if fingerprints := fingerprintsOf(given); len(fingerprints) > 0 {
				if err := rekeyFilm(ctx, tx, o.movie.Identity, m.Identity, o.movie.ID, fingerprints...); err != nil {
					return false, err
				}
			}
		}
		return false, s.FilesGone(ctx, tx, o.movie.ID)
	}
	for i := range left {
		left[i].MovieID = &m.ID
	}
	if err := tx.Files.UpdateGrouping(ctx, left...); err != nil {
		return false, err
	}
	if err := tx.Movies.Delete(ctx, o.movie.ID); err != nil {
		return false, err
	}
	if o.movie.Identity == m.Identity {
		return true, nil
	}
	shared, err := sharesIdentity(ctx, tx, o.movie.Identity, m)
	if err != nil {
		return false, err
	}
	if shared {
		return true, rekeyFilm(ctx, tx, o.movie.Identity, m.Identity, o.movie.ID)
	}
	return true, rekeyAll(ctx, tx, o.movie.Identity, m.Identity)
}

func fingerprintsOf(files []domain.File) []string {
	var all []string
	for _, f := range files {
		if isFilm(f) && f.Fingerprint != "" {
			all = append(all, f.Fingerprint)
		}
	}
	return all
}

func rekeyAll(ctx context.Context, tx store.Tx, from, to string) error {
	users, err := tx.Watch.Rekey(ctx, from, to)
	if err != nil {
		return err
	}
	return deriveAgain(ctx, tx, users, to)
}

func rekeyFilm(ctx context.Context, tx store.Tx, from, to string, movie domain.ID, fingerprints ...string) error {
	users, err := tx.Watch.RekeyFilm(ctx, from, to, movie, fingerprints...)
	if err != nil {
		return err
	}
	return deriveAgain(ctx, tx, users, from, to)
}

// deriveAgain saves the states that the events of the users add up to.
func deriveAgain(ctx context.Context, tx store.Tx, users []domain.ID, identities ...string) error {
	for _, user := range users {
		for _, identity := range identities {
			events, err := tx.Watch.Events(ctx, user, identity)
			if err != nil {
				return err
			}
			s := derive(events)
			if err := tx.Watch.SaveState(ctx, user, identity, s.state, s.dismissed); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseIdentity is the reverse of domain.MovieIdentity for provider ids.
func parseIdentity(identity string) (tmdb int, imdb string) {
	if number, ok := strings.CutPrefix(identity, "tmdb:"); ok {
		tmdb, _ = strconv.Atoi(number)
	}
	if id, ok := strings.CutPrefix(identity, "imdb:"); ok {
		imdb = id
	}
	return tmdb, imdb
}
