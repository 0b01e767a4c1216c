package workers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"jobcast/jobs"
)

// maxRecord is the length in bytes of the longest record, with its line ends, that is read. A longer one
// is a misfit, and skipped.
const maxRecord = 1 << 20

// What can be wrong with the text of a record.
const (
	bareQuote     = "has a quote inside of a field that does not start with one"
	textAfter     = "has text between a closing quote and the next delimiter"
	openQuote     = "has a quote that is never closed"
	openQuoteLong = "has a quote that is not closed within 1 MiB"
	tooLong       = "is longer than 1 MiB"
)

// csvReader reads the records of a CSV file (RFC 4180, "Definition of the CSV Format"), with any
// delimiter, either line end, and blank lines skipped. It differs from encoding/csv in that it survives
// whatever it reads: a record that is wrong says so, and the next one starts at a line that can be known.
// Its memory is that of its buffer, maxRecord plus readChunk, and of one record's fields.
type csvReader struct {
	src   io.Reader
	read  func(n int) // told about bytes as they are read
	limit int64       // how many bytes src may give

	window int // maxRecord; the tests have a smaller one
	chunk  int // readChunk, likewise

	delimiter byte
	keep      int // how many fields of a record are kept; the others are only counted

	buf      []byte
	pos, end int   // what is left of buf
	checked  int   // up to where buf is known to be UTF-8
	taken    int64 // bytes read from src
	line     int64 // of the text at pos, from 1
	eof      bool  // src has no more

	quote  int  // no quote is in buf[pos:quote]
	last   bool // what is parsed goes to the end of the file
	opener int  // where in it the quoted field starts that has not ended, or -1
	fields [][]byte
	plain  []byte // holds fields that had doubled quotes
}

// csvRecord is one record. Its fields are valid until the next one is read.
type csvRecord struct {
	line    int64    // where it starts
	fields  [][]byte // at most keep, without their quotes
	count   int      // of all its fields
	problem string   // what is wrong with its text; fields are not to be used then
}

func newCSVReader(src io.Reader, limit int64, read func(n int)) *csvReader {
	r := &csvReader{src: src, limit: limit, read: read, window: maxRecord, chunk: readChunk, line: 1}
	r.buf = make([]byte, r.window+r.chunk)
	return r
}

// next returns the next record. The error is io.EOF after the last one, ctx's, the file's, or a NotCSV.
func (r *csvReader) next(ctx context.Context) (csvRecord, error) {
	for {
		// A record is parsed out of at most window bytes, so that what comes of it does not depend on
		// how the file happened to lie in the buffer.
		data := r.buf[r.pos:min(r.end, r.pos+r.window)]
		r.last = r.eof && r.pos+len(data) == r.end
		rec := csvRecord{line: r.line}
		if n := r.parse(data, &rec); n > 0 {
			r.advance(n)
			if rec.count == 0 && rec.problem == "" {
				continue // a blank line
			}
			return rec, nil
		}
		switch {
		case r.pos+len(data) < r.end:
			return r.skip(ctx)
		case r.eof:
			return csvRecord{}, io.EOF
		}
		if err := r.fill(ctx); err != nil {
			return csvRecord{}, err
		}
	}
}

var newline = []byte{'\n'}

func (r *csvReader) advance(n int) {
	r.line += int64(bytes.Count(r.buf[r.pos:r.pos+n], newline))
	r.pos += n
}

// skip gets over a record that does not end within window bytes. If a quoted field is what makes it so
// long, its quote is taken for a stray one, and reading goes on with the line below it.
func (r *csvReader) skip(ctx context.Context) (csvRecord, error) {
	rec := csvRecord{line: r.line, problem: tooLong}
	if r.opener >= 0 {
		rec.problem = openQuoteLong
		r.advance(r.opener)
	}
	for {
		if i := bytes.IndexByte(r.buf[r.pos:r.end], '\n'); i >= 0 {
			r.advance(i + 1)
			return rec, nil
		}
		r.pos = r.checked // which is end, or before a character that has not come in whole
		if r.eof {
			return rec, nil
		}
		if err := r.fill(ctx); err != nil {
			return csvRecord{}, err
		}
	}
}

// parse takes one record off the front of data and returns its length, with its line end. It returns 0
// if the record does not end in data.
func (r *csvReader) parse(data []byte, rec *csvRecord) int {
	r.fields, r.plain, r.opener = r.fields[:0], r.plain[:0], -1
	end := bytes.IndexByte(data, '\n')
	n := end + 1
	if end < 0 {
		end = len(data)
		if r.last {
			n = len(data)
		}
	}
	if r.quoted(end) {
		return r.parseQuoted(data, rec)
	}
	line := trimCR(data[:end])
	if n == 0 || len(line) == 0 {
		return n
	}
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

// quoted reports whether a quote is in the next n bytes. It remembers where it has searched, so that a
// file without quotes is searched once.
func (r *csvReader) quoted(n int) bool {
	r.quote = max(r.quote, r.pos)
	if r.quote < r.pos+n && r.buf[r.quote] != '"' {
		if i := bytes.IndexByte(r.buf[r.quote:r.end], '"'); i >= 0 {
			r.quote += i
		} else {
			r.quote = r.end
		}
	}
	return r.quote < r.pos+n
}

func (r *csvReader) field(rec *csvRecord, b []byte) {
	if rec.count < r.keep {
		r.fields = append(r.fields, b)
	}
	rec.count++
}

// fieldEnd is what comes after a field.
type fieldEnd int

const (
	endOfData   fieldEnd = iota // the field does not end in the data
	endOfField                  // another field
	endOfRecord                 // another record, or nothing
)

// parseQuoted is parse for a record with a quote in its first line.
func (r *csvReader) parseQuoted(data []byte, rec *csvRecord) int {
	for p := 0; ; {
		var end fieldEnd
		if p < len(data) && data[p] == '"' {
			p, end = r.quotedField(data, p, rec)
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

// bareField reads a field that starts at p without a quote. It returns where the next one starts.
func (r *csvReader) bareField(data []byte, p int, rec *csvRecord) (int, fieldEnd) {
	start := p
	for ; p < len(data); p++ {
		switch data[p] {
		case r.delimiter:
			r.field(rec, data[start:p])
			return p + 1, endOfField
		case '\n':
			r.field(rec, trimCR(data[start:p]))
			return p + 1, endOfRecord
		case '"':
			rec.problem = bareQuote
		}
	}
	if !r.last {
		return 0, endOfData
	}
	r.field(rec, trimCR(data[start:]))
	return p, endOfRecord
}

// quotedField is bareField for a field whose opening quote is at p.
func (r *csvReader) quotedField(data []byte, p int, rec *csvRecord) (int, fieldEnd) {
	r.opener = p
	start, doubled := p+1, false
	for p = start; ; p++ {
		i := bytes.IndexByte(data[p:], '"')
		if i < 0 {
			if !r.last {
				return 0, endOfData
			}
			rec.problem = openQuote
			return lineAfter(data, start), endOfRecord
		}
		p += i + 1
		if p == len(data) || data[p] != '"' {
			break
		}
		doubled = true
	}
	content := data[start : p-1]
	rest := data[p:]
	if len(rest) < 2 && !r.last {
		return 0, endOfData // a quote or a line feed may follow
	}
	var next int
	end := endOfRecord
	switch {
	case len(rest) == 0:
		next = p
	case rest[0] == r.delimiter:
		next, end = p+1, endOfField
	case rest[0] == '\n':
		next = p + 1
	case rest[0] == '\r' && len(rest) == 1:
		next = p + 1
	case rest[0] == '\r' && rest[1] == '\n':
		next = p + 2
	case bytes.IndexByte(content, '\n') >= 0:
		// Most likely the opening quote is a stray one, and what seems to be its end opens another field,
		// many lines below. The lines between are read for what they are.
		rec.problem = textAfter
		return lineAfter(data, start), endOfRecord
	default:
		next, end = r.bareField(data, p, rec)
		if end != endOfData {
			r.opener, rec.problem = -1, textAfter
		}
		return next, end
	}
	r.opener = -1
	if doubled {
		content = r.undouble(content)
	}
	r.field(rec, content)
	return next, end
}

// undouble returns a field with one quote for two.
func (r *csvReader) undouble(content []byte) []byte {
	start := len(r.plain)
	for {
		i := bytes.IndexByte(content, '"')
		if i < 0 {
			break
		}
		r.plain = append(r.plain, content[:i+1]...)
		content = content[i+2:]
	}
	r.plain = append(r.plain, content...)
	return r.plain[start:]
}

// lineAfter is where the line below p starts, or the end of data.
func lineAfter(data []byte, p int) int {
	if i := bytes.IndexByte(data[p:], '\n'); i >= 0 {
		return p + i + 1
	}
	return len(data)
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// fill reads up to chunk bytes more. At the end of the file it sets eof.
func (r *csvReader) fill(ctx context.Context) error {
	copy(r.buf, r.buf[r.pos:r.end])
	r.end -= r.pos
	r.checked -= r.pos
	r.quote = max(0, r.quote-r.pos)
	r.pos = 0
	for room := min(r.end+r.chunk, len(r.buf)); r.end < room; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.src.Read(r.buf[r.end:room])
		r.end += n
		r.taken += int64(n)
		if n > 0 {
			r.read(n)
		}
		if err == io.EOF {
			r.eof = true
			break
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
		if r.taken > r.limit {
			return errors.New("the file grows while it is read")
		}
	}
	return r.check()
}

// check refuses what no text holds.
func (r *csvReader) check() error {
	fresh := r.buf[r.checked:r.end]
	if i := bytes.IndexByte(fresh, 0); i >= 0 {
		return r.notText("a NUL byte", r.checked+i, "")
	}
	if !r.eof {
		fresh = fresh[:len(fresh)-partialRune(fresh)]
	}
	if !utf8.Valid(fresh) {
		i := 0
		for {
			c, size := utf8.DecodeRune(fresh[i:])
			if c == utf8.RuneError && size == 1 {
				break
			}
			i += size
		}
		return r.notText("bytes that are not UTF-8", r.checked+i, " Save it as UTF-8 and try again.")
	}
	r.checked += len(fresh)
	return nil
}

// partialRune is how many bytes at the end of b begin a character that goes on after b.
func partialRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}

// notText is the error for what is at buf[at]. Only text up to pos has been counted into line.
func (r *csvReader) notText(what string, at int, advice string) error {
	line := r.line + int64(bytes.Count(r.buf[r.pos:at], newline))
	offset := r.taken - int64(r.end-at)
	return notCSV(fmt.Sprintf("The file is not a CSV file: it has %s in line %d, after %d bytes.%s", what, line, offset, advice))
}

func notCSV(message string) error { return &jobs.Error{Type: "NotCSV", Message: message} }
