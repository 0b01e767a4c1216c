package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"jobcast/jobs"
)

// openLog finds the end of the job's text, which earlier attempts may have begun.
func (a *attempt) openLog(ctx context.Context) error {
	if a.last.Job.Log != nil {
		a.logBytes = a.last.Job.Log.Bytes
	}
	chunk, pos, err := a.engine.store.LastLog(ctx, a.run.id)
	if errors.Is(err, jobs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	a.logPos, a.lines = pos, chunk.LastLine()
	return nil
}

// storeDue stores what is due by now; but not more than one chunk of lines, so that a worker that
// floods its log does not hold up a cancel.
func (a *attempt) storeDue() error {
	_, err := a.storeSome(func(due time.Time) bool { return !due.IsZero() && !due.After(time.Now()) })
	return err
}

// storeAll stores everything that waits.
func (a *attempt) storeAll() error {
	for {
		more, err := a.storeSome(func(due time.Time) bool { return !due.IsZero() })
		if err != nil || !more {
			return err
		}
	}
}

// storeSome reports whether there was anything to store.
func (a *attempt) storeSome(due func(time.Time) bool) (bool, error) {
	a.run.mu.Lock()
	progress, log := due(a.run.progress.due()), due(a.run.log.Due())
	said, values := due(a.run.said.due()), due(a.run.values.due())
	progress = progress || said && !a.run.progress.due().IsZero() // what was reported before an event comes before it
	a.run.mu.Unlock()
	if log {
		if err := a.storeLines(); err != nil {
			return true, err
		}
	}
	if progress {
		if err := a.storeProgress(); err != nil {
			return true, err
		}
	}
	if values {
		if err := a.storeValues(); err != nil {
			return true, err
		}
	}
	if said {
		if err := a.storeSaid(); err != nil {
			return true, err
		}
	}
	return log || progress || said || values, nil
}

// storeProgress stores the steps that wait, or else the report. What cannot be stored waits on.
func (a *attempt) storeProgress() error {
	r := a.run
	r.mu.Lock()
	steps, rep, waiting := slices.Clone(r.progress.steps), r.progress.report, r.progress.waiting
	r.mu.Unlock()
	if len(steps) > 0 {
		return a.storeSteps(steps)
	}
	if !waiting {
		return nil
	}
	trial := a.meter
	trial.samples = slices.Clone(a.meter.samples)
	p := trial.progress(time.Now(), rep, a.step)
	if err := a.put(jobs.EventProgress, p, func(j *jobs.Job) { j.Progress = p }); err != nil {
		return err
	}
	a.meter = trial
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.progress
	t.stored, t.begun, t.at = rep, true, time.Now()
	if t.waiting && t.report == rep {
		t.waiting = false
	}
	return nil
}

func (a *attempt) storeSteps(steps []jobs.Step) error {
	for _, s := range steps {
		if err := a.put(jobs.EventStep, s, func(j *jobs.Job) {
			j.Progress = &jobs.Progress{Step: &s}
			beginStep(j, s, a.engine.now().UTC().Truncate(time.Millisecond))
		}); err != nil {
			return err
		}
		a.step, a.meter = &s, meter{}
		r := a.run
		r.mu.Lock()
		t := &r.progress
		t.begun, t.at = false, time.Now()
		// It may have been dropped meanwhile, to make room.
		if len(t.steps) > 0 && t.steps[0] == s {
			t.steps = t.steps[1:]
		}
		r.mu.Unlock()
	}
	return nil
}

// put stores one event of this attempt. It returns errFenced when the job is not this attempt's any
// more; where only something was added, such as a request to cancel, it comes after that.
func (a *attempt) put(typ jobs.EventType, data any, change func(*jobs.Job)) error {
	for {
		rec := a.engine.nextRecord(a.last, typ, data, func(j *jobs.Job) {
			a.run.annotate(j)
			a.moved(typ, j)
			if a.lines > 0 {
				j.Log = &jobs.LogInfo{Lines: a.lines, Bytes: a.logBytes}
			}
			change(j)
		})
		received := a.run.sign(&rec)
		pos, err := a.engine.append(a.engine.base, rec, a.pos)
		if err == nil {
			a.last, a.pos, a.stalled = rec, pos, rec.Job.Stalled
			a.run.signed(received)
			return nil
		}
		if !errors.Is(err, jobs.ErrConflict) {
			return err
		}
		if err := a.reread(); err != nil {
			return err
		}
	}
}

// reread takes over what others have added to the job's log, or returns errFenced.
func (a *attempt) reread() error {
	last, pos, err := a.engine.last(a.engine.base, a.run.id)
	if errors.Is(err, jobs.ErrNotFound) {
		return errFenced
	}
	if err != nil {
		return err
	}
	a.run.notice(&last)
	if !a.run.owns(&last) {
		return errFenced
	}
	a.last, a.pos = last, pos
	return nil
}

// storeLines stores one chunk of the job's text.
func (a *attempt) storeLines() error {
	a.run.mu.Lock()
	lines, size := a.run.log.Take(time.Now())
	a.run.mu.Unlock()
	chunk := jobs.LogChunk{JobID: a.run.id, Attempt: a.run.attempt, Line: a.lines + 1, Lines: lines}
	// Lines that were taken cannot be put back behind those that came since: they are tried until they
	// are stored, or the attempt has lost its job.
	return a.persist(func() error {
		for {
			ctx, cancel := context.WithTimeout(a.engine.base, storeTimeout)
			pos, err := a.engine.store.AppendLog(ctx, chunk, a.logPos)
			if errors.Is(err, jobs.ErrConflict) {
				pos, err = a.rebaseLog(ctx, &chunk)
				if err == nil && pos == 0 {
					cancel()
					continue
				}
			}
			cancel()
			if err != nil {
				return err
			}
			a.logPos, a.lines, a.logBytes = pos, chunk.LastLine(), a.logBytes+int64(size)
			return nil
		}
	})
}

// rebaseLog finds out why a chunk did not fit. The position is zero if it must be stored again.
func (a *attempt) rebaseLog(ctx context.Context, chunk *jobs.LogChunk) (jobs.Position, error) {
	if err := a.reread(); err != nil {
		return 0, err
	}
	last, pos, err := a.engine.store.LastLog(ctx, a.run.id)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return 0, err
	}
	if err == nil && last.Line == chunk.Line && last.Attempt == chunk.Attempt && len(last.Lines) == len(chunk.Lines) {
		return pos, nil // only this attempt writes chunks of its number: the answer was lost
	}
	a.logPos, a.lines = pos, 0
	if err == nil {
		a.lines = last.LastLine()
	}
	chunk.Line = a.lines + 1
	return 0, nil
}
