package csv

import (
	"math"
	"strconv"
)

// ColumnType is the type of a column: the one that fits the most of its values, and of two the narrower.
// It must fit at least 95 % of the values that are not empty, or the column is a TypeString; the values
// that it does not fit are misfits. Spaces around a value do not count, and one of only spaces is empty.
// An integer is a number too, and a date is a datetime.
type ColumnType string

// The types, and what fits each.
const (
	TypeInteger  ColumnType = "integer"  // of 64 bits, with or without a sign; the first digit not 0 (but for 0 itself)
	TypeNumber   ColumnType = "number"   // digits with a decimal point, perhaps with a sign and an exponent
	TypeBoolean  ColumnType = "boolean"  // true, false, yes, no, in any case
	TypeDate     ColumnType = "date"     // 2006-01-02, and the day must exist
	TypeDatetime ColumnType = "datetime" // 2006-01-02T15:04:05.999Z; a space for the T; seconds and zone may be missing
	TypeString   ColumnType = "string"   // anything
	TypeEmpty    ColumnType = "empty"    // no value at all
)

// class is what one value looks like.
type class uint8

const (
	classEmpty class = iota
	classInteger
	classNumber // that is no integer
	classBoolean
	classDate
	classDatetime
	classString
	classes
)

// typeClasses has what fits each type, narrower types first.
var typeClasses = []struct {
	typ  ColumnType
	fits []class
}{
	{TypeInteger, []class{classInteger}},
	{TypeNumber, []class{classInteger, classNumber}},
	{TypeBoolean, []class{classBoolean}},
	{TypeDate, []class{classDate}},
	{TypeDatetime, []class{classDate, classDatetime}},
}

// inferType returns the type of a column with so many values of each class, and whether a class fits.
func inferType(counts *[classes]int64) (ColumnType, [classes]bool) {
	var values int64
	for c := classInteger; c < classes; c++ {
		values += counts[c]
	}
	all := [classes]bool{}
	for c := range all {
		all[c] = true
	}
	if values == 0 {
		return TypeEmpty, all
	}
	typ, best, fits := TypeString, int64(0), all
	for _, t := range typeClasses {
		n, these := int64(0), [classes]bool{classEmpty: true}
		for _, c := range t.fits {
			n += counts[c]
			these[c] = true
		}
		// n/values >= 95 %, without a division that rounds.
		if n > best && (values-n)*20 <= values {
			typ, best, fits = t.typ, n, these
		}
	}
	return typ, fits
}

// parsed is a value with what its class says of it.
type parsed struct {
	class class
	exact bool    // num, written in digits, is the number that was read
	whole whole   // of an integer
	num   float64 // of an integer or a number
	at    instant // of a date or a datetime
}

// instant is a moment, in UTC where the value has no zone.
type instant struct{ seconds, nanos int64 }

func (i instant) before(j instant) bool {
	return i.seconds < j.seconds || i.seconds == j.seconds && i.nanos < j.nanos
}

// maxTyped is the length of the longest value that is looked at as anything but a string.
const maxTyped = 48

// parseValue finds out what a value looks like.
func parseValue(b []byte) parsed {
	if b = trimSpaces(b); len(b) == 0 {
		return parsed{class: classEmpty}
	}
	if len(b) > maxTyped {
		return parsed{class: classString}
	}
	switch c := b[0]; {
	case '0' <= c && c <= '9':
		if len(b) >= 10 && b[4] == '-' {
			return parseMoment(b)
		}
		return parseNumber(b)
	case c == '-' || c == '+' || c == '.':
		return parseNumber(b)
	case len(b) <= 5 && isBoolean(b):
		return parsed{class: classBoolean}
	}
	return parsed{class: classString}
}

// trimSpaces takes ASCII spaces and control characters off both ends.
func trimSpaces(b []byte) []byte {
	for len(b) > 0 && b[0] <= ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] <= ' ' {
		b = b[:len(b)-1]
	}
	return b
}

func isBoolean(b []byte) bool {
	var lower [5]byte
	for i, c := range b {
		lower[i] = c | 0x20
	}
	switch string(lower[:len(b)]) {
	case "true", "false", "yes", "no":
		return true
	}
	return false
}

// powers are those of ten that a float64 holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

const (
	// exactDigits is how many digits of a number a float64 keeps, and gives back when it is written.
	exactDigits = 15
	// smallestExact is the number nearest to zero of which that is true.
	smallestExact = 0x1p-1022
)

// parseNumber takes [+-]digits[.digits][e[+-]digits], with digits before the point or after it.
func parseNumber(b []byte) parsed {
	p, negative := 0, b[0] == '-'
	if negative || b[0] == '+' {
		p++
	}
	var mantissa uint64
	start := p
	for ; p < len(b) && isDigit(b[p]); p++ {
		mantissa = mantissa*10 + uint64(b[p]-'0') // garbage beyond 19 digits, and not used then
	}
	digits := p - start
	if digits > 1 && b[start] == '0' {
		return parsed{class: classString} // 007 names something; it does not count anything
	}
	if p == len(b) {
		if digits == 0 || digits > 18 {
			return parseLongWhole(b[start:], negative)
		}
		w := int64(mantissa)
		if negative {
			w = -w
		}
		return parsed{class: classInteger, whole: smallWhole(w), num: float64(w)}
	}
	decimals := 0
	if b[p] == '.' {
		p++
		for start = p; p < len(b) && isDigit(b[p]); p++ {
			mantissa = mantissa*10 + uint64(b[p]-'0')
		}
		if decimals = p - start; decimals == 0 {
			return parsed{class: classString}
		}
	}
	if digits+decimals == 0 {
		return parsed{class: classString}
	}
	if p == len(b) && digits+decimals <= exactDigits {
		// Both are exact, so that the quotient is the number nearest to the text.
		num := float64(mantissa) / powers[decimals]
		if negative {
			num = -num
		}
		return parsed{class: classNumber, num: num, exact: true}
	}
	if p < len(b) && !isExponent(b[p:]) {
		return parsed{class: classString}
	}
	num, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsInf(num, 0) {
		return parsed{class: classString}
	}
	return parsed{class: classNumber, num: num, exact: digits+decimals <= exactDigits && (math.Abs(num) >= smallestExact || mantissa == 0)}
}

func isExponent(b []byte) bool {
	if b[0]|0x20 != 'e' {
		return false
	}
	b = b[1:]
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		b = b[1:]
	}
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number returns the n digits at the front of b as a number, or -1.
func number(b []byte, n int) int64 {
	if len(b) < n {
		return -1
	}
	var v int64
	for _, c := range b[:n] {
		if !isDigit(c) {
			return -1
		}
		v = v*10 + int64(c-'0')
	}
	return v
}

// parseMoment takes a date (RFC 3339, "Internet Date/Time Format"), perhaps with a time after it, of
// which the seconds and the zone may be missing.
func parseMoment(b []byte) parsed {
	day, ok := parseDay(b)
	if !ok {
		return parsed{class: classString}
	}
	if len(b) == 10 {
		return parsed{class: classDate, at: instant{seconds: day * 86400}}
	}
	at, ok := parseClock(b[10:])
	if !ok {
		return parsed{class: classString}
	}
	at.seconds += day * 86400
	return parsed{class: classDatetime, at: at}
}

var monthDays = [...]int64{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// parseDay returns the days since 1970-01-01.
func parseDay(b []byte) (int64, bool) {
	y, m, d := number(b, 4), number(b[5:], 2), number(b[8:], 2)
	if y < 0 || b[4] != '-' || b[7] != '-' || m < 1 || m > 12 || d < 1 {
		return 0, false
	}
	length := monthDays[m-1]
	if m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0) {
		length = 29
	}
	if d > length {
		return 0, false
	}
	// Counted in years that begin in March, a leap day is the last of its year.
	if m < 3 {
		y--
		m += 12
	}
	const year400 = 146097 // days of 400 years, which keep what is divided above zero
	y += 400
	dayOfYear := (153*(m-3)+2)/5 + d - 1
	return y*365 + y/4 - y/100 + y/400 + dayOfYear - 719468 - year400, true
}

// parseClock takes what follows the day: the time, and the zone if there is one.
func parseClock(b []byte) (instant, bool) {
	if len(b) < 6 || b[0] != 'T' && b[0] != 't' && b[0] != ' ' || b[3] != ':' {
		return instant{}, false
	}
	hour, minute := number(b[1:], 2), number(b[4:], 2)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return instant{}, false
	}
	at := instant{seconds: hour*3600 + minute*60}
	b = b[6:]
	if len(b) > 0 && b[0] == ':' {
		second := number(b[1:], 2)
		if second < 0 || second > 60 { // 60 is a leap second
			return instant{}, false
		}
		at.seconds += second
		b = b[3:]
		if len(b) > 0 && b[0] == '.' {
			b = b[1:]
			unit, digits := int64(1e8), 0
			for ; digits < len(b) && isDigit(b[digits]); digits++ {
				at.nanos += int64(b[digits]-'0') * unit
				unit /= 10
			}
			if digits == 0 {
				return instant{}, false
			}
			b = b[digits:]
		}
	}
	offset, ok := parseZone(b)
	at.seconds -= offset
	return at, ok
}

// parseZone takes nothing, Z, +07, +0700 or +07:00, and returns seconds east of UTC.
func parseZone(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hours, minutes := number(b[1:], 2), int64(0)
	switch {
	case len(b) == 3:
	case len(b) == 5:
		minutes = number(b[3:], 2)
	case len(b) == 6 && b[3] == ':':
		minutes = number(b[4:], 2)
	default:
		return 0, false
	}
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if b[0] == '-' {
		offset = -offset
	}
	return offset, true
}
