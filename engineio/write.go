package engineio

import "jobcast/engineio/internal/netconn"

// wakeLocked sees to it that what is in the outbox leaves, soon or when the handler has returned.
func (s *Session) wakeLocked() {
	if !s.delivering {
		s.scheduleLocked()
	}
}

// scheduleLocked sees to it that what is in the outbox leaves.
func (s *Session) scheduleLocked() {
	switch {
	case s.out.Empty():
	case s.ws == nil:
		if s.poll != nil {
			s.poll.signal()
		}
	case s.writer != writerIdle:
	case !s.ws.conn.NonBlocking():
		s.writer = writerBusy
		s.server.wg.Go(s.writeBlocking)
	default:
		s.writer = writerQueued
		s.server.flushers.push(s)
	}
}

// flush writes what waits, without waiting for the peer. The session's writer is writerQueued.
func (s *Session) flush(b *batch) {
	s.mu.Lock()
	if s.out.Empty() || s.state.Load() == stateClosed {
		s.writer = writerIdle
		s.mu.Unlock()
		return
	}
	s.writer = writerBusy
	c := s.ws.conn
	p := s.out.Gather(b.buf)
	s.mu.Unlock()

	n, err := b.Write(c, p, false)

	if err != nil {
		s.detach()
		return
	}
	s.sent(n)
	s.mu.Lock()
	s.out.Advance(n)
	stalled, empty := n < len(p), s.out.Empty()
	switch {
	case stalled:
		s.writer, s.behind = writerStalled, true
		if !c.Watched() {
			s.server.wg.Go(s.writeWaiting)
		}
	case empty:
		s.writer, s.behind = writerIdle, false
	default:
		// Behind the others, lest one session's megabytes hold them up.
		s.writer = writerQueued
		s.server.flushers.push(s)
	}
	s.mu.Unlock()
	if stalled && c.Watched() {
		c.NotifyWritable()
	}
	s.written(empty)
}

// written is called after a write, after which the outbox was empty or not. When the last frame of a session
// that is closing has left, only the peer's own close frame is still to come.
func (s *Session) written(empty bool) {
	if s.state.Load() != stateClosing {
		if empty {
			s.drained()
		}
		return
	}
	s.mu.Lock()
	var todo cleanup
	switch {
	case s.state.Load() != stateClosing || !s.out.Empty():
	case s.peerClosed:
		todo = s.closedLocked(todo)
	case s.ws.stream != nil:
		s.heartbeat.armLocked(s, streamLinger)
	default:
		s.heartbeat.armLocked(s, closeNowTimeout)
	}
	s.mu.Unlock()
	s.cleanUp(todo)
}

// writeWaiting waits until the peer takes something, and leaves the rest to a flusher. It holds no buffer.
func (s *Session) writeWaiting() {
	s.mu.Lock()
	c := s.ws.conn
	p := s.out.Oldest()
	s.mu.Unlock()

	var w netconn.Writer
	n, err := w.Write(c, p, true)

	if err != nil {
		s.detach()
		return
	}
	s.sent(n)
	s.mu.Lock()
	s.out.Advance(n)
	empty := s.out.Empty()
	s.writer, s.behind = writerIdle, !empty
	s.scheduleLocked()
	s.mu.Unlock()
	s.written(empty)
}

// writeBlocking writes until nothing waits, on a connection that cannot be written without blocking.
func (s *Session) writeBlocking() {
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for {
		s.mu.Lock()
		if s.out.Empty() || s.state.Load() == stateClosed {
			s.writer = writerIdle
			s.mu.Unlock()
			s.written(true)
			return
		}
		c := s.ws.conn
		p := s.out.Gather(b.buf)
		s.mu.Unlock()

		n, err := c.Write(p)

		if err != nil {
			s.detach()
			return
		}
		s.sent(n)
		s.mu.Lock()
		s.out.Advance(n)
		s.mu.Unlock()
	}
}
