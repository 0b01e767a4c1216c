package chat

import (
	"context"
	"time"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

// What one client may say, a second and at once.
const (
	sayRate  = 20
	sayBurst = 40
)

func newLimiter() *rate.Limiter { return rate.NewLimiter(sayRate, sayBurst) }

var errTooFast = refuse(TooMany, "nobody may say more than %v messages a second", sayRate)

// SayFrom says something in the room Anonymous for a client without a connection of its own; the limit
// is for all that comes from an address.
func (c *Chat) SayFrom(ctx context.Context, address, text string) (Message, error) {
	if !c.addresses.Allow(address, time.Now()) {
		return Message{}, errTooFast
	}
	if err := checkText(text); err != nil {
		return Message{}, err
	}
	said := Message{Room: Anonymous, Text: text, At: time.Now().UTC()}
	err := c.put(ctx, &op{said: &said})
	return said, err
}

// Next returns the next message of the room Anonymous that a reader has not got, and waits for it until
// ctx ends; at is the reader's place then. A reader who says by after how far they have read goes on from
// there. One who says Unknown goes on from where the chat remembers them to be, also after a restart, or,
// if it does not, with what is said from now on. Who is more than Kept behind misses the oldest. The address is
// that of the client: it may have so many readers only, and the one that has been silent for longest is
// forgotten for a new one.
func (c *Chat) Next(ctx context.Context, address, name string, after uint64) (m Message, at uint64, ok bool, err error) {
	if len(name) == 0 || len(name) > maxKey || !utf8.ValidString(name) {
		return m, 0, false, refuse(BadRequest, "a reader's name has 1 to %d bytes", maxKey)
	}
	r, err := c.ask(address, name)
	if err != nil {
		return m, 0, false, err
	}
	defer c.rest(r)
	for {
		m, at, more := c.next(r, after)
		if more == nil {
			return m, at, true, nil
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

// ask returns the reader with that name, who is not forgotten before rest is called.
func (c *Chat) ask(address, name string) (*reader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.readers.forget(now)
	r := c.readers.by[name]
	if r == nil {
		gone, ok := c.readers.tooMany(address)
		if !ok {
			return nil, refuse(TooMany, "too many people read right now")
		}
		if gone != nil {
			c.dropReaderLocked(gone)
		}
		r = c.readers.add(address, name, c.last, now)
		_, r.written = c.marks.Places[name] // that there was one of this name, who is gone
		c.placeLocked(r)
	}
	c.readers.begin(r)
	return r, nil
}

// rest ends what ask began.
func (c *Chat) rest(r *reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers.end(r, time.Now())
}

// next is Next without the waiting: until more is closed, if it is not nil.
func (c *Chat) next(r *reader, after uint64) (m Message, at uint64, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if after != Unknown {
		r.at = min(after, c.last)
	}
	room := c.roomLocked(Anonymous)
	past := room.after(r.at)
	if len(past) == 0 {
		return m, r.at, room.more
	}
	r.at = past[0].ID
	if after == Unknown { // who says their place has it
		c.placeLocked(r)
	}
	return past[0], r.at, nil
}

// placeLocked has the writer note where a reader is.
func (c *Chat) placeLocked(r *reader) {
	if _, waits := c.marks.Places[r.name]; !waits && r.placed {
		r.written = true
	}
	r.placed = true
	c.marks.Places[r.name] = r.at
	c.wake()
}

// dropReaderLocked makes room for another, and has the writer note it, or not note that there was one: names
// that come and go do not fill the journal.
func (c *Chat) dropReaderLocked(r *reader) {
	c.readers.remove(r)
	if _, waits := c.marks.Places[r.name]; waits && !r.written {
		delete(c.marks.Places, r.name)
		return
	}
	c.marks.Places[r.name] = Unknown
	c.wake()
}
