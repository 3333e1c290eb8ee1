package revenge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/revenge-media/revenge"

// A rule says what the packages of one layer may import. The first rule that matches a package is its rule; a package
// that none matches has no place in the tree, which is an error too.
//
// A pattern is a folder of this module ("core/..." is the folder and all below it, "ports/*" its direct children) or,
// for what lies outside the module, an import path in the same notation; "std" is the whole standard library.
type rule struct {
	packages []string
	allow    []string // nil allows everything
	deny     []string // wins over allow
	because  string
}

// What a decision may not touch: the network's server side, databases and the disk. net/url, net/netip, io and io/fs
// are values and interfaces, and stay allowed.
var inputAndOutput = []string{"net", "net/http/...", "net/smtp", "net/rpc/...", "database/sql/...", "os/...", "io/ioutil", "syscall", "plugin", "unsafe"}

var rules = []rule{
	{
		packages: []string{"core/domain/...", "core/fault/..."},
		allow:    []string{"std", "core/domain/...", "core/fault/...", "github.com/google/uuid"}, deny: inputAndOutput,
		because: "the nouns and errors are leaves: everything depends on them",
	},
	{
		packages: []string{"ports/..."},
		allow:    []string{"std", "core/domain/...", "core/fault/...", "ports/...", "github.com/google/uuid"}, deny: inputAndOutput,
		because: "a port states what the core needs in the core's own words",
	},
	{
		packages: []string{"core/..."},
		// golang.org/x/text and x/sync are the Go project's own tables and calculations, and no vendor's.
		allow: []string{"std", "core/...", "ports/...", "github.com/google/uuid", "golang.org/x/text/...", "golang.org/x/sync/..."}, deny: inputAndOutput,
		because: "the core decides; who reads, writes or sends for it is an adapter's business",
	},
	{
		packages: []string{"adapters/..."},
		deny: []string{"core", "core/account/...", "core/access/...", "core/activity/...", "core/apikey/...", "core/auth/...", "core/caching/...",
			"core/health/...", "core/identity/...", "core/images/...", "core/library/...", "core/metadata/...", "core/mfa/...", "core/movie/...",
			"core/naming/...", "core/playback/...", "core/radarr/...", "core/search/...", "core/session/...", "core/settings/...", "core/tasks/...",
			"hosts/...", "testkit/world/...", "web/..."},
		because: "an adapter knows one product and the port that it serves, and may be replaced without the core noticing",
	},
	{packages: []string{"hosts/...", "testkit/world/...", "examples/...", "bench/...", "deploy/...", "."}, because: "a host assembles everything"},
	{
		packages: []string{"testkit/..."}, deny: []string{"adapters/...", "hosts/...", "testkit/world/..."},
		because: "a conformance suite must run on an adapter that it has never heard of",
	},
	{
		packages: []string{"migrations/...", "web/...", "scripts/..."}, allow: []string{"std"},
		because: "these carry files and know nobody",
	},
}

func (r rule) violation(importer, imported string) string {
	if matchesAny(r.deny, imported) || (r.allow != nil && !matchesAny(r.allow, imported)) {
		return fmt.Sprintf("%s imports %s: %s", importer, imported, r.because)
	}
	if product := adapterProduct(importer); product != "" && adapterProduct(imported) != "" && adapterProduct(imported) != product {
		return fmt.Sprintf("%s imports %s: an adapter never imports another adapter", importer, imported)
	}
	// What an adapter may have of the core are the leaves; the list above names areas so that the message can say why.
	if adapterProduct(importer) != "" && strings.HasPrefix(imported, module+"/core") &&
		!matchesAny([]string{"core/domain/...", "core/fault/..."}, imported) {
		return fmt.Sprintf("%s imports %s: %s", importer, imported, r.because)
	}
	return ""
}

// adapterProduct is the adapter that a package belongs to: sqlstore for adapters/sqlstore/postgres.
func adapterProduct(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/adapters/")
	if !ok {
		return ""
	}
	product, _, _ := strings.Cut(rest, "/")
	return product
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, path) })
}

func matches(pattern, path string) bool {
	first, _, _ := strings.Cut(path, "/")
	standard := !strings.Contains(first, ".")
	if pattern == "std" {
		return standard
	}
	if own, ok := strings.CutPrefix(path, module); ok {
		path = strings.TrimPrefix(own, "/")
		if path == "" {
			path = "."
		}
	} else if isOurs(pattern) {
		return false
	}
	prefix, below := strings.CutSuffix(pattern, "/...")
	return path == prefix || (below && strings.HasPrefix(path, prefix+"/"))
}

// isOurs tells folders of this module from import paths outside of it.
func isOurs(pattern string) bool {
	first, _, _ := strings.Cut(pattern, "/")
	return slices.Contains([]string{".", "core", "ports", "adapters", "hosts", "testkit", "migrations", "web", "examples", "scripts"}, first)
}

func ruleFor(path string) (rule, bool) {
	for _, r := range rules {
		if matchesAny(r.packages, path) {
			return r, true
		}
	}
	return rule{}, false
}

// check gives the violations of one package.
func check(importer string, imports []string) (violations []string) {
	r, ok := ruleFor(importer)
	if !ok {
		return []string{importer + " lies in no layer: see the folders in the rules of this test"}
	}
	for _, imported := range imports {
		if imported == "C" {
			violations = append(violations, importer+" uses cgo: Revenge is pure Go")
		} else if violation := r.violation(importer, imported); violation != "" {
			violations = append(violations, violation)
		}
	}
	return violations
}

// dependOnSources reads every folder of the module, so that `go test` does not answer from its cache after a change
// that only the `go list` started here would see.
func dependOnSources(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		return err
	}))
}

func TestImportsPointInwards(t *testing.T) {
	t.Parallel()
	dependOnSources(t)
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	require.NoError(t, err, problems.String())
	packages := 0
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; packages++ {
		var p struct {
			ImportPath string
			Imports    []string // of what is built; tests may use more, as world and the suites do
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(p.ImportPath, "/node_modules/") {
			continue
		}
		for _, violation := range check(p.ImportPath, p.Imports) {
			t.Error(strings.ReplaceAll(violation, module+"/", ""))
		}
	}
	require.Greater(t, packages, 10, "go list found next to nothing")
}

func TestImportPolicyRefusesWhatItShould(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		importer, imported string
		allowed            bool
	}{
		{"core/domain", "github.com/google/uuid", true},
		{"core/domain", "time", true},
		{"core/domain", module + "/core/fault", true},
		{"core/domain", module + "/ports/store", false},
		{"core/domain", "golang.org/x/text/cases", false},
		{"core/fault", "net/http", false},
		{"ports/store", module + "/core/domain", true},
		{"ports/store", module + "/ports/jobs", true},
		{"ports/store", module + "/core/library", false},
		{"ports/store", "github.com/uptrace/bun", false},
		{"ports/files", "io/fs", true},
		{"ports/files", "os", false},
		{"core", module + "/ports/store", true},
		{"core/library", module + "/core/naming", true},
		{"core/library", module + "/adapters/osfiles", false},
		{"core/library", "net/http", false},
		{"core/library", "database/sql", false},
		{"core/library", "os", false},
		{"core/library", "os/exec", false},
		{"core/library", "net/netip", true},
		{"core/library", "golang.org/x/image/draw", false},
		{"core/naming", "golang.org/x/text/unicode/norm", true},
		{"adapters/sqlstore/postgres", module + "/adapters/sqlstore", true},
		{"adapters/sqlstore", module + "/adapters/riverjobs", false},
		{"adapters/tmdb", module + "/adapters/tmdbcache", false},
		{"adapters/sqlstore", module + "/core/domain", true},
		{"adapters/sqlstore", module + "/core/library", false},
		{"adapters/sqlstore", module + "/core/somethingnew", false},
		{"adapters/sqlstore", module + "/core", false},
		{"adapters/sqlstore", module + "/hosts/config", false},
		{"adapters/sqlstore", "database/sql", true},
		{"adapters/sqlstore", "C", false},
		{"testkit/storetest", module + "/ports/store", true},
		{"testkit/storetest", module + "/adapters/sqlstore", false},
		{"testkit/storetest", module + "/testkit/world", false},
		{"testkit/world", module + "/adapters/sqlstore", true},
		{"hosts/assemble", module + "/adapters/sqlstore", true},
		{"migrations", "embed", true},
		{"migrations", module + "/core/domain", false},
		{"corelike", "fmt", false},
	} {
		t.Run(test.importer+" imports "+strings.TrimPrefix(test.imported, module+"/"), func(t *testing.T) {
			t.Parallel()
			violations := check(module+"/"+test.importer, []string{test.imported})
			require.Equal(t, test.allowed, len(violations) == 0, violations)
		})
	}
}
