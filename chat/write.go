package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"jobcast/journal"
)

const (
	// maxBatch is how much the writer puts into one record, as texts may grow in JSON: half of what a
	// record may have.
	maxBatch = journal.MaxRecordBytes / 2
	// writeTime bounds one append.
	writeTime = 10 * time.Second
)

// ErrClosed is the error of what was said while the chat closed.
var ErrClosed = errors.New("chat: closed")

// An op is one message on its way into the journal: into a room, or to a person.
type op struct {
	said    *Message
	private *Private
	answer  chan error // has room for one

	delivered bool // of private; set before the answer
}

// size is what the op takes in a record, at the most: each byte of a text may become six.
func (o *op) size() int {
	if o.said != nil {
		return 256 + 6*(len(o.said.Text)+len(o.said.Room)+len(o.said.From))
	}
	return 256 + 6*(len(o.private.Text)+len(o.private.To)+len(o.private.From))
}

// put gives the writer an op and waits until it is in the journal.
func (c *Chat) put(ctx context.Context, o *op) error {
	o.answer = make(chan error, 1)
	select {
	case c.ops <- o:
	case <-c.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("chat: wait for the journal: %w", context.Cause(ctx))
	}
	select {
	case err := <-o.answer:
		return err
	case <-c.ctx.Done():
		c.done.Wait() // it answers what it has begun
		select {
		case err := <-o.answer:
			return err
		default:
			return ErrClosed
		}
	}
}

// write puts what is said into the journal, all that has come meanwhile at once, until the chat closes.
func (c *Chat) write() {
	for {
		var batch []*op
		size := 0
		select {
		case o := <-c.ops:
			batch, size = append(batch, o), o.size()
		case <-c.marked:
		case <-c.ctx.Done():
			c.append(nil) // the marks: nobody gets twice what they had before a restart
			return
		}
	more:
		for size < maxBatch {
			select {
			case o := <-c.ops:
				batch, size = append(batch, o), size+o.size()
			default:
				break more
			}
		}
		c.append(batch)
	}
}

// append makes one record of the batch and the marks, and answers the batch.
func (c *Chat) append(batch []*op) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	r, ops := c.record(batch)
	if len(ops) == 0 && len(r.Delivered) == 0 {
		return
	}
	data, err := json.Marshal(r)
	var pos uint64
	if err == nil {
		pos, err = c.journal.Append(ctx, data, c.pos)
	}
	if errors.Is(err, journal.ErrConflict) {
		// An earlier append has come to be after it had failed. Its messages get their ids first.
		if err = c.catchUp(ctx); err == nil {
			r = c.renumber(r)
			if data, err = json.Marshal(r); err == nil {
				pos, err = c.journal.Append(ctx, data, c.pos)
			}
		}
	}
	var delivered map[uint64]bool
	if err == nil {
		c.pos = pos
		delivered = c.apply(r)
	} else {
		err = fmt.Errorf("chat: keep what was said: %w", err)
	}
	said, private := r.Said, r.Private
	for _, o := range ops {
		if o.said != nil {
			*o.said, said = said[0], said[1:]
		} else {
			o.delivered = delivered[private[0].ID]
			*o.private, private = private[0], private[1:]
		}
		o.answer <- err
	}
}

// record returns the record of a batch and the ops that are in it. The others have been answered: those
// for whom they are have too much waiting.
func (c *Chat) record(batch []*op) (r record, ops []*op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Delivered = maps.Clone(c.marks)
	id := c.last
	more := map[string]int{}
	for _, o := range batch {
		if o.said != nil {
			id++
			o.said.ID = id
			r.Said = append(r.Said, *o.said)
		} else {
			to := o.private.To
			if !c.people[to].receives() {
				n := len(c.waiting[to]) + more[to]
				if n >= MaxWaiting || n == 0 && len(c.waiting)+len(more) >= maxAbsent {
					o.answer <- refuse(TooMany, "too much waits for %s already", to)
					continue
				}
				more[to]++
			}
			id++
			o.private.ID = id
			r.Private = append(r.Private, *o.private)
		}
		ops = append(ops, o)
	}
	return r, ops
}

// renumber gives the messages of a record the next ids.
func (c *Chat) renumber(r record) record {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.last + 1
	low := ^uint64(0)
	for _, m := range r.Said {
		low = min(low, m.ID)
	}
	for _, p := range r.Private {
		low = min(low, p.ID)
	}
	for i := range r.Said {
		r.Said[i].ID += first - low
	}
	for i := range r.Private {
		r.Private[i].ID += first - low
	}
	return r
}
