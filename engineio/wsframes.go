package engineio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// A frameReader puts WebSocket messages together from bytes as they come (RFC 6455, section 5). It takes
// nothing from a peer's word: no buffer is larger than the bytes that have arrived, and it never waits.
type frameReader struct {
	limit int // bytes of one message

	header  ws.Header // of the frame that is coming in, if inFrame
	inFrame bool
	got     int       // bytes of its payload
	opcode  ws.OpCode // of the message that is coming in, in several frames; zero if none

	head    [ws.MaxHeaderSize]byte // a header that was cut
	headLen uint8
	message *[]byte // what has come of a message that is not all in one read; from getBuffer
	control []byte  // the same of a control frame
}

// A wsMessage is one message or control frame.
type wsMessage struct {
	op   ws.OpCode
	data []byte // valid until the next call of the reader
}

// A protocolError is a peer's violation of RFC 6455, with the code that it is told (section 7.4.1).
type protocolError struct {
	code ws.StatusCode
	text string
}

func (e *protocolError) Error() string { return "websocket: " + e.text }

func violation(text string) error { return &protocolError{ws.StatusProtocolError, text} }

// maxControl is the largest payload of a control frame (RFC 6455, section 5.5).
const maxControl = 125

// headerScratch is what the header codec needs besides the bytes.
type headerScratch struct {
	src bytes.Reader
	buf [ws.MaxHeaderSize]byte
}

// next takes bytes of p until a message or control frame is whole, and returns it with the rest of p. It
// returns ok false when p is used up. It changes p: payloads are unmasked in place. After an error it
// must not be called again.
func (r *frameReader) next(p []byte, scratch *headerScratch) (m wsMessage, rest []byte, ok bool, err error) {
	if r.opcode == 0 && !r.inFrame {
		r.release() // the message that was returned last
	}
	for {
		if !r.inFrame {
			if p, ok, err = r.readHeader(p, scratch); !ok || err != nil {
				return wsMessage{}, nil, false, err
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
				return wsMessage{}, nil, false, nil
			}
			r.control = nil
			return wsMessage{r.header.OpCode, chunk}, p, true, checkControl(r.header.OpCode, chunk)
		}

		if r.header.OpCode != ws.OpContinuation {
			r.opcode = r.header.OpCode
		}
		last := whole && r.header.Fin
		if !last || r.message != nil {
			if r.message == nil {
				r.message = getBuffer()
			}
			*r.message = append(*r.message, chunk...)
			chunk = *r.message
		}
		switch {
		case last:
			m = wsMessage{r.opcode, chunk}
			r.opcode = 0
			if m.op == ws.OpText && !utf8.Valid(m.data) {
				return m, p, false, &protocolError{ws.StatusInvalidFramePayloadData, "text is not UTF-8"}
			}
			return m, p, true, nil
		case !whole:
			return wsMessage{}, nil, false, nil
		}
	}
}

// readHeader takes a header off p, or what there is of one.
func (r *frameReader) readHeader(p []byte, scratch *headerScratch) (rest []byte, ok bool, err error) {
	src, had := p, int(r.headLen)
	if had > 0 {
		r.headLen += uint8(copy(r.head[had:], p))
		src = r.head[:r.headLen]
	}
	scratch.src.Reset(src)
	h, err := ws.ReadHeaderBuffer(&scratch.src, scratch.buf[:])
	left := scratch.src.Len()
	scratch.src.Reset(nil)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.headLen = uint8(copy(r.head[:], src))
		return nil, false, nil
	}
	if err != nil {
		return nil, false, violation(err.Error())
	}
	if err := r.check(h); err != nil {
		return nil, false, err
	}
	r.header, r.inFrame, r.got, r.headLen = h, true, 0, 0
	return p[len(src)-left-had:], true, nil
}

func (r *frameReader) check(h ws.Header) error {
	switch {
	case h.Rsv != 0:
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
	if h.Length > int64(r.limit-have) {
		return &protocolError{ws.StatusMessageTooBig, fmt.Sprintf("message is larger than %d bytes", r.limit)}
	}
	return nil
}

// release gives the message's buffer back.
func (r *frameReader) release() {
	if r.message != nil {
		putBuffer(r.message)
		r.message = nil
	}
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
		return &protocolError{ws.StatusInvalidFramePayloadData, "close reason is not UTF-8"}
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
