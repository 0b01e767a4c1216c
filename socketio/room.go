package socketio

import (
	"maps"
	"slices"
)

// A room is a set of sockets, made to be read: a snapshot is a part of the slice itself, which is copied
// only by the first change after it that would be seen. Its namespace's lock protects it.
type room struct {
	sockets []*Socket
	shared  bool // a snapshot of sockets is out
}

// snapshot returns the sockets. The slice does not change any more.
func (r *room) snapshot() []*Socket {
	r.shared = true
	return slices.Clip(r.sockets)
}

// add appends s and returns its index. Nobody who has a snapshot sees that far.
func (r *room) add(s *Socket) int {
	r.sockets = append(r.sockets, s)
	return len(r.sockets) - 1
}

// remove takes out the socket at an index, and returns the one that is there now, or nil.
func (r *room) remove(at int) (moved *Socket) {
	if r.shared {
		r.sockets, r.shared = slices.Clone(r.sockets), false
	}
	last := len(r.sockets) - 1
	if at != last {
		moved = r.sockets[last]
		r.sockets[at] = moved
	}
	r.sockets[last] = nil
	r.sockets = r.sockets[:last]
	return moved
}

// A member says where in its namespace's rooms a socket is.
type member struct {
	added, gone bool
	at          int            // in Namespace.all, if added
	rooms       map[string]int // the index in each room
}

// add makes s one of the namespace's sockets.
func (n *Namespace) add(s *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.state.Load() != closed { // otherwise a client of the old protocol may be back with the same id
		n.sockets[s.id] = s
	}
	s.member.at = n.all.add(s)
	s.member.added = true
}

// remove takes s out of the namespace and its rooms, for ever.
func (n *Namespace) remove(s *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaveAllLocked(s)
	s.member.gone = true
	if !s.member.added {
		return
	}
	s.member.added = false
	if n.sockets[s.id] == s { // a client of the old protocol comes back with the same id
		delete(n.sockets, s.id)
	}
	if moved := n.all.remove(s.member.at); moved != nil {
		moved.member.at = s.member.at
	}
}

// Join adds the socket to rooms. A middleware may call it. After the socket's last event it does nothing.
func (s *Socket) Join(rooms ...string) {
	n, m := s.ns, &s.member
	n.mu.Lock()
	defer n.mu.Unlock()
	if m.gone {
		return
	}
	if m.rooms == nil {
		m.rooms = make(map[string]int, len(rooms))
	}
	for _, name := range rooms {
		if _, ok := m.rooms[name]; ok {
			continue
		}
		r := n.rooms[name]
		if r == nil {
			r = new(room)
			n.rooms[name] = r
		}
		m.rooms[name] = r.add(s)
	}
}

// Leave removes the socket from rooms.
func (s *Socket) Leave(rooms ...string) {
	s.ns.mu.Lock()
	defer s.ns.mu.Unlock()
	for _, name := range rooms {
		s.ns.leaveLocked(s, name)
	}
}

// LeaveAll removes the socket from all its rooms.
func (s *Socket) LeaveAll() {
	s.ns.mu.Lock()
	defer s.ns.mu.Unlock()
	s.ns.leaveAllLocked(s)
}

func (n *Namespace) leaveAllLocked(s *Socket) {
	for name := range s.member.rooms {
		n.leaveLocked(s, name)
	}
	s.member.rooms = nil
}

func (n *Namespace) leaveLocked(s *Socket, name string) {
	at, ok := s.member.rooms[name]
	if !ok {
		return
	}
	delete(s.member.rooms, name)
	r := n.rooms[name]
	if moved := r.remove(at); moved != nil {
		moved.member.rooms[name] = at
	}
	if len(r.sockets) == 0 {
		delete(n.rooms, name)
	}
}

// Rooms returns the rooms that somebody is in, sorted.
func (n *Namespace) Rooms() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.rooms))
}

// Rooms returns the rooms that the socket has joined, sorted.
func (s *Socket) Rooms() []string {
	s.ns.mu.Lock()
	defer s.ns.mu.Unlock()
	return slices.Sorted(maps.Keys(s.member.rooms))
}
