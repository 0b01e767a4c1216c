package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// Errors that a Store returns.
var (
	ErrNotFound = errors.New("jobs: there is no such job or cell")
	ErrConflict = errors.New("jobs: the log or cell has changed since it was read")
	ErrClosed   = errors.New("jobs: store is closed")
	ErrFull     = errors.New("jobs: store is full") // it takes no new jobs until some are removed
	ErrBroken   = errors.New("jobs: store cannot read or write its files")
)

// A Record is one event and the job's snapshot after it, stored together: a job's state is its newest
// record, there is no second table. Job.Args is never in it (see Store.PutArgs).
type Record struct {
	Event Event  `json:"event"`
	Job   Job    `json:"job"`
	Owner string `json:"owner,omitempty"` // whose job it is, for limits; not an address, and told to nobody
	Rules *Rules `json:"rules,omitempty"` // how it is to be run; nil in jobs of older versions
	Lease *Lease `json:"lease,omitempty"` // who runs it; nil unless it is running

	Mail   *Mail      `json:"mail,omitempty"`   // what was sent to its worker; nil: nothing
	Queued *time.Time `json:"queued,omitempty"` // when it was queued, which is its place; nil: at this event, or it is not
}

// Rules say how a job is to be run. They are fixed when the job is made: what the request says goes before what its
// kind says, and that before what the server says.
type Rules struct {
	Backoff     *Backoff `json:"backoff,omitempty"`     // how long to wait before an attempt is repeated; nil: not at all
	RetentionMs *int64   `json:"retentionMs,omitempty"` // how long the job is kept when it has finished; nil: as the server keeps all
}

// A Lease is the right to run one attempt of a job: that of the event that began it. It can be written down, told to
// another process, and checked there: it is good as long as the job's newest record has it. It ends with its holder's
// session at the latest.
type Lease struct {
	Holder string `json:"holder"` // the session of who runs the job
	Seq    uint64 `json:"seq"`    // of the event job.started
}

// RemovedRecord is what Events.Index yields where a job was removed: an event of type EventRemoved with the job's
// id, and nothing else.
func RemovedRecord(id ID) Record { return Record{Event: Event{Type: EventRemoved, JobID: id}} }

// Mail says how far a job's workers have come with the messages that were sent to them.
type Mail struct {
	Newest uint64            `json:"newest"`       // the Seq of the newest message
	Heard  uint64            `json:"heard"`        // all messages up to this Seq were received
	By     map[string]uint64 `json:"by,omitempty"` // and of these names, all up to theirs
	Unread int               `json:"unread"`       // messages that were not
}

// Position is where a record lies in the store. Only the store can read it; zero is "before the first".
type Position uint64

// A Store keeps all that there is of all jobs. It is four things, each of which can be implemented apart. Its methods
// may be called from any goroutine. jobstest has the suite that every implementation passes.
type Store interface {
	Events
	Arguments
	Text
	Cells
	// Remove erases every trace of a job; removing a job that is not there is no error. Every live Index tells
	// of it. It is as cheap as a few appends, whatever the number of other jobs.
	Remove(ctx context.Context, id ID) error
	// Usage says how full the store is.
	Usage(ctx context.Context) (Usage, error)
}

// Usage is how full a store is: the fullest part of it that takes nothing more (ErrFull) at its bound, and in
// which Remove makes room. A store takes new jobs only up to a part of the bound, such as 15 of 16, so that those
// under way can end.
type Usage struct {
	Bytes    int64
	MaxBytes int64 // zero: there is no bound
}

// Events keeps the log of each job: its records.
type Events interface {
	// Append stores rec as the newest record of its job, if the newest so far is at after, and else
	// returns ErrConflict. That one rule makes seq contiguous, the terminal event the only one, and
	// shuts out a worker that lost its lease.
	Append(ctx context.Context, rec Record, after Position) (Position, error)
	// Last returns a job's newest record, or ErrNotFound.
	Last(ctx context.Context, id ID) (Record, Position, error)
	// Read returns up to limit records with a Seq above after, oldest first; none for a job that is not
	// there. A store may have let go of a job's oldest records; the result then starts later.
	Read(ctx context.Context, id ID, after uint64, limit int) ([]Record, error)
	// Follow yields the records with a Seq above after, first those stored, then each new one, without
	// a hole, until ctx is done; that is no error. It does not end at a terminal record.
	Follow(ctx context.Context, id ID, after uint64) iter.Seq2[Record, error]
	// Index yields the newest record of every job, then one zero Record, then every record of every job
	// as it is appended; where several were appended to one job it may yield only the newest. After the zero
	// Record it yields a RemovedRecord for each job that was removed of those that it has yielded, before
	// anything of a later job of that id. Where it may have missed a removal it ends with an error: who reads it
	// anew gets every job that there is, and forgets the others.
	Index(ctx context.Context) iter.Seq2[Record, error]
}

// Arguments keeps what each job was started with.
type Arguments interface {
	// PutArgs keeps a job's arguments. It comes before the job's first Append. Arguments are written
	// once: where there are some, PutArgs returns ErrConflict and changes nothing, so that of two
	// requests for the same id the one that came late cannot slip its arguments under the other's job.
	PutArgs(ctx context.Context, id ID, args json.RawMessage) error
	// Args returns them, or ErrNotFound.
	Args(ctx context.Context, id ID) (json.RawMessage, error)
}

// Text keeps what each job has written, in chunks. Its methods do for that what Append, Last, Read and Follow do
// for events. after is the number of the last line that the reader holds; a chunk that holds it and later lines is
// included. LastLog returns ErrNotFound before the first chunk.
type Text interface {
	AppendLog(ctx context.Context, chunk LogChunk, after Position) (Position, error)
	LastLog(ctx context.Context, id ID) (LogChunk, Position, error)
	ReadLog(ctx context.Context, id ID, after int64, limit int) ([]LogChunk, error)
	FollowLog(ctx context.Context, id ID, after int64) iter.Seq2[LogChunk, error]
}

// LeaseTime is how long who runs jobs may be silent before they are given to another.
const LeaseTime = 15 * time.Second
