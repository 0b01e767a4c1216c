package engineio

import (
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/gate"
	"jobcast/engineio/parser"
)

// revision3 is engine.io-protocol v3, which socket.io.js 1.x and 2.x speak. The first of them, 1.0.x, calls it
// revision 2; what it does differently is that all its text is UTF-8 twice over, on a WebSocket too.
type revision3 struct {
	base64 bool   // the client takes no binary, on whatever transport
	jsonp  string // what precedes a payload that is a script; "" for other clients
	first  bool   // the client says that it is of revision 2
	early  bool   // the client is of 1.3 or before it, which read no text from a server if they can read binary

	// client is what the session has shown of it. It belongs to whoever has claimed the session's handler.
	client parser.Generation
}

const (
	number2 = "2"
	number3 = "3"
)

// newRevision3 chooses the forms that a client gets (engine.io-protocol v3, "URLs").
func newRevision3(query url.Values) *revision3 {
	r := &revision3{base64: wantsBase64(query), first: revisionNumber(query) == number2}
	if r.early = r.first || isCounted(query.Get("t")); r.early {
		r.client = parser.Generation1
	}
	if query.Has("j") {
		index := strings.Map(func(c rune) rune {
			if c < '0' || c > '9' {
				return -1
			}
			return c
		}, query.Get("j"))
		r.jsonp, r.base64 = "___eio["+index+"](", true
	}
	return r
}

// isCounted reports whether what keeps a request out of caches is the time in milliseconds and a count, as it was
// until 1.3. Later clients have that in characters of base64, which are fewer.
func isCounted(stamp string) bool {
	clock, count, ok := strings.Cut(stamp, "-")
	return ok && len(clock) >= len("1400000000000") && isNumber(clock) && isNumber(count)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func (r *revision3) number() string {
	if r.first {
		return number2
	}
	return number3
}

// origin makes up for what JSONP leaves out. A page gets a script of any origin without asking, cookies
// included, and the request names the page in its Referer, if anywhere.
func (r *revision3) origin(req *http.Request) string {
	origin := req.Header.Get("Origin")
	if origin != "" || r.jsonp == "" {
		return origin
	}
	switch req.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return ""
	}
	u, err := url.Parse(req.Referer())
	if err != nil || u.Host == "" {
		return "null" // as a browser says it
	}
	return u.Scheme + "://" + u.Host
}

// open leaves out what the revision does not know.
func (*revision3) open(h parser.Handshake) parser.Packet {
	h.MaxPayload = 0
	h.Upgrades = slices.DeleteFunc(slices.Clone(h.Upgrades), func(name string) bool { return name == gate.WebTransport })
	return h.Packet()
}

func (*revision3) takesBody(string) bool { return true }

func (r *revision3) packets(body []byte, contentType string) iter.Seq2[parser.Packet, error] {
	switch {
	case r.jsonp != "":
		payload, err := parser.FormPayloadV3(body)
		if err != nil {
			return func(yield func(parser.Packet, error) bool) { yield(parser.Packet{}, err) }
		}
		return r.textPackets(payload)
	case contentType == contentBinary:
		return parser.BinaryPacketsV3(body)
	}
	return r.textPackets(body)
}

func (r *revision3) textPackets(payload []byte) iter.Seq2[parser.Packet, error] {
	r.client = r.client.Learn(payload)
	return func(yield func(parser.Packet, error) bool) {
		for p, err := range parser.PacketsV3(payload) {
			if err == nil && !p.Binary {
				p.Data = r.client.Once(p.Data)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// appendPayload makes a binary payload where it may and text would not do: for an early client, and for what is
// outside ASCII: in a payload of text socket.io.js 1.x expects it to be UTF-8 twice over, 2.x does not,
// and the requests do not tell them apart. Where the client takes text only, JSON is escaped, which both read
// alike. Other text is what 2.x reads right, unless the client is known to be of 1.x.
func (r *revision3) appendPayload(dst []byte, frames []*Frame) ([]byte, string) {
	if !r.base64 && (r.early || slices.ContainsFunc(frames, needsBinary)) {
		for _, f := range frames {
			dst = parser.AppendBinaryPacketV3(dst, f.Packet())
		}
		return dst, contentBinary
	}
	for _, f := range frames {
		if f.Binary() {
			b := f.Base64()
			dst = append(parser.AppendBase64HeadV3(dst, len(b)), b...)
			continue
		}
		if r.early {
			f = f.Twice()
		}
		p := f.Packet()
		p.Data = f.Escaped()
		dst = parser.AppendPacketV3(dst, p)
	}
	if r.jsonp == "" {
		return dst, contentText
	}
	return parser.AppendScriptV3(dst[:0], r.jsonp, string(dst)), contentScript
}

func needsBinary(f *Frame) bool {
	return f.Binary() || !parser.IsASCII(f.Packet().Data)
}

func (r *revision3) decode(binary bool, p []byte) (parser.Packet, error) {
	if binary {
		return parser.DecodeBinaryV3(p)
	}
	packet, err := parser.DecodeTextV3(p)
	if err == nil && !packet.Binary && r.first {
		r.client = r.client.Learn(packet.Data)
		packet.Data = r.client.Once(packet.Data)
	}
	return packet, err
}

func (r *revision3) frame(f *Frame, base64 bool) *Frame {
	switch {
	case !f.Binary() && r.first:
		return f.Twice()
	case !f.Binary():
		return f
	case r.base64 || base64:
		return f.InBase64V3()
	}
	return f.Typed()
}

// silence is how long a client may send nothing: it is the client that pings, and has as long for its
// ping as another has for its pong.
func silence(s *Session) time.Duration { return s.server.cfg.PingInterval + s.server.cfg.PingTimeout }

func (*revision3) startLocked(s *Session) {
	s.heartbeat.last = s.server.timers.Now()
	s.heartbeat.armAtLocked(s, s.heartbeat.last+silence(s))
}

// heardLocked leaves the deadline alone: when it comes, dueLocked sees to what has come since.
func (*revision3) heardLocked(s *Session) { s.heartbeat.last = s.server.timers.Now() }

func (*revision3) dueLocked(s *Session, now time.Duration) cleanup {
	deadline := s.heartbeat.last + silence(s)
	if now < deadline {
		s.heartbeat.armAtLocked(s, deadline)
		return cleanup{}
	}
	return s.closeNowLocked(PingTimeout, ws.StatusNormalClosure)
}

func (*revision3) beat(s *Session, t parser.Type) bool {
	if t == parser.TypePong {
		s.closeNow(TransportError, ws.StatusPolicyViolation)
		return false
	}
	return s.Send(pongFrame) == nil
}
