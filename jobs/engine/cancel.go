package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"jobcast/jobs"
)

// cancelling is the data of a job.cancelling event: another node reads it there.
type cancelling struct {
	Reason  string `json:"reason,omitempty"`
	GraceMs int64  `json:"graceMs"`
}

func decodeCancelling(e jobs.Event) (reason string, grace time.Duration) {
	var c cancelling
	if json.Unmarshal(e.Data, &c) != nil {
		return "", jobs.DefaultGrace
	}
	return c.Reason, time.Duration(c.GraceMs) * time.Millisecond
}

// Cancel asks a job to stop and returns without waiting for its worker. A job that waits is cancelled
// at once. A running one has its worker's context ended and, if the worker has not returned within the
// grace, is cancelled without it; with Force, or a grace of 0, that is at once. A second cancel can
// only shorten the grace. The error is a *Problem.
func (e *Engine) Cancel(ctx context.Context, req jobs.CancelRequest) (jobs.Outcome, jobs.Job, error) {
	if err := req.Check(); err != nil {
		return "", jobs.Job{}, err
	}
	outcome, now, err := e.cancel(ctx, req)
	if errors.Is(err, jobs.ErrNotFound) {
		return "", jobs.Job{}, jobs.NoJob(req.ID)
	}
	if err != nil {
		return "", jobs.Job{}, jobs.ProblemOf(err)
	}
	return outcome, now, nil
}

func (e *Engine) cancel(ctx context.Context, req jobs.CancelRequest) (jobs.Outcome, jobs.Job, error) {
	grace := req.Grace()
	asked := false // by this call
	for {
		last, pos, err := e.last(ctx, req.ID)
		if err != nil {
			return "", jobs.Job{}, err
		}
		run := e.run(req.ID)
		if run != nil && !run.owns(&last) {
			run = nil
		}
		var rec jobs.Record
		switch {
		case asked && last.Job.State == jobs.Cancelled: // the node that runs it was quicker
			return jobs.OutcomeCancelled, last.Job, nil
		case last.Job.State.Terminal():
			return jobs.OutcomeAlreadyFinished, last.Job, nil
		case last.Job.State != jobs.Running, last.Job.CancelRequested && grace == 0 && run == nil:
			v := cancelled(req.Reason)
			rec = e.nextRecord(last, v.event, v.data, v.change)
		case !last.Job.CancelRequested:
			rec = e.nextRecord(last, jobs.EventCancelling, cancelling{req.Reason, grace.Milliseconds()}, func(j *jobs.Job) { j.CancelRequested = true })
		case run == nil:
			return jobs.OutcomeCancelling, last.Job, nil // its node knows
		default:
			return e.cancelRun(ctx, run, req.Reason, grace, last.Job)
		}
		_, err = e.append(ctx, rec, pos)
		switch {
		case errors.Is(err, jobs.ErrConflict): // look again
		case err != nil:
			return "", jobs.Job{}, err
		case rec.Job.State == jobs.Cancelled:
			return jobs.OutcomeCancelled, rec.Job, nil
		case run != nil:
			return e.cancelRun(ctx, run, req.Reason, grace, rec.Job)
		case grace > 0:
			return jobs.OutcomeCancelling, rec.Job, nil
		default:
			asked = true
		}
	}
}

// cancelRun tells a run of this node. Without a grace the run ends by itself at once: it still stores
// what its worker had reported.
func (e *Engine) cancelRun(ctx context.Context, run *run, reason string, grace time.Duration, job jobs.Job) (jobs.Outcome, jobs.Job, error) {
	run.requestCancel(reason, time.Now().Add(grace))
	if grace > 0 {
		return jobs.OutcomeCancelling, job, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	select {
	case <-run.ended:
	case <-ctx.Done():
		return jobs.OutcomeCancelling, job, nil
	}
	last, _, err := e.last(ctx, job.ID)
	switch {
	case err != nil:
		return "", jobs.Job{}, err
	case last.Job.State == jobs.Cancelled:
		return jobs.OutcomeCancelled, last.Job, nil
	case last.Job.State.Terminal():
		return jobs.OutcomeAlreadyFinished, last.Job, nil
	}
	return jobs.OutcomeCancelling, last.Job, nil
}

// cancelDetails finds out from a job's log with what reason, and how much grace, someone wanted it
// cancelled.
func (e *Engine) cancelDetails(last jobs.Record) (reason string, grace time.Duration) {
	ctx, cancel := context.WithTimeout(e.base, storeTimeout)
	defer cancel()
	const page = 200
	for after := last.Event.Seq; ; {
		from := after - min(after, page)
		recs, err := e.store.Read(ctx, last.Event.JobID, from, page)
		if err != nil {
			return "", jobs.DefaultGrace
		}
		for _, rec := range slices.Backward(recs) {
			if rec.Event.Type == jobs.EventCancelling {
				return decodeCancelling(rec.Event)
			}
		}
		if after = from; after == 0 {
			return "", jobs.DefaultGrace
		}
	}
}
