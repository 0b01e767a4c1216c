package csv

import (
	"bytes"
	"slices"
	"strings"
)

const (
	// sampleRecords is how many records tell the dialect and the header.
	sampleRecords = 200
	// sampleFields is how many fields do, where records are wide.
	sampleFields = 10_000
)

// sample is what the first records of a file look like in one dialect.
type sample struct {
	dialect dialect
	records []sampleRecord
	width   int     // how many fields the records of the table have
	score   float64 // 0 to 1
	top     layout
}

// sampleRecord is one record of a sample.
type sampleRecord struct {
	line    int64
	count   int     // of its fields
	used    int     // the same, without empty ones at the end
	filled  int     // how many are not empty
	clean   int     // how many hold nothing that looks like a delimiter or a quote
	classes []class // of at most maxColumns+1 fields
	first   string  // the first field, cut
	comment bool    // it starts with a #
	doubles bool    // a field is in double quotes that mean nothing
	within  int     // how many quoted fields are in one line,
	across  int     // and how many go over several
	remark  bool
}

// allText reports whether no field is a number or the like.
func (s sampleRecord) allText() bool {
	return !slices.ContainsFunc(s.classes, func(c class) bool { return c != classString && c != classEmpty })
}

// takeSample reads the first records from the front of a file.
func takeSample(front []byte, whole bool, d dialect) sample {
	s := sample{dialect: d}
	r := reader{dialect: d, buf: front, end: len(front), eof: whole, last: whole, line: 1, keep: maxColumns + 1, sampling: true}
	for left := sampleFields; left > 0 && len(s.records) < sampleRecords && r.pos < r.end; {
		rec := record{line: r.line}
		r.wrapped = r.wrapped[:0]
		n := r.parse(r.buf[r.pos:r.end], &rec)
		if n == 0 {
			break
		}
		if rec.count > 0 {
			s.records = append(s.records, r.describe(rec))
			left -= len(rec.fields)
		}
		r.advance(n)
	}
	if len(s.records) > 0 {
		s.measure()
		s.top = s.layout()
		s.top.comments = slices.ContainsFunc(s.records[:s.top.above], func(rec sampleRecord) bool { return rec.comment })
		if s.records[s.top.above].count < 2 {
			s.score = 0 // what does not divide the header is not what divides the rows
		}
	}
	return s
}

// describe looks at the fields of a record.
func (r *reader) describe(rec record) sampleRecord {
	s := sampleRecord{line: rec.line, count: rec.count, remark: rec.remark != "", comment: r.buf[r.pos] == '#'}
	s.classes = make([]class, len(rec.fields))
	s.first = string(rec.fields[0][:min(len(rec.fields[0]), maxValue)])
	wrapped := r.wrapped
	for i, f := range rec.fields {
		s.classes[i] = parseValue(f).class
		if s.classes[i] != classEmpty {
			s.filled, s.used = s.filled+1, i+1
		}
		if len(wrapped) > 0 && wrapped[0] == i {
			wrapped = wrapped[1:]
			s.clean++
			if bytes.ContainsAny(f, "\r\n") {
				s.across++
			} else {
				s.within++
			}
		} else if r.isClean(f) {
			s.clean++
		} else if f = trimSpaces(f); len(f) > 1 && f[0] == '"' && f[len(f)-1] == '"' {
			s.doubles = true
		}
	}
	return s
}

// isClean reports whether a field that was not quoted has no trace of another dialect: a mark that might
// delimit, with no blank after it as it has in a sentence. A comma may be in a number.
func (r *reader) isClean(b []byte) bool {
	b = trimSpaces(b)
	if len(b) > 1 && (b[0] == '\'' || b[0] == '"') && b[len(b)-1] == b[0] {
		return false
	}
	for i, c := range b {
		switch c {
		case '"', '\t', '|':
			return false
		case ',', ';':
			if r.runs && i+1 == len(b) {
				return false // the space after it belongs to it
			}
			if i+1 == len(b) || b[i+1] == ' ' || c == ',' && i > 0 && isDigit(b[i-1]) && isDigit(b[i+1]) {
				continue
			}
			return false
		}
	}
	return true
}

// measure finds out how wide the table is, and how well the sample looks like one.
func (s *sample) measure() {
	type group struct{ records, fields, clean, remarks, used int }
	groups := map[int]*group{}
	for _, rec := range s.records {
		g := groups[rec.count]
		if g == nil {
			g = &group{}
			groups[rec.count] = g
		}
		g.records++
		g.fields += len(rec.classes)
		g.clean += rec.clean
		g.used = max(g.used, rec.used)
		if rec.remark {
			g.remarks++
		}
	}
	for width, g := range groups {
		share := float64(g.records) / float64(len(s.records))
		// The square makes a few records worth less than many; more fields are worth more, but not much. A
		// delimiter that only ends the records delimits nothing.
		used := float64(max(g.used, 1))
		score := share * share * (used - 1) / used
		if first := s.records[0]; first.count < g.used || first.used > width {
			score *= 0.4 // there is something above the header, or this is not the delimiter
		}
		score *= float64(g.clean) / float64(g.fields) * (1 - 0.5*float64(g.remarks)/float64(g.records))
		if score > s.score || score == s.score && width > s.width {
			s.score, s.width = score, width
		}
	}
	if s.dialect.quote != '"' && slices.ContainsFunc(s.records, func(rec sampleRecord) bool { return rec.doubles }) {
		s.score = 0 // nobody uses both
	}
	if s.dialect.quote != '"' && s.rowsInQuotes() {
		s.score *= 0.4
	}
	if s.dialect.runs && !s.isAligned() {
		s.score = 0
	}
	if s.isRare() && (s.width < 3 || 20*groups[s.width].records < 19*len(s.records)) {
		s.score = 0
	}
}

// weight is how much the score counts beside that of other delimiters.
func (s *sample) weight() float64 {
	switch {
	case s.isRare() && !s.mostlyQuoted():
		return 0.6
	case s.dialect.delimiter == '|' && len(s.records) == 1:
		return 0.6 // one record does not tell a table from lists in its fields, which bars are for
	}
	return 1
}

func (s *sample) isRare() bool { return strings.IndexByte(rareDelimiters, s.dialect.delimiter) >= 0 }

// mostlyQuoted reports whether most fields are in quotes within a line: quotes show where fields begin and end, so
// that what is between them delimits.
func (s *sample) mostlyQuoted() bool {
	fields, within := 0, 0
	for _, rec := range s.records {
		fields, within = fields+len(rec.classes), within+rec.within
	}
	return 2*within > fields
}

// rowsInQuotes reports whether the quoted fields are more likely rows between two apostrophes, one at the
// start of a field and one at the end of another, lines below. Who quotes does it within a line, too.
func (s *sample) rowsInQuotes() bool {
	within, across := 0, 0
	for _, rec := range s.records {
		within, across = within+rec.within, across+rec.across
	}
	return across > 0 && across >= within
}

// isAligned reports whether spaces are between fields and not between words. Then nearly all records have the same
// number of fields, three or more, and some columns are numbers: a third of them, or half of them where there are few
// records. Above may be what is no name of a single column; the header may lack a name where it is quoted, as R does it.
func (s *sample) isAligned() bool {
	const least, many = 3, 20
	h := slices.IndexFunc(s.records, func(rec sampleRecord) bool { return rec.count == s.width })
	table, first := s.records[h:], s.records[0]
	if s.width < least || len(table) < least || 2*len(table) < len(s.records) {
		return false
	}
	if h > 0 && first.allText() && !first.comment && (first.count != s.width-1 || first.within < first.count) {
		return false
	}
	same, numbers := 0, make([]int, s.width)
	for _, rec := range table {
		if rec.count != s.width || len(rec.classes) != s.width {
			continue
		}
		same++
		for i, c := range rec.classes {
			if c == classInteger || c == classNumber {
				numbers[i]++
			}
		}
	}
	columns := 0
	for _, n := range numbers {
		if n > 0 && n >= same-1-same/20 { // all but the header, and a few
			columns++
		}
	}
	share := 3
	if same < many {
		share = 2
	}
	return 20*same >= 19*len(table) && share*columns >= s.width
}

// layout is where the table starts.
type layout struct {
	above    int  // how many records are above the header
	comments bool // among them are comments
	unnamed  bool // the header has no name for the first column, as R writes it
	width    int  // how many fields most records have; 0 is not known
}

// maxAbove is how many records may stand above a header.
const maxAbove = 50

// layout finds the header. It is the first record, but where that cannot be: a title, a comment or other
// text above the table. Where that is not clear, the first record stays the header.
func (s *sample) layout() layout {
	if len(s.records) < 2 || s.width < 2 {
		return layout{}
	}
	first := &s.records[0]
	if first.count == s.width {
		return layout{above: s.belowTitle(), width: s.width}
	}
	h := slices.IndexFunc(s.records, func(rec sampleRecord) bool { return rec.count == s.width })
	table := s.records[h:]
	same, other, used, full := 0, 0, 0, 0
	for _, rec := range table {
		if rec.count == s.width {
			same++
			used = max(used, rec.used)
			if rec.used == s.width {
				full++
			}
		} else if !rec.comment {
			other++
		}
	}
	switch {
	case same < 2 || 4*other > same:
		return layout{}
	case h == 1 && used <= first.count && first.count < s.width:
		return layout{width: s.width} // the rows end with a delimiter, and the header does not
	case h == 1 && s.width > 2 && first.count == s.width-1 && full > 0 && !s.names(1) && namesRows(table):
		return layout{unnamed: true, width: s.width}
	case h > maxAbove:
		return layout{}
	case s.names(h) || s.narrow(h) && s.plausible(table):
		return layout{above: h, width: s.width}
	case h == 1 && first.used <= s.width && s.width < first.count:
		return layout{width: s.width} // the header ends with delimiters, and the rows do not
	}
	return layout{}
}

// namesRows reports whether the first fields may be the names of the rows: each is there once.
func namesRows(table []sampleRecord) bool {
	seen := map[string]bool{}
	for _, rec := range table {
		if rec.first == "" || seen[rec.first] {
			return false
		}
		seen[rec.first] = true
	}
	return true
}

// belowTitle looks for the header where the first records have as many fields as the table: a title that a
// spreadsheet filled up with delimiters, or comments with delimiters in them.
func (s *sample) belowTitle() int {
	h := 0
	for h < len(s.records) && h <= maxAbove && (s.records[h].comment || s.records[h].filled <= 1 || s.records[h].count != s.width) {
		h++
	}
	if h == 0 || h == len(s.records) || h > maxAbove || s.records[h].filled < 2 {
		return 0
	}
	if s.names(h) || s.records[h].allText() && s.width > 2 && !s.records[0].comment && 2*s.records[h].filled > s.width {
		return h
	}
	return 0
}

// names reports whether record h names what is below it: it is text, where values below are not.
func (s *sample) names(h int) bool {
	head, below := s.records[h], s.records[h+1:]
	if !head.allText() {
		return false
	}
	for i, c := range head.classes {
		if c != classString {
			continue
		}
		typed, text := 0, 0
		for _, rec := range below {
			if rec.count != s.width || rec.classes[i] == classEmpty {
				continue
			}
			if rec.classes[i] == classString {
				text++
			} else {
				typed++
			}
		}
		if typed > 4*text {
			return true
		}
	}
	return false
}

// narrow reports whether the records above h have hardly a field: titles, comments, a key and its value.
func (s *sample) narrow(h int) bool {
	for _, rec := range s.records[:h] {
		if !rec.comment && rec.used > max(1, min(2, s.width-2)) {
			return false
		}
	}
	return true
}

// plausible reports whether a table that has no names is one, and not text with a comma in many of its
// lines.
func (s *sample) plausible(table []sampleRecord) bool {
	if s.width > 2 || s.dialect.delimiter != ',' {
		return true
	}
	typed, text := 0, 0
	for _, rec := range table {
		for _, c := range rec.classes {
			switch c {
			case classEmpty:
			case classString:
				text++
			default:
				typed++
			}
		}
	}
	return typed > text
}
