package csv

import (
	"bytes"
	"context"
	"fmt"
)

var byteOrderMark = []byte("\xEF\xBB\xBF")

// magics are the first bytes of files that people take for CSV files, or give a name as if they were.
var magics = []struct{ start, what string }{
	{"\x89PNG", "a PNG image"},
	{"\xFF\xD8\xFF", "a JPEG image"},
	{"GIF8", "a GIF image"},
	{"PK\x03\x04", "a ZIP archive, as an Excel workbook is one; export the sheet as CSV"},
	{"\xD0\xCF\x11\xE0", "an old Excel workbook or another Office file; export the sheet as CSV"},
	{"%PDF-", "a PDF document"},
	{"\x1F\x8B", "a gzip file; unpack it first"},
	{"\x28\xB5\x2F\xFD", "a zstd file; unpack it first"},
	{"SQLite format 3", "an SQLite database"},
	{"PAR1", "a Parquet file"},
}

// start reads the front of the file, refuses what is not CSV, skips a byte order mark, and finds out the
// dialect and where the header is. It must be called once, before next.
func (r *reader) start(ctx context.Context) (layout, error) {
	if err := r.decode(ctx); err != nil {
		return layout{}, err
	}
	err := r.fill(ctx)
	front := r.buf[:r.end]
	for _, m := range magics {
		if bytes.HasPrefix(front, []byte(m.start)) {
			return layout{}, notCSV(fmt.Sprintf("The file is not a CSV file: it starts like %s.", m.what))
		}
	}
	if err != nil {
		return layout{}, err
	}
	if i := bytes.IndexByte(front, 0); i >= 0 && isBinary(front) {
		return layout{}, notCSV(fmt.Sprintf("The file is not a CSV file: of its first %d bytes many are NUL or other control characters, the first NUL after %d bytes.", len(front), i))
	}
	if bytes.HasPrefix(front, byteOrderMark) {
		r.pos = len(byteOrderMark)
	}
	if r.source.taken == 0 {
		return layout{}, notCSV("The file is not a CSV file: it is empty.")
	}
	delimiter, n := separatorLine(r.buf[r.pos:r.end])
	line := r.buf[r.pos : r.pos+n]
	r.pos += n
	front = r.buf[r.pos:r.end]
	sample := detect(front, r.eof, delimiter)
	r.dialect = sample.dialect
	r.line += r.lines(line) // only now it is known what ends a line
	if r.returns {
		r.checkAgain() // likewise
	}
	return sample.top, nil
}

// separatorLine takes the line that tells Excel the delimiter, "sep=;", off the front of a file. The
// delimiter is 0 where there is none.
func separatorLine(front []byte) (delimiter byte, n int) {
	line := front[:max(0, bytes.IndexAny(front, "\r\n"))]
	n = len(line)
	line = bytes.Trim(line, `"`)
	if len(line) != len("sep=;") || !bytes.EqualFold(line[:4], []byte("sep=")) || !mayDelimit(line[4]) {
		return 0, 0
	}
	for n < len(front) && front[n] == '\r' {
		n++
	}
	if n < len(front) && front[n] == '\n' {
		n++
	}
	return line[4], n
}

// mayDelimit reports whether a file may name c as its delimiter.
func mayDelimit(c byte) bool {
	return c == '\t' || ' ' <= c && c <= '~' && c != '"' && c != '\\' && !isDigit(c) && !('a' <= c|0x20 && c|0x20 <= 'z')
}

const (
	// delimiters are those that are looked for. Of two that fit equally well, the first is taken.
	delimiters = ",;\t|"
	// rareDelimiters are looked for too, and must fit nearly all of the sample. See weight.
	rareDelimiters = "#^~"
)

// detect returns the dialect that fits the front of a file best: the one that splits most of the first
// records into equally many fields, as many as may be, that look as if nothing else was between them.
// Where none splits anything, it is that of RFC 4180, and there is one column. The delimiter is given, or 0.
func detect(front []byte, whole bool, delimiter byte) sample {
	plain := dialect{delimiter: ',', quote: '"'}
	if delimiter != 0 {
		plain.delimiter = delimiter
	}
	plain.returns = onlyReturns(front, whole, plain)
	best := takeSample(front, whole, plain)
	try := func(d dialect, factor float64) {
		s := takeSample(front, whole, d)
		if s.score *= factor * s.weight(); s.score > best.score {
			best = s
		}
	}
	eachDelimiter := func(d dialect, factor float64) {
		if delimiter != 0 {
			try(d, factor)
			return
		}
		for _, d.delimiter = range []byte(delimiters) {
			try(d, factor)
		}
		for _, d.delimiter = range []byte(rareDelimiters) {
			if bytes.IndexByte(front, d.delimiter) >= 0 {
				try(d, factor)
			}
		}
	}
	eachDelimiter(plain, 1)
	// The unusual must be better than the usual, not only as good.
	if d := plain; !d.returns && bytes.IndexByte(front, '\r') >= 0 && loneReturn(front) {
		d.returns = true
		eachDelimiter(d, 0.95)
	}
	if d := best.dialect; bytes.Contains(front, []byte(`\"`)) {
		d.escape = '\\'
		eachDelimiter(d, 0.95)
	}
	if d := best.dialect; bytes.IndexByte(front, '\'') >= 0 {
		d.quote = '\''
		eachDelimiter(d, 0.95)
		d.escape = '\\'
		if bytes.Contains(front, []byte(`\'`)) {
			eachDelimiter(d, 0.9)
		}
	}
	if delimiter == 0 {
		// Spaces are between words too: other marks come first.
		d := plain
		d.delimiter, d.runs = ' ', true
		try(d, 0.3)
	}
	return best
}

// loneReturn reports whether a CR is in text that does not belong to the end of a line with an LF.
func loneReturn(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\r')
		if i < 0 {
			return false
		}
		text = text[i:]
		for len(text) > 0 && text[0] == '\r' {
			text = text[1:]
		}
		if len(text) > 0 && text[0] != '\n' {
			return true
		}
	}
}

// onlyReturns reports whether the lines of a file end with a CR alone: with LFs it would be one line, but
// perhaps for an LF at its end.
func onlyReturns(front []byte, whole bool, d dialect) bool {
	if bytes.IndexByte(front, '\r') < 0 || !loneReturn(front) && bytes.IndexByte(front, '\n') >= 0 {
		return false
	}
	byLF := takeSample(front, whole, d)
	d.returns = true
	byCR := takeSample(front, whole, d)
	return len(byLF.records) <= 1 && (len(byCR.records) > 2 || len(byCR.records) == 2 && bytes.IndexByte(front, '\n') < 0)
}
