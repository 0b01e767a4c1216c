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

// armLocked sets the timer to d from now. The server counts a timer that is set, and one that runs.
func (h *heartbeat) armLocked(s *Session, d time.Duration) {
	h.deadline = time.Now().Add(d)
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
	var end ending
	s.mu.Lock()
	h := &s.heartbeat
	switch state := s.state.Load(); {
	case state == stateClosed, time.Now().Before(h.deadline):
		// The timer was set again, or stopped too late, while it fired.
	case state == stateClosing:
		end = s.overLocked(end)
	case h.pongDue:
		end = s.failLocked(PingTimeout, ws.StatusNormalClosure)
	default:
		h.pongDue, h.heard, h.lastPing = true, false, time.Now()
		h.armLocked(s, s.server.cfg.PingTimeout)
		s.out.push(pingFrame)
		s.scheduleLocked() // even if a handler blocks
	}
	s.mu.Unlock()
	s.finish(end)
}

// pong notes the client's answer. The next ping is due an interval after the last one, not after the
// pong: the client counts from ping to ping.
func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := &s.heartbeat; h.pongDue && s.state.Load() == stateOpen {
		h.pongDue = false
		h.armLocked(s, time.Until(h.lastPing.Add(s.server.cfg.PingInterval)))
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
