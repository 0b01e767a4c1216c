package csv

import (
	"hash/maphash"

	"github.com/axiomhq/hyperloglog"
)

const (
	// maxExact is how many distinct values of a column are counted exactly, if memory allows.
	maxExact = 10_000
	// maxSetBytes bounds what the exact sets of all columns take together: 64 full ones. A column that
	// finds nothing left estimates from there on.
	maxSetBytes = 8 << 20
)

// distinct counts different values by their hashes, of 64 bits: that two of 10,000 collide happens once in
// 300 billion columns. Past its bounds it becomes an estimate, which is off by 1 or 2 %.
type distinct struct {
	slots  []uint64 // open addressing; 0 is free
	count  int
	sketch *hyperloglog.Sketch // in place of slots
}

func hashValue(limits *limits, b []byte) uint64 { return maphash.Bytes(limits.seed, b) }

func (d *distinct) add(hash uint64, limits *limits) {
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
func (d *distinct) grow(limits *limits) bool {
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

func (d *distinct) estimate(limits *limits) {
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
