package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"jobcast/jobs"
	"jobcast/jobs/internal/text"
)

// Start makes a new job, or returns the one that the same id or idempotency key made before; created
// says which. The job comes without Args. The error is a *Problem, of code too_many_requests and with a time to
// wait if req.From may not start one now.
func (e *Engine) Start(ctx context.Context, req jobs.StartRequest) (job jobs.Job, created bool, err error) {
	if err := e.starts.mayStart(req.From); err != nil {
		return jobs.Job{}, false, err
	}
	if err := req.Check(); err != nil {
		return jobs.Job{}, false, err
	}
	worker, ok := e.workers[req.Kind]
	if !ok {
		return jobs.Job{}, false, e.noKind(req.Kind)
	}
	id := jobID(&req)
	if req.ID != "" || req.IdempotencyKey != "" {
		// Before the worker's check: what it looks at, such as an upload, may be gone by now.
		if job, err = e.same(ctx, id, req); !errors.Is(err, jobs.ErrNotFound) {
			return job, false, problemOrNil(err)
		}
	}
	if e.taking.Err() != nil {
		return jobs.Job{}, false, jobs.ProblemOf(jobs.ErrClosed)
	}
	if err := worker.Check(ctx, req.Args); err != nil {
		return jobs.Job{}, false, jobs.ProblemOf(err)
	}
	if req.Title == "" {
		req.Title = worker.Title(req.Args)
	}
	if req.ParentID != "" {
		if req.RootID, err = e.root(ctx, req.ParentID); err != nil {
			return jobs.Job{}, false, err
		}
	}
	release, err := e.starts.mayQueue(ownerOf(req.From), e.index.Queued)
	if err != nil {
		return jobs.Job{}, false, err
	}
	defer release()
	job, created, err = e.create(ctx, id, req)
	return job, created, problemOrNil(err)
}

// root is the root of a job that is to have a child, which must not have finished. The error is a *Problem.
func (e *Engine) root(ctx context.Context, parent jobs.ID) (jobs.ID, error) {
	last, _, err := e.last(ctx, parent)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return "", jobs.BadRequest("/parentId", fmt.Sprintf("there is no job %q", parent))
	case err != nil:
		return "", jobs.ProblemOf(err)
	case last.Job.State.Terminal():
		return "", jobs.Finished(parent, last.Job.State)
	}
	return cmp.Or(last.Job.RootID, parent), nil
}

// noKind is the Problem of a kind that no worker has.
func (e *Engine) noKind(kind string) *jobs.Problem {
	return jobs.BadRequest("/kind", fmt.Sprintf("there is no kind %q; there are: %s", text.Bytes(kind, 64), strings.Join(e.kindNames(), ", ")))
}

// problemOrNil keeps a nil *Problem out of an error.
func problemOrNil(err error) error {
	if err == nil {
		return nil
	}
	return jobs.ProblemOf(err)
}

// same returns the job that has the id, if it was made by the same request, or ErrNotFound if there is
// none.
func (e *Engine) same(ctx context.Context, id jobs.ID, req jobs.StartRequest) (jobs.Job, error) {
	last, _, err := e.last(ctx, id)
	if err != nil {
		return jobs.Job{}, err
	}
	if last.Job.Kind != req.Kind {
		return jobs.Job{}, mismatch(&req)
	}
	return last.Job, e.sameArgs(ctx, id, req)
}

func (e *Engine) sameArgs(ctx context.Context, id jobs.ID, req jobs.StartRequest) error {
	args, err := e.store.Args(ctx, id)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return err
	}
	if !sameJSON(args, req.Args) {
		return mismatch(&req)
	}
	return nil
}

// create writes a new job. The order counts: whatever a crash leaves behind, a job whose first event is
// stored has its arguments.
func (e *Engine) create(ctx context.Context, id jobs.ID, req jobs.StartRequest) (jobs.Job, bool, error) {
	if e.taking.Err() != nil {
		return jobs.Job{}, false, jobs.ErrClosed
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
	if err := e.withRoom(ctx, func() error { return e.store.PutArgs(ctx, id, args) }); errors.Is(err, jobs.ErrConflict) {
		// The same request is being served, or its first try was cut off here.
		if err := e.sameArgs(ctx, id, req); err != nil {
			return jobs.Job{}, false, err
		}
	} else if err != nil {
		return jobs.Job{}, false, err
	}
	v, rules := created(id, &req, e.workers[req.Kind].Unless(), e.now())
	rec := e.nextRecord(jobs.Record{}, v.event, v.data, v.change)
	rec.Owner, rec.Rules = ownerOf(req.From), rules
	if req.Schedule != nil { // the jobs of one schedule take turns with those of others
		rec.Owner = "schedule:" + string(req.Schedule.ID)
	}
	err := e.withRoom(ctx, func() error {
		_, err := e.append(ctx, rec, 0)
		return err
	})
	switch {
	case errors.Is(err, jobs.ErrConflict):
		job, err := e.same(ctx, id, req)
		return job, false, err
	case err != nil:
		return jobs.Job{}, false, err
	}
	e.log.Info("a job was started", "job", id, "kind", req.Kind, "state", string(rec.Job.State), "address", req.From)
	return rec.Job, true, nil
}
