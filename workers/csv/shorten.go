package csv

import (
	"encoding/json"
	"slices"

	"jobcast/workers/internal/names"
)

// maxResult is the length in bytes that a result is kept under, as JSON: the job's snapshot has it.
const maxResult = 192 << 10

// A cutting is how much of a result is left.
type cutting struct {
	name, value int // bytes; without a value, min, max and mean are left out
	misfits     int // as many remarks too
}

// cuttings are tried in this order. The last keeps 2,000 columns of any names under what a result may
// have.
var cuttings = []cutting{{60, 40, 100}, {40, 16, 60}, {32, 0, 60}, {16, 0, 40}, {4, 0, 10}}

// Shorten makes a result of many columns small enough for a job's snapshot, under 192 KiB as JSON, by cutting text and
// then leaving figures out. Counts and types always stay.
func (res Result) Shorten() Result {
	short := res
	for _, c := range cuttings {
		if b, err := json.Marshal(short); err == nil && len(b) <= maxResult {
			return short
		}
		short = c.of(res)
	}
	return short
}

func (c cutting) of(res Result) Result {
	res.Shortened = true
	res.Columns = slices.Clone(res.Columns)
	for i := range res.Columns {
		col := &res.Columns[i]
		col.Name = names.Cut(col.Name, c.name)
		if c.value == 0 {
			col.Min, col.Max, col.Mean = nil, nil, nil
		} else if col.Type != TypeInteger && col.Type != TypeNumber { // a figure without its end is another one
			col.Min, col.Max = cutValue(col.Min, c.value), cutValue(col.Max, c.value)
		}
	}
	res.Misfits = slices.Clone(res.Misfits[:min(len(res.Misfits), c.misfits)])
	res.Remarks = res.Remarks[:min(len(res.Remarks), c.misfits)]
	for i := range res.Misfits {
		res.Misfits[i].Column = names.Cut(res.Misfits[i].Column, c.name)
	}
	return res
}

// cutValue cuts a JSON string, and leaves a number as it is.
func cutValue(v json.RawMessage, limit int) json.RawMessage {
	var s string
	if len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &s) != nil {
		return v
	}
	return jsonText(names.Cut(s, limit))
}
