package demo_test

import (
	"context"
	"crypto/sha256"
	"encoding/xml"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/revenge-media/revenge/testkit/demo"
)

func TestLibraryHasFilmsAndOdditiesAndNoTwoFilmsAlike(t *testing.T) {
	t.Parallel()
	folder := demo.TestLibrary(t)
	contents := map[[32]byte]string{}
	films, named, long := 0, 0, 0
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if !utf8.ValidString(path) {
			named++
		}
		if len(entry.Name()) >= 190 && len(entry.Name()) <= 210 {
			long++
		}
		if extension := filepath.Ext(path); entry.Type().IsRegular() && strings.Contains(".mkv.mp4.webm", extension) && !strings.Contains(path, "/Odd/") {
			films++
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			sum := sha256.Sum256(text)
			require.Empty(t, contents[sum], "%s has the bytes of another film", path)
			contents[sum] = path
		}
		return nil
	}))
	require.Equal(t, 17, films)
	require.Equal(t, []int{1, 1}, []int{named, long})
	for _, odd := range demo.Oddities() {
		_, err := os.Lstat(filepath.Join(folder, odd.Path))
		require.NoError(t, err, odd.About)
		if odd.Playable {
			require.NotEmpty(t, probe(t, filepath.Join(folder, odd.Path)).Streams, odd.About)
		}
	}
	link, err := os.Readlink(filepath.Join(folder, "Odd/Link (1998).mkv"))
	require.NoError(t, err)
	require.False(t, strings.HasPrefix(link, folder))
}

func TestFactsBesideAFilmAreKodisXML(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(demo.TestLibrary(t), "Nosferatu (1922)", "movie.nfo"))
	require.NoError(t, err)
	var movie struct {
		XMLName xml.Name `xml:"movie"`
		Year    int      `xml:"year"`
		IDs     []struct {
			Type string `xml:"type,attr"`
			ID   string `xml:",chardata"`
		} `xml:"uniqueid"`
		Actors []struct{ Name, Role string } `xml:"actor"`
		Rating float64                       `xml:"ratings>rating>value"`
	}
	require.NoError(t, xml.Unmarshal(text, &movie))
	require.Equal(t, 1922, movie.Year)
	require.Equal(t, "tt0013442", movie.IDs[0].ID)
	require.Len(t, movie.Actors, 5)
	require.InDelta(t, 7.8, movie.Rating, 0.001)
}

func TestLibraryIsMadeOnceAndNeverOverOtherFiles(t *testing.T) {
	t.Parallel()
	demo.File(t, demo.H264AAC) // skips without ffmpeg
	folder := filepath.Join(t.TempDir(), "films")
	made := 0
	options := demo.Options{Small: true, Progress: func(_, _ int, _ string) { made++ }}
	require.NoError(t, demo.Library(t.Context(), folder, options))
	require.Equal(t, 17, made)
	require.NoError(t, demo.Library(t.Context(), folder, options))
	require.Equal(t, 17, made, "a finished library is left alone")

	own := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(own, "mine.txt"), nil, 0o600))
	require.ErrorContains(t, demo.Library(t.Context(), own, options), "holds other files")
	require.FileExists(t, filepath.Join(own, "mine.txt"))
}

func TestCancelledLibraryLeavesNothing(t *testing.T) {
	t.Parallel()
	demo.File(t, demo.H264AAC) // skips without ffmpeg
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	err := demo.Library(ctx, filepath.Join(parent, "films"), demo.Options{Progress: func(done, _ int, _ string) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestCopyMayBeChangedWithoutTouchingTheSharedFixture(t *testing.T) {
	t.Parallel()
	shared, err := os.ReadFile(demo.File(t, demo.H264AAC))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "folder", "film.mp4")
	demo.Copy(t, demo.H264AAC, path)
	require.NoError(t, os.Truncate(path, 10))
	again, err := os.ReadFile(demo.File(t, demo.H264AAC))
	require.NoError(t, err)
	require.Equal(t, len(shared), len(again))
}
