package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/core/naming"
)

// tables returns the rows of all Markdown tables in a file whose header's first column matches.
func tables(t *testing.T, file, header string) (rows [][2]string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	within := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		switch {
		case !strings.HasPrefix(line, "|"):
			within = false
		case !within && regexp.MustCompile(header).MatchString(cells[0]):
			within = true
		case within && len(cells) == 2 && !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, [2]string{strings.Trim(cells[0], "` "), strings.TrimSpace(cells[1])})
		}
	}
	return rows
}

func TestNamesInTheDocumentationAreReadAsItSays(t *testing.T) {
	rows := tables(t, "../../docs/getting-started.md", `^file$`)
	if len(rows) < 15 {
		t.Fatalf("only %d examples were found", len(rows))
	}
	paths := make([]string, len(rows))
	for i, row := range rows {
		paths[i] = row[0]
	}
	set, got := naming.Group(paths), map[string]string{}
	for _, m := range set.Movies {
		title := fmt.Sprintf("%s (%d)", m.Title, m.Year)
		for _, v := range m.Versions {
			for n, p := range v.Parts {
				said := title
				if v.Label != "" {
					said += fmt.Sprintf(", version %q", v.Label)
				}
				if len(v.Parts) > 1 {
					said += fmt.Sprintf(", part %d", n+1)
				}
				if m.TMDbID > 0 {
					said += fmt.Sprintf(", tmdb %d", m.TMDbID)
				}
				if m.IMDbID != "" {
					said += ", imdb " + m.IMDbID
				}
				got[p] = said
			}
		}
		for _, e := range m.Extras {
			got[e.Path] = title + ", extra: " + e.Kind
			if e.Kind == "sample" {
				got[e.Path] = "left out"
			}
			if e.Title != "" {
				got[e.Path] += fmt.Sprintf(" %q", e.Title)
			}
		}
	}
	for _, row := range rows {
		if got[row[0]] != row[1] {
			t.Errorf("%s\n  is said to be %s\n  but is        %s", row[0], row[1], got[row[0]])
		}
	}
}

func TestSubtitleNamesInTheDocumentationAreReadAsItSays(t *testing.T) {
	rows := tables(t, "../../docs/getting-started.md", `^subtitle of`)
	if len(rows) < 5 {
		t.Fatalf("only %d examples were found", len(rows))
	}
	for _, row := range rows {
		s, ok := naming.ParseSidecar("Nosferatu (1922).mkv", row[0])
		said := s.Language
		if said == "" {
			said = "no language"
		}
		for _, flag := range []struct {
			set  bool
			text string
		}{{s.Forced, "forced"}, {s.Default, "default"}, {s.HearingImpaired, "for the hearing impaired"}, {s.Title != "", fmt.Sprintf("%q", s.Title)}} {
			if flag.set {
				said += ", " + flag.text
			}
		}
		if !ok || said != row[1] {
			t.Errorf("%s is said to be %s, but is %s", row[0], row[1], said)
		}
	}
}

func TestTheReferencesAreWhatTheProgramPrints(t *testing.T) {
	t.Parallel()
	written, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if printed := ok(t, t.TempDir(), "", "config", "reference"); printed != string(written) {
		t.Error("docs/configuration.md is not what the program prints: run \"just generate\" and look at the difference")
	}
	metrics, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if printed := ok(t, t.TempDir(), "", "metrics"); printed != string(metrics) {
		t.Error("docs/metrics.md is not what the program prints: run \"just generate\" and look at the difference")
	}
	described, err := os.ReadFile("../httpd/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if printed := ok(t, t.TempDir(), "", "openapi"); printed != string(described) {
		t.Error("hosts/httpd/openapi.json is not what the program prints: run \"just generate\" and look at the difference")
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksInTheDocumentationLeadSomewhere(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			at := file
			if target != "" {
				at = filepath.Join(filepath.Dir(file), target)
			}
			text, err := os.ReadFile(at)
			if info, statErr := os.Stat(at); statErr != nil || err != nil && !info.IsDir() {
				t.Errorf("%s links to %s: %v", file, m[1], statErr)
				continue
			}
			if anchor != "" && !strings.Contains(strings.ToLower(string(text)), "# "+strings.ReplaceAll(anchor, "-", " ")) {
				t.Errorf("%s links to %s, and there is no such heading", file, m[1])
			}
		}
	}
}
