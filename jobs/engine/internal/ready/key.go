package ready

import (
	"slices"

	"jobcast/jobs"
)

// A key lives as long as it is held, or jobs wait that have it.
type key struct {
	name    string
	holders []jobs.ID // jobs that run, or are reserved; more than one if servers did not agree
	groups  []*group
}

// A group has the jobs of a line with one key, but for those that are reserved. The oldest is in line if the key is
// free. So it costs the same to take a key, however many jobs of an owner wait for it.
type group struct {
	line *line
	jobs heap[*entry, inGroup]
}

type inGroup struct{}

func (inGroup) before(a, b *entry) bool { return older(a, b) }
func (inGroup) slot(e *entry) *slot     { return &e.inGroup }

// is reports whether a key, or none, has a name.
func (k *key) is(name string) bool {
	if k == nil {
		return name == ""
	}
	return k.name == name
}

// key returns a key, a new one if need be. mu is held.
func (s *Set) key(name string) *key {
	k := s.keys.get(name)
	if k == nil {
		k = &key{name: name}
		s.keys.set(name, k)
	}
	return k
}

// group returns the group of a line, or -1.
func (k *key) group(l *line) int {
	return slices.IndexFunc(k.groups, func(g *group) bool { return g.line == l })
}

// show puts an entry in line, or where it waits for its key. mu is held.
func (s *Set) show(e *entry) {
	k := e.key
	if k == nil {
		e.line.add(e)
		s.signal()
		return
	}
	at := k.group(e.line)
	if at < 0 {
		at = len(k.groups)
		k.groups = append(k.groups, &group{line: e.line})
	}
	g := k.groups[at]
	g.jobs.push(e)
	if len(k.holders) > 0 || g.jobs.first() != e {
		return
	}
	for _, was := range g.jobs.members[1:min(3, len(g.jobs.members))] {
		if was.inLine != 0 {
			g.line.take(was)
		}
	}
	g.line.add(e)
	s.signal()
}

// hide undoes show. mu is held.
func (s *Set) hide(e *entry) {
	shown := e.inLine != 0
	if shown {
		e.line.take(e)
	}
	k := e.key
	if k == nil {
		return
	}
	at := k.group(e.line)
	g := k.groups[at]
	g.jobs.remove(e)
	switch {
	case g.jobs.empty():
		k.groups = slices.Delete(k.groups, at, at+1)
		s.forget(k)
	case shown:
		g.line.add(g.jobs.first())
	}
}

// hold lets a job have a key, which nobody else gets meanwhile. mu is held.
func (s *Set) hold(k *key, id jobs.ID) {
	if k == nil || slices.Contains(k.holders, id) {
		return
	}
	k.holders = append(k.holders, id)
	if len(k.holders) > 1 {
		return
	}
	for _, g := range k.groups {
		g.line.take(g.jobs.first())
	}
}

// letGo takes a key from a job, unless it runs with it. mu is held.
func (s *Set) letGo(k *key, id jobs.ID) {
	if k == nil || s.running.get(id).key == k {
		return
	}
	at := slices.Index(k.holders, id)
	if at < 0 {
		return
	}
	if k.holders = slices.Delete(k.holders, at, at+1); len(k.holders) > 0 {
		return
	}
	for _, g := range k.groups {
		g.line.add(g.jobs.first())
	}
	if len(k.groups) > 0 {
		s.signal()
	}
	s.forget(k)
}

// forget forgets a key that nobody has or waits for. mu is held.
func (s *Set) forget(k *key) {
	if len(k.holders) == 0 && len(k.groups) == 0 {
		s.keys.delete(k.name)
	}
}
