// Package config is the only place that reads settings from files and the environment. What it does not know it refuses.
//
// Sources, later ones win: defaults, a YAML file, environment variables (REVENGE_ and the key in capitals with '_' for '.'), flags.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"

	"github.com/revenge-media/revenge/core/fault"
)

// Config is every setting of a process. The tags are the keys and the reference.
type Config struct {
	DataDir        string        `koanf:"dataDir" doc:"Folder of the database, the secret key and, unless set apart, the cache."`
	CacheDir       string        `koanf:"cacheDir" doc:"Folder of what can be made again: indexes, pictures, encoded sound. Empty: cache in dataDir."`
	CacheSize      int64         `koanf:"cacheSize" doc:"Most bytes that cacheDir may hold; the least recently used go first."`
	Database       string        `koanf:"database" secret:"url" doc:"sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME. Empty: sqlite:revenge.db in dataDir."`
	Listen         string        `koanf:"listen" doc:"Address of the web UI and the API; without a host it is reachable on the local network."`
	ShutdownDelay  time.Duration `koanf:"shutdownDelay" doc:"How long a process that is asked to stop goes on answering, with 503 on /readyz, so that a proxy sends requests elsewhere before it stops; at most 15s. Behind a proxy: a little more than the time between its looks."`
	MetricsListen  string        `koanf:"metricsListen" doc:"Address of GET /metrics; empty switches it off. Keep it away from the public."`
	BaseURL        string        `koanf:"baseURL" doc:"Address under which people reach this server, for printed links. Empty: derived from listen."`
	TrustedProxies []string      `koanf:"trustedProxies" doc:"Networks (CIDR) of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."`
	SecretKeyFile  string        `koanf:"secretKeyFile" doc:"File with the key that seals secrets in the database; made at first start. Empty: secret.key in dataDir. Back it up apart from the database."`
	Postgres       Postgres      `koanf:"postgres"`
	Cache          Cache         `koanf:"cache"`
	Jobs           Jobs          `koanf:"jobs"`
	Log            Log           `koanf:"log"`
	FFmpeg         FFmpeg        `koanf:"ffmpeg"`
	Scan           Scan          `koanf:"scan"`
	Workers        Workers       `koanf:"workers"`
	Encode         Encode        `koanf:"encode"`
	Auth           Auth          `koanf:"auth"`
	Backup         Backup        `koanf:"backup"`
}

// Postgres bounds what this process asks of PostgreSQL.
type Postgres struct {
	MaxConns         int           `koanf:"maxConns" doc:"Most connections to PostgreSQL of this process; those of all processes must fit into its max_connections."`
	StatementTimeout time.Duration `koanf:"statementTimeout" doc:"A statement that takes longer is ended, and the request answered 503. Changes of the schema, backups and the monthly parts of the activity log take what they take."`
	ConnLifetime     time.Duration `koanf:"connLifetime" doc:"How long a connection is used, and up to a tenth more, so that connections spread again behind an address that leads elsewhere now. A server that takes no writes any more is left at once."`
}

// Cache is what processes keep of what was read: each in its memory, and several on a server that they share.
type Cache struct {
	Memory        int64         `koanf:"memory" doc:"Most bytes that this process keeps in its memory of what was read; the least used go first."`
	URL           string        `koanf:"url" secret:"url" doc:"redis://USER:PASSWORD@HOST:PORT/DATABASE (rediss: with TLS) of a Dragonfly or Redis that processes on one database share: cached values, news of changes, rate limits. Empty: each process has its own. While it is away everything goes on, more slowly and with stricter limits."`
	Prefix        string        `koanf:"prefix" doc:"Begins every key in it, so that several installations can share one."`
	ClientCaching bool          `koanf:"clientCaching" doc:"Let it tell this process which values changed (CLIENT TRACKING). Switch it off where a Dragonfly does not know that."`
	Timeout       time.Duration `koanf:"timeout" doc:"How long it may take to answer; after the first that took longer nothing waits for it until it answers again."`
}

// Jobs is who hands jobs to processes.
type Jobs struct {
	URL    string `koanf:"url" secret:"url" doc:"redis://USER:PASSWORD@HOST:PORT/DATABASE (rediss: with TLS) of a Dragonfly or Redis over which Asynq hands jobs to processes; they are kept in PostgreSQL until they are done. Dragonfly needs --default_lua_flags=allow-undeclared-keys, or --cluster_mode=emulated --lock_on_hashtags. Empty: River, in the database alone."`
	Prefix string `koanf:"prefix" doc:"Begins the names of Asynq's queues, so that several installations can share a server: letters, digits, - and _."`
}

// Log is how the process speaks.
type Log struct {
	Level     string        `koanf:"level" doc:"debug, info, warn or error. debug logs every request and query."`
	Format    string        `koanf:"format" doc:"text, json, or auto: text on a terminal, else JSON."`
	SlowQuery time.Duration `koanf:"slowQuery" doc:"Queries that take longer are logged, without their values, and counted."`
}

// FFmpeg is where the tools are.
type FFmpeg struct {
	FFmpeg  string `koanf:"ffmpeg" doc:"Path of ffmpeg; empty: looked for in PATH. Without it everything works that needs no encoding."`
	FFprobe string `koanf:"ffprobe" doc:"Path of ffprobe; empty: looked for in PATH."`
}

// Scan is how libraries are kept up to date.
type Scan struct {
	Every  time.Duration `koanf:"every" doc:"Time between full scans, which catch what file events missed."`
	Watch  bool          `koanf:"watch" doc:"Scan folders as soon as something changes in them."`
	Frames bool          `koanf:"frames" doc:"Take a picture out of each film that has no backdrop beside it; needs ffmpeg, and reads into every such film."`
}

// Workers bound background work.
type Workers struct {
	Default int `koanf:"default" doc:"Short jobs at once."`
	Scan    int `koanf:"scan" doc:"Scans at once."`
	Media   int `koanf:"media" doc:"Picture and media jobs at once."`
	// Listen is a worker process's own.
	Listen string `koanf:"listen" doc:"Address of the probes and metrics of a process that only runs jobs (revenge worker)."`
}

// Encode bounds ffmpeg.
type Encode struct {
	Processes int `koanf:"processes" doc:"ffmpeg processes at once; 0: one a core, at least 2."`
	PerUser   int `koanf:"perUser" doc:"Encoded segments that one user may wait for at once; more is answered 503."`
	Total     int `koanf:"total" doc:"Segments that are encoded at once; five times as many may wait. 0: one a core."`
}

// Auth are lifetimes of credentials.
type Auth struct {
	AccessTokenTTL time.Duration `koanf:"accessTokenTTL" doc:"Life of an access token; its refresh token gives the next."`
}

// Backup is when backups are made by themselves.
type Backup struct {
	Dir           string        `koanf:"dir" doc:"Folder of backups; best on another disk. Empty: backups in dataDir."`
	BeforeUpgrade bool          `koanf:"beforeUpgrade" doc:"Back the database up before its schema changes; if that fails, nothing is changed and the server does not start."`
	Every         time.Duration `koanf:"every" doc:"Time between scheduled backups; 0 makes none. Of several hosts one that runs jobs makes it, in its own folder."`
	Keep          int           `koanf:"keep" doc:"Backups that stay, of the scheduled ones and of those before upgrades each; 0 keeps all. Others are never removed."`
}

// Default returns the settings of a household: one machine, SQLite, the local network.
func Default() Config {
	return Config{
		DataDir: defaultDataDir(), CacheSize: 20 << 30, Listen: ":8585", MetricsListen: "127.0.0.1:8586", TrustedProxies: []string{},
		Postgres: Postgres{MaxConns: 10, StatementTimeout: 5 * time.Second, ConnLifetime: 30 * time.Minute},
		Jobs:     Jobs{Prefix: "revenge"},
		Cache:    Cache{Memory: 16 << 20, Prefix: "revenge:", ClientCaching: true, Timeout: 50 * time.Millisecond},
		Log:      Log{Level: "info", Format: "auto", SlowQuery: 200 * time.Millisecond}, Scan: Scan{Every: 12 * time.Hour, Watch: true, Frames: true},
		Workers: Workers{Default: 4, Scan: 1, Media: 2, Listen: "127.0.0.1:8587"}, Encode: Encode{PerUser: 6}, Auth: Auth{AccessTokenTTL: 15 * time.Minute},
		Backup: Backup{BeforeUpgrade: true, Every: 7 * 24 * time.Hour, Keep: 4},
	}
}

func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "revenge")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "/var/lib/revenge"
	}
	return filepath.Join(home, ".local", "share", "revenge")
}

// Load reads file ("" for none), environ (as os.Environ) and overrides (keys of Config with dots) over the defaults, and checks the result.
func Load(file string, environ []string, overrides map[string]any) (Config, error) {
	k := koanf.New(".")
	if file != "" {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return Config{}, fault.New(fault.Invalid, "config.no_file", "There is no configuration file %s.", file)
		}
		if err != nil {
			return Config{}, fault.Wrap(err, fault.Invalid, "config.unreadable", "The configuration file %s cannot be read: %v.", file, err)
		}
		if err := k.Load(rawbytes.Provider(data), yaml.Parser()); err != nil {
			return Config{}, fault.Wrap(err, fault.Invalid, "config.syntax", "The configuration file %s is not valid YAML: %v.", file, err)
		}
	}
	names := map[string]string{}
	for _, s := range Settings() {
		names[s.Variable] = s.Key
	}
	var unknown []string
	err := k.Load(env.Provider(".", env.Opt{
		Prefix: variablePrefix, EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if strings.HasPrefix(name, variablePrefix+"TEST_") || strings.HasPrefix(name, variablePrefix+"BENCH_") {
				return "", nil // the test suites' and benchmarks' own
			}
			key, known := names[name]
			if !known {
				unknown = append(unknown, name)
				return "", nil
			}
			return key, value
		},
	}), nil)
	if err != nil {
		return Config{}, fault.Wrap(err, fault.Invalid, "config.environment", "The environment cannot be read: %v.", err)
	}
	if len(unknown) > 0 {
		return Config{}, fault.New(fault.Invalid, "config.unknown_variable", "Unknown settings in the environment: %s. \"revenge config reference\" lists all.", strings.Join(unknown, ", "))
	}
	if err := k.Load(confmap.Provider(overrides, "."), nil); err != nil {
		return Config{}, fault.Wrap(err, fault.Invalid, "config.flags", "The flags cannot be read: %v.", err)
	}
	c := Default()
	err = k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &c, TagName: "koanf", ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
	}})
	if err != nil {
		return Config{}, fault.Wrap(err, fault.Invalid, "config.invalid", "The configuration is not valid: %s. \"revenge config reference\" lists all settings.", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return Complete(c)
}

// Complete fills what follows from other settings and checks all: for a Config that a program made itself.
func Complete(c Config) (Config, error) {
	c.complete()
	return c, c.check()
}

// complete fills what follows from other settings.
func (c *Config) complete() {
	if abs, err := filepath.Abs(c.DataDir); err == nil {
		c.DataDir = abs
	}
	if c.CacheDir == "" {
		c.CacheDir = filepath.Join(c.DataDir, "cache")
	}
	if c.SecretKeyFile == "" {
		c.SecretKeyFile = filepath.Join(c.DataDir, "secret.key")
	}
	if c.Backup.Dir == "" {
		c.Backup.Dir = filepath.Join(c.DataDir, "backups")
	}
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.DataDir, "revenge.db")
	}
}

func (c Config) check() error {
	var wrong []fault.Field
	require := func(ok bool, key, message string) {
		if !ok {
			wrong = append(wrong, fault.Field{Path: key, Message: message})
		}
	}
	scheme, _, _ := strings.Cut(c.Database, ":")
	require(scheme == "sqlite" || scheme == "postgres" || scheme == "postgresql", "database", "must begin with sqlite: or postgres:")
	require(c.DataDir != "", "dataDir", "must not be empty")
	require(strings.Contains(c.Listen, ":"), "listen", "must be HOST:PORT or :PORT")
	require(strings.Contains(c.Workers.Listen, ":"), "workers.listen", "must be HOST:PORT or :PORT")
	require(c.ShutdownDelay >= 0 && c.ShutdownDelay <= 15*time.Second, "shutdownDelay", "must be between 0 and 15s")
	require(c.CacheSize >= 100<<20, "cacheSize", "must be at least 100 MiB (104857600)")
	require(c.Postgres.MaxConns >= 4 && c.Postgres.MaxConns <= 1000, "postgres.maxConns", "must be between 4 and 1000")
	require(c.Postgres.StatementTimeout >= 100*time.Millisecond && c.Postgres.StatementTimeout <= time.Hour, "postgres.statementTimeout", "must be between 100ms and 1h")
	require(c.Postgres.ConnLifetime >= time.Second, "postgres.connLifetime", "must be at least 1s")
	kind, rest, _ := strings.Cut(c.Cache.URL, "://")
	require(c.Cache.URL == "" || oneOf(kind, "redis", "rediss") && rest != "", "cache.url", "must begin with redis:// or rediss://")
	kind, rest, _ = strings.Cut(c.Jobs.URL, "://")
	require(c.Jobs.URL == "" || oneOf(kind, "redis", "rediss") && rest != "", "jobs.url", "must begin with redis:// or rediss://")
	require(c.Jobs.URL == "" || scheme != "sqlite", "jobs.url", "must be empty with SQLite: Asynq hands out jobs that PostgreSQL keeps")
	require(c.Cache.Memory >= 1<<20, "cache.memory", "must be at least 1 MiB (1048576)")
	require(c.Cache.Prefix != "", "cache.prefix", "must not be empty")
	require(c.Cache.Timeout >= time.Millisecond && c.Cache.Timeout <= 5*time.Second, "cache.timeout", "must be between 1ms and 5s")
	require(oneOf(c.Log.Level, "debug", "info", "warn", "error"), "log.level", "must be debug, info, warn or error")
	require(oneOf(c.Log.Format, "auto", "text", "json"), "log.format", "must be auto, text or json")
	require(c.Scan.Every >= time.Minute, "scan.every", "must be at least 1m")
	require(c.Auth.AccessTokenTTL >= time.Second && c.Auth.AccessTokenTTL <= time.Hour, "auth.accessTokenTTL", "must be between 1s and 1h")
	for key, n := range map[string]int{"workers.default": c.Workers.Default, "workers.scan": c.Workers.Scan, "workers.media": c.Workers.Media, "encode.perUser": c.Encode.PerUser} {
		require(n >= 1 && n <= 256, key, "must be between 1 and 256")
	}
	require(c.Encode.Processes >= 0, "encode.processes", "must not be negative")
	require(c.Backup.Every == 0 || c.Backup.Every >= time.Hour, "backup.every", "must be 0 or at least 1h")
	require(c.Backup.Keep >= 0, "backup.keep", "must not be negative")
	require(c.Encode.Total >= 0, "encode.total", "must not be negative")
	if _, err := c.Proxies(); err != nil {
		require(false, "trustedProxies", err.Error())
	}
	if len(wrong) == 0 {
		return nil
	}
	texts := make([]string, len(wrong))
	for i, f := range wrong {
		texts[i] = f.Path + " " + f.Message
	}
	err := fault.New(fault.Invalid, "config.invalid", "The configuration is not valid: %s.", strings.Join(texts, "; "))
	err.Fields = wrong
	return err
}

// Proxies parses TrustedProxies.
func (c Config) Proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// Traced tells whether an environment names a collector of traces by the variables of OpenTelemetry
// (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables), which the exporter reads by itself.
func Traced(environ []string) bool {
	value := map[string]string{}
	for _, entry := range environ {
		name, v, _ := strings.Cut(entry, "=")
		value[name] = v
	}
	return (value["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" || value["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != "") &&
		!strings.EqualFold(value["OTEL_SDK_DISABLED"], "true") && value["OTEL_TRACES_EXPORTER"] != "none"
}

func oneOf(s string, all ...string) bool {
	for _, a := range all {
		if s == a {
			return true
		}
	}
	return false
}

const variablePrefix = "REVENGE_"

// Setting is one key of the reference.
type Setting struct {
	Key, Variable, Type, Default, Doc string
}

// Settings lists every key in the order of Config.
func Settings() []Setting {
	return settings(reflect.ValueOf(Default()), "")
}

func settings(v reflect.Value, prefix string) []Setting {
	var out []Setting
	for i := range v.NumField() {
		field, key := v.Type().Field(i), prefix+v.Type().Field(i).Tag.Get("koanf")
		if field.Type.Kind() == reflect.Struct {
			out = append(out, settings(v.Field(i), key+".")...)
			continue
		}
		value := fmt.Sprint(v.Field(i).Interface())
		switch {
		case key == "dataDir":
			value = "$XDG_DATA_HOME/revenge, else ~/.local/share/revenge"
		case field.Type.Kind() == reflect.Slice:
			value = strings.Trim(value, "[]")
		}
		out = append(out, Setting{Key: key, Variable: variableOf(key), Type: typeName(field.Type), Default: value, Doc: field.Tag.Get("doc")})
	}
	return out
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Int64, t.Kind() == reflect.Int:
		return "number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	default:
		return "text"
	}
}

// variableOf is the environment's form of a key: ffmpeg.ffprobe is REVENGE_FFMPEG_FFPROBE, dataDir REVENGE_DATA_DIR.
func variableOf(key string) string {
	var b strings.Builder
	previousLower := false
	for _, r := range key {
		switch {
		case r == '.':
			r, previousLower = '_', false
		case r >= 'A' && r <= 'Z':
			if previousLower {
				b.WriteByte('_')
			}
			previousLower = false
		default:
			previousLower = true
			r -= 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return variablePrefix + b.String()
}
