package engine

import (
	"context"
	"errors"
	"time"

	"jobcast/jobs"
)

const (
	// roomEvery is how often it is looked at whether old jobs must go.
	roomEvery = 10 * time.Second
	// fullShare and roomShare are parts of the store's bound: above the first, the oldest finished jobs go until the
	// store is below the second.
	fullShare, roomShare = 0.80, 0.70
	// keptAtLeast is how long a finished job is kept in any case, so that who watches it sees its end.
	keptAtLeast = 10 * time.Second
	// removedAtOnce is how many go before the store is asked again how full it is.
	removedAtOnce = 100
)

// Remove erases a finished job and everything that it left: its log, its text, its arguments and its artifacts. What
// it was given as uploads goes when uploads do. Everybody who watches lists is told. The error is a *Problem, of code
// conflict for a job that has not finished, and not_found for one that is not there. What a crash leaves half
// removed can be removed again.
func (e *Engine) Remove(ctx context.Context, id jobs.ID) error {
	if !id.Valid() {
		return jobs.BadRequest("/id", "must be 1 to 64 of 0-9 A-Z a-z _ -")
	}
	last, _, err := e.last(ctx, id)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return jobs.NoJob(id)
	case err != nil:
		return jobs.ProblemOf(err)
	case !last.Job.State.Terminal():
		return jobs.NotFinished(id, last.Job.State)
	}
	// A client that goes away in the middle must not leave half a job.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*storeTimeout)
	defer cancel()
	if err := e.erase(ctx, id); err != nil {
		return jobs.ProblemOf(err)
	}
	e.log.Info("a job was removed", "job", id, "kind", last.Job.Kind)
	return nil
}

// erase removes what there is of a job. Its newest record goes last.
func (e *Engine) erase(ctx context.Context, id jobs.ID) error {
	if err := e.files.RemoveArtifacts(id); err != nil {
		return err
	}
	if err := e.store.Remove(ctx, id); err != nil {
		return err
	}
	return e.forgetRemoved(ctx, id)
}

// keptUntil is when a job that finishes now is removed; zero if never.
func (e *Engine) keptUntil(rec *jobs.Record, now time.Time) time.Time {
	keep := e.keep
	if rec.Job.State != jobs.Completed {
		keep = e.keepFailed
	}
	if rec.Rules != nil && rec.Rules.RetentionMs != nil {
		return now.Add(max(keptAtLeast, time.Duration(*rec.Rules.RetentionMs)*time.Millisecond))
	}
	if keep <= 0 {
		return time.Time{}
	}
	return now.Add(keep)
}

// makeRoom removes the oldest finished jobs while there are more than may be kept, or the store is nearly full. It
// reports whether any has gone.
func (e *Engine) makeRoom(ctx context.Context) (removed bool, err error) {
	e.clearing.Lock()
	defer e.clearing.Unlock()
	for full := fullShare; ; full = roomShare {
		usage, err := e.store.Usage(ctx)
		if err != nil {
			return removed, err
		}
		n := 0
		if usage.MaxBytes > 0 && float64(usage.Bytes) > full*float64(usage.MaxBytes) {
			n = removedAtOnce
		}
		if e.keepJobs > 0 {
			n = max(n, min(e.index.Finished()-e.keepJobs, removedAtOnce))
		}
		old := e.index.OldestFinished(max(n, 0))
		if len(old) == 0 {
			return removed, nil
		}
		for _, id := range old {
			if err := e.erase(ctx, id); err != nil {
				return removed, err
			}
			removed = true
		}
		e.log.Info("old jobs were removed to make room", "jobs", len(old), "bytes", usage.Bytes, "of", usage.MaxBytes)
	}
}

// withRoom does what may fail for want of room, and does it once more when old jobs have gone.
func (e *Engine) withRoom(ctx context.Context, do func() error) error {
	err := do()
	if !errors.Is(err, jobs.ErrFull) {
		return err
	}
	if removed, roomErr := e.makeRoom(ctx); roomErr != nil || !removed {
		return err
	}
	return do()
}
