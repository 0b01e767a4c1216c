package workers

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"unicode/utf8"

	"jobcast/jobs"
)

const (
	// maxColumns bounds the memory of a job: a file with more ends it with an error.
	maxColumns = 2000
	// maxMisfits is how many misfits a result lists. They are the first ones of the file, but where there
	// are more than 142 columns: fewer are then kept of each.
	maxMisfits = 100
	// maxMisfitLogs is how many misfits of a kind are logged.
	maxMisfitLogs = 10
)

// csvProfile describes one file while it is read.
type csvProfile struct {
	to     reporter
	limits *csvLimits
	names  []string
	states []columnState

	rows    int64
	broken  int64 // rows whose structure is wrong
	misfits []Misfit
}

// profileCSV reads a file of so many bytes and describes it. The error is ctx's, the file's, or a
// *jobs.Error.
func profileCSV(ctx context.Context, to reporter, src io.Reader, size int64) (CSVResult, error) {
	p := csvProfile{to: to}
	progress := meter{to: to, unit: "byte", total: size}
	message := func() string { return fmt.Sprintf("%d rows", p.rows) }
	r := newCSVReader(src, size+maxGrowth, func(n int) { progress.add(int64(n), message) })
	if err := p.header(ctx, r); err != nil {
		return CSVResult{}, err
	}
	for {
		rec, err := r.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return CSVResult{}, err
		}
		p.row(rec)
	}
	progress.correct(r.taken - size)
	res := p.result()
	res.Bytes, res.Delimiter = r.taken, string(r.delimiter)
	return res, nil
}

// header reads the first record, which names the columns.
func (p *csvProfile) header(ctx context.Context, r *csvReader) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	r.keep = maxColumns + 1
	rec, err := r.next(ctx)
	switch {
	case err == io.EOF:
		return notCSV("The file is not a CSV file: it has only blank lines.")
	case err != nil:
		return err
	case rec.problem != "":
		return notCSV(fmt.Sprintf("The file is not a CSV file: its header, line %d, %s.", rec.line, rec.problem))
	case rec.count > maxColumns:
		return &jobs.Error{Type: "TooManyColumns", Message: fmt.Sprintf("The file has %d columns. Give one with at most %d.", rec.count, maxColumns)}
	}
	for _, f := range rec.fields {
		// A longer name is not worth its memory; it is cut anyway where it is shown.
		p.names = append(p.names, cut(string(f[:min(len(f), maxValue+utf8.UTFMax)]), maxValue))
	}
	r.keep = len(p.names)
	p.limits = newCSVLimits(len(p.names))
	p.states = make([]columnState, len(p.names))
	return nil
}

// row counts one record below the header. Where its structure is wrong, nobody knows which of its fields
// belongs to which column, and none is counted there.
func (p *csvProfile) row(rec csvRecord) {
	p.rows++
	if rec.problem == "" && rec.count != len(p.names) {
		rec.problem = fmt.Sprintf("has %s, where the header has %d", fields(rec.count), len(p.names))
	}
	if rec.problem == "" {
		for i, f := range rec.fields {
			p.states[i].add(f, rec.line, p.limits)
		}
		return
	}
	p.broken++
	if len(p.misfits) < maxMisfits {
		p.misfits = append(p.misfits, Misfit{Line: rec.line, Reason: rec.problem})
	}
	if p.broken <= maxMisfitLogs {
		logMisfit(p.to, Misfit{Line: rec.line, Reason: rec.problem})
	}
}

func fields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}

func logMisfit(to reporter, m Misfit) {
	to.Log(slog.LevelWarn, fmt.Sprintf("Line %d %s", m.Line, m.Reason))
}

// result describes the file when all of it was read.
func (p *csvProfile) result() CSVResult {
	res := CSVResult{Rows: p.rows, Columns: make([]Column, len(p.names)), MisfitCount: p.broken}
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
		name := show(cut(col.Name, maxSpotText))
		if name == "" {
			name = fmt.Sprintf("number %d", w.column+1)
		}
		m := Misfit{Line: w.line, Column: col.Name, Reason: fmt.Sprintf("has a value in column %s that is not of type %s", name, col.Type)}
		if w.text != "" {
			m.Reason = fmt.Sprintf("has %s in column %s, which is not of type %s", w.text, name, col.Type)
		}
		if n < maxMisfitLogs {
			logMisfit(p.to, m)
		}
		res.Misfits = append(res.Misfits, m)
	}
	slices.SortStableFunc(res.Misfits, func(a, b Misfit) int { return cmp.Compare(a.Line, b.Line) })
	res.Misfits = res.Misfits[:min(len(res.Misfits), maxMisfits)]
	return res
}
