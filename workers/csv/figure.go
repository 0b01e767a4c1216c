package csv

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// whole is a whole number of 64 bits, with or without a sign: from -2^63 to 2^64-1. Ids are such numbers,
// and an id that has changed in its last digit is another id, so that it never becomes a float64.
type whole struct {
	low  int64  // what of it an int64 holds
	more uint64 // what it is above that
}

func smallWhole(v int64) whole { return whole{low: v} }

// bigWhole is a whole number that is not below zero.
func bigWhole(v uint64) whole {
	low := min(v, math.MaxInt64)
	return whole{low: int64(low), more: v - low}
}

func (w whole) before(v whole) bool { return w.low < v.low || w.low == v.low && w.more < v.more }

func (w whole) float() float64 {
	if w.low < 0 {
		return float64(w.low)
	}
	return float64(uint64(w.low) + w.more)
}

func (w whole) String() string {
	if w.low < 0 {
		return strconv.FormatInt(w.low, 10)
	}
	return strconv.FormatUint(uint64(w.low)+w.more, 10)
}

// maxSafe is the largest whole number that JavaScript holds with all below it: what is beyond goes out
// as a string.
const maxSafe = 1 << 53

// json is w for a reader that takes numbers for float64, as all browsers do: beyond maxSafe it is a string
// of its digits.
func (w whole) json() json.RawMessage {
	if w.low > maxSafe || w.low < -maxSafe {
		return json.RawMessage(`"` + w.String() + `"`)
	}
	return json.RawMessage(w.String())
}

// decimal is a number that is not whole.
type decimal struct {
	num  float64
	text string // as it is in the file, where num would show other digits
}

func newDecimal(v parsed, b []byte) decimal {
	if v.exact {
		return decimal{num: v.num}
	}
	return decimal{num: v.num, text: strings.TrimPrefix(string(trimSpaces(b)), "+")}
}

// json is a number, or a string where a float64 would change it.
func (d decimal) json() json.RawMessage {
	if d.text != "" {
		return jsonText(d.text)
	}
	b, err := json.Marshal(d.num)
	if err != nil {
		return nil // not finite, which parseNumber excludes
	}
	return b
}

// parseLongWhole makes a value of digits without a sign that may be more than 64 bits hold.
func parseLongWhole(digits []byte, negative bool) parsed {
	size, err := strconv.ParseUint(string(digits), 10, 64)
	w := bigWhole(size)
	if negative {
		w = smallWhole(-int64(size)) // -2^63 too, whose size is no int64
	}
	if err != nil || negative && size > -math.MinInt64 {
		return parsed{class: classString}
	}
	return parsed{class: classInteger, whole: w, num: w.float()}
}
