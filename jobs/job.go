// Package jobs says what a durable job is. Who writes a worker declares a kind and gives it its code:
//
//	var checksum = jobs.NewKind[Args, Result]("checksum")
//
//	worker := checksum.Worker(check, func(ctx context.Context, r *jobs.Run, args Args) (Result, error) {
//		r.Progress(1, 10, "file", "src/main.go")
//		…
//	})
//
// and hands it to package engine, which runs jobs. Who writes a store implements Store, and passes the suite of
// jobstest. Everything else are the values that both sides share: the snapshot of a job, the events of its log,
// the lines of its text, the requests about it with their limits, and the problems that a client is told. What a
// client sees of them is fixed by the contract, contract/jobs.schema.json.
//
// It holds no state, runs no goroutine, and knows neither who runs jobs nor who watches them.
package jobs

import (
	"encoding/json"
	"regexp"
	"time"
)

// ID names one job: 1 to 64 of 0-9 A-Z a-z _ -. It is a ULID unless the client chose it.
type ID string

var idPattern = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

// Valid reports whether id can name a job. Nothing else may reach a Store.
func (id ID) Valid() bool { return idPattern.MatchString(string(id)) }

// State is where a job is in its life.
type State string

// The states. Completed, Failed and Cancelled are terminal.
const (
	Scheduled State = "scheduled"
	Queued    State = "queued"
	Running   State = "running"
	Completed State = "completed"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Priority says which jobs of a queue come first: strictly, but now and then the oldest of the queue has its turn.
type Priority string

// The priorities. The empty one is PriorityDefault.
const (
	PriorityHigh    Priority = "high"
	PriorityDefault Priority = "default"
	PriorityLow     Priority = "low"
)

// Terminal reports whether a job in this state has had its last event.
func (s State) Terminal() bool { return s == Completed || s == Failed || s == Cancelled }

// EventType is what an event says, such as "job.progress". Over Socket.IO its dot is a colon.
type EventType string

// The types of event that a job's log holds.
const (
	EventScheduled  EventType = "job.scheduled" // it waits for its time
	EventQueued     EventType = "job.queued"
	EventStarted    EventType = "job.started"
	EventProgress   EventType = "job.progress"
	EventStep       EventType = "job.step"
	EventStalled    EventType = "job.stalled"  // nothing was heard of its worker for long
	EventRetrying   EventType = "job.retrying" // an attempt has failed, and the next has its time
	EventCancelling EventType = "job.cancelling"
	EventCompleted  EventType = "job.completed"
	EventFailed     EventType = "job.failed"
	EventCancelled  EventType = "job.cancelled"

	EventEvent    EventType = "job.event"    // a custom event of the worker's
	EventMessage  EventType = "job.message"  // what somebody has sent to the worker
	EventAsked    EventType = "job.asked"    // the worker asks something
	EventAnswered EventType = "job.answered" // its question has its answer
	EventValues   EventType = "job.values"   // live values have changed
	EventChild    EventType = "job.child"    // something has become of the job's children
)

// EventRemoved is no line of a log, which is erased with its job: those who watch the job are told it once, with the
// Seq and Prev of the last line. Events.Index tells it with the job's id and nothing else.
const EventRemoved EventType = "job.removed"

// Event is one line of a job's log, as watchers see it. Seq is contiguous for one job from 1, across
// attempts and restarts; Prev is the Seq that the receiver must already hold. The last event of a job
// is its only terminal one.
type Event struct {
	Type    EventType       `json:"type"`
	JobID   ID              `json:"jobId"`
	Seq     uint64          `json:"seq"`
	Prev    uint64          `json:"prev"`
	Time    time.Time       `json:"time"`
	Attempt int             `json:"attempt"`
	State   State           `json:"state,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Job is the snapshot of a job after its event number Seq.
type Job struct {
	ID              ID              `json:"id"`
	Kind            string          `json:"kind"`
	Title           string          `json:"title,omitempty"` // what the job works on; none in jobs of older versions
	Queue           string          `json:"queue"`
	Priority        Priority        `json:"priority,omitempty"` // empty means default
	State           State           `json:"state"`
	Seq             uint64          `json:"seq"`
	Attempt         int             `json:"attempt"`        // runs that have begun; those that were handed back do not count
	Lost            int             `json:"lost,omitempty"` // attempts whose worker was lost; they use up no attempt of MaxAttempts
	MaxAttempts     int             `json:"maxAttempts"`    // runs that may end with an error
	ConcurrencyKey  string          `json:"concurrencyKey,omitempty"`
	TimeoutMs       int64           `json:"timeoutMs,omitempty"` // how long one run may take
	RetryOf         ID              `json:"retryOf,omitempty"`   // the finished job that this one repeats
	ParentID        ID              `json:"parentId,omitempty"`
	RootID          ID              `json:"rootId,omitempty"` // the parent's parent, and so on
	Tags            []string        `json:"tags,omitempty"`
	Args            json.RawMessage `json:"args,omitempty"` // only where one job is asked for
	Progress        *Progress       `json:"progress,omitempty"`
	Result          json.RawMessage `json:"result,omitempty"`
	Warnings        int64           `json:"warnings,omitempty"` // what the attempt could not do, and went on
	Error           *Error          `json:"error,omitempty"`
	Artifacts       []Artifact      `json:"artifacts,omitempty"`
	CancelRequested bool            `json:"cancelRequested,omitempty"`
	Stalled         bool            `json:"stalled,omitempty"`     // it runs, and nothing was heard of it since HeartbeatAt
	Waiting         bool            `json:"waiting,omitempty"`     // it runs, and holds no slot: it waits for a child or an answer
	HeartbeatAt     *time.Time      `json:"heartbeatAt,omitempty"` // of a stalled job: its last sign of life
	Worker          string          `json:"worker,omitempty"`
	RunAt           *time.Time      `json:"runAt,omitempty"`     // of a scheduled job: when it is queued
	ExpiresAt       *time.Time      `json:"expiresAt,omitempty"` // of a finished job: when it is removed
	CreatedAt       time.Time       `json:"createdAt"`
	StartedAt       *time.Time      `json:"startedAt,omitempty"`
	FinishedAt      *time.Time      `json:"finishedAt,omitempty"`
	Log             *LogInfo        `json:"log,omitempty"`

	Values   map[string]json.RawMessage `json:"values,omitempty"`   // what the worker shows of its work now; at most 64, 16 KiB
	Asks     []Ask                      `json:"asks,omitempty"`     // the questions that are open
	Children *Children                  `json:"children,omitempty"` // nil: it has none
	Steps    []StepTime                 `json:"steps,omitempty"`    // those of the attempt, in order; the newest 64
	Schedule *Tick                      `json:"schedule,omitempty"` // what has made it

	// Where it stands now, of this node's memory: never stored, and only where one job is asked for.
	Usual           *Usual     `json:"usual,omitempty"` // of a running job: how long those of its kind take; nil: too few have completed
	WaitsFor        WaitsFor   `json:"waitsFor,omitempty"`
	QueuePosition   int        `json:"queuePosition,omitempty"`   // of a queued job: from 1, which is the next
	ExpectedStartAt *time.Time `json:"expectedStartAt,omitempty"` // nil: nobody can tell
}

// Progress is how far a job is. Percent, Rate and ETA are computed by the engine. Percent is below 100 until
// the job has completed, and never goes back within a step; a job that completes with warnings keeps what it had.
type Progress struct {
	Done    float64  `json:"done"`
	Total   *float64 `json:"total,omitempty"` // nil: nobody knows
	Unit    string   `json:"unit,omitempty"`
	Percent *float64 `json:"percent,omitempty"`
	Message string   `json:"message,omitempty"`
	Step    *Step    `json:"step,omitempty"`
	Rate    *float64 `json:"rate,omitempty"`  // units per second over the last 30 s
	EtaMs   *int64   `json:"etaMs,omitempty"` // counted from the event's time
}

// Step is one of the parts that a job does in order.
type Step struct {
	Index int    `json:"index"` // from 1
	Count int    `json:"count"`
	Name  string `json:"name"` // at most 120 bytes
}

// MaxSteps bounds the steps of which a job keeps the times.
const MaxSteps = 64

// StepTime is when a step of a job was under way.
type StepTime struct {
	Step
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"` // nil: it is under way
}

// Error is why a job, or one attempt of it, failed.
type Error struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	Stack     string `json:"stack,omitempty"` // at most 16 KiB
	Code      string `json:"code,omitempty"`
	Retryable bool   `json:"retryable"`
	Attempt   int    `json:"attempt,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Artifact is a file that a job made.
type Artifact struct {
	Name string `json:"name"`
	Href string `json:"href"`
	Type string `json:"type,omitempty"`
	Size int64  `json:"size"`
}

// LogInfo says how much text a job has logged.
type LogInfo struct {
	Lines     int64 `json:"lines"`
	Bytes     int64 `json:"bytes"`
	FirstLine int64 `json:"firstLine,omitempty"` // the oldest line still stored
}

// LogLine is one line of text that a job wrote.
type LogLine struct {
	T      int64          `json:"t"`           // Unix milliseconds
	Stream string         `json:"s,omitempty"` // out, err or sys
	Level  string         `json:"l,omitempty"` // trace, debug, info, warn or error
	Text   string         `json:"m"`           // at most 16 KiB
	Fields map[string]any `json:"f,omitempty"`
}

// LogChunk is a run of log lines; Line is the number of the first. Line numbers are contiguous for one
// job from 1, across attempts.
type LogChunk struct {
	JobID   ID        `json:"jobId"`
	Attempt int       `json:"attempt"`
	Line    int64     `json:"line"`
	Dropped int64     `json:"dropped,omitempty"` // lines left out before this chunk
	Lines   []LogLine `json:"lines"`
}

// LastLine is the number of the chunk's last line; that of the line before it if the chunk has none.
func (c LogChunk) LastLine() int64 { return c.Line + int64(len(c.Lines)) - 1 }
