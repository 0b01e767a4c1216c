package parser

import (
	"unicode"
	"unicode/utf8"
)

// A script is one of those whose words, written by 1.x, may be nothing but characters that 2.x could have
// meant. Zero is what separates words.
type script uint8

const (
	latin script = iota + 1
	greek
	cyrillic
	armenian
	hebrew
	arabic
	indic
	thai
	eastAsian
	unlikely // any other: what is read so was meant as it stands
)

// scripts are the ranges of what people write every day, in order. Letters from the history of a script, for
// phonetics or for few languages are left out: their bytes are those of a capital letter with an accent and a
// sign after it, as in É® or Ñ°.
var scripts = []struct {
	last   rune // of the range, which begins after the one before
	script script
}{
	{0xbf, 0}, // signs: no-break space, guillemets, degrees, fractions
	{0xd6, latin}, {0xd7, 0}, {0xf6, latin}, {0xf7, 0}, {0x17f, latin},
	{0x19f, unlikely}, {0x1a1, latin}, {0x1ae, unlikely}, {0x1b0, latin}, // the horned letters of Vietnamese
	{0x385, unlikely}, {0x3ce, greek},
	{0x3ff, unlikely}, {0x45f, cyrillic},
	{0x530, unlikely}, {0x556, armenian}, {0x560, unlikely}, {0x586, armenian},
	{0x5cf, unlikely}, {0x5ea, hebrew},
	{0x620, unlikely}, {0x63a, arabic}, {0x640, unlikely}, {0x652, arabic}, {0x65f, unlikely}, {0x669, arabic},
	{0x66f, unlikely}, {0x6d3, arabic}, {0x6ef, unlikely}, {0x6f9, arabic},
	{0x8ff, unlikely}, {0xdff, indic}, {0xeff, thai},
	{0x1dff, unlikely}, {0x1eff, latin},
	{0x2fff, unlikely}, {0x30ff, eastAsian}, {0x4dff, unlikely}, {0x9fff, eastAsian},
	{0xabff, unlikely}, {0xd7a3, eastAsian},
	{0xfeff, unlikely}, {0xffef, eastAsian},
	{0x1ffff, unlikely}, {0x3ffff, eastAsian},
	{utf8.MaxRune, unlikely},
}

func scriptOf(r rune) script {
	if r < utf8.RuneSelf {
		if 'a' <= r|' ' && r|' ' <= 'z' {
			return latin
		}
		return 0
	}
	i := 0
	for scripts[i].last < r {
		i++
	}
	return scripts[i].script
}

// plausible reports whether somebody may have written text: each of its words is of one script. What a
// backslash escapes in JSON is no letter.
func plausible(text []byte) bool {
	var w word
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		s := scriptOf(r)
		if r == '\\' {
			i = min(i+1, len(text))
		}
		switch {
		case s == 0:
			if !w.plausible() {
				return false
			}
			w = word{}
		case s == unlikely || w.script != 0 && w.script != s:
			return false
		default:
			w.add(s, r)
		}
	}
	return w.plausible()
}

// A word is what plausible has seen of one.
type word struct {
	script   script
	letters  int
	capitals int  // of ASCII
	small    bool // there is a small letter of ASCII
	accented bool // there is a small letter outside ASCII
	angstrom bool // there is a letter whose bytes are those of Å and a sign
}

func (w *word) add(s script, r rune) {
	w.script = s
	w.letters++
	switch {
	case r >= utf8.RuneSelf:
		w.accented = w.accented || unicode.IsLower(r)
		w.angstrom = w.angstrom || r >= 0x140 && r < 0x180
	case r < 'a':
		w.capitals++
	default:
		w.small = true
	}
}

func (w *word) plausible() bool {
	switch w.script {
	case hebrew, arabic: // × and Ø are signs, and hardly any word is one letter
		return w.letters > 1
	case latin: // AMANHÃ with a no-break space is no amanhà in capitals, and Å³ is a unit: ų and the like are no words
		return (!w.accented || w.small || w.capitals < 2) && !(w.angstrom && w.letters == 1)
	}
	return true
}
