package engineio

import (
	"iter"
	"net/http"
	"net/url"
	"time"

	"jobcast/engineio/internal/outbox"
	"jobcast/engineio/parser"
)

// A revision holds all that the two revisions of the protocol do differently. It is chosen once for a
// session.
type revision interface {
	// number is the value of EIO in every request.
	number() string
	// origin is that of the page that a request comes from, as far as the request must tell it; "" if it
	// need not.
	origin(r *http.Request) string
	// open returns the OPEN packet.
	open(h parser.Handshake) parser.Packet

	// takesBody reports whether a POST may have a body of that type.
	takesBody(contentType string) bool
	// packets yields the packets of such a body. It decodes in place and stops after the first error. Like
	// decode it is called by whoever has claimed the session's handler.
	packets(body []byte, contentType string) iter.Seq2[parser.Packet, error]
	// appendPayload appends the answer to a poll.
	appendPayload(dst []byte, frames []*Frame) (payload []byte, contentType string)

	// decode decodes a message of a WebSocket, in place.
	decode(binary bool, p []byte) (parser.Packet, error)
	// frame returns the form that f has on a WebSocket, whose client may take no binary.
	frame(f *Frame, base64 bool) *Frame

	// startLocked starts the heartbeat.
	startLocked(s *Session)
	// heardLocked notes that the client has sent something.
	heardLocked(s *Session)
	// dueLocked is called when the heartbeat's deadline has passed.
	dueLocked(s *Session, now time.Duration) cleanup
	// beat acts on a ping or a pong. It returns false if the session is no longer open.
	beat(s *Session, t parser.Type) bool
}

var (
	_ revision = revision4{}
	_ revision = (*revision3)(nil)
)

// revisionNumber is the number of the revision that a request is made in. Where nothing says so it is the
// third, whose clients need not (engine.io-protocol v3, "URLs").
func revisionNumber(query url.Values) string {
	if eio := query.Get("EIO"); eio != "" {
		return eio
	}
	return number3
}

// revision returns the revision of a new session, or false if this server does not speak it.
func (s *Server) revision(query url.Values) (revision, bool) {
	switch revisionNumber(query) {
	case number4:
		return revision4{}, true
	case number3, number2:
		if !s.cfg.DisableRevision3 {
			return newRevision3(query), true
		}
	}
	return revision4{}, false
}

var (
	pingFrame   = outbox.NewPacket(parser.Packet{Type: parser.TypePing})
	pongFrame   = outbox.NewPacket(parser.Packet{Type: parser.TypePong})
	noopPacket  = outbox.NewPacket(parser.Packet{Type: parser.TypeNoop})
	closePacket = outbox.NewPacket(parser.Packet{Type: parser.TypeClose})
	probePong   = outbox.NewPacket(parser.Packet{Type: parser.TypePong, Data: []byte(probeData)})
)

// wantsBase64 reports whether the transport that the request is for shall carry no binary, which a client may
// choose for each of its transports (engine.io-protocol v3, "URLs"; in v4 the stock client's forceBase64).
func wantsBase64(query url.Values) bool { return query.Get("b64") != "" }

// probeData is in the ping and the pong of an upgrade.
const probeData = "probe"

// The types of payloads.
const (
	contentText   = "text/plain; charset=UTF-8"
	contentBinary = "application/octet-stream"
	contentScript = "text/javascript; charset=UTF-8"
)
