// Package diskblobs keeps derived data in a folder (ports/blobs): one file for each key, written beside its place and renamed into it, the
// least recently used removed when the folder grows over its cap. Several processes of one host may share a folder.
//
// A key's file is the key with '~' at the end, so that "a" and "a/b" can both be. The file's modification time is when
// it was last used. Nothing is synced: what a power failure empties is a miss and made again.
package diskblobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/blobs"
)

// Config places a Store.
type Config struct {
	// Dir is made where absent. Nothing else may lie in it.
	Dir string
	// MaxBytes is how many bytes the blobs may have in all (default 20 GiB).
	MaxBytes int64
}

// Store is a blobs.Store. Close it at the end.
type Store struct {
	root    *os.Root
	folder  string // absolute
	cap     int64
	used    atomic.Int64 // as far as this process knows; Sweep counts anew
	session string       // the folder of this process's temporaries, below temporaries
	lock    *os.File     // held as long as the process lives, so that others leave session alone
	evict   sync.Mutex
}

var _ blobs.Store = (*Store)(nil)

// temporaries is a name that no key has.
const temporaries = "tmp~~"

// touchAfter is how stale a blob's time of use may get before a Get renews it: a compromise between order and writes.
const touchAfter = time.Minute

// Open makes the folder, removes what killed processes left and counts what is there.
func Open(config Config) (*Store, error) {
	if config.MaxBytes <= 0 {
		config.MaxBytes = 20 << 30
	}
	folder, err := filepath.Abs(config.Dir)
	if config.Dir == "" || err != nil {
		return nil, fault.New(fault.Invalid, "blobs.folder", "The folder for derived data is not configured.")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, unusable(err, folder)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, unusable(err, folder)
	}
	s := &Store{root: root, folder: folder, cap: config.MaxBytes, session: path.Join(temporaries, uuid.NewString())}
	if err := root.MkdirAll(s.session, 0o700); err != nil {
		return nil, errors.Join(unusable(err, folder), root.Close())
	}
	if s.lock, err = root.Create(path.Join(s.session, "lock")); err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX)
	}
	if err == nil {
		_, err = s.Sweep(context.Background())
	}
	if err != nil {
		return nil, errors.Join(translate(err), s.Close())
	}
	return s, nil
}

// Close removes this process's temporaries. Open Readers stay readable.
func (s *Store) Close() error {
	err := s.root.RemoveAll(s.session)
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return errors.Join(err, s.root.Close())
}

// Get implements blobs.Store.
func (s *Store) Get(ctx context.Context, key string) (blobs.Reader, error) {
	name, err := s.place(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, absent(key)
	}
	if err != nil {
		return nil, translate(err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		_ = f.Close()
		if err != nil {
			return nil, translate(err)
		}
		return nil, absent(key)
	}
	if now := time.Now(); now.Sub(info.ModTime()).Abs() > touchAfter {
		_ = s.root.Chtimes(name, now, now) // where it fails the blob goes a little early
	}
	return &reader{File: f, size: info.Size(), path: filepath.Join(s.folder, name)}, nil
}

// Put implements blobs.Store. An empty blob is stored but reads as absent, like one that a power failure emptied.
func (s *Store) Put(ctx context.Context, key string, content io.Reader) error {
	return s.store(ctx, key, func(temporary string) (fs.FileInfo, error) {
		f, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		err = s.copy(ctx, f, content)
		info, unknown := f.Stat()
		return info, errors.Join(err, unknown, f.Close())
	})
}

// Create implements blobs.Store.
func (s *Store) Create(ctx context.Context, key string, fn func(path string) error) error {
	return s.store(ctx, key, func(temporary string) (fs.FileInfo, error) {
		if err := fn(filepath.Join(s.folder, temporary)); err != nil {
			return nil, err
		}
		info, err := s.root.Lstat(temporary)
		if err != nil || !info.Mode().IsRegular() {
			return nil, fault.Wrap(err, fault.Internal, "blobs.not_written", "Nothing was written for %q.", key)
		}
		now := time.Now() // a tool may have given its output the times of its input
		_ = s.root.Chtimes(temporary, now, now)
		return info, nil
	})
}

// Delete implements blobs.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	prefix, isPrefix := strings.CutSuffix(key, "/")
	name, err := s.place(ctx, prefix)
	if err != nil {
		return err
	}
	if isPrefix {
		// Moved away at once, so that a Put at the same time finds either the old folder or none.
		gone := path.Join(s.session, uuid.NewString())
		if err := s.root.Rename(prefix, gone); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return translate(err)
		}
		err := s.root.RemoveAll(gone)
		for try := 0; try < 10 && errors.Is(err, unix.ENOTEMPTY); try++ { // a Put that was already inside
			err = s.root.RemoveAll(gone)
		}
		return translate(err)
	}
	info, err := s.root.Stat(name)
	if err == nil {
		err = s.root.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err == nil {
		s.used.Add(-info.Size())
	}
	return translate(err)
}

// Sweep implements blobs.Store. It leaves alone what other living processes write.
func (s *Store) Sweep(ctx context.Context) (int64, error) {
	if err := s.sweepTemporaries(ctx); err != nil {
		return 0, err
	}
	return s.shrink(ctx, s.cap)
}

// place checks a key and returns its file's name.
func (s *Store) place(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	ok := len(key) >= 1 && len(key) <= 200
	for _, c := range []byte(key) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_./", c) >= 0)
	}
	for segment := range strings.SplitSeq(key, "/") {
		ok = ok && segment != "" && segment != "." && segment != ".."
	}
	if !ok {
		return "", fault.New(fault.Invalid, "blobs.key", "The key %q is none: 1 to 200 characters of a–z, 0–9, '-', '_', '.' and '/'.", key)
	}
	return key + "~", nil
}

// store has write make a temporary file and moves it into the key's place.
func (s *Store) store(ctx context.Context, key string, write func(temporary string) (fs.FileInfo, error)) (err error) {
	name, err := s.place(ctx, key)
	if err != nil {
		return err
	}
	temporary := path.Join(s.session, uuid.NewString())
	defer func() {
		if err != nil {
			_ = s.root.RemoveAll(temporary)
		}
	}()
	info, err := write(temporary)
	if err != nil {
		return translate(err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if info.Size() > s.cap {
		return full(nil)
	}
	var old int64
	if was, err := s.root.Stat(name); err == nil {
		old = was.Size()
	}
	// A Delete of the prefix, or an eviction that tidies folders, may remove the folder before the rename: then again.
	for range 10 {
		if err = s.root.Rename(temporary, name); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if failed := s.root.MkdirAll(path.Dir(name), 0o700); failed != nil {
			err = failed
		}
	}
	if err != nil {
		return translate(err)
	}
	if s.used.Add(info.Size()-old) > s.cap {
		_, err := s.shrink(ctx, s.cap-s.cap/10)
		return err
	}
	return nil
}

// buffers are lent to copies: a scan puts a small blob for each film.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 128<<10)
	return &b
}}

// copy writes content; when the disk is full it gives up old blobs for it, as long as there are any.
func (s *Store) copy(ctx context.Context, f *os.File, content io.Reader) error {
	lent := buffers.Get().(*[]byte)
	defer buffers.Put(lent)
	buffer := *lent
	for total := int64(0); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, readErr := content.Read(buffer)
		if total += int64(n); total > s.cap {
			return full(nil)
		}
		for rest := buffer[:n]; len(rest) > 0; {
			written, err := f.Write(rest)
			rest = rest[written:]
			if err == nil {
				continue
			}
			if !isFull(err) {
				return err
			}
			before, now, shrinkErr := s.used.Load(), int64(0), error(nil)
			if now, shrinkErr = s.shrink(ctx, before*9/10-1<<20); shrinkErr != nil || now >= before {
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// blob is what shrink knows of one.
type blob struct {
	name string
	size int64
	used time.Time
}

// shrink removes the least recently used blobs until at most goal bytes are left, counts anew and returns what is left.
func (s *Store) shrink(ctx context.Context, goal int64) (int64, error) {
	s.evict.Lock()
	defer s.evict.Unlock()
	var found []blob
	var total int64
	err := fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case name == temporaries:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		total += info.Size()
		found = append(found, blob{name, info.Size(), info.ModTime()})
		return nil
	})
	if err != nil {
		return 0, translate(err)
	}
	slices.SortFunc(found, func(a, b blob) int { return a.used.Compare(b.used) })
	for _, b := range found {
		if total <= max(goal, 0) {
			break
		}
		if err := s.root.Remove(b.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, translate(err)
		}
		total -= b.size
		for folder := path.Dir(b.name); folder != "." && s.root.Remove(folder) == nil; { // as far as they are empty
			folder = path.Dir(folder)
		}
	}
	s.used.Store(total)
	return total, nil
}

// sweepTemporaries removes the temporaries of processes that no longer hold their lock.
func (s *Store) sweepTemporaries(ctx context.Context) error {
	sessions, err := fs.ReadDir(s.root.FS(), temporaries)
	if err != nil {
		return translate(err)
	}
	for _, d := range sessions {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		session := path.Join(temporaries, d.Name())
		if session == s.session {
			continue
		}
		lock, err := s.root.OpenFile(path.Join(session, "lock"), os.O_RDWR, 0)
		if err == nil {
			err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			_ = lock.Close()
		} else if info, statErr := d.Info(); statErr != nil || time.Since(info.ModTime()) < time.Minute {
			continue // being made right now
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err := s.root.RemoveAll(session); err != nil {
			return translate(err)
		}
	}
	return nil
}

// reader is a blobs.Reader.
type reader struct {
	*os.File
	size int64
	path string
}

func (r *reader) Size() int64 { return r.size }

// Path names the open file itself where the system can (proc(5)), so that it stays what was opened when the blob is replaced or evicted.
func (r *reader) Path() string {
	if runtime.GOOS == "linux" {
		return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), r.Fd())
	}
	return r.path
}

func absent(key string) error {
	return fault.New(fault.NotFound, blobs.CodeNotFound, "There is no %q in the cache; it is made again when it is needed.", key)
}

func full(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, blobs.CodeFull, "The disk that holds derived data is full. Free some space or lower what else is kept there; the films are not affected.")
}

func unusable(cause error, folder string) error {
	if isFull(cause) {
		return full(cause)
	}
	return fault.Wrap(cause, fault.Unavailable, "blobs.folder", "The folder %q for derived data cannot be used. Let the user that Revenge runs as write to it.", folder)
}

func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// translate makes the fault of a system error; faults and ends of contexts stay as they are.
func translate(err error) error {
	switch {
	case err == nil || fault.As(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case isFull(err):
		return full(err)
	case errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError)) || errors.As(err, new(unix.Errno)):
		return fault.Wrap(err, fault.Unavailable, "blobs.unusable", "The disk that holds derived data does not work as it should. Look at it and at the server's log.")
	}
	return err
}
