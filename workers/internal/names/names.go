// Package names makes the names of files and of columns, which are any bytes at all, fit for a line of text
// and for a bound. It knows neither files nor jobs.
package names

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// maxShown is the length in bytes of the longest name that Show returns whole.
const maxShown = 200

// Show returns a name as it may stand in a line of text, which must hold neither control characters nor bytes
// that are not UTF-8: such a name is quoted as Go does it. Of a name of more than 200 bytes it is the start,
// and "…".
func Show(name string) string {
	short := Cut(name, maxShown)
	for _, r := range short {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			short = strconv.Quote(short)
			break
		}
	}
	if len(short) < len(name) && len(name) > maxShown {
		short += "…"
	}
	return short
}

// Cut returns the first limit bytes of s, or a little less where a character would be split.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
