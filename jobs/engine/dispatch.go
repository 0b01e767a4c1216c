package engine

import (
	"errors"

	"jobcast/jobs"
	"jobcast/jobs/engine/internal/ready"
)

// dispatch takes the next job whenever there is one and a slot for it, until the engine stops.
func (e *Engine) dispatch() {
	filter := ready.Filter{Kinds: make(map[string]bool)}
	for kind := range e.workers {
		filter.Kinds[kind] = true
	}
	for e.taking.Err() == nil {
		idle, freed := e.slots.idle()
		changed := e.ready.Changed()
		if idle {
			if job, ok := e.ready.Next(filter); ok {
				if !e.slots.try() {
					e.ready.Release(job.ID)
					continue
				}
				e.running.Go(func() { e.take(job, newPlace(e.slots)) })
				continue
			}
		}
		select {
		case <-e.taking.Done():
		case <-changed:
		case <-freed:
		}
	}
}

// take runs a job that the index says is queued. Of several servers one gets it.
func (e *Engine) take(job ready.Job, place *place) {
	defer place.end()
	last, pos, err := e.last(e.base, job.ID)
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		if err := e.forgetRemoved(e.base, job.ID); err != nil {
			e.ready.Release(job.ID)
		}
		return
	case err == nil && last.Job.State != jobs.Queued:
		e.learn(last)
		e.ready.Release(job.ID)
		return
	case err == nil:
		err = e.runAttempt(e.workers[job.Kind], place, last, pos)
	}
	// A job that got a newer record while it was taken, such as a message, may be handed out twice: then who came first
	// gives it back, if need be.
	if err == nil || errors.Is(err, jobs.ErrClosed) || errors.Is(err, errAtWork) {
		return
	}
	if !errors.Is(err, jobs.ErrConflict) { // else another server has it, or it was cancelled
		e.log.Warn("cannot run a job", "job", job.ID, "err", err)
		sleep(e.taking, retryAfter)
	}
	if last, _, err := e.last(e.base, job.ID); err == nil {
		e.learn(last)
	}
	e.ready.Release(job.ID)
}
