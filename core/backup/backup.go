package backup

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/backups"
	"github.com/revenge-media/revenge/ports/jobs"
)

// Reason is why a backup was made; each has its own retention.
type Reason string

// The reasons. The names of archives end with them.
const (
	Manual    Reason = "manual"
	Scheduled Reason = "scheduled"
	Upgrade   Reason = "upgrade"
)

const suffix = ".revenge-backup"

// Deps are what backups are made of. No request reaches them: who may run the program on the host may read all of it anyway.
type Deps struct {
	Database backups.Database
	Key      backups.Key
	Folder   backups.Folder
	Version  string // of the program
	// Every is the time between scheduled backups; 0 makes none.
	Every time.Duration
	// Keep is how many of a reason stay; 0 keeps all.
	Keep   int
	Now    func() time.Time
	Logger *slog.Logger
}

// Service makes backups.
type Service struct{ d Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Create makes a backup in the folder, opens it again and compares all of it with its manifest, and only then gives it its name and removes those
// that are too many. An empty name is made of the time and the reason.
func (s *Service) Create(ctx context.Context, reason Reason, name string) (string, Manifest, error) {
	h := Header{Version: s.d.Version, CreatedAt: s.d.Now().UTC().Truncate(time.Millisecond)}
	if name == "" {
		name = h.CreatedAt.Format("20060102T150405.000Z") + "-" + string(reason) + suffix
	}
	var m Manifest
	err := s.d.Folder.Create(ctx, name, func(w io.Writer) (err error) {
		m, err = write(ctx, w, s.d.Database, s.d.Key, h)
		return err
	}, func(r io.Reader) error {
		_, _, err := read(ctx, r, nil, nil)
		return err
	})
	if err != nil {
		return "", Manifest{}, err
	}
	return name, m, s.prune(ctx, reason)
}

// prune removes the oldest of a reason. Others' files, and backups that somebody named, are left alone.
func (s *Service) prune(ctx context.Context, reason Reason) error {
	own, err := s.of(ctx, reason)
	if err != nil || s.d.Keep <= 0 {
		return err
	}
	for len(own) > s.d.Keep {
		if err := s.d.Folder.Remove(ctx, own[0].Name); err != nil {
			return err
		}
		own = own[1:]
	}
	return nil
}

// of lists the backups of a reason, oldest first.
func (s *Service) of(ctx context.Context, reason Reason) (own []backups.Archive, err error) {
	all, err := s.d.Folder.List(ctx)
	for _, a := range all {
		if _, made := madeAt(a.Name, reason); made {
			own = append(own, a)
		}
	}
	return own, err
}

func madeAt(name string, reason Reason) (time.Time, bool) {
	stamp, found := strings.CutSuffix(name, "-"+string(reason)+suffix)
	at, err := time.Parse("20060102T150405.000Z", stamp)
	return at, found && err == nil
}

// Listed is a backup in the folder; Err says why it cannot be read.
type Listed struct {
	backups.Archive
	Header
	Err error
}

// List shows the folder's backups, oldest first. It reads what each says of itself, and not whether it is whole: see Verify.
func (s *Service) List(ctx context.Context) (out []Listed, err error) {
	all, err := s.d.Folder.List(ctx)
	for _, a := range all {
		l := Listed{Archive: a}
		file, err := s.d.Folder.Open(ctx, a.Name)
		if err == nil {
			_, l.Header, err = open(file)
			file.Close()
		}
		l.Err = err
		out = append(out, l)
	}
	return out, err
}

// Verify reads a backup whole and compares it with its manifest.
func Verify(ctx context.Context, from io.Reader) (Manifest, error) {
	m, _, err := read(ctx, from, nil, nil)
	return m, err
}

// Target is where a backup is restored.
type Target struct {
	Database backups.Database
	// Key stores the secret key, before the rows are there: a database that is filled can be opened.
	Key func(ctx context.Context, key []byte) error
}

// Restore reads the backup twice: first all of it, for what is damaged touches nothing; then again, into an empty database, all or nothing. opened
// gives the file from its beginning each time; prepare opens the target once the backup is known to be whole.
func Restore(ctx context.Context, opened func() (io.ReadCloser, error), prepare func(m Manifest, key []byte) (Target, error)) (Manifest, error) {
	file, err := opened()
	if err != nil {
		return Manifest{}, err
	}
	m, key, err := read(ctx, file, nil, nil)
	file.Close()
	if err != nil {
		return Manifest{}, err
	}
	to, err := prepare(m, key)
	if err != nil {
		return Manifest{}, err
	}
	err = to.Database.Fill(ctx, m.Schema, func(ctx context.Context, into backups.Filling) error {
		file, err := opened()
		if err != nil {
			return err
		}
		defer file.Close()
		again, _, err := read(ctx, file, m.Tables, into)
		if err != nil {
			return err
		}
		if !again.CreatedAt.Equal(m.CreatedAt) || again.Rows() != m.Rows() {
			return fault.New(fault.Conflict, CodeDamaged, "The backup was replaced while it was read. Start again.")
		}
		return to.Key(ctx, key)
	})
	return m, err
}

// Kind is the job that looks whether a scheduled backup is due.
const Kind jobs.Kind = "backup.scheduled"

// Definitions are the kinds of job.
func (s *Service) Definitions() []jobs.Definition {
	return []jobs.Definition{{Kind: Kind, MaxAttempts: 3, Timeout: 30 * time.Minute, Handler: func(ctx context.Context, _ jobs.Run) error { return s.Due(ctx) }}}
}

// Schedules look each hour, so that a server that is restarted every night makes its backups too.
func (s *Service) Schedules() []jobs.Schedule {
	if s.d.Every <= 0 {
		return nil
	}
	return []jobs.Schedule{{Job: jobs.Job{Kind: Kind, Key: "all", Priority: 3}, Every: time.Hour}}
}

// Due makes a backup when the last scheduled one is old enough.
func (s *Service) Due(ctx context.Context) error {
	if s.d.Every <= 0 {
		return nil
	}
	own, err := s.of(ctx, Scheduled)
	if err != nil {
		return err
	}
	if len(own) > 0 {
		if last, _ := madeAt(own[len(own)-1].Name, Scheduled); s.d.Now().Sub(last) < s.d.Every {
			return nil
		}
	}
	name, m, err := s.Create(ctx, Scheduled, "")
	if err != nil {
		return err
	}
	s.d.Logger.InfoContext(ctx, "made a backup", "name", name, "rows", m.Rows())
	return nil
}
