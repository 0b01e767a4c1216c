package engineio

import (
	"encoding/base64"
	"sync"

	"github.com/gobwas/ws"

	"jobcast/engineio/parser"
)

// A Frame is one message, encoded once and shared by any number of sessions. It is immutable.
type Frame struct {
	// head is what stands before data on a WebSocket: the header, then the type if it is text.
	head    [ws.MaxHeaderSize]byte
	headLen uint8
	op      ws.OpCode
	typ     parser.Type
	data    []byte

	// base64 is the polling form of a binary message, made when the first polling session needs it.
	once   sync.Once
	base64 []byte
}

// NewFrame encodes m. The frame keeps m.Data, which must not change afterwards.
func NewFrame(m Message) *Frame {
	if m.Binary {
		return newFrame(ws.OpBinary, parser.Message, m.Data)
	}
	return newFrame(ws.OpText, parser.Message, m.Data)
}

// newPacket returns the frame of a packet that is not a message.
func newPacket(p parser.Packet) *Frame { return newFrame(ws.OpText, p.Type, p.Data) }

// newControl returns a control frame of WebSocket. It has no polling form.
func newControl(op ws.OpCode, data []byte) *Frame { return newFrame(op, 0, data) }

func newFrame(op ws.OpCode, t parser.Type, data []byte) *Frame {
	f := &Frame{op: op, typ: t, data: data}
	h := ws.Header{Fin: true, OpCode: op, Length: int64(len(data))}
	if op == ws.OpText {
		h.Length++
	}
	// The header is encoded in place; a server does not mask, so there is room for the type.
	if err := ws.WriteHeaderBuffer((*frameHead)(f), h, f.head[:]); err != nil {
		panic(err) // the buffer is long enough and the length not negative
	}
	if op == ws.OpText {
		f.head[f.headLen] = byte(t)
		f.headLen++
	}
	return f
}

// frameHead is a Frame whose head has just been encoded: it takes the length.
type frameHead Frame

func (f *frameHead) Write(p []byte) (int, error) {
	f.headLen = uint8(len(p))
	return len(p), nil
}

// Message returns what the frame was made of. Its data must not be changed.
func (f *Frame) Message() Message { return Message{Binary: f.op == ws.OpBinary, Data: f.data} }

// Len is the number of bytes that the frame takes in an outbox.
func (f *Frame) Len() int { return int(f.headLen) + len(f.data) }

// appendFrom appends to dst what the frame has from its byte off on, up to dst's capacity.
func (f *Frame) appendFrom(dst []byte, off int) []byte {
	if off < int(f.headLen) {
		dst = appendFitting(dst, f.head[off:f.headLen])
		off = int(f.headLen)
	}
	return appendFitting(dst, f.data[off-int(f.headLen):])
}

func appendFitting(dst, p []byte) []byte { return append(dst, p[:min(len(p), cap(dst)-len(dst))]...) }

// appendPolling appends the form that the frame has in a payload.
func (f *Frame) appendPolling(dst []byte) []byte {
	if f.op == ws.OpBinary {
		f.once.Do(func() {
			f.base64 = parser.AppendPacket(make([]byte, 0, 1+base64.StdEncoding.EncodedLen(len(f.data))),
				parser.Packet{Type: f.typ, Binary: true, Data: f.data})
		})
		return append(dst, f.base64...)
	}
	return parser.AppendPacket(dst, parser.Packet{Type: f.typ, Data: f.data})
}
