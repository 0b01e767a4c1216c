package outbox

import (
	"encoding/base64"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"

	"jobcast/engineio/internal/wtframe"
	"jobcast/engineio/parser"
	"jobcast/internal/websocket/wsframe"
)

// A Message is one Engine.IO message, the payload of a "message" packet. Text is UTF-8.
type Message struct {
	Binary bool
	Data   []byte
	// NoCompress sends the message as it is to clients who take compressed ones.
	NoCompress bool
	// JSON, unless it is zero, is the index in Data from which on a text is JSON. Clients that may misread what
	// is outside ASCII get that part escaped, which says the same.
	JSON int
}

// A Frame is one message, encoded once and shared by any number of sessions. It is immutable. As it is made
// it has the form of a WebSocket of revision 4.
type Frame struct {
	// head is what stands before data on a WebSocket: the header, then the type if that form of it has one.
	head    [ws.MaxHeaderSize]byte
	headLen uint8
	op      ws.OpCode
	typ     parser.Type
	plain   bool   // never compressed
	json    uint32 // Message.JSON
	data    []byte
	newest  *newest // nil unless a newer message may take its place

	others atomic.Pointer[forms] // once one of them is needed
}

// forms are the forms of a message beside that of a WebSocket of revision 4. Each is made when the first
// session needs it.
type forms struct {
	base64Once, escapedOnce, twiceOnce, typedOnce, inBase64Once, inBase64V3Once, streamedOnce, deflatedOnce sync.Once

	base64     []byte // in a payload of text, without what precedes it
	escaped    []byte // the same of a text of which a part is JSON
	twice      *Frame // of text, for a client that reads UTF-8 twice over any transport
	typed      *Frame // on a WebSocket of revision 3: with its type
	inBase64   *Frame // on a WebSocket whose client wants no binary
	inBase64V3 *Frame // the same of revision 3
	streamed   *Frame // on a WebTransport
	deflated   *Frame // on a WebSocket, compressed; the frame itself if that takes more
}

// NewFrame encodes m. The frame keeps m.Data, which must not change afterwards.
func NewFrame(m Message) *Frame {
	var f *Frame
	if m.Binary {
		f = newFrame(ws.OpBinary, parser.TypeMessage, nil, m.Data)
	} else {
		f = NewPacket(parser.Packet{Type: parser.TypeMessage, Data: m.Data})
	}
	f.plain, f.json = m.NoCompress, uint32(max(0, min(m.JSON, len(m.Data))))
	return f
}

// A newest is what the frames of one message share that NewestFrames made.
type newest struct {
	key    string
	frames int
}

// NewestFrames encodes messages that belong together, of which a client needs no older ones once there are
// newer ones: those with the same key that still wait are dropped by Queue.Supersede. The frames must be
// sent together.
func NewestFrames(key string, messages ...Message) []*Frame {
	n := &newest{key, len(messages)}
	frames := make([]*Frame, len(messages))
	for i, m := range messages {
		frames[i] = NewFrame(m)
		frames[i].newest = n
	}
	return frames
}

// NewPacket returns the frame of a packet of text.
func NewPacket(p parser.Packet) *Frame {
	return newFrame(ws.OpText, p.Type, []byte{byte(p.Type)}, p.Data)
}

// NewControl returns a control frame of WebSocket. It has no polling form.
func NewControl(op ws.OpCode, data []byte) *Frame { return newFrame(op, 0, nil, data) }

// NewClose returns a close frame with a code, or an empty one for code zero.
func NewClose(code ws.StatusCode, reason string) *Frame {
	if code == 0 {
		return NewControl(ws.OpClose, nil)
	}
	return NewControl(ws.OpClose, ws.NewCloseFrameBody(code, reason))
}

// newFrame returns a frame that has prefix, two bytes at most, before its data on a WebSocket.
func newFrame(op ws.OpCode, t parser.Type, prefix, data []byte) *Frame {
	f := &Frame{op: op, typ: t, data: data}
	h := ws.Header{Fin: true, OpCode: op, Length: int64(len(prefix) + len(data))}
	// The header is encoded in place; a server does not mask, so there is room for the prefix.
	if err := ws.WriteHeaderBuffer((*frameHead)(f), h, f.head[:]); err != nil {
		panic(err) // the buffer is long enough and the length not negative
	}
	f.headLen += uint8(copy(f.head[f.headLen:], prefix))
	return f
}

// frameHead is a Frame whose head has just been encoded: it takes the length.
type frameHead Frame

func (f *frameHead) Write(p []byte) (int, error) {
	f.headLen = uint8(len(p))
	return len(p), nil
}

// Message returns what the frame was made of. Its data must not be changed.
func (f *Frame) Message() Message { return Message{f.op == ws.OpBinary, f.data, f.plain, int(f.json)} }

// Binary reports whether the frame is, as a WebSocket sees it.
func (f *Frame) Binary() bool { return f.op == ws.OpBinary }

// Len is the number of bytes that the frame takes in a queue.
func (f *Frame) Len() int { return int(f.headLen) + len(f.data) }

// AppendFrom appends to dst what the frame has from its byte off on, up to dst's capacity.
func (f *Frame) AppendFrom(dst []byte, off int) []byte {
	if off < int(f.headLen) {
		dst = appendFitting(dst, f.head[off:f.headLen])
		off = int(f.headLen)
	}
	return appendFitting(dst, f.data[off-int(f.headLen):])
}

func appendFitting(dst, p []byte) []byte { return append(dst, p[:min(len(p), cap(dst)-len(dst))]...) }

// Packet is what the frame has in a payload. Its data must not be changed.
func (f *Frame) Packet() parser.Packet {
	return parser.Packet{Type: f.typ, Binary: f.op == ws.OpBinary, Data: f.data}
}

func (f *Frame) forms() *forms {
	if o := f.others.Load(); o != nil {
		return o
	}
	f.others.CompareAndSwap(nil, new(forms))
	return f.others.Load()
}

// Base64 is the data of a binary message in base64.
func (f *Frame) Base64() []byte {
	o := f.forms()
	o.base64Once.Do(func() { o.base64 = base64.StdEncoding.AppendEncode(nil, f.data) })
	return o.base64
}

// Escaped is the data of a text whose JSON is in ASCII. Where that is not known to be JSON, or is in ASCII
// anyhow, it is the data as it is.
func (f *Frame) Escaped() []byte {
	if f.json == 0 || parser.IsASCII(f.data[f.json:]) {
		return f.data
	}
	o := f.forms()
	o.escapedOnce.Do(func() {
		n := len(f.data)
		o.escaped = parser.AppendEscaped(append(make([]byte, 0, n+n/2), f.data[:f.json]...), f.data[f.json:])
	})
	return o.escaped
}

// Twice is a text for a client that reads UTF-8 twice, on a WebSocket too: what Escaped leaves outside ASCII is
// UTF-8 twice over. Any other frame is itself.
func (f *Frame) Twice() *Frame {
	if f.op != ws.OpText || parser.IsASCII(f.data) {
		return f
	}
	o := f.forms()
	o.twiceOnce.Do(func() {
		o.twice = newFrame(f.op, f.typ, []byte{byte(f.typ)}, parser.AppendTwice(nil, f.Escaped()))
		o.twice.newest, o.twice.plain = f.newest, f.plain
	})
	return o.twice
}

// Typed is a binary message as a WebSocket of revision 3 has it (engine.io-protocol v3, "Packet").
func (f *Frame) Typed() *Frame {
	o := f.forms()
	o.typedOnce.Do(func() {
		o.typed = newFrame(ws.OpBinary, f.typ, []byte{byte(f.typ - '0')}, f.data)
		o.typed.newest, o.typed.plain = f.newest, f.plain
	})
	return o.typed
}

// InBase64 is a binary message on a WebSocket that carries text only.
func (f *Frame) InBase64() *Frame {
	o := f.forms()
	o.inBase64Once.Do(func() { o.inBase64 = f.textFrame(string(parser.BinaryMark)) })
	return o.inBase64
}

// InBase64V3 is InBase64 in revision 3.
func (f *Frame) InBase64V3() *Frame {
	o := f.forms()
	o.inBase64V3Once.Do(func() { o.inBase64V3 = f.textFrame(parser.Base64HeadV3) })
	return o.inBase64V3
}

// textFrame is a binary message as text, its base64 behind a head.
func (f *Frame) textFrame(head string) *Frame {
	t := newFrame(ws.OpText, f.typ, []byte(head), f.Base64())
	t.newest, t.plain = f.newest, f.plain
	return t
}

// Streamed is a message on the stream of a WebTransport. The header there is the one of an unmasked
// WebSocket frame without its first byte, and with a bit for what that byte says. The stock client takes no
// packet of no bytes, so a binary message without any is one in base64.
func (f *Frame) Streamed() *Frame {
	o := f.forms()
	o.streamedOnce.Do(func() {
		s := &Frame{op: f.op, typ: f.typ, data: f.data, newest: f.newest}
		switch {
		case f.op == ws.OpBinary && len(f.data) == 0:
			s.op = ws.OpText
			s.headLen = uint8(len(append(wtframe.AppendHeader(s.head[:0], false, 1), parser.BinaryMark)))
		case f.op == ws.OpBinary:
			s.headLen = uint8(copy(s.head[:], f.head[1:f.headLen]))
			s.head[0] |= wtframe.BinaryBit
		default:
			s.headLen = uint8(copy(s.head[:], f.head[1:f.headLen]))
		}
		o.streamed = s
	})
	return o.streamed
}

// Deflated is the frame compressed, for a WebSocket that has negotiated that (RFC 7692), if its payload has
// as many bytes as the threshold and compression makes it smaller; else it is the frame itself.
func (f *Frame) Deflated(threshold int) *Frame {
	header := ws.MinHeaderSize
	switch f.head[1] { // RFC 6455, section 5.2
	case 126:
		header += 2
	case 127:
		header += 8
	}
	if f.plain || f.op.IsControl() || f.Len()-header < threshold {
		return f
	}
	o := f.forms()
	o.deflatedOnce.Do(func() {
		o.deflated = f
		payload := wsframe.Deflate(f.head[header:f.headLen], f.data)
		if d := newFrame(f.op, f.typ, nil, payload); d.Len() < f.Len() {
			d.head[0] |= wsframe.DeflateBit
			d.newest = f.newest
			o.deflated = d
		}
	})
	return o.deflated
}
