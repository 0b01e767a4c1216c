package csv

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// addValues puts values into one column of a file of so many.
func addValues(columns int, values ...string) Column {
	limits := newLimits(columns)
	var c columnState
	for i, v := range values {
		c.add([]byte(v), int64(i+2), limits)
	}
	col, _ := c.column("c")
	return col
}

func TestColumn(t *testing.T) {
	for _, tt := range []struct {
		name, values string // by spaces, _ is the empty one
		want         string
	}{
		{"integers", "3 -10 _ 7 7", "integer, 1 empty, 3 distinct, -10 to 7, mean 1.75"},
		{"big integers", "999999999999999999 999999999999999998", `integer, 0 empty, 2 distinct, "999999999999999998" to "999999999999999999", mean 1e+18`},
		{"ids of 19 digits", "1610521604143693813 1610521604143693812", `integer, 0 empty, 2 distinct, "1610521604143693812" to "1610521604143693813", mean 1.6105216041436938e+18`},
		{"integers of 64 bits", "18446744073709551615 -9223372036854775808 18446744073709551614", `integer, 0 empty, 3 distinct, "-9223372036854775808" to "18446744073709551615", mean 9.223372036854776e+18`},
		{"integers below zero", "-9007199254740993 -9007199254740992 -5", `integer, 0 empty, 3 distinct, "-9007199254740993" to -5, mean -6.004799503160663e+15`},
		{"2^53 is a number, and one more is not", "9007199254740992 9007199254740993", `integer, 0 empty, 2 distinct, 9007199254740992 to "9007199254740993", mean 9.007199254740992e+15`},
		{"integers with a plus", "+5 -3 +7", "integer, 0 empty, 3 distinct, -3 to 7, mean 3"},
		{"big integers in a column of numbers", "738529527931269425 0.5 738529527931269424", `number, 0 empty, 3 distinct, 0.5 to "738529527931269425", mean 4.923530186208463e+17`},
		{"integers around a number", "-3 0.5 7", "number, 0 empty, 3 distinct, -3 to 7, mean 1.5"},
		{"more decimals than a float64 has", "0.12345678901234567891 +2.50000000000000000001 0.5", `number, 0 empty, 3 distinct, "0.12345678901234567891" to "2.50000000000000000001", mean 1.0411522630041152`},
		{"numbers that a float64 has not", "4.9e-324 0.000 -1e-999 -0.5", `number, 0 empty, 4 distinct, -0.5 to "4.9e-324", mean -0.125`},
		{"one integer that is above 0", "5", "integer, 0 empty, 1 distinct, 5 to 5, mean 5"},
		{"numbers", "0.5 -2 1e3", "number, 0 empty, 3 distinct, -2 to 1000, mean 332.8333333333333"},
		{"sum that rounding would lose", "1e100 1.0 -1e100 1.0", "number, 0 empty, 3 distinct, -1e+100 to 1e+100, mean 0.5"},
		{"sum beyond a float64", "1.5e308 1.5e308", "number, 0 empty, 1 distinct, 1.5e+308 to 1.5e+308, mean none"},
		{"booleans", "true FALSE true", "boolean, 0 empty, 2 distinct,  to , mean none"},
		{"dates", "2024-03-01 1999-12-31 2024-02-29", `date, 0 empty, 3 distinct, "1999-12-31" to "2024-03-01", mean none`},
		{"moments by time, not by text", "2024-01-01T00:30+01:00 2024-01-01T00:00Z 2023-12-31T23:45Z", `datetime, 0 empty, 3 distinct, "2024-01-01T00:30+01:00" to "2024-01-01T00:00Z", mean none`},
		{"dates and datetimes", "2024-01-02 2024-01-01T23:59", `datetime, 0 empty, 2 distinct, "2024-01-01T23:59" to "2024-01-02", mean none`},
		{"strings", "b a ä 7", `string, 0 empty, 4 distinct, "7" to "ä", mean none`},
		{"nothing", "_ _", "empty, 2 empty, 0 distinct,  to , mean none"},
		{"long strings", strings.Repeat("x", 99) + "ä " + strings.Repeat("x", 200), `string, 0 empty, 2 distinct, "` + strings.Repeat("x", 99) + `" to "` + strings.Repeat("x", 100) + `", mean none`},
	} {
		var values []string
		for v := range strings.FieldsSeq(tt.values) {
			values = append(values, strings.TrimPrefix(v, "_"))
		}
		col := addValues(1, values...)
		mean := "none"
		if col.Mean != nil {
			mean = fmt.Sprint(*col.Mean)
		}
		got := fmt.Sprintf("%s, %d empty, %d distinct, %s to %s, mean %s", col.Type, col.Empty, col.Distinct, col.Min, col.Max, mean)
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestDistinctIsExactUpToItsLimit(t *testing.T) {
	for _, n := range []int{0, 1, 11, 12, 13, 1000, maxExact, maxExact + 1, 300_000} {
		limits := newLimits(1)
		var d distinct
		for range 2 {
			for i := range n {
				d.add(hashOf(limits, i), limits)
			}
		}
		got, estimated := d.total()
		if estimated != (n > maxExact) {
			t.Errorf("%d values: got estimated %t", n, estimated)
		}
		if off := math.Abs(float64(got) - float64(n)); !estimated && off > 0 || off > 0.04*float64(n) {
			t.Errorf("%d values: got %d", n, got)
		}
		if used := maxSetBytes - limits.setBytes; used != 8*len(d.slots) {
			t.Errorf("%d values: got %d bytes taken from the bound, want %d", n, used, 8*len(d.slots))
		}
	}
}

func hashOf(limits *limits, i int) uint64 {
	return hashValue(limits, fmt.Appendf(nil, "value %d", i))
}

func TestDistinctEstimatesWhenMemoryIsTaken(t *testing.T) {
	limits := newLimits(maxColumns)
	columns := make([]distinct, maxColumns)
	const n = 1500
	for i := range n {
		hash := hashOf(limits, i)
		for c := range columns {
			columns[c].add(hash, limits)
		}
	}
	exact, slots := 0, 0
	for c := range columns {
		got, estimated := columns[c].total()
		slots += len(columns[c].slots)
		if !estimated {
			exact++
		}
		if off := math.Abs(float64(got) - n); !estimated && off > 0 || off > 0.08*n {
			t.Errorf("column %d: got %d, estimated %t, want %d", c, got, estimated, n)
		}
	}
	if exact == 0 || exact == maxColumns {
		t.Errorf("got %d exact columns, want some", exact)
	}
	if 8*slots > maxSetBytes || 8*slots != maxSetBytes-limits.setBytes {
		t.Errorf("got sets of %d bytes, with %d left of %d", 8*slots, limits.setBytes, maxSetBytes)
	}
}

func TestDistinctCountsTheHashZero(t *testing.T) {
	limits := newLimits(1)
	var d distinct
	for _, h := range []uint64{0, 2, 0, 16, 32} {
		d.add(h, limits)
	}
	if got, _ := d.total(); got != 4 {
		t.Errorf("got %d, want 4", got)
	}
}
