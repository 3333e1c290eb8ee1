package cli_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/testkit/demo"
	"github.com/revenge-media/revenge/testkit/world"
)

// homeOn is a fresh home on an engine.
func homeOn(t *testing.T, engine string, environ ...string) home {
	t.Helper()
	if engine == "sqlite" {
		return onSQLite(t, environ...)
	}
	return home{t.TempDir(), sqlstoretest.PostgresDSN(t, false), environ}
}

// bytesOf reads an address below /api/v1 as it is.
func bytesOf(t *testing.T, s *served, token, path string) []byte {
	t.Helper()
	answer, body := s.do(t, http.MethodGet, "/api/v1"+path, token, nil)
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", path, answer.StatusCode, body)
	}
	return body
}

// failing runs a command that must end with 1, and returns what it says.
func (h home) failing(t *testing.T, args ...string) string {
	t.Helper()
	p := h.launch(t, "", args...)
	if code := p.exit(t); code != 1 {
		t.Fatalf("%v ended with %d: %s%s", args, code, p.stdout, p.stderr)
	}
	return p.stderr.String()
}

// says is what the API tells an account, by path.
func says(t *testing.T, s *served, token string, paths []string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, path := range paths {
		all[path] = get[any](t, s, token, path)
	}
	return all
}

// TestR18ABackupRestoresOnAnEmptyHost backs a server up while it is used and restores that on an empty host of either database: the password and the
// second factor sign in, secrets open, ids, films, history, settings and pictures of people are what they were.
func TestR18ABackupRestoresOnAnEmptyHost(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run("of "+engine, func(t *testing.T) {
			t.Parallel()
			films := t.TempDir()
			world.Film(t, films, "Freaks (1932)", demo.H264MKV)
			world.Film(t, films, "Häxan (1922)", demo.H264MKV)
			settled(t, films)
			h := homeOn(t, engine, "REVENGE_SCAN_FRAMES=false")
			h.owner(t)
			p := h.start(t, films)
			ann := p.login(t, "ann")
			token := ann.AccessToken
			p.scanned(t, token)
			ask := func(method, path string, body any) []byte {
				t.Helper()
				answer, text := p.do(t, method, "/api/v1"+path, token, body)
				if answer.StatusCode >= 300 {
					t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
				}
				return text
			}
			movies := get[domain.Page[domain.MovieItem]](t, &p.served, token, "/movies").Items
			if len(movies) != 2 {
				t.Fatalf("%d films", len(movies))
			}
			ask(http.MethodPost, "/movies/"+movies[0].ID.String()+"/progress", map[string]any{"position": 4, "duration": 20})
			ask(http.MethodPost, "/movies/"+movies[1].ID.String()+"/watched", nil)
			ask(http.MethodPatch, "/users/me/preferences", map[string]any{"language": "de"})
			ask(http.MethodPatch, "/admin/settings", map[string]any{"values": map[string]any{"mail.password": "a sealed one", "server.name": "Kino <3"}})
			showFace(t, &p.served, token)
			var setup httpd.TOTPSetup
			if err := json.Unmarshal(ask(http.MethodPost, "/mfa/totp/setup", nil), &setup); err != nil {
				t.Fatal(err)
			}
			ask(http.MethodPost, "/mfa/totp/verify", map[string]any{"code": codeAt(t, setup.Secret, time.Now())})

			paths := []string{"/movies?limit=100", "/movies/watch-history", "/movies/continue-watching", "/users/me/preferences", "/libraries", "/settings"}
			for _, m := range movies {
				paths = append(paths, "/movies/"+m.ID.String(), "/movies/"+m.ID.String()+"/files", "/movies/"+m.ID.String()+"/progress")
			}
			picture := "/users/" + ann.User.ID.String() + "/avatar"
			archive := filepath.Join(t.TempDir(), "evening.revenge-backup")
			if said := h.do(t, "", "backup", "create", archive); !strings.Contains(said, archive) {
				t.Errorf("it says %q", said)
			}
			want, face := says(t, &p.served, token, paths), bytesOf(t, &p.served, token, picture)
			if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the archive: %v %v", info.Mode(), err)
			}
			p.kill()

			for _, other := range []string{"sqlite", "postgres"} {
				t.Run("to "+other, func(t *testing.T) {
					t.Parallel()
					to := homeOn(t, other, "REVENGE_SCAN_FRAMES=false", "REVENGE_SCAN_WATCH=false")
					to.dir = filepath.Join(to.dir, "new", "data")
					if other == "sqlite" {
						to.dsn = "sqlite:" + filepath.Join(to.dir, "revenge.db")
					}
					to.do(t, "", "backup", "verify", archive)
					to.do(t, "", "restore", archive)
					if again := to.failing(t, "restore", archive); !strings.Contains(again, "empty") {
						t.Errorf("a second restore says %q", again)
					}
					if n := to.opened(t, "a sealed one"); n < 3 {
						t.Errorf("%d sealed values", n)
					}
					r := to.start(t)
					if answer, _ := r.do(t, http.MethodGet, "/api/v1/users/me", token, nil); answer.StatusCode != http.StatusUnauthorized {
						t.Errorf("a session from before lives on: %d", answer.StatusCode)
					}
					in := r.login(t, "ann")
					if in.Challenge == nil || in.AccessToken != "" {
						t.Fatalf("no second factor is asked for: %+v", in)
					}
					// The step of the last code was used; the next one's is accepted ahead of time.
					answer, body := r.do(t, http.MethodPost, "/api/v1/auth/mfa/verify", "", map[string]any{
						"token": in.Challenge.Token, "method": "totp", "code": codeAt(t, setup.Secret, time.Now().Add(30*time.Second)),
					})
					if err := json.Unmarshal(body, &in); err != nil || answer.StatusCode != http.StatusOK {
						t.Fatalf("the second factor: %d %s", answer.StatusCode, body)
					}
					for path, was := range want {
						if lost := missingFrom(get[any](t, &r.served, in.AccessToken, path), was, ""); lost != "" {
							t.Errorf("%s: %s", path, lost)
						}
					}
					if got := bytesOf(t, &r.served, in.AccessToken, picture); !bytes.Equal(got, face) {
						t.Errorf("the avatar has %d bytes and had %d", len(got), len(face))
					}
					if _, body := r.do(t, http.MethodPost, "/api/v1/movies/"+movies[0].ID.String()+"/watched", in.AccessToken, nil); bytes.Contains(body, []byte("problem")) {
						t.Errorf("watching goes on with %s", body)
					}
					r.kill()
					s := to.database(t)
					defer s.Close()
					sound(t, s.ReadDB(), s.Pool() != nil)
				})
			}
		})
	}
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// showFace gives an account a picture.
func showFace(t *testing.T, s *served, token string) {
	t.Helper()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/users/me/avatar", &picture)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "image/png")
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode >= 300 {
		t.Fatalf("the avatar: %d %s, %v", answer.StatusCode, body, err)
	}
}

// TestADamagedBackupIsRefusedAndNothingIsTouched spoils an archive in every way that a disk or a person may.
func TestADamagedBackupIsRefusedAndNothingIsTouched(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	h.owner(t)
	folder := t.TempDir()
	archive := filepath.Join(folder, "whole.revenge-backup")
	h.do(t, "", "backup", "create", archive)
	whole, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := map[string][]byte{
		"empty": {}, "no archive": []byte("films"), "half": whole[:len(whole)/2], "without its end": whole[:len(whole)-9], "with more": append(slices.Clone(whole), whole...),
	}
	for _, at := range []int{12, len(whole) / 3, len(whole) * 2 / 3, len(whole) - 6} {
		flipped := slices.Clone(whole)
		flipped[at] ^= 0x10
		spoiled["with another byte at "+string(rune('a'+at%26))] = flipped
	}
	// What gzip and tar find nothing wrong with is told by the manifest.
	users := "tables/users/00000001.jsonl"
	for name, edit := range map[string]func(member string, data []byte) (string, []byte){
		"with a row less": func(m string, d []byte) (string, []byte) { return m, iff(m == users, nil, d) },
		"with another row": func(m string, d []byte) (string, []byte) {
			return m, bytes.ReplaceAll(d, []byte(`"ann"`), []byte(`"eve"`))
		},
		"with a member elsewhere": func(m string, d []byte) (string, []byte) {
			return strings.Replace(m, "tables/users", "../../tables/users", 1), d
		},
		"with another key":   func(m string, d []byte) (string, []byte) { return m, iff(m == "secret.key", []byte(sealingKey), d) },
		"without a key":      func(m string, d []byte) (string, []byte) { return iff(m == "secret.key", "", m), d },
		"without a manifest": func(m string, d []byte) (string, []byte) { return iff(m == "manifest.json", "", m), d },
		"of another schema": func(m string, d []byte) (string, []byte) {
			return m, iff(m == "backup.json", bytes.Replace(d, []byte(`"schema":1`), []byte(`"schema":2`), 1), d)
		},
	} {
		spoiled[name] = repacked(t, whole, edit)
	}
	for name, data := range spoiled {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "spoiled.revenge-backup")
			world.Write(t, file, data)
			to := onSQLite(t)
			to.dir = filepath.Join(to.dir, "data")
			to.dsn = "sqlite:" + filepath.Join(to.dir, "revenge.db")
			for _, command := range [][]string{{"backup", "verify", file}, {"restore", file}} {
				if said := to.failing(t, command...); !strings.Contains(said, "no whole backup") {
					t.Errorf("%v says %q", command, said)
				}
			}
			if _, err := os.Stat(to.dir); !os.IsNotExist(err) {
				t.Errorf("the data folder was made: %v", err)
			}
		})
	}
}

func iff[T any](when bool, then, otherwise T) T {
	if when {
		return then
	}
	return otherwise
}

// repacked is an archive whose members were edited; those without a name are left out.
func repacked(t *testing.T, whole []byte, edit func(member string, data []byte) (string, []byte)) []byte {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	from, to := tar.NewReader(plain), tar.NewWriter(packed)
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		data, err2 := io.ReadAll(from)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if h.Name, data = edit(h.Name, data); h.Name == "" {
			continue
		}
		h.Size = int64(len(data))
		if err := to.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(to.Close(), packed.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBackupsAreNamedKeptAndListed: those that the program names are kept as many as one says, others are left alone; a name is never taken twice.
func TestBackupsAreNamedKeptAndListed(t *testing.T) {
	t.Parallel()
	h := onSQLite(t)
	if said := h.failing(t, "backup", "create"); !strings.Contains(said, "There is no database") {
		t.Errorf("without a database it says %q", said)
	}
	h.owner(t)
	doctor := func(want string) {
		t.Helper()
		if said := h.do(t, "", "doctor"); !strings.Contains(said, want) {
			t.Errorf("doctor does not say %q:\n%s", want, said)
		}
	}
	doctor("missing  backup")
	folder := filepath.Join(h.dir, "backups")
	own := filepath.Join(folder, "own.revenge-backup")
	h.do(t, "", "backup", "create", own)
	if said := h.failing(t, "backup", "create", own); !strings.Contains(said, "already") {
		t.Errorf("for a taken name it says %q", said)
	}
	for range 3 {
		h.do(t, "", "backup", "create", "--keep", "2")
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 3 {
		t.Errorf("there are %v, %v", files, err)
	}
	world.Write(t, filepath.Join(folder, "zzz.revenge-backup"), []byte("spoiled"))
	if said := h.do(t, "", "backup", "list"); strings.Count(said, "\n") != 5 || strings.Count(said, "sqlite") != 3 || strings.Count(said, "damaged") != 1 {
		t.Errorf("the list is\n%s", said)
	}
	doctor("ok       backup")
	if said := h.failing(t, "restore", own); !strings.Contains(said, "empty") {
		t.Errorf("restoring over a server's data says %q", said)
	}
}

// TestAnUpgradeIsBackedUpFirstOrNotMade: the way back exists before the schema changes (R17); where it cannot be made nothing changes.
func TestAnUpgradeIsBackedUpFirstOrNotMade(t *testing.T) {
	t.Parallel()
	var left landed
	readRecord(t, "testdata/schema-4.json.gz", &left)
	onEither(t, func(t *testing.T, h home) {
		world.Write(t, filepath.Join(h.dir, "secret.key"), []byte(sealingKey))
		restore(t, h, left)
		world.Write(t, filepath.Join(h.dir, "taken"), []byte("a file is no folder"))
		blocked := h
		blocked.environ = append(slices.Clone(h.environ), "REVENGE_BACKUP_DIR="+filepath.Join(h.dir, "taken"))
		if said := blocked.failing(t, "migrate"); !strings.Contains(said, "not changed") {
			t.Errorf("without a backup it says %q", said)
		}
		s := h.database(t)
		if n, err := s.SchemaVersion(t.Context()); err != nil || n != left.Schema {
			t.Errorf("then the schema is %d, %v", n, err)
		}
		s.Close()
		h.do(t, "", "migrate")
		archives, err := filepath.Glob(filepath.Join(h.dir, "backups", "*-upgrade.revenge-backup"))
		if err != nil || len(archives) != 1 {
			t.Fatalf("there are %v, %v", archives, err)
		}
		if said := h.do(t, "", "backup", "verify", archives[0]); !strings.Contains(said, "schema 4,") {
			t.Errorf("the backup is: %s", said)
		}
		back := onSQLite(t, "REVENGE_SCAN_WATCH=false") // what is restored is migrated, by this version
		back.dir = filepath.Join(back.dir, "back")
		back.dsn = "sqlite:" + filepath.Join(back.dir, "revenge.db")
		back.do(t, "", "restore", archives[0])
		p := back.start(t)
		p.login(t, "vera")
		p.kill()
		if again, _ := filepath.Glob(filepath.Join(back.dir, "backups", "*")); len(again) != 0 {
			t.Errorf("a restore makes backups: %v", again)
		}
	}, "REVENGE_SCAN_WATCH=false")
}

// TestAKilledRestoreIsNeverServedAndGoesOn kills a restore on its way: a server refuses what it left, another backup too, and the same one goes on.
func TestAKilledRestoreIsNeverServedAndGoesOn(t *testing.T) {
	t.Parallel()
	from := onSQLite(t)
	from.owner(t)
	folder := t.TempDir()
	archive, other := filepath.Join(folder, "a.revenge-backup"), filepath.Join(folder, "b.revenge-backup")
	from.do(t, "", "backup", "create", archive)
	from.do(t, "", "backup", "create", other)
	onEither(t, func(t *testing.T, h home) {
		marker := filepath.Join(h.dir, "restore.incomplete")
		there := func() bool { _, err := os.Stat(marker); return err == nil }
		for try := 0; !there(); try++ { // it may end before it can be killed
			if try == 20 {
				t.Fatal("no restore could be killed on its way")
			}
			h = homeOn(t, iff(strings.HasPrefix(h.dsn, "sqlite"), "sqlite", "postgres"))
			marker = filepath.Join(h.dir, "restore.incomplete")
			p := h.launch(t, "", "restore", archive)
			world.Until(t, "the restore is on its way, or over", func() bool {
				select {
				case <-p.gone:
					return true
				default:
					return there()
				}
			})
			p.kill()
		}
		for _, command := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"migrate"}, {"restore", other}} {
			if said := h.failing(t, command...); !strings.Contains(said, "interrupted") {
				t.Errorf("%v says %q", command, said)
			}
		}
		h.do(t, "", "restore", archive)
		p := h.start(t)
		p.login(t, "ann")
	})
}
