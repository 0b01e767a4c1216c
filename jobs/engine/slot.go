package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"jobcast/jobs"
)

// slot runs one job after the other.
func (e *Engine) slot() {
	for e.taking.Err() == nil {
		lease, err := e.store.Lease(e.taking)
		if err != nil {
			if e.taking.Err() != nil || errors.Is(err, jobs.ErrClosed) {
				return
			}
			e.log.Warn("cannot get a job from the queue", "err", err)
			sleep(e.taking, retryAfter)
			continue
		}
		if err := e.serve(lease); err != nil {
			if errors.Is(err, jobs.ErrClosed) {
				return
			}
			e.log.Warn("cannot serve a job", "job", lease.ID(), "err", err)
			sleep(e.taking, retryAfter)
			e.giveUpLease(lease.Release)
		}
	}
}

func (e *Engine) giveUpLease(how func(context.Context) error) {
	ctx, cancel := context.WithTimeout(e.base, storeTimeout)
	defer cancel()
	if err := how(ctx); err != nil {
		e.log.Debug("cannot give up a lease", "err", err)
	}
}

// serve does with a leased job what its log asks for. It returns once the job's lease is given up or
// lost, or an error if nothing could be done.
func (e *Engine) serve(lease jobs.Lease) error {
	for {
		if e.taking.Err() != nil {
			e.giveUpLease(lease.Release)
			return nil
		}
		last, pos, err := e.last(e.base, lease.ID())
		if errors.Is(err, jobs.ErrNotFound) {
			e.giveUpLease(lease.Done)
			return nil
		}
		if err != nil {
			return err
		}
		job := last.Job
		worker, known := e.workers[job.Kind]
		switch {
		case job.State.Terminal():
			e.giveUpLease(lease.Done)
			return nil
		case job.CancelRequested:
			reason, _ := e.cancelDetails(last)
			err = e.conclude(last, pos, outcome{err: errCancelled}, policy{cancel: &cancelOrder{reason: reason}})
		case job.State == jobs.Running && job.Attempt >= job.MaxAttempts:
			err = e.conclude(last, pos, outcome{err: &jobs.Error{
				Type:    "worker_lost",
				Message: fmt.Sprintf("the worker was lost in attempt %d of %d", job.Attempt, job.MaxAttempts),
			}}, policy{})
		case !known:
			err = e.conclude(last, pos, outcome{err: &jobs.Error{
				Type:    "unknown_kind",
				Message: fmt.Sprintf("node %s has no worker for kind %s; it has: %s", e.node, job.Kind, strings.Join(e.kindNames(), ", ")),
			}}, policy{})
		default:
			if err = e.runAttempt(lease, worker, last, pos); err == nil {
				return nil
			}
		}
		if err != nil && !errors.Is(err, jobs.ErrConflict) {
			return err
		}
		// Either the job has ended, or it has changed since it was read: look again.
	}
}

// conclude writes what becomes of a job that nobody runs.
func (e *Engine) conclude(last jobs.Record, pos jobs.Position, out outcome, p policy) error {
	v := decide(out, p, &last.Job)
	_, err := e.append(e.base, nextRecord(last, v.event, v.data, v.change), pos)
	return err
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
