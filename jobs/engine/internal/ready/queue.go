package ready

import (
	"cmp"
	"slices"

	"jobcast/jobs"
)

// The priorities, in the order in which they are served.
var priorities = [...]string{string(jobs.PriorityHigh), string(jobs.PriorityDefault), string(jobs.PriorityLow)}

const (
	high = iota
	normal
	low
)

func priorityOf(name string) int {
	switch name {
	case priorities[high]:
		return high
	case priorities[low]:
		return low
	}
	return normal
}

// A queue lives as long as it has jobs, some of its jobs run, or it is paused.
type queue struct {
	name    string
	turn    uint64 // the lowest is next
	paused  bool
	running int
	depth   [len(priorities)]int // jobs, those that are reserved too
	kinds   table[string, *kind]
	owners  [len(priorities)]table[string, *owner]
	others  int // jobs that were taken since the last time that it was the oldest
}

// A kind is that of some jobs of a queue, and lives as long as there are any.
type kind struct {
	name  string
	queue *queue
	jobs  int
	lanes [len(priorities)]lane
}

// A lane has the lines of one queue, kind and priority that have something to give.
type lane struct {
	byTurn heap[*line, byTurn]
	byAge  heap[*line, byAge]
}

// A line has the jobs of one queue, kind, priority and owner, and lives as long as there are any.
type line struct {
	kind     *kind
	priority int
	owner    *owner
	jobs     int // those that are reserved, or wait for a key, too
	next     heap[*entry, inLine]
	inTurns  slot
	inAges   slot
}

// An owner is whose jobs they are, in one queue and priority.
type owner struct {
	name  string
	turn  uint64  // the lowest is next
	lines []*line // one for each kind
}

type (
	byTurn struct{}
	byAge  struct{}
	inLine struct{}
)

func (byTurn) before(a, b *line) bool  { return a.owner.turn < b.owner.turn }
func (byTurn) slot(l *line) *slot      { return &l.inTurns }
func (byAge) before(a, b *line) bool   { return older(a.next.first(), b.next.first()) }
func (byAge) slot(l *line) *slot       { return &l.inAges }
func (inLine) before(a, b *entry) bool { return older(a, b) }
func (inLine) slot(e *entry) *slot     { return &e.inLine }

// older reports whether a was queued before b.
func older(a, b *entry) bool { return compareAge(a, b) < 0 }

func compareAge(a, b *entry) int {
	return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id))
}

func (l *line) lane() *lane { return &l.kind.lanes[l.priority] }

// add puts a job in line, where Next finds it.
func (l *line) add(e *entry) {
	before := !l.next.empty()
	l.next.push(e)
	if lane := l.lane(); before {
		lane.byAge.fix(l)
	} else {
		lane.byTurn.push(l)
		lane.byAge.push(l)
	}
}

// take takes out a job that add has put in.
func (l *line) take(e *entry) {
	lane := l.lane()
	if len(l.next.members) == 1 {
		lane.byTurn.remove(l)
		lane.byAge.remove(l)
		l.next.remove(e)
		return
	}
	l.next.remove(e)
	lane.byAge.fix(l)
}

// setTurn changes when it is an owner's turn.
func (o *owner) setTurn(turn uint64) {
	o.turn = turn
	for _, l := range o.lines {
		if l.inTurns != 0 {
			l.lane().byTurn.fix(l)
		}
	}
}

// turnOver lets an owner come after all others. mu is held.
func (s *Set) turnOver(o *owner) {
	s.turn++
	o.setTurn(s.turn)
}

// queue returns a queue, a new one if need be, whose turn comes after all others'. mu is held.
func (s *Set) queue(name string) *queue {
	q := s.queues.get(name)
	if q == nil {
		s.turn++
		q = &queue{name: name, turn: s.turn}
		s.queues.set(name, q)
		s.ring = append(s.ring, q)
	}
	return q
}

// setTurn changes when it is a queue's turn. mu is held.
func (s *Set) setTurn(q *queue, turn uint64) {
	at := s.inRing(q.turn)
	s.ring = slices.Delete(s.ring, at, at+1)
	q.turn = turn
	s.ring = slices.Insert(s.ring, s.inRing(turn), q)
}

func (s *Set) inRing(turn uint64) int {
	at, _ := slices.BinarySearchFunc(s.ring, turn, func(q *queue, turn uint64) int { return cmp.Compare(q.turn, turn) })
	return at
}

// tidy forgets a queue that nothing is to be known of. mu is held.
func (s *Set) tidy(q *queue) {
	if q.paused || q.running > 0 || q.depth != [len(priorities)]int{} {
		return
	}
	at := s.inRing(q.turn)
	s.ring = slices.Delete(s.ring, at, at+1)
	s.queues.delete(q.name)
}

// join counts a job that is put, and returns its line. mu is held.
func (s *Set) join(j Job) *line {
	q, p := s.queue(j.Queue), priorityOf(j.Priority)
	k := q.kinds.get(j.Kind)
	if k == nil {
		k = &kind{name: j.Kind, queue: q}
		q.kinds.set(j.Kind, k)
	}
	o := q.owners[p].get(j.Owner)
	if o == nil {
		s.turn++
		o = &owner{name: j.Owner, turn: s.turn}
		q.owners[p].set(j.Owner, o)
	}
	at := slices.IndexFunc(o.lines, func(l *line) bool { return l.kind == k })
	if at < 0 {
		at = len(o.lines)
		o.lines = append(o.lines, &line{kind: k, priority: p, owner: o})
	}
	q.depth[p]++
	k.jobs++
	o.lines[at].jobs++
	return o.lines[at]
}

// leave undoes join. mu is held.
func (s *Set) leave(l *line) {
	k, o, q := l.kind, l.owner, l.kind.queue
	q.depth[l.priority]--
	if l.jobs--; l.jobs == 0 {
		at := slices.Index(o.lines, l)
		o.lines = slices.Delete(o.lines, at, at+1)
	}
	if len(o.lines) == 0 {
		q.owners[l.priority].delete(o.name)
	}
	if k.jobs--; k.jobs == 0 {
		q.kinds.delete(k.name)
	}
	s.tidy(q)
}
