package library

import (
	"bytes"
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/store"
)

// maxPath is how many bytes a path may have: more does not fit into an index of PostgreSQL.
const maxPath = 2000

// Draft is a library to be made.
type Draft struct {
	Name string
	// Paths are handles (see Directories) or absolute paths.
	Paths      []string
	Restricted bool
	Open       bool
	Locale     string // BCP 47, "" for English
}

// Change is what Update sets; nil fields stay.
type Change struct {
	Name       *string
	Restricted *bool
	Open       *bool
	Locale     *string
}

// List returns the libraries that the actor sees; where they lie on the disk is shown to those who manage them.
func (s *Service) List(ctx context.Context, actor domain.Actor) ([]domain.Library, error) {
	scope, err := s.readable(ctx, actor)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Read().Libraries.List(ctx, scope)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i] = s.shown(ctx, actor, list[i])
	}
	return list, nil
}

// Get returns one library. NotFound where the actor does not see it.
func (s *Service) Get(ctx context.Context, actor domain.Actor, id domain.ID) (domain.Library, error) {
	scope, err := s.readable(ctx, actor)
	if err != nil {
		return domain.Library{}, err
	}
	l, err := s.Store.Read().Libraries.Get(ctx, scope, id)
	return s.shown(ctx, actor, l), err
}

func (s *Service) readable(ctx context.Context, actor domain.Actor) (domain.Scope, error) {
	return s.Access.Scope(ctx, actor)
}

func (s *Service) shown(ctx context.Context, actor domain.Actor, l domain.Library) domain.Library {
	if s.Access.AuthorizeIn(ctx, actor, domain.PermissionLibraryManage, l.ID) != nil {
		l.Paths = []domain.LibraryPath{}
	}
	return l
}

// Create makes a library and starts its first scan. Invalid names and folders that do not exist, cannot be read, or overlap with another
// one (Conflict "library.path_overlaps") are refused.
func (s *Service) Create(ctx context.Context, actor domain.Actor, draft Draft) (domain.Library, error) {
	if err := s.manage(ctx, actor); err != nil {
		return domain.Library{}, err
	}
	now := s.now()
	l := domain.Library{ID: domain.NewID(), Restricted: draft.Restricted, Open: draft.Open, Paths: []domain.LibraryPath{}, CreatedAt: now, UpdatedAt: now}
	var err error
	if l.Name, err = validName(draft.Name); err != nil {
		return domain.Library{}, err
	}
	if l.Locale, err = validLocale(draft.Locale); err != nil {
		return domain.Library{}, err
	}
	if len(draft.Paths) == 0 {
		return domain.Library{}, fault.InvalidField("library.no_path", "paths", "Choose at least one folder.")
	}
	for i, handle := range draft.Paths {
		p, err := s.folder(ctx, l.ID, handle, field("paths", i))
		if err != nil {
			return domain.Library{}, err
		}
		if err := disjoint(p, []domain.Library{l}, field("paths", i)); err != nil {
			return domain.Library{}, err
		}
		l.Paths = append(l.Paths, p)
	}
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Libraries.List(ctx, domain.ScopeAll())
		if err != nil {
			return err
		}
		for i, p := range l.Paths {
			if err := disjoint(p, all, field("paths", i)); err != nil {
				return err
			}
		}
		if err := tx.Libraries.Create(ctx, l); err != nil {
			return err
		}
		if _, err := startScan(ctx, tx, l.ID, "created", nil, nil, now); err != nil {
			return err
		}
		if err := activity.Record(ctx, tx, now, actor, about(domain.ActivityLibraryCreated, l)); err != nil {
			return err
		}
		return accessChanged(ctx, tx, l.ID)
	})
	return l, err
}

// Update changes a library; who sees it is for those who manage every one. expected is the UpdatedAt that the caller saw (If-Match), nil for any: Precondition "library.changed" otherwise.
func (s *Service) Update(ctx context.Context, actor domain.Actor, id domain.ID, expected *time.Time, change Change) (domain.Library, error) {
	checked := s.managed
	if change.Restricted != nil || change.Open != nil { // who sees it is not for who manages it alone
		checked = s.owned
	}
	if _, err := checked(ctx, actor, id); err != nil {
		return domain.Library{}, err
	}
	var l domain.Library
	err := s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if l, err = tx.Libraries.Get(ctx, domain.ScopeAll(), id); err != nil {
			return err
		}
		if expected != nil && !expected.Equal(l.UpdatedAt) {
			return fault.New(fault.Precondition, "library.changed", "Somebody changed this library meanwhile. Load it again.")
		}
		if change.Name != nil {
			if l.Name, err = validName(*change.Name); err != nil {
				return err
			}
		}
		if change.Locale != nil {
			if l.Locale, err = validLocale(*change.Locale); err != nil {
				return err
			}
		}
		if change.Restricted != nil {
			l.Restricted = *change.Restricted
		}
		if change.Open != nil {
			l.Open = *change.Open
		}
		if err := activity.Record(ctx, tx, s.now(), actor, about(domain.ActivityLibraryChanged, l)); err != nil {
			return err
		}
		return s.touched(ctx, tx, &l)
	})
	return l, err
}

// Delete removes a library with all that is known of its films; the films' files and everybody's watch history stay.
func (s *Service) Delete(ctx context.Context, actor domain.Actor, id domain.ID) error {
	l, err := s.owned(ctx, actor, id)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Libraries.Delete(ctx, id); err != nil {
			return err
		}
		if err := activity.Record(ctx, tx, s.now(), actor, about(domain.ActivityLibraryDeleted, l)); err != nil {
			return err
		}
		if err := tx.Events.Publish(ctx, moviesChanged(id)); err != nil {
			return err
		}
		return accessChanged(ctx, tx, id)
	})
}

// AddPath adds a folder, which is scanned at once or after the full scan that runs.
func (s *Service) AddPath(ctx context.Context, actor domain.Actor, id domain.ID, handle string) (domain.LibraryPath, error) {
	if _, err := s.owned(ctx, actor, id); err != nil {
		return domain.LibraryPath{}, err
	}
	p, err := s.folder(ctx, id, handle, "path")
	if err != nil {
		return domain.LibraryPath{}, err
	}
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Libraries.List(ctx, domain.ScopeAll())
		if err != nil {
			return err
		}
		if err := disjoint(p, all, "path"); err != nil {
			return err
		}
		l, err := tx.Libraries.Get(ctx, domain.ScopeAll(), id)
		if err != nil {
			return err
		}
		if err := tx.Libraries.AddPath(ctx, p); err != nil {
			return err
		}
		if _, err := s.startIn(ctx, tx, id, "created", nil); err != nil && fault.CodeOf(err) != codeScanActive {
			return err // while a full one runs, Tend starts another: the path was never scanned
		}
		return s.touched(ctx, tx, &l)
	})
	return p, err
}

// RemovePath takes a folder and what is known of its files out of a library.
func (s *Service) RemovePath(ctx context.Context, actor domain.Actor, id, path domain.ID) error {
	if _, err := s.owned(ctx, actor, id); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		l, err := tx.Libraries.Get(ctx, domain.ScopeAll(), id)
		if err != nil {
			return err
		}
		if _, ok := pathOf(l, path); !ok {
			return fault.New(fault.NotFound, "library_path.not_found", "This library has no such folder.")
		}
		movies, err := moviesOf(ctx, tx.Repos, store.FileFilter{LibraryID: &id, PathID: &path})
		if err != nil {
			return err
		}
		if err := tx.Libraries.RemovePath(ctx, path); err != nil {
			return err
		}
		if err := s.Movies.FilesGone(ctx, tx, movies...); err != nil {
			return err
		}
		if err := tx.Events.Publish(ctx, moviesChanged(id)); err != nil {
			return err
		}
		return s.touched(ctx, tx, &l)
	})
}

// Grant puts an account on a library's access list.
func (s *Service) Grant(ctx context.Context, actor domain.Actor, id, user domain.ID) error {
	return s.changeAccess(ctx, actor, id, user, domain.ActivityLibraryGranted, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Users.Get(ctx, user); err != nil {
			return err
		}
		return tx.Libraries.Grant(ctx, domain.LibraryAccess{LibraryID: id, UserID: user, GrantedAt: s.now()})
	})
}

// Ungrant takes an account off a library's access list.
func (s *Service) Ungrant(ctx context.Context, actor domain.Actor, id, user domain.ID) error {
	return s.changeAccess(ctx, actor, id, user, domain.ActivityLibraryRevoked, func(ctx context.Context, tx store.Tx) error { return tx.Libraries.Ungrant(ctx, id, user) })
}

// AccessList returns who is on a library's access list.
func (s *Service) AccessList(ctx context.Context, actor domain.Actor, id domain.ID) ([]domain.LibraryAccess, error) {
	if _, err := s.owned(ctx, actor, id); err != nil {
		return nil, err
	}
	return s.Store.Read().Libraries.Access(ctx, id)
}

func (s *Service) changeAccess(ctx context.Context, actor domain.Actor, id, user domain.ID, action string, change func(context.Context, store.Tx) error) error {
	l, err := s.owned(ctx, actor, id)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := change(ctx, tx); err != nil {
			return err
		}
		entry := about(action, l)
		entry.Details["account"] = user.String()
		if err := activity.Record(ctx, tx, s.now(), actor, entry); err != nil {
			return err
		}
		return accessChanged(ctx, tx, id)
	})
}

// about is an entry of the log of who did what.
func about(action string, l domain.Library) domain.Activity {
	return domain.Activity{
		Action: action, ResourceType: "library", ResourceID: l.ID.String(), ResourceName: l.Name, Success: true,
		Details: map[string]string{activity.DetailLibrary: l.ID.String()},
	}
}

// touched saves a changed library with a time that no earlier version had, and tells everybody.
func (s *Service) touched(ctx context.Context, tx store.Tx, l *domain.Library) error {
	now := s.now()
	if !now.After(l.UpdatedAt) {
		now = l.UpdatedAt.Add(time.Microsecond)
	}
	l.UpdatedAt = now
	if err := tx.Libraries.Update(ctx, *l); err != nil {
		return err
	}
	return accessChanged(ctx, tx, l.ID)
}

func accessChanged(ctx context.Context, tx store.Tx, id domain.ID) error {
	return tx.Events.Publish(ctx, bus.Message{Topic: bus.TopicAccess, Payload: []byte(id.String())})
}

func moviesChanged(library domain.ID) bus.Message {
	return bus.Message{Topic: bus.TopicMovie, Payload: []byte(library.String())}
}

// folder is the library path that a handle means: it exists, is a folder, can be listed, and is free of symlinks.
func (s *Service) folder(ctx context.Context, library domain.ID, handle, field string) (domain.LibraryPath, error) {
	raw, err := fromHandle(handle)
	if err != nil {
		return domain.LibraryPath{}, fault.InvalidField("library.bad_path", field, "Choose a folder of this computer.")
	}
	canonical, err := s.Tree.Canonical(ctx, raw)
	if err == nil && len(canonical) > maxPath {
		return domain.LibraryPath{}, fault.InvalidField("library.path_too_long", field, "The path of this folder is too long.")
	}
	if err == nil {
		_, err = s.Tree.List(ctx, canonical, nil)
	}
	if err != nil {
		return domain.LibraryPath{}, badFolder(err, raw, field)
	}
	return domain.LibraryPath{ID: domain.NewID(), LibraryID: library, Raw: canonical, Path: display(canonical), State: domain.PathOK}, nil
}

func badFolder(err error, raw []byte, field string) error {
	message := map[string]string{
		files.CodeNotFound:   "There is no folder %s. If it is on another disk, check that the disk is there.",
		files.CodeNotRegular: "%s is no folder. Choose the folder that it is in.",
		files.CodeUnreadable: "%s cannot be read. Let the user that Revenge runs as read the folder, then try again.",
	}[fault.CodeOf(err)]
	if message == "" {
		return err
	}
	f := fault.Wrap(err, fault.Invalid, "library.unusable_path", message, display(raw))
	f.Fields = []fault.Field{{Path: field, Message: f.Message}}
	return f
}

// disjoint refuses a path that lies in, around or on one of the libraries' paths: every file belongs to one library.
func disjoint(p domain.LibraryPath, libraries []domain.Library, field string) error {
	for _, l := range libraries {
		for _, other := range l.Paths {
			if !below(p.Raw, other.Raw) && !below(other.Raw, p.Raw) {
				continue
			}
			f := fault.New(fault.Conflict, "library.path_overlaps", "%s overlaps with %s, which belongs to the library %q. A file can be in one library only.", p.Path, other.Path, l.Name)
			f.Fields = []fault.Field{{Path: field, Message: f.Message}}
			return f
		}
	}
	return nil
}

// below tells whether inner is outer or lies in it.
func below(inner, outer []byte) bool {
	rest, ok := bytes.CutPrefix(inner, bytes.TrimRight(outer, "/"))
	return ok && (len(rest) == 0 || rest[0] == '/')
}

func validName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 || !utf8.ValidString(name) || strings.IndexFunc(name, unicode.IsControl) >= 0 {
		return "", fault.InvalidField("library.bad_name", "name", "The name needs 1 to 100 characters.")
	}
	return name, nil
}

func validLocale(locale string) (string, error) {
	if locale == "" {
		return "en", nil
	}
	tag, err := language.Parse(locale)
	if err != nil || len(locale) > 35 {
		return "", fault.InvalidField("library.bad_locale", "locale", "%q is no language tag such as \"en\" or \"de-AT\".", locale)
	}
	return tag.String(), nil
}

func pathOf(l domain.Library, id domain.ID) (domain.LibraryPath, bool) {
	for _, p := range l.Paths {
		if p.ID == id {
			return p, true
		}
	}
	return domain.LibraryPath{}, false
}

// moviesOf returns the films of all files of a filter, each once.
func moviesOf(ctx context.Context, repos store.Repos, filter store.FileFilter) ([]domain.ID, error) {
	seen := map[domain.ID]bool{}
	var movies []domain.ID
	err := eachFile(ctx, repos, filter, func(f domain.File) error {
		if f.MovieID != nil && !seen[*f.MovieID] {
			seen[*f.MovieID] = true
			movies = append(movies, *f.MovieID)
		}
		return nil
	})
	return movies, err
}

// eachFile calls fn for every file of a filter, without Media.
func eachFile(ctx context.Context, repos store.Repos, filter store.FileFilter, fn func(domain.File) error) error {
	req := domain.PageRequest{Limit: domain.MaxPageSize}
	for {
		page, err := repos.Files.List(ctx, domain.ScopeAll(), filter, req)
		if err != nil {
			return err
		}
		for _, f := range page.Items {
			if err := fn(f); err != nil {
				return err
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		req.Cursor = page.NextCursor
	}
}
