package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// An Oddity is a file or folder that a library should survive.
type Oddity struct {
	// Path is relative to the library, in bytes as the file system has them.
	Path string
	// Playable says that it is a whole film in spite of its name.
	Playable bool
	// About says what is odd.
	About string
	make  func(ctx context.Context, path string) error
}

// Oddities are the bad files and the good ones with bad names. Root reads the unreadable file all the same, and a file
// system that refuses the name outside UTF-8 does not have it.
func Oddities() []Oddity {
	return []Oddity{
		{Path: "Odd/Truncated MP4 (1990).mp4", About: "its index, which is at the end, is missing", make: truncated(MoovAtEnd, 2)},
		{Path: "Odd/Truncated MKV (1991).mkv", About: "it ends inside a cluster", make: truncated(H264AC3MKV, 3)},
		{Path: "Odd/Truncated Header (1992).mkv", About: "it ends inside its header", make: truncatedTo(H264MKV, 40)},
		{Path: "Odd/Empty (1993).mp4", About: "it has no bytes", make: text("")},
		{Path: "Odd/Text (1994).mkv", About: "it is a text file", make: text("This is not a film.\n")},
		{Path: "Odd/Playlist (1995).mkv", About: "it is a playlist that names a file of the system",
			make: text("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")},
		{Path: "Odd/-i.mkv", Playable: true, About: "its name looks like an option", make: wholeFilm},
		{Path: `Odd/a" -y x.mkv`, Playable: true, About: "its name has a quote and options", make: wholeFilm},
		{Path: "Odd/" + strings.Repeat("A Very Long Name ", 11) + "(1996).mkv", Playable: true, About: "its name has about 200 characters", make: wholeFilm},
		{Path: "Odd/Caf\xe9 (1997).mkv", Playable: true, About: "its name is not UTF-8", make: wholeFilm},
		{Path: "Odd/Link (1998).mkv", About: "it is a symbolic link out of the library", make: linkOut},
		{Path: "Odd/x.mkv", About: "it is a folder", make: func(_ context.Context, path string) error { return os.Mkdir(path, 0o755) }},
		{Path: "Odd/Unreadable (1999).mkv", About: "nobody may read it", make: func(ctx context.Context, path string) error {
			return errors.Join(wholeFilm(ctx, path), os.Chmod(path, 0))
		}},
		{Path: "Disc Blu-ray (2000)/BDMV/index.bdmv", About: "it belongs to a Blu-ray folder", make: text("INDX0200")},
		{Path: "Disc Blu-ray (2000)/BDMV/MovieObject.bdmv", About: "it belongs to a Blu-ray folder", make: text("MOBJ0200")},
		{Path: "Disc Blu-ray (2000)/BDMV/PLAYLIST/00000.mpls", About: "it belongs to a Blu-ray folder", make: text("MPLS0200")},
		{Path: "Disc Blu-ray (2000)/BDMV/CLIPINF/00000.clpi", About: "it belongs to a Blu-ray folder", make: text("HDMV0200")},
		{Path: "Disc Blu-ray (2000)/BDMV/STREAM/00000.m2ts", About: "it belongs to a Blu-ray folder", make: fixture(MPEGTS)},
		{Path: "Disc DVD (2001)/VIDEO_TS/VIDEO_TS.IFO", About: "it belongs to a DVD folder", make: text("DVDVIDEO-VMG")},
		{Path: "Disc DVD (2001)/VIDEO_TS/VIDEO_TS.BUP", About: "it belongs to a DVD folder", make: text("DVDVIDEO-VMG")},
		{Path: "Disc DVD (2001)/VIDEO_TS/VTS_01_0.IFO", About: "it belongs to a DVD folder", make: text("DVDVIDEO-VTS")},
		{Path: "Disc DVD (2001)/VIDEO_TS/VTS_01_1.VOB", About: "it belongs to a DVD folder", make: text("\x00\x00\x01\xba")},
	}
}

func writeOddities(ctx context.Context, folder string) error {
	for _, odd := range Oddities() {
		path := filepath.Join(folder, odd.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if err := odd.make(ctx, path); err != nil {
			if errors.Is(err, syscall.EILSEQ) && runtime.GOOS == "darwin" {
				continue // APFS takes UTF-8 only
			}
			return fmt.Errorf("demo: %q: %w", odd.Path, err)
		}
	}
	return nil
}

func text(content string) func(context.Context, string) error {
	return func(_ context.Context, path string) error { return os.WriteFile(path, []byte(content), 0o644) }
}

func fixture(f Fixture) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		source, err := f.recipe.cached(ctx, about(strings.ToValidUTF8(filepath.Base(path), "?")))
		if err != nil {
			return err
		}
		return copyFile(source, path)
	}
}

var wholeFilm = fixture(H264MKV)

// truncated keeps one part of so many.
func truncated(f Fixture, part int64) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		if err := fixture(f)(ctx, path); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()/part)
	}
}

func truncatedTo(f Fixture, size int64) func(context.Context, string) error {
	return func(ctx context.Context, path string) error {
		return errors.Join(fixture(f)(ctx, path), os.Truncate(path, size))
	}
}

func linkOut(ctx context.Context, path string) error {
	target, err := Make(ctx, H264MKV)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, path); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
