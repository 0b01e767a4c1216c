package socketio

import (
	"iter"
	"slices"
	"time"
)

// Target is a set of sockets to emit to. It is a value: every method returns a new one, and it may be
// kept and used by any goroutine. Which sockets it stands for is decided by each use anew.
type Target struct {
	ns       *Namespace
	rooms    []string // nil: all sockets
	except   []string
	only     *Socket
	without  *Socket
	volatile bool
	local    bool // no other server of the cluster
	plain    bool // not compressed
	timeout  time.Duration
}

// To adds the sockets in any of the rooms, or confines a Target that has no room yet to them. A socket's
// ID is a room that it alone is in. Without a room in any To the Target is nobody.
func (t Target) To(rooms ...string) Target {
	t.rooms = slices.Concat(t.rooms, rooms)
	if t.rooms == nil {
		t.rooms = []string{}
	}
	return t
}

// In is another word for To.
func (t Target) In(rooms ...string) Target { return t.To(rooms...) }

// Except takes out the sockets in any of the rooms.
func (t Target) Except(rooms ...string) Target {
	t.except = slices.Concat(t.except, rooms)
	return t
}

// Volatile makes the Target drop what cannot leave at once, as Event.Volatile says.
func (t Target) Volatile() Target {
	t.volatile = true
	return t
}

// Compress says whether messages are compressed over a WebSocket (engineio.Config.PerMessageDeflate). They are unless
// told otherwise, if they are large enough: what is compressed or encrypted already, such as an image, gains
// nothing. Answers to polls are compressed as a whole, whatever this says.
func (t Target) Compress(compress bool) Target {
	t.plain = !compress
	return t
}

func (t Target) uncompressed() bool { return t.plain }

// Timeout bounds the wait for answers in Call.AskEach and Call.AskAll. Zero means Config.AckTimeout if
// their context has no deadline.
func (t Target) Timeout(d time.Duration) Target {
	t.timeout = d
	return t
}

// Local confines the Target to the sockets of this server, where Config.Cluster has others.
func (t Target) Local() Target {
	t.local = true
	return t
}

// Broadcast addresses every other socket of the namespace.
func (s *Socket) Broadcast() Target { return Target{ns: s.ns, without: s} }

// To addresses the sockets in any of the rooms, without s itself.
func (s *Socket) To(rooms ...string) Target { return s.Broadcast().To(rooms...) }

// In is another word for To.
func (s *Socket) In(rooms ...string) Target { return s.To(rooms...) }

// Except addresses the sockets in none of the rooms, without s itself.
func (s *Socket) Except(rooms ...string) Target { return s.Broadcast().Except(rooms...) }

// Join adds every socket of the Target to rooms.
func (t Target) Join(rooms ...string) {
	for s := range t.Sockets() {
		s.Join(rooms...)
	}
}

// Leave removes every socket of the Target from rooms.
func (t Target) Leave(rooms ...string) {
	for s := range t.Sockets() {
		s.Leave(rooms...)
	}
}

// Disconnect does to every socket of the Target what Socket.Disconnect does.
func (t Target) Disconnect(closeEngine bool) {
	for s := range t.Sockets() {
		s.Disconnect(closeEngine)
	}
}

// Sockets yields the sockets that are connected, each once, in no order. Joining, leaving and
// disconnecting while it runs is allowed.
func (t Target) Sockets() iter.Seq[*Socket] {
	return func(yield func(*Socket) bool) {
		if t.alone() {
			t.visit(yield)
			return
		}
		for t := range t.each() {
			for s := range t.visit {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// visit yields the sockets of a namespace that is no parent. It takes no memory for the caller's loop.
func (t Target) visit(yield func(*Socket) bool) {
	included, excluded := t.snapshots()
	var seen map[*Socket]bool // excluded or yielded
	if len(included) > 1 || len(excluded) > 0 {
		seen = map[*Socket]bool{}
	}
	for _, sockets := range excluded {
		for _, s := range sockets {
			seen[s] = true
		}
	}
	for i, sockets := range included {
		for _, s := range sockets {
			if state := s.state.Load(); s == t.without || state != connected && state != admitted || seen[s] {
				continue
			}
			if i < len(included)-1 {
				seen[s] = true
			}
			if !yield(s) {
				return
			}
		}
	}
}

// snapshots returns the rooms that the Target is made of.
func (t Target) snapshots() (included, excluded [][]*Socket) {
	t.ns.mu.Lock()
	defer t.ns.mu.Unlock()
	switch {
	case t.only != nil:
		included = append(included, []*Socket{t.only})
	case t.rooms == nil:
		included = append(included, t.ns.all.snapshot())
	}
	for _, name := range t.rooms {
		included = t.ns.appendRoomLocked(included, name)
	}
	for _, name := range t.except {
		excluded = t.ns.appendRoomLocked(excluded, name)
	}
	return included, excluded
}

func (n *Namespace) appendRoomLocked(snapshots [][]*Socket, name string) [][]*Socket {
	if r := n.rooms[name]; r != nil {
		snapshots = append(snapshots, r.snapshot())
	}
	if s := n.sockets[name]; s != nil {
		snapshots = append(snapshots, []*Socket{s})
	}
	return snapshots
}

func (t Target) namespace() *Namespace { return t.ns }

func (t Target) target() Target { return t }

// send gives every socket the same frames. What a single one does with them is its own affair: a socket
// that is gone or too slow is not an error of the broadcast.
func (t Target) send(o *outgoing) error {
	o.volatile = o.volatile || t.volatile
	t.deliver(o)
	if !t.alone() {
		for _, t.ns = range t.ns.peers() {
			t.deliver(o)
		}
	}
	return nil
}

// deliver gives the sockets of one server the frames.
func (t Target) deliver(o *outgoing) {
	var sent int32
	for s := range t.visit {
		sent++
		if o.heard != nil || s.state.Load() == admitted {
			s.deliver(o)
		} else {
			s.conn.send(o)
		}
	}
	o.sent += sent
}
