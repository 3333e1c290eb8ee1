// Package assemble chooses and opens the adapters that a Config names, wires a Core of them, and closes all in reverse order.
package assemble

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/revenge-media/revenge/adapters/aesgcm"
	"github.com/revenge-media/revenge/adapters/argon2"
	"github.com/revenge-media/revenge/adapters/astisub"
	"github.com/revenge-media/revenge/adapters/casbin"
	"github.com/revenge-media/revenge/adapters/cmaf"
	"github.com/revenge-media/revenge/adapters/diskblobs"
	"github.com/revenge-media/revenge/adapters/egress"
	"github.com/revenge-media/revenge/adapters/ffmpeg"
	"github.com/revenge-media/revenge/adapters/imaging"
	"github.com/revenge-media/revenge/adapters/jwt"
	"github.com/revenge-media/revenge/adapters/nfo"
	"github.com/revenge-media/revenge/adapters/oidcrp"
	"github.com/revenge-media/revenge/adapters/osfiles"
	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/adapters/smtp"
	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/adapters/totp"
	"github.com/revenge-media/revenge/adapters/webauthn"
	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/hosts/telemetry"
	"github.com/revenge-media/revenge/ports/locks"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/tokens"
)

// Options are what an embedding program brings along. Zero fields mean the built-in choice.
type Options struct {
	Logger *slog.Logger
	// Version is shown to clients.
	Version string
	// Metadata reads facts from files beside the films.
	Metadata metadata.LocalReader
	// Settle is how long a file must not change before it is read; 0 is 10 s.
	Settle time.Duration
	// Now is the clock.
	Now func() time.Time
	// MailRoots are the authorities that mail servers' certificates come from; nil is the system's.
	MailRoots *x509.CertPool
	// Tracing gets spans of requests, jobs and statements, and is closed with the App; nil traces nothing.
	Tracing *telemetry.Tracing
}

// App is a wired server that is not serving yet.
type App struct {
	Config     config.Config
	Core       *core.Core
	Logger     *slog.Logger
	Version    string
	Transcoder media.Transcoder
	// SchemaVersion is the database's, after migration.
	SchemaVersion int64

	// Locks are over all processes that share this one's cache server, else within this process.
	Locks locks.Locker

	database *sqlstore.Store
	outbound *telemetry.Outbound
	tracing  *telemetry.Tracing
	closers  []func() error
}

// Open opens everything and migrates the database. What was opened before a failure is closed again.
func Open(ctx context.Context, c config.Config, o Options) (app *App, err error) {
	c, err = config.Complete(c)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Version == "" {
		o.Version = "embedded"
	}
	if o.Metadata == nil {
		o.Metadata = nfo.New()
	}
	opening := &App{Config: c, Logger: o.Logger, Version: o.Version, outbound: telemetry.NewOutbound(), tracing: o.Tracing}
	app = opening
	defer func() {
		if err != nil {
			err = errors.Join(err, opening.Close()) // app is nil by then
		}
	}()
	app.closes(o.Tracing.Close)
	if err := unrestored(c); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "assemble.data_dir", "The data folder %s cannot be made. Choose another with --data-dir.", c.DataDir)
	}
	sealer, err := aesgcm.OpenFile(c.SecretKeyFile)
	if err != nil {
		return nil, err
	}
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	app.closes(func() error { stopListening(); return nil })

	shared, err := share(ctx, c, o)
	if err != nil {
		return nil, err
	}
	app.Locks = shared.locks
	app.closes(shared.close)
	database := sqlstore.Config{
		DSN: c.Database, Publisher: shared.bus, Logger: o.Logger, SlowQuery: c.Log.SlowQuery, BeforeMigration: beforeUpgrade(c, o),
		StatementTimeout: c.Postgres.StatementTimeout, ConnLifetime: c.Postgres.ConnLifetime, Tracer: o.Tracing.Tracer(),
	}
	_, embedded := sqliteFile(c)
	if !embedded {
		database.MaxConns = c.Postgres.MaxConns
	}
	store, err := sqlstore.Open(ctx, database)
	if err != nil {
		return nil, err
	}
	app.database = store
	app.closes(store.Close)
	if err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	if app.SchemaVersion, err = store.SchemaVersion(ctx); err != nil {
		return nil, err
	}
	queue, err := app.openJobs(ctx, c, o, store)
	if err != nil {
		return nil, err
	}
	cache, err := otter.Open(ctx, otter.Config{MaxBytes: uint64(c.Cache.Memory)}) //nolint:gosec // config has a least value
	if err != nil {
		return nil, err
	}
	blobs, err := diskblobs.Open(diskblobs.Config{Dir: c.CacheDir, MaxBytes: c.CacheSize})
	if err != nil {
		return nil, err
	}
	app.closeLater(blobs)
	transcoder, err := ffmpeg.Open(ffmpeg.Config{FFmpeg: c.FFmpeg.FFmpeg, FFprobe: c.FFmpeg.FFprobe, MaxProcesses: c.Encode.Processes})
	if err != nil {
		return nil, err
	}
	app.Transcoder = transcoder
	app.closeLater(transcoder)

	roles := access.KeptSource(store.Read().Roles, caching.Deps{Cache: cache, Shared: shared.cache, Logger: o.Logger})
	app.Core, err = core.New(ctx, core.Deps{
		Store: store, Jobs: queue, Cache: cache, Shared: shared.cache, Bus: shared.bus, Alone: embedded && shared.cache == nil, Blobs: blobs,
		Files: osfiles.NewTree(), Browser: osfiles.NewBrowser(), Watcher: osfiles.NewWatcher(osfiles.WatcherConfig{}),
		Packager: cmaf.New(cmaf.Config{}), Transcode: transcoder, Subtitles: astisub.New(), Metadata: o.Metadata, Pictures: imaging.New(),
		Sealer: sealer, Mail: smtp.New(smtp.Config{Roots: o.MailRoots}), Passwords: argon2.New(argon2.Config{}), Policy: casbin.New(casbin.Config{Source: roles}), Limiter: shared.limiter,
		Backups: backupsOf(c, o, store),
		Codes:   totp.Generator{}, Passkeys: webauthn.Ceremonies{},
		Parties: oidcrp.New(oidcrp.Config{Now: o.Now, Client: func(issuer *url.URL) *http.Client { return opening.outbound.Client("oidc", adminSet(issuer)) }}),
		Signer:  func(keys ...tokens.Key) (tokens.Signer, error) { return jwt.New(keys...) },
		Now:     o.Now, Logger: o.Logger,
		Limits: core.Limits{
			RescanEvery: c.Scan.Every, AccessTokenTTL: c.Auth.AccessTokenTTL, EncodesPerUser: c.Encode.PerUser, Encodes: c.Encode.Total, Settle: o.Settle,
			NoFrames: !c.Scan.Frames, BaseURL: c.BaseURL,
		},
	})
	if err != nil {
		return nil, err
	}
	app.closes(func() error { app.Core.Close(); return nil })
	go func() {
		if err := app.Core.Listen(listening); err != nil && listening.Err() == nil {
			o.Logger.Warn("caches hear of no changes; they forget by themselves within a second", "error", err)
		}
	}()
	return app, nil
}

// adminSet is the client for a host that an administrator named, which may be in the household's own network (S21).
func adminSet(address *url.URL) *http.Client {
	return egress.New(egress.Config{Inside: []string{egress.HostPort(address)}})
}

func (a *App) closes(fn func() error) { a.closers = append(a.closers, fn) }

func (a *App) closeLater(x any) {
	if c, ok := x.(io.Closer); ok {
		a.closes(c.Close)
	}
}

// Close releases everything in reverse order. It may be called more than once.
func (a *App) Close() error {
	var err error
	for len(a.closers) > 0 {
		last := len(a.closers) - 1
		err = errors.Join(err, a.closers[last]())
		a.closers = a.closers[:last]
	}
	return err
}
