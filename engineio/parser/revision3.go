package parser

import (
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"unicode/utf8"
)

// This file holds the coding of the third revision (engine.io-protocol v3, "Encoding"), which differs in
// payloads and in binary messages. A packet of text is the same.

// ErrLength is the error of a payload whose packet lengths do not fit it.
var ErrLength = errors.New("packet length does not fit the payload")

// Of a binary payload: what precedes a packet's length, and what ends it.
const (
	markString = 0
	markBinary = 1
	markEnd    = 0xff
)

// DecodeTextV3 decodes a packet in its text form, as DecodeText does. Binary in base64 is decoded in
// place.
func DecodeTextV3(p []byte) (Packet, error) {
	if len(p) == 0 || p[0] != BinaryMark {
		return DecodeText(p)
	}
	if len(p) < 2 || Type(p[1]) != TypeMessage {
		return Packet{}, fmt.Errorf("%w: of binary", ErrType)
	}
	// Overwritten from behind the type on: see decodeElement.
	n, err := base64.StdEncoding.Decode(p[2:], p[2:])
	if err != nil {
		return Packet{}, fmt.Errorf("%w: %w", ErrBase64, err)
	}
	return Packet{Type: TypeMessage, Binary: true, Data: p[2 : 2+n]}, nil
}

// DecodeBinaryV3 decodes a packet in its binary form: the number of its type, then its data, which is a
// part of p.
func DecodeBinaryV3(p []byte) (Packet, error) {
	if len(p) == 0 {
		return Packet{}, ErrEmpty
	}
	if t := '0' + Type(p[0]); t != TypeMessage {
		return Packet{}, fmt.Errorf("%w: %d in binary", ErrType, p[0])
	}
	return Packet{Type: TypeMessage, Binary: true, Data: p[1:]}, nil
}

// PacketsV3 yields the packets of a payload of text: each is preceded by its length in UTF-16 units. Like
// Packets it stops after the first error, and decodes in place.
func PacketsV3(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		if len(payload) == 0 {
			yield(Packet{}, ErrEmpty)
		}
		for rest := payload; len(rest) > 0; {
			p, after, err := cutTextV3(rest)
			if err == nil && len(p) == 0 {
				rest = after // as the reference does
				continue
			}
			var packet Packet
			if err == nil {
				packet, err = DecodeTextV3(p)
			}
			if !yield(packet, err) || err != nil {
				return
			}
			rest = after
		}
	}
}

// cutTextV3 takes one packet off a payload of text.
func cutTextV3(b []byte) (packet, rest []byte, err error) {
	n, i := 0, 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if n = n*10 + int(b[i]-'0'); n > len(b) {
			return nil, nil, ErrLength
		}
	}
	if i == 0 || i == len(b) || b[i] != ':' {
		return nil, nil, ErrLength
	}
	b = b[i+1:]
	end := 0
	for n > 0 && end < len(b) {
		r, size := utf8.DecodeRune(b[end:])
		if r == utf8.RuneError && size == 1 {
			return nil, nil, ErrUTF8
		}
		n -= utf16Len(r)
		end += size
	}
	if n != 0 { // the payload is too short, or the length ends in the middle of a character
		return nil, nil, ErrLength
	}
	return b[:end], b[end:], nil
}

func utf16Len(r rune) int {
	if r > math.MaxUint16 {
		return 2
	}
	return 1
}

// BinaryPacketsV3 yields the packets of a binary payload. Their data is a part of payload. It stops after
// the first error.
func BinaryPacketsV3(payload []byte) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		if len(payload) == 0 {
			yield(Packet{}, ErrEmpty)
		}
		for rest := payload; len(rest) > 0; {
			p, after, binary, err := cutBinaryV3(rest)
			var packet Packet
			switch {
			case err != nil:
			case binary:
				packet, err = DecodeBinaryV3(p)
			case !utf8.Valid(p):
				err = ErrUTF8
			default:
				packet, err = DecodeTextV3(p)
			}
			if !yield(packet, err) || err != nil {
				return
			}
			rest = after
		}
	}
}

// cutBinaryV3 takes one packet off a binary payload.
func cutBinaryV3(b []byte) (packet, rest []byte, binary bool, err error) {
	if b[0] != markString && b[0] != markBinary {
		return nil, nil, false, fmt.Errorf("%w: neither text nor binary", ErrType)
	}
	n, i := 0, 1
	for ; i < len(b) && b[i] <= 9; i++ {
		if n = n*10 + int(b[i]); n > len(b) {
			return nil, nil, false, ErrLength
		}
	}
	if i == 1 || i == len(b) || b[i] != markEnd || n > len(b)-i-1 {
		return nil, nil, false, ErrLength
	}
	end := i + 1 + n
	return b[i+1 : end], b[end:], b[0] == markBinary, nil
}

// AppendPacketV3 appends the form that p has in a payload of text.
func AppendPacketV3(dst []byte, p Packet) []byte {
	if p.Binary {
		dst = AppendBase64HeadV3(dst, base64.StdEncoding.EncodedLen(len(p.Data)))
		return base64.StdEncoding.AppendEncode(dst, p.Data)
	}
	n := 1
	for i := 0; i < len(p.Data); {
		r, size := utf8.DecodeRune(p.Data[i:])
		n += utf16Len(r)
		i += size
	}
	dst = strconv.AppendInt(dst, int64(n), 10)
	dst = append(dst, ':', byte(p.Type))
	return append(dst, p.Data...)
}

// AppendBase64HeadV3 appends what precedes so many characters of base64, a binary message, in a payload
// of text.
func AppendBase64HeadV3(dst []byte, length int) []byte {
	dst = strconv.AppendInt(dst, int64(len(Base64HeadV3)+length), 10)
	return append(append(dst, ':'), Base64HeadV3...)
}

// Base64HeadV3 precedes the base64 of a binary message in a packet of text.
const Base64HeadV3 = "b4"

// AppendBinaryPacketV3 appends the form that p has in a binary payload.
func AppendBinaryPacketV3(dst []byte, p Packet) []byte {
	mark, t := byte(markString), byte(p.Type)
	if p.Binary {
		mark, t = markBinary, byte(p.Type-'0')
	}
	dst = append(dst, mark)
	start := len(dst)
	dst = strconv.AppendInt(dst, int64(1+len(p.Data)), 10)
	for i := start; i < len(dst); i++ {
		dst[i] -= '0'
	}
	dst = append(dst, markEnd, t)
	return append(dst, p.Data...)
}
