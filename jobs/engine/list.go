package engine

import (
	"context"
	"iter"
	"time"

	"jobcast/jobs"
)

// List returns a page of jobs, newest first, out of the memory of this node. The error is a *Problem.
func (e *Engine) List(q jobs.ListQuery) (jobs.ListPage, error) { return e.index.List(q) }

// Watch yields what has changed in the list of jobs, at most every interval and only the newest state
// of each, until ctx is done. It starts with the first change after the call of Watch itself: who calls
// Watch, then List, and then ranges misses nothing. When the engine closes, it yields ErrClosed.
func (e *Engine) Watch(ctx context.Context, interval time.Duration) iter.Seq2[jobs.Changes, error] {
	version := e.index.Version()
	return func(yield func(jobs.Changes, error) bool) {
		seen := version
		for ctx.Err() == nil {
			changes, next, wait := e.index.Since(seen)
			if wait != nil {
				select {
				case <-wait:
					continue
				case <-ctx.Done():
					return
				case <-e.work.Done():
					yield(jobs.Changes{}, jobs.ErrClosed)
					return
				}
			}
			seen = next
			if !yield(changes, nil) {
				return
			}
			pause := time.NewTimer(interval)
			select {
			case <-pause.C:
			case <-ctx.Done():
			case <-e.work.Done():
			}
			pause.Stop()
		}
	}
}
