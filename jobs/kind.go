package jobs

import (
	"context"
	"log/slog"
)

// Kind declares a kind of job once: its name, and the types of its arguments A and its result R, both
// encoded as JSON. Arguments with unknown fields are refused.
type Kind[A, R any] struct{ name string }

// NewKind declares a kind. The name must match ^[a-z][a-z0-9_.:-]{0,63}$, or NewKind panics.
func NewKind[A, R any](name string) Kind[A, R] { return Kind[A, R]{name} }

func (k Kind[A, R]) Name() string { return k.name }

// Worker gives the kind its code. check, which may be nil, is called with the arguments before a job is
// made; its error refuses the request (use BadRequest to point at the wrong part). run does the work:
// ctx ends when the job is cancelled, when the node stops, or when another worker has taken over; run
// must then return soon. An error, or a panic, fails the job; *Error sets type and code.
func (k Kind[A, R]) Worker(check func(ctx context.Context, args A) error, run func(ctx context.Context, r *Run, args A) (R, error)) Worker {
	panic("skeleton")
}

// Worker is a kind with its code. Kind.Worker makes it.
type Worker struct{ kind string }

// Run is one attempt of one job, from the inside. Its methods may be called from any goroutine, do not
// block on the network or the disk, and do nothing once the attempt is over.
type Run struct{}

func (r *Run) ID() ID       { panic("skeleton") }
func (r *Run) Attempt() int { panic("skeleton") } // from 1

// Progress reports how far the job is. It may be called in a tight loop: a report is stored when 250 ms
// or 1 % have passed since the last one (and at least 50 ms); the first, the last, and a change of
// message always are. A total of 0 or less means that nobody knows.
func (r *Run) Progress(done, total float64, unit, message string) { panic("skeleton") }

// Step says that part index (from 1) of count begins. Progress starts anew.
func (r *Run) Step(index, count int, name string) { panic("skeleton") }

// Log writes one line; attrs become its fields. Lines are stored a few times a second.
func (r *Run) Log(level slog.Level, text string, attrs ...slog.Attr) { panic("skeleton") }

// Create makes an artifact, which appears when the writer is closed without an error; a later attempt
// replaces it. contentType may be empty.
func (r *Run) Create(name, contentType string) (*ArtifactWriter, error) { panic("skeleton") }

// Upload opens a file that a client uploaded.
func (r *Run) Upload(name string) (*Upload, error) { panic("skeleton") }
