package engineio

import "github.com/gobwas/ws"

// Send queues the frames, together and in order, and returns at once; they leave as soon as the
// transport takes them. It returns ErrClosed once the session is no longer open, and ErrSlow when the outbox
// would hold more than MaxQueueBytes; the session is then closed as SlowConsumer. Send may be called
// from any goroutine.
func (s *Session) Send(frames ...*Frame) error {
	s.deflate(frames)
	s.mu.Lock()
	if s.state.Load() != stateOpen {
		s.mu.Unlock()
		return ErrClosed
	}
	if !s.fitsLocked(frames) {
		todo := s.closeNowLocked(SlowConsumer, ws.StatusPolicyViolation)
		s.mu.Unlock()
		s.cleanUp(todo)
		return ErrSlow
	}
	s.out.Supersede(frames)
	s.pushLocked(frames...)
	s.wakeLocked()
	s.mu.Unlock()
	return nil
}

// SendVolatile queues the frames if the transport could take them now, and else drops them and returns
// false: on polling while no poll waits, on WebSocket while earlier frames wait for the peer.
func (s *Session) SendVolatile(frames ...*Frame) bool {
	s.deflate(frames)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateOpen || s.blockedLocked() {
		return false
	}
	if !s.fitsLocked(frames) {
		return false
	}
	s.out.Supersede(frames)
	s.pushLocked(frames...)
	s.wakeLocked()
	return true
}

// deflate compresses the frames, if the client takes them so and nobody has yet, before the lock is taken.
func (s *Session) deflate(frames []*Frame) {
	if c := s.deflates.Load(); c != nil {
		for _, f := range frames {
			c.form(s.rev, f).Deflated(s.server.cfg.PerMessageDeflate.Threshold)
		}
	}
}

// compresses notes that c is the transport.
func (s *Session) compresses(c *wsConn) {
	if c.deflate {
		s.deflates.Store(c)
	}
}

// pushLocked queues the frames in the form that they leave in, or in the only one there is until a poll
// takes them.
func (s *Session) pushLocked(frames ...*Frame) {
	if s.ws == nil {
		s.out.Push(frames...)
		return
	}
	for _, f := range frames {
		f = s.ws.form(s.rev, f)
		if s.ws.deflate {
			f = f.Deflated(s.server.cfg.PerMessageDeflate.Threshold)
		}
		s.out.Push(f)
	}
}

// volatileSlack is how many bytes may wait on a connection of which nobody can tell whether the peer
// takes them, before volatile frames are dropped.
const volatileSlack = 64 << 10

// blockedLocked reports whether frames would have to wait for the peer.
func (s *Session) blockedLocked() bool {
	switch {
	case s.ws == nil:
		return s.poll == nil
	case !s.ws.conn.NonBlocking():
		return s.out.Bytes() > volatileSlack
	}
	return s.behind
}

// fitsLocked reports whether there is room for frames, in place of those that they supersede.
func (s *Session) fitsLocked(frames []*Frame) bool {
	n := s.out.Bytes()
	for _, f := range frames {
		n += f.Len()
	}
	return n <= s.server.cfg.MaxQueueBytes || n-s.out.Superseded(frames) <= s.server.cfg.MaxQueueBytes
}
