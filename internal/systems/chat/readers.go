package chat

import (
	"container/list"
	"time"
)

const (
	// forgetAfter is when a reader who has not asked is forgotten.
	forgetAfter = 5 * time.Minute
	// maxReaders bounds the readers, and maxReadersOf those of one address. For one more the one who has been
	// silent for longest is forgotten, of all or of that address; if none is silent it is refused.
	maxReaders   = 10_000
	maxReadersOf = 1000
	// maxKey bounds a reader's name, in bytes.
	maxKey = 200
)

// readers are those who read one message at a time, and leave it to the server how far they are. What they
// take does not depend on how many there are.
type readers struct {
	by     map[string]*reader
	of     map[string]*crowd
	silent list.List // of *reader, the longest silent first; who asks right now is not here
}

// A crowd is the readers of one address.
type crowd struct {
	n      int
	silent list.List // as above
}

// A reader has no queue: it is a place in its room, which keeps what there is to read.
type reader struct {
	name    string
	address string // of who made it; "" if that was before a restart
	at      uint64 // has been read
	asking  int    // requests that wait
	asked   time.Time

	inAll, inCrowd *list.Element // nil while it asks

	placed  bool // the writer was told of it,
	written bool // and may have written that
}

// add makes a reader, for whom there is room.
func (rs *readers) add(address, name string, at uint64, now time.Time) *reader {
	r := &reader{name: name, address: address, at: at, asked: now}
	rs.by[name] = r
	rs.crowd(address).n++
	rs.toSilent(r)
	return r
}

func (rs *readers) crowd(address string) *crowd {
	c := rs.of[address]
	if c == nil {
		c = new(crowd)
		rs.of[address] = c
	}
	return c
}

// remove forgets a reader who does not ask.
func (rs *readers) remove(r *reader) {
	rs.fromSilent(r)
	delete(rs.by, r.name)
	c := rs.of[r.address]
	if c.n--; c.n == 0 {
		delete(rs.of, r.address)
	}
}

func (rs *readers) toSilent(r *reader) {
	r.inAll = rs.silent.PushBack(r)
	r.inCrowd = rs.of[r.address].silent.PushBack(r)
}

func (rs *readers) fromSilent(r *reader) {
	if r.inAll != nil {
		rs.silent.Remove(r.inAll)
		rs.of[r.address].silent.Remove(r.inCrowd)
		r.inAll, r.inCrowd = nil, nil
	}
}

// begin and end are around a request.
func (rs *readers) begin(r *reader) {
	r.asking++
	rs.fromSilent(r)
}

func (rs *readers) end(r *reader, now time.Time) {
	r.asked = now
	if r.asking--; r.asking == 0 {
		rs.toSilent(r)
	}
}

// forget lets go of those who have not asked for a while.
func (rs *readers) forget(now time.Time) {
	for first := rs.silent.Front(); first != nil; first = rs.silent.Front() {
		r := first.Value.(*reader)
		if now.Sub(r.asked) <= forgetAfter {
			return
		}
		rs.remove(r)
	}
}

// tooMany returns the reader who has to go before there can be another of that address, or nil; or reports
// that nobody can.
func (rs *readers) tooMany(address string) (r *reader, ok bool) {
	var longest *list.Element
	switch c := rs.of[address]; {
	case address != "" && c != nil && c.n >= maxReadersOf:
		longest = c.silent.Front()
	case len(rs.by) >= maxReaders:
		longest = rs.silent.Front()
	default:
		return nil, true
	}
	if longest == nil {
		return nil, false
	}
	return longest.Value.(*reader), true
}

// restoreReaderLocked makes true what a record says of a reader.
func (c *Chat) restoreReaderLocked(name string, at uint64, now time.Time) {
	if r := c.readers.by[name]; r != nil {
		if r.at = at; r.asking == 0 {
			c.readers.remove(r)
		}
	}
	if at == Unknown || c.readers.by[name] != nil {
		return
	}
	if gone, _ := c.readers.tooMany(""); gone != nil {
		c.readers.remove(gone) // of whom the journal has not said so
	}
	r := c.readers.add("", name, at, now)
	r.placed, r.written = true, true
}
