package jobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

// Start makes a new job, or returns the one that the same id or idempotency key made before; created
// says which. The job comes without Args. The error is a *Problem.
func (e *Engine) Start(ctx context.Context, req StartRequest) (job Job, created bool, err error) {
	if err := req.check(); err != nil {
		return Job{}, false, err
	}
	worker, ok := e.workers[req.Kind]
	if !ok {
		return Job{}, false, BadRequest("/kind", fmt.Sprintf("there is no kind %q; there are: %s", cut(req.Kind, 64), strings.Join(e.Kinds(), ", ")))
	}
	id := req.id()
	if req.ID != "" || req.IdempotencyKey != "" {
		// Before the worker's check: what it looks at, such as an upload, may be gone by now.
		if job, err = e.same(ctx, id, req); !errors.Is(err, ErrNotFound) {
			return job, false, problemOrNil(err)
		}
	}
	if err := worker.check(ctx, req.Args); err != nil {
		return Job{}, false, ProblemOf(err)
	}
	job, created, err = e.create(ctx, id, req)
	return job, created, problemOrNil(err)
}

// problemOrNil keeps a nil *Problem out of an error.
func problemOrNil(err error) error {
	if err == nil {
		return nil
	}
	return ProblemOf(err)
}

// id is the job's: the client's, or one that its key always leads to, so that two requests with one key
// meet in the store, or a new one.
func (r *StartRequest) id() ID {
	switch {
	case r.ID != "":
		return r.ID
	case r.IdempotencyKey != "":
		sum := sha256.Sum256([]byte("jobs: idempotency key\x00" + r.IdempotencyKey))
		return ID("k" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
	}
	return ID(ulid.Make().String())
}

// same returns the job that has the id, if it was made by the same request, or ErrNotFound if there is
// none.
func (e *Engine) same(ctx context.Context, id ID, req StartRequest) (Job, error) {
	last, _, err := e.last(ctx, id)
	if err != nil {
		return Job{}, err
	}
	if last.Job.Kind != req.Kind {
		return Job{}, req.mismatch()
	}
	return last.Job, e.sameArgs(ctx, id, req)
}

func (e *Engine) sameArgs(ctx context.Context, id ID, req StartRequest) error {
	args, err := e.store.Args(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !sameJSON(args, req.Args) {
		return req.mismatch()
	}
	return nil
}

func (r *StartRequest) mismatch() *Problem {
	if r.ID != "" {
		return NewProblem(CodeConflict, fmt.Sprintf("the id %q was used with another kind or other args", r.ID))
	}
	return NewProblem(CodeIdempotencyMismatch, "the key was used with another kind or other args")
}

// create writes a new job. The order counts: whatever a crash leaves behind, a job whose first event is
// stored has its arguments, and the sweep finds it.
func (e *Engine) create(ctx context.Context, id ID, req StartRequest) (Job, bool, error) {
	if e.work.Err() != nil {
		return Job{}, false, ErrClosed
	}
	// A client that goes away in the middle must not leave half a job.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*storeTimeout)
	defer cancel()
	args := req.Args
	if len(args) == 0 {
		args = json.RawMessage("null")
	}
	var compact bytes.Buffer
	if json.Compact(&compact, args) == nil {
		args = compact.Bytes()
	}
	if err := e.store.PutArgs(ctx, id, args); errors.Is(err, ErrConflict) {
		// The same request is being served, or its first try was cut off here.
		if err := e.sameArgs(ctx, id, req); err != nil {
			return Job{}, false, err
		}
	} else if err != nil {
		return Job{}, false, err
	}
	attempts := req.MaxAttempts
	if attempts == 0 {
		attempts = defaultAttempts
	}
	rec := nextRecord(Record{}, EventQueued, nil, func(j *Job) {
		*j = Job{ID: id, Kind: req.Kind, Queue: "default", State: Queued, MaxAttempts: attempts, Tags: slices.Clone(req.Tags)}
	})
	switch _, err := e.append(ctx, rec, 0); {
	case errors.Is(err, ErrConflict):
		job, err := e.same(ctx, id, req)
		return job, false, err
	case err != nil:
		return Job{}, false, err
	}
	if err := e.store.Enqueue(ctx, id); err != nil {
		e.log.Warn("a new job waits for the next sweep", "job", id, "err", err)
	}
	e.log.Info("a job is queued", "job", id, "kind", req.Kind)
	return rec.Job, true, nil
}
