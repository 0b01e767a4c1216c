package chat

import (
	"context"
	"maps"
	"time"
)

const (
	// rate and burst are what one client may say: messages a second, and at once.
	rate  = 20
	burst = 40
	// forgetAfter is when a reader who has not asked is forgotten.
	forgetAfter = 5 * time.Minute
	// maxReaders bounds the readers, and the addresses that are limited; one more is refused.
	maxReaders = 10_000
	// maxKey bounds a reader's name, in bytes.
	maxKey = 200
)

var errTooFast = refuse(TooMany, "nobody may say more than %d messages a second", rate)

// A bucket is how much a client may say. The zero value is full.
type bucket struct {
	used float64
	at   time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.used = max(0, b.used-rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.used+1 > burst {
		return false
	}
	b.used++
	return true
}

// limits are the buckets of clients without a connection, by their address.
type limits map[string]*bucket

// SayFrom says something in the room Anonymous for a client without a connection of its own; the limit
// is for all that comes from an address.
func (c *Chat) SayFrom(ctx context.Context, address, text string) (Message, error) {
	c.mu.Lock()
	err := c.limits.take(address, time.Now())
	c.mu.Unlock()
	if err == nil {
		err = checkText(text)
	}
	if err != nil {
		return Message{}, err
	}
	said := Message{Room: Anonymous, Text: text, At: time.Now().UTC()}
	err = c.put(ctx, &op{said: &said})
	return said, err
}

func (l limits) take(address string, now time.Time) error {
	b := l[address]
	if b == nil {
		if len(l) >= maxReaders {
			maps.DeleteFunc(l, func(_ string, b *bucket) bool { return now.Sub(b.at) > burst/rate*time.Second })
		}
		if len(l) >= maxReaders {
			return refuse(TooMany, "too many people talk right now")
		}
		b = &bucket{}
		l[address] = b
	}
	if !b.take(now) {
		return errTooFast
	}
	return nil
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

// Next returns the next message of the room Anonymous that a reader has not got, and waits for it until
// ctx ends. A reader begins with what is said after it first asked, and misses what is more than Kept
// behind. No message is returned twice.
func (c *Chat) Next(ctx context.Context, name string) (m Message, ok bool, err error) {
	if len(name) == 0 || len(name) > maxKey {
		return m, false, refuse(BadRequest, "a reader's name has 1 to %d bytes", maxKey)
	}
	for {
		m, ok, more, err := c.next(name)
		if ok || err != nil {
			return m, ok, err
		}
		select {
		case <-more:
		case <-c.ctx.Done():
			return m, false, ErrClosed
		case <-ctx.Done():
			return m, false, nil
		}
	}
}

func (c *Chat) next(name string) (m Message, ok bool, more <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.readers.swept) > time.Minute {
		c.readers.swept = now
		maps.DeleteFunc(c.readers.by, func(_ string, r *reader) bool { return now.Sub(r.asked) > forgetAfter })
	}
	r := c.readers.by[name]
	if r == nil || now.Sub(r.asked) > forgetAfter {
		if r == nil && len(c.readers.by) >= maxReaders {
			return m, false, nil, refuse(TooMany, "too many people read right now")
		}
		r = &reader{at: c.last}
		c.readers.by[name] = r
	}
	r.asked = now
	past, _, more := c.afterLocked(Anonymous, r.at)
	if len(past) == 0 {
		return m, false, more, nil
	}
	r.at = past[0].ID
	return past[0], true, nil, nil
}
