package engineio

import "time"

// A heartbeat notices, by the rules of the session's revision, when the client is gone. When its session is
// closing, it bounds the time that takes. It is guarded by the session's lock. Times are since the
// server's start.
type heartbeat struct {
	deadline time.Duration // zero until it is set
	last     time.Duration // when the last ping was due (revision 4), or the client was last heard (revision 3)
	slot     int           // of Server.timers
	pongDue  bool
	heard    bool // since the ping, the client has sent something else
}

// armLocked sets the deadline to d from now.
func (h *heartbeat) armLocked(s *Session, d time.Duration) {
	h.armAtLocked(s, s.server.timers.Now()+d)
}

// armAtLocked sets the deadline.
func (h *heartbeat) armAtLocked(s *Session, at time.Duration) {
	h.deadline = at
	s.server.timers.Set((*sleeper)(s), at)
}

// A sleeper is a session that waits for its deadline.
type sleeper Session

// Slot is where the queue notes its place.
func (s *sleeper) Slot() *int { return &s.heartbeat.slot }

// Wake is called when the deadline has come, or before.
func (s *sleeper) Wake() { (*Session)(s).tick() }

func (s *Session) tick() {
	s.mu.Lock()
	todo := s.tickLocked()
	s.mu.Unlock()
	s.cleanUp(todo)
}

// tickLocked does what is due, if anything is. Requests call it too, so that a session ends on time even if
// the timer is late.
func (s *Session) tickLocked() cleanup {
	h, now := &s.heartbeat, s.server.timers.Now()
	state := s.state.Load()
	switch {
	case h.deadline == 0, state == stateClosed:
		return cleanup{}
	case now < h.deadline:
		s.server.timers.Set((*sleeper)(s), h.deadline)
		return cleanup{}
	case state == stateClosing:
		return s.closedLocked(cleanup{})
	}
	return s.rev.dueLocked(s, now)
}
