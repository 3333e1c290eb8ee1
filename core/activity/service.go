package activity

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/jobs"
	"github.com/revenge-media/revenge/ports/store"
)

// KindLog writes a batch of noted entries.
const KindLog jobs.Kind = "activity.log"

const (
	// noteAfter is how long a note waits for others to go with.
	noteAfter = time.Second
	// noteBatch is how many go at once, noteLimit how many wait at most while the database is out of reach.
	noteBatch, noteLimit = 100, 5000
	// ahead is how long before it begins a month has its place.
	ahead = 45 * 24 * time.Hour
	// maxSpan bounds what statistics are asked about.
	maxSpan = 366 * 24 * time.Hour
	// sameDenial is how long the same refusal to the same credential is one entry: nobody fills the log by asking again.
	sameDenial = time.Minute
)

// Deps is what the service needs.
type Deps struct {
	Store  store.Store
	Access *access.Service
	Now    func() time.Time
	Logger *slog.Logger
	// Retention is how long entries are kept; 0 is for ever.
	Retention func(ctx context.Context) (time.Duration, error)
}

// Service notes what is no security event, and shows and tidies up the log.
type Service struct {
	deps Deps

	mu      sync.Mutex
	noted   []domain.Activity
	flush   *time.Timer // set while something is noted
	dropped int
	denials map[denial]time.Time
}

type denial struct {
	credential domain.ID
	what       string
}

// New returns the service. Close it before the store.
func New(d Deps) *Service { return &Service{deps: d, denials: map[denial]time.Time{}} }

// Note adds what is no security event, through a job: within about a second it is enqueued together with others, and a request never waits for it
// nor fails over it. What is noted in the last second before a crash is lost. A nil service notes nothing.
func (s *Service) Note(_ context.Context, actor domain.Actor, e domain.Activity) {
	if s == nil {
		return
	}
	noted := entry(s.deps.Now(), actor, e)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.noted) >= noteLimit {
		s.dropped++
		return
	}
	s.noted = append(s.noted, noted)
	if s.flush == nil {
		s.flush = time.AfterFunc(noteAfter, s.flushed)
	}
}

// Denied notes that an actor was refused what it asked for, once a minute for the same thing.
func (s *Service) Denied(ctx context.Context, actor domain.Actor, what string) {
	if actor.Anonymous() {
		return // nobody in particular: the access log has it
	}
	now, of := s.deps.Now(), denial{actor.Credential(), what}
	s.mu.Lock()
	last, known := s.denials[of]
	again := known && now.Sub(last) < sameDenial && !now.Before(last)
	if !again {
		if len(s.denials) >= 10_000 {
			clear(s.denials)
		}
		s.denials[of] = now
	}
	s.mu.Unlock()
	if !again {
		s.Note(ctx, actor, domain.Activity{Action: domain.ActivityAccessDenied, ResourceType: "route", ResourceName: what})
	}
}

func (s *Service) flushed() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		s.deps.Logger.WarnContext(ctx, "what was noted for the activity log waits for the database", "error", err)
	}
}

// Flush enqueues at once what was noted. What fails is kept for the next time.
func (s *Service) Flush(ctx context.Context) error {
	s.mu.Lock()
	batch, dropped := s.noted, s.dropped
	s.noted, s.dropped = nil, 0
	if s.flush != nil {
		s.flush.Stop()
		s.flush = nil
	}
	s.mu.Unlock()
	if dropped > 0 {
		s.deps.Logger.WarnContext(ctx, "the activity log misses entries, as the database was out of reach", "count", dropped)
	}
	for len(batch) > 0 {
		n := min(len(batch), noteBatch)
		job, err := jobs.New(KindLog, "", batch[:n])
		if err == nil {
			err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Jobs.Enqueue(ctx, job) })
		}
		if err != nil {
			s.keep(batch)
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// keep puts back what could not be enqueued, and tries again later.
func (s *Service) keep(batch []domain.Activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noted = append(batch, s.noted...)
	if s.flush == nil {
		s.flush = time.AfterFunc(5*noteAfter, s.flushed)
	}
}

// Close enqueues what was noted. Nothing may be noted afterwards.
func (s *Service) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		s.deps.Logger.WarnContext(ctx, "what was noted last is not in the activity log", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flush != nil {
		s.flush.Stop()
	}
}

// Definitions are the jobs of the log.
func (s *Service) Definitions() []jobs.Definition {
	return []jobs.Definition{{Kind: KindLog, MaxAttempts: 10, Timeout: 20 * time.Second, Handler: s.write}}
}

// write appends a batch; one that was written before changes nothing.
func (s *Service) write(ctx context.Context, run jobs.Run) error {
	var batch []domain.Activity
	if err := json.Unmarshal(run.Payload, &batch); err != nil {
		return jobs.Discard(err)
	}
	return s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Activity.Append(ctx, batch...) })
}

// Own lists what the actor itself did and what was tried in its name, newest first, whatever user the filter names.
func (s *Service) Own(ctx context.Context, actor domain.Actor, filter domain.ActivityFilter, page domain.PageRequest) (domain.Page[domain.Activity], error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionSession); err != nil {
		return domain.Page[domain.Activity]{}, err
	}
	filter.User = &actor.UserID
	list, err := s.deps.Store.Read().Activity.List(ctx, filter, page)
	if err != nil {
		return list, err
	}
	return list, s.hide(ctx, actor, list.Items)
}

// DetailLibrary names the library that a film or the like is in, by its id.
const DetailLibrary = "library"

// hide takes out of one's own entries what they were about where that is in a library that one does not see any more (S18).
func (s *Service) hide(ctx context.Context, actor domain.Actor, entries []domain.Activity) error {
	scope, err := s.deps.Access.Scope(ctx, actor)
	if err != nil && fault.KindOf(err) != fault.Forbidden {
		return err
	}
	for i, e := range entries {
		library, ok := domain.ParseID(e.Details[DetailLibrary])
		if (ok || e.ResourceType == "movie" || e.ResourceType == "library") && !scope.All() && !(ok && scope.Sees(library)) {
			entries[i].ResourceID, entries[i].ResourceName, entries[i].Details = "", "", nil
		}
	}
	return nil
}

// List lists everybody's, newest first.
func (s *Service) List(ctx context.Context, actor domain.Actor, filter domain.ActivityFilter, page domain.PageRequest) (domain.Page[domain.Activity], error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionActivityRead); err != nil {
		return domain.Page[domain.Activity]{}, err
	}
	return s.deps.Store.Read().Activity.List(ctx, filter, page)
}

// Stats counts what happened from a moment to the one before to; zero times are the last 30 days, and the span is a year at most.
func (s *Service) Stats(ctx context.Context, actor domain.Actor, from, to time.Time) (domain.ActivityStats, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionActivityRead); err != nil {
		return domain.ActivityStats{}, err
	}
	if to.IsZero() {
		to = s.deps.Now()
	}
	if from.IsZero() {
		from = to.AddDate(0, 0, -30)
	}
	if span := to.Sub(from); span <= 0 || span > maxSpan {
		return domain.ActivityStats{}, fault.New(fault.Invalid, "activity.bad_span", "The span must end after it begins and be a year at most.")
	}
	return s.deps.Store.Read().Activity.Stats(ctx, domain.Stamp(from), domain.Stamp(to))
}

// CleanUp makes room for the months ahead and removes what is older than the retention, in many small transactions.
func (s *Service) CleanUp(ctx context.Context) error {
	now := s.deps.Now()
	err := s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Activity.Provide(ctx, now, now.Add(ahead)) })
	if err != nil {
		return err
	}
	kept, err := s.deps.Retention(ctx)
	if err != nil || kept <= 0 {
		return err
	}
	for more := true; more && err == nil; {
		err = s.deps.Store.Update(ctx, func(ctx context.Context, tx store.Tx) (err error) {
			more, err = tx.Activity.Expire(ctx, now.Add(-kept))
			return err
		})
	}
	return err
}
