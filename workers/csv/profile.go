package csv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"jobcast/workers/internal/names"
)

const (
	// maxColumns bounds the memory of a job: a file with more ends it with an error.
	maxColumns = 2000
	// maxMisfits is how many misfits a result lists. They are the first ones of the file, but where there
	// are more than 142 columns: fewer are then kept of each.
	maxMisfits = 100
	// maxRemarks is how many remarks a result lists: the first ones.
	maxRemarks = 100
	// maxMisfitLogs is how many misfits of a kind are logged.
	maxMisfitLogs = 10
)

// profile describes one file while it is read.
type profile struct {
	found  func(Misfit) // told of a few misfits while the file is read
	limits *limits
	names  []string
	head   [][]byte // the header's fields; nil where it is not as the rows
	states []columnState

	headerLine int64
	comments   bool // a row that starts with # and does not fit is one
	rows       int64
	broken     int64 // rows whose structure is wrong
	misfits    []Misfit
	told       int     // how many misfits of rows there are, with those that are not listed
	before     int     // how many fields the row before had
	other      another // the rows before, if they may be another table
	remarked   int64
	remarks    []Remark

	trailing     int64 // rows that have only empty fields beyond the header's
	trailingLine int64 // the first of them
}

// Config says how much Profile reads, and whom it tells meanwhile. Its functions are called on the goroutine of
// Profile.
type Config struct {
	// Limit is how many bytes the source may give. One that gives more, as a file does that grows while it is
	// read, is an error. Zero means no limit.
	Limit int64
	// Read is called after each read with its number of bytes, and with how many rows there were so far. May be nil.
	Read func(n int, rows int64)
	// Misfit is called with the first 10 misfits of each sort: with rows while the file is read, and with values
	// at its end, since only then the types are known. May be nil.
	Misfit func(Misfit)
}

// Profile reads a CSV file to its end and describes it. It blocks as long as src does. The error is ctx's, src's,
// or an *Error.
func Profile(ctx context.Context, src io.Reader, cfg Config) (Result, error) {
	if cfg.Limit == 0 {
		cfg.Limit = math.MaxInt64
	}
	p := profile{found: cfg.Misfit}
	if p.found == nil {
		p.found = func(Misfit) {}
	}
	r := newReader(src, cfg.Limit, func(n int) {
		if cfg.Read != nil {
			cfg.Read(n, p.rows)
		}
	})
	if err := p.header(ctx, r); err != nil {
		return Result{}, err
	}
	for {
		rec, err := r.next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Result{}, err
		}
		p.row(rec)
	}
	if r.nul > 0 {
		p.remark(r.nul, "has a NUL byte; such bytes are read as text")
	}
	if r.foreign > 0 {
		p.remark(r.foreign, "has bytes that are not UTF-8; such text is shown as if it was Windows-1252")
	}
	res := p.result()
	res.Bytes, res.Encoding, res.Delimiter, res.Quote = r.source.taken, r.encoding, string(r.delimiter), string(r.quote)
	if r.escape != 0 {
		res.Escape = string(r.escape)
	}
	return res, nil
}

// header reads the record that names the columns, past what is above it.
func (p *profile) header(ctx context.Context, r *reader) error {
	layout, err := r.start(ctx)
	if err != nil {
		return err
	}
	r.keep = maxColumns + 1
	var rec record
	var above int64 // the first line above the header
	for n := 0; n <= layout.above; n++ {
		rec, err = r.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return notCSV("The file is not a CSV file: it has only blank lines.")
		case err != nil:
			return err
		case n == 0:
			above = rec.line
		}
	}
	switch {
	case rec.problem != "":
		return notCSV(fmt.Sprintf("The file is not a CSV file: its header, line %d, %s.", rec.line, rec.problem))
	case rec.count > maxColumns:
		return &Error{Type: TooManyColumns, Message: fmt.Sprintf("The file has %d columns. Give one with at most %d.", rec.count, maxColumns)}
	}
	if layout.above > 0 {
		p.remark(above, fmt.Sprintf("is above the header, which is line %d, and is not counted", rec.line))
	}
	if layout.unnamed {
		p.names = append(p.names, "")
		p.remark(rec.line, "has no name for the first column")
	}
	for _, f := range rec.fields {
		// A longer name is not worth its memory; it is cut anyway where it is shown.
		p.names = append(p.names, textOf(f, maxValue))
	}
	if n := len(p.names); layout.width > 0 {
		for len(p.names) > layout.width && p.names[len(p.names)-1] == "" {
			p.names = p.names[:len(p.names)-1]
		}
		if len(p.names) < n {
			p.remark(rec.line, "ends with a delimiter that the rows do not have")
		}
	}
	if rec.remark != "" {
		p.remark(rec.line, rec.remark)
	}
	if !layout.unnamed {
		p.keepHeader(rec.fields[:len(p.names)])
	}
	p.headerLine, p.comments = rec.line, layout.comments
	r.keep = len(p.names)
	p.limits = newLimits(len(p.names))
	p.states = make([]columnState, len(p.names))
	return nil
}

// row counts one record below the header. Where it has not the header's fields, nobody knows which of them
// belongs to which column, and none is counted there.
func (p *profile) row(rec record) {
	p.rows++
	before := p.before
	p.before = rec.count
	if rec.problem == "" && len(rec.fields) == len(p.names) && !rec.over {
		if p.other.width > 0 {
			p.endOther()
		}
		if p.head != nil && bytes.Equal(rec.fields[0], p.head[0]) && p.repeatsHeader(rec) {
			p.rows--
			p.remark(rec.line, "repeats the header, and is not counted")
			return
		}
		for i, f := range rec.fields {
			p.states[i].add(f, rec.line, p.limits)
		}
		if rec.count > len(p.names) {
			if p.trailing++; p.trailing == 1 {
				p.trailingLine = rec.line
			}
		}
		if rec.remark != "" {
			p.remark(rec.line, rec.remark)
		}
		return
	}
	if p.comments && len(rec.fields) > 0 && bytes.HasPrefix(rec.fields[0], []byte("#")) {
		p.rows--
		p.remark(rec.line, "is a comment, and is not counted")
		return
	}
	reason := rec.problem
	if reason == "" {
		reason = fmt.Sprintf("has %s, where the header has %d", fields(rec.count), len(p.names))
		if rec.remark != "" {
			reason += "; it " + rec.remark
		}
	}
	p.misfit(rec, reason, before)
}

// remark notes what is unusual in a line that was read all the same.
func (p *profile) remark(line int64, reason string) {
	p.remarked++
	if len(p.remarks) < maxRemarks {
		p.remarks = append(p.remarks, Remark{Line: line, Reason: reason})
	}
}

func fields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}

// result describes the file when all of it was read.
func (p *profile) result() Result {
	p.endOther()
	p.delimitersAtEnd()
	res := Result{Rows: p.rows, HeaderLine: p.headerLine, Columns: make([]Column, len(p.names)), MisfitCount: p.broken, RemarkCount: p.remarked}
	type place struct {
		column int
		spot
	}
	var wrong []place // values that do not have their column's type
	for i := range p.states {
		s := &p.states[i]
		var fits [classes]bool
		res.Columns[i], fits = s.column(p.names[i])
		for c, ok := range fits {
			if ok {
				continue
			}
			res.MisfitCount += s.counts[c]
			for _, at := range s.first[c] {
				wrong = append(wrong, place{i, at})
			}
		}
	}
	slices.SortFunc(wrong, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	res.Misfits = append([]Misfit{}, p.misfits...) // not nil, which would be null
	for n, w := range wrong[:min(len(wrong), maxMisfits)] {
		col := &res.Columns[w.column]
		name := names.Show(names.Cut(col.Name, maxSpotText))
		if name == "" {
			name = fmt.Sprintf("number %d", w.column+1)
		}
		m := Misfit{Line: w.line, Column: col.Name, Reason: fmt.Sprintf("has a value in column %s that is not of type %s", name, col.Type)}
		if w.text != "" {
			m.Reason = fmt.Sprintf("has %s in column %s, which is not of type %s", w.text, name, col.Type)
		}
		if n < maxMisfitLogs {
			p.found(m)
		}
		res.Misfits = append(res.Misfits, m)
	}
	slices.SortStableFunc(res.Misfits, func(a, b Misfit) int { return cmp.Compare(a.Line, b.Line) })
	res.Misfits = res.Misfits[:min(len(res.Misfits), maxMisfits)]
	res.Remarks = append([]Remark{}, p.remarks...)
	slices.SortStableFunc(res.Remarks, func(a, b Remark) int { return cmp.Compare(a.Line, b.Line) })
	return res
}

// delimitersAtEnd takes delimiters at the end of each row for what they are: nothing. A column that they
// have made, without a name and without a value, goes.
func (p *profile) delimitersAtEnd() {
	end := len(p.names)
	for end > 1 && p.rows > 0 && p.names[end-1] == "" && p.states[end-1].onlyEmpty() {
		end--
	}
	if end < len(p.names) {
		p.names, p.states = p.names[:end], p.states[:end]
		p.remark(p.headerLine, "ends with a delimiter, and no row has a value behind it")
	}
	switch p.trailing {
	case 0:
	case 1:
		p.remark(p.trailingLine, "ends with a delimiter that the header does not have")
	default:
		p.remark(p.trailingLine, fmt.Sprintf("ends with a delimiter that the header does not have, as %d rows do", p.trailing))
	}
}
