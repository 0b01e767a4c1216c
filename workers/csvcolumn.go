package workers

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"math"
	"strconv"

	"github.com/axiomhq/hyperloglog"
)

const (
	// maxExact is how many distinct values of a column are counted exactly, if memory allows.
	maxExact = 10_000
	// maxSetBytes bounds what the exact sets of all columns take together: 64 full ones. A column that
	// finds nothing left estimates from there on.
	maxSetBytes = 8 << 20
	// maxValue is the length in bytes that a value is cut to.
	maxValue = 100
)

// csvLimits is what the columns of one file share, so that two thousand of them stay in bounds too.
type csvLimits struct {
	seed      maphash.Seed // made for each job: nobody can craft values that collide
	setBytes  int          // left for exact sets
	textBytes int          // left for the text of misfits
	keep      int          // how many misfits are kept of each class of a column
	precision uint8        // of an estimate: 2^precision bytes
}

func newCSVLimits(columns int) *csvLimits {
	l := &csvLimits{seed: maphash.MakeSeed(), setBytes: maxSetBytes, textBytes: 1 << 20, precision: 14}
	if columns > 500 {
		l.precision = 12
	}
	l.keep = min(maxMisfits, max(8, 100_000/(columns*int(classes))))
	return l
}

// distinct counts different values by their hashes, of 64 bits: that two of 10,000 collide happens once in
// 300 billion columns. Past its bounds it becomes an estimate, which is off by 1 or 2 %.
type distinct struct {
	slots  []uint64 // open addressing; 0 is free
	count  int
	sketch *hyperloglog.Sketch // in place of slots
}

func hashValue(limits *csvLimits, b []byte) uint64 { return maphash.Bytes(limits.seed, b) }

func (d *distinct) add(hash uint64, limits *csvLimits) {
	if d.sketch != nil {
		d.sketch.InsertHash(hash)
		return
	}
	if hash == 0 {
		hash = 1
	}
	if 4*d.count >= 3*len(d.slots) && !d.grow(limits) {
		d.estimate(limits)
		d.sketch.InsertHash(hash)
		return
	}
	mask := uint64(len(d.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch d.slots[i] {
		case hash:
			return
		case 0:
			if d.count == maxExact {
				d.estimate(limits)
				d.sketch.InsertHash(hash)
				return
			}
			d.slots[i] = hash
			d.count++
			return
		}
	}
}

// grow doubles the set, and reports whether there was room for that.
func (d *distinct) grow(limits *csvLimits) bool {
	size := max(16, 2*len(d.slots))
	need := 8 * (size - len(d.slots))
	if need > limits.setBytes {
		return false
	}
	limits.setBytes -= need
	old := d.slots
	d.slots = make([]uint64, size)
	mask := uint64(size - 1)
	for _, hash := range old {
		if hash == 0 {
			continue
		}
		i := hash & mask
		for d.slots[i] != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = hash
	}
	return true
}

func (d *distinct) estimate(limits *csvLimits) {
	sketch, err := hyperloglog.NewSketch(limits.precision, false)
	if err != nil {
		panic(err) // precision is a constant of ours
	}
	for _, hash := range d.slots {
		if hash != 0 {
			sketch.InsertHash(hash)
		}
	}
	limits.setBytes += 8 * len(d.slots)
	d.sketch, d.slots = sketch, nil
}

func (d *distinct) total() (n int64, estimated bool) {
	if d.sketch != nil {
		return int64(d.sketch.Estimate()), true
	}
	return int64(d.count), false
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

func (c *columnState) add(b []byte, line int64, limits *csvLimits) {
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
func (l *csvLimits) text(b []byte) string {
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
	col := Column{Name: cut(name, maxValue), Type: typ, Empty: c.counts[classEmpty]}
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
	b, err := json.Marshal(cut(s, maxValue))
	if err != nil {
		return nil
	}
	return b
}
