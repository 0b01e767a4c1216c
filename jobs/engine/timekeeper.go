package engine

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"jobcast/jobs"
)

const (
	// lookEvery is how often the clock is looked at while something waits for its time: a clock that jumps, or a
	// machine that slept, holds nothing back for longer.
	lookEvery = time.Second
	// lostEvery is how often jobs are looked at whose holder may be gone.
	lostEvery = beatEvery
)

// alarm is a job that is due at a time.
type alarm struct {
	id jobs.ID
	at time.Time
}

type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, k int) bool { return a[i].at.Before(a[k].at) }
func (a alarms) Swap(i, k int)      { a[i], a[k] = a[k], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// timekeeper knows which jobs are due when, and who holds those that run. It is fed with every newer record of every
// job, and holds nothing of jobs that have finished.
type timekeeper struct {
	wake chan struct{} // holds one: look now

	mu      sync.Mutex // guards everything below
	alarms  alarms
	due     map[jobs.ID]time.Time // that count: an alarm of another time is an old one
	running map[jobs.ID]string    // the holder of each job that runs
	looked  time.Time             // when the running jobs were last looked at
}

func newTimekeeper() *timekeeper {
	return &timekeeper{wake: make(chan struct{}, 1), due: make(map[jobs.ID]time.Time), running: make(map[jobs.ID]string)}
}

// learn takes in a newer record of a job.
func (k *timekeeper) learn(rec *jobs.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := rec.Event.JobID
	delete(k.running, id)
	at, waits := dueAt(rec)
	switch {
	case !waits:
		delete(k.due, id)
	case !k.due[id].Equal(at):
		k.due[id] = at
		heap.Push(&k.alarms, alarm{id, at})
		if k.alarms[0].id == id {
			k.look()
		}
	}
	if rec.Job.State == jobs.Running {
		holder := ""
		if rec.Lease != nil {
			holder = rec.Lease.Holder
		}
		k.running[id] = holder
	}
}

// dueAt is when something is to be done about a job that nobody else will do.
func dueAt(rec *jobs.Record) (time.Time, bool) {
	if rec.Job.State == jobs.Scheduled && rec.Job.RunAt != nil {
		return *rec.Job.RunAt, true
	}
	if rec.Job.State.Terminal() && rec.Job.ExpiresAt != nil {
		return *rec.Job.ExpiresAt, true
	}
	return time.Time{}, false
}

// forget takes out a job that is not there any more.
func (k *timekeeper) forget(id jobs.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.due, id)
	delete(k.running, id)
}

// look makes the engine look now.
func (k *timekeeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take returns the jobs that are due, and how long to wait for the next; zero if none waits.
func (k *timekeeper) take(now time.Time) (due []jobs.ID, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.alarms) > 0 {
		first := k.alarms[0]
		if at, counts := k.due[first.id]; !counts || !at.Equal(first.at) {
			heap.Pop(&k.alarms)
			continue
		}
		if wait = first.at.Sub(now); wait > 0 {
			return due, min(wait, lookEvery)
		}
		heap.Pop(&k.alarms)
		delete(k.due, first.id)
		due = append(due, first.id)
	}
	return due, 0
}

// again puts a job back that could not be served.
func (k *timekeeper) again(id jobs.ID, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, newer := k.due[id]; !newer {
		k.due[id] = at
		heap.Push(&k.alarms, alarm{id, at})
	}
}

// held returns the running jobs of each holder.
func (k *timekeeper) held() map[string][]jobs.ID {
	k.mu.Lock()
	defer k.mu.Unlock()
	held := make(map[string][]jobs.ID)
	for id, holder := range k.running {
		held[holder] = append(held[holder], id)
	}
	return held
}

// keepTime does what is due, until the engine stops.
func (e *Engine) keepTime() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := e.timekeeper.take(e.now())
		for _, id := range due {
			e.serveDue(id)
		}
		if elsewhere := e.findLost(); elsewhere && wait == 0 {
			wait = lookEvery
		} else if wait == 0 {
			wait = lostEvery
		}
		if next := e.fireSchedules(); next > 0 {
			wait = min(wait, next)
		}
		timer.Reset(wait)
		select {
		case <-e.taking.Done():
			return
		case <-e.timekeeper.wake:
		case <-timer.C:
		}
	}
}

// serveDue does what a job is due for.
func (e *Engine) serveDue(id jobs.ID) {
	var later time.Time // the clock was set back meanwhile
	expired := false
	err := e.change(id, func(last *jobs.Record) (verdict, bool) {
		at, waits := dueAt(last)
		later, expired = time.Time{}, false
		switch {
		case !waits:
			return verdict{}, false
		case at.After(e.now()):
			later = at
			return verdict{}, false
		case last.Job.State.Terminal():
			expired = true
			return verdict{}, false
		}
		return due(), true
	})
	if err == nil && expired {
		ctx, cancel := context.WithTimeout(e.base, storeTimeout)
		err = e.erase(ctx, id)
		cancel()
	}
	if !later.IsZero() {
		e.timekeeper.again(id, later)
	}
	if err != nil && e.taking.Err() == nil {
		e.log.Warn("cannot do what a job is due for", "job", id, "err", err)
		e.timekeeper.again(id, e.now().Add(retryAfter))
	}
}

// findLost looks for jobs whose holder is gone, and says what becomes of them. It reports whether jobs run elsewhere.
func (e *Engine) findLost() (elsewhere bool) {
	now := time.Now()
	k := e.timekeeper
	k.mu.Lock()
	early := now.Sub(k.looked) < lookEvery && !k.looked.IsZero()
	if !early {
		k.looked = now
	}
	k.mu.Unlock()
	held := k.held()
	for holder := range held {
		elsewhere = elsewhere || holder != e.sessions.own
	}
	if early {
		return elsewhere
	}
	for holder, ids := range held {
		own := holder == e.sessions.own
		if !own && !e.dead(holder) {
			continue
		}
		for _, id := range ids {
			if e.taking.Err() != nil {
				return elsewhere
			}
			if own && e.at(id) {
				continue
			}
			e.lose(id, holder)
		}
	}
	return elsewhere
}

// lose says what becomes of a job whose holder is gone.
func (e *Engine) lose(id jobs.ID, holder string) {
	err := e.change(id, func(last *jobs.Record) (verdict, bool) {
		if last.Job.State != jobs.Running || last.Lease != nil && last.Lease.Holder != holder || holder == e.sessions.own && e.at(id) {
			return verdict{}, false
		}
		p := policy{}
		if last.Job.CancelRequested {
			reason, _ := e.cancelDetails(*last)
			p.cancel = &cancelOrder{reason: reason}
		}
		return decideLost(p, &last.Job), true
	})
	if err != nil && e.taking.Err() == nil {
		e.log.Warn("cannot say what becomes of a job whose server is gone", "job", id, "err", err)
	}
}

// change appends one event to a job, as what decides says after the newest record; it may say that nothing is to be
// done. It begins again where somebody else has appended meanwhile. A job that is not there is left alone.
func (e *Engine) change(id jobs.ID, decides func(last *jobs.Record) (verdict, bool)) error {
	for {
		last, pos, err := e.last(e.base, id)
		if errors.Is(err, jobs.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		v, wanted := decides(&last)
		if !wanted {
			e.learn(last)
			return nil
		}
		_, err = e.append(e.base, e.nextRecord(last, v.event, v.data, v.change), pos)
		if !errors.Is(err, jobs.ErrConflict) {
			return err
		}
	}
}
