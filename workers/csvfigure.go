package workers

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// whole is a whole number of 64 bits, with or without a sign: from -2^63 to 2^64-1. Ids are such numbers,
// and an id that has changed in its last digit is another id, so that it never becomes a float64.
type whole struct {
	size     uint64
	negative bool // not of 0
}

func (w whole) before(v whole) bool {
	if w.negative != v.negative {
		return w.negative
	}
	if w.negative {
		return w.size > v.size
	}
	return w.size < v.size
}

func (w whole) float() float64 {
	if w.negative {
		return -float64(w.size)
	}
	return float64(w.size)
}

func (w whole) String() string {
	text := strconv.FormatUint(w.size, 10)
	if w.negative {
		return "-" + text
	}
	return text
}

// maxSafe is the largest whole number that JavaScript holds with all below it: what is beyond goes out
// as a string.
const maxSafe = 1 << 53

// json is w for a reader that takes numbers for float64, as all browsers do: beyond maxSafe it is a string
// of its digits.
func (w whole) json() json.RawMessage {
	if w.size > maxSafe {
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

// parseWhole makes a value of digits without a sign, which are size unless there are more than 20.
func parseWhole(digits []byte, size uint64, negative bool) parsed {
	switch n := len(digits); {
	case n == 0 || n > 20:
		return parsed{class: classString}
	case n == 20:
		// 20 digits may be more than 64 bits hold.
		v, err := strconv.ParseUint(string(digits), 10, 64)
		if err != nil {
			return parsed{class: classString}
		}
		size = v
	}
	if negative && size > -math.MinInt64 {
		return parsed{class: classString}
	}
	w := whole{size: size, negative: negative && size > 0}
	return parsed{class: classInteger, whole: w, num: w.float()}
}
