package engineio

import (
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/parser"
	"jobcast/internal/websocket/wsframe"
)

// noopPeriod is how long a GET waits at most while an upgrade is under way (engine.io-protocol v4,
// "Upgrade"): the client must end its poll before it can leave polling.
const noopPeriod = 100 * time.Millisecond

// offer takes c as the connection that may become the transport of s. It returns false if s has, or is
// about to have, another.
func (s *Session) offer(c *wsConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Load() != stateOpen || s.ws != nil || s.probe != nil {
		return false
	}
	s.probe, s.probed = c, false
	return true
}

// probePacket acts on a message of a connection that is not the transport. It returns true when that has
// changed.
func (c *wsConn) probePacket(s *Session, m wsframe.Unit) bool {
	p, err := parser.DecodeText(m.Data)
	switch {
	case m.Op != ws.OpText || err != nil:
	case p.Type == parser.TypePing && string(p.Data) == probeData:
		s.probing(c)
		c.send(s, probePong)
		return false
	case p.Type == parser.TypeUpgrade:
		return s.upgrade(c)
	}
	s.detachProbe(c)
	c.refuse("not an upgrade")
	return false
}

// probing notes that c's probe gets its pong: polls end early from now on.
func (s *Session) probing(c *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probe == c {
		s.probed = true
		if s.poll != nil {
			s.poll.signal()
		}
	}
}

// detachProbe makes c no longer the connection that may become the transport.
func (s *Session) detachProbe(c *wsConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.probe == c {
		s.probe, s.probed = nil, false
	}
}

// upgrade makes c the transport of s, in one step: a poll that waits ends, and what is queued
// leaves on c. Before it returns, the messages of a POST that has come in have been delivered.
func (s *Session) upgrade(c *wsConn) bool {
	adopted, watched := s.server.adopt(c)
	s.mu.Lock()
	if s.probe != c || s.state.Load() != stateOpen {
		s.mu.Unlock()
		if watched {
			adopted.Close()
		}
		return false
	}
	before := c.conn
	if watched {
		c.conn = adopted
	}
	s.probe, s.probed = nil, false
	s.ws, c.transport = c, true
	s.compresses(c)
	s.out.Convert(func(f *Frame) *Frame { return c.form(s.rev, f) })
	if s.poll != nil && s.poll.late {
		s.poll.overtaken = true
	}
	s.answerLocked(noopPacket)
	var handover chan struct{}
	if s.delivering {
		handover = make(chan struct{})
		s.handover = handover
	}
	s.wakeLocked()
	s.mu.Unlock()
	if watched {
		before.Close()
	} else {
		_ = before.SetReadDeadline(time.Time{}) // that of the upgrade
	}
	if handover != nil {
		<-handover
	}
	s.upgraded(gate.Polling)
	return true
}
