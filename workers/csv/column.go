package csv

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"math"
	"strconv"

	"jobcast/workers/internal/names"
)

// maxValue is the length in bytes that a value is cut to.
const maxValue = 100

// limits is what the columns of one file share, so that two thousand of them stay in bounds too.
type limits struct {
	seed      maphash.Seed // made for each job: nobody can craft values that collide
	setBytes  int          // left for exact sets
	textBytes int          // left for the text of misfits
	keep      int          // how many misfits are kept of each class of a column
	precision uint8        // of an estimate: 2^precision bytes
}

func newLimits(columns int) *limits {
	l := &limits{seed: maphash.MakeSeed(), setBytes: maxSetBytes, textBytes: 1 << 20, precision: 14}
	if columns > 500 {
		l.precision = 12
	}
	l.keep = min(maxMisfits, max(8, 100_000/(columns*int(classes))))
	return l
}

// columnState is what is known of a column so far. Its type is known at the end only, so that it keeps
// what each type will need.
type columnState struct {
	counts   [classes]int64
	distinct distinct

	minWhole, maxWhole whole   // of integers
	minNum, maxNum     decimal // of numbers that are no integers
	sum, lost          float64 // of both; lost is what rounding took (Neumaier's summation)

	minAt, maxAt         instant // of dates and datetimes
	minAtText, maxAtText string

	minText, maxText []byte // of everything, cut to maxValue

	first [classes][]spot // where each class was met first
}

// spot is where a value was met that will be a misfit if its class does not fit the type.
type spot struct {
	line int64
	text string
}

// maxSpotText is the length in bytes that the text of a misfit is cut to.
const maxSpotText = 40

func (c *columnState) add(b []byte, line int64, limits *limits) {
	v := parseValue(b)
	c.counts[v.class]++
	if v.class == classEmpty {
		return
	}
	if spots := c.first[v.class]; len(spots) < limits.keep {
		c.first[v.class] = append(spots, spot{line, limits.text(b)})
	}
	c.distinct.add(hashValue(limits, b), limits)
	c.addText(b)
	switch v.class {
	case classInteger:
		if c.counts[classInteger] == 1 {
			c.minWhole, c.maxWhole = v.whole, v.whole
		}
		if v.whole.before(c.minWhole) {
			c.minWhole = v.whole
		} else if c.maxWhole.before(v.whole) {
			c.maxWhole = v.whole
		}
		c.sumUp(v.num)
	case classNumber:
		if only := c.counts[classNumber] == 1; only || v.num < c.minNum.num {
			c.minNum = newDecimal(v, b)
		}
		if only := c.counts[classNumber] == 1; only || v.num > c.maxNum.num {
			c.maxNum = newDecimal(v, b)
		}
		c.sumUp(v.num)
	case classDate, classDatetime:
		only := c.counts[classDate]+c.counts[classDatetime] == 1
		if only || v.at.before(c.minAt) {
			c.minAt, c.minAtText = v.at, string(trimSpaces(b))
		}
		if only || c.maxAt.before(v.at) {
			c.maxAt, c.maxAtText = v.at, string(trimSpaces(b))
		}
	}
}

// onlyEmpty reports whether the column has no value.
func (c *columnState) onlyEmpty() bool {
	for _, n := range c.counts[classInteger:] {
		if n > 0 {
			return false
		}
	}
	return true
}

// text is the start of a value as it may stand in a line of text, or "" when enough of them are kept.
func (l *limits) text(b []byte) string {
	if l.textBytes < maxSpotText {
		return ""
	}
	text := strconv.Quote(textOf(b, maxSpotText))
	if len(b) > maxSpotText {
		text += "…"
	}
	l.textBytes -= len(text)
	return text
}

func (c *columnState) sumUp(v float64) {
	sum := c.sum + v
	if math.Abs(c.sum) >= math.Abs(v) {
		c.lost += c.sum - sum + v
	} else {
		c.lost += v - sum + c.sum
	}
	c.sum = sum
}

func (c *columnState) addText(b []byte) {
	if len(b) > maxValue {
		b = b[:maxValue]
		b = b[:len(b)-partialRune(b)]
	}
	if c.minText == nil {
		c.minText, c.maxText = append([]byte{}, b...), append([]byte{}, b...)
		return
	}
	if bytes.Compare(b, c.minText) < 0 {
		c.minText = append(c.minText[:0], b...)
	} else if bytes.Compare(b, c.maxText) > 0 {
		c.maxText = append(c.maxText[:0], b...)
	}
}

// column is the column as it stands in the result.
func (c *columnState) column(name string) (Column, [classes]bool) {
	typ, fits := inferType(&c.counts)
	col := Column{Name: names.Cut(name, maxValue), Type: typ, Empty: c.counts[classEmpty]}
	col.Distinct, col.DistinctEstimated = c.distinct.total()
	switch typ {
	case TypeInteger:
		col.Min, col.Max, col.Mean = c.minWhole.json(), c.maxWhole.json(), c.mean()
	case TypeNumber:
		col.Min, col.Max, col.Mean = c.minNum.json(), c.maxNum.json(), c.mean()
		if c.counts[classInteger] > 0 && c.minWhole.float() <= c.minNum.num {
			col.Min = c.minWhole.json()
		}
		if c.counts[classInteger] > 0 && c.maxWhole.float() >= c.maxNum.num {
			col.Max = c.maxWhole.json()
		}
	case TypeDate, TypeDatetime:
		col.Min, col.Max = jsonText(c.minAtText), jsonText(c.maxAtText)
	case TypeString:
		col.Min, col.Max = jsonText(textOf(c.minText, maxValue)), jsonText(textOf(c.maxText, maxValue))
	}
	return col, fits
}

// mean is nil where the sum is beyond what a float64 holds.
func (c *columnState) mean() *float64 {
	mean := (c.sum + c.lost) / float64(c.counts[classInteger]+c.counts[classNumber])
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return nil
	}
	return &mean
}

func jsonText(s string) json.RawMessage {
	b, err := json.Marshal(names.Cut(s, maxValue))
	if err != nil {
		return nil
	}
	return b
}
