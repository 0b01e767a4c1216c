package csv

import (
	"bytes"
	"fmt"
)

const (
	// minOther is how many rows another table must have to be told from rows that lack a field.
	minOther = 3
	// maxHead is how many bytes a header may have to be looked for below.
	maxHead = 64 << 10
)

// another is a run of rows, one after the other, that have not the header's number of fields but all the same: perhaps
// another table of the file, which begins with a header of its own. The rows are kept as misfits until that is known.
type another struct {
	names []bool  // which of the first fields of its first row are text
	typed []int64 // how many values below each of them are not text,
	text  []int64 // and how many are
	width int     // fields; 0 is no run
	rows  int64   // below its first
	kept  []Misfit
}

// newAnother starts a run with a row, if that may be a header: text in each field that is not empty, and two or more.
func newAnother(rec record) another {
	named := 0
	for _, f := range rec.fields {
		switch parseValue(f).class {
		case classEmpty:
		case classString:
			named++
		default:
			return another{}
		}
	}
	if named < 2 {
		return another{}
	}
	t := another{width: rec.count, names: make([]bool, len(rec.fields)), typed: make([]int64, len(rec.fields)), text: make([]int64, len(rec.fields))}
	for i, f := range rec.fields {
		t.names[i] = parseValue(f).class == classString
	}
	return t
}

func (t *another) add(rec record) {
	t.rows++
	for i, f := range rec.fields[:min(len(rec.fields), len(t.names))] {
		switch parseValue(f).class {
		case classEmpty:
		case classString:
			t.text[i]++
		default:
			t.typed[i]++
		}
	}
}

// isTable reports whether the first row names what is in the others: one of its texts is above what is no text.
func (t *another) isTable() bool {
	for i, named := range t.names {
		if named && t.rows >= minOther && t.typed[i] > 4*t.text[i] {
			return true
		}
	}
	return false
}

// misfit counts a row that does not fit, and lists it, or puts it off until it is known whether it belongs to another
// table. The row before had so many fields.
func (p *profile) misfit(rec record, reason string, before int) {
	p.broken++
	m := Misfit{Line: rec.line, Reason: reason}
	if rec.problem != "" || rec.count != p.other.width {
		p.endOther()
		if rec.problem == "" && rec.count != before {
			p.other = newAnother(rec)
		}
		if p.other.width == 0 {
			p.list(m)
			return
		}
	} else {
		p.other.add(rec)
	}
	if len(p.other.kept) < maxMisfits {
		p.other.kept = append(p.other.kept, m)
	}
}

// endOther lists the rows that were put off: as one misfit, if they are another table.
func (p *profile) endOther() {
	t := p.other
	if t.width == 0 {
		return
	}
	p.other = another{}
	if t.isTable() {
		p.list(Misfit{Line: t.kept[0].Line, Reason: fmt.Sprintf("starts another table, of %s and %d rows, which is not described", columns(t.width), t.rows)})
		return
	}
	for _, m := range t.kept {
		p.list(m)
	}
}

func (p *profile) list(m Misfit) {
	if len(p.misfits) < maxMisfits {
		p.misfits = append(p.misfits, m)
	}
	if p.told++; p.told <= maxMisfitLogs {
		p.found(m)
	}
}

func columns(n int) string {
	if n == 1 {
		return "1 column"
	}
	return fmt.Sprintf("%d columns", n)
}

// keepHeader keeps what repeatsHeader compares with.
func (p *profile) keepHeader(fields [][]byte) {
	size := 0
	for _, f := range fields {
		size += len(f)
	}
	if size > maxHead {
		return
	}
	for _, f := range fields {
		p.head = append(p.head, bytes.Clone(f))
	}
}

// repeatsHeader reports whether a row is the header once more, as where files were put together: its fields are the
// names, and one of the columns is of what is no text.
func (p *profile) repeatsHeader(rec record) bool {
	if len(p.names) < 2 || len(rec.fields) != len(p.names) {
		return false
	}
	for i, f := range rec.fields {
		if !bytes.Equal(f, p.head[i]) {
			return false
		}
	}
	for i := range p.states {
		text, typed := p.states[i].counts[classString], int64(0)
		for _, n := range p.states[i].counts[classInteger:classString] {
			typed += n
		}
		if parseValue(p.head[i]).class == classString && typed > 4*text {
			return true
		}
	}
	return false
}
