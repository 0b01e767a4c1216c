package chat

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"jobcast/limit"
)

const (
	// forgetAfter is when a reader who has not asked is forgotten.
	forgetAfter = 5 * time.Minute
	// maxReaders bounds the readers; one more is refused.
	maxReaders = 10_000
	// maxKey bounds a reader's name, in bytes.
	maxKey = 200
)

// rate is what one client may say.
var rate = limit.Rate{PerSecond: 20, Burst: 40}

var errTooFast = refuse(TooMany, "nobody may say more than %v messages a second", rate.PerSecond)

// SayFrom says something in the room Anonymous for a client without a connection of its own; the limit
// is for all that comes from an address.
func (c *Chat) SayFrom(ctx context.Context, address, text string) (Message, error) {
	if !c.addresses.Take(address, rate, time.Now()) {
		return Message{}, errTooFast
	}
	if err := checkText(text); err != nil {
		return Message{}, err
	}
	said := Message{Room: Anonymous, Text: text, At: time.Now().UTC()}
	err := c.put(ctx, &op{said: &said})
	return said, err
}

// readers are those who read one message at a time, and leave it to the server how far they are.
type readers struct {
	by    map[string]*reader
	swept time.Time
}

// A reader has no queue: it is a place in its room, which keeps what there is to read.
type reader struct {
	at    uint64 // has been read
	asked time.Time
}

func (r *reader) forgotten(now time.Time) bool { return now.Sub(r.asked) > forgetAfter }

// trim lets go of those who are farthest behind, if a journal has more than there may be.
func (r *readers) trim() {
	if len(r.by) > maxReaders {
		names := slices.SortedFunc(maps.Keys(r.by), func(a, b string) int { return cmp.Compare(r.by[a].at, r.by[b].at) })
		for _, name := range names[:len(names)-maxReaders] {
			delete(r.by, name)
		}
	}
}

// Next returns the next message of the room Anonymous that a reader has not got, and waits for it until
// ctx ends; at is the reader's place then. A reader who says by after how far they have read goes on from
// there. One who says Unknown goes on from where the chat remembers them to be, also after a restart, or,
// if it does not, with what is said from now on. Who is more than Kept behind misses the oldest.
func (c *Chat) Next(ctx context.Context, name string, after uint64) (m Message, at uint64, ok bool, err error) {
	if len(name) == 0 || len(name) > maxKey || !utf8.ValidString(name) {
		return m, 0, false, refuse(BadRequest, "a reader's name has 1 to %d bytes", maxKey)
	}
	for {
		m, at, more, err := c.next(name, after)
		if more == nil {
			return m, at, err == nil, err
		}
		after = Unknown // it is known now
		select {
		case <-more:
		case <-c.ctx.Done():
			return m, at, false, ErrClosed
		case <-ctx.Done():
			return m, at, false, nil
		}
	}
}

// next is Next without the waiting: until more is closed, if it is not nil.
func (c *Chat) next(name string, after uint64) (m Message, at uint64, more <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.readers.swept) > time.Minute {
		c.readers.swept = now
		maps.DeleteFunc(c.readers.by, func(_ string, r *reader) bool { return r.forgotten(now) })
	}
	r := c.readers.by[name]
	if r == nil || r.forgotten(now) {
		if r == nil && len(c.readers.by) >= maxReaders {
			return m, 0, nil, refuse(TooMany, "too many people read right now")
		}
		r = &reader{at: c.last}
		c.readers.by[name] = r
		c.placeLocked(name, r.at)
	}
	r.asked = now
	if after != Unknown {
		r.at = min(after, c.last)
	}
	room := c.roomLocked(Anonymous)
	past := room.after(r.at)
	if len(past) == 0 {
		return m, r.at, room.more, nil
	}
	r.at = past[0].ID
	if after == Unknown { // who says their place has it
		c.placeLocked(name, r.at)
	}
	return past[0], r.at, nil, nil
}

// placeLocked has the writer note where a reader is.
func (c *Chat) placeLocked(name string, at uint64) {
	c.marks.Places[name] = at
	c.wake()
}
