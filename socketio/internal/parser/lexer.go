package parser

import (
	"strconv"
	"strings"
)

// A Lexer cuts JSON text that Valid accepts into tokens. Of other text it makes some tokens or other, and ends.
type Lexer struct {
	Data []byte
	Pos  int // behind the last token
}

// A Token is a part of JSON text. Kind is its first byte, '0' for all numbers, and ':' for the string that is
// the key of a member. The colon after a key, and commas, are no tokens.
type Token struct {
	Kind       byte
	Start, End int
}

// Next returns the next token, or false at the end.
func (l *Lexer) Next() (t Token, ok bool) {
	s := scanner{data: l.Data, pos: l.Pos}
	s.space()
	if s.peek() == ',' {
		s.pos++
		s.space()
	}
	t = Token{Kind: s.peek(), Start: s.pos}
	switch t.Kind {
	case '{', '}', '[', ']':
		s.pos++
		ok = true
	case '"':
		ok = s.str()
		t.End = s.pos
		if s.space(); s.peek() == ':' {
			t.Kind = ':'
			s.pos++
		}
		l.Pos = s.pos
		return t, ok
	default:
		if t.Kind == '-' || isDigit(t.Kind) {
			t.Kind = '0'
		}
		ok = s.value()
	}
	t.End, l.Pos = s.pos, s.pos
	return t, ok
}

// Skip goes on behind the end of the object or array that Next has just returned the beginning of.
func (l *Lexer) Skip() {
	for depth := 1; depth > 0; {
		t, ok := l.Next()
		switch {
		case !ok:
			return
		case t.Kind == '{' || t.Kind == '[':
			depth++
		case t.Kind == '}' || t.Kind == ']':
			depth--
		}
	}
}

// Placeholder looks whether the object that Next has just returned the beginning of stands for an attachment,
// and if so goes on behind it.
func (l *Lexer) Placeholder() (num int, ok bool) {
	inner, marked := *l, false
	num = -1
	for {
		t, ok := inner.Next()
		switch {
		case !ok:
			return 0, false
		case t.Kind == '}':
			if marked = marked && num >= 0; marked {
				*l = inner
			}
			return num, marked
		case t.Kind != ':':
			return 0, false
		}
		key := inner.Data[t.Start:t.End]
		name, _ := text(key)
		t, ok = inner.Next()
		switch {
		case !ok:
			return 0, false
		case string(name) == "_placeholder":
			marked = t.Kind == 't' && string(key) != PlainMark
		case string(name) == "num":
			n, err := strconv.ParseUint(string(inner.Data[t.Start:t.End]), 10, 31)
			if num = int(n); err != nil {
				num = -1
			}
		}
		if t.Kind == '{' || t.Kind == '[' {
			return 0, false // nobody puts more into it
		}
	}
}

// Unquote returns what a string or a key says.
func (l *Lexer) Unquote(t Token) []byte {
	b, _ := text(l.Data[t.Start:t.End])
	return b
}

// Path says where in the text its byte at an offset is, in keys and indexes such as "parts.2.data". It is
// empty for the value itself, and for what is no offset.
func Path(data []byte, offset int) string {
	var at []place
	l := Lexer{Data: data}
	for {
		t, ok := l.Next()
		if !ok {
			return ""
		}
		last := len(at) - 1
		switch {
		case t.Kind == '}' || t.Kind == ']':
			at = at[:max(last, 0)]
			continue
		case last < 0:
		case t.Kind == ':':
			at[last].key = string(l.Unquote(t))
			continue
		case at[last].array:
			at[last].index++
		}
		if t.End > offset {
			return join(at)
		}
		if t.Kind == '{' || t.Kind == '[' {
			at = append(at, place{array: t.Kind == '[', index: -1})
		}
	}
}

type place struct {
	array bool
	index int
	key   string
}

func join(at []place) string {
	path := make([]string, len(at))
	for i, p := range at {
		if path[i] = p.key; p.array {
			path[i] = strconv.Itoa(p.index)
		}
	}
	return strings.Join(path, ".")
}
