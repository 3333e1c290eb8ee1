// Package world gives tests a whole Core on real adapters in a temporary folder, with its jobs running, and a server in front of it.
// It is the one part of testkit that knows adapters and hosts.
package world

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/adapters/sqlstore/sqlstoretest"
	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/hosts/worker"
	"github.com/revenge-media/revenge/testkit/demo"
)

// Password is every account's.
const Password = "correct horse battery staple"

// Patience is how long the waiting methods wait: long beside what they wait for, so that a slow machine fails no test.
const Patience = 60 * time.Second

// Option changes the world that New makes.
type Option func(t testing.TB, s *settings)

type settings struct {
	config  config.Config
	options assemble.Options
	idle    bool
}

// Postgres keeps the data in a fresh PostgreSQL database; where REVENGE_TEST_POSTGRES names no server the test is skipped.
func Postgres() Option {
	return func(t testing.TB, s *settings) { s.config.Database = sqlstoretest.PostgresDSN(t, true) }
}

// Configure changes the configuration.
func Configure(change func(*config.Config)) Option {
	return func(_ testing.TB, s *settings) { change(&s.config) }
}

// Bring passes what an embedding program would.
func Bring(change func(*assemble.Options)) Option {
	return func(_ testing.TB, s *settings) { change(&s.options) }
}

// Idle leaves the jobs and the watch over folders alone: nothing happens but what the test does.
func Idle() Option { return func(_ testing.TB, s *settings) { s.idle = true } }

// World is a Core that works, on adapters as a household has them. Dir is its data folder.
type World struct {
	*core.Core
	App *assemble.App
	Dir string

	made     settings
	mu       sync.Mutex
	accounts map[string]Account
}

// Account is somebody signed in.
type Account struct {
	User    domain.User
	Session domain.Session
	Actor   domain.Actor
	Tokens  auth.Tokens
}

// New makes a world that ends with the test.
func New(t testing.TB, options ...Option) *World {
	t.Helper()
	s := settings{config: config.Default(), options: assemble.Options{Logger: slog.New(slog.DiscardHandler), Version: "test", Settle: time.Nanosecond}}
	s.config.DataDir, s.config.MetricsListen, s.config.Listen, s.config.Scan.Watch = t.TempDir(), "", "127.0.0.1:0", false
	for _, option := range options {
		option(t, &s)
	}
	return begin(t, s)
}

// Beside makes another instance of the same server: it shares database, key and clock with the world, and has a memory of its own.
func (w *World) Beside(t testing.TB) *World {
	t.Helper()
	s := w.made
	s.config.Database, s.config.SecretKeyFile, s.config.DataDir = w.App.Config.Database, w.App.Config.SecretKeyFile, t.TempDir()
	return begin(t, s)
}

func begin(t testing.TB, s settings) *World {
	t.Helper()
	app, err := assemble.Open(t.Context(), s.config, s.options)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{Core: app.Core, App: app, Dir: s.config.DataDir, made: s, accounts: map[string]Account{}}
	stop := func(context.Context) error { return nil }
	if !s.idle {
		work := worker.New(app.Core, worker.Config{Logger: app.Logger, Watch: app.Config.Scan.Watch})
		if err := work.Start(t.Context()); err != nil {
			t.Fatal(errors.Join(err, app.Close()))
		}
		stop = work.Stop
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := errors.Join(stop(ctx), app.Close()); err != nil {
			t.Errorf("the world ended badly: %v", err)
		}
	})
	return w
}

// Admin is an administrator, the same at each call.
func (w *World) Admin(t testing.TB) Account { return w.Account(t, "ann", domain.RoleAdmin) }

// User is an account with the role user, the same at each call.
func (w *World) User(t testing.TB) Account { return w.Account(t, "ulf", domain.RoleUser) }

// Account makes the account at the first call and returns the same one, signed in, at the others.
func (w *World) Account(t testing.TB, name string, roles ...domain.RoleName) Account {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, ok := w.accounts[name]; ok {
		return a
	}
	if _, err := w.Core.Account.Create(t.Context(), domain.SystemActor(), account.NewUser{Username: name, Password: Password, Roles: roles}); err != nil {
		t.Fatal(err)
	}
	w.accounts[name] = w.login(t, name)
	return w.accounts[name]
}

func (w *World) login(t testing.TB, name string) Account {
	t.Helper()
	outcome, err := w.Auth.Login(t.Context(), name, Password, domain.Client{IP: "127.0.0.1", UserAgent: "test"}, auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	in := outcome.SignedIn
	return Account{User: in.User, Session: in.Session, Actor: in.Actor, Tokens: in.Tokens}
}

// APIKey makes an account a key with these permissions and no limit that a test meets, and returns it with its text.
func (w *World) APIKey(t testing.TB, owner Account, permissions ...domain.Permission) (domain.APIKey, string) {
	t.Helper()
	plenty := apikey.MaxRequestsPerMinute
	k, text, err := w.App.Core.APIKeys.CreateFor(context.Background(), domain.SystemActor(), owner.User.Username,
		apikey.Draft{Name: "of a test", Permissions: permissions, RequestsPerMinute: &plenty})
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// Library adds a library of one folder, which is made where it is not there, open to everybody unless change says otherwise. Its first
// scan is on its way.
func (w *World) Library(t testing.TB, dir string, change ...func(*library.Draft)) domain.Library {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	draft := library.Draft{Name: filepath.Base(dir), Paths: []string{dir}, Open: true}
	for _, c := range change {
		c(&draft)
	}
	l, err := w.Core.Library.Create(t.Context(), domain.SystemActor(), draft)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ScanUntilDone waits for the scan that runs and returns it; where none does it starts one. A scan that fails fails the test.
func (w *World) ScanUntilDone(t testing.TB, id domain.ID) domain.Scan {
	t.Helper()
	system := domain.SystemActor()
	scan, err := w.Core.Library.CurrentScan(t.Context(), system, id)
	if err != nil || !scan.Active() {
		if scan, err = w.Core.Library.Scan(t.Context(), system, id); err != nil {
			t.Fatal(err)
		}
	}
	Until(t, "the scan ends", func() bool {
		if scan, err = w.Core.Library.GetScan(t.Context(), system, scan.ID); err != nil {
			t.Fatal(err)
		}
		return !scan.Active()
	})
	if scan.State != domain.ScanDone {
		t.Fatalf("the scan is %s: %s", scan.State, scan.Error)
	}
	return scan
}

// Movie returns the film with this title as the actor sees it.
func (w *World) Movie(t testing.TB, actor domain.Actor, title string) domain.Movie {
	t.Helper()
	page, err := w.Movies.List(t.Context(), actor, domain.MovieFilter{Query: title}, domain.PageRequest{Limit: domain.MaxPageSize})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range page.Items {
		if item.Title == title {
			m, err := w.Movies.Get(t.Context(), actor, item.ID)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatalf("there is no film %q", title)
	return domain.Movie{}
}

// Film puts a copy of a fixture into a library's folder as "Title (Year)/Title (Year).ext" and returns its path. Without ffmpeg, which makes the
// fixtures, the test is skipped.
func Film(t testing.TB, library, name string, fixture demo.Fixture) string {
	t.Helper()
	source, err := demo.Make(t.Context(), fixture)
	if errors.Is(err, demo.ErrNoFFmpeg) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(library, name, name+filepath.Ext(source))
	Write(t, path, data)
	return path
}

// Write writes a file and the folders above it.
func Write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Until asks again and again until the condition holds, and fails the test when it does not within Patience.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain until %s", Patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
