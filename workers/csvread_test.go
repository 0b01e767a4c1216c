package workers

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"jobcast/jobs"
)

// readRecord is a csvRecord that stays valid.
type readRecord struct {
	line    int64
	fields  []string
	problem string
}

func (r readRecord) String() string { return fmt.Sprintf("%d:%q%s", r.line, r.fields, r.problem) }

// readAll reads a whole text with small buffers, so that records lie across their ends.
func readAll(ctx context.Context, src io.Reader, delimiter byte, window, chunk int) ([]readRecord, error) {
	r := newCSVReader(src, 1<<30, func(int) {})
	r.window, r.chunk, r.buf = window, chunk, make([]byte, window+chunk)
	r.delimiter, r.keep = delimiter, 1000
	var all []readRecord
	for {
		rec, err := r.next(ctx)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return all, err
		}
		got := readRecord{line: rec.line, problem: rec.problem}
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

func TestCSVReader(t *testing.T) {
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
		{"bare quote", "a\"b,c\nd,e\n", []readRecord{{1, nil, bareQuote}, {2, []string{"d", "e"}, ""}}},
		{"text after a quote", "\"a\"b,c\nd,e\n", []readRecord{{1, nil, textAfter}, {2, []string{"d", "e"}, ""}}},
		{"space after a quote", "\"a\" ,c\nd,e\n", []readRecord{{1, nil, textAfter}, {2, []string{"d", "e"}, ""}}},
		{"open quote to the end", "a,\"b\nc,d\ne,f", []readRecord{{1, nil, openQuote}, {2, []string{"c", "d"}, ""}, {3, []string{"e", "f"}, ""}}},
		{"open quote in the last line", "a,b\nc,\"d", []readRecord{{1, []string{"a", "b"}, ""}, {2, nil, openQuote}}},
		{"stray quotes far apart", "\"a,b\nc,d\ne,\"f\"\ng,h\n", []readRecord{{1, nil, textAfter}, {2, []string{"c", "d"}, ""}, {3, []string{"e", "f"}, ""}, {4, []string{"g", "h"}, ""}}},
		{"line that is too long", "a\n" + long + "\nb\n", []readRecord{{1, []string{"a"}, ""}, {2, nil, tooLong}, {3, []string{"b"}, ""}}},
		{"last line that is too long", "a\n" + long, []readRecord{{1, []string{"a"}, ""}, {2, nil, tooLong}}},
		{"line that is much too long", long + long + long + long + "\nb\n", []readRecord{{1, nil, tooLong}, {2, []string{"b"}, ""}}},
		{"quoted field that is too long", "\"a\nb" + long + "\"\nc\n", []readRecord{{1, nil, openQuoteLong}, {2, nil, tooLong}, {3, []string{"c"}, ""}}},
		{"open quote before long text", "x,\"a\n" + strings.Repeat("b,c\n", 20), append([]readRecord{{1, nil, openQuoteLong}}, repeated(2, 20, "b", "c")...)},
		{"long line of wide characters", strings.Repeat("𝄞", 40) + "\nb\n", []readRecord{{1, nil, tooLong}, {2, []string{"b"}, ""}}},
		{"one long quoted line", `"` + long + "\"\nb\n", []readRecord{{1, nil, openQuoteLong}, {2, []string{"b"}, ""}}},
		{"characters of several bytes", "ä,€\n𝄞,\"ß\"\"\"\n", []readRecord{{1, []string{"ä", "€"}, ""}, {2, []string{"𝄞", `ß"`}, ""}}},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			got, err := readAll(t.Context(), strings.NewReader(tt.text), ',', 64, chunk)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s, in chunks of %d: %q\ngot  %q, %v\nwant %q", tt.name, chunk, tt.text, got, err, tt.want)
				break
			}
		}
	}
}

// repeated are n records that are the same, from a line on.
func repeated(line int64, n int, fields ...string) []readRecord {
	var all []readRecord
	for i := range int64(n) {
		all = append(all, readRecord{line: line + i, fields: fields})
	}
	return all
}

func TestCSVReaderRefusesWhatIsNoText(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"NUL", "a,b\nc,\x00d\n", "NUL byte in line 2, after 6 bytes"},
		{"NUL in a quoted field", "a,b\n\"\n\n\x00\"", "NUL byte in line 4, after 7 bytes"},
		{"NUL in a line that is skipped", "a\n" + strings.Repeat("x", 200) + "\x00", "NUL byte in line 2, after 202 bytes"},
		{"Latin-1", "name\nM\xfcller\n", "UTF-8 in line 2, after 6 bytes"},
		{"half a character at the end", "name\n\xe2\x82", "UTF-8 in line 2, after 5 bytes"},
		{"half a character inside", "name\n\xe2\x82,a\n", "UTF-8 in line 2, after 5 bytes"},
		{"surrogate", "\xed\xa0\x80", "UTF-8 in line 1, after 0 bytes"},
	} {
		for _, chunk := range []int{1, 2, 3, 7, 64, 1000} {
			_, err := readAll(t.Context(), strings.NewReader(tt.text), ',', 64, chunk)
			e, ok := errors.AsType[*jobs.Error](err)
			if !ok || e.Type != "NotCSV" || !strings.Contains(e.Message, tt.want) {
				t.Errorf("%s, in chunks of %d: got %v, want NotCSV with %q", tt.name, chunk, err, tt.want)
			}
		}
	}
}

func TestCSVReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := readAll(t.Context(), io.MultiReader(strings.NewReader("a,b\n"), iotest.ErrReader(broken)), ',', 64, 16)
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readAll(ctx, strings.NewReader("a,b\n"), ',', 64, 16); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, want %v", err, context.Canceled)
	}
	r := newCSVReader(strings.NewReader(strings.Repeat("a\n", 100)), 50, func(int) {})
	r.delimiter = ','
	if _, err := r.next(t.Context()); err == nil || !strings.Contains(err.Error(), "grows") {
		t.Errorf("a file that grows: got %v", err)
	}
}

// FuzzCSVReader holds the reader against encoding/csv, up to the first record that encoding/csv refuses,
// which must be one with a problem here. What is read must not depend on how it lies in the buffer.
func FuzzCSVReader(f *testing.F) {
	for _, s := range []string{"a,b\r\n\"c\nd\",e", "\"a\"\"b\",,\n\"", "a\"b,\n\"c\"d\n\r\n,", "\"x\ny\"z\n\"\"\n", "a\r", "\"\"\r\r\n", "ä,\"€\""} {
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, chunk byte) {
		text = text[:min(len(text), 2000)] // more only takes longer, in chunks of a byte
		if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
			if _, err := readAll(t.Context(), bytes.NewReader(text), ',', 1<<16, 1+int(chunk)); err == nil {
				t.Errorf("%q is no text, and was read", text)
			}
			return
		}
		got, err := readAll(t.Context(), bytes.NewReader(text), ',', 1<<16, 1<<16)
		if err != nil {
			t.Fatalf("%q: got %v", text, err)
		}
		lines := int64(bytes.Count(text, newline)) + 1
		if !slices.IsSortedFunc(got, func(a, b readRecord) int { return int(a.line - b.line) }) || len(got) > 0 && got[len(got)-1].line > lines {
			t.Errorf("%q: got lines out of order: %q", text, got)
		}
		again, err := readAll(t.Context(), bytes.NewReader(text), ',', 1<<16, 1+int(chunk))
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q in chunks of %d: got %q, %v, want %q", text, 1+int(chunk), again, err, got)
		}
		small, err := readAll(t.Context(), bytes.NewReader(text), ',', 16, 1+int(chunk))
		if err != nil {
			t.Errorf("%q with a window of 16: got %v", text, err)
		}
		if other, _ := readAll(t.Context(), bytes.NewReader(text), ',', 16, 100); !reflect.DeepEqual(other, small) {
			t.Errorf("%q with a window of 16: got %q in chunks of %d, want %q", text, small, 1+int(chunk), other)
		}

		theirs := csv.NewReader(bytes.NewReader(text))
		theirs.FieldsPerRecord = -1
		for i := 0; ; i++ {
			want, err := theirs.Read()
			if err == io.EOF {
				if len(got) != i {
					t.Errorf("%q: got %d records, want %d: %q", text, len(got), i, got)
				}
				return
			}
			if i >= len(got) {
				t.Fatalf("%q: got %d records, want more: %q, %v", text, len(got), want, err)
			}
			if err != nil {
				if got[i].problem == "" {
					t.Errorf("%q: got %q without a problem, want one like %v", text, got[i], err)
				}
				return
			}
			ours := make([]string, len(got[i].fields))
			for j, f := range got[i].fields {
				ours[j] = strings.ReplaceAll(f, "\r\n", "\n") // which encoding/csv does
			}
			if got[i].problem != "" || !slices.Equal(ours, want) {
				t.Fatalf("%q: record %d: got %q, want %q", text, i, got[i], want)
			}
		}
	})
}
