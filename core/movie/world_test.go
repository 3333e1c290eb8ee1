package movie_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/ports/store"
)

// rights are what a test gives and takes: users see what they were granted.
type rights struct {
	mu     sync.Mutex
	scopes map[domain.ID]domain.Scope
}

func (r *rights) Authorize(_ context.Context, actor domain.Actor, _ domain.Permission) error {
	if actor.Anonymous() {
		return fault.New(fault.Unauthenticated, "auth.required", "Sign in.")
	}
	return nil
}

func (r *rights) Scope(_ context.Context, actor domain.Actor) (domain.Scope, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.scopes[actor.UserID], nil
}

// ScopeFor implements Access.
func (r *rights) ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error) {
	if err := r.Authorize(ctx, actor, p); err != nil {
		return domain.Scope{}, err
	}
	return r.Scope(ctx, actor)
}

// cinema is a catalogue on a real database with two libraries.
type cinema struct {
	t      *testing.T
	store  *sqlstore.Store
	movies *movie.Service
	rights *rights
	one    domain.Library
	two    domain.Library
	now    time.Time
}

func newCinema(t *testing.T) *cinema {
	t.Helper()
	c := &cinema{t: t, store: sqlstoretest.SQLite(t, sqlstore.Config{}), rights: &rights{scopes: map[domain.ID]domain.Scope{}}, now: time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)}
	c.movies = movie.New(movie.Deps{Store: c.store, Access: c.rights, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time {
		c.now = c.now.Add(time.Second)
		return c.now
	}})
	c.one, c.two = c.library("one"), c.library("two")
	return c
}

func (c *cinema) update(fn func(ctx context.Context, tx store.Tx) error) {
	c.t.Helper()
	if err := c.store.Update(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cinema) library(name string) domain.Library {
	c.t.Helper()
	l := domain.Library{ID: domain.NewID(), Name: name, Open: true, Locale: "en", CreatedAt: c.now, UpdatedAt: c.now}
	l.Paths = []domain.LibraryPath{{ID: domain.NewID(), LibraryID: l.ID, Raw: []byte("/films/" + name), Path: "/films/" + name, State: domain.PathOK}}
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Create(ctx, l) })
	return l
}

// viewer is an account that sees the libraries.
func (c *cinema) viewer(name string, libraries ...domain.Library) domain.Actor {
	c.t.Helper()
	u := domain.User{ID: domain.NewID(), Username: name, Roles: []domain.RoleName{domain.RoleUser}, CreatedAt: c.now, UpdatedAt: c.now}
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Users.Create(ctx, u, "x") })
	ids := make([]domain.ID, len(libraries))
	for i, l := range libraries {
		ids[i] = l.ID
	}
	c.rights.scopes[u.ID] = domain.ScopeOf(ids...)
	return domain.Actor{UserID: u.ID, Username: name, Roles: u.Roles}
}

// file stores a film file of 100 s as a scan found it.
func (c *cinema) file(l domain.Library, path string, change ...func(*domain.File)) domain.File {
	c.t.Helper()
	f := domain.File{
		ID: domain.NewID(), LibraryID: l.ID, PathID: l.Paths[0].ID, Raw: []byte(path), Path: path, Kind: domain.KindMovie, State: domain.FileReady,
		Size: 1000, ModifiedAt: c.now, Fingerprint: "fp of " + path, Revision: "ab", VersionKey: path, Resolution: "1080p", AddedAt: c.now, UpdatedAt: c.now,
		Media: &domain.Media{Container: "mp4", Duration: 100, Video: []domain.Video{{Codec: "h264"}}, Audio: []domain.Audio{{Index: 1, Codec: "aac", Language: "eng"}}},
	}
	for _, ch := range change {
		ch(&f)
	}
	c.update(func(ctx context.Context, tx store.Tx) error { return tx.Files.Insert(ctx, f) })
	return f
}

// apply hands a found film over, with the files as they are stored now.
func (c *cinema) apply(l domain.Library, found movie.FoundFilm, files ...domain.File) movie.Applied {
	c.t.Helper()
	found.LibraryID, found.Locale = l.ID, "en"
	var applied movie.Applied
	c.update(func(ctx context.Context, tx store.Tx) (err error) {
		found.Files = nil
		for _, f := range files {
			stored, err := tx.Files.Get(ctx, domain.ScopeAll(), f.ID)
			if err != nil {
				return err
			}
			found.Files = append(found.Files, stored)
		}
		applied, err = c.movies.Apply(ctx, tx, found)
		return err
	})
	return applied
}

func (c *cinema) get(id domain.ID) domain.Movie {
	c.t.Helper()
	m, err := c.store.Read().Movies.Get(c.t.Context(), domain.ScopeAll(), domain.ID{}, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *cinema) state(actor domain.Actor, id domain.ID) domain.WatchState {
	c.t.Helper()
	s, err := c.movies.State(c.t.Context(), actor, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *cinema) watch(actor domain.Actor, id domain.ID, position float64, file *domain.ID) domain.WatchState {
	c.t.Helper()
	s, err := c.movies.Report(c.t.Context(), actor, id, movie.Report{Position: position, Duration: 100, FileID: file})
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}
