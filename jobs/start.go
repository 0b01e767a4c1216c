package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"jobcast/jobs/job"
)

// Start makes a new job, or returns the one that the same id or idempotency key made before; created
// says which. The job comes without Args. The error is a *Problem, of code too_many_requests and with a time to
// wait if req.From may not start one now.
func (e *Engine) Start(ctx context.Context, req StartRequest) (job Job, created bool, err error) {
	if err := e.starts.mayStart(req.From); err != nil {
		return Job{}, false, err
	}
	if err := req.Check(); err != nil {
		return Job{}, false, err
	}
	worker, ok := e.workers[req.Kind]
	if !ok {
		return Job{}, false, e.noKind(req.Kind)
	}
	id := req.JobID()
	if req.ID != "" || req.IdempotencyKey != "" {
		// Before the worker's check: what it looks at, such as an upload, may be gone by now.
		if job, err = e.same(ctx, id, req); !errors.Is(err, ErrNotFound) {
			return job, false, problemOrNil(err)
		}
	}
	if e.taking.Err() != nil {
		return Job{}, false, ProblemOf(ErrClosed)
	}
	if err := worker.check(ctx, req.Args); err != nil {
		return Job{}, false, ProblemOf(err)
	}
	if req.Title == "" {
		req.Title = worker.title(req.Args)
	}
	release, err := e.starts.mayQueue(ownerOf(req.From), e.index.Queued)
	if err != nil {
		return Job{}, false, err
	}
	defer release()
	job, created, err = e.create(ctx, id, req)
	return job, created, problemOrNil(err)
}

// noKind is the Problem of a kind that no worker has.
func (e *Engine) noKind(kind string) *Problem {
	return BadRequest("/kind", fmt.Sprintf("there is no kind %q; there are: %s", job.Cut(kind, 64), strings.Join(e.kindNames(), ", ")))
}

// problemOrNil keeps a nil *Problem out of an error.
func problemOrNil(err error) error {
	if err == nil {
		return nil
	}
	return ProblemOf(err)
}

// same returns the job that has the id, if it was made by the same request, or ErrNotFound if there is
// none.
func (e *Engine) same(ctx context.Context, id ID, req StartRequest) (Job, error) {
	last, _, err := e.last(ctx, id)
	if err != nil {
		return Job{}, err
	}
	if last.Job.Kind != req.Kind {
		return Job{}, req.Mismatch()
	}
	return last.Job, e.sameArgs(ctx, id, req)
}

func (e *Engine) sameArgs(ctx context.Context, id ID, req StartRequest) error {
	args, err := e.store.Args(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !job.SameJSON(args, req.Args) {
		return req.Mismatch()
	}
	return nil
}

// create writes a new job. The order counts: whatever a crash leaves behind, a job whose first event is
// stored has its arguments, and the sweep finds it.
func (e *Engine) create(ctx context.Context, id ID, req StartRequest) (Job, bool, error) {
	if e.taking.Err() != nil {
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
		*j = Job{ID: id, Kind: req.Kind, Title: req.Title, Queue: "default", State: Queued, MaxAttempts: attempts, Tags: slices.Clone(req.Tags)}
	})
	rec.Owner = ownerOf(req.From)
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
	e.log.Info("a job is queued", "job", id, "kind", req.Kind, "address", req.From)
	return rec.Job, true, nil
}
