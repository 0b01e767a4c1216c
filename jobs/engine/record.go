package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jobcast/jobs"
)

// storeTimeout bounds one call of the store. It is short enough for a run to try again before it loses
// its lease.
const storeTimeout = jobs.LeaseTime / 3

// nextRecord is the record after last: change says what becomes of the job. change must not write
// through the snapshot's pointers, which older records share.
func (e *Engine) nextRecord(last jobs.Record, typ jobs.EventType, data any, change func(*jobs.Job)) jobs.Record {
	job := last.Job
	job.Args = nil
	change(&job)
	// A clock that was set back must not turn a job's story around.
	now := e.now().UTC().Truncate(time.Microsecond)
	if now.Before(last.Event.Time) {
		now = last.Event.Time
	}
	if job.State != jobs.Running {
		job.Steps = endStep(job.Steps, now)
	}
	job.Seq = last.Event.Seq + 1
	if !allowed(last.Job.State, typ, job.State) {
		e.log.Error(wrongWay, "job", job.ID, "from", string(last.Job.State), "event", string(typ), "to", string(job.State))
	}
	rec := jobs.Record{
		Event: jobs.Event{
			Type: typ, JobID: job.ID, Seq: job.Seq, Prev: last.Event.Seq, Time: now,
			Attempt: job.Attempt, State: job.State, Data: encode(data),
		},
		Job:   job,
		Owner: last.Owner,
		Rules: last.Rules,
		Mail:  last.Mail,
	}
	if job.State == jobs.Running {
		rec.Lease = last.Lease
	}
	// A job keeps its place in the queue until it ends, or waits for another time.
	if inQueue(job.State) && inQueue(last.Job.State) {
		rec.Queued = last.Queued
		if rec.Queued == nil {
			rec.Queued = &last.Event.Time
		}
	}
	switch {
	case job.Seq == 1:
		rec.Job.CreatedAt = now
	case typ == jobs.EventStarted:
		rec.Job.StartedAt = &now
		rec.Lease = &jobs.Lease{Holder: e.sessions.own, Seq: job.Seq}
	case job.State.Terminal():
		rec.Job.FinishedAt = &now
		if until := e.keptUntil(&rec, now); !until.IsZero() {
			rec.Job.ExpiresAt = &until
		}
	}
	return rec
}

// inQueue reports whether a job in this state has a place in its queue, or had one and may be put back there.
func inQueue(s jobs.State) bool { return s == jobs.Queued || s == jobs.Running }

// encode encodes an event's data, which is always made of types of ours.
func encode(data any) json.RawMessage {
	if data == nil {
		return nil
	}
	raw, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("jobs: encode event: %v", err))
	}
	return raw
}

// append stores one record, and tries again where the store does not say whether it has. It returns
// ErrConflict where someone else was faster.
func (e *Engine) append(ctx context.Context, rec jobs.Record, after jobs.Position) (jobs.Position, error) {
	for try := 0; ; try++ {
		pos, err := e.appendOnce(ctx, rec, after, try > 0)
		if err == nil {
			e.learn(rec)
			return pos, nil
		}
		if errors.Is(err, jobs.ErrConflict) || errors.Is(err, jobs.ErrClosed) || ctx.Err() != nil || try == 3 {
			return 0, err
		}
		if !sleep(ctx, 100*time.Millisecond<<try) {
			return 0, err
		}
	}
}

func (e *Engine) appendOnce(ctx context.Context, rec jobs.Record, after jobs.Position, again bool) (jobs.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	pos, err := e.store.Append(ctx, rec, after)
	if !again || !errors.Is(err, jobs.ErrConflict) {
		return pos, err
	}
	// What is in the way may be this very record, stored by a call whose answer was lost.
	last, pos, lastErr := e.store.Last(ctx, rec.Event.JobID)
	if lastErr != nil {
		return 0, lastErr
	}
	if a, b := last.Event, rec.Event; a.Type == b.Type && a.Seq == b.Seq && a.Attempt == b.Attempt &&
		a.Time.Equal(b.Time) && last.Job.Worker == rec.Job.Worker && sameLease(last.Lease, rec.Lease) {
		return pos, nil
	}
	return 0, err
}

func sameLease(a, b *jobs.Lease) bool { return a == b || a != nil && b != nil && *a == *b }

// last reads a job's newest record.
func (e *Engine) last(ctx context.Context, id jobs.ID) (jobs.Record, jobs.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return e.store.Last(ctx, id)
}

// sleep waits, and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
