package msgpack

import (
	"encoding/binary"
	"math"
	"strconv"

	"jobcast/socketio/internal/parser"
)

// Encode returns the message of a packet whose text and attachments are given as package parser writes them.
func Encode(packet []byte, attachments [][]byte) []byte {
	h := parser.CutHeader(packet)
	size := len(packet) + 32
	for _, a := range attachments {
		size += len(a)
	}
	dst := make([]byte, 0, size)
	members := 2
	if h.HasID {
		members++
	}
	if len(h.Payload) > 0 {
		members++
	}
	dst = appendHeader(dst, mapTag, members)
	dst = append(appendString(dst, "type"), byte(h.Type))
	dst = appendString(appendString(dst, "nsp"), h.Namespace)
	if h.HasID {
		dst = appendUint(appendString(dst, "id"), h.ID)
	}
	if len(h.Payload) > 0 {
		dst = appendJSON(appendString(dst, "data"), h.Payload, attachments)
	}
	return dst
}

// appendJSON appends JSON text, with the attachments where their placeholders are.
func appendJSON(dst, text []byte, attachments [][]byte) []byte {
	lengths := lengths(text, len(attachments))
	for l := (parser.Lexer{Data: text}); ; {
		t, ok := l.Next()
		if !ok {
			return dst
		}
		switch t.Kind {
		case '{':
			if n, ok := placeholder(&l, len(attachments)); ok {
				dst = append(appendHeader(dst, binaryTag, len(attachments[n])), attachments[n]...)
				continue
			}
			dst = appendHeader(dst, mapTag, lengths[0])
			lengths = lengths[1:]
		case '[':
			dst = appendHeader(dst, arrayTag, lengths[0])
			lengths = lengths[1:]
		case '"', ':':
			dst = appendString(dst, l.Unquote(t))
		case '0':
			dst = appendNumber(dst, text[t.Start:t.End])
		case 't':
			dst = append(dst, 0xc3)
		case 'f':
			dst = append(dst, 0xc2)
		case 'n':
			dst = append(dst, 0xc0)
		}
	}
}

// lengths are those of the arrays and objects in JSON text, in the order in which they begin: in MessagePack
// they stand there.
func lengths(text []byte, attachments int) []int {
	var all []int
	type open struct {
		index int
		array bool
	}
	var path []open
	for l := (parser.Lexer{Data: text}); ; {
		t, ok := l.Next()
		if !ok {
			return all
		}
		if t.Kind == '}' || t.Kind == ']' {
			path = path[:max(len(path)-1, 0)]
			continue
		}
		if last := len(path) - 1; last >= 0 && path[last].array == (t.Kind != ':') {
			all[path[last].index]++
		}
		switch t.Kind {
		case '{':
			if _, ok := placeholder(&l, attachments); ok {
				continue
			}
			fallthrough
		case '[':
			path = append(path, open{len(all), t.Kind == '['})
			all = append(all, 0)
		}
	}
}

func placeholder(l *parser.Lexer, attachments int) (num int, ok bool) {
	if attachments == 0 {
		return 0, false
	}
	before := *l
	if num, ok = l.Placeholder(); ok && num >= attachments {
		*l, ok = before, false
	}
	return num, ok
}

// appendNumber keeps an integer one, if 64 bits hold it.
func appendNumber(dst, digits []byte) []byte {
	s := string(digits)
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return appendUint(dst, u)
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && i < 0 {
		return appendNegative(dst, i)
	}
	f, _ := strconv.ParseFloat(s, 64) // over the range it is infinite, as in JavaScript
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
}

func appendUint(dst []byte, u uint64) []byte {
	switch {
	case u < 0x80:
		return append(dst, byte(u))
	case u <= math.MaxUint8:
		return append(dst, 0xcc, byte(u))
	case u <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(u))
	case u <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(u))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), u)
}

func appendNegative(dst []byte, i int64) []byte {
	switch {
	case i >= -0x20:
		return append(dst, byte(i))
	case i >= math.MinInt8:
		return append(dst, 0xd0, byte(i))
	case i >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(i))
	case i >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(i))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(i))
}

func appendString[S string | []byte](dst []byte, s S) []byte {
	return append(appendHeader(dst, stringTag, len(s)), s...)
}

// appendHeader appends the beginning of a value with a length, in the shortest form.
func appendHeader(dst []byte, kind tagKind, n int) []byte {
	var short, one, two byte // the tags: with the length in it, and before one and two bytes of it
	var fits int
	switch kind {
	case mapTag:
		short, fits, two = 0x80, 0x10, 0xde
	case arrayTag:
		short, fits, two = 0x90, 0x10, 0xdc
	case stringTag:
		short, fits, one, two = 0xa0, 0x20, 0xd9, 0xda
	case binaryTag:
		one, two = 0xc4, 0xc5
	}
	switch {
	case n < fits:
		return append(dst, short|byte(n))
	case n <= math.MaxUint8 && one != 0:
		return append(dst, one, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, two), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, two+1), uint32(n))
}
