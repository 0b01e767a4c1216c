package chat

import (
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// MaxWaiting bounds the private messages that wait for one person, those that a client was given and
	// has not taken among them; one more is refused.
	MaxWaiting = 200
	// maxWaiting bounds those that wait for all; one more for somebody who is not there is refused.
	maxWaiting = 10_000
	// maxWait is how long a private message waits.
	maxWait = 30 * 24 * time.Hour
	// takeTime is how long Delivery.Wait gives a client that is there.
	takeTime = 2 * time.Second
)

// Private was said to one person.
type Private struct {
	ID   uint64    `json:"id"` // grows with all that is said; who gets one twice knows it by this
	From string    `json:"from_user"`
	To   string    `json:"to_user"`
	Text string    `json:"chat"`
	At   time.Time `json:"at"`
}

// A letter is a private message that no client of its recipient has taken yet.
type letter struct {
	Private
	taken chan struct{} // closed when one has
}

// A Delivery is a private message that is in the journal, and on its way.
type Delivery struct {
	Private
	there bool // there was a client to give it to
	taken <-chan struct{}
}

// Wait returns whether a client of the recipient has taken the message: at once if there is none, and
// within two seconds or when ctx ends otherwise. What was not taken by then waits for the recipient.
func (d Delivery) Wait(ctx context.Context) bool {
	if !d.there {
		return false
	}
	timer := time.NewTimer(takeTime)
	defer timer.Stop()
	select {
	case <-d.taken:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Tell says something to one person. It returns when it is in the journal.
func (m *Member) Tell(ctx context.Context, to, text string) (Delivery, error) {
	to = strings.TrimSpace(to)
	if m.nickname == "" {
		return Delivery{}, refuse(Forbidden, "private words are for those with a nickname")
	}
	if checkNickname(to) != nil {
		return Delivery{}, refuse(BadRequest, "nobody can have this nickname")
	}
	if err := m.allow("", text); err != nil {
		return Delivery{}, err
	}
	o := &op{private: &Private{From: m.nickname, To: to, Text: text, At: time.Now().UTC()}}
	err := m.chat.put(ctx, o)
	return o.delivery, err
}

// Receive has give called with each private message that waits, and then with those to and from this
// person as they are said; each once. give must not block, nor call the chat. What a client has got for
// sure the member Took; the rest is given to the next client of this person too.
func (m *Member) Receive(give func(Private)) {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.left || m.nickname == "" {
		return
	}
	for _, l := range c.waiting[m.nickname] {
		give(l.Private)
	}
	m.give = give
}

// Took says that the member's client has a message. It may be said twice, and of messages that do not
// wait for this person, which has no effect.
func (m *Member) Took(id uint64) {
	c := m.chat
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.takeLocked(m.nickname, id) {
		c.marks.Taken[m.nickname] = append(c.marks.Taken[m.nickname], id)
		c.wake()
	}
}

// TookAll says that the member's client has all messages up to an id.
func (m *Member) TookAll(id uint64) {
	c := m.chat
	c.mu.Lock()
	var ids []uint64
	for _, l := range c.waiting[m.nickname] {
		if l.ID <= id {
			ids = append(ids, l.ID)
		}
	}
	c.mu.Unlock()
	for _, id := range ids {
		m.Took(id)
	}
}

// takeLocked lets go of what somebody has taken, and returns whether it had waited.
func (c *Chat) takeLocked(name string, id uint64) bool {
	all := c.waiting[name]
	i := slices.IndexFunc(all, func(l *letter) bool { return l.ID == id })
	if i < 0 {
		return false
	}
	close(all[i].taken)
	c.letters--
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(c.waiting, name)
	} else {
		c.waiting[name] = all
	}
	return true
}

// waitLocked has a private message wait, once, in the order of the ids.
func (c *Chat) waitLocked(p Private) *letter {
	c.last = max(c.last, p.ID)
	all := c.waiting[p.To]
	i := len(all)
	for i > 0 && all[i-1].ID >= p.ID {
		i--
	}
	if i < len(all) && all[i].ID == p.ID {
		return all[i]
	}
	l := &letter{p, make(chan struct{})}
	c.waiting[p.To] = slices.Insert(all, i, l)
	c.letters++
	return l
}

// expireLocked lets go of what has waited for too long. The journal need not know: it is as old then.
func (c *Chat) expireLocked(now time.Time) {
	for name, all := range c.waiting {
		n := len(all)
		all = slices.DeleteFunc(all, func(l *letter) bool { return now.Sub(l.At) > maxWait })
		c.letters -= n - len(all)
		if c.waiting[name] = all; len(all) == 0 {
			delete(c.waiting, name)
		}
	}
}
