package workers

import (
	"encoding/json"
	"slices"
)

// maxCSVResult is the length in bytes that the result is kept under, as JSON. The job's snapshot has it.
const maxCSVResult = 128 << 10

// shorten makes a result of many columns small enough, by cutting text first and then leaving figures
// out. Counts and types always stay.
func shorten(res CSVResult) CSVResult {
	for _, limit := range []int{0, 40, 16, 4} {
		short := res
		if limit > 0 {
			short = cutResult(res, limit)
		}
		if b, err := json.Marshal(short); err == nil && len(b) <= maxCSVResult || limit == 4 {
			return short
		}
	}
	return res
}

// cutResult cuts names and values to limit bytes. Under 10 it leaves the values out.
func cutResult(res CSVResult, limit int) CSVResult {
	res.Shortened = true
	res.Columns = slices.Clone(res.Columns)
	for i := range res.Columns {
		c := &res.Columns[i]
		c.Name = cut(c.Name, limit)
		c.Min, c.Max = cutValue(c.Min, limit), cutValue(c.Max, limit)
		if limit < 10 {
			c.Min, c.Max, c.Mean = nil, nil, nil
		}
	}
	res.Misfits = slices.Clone(res.Misfits[:min(len(res.Misfits), limit)])
	for i := range res.Misfits {
		m := &res.Misfits[i]
		m.Column = cut(m.Column, limit)
	}
	return res
}

// cutValue cuts a JSON string, and leaves a number as it is.
func cutValue(v json.RawMessage, limit int) json.RawMessage {
	var s string
	if len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &s) != nil {
		return v
	}
	return jsonText(cut(s, limit))
}
