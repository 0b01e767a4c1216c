// Package text cuts texts to a bound without breaking a character. It knows nothing of jobs.
package text

import (
	"strings"
	"unicode/utf8"
)

// Bytes returns at most n bytes of s, as UTF-8.
func Bytes(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// Characters returns at most n characters of s, as UTF-8. What is no character becomes U+FFFD.
func Characters(s string, n int) string {
	if len(s) <= n && utf8.ValidString(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
