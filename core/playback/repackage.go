package playback

import (
	"context"
	"sync"
	"time"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/flight"
	"github.com/revenge-media/revenge/ports/blobs"
	"github.com/revenge-media/revenge/ports/media"
)

const (
	// copyWait is how long a request waits for a film to be repackaged before it is told to come back.
	copyWait = 30 * time.Second
	// copyRetry is when that is.
	copyRetry = 5 * time.Second
	// copyLease is how long repackaging goes on after the last request for it: players come back within copyRetry (R12).
	copyLease = 45 * time.Second
	// copyLimit bounds one film.
	copyLimit = time.Hour
)

// repackager makes copies of films, in a container that can be cut in process, once per content. A copy outlives the requests
// that wait for it by a lease that each of them renews.
type repackager struct {
	*Service
	one  flight.Gate
	mu   sync.Mutex
	work map[string]*repackaging
}

type repackaging struct {
	done  chan struct{}
	err   error
	lease *time.Timer
}

func newRepackager(s *Service) *repackager {
	return &repackager{Service: s, one: flight.NewGate(1), work: map[string]*repackaging{}}
}

func copyKey(l located) string { return "repackaged/" + l.key() + ".mkv" }

// copyOf opens the copy. Unavailable with "playback.repackaging" and RetryAfter while it is not done within copyWait.
func (r *repackager) copyOf(ctx context.Context, l located) (blobs.Reader, error) {
	if copied, err := r.Blobs.Get(ctx, copyKey(l)); err == nil {
		return copied, nil
	}
	if !r.hasTools(ctx) {
		return nil, fault.New(fault.Unavailable, media.CodeToolMissing, "FFmpeg, which would repackage this film, is not installed on the server.")
	}
	job := r.join(ctx, l)
	wait := time.NewTimer(copyWait)
	defer wait.Stop()
	select {
	case <-job.done:
		if job.err != nil {
			return nil, job.err
		}
		return r.Blobs.Get(ctx, copyKey(l))
	case <-wait.C:
		return nil, fault.New(fault.Unavailable, "playback.repackaging", "The film is being prepared for streaming. Try again shortly.").WithRetryAfter(copyRetry)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join renews the lease of work that runs, or begins it.
func (r *repackager) join(ctx context.Context, l located) *repackaging {
	key := copyKey(l)
	r.mu.Lock()
	defer r.mu.Unlock()
	if job, running := r.work[key]; running {
		job.lease.Reset(copyLease)
		return job
	}
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	job := &repackaging{done: make(chan struct{}), err: fault.New(fault.Unavailable, "playback.closing", "The server is stopping."), lease: time.AfterFunc(copyWait+copyLease, cancel)}
	r.work[key] = job
	finish := func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		cancel()
		job.lease.Stop()
		job.err = err
		delete(r.work, key)
		close(job.done)
	}
	started := r.background(working, copyLimit, func(ctx context.Context) {
		ctx, cancelBoth := context.WithCancel(ctx)
		defer cancelBoth()
		defer context.AfterFunc(working, cancelBoth)()
		finish(r.make(ctx, l))
	})
	if !started {
		go finish(job.err)
	}
	return job
}

// make repackages one film at a time: it is bounded by the disk, and two at once are slower than one after the other.
func (r *repackager) make(ctx context.Context, l located) error {
	leave, err := r.one.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	file, err := r.open(ctx, l)
	if err != nil {
		return err
	}
	defer file.Close()
	in := media.Input{Path: file.Path(), Reader: file, Size: file.Size()}
	return r.Blobs.Create(ctx, copyKey(l), func(path string) error { return r.Transcoder.Repackage(ctx, in, path, nil) })
}
