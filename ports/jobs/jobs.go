// Package jobs is what the core needs to get work done outside a request: enqueued with the change that asks for it,
// run at least once, one at a time per key.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/domain"
)

// Kind names a sort of work, "area.verb" ("library.scan"). Every process that runs jobs knows every kind.
type Kind string

// Queue separates work that must not wait for each other.
type Queue string

// The queues. A long scan never holds up what a person waits for.
const (
	QueueDefault Queue = "default"
	QueueScan    Queue = "scan"
	QueueMedia   Queue = "media" // probing, pictures, encoding: bounded by cores
)

// Queues are all queues.
func Queues() []Queue { return []Queue{QueueDefault, QueueScan, QueueMedia} }

// Job asks for work.
type Job struct {
	Kind Kind
	// Payload is JSON, stable across versions (N-1 reads it).
	Payload json.RawMessage
	// Key makes the job unique among those of its kind that are not finished; enqueuing another is then no error and does nothing. "" for none.
	Key string
	// Priority is 1 (first, for what a person waits for) to 4 (last); 0 means 1.
	Priority int
	// RunAt delays the job; the zero time means now.
	RunAt time.Time
}

// queues says where the kinds of an area run: what is not named here goes to QueueDefault.
var queues = map[string]Queue{"scan": QueueScan, "library": QueueScan, "media": QueueMedia, "images": QueueMedia}

// QueueOf returns the queue of a kind: whoever enqueues holds no definitions, so the area in the kind's name decides.
func QueueOf(kind Kind) Queue {
	area, _, _ := strings.Cut(string(kind), ".")
	if q, ok := queues[area]; ok {
		return q
	}
	return QueueDefault
}

// New returns a job with the JSON form of payload.
func New(kind Kind, key string, payload any) (Job, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return Job{}, fmt.Errorf("job %s: %w", kind, err)
	}
	return Job{Kind: kind, Key: key, Payload: data}, nil
}

// Enqueuer adds jobs. From store.Tx it does so in the transaction: the job exists if and only if that commits.
type Enqueuer interface {
	Enqueue(ctx context.Context, jobs ...Job) error
}

// Run is one attempt at a job.
type Run struct {
	ID      string
	Kind    Kind
	Payload json.RawMessage
	Attempt int // from 1
	// Trace is TraceOf the ctx that the job was enqueued with.
	Trace string
	// LastAttempt says that after a failure nobody tries again.
	LastAttempt bool
	// Report makes progress visible to Inspector; cheap enough to call each second.
	Report func(ctx context.Context, done, total int)
}

// Handler does the work. It is idempotent and ends soon after ctx does. nil is success; Continue asks for the next
// slice without counting an attempt; any other error counts, and is tried again with back-off until Definition.MaxAttempts,
// then the job is a dead letter. Discard ends it as a dead letter at once.
type Handler func(ctx context.Context, run Run) error

// Definition is a kind with how it runs. Its queue is QueueOf(Kind).
type Definition struct {
	Kind        Kind
	MaxAttempts int
	// Timeout bounds one slice. After twice that a killed process's job is taken up by another.
	Timeout time.Duration
	// Backoff is the wait before attempt n+1 (n from 1); nil is exponential from 1 s to 10 min.
	Backoff func(attempt int) time.Duration
	Handler Handler
}

// Schedule enqueues a job regularly, once for all processes.
type Schedule struct {
	Job   Job
	Every time.Duration
	// AtStart also runs it when the process that leads starts.
	AtStart bool
}

type continued struct{ after time.Duration }

func (c continued) Error() string { return "the job goes on in another slice" }

// Continue is what a Handler returns when it has committed a slice and wants another after the given wait.
func Continue(after time.Duration) error { return continued{after} }

// Continued tells whether err asks for another slice, and when.
func Continued(err error) (after time.Duration, ok bool) {
	var c continued
	if errors.As(err, &c) {
		return c.after, true
	}
	return 0, false
}

type discarded struct{ cause error }

func (d discarded) Error() string { return "discarded: " + d.cause.Error() }
func (d discarded) Unwrap() error { return d.cause }

// Discard is what a Handler returns when trying again cannot help.
func Discard(cause error) error { return discarded{cause} }

// Discarded tells whether err ends the job at once.
func Discarded(err error) bool {
	var d discarded
	return errors.As(err, &d)
}

// State is where a job stands.
type State string

// The states of a job.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Retrying  State = "retrying"
	Done      State = "done"
	Cancelled State = "cancelled"
	Dead      State = "dead" // a dead letter
)

// Info is a job as an operator sees it.
type Info struct {
	ID         string          `json:"id"`
	Kind       Kind            `json:"kind"`
	Queue      Queue           `json:"queue"`
	State      State           `json:"state"`
	Attempt    int             `json:"attempt"`
	Payload    json.RawMessage `json:"payload"`
	Key        string          `json:"key,omitempty"`
	Priority   int             `json:"priority"`
	LastError  string          `json:"lastError,omitempty"`
	Done       int             `json:"done"`
	Total      int             `json:"total"`
	CreatedAt  time.Time       `json:"createdAt"`
	RunAt      time.Time       `json:"runAt"`
	StartedAt  *time.Time      `json:"startedAt,omitempty"` // of the last attempt
	FinishedAt *time.Time      `json:"finishedAt,omitempty"`
	// Process is the ID of the process that runs the job, or did last.
	Process string `json:"process,omitempty"`
	// Failures are the attempts that failed, oldest first, at most the last 20; only Get fills them.
	Failures []Failure `json:"failures,omitempty"`
}

// Failure is an attempt that failed.
type Failure struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Error   string    `json:"error"`
}

// Filter restricts Inspector.List; zero fields do not.
type Filter struct {
	Kind  Kind
	Queue Queue
	State State
	Key   string
}

// QueueStats is what metrics and readiness show of a queue.
type QueueStats struct {
	Queue         Queue
	Waiting       int
	Running       int
	Retrying      int // wait for their next attempt; not counted as Waiting
	Dead          int
	OldestWaiting time.Duration // since it could have run; 0 where none waits
	// Paused queues take jobs and run none.
	Paused bool
}

// Process is a process that runs jobs and was heard of within the last minute.
type Process struct {
	ID        string        `json:"id"`
	Host      string        `json:"host"`
	StartedAt time.Time     `json:"startedAt"`
	SeenAt    time.Time     `json:"seenAt"`
	Workers   map[Queue]int `json:"workers"` // how many jobs of each queue it runs at once
	Running   int           `json:"running"`
}

// Inspector shows and steers jobs.
type Inspector interface {
	// List is newest first.
	List(ctx context.Context, f Filter, page domain.PageRequest) (domain.Page[Info], error)
	// Cancel stops a job: a waiting one never runs, a running one's ctx ends. NotFound, or Conflict when it is finished.
	Cancel(ctx context.Context, id string) error
	// Retry runs a dead or cancelled job again.
	Retry(ctx context.Context, id string) error
	// Delete removes a job that is not running.
	Delete(ctx context.Context, id string) error
	// Get returns one job with its Failures, or NotFound.
	Get(ctx context.Context, id string) (Info, error)
	// Pause keeps all processes from beginning jobs of a queue, until Resume; what runs goes on. NotFound for a queue that is none of Queues.
	// Both may be repeated. It outlives every process.
	Pause(ctx context.Context, q Queue) error
	Resume(ctx context.Context, q Queue) error
	// Processes lists who runs jobs, in the order of ID.
	Processes(ctx context.Context) ([]Process, error)
	// Stats has every queue, in the order of Queues.
	Stats(ctx context.Context) ([]QueueStats, error)
}

// Runner runs jobs of the kinds it was told of.
type Runner interface {
	Enqueuer
	Inspector
	// Start begins to work; the definitions and schedules are final.
	Start(ctx context.Context, definitions []Definition, schedules []Schedule) error
	// Stop takes no new jobs, ends the ctx of running ones after a moment of grace and returns unfinished ones to the queue.
	Stop(ctx context.Context) error
}
