package csv

import "bytes"

// What can be said of the text of a record. It is read all the same, so that it is a remark.
const (
	bareQuote  = "has a quote inside of a field that does not start with one"
	innerQuote = "has a quote inside of a quoted field that is not written twice"
	textAfter  = "has text between a closing quote and the next delimiter"
	openQuote  = "has a quote that is never closed"
)

// A dialect is what differs between CSV files.
type dialect struct {
	delimiter byte // between two fields
	quote     byte // around a field
	escape    byte // before a quote that belongs to a quoted field, beside writing it twice; 0 is none
	returns   bool // a CR ends a line too; else it belongs to the end of a line only before an LF
	runs      bool // several delimiters are as one, and those around a line are none: columns that spaces align
}

// fieldEnd is what comes after a field.
type fieldEnd int

const (
	endOfData   fieldEnd = iota // the field does not end in the data
	endOfField                  // another field
	endOfRecord                 // another record, or nothing
	endInText                   // neither: text follows what looked like the end
)

// parse takes one record off the front of data and returns its length, with its line end. It returns 0
// if the record does not end in data.
func (r *reader) parse(data []byte, rec *record) int {
	r.fields, r.plain, r.opener = r.fields[:0], r.plain[:0], -1
	if r.runs {
		return r.parseRuns(data, rec)
	}
	end, n := r.lineEnd(data)
	if r.quoted(end) {
		return r.parseQuoted(data, rec)
	}
	if n == 0 || end == 0 {
		return n
	}
	line := data[:end]
	for {
		i := bytes.IndexByte(line, r.delimiter)
		if i < 0 {
			break
		}
		r.field(rec, line[:i])
		line = line[i+1:]
	}
	r.field(rec, line)
	rec.fields = r.fields
	return n
}

// lineEnd is where the text of the line at the front of data ends, and where the next one starts: 0 if
// that is not in data.
func (r *reader) lineEnd(data []byte) (end, next int) {
	if r.returns {
		end = bytes.IndexAny(data, "\r\n")
	} else {
		end = bytes.IndexByte(data, '\n')
	}
	next = end + 1
	if end < 0 {
		end, next = len(data), 0
		if r.last {
			next = len(data)
		}
	}
	return len(trimCR(data[:end])), next
}

// quoted reports whether a quote is in the next n bytes. It remembers where it has searched, so that a
// file without quotes is searched once.
func (r *reader) quoted(n int) bool {
	r.clear = max(r.clear, r.pos)
	if r.clear < r.pos+n && r.buf[r.clear] != r.quote {
		if i := bytes.IndexByte(r.buf[r.clear:r.end], r.quote); i >= 0 {
			r.clear += i
		} else {
			r.clear = r.end
		}
	}
	return r.clear < r.pos+n
}

func (r *reader) field(rec *record, b []byte) {
	if rec.count < r.keep {
		r.fields = append(r.fields, b)
	} else if !rec.over {
		rec.over = len(trimSpaces(b)) > 0
	}
	rec.count++
}

// parseQuoted is parse for a record with a quote in its first line.
func (r *reader) parseQuoted(data []byte, rec *record) int {
	r.wrapped = r.wrapped[:0]
	for p := 0; ; {
		open := p
		for open < len(data) && data[open] <= ' ' && r.isBlank(data[open]) {
			open++
		}
		var end fieldEnd
		if open < len(data) && data[open] == r.quote {
			p, end = r.quotedField(data, p, open, rec)
		} else {
			p, end = r.bareField(data, p, rec)
		}
		switch end {
		case endOfData:
			return 0
		case endOfRecord:
			rec.fields = r.fields
			return p
		}
	}
}

// parseRuns is parse where several delimiters are as one.
func (r *reader) parseRuns(data []byte, rec *record) int {
	r.wrapped = r.wrapped[:0]
	for p := 0; ; {
		for p < len(data) && data[p] == r.delimiter {
			p++
		}
		next, end := r.afterBlanks(data, p)
		if end == endInText { // a field, and not the end of the line
			if data[p] == r.quote {
				next, end = r.quotedField(data, p, p, rec)
			} else {
				next, end = r.bareField(data, p, rec)
			}
		}
		switch end {
		case endOfData:
			return 0
		case endOfRecord:
			rec.fields = r.fields
			return next
		}
		p = next
	}
}

// isBlank reports whether c may stand between a quote and the delimiter.
func (r *reader) isBlank(c byte) bool { return (c == ' ' || c == '\t') && c != r.delimiter }

// bareField reads a field that starts at p as it is. It returns where the next one starts.
func (r *reader) bareField(data []byte, p int, rec *record) (int, fieldEnd) {
	start := p
	for ; p < len(data); p++ {
		switch c := data[p]; {
		case c == r.delimiter:
			r.field(rec, data[start:p])
			return p + 1, endOfField
		case c == '\n' || c == '\r' && r.returns:
			r.field(rec, trimCR(data[start:p]))
			return p + 1, endOfRecord
		case c == r.quote && rec.remark == "":
			rec.remark = bareQuote
		}
	}
	if !r.last {
		return 0, endOfData
	}
	r.field(rec, trimCR(data[start:]))
	return p, endOfRecord
}

// quotedField is bareField for a field whose opening quote is at open, with nothing but blanks from start
// to there.
func (r *reader) quotedField(data []byte, start, open int, rec *record) (int, fieldEnd) {
	r.opener = open
	doubled := false
	for p := open + 1; ; {
		i := r.indexQuote(data[p:])
		if i < 0 {
			if !r.last {
				return 0, endOfData
			}
			return r.strayQuote(data, start, rec, openQuote)
		}
		p += i
		if data[p] != r.quote || p+1 < len(data) && data[p+1] == r.quote {
			doubled = true // or escaped
			p = min(p+2, len(data))
			continue
		}
		next, end := r.afterQuote(data, p+1)
		content := data[open+1 : p]
		if end == endInText {
			if bytes.ContainsAny(content, "\r\n") || r.opens(content) {
				// Most likely the opening quote is a stray one, and what seems to be its end opens another
				// field, perhaps many lines below. What is between is read for what it is.
				return r.strayQuote(data, start, rec, openQuote)
			}
			var closing int
			closing, next, end = r.closingQuote(data, p+1)
			switch end {
			case endOfData:
				r.opener = -1
				return 0, endOfData
			case endInText:
				return r.strayQuote(data, start, rec, textAfter)
			}
			content, doubled = data[open+1:closing], true
			if rec.remark == "" {
				rec.remark = innerQuote
			}
		}
		if end == endOfData {
			return 0, endOfData
		}
		r.opener = -1
		if doubled {
			content = r.undouble(content)
		}
		if r.sampling {
			r.wrapped = append(r.wrapped, rec.count)
		}
		r.field(rec, content)
		return next, end
	}
}

// indexQuote is where the next quote is, or the next character that escapes one.
func (r *reader) indexQuote(b []byte) int {
	if r.escape == 0 {
		return bytes.IndexByte(b, r.quote)
	}
	return r.indexEscape(b)
}

func (r *reader) indexEscape(b []byte) int {
	return bytes.IndexFunc(b, func(c rune) bool { return c == rune(r.quote) || c == rune(r.escape) })
}

// afterQuote tells what follows a quote that ends before p, past blanks.
func (r *reader) afterQuote(data []byte, p int) (next int, end fieldEnd) {
	if p < len(data) && data[p] == r.delimiter {
		return p + 1, endOfField
	}
	return r.afterBlanks(data, p)
}

func (r *reader) afterBlanks(data []byte, p int) (next int, end fieldEnd) {
	for p < len(data) && r.isBlank(data[p]) {
		p++
	}
	if p < len(data) && data[p] == r.delimiter {
		return p + 1, endOfField
	}
	for p < len(data) && data[p] == '\r' && !r.returns {
		p++
	}
	switch {
	case p < len(data) && (data[p] == '\n' || data[p] == '\r'):
		return p + 1, endOfRecord
	case p < len(data):
		return 0, endInText
	case r.last:
		return p, endOfRecord
	}
	return 0, endOfData
}

// opens reports whether a quote after content would open a field.
func (r *reader) opens(content []byte) bool {
	for n := len(content); n > 0 && r.isBlank(content[n-1]); n-- {
		content = content[:n-1]
	}
	return len(content) > 0 && content[len(content)-1] == r.delimiter
}

// closingQuote looks from p to the end of the line for a quote that ends a field, and gives up at one that
// opens another field.
func (r *reader) closingQuote(data []byte, p int) (closing, next int, end fieldEnd) {
	opens := false // a quote here would be after a delimiter
	for ; p < len(data); p++ {
		switch c := data[p]; {
		case c == '\n' || c == '\r' && r.returns:
			return 0, 0, endInText
		case c == r.quote:
			if opens {
				return 0, 0, endInText
			}
			if next, end := r.afterQuote(data, p+1); end != endInText {
				return p, next, end
			}
		case c == r.delimiter:
			opens = true
		case !r.isBlank(c):
			opens = false
		}
	}
	if r.last {
		return 0, 0, endInText
	}
	return 0, 0, endOfData
}

// strayQuote reads a field whose quotes mean nothing.
func (r *reader) strayQuote(data []byte, start int, rec *record, remark string) (int, fieldEnd) {
	next, end := r.bareField(data, start, rec)
	if end != endOfData {
		r.opener = -1
		if rec.remark == "" || rec.remark == bareQuote {
			rec.remark = remark
		}
	}
	return next, end
}

// undouble returns a field with one quote for two, and without the characters that escape one.
func (r *reader) undouble(content []byte) []byte {
	start := len(r.plain)
	for {
		i := r.indexQuote(content)
		if i < 0 {
			break
		}
		r.plain = append(r.plain, content[:i]...)
		content = content[i:]
		if len(content) > 1 && (content[1] == r.quote || content[0] == r.escape && content[1] == r.escape) {
			content = content[1:]
		}
		r.plain = append(r.plain, content[0])
		content = content[1:]
	}
	r.plain = append(r.plain, content...)
	return r.plain[start:]
}

// trimCR takes all CRs off the end of a line: some programs write two before an LF.
func trimCR(line []byte) []byte {
	for n := len(line); n > 0 && line[n-1] == '\r'; n-- {
		line = line[:n-1]
	}
	return line
}
