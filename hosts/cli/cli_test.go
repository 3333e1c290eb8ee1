package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/core/naming"
	"github.com/revenge-media/revenge/hosts/cli"
	"github.com/revenge-media/revenge/testkit/world"
)

// environ leaves the metrics off, whose port is one for all.
var environ = []string{"REVENGE_METRICS_LISTEN=", "REVENGE_LOG_LEVEL=error"}

// result is how a run ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs the program to its end on a data folder.
func run(t *testing.T, dir, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := cli.Main(t.Context(), cli.Program{Args: append([]string{"--data-dir", dir}, args...), Environ: environ, Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr})
	return result{code, stdout.String(), stderr.String()}
}

// ok is run for what must succeed.
func ok(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	r := run(t, dir, stdin, args...)
	if r.code != 0 {
		t.Fatalf("%v ended with %d: %s%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// refused is run for what must fail and say this.
func refused(t *testing.T, code int, says, dir, stdin string, args ...string) {
	t.Helper()
	if r := run(t, dir, stdin, args...); r.code != code || !strings.Contains(r.stderr, says) {
		t.Errorf("%v ended with %d and not %d, or says no %q: %s%s", args, r.code, code, says, r.stdout, r.stderr)
	}
}

func TestNamesAreParsedALineEach(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := "Nosferatu (1922) {tmdb-653}/Nosferatu (1922) - 1080p.mkv\r\n\nDetour (1945)/Detour (1945)-trailer.mkv\nbad \xff name (1999).mkv\n"
	lines := strings.Split(strings.TrimSpace(ok(t, dir, in, "library", "parse", "--json")), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	var names [3]naming.Name
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &names[i]); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
	}
	if n := names[0]; n.Input != "Nosferatu (1922) {tmdb-653}/Nosferatu (1922) - 1080p.mkv" || n.Kind != naming.KindMovie || n.Title != "Nosferatu" || n.Year != 1922 || n.TMDbID != 653 || n.Resolution != "1080p" {
		t.Errorf("%+v", n)
	}
	if names[1].Kind != naming.KindExtra || names[1].Extra != "trailer" || names[2].Year != 1999 {
		t.Errorf("%+v", names[1:])
	}
	if text := ok(t, dir, in, "library", "parse"); !strings.Contains(text, "movie  Nosferatu  (1922)  1080p  tmdb: 653\n") || !strings.Contains(text, "extra: trailer") {
		t.Errorf("for a person: %s", text)
	}
	var set naming.Set
	sets := ok(t, dir, `["Sunrise (1927)/Sunrise (1927) cd1.avi","Sunrise (1927)/Sunrise (1927) cd2.avi","Sunrise (1927)/Sunrise (1927)-trailer.avi"]`+"\n", "library", "parse", "--sets")
	if err := json.Unmarshal([]byte(sets), &set); err != nil || len(set.Movies) != 1 || len(set.Movies[0].Versions) != 1 || len(set.Movies[0].Versions[0].Parts) != 2 || len(set.Movies[0].Extras) != 1 {
		t.Errorf("%s: %v", sets, err)
	}
	refused(t, 1, "parse.not_a_list", dir, "no list\n", "library", "parse", "--sets")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("parsing touched the data folder: %v %v", entries, err)
	}
}

func TestWrongUsageEndsWithTwo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	refused(t, 2, "--loud", dir, "", "serve", "--loud")
	refused(t, 2, "unexpected argument", dir, "", "dance")
	refused(t, 2, "revenge --help", dir, "", "library", "add")
	if help := ok(t, dir, "", "--help"); !strings.Contains(help, "serve") || !strings.Contains(help, "doctor") {
		t.Errorf("the help is %s", help)
	}
	if version := ok(t, dir, "", "version"); !strings.HasPrefix(version, "revenge ") {
		t.Errorf("the version is %s", version)
	}
}

func TestThePrintedConfigurationIsReadAgainAndHidesPasswords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	program := cli.Program{Args: []string{"--data-dir", dir, "config", "print"}, Environ: append([]string{"REVENGE_DATABASE=postgres://ann:hunter2@db/films", "REVENGE_SCAN_EVERY=3h"}, environ...), Stdout: &stdout, Stderr: &stderr}
	if code := cli.Main(t.Context(), program); code != 0 {
		t.Fatal(stderr.String())
	}
	whole := stdout.String()
	file := filepath.Join(dir, "revenge.yaml")
	world.Write(t, file, []byte(whole))
	if again := ok(t, dir, "", "--config", file, "config", "print"); !strings.Contains(again, "hunter2") || !strings.Contains(again, "every: 3h0m0s") {
		t.Errorf("read again it is %s", again)
	}
	if hidden := ok(t, dir, "", "--config", file, "config", "print", "--redact"); strings.Contains(hidden, "hunter2") || !strings.Contains(hidden, "db/films") {
		t.Errorf("redacted it is %s", hidden)
	}
	world.Write(t, file, []byte("lissten: \":1\"\n"))
	refused(t, 1, "lissten", dir, "", "--config", file, "config", "print")
	refused(t, 1, "config.no_file", dir, "", "--config", file+"x", "config", "print")
	program.Environ = []string{"REVENGE_LISSTEN=:1"}
	stderr.Reset()
	if code := cli.Main(t.Context(), program); code != 1 || !strings.Contains(stderr.String(), "REVENGE_LISSTEN") {
		t.Errorf("an unknown variable ends with %d: %s", code, stderr.String())
	}
}

func TestTheHostMakesTheOwnerOrTheCodeForOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if text := ok(t, dir, "", "migrate"); !strings.Contains(text, "up to date") {
		t.Errorf("migrate says %s", text)
	}
	first, second := ok(t, dir, "", "admin", "claim-code"), ok(t, dir, "", "admin", "claim-code")
	if len(strings.TrimSpace(first)) < 26 || first == second {
		t.Errorf("the codes are %q and %q", first, second)
	}
	refused(t, 1, "user.invalid", dir, "short\n", "admin", "user", "create", "--admin", "ann")
	refused(t, 1, "user.no_password", dir, "", "admin", "user", "create", "--admin", "ann")
	if text := ok(t, dir, world.Password+"\r\n", "admin", "user", "create", "--admin", "--email", "ann@example.org", "ann"); !strings.Contains(text, "Created ann") {
		t.Errorf("create says %s", text)
	}
	refused(t, 1, "user.username_taken", dir, world.Password+"\n", "admin", "user", "create", "ANN")
	refused(t, 1, "setup.done", dir, "", "admin", "claim-code")
}

func TestKeysAreMadeAndRevokedFromTheHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, dir, world.Password+"\n", "admin", "user", "create", "ann")
	refused(t, 1, "apikey.scope_not_allowed", dir, "", "admin", "key", "create", "ann", "too much", "-p", "settings.manage")
	refused(t, 1, "apikey.bad_expiry", dir, "", "admin", "key", "create", "ann", "dead", "-p", "library.read", "--expires-in=-1")
	refused(t, 1, "user.not_found", dir, "", "admin", "key", "list", "bert")
	key := strings.TrimSpace(ok(t, dir, "", "admin", "key", "create", "ann", "Radarr", "-p", "library.read", "-p", "playback.use", "--expires-in", "30"))
	if !strings.HasPrefix(key, "rvg_") || len(key) != 55 {
		t.Errorf("the key is %q", key)
	}
	list := strings.Split(ok(t, dir, "", "admin", "key", "list", "ann"), "\n")
	if len(list) != 3 || !strings.Contains(strings.Join(strings.Fields(list[1]), " "), key[:12]+" Radarr library.read,playback.use never 20") || strings.Contains(list[1], key) {
		t.Fatalf("the list is %q", list)
	}
	id, _, _ := strings.Cut(list[1], " ")
	refused(t, 1, "api_key.bad_id", dir, "", "admin", "key", "revoke", "Radarr")
	ok(t, dir, "", "admin", "key", "revoke", id)
	refused(t, 1, "api_key.not_found", dir, "", "admin", "key", "revoke", id)
}

func TestLibrariesAreAddedAndQueuedFromTheHost(t *testing.T) {
	t.Parallel()
	dir, films := t.TempDir(), filepath.Join(t.TempDir(), "films")
	if err := os.MkdirAll(filepath.Join(films, "deeper"), 0o755); err != nil {
		t.Fatal(err)
	}
	refused(t, 1, "There is no folder", dir, "", "library", "add", films+"x")
	if text := ok(t, dir, "", "library", "add", "--name", "Our films", films); !strings.Contains(text, `"Our films"`) {
		t.Errorf("add says %s", text)
	}
	refused(t, 1, "library.path_overlaps", dir, "", "library", "add", filepath.Join(films, "deeper"))
	refused(t, 1, "library.not_found", dir, "", "library", "scan", "nothing")
	if r := run(t, dir, "", "library", "scan", "our films"); r.code != 0 && !strings.Contains(r.stderr, "scan") {
		t.Errorf("scan ends with %d: %s", r.code, r.stderr)
	}
	healthy := run(t, dir, "", "doctor")
	if healthy.code != 0 || !strings.Contains(healthy.stdout, "Our films") || !strings.Contains(healthy.stdout, "schema version") {
		t.Errorf("doctor ends with %d: %s%s", healthy.code, healthy.stdout, healthy.stderr)
	}
	if err := os.RemoveAll(films); err != nil {
		t.Fatal(err)
	}
	if sick := run(t, dir, "", "doctor"); sick.code != 1 || !strings.Contains(sick.stdout, "broken   library") {
		t.Errorf("without the folder doctor ends with %d: %s%s", sick.code, sick.stdout, sick.stderr)
	}
}

func TestWhatCannotBeOpenedIsSaidAndLeftAlone(t *testing.T) {
	t.Parallel()
	t.Run("another secret key", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		ok(t, dir, "", "migrate")
		key := filepath.Join(dir, "secret.key")
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("the key: %v %v", info, err)
		}
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		refused(t, 1, "secrets.wrong_key", dir, "", "serve", "--listen", "127.0.0.1:0")
		world.Write(t, key, []byte("not base64 at all\n"))
		refused(t, 1, "secrets.key_file", dir, "", "serve", "--listen", "127.0.0.1:0")
		if sick := run(t, dir, "", "doctor"); sick.code != 1 || !strings.Contains(sick.stdout, "secret key") {
			t.Errorf("doctor ends with %d: %s%s", sick.code, sick.stdout, sick.stderr)
		}
	})
	t.Run("a newer schema", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		ok(t, dir, "", "migrate")
		s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: "sqlite:" + filepath.Join(dir, "revenge.db")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.SQLDB().ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		refused(t, 1, "store.schema_newer", dir, "", "serve", "--listen", "127.0.0.1:0")
		refused(t, 1, "store.schema_newer", dir, "", "migrate")
	})
	t.Run("a data folder that is a file", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "file")
		world.Write(t, dir, nil)
		refused(t, 1, "assemble.data_dir", dir, "", "migrate")
	})
}
