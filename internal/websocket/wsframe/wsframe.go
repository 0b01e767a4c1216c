// Package wsframe puts the messages of a WebSocket together from bytes as they come (RFC 6455, section 5):
// fragments, control frames between them, masking, UTF-8, limits, and compression (RFC 7692), which it does
// for what is sent, too. It reads what clients send. It knows
// nothing of connections, sessions and time, and starts no goroutine.
package wsframe

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A Reader reads the frames of one client. It takes nothing from a peer's word: no buffer is larger than
// the bytes that have arrived, and it never waits. Between messages it holds no memory. It is used by one
// goroutine at a time. Limit must be set.
type Reader struct {
	// Limit is how many bytes one message may have.
	Limit int

	*state // nil between reads that end with a message: an idle client has none
}

// A state is what a Reader knows of a message that has begun.
type state struct {
	header  ws.Header // of the frame that is coming in, if inFrame
	inFrame bool
	got     int       // bytes of its payload
	opcode  ws.OpCode // of the message that is coming in, in several frames; zero if none
	deflate bool      // it is compressed

	head    [ws.MaxHeaderSize]byte // a header that was cut
	headLen uint8
	message *[]byte // what has come of a message that is not all in one read; from buffers
	control []byte  // the same of a control frame
}

// A Unit is one whole message or one control frame.
type Unit struct {
	Op   ws.OpCode // text, binary, close, ping or pong
	Data []byte    // valid until the next call of the Reader
}

// An Error is a client's violation of RFC 6455.
type Error struct {
	Code ws.StatusCode // that the client is told (section 7.4.1)
	Text string
}

func (e *Error) Error() string { return "websocket: " + e.Text }

func violation(text string) error { return &Error{ws.StatusProtocolError, text} }

// maxControl is the largest payload of a control frame (RFC 6455, section 5.5).
const maxControl = 125

// keptBuffer is the largest buffer that is kept for the next message, in bytes.
const keptBuffer = 64 << 10

var states = sync.Pool{New: func() any { return new(state) }}

// buffers are for messages that do not come in one read.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// Next takes bytes of p until a message or control frame is whole, and returns it with the rest of p. It
// returns ok false when p is used up. It changes p: payloads are unmasked in place. The error is an
// *Error; after it Next must not be called again.
func (r *Reader) Next(p []byte) (m Unit, rest []byte, ok bool, err error) { return r.next(p, 0) }

// NextDeflate is Next for a client that may compress its messages: see Negotiate.
func (r *Reader) NextDeflate(p []byte) (m Unit, rest []byte, ok bool, err error) {
	return r.next(p, rsv1)
}

// next is Next. rsv are the reserved bits that a message may have.
func (r *Reader) next(p []byte, rsv byte) (m Unit, rest []byte, ok bool, err error) {
	if r.state == nil {
		r.state = states.Get().(*state)
	}
	if r.opcode == 0 && !r.inFrame {
		if len(p) == 0 && r.headLen == 0 {
			r.Release()
			return Unit{}, nil, false, nil
		}
		r.state.release() // the message that was returned last
	}
	for {
		if !r.inFrame {
			if p, ok, err = r.readHeader(p, rsv); !ok || err != nil {
				return Unit{}, nil, false, err
			}
		}
		chunk := p[:min(len(p), int(r.header.Length)-r.got)]
		p = p[len(chunk):]
		ws.Cipher(chunk, r.header.Mask, r.got)
		r.got += len(chunk)
		whole := r.got == int(r.header.Length)
		r.inFrame = !whole

		if r.header.OpCode.IsControl() {
			if !whole || len(r.control) > 0 {
				r.control = append(r.control, chunk...)
				chunk = r.control
			}
			if !whole {
				return Unit{}, nil, false, nil
			}
			r.control = nil
			return Unit{r.header.OpCode, chunk}, p, true, checkControl(r.header.OpCode, chunk)
		}

		if r.header.OpCode != ws.OpContinuation {
			r.opcode, r.deflate = r.header.OpCode, r.header.Rsv == rsv1
		}
		last := whole && r.header.Fin
		if !last || r.message != nil {
			if r.message == nil {
				r.message = buffers.Get().(*[]byte)
			}
			*r.message = append(*r.message, chunk...)
			chunk = *r.message
		}
		switch {
		case last:
			if r.deflate {
				if chunk, err = r.inflate(chunk); err != nil {
					return m, p, false, err
				}
			}
			m = Unit{r.opcode, chunk}
			r.opcode = 0
			if m.Op == ws.OpText && !utf8.Valid(m.Data) {
				return m, p, false, &Error{ws.StatusInvalidFramePayloadData, "text is not UTF-8"}
			}
			return m, p, true, nil
		case !whole:
			return Unit{}, nil, false, nil
		}
	}
}

// readHeader takes a header off p, or what there is of one.
func (r *Reader) readHeader(p []byte, rsv byte) (rest []byte, ok bool, err error) {
	src, had := p, int(r.headLen)
	if had > 0 {
		r.headLen += uint8(copy(r.head[had:], p))
		src = r.head[:r.headLen]
	}
	h, n := parseHeader(src)
	if n == 0 {
		r.headLen = uint8(copy(r.head[:], src))
		return nil, false, nil
	}
	if err := r.check(h, rsv); err != nil {
		return nil, false, err
	}
	r.header, r.inFrame, r.got, r.headLen = h, true, 0, 0
	return p[n-had:], true, nil
}

// parseHeader returns the header that p begins with and its length, or length 0 if p has not all of it. It
// is ws.ReadHeader for bytes instead of an io.Reader, without its allocation. A length over 63 bits
// comes out negative.
func parseHeader(p []byte) (h ws.Header, n int) {
	if len(p) < ws.MinHeaderSize {
		return h, 0
	}
	h = ws.Header{
		Fin:    p[0]&0x80 != 0,
		Rsv:    p[0] & 0x70 >> 4,
		OpCode: ws.OpCode(p[0] & 0x0f),
		Masked: p[1]&0x80 != 0,
		Length: int64(p[1] & 0x7f),
	}
	n = ws.MinHeaderSize
	switch h.Length {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	mask := n
	if h.Masked {
		n += len(h.Mask)
	}
	if len(p) < n {
		return h, 0
	}
	switch h.Length {
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(p[2:]))
	case 127:
		h.Length = int64(binary.BigEndian.Uint64(p[2:]))
	}
	copy(h.Mask[:], p[mask:n])
	return h, n
}

func (r *Reader) check(h ws.Header, rsv byte) error {
	if h.OpCode != ws.OpText && h.OpCode != ws.OpBinary {
		rsv = 0 // RFC 7692, section 6.1
	}
	switch {
	case h.Length < 0:
		return violation("length of 64 bits")
	case h.Rsv&^rsv != 0:
		return violation("reserved bit set")
	case h.OpCode.IsReserved():
		return violation("reserved opcode")
	case !h.Masked:
		return violation("frame is not masked")
	case h.OpCode.IsControl() && !h.Fin:
		return violation("control frame in fragments")
	case h.OpCode.IsControl() && h.Length > maxControl:
		return violation("control frame is too long")
	case h.OpCode.IsControl():
		return nil
	case h.OpCode == ws.OpContinuation && r.opcode == 0:
		return violation("continuation of nothing")
	case h.OpCode != ws.OpContinuation && r.opcode != 0:
		return violation("new message inside another")
	}
	have := 0
	if r.message != nil {
		have = len(*r.message)
	}
	if h.Length > int64(r.Limit-have) {
		return r.tooBig()
	}
	return nil
}

func (r *Reader) tooBig() error {
	return &Error{ws.StatusMessageTooBig, fmt.Sprintf("message is larger than %d bytes", r.Limit)}
}

// Release lets go of what has come of a message that is not whole. The Reader must not be used afterwards.
func (r *Reader) Release() {
	if r.state == nil {
		return
	}
	r.state.release()
	*r.state = state{}
	states.Put(r.state)
	r.state = nil
}

// release gives the message's buffer back.
func (s *state) release() {
	if s.message == nil {
		return
	}
	if cap(*s.message) <= keptBuffer {
		*s.message = (*s.message)[:0]
		buffers.Put(s.message)
	}
	s.message = nil
}

func checkControl(op ws.OpCode, p []byte) error {
	if op != ws.OpClose || len(p) == 0 {
		return nil
	}
	if len(p) == 1 {
		return violation("close frame of one byte")
	}
	if code := ws.StatusCode(binary.BigEndian.Uint16(p)); !mayBeSent(code) {
		return violation(fmt.Sprintf("close code %d", code))
	}
	if !utf8.Valid(p[2:]) {
		return &Error{ws.StatusInvalidFramePayloadData, "close reason is not UTF-8"}
	}
	return nil
}

// mayBeSent reports whether a close frame may hold the code: those of RFC 6455, section 7.4, and what
// IANA has registered since, without the ones that only describe a connection that broke.
func mayBeSent(c ws.StatusCode) bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	}
	return false
}
