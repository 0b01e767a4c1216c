package parser

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Valid reports whether data is one JSON value in UTF-8 whose placeholders, if any, number one of so
// many attachments. With no attachments nothing is a placeholder.
func Valid(data []byte, attachments int) bool {
	ok, _ := Check(data, attachments)
	return ok
}

// PlainMark is how the key of a placeholder is written where an object is none but looks like one, and there are
// attachments beside it: as JSON it is the same key. A packet of text cannot say that, since clients tell no
// difference.
const PlainMark = `"\u005fplaceholder"`

// Check is Valid that also reports whether an object would be a placeholder but for a PlainMark.
func Check(data []byte, attachments int) (ok, lookalike bool) {
	s := scanner{data: data, attachments: attachments, plainMarks: true}
	s.space()
	if !s.value() {
		return false, false
	}
	s.space()
	return s.pos == len(data) && utf8.Valid(data), s.lookalike
}

// A scanner walks over JSON text and checks it, without decoding anything. Its methods return false at
// the first byte that is not right. With attachments and without plainMarks it writes a PlainMark as the key that it
// is, in its place.
type scanner struct {
	data        []byte
	pos         int
	depth       int
	attachments int  // above zero, the placeholders are checked
	plainMarks  bool // PlainMark makes no placeholder
	lookalike   bool // but has made an object look like one
	err         error
}

// peek is the byte at pos, or 0, which JSON text nowhere has.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) value() bool {
	switch c := s.peek(); c {
	case '"':
		return s.str()
	case '{':
		return s.nested((*scanner).object)
	case '[':
		return s.nested((*scanner).array)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return (c == '-' || isDigit(c)) && s.number()
	}
}

func (s *scanner) word(w string) bool {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (s *scanner) digits() bool {
	start := s.pos
	for isDigit(s.peek()) {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) str() bool {
	for i := s.pos + 1; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return true
		case c < ' ':
			return false
		case c == '\\':
			i++
			if i == len(s.data) {
				return false
			}
			switch s.data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					i++
					if i == len(s.data) || !isHex(s.data[i]) {
						return false
					}
				}
			default:
				return false
			}
		}
	}
	return false
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func (s *scanner) nested(inner func(*scanner) bool) bool {
	s.pos++
	s.depth++
	ok := s.depth <= MaxDepth && inner(s)
	s.depth--
	return ok
}

func (s *scanner) array() bool {
	return s.elements(func(int, int) bool { return true })
}

// elements walks over an array whose bracket was taken, and tells where each element is, until it hears
// false.
func (s *scanner) elements(each func(start, end int) bool) bool {
	s.space()
	if s.peek() == ']' {
		s.pos++
		return true
	}
	for {
		s.space()
		start := s.pos
		if !s.value() || !each(start, s.pos) {
			return false
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return true
		default:
			return false
		}
	}
}

func (s *scanner) object() bool {
	s.space()
	if s.peek() == '}' {
		s.pos++
		return true
	}
	var marked bool
	var num []byte
	for {
		s.space()
		key := s.pos
		if s.peek() != '"' || !s.str() {
			return false
		}
		keyEnd := s.pos
		s.space()
		if s.peek() != ':' {
			return false
		}
		s.pos++
		s.space()
		start := s.pos
		if !s.value() {
			return false
		}
		if s.attachments > 0 {
			switch name, _ := text(s.data[key:keyEnd]); string(name) {
			case "_placeholder":
				marked = string(s.data[start:s.pos]) == "true"
				switch escaped := string(s.data[key:keyEnd]) == PlainMark; {
				case escaped && s.plainMarks:
					s.lookalike = s.lookalike || marked
					marked = false
				case escaped: // said by a client, who means a placeholder by every spelling
					copy(s.data[key:keyEnd], `     "_placeholder"`)
				}
			case "num":
				num = s.data[start:s.pos]
			}
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return !marked || s.placeholder(num)
		default:
			return false
		}
	}
}

// placeholder reports whether num numbers an attachment.
func (s *scanner) placeholder(num []byte) bool {
	n, ok := smallNumber(num)
	if !ok || n >= s.attachments {
		s.err = ErrPlaceholder
		return false
	}
	return true
}

// smallNumber reads a number of one or two digits.
func smallNumber(digits []byte) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 2 {
		return 0, false
	}
	for _, c := range digits {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// text is what a JSON string says. Without an escape in it, it is a part of the string.
func text(str []byte) ([]byte, error) {
	inner := str[1 : len(str)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var s string
	err := json.Unmarshal(str, &s)
	return []byte(s), err
}
