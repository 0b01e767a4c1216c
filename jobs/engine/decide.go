package engine

import (
	"encoding/json"
	"errors"

	"jobcast/jobs"
	"jobcast/jobs/internal/text"
)

// maxInlineResult is how much of a result, in bytes, is told in its event; the snapshot has it whole.
const maxInlineResult = 4 << 10

// outcome is how an attempt ended.
type outcome struct {
	result json.RawMessage
	err    error       // nil: the worker has done its work
	panic  *jobs.Error // nil: it did not panic
}

// policy is what must be known beside the outcome.
type policy struct {
	cancel   *cancelOrder // nil: nobody wants the job cancelled
	stopping bool         // the node stops: what did not end is nobody's fault
	warnings int64        // of the attempt
}

// verdict is what becomes of a job whose attempt has ended: its next event, and what that changes.
type verdict struct {
	event  jobs.EventType
	data   any
	change func(*jobs.Job) // must not write through the snapshot's pointers
}

// decide says what becomes of a job, whose newest snapshot is given, after an attempt: it has completed, it is
// queued again, or it was cancelled or has failed. Whoever ends an attempt, or finds one whose worker is lost, asks
// here and nowhere else.
func decide(out outcome, p policy, job *jobs.Job) verdict {
	switch {
	case out.panic != nil:
		return failed(out.panic, job)
	case out.err == nil:
		return completed(out.result, p.warnings)
	case p.cancel != nil:
		return cancelled(p.cancel.reason)
	case p.stopping:
		return handedBack()
	}
	return failed(errorOf(out.err), job)
}

func completed(result json.RawMessage, warnings int64) verdict {
	data := map[string]any{}
	if len(result) <= maxInlineResult {
		data["result"] = result
	}
	if warnings > 0 {
		data["warnings"] = warnings
	}
	return verdict{jobs.EventCompleted, data, func(j *jobs.Job) {
		j.State, j.Result, j.Error = jobs.Completed, result, nil
		if j.Progress != nil && j.Progress.Total != nil {
			p := *j.Progress
			p.EtaMs = nil
			if warnings == 0 || p.Done >= *p.Total {
				p.Percent = new(100.0) // else it would claim what was not done
			}
			j.Progress = &p
		}
	}}
}

func failed(why *jobs.Error, job *jobs.Job) verdict {
	why.Attempt = job.Attempt
	return verdict{jobs.EventFailed, map[string]any{"error": why}, func(j *jobs.Job) { j.State, j.Error = jobs.Failed, why }}
}

func cancelled(reason string) verdict {
	var data any
	if reason != "" {
		data = map[string]string{"reason": reason}
	}
	return verdict{jobs.EventCancelled, data, func(j *jobs.Job) { j.State, j.CancelRequested = jobs.Cancelled, true }}
}

// handedBack puts the job back into the queue, as if the attempt had not been.
func handedBack() verdict {
	return verdict{jobs.EventQueued, map[string]string{"reason": "the node that ran the job stops"}, func(j *jobs.Job) {
		j.State, j.Attempt, j.Worker = jobs.Queued, j.Attempt-1, ""
		j.Progress, j.StartedAt, j.Warnings = nil, nil, 0
	}}
}

// errorOf is a worker's error as a job's.
func errorOf(err error) *jobs.Error {
	if known, ok := errors.AsType[*jobs.Error](err); ok {
		e := *known
		e.Message, e.Stack = text.Bytes(e.Message, maxErrorBytes), text.Bytes(e.Stack, maxStackBytes)
		if e.Type == "" {
			e.Type = "error"
		}
		return &e
	}
	if p, ok := errors.AsType[*jobs.Problem](err); ok {
		return &jobs.Error{Type: p.Code, Message: text.Bytes(p.Error(), maxErrorBytes)}
	}
	return &jobs.Error{Type: "error", Message: text.Bytes(err.Error(), maxErrorBytes)}
}
