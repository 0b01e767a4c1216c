package csv

import (
	"bytes"
	"context"
	"fmt"
)

// tooLong is why a record is not read.
const tooLong = "is longer than 1 MiB"

// skip gets over a record that does not end within window bytes.
func (r *reader) skip(ctx context.Context) (record, error) {
	rec := record{line: r.line, problem: tooLong}
	if r.opener >= 0 {
		return rec, r.skipQuoted(ctx)
	}
	for {
		i := bytes.IndexByte(r.buf[r.pos:r.end], '\n')
		if r.returns {
			i = bytes.IndexAny(r.buf[r.pos:r.end], "\r\n")
		}
		if i >= 0 {
			r.advance(i + 1)
			return rec, nil
		}
		r.advance(r.checked - r.pos) // to the end, or before a character that has not come in whole
		if r.eof {
			return rec, nil
		}
		if err := r.fill(ctx); err != nil {
			return record{}, err
		}
	}
}

// skipQuoted gets over a record with a quoted field that does not end within window bytes. Line ends in the
// field are text, however much they look like records: the field goes on to its closing quote. Where there
// is none, or the next quote cannot be one, nobody knows what belongs to the field, and the error says so.
func (r *reader) skipQuoted(ctx context.Context) error {
	r.advance(r.opener)
	line := r.line
	r.advance(1)
	for {
		i := r.indexQuote(r.buf[r.pos:r.end])
		if i < 0 {
			i = r.checked - r.pos
		}
		r.advance(i)
		switch n, end := r.atQuote(); end {
		case endInText:
			if n == 0 {
				return unclosed(line)
			}
			r.advance(n)
			continue
		case endOfRecord:
			r.advance(n)
			return nil
		case endOfField:
			r.advance(n)
			return r.skipRest(ctx)
		}
		if r.eof {
			return unclosed(line)
		}
		if err := r.fill(ctx); err != nil {
			return err
		}
	}
}

// atQuote tells what the quote at pos, or the character that may escape one, ends, and how long that is:
// endInText of no length is a quote that has no place inside of a quoted field.
func (r *reader) atQuote() (n int, end fieldEnd) {
	data := r.buf[r.pos:min(r.end, r.pos+r.window)]
	r.last = r.eof && r.pos+len(data) == r.end
	switch {
	case len(data) == 0 || r.pos >= r.checked:
		return 0, endOfData
	case len(data) > 1 && (data[1] == r.quote || data[0] != r.quote && data[1] == r.escape):
		return 2, endInText
	case data[0] != r.quote && (len(data) > 1 || r.last):
		return 1, endInText
	case data[0] != r.quote:
		return 0, endOfData
	}
	if n, end = r.afterQuote(data, 1); end == endOfData && len(data) == r.window {
		return 0, endInText
	}
	return n, end
}

// skipRest gets over what follows a field that was skipped.
func (r *reader) skipRest(ctx context.Context) error {
	for {
		data := r.buf[r.pos:min(r.end, r.pos+r.window)]
		r.last = r.eof && r.pos+len(data) == r.end
		var rest record
		if n := r.parse(data, &rest); n > 0 {
			r.advance(n)
			return nil
		}
		if r.pos+len(data) < r.end {
			_, err := r.skip(ctx)
			return err
		}
		if r.eof {
			return nil
		}
		if err := r.fill(ctx); err != nil {
			return err
		}
	}
}

func unclosed(line int64) error {
	return notCSV(fmt.Sprintf("The file cannot be read as CSV: line %d has a quote that is not closed within 1 MiB, and rightly nowhere below. Close it, or write it twice if it is text.", line))
}
