package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"jobcast/jobs"
	"jobcast/jobs/internal/text"
)

const (
	maxStackBytes = 8 << 10 // leaves room for the rest of an event of 16 KiB
	maxErrorBytes = 4 << 10
	fencedGrace   = 10 * time.Second // for a worker whose job was taken over
	longArm       = time.Minute      // how long a run whose worker says nothing is left alone
)

// attempt is the engine's side of a run: it alone writes what the worker reports. It lives in the
// goroutine that has taken the job.
type attempt struct {
	engine   *Engine
	run      *run
	last     jobs.Record
	pos      jobs.Position
	meter    meter
	step     *jobs.Step
	stalled  bool      // the log says that the worker is quiet
	quiet    time.Time // its last sign of life before that
	deadline time.Time // when the run has taken too long; zero means never
	logPos   jobs.Position
	lines    int64 // stored
	logBytes int64
	outcome  chan outcome // holds one: what the worker returned
}

// runAttempt runs a job once. It returns ErrConflict if the job has changed before it began.
func (e *Engine) runAttempt(worker jobs.Worker, place *place, last jobs.Record, pos jobs.Position) error {
	ctx, cancel := context.WithTimeout(e.base, storeTimeout)
	defer cancel()
	args, err := e.store.Args(ctx, last.Event.JobID)
	if err != nil && !errors.Is(err, jobs.ErrNotFound) {
		return err
	}
	started := e.nextRecord(last, jobs.EventStarted, map[string]string{"worker": e.node}, func(j *jobs.Job) {
		j.State, j.Attempt, j.Worker = jobs.Running, j.Attempt+1, e.node
		j.Progress, j.Steps, j.Values, j.Warnings, j.Waiting, j.RunAt, j.Error = nil, nil, nil, 0, false, nil, nil
	})
	a := &attempt{engine: e, last: last, outcome: make(chan outcome, 1)}
	if ms := last.Job.TimeoutMs; ms > 0 {
		a.deadline = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
	a.run = &run{
		id: last.Event.JobID, attempt: started.Job.Attempt, lease: *started.Lease, files: e.files, place: place,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), armed: time.Now(),
	}
	if err := a.openLog(ctx); err != nil {
		return err
	}
	a.run.ctx, a.run.cancel = context.WithCancelCause(e.taking)
	// A cancel finds the run as soon as anyone can read that the job is running.
	if !e.addRun(a.run) {
		a.run.finish(errOver)
		return errAtWork
	}
	defer e.dropRun(a.run)
	defer close(a.run.ended)
	if a.pos, err = e.append(ctx, started, pos); err != nil {
		a.run.finish(errOver)
		return err
	}
	a.last = started
	if m := started.Mail; m != nil {
		a.run.mail.by, a.run.mail.read = maps.Clone(m.By), m.Heard
		a.run.wantMail(m.Newest)
	}
	e.running.Go(func() { a.outcome <- call(worker, a.run, args) })
	a.supervise()
	return nil
}

// call runs the worker's code and catches its panic.
func call(worker jobs.Worker, run *run, args json.RawMessage) (out outcome) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			out.panic = &jobs.Error{Type: "panic", Message: text.Bytes(fmt.Sprint(v), maxErrorBytes), Stack: text.Bytes(string(debug.Stack()), maxStackBytes)}
		} else if !returned {
			out.panic = &jobs.Error{Type: "panic", Message: "the worker ended its goroutine without returning"}
		}
	}()
	out.result, out.err = worker.Run(run.ctx, jobs.NewRun(run.id, run.attempt, run), args)
	returned = true
	return out
}

// supervise stores what the worker reports until the attempt is over.
func (a *attempt) supervise() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if !a.deadline.IsZero() && !time.Now().Before(a.deadline) {
			a.deadline = time.Time{}
			a.run.requestEnd(time.Now().Add(jobs.DefaultGrace))
		}
		order, fenced := a.orders()
		if fenced {
			a.stop()
			return
		}
		until := time.Time{}
		if order != nil {
			until = order.until
			if !time.Now().Before(until) {
				a.abandon(*order)
				return
			}
		}
		err := a.storeDue()
		if err == nil {
			err = a.storeSigns()
		}
		if err == nil {
			err = a.readMail()
		}
		if a.gone(err) {
			a.stop()
			return
		}
		if err != nil {
			a.engine.log.Warn("cannot store what a job reports", "job", a.run.id, "err", err)
		}
		timer.Reset(time.Until(a.arm(until, err != nil)))
		select {
		case out := <-a.outcome:
			a.finish(out)
			return
		case <-a.run.wake:
		case <-timer.C:
		case <-a.engine.abandon:
			a.giveUp()
			return
		}
	}
}

// arm decides when the loop looks again by itself, and lets the run know.
func (a *attempt) arm(until time.Time, failed bool) time.Time {
	quiet := a.quietAt()
	a.run.mu.Lock()
	defer a.run.mu.Unlock()
	times := []time.Time{until, quiet, a.deadline, a.run.progress.due(), a.run.log.Due(), a.run.said.due(), a.run.values.due()}
	if failed {
		times = []time.Time{until, a.deadline, time.Now().Add(time.Second)}
	}
	a.run.armed = time.Now().Add(longArm)
	for _, t := range times {
		if !t.IsZero() && t.Before(a.run.armed) {
			a.run.armed = t
		}
	}
	return a.run.armed
}

// orders returns what others want of the run. A cancel that another node has written into the log is
// completed here with what its event says.
func (a *attempt) orders() (*cancelOrder, bool) {
	a.run.mu.Lock()
	order, told, fenced := a.run.order, a.run.told, a.run.fenced
	a.run.mu.Unlock()
	if order == nil && told && !fenced {
		reason, grace := a.engine.cancelDetails(a.last)
		a.run.requestCancel(reason, time.Now().Add(grace))
		return a.orders()
	}
	return order, fenced
}

// gone reports whether the attempt has lost its job, or its store, for good.
func (a *attempt) gone(err error) bool {
	return errors.Is(err, errFenced) || errors.Is(err, jobs.ErrClosed) || err != nil && a.engine.base.Err() != nil
}

// stop ends an attempt that may not write any more, and waits a while for its worker.
func (a *attempt) stop() {
	a.run.mu.Lock()
	a.run.fenced = true
	a.run.mu.Unlock()
	a.run.finish(errFenced)
	a.engine.log.Warn("a run has lost its job", "job", a.run.id, "attempt", a.run.attempt)
	timer := time.NewTimer(fencedGrace)
	defer timer.Stop()
	select {
	case <-a.outcome:
	case <-timer.C:
	case <-a.engine.abandon:
	}
}

// abandon ends a job whose worker did not return in time after a cancel.
func (a *attempt) abandon(order cancelOrder) {
	select {
	case out := <-a.outcome:
		a.finish(out)
		return
	default:
	}
	why := errCancelled
	if order.timeout {
		why = errTimeout
	}
	a.run.finish(why)
	a.engine.log.Warn("a worker did not stop in time", "job", a.run.id)
	a.end(outcome{err: why}, policy{cancel: &order})
}

// giveUp ends the attempt because the node will not wait for the worker any longer.
func (a *attempt) giveUp() {
	order, _ := a.orders()
	if order != nil {
		a.abandon(*order)
		return
	}
	select {
	case out := <-a.outcome:
		a.finish(out)
	default:
		a.run.finish(errStopping)
		a.end(outcome{err: errStopping}, policy{stopping: true})
	}
}

// finish ends an attempt whose worker has returned.
func (a *attempt) finish(out outcome) {
	order, _ := a.orders()
	a.run.finish(errOver)
	if out.panic != nil {
		a.engine.log.Error("a worker panicked", "job", a.run.id, "kind", a.last.Job.Kind, "err", out.panic.Message, "stack", out.panic.Stack)
	}
	a.end(out, policy{cancel: order, stopping: a.engine.taking.Err() != nil})
}

// end stores all that the worker has reported and then the attempt's last event. It gives up only when
// the job is someone else's, or the store is gone; a later attempt then tells the story's end.
func (a *attempt) end(out outcome, p policy) {
	e := a.engine
	a.run.mu.Lock()
	p.warnings = a.run.warnings
	a.run.mu.Unlock()
	p.rules, p.now = a.last.Rules, e.now
	v := decide(out, p, &a.last.Job)
	err := a.persist(a.storeAll)
	if err == nil {
		err = a.persist(func() error { return a.put(v.event, v.data, v.change) })
	}
	if err != nil {
		e.log.Warn("cannot store the end of a run", "job", a.run.id, "attempt", a.run.attempt, "err", err)
		return
	}
	e.log.Info("a run has ended", "job", a.run.id, "kind", a.last.Job.Kind, "attempt", a.run.attempt, "event", string(v.event))
}

// persist tries until it succeeds or there is nothing left to try.
func (a *attempt) persist(try func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := try()
		if err == nil || a.gone(err) {
			return err
		}
		a.engine.log.Warn("cannot store what a job reports", "job", a.run.id, "err", err)
		if !sleep(a.engine.base, wait) {
			return err
		}
	}
}
