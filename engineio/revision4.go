package engineio

import (
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/parser"
)

// This file holds what the fourth revision of the protocol says and another one might say differently: the
// number, who pings, how long silence may last, and what a packet means. Frame and parser.Packets hold the
// coding. A second revision would make an interface of it, chosen once for a session.

// revision is the value of EIO in every request.
const revision = "4"

var (
	pingFrame = newPacket(parser.Packet{Type: parser.Ping})
	probePong = newPacket(parser.Packet{Type: parser.Pong, Data: []byte(probeData)})
)

// probeData is in the ping and the pong of an upgrade.
const probeData = "probe"

// A heartbeat pings the client and notices when it no longer answers (engine.io-protocol v4, "Heartbeat").
// When its session is closing, it bounds the time that takes. It is guarded by the session's lock.
type heartbeat struct {
	timer    *time.Timer // made once, then reset
	deadline time.Time
	lastPing time.Time
	pongDue  bool
	heard    bool // since the ping, the client has sent something else
}

func (h *heartbeat) startLocked(s *Session) { h.armLocked(s, s.server.cfg.PingInterval) }

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

// heardLocked notes that the client has sent something. While a pong is due, the first time gives the
// client its whole time again: the pong may be behind a large message.
func (h *heartbeat) heardLocked(s *Session) {
	if h.pongDue && !h.heard {
		h.heard = true
		h.armLocked(s, s.server.cfg.PingTimeout)
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
	case h.pongDue:
		return s.failLocked(PingTimeout, ws.StatusNormalClosure)
	}
	// The pong is due a timeout after the ping was, unless this process has slept.
	timeout := s.server.cfg.PingTimeout
	h.lastPing = h.deadline
	if now.Sub(h.lastPing) > timeout/4 {
		h.lastPing = now
	}
	h.pongDue, h.heard = true, false
	h.armAtLocked(s, h.lastPing.Add(timeout))
	s.out.push(pingFrame)
	s.scheduleLocked() // even if a handler blocks
	return ending{}
}

// pong notes the client's answer. The next ping is due an interval after the last one, not after the
// pong: the client counts from ping to ping.
func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := &s.heartbeat; h.pongDue && s.state.Load() == stateOpen {
		h.pongDue = false
		h.armAtLocked(s, h.lastPing.Add(s.server.cfg.PingInterval))
	}
}

// receive acts on a packet from the client. The caller has claimed the handler. It returns false if the
// session has ended.
func (s *Session) receive(p parser.Packet) bool {
	switch p.Type {
	case parser.Message:
		s.deliver(Message{Binary: p.Binary, Data: p.Data})
		return s.state.Load() == stateOpen
	case parser.Pong:
		s.pong()
		return true
	case parser.Ping: // it is the server that pings
		s.fail(TransportError, ws.StatusPolicyViolation)
		return false
	case parser.Close:
		s.fail(TransportClose, ws.StatusNormalClosure)
		return false
	}
	return true // OPEN, UPGRADE and NOOP mean nothing here
}
