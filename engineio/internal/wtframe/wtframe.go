// Package wtframe cuts the byte stream of a WebTransport client into packets, as the parser of the
// reference implementation does (engine.io-parser 5.2, createPacketDecoderStream): a header of one, three
// or nine bytes, then the packet. It knows nothing of connections, sessions and time, and starts no
// goroutine.
//
// The first bit of the header says whether the packet is binary, the other seven give its length. 126
// stands for a length in the two bytes that follow, 127 for one in eight, in network order. The reference
// sends binary packets of no bytes, but takes none; a Reader does.
package wtframe

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"jobcast/engineio/parser"
)

// MaxHeaderBytes is the length of the longest header.
const MaxHeaderBytes = 9

// BinaryBit is set in the first byte of the header of a packet that is binary.
const BinaryBit = 0x80

const (
	length16 = 126
	length64 = 127
)

// AppendHeader appends the header of a packet of n bytes to dst.
func AppendHeader(dst []byte, isBinary bool, n int) []byte {
	bit := byte(0)
	if isBinary {
		bit = BinaryBit
	}
	switch {
	case n < length16:
		return append(dst, bit|byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, bit|length16), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, bit|length64), uint64(n))
}

// A Reader reads the packets of one client. It takes nothing from a peer's word: no buffer is larger than
// the bytes that have arrived, and it never waits. Between packets it holds no buffer. It is used by one
// goroutine at a time. Limit must be set.
type Reader struct {
	Limit int // bytes of one packet

	head    [MaxHeaderBytes]byte // a header that was cut
	headLen uint8
	inside  bool // a packet is coming in, of which the header has come
	binary  bool
	length  int
	data    *[]byte // what has come of a packet that is not all in one read; from buffers
}

// A Packet is one packet, not decoded. Text is UTF-8.
type Packet struct {
	Binary bool
	Data   []byte // valid until the next call of the Reader
}

// An Error is a client's violation of the framing.
type Error struct{ Text string }

func (e *Error) Error() string { return "webtransport: " + e.Text }

// keptBuffer is the largest buffer that is kept for the next packet, in bytes.
const keptBuffer = 64 << 10

// buffers are for packets that do not come in one read.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Next takes bytes of p until a packet is whole, and returns it with the rest of p. It returns ok false
// when p is used up. The error is an *Error; after it Next must not be called again.
func (r *Reader) Next(p []byte) (m Packet, rest []byte, ok bool, err error) {
	if !r.inside {
		r.Release() // the packet that was returned last
		if p, err = r.readHeader(p); !r.inside || err != nil {
			return Packet{}, nil, false, err
		}
	}
	have := 0
	if r.data != nil {
		have = len(*r.data)
	}
	chunk := p[:min(len(p), r.length-have)]
	rest = p[len(chunk):]
	whole := have+len(chunk) == r.length
	if !whole || r.data != nil {
		if r.data == nil {
			r.data = buffers.Get().(*[]byte)
		}
		*r.data = append(*r.data, chunk...)
		chunk = *r.data
	}
	if !whole {
		return Packet{}, nil, false, nil
	}
	r.inside = false
	if !r.binary && !utf8.Valid(chunk) {
		return Packet{}, nil, false, &Error{"text is not UTF-8"}
	}
	return Packet{r.binary, chunk}, rest, true, nil
}

// readHeader takes a header off p, or what there is of one: then nothing is inside.
func (r *Reader) readHeader(p []byte) (rest []byte, err error) {
	src, had := p, int(r.headLen)
	if had > 0 {
		r.headLen += uint8(copy(r.head[had:], p))
		src = r.head[:r.headLen]
	}
	n, length := parseHeader(src)
	if n == 0 {
		r.headLen = uint8(copy(r.head[:], src))
		return nil, nil
	}
	switch {
	case length == 0 && src[0]&BinaryBit == 0:
		return nil, &Error{"text without a type"}
	case length > uint64(r.Limit):
		return nil, &Error{fmt.Sprintf("packet is larger than %d bytes", r.Limit)}
	}
	r.inside, r.binary, r.length, r.headLen = true, src[0]&BinaryBit != 0, int(length), 0
	return p[n-had:], nil
}

// parseHeader returns the length of the header that p begins with, and that of its packet. The first is
// zero if p has not all of the header.
func parseHeader(p []byte) (n int, length uint64) {
	if len(p) == 0 {
		return 0, 0
	}
	switch short := p[0] &^ BinaryBit; {
	case short < length16:
		return 1, uint64(short)
	case short == length16 && len(p) >= 3:
		return 3, uint64(binary.BigEndian.Uint16(p[1:]))
	case short == length64 && len(p) >= 9:
		return 9, binary.BigEndian.Uint64(p[1:])
	}
	return 0, 0
}

// Release gives up what has come of a packet that is not whole. The Reader must not be used afterwards.
func (r *Reader) Release() {
	if r.data == nil {
		return
	}
	if cap(*r.data) <= keptBuffer {
		*r.data = (*r.data)[:0]
		buffers.Put(r.data)
	}
	r.data = nil
}

// ReadOpen reads the first packet of a client, which must be OPEN. It returns the id of the session that the
// client wants to go on with, "" for a new one, and what it has read behind the packet. It waits for as long
// as stream does. The error is an *Error or that of stream.
func (r *Reader) ReadOpen(stream io.Reader) (sid string, ahead []byte, err error) {
	buf := make([]byte, 512)
	for {
		n, readErr := stream.Read(buf)
		m, ahead, ok, err := r.Next(buf[:n])
		switch {
		case err != nil:
			return "", nil, err
		case ok:
			sid, err = sessionID(m)
			return sid, ahead, err
		case readErr != nil:
			return "", nil, readErr
		}
	}
}

func sessionID(m Packet) (string, error) {
	p, err := parser.DecodeText(m.Data)
	if m.Binary || err != nil || p.Type != parser.TypeOpen {
		return "", &Error{"the first packet is not OPEN"}
	}
	if len(p.Data) == 0 {
		return "", nil
	}
	var open struct{ SID string }
	if err := json.Unmarshal(p.Data, &open); err != nil || open.SID == "" {
		return "", &Error{"OPEN names no session"}
	}
	return open.SID, nil
}
