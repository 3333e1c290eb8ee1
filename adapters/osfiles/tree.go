// Package osfiles looks at the disk of the host: the films below the roots of libraries (ports/files.Tree), the folders of the path picker
// (Browser) and what changes (Watcher). It never writes.
//
// Every access goes through an os.Root, so that no symlink and no ".." leaves the library, even while somebody renames
// things (S22). No handle outlives its call: a library that is unmounted and mounted again is simply there again.
package osfiles

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
)

// Tree is a files.Tree.
type Tree struct{}

// NewTree returns a Tree over the host's disks.
func NewTree() *Tree { return &Tree{} }

var _ files.Tree = (*Tree)(nil)

// List implements files.Tree. Entries that vanish while it looks are left out.
func (*Tree) List(ctx context.Context, root, rel []byte) ([]files.Entry, error) {
	r, err := openRoot(ctx, root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	handle, err := r.folder(rel)
	if err != nil {
		return nil, translate(err, root, rel)
	}
	defer func() { _ = handle.Close() }()
	names, err := handle.Readdirnames(-1)
	if err != nil {
		return nil, translate(err, root, rel)
	}
	entries := make([]files.Entry, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		// By the folder's own handle and a bare name, so that looking at an entry costs one call and not one for each level.
		var info unix.Stat_t
		err := ignoringEINTR(func() error { return unix.Fstatat(int(handle.Fd()), name, &info, unix.AT_SYMLINK_NOFOLLOW) })
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		entry := files.Entry{
			Dir: info.Mode&unix.S_IFMT == unix.S_IFDIR, Regular: info.Mode&unix.S_IFMT == unix.S_IFREG, Size: info.Size,
			ModifiedAt: time.Unix(info.Mtim.Unix()).UTC(), Inode: strconv.FormatUint(info.Ino, 10),
		}
		if err == nil && info.Mode&unix.S_IFMT == unix.S_IFLNK {
			entry, err = r.target(join(rel, []byte(name)))
		}
		if err != nil {
			entry = files.Entry{Err: translate(err, root, join(rel, []byte(name)))}
		}
		entry.Name = []byte(name)
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b files.Entry) int { return bytes.Compare(a.Name, b.Name) })
	return entries, nil
}

// folder opens a folder.
func (r *root) folder(rel []byte) (*os.File, error) {
	name, err := lexical(rel)
	if err != nil {
		return nil, err
	}
	const flags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_DIRECTORY
	f, err := r.OpenFile(name, flags, 0)
	if escapes(err) {
		if name, err = r.local(rel); err != nil {
			return nil, err
		}
		f, err = r.OpenFile(name, flags, 0)
	}
	if errors.Is(err, syscall.ENOTDIR) {
		if _, is := r.Root.Stat(name); is == nil {
			return nil, fault.New(fault.Invalid, files.CodeNotRegular, "%q is no folder.", display(join([]byte(r.path), rel)))
		}
	}
	return f, err
}

func ignoringEINTR(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Stat implements files.Tree.
func (*Tree) Stat(ctx context.Context, root, rel []byte) (files.Entry, error) {
	r, err := openRoot(ctx, root)
	if err != nil {
		return files.Entry{}, err
	}
	defer func() { _ = r.Close() }()
	name, err := lexical(rel)
	if err != nil {
		return files.Entry{}, err
	}
	info, err := r.Lstat(name)
	if err != nil {
		// A folder on the way may be an absolute symlink that stays within: only resolving shows it.
		local, resolveErr := r.local(rel)
		if resolveErr != nil {
			return files.Entry{}, resolveErr
		}
		if info, err = r.Lstat(local); err != nil {
			return files.Entry{}, translate(err, root, rel)
		}
	}
	entry, err := r.describe(info, rel)
	if err != nil {
		return files.Entry{}, err
	}
	if len(rel) > 0 {
		entry.Name = []byte(filepath.Base(string(rel)))
	}
	return entry, nil
}

// lookAgain is how often a file is opened that becomes a link, or none any more, between being looked at and being followed: that looks like
// a link that cannot be read (EINVAL) or leads to itself (ELOOP).
const lookAgain = 10

// Open implements files.Tree. Pipes, sockets and devices are never opened, and a pipe that takes a file's place in the last moment does not block.
func (*Tree) Open(ctx context.Context, root, rel []byte) (opened files.Open, err error) {
	for range lookAgain {
		if opened, err = openFile(ctx, root, rel); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ELOOP) {
			break
		}
	}
	return opened, err
}

func openFile(ctx context.Context, root, rel []byte) (files.Open, error) {
	r, err := openRoot(ctx, root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	local, err := r.local(rel)
	if err != nil {
		return nil, err
	}
	info, err := r.Stat(local)
	if err != nil {
		return nil, translate(err, root, rel)
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(rel)
	}
	f, err := r.OpenFile(local, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, translate(err, root, rel)
	}
	opened, err := r.checked(f, local)
	if err != nil {
		_ = f.Close()
		return nil, translate(err, root, rel)
	}
	if !opened.info.Mode().IsRegular() {
		_ = f.Close()
		return nil, notRegular(rel)
	}
	return opened, nil
}

// Canonical implements files.Tree.
func (*Tree) Canonical(ctx context.Context, path []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if !filepath.IsAbs(string(path)) {
		return nil, fault.New(fault.Invalid, files.CodeNotFound, "%q is no absolute path. Give the whole path, from / on.", display(path))
	}
	resolved, err := filepath.EvalSymlinks(string(path))
	if err != nil {
		return nil, translate(err, path, nil)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return nil, translate(err, path, nil)
	}
	if !info.IsDir() {
		return nil, fault.New(fault.Invalid, files.CodeNotRegular, "%q is no folder.", display(path))
	}
	return []byte(resolved), nil
}

// root is an open library root.
type root struct {
	*os.Root
	path string
}

func openRoot(ctx context.Context, path []byte) (*root, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if !filepath.IsAbs(string(path)) {
		return nil, fault.New(fault.Internal, files.CodeNotFound, "The root %q of a library is no absolute path.", display(path))
	}
	r, err := os.OpenRoot(string(path))
	if err != nil {
		return nil, translate(err, path, nil)
	}
	return &root{Root: r, path: string(path)}, nil
}

// local returns a name for rel that the os.Root follows. That is rel itself, unless an absolute symlink is on the way: os.Root
// refuses those even where they lead back inside, so they are resolved here, and the resolved name is checked by os.Root again.
func (r *root) local(rel []byte) (string, error) {
	name, err := lexical(rel)
	if err != nil {
		return "", err
	}
	if _, err = r.Root.Stat(name); err == nil {
		return name, nil
	}
	if !escapes(err) {
		return "", translate(err, []byte(r.path), rel)
	}
	base, err := filepath.EvalSymlinks(r.path)
	if err != nil {
		return "", translate(err, []byte(r.path), nil)
	}
	target, err := filepath.EvalSymlinks(filepath.Join(base, name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // outside and absent: still outside
			return "", outside(rel)
		}
		return "", translate(err, []byte(r.path), rel)
	}
	inside, err := filepath.Rel(base, target)
	if err != nil || !filepath.IsLocal(inside) {
		return "", outside(rel)
	}
	return inside, nil
}

// lexical is rel as a local name: no "..", not absolute, no NUL.
func lexical(rel []byte) (string, error) {
	if len(rel) == 0 {
		return ".", nil
	}
	if !filepath.IsLocal(string(rel)) {
		return "", outside(rel)
	}
	if bytes.IndexByte(rel, 0) >= 0 {
		return "", fault.New(fault.NotFound, files.CodeNotFound, "There is no %q.", display(rel))
	}
	return string(rel), nil
}

// describe makes an Entry (without name) of what Lstat found at rel, following a symlink as far as it stays within.
func (r *root) describe(info fs.FileInfo, rel []byte) (files.Entry, error) {
	if info.Mode()&fs.ModeSymlink != 0 {
		return r.target(rel)
	}
	return entryOf(info), nil
}

// target describes what the symlink at rel leads to.
func (r *root) target(rel []byte) (files.Entry, error) {
	local, err := r.local(rel)
	if err != nil {
		return files.Entry{}, err
	}
	info, err := r.Root.Stat(local)
	if err != nil {
		return files.Entry{}, translate(err, []byte(r.path), rel)
	}
	entry := entryOf(info)
	entry.Symlink = true
	return entry, nil
}

func entryOf(info fs.FileInfo) files.Entry {
	return files.Entry{Dir: info.IsDir(), Regular: info.Mode().IsRegular(), Size: info.Size(), ModifiedAt: info.ModTime().UTC(), Inode: inode(info)}
}

// checked finds the path under which other programs see the file that was opened, and that it is that file and inside the root.
func (r *root) checked(f *os.File, local string) (*open, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	base, err := filepath.EvalSymlinks(r.path)
	if err != nil {
		return nil, err
	}
	path, err := filepath.EvalSymlinks(filepath.Join(base, local))
	if err != nil {
		return nil, err
	}
	seen, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if inside, err := filepath.Rel(base, path); err != nil || !filepath.IsLocal(inside) || !os.SameFile(info, seen) {
		return nil, outside([]byte(local))
	}
	return &open{File: f, info: info, path: path}, nil
}

// open is a files.Open.
type open struct {
	*os.File
	info fs.FileInfo
	path string
}

func (o *open) Size() int64           { return o.info.Size() }
func (o *open) ModifiedAt() time.Time { return o.info.ModTime().UTC() }
func (o *open) Path() string          { return o.path }

func join(rel, name []byte) []byte {
	if len(rel) == 0 {
		return name
	}
	return slices.Concat(rel, []byte("/"), name)
}

// inode is the file's number on its device.
func inode(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(s.Ino, 10)
	}
	return ""
}

// escapes tells os.Root's refusal, which has no exported value.
func escapes(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "path escapes from parent"
}

func outside(rel []byte) error {
	return fault.New(fault.Forbidden, files.CodeOutside, "%q leads out of the library and is not followed. Add the folder that it leads to as a path of its own.", display(rel))
}

func notRegular(rel []byte) error {
	return fault.New(fault.Invalid, files.CodeNotRegular, "%q is no regular file.", display(rel))
}

// translate makes the fault of a system error. What proves absence is NotFound; everything else is Unreadable and proves nothing (R10).
func translate(err error, root, rel []byte) error {
	if fault.As(err) != nil {
		return err
	}
	path := display(root)
	if len(rel) > 0 {
		path = display(join(root, rel))
	}
	switch {
	case escapes(err):
		return outside(rel)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENAMETOOLONG):
		return fault.Wrap(err, fault.NotFound, files.CodeNotFound, "There is no %q.", path)
	case errors.Is(err, syscall.ENOTDIR):
		return fault.Wrap(err, fault.NotFound, files.CodeNotFound, "There is no %q, since what should be a folder is none.", path)
	case errors.Is(err, syscall.ELOOP):
		return fault.Wrap(err, fault.NotFound, files.CodeNotFound, "%q is a symlink that leads to itself.", path)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Unavailable, files.CodeUnreadable, "%q may not be read (permission denied). Let the user that Revenge runs as read it.", path)
	default:
		return fault.Wrap(err, fault.Unavailable, files.CodeUnreadable, "%q cannot be read (%s). Check the disk or the network share.", path, reason(err))
	}
}

// reason is the system's word for what went wrong, without paths.
func reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return "input/output error"
}

// display makes a path's bytes readable.
func display(path []byte) string { return strings.ToValidUTF8(string(path), "\uFFFD") }
