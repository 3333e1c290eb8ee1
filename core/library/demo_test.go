package library_test

import (
	"os"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/adapters/cmaf"
	"github.com/revenge-media/revenge/adapters/ffmpeg"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/testkit/demo"
)

// TestRealFilesAreReadAndOddOnesGetAReason scans what real folders hold with the readers that read it.
func TestRealFilesAreReadAndOddOnesGetAReason(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes films with ffmpeg")
	}
	folder := demo.TestLibrary(t)
	tools, err := ffmpeg.Open(ffmpeg.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.deps.Packager, w.deps.Prober, w.deps.Settle = cmaf.New(cmaf.Config{}), tools, 1
	w.Service = library.New(w.deps)
	w.scan()
	w.library, err = w.Create(t.Context(), owner, library.Draft{Name: "Demo", Paths: []string{folder}, Open: true})
	w.must(err)
	scan := w.scan()
	if scan.State != domain.ScanDone || scan.Read != scan.ReadTotal || scan.Matched < 12 {
		t.Fatalf("got %+v", scan)
	}
	known := w.files()
	odd := map[string]bool{}
	for _, o := range demo.Oddities() {
		odd[o.Path] = true
		f, ok := known[o.Path]
		switch {
		case !ok && o.Playable:
			t.Errorf("%q is not known", o.Path)
		case ok && f.State == domain.FileReady && strings.Contains(o.Path, "Unreadable") && os.Geteuid() == 0: // root reads everything
		case ok && (f.State == domain.FileReady) != o.Playable:
			t.Errorf("%s (%s) is %s: %s %s", f.Path, o.About, f.State, f.ReasonCode, f.Reason)
		case ok && f.State != domain.FileReady:
			t.Logf("%s: %s: %s", f.Path, f.ReasonCode, f.Reason)
		}
	}
	for raw, f := range known {
		if !odd[raw] && f.State != domain.FileReady && f.State != domain.FileUnsupported && f.State != domain.FileIgnored {
			t.Errorf("%s is %s: %s %s", f.Path, f.State, f.ReasonCode, f.Reason)
		}
	}
	films := w.films()
	if general, charade := films["The General (1926)"], films["Charade (1963)"]; len(general) != 2 || len(charade) != 3 {
		t.Errorf("got %q and %q", general, charade)
	}
}
