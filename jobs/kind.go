package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"jobcast/jobs/job"
)

// maxResultBytes bounds a result. What is bigger belongs into an artifact.
const maxResultBytes = 256 << 10

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_.:-]{0,63}$`)

// Kind declares a kind of job once: its name, and the types of its arguments A and its result R, both
// encoded as JSON. Arguments with unknown fields are refused.
type Kind[A, R any] struct{ name string }

// NewKind declares a kind. The name must match ^[a-z][a-z0-9_.:-]{0,63}$, or NewKind panics.
func NewKind[A, R any](name string) Kind[A, R] {
	if !namePattern.MatchString(name) {
		panic(fmt.Sprintf("jobs: %q cannot name a kind of job", name))
	}
	return Kind[A, R]{name}
}

// Name is the name that clients use.
func (k Kind[A, R]) Name() string { return k.name }

// Worker gives the kind its code. check, which may be nil, is called with the arguments before a job is
// made; its error refuses the request (use BadRequest to point at the wrong part). run does the work:
// ctx ends when the job is cancelled, when the node stops, or when another worker has taken over; run
// must then return soon. An error, or a panic, fails the job; *Error sets type and code. A result of
// more than 256 KiB fails it too: make an artifact of it.
//
// If run returns without an error, the job has completed, even if it was to be cancelled. After a
// cancel, any error means cancelled; while the node stops, any error hands the job back.
func (k Kind[A, R]) Worker(check func(ctx context.Context, args A) error, run func(ctx context.Context, r *Run, args A) (R, error)) Worker {
	return Worker{
		kind: k.name,
		check: func(ctx context.Context, raw json.RawMessage) error {
			var args A
			if err := job.DecodeArgs(raw, &args); err != nil || check == nil {
				return err
			}
			return check(ctx, args)
		},
		run: func(ctx context.Context, r *Run, raw json.RawMessage) (json.RawMessage, error) {
			var args A
			if err := job.DecodeArgs(raw, &args); err != nil {
				return nil, err
			}
			result, err := run(ctx, r, args)
			if err != nil {
				return nil, err
			}
			encoded, err := json.Marshal(result)
			if err != nil {
				return nil, &Error{Type: "bad_result", Message: fmt.Sprintf("encode result: %v", err)}
			}
			if len(encoded) > maxResultBytes {
				return nil, &Error{Type: "bad_result", Message: fmt.Sprintf("the result has %d bytes; at most %d are kept", len(encoded), maxResultBytes)}
			}
			return encoded, nil
		},
	}
}

// Worker is a kind with its code. Kind.Worker makes it.
type Worker struct {
	kind  string
	check func(ctx context.Context, args json.RawMessage) error
	run   func(ctx context.Context, r *Run, args json.RawMessage) (json.RawMessage, error)
}

// Kind is the name of the worker's kind.
func (w Worker) Kind() string { return w.kind }
