package csv

import (
	"bytes"
	"context"
	rfc4180 "encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readRecord is a record that stays valid.
type readRecord struct {
	line   int64
	fields []string
	said   string // its problem, or a remark
}

func (r readRecord) String() string { return fmt.Sprintf("%d:%q%s", r.line, r.fields, r.said) }

// byComma is the dialect of RFC 4180.
var byComma = dialect{delimiter: ',', quote: '"'}

func newTestReader(src io.Reader, d dialect, window, chunk int) *reader {
	r := newReader(src, 1<<30, func(int) {})
	r.window, r.chunk = window, chunk
	r.dialect, r.keep = d, 1000
	return r
}

// readAll reads a whole text with small buffers, so that records lie across their ends.
func readAll(ctx context.Context, src io.Reader, d dialect, window, chunk int) ([]readRecord, error) {
	r := newTestReader(src, d, window, chunk)
	var all []readRecord
	for {
		rec, err := r.next(ctx)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return all, err
		}
		got := readRecord{line: rec.line, said: rec.problem + rec.remark}
		if rec.problem == "" {
			got.fields = make([]string, len(rec.fields))
			for i, f := range rec.fields {
				got.fields[i] = string(f)
			}
			if rec.count != len(rec.fields) {
				return all, fmt.Errorf("line %d: got count %d, want %d", rec.line, rec.count, len(rec.fields))
			}
		}
		all = append(all, got)
	}
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 70)
	for _, tt := range []struct {
		name, text string
		want       []readRecord
	}{
		{"plain", "a,b\nc,d\n", []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c", "d"}, ""}}},
		{"no line end at the end", "a,b\nc,d", []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c", "d"}, ""}}},
		{"CRLF", "a,b\r\n\"c\",\"d\"\r\n", []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c", "d"}, ""}}},
		{"CR at the end", "a,\"b\"\r", []readRecord{{1, []string{"a", "b"}, ""}}},
		{"CR inside", "a\rb,c\n", []readRecord{{1, []string{"a\rb", "c"}, ""}}},
		{"blank lines", "\n\r\na\n\n\nb\n\n", []readRecord{{3, []string{"a"}, ""}, {6, []string{"b"}, ""}}},
		{"empty fields", ",\n,,\n\"\",\n", []readRecord{{1, []string{"", ""}, ""}, {2, []string{"", "", ""}, ""}, {3, []string{"", ""}, ""}}},
		{"delimiter at the end", "\"a\",", []readRecord{{1, []string{"a", ""}, ""}}},
		{"quoted delimiter", "\"a,b\",c\n", []readRecord{{1, []string{"a,b", "c"}, ""}}},
		{"quoted line ends", "\"a\nb\r\nc\",d\ne,f\n", []readRecord{{1, []string{"a\nb\r\nc", "d"}, ""}, {4, []string{"e", "f"}, ""}}},
		{"doubled quotes", `"a""b","""",""""""` + "\n", []readRecord{{1, []string{`a"b`, `"`, `""`}, ""}}},
		{"quoted field at the end of the file", `a,"b"`, []readRecord{{1, []string{"a", "b"}, ""}}},
		{"nothing", "", nil},
		{"bare quote", "a\"b,c\nd,e\n", []readRecord{{1, []string{`a"b`, "c"}, bareQuote}, {2, []string{"d", "e"}, ""}}},
		{"text after a quote", "\"a\"b,c\nd,e\n", []readRecord{{1, []string{`"a"b`, "c"}, textAfter}, {2, []string{"d", "e"}, ""}}},
		{"space after a quote", "\"a\" ,c\nd,e\n", []readRecord{{1, []string{"a", "c"}, ""}, {2, []string{"d", "e"}, ""}}},
		{"open quote to the end", "a,\"b\nc,d\ne,f", []readRecord{{1, []string{"a", `"b`}, openQuote}, {2, []string{"c", "d"}, ""}, {3, []string{"e", "f"}, ""}}},
		{"open quote in the last line", "a,b\nc,\"d", []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c", `"d`}, openQuote}}},
		{"stray quotes far apart", "\"a,b\nc,d\ne,\"f\"\ng,h\n", []readRecord{{1, []string{`"a`, "b"}, openQuote}, {2, []string{"c", "d"}, ""}, {3, []string{"e", "f"}, ""}, {4, []string{"g", "h"}, ""}}},
		{"line that is too long", "a\n" + long + "\nb\n", []readRecord{{1, []string{"a"}, ""}, {2, nil, tooLong}, {3, []string{"b"}, ""}}},
		{"last line that is too long", "a\n" + long, []readRecord{{1, []string{"a"}, ""}, {2, nil, tooLong}}},
		{"line that is much too long", long + long + long + long + "\nb\n", []readRecord{{1, nil, tooLong}, {2, []string{"b"}, ""}}},
		{"quoted field that is too long", "\"a\nb" + long + "\"\nc\n", []readRecord{{1, nil, tooLong}, {3, []string{"c"}, ""}}},
		{"quoted field that is too long, and looks like records", "x,\"a\n" + strings.Repeat("b,c\n", 20) + "\"\"\" ,\"d\ne\"\nf,g\n", []readRecord{{1, nil, tooLong}, {24, []string{"f", "g"}, ""}}},
		{"long fields in one record", `"` + long + `","` + long + `",` + long + "\nb\n", []readRecord{{1, nil, tooLong}, {2, []string{"b"}, ""}}},
		{"long line of wide characters", strings.Repeat("𝄞", 40) + "\nb\n", []readRecord{{1, nil, tooLong}, {2, []string{"b"}, ""}}},
		{"one long quoted line", `"` + long + "\"\nb\n", []readRecord{{1, nil, tooLong}, {2, []string{"b"}, ""}}},
		{"blanks around quotes", "\"a\" ,  \"b, c\"\t\n \"d\ne\" , f\n", []readRecord{{1, []string{"a", "b, c"}, ""}, {2, []string{"d\ne", " f"}, ""}}},
		{"blanks around quotes at the end", "a, \"b\"  ", []readRecord{{1, []string{"a", "b"}, ""}}},
		{"blanks without quotes", " a , b \n", []readRecord{{1, []string{" a ", " b "}, ""}}},
		{"quote of inches", "1,5\" pipe\n2,6\" pipe\n", []readRecord{{1, []string{"1", `5" pipe`}, bareQuote}, {2, []string{"2", `6" pipe`}, bareQuote}}},
		{"formula of a spreadsheet", "1,=\"00123\"\n", []readRecord{{1, []string{"1", `="00123"`}, bareQuote}}},
		{"quote in a quoted field", "\"5\" pipe\",\"the \"big\", one\"\nb,c\n", []readRecord{{1, []string{`5" pipe`, `the "big`, ` one"`}, innerQuote}, {2, []string{"b", "c"}, ""}}},
		{"quote that another field seems to close", "\"a,b,\"c\",d\n", []readRecord{{1, []string{`"a`, "b", "c", "d"}, openQuote}}},
		{"quote and text, before a quoted field", "\"a\"b,\"c\"\n", []readRecord{{1, []string{`"a"b`, "c"}, textAfter}}},
		{"two CRs at the end of a line", "a,b\r\r\n\"c\",\"d\"\r\r\n\r\r\ne,f", []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c", "d"}, ""}, {4, []string{"e", "f"}, ""}}},
		{"characters of several bytes", "ä,€\n𝄞,\"ß\"\"\"\n", []readRecord{{1, []string{"ä", "€"}, ""}, {2, []string{"𝄞", `ß"`}, ""}}},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			got, err := readAll(t.Context(), strings.NewReader(tt.text), byComma, 64, chunk)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s, in chunks of %d: %q\ngot  %q, %v\nwant %q", tt.name, chunk, tt.text, got, err, tt.want)
				break
			}
		}
	}
}

func TestReaderInOtherDialects(t *testing.T) {
	returns, single, escape, spaces := byComma, byComma, byComma, byComma
	returns.returns, single.quote, escape.escape = true, '\'', '\\'
	spaces.delimiter, spaces.runs = ' ', true
	for _, tt := range []struct {
		name, text string
		dialect    dialect
		want       []readRecord
	}{
		{"CRs alone", "a,b\rc,d\r\re,f", returns, []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c", "d"}, ""}, {4, []string{"e", "f"}, ""}}},
		{"CRs and quotes", "\"a\",\"b\"\r\"c\rd\",e\r\"f\" \r", returns, []readRecord{{1, []string{"a", "b"}, ""}, {2, []string{"c\rd", "e"}, ""}, {4, []string{"f"}, ""}}},
		{"CRs, LFs and both", "a\rb\nc\r\nd\r\r\n\ne", returns, []readRecord{{1, []string{"a"}, ""}, {2, []string{"b"}, ""}, {3, []string{"c"}, ""}, {4, []string{"d"}, ""}, {7, []string{"e"}, ""}}},
		{"CRs and a line that is too long", "a\r" + strings.Repeat("x", 200) + "\r\nb\r", returns, []readRecord{{1, []string{"a"}, ""}, {2, nil, tooLong}, {3, []string{"b"}, ""}}},
		{"CRs and an open quote", "a,\"b\rc,d\r", returns, []readRecord{{1, []string{"a", `"b`}, openQuote}, {2, []string{"c", "d"}, ""}}},
		{"single quotes", "'a,b','it''s',\"c\"\n", single, []readRecord{{1, []string{"a,b", "it's", `"c"`}, ""}}},
		{"escaped quotes", `"a\"b,",c\,"d\\","e""f\n"` + "\n", escape, []readRecord{{1, []string{`a"b,`, `c\`, `d\`, `e"f\n`}, ""}}},
		{"escaped quotes in a field that is too long", `"` + strings.Repeat(`\"\\,`, 40) + "\n\",b\nc\n", escape, []readRecord{{1, nil, tooLong}, {3, []string{"c"}, ""}}},
		{"spaces", "  a  bc \r\n\n   \nd\t \"e f\"  \" g\"\n x", spaces, []readRecord{{1, []string{"a", "bc"}, ""}, {4, []string{"d\t", "e f", " g"}, ""}, {5, []string{"x"}, ""}}},
		{"spaces, and a line that is too long", "a  b\n" + strings.Repeat("  x", 80) + " \n c  d \n", spaces, []readRecord{{1, []string{"a", "b"}, ""}, {2, nil, tooLong}, {3, []string{"c", "d"}, ""}}},
		{"escape at the end", `"a\`, escape, []readRecord{{1, []string{`"a\`}, openQuote}}},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			got, err := readAll(t.Context(), strings.NewReader(tt.text), tt.dialect, 64, chunk)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s, in chunks of %d: %q\ngot  %q, %v\nwant %q", tt.name, chunk, tt.text, got, err, tt.want)
				break
			}
		}
	}
}

func TestReaderRefusesAQuoteThatIsNeverClosed(t *testing.T) {
	rows := strings.Repeat("b,c\n", 20)
	for _, tt := range []struct{ name, text, want string }{
		{"to the end", "x,y\nz,\"a\n" + rows, "line 2 has a quote that is not closed within 1 MiB"},
		{"to the end, which is an LF in quotes", "\n" + `"` + rows + `""`, "line 2 has a quote"},
		{"to a quote with text after it", "x,\"a\n" + rows + "d,\"e\"\n", "line 1 has a quote"},
		{"after a field of many lines", "\"x\ny\",\"a\n" + rows, "line 2 has a quote"},
		{"blanks without end", "\"" + rows + "\"" + strings.Repeat(" ", 200), "line 1 has a quote"},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			_, err := readAll(t.Context(), strings.NewReader(tt.text), byComma, 64, chunk)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Type != "NotCSV" || !strings.Contains(e.Message, tt.want) {
				t.Errorf("%s, in chunks of %d: got %v, want NotCSV with %q", tt.name, chunk, err, tt.want)
			}
		}
	}
}

func TestReaderNotesTheFirstLineWithANULByte(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int64
	}{
		{"none", "a,b\n", 0},
		{"in a field", "a,b\nc,\x00d\n\x00", 2},
		{"in a quoted field", "a,b\n\"\n\n\x00\"", 4},
		{"in a quoted field that is skipped", "a\n\"" + strings.Repeat("x\n", 100) + "\x00\"", 102},
		{"in a line that is skipped", "a\n" + strings.Repeat("x", 200) + "\x00", 2},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			r := newTestReader(strings.NewReader(tt.text), byComma, 64, chunk)
			var err error
			for err == nil {
				_, err = r.next(t.Context())
			}
			if !errors.Is(err, io.EOF) || r.nul != tt.want {
				t.Errorf("%s, in chunks of %d: got line %d, %v, want %d", tt.name, chunk, r.nul, err, tt.want)
			}
		}
	}
}

func TestReaderNotesTheFirstLineThatIsNotUTF8(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int64 // 0: all is UTF-8
	}{
		{"Latin-1", "name\nM\xfcller\nn\xe9e\n", 2},
		{"half a character at the end", "name\n\xe2\x82", 2},
		{"half a character inside", "name\n\xe2\x82,a\n", 2},
		{"surrogate", "\xed\xa0\x80", 1},
		{"in a line that is skipped", "a\n\n" + strings.Repeat("x", 200) + "\xff\nb", 3},
		{"characters of several bytes", "ä\n€\n𝄞" + strings.Repeat("𝄞", 60), 0},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			r := newTestReader(strings.NewReader(tt.text), byComma, 64, chunk)
			var err error
			for err == nil {
				_, err = r.next(t.Context())
			}
			if !errors.Is(err, io.EOF) || r.foreign != tt.want || (r.encoding == encodingForeign) != (tt.want > 0) {
				t.Errorf("%s, in chunks of %d: got line %d, %s, %v, want line %d", tt.name, chunk, r.foreign, r.encoding, err, tt.want)
			}
		}
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := readAll(t.Context(), io.MultiReader(strings.NewReader("a,b\n"), iotest.ErrReader(broken)), byComma, 64, 16)
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readAll(ctx, strings.NewReader("a,b\n"), byComma, 64, 16); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want %v", err, context.Canceled)
	}
	r := newReader(strings.NewReader(strings.Repeat("a\n", 100)), 50, func(int) {})
	r.delimiter = ','
	if _, err := r.next(t.Context()); err == nil || !strings.Contains(err.Error(), "grows") {
		t.Errorf("a file that grows: got %v", err)
	}
}

// FuzzReader holds the reader against encoding/csv, up to the first record that encoding/csv refuses:
// up to there the text is RFC 4180. What is read must not depend on how it lies in the buffer.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"a,b\r\n\"c\nd\",e", "\"a\"\"b\",,\n\"", "a\"b,\n\"c\"d\n\r\n,", "\"x\ny\"z\n\"\"\n", "a\r", "\"\"\r\r\n", "ä,\"€\"", " \"a\" ,b\n\"c\"d\",", "\xff,\"\xfe\"\n", "\"a\\\"b\"\r'c,d'\r", "a,\x00\n\"\x00\"\n", "  a  \"b c\" \r\n\r\n x\t \n"} {
		f.Add([]byte(s), byte(3), byte(0))
		f.Add([]byte(s), byte(0), byte(7))
		f.Add([]byte(s), byte(2), byte(8))
	}
	f.Fuzz(func(t *testing.T, text []byte, chunk, dialect byte) {
		text = text[:min(len(text), 2000)] // more only takes longer, in chunks of a byte
		d := byComma
		if dialect&1 != 0 {
			d.returns = true
		}
		if dialect&2 != 0 {
			d.escape = '\\'
		}
		if dialect&4 != 0 {
			d.quote = '\''
		}
		if dialect&8 != 0 {
			d.delimiter, d.runs = ' ', true
		}
		got, err := readAll(t.Context(), bytes.NewReader(text), d, 1<<16, 1<<16)
		if err != nil {
			t.Fatalf("%q: got %v", text, err)
		}
		lines := int64(bytes.Count(text, newline)+bytes.Count(text, []byte{'\r'})) + 1
		if !slices.IsSortedFunc(got, func(a, b readRecord) int { return int(a.line - b.line) }) || len(got) > 0 && got[len(got)-1].line > lines {
			t.Errorf("%q: got lines out of order: %q", text, got)
		}
		again, err := readAll(t.Context(), bytes.NewReader(text), d, 1<<16, 1+int(chunk))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q in chunks of %d: got %q, %v, want %q", text, 1+int(chunk), again, err, got)
		}
		small, err := readAll(t.Context(), bytes.NewReader(text), d, 16, 1+int(chunk))
		if other, err2 := readAll(t.Context(), bytes.NewReader(text), d, 16, 100); !reflect.DeepEqual(other, small) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("%q with a window of 16: got %q, %v in chunks of %d, want %q, %v", text, small, err, 1+int(chunk), other, err2)
		}
		if d != byComma || loneReturn(append(bytes.ReplaceAll(text, []byte("\r\r"), []byte("\rx")), 'x')) {
			return // encoding/csv does not know that, and takes a CR that is alone for text
		}

		theirs := rfc4180.NewReader(bytes.NewReader(text))
		theirs.FieldsPerRecord = -1
		for i := 0; ; i++ {
			want, err := theirs.Read()
			if errors.Is(err, io.EOF) {
				if len(got) != i {
					t.Errorf("%q: got %d records, want %d: %q", text, len(got), i, got)
				}
				return
			}
			if i >= len(got) {
				t.Fatalf("%q: got %d records, want one more: %q, %v", text, len(got), want, err)
			}
			if err != nil {
				// Blanks beside a quote are the only fault that needs no remark.
				if blanks := bytes.Contains(text, []byte(` "`)) || bytes.Contains(text, []byte(`" `)) || bytes.ContainsAny(text, "\t"); got[i].said == "" && !blanks {
					t.Errorf("%q: got %q without a remark, want one like %v", text, got[i], err)
				}
				return
			}
			ours := make([]string, len(got[i].fields))
			for j, f := range got[i].fields {
				ours[j] = strings.ReplaceAll(f, "\r\n", "\n") // which encoding/csv does
			}
			if got[i].said != "" || !slices.Equal(ours, want) {
				t.Fatalf("%q: record %d: got %q, want %q", text, i, got[i], want)
			}
		}
	})
}
