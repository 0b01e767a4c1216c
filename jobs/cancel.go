package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"jobcast/jobs/job"
)

// cancelling is the data of a job.cancelling event: another node reads it there.
type cancelling struct {
	Reason  string `json:"reason,omitempty"`
	GraceMs int64  `json:"graceMs"`
}

func decodeCancelling(e Event) (reason string, grace time.Duration) {
	var c cancelling
	if json.Unmarshal(e.Data, &c) != nil {
		return "", job.DefaultGrace
	}
	return c.Reason, time.Duration(c.GraceMs) * time.Millisecond
}

// Cancel asks a job to stop and returns without waiting for its worker. A job that waits is cancelled
// at once. A running one has its worker's context ended and, if the worker has not returned within the
// grace, is cancelled without it; with Force, or a grace of 0, that is at once. A second cancel can
// only shorten the grace. The error is a *Problem.
func (e *Engine) Cancel(ctx context.Context, req CancelRequest) (Outcome, Job, error) {
	if err := req.Check(); err != nil {
		return "", Job{}, err
	}
	outcome, now, err := e.cancel(ctx, req)
	if errors.Is(err, ErrNotFound) {
		return "", Job{}, job.NoJob(req.ID)
	}
	if err != nil {
		return "", Job{}, ProblemOf(err)
	}
	return outcome, now, nil
}

func (e *Engine) cancel(ctx context.Context, req CancelRequest) (Outcome, Job, error) {
	grace := req.Grace()
	asked := false // by this call
	for {
		last, pos, err := e.last(ctx, req.ID)
		if err != nil {
			return "", Job{}, err
		}
		run := e.run(req.ID)
		if run != nil && !run.owns(&last.Job) {
			run = nil
		}
		var rec Record
		switch {
		case asked && last.Job.State == Cancelled: // the node that runs it was quicker
			return OutcomeCancelled, last.Job, nil
		case last.Job.State.Terminal():
			return OutcomeAlreadyFinished, last.Job, nil
		case last.Job.State != Running, last.Job.CancelRequested && grace == 0 && run == nil:
			rec = nextRecord(last, EventCancelled, cancelledData(req.Reason), func(j *Job) { j.State, j.CancelRequested = Cancelled, true })
		case !last.Job.CancelRequested:
			rec = nextRecord(last, EventCancelling, cancelling{req.Reason, grace.Milliseconds()}, func(j *Job) { j.CancelRequested = true })
		case run == nil:
			return OutcomeCancelling, last.Job, nil // its node knows
		default:
			return e.cancelRun(ctx, run, req.Reason, grace, last.Job)
		}
		_, err = e.append(ctx, rec, pos)
		switch {
		case errors.Is(err, ErrConflict): // look again
		case err != nil:
			return "", Job{}, err
		case rec.Job.State == Cancelled:
			return OutcomeCancelled, rec.Job, nil
		case run != nil:
			return e.cancelRun(ctx, run, req.Reason, grace, rec.Job)
		case grace > 0:
			return OutcomeCancelling, rec.Job, nil
		default:
			asked = true
		}
	}
}

// cancelRun tells a run of this node. Without a grace the run ends by itself at once: it still stores
// what its worker had reported.
func (e *Engine) cancelRun(ctx context.Context, run *Run, reason string, grace time.Duration, job Job) (Outcome, Job, error) {
	run.requestCancel(reason, time.Now().Add(grace))
	if grace > 0 {
		return OutcomeCancelling, job, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	select {
	case <-run.ended:
	case <-ctx.Done():
		return OutcomeCancelling, job, nil
	}
	last, _, err := e.last(ctx, job.ID)
	switch {
	case err != nil:
		return "", Job{}, err
	case last.Job.State == Cancelled:
		return OutcomeCancelled, last.Job, nil
	case last.Job.State.Terminal():
		return OutcomeAlreadyFinished, last.Job, nil
	}
	return OutcomeCancelling, last.Job, nil
}
