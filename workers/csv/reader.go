package csv

import (
	"bytes"
	"context"
	"fmt"
	"io"
)

// maxRecord is the length in bytes of the longest record, with its line ends, that is read. A longer one
// is a misfit, and skipped.
const maxRecord = 1 << 20

// readChunk is how many bytes are read at once, between two looks at whether the context is done.
const readChunk = 256 << 10

// reader reads the records of a CSV file (RFC 4180, "Definition of the CSV Format") in any dialect,
// with blank lines skipped. Of what the RFC does not allow it makes the best: blanks around a quoted field
// are nothing, and quotes that have no sense are text, with a remark. The next record always starts at a
// line that can be known. Its memory is that of its buffer, maxRecord plus readChunk, and of one record's
// fields.
type reader struct {
	dialect
	source *source
	src    io.Reader // the source, or what decodes it

	window int // maxRecord; the tests have a smaller one
	chunk  int // readChunk, likewise

	keep     int  // how many fields of a record are kept; the others are only counted
	sampling bool // note in wrapped which fields were quoted

	buf      []byte
	pos, end int   // what is left of buf
	checked  int   // up to where buf is known to be text
	line     int64 // of the text at pos, from 1
	returned bool  // the last line ended with a CR: an LF now does not end another
	eof      bool  // src has no more

	encoding string // one of Result's
	foreign  int64  // the first line that is not UTF-8, of encodingForeign
	nul      int64  // the first line with a NUL byte

	clear   int  // no quote is in buf[pos:clear]
	last    bool // what is parsed goes to the end of the file
	opener  int  // where in it the quoted field starts that has not ended, or -1
	fields  [][]byte
	plain   []byte // holds fields that had doubled quotes
	wrapped []int  // numbers of the fields that were quoted
}

// record is one record. Its fields are valid until the next one is read.
type record struct {
	line    int64    // where it starts
	fields  [][]byte // at most keep, without their quotes
	count   int      // of all its fields
	over    bool     // one that was not kept is not empty
	remark  string   // what is wrong with its text, which was read all the same
	problem string   // why it was not read; there are no fields then
}

func newReader(src io.Reader, limit int64, read func(n int)) *reader {
	source := &source{src: src, limit: limit, read: read}
	r := &reader{source: source, src: source, window: maxRecord, chunk: readChunk, line: 1, encoding: encodingUTF8}
	r.quote = '"'
	return r
}

// next returns the next record. The error is io.EOF after the last one, ctx's, the file's, or a NotCSV.
func (r *reader) next(ctx context.Context) (record, error) {
	for {
		// A record is parsed out of at most window bytes, so that what comes of it does not depend on
		// how the file happened to lie in the buffer.
		data := r.buf[r.pos:min(r.end, r.pos+r.window)]
		r.last = r.eof && r.pos+len(data) == r.end
		rec := record{line: r.line}
		if n := r.parse(data, &rec); n > 0 {
			r.advance(n)
			if rec.count == 0 {
				continue // a blank line
			}
			return rec, nil
		}
		switch {
		case r.pos+len(data) < r.end:
			return r.skip(ctx)
		case r.eof:
			return record{}, io.EOF
		}
		if err := r.fill(ctx); err != nil {
			return record{}, err
		}
	}
}

var newline = []byte{'\n'}

// advance goes on by n bytes and counts their lines.
func (r *reader) advance(n int) {
	text := r.buf[r.pos : r.pos+n]
	r.line += r.lines(text)
	if n > 0 {
		r.returned = text[n-1] == '\r'
	}
	r.pos += n
}

// lines is how many lines end in text, which is what follows the text at pos or starts there.
func (r *reader) lines(text []byte) int64 {
	n := bytes.Count(text, newline)
	if !r.returns {
		return int64(n)
	}
	n += bytes.Count(text, []byte{'\r'}) - bytes.Count(text, []byte("\r\n"))
	if r.returned && len(text) > 0 && text[0] == '\n' {
		n--
	}
	return int64(n)
}

// fill reads up to chunk bytes more. At the end of the file it sets eof.
func (r *reader) fill(ctx context.Context) error {
	if r.buf == nil {
		r.buf = make([]byte, r.window+r.chunk)
	}
	copy(r.buf, r.buf[r.pos:r.end])
	r.end -= r.pos
	r.checked -= r.pos
	r.clear = max(0, r.clear-r.pos)
	r.pos = 0
	for room := min(r.end+r.chunk, len(r.buf)); r.end < room; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.src.Read(r.buf[r.end:room])
		r.end += n
		if err == io.EOF {
			r.eof = true
			break
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
	}
	r.check()
	return nil
}
