package workers

import (
	"bytes"
	"context"
	"fmt"
)

const (
	// sampleRecords is how many records tell the delimiter.
	sampleRecords = 200
	// delimiters are those that are looked for. Of two that fit equally well, the first is taken.
	delimiters = ",;\t|"
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
	{"\xFF\xFE", "text in UTF-16; save it as UTF-8"},
	{"\xFE\xFF", "text in UTF-16; save it as UTF-8"},
}

// start reads the front of the file, refuses what is not CSV, skips a byte order mark, and finds out the
// delimiter. It must be called once, before next.
func (r *csvReader) start(ctx context.Context) error {
	err := r.fill(ctx)
	front := r.buf[:r.end]
	for _, m := range magics {
		if bytes.HasPrefix(front, []byte(m.start)) {
			return notCSV(fmt.Sprintf("The file is not a CSV file: it starts like %s.", m.what))
		}
	}
	if err != nil {
		return err
	}
	if bytes.HasPrefix(front, byteOrderMark) {
		r.pos = len(byteOrderMark)
		front = front[r.pos:]
	}
	if r.taken == 0 {
		return notCSV("The file is not a CSV file: it is empty.")
	}
	r.delimiter = detectDelimiter(front, r.eof)
	return nil
}

// detectDelimiter takes the one that splits the first records into many fields, and each into as many as
// the header. Where none splits the header, it is a comma, and there is one column.
func detectDelimiter(front []byte, whole bool) byte {
	best, bestScore := byte(','), 0.0
	for _, d := range []byte(delimiters) {
		if score := delimiterScore(front, whole, d); score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

func delimiterScore(front []byte, whole bool, delimiter byte) float64 {
	r := csvReader{buf: front, end: len(front), eof: whole, last: whole, delimiter: delimiter, line: 1}
	header, records, same := 0, 0, 0
	for records < sampleRecords && r.pos < r.end {
		var rec csvRecord
		n := r.parse(r.buf[r.pos:r.end], &rec)
		if n == 0 {
			break
		}
		r.pos += n
		switch {
		case rec.count == 0 && rec.problem == "":
			continue
		case records == 0:
			header = rec.count
		}
		records++
		if rec.count == header && rec.problem == "" {
			same++
		}
	}
	if records == 0 {
		return 0
	}
	// The square makes a few wide records worth less than many even ones.
	share := float64(same) / float64(records)
	return share * share * float64(header-1)
}
