package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"jobcast/internal/systems/journal"
)

const (
	// maxBatch is how much the writer puts into one record, as texts may grow in JSON: half of what a
	// record may have. Of the other half the marks get half.
	maxBatch     = journal.MaxRecordBytes / 2
	maxMarkBytes = maxBatch / 2
	// writeTime bounds one append.
	writeTime = 10 * time.Second
)

// ErrClosed is the error of what was said while the chat closed.
var ErrClosed = errors.New("chat: closed")

// record is one entry of the journal: what happened at about the same time.
type record struct {
	Said    []Message `json:"said,omitempty"`
	Private []Private `json:"private,omitempty"`
	marks
	Again *again `json:"again,omitempty"`
}

// marks are what happened to people, and nobody waits for. Each says how it is now, so that it may be said
// again.
type marks struct {
	Taken  map[string][]uint64 `json:"taken,omitempty"`  // nickname -> private messages that it has
	Claims map[string]*claim   `json:"claims,omitempty"` // nickname -> its claim, or none
	Places map[string]uint64   `json:"places,omitempty"` // reader -> place, or Unknown if it is forgotten
}

func newMarks() marks {
	return marks{Taken: map[string][]uint64{}, Claims: map[string]*claim{}, Places: map[string]uint64{}}
}

func (m *marks) empty() bool { return len(m.Taken) == 0 && len(m.Claims) == 0 && len(m.Places) == 0 }

// move moves as much as fits into a record. The claims go first: no message for a nickname is in the
// journal before its claim.
func (m *marks) move() marks {
	to, size := newMarks(), 0
	for name, one := range m.Claims {
		if size += markSize(name) + 128; size > maxMarkBytes {
			return to
		}
		to.Claims[name] = one
		delete(m.Claims, name)
	}
	for name, ids := range m.Taken {
		if size += markSize(name) + 21*len(ids); size > maxMarkBytes {
			return to
		}
		to.Taken[name] = ids
		delete(m.Taken, name)
	}
	for name, at := range m.Places {
		if size += markSize(name) + 21; size > maxMarkBytes {
			return to
		}
		to.Places[name] = at
		delete(m.Places, name)
	}
	return to
}

// back takes back what could not be written, where nothing newer is known.
func (m *marks) back(from marks) {
	for name, one := range from.Claims {
		if _, newer := m.Claims[name]; !newer {
			m.Claims[name] = one
		}
	}
	for name, ids := range from.Taken {
		m.Taken[name] = append(ids, m.Taken[name]...)
	}
	for name, at := range from.Places {
		if _, newer := m.Places[name]; !newer {
			m.Places[name] = at
		}
	}
}

// markSize is what a name takes in a record, at the most.
func markSize(name string) int { return 8 + 6*len(name) }

// wake has the writer look for marks, and for what is left of a sweep.
func (c *Chat) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// An op is one message on its way into the journal: into a room, or to a person.
type op struct {
	said    *Message
	private *Private
	answer  chan error // has room for one

	delivery Delivery // of private; set before the answer
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
// Between two records there is one of the sweep, if one is due.
func (c *Chat) write() {
	for {
		var batch []*op
		size := 0
		select {
		case o := <-c.ops:
			batch, size = append(batch, o), o.size()
		case <-c.woken:
		case <-c.ctx.Done():
			for c.append(nil) { // the marks: nobody gets twice what they had before a restart
			}
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
		c.sweepOn()
	}
}

// append makes one record of the batch and the marks, and answers the batch. It returns whether there are
// more marks to write.
func (c *Chat) append(batch []*op) (more bool) {
	r, ops := c.record(batch)
	if len(ops) == 0 && r.marks.empty() {
		return false
	}
	err := c.commit(&r)
	var deliveries []Delivery
	if err == nil {
		deliveries = c.apply(r)
	}
	c.mu.Lock()
	if err != nil {
		c.marks.back(r.marks)
	} else if more = !c.marks.empty(); more {
		c.wake()
	}
	c.mu.Unlock()
	said := r.Said
	for _, o := range ops {
		if err == nil && o.said != nil {
			*o.said, said = said[0], said[1:]
		} else if err == nil {
			o.delivery, deliveries = deliveries[0], deliveries[1:]
		}
		o.answer <- err
	}
	return more
}

// record returns the record of a batch and the ops that are in it. The others have been answered: those
// for whom they are have too much waiting.
func (c *Chat) record(batch []*op) (r record, ops []*op) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.marks = c.marks.move()
	id := c.last
	more := map[string]int{} // that will wait
	for _, o := range batch {
		id++
		if o.said != nil {
			m := *o.said
			m.ID = id
			r.Said = append(r.Said, m)
		} else {
			to := o.private.To
			if !c.roomForLocked(to, more[to], len(r.Private)) {
				id--
				o.answer <- refuse(TooMany, "too much waits for %s already", to)
				continue
			}
			more[to]++
			p := *o.private
			p.ID = id
			r.Private = append(r.Private, p)
		}
		ops = append(ops, o)
	}
	return r, ops
}

// roomForLocked reports whether one more message may wait for a person, when so many more do already.
func (c *Chat) roomForLocked(to string, more, moreForAll int) bool {
	full := func() bool {
		return len(c.waiting[to])+more >= MaxWaiting ||
			!c.people[to].receives() && c.letters+moreForAll >= maxWaiting
	}
	if full() {
		c.expireLocked(time.Now())
	}
	return !full()
}

// commit appends a record to the journal. The ids in it may be others afterwards.
func (c *Chat) commit(r *record) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	pos, err := c.journal.Append(ctx, r.encode(), c.pos)
	if errors.Is(err, journal.ErrConflict) {
		// An earlier append has come to be after it had failed. Its messages get their ids first.
		if err = c.catchUp(ctx, false); err == nil {
			c.renumber(r)
			pos, err = c.journal.Append(ctx, r.encode(), c.pos)
		}
	}
	if err != nil {
		return fmt.Errorf("chat: keep what was said: %w", err)
	}
	c.pos = pos
	c.since++
	return nil
}

func (r *record) encode() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it would make six bytes of one
	if err := enc.Encode(r); err != nil {
		panic(fmt.Sprintf("chat: encode a record: %v", err)) // it has texts, numbers and times
	}
	return b.Bytes()
}

// renumber gives the messages of a record the next ids.
func (c *Chat) renumber(r *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	low := ^uint64(0)
	for _, m := range r.Said {
		low = min(low, m.ID)
	}
	for _, p := range r.Private {
		low = min(low, p.ID)
	}
	for i := range r.Said {
		r.Said[i].ID += c.last + 1 - low
	}
	for i := range r.Private {
		r.Private[i].ID += c.last + 1 - low
	}
}

// catchUp applies what is in the journal and has not been applied; first says that nothing has.
func (c *Chat) catchUp(ctx context.Context, first bool) error {
	for {
		entries, err := c.journal.Read(ctx, c.pos, 1000)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			var r record
			if err := json.Unmarshal(e.Data, &r); err != nil {
				return fmt.Errorf("decode record %d: %w", e.Position, err)
			}
			if first {
				c.restore(r)
			}
			c.apply(r)
			c.pos = e.Position
			c.since++
			if r.Again != nil && r.Again.Done {
				c.since = 0
			}
		}
	}
}

// apply makes the messages of a record true, and tells everybody whom they concern.
func (c *Chat) apply(r record) (deliveries []Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range r.Said {
		one := c.roomLocked(m.Room)
		c.addLocked(one, m)
		close(one.more)
		one.more = make(chan struct{})
		c.watcher.Said(m)
		for _, hear := range one.hear {
			hear(m)
		}
	}
	for _, p := range r.Private {
		l := c.waitLocked(p)
		if p.From != p.To {
			c.people[p.From].give(p)
		}
		deliveries = append(deliveries, Delivery{p, c.people[p.To].give(p), l.taken})
	}
	return deliveries
}

// restore makes true what a record says beside its messages. Of a record that was written by this Chat it
// is true already.
func (c *Chat) restore(r record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Again != nil {
		c.last = max(c.last, r.Again.Last)
		for _, m := range r.Again.Past {
			c.addLocked(c.roomLocked(m.Room), m)
		}
		for _, p := range r.Again.Waiting {
			c.waitLocked(p)
		}
	}
	for name, to := range r.Claims {
		c.setClaimLocked(name, to)
	}
	now := time.Now()
	for name, at := range r.Places {
		c.restoreReaderLocked(name, at, now)
	}
	for name, ids := range r.Taken {
		for _, id := range ids {
			c.takeLocked(name, id)
		}
	}
}
