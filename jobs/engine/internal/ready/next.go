package ready

import "jobcast/jobs"

// oldestEvery says how often a job is taken from a queue because it is the oldest, not because of its priority and
// owner: each time the sixteenth.
const oldestEvery = 16

// A Filter says which jobs are wanted.
type Filter struct {
	Kinds  map[string]bool // nil: any
	Queues []string        // nil: any
	// Blocked, if it is not nil, reports whether a queue is not to give any job now, such as one at its limit. It is
	// asked only of queues that would give one. It must neither wait nor call the Set.
	Blocked func(queue string) bool
}

// A reservation is what must be known to undo Next.
type reservation struct {
	queueTurn uint64
	ownerTurn uint64
	oldest    bool // it was taken because it was the oldest of its queue
}

// Next takes the job that is next, or reports that there is none. The job is reserved, and with it its key: neither
// is given again until Release, Remove, Running, or a newer Put of the job.
func (s *Set) Next(f Filter) (Job, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *line
	consider := func(q *queue) bool {
		if q == nil || q.paused || best != nil && q.turn >= best.kind.queue.turn {
			return false
		}
		l := q.first(f.Kinds)
		if l == nil || f.Blocked != nil && f.Blocked(q.name) {
			return false
		}
		best = l
		return true
	}
	if f.Queues != nil {
		for _, name := range f.Queues {
			consider(s.queues.get(name))
		}
	} else {
		for _, q := range s.ring {
			if consider(q) {
				break
			}
		}
	}
	if best == nil {
		return Job{}, false
	}
	e := best.next.first()
	s.reserve(e)
	return e.job(), true
}

// first is the line whose first job is the next of the queue, or nil.
func (q *queue) first(kinds map[string]bool) *line {
	var best *line
	oldest := q.oldestNext()
	try := func(k *kind) {
		for p := range k.lanes {
			lane := &k.lanes[p]
			switch {
			case lane.byTurn.empty():
			case oldest:
				if l := lane.byAge.first(); best == nil || byAge.before(byAge{}, l, best) {
					best = l
				}
			case best == nil || sooner(lane.byTurn.first(), best):
				best = lane.byTurn.first()
			}
		}
	}
	if kinds == nil || len(kinds) > len(q.kinds.m) {
		for name, k := range q.kinds.m {
			if kinds == nil || kinds[name] {
				try(k)
			}
		}
		return best
	}
	for name, wanted := range kinds {
		if k := q.kinds.get(name); k != nil && wanted {
			try(k)
		}
	}
	return best
}

// oldestNext reports whether it is the turn of the oldest job.
func (q *queue) oldestNext() bool { return q.others >= oldestEvery-1 }

// sooner reports whether the first job of a comes before that of b, a line of the same queue.
func sooner(a, b *line) bool {
	switch {
	case a.priority != b.priority:
		return a.priority < b.priority
	case a.owner != b.owner:
		return a.owner.turn < b.owner.turn
	}
	return older(a.next.first(), b.next.first())
}

// reserve takes out an entry, and gives the turn to others. mu is held.
func (s *Set) reserve(e *entry) {
	q, o := e.line.kind.queue, e.line.owner
	r := reservation{queueTurn: q.turn, ownerTurn: o.turn, oldest: q.oldestNext()}
	// The key is held before the entry leaves its group, so that no other of the group comes in line.
	s.hold(e.key, e.id)
	s.hide(e)
	s.reserved.set(e, r)
	if q.others++; r.oldest {
		q.others = 0
	}
	s.turnOver(o)
	s.turn++
	s.setTurn(q, s.turn)
}

// Release gives back a job that Next gave: the job, its owner and its queue are where they were. It does nothing for
// a job that is not reserved.
func (s *Set) Release(id jobs.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.jobs.get(id); e != nil && s.reserved.has(e) {
		s.release(e)
	}
}

// release puts a reserved entry back. mu is held.
func (s *Set) release(e *entry) {
	r, q, o := s.reserved.get(e), e.line.kind.queue, e.line.owner
	s.reserved.delete(e)
	switch {
	case r.oldest:
		q.others = oldestEvery - 1
	case q.others > 0:
		q.others--
	}
	o.setTurn(min(o.turn, r.ownerTurn))
	s.setTurn(q, min(q.turn, r.queueTurn))
	s.show(e) // first, since a key that nobody has or waits for is forgotten
	s.letGo(e.key, e.id)
}

// job is the job of an entry.
func (e *entry) job() Job {
	j := Job{ID: e.id, Queue: e.line.kind.queue.name, Kind: e.line.kind.name, Priority: priorities[e.line.priority],
		Owner: e.line.owner.name, Seq: e.seq, Since: e.since}
	if e.key != nil {
		j.Key = e.key.name
	}
	return j
}
