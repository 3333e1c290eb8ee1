// Package diskbackups keeps backups as files in a folder.
package diskbackups

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/backups"
)

// Suffix is how names of archives end.
const Suffix = ".revenge-backup"

const partial = ".partial-"

// Folder is a folder of archives, made with the first one.
type Folder struct{ Dir string }

var _ backups.Folder = Folder{}

func failed(err error, dir string) error {
	return fault.Wrap(err, fault.Unavailable, "backup.folder", "The folder of backups %s cannot be used. Check that it may be written to and that there is room.", dir)
}

// Create implements backups.Folder.
func (f Folder) Create(ctx context.Context, name string, write func(io.Writer) error, check func(io.Reader) error) error {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return fault.New(fault.Invalid, "backup.bad_name", "%q cannot be a backup's name.", name)
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return failed(err, f.Dir)
	}
	f.sweep()
	final := filepath.Join(f.Dir, name)
	taken := func() error {
		if _, err := os.Lstat(final); err == nil {
			return fault.New(fault.Conflict, backups.CodeExists, "There is a file %s already. Choose another name.", final)
		}
		return nil
	}
	if err := taken(); err != nil {
		return err
	}
	file, err := os.CreateTemp(f.Dir, partial+"*") // mode 0600
	if err != nil {
		return failed(err, f.Dir)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := write(stopping{ctx, file, f.Dir}); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return failed(err, f.Dir)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return failed(err, f.Dir)
	}
	if err := check(file); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return failed(err, f.Dir)
	}
	if err := taken(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), final); err != nil {
		return failed(err, f.Dir)
	}
	if folder, err := os.Open(f.Dir); err == nil {
		_ = folder.Sync() // not every file system has it (Windows)
		folder.Close()
	}
	return nil
}

// stopping ends writing with its context, and says of a full disk which one it is.
type stopping struct {
	ctx context.Context //nolint:containedctx // a writer takes none
	to  io.Writer
	dir string
}

func (s stopping) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.to.Write(p)
	if err != nil {
		err = failed(err, s.dir)
	}
	return n, err
}

// sweep removes what killed processes left: nobody writes at one archive for a day.
func (f Folder) sweep() {
	entries, _ := os.ReadDir(f.Dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), partial) && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(filepath.Join(f.Dir, e.Name()))
		}
	}
}

// List implements backups.Folder.
func (f Folder) List(context.Context) ([]backups.Archive, error) {
	entries, err := os.ReadDir(f.Dir) // by name
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(err, f.Dir)
	}
	var out []backups.Archive
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), Suffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		out = append(out, backups.Archive{Name: e.Name(), Size: info.Size(), At: info.ModTime()})
	}
	return out, nil
}

// Open implements backups.Folder.
func (f Folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	file, err := os.Open(filepath.Join(f.Dir, filepath.Base(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "backup.not_found", "There is no backup %s.", filepath.Join(f.Dir, name))
	}
	if err != nil {
		return nil, failed(err, f.Dir)
	}
	return file, nil
}

// Remove implements backups.Folder.
func (f Folder) Remove(_ context.Context, name string) error {
	if err := os.Remove(filepath.Join(f.Dir, filepath.Base(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(err, f.Dir)
	}
	return nil
}

// KeyFile is the secret key's file.
type KeyFile struct{ Path string }

var _ backups.Key = KeyFile{}

// Read implements backups.Key.
func (k KeyFile) Read(context.Context) ([]byte, error) {
	data, err := os.ReadFile(k.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "backup.no_key", "There is no secret key %s.", k.Path)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "backup.key", "The secret key %s cannot be read.", k.Path)
	}
	return data, nil
}
