// Package ffmpeg runs FFmpeg's ffmpeg and ffprobe for what needs a codec or a container that is not read in process
// (ports/media.Transcoder).
//
// The films are hostile input and FFmpeg is a large C program, so it is kept on a short leash (S23): arguments are built from typed
// values, the input is named as file: plus an absolute path and can therefore be no option, only the protocols file and pipe and the demuxers in
// knownDemuxers may be used, the environment is fixed, and every process is limited in memory, CPU time, open
// files, written bytes, output and wall time. It runs in a process group of its own that is killed as a whole when its context
// ends, and on Linux dies with this process, SIGKILL included (R12).
package ffmpeg

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// Config chooses the programs and their limits. Zero fields take the default.
type Config struct {
	// FFmpeg and FFprobe are paths of the programs; "" looks them up in PATH, once, in Open.
	FFmpeg, FFprobe string
	// MaxProcesses is how many may run at a time (default: one for each CPU, at least 2). Probing, frames and repackaging leave one
	// place free for sound that somebody waits for, where there is more than one.
	MaxProcesses int
	// Timeout is how long one process may take (default 60 s); RepackageTimeout the same for copying a whole film (default 2 h).
	// CPU time is limited to twice as much.
	Timeout, RepackageTimeout time.Duration
	// MaxMemory is the address space of one process in bytes (default 4 GiB).
	MaxMemory int64
	// TempDir is the working folder of the processes (default: the system's); nothing is written there.
	TempDir string
}

// Transcoder is a media.Transcoder. Close it at the end.
type Transcoder struct {
	ffmpeg, ffprobe program
	config          Config
	start           *starter
	places          chan struct{} // every process holds one
	background      chan struct{} // those that nobody waits for at a screen hold one of these as well
}

// program is a resolved executable, or why there is none.
type program struct {
	path    string
	missing error
}

var _ media.Transcoder = (*Transcoder)(nil)

// Open resolves the programs and returns a Transcoder. Absent programs are no error here: whatever needs them answers media.CodeToolMissing.
func Open(config Config) (*Transcoder, error) {
	if config.MaxProcesses <= 0 {
		config.MaxProcesses = max(2, runtime.NumCPU())
	}
	if config.Timeout <= 0 {
		config.Timeout = time.Minute
	}
	if config.RepackageTimeout <= 0 {
		config.RepackageTimeout = 2 * time.Hour
	}
	if config.MaxMemory <= 0 {
		config.MaxMemory = 4 << 30
	}
	if config.TempDir == "" {
		config.TempDir = os.TempDir()
	}
	if info, err := os.Stat(config.TempDir); err != nil || !info.IsDir() {
		return nil, fault.Wrap(err, fault.Invalid, "media.temp_dir", "The temporary folder %q for ffmpeg is not a readable folder; create it or configure another.", config.TempDir)
	}
	return &Transcoder{
		ffmpeg: resolve("ffmpeg", config.FFmpeg), ffprobe: resolve("ffprobe", config.FFprobe),
		config: config, start: newStarter(),
		places:     make(chan struct{}, config.MaxProcesses),
		background: make(chan struct{}, max(1, config.MaxProcesses-1)),
	}, nil
}

// Close ends what still runs and refuses anything new.
func (t *Transcoder) Close() error {
	t.start.close()
	return nil
}

// resolve makes an absolute path of a configured one, or of the name in PATH.
func resolve(name, configured string) program {
	if configured == "" {
		configured = name
	}
	path, err := exec.LookPath(configured)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return program{missing: fault.Wrap(err, fault.Unavailable, media.CodeToolMissing,
			"The program %s was not found (looked for %q). Install FFmpeg, for example with “apt install ffmpeg”, or configure its path, and restart.", name, configured)}
	}
	return program{path: path}
}

var versionLine = regexp.MustCompile(`^ffmpeg version (\S+)`)

// Available implements media.Transcoder.
func (t *Transcoder) Available(ctx context.Context) (string, error) {
	if t.ffprobe.missing != nil {
		return "", t.ffprobe.missing
	}
	out, err := t.output(ctx, job{program: t.ffmpeg, args: []string{"-hide_banner", "-version"}, maxOutput: 64 << 10})
	if err != nil {
		return "", err
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return "", fault.New(fault.Unavailable, media.CodeToolMissing, "The configured program %q does not answer as FFmpeg does; configure the path of ffmpeg.", t.ffmpeg.path)
	}
	return string(match[1]), nil
}

// failed is the fault of a process that ended badly; stderr is for the log only, since it quotes paths and file text.
func failed(cause error, stderr string, message string, args ...any) error {
	if stderr != "" {
		cause = errors.Join(cause, errors.New(stderr))
	}
	return fault.Wrap(cause, fault.Internal, media.CodeToolFailed, message, args...)
}
