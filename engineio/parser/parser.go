// Package parser turns bytes into Engine.IO packets and back (engine.io-protocol v4, "Packet encoding", and
// v3, "Encoding": the names that end in V3). It knows nothing of sessions, transports or time, and starts
// no goroutine.
package parser

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
	"unicode/utf8"
)

// A Type is the kind of a packet, in its form on the wire.
type Type byte

// The types of packet.
const (
	TypeOpen    Type = '0'
	TypeClose   Type = '1'
	TypePing    Type = '2'
	TypePong    Type = '3'
	TypeMessage Type = '4'
	TypeUpgrade Type = '5'
	TypeNoop    Type = '6'
)

// Separator stands between the packets of a payload.
const Separator = 0x1e

// BinaryMark precedes the base64 of a binary message, in place of a type.
const BinaryMark = 'b'

// Errors of the decoders.
var (
	ErrEmpty  = errors.New("packet is empty")
	ErrType   = errors.New("packet type is unknown")
	ErrBase64 = errors.New("binary packet is not base64")
	ErrUTF8   = errors.New("text packet is not UTF-8")
)

// A Packet is one Engine.IO packet. Binary is true for messages only.
type Packet struct {
	Type   Type
	Binary bool
	Data   []byte
}

// DecodeText decodes a packet in its text form, the whole of a WebSocket text message or one element of a
// payload that is not binary. The packet's data is a part of p. It does not check that p is UTF-8: the
// WebSocket transport has done so already, and Packets does.
func DecodeText(p []byte) (Packet, error) {
	if len(p) == 0 {
		return Packet{}, ErrEmpty
	}
	t := Type(p[0])
	if t < TypeOpen || t > TypeNoop {
		return Packet{}, fmt.Errorf("%w: %q", ErrType, p[0])
	}
	return Packet{Type: t, Data: p[1:]}, nil
}

// Decode decodes a packet as DecodeText does, or a binary message in base64, in place: what precedes that is no
// type (engine.io-protocol v4, "Packet encoding"). A client may choose it on every transport.
func Decode(p []byte) (Packet, error) {
	if len(p) == 0 || p[0] != BinaryMark {
		return DecodeText(p)
	}
	// Decoding overwrites the text from behind the mark on: four characters are read before the three bytes that
	// they become are written.
	n, err := base64.StdEncoding.Decode(p[1:], p[1:])
	if err != nil {
		return Packet{}, fmt.Errorf("%w: %w", ErrBase64, err)
	}
	return Packet{Type: TypeMessage, Binary: true, Data: p[1 : 1+n]}, nil
}

// Packets yields the packets of a payload, the body of a request or an answer of HTTP long polling. It
// stops after the first error. A packet's data is valid until the next one: text is a part of payload,
// binary is decoded in place of its base64, so payload is not to be used afterwards.
func Packets(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for rest, more := payload, true; more; {
			var p []byte
			p, rest, more = bytes.Cut(rest, []byte{Separator})
			packet, err := decodeElement(p)
			if !yield(packet, err) || err != nil {
				return
			}
		}
	}
}

func decodeElement(p []byte) (Packet, error) {
	packet, err := Decode(p)
	if err == nil && !packet.Binary && !utf8.Valid(packet.Data) {
		return Packet{}, ErrUTF8
	}
	return packet, err
}

// AppendPacket appends the form that p has in a payload.
func AppendPacket(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = append(dst, BinaryMark)
		return base64.StdEncoding.AppendEncode(dst, p.Data)
	}
	dst = append(dst, byte(p.Type))
	return append(dst, p.Data...)
}

// AppendPayload appends the packets with separators between them.
func AppendPayload(dst []byte, packets ...Packet) []byte {
	for i, p := range packets {
		if i > 0 {
			dst = append(dst, Separator)
		}
		dst = AppendPacket(dst, p)
	}
	return dst
}

// A Handshake is what the client is told in the OPEN packet (engine.io-protocol v4, "Handshake").
type Handshake struct {
	SID          string
	Upgrades     []string // the transports that the session may be upgraded to
	PingInterval time.Duration
	PingTimeout  time.Duration
	MaxPayload   int // bytes; zero leaves it out
}

// Packet returns the OPEN packet that carries h.
func (h Handshake) Packet() Packet {
	upgrades := h.Upgrades
	if upgrades == nil {
		upgrades = []string{}
	}
	data, err := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int      `json:"maxPayload,omitempty"`
	}{h.SID, upgrades, h.PingInterval.Milliseconds(), h.PingTimeout.Milliseconds(), h.MaxPayload})
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return Packet{Type: TypeOpen, Data: data}
}
