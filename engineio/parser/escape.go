package parser

import (
	"unicode/utf16"
	"unicode/utf8"
)

// IsASCII reports whether text has nothing outside ASCII.
func IsASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// AppendEscaped appends JSON with what is outside ASCII as \uXXXX, in two halves beyond U+FFFF (RFC 8259,
// section 7). What is not UTF-8 becomes U+FFFD.
func AppendEscaped(dst, json []byte) []byte {
	for i := 0; i < len(json); {
		if c := json[i]; c < utf8.RuneSelf {
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(json[i:])
		i += size
		if utf16Len(r) == 2 {
			high, low := utf16.EncodeRune(r)
			dst = appendUnit(appendUnit(dst, high), low)
		} else {
			dst = appendUnit(dst, r)
		}
	}
	return dst
}

func appendUnit(dst []byte, unit rune) []byte {
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', hex[unit>>12], hex[unit>>8&15], hex[unit>>4&15], hex[unit&15])
}
