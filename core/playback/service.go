package playback

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	activitylog "github.com/revenge-media/revenge/core/activity"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/flight"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/media"
	"github.com/revenge-media/revenge/ports/secrets"
	"github.com/revenge-media/revenge/ports/store"
)

// Access says what an actor may do and see: core/access.
type Access interface {
	// ScopeFor is the libraries that the actor sees and has the permission in; Unauthenticated or Forbidden where no role of theirs carries it.
	ScopeFor(ctx context.Context, actor domain.Actor, p domain.Permission) (domain.Scope, error)
}

// Sessions says whether a session still lives: core/session.
type Sessions interface {
	// Authenticate returns whose session it is; Unauthenticated when it has ended.
	Authenticate(ctx context.Context, id domain.ID) (domain.Actor, domain.Session, error)
}

// Keys says who acts by an API key, or by whatever an actor acts by, now: core/apikey.
type Keys interface {
	// Resume returns whom a key makes act; Unauthenticated when it has ended.
	Resume(ctx context.Context, id domain.ID) (domain.Actor, error)
	// Current returns who an actor is by now; Unauthenticated when its session or its key has ended.
	Current(ctx context.Context, actor domain.Actor) (domain.Actor, error)
}

// Deps is what the service needs.
type Deps struct {
	Store    store.Store
	Access   Access
	Sessions Sessions
	Keys     Keys
	// Activity notes what is played.
	Activity *activitylog.Service
	Files    files.Tree
	Blobs    blobs.Store
	Cache    cache.Cache
	// Shared is what API processes have in common; nil: there is one process.
	Shared     cache.Shared
	Packager   media.Packager
	Transcoder media.Transcoder
	Subtitles  media.SubtitleParser
	// Sealer protects the key of stream tokens in the store.
	Sealer secrets.Sealer
	Now    func() time.Time
	Logger *slog.Logger
	// Encodes is how many sound segments are encoded at once; 0 means one a core. Four times as many may wait.
	Encodes int
	// EncodesPerUser is how many segments one user may wait for; 0 means 6.
	EncodesPerUser int
}

// Service holds the use cases.
type Service struct {
	Deps
	places   placeCache
	indexes  indexCache
	indexing flight.Group[opened]
	encoding flight.Group[[]byte]
	limits   *limits
	plays    activity
	copies   *repackager
	tools    toolCheck
	key      tokenKey

	// What runs in the background ends with life.
	life    context.Context
	end     context.CancelFunc
	closing sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// New returns the service. Close ends what it runs in the background.
func New(d Deps) *Service {
	if d.Encodes <= 0 {
		d.Encodes = runtime.NumCPU()
	}
	if d.EncodesPerUser <= 0 {
		d.EncodesPerUser = 6
	}
	s := &Service{Deps: d, limits: newLimits(d.Encodes, d.EncodesPerUser)}
	s.life, s.end = context.WithCancel(context.Background())
	s.copies = newRepackager(s)
	return s
}

// reader authorizes whoever plays films and returns what they see.
func (s *Service) reader(ctx context.Context, actor domain.Actor) (domain.Scope, error) {
	return s.Access.ScopeFor(ctx, actor, domain.PermissionPlayback)
}

// toolCheck remembers for a minute whether ffmpeg is there, for asking starts it.
type toolCheck struct {
	mu    sync.Mutex
	until time.Time
	there bool
}

// hasTools tells whether sound can be encoded and containers be repackaged.
func (s *Service) hasTools(ctx context.Context) bool {
	s.tools.mu.Lock()
	defer s.tools.mu.Unlock()
	if now := s.Now(); now.After(s.tools.until) {
		_, err := s.Transcoder.Available(ctx)
		if ctx.Err() != nil {
			return s.tools.there
		}
		s.tools.there, s.tools.until = err == nil, now.Add(time.Minute)
	}
	return s.tools.there
}

// limits bounds encoding for each user and in all (S30).
type limits struct {
	running flight.Gate
	perUser int
	queue   int
	mu      sync.Mutex
	users   map[domain.ID]int
	all     int
}

func newLimits(running, perUser int) *limits {
	return &limits{running: flight.NewGate(running), perUser: perUser, queue: 5 * running, users: map[domain.ID]int{}}
}

// admit takes a place in the queue for a user, or says that there is none.
func (l *limits) admit(user domain.ID) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users[user] >= l.perUser {
		return nil, fault.New(fault.Unavailable, "playback.user_limit", "You play more films with encoded sound at once than this server allows. Close one.").WithRetryAfter(2 * time.Second)
	}
	if l.all >= l.queue {
		return nil, fault.New(fault.Unavailable, "playback.busy", "The server encodes sound for as many viewers as it can. Try again shortly.").WithRetryAfter(2 * time.Second)
	}
	l.users[user]++
	l.all++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all--
		if l.users[user]--; l.users[user] == 0 {
			delete(l.users, user)
		}
	}, nil
}
