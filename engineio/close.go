package engineio

import (
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/outbox"
)

// How long a session may be closing when its peer does not help.
const (
	closeTimeout    = 5 * time.Second // with queued frames to deliver
	closeNowTimeout = time.Second     // with only the reason to tell
)

// Close closes the session: what is queued leaves first, then the client is told. It does not wait, may
// be called from a Handler, and only the first reason counts.
func (s *Session) Close(reason Reason) {
	s.mu.Lock()
	todo := s.closeLocked(reason, closeCode(reason), true)
	s.mu.Unlock()
	s.cleanUp(todo)
}

func closeCode(r Reason) ws.StatusCode {
	if r == ServerShutdown {
		return ws.StatusGoingAway
	}
	return ws.StatusNormalClosure
}

// closeNow closes the session without sending what is queued: the client broke the protocol, or is gone.
func (s *Session) closeNow(reason Reason, code ws.StatusCode) {
	s.mu.Lock()
	todo := s.closeNowLocked(reason, code)
	s.mu.Unlock()
	s.cleanUp(todo)
}

func (s *Session) closeNowLocked(reason Reason, code ws.StatusCode) cleanup {
	return s.closeLocked(reason, code, false)
}

// A cleanup is what a change of a session's state leaves to do when its lock is released.
type cleanup struct {
	probe  *wsConn // to be closed
	conn   *wsConn // to be closed
	remove bool    // the id is no longer valid
	closed bool    // the session is closed
}

func (s *Session) cleanUp(c cleanup) {
	if c.probe != nil {
		c.probe.conn.Close()
	}
	if c.conn != nil {
		c.conn.conn.Close()
	}
	if c.remove || c.closed {
		s.server.remove(s)
	}
	if c.closed {
		s.server.wg.Done()
	}
}

// closeLocked begins to close an open session; keep says whether what is queued is still sent.
func (s *Session) closeLocked(reason Reason, code ws.StatusCode, keep bool) cleanup {
	if s.state.Load() != stateOpen {
		return cleanup{}
	}
	s.state.Store(stateClosing)
	s.reason = reason
	s.server.log.Debug("session closed", "sid", s.shortID(), "reason", string(reason))
	var todo cleanup
	todo.probe, s.probe = s.probe, nil
	if !s.delivering && !s.notified {
		s.notified = true
		s.server.wg.Go(s.callClosed)
	}
	timeout := closeTimeout
	if !keep || s.out.Empty() {
		timeout = closeNowTimeout
	}
	if !keep {
		s.out.Drop()
	}
	switch {
	case s.ws != nil:
		todo.remove = true
		if s.ws.stream == nil {
			text := string(reason)
			if !keep && (reason == TransportError || reason == ParseError) {
				text = "" // who broke the protocol is told the code alone, as by the reference
			}
			s.out.Push(outbox.NewClose(code, text))
		} else if s.out.Empty() {
			timeout = streamLinger
		}
		s.scheduleLocked()
	case !keep:
		return s.closedLocked(todo)
	case s.poll != nil:
		s.poll.signal()
	}
	s.heartbeat.armLocked(s, timeout)
	return todo
}

// closeAnswer is the answer to a GET that waits when the session is closed. A client that closed it itself gets
// a NOOP.
func closeAnswer(reason Reason) *Frame {
	if reason == TransportClose {
		return noopPacket
	}
	return closePacket
}

// closedLocked makes a session that is closing closed, at once.
func (s *Session) closedLocked(todo cleanup) cleanup {
	if s.state.Load() == stateClosed {
		return todo
	}
	s.state.Store(stateClosed)
	s.server.timers.Remove((*sleeper)(s))
	s.answerLocked(closeAnswer(s.reason))
	todo.conn = s.ws
	todo.closed = true
	return todo
}

// detach closes the session because its connection has ended: nothing can be sent any more.
func (s *Session) detach() {
	s.mu.Lock()
	todo := s.closedLocked(s.closeNowLocked(TransportClose, 0))
	s.mu.Unlock()
	s.cleanUp(todo)
}
