package ready

import (
	"cmp"
	"slices"

	"jobcast/jobs"
)

// A Place is where a queued job stands.
type Place struct {
	Queue    string
	Position int // in its queue, from 1: how many calls of Next until it is given; 1 if it is reserved
	// WaitsFor is jobs.WaitsForQueue if its queue is paused, else jobs.WaitsForKey if another job has its key, else
	// empty: it waits for its turn only, or is reserved.
	WaitsFor jobs.WaitsFor
	Holder   jobs.ID // who has its key, with WaitsForKey
}

// Place returns the place of one job, or false if it is not queued. See Places.
func (s *Set) Place(id jobs.ID) (Place, bool) {
	p, ok := s.Places([]jobs.ID{id})[id]
	return p, ok
}

// Places returns the places of those that are queued. Position counts as if workers wanted all kinds, no queue was
// paused, no key held, and nothing was put or given back any more. Jobs that are reserved are not counted. It reads
// all jobs once, and sorts those of the queues that are asked for.
func (s *Set) Places(ids []jobs.ID) map[jobs.ID]Place {
	places, forecasts := s.look(ids)
	for _, f := range forecasts {
		f.run(func(id jobs.ID, position int) {
			p := places[id]
			p.Position = position
			places[id] = p
		})
	}
	return places
}

// look returns what is known of jobs but for their positions, and what these follow from.
func (s *Set) look(ids []jobs.ID) (map[jobs.ID]Place, map[*queue]*forecast) {
	s.mu.Lock()
	defer s.mu.Unlock()
	places, forecasts := make(map[jobs.ID]Place, len(ids)), make(map[*queue]*forecast)
	for _, id := range ids {
		e := s.jobs.get(id)
		if _, twice := places[id]; e == nil || twice {
			continue
		}
		q := e.line.kind.queue
		p := Place{Queue: q.name}
		reserved := s.reserved.has(e)
		switch k := e.key; {
		case q.paused:
			p.WaitsFor = jobs.WaitsForQueue
		case k != nil && !reserved && len(k.holders) > 0:
			p.WaitsFor, p.Holder = jobs.WaitsForKey, k.holders[0]
		}
		if reserved {
			p.Position = 1
		} else {
			f := forecasts[q]
			if f == nil {
				f = &forecast{others: q.others, wanted: make(map[jobs.ID]bool)}
				forecasts[q] = f
			}
			f.wanted[id] = true
		}
		places[id] = p
	}
	if len(forecasts) == 0 {
		return places, nil
	}
	for q, f := range forecasts {
		f.jobs = make([]waiting, 0, q.depth[high]+q.depth[normal]+q.depth[low])
		for p := range q.owners {
			for _, o := range q.owners[p].m {
				f.owners[p] = append(f.owners[p], &share{owner: o, turn: o.turn})
			}
		}
	}
	for _, e := range s.jobs.m {
		if f := forecasts[e.line.kind.queue]; f != nil && !s.reserved.has(e) {
			f.jobs = append(f.jobs, waiting{entry: e})
		}
	}
	return places, forecasts
}

// A forecast plays what Next will do with one queue. Of entries, lines and owners it reads only what never changes,
// so it runs without the lock.
type forecast struct {
	jobs   []waiting
	owners [len(priorities)][]*share
	others int // as in queue
	wanted map[jobs.ID]bool
}

type waiting struct {
	*entry
	taken bool
}

// A share is what an owner has of one priority.
type share struct {
	owner *owner
	turn  uint64
	jobs  []int32 // by their number in forecast.jobs
	place int     // in the round
}

// A round has the owners of one priority in turn. One that got its turn out of order leaves a hole.
type round struct {
	owners []*share
	next   int
}

// end puts an owner at the end.
func (r *round) end(s *share) {
	if s.place < len(r.owners) && r.owners[s.place] == s {
		r.owners[s.place] = nil
	}
	s.place = len(r.owners)
	r.owners = append(r.owners, s)
}

// first is the owner whose turn it is, or nil.
func (r *round) first() *share {
	for ; r.next < len(r.owners); r.next++ {
		if s := r.owners[r.next]; s != nil && len(s.jobs) > 0 {
			return s
		}
	}
	return nil
}

// run tells the positions that are wanted.
func (f *forecast) run(tell func(id jobs.ID, position int)) {
	slices.SortFunc(f.jobs, func(a, b waiting) int { return compareAge(a.entry, b.entry) })
	var rounds [len(priorities)]round
	shares := make(map[*owner]*share)
	for p, owners := range f.owners {
		slices.SortFunc(owners, func(a, b *share) int { return cmp.Compare(a.turn, b.turn) })
		for _, s := range owners {
			rounds[p].end(s)
			shares[s.owner] = s
		}
	}
	for i, w := range f.jobs {
		s := shares[w.line.owner]
		s.jobs = append(s.jobs, int32(i))
	}
	oldest := 0
	for position := 1; position <= len(f.jobs) && len(f.wanted) > 0; position++ {
		var s *share
		if f.others++; f.others == oldestEvery {
			f.others = 0
			for f.jobs[oldest].taken {
				oldest++
			}
			s = shares[f.jobs[oldest].line.owner]
		}
		for p := 0; s == nil; p++ {
			s = rounds[p].first()
		}
		w := &f.jobs[s.jobs[0]]
		w.taken, s.jobs = true, s.jobs[1:]
		rounds[w.line.priority].end(s)
		if f.wanted[w.id] {
			delete(f.wanted, w.id)
			tell(w.id, position)
		}
	}
}
