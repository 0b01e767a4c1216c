package csv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func profileText(t *testing.T, text string) (Result, error) {
	t.Helper()
	read := 0
	res, err := Profile(t.Context(), strings.NewReader(text), Config{Read: func(n int, _ int64) { read += n }})
	if err == nil && read != len(text) {
		t.Errorf("%.60q: told of %d bytes, want all of %d", text, read, len(text))
	}
	return res, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// brief tells a result in a line.
func brief(res Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows by %q:", res.Rows, res.Delimiter)
	for _, c := range res.Columns {
		fmt.Fprintf(&b, " %s %s", c.Name, c.Type)
	}
	fmt.Fprintf(&b, "; %d misfits", res.MisfitCount)
	for _, m := range res.Misfits {
		fmt.Fprintf(&b, "; %d %s", m.Line, m.Reason)
	}
	if res.RemarkCount > 0 {
		fmt.Fprintf(&b, "; %d remarks", res.RemarkCount)
	}
	for _, m := range res.Remarks {
		fmt.Fprintf(&b, "; %d %s", m.Line, m.Reason)
	}
	return b.String()
}

func TestProfile(t *testing.T) {
	people := "name,age\n" + strings.Repeat("Ada,36\n", 19)
	for _, tt := range []struct{ name, text, want string }{
		{"comma", "a,b\n1,x\n2,y\n", `2 rows by ",": a integer b string; 0 misfits`},
		{"semicolon, with commas in numbers", "a;b;c\n1,5;x;1\n2,5;y;2\n", `2 rows by ";": a string b string c integer; 0 misfits`},
		{"tab", "a\tb\n1\tx, y\n", "1 rows by \"\\t\": a integer b string; 0 misfits"},
		{"bar", "a|b\n1|2,5\n", `1 rows by "|": a integer b string; 0 misfits`},
		{"one column", "a\n1\n2\n", `2 rows by ",": a integer; 0 misfits`},
		{"delimiters in quotes do not count", "\"a;b;c;d\",e\n\"x;y;z;w\",2\n", `1 rows by ",": a;b;c;d string e integer; 0 misfits`},
		{"one column of text with commas", "quote\nwell, well\nnone\n", `2 rows by ",": quote string; 1 misfits; 2 has 2 fields, where the header has 1`},
		{"header only", "a,b\n", `0 rows by ",": a empty b empty; 0 misfits`},
		{"header without a line end", "a,b", `0 rows by ",": a empty b empty; 0 misfits`},
		{"byte order mark", "\uFEFF\"a\",b\n1,2\n", `1 rows by ",": a integer b integer; 0 misfits`},
		{"CRLF", "a,b\r\n1,2\r\n", `1 rows by ",": a integer b integer; 0 misfits`},
		{"names that are empty or there twice", ",a,a\n1,2,3\n", `1 rows by ",":  integer a integer a integer; 0 misfits`},
		{"line ends in fields", "a,b\n\"x\ny\",1\n\nz,2,3\n", `2 rows by ",": a string b integer; 1 misfits; 5 has 3 fields, where the header has 2`},
		{"too few and too many fields", "a,b\n1\n1,2\n1,2,3\n", `3 rows by ",": a integer b integer; 2 misfits; 2 has 1 field, where the header has 2; 4 has 3 fields, where the header has 2`},
		{"quote errors", "a,b\n1,x\"y\n2,\"x\"y\n3,ok\n4,\"never closed\n5,fine\n", `5 rows by ",": a integer b string; 0 misfits; 3 remarks; 2 ` + bareQuote + "; 3 " + textAfter + "; 5 " + openQuote},
		{"a quote that makes fields too many", "a,b\n1,\"x,y\n2,z\n", `2 rows by ",": a integer b string; 1 misfits; 2 has 3 fields, where the header has 2; it ` + openQuote},
		{"a value of the wrong type", people + "Alan,N/A\n", `20 rows by ",": name string age integer; 1 misfits; 21 has "N/A" in column age, which is not of type integer`},
		{"too many of the wrong type", people + "Alan,N/A\nAlan,?\n", `21 rows by ",": name string age string; 0 misfits`},
		{"the first value is the wrong one", "age\n-\n" + strings.Repeat("1\n", 19), `20 rows by ",": age integer; 1 misfits; 2 has "-" in column age, which is not of type integer`},
		{"a wrong value that is long", "age\n" + strings.Repeat("1\n", 19) + strings.Repeat("é", 30) + "\n", `20 rows by ",": age integer; 1 misfits; 21 has "` + strings.Repeat("é", 20) + `"… in column age, which is not of type integer`},
		{"a wrong value with control characters", "\"a\nb\"\n" + strings.Repeat("1\n", 19) + "\"x\n\x1b\"\n", `20 rows by ",": a` + "\n" + `b integer; 1 misfits; 22 has "x\n\x1b" in column "a\nb", which is not of type integer`},
		{"a wrong value in a column without a name", ",b\n" + strings.Repeat("1,2\n", 19) + "x,2\n", `20 rows by ",":  integer b integer; 1 misfits; 21 has "x" in column number 1, which is not of type integer`},
		{"misfits of both sorts are in order", "a,b\n1\n" + strings.Repeat("1,2\n", 19) + "x,y\n1\n", `22 rows by ",": a integer b integer; 4 misfits; 2 has 1 field, where the header has 2; ` +
			`22 has "x" in column a, which is not of type integer; 22 has "y" in column b, which is not of type integer; 23 has 1 field, where the header has 2`},
		{"a row that is too long", "a,b\n1,2\n3," + strings.Repeat("x", 3<<20) + "\n5,6\n", `3 rows by ",": a integer b integer; 1 misfits; 3 ` + tooLong},
		{"a long row that is not too long", "a,b\n1," + strings.Repeat("x", maxRecord-3) + "\n5,y\n", `2 rows by ",": a integer b string; 0 misfits`},
	} {
		res, err := profileText(t, tt.text)
		if got := brief(res); err != nil || got != tt.want {
			t.Errorf("%s: %.200q:\ngot  %.500s, %v\nwant %s", tt.name, tt.text, got, err, tt.want)
		}
	}
}

func TestProfileRefusesWhatIsNotCSV(t *testing.T) {
	for _, tt := range []struct{ name, text, typ, want string }{
		{"empty", "", "NotCSV", "it is empty"},
		{"only a byte order mark", "\uFEFF", "NotCSV", "only blank lines"},
		{"only blank lines", "\n\r\n\n", "NotCSV", "only blank lines"},
		{"PNG", "\x89PNG\r\n\x1a\n\x00\x00", "NotCSV", "a PNG image"},
		{"JPEG", "\xff\xd8\xff\xe0", "NotCSV", "a JPEG image"},
		{"workbook", "PK\x03\x04\x14\x00", "NotCSV", "export the sheet as CSV"},
		{"PDF", "%PDF-1.7\n", "NotCSV", "a PDF document"},
		{"gzip", "\x1f\x8b\x08\x00", "NotCSV", "unpack it first"},
		{"program", "\x7fELF\x02\x01\x01\x00", "NotCSV", "many are NUL or other control characters, the first NUL after 7 bytes"},
		{"a binary front, and text below", "x\x00\x01" + strings.Repeat("\x00", 100) + strings.Repeat("a,b\n", 10_000), "NotCSV", "many are NUL"},
		{"a header that is too long", strings.Repeat("x", 2<<20), "NotCSV", "its header, line 1, is longer than 1 MiB"},
		{"a NUL in UTF-16", "\xff\xfea\x00\n\x00\x00\x00", "NotCSV", "many are NUL"},
		{"a quote that is never closed", "a,b\n1,\"" + strings.Repeat("2\n3,4", maxRecord/4), "NotCSV", "line 2 has a quote that is not closed within 1 MiB"},
		{"too many columns", strings.Repeat("a,", maxColumns) + "a\n", "TooManyColumns", "2001 columns"},
		{"a header of commas", strings.Repeat(",", 1<<19) + "\n", "TooManyColumns", "524289 columns"},
	} {
		_, err := profileText(t, tt.text)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Type != tt.typ || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: got %v, want %s with %q", tt.name, err, tt.typ, tt.want)
		}
	}
}

func TestProfileListsTheFirstMisfits(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,n\n")
	for i := range 10_000 {
		switch {
		case i%50 == 7:
			b.WriteString("1,2,3\n")
		case i%50 == 8:
			b.WriteString("1,x\n")
		default:
			b.WriteString("1,2\n")
		}
	}
	var told []Misfit
	res, err := Profile(t.Context(), strings.NewReader(b.String()), Config{Misfit: func(m Misfit) { told = append(told, m) }})
	if err != nil {
		t.Fatal(err)
	}
	if res.MisfitCount != 400 || len(res.Misfits) != maxMisfits {
		t.Fatalf("got %d misfits and %d listed, want 400 and %d", res.MisfitCount, len(res.Misfits), maxMisfits)
	}
	for i, m := range res.Misfits {
		want := int64(i/2*50 + 7 + i%2 + 2)
		if m.Line != want || (m.Column == "n") != (i%2 == 1) {
			t.Errorf("misfit %d: got %+v, want line %d", i, m, want)
		}
	}
	if n := maxMisfitLogs; len(told) != 2*n || told[0].Line != 9 || !strings.Contains(told[0].Reason, "has 3 fields") || told[n].Line != 10 || !strings.Contains(told[n].Reason, `has "x" in column n`) {
		t.Errorf("told of %+v", told)
	}
}

func TestProfileStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	const after = 3 << 20
	done := 0
	read := func(n int, _ int64) {
		if done += n; done >= after {
			cancel()
		}
	}
	src := &rowSource{header: "a,b\n", row: "1,2\n", left: 1 << 30}
	_, err := Profile(ctx, src, Config{Read: read})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if done > after+readChunk {
		t.Errorf("got %v bytes read, want at most %d", done, after+readChunk)
	}
}

func TestProfileBoundsGrowth(t *testing.T) {
	src := &rowSource{header: "a,b\n", row: "1," + strings.Repeat("x", 1000) + "\n", left: 1 << 30}
	if _, err := Profile(t.Context(), src, Config{Limit: 64 << 20}); err == nil || !strings.Contains(err.Error(), "grows while it is read") {
		t.Errorf("got %v", err)
	}
	if left := 1<<30 - src.left; left > 64<<20+readChunk {
		t.Errorf("got %d bytes read, want at most a chunk beyond the limit", left)
	}
}

// rowSource gives a header and then rows, up to so many bytes. Each # in a row is a digit by chance.
type rowSource struct {
	header, row string
	left        int
	seen        func() // called now and then
	random      *rand.PCG
	block       []byte // what is to be given yet
	buf         []byte
}

func (s *rowSource) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	if len(s.block) == 0 {
		if s.seen != nil {
			s.seen()
		}
		if s.random == nil {
			s.random = rand.NewPCG(1, 2)
		}
		s.buf = append(s.buf[:0], s.header...)
		s.header = ""
		for len(s.buf) < 4<<20 {
			start := len(s.buf)
			s.buf = append(s.buf, s.row...)
			var bits uint64
			for i := start; i < len(s.buf); i++ {
				if s.buf[i] != '#' {
					continue
				}
				if bits>>4 == 0 {
					bits = s.random.Uint64() | 1<<63
				}
				s.buf[i] = "0123456789abcdef"[bits&15]
				bits >>= 4
			}
		}
		s.block = s.buf
	}
	n := copy(p, s.block)
	s.block = s.block[n:]
	s.left -= n
	return n, nil
}

// TestProfileBoundsMemory looks at the heap while large files are read, each as far as a third of a
// second goes.
func TestProfileBoundsMemory(t *testing.T) {
	const size = 1 << 30
	wide := strings.Repeat("c,", maxColumns-1) + "c\n"
	for _, tt := range []struct {
		name, header, row string
		bound             int64 // bytes
	}{
		{"few columns, all values distinct", "a,b,c,d\n", "########,plain text and ####,2024-01-01,######\n", 6 << 20},
		{"two thousand columns", wide, strings.Repeat("####,", maxColumns-1) + "#\n", 24 << 20},
		{"nothing but quotes", "a,b\n", strings.Repeat("\"", 99) + "\n", 6 << 20},
		{"rows as long as they may be", "a,b\n", strings.Repeat("#", maxRecord-4) + ",1\n", 6 << 20},
		{"one line", "a,b\n", "############", 6 << 20},
		{"rows of far too many fields", "a,b\n", strings.Repeat(",", 1<<19) + "\n", 6 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			heap := func() int64 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc)
			}
			src := &rowSource{header: tt.header, row: tt.row, left: size, buf: make([]byte, 0, 6<<20)}
			before, most, blocks := heap(), int64(0), 0
			start := time.Now()
			src.seen = func() {
				blocks++
				if done := time.Since(start) > time.Second/3; done || blocks%8 == 0 {
					most = max(most, heap()-before)
					if done && blocks > 4 {
						src.left = 0
					}
				}
			}
			res, err := Profile(t.Context(), src, Config{})
			if err != nil {
				t.Fatal(err)
			}
			if most > tt.bound {
				t.Errorf("got %d KiB of heap, want at most %d KiB", most>>10, tt.bound>>10)
			}
			t.Logf("%d MiB in %v, %d KiB of heap, %d rows, %d misfits", res.Bytes>>20, time.Since(start).Round(time.Millisecond), most>>10, res.Rows, res.MisfitCount)
			if b, err := json.Marshal(res.Shorten()); err != nil || len(b) > maxResult {
				t.Errorf("got a result of %d bytes, %v, want at most %d", len(b), err, maxResult)
			}
		})
	}
}

func TestShortenKeepsAnyResultSmall(t *testing.T) {
	const most = 256 << 10
	worst := Result{Rows: 1 << 40, Bytes: 1 << 50, Delimiter: "\t", MisfitCount: 1 << 40}
	name := strings.Repeat("\x01", maxValue)
	mean := -1.2345678901234567e-300
	for range maxColumns {
		worst.Columns = append(worst.Columns, Column{Name: name, Type: TypeDatetime, Empty: 1 << 33, Distinct: 1 << 33, DistinctEstimated: true,
			Min: jsonText(name), Max: jsonText(name), Mean: &mean})
	}
	for range maxMisfits {
		worst.Misfits = append(worst.Misfits, Misfit{Line: 1 << 33, Column: name, Reason: strings.Repeat("\\x01", 100)})
		worst.Remarks = append(worst.Remarks, Remark{Line: 1 << 33, Reason: strings.Repeat("r", 100)})
	}
	before, _ := json.Marshal(worst)
	short := worst.Shorten()
	b, err := json.Marshal(short)
	if err != nil || len(b) > most {
		t.Errorf("got %d bytes, %v, want at most %d", len(b), err, most)
	}
	if len(short.Columns) != maxColumns || len(short.Misfits) == 0 || !short.Shortened {
		t.Errorf("got %d columns, %d misfits, shortened %t", len(short.Columns), len(short.Misfits), short.Shortened)
	}
	if after, _ := json.Marshal(worst); string(after) != string(before) {
		t.Error("the full result was changed")
	}

	// A figure is whole or not there.
	figures := Result{Misfits: []Misfit{}}
	for range maxColumns / 2 {
		figures.Columns = append(figures.Columns, Column{Name: strings.Repeat("n", maxValue), Type: TypeInteger, Min: jsonText("-9223372036854775808"), Max: jsonText("18446744073709551615")})
	}
	short = figures.Shorten()
	if least, most := string(short.Columns[0].Min), string(short.Columns[0].Max); !short.Shortened || least != `"-9223372036854775808"` || most != `"18446744073709551615"` {
		t.Errorf("got %s to %s, shortened %t", least, most, short.Shortened)
	}

	small := Result{Columns: []Column{{Name: strings.Repeat("n", maxValue), Min: jsonText("a")}}, Misfits: []Misfit{}}
	if got := small.Shorten(); !reflect.DeepEqual(got, small) {
		t.Errorf("got %+v, want %+v", got, small)
	}
	for v, want := range map[string]string{`"abcdef"`: `"abc"`, `"ab"`: `"ab"`, `"aää"`: `"aä"`, "12345": "12345", "": "", `"<<<<"`: `"\u003c\u003c\u003c"`} {
		if got := cutValue(json.RawMessage(v), 3); string(got) != want {
			t.Errorf("%s: got %s, want %s", v, got, want)
		}
	}
}
