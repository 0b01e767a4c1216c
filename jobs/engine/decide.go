package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// maxLost is how many workers of a job may be lost: the next one fails the job.
const maxLost = 3

// policy is what must be known beside the outcome.
type policy struct {
	cancel   *cancelOrder // nil: nobody wants the job cancelled, and it has not taken too long
	stopping bool         // the node stops: what did not end is nobody's fault
	warnings int64        // of the attempt
	rules    *jobs.Rules  // of the job; nil has none
	now      func() time.Time
}

// verdict is what becomes of a job whose attempt has ended: its next event, and what that changes.
type verdict struct {
	event  jobs.EventType
	data   any
	change func(*jobs.Job) // must not write through the snapshot's pointers
}

// decide says what becomes of a job, whose newest snapshot is given, after an attempt: it has completed, it is
// queued again at once or later, or it was cancelled or has failed. Whoever ends an attempt asks here and nowhere else.
func decide(out outcome, p policy, job *jobs.Job) verdict {
	switch {
	case out.panic != nil && p.cancel != nil && !p.cancel.timeout:
		return failed(out.panic, job) // nobody wants it tried again
	case out.panic != nil:
		return failedOrAgain(out.panic, nil, p, job)
	case out.err == nil:
		return completed(out.result, p.warnings)
	case p.cancel != nil && p.cancel.timeout:
		return failedOrAgain(tooLong(job), nil, p, job)
	case p.cancel != nil:
		return cancelled(p.cancel.reason)
	case p.stopping:
		return handedBack("the server that ran the job stops")
	}
	return failedOrAgain(errorOf(out.err), out.err, p, job)
}

// decideLost says what becomes of a running job whose worker is gone, with its server. Not cancelled, it is queued
// again at once: that is not the job's fault, unless it happens again and again.
func decideLost(p policy, job *jobs.Job) verdict {
	switch {
	case p.cancel != nil:
		return cancelled(p.cancel.reason)
	case job.Waiting:
		return handedBack("the server that ran the job is gone")
	case job.Lost+1 >= maxLost:
		return failed(&jobs.Error{
			Type:    "worker_lost",
			Message: fmt.Sprintf("the worker was lost %d times, in attempt %d at last", job.Lost+1, job.Attempt),
		}, job)
	}
	return verdict{jobs.EventQueued, map[string]string{"reason": "the server that ran the job is gone"}, func(j *jobs.Job) {
		j.State, j.Lost, j.Worker = jobs.Queued, j.Lost+1, ""
		j.Progress, j.Stalled, j.HeartbeatAt, j.Warnings = nil, false, nil, 0
	}}
}

// due puts a job into the queue whose time has come.
func due() verdict {
	return verdict{jobs.EventQueued, nil, func(j *jobs.Job) { j.State, j.RunAt = jobs.Queued, nil }}
}

// failedOrAgain ends a job, or has it wait for another attempt if it may have one.
func failedOrAgain(why *jobs.Error, err error, p policy, job *jobs.Job) verdict {
	after, never := jobs.RetryOf(err)
	why.Retryable = !never
	failures := job.Attempt - job.Lost // this one included
	if never || failures >= job.MaxAttempts {
		return failed(why, job)
	}
	if after == 0 {
		backoff := new(jobs.Backoff)
		if p.rules != nil && p.rules.Backoff != nil {
			backoff = p.rules.Backoff
		}
		after = backoff.Wait(failures)
	}
	why.Attempt = job.Attempt
	at := p.now().Add(after).UTC().Truncate(time.Millisecond)
	return verdict{jobs.EventRetrying, jobs.DataRetrying{Error: why, Attempt: job.Attempt, RunAt: at}, func(j *jobs.Job) {
		j.State, j.RunAt, j.Error, j.Worker = jobs.Scheduled, &at, why, ""
		j.Stalled, j.HeartbeatAt, j.StartedAt = false, nil, nil
	}}
}

// tooLong is the error of a run that was ended since it took too long.
func tooLong(job *jobs.Job) *jobs.Error {
	return &jobs.Error{Type: "timeout", Code: "timeout", Message: fmt.Sprintf("the run took longer than the %v that it may", time.Duration(job.TimeoutMs)*time.Millisecond)}
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
		j.State, j.Result, j.Error, j.Stalled, j.HeartbeatAt = jobs.Completed, result, nil, false, nil
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
	return verdict{jobs.EventFailed, map[string]any{"error": why}, func(j *jobs.Job) {
		j.State, j.Error, j.RunAt, j.Stalled, j.HeartbeatAt = jobs.Failed, why, nil, false, nil
	}}
}

func cancelled(reason string) verdict {
	var data any
	if reason != "" {
		data = map[string]string{"reason": reason}
	}
	return verdict{jobs.EventCancelled, data, func(j *jobs.Job) {
		j.State, j.CancelRequested, j.RunAt, j.Stalled, j.HeartbeatAt = jobs.Cancelled, true, nil, false, nil
	}}
}

// handedBack puts the job back into the queue, as if the attempt had not been.
func handedBack(reason string) verdict {
	return verdict{jobs.EventQueued, map[string]string{"reason": reason}, func(j *jobs.Job) {
		j.State, j.Attempt, j.Worker = jobs.Queued, j.Attempt-1, ""
		j.Progress, j.StartedAt, j.Warnings, j.Stalled, j.HeartbeatAt = nil, nil, 0, false, nil
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
