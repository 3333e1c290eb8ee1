package osfiles

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
)

// Browser is a files.Browser. It is confined to nothing: what the server's user may see, an administrator may pick.
type Browser struct{}

// NewBrowser returns a Browser over the host's folders.
func NewBrowser() *Browser { return &Browser{} }

var _ files.Browser = (*Browser)(nil)

// Places implements files.Browser.
func (*Browser) Places(ctx context.Context) ([]domain.Directory, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	places := []domain.Directory{directory("/", "/")}
	if home, err := os.UserHomeDir(); err == nil && home != "/" && isFolder(home) {
		places = append(places, directory(filepath.Base(home), home))
	}
	for _, m := range mounts() {
		known := slices.ContainsFunc(places, func(d domain.Directory) bool { return d.Handle == handle(m.path) })
		if !m.system && !known && isFolder(m.path) {
			places = append(places, directory(filepath.Base(m.path), m.path))
		}
	}
	return places, nil
}

// Directories implements files.Browser: sorted by name without hidden ones and the system's own file systems, symlinks to folders included.
// Counting looks into folders of the same tree only (no symlinks) and goes on for at most deadline over all of them, even when a disk does not answer.
func (*Browser) Directories(ctx context.Context, path []byte, isVideo func(name string) bool, deadline time.Duration) ([]domain.Directory, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	at := string(path)
	if !filepath.IsAbs(at) || bytes.IndexByte(path, 0) >= 0 {
		return nil, fault.New(fault.Invalid, files.CodeNotFound, "%q is no absolute path.", display(path))
	}
	at = filepath.Clean(at)
	found, err := os.ReadDir(at)
	if err != nil {
		return nil, translate(err, path, nil)
	}
	system := map[string]bool{}
	for _, m := range mounts() {
		if m.system {
			system[m.path] = true
		}
	}
	list := []domain.Directory{}
	var paths []string
	for _, f := range found {
		below := filepath.Join(at, f.Name())
		if strings.HasPrefix(f.Name(), ".") || system[below] || !(f.IsDir() || f.Type()&fs.ModeSymlink != 0 && isFolder(below)) {
			continue
		}
		list, paths = append(list, directory(f.Name(), below)), append(paths, below)
	}
	end := time.Now().Add(deadline)
	for i := range list {
		// An even share of what is left for each, so that one huge folder does not leave the others uncounted.
		share := time.Until(end) / time.Duration(len(list)-i)
		list[i].Videos, list[i].Partial = count(ctx, paths[i], isVideo, system, share)
	}
	return list, nil
}

// count counts video files below path for at most the given time; partial says that it did not see all. A disk that does not answer keeps
// its goroutine until it does.
func count(ctx context.Context, path string, isVideo func(string) bool, system map[string]bool, most time.Duration) (videos int, partial bool) {
	ctx, cancel := context.WithTimeout(ctx, max(most, 0))
	defer cancel()
	if ctx.Err() != nil {
		return 0, true
	}
	var seen atomic.Int64
	ended := make(chan bool, 1)
	go func() {
		incomplete := false
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				incomplete = true
				return fs.SkipAll
			case err != nil:
				incomplete = true
				return nil //nolint:nilerr // the rest is counted
			case d.IsDir() && p != path && (strings.HasPrefix(d.Name(), ".") || system[p]):
				return fs.SkipDir
			case d.Type().IsRegular() && isVideo(d.Name()):
				seen.Add(1)
			}
			return nil
		})
		ended <- incomplete
	}()
	select {
	case partial = <-ended:
	case <-ctx.Done():
		partial = true
	}
	return int(seen.Load()), partial
}

func directory(name, path string) domain.Directory {
	return domain.Directory{Name: display([]byte(name)), Path: display([]byte(path)), Handle: handle(path)}
}

func handle(path string) string { return base64.RawURLEncoding.EncodeToString([]byte(path)) }

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// mount is a mounted file system; system says that it is the kernel's own, where no film lies.
type mount struct {
	path   string
	system bool
}

// mounts reads /proc/self/mountinfo (proc(5)); none where the system has no such file.
func mounts() []mount {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var found []mount
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if m, ok := parseMount(lines.Text()); ok {
			found = append(found, m)
		}
	}
	slices.SortStableFunc(found, func(a, b mount) int { return strings.Compare(a.path, b.path) })
	return slices.CompactFunc(found, func(a, b mount) bool { return a.path == b.path })
}

// storage are the types of file system that hold people's files; all others are the system's.
var storage = map[string]bool{"ext2": true, "ext3": true, "ext4": true, "xfs": true, "btrfs": true, "zfs": true, "bcachefs": true, "f2fs": true, "jfs": true, "reiserfs": true, "ntfs": true, "ntfs3": true,
	"fuseblk": true, "vfat": true, "exfat": true, "hfsplus": true, "apfs": true, "nfs": true, "nfs4": true, "cifs": true, "smb3": true, "smbfs": true, "9p": true, "virtiofs": true, "ceph": true,
	"glusterfs": true, "udf": true, "iso9660": true, "overlay": true, "fuse": true, "mergerfs": true}

// parseMount reads one line: id, parent, device, root, mount point, options, optional fields, "-", type, source, options.
func parseMount(line string) (mount, bool) {
	left, right, ok := strings.Cut(line, " - ")
	before, after := strings.Fields(left), strings.Fields(right)
	if !ok || len(before) < 5 || len(after) < 1 {
		return mount{}, false
	}
	path := unescape(before[4])
	kind, sub, _ := strings.Cut(after[0], ".")
	// A bind mount of a single file, as containers have for /etc/hosts, is no place; isFolder says so later.
	holds := storage[after[0]] || kind == "fuse" && sub != "lxcfs" && sub != "portal" && sub != "gvfsd-fuse"
	return mount{path: path, system: !holds}, true
}

// unescape undoes the octal escapes of mountinfo (\040 for a space).
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
