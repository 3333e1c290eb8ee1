package store

import (
	"context"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Libraries keeps libraries, their paths and who may see them.
type Libraries interface {
	// Create adds a library with its paths. Conflict with "library.name_taken" (canonical form).
	Create(ctx context.Context, l domain.Library) error
	Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.Library, error)
	// List is all of the scope with their paths, by name.
	List(ctx context.Context, scope domain.Scope) ([]domain.Library, error)
	// Update writes all fields but Paths.
	Update(ctx context.Context, l domain.Library) error
	// Delete removes a library with its paths, files, films, images, scans and access; watch events and states stay.
	Delete(ctx context.Context, id domain.ID) error
	AddPath(ctx context.Context, p domain.LibraryPath) error
	UpdatePath(ctx context.Context, p domain.LibraryPath) error
	// RemovePath removes a path with its files.
	RemovePath(ctx context.Context, id domain.ID) error
	// Grant, Ungrant and Access keep the access list. Grant twice is no error.
	Grant(ctx context.Context, a domain.LibraryAccess) error
	Ungrant(ctx context.Context, library, user domain.ID) error
	Access(ctx context.Context, library domain.ID) ([]domain.LibraryAccess, error)
	// VisibleTo returns the libraries that a user without admin sees: open ones and granted ones, restricted ones only when restricted is true and granted.
	VisibleTo(ctx context.Context, user domain.ID, restricted bool) ([]domain.ID, error)
}

// Scans keeps scans. At most one of a library is active; Create of another is Conflict with "scan.active".
type Scans interface {
	Create(ctx context.Context, s domain.Scan) error
	Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.Scan, error)
	// Update writes all fields. Conflict with "scan.finished" when the stored one is not active any more, so that a cancelled scan stays so.
	Update(ctx context.Context, s domain.Scan) error
	// Active returns the active scan of a library. NotFound.
	Active(ctx context.Context, library domain.ID) (domain.Scan, error)
	// List is newest first.
	List(ctx context.Context, library domain.ID, page domain.PageRequest) (domain.Page[domain.Scan], error)
}

// KnownFile is what a walk compares with.
type KnownFile struct {
	ID         domain.ID
	Raw        []byte
	Size       int64
	ModifiedAt time.Time
	State      domain.FileState
	VanishedAt *time.Time
	Beside     string
}

// FileFilter restricts Files.List; zero fields do not.
type FileFilter struct {
	LibraryID *domain.ID
	PathID    *domain.ID
	States    []domain.FileState
	// Unmatched: files of films (KindMovie) that belong to no film yet.
	Unmatched bool
	// Unsorted: MatchedAt is nil, so their folders are to be grouped into films.
	Unsorted bool
	// Vanished: VanishedAt is set, but they are not marked missing.
	Vanished bool
}

// PathCount is what R10 judges a path by.
type PathCount struct {
	// Known counts files that are not ignored and not already missing before the window; Vanished those of them that vanished (marked missing or not) within the window.
	Known, Vanished int
	// Pending counts the vanished ones that are not marked missing, whenever that was; Vanished contains them.
	Pending int
}

// Files keeps what is on disk. The order of a walk is by WalkKey.
type Files interface {
	// Known returns up to limit files of a path whose WalkKey is above after (nil: from the start) and, if prefix is not empty, whose Raw is below that folder, in WalkKey order.
	Known(ctx context.Context, path domain.ID, prefix, after []byte, limit int) ([]KnownFile, error)
	// Below returns up to limit files of a path that lie anywhere below one of the raw folders (none of which is empty), in any order, each once.
	Below(ctx context.Context, path domain.ID, limit int, folders ...[]byte) ([]KnownFile, error)
	// Insert adds files. Conflict with "file.exists" for an equal path and Raw.
	Insert(ctx context.Context, files ...domain.File) error
	// Update writes all fields of files. NotFound when one of them is not there.
	Update(ctx context.Context, files ...domain.File) error
	// UpdateContent is Update for what reading a file finds out alone: Size, ModifiedAt, Inode, Fingerprint, Revision, Media, Resolution, State with
	// its reason, VanishedAt, MatchedAt, UpdatedAt.
	UpdateContent(ctx context.Context, files ...domain.File) error
	// UpdateGrouping is Update for what grouping says of a file alone: MovieID, Kind, ExtraKind, Title, Version, VersionKey, Part, Edition, Source,
	// Resolution, State with its reason, MatchedAt, UpdatedAt.
	UpdateGrouping(ctx context.Context, files ...domain.File) error
	// Get and GetMany (missing ids are left out, any order) return files with Media.
	Get(ctx context.Context, scope domain.Scope, id domain.ID) (domain.File, error)
	GetMany(ctx context.Context, scope domain.Scope, ids ...domain.ID) ([]domain.File, error)
	// ByMovie returns a film's files and extras: films before extras, by version key, part, path.
	ByMovie(ctx context.Context, scope domain.Scope, movie domain.ID) ([]domain.File, error)
	// ByFingerprint returns all files of a library with one of the fingerprints, in any state.
	ByFingerprint(ctx context.Context, library domain.ID, fingerprints ...string) ([]domain.File, error)
	// InFolders returns all files of a path that are directly in one of the raw folders, any state, by WalkKey.
	InFolders(ctx context.Context, path domain.ID, folders ...[]byte) ([]domain.File, error)
	// Shared tells whether a film other than movie has a file (KindMovie, any state) directly in a raw folder of a path.
	Shared(ctx context.Context, path domain.ID, folder []byte, movie domain.ID) (bool, error)
	// List is by library, path and WalkKey, without Media.
	List(ctx context.Context, scope domain.Scope, f FileFilter, page domain.PageRequest) (domain.Page[domain.File], error)
	// Vanish sets VanishedAt where it is not set; Reappear clears VanishedAt and MissingSince and gives a missing file the state "found".
	Vanish(ctx context.Context, at time.Time, ids ...domain.ID) error
	// Reappear: see Vanish; files that were missing are also to be grouped into films again (MatchedAt nil).
	Reappear(ctx context.Context, ids ...domain.ID) error
	// Count returns what R10 judges by; vanished since the given time.
	Count(ctx context.Context, path domain.ID, since time.Time) (PathCount, error)
	// MarkMissing gives every file of the path with VanishedAt the state missing with MissingSince at, and returns the ids of those changed.
	MarkMissing(ctx context.Context, path domain.ID, at time.Time) ([]domain.ID, error)
	// PurgeMissing deletes files missing since before the time whose path is not frozen and returns their films' ids.
	PurgeMissing(ctx context.Context, before time.Time) ([]domain.ID, error)
	Delete(ctx context.Context, ids ...domain.ID) error
}

// WalkKey orders raw paths as a depth-first walk over sorted names meets them: '/' sorts before every other byte.
func WalkKey(raw []byte) []byte {
	key := make([]byte, len(raw))
	for i, b := range raw {
		if b == '/' {
			b = 0
		}
		key[i] = b
	}
	return key
}
