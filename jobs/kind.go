package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"jobcast/jobs/internal/schema"
)

// maxResultBytes bounds a result. What is bigger belongs into an artifact.
const maxResultBytes = 256 << 10

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_.:-]{0,63}$`)

// Kind declares a kind of job once: its name, and the types of its arguments A and its result R, both
// encoded as JSON. Arguments with unknown fields are refused, and so are those that do not keep what the
// tags of A's fields say: see package schema.
type Kind[A, R any] struct {
	name   string
	about  About[A]
	unless Defaults
}

// Defaults say how jobs of a kind are run where the request for one does not say it. The zero value says nothing:
// then an error is final, and a run takes as long as it takes.
type Defaults struct {
	Queue       string        // its name matches ^[a-z][a-z0-9_.:-]{0,63}$; empty means "default"
	MaxAttempts int           // runs that may end with an error, at most 100; 0 means 1, or 3 where Backoff is set
	Backoff     *Backoff      // how long to wait between them; nil means that of Backoff's zero value
	Timeout     time.Duration // of one run; 0 means none
	Retention   time.Duration // how long a finished job is kept; 0 means as long as the server keeps all
}

// About says what a kind is to people. The zero value says nothing.
type About[A any] struct {
	Title    string // what people call the kind, such as "Checksum"; empty means its name
	Sentence string // what a job of it does, such as "SHA-256 of every file in a directory"

	// JobTitle names one job by what it works on, such as "Checksum of src". It sees arguments that were
	// accepted. Everybody who sees the list of jobs reads it, so keep secrets out. Nil, or an empty
	// title, means the kind's Title. More than 200 characters are cut.
	JobTitle func(args A) string
}

// NewKind declares a kind. The name must match ^[a-z][a-z0-9_.:-]{0,63}$, or NewKind panics.
func NewKind[A, R any](name string) Kind[A, R] {
	if !namePattern.MatchString(name) {
		panic(fmt.Sprintf("jobs: %q cannot name a kind of job", name))
	}
	return Kind[A, R]{name: name}
}

// Described returns the kind with what it is to people.
func (k Kind[A, R]) Described(about About[A]) Kind[A, R] {
	k.about = about
	return k
}

// Unless returns the kind with how its jobs are run where the request does not say it. It panics where d is out of
// bounds: that is a mistake of the program.
func (k Kind[A, R]) Unless(d Defaults) Kind[A, R] {
	if d.Queue != "" && !namePattern.MatchString(d.Queue) {
		panic(fmt.Sprintf("jobs: kind %s: %q cannot name a queue", k.name, d.Queue))
	}
	if d.MaxAttempts < 0 || d.MaxAttempts > maxAttemptsLimit || d.Timeout < 0 || d.Retention < 0 {
		panic(fmt.Sprintf("jobs: kind %s: defaults out of bounds", k.name))
	}
	k.unless = d
	return k
}

// Name is the name that clients use.
func (k Kind[A, R]) Name() string { return k.name }

// title names a job after its arguments, which have been checked.
func (k Kind[A, R]) title(raw json.RawMessage) string {
	var args A
	title := ""
	if k.about.JobTitle != nil && decodeArgs(raw, &args) == nil {
		title = CleanTitle(k.about.JobTitle(args))
	}
	return cmp.Or(title, k.Title())
}

// Title is what people call the kind.
func (k Kind[A, R]) Title() string { return cmp.Or(CleanTitle(k.about.Title), k.name) }

// Worker gives the kind its code. check, which may be nil, is called with the arguments before a job is
// made; its error refuses the request (use BadRequest to point at the wrong part). run does the work:
// ctx ends when the job is cancelled, when the node stops, or when another worker has taken over; run
// must then return soon. An error, or a panic, fails the job; *Error sets type and code. A result of
// more than 256 KiB fails it too: make an artifact of it.
//
// If run returns without an error, the job has completed, even if it was to be cancelled. After a
// cancel, any error means cancelled; while the node stops, any error hands the job back.
//
// Worker panics where a tag of A's fields holds a pattern that is none: that is a mistake of the program.
func (k Kind[A, R]) Worker(check func(ctx context.Context, args A) error, run func(ctx context.Context, r *Run, args A) (R, error)) Worker {
	args, err := schema.Of(reflect.TypeFor[A]())
	if err != nil {
		panic(fmt.Sprintf("jobs: the arguments of kind %s: %v", k.name, err))
	}
	return Worker{
		info:   KindInfo{Name: k.name, Title: k.Title(), Sentence: k.about.Sentence, Args: args.JSON()},
		title:  k.title,
		unless: k.unless,
		check: func(ctx context.Context, raw json.RawMessage) error {
			var decoded A
			if err := decodeArgs(raw, &decoded); err != nil {
				return err
			}
			if wrong, ok := errors.AsType[*schema.Wrong](args.Check(raw)); ok {
				return badFields([]ProblemField{{Pointer: wrong.Pointer, Detail: wrong.Detail}})
			}
			if check == nil {
				return nil
			}
			return check(ctx, decoded)
		},
		run: func(ctx context.Context, r *Run, raw json.RawMessage) (json.RawMessage, error) {
			var args A
			if err := decodeArgs(raw, &args); err != nil {
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

// Worker is a kind with its code. Kind.Worker makes it; who runs workers calls its methods.
type Worker struct {
	info   KindInfo
	title  func(args json.RawMessage) string
	unless Defaults
	check  func(ctx context.Context, args json.RawMessage) error
	run    func(ctx context.Context, r *Run, args json.RawMessage) (json.RawMessage, error)
}

// Kind is the name of the worker's kind.
func (w Worker) Kind() string { return w.info.Name }

// Info describes the worker's kind.
func (w Worker) Info() KindInfo { return w.info }

// Unless says how jobs of the kind are run where the request does not say it.
func (w Worker) Unless() Defaults { return w.unless }

// Title names a job with these arguments, which Check has accepted.
func (w Worker) Title(args json.RawMessage) string { return w.title(args) }

// Check refuses arguments that a job of the kind cannot have. Its error is a *Problem, or the worker's own.
func (w Worker) Check(ctx context.Context, args json.RawMessage) error { return w.check(ctx, args) }

// Run does the work of one attempt and returns its result, encoded, or the worker's error. It lets a panic of
// the worker pass.
func (w Worker) Run(ctx context.Context, r *Run, args json.RawMessage) (json.RawMessage, error) {
	return w.run(ctx, r, args)
}

// KindInfo describes a kind of job to who wants to start one.
type KindInfo struct {
	Name     string          `json:"name"`
	Title    string          `json:"title"`              // what people call the kind
	Sentence string          `json:"sentence,omitempty"` // what a job of the kind does
	Args     json.RawMessage `json:"args"`               // the JSON Schema (2020-12) of the arguments
}
