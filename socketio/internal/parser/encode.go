package parser

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// Append appends the text of p to dst. p must be right; Append checks nothing. The attachments follow
// as messages of their own, in order.
func (p *Packet) Append(dst []byte) []byte {
	dst = AppendHeader(dst, p.Type, len(p.Attachments), p.Namespace, p.HasID, p.ID)
	switch p.Type {
	case Event:
		dst = AppendString(append(dst, '['), p.Name)
		for _, arg := range p.Args {
			dst = append(append(dst, ','), arg...)
		}
		return append(dst, ']')
	case Ack:
		dst = append(dst, '[')
		for i, arg := range p.Args {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, arg...)
		}
		return append(dst, ']')
	default:
		return append(dst, p.Data...)
	}
}

// AppendHeader appends what stands before the payload of a packet.
func AppendHeader(dst []byte, t Type, attachments int, namespace string, hasID bool, id uint64) []byte {
	if attachments > 0 {
		dst = append(dst, '0'+byte(t+binaryEvent-Event))
		dst = strconv.AppendInt(dst, int64(attachments), 10)
		dst = append(dst, '-')
	} else {
		dst = append(dst, '0'+byte(t))
	}
	if namespace != "/" {
		dst = append(append(dst, namespace...), ',')
	}
	if hasID {
		dst = strconv.AppendUint(dst, id, 10)
	}
	return dst
}

// AppendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD, as in encoding/json; unlike
// there, the characters of HTML stay as they are.
func AppendString[S string | []byte](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c < ' ':
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			default:
				dst = append(dst, c)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return append(dst, '"')
}

// A Header is what stands before the payload of a packet, and the payload.
type Header struct {
	Type      Type
	Namespace string
	HasID     bool
	ID        uint64
	Payload   []byte
}

// CutHeader takes apart the text of a packet that Append or AppendHeader has written.
func CutHeader(text []byte) (h Header) {
	h.Type, h.Namespace, text = Type(text[0]-'0'), "/", text[1:]
	if h.Type >= binaryEvent {
		h.Type -= binaryEvent - Event
		_, text, _ = bytes.Cut(text, []byte{'-'})
	}
	if len(text) > 0 && text[0] == '/' {
		var name []byte
		name, text, _ = bytes.Cut(text, []byte{','})
		h.Namespace = string(name)
	}
	h.ID, h.HasID, h.Payload, _ = cutID(text)
	return h
}
