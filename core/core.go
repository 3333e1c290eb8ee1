// Package core is all that Revenge decides, as one value: ports in, services out. It knows no database, no HTTP and no vendor.
package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/backup"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/health"
	"github.com/revenge-media/revenge/core/identity"
	"github.com/revenge-media/revenge/core/images"
	"github.com/revenge-media/revenge/core/library"
	"github.com/revenge-media/revenge/core/mailing"
	"github.com/revenge-media/revenge/core/mfa"
	"github.com/revenge-media/revenge/core/movie"
	"github.com/revenge-media/revenge/core/playback"
	"github.com/revenge-media/revenge/core/roles"
	"github.com/revenge-media/revenge/core/sealing"
	"github.com/revenge-media/revenge/core/session"
	"github.com/revenge-media/revenge/core/settings"
	"github.com/revenge-media/revenge/core/tasks"
	"github.com/revenge-media/revenge/core/views"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/files"
	imageports "github.com/revenge-media/revenge/ports/images"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/mail"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/metadata"
	"github.com/revenge-media/revenge/ports/oidc"
	"github.com/revenge-media/revenge/ports/otp"
	"github.com/revenge-media/revenge/ports/passkey"
	"github.com/revenge-media/revenge/ports/passwords"
	"github.com/revenge-media/revenge/ports/policy"
	"github.com/revenge-media/revenge/ports/ratelimit"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
	"github.com/revenge-media/revenge/ports/tokens"
)

// Deps are all ports. Every one that is not marked as optional is needed; New says which is missing.
type Deps struct {
	Store store.Store
	Jobs  jobs.Runner
	Cache cache.Cache
	// Shared is behind Cache where several processes share one.
	Shared cache.Shared `optional:"true"`
	Bus    bus.Bus
	// Alone says that no other process changes what is in Store, so that nothing which Bus did not tell of has changed.
	Alone     bool
	Blobs     blobs.Store
	Files     files.Tree
	Browser   files.Browser
	Watcher   files.Watcher
	Packager  media.Packager
	Transcode media.Transcoder
	Subtitles media.SubtitleParser
	Metadata  metadata.LocalReader
	Pictures  imageports.Processor
	Sealer    secrets.Ring
	Mail      mail.Sender
	Passwords passwords.Hasher
	Codes     otp.Generator
	Passkeys  passkey.Ceremonies
	Policy    policy.Policy
	// Parties talk to OpenID Connect providers.
	Parties oidc.RelyingParty
	Limiter ratelimit.Limiter
	// Backups are made before there is a core too.
	Backups *backup.Service
	// Signer makes a signer of keys, which live sealed in the store.
	Signer func(keys ...tokens.Key) (tokens.Signer, error)

	Now    func() time.Time
	Logger *slog.Logger
	Limits Limits
}

// Limits are the few choices that a host makes. Zero values mean the services' own defaults.
type Limits struct {
	RescanEvery    time.Duration
	AccessTokenTTL time.Duration
	EncodesPerUser int
	Encodes        int
	// Settle is how long a file must not change before it is read.
	Settle time.Duration
	// NoFrames leaves films without pictures as they are, where otherwise one is taken out of the film.
	NoFrames bool
	// BaseURL is the public address until the setting server.publicURL names one.
	BaseURL string
}

// Core is all services, and the ports that hosts show to operators.
type Core struct {
	Access   *access.Service
	Settings *settings.Service
	Mailing  *mailing.Service
	Sealing  *sealing.Service
	Auth     *auth.Service
	Identity *identity.Service
	Account  *account.Service
	Sessions *session.Service
	MFA      *mfa.Service
	Roles    *roles.Service
	Activity *activity.Service
	APIKeys  *apikey.Service
	Library  *library.Service
	Views    *views.Service
	Movies   *movie.Service
	Images   *images.Service
	Playback *playback.Service
	Tasks    *tasks.Service
	Health   *health.Service
	Backups  *backup.Service

	Store   store.Store
	Jobs    jobs.Runner
	Cache   cache.Cache
	Shared  cache.Shared // nil: this process caches for itself
	Bus     bus.Bus
	Limiter ratelimit.Limiter

	blobs blobs.Store
}

// missing names the ports that are nil.
func (d Deps) missing() (names []string) {
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		field := v.Field(i)
		if v.Type().Field(i).Tag.Get("optional") == "true" {
			continue
		}
		switch field.Kind() {
		case reflect.Interface, reflect.Func, reflect.Pointer:
			if field.IsNil() {
				names = append(names, v.Type().Field(i).Name)
			}
		default:
		}
	}
	return names
}

// New wires the services and reads or makes the server's own keys: a key that does not open what the database holds stops it here (S20).
func New(ctx context.Context, d Deps) (*Core, error) {
	if names := d.missing(); len(names) > 0 {
		return nil, fmt.Errorf("a core needs every port; missing: %v", names)
	}
	c := &Core{Store: d.Store, Jobs: d.Jobs, Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Limiter: d.Limiter, Backups: d.Backups, blobs: d.Blobs}
	d.Sealer = sealing.Declared(d.Sealer, d.Store.Read().Sealed.Columns())
	c.Access = access.New(access.Deps{Store: d.Store, Policy: d.Policy, Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Logger: d.Logger})
	c.Sealing = sealing.New(sealing.Deps{Store: d.Store, Access: c.Access, Ring: d.Sealer, Now: d.Now})
	c.Settings = settings.New(settings.Deps{
		Store: d.Store, Access: c.Access, Sealer: d.Sealer, Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Now: d.Now, Logger: d.Logger,
		Fallback: map[string]any{settings.PublicURL.Name(): d.Limits.BaseURL},
	})
	c.Mailing = mailing.New(mailing.Deps{Store: d.Store, Access: c.Access, Settings: c.Settings, Sealer: d.Sealer, Sender: d.Mail, Now: d.Now, Logger: d.Logger})
	c.Sessions = session.New(session.Deps{
		Store: d.Store, Access: c.Access, Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Now: d.Now, Logger: d.Logger,
		Idle: func(ctx context.Context) (time.Duration, error) {
			days, err := settings.Get(ctx, c.Settings, settings.SessionIdleDays)
			return time.Duration(days) * 24 * time.Hour, err
		},
		MustEnrol: func(ctx context.Context, user domain.User) (bool, error) { return c.MFA.MustEnrol(ctx, user) },
	})
	c.Roles = roles.New(roles.Deps{Store: d.Store, Access: c.Access, Sessions: c.Sessions, Now: d.Now})
	guard := attempts.New(attempts.Deps{Store: d.Store, Now: d.Now})
	c.MFA = mfa.New(mfa.Deps{
		Store: d.Store, Sealer: d.Sealer, Codes: d.Codes, Passkeys: d.Passkeys, Access: c.Access, Sessions: c.Sessions, Settings: c.Settings, Mailing: c.Mailing,
		Attempts: guard, Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Now: d.Now, Logger: d.Logger,
	})
	c.Account = account.New(account.Deps{
		Store: d.Store, Hasher: d.Passwords, Policy: d.Policy, Access: c.Access, Sessions: c.Sessions, Settings: c.Settings, Mail: c.Mailing, Limiter: d.Limiter,
		Attempts: guard, Pictures: d.Pictures, Now: d.Now,
		SecondFactor: func(ctx context.Context, r store.Repos, user domain.ID) (bool, error) {
			methods, err := c.MFA.Methods(ctx, r, user)
			return len(methods) > 0, err
		},
	})
	c.Auth = auth.New(auth.Deps{
		Store: d.Store, Sealer: d.Sealer, Hasher: d.Passwords, Access: c.Access, Accounts: c.Account, Sessions: c.Sessions, NewSigner: d.Signer,
		Attempts: guard, Factors: c.MFA, Mailing: c.Mailing, Bus: d.Bus, Now: d.Now, Logger: d.Logger, AccessTokenLifetime: d.Limits.AccessTokenTTL,
	})
	c.Identity = identity.New(identity.Deps{
		Store: d.Store, Sealer: d.Sealer, Policy: d.Policy, Access: c.Access, Sessions: c.Sessions, Auth: c.Auth, Parties: d.Parties, Link: c.Mailing.Link,
		Now: d.Now, Logger: d.Logger,
	})
	c.Activity = activity.New(activity.Deps{
		Store: d.Store, Access: c.Access, Now: d.Now, Logger: d.Logger,
		Retention: func(ctx context.Context) (time.Duration, error) {
			days, err := settings.Get(ctx, c.Settings, settings.ActivityRetentionDays)
			return time.Duration(days) * 24 * time.Hour, err
		},
	})
	c.APIKeys = apikey.New(apikey.Deps{
		Store: d.Store, Access: c.Access, Sessions: c.Sessions, Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Limiter: d.Limiter, Now: d.Now, Logger: d.Logger,
		RequestsPerMinute: func(ctx context.Context) (int, error) {
			return settings.Get(ctx, c.Settings, settings.KeyRequestsPerMinute)
		},
		AllowInQuery: func(ctx context.Context) (bool, error) {
			return settings.Get(ctx, c.Settings, settings.AllowKeyInQuery)
		},
		MustEnrol: c.MFA.MustEnrol,
	})
	c.Views = views.New(views.Deps{Cache: d.Cache, Shared: d.Shared, Bus: d.Bus, Alone: d.Alone, Logger: d.Logger})
	c.Movies = movie.New(movie.Deps{Store: d.Store, Access: c.Access, Views: c.Views, Now: d.Now, Logger: d.Logger})
	c.Images = images.New(images.Deps{
		Store: d.Store, Access: c.Access, Views: c.Views, Files: d.Files, Blobs: d.Blobs, Processor: d.Pictures, Transcoder: d.Transcode, Now: d.Now, Logger: d.Logger,
		NoFrames: d.Limits.NoFrames,
	})
	c.Library = library.New(library.Deps{
		Store: d.Store, Access: c.Access, Tree: d.Files, Browser: d.Browser, Watcher: d.Watcher, Packager: d.Packager, Prober: d.Transcode, Metadata: d.Metadata,
		Blobs: d.Blobs, Bus: d.Bus, Movies: c.Movies, Images: c.Images, Activity: c.Activity, Now: d.Now, Logger: d.Logger, Settle: d.Limits.Settle, RescanEvery: d.Limits.RescanEvery,
	})
	c.Playback = playback.New(playback.Deps{
		Store: d.Store, Access: c.Access, Sessions: c.Sessions, Keys: c.APIKeys, Activity: c.Activity, Files: d.Files, Blobs: d.Blobs, Cache: d.Cache, Shared: d.Shared, Packager: d.Packager, Transcoder: d.Transcode,
		Subtitles: d.Subtitles, Sealer: d.Sealer, Now: d.Now, Logger: d.Logger, Encodes: d.Limits.Encodes, EncodesPerUser: d.Limits.EncodesPerUser,
	})
	c.Health = health.New(health.Deps{Store: d.Store, Jobs: d.Jobs, Transcoder: d.Transcode, Mail: c.Mailing.Health, Shared: d.Shared, Now: d.Now})
	c.Tasks = tasks.New(tasks.Deps{Jobs: d.Jobs, Access: c.Access, Activity: c.Activity, Schedules: c.Schedules})
	if err := c.Auth.Start(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Close ends what runs in the background on behalf of streams. The ports belong to whoever opened them.
func (c *Core) Close() {
	c.Playback.Close()
	c.Activity.Close()
}

// Listen takes up what the bus tells, until ctx ends: caches forget what other processes changed.
func (c *Core) Listen(ctx context.Context) error {
	ended := make(chan error, 7)
	go func() { ended <- c.Access.Listen(ctx) }()
	go func() { ended <- c.Sessions.Listen(ctx) }()
	go func() { ended <- c.Auth.Listen(ctx) }()
	go func() { ended <- c.APIKeys.Listen(ctx) }()
	go func() { ended <- c.Settings.Listen(ctx) }()
	go func() { ended <- c.MFA.Listen(ctx) }()
	go func() { ended <- c.Views.Listen(ctx) }()
	return errors.Join(<-ended, <-ended, <-ended, <-ended, <-ended, <-ended, <-ended)
}

// KindCleanUp removes what has expired: sessions, cached data over its cap, old activity.
const KindCleanUp jobs.Kind = "core.clean-up"

// Definitions are all kinds of job; every process that runs jobs registers them all.
func (c *Core) Definitions() []jobs.Definition {
	return append(slices.Concat(c.Library.Definitions(), c.Activity.Definitions(), c.Mailing.Definitions(), c.Account.Definitions(), c.Backups.Definitions()), jobs.Definition{
		Kind: KindCleanUp, MaxAttempts: 3, Timeout: 20 * time.Second,
		Handler: func(ctx context.Context, _ jobs.Run) error {
			_, err := c.Sessions.DeleteExpired(ctx)
			_, sweep := c.blobs.Sweep(ctx)
			return errors.Join(err, sweep, c.Activity.CleanUp(ctx), c.Auth.CleanUp(ctx), c.MFA.CleanUp(ctx), c.Mailing.CleanUp(ctx), c.Account.CleanUp(ctx))
		},
	})
}

// Schedules are what runs by itself.
func (c *Core) Schedules() []jobs.Schedule {
	return append(append(c.Library.Schedules(), c.Backups.Schedules()...), jobs.Schedule{Job: jobs.Job{Kind: KindCleanUp, Key: "all", Priority: 3}, Every: time.Hour, AtStart: true})
}
