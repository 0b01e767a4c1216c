// Package jobs runs durable jobs. The log of a job is the truth: everything that happens to it is
// appended there with compare-and-set, and watching a job means reading its log from any point on.
package jobs

import (
	"context"
	"iter"
	"log/slog"
	"time"
)

// LeaseTime is how long a worker may be silent before its job is given to another.
const LeaseTime = 15 * time.Second

// Config configures an Engine. Store and Files must be set.
type Config struct {
	Store       Store
	Files       *Files
	Workers     []Worker     // the kinds of job that this node runs
	Concurrency int          // jobs run at once; zero means 4
	Node        string       // the name of this node in events; empty means the host's name
	Logger      *slog.Logger // nil means slog.Default()
}

// An Engine takes requests for jobs, runs them, and lets anyone watch.
type Engine struct{}

// Open reads the index of all jobs, mends what a crash left half done, and starts to run jobs.
func Open(ctx context.Context, cfg Config) (*Engine, error) { panic("skeleton") }

// Close stops taking jobs, cancels the running ones and hands them back: they are queued again, and that
// does not count as an attempt. It returns when the last goroutine has ended, or ctx is done.
func (e *Engine) Close(ctx context.Context) error { panic("skeleton") }

// Kinds are the names of the kinds of job that can be started, sorted.
func (e *Engine) Kinds() []string { panic("skeleton") }

// Start makes a new job, or returns the one that the same id or idempotency key made before; created
// says which. The error is a *Problem.
func (e *Engine) Start(ctx context.Context, req StartRequest) (job Job, created bool, err error) {
	panic("skeleton")
}

// Get returns a job with its Args. The error is a *Problem.
func (e *Engine) Get(ctx context.Context, id ID) (Job, error) { panic("skeleton") }

// List returns a page of jobs, newest first, out of the memory of this node.
func (e *Engine) List(q ListQuery) (ListPage, error) { panic("skeleton") }

// Cancel asks a job to stop and returns without waiting for its worker.
func (e *Engine) Cancel(ctx context.Context, req CancelRequest) (Outcome, Job, error) {
	panic("skeleton")
}

// History returns up to limit events (1 to 1,000; 0 means 200) after a Seq, and whether there are more.
func (e *Engine) History(ctx context.Context, id ID, after uint64, limit int) (events []Event, more bool, err error) {
	panic("skeleton")
}

// Follow yields the records with a Seq above after, those stored and then each new one, and ends after
// the terminal one or with ctx. All who follow one job on a node share one read of its log. A reader
// that stops for long costs only itself: it reads on from the store.
func (e *Engine) Follow(ctx context.Context, id ID, after uint64) iter.Seq2[Record, error] {
	panic("skeleton")
}

// Logs returns log lines as one chunk; its Lines is empty when there are none.
func (e *Engine) Logs(ctx context.Context, id ID, q LogQuery) (LogChunk, error) { panic("skeleton") }

// FollowLogs yields chunks after a line, and ends when the job has ended and all its lines were seen.
func (e *Engine) FollowLogs(ctx context.Context, id ID, after int64) iter.Seq2[LogChunk, error] {
	panic("skeleton")
}

// Watch yields what has changed in the list of jobs, at most every interval and only the newest state
// of each, until ctx is done. It starts with the next change.
func (e *Engine) Watch(ctx context.Context, interval time.Duration) iter.Seq2[Changes, error] {
	panic("skeleton")
}
