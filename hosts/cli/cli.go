// Package cli is the command line: a program as a value, so that a test or another program can run it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/hosts/telemetry"
)

// Version is set when a release is linked.
var Version = ""

// version returns Version, else what the build knows of its source.
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "dev-" + s.Value[:12]
			}
		}
	}
	return "dev"
}

// Program is one run of the command line.
type Program struct {
	Args    []string
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// commands is the grammar.
type commands struct {
	Config  string `help:"Configuration file (YAML)." placeholder:"FILE" type:"path"`
	DataDir string `help:"Folder of the database, key and cache." placeholder:"DIR"`
	Log     string `help:"Log level: debug, info, warn or error." placeholder:"LEVEL"`

	Serve   serveCommand   `cmd:"" help:"Run the whole server in one process."`
	HTTPD   httpdCommand   `cmd:"" name:"httpd" help:"Answer requests only; workers run the jobs. Needs PostgreSQL."`
	Worker  workerCommand  `cmd:"" help:"Run jobs only. Needs PostgreSQL."`
	Migrate migrateCommand `cmd:"" help:"Bring the database's schema up to date."`
	Backup  struct {
		Create backupCreateCommand `cmd:"" default:"withargs" help:"Make a backup; the server may run meanwhile."`
		List   backupListCommand   `cmd:"" help:"List the backups in the folder of backups."`
		Verify backupVerifyCommand `cmd:"" help:"Read a backup whole and compare it with its manifest."`
	} `cmd:"" help:"Backups: database and secret key in one file."`
	Restore restoreCommand `cmd:"" help:"Restore a backup into an empty data folder and database."`
	Admin   struct {
		User struct {
			List          userListCommand          `cmd:"" help:"List accounts."`
			Create        userCreateCommand        `cmd:"" help:"Create an account; reads the password from standard input."`
			Disable       userDisableCommand       `cmd:"" help:"Close an account; its sessions end."`
			Enable        userEnableCommand        `cmd:"" help:"Open a closed account, or bring a deleted one back."`
			Delete        userDeleteCommand        `cmd:"" help:"Delete an account."`
			ResetPassword userResetPasswordCommand `cmd:"" help:"Make a link by which an account's owner chooses a new password."`
			ResetMFA      userResetMFACommand      `cmd:"" name:"reset-mfa" help:"Take all second factors of an account whose owner lost them away."`
		} `cmd:"" help:"Accounts."`
		Key struct {
			List   keyListCommand   `cmd:"" help:"List an account's API keys."`
			Create keyCreateCommand `cmd:"" help:"Make an API key for an account and print it, once."`
			Revoke keyRevokeCommand `cmd:"" help:"Revoke an API key."`
		} `cmd:"" help:"API keys."`
		Settings struct {
			Get       settingsGetCommand       `cmd:"" help:"Print settings of the server."`
			Set       settingsSetCommand       `cmd:"" help:"Change settings of the server."`
			Reference settingsReferenceCommand `cmd:"" help:"Print the reference of all settings (Markdown)."`
		} `cmd:"" help:"Settings of the server, which live in the database."`
		Jobs       jobsCommands      `cmd:"" help:"Background work: queues, jobs, schedules, processes."`
		MailTest   mailTestCommand   `cmd:"" help:"Send a test mail and say what the mail server answers."`
		RotateKey  rotateKeyCommand  `cmd:"" name:"rotate-secret-key" help:"Seal every secret in the database with a new key; servers may run meanwhile."`
		Role       roleCommands      `cmd:"" help:"Roles: what they may do, and who has them."`
		RotateKeys rotateKeysCommand `cmd:"" help:"Put new keys in front of those that sign sessions and tokens. Nobody is signed out; running servers take them up within seconds."`
		ClaimCode  claimCodeCommand  `cmd:"" help:"Print the code with which the first administrator is created; replaces an expired one."`
	} `cmd:"" help:"Accounts and set-up."`
	Library struct {
		Add   libraryAddCommand   `cmd:"" help:"Add a library of one or more folders and scan it."`
		Scan  libraryScanCommand  `cmd:"" help:"Scan a library, or all."`
		Parse libraryParseCommand `cmd:"" help:"Show what file names say: paths on standard input, one a line."`
	} `cmd:"" help:"Libraries."`
	Doctor      doctorCommand      `cmd:"" help:"Check that everything is in place, and say what is not."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask a running server whether it lives; ends with 0 if it does, else with 1."`
	ConfigCmd   struct {
		Print     configPrintCommand     `cmd:"" help:"Print the configuration that is in force."`
		Reference configReferenceCommand `cmd:"" help:"Print the reference of all settings (Markdown)."`
	} `cmd:"" name:"config" help:"Configuration."`
	Permissions permissionsCommand `cmd:"" help:"Print the reference of all permissions (Markdown)."`
	Metrics     metricsCommand     `cmd:"" help:"Print the reference of all metrics (Markdown)."`
	OpenAPI     openAPICommand     `cmd:"" name:"openapi" help:"Print the API's OpenAPI document."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// Process runs the program with the arguments, environment and streams of this process, and returns its exit code; command, where given, is what its
// arguments are for. SIGTERM or an interrupt stops it in order; a second one ends it at once, as it would end a program that does not listen.
func Process(command ...string) int {
	ctx, deaf := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer deaf()
	context.AfterFunc(ctx, deaf)
	return Main(ctx, Program{Args: append(command, os.Args[1:]...), Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
}

// Main runs the program and returns its exit code: 0, 1 for a failure, 2 for wrong usage.
func Main(ctx context.Context, p Program) int {
	// What lives is little, so that letting half as much again of it wait for the collector costs some MiB and saves a third of its work.
	if !slices.ContainsFunc(p.Environ, func(v string) bool { return strings.HasPrefix(v, "GOGC=") }) {
		debug.SetGCPercent(150)
	}
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("revenge"), kong.Description("A movie server for your household."),
		kong.Writers(p.Stdout, p.Stderr), kong.Exit(func(code int) { exit = code }), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(p.Stderr, err)
		return 1
	}
	parsed, err := parser.Parse(p.Args)
	if exit >= 0 {
		return exit // --help
	}
	if err != nil {
		fmt.Fprintf(p.Stderr, "revenge: %v\nRun \"revenge --help\" to see what there is.\n", err)
		return 2
	}
	if err := parsed.Run(&run{ctx: ctx, program: p, flags: &c}); err != nil {
		report(p.Stderr, err)
		return 1
	}
	return 0
}

// report says what happened and what to do; the cause follows, since whoever runs a command is the operator.
func report(w io.Writer, err error) {
	if f := fault.As(err); f != nil {
		fmt.Fprintf(w, "revenge: %s (%s)\n", f.Message, f.Code)
		if cause := errors.Unwrap(f); cause != nil {
			fmt.Fprintf(w, "  cause: %v\n", cause)
		}
		return
	}
	fmt.Fprintf(w, "revenge: %v\n", err)
}

// run is what every command gets.
type run struct {
	ctx     context.Context //nolint:containedctx // kong hands commands one value; this is their argument list
	program Program
	flags   *commands
}

// load reads the configuration with the given flags on top.
func (r *run) load(overrides map[string]any) (config.Config, error) {
	if overrides == nil {
		overrides = map[string]any{}
	}
	if r.flags.DataDir != "" {
		overrides["dataDir"] = r.flags.DataDir
	}
	if r.flags.Log != "" {
		overrides["log.level"] = r.flags.Log
	}
	return config.Load(r.flags.Config, r.program.Environ, overrides)
}

// logger writes to standard error: text for a person at a terminal, else JSON.
func (r *run) logger(c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String()) // JSON would count nanoseconds
		}
		return a
	}}
	file, isFile := r.program.Stderr.(*os.File)
	if c.Format == "text" || (c.Format == "auto" && isFile && term.IsTerminal(int(file.Fd()))) {
		return slog.New(slog.NewTextHandler(r.program.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(r.program.Stderr, options))
}

// open assembles the program for a command that works on the database itself, or serves: then under a name, by which it is known to a collector of traces.
func (r *run) open(overrides map[string]any, service string) (*assemble.App, error) {
	c, err := r.load(overrides)
	if err != nil {
		return nil, err
	}
	options := assemble.Options{Logger: r.logger(c.Log), Version: version()}
	if service != "" && config.Traced(r.program.Environ) {
		if options.Tracing, err = telemetry.NewTracing(r.ctx, service, version(), options.Logger); err != nil {
			return nil, err
		}
	}
	return assemble.Open(r.ctx, c, options)
}

// with runs fn on an open program and closes it.
func (r *run) with(fn func(*assemble.App) error) (err error) {
	app, err := r.open(nil, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	return fn(app)
}
