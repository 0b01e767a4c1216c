package chat

import (
	"maps"
	"slices"
	"time"
)

// sweepEvery is after how many records what is still true is written again. A journal keeps some 20,000,
// and a sweep takes, at the very most, some 4,000 of them: there is room for one that failed.
const sweepEvery = 5000

// again is a part of a sweep: what earlier records said and is true still, once more, before the journal
// lets go of those. A part says nothing that a later record would not undo, so that a sweep may end
// anywhere.
type again struct {
	Last    uint64    `json:"last"` // the newest id
	Past    []Message `json:"past,omitempty"`
	Waiting []Private `json:"waiting,omitempty"`
	Done    bool      `json:"done,omitempty"` // this was the last part
}

// A sweep is whose state is still to be written again. What that is, is looked at when it is written.
type sweep struct {
	people, claims, readers, rooms []string
	after                          uint64 // of the first of people, or of rooms, all up to this id is written
}

// sweepOn writes the next part of the sweep, if one is due, and has the writer come again for the others.
func (c *Chat) sweepOn() {
	if c.sweep == nil {
		if c.since < c.every {
			return
		}
		c.sweep = c.newSweep()
	}
	r := c.part(c.sweep)
	switch err := c.commit(&r); {
	case err != nil:
		// The journal fails. The next records will say whether it still does.
		c.sweep, c.since = nil, c.every/2
	case r.Again.Done:
		c.sweep, c.since = nil, 0
	default:
		c.wake()
	}
}

func (c *Chat) newSweep() *sweep {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.expireLocked(now)
	c.readers.forget(now)
	return &sweep{
		people:  slices.Collect(maps.Keys(c.waiting)),
		claims:  slices.Collect(maps.Keys(c.claims)),
		readers: slices.Collect(maps.Keys(c.readers.by)),
		rooms:   slices.Collect(maps.Keys(c.rooms)),
	}
}

// part makes the next record of a sweep.
func (c *Chat) part(s *sweep) record {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := record{marks: newMarks(), Again: &again{Last: c.last}}
	size := 0
	full := func(more int) bool {
		size += more
		return size >= maxBatch
	}
	for ; len(s.people) > 0; s.people, s.after = s.people[1:], 0 {
		for _, l := range c.waiting[s.people[0]] {
			if l.ID > s.after {
				r.Again.Waiting, s.after = append(r.Again.Waiting, l.Private), l.ID
				if full((&op{private: &l.Private}).size()) {
					return r
				}
			}
		}
	}
	for len(s.claims) > 0 {
		name := s.claims[0]
		s.claims = s.claims[1:]
		if one, ok := c.claims[name]; ok {
			r.Claims[name] = &one
			if full(markSize(name) + 128) {
				return r
			}
		}
	}
	for len(s.readers) > 0 {
		name := s.readers[0]
		s.readers = s.readers[1:]
		if one := c.readers.by[name]; one != nil {
			r.Places[name] = one.at
			if full(markSize(name) + 21) {
				return r
			}
		}
	}
	for ; len(s.rooms) > 0; s.rooms, s.after = s.rooms[1:], 0 {
		one := c.rooms[s.rooms[0]]
		if one == nil {
			continue
		}
		for i := range one.past {
			if m := &one.past[i]; m.ID > s.after {
				r.Again.Past, s.after = append(r.Again.Past, *m), m.ID
				if full((&op{said: m}).size()) {
					return r
				}
			}
		}
	}
	r.Again.Done = true
	return r
}
