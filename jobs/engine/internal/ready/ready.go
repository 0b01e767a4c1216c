// Package ready says which queued job is next. Who reads the index of all jobs feeds a Set with what it sees, in the
// order of each job's log, and slots take jobs from it:
//
//	s.Put(j)                       // a record says that the job is queued
//	s.Running(id, queue, key)      // it runs: it is not queued any more, and holds its key
//	s.Ended(id)                    // it does not run any more
//	s.Remove(id)                   // it is not queued any more, and does not run: cancelled, removed, scheduled
//
//	for {
//		changed := s.Changed() // before Next, so that nothing is missed between the two
//		j, ok := s.Next(filter)
//		if !ok {
//			<-changed
//			continue
//		}
//		… append job.started; then Running if that is done, Remove if the job is not queued any more,
//		and Release if it still is
//	}
//
// The order is this. Queues that have something take turns. Within a queue, high comes before default, and default
// before low; but every 16th job that is taken from a queue is its oldest, whatever its priority, so that nothing
// waits for ever. Within one priority, owners that have something take turns, and the jobs of one owner come in the
// order in which they were queued. A job whose key is held is not in the way of others; when the key is free, it is
// where it was. Nor is a job of a kind that the filter does not have in the way, which costs nothing either.
//
// It is advice: several servers have a Set each, and may be told the same job. Who runs it is decided by the log.
//
// With n jobs, each call costs O(log n), once for each kind of the filter, and for each queue that has nothing to
// give; a call that takes or frees a key costs as much for each queue, kind, priority and owner that waits for it.
// Places reads all jobs. A Set keeps nothing of what has gone.
//
// It knows neither stores nor the time, and runs no goroutine.
package ready

import (
	"sync"
	"time"

	"jobcast/jobs"
)

// A Job is what must be known of a queued job.
type Job struct {
	ID       jobs.ID
	Queue    string
	Kind     string
	Priority string    // high, default or low; anything else is default
	Owner    string    // whose turn it takes; "" is an owner like others
	Key      string    // at most one job of a key runs, in all queues; "" is no key
	Seq      uint64    // of the snapshot that says so
	Since    time.Time // when it was queued; jobs of the same time are ordered by ID
	Again    bool      // it was running: it is its owner's turn now, before that of all others of its priority
}

// A Set holds the queued jobs, and which jobs run. Its methods may be called from any goroutine, and never wait for
// anything but each other.
type Set struct {
	mu       sync.Mutex // protects everything below
	jobs     table[jobs.ID, *entry]
	reserved table[*entry, reservation]
	running  table[jobs.ID, run]
	keys     table[string, *key]
	queues   table[string, *queue]
	ring     []*queue // those of queues, whose turn it is first
	turn     uint64   // the newest turn that was given to a queue or an owner
	changed  chan struct{}
	waited   bool // someone waits for changed to be closed
}

// An entry is a queued job. Its queue, kind, priority and owner are those of its line.
type entry struct {
	id      jobs.ID
	seq     uint64
	since   time.Time
	line    *line
	key     *key // nil: none
	inLine  slot // in line.next, unless it waits for its key, or for an older job of its line with the same key
	inGroup slot // in the jobs of its group, if it has a key
}

// A run is what must be known of a running job.
type run struct {
	queue *queue
	key   *key // nil: none
}

// New returns a Set without jobs.
func New() *Set { return &Set{changed: make(chan struct{})} }

// Put says that a job is queued, whatever was said of it before; if it was running, it has ended. News that are not
// newer than what is known of the queued job, by Seq, are ignored. A reservation ends as by Release.
func (s *Set) Put(j Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.jobs.get(j.ID)
	if old != nil && j.Seq <= old.seq {
		return
	}
	s.end(j.ID)
	if old != nil && s.reserved.has(old) {
		s.release(old)
	}
	e := &entry{id: j.ID, seq: j.Seq, since: j.Since.Round(0)} // times with and without a monotonic clock have no order
	e.line = s.join(j)
	if j.Again {
		e.line.owner.setTurn(0)
	}
	if j.Key != "" {
		e.key = s.key(j.Key)
	}
	s.show(e)
	// The new entry comes before the old one goes, so that an owner with this job only keeps its turn.
	if old != nil {
		s.drop(old)
	}
	s.jobs.set(j.ID, e)
}

// Remove says that a job is not queued any more. It does nothing for one that is not.
func (s *Set) Remove(id jobs.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.jobs.get(id))
}

// remove takes out an entry; nil is none. mu is held.
func (s *Set) remove(e *entry) {
	if e == nil {
		return
	}
	s.drop(e)
	s.jobs.delete(e.id)
}

// drop takes an entry out of everything but jobs. mu is held.
func (s *Set) drop(e *entry) {
	if s.reserved.has(e) {
		s.reserved.delete(e)
		s.letGo(e.key, e.id)
	} else {
		s.hide(e)
	}
	s.leave(e.line)
}

// Running says that a job runs, of a queue and with a key ("" is none), and so is not queued any more. If it was
// queued and Next did not give it, another server took it: that was its owner's turn. Do not call Remove before it:
// another job could get the key between the two.
func (s *Set) Running(id jobs.ID, queue, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.jobs.get(id)
	if r := s.running.get(id); e == nil && r.queue != nil && r.queue.name == queue && r.key.is(key) {
		return
	}
	s.end(id)
	r := run{queue: s.queue(queue)}
	r.queue.running++
	if key != "" {
		r.key = s.key(key)
		s.hold(r.key, id)
	}
	s.running.set(id, r)
	if e == nil {
		return
	}
	if !s.reserved.has(e) {
		s.turnOver(e.line.owner)
	}
	s.remove(e)
}

// Ended says that a job does not run any more. It does nothing for one that does not.
func (s *Set) Ended(id jobs.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(id)
}

// end takes a job out of those that run. mu is held.
func (s *Set) end(id jobs.ID) {
	r := s.running.get(id)
	if r.queue == nil {
		return
	}
	s.running.delete(id)
	s.letGo(r.key, id)
	r.queue.running--
	s.tidy(r.queue)
	s.signal() // the queue may have been at its limit
}

// Pause says whether a queue is paused: Next gives none of its jobs. It holds for a queue without jobs too.
func (s *Set) Pause(queue string, paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(queue)
	if q.paused && !paused {
		s.signal()
	}
	q.paused = paused
	s.tidy(q)
}

// Changed returns a channel that is closed when Next may have a job where it had none. Only what this Set is told
// counts, not what Filter.Blocked would say. Get the channel before asking Next.
func (s *Set) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited = true
	return s.changed
}

// signal closes the channel that somebody waits for. mu is held.
func (s *Set) signal() {
	if s.waited {
		close(s.changed)
		s.changed, s.waited = make(chan struct{}), false
	}
}
