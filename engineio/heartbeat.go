package engineio

import "time"

// A heartbeat is the timer of a session's revision, which notices when the client is gone. When its
// session is closing, it bounds the time that takes. It is guarded by the session's lock.
type heartbeat struct {
	timer    *time.Timer // made once, then reset
	deadline time.Time
	last     time.Time // when the last ping was due (revision 4), or the client was last heard (revision 3)
	pongDue  bool
	heard    bool // since the ping, the client has sent something else
}

// armLocked sets the timer to d from now.
func (h *heartbeat) armLocked(s *Session, d time.Duration) {
	h.deadline = time.Now().Add(d)
	h.setLocked(s, d)
}

// armAtLocked sets the timer to t.
func (h *heartbeat) armAtLocked(s *Session, t time.Time) {
	h.deadline = t
	h.setLocked(s, time.Until(t))
}

// setLocked sets the timer. The server counts a timer that is set, and one that runs.
func (h *heartbeat) setLocked(s *Session, d time.Duration) {
	switch {
	case h.timer == nil:
		s.server.wg.Add(1)
		h.timer = time.AfterFunc(d, s.tick)
	case !h.timer.Reset(d):
		s.server.wg.Add(1)
	}
}

func (h *heartbeat) stopLocked(s *Session) {
	if h.timer != nil && h.timer.Stop() {
		s.server.wg.Done()
	}
}

// tick is called when the session's timer fires.
func (s *Session) tick() {
	defer s.server.wg.Done()
	s.mu.Lock()
	end := s.tickLocked()
	s.mu.Unlock()
	s.finish(end)
}

// tickLocked does what is due, if anything is: the timer may have been set again while it fired. Requests
// call it too, so that a session ends on time even if its timer is late.
func (s *Session) tickLocked() ending {
	h, now := &s.heartbeat, time.Now()
	state := s.state.Load()
	switch {
	case h.timer == nil, state == stateClosed, now.Before(h.deadline):
		return ending{}
	case state == stateClosing:
		return s.overLocked(ending{})
	}
	return s.rev.dueLocked(s, now)
}
