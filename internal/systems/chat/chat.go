// Package chat is one chat for all who talk: rooms with their newest messages, the people in them, and
// words from one person to another, which wait until a client of that person has taken them. All of it is
// kept in a journal, and what was acknowledged is in it. The package knows neither HTTP nor sockets: those
// who bring clients make each a Member, and pass on what a Watcher, Receive, Hear or After gives them.
//
// There are no accounts: a nickname belongs to whoever holds it, and to the next one when they have left.
// Who came with a token of their own is the exception: while words wait for them, nobody else gets it.
//
// Its one goroutine writes to the journal; Chat.Close waits for it.
package chat

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"jobcast/internal/limit"
	"jobcast/internal/systems/journal"
)

// What stands for a name, a place, or a bound.
const (
	// Anonymous is the room of those without a nickname, and Lobby where those with one begin.
	Anonymous = ""
	Lobby     = "lobby"

	// Unknown is the place of a reader who does not say how far they have read.
	Unknown = math.MaxUint64

	// Kept is how many messages of a room can be read again; the oldest go first.
	Kept = 200
	// MaxTextBytes bounds what is said at once; MaxNameRunes a nickname, and MaxRoomRunes a room's name.
	MaxTextBytes = 4000
	MaxNameRunes = 32
	MaxRoomRunes = 64
	// MaxRooms is how many rooms one person may be in.
	MaxRooms = 50
	// maxKnown bounds the rooms that are remembered while nobody is in them, and maxPastBytes what is kept
	// of all rooms but Anonymous and Lobby. What goes is of the room in which nothing has been said for
	// longest.
	maxKnown     = 1000
	maxPastBytes = 32 << 20
)

// Message was said in a room.
type Message struct {
	ID   uint64    `json:"id"`   // grows by one with all that is said, in whatever room
	Room string    `json:"room"` // "" is the room of those without a nickname
	From string    `json:"from_user,omitempty"`
	Text string    `json:"chat"`
	At   time.Time `json:"at"`
}

// size is about what a message takes in memory.
func (m *Message) size() int { return 128 + len(m.Room) + len(m.From) + len(m.Text) }

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
	woken   chan struct{} // has room for one: there is something to write beside what was said
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup

	addresses *limit.Table

	// The writer's: the newest record that was applied, how many there are since a sweep was over, how many
	// make the next one due, and the sweep that is under way, or nil.
	pos   uint64
	since int
	every int
	sweep *sweep

	mu        sync.Mutex // protects the fields below
	last      uint64     // the newest id
	rooms     map[string]*room
	pastBytes int // of the rooms that maxPastBytes is for
	people    map[string]*person
	waiting   map[string][]*letter // by whom it is for, oldest first
	letters   int                  // how many wait
	claims    map[string]claim
	marks     marks
	readers   readers
	watcher   Watcher
	heard     int // how often Hear was called
}

type room struct {
	name   string
	past   []Message      // the newest, at most Kept
	people map[string]int // how many members each has here
	more   chan struct{}  // closed when there is another message
	hear   map[int]func(Message)
}

// Open rebuilds the chat from its journal.
func Open(ctx context.Context, j journal.Journal) (*Chat, error) { return open(ctx, j, sweepEvery) }

// open is Open with another time between two sweeps.
func open(ctx context.Context, j journal.Journal, every int) (*Chat, error) {
	c := &Chat{
		journal: j,
		ops:     make(chan *op, 256),
		woken:   make(chan struct{}, 1),
		every:   every,
		rooms:   map[string]*room{},
		people:  map[string]*person{},
		waiting: map[string][]*letter{},
		claims:  map[string]claim{},
		marks:   newMarks(),
		readers: readers{by: map[string]*reader{}, of: map[string]*crowd{}},

		addresses: limit.New(sayRate, sayBurst),
	}
	c.watcher = Watcher{Said: func(Message) {}, Joined: func(_, _ string) {}, Left: func(_, _ string) {}, Typing: func(_, _ string) {}}
	if err := c.catchUp(ctx, true); err != nil {
		return nil, fmt.Errorf("chat: read what was said: %w", err)
	}
	c.expireLocked(time.Now()) // nobody else has the chat yet
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wake() // a sweep may be due
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
	r := c.roomLocked(name)
	return slices.Clone(r.after(id)), c.last, r.more
}

// after is what was said after an id.
func (r *room) after(id uint64) []Message {
	i, found := r.find(id)
	if found {
		i++
	}
	return r.past[i:]
}

// find is where a message is, or would be.
func (r *room) find(id uint64) (int, bool) {
	return slices.BinarySearchFunc(r.past, id, func(m Message, id uint64) int { return cmp.Compare(m.ID, id) })
}

// Hear has f called with what was said in Anonymous or Lobby after an id, as far as it is kept, and then
// with each message as it is said, until stop is called. With Unknown it begins with the next one. f must
// not block, nor call the chat.
func (c *Chat) Hear(name string, after uint64, f func(Message)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.roomLocked(name)
	for _, m := range r.after(after) {
		f(m)
	}
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
		if len(c.rooms) >= maxKnown {
			if r := c.quietestLocked(func(r *room) bool { return len(r.people) == 0 }); r != nil {
				c.forgetLocked(r)
			}
		}
		r = &room{name: name, people: map[string]int{}, more: make(chan struct{})}
		c.rooms[name] = r
	}
	return r
}

// lasting says that a room is there whatever happens in it.
func (r *room) lasting() bool { return r.name == Anonymous || r.name == Lobby }

// quietestLocked is the room in which nothing has been said for longest, of those that are asked for and
// may go; or nil.
func (c *Chat) quietestLocked(which func(*room) bool) (quietest *room) {
	newest := func(r *room) uint64 {
		if len(r.past) == 0 {
			return 0
		}
		return r.past[len(r.past)-1].ID
	}
	for _, r := range c.rooms {
		if !r.lasting() && which(r) && (quietest == nil || newest(r) < newest(quietest)) {
			quietest = r
		}
	}
	return quietest
}

// forgetLocked lets go of what was said in a room, and of the room if nobody is in it.
func (c *Chat) forgetLocked(r *room) {
	for len(r.past) > 0 {
		c.dropLocked(r)
	}
	if len(r.people) == 0 {
		delete(c.rooms, r.name)
	}
}

// dropLocked lets go of the oldest message of a room.
func (c *Chat) dropLocked(r *room) {
	if !r.lasting() {
		c.pastBytes -= r.past[0].size()
	}
	r.past[0] = Message{} // the array stays for a while
	r.past = r.past[1:]
}

// addLocked keeps a message, once, in the order of the ids.
func (c *Chat) addLocked(r *room, m Message) {
	c.last = max(c.last, m.ID)
	i, found := r.find(m.ID)
	if found {
		return
	}
	r.past = slices.Insert(r.past, i, m)
	if !r.lasting() {
		c.pastBytes += m.size()
	}
	if len(r.past) > Kept {
		c.dropLocked(r)
	}
	for c.pastBytes > maxPastBytes {
		c.forgetLocked(c.quietestLocked(func(r *room) bool { return len(r.past) > 0 }))
	}
}
