package engineio

import (
	"iter"
	"net/http"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/parser"
)

// revision4 is engine.io-protocol v4.
type revision4 struct{}

const number4 = "4"

func (revision4) number() string { return number4 }

func (revision4) origin(r *http.Request) string { return r.Header.Get("Origin") }

func (revision4) open(h parser.Handshake) parser.Packet { return h.Packet() }

// takesBody refuses binary payloads: they are of revision 3.
func (revision4) takesBody(contentType string) bool { return contentType != contentBinary }

func (revision4) packets(body []byte, _ string) iter.Seq2[parser.Packet, error] {
	return parser.Packets(body)
}

func (revision4) appendPayload(dst []byte, frames []*Frame) ([]byte, string) {
	for i, f := range frames {
		if i > 0 {
			dst = append(dst, parser.Separator)
		}
		if f.Binary() {
			dst = append(append(dst, parser.BinaryMark), f.Base64()...)
		} else {
			dst = parser.AppendPacket(dst, f.Packet())
		}
	}
	return dst, contentText
}

func (revision4) decode(binary bool, p []byte) (parser.Packet, error) {
	if binary {
		return parser.Packet{Type: parser.TypeMessage, Binary: true, Data: p}, nil
	}
	return parser.Decode(p)
}

func (revision4) frame(f *Frame, base64 bool) *Frame {
	if base64 && f.Binary() {
		return f.InBase64()
	}
	return f
}

// startLocked waits for the time of the first ping: it is the server that pings (engine.io-protocol v4,
// "Heartbeat").
func (revision4) startLocked(s *Session) { s.heartbeat.armLocked(s, s.server.cfg.PingInterval) }

// heardLocked gives the client its whole time again, the first time while a pong is due: the pong may be
// behind a large message.
func (revision4) heardLocked(s *Session) {
	if h := &s.heartbeat; h.pongDue && !h.heard {
		h.heard = true
		h.armLocked(s, s.server.cfg.PingTimeout)
	}
}

func (revision4) dueLocked(s *Session, now time.Duration) cleanup {
	h := &s.heartbeat
	if h.pongDue {
		return s.closeNowLocked(PingTimeout, ws.StatusNormalClosure)
	}
	// The pong is due a timeout after the ping was, unless this process has slept.
	timeout := s.server.cfg.PingTimeout
	h.last = h.deadline
	if now-h.last > timeout/4 {
		h.last = now
	}
	h.pongDue, h.heard = true, false
	h.armAtLocked(s, h.last+timeout)
	s.pushLocked(pingFrame)
	s.scheduleLocked() // even if a handler blocks
	return cleanup{}
}

func (revision4) beat(s *Session, t parser.Type) bool {
	if t == parser.TypePing {
		s.closeNow(TransportError, ws.StatusPolicyViolation)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The next ping is due an interval after the last one, not after the pong: the client counts from
	// ping to ping.
	if h := &s.heartbeat; h.pongDue && s.state.Load() == stateOpen {
		h.pongDue = false
		h.armAtLocked(s, h.last+s.server.cfg.PingInterval)
	}
	return true
}
