package parser

import (
	"math"
	"unicode/utf8"
)

// A Generation is what is known of the client of a session of revision 3. In a payload of text socket.io.js 1.x
// writes a message as UTF-8 that was made UTF-8 once more, and 2.x does not. No request says which of them it
// is of, but what is said shows it sooner or later. The zero value is that of a session that has shown nothing.
type Generation uint8

// What a client is.
const (
	Undecided Generation = iota
	// Generation1 is socket.io.js 1.x: so it is taken to be, unless it shows otherwise.
	Generation1
	// Generation2 is socket.io.js 2.x, and any other client whose text is UTF-8 once: for good.
	Generation2
)

// Learn returns what is known once payload, which is text, has come in. What is not UTF-8 twice over cannot be
// of 1.x. A control character between U+0080 and U+009F, which nobody writes, is a byte of UTF-8 there.
func (g Generation) Learn(payload []byte) Generation {
	if g == Generation2 || IsASCII(payload) {
		return g
	}
	switch once, control := undo(payload); {
	case once == nil:
		return Generation2
	case control:
		return Generation1
	}
	return g
}

// Once returns text as its author wrote it. While the client may be of either generation, text that could be
// UTF-8 twice over is taken for that only if it is plausible then.
func (g Generation) Once(text []byte) []byte {
	if g == Generation2 || IsASCII(text) {
		return text
	}
	if once, _ := undo(text); once != nil && (g == Generation1 || plausible(once)) {
		return once
	}
	return text
}

// undo returns text that is UTF-8 twice over as the UTF-8 that it was before, or nil if it is not; and whether
// it has a control character outside ASCII.
func undo(text []byte) (once []byte, control bool) {
	once = make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r > math.MaxUint8 {
			return nil, false
		}
		control = control || r >= 0x80 && r < 0xa0
		once = append(once, byte(r))
		i += size
	}
	for rest := once; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			if !isHalf(rest) {
				return nil, false
			}
			// From a client whose JSON does not escape half a character.
			size = copy(rest, string(utf8.RuneError))
		}
		rest = rest[size:]
	}
	return once, control
}

// isHalf reports whether b begins with half a character of UTF-16, written as if it were one.
func isHalf(b []byte) bool {
	return len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0 && b[1] < 0xc0 && b[2] >= 0x80 && b[2] < 0xc0
}

// AppendTwice appends text as UTF-8 that is made UTF-8 once more.
func AppendTwice(dst, text []byte) []byte {
	for _, c := range text {
		dst = utf8.AppendRune(dst, rune(c))
	}
	return dst
}
