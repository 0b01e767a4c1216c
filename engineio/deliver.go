package engineio

import (
	"runtime/debug"

	"github.com/gobwas/ws"

	"jobcast/engineio/parser"
)

// claim reserves the handler for the caller, who must call release. It returns false if the session is not
// open, or if the caller is not its transport: nil for polling.
func (s *Session) claim(transport *wsConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateOpen || s.ws != transport {
		return false
	}
	s.delivering = true
	s.rev.heardLocked(s)
	return true
}

// release gives the handler back, sends what was queued meanwhile, and tells the handler if the session is
// no longer open.
func (s *Session) release() {
	s.mu.Lock()
	s.delivering = false
	handover := s.handover
	s.handover = nil
	notify := s.state.Load() != stateOpen && !s.notified
	s.notified = s.notified || notify
	mine := s.ws != nil && s.ws.conn.NonBlocking() && s.writer == writerIdle && !s.out.Empty()
	if mine {
		s.writer = writerQueued
	} else {
		s.wakeLocked()
	}
	s.mu.Unlock()
	if handover != nil {
		close(handover)
	}
	if mine {
		b := batches.Get().(*batch)
		s.flush(b)
		batches.Put(b)
	}
	if notify {
		s.callClosed()
	}
}

// receive acts on a packet from the client. The caller has claimed the handler. It returns false if the
// session is no longer open.
func (s *Session) receive(p parser.Packet) bool {
	switch p.Type {
	case parser.TypeMessage:
		s.deliver(Message{Binary: p.Binary, Data: p.Data})
		return s.state.Load() == stateOpen
	case parser.TypePing, parser.TypePong:
		return s.rev.beat(s, p.Type)
	case parser.TypeClose:
		s.closeNow(TransportClose, ws.StatusNormalClosure)
		return false
	}
	return true // OPEN, UPGRADE and NOOP mean nothing here
}

// deliver calls the handler. The caller has claimed it.
func (s *Session) deliver(m Message) {
	if s.state.Load() != stateOpen {
		return
	}
	defer s.recoverHandler("message")
	s.handler.Receive(m)
}

// callClosed tells the handler, and then the hook, that the session was closed.
func (s *Session) callClosed() {
	defer s.wasClosed()
	defer s.recoverHandler("closed")
	s.handler.Closed(s.reason) // no longer written
}

func (s *Session) recoverHandler(call string) {
	if v := recover(); v != nil {
		s.server.log.Error("handler panicked", "sid", s.shortID(), "call", call, "err", v, "stack", string(debug.Stack()))
	}
}

// accept gets the session's handler, which the caller of open still holds back, and lets it receive. It
// returns false if there is none.
func (s *Session) accept() bool {
	s.callAccept()
	if s.handler == nil {
		s.handler = noHandler{}
		s.Close(ForcedClose)
	} else {
		s.opened()
	}
	s.mu.Lock()
	if s.state.Load() == stateOpen {
		s.rev.startLocked(s)
	}
	s.mu.Unlock()
	s.release()
	return s.handler != noHandler{}
}

func (s *Session) callAccept() {
	defer s.recoverHandler("accept")
	s.handler = s.server.cfg.Accept(s)
}

// noHandler is the handler of a session for which Config.Accept returned none.
type noHandler struct{}

func (noHandler) Receive(Message) {}
func (noHandler) Closed(Reason)   {}
