// Package chat is one chat for all who talk: rooms with their newest messages, the people in them, and
// words from one person to another, which wait for who is not there. All of it is kept in a journal, and
// what was acknowledged is in it. The package knows neither HTTP nor sockets: those who bring clients
// make each a Member, and pass on what a Watcher, a Tell or After gives them.
//
// There are no accounts: a nickname belongs to whoever holds it, and to the next one when they have left.
//
// Its one goroutine writes to the journal; Chat.Close waits for it.
package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"jobcast/journal"
)

const (
	// Anonymous is the room of those without a nickname, and Lobby where those with one begin.
	Anonymous = ""
	Lobby     = "lobby"

	// Kept is how many messages of a room can be read again; the oldest go first.
	Kept = 200
	// MaxTextBytes bounds what is said at once; MaxNameRunes a nickname, and MaxRoomRunes a room's name.
	MaxTextBytes = 4000
	MaxNameRunes = 32
	MaxRoomRunes = 64
	// MaxRooms is how many rooms one member may be in.
	MaxRooms = 50
	// MaxWaiting bounds the private messages that wait for one person; one more is refused. maxAbsent
	// bounds the people for whom any wait.
	MaxWaiting = 200
	maxAbsent  = 10_000
	// maxKnown bounds the rooms that are remembered while nobody is in them. The one in which nothing
	// has been said for longest is forgotten first.
	maxKnown = 1000
)

// Message was said in a room.
type Message struct {
	ID   uint64    `json:"id"`   // grows by one with all that is said, in whatever room
	Room string    `json:"room"` // "" is the room of those without a nickname
	From string    `json:"from_user,omitempty"`
	Text string    `json:"chat"`
	At   time.Time `json:"at"`
}

// Private was said to one person.
type Private struct {
	ID   uint64    `json:"id"`
	From string    `json:"from_user"`
	To   string    `json:"to_user"`
	Text string    `json:"chat"`
	At   time.Time `json:"at"`
}

// A Watcher is told what happens in all rooms, in order. Its functions are called one at a time, with
// the chat's lock held: they must not block, nor call the chat.
type Watcher struct {
	Said                 func(Message)
	Joined, Left, Typing func(room, nickname string)
}

// A Chat is all rooms and people. Its methods may be called from any goroutine.
type Chat struct {
	journal journal.Journal
	ops     chan *op      // to the writer; who finds it full waits
	marked  chan struct{} // has room for one: there are marks to write
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup
	pos     uint64 // of the newest record that was applied; the writer's

	mu      sync.Mutex // protects the fields below
	last    uint64     // the newest id
	rooms   map[string]*room
	people  map[string]*person
	waiting map[string][]Private // by whom it is for
	marks   map[string]uint64    // delivered up to this id, and not in the journal yet
	limits  limits
	readers readers
	watcher Watcher
	heard   int // how often Hear was called
}

type room struct {
	past   []Message      // the newest, at most Kept
	people map[string]int // how many members each has here
	more   chan struct{}  // closed when there is another message
	hear   map[int]func(Message)
}

// Open rebuilds the chat from its journal.
func Open(ctx context.Context, j journal.Journal) (*Chat, error) {
	c := &Chat{
		journal: j,
		ops:     make(chan *op, 256),
		marked:  make(chan struct{}, 1),
		rooms:   map[string]*room{},
		people:  map[string]*person{},
		waiting: map[string][]Private{},
		marks:   map[string]uint64{},
		limits:  limits{},
		readers: readers{by: map[string]*reader{}},
	}
	c.watcher = Watcher{Said: func(Message) {}, Joined: func(_, _ string) {}, Left: func(_, _ string) {}, Typing: func(_, _ string) {}}
	if err := c.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("chat: read what was said: %w", err)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.done.Go(c.write)
	return c, nil
}

// Close ends the writing. What was not acknowledged by then is refused with ErrClosed.
func (c *Chat) Close() {
	c.cancel()
	c.done.Wait()
}

// Watch sets who is told of everything, instead of nobody. It comes before the first member.
func (c *Chat) Watch(w Watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watcher = w
}

// After returns the messages of a room after an id, oldest first, the newest id of the whole chat, and
// what is closed when there may be more. Who is more than Kept behind misses the oldest.
func (c *Chat) After(name string, id uint64) (past []Message, last uint64, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.afterLocked(name, id)
}

func (c *Chat) afterLocked(name string, id uint64) ([]Message, uint64, <-chan struct{}) {
	r := c.roomLocked(name)
	from, _ := slices.BinarySearchFunc(r.past, id+1, func(m Message, id uint64) int { return int(m.ID) - int(id) })
	return slices.Clone(r.past[from:]), c.last, r.more
}

// Hear has f called with each message that is said in Anonymous or Lobby from now on, until stop is
// called. f must not block, nor call the chat.
func (c *Chat) Hear(name string, f func(Message)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.roomLocked(name)
	if r.hear == nil {
		r.hear = map[int]func(Message){}
	}
	c.heard++
	n := c.heard
	r.hear[n] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(r.hear, n)
	}
}

func (c *Chat) roomLocked(name string) *room {
	r := c.rooms[name]
	if r == nil {
		c.forgetLocked()
		r = &room{people: map[string]int{}, more: make(chan struct{})}
		c.rooms[name] = r
	}
	return r
}

// forgetLocked makes room for one more room.
func (c *Chat) forgetLocked() {
	if len(c.rooms) < maxKnown {
		return
	}
	oldest, found := "", false
	var id uint64
	for name, r := range c.rooms {
		if name == Anonymous || name == Lobby || len(r.people) > 0 {
			continue
		}
		var at uint64
		if n := len(r.past); n > 0 {
			at = r.past[n-1].ID
		}
		if !found || at < id {
			oldest, id, found = name, at, true
		}
	}
	delete(c.rooms, oldest)
}

// record is one entry of the journal: what was said at about the same time.
type record struct {
	Said      []Message         `json:"said,omitempty"`
	Private   []Private         `json:"private,omitempty"`
	Delivered map[string]uint64 `json:"delivered,omitempty"` // nickname -> what they have, up to this id
}

// catchUp applies what is in the journal and has not been applied.
func (c *Chat) catchUp(ctx context.Context) error {
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
			c.apply(r)
			c.pos = e.Position
		}
	}
}

// apply makes a record true, and tells everybody whom it concerns. It returns the ids of those private
// messages that have reached somebody.
func (c *Chat) apply(r record) (delivered map[uint64]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, id := range r.Delivered {
		c.gotLocked(name, id)
		if c.marks[name] <= id {
			delete(c.marks, name)
		}
	}
	for _, m := range r.Said {
		c.last = max(c.last, m.ID)
		one := c.roomLocked(m.Room)
		if one.past = append(one.past, m); len(one.past) > Kept {
			one.past = slices.Clone(one.past[len(one.past)-Kept:])
		}
		close(one.more)
		one.more = make(chan struct{})
		c.watcher.Said(m)
		for _, hear := range one.hear {
			hear(m)
		}
	}
	delivered = map[uint64]bool{}
	for _, p := range r.Private {
		c.last = max(c.last, p.ID)
		if p.From != p.To {
			c.people[p.From].tell(p)
		}
		if c.people[p.To].tell(p) {
			delivered[p.ID] = true
			c.markLocked(p.To, p.ID)
		}
		if len(c.waiting[p.To]) < MaxWaiting && !delivered[p.ID] {
			c.waiting[p.To] = append(c.waiting[p.To], p)
		}
	}
	return delivered
}

// gotLocked lets go of what a person has received.
func (c *Chat) gotLocked(name string, id uint64) {
	c.waiting[name] = slices.DeleteFunc(c.waiting[name], func(p Private) bool { return p.ID <= id })
	if len(c.waiting[name]) == 0 {
		delete(c.waiting, name)
	}
}

// markLocked has the writer note that a person has received all up to an id.
func (c *Chat) markLocked(name string, id uint64) {
	c.marks[name] = max(c.marks[name], id)
	select {
	case c.marked <- struct{}{}:
	default:
	}
}
