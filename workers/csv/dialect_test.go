package csv

import (
	"bytes"
	"encoding/binary"
	rfc4180 "encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

// TestProfileTakesFilesAsTheyAre has, for each way in which files of the world differ from RFC 4180,
// what is made of one.
func TestProfileTakesFilesAsTheyAre(t *testing.T) {
	above := func(from, header int) string {
		return fmt.Sprintf("%d is above the header, which is line %d, and is not counted", from, header)
	}
	for _, tt := range []struct{ name, text, want string }{
		// Line ends.
		{"CRs alone", "nr,town\r1,Ulm\r2,Bonn\r3,Kiel\r", `3 rows by ",": nr integer town string; 0 misfits`},
		{"CRs alone, quoted", "\"nr\",\"town\"\r\"1\",\"Ulm\rDonau\"\r\"2\",\"Bonn\"", `2 rows by ",": nr integer town string; 0 misfits`},
		{"CRs alone, one column", "nr\r1\r2\r", `2 rows by ",": nr integer; 0 misfits`},
		{"CRs, and an LF at the end", "nr;town\r1;Ulm\r2;Bonn\r\n", `2 rows by ";": nr integer town string; 0 misfits`},
		{"CRs, and a line that is too long", "nr,town\r1," + strings.Repeat("x", maxRecord) + "\r2,Bonn\r", `2 rows by ",": nr integer town string; 1 misfits; 2 ` + tooLong},
		{"a CR in a text", "nr,town\n1,Ulm\rDonau\n2,Bonn\n3,Kiel\n", `3 rows by ",": nr integer town string; 0 misfits`},
		{"two CRs before the LF", "nr,town\r\r\n1,Ulm\r\r\n2,Bonn\r\r\n", `2 rows by ",": nr integer town string; 0 misfits`},
		{"two CRs before the LF, quoted", "\"nr\",\"town\"\r\r\n\"1\",\"Ulm\"\r\r\n", `1 rows by ",": nr integer town string; 0 misfits`},

		// Blanks and quotes.
		{"blanks before quotes in the header", "\"Town\", \"1990\", \"1991\"\n\"Ulm\",  17,  18\n\"Bonn\",  9,  8\n", `2 rows by ",": Town string 1990 integer 1991 integer; 0 misfits`},
		{"blanks before quotes in the rows", "nr,name,town\n7, \"Ott, Ina\", Ulm\n8, \"Roth, Jo\", Bonn\n", `2 rows by ",": nr integer name string town string; 0 misfits`},
		{"blanks after quotes", "nr,town\n\"1\" ,\"Ulm\"\n\"2\" ,\"Bonn\"\t\n", `2 rows by ",": nr integer town string; 0 misfits`},
		{"inches", "nr\tpart\n1\t2\" tube\n2\t3\" tube\n", `2 rows by "\t": nr integer part string; 0 misfits; 2 remarks; 2 ` + bareQuote + "; 3 " + bareQuote},
		{"formulas of a spreadsheet", "nr,code\n1,=\"007\"\n2,=\"008\"\n", `2 rows by ",": nr integer code string; 0 misfits; 2 remarks; 2 ` + bareQuote + "; 3 " + bareQuote},
		{"quotes in quoted fields", "nr,part\n1,\"2\" tube\"\n2,\"a \"big\" one\"\n", `2 rows by ",": nr integer part string; 0 misfits; 2 remarks; 2 ` + innerQuote + "; 3 " + innerQuote},
		{"a header with an open quote", "\n\"nr,town\n1,Ulm\n", `1 rows by ",": "nr integer town string; 0 misfits; 1 remarks; 2 ` + openQuote},
		{"single quotes", "nr;name\n1;'Ott; Ina'\n2;'Roth; Jo'\n3;'it''s'\n", `3 rows by ";": nr integer name string; 0 misfits`},
		{"apostrophes are no quotes", "nr;name\n1;'s Gravenhage\n2;Jo's\n", `2 rows by ";": nr integer name string; 0 misfits`},
		{"apostrophes lines apart are no quotes", "size,town\n5\" pipe,'s-Hertogenbosch\n6\" pipe,Ulm\n7\" pipe,James'\n8\" pipe,Bonn\n", `4 rows by ",": size string town string; 0 misfits; 4 remarks; 2 ` + bareQuote + "; 3 " + bareQuote + "; 4 " + bareQuote + "; 5 " + bareQuote},
		{"apostrophes lines apart beside other marks", "nr,note\n1,'t Zand|a\n2,b|c\n3,Jones'\n4,d|e\n", `4 rows by ",": nr integer note string; 0 misfits`},
		{"single quotes over lines", "nr;name;note\n1;'Ott; Ina';'a\nb'\n2;'Roth; Jo';'c'\n3;'x';'d\ne; f'\n4;'y';'g'\n", `4 rows by ";": nr integer name string note string; 0 misfits`},
		{"single quotes beside double ones are text", "\"n r\"\tm\n1\t2\n3\t''\n4\t''\n", `3 rows by "\t": n r integer m string; 0 misfits`},
		{"escaped quotes", "nr,name\n1,\"Ina \\\"Oh, no\\\" Ott\"\n2,\"Jo\"\n3,\"x\"\n", `3 rows by ",": nr integer name string; 0 misfits`},
		{"a backslash before a quote that ends a field", "nr,path\n1,\"C:\\a, b\\\"\n2,\"D:\\\"\n", `2 rows by ",": nr integer path string; 0 misfits`},
		{"a long quoted field that looks like rows", "nr,town\n1,\"" + strings.Repeat("xxx,yyy\n", maxRecord/7) + "\"\n2,Ulm\n", `2 rows by ",": nr integer town string; 1 misfits; 2 ` + tooLong},

		// The header.
		{"delimiter in the first line", "sep=;\r\nnr;town\r\n1;Ulm, Donau\r\n2;Bonn, Rhein\r\n", `2 rows by ";": nr integer town string; 0 misfits`},
		{"comma in the first line", "SEP=,\nnr,town,n\n1,Ulm,3\n", `1 rows by ",": nr integer town string n integer; 0 misfits`},
		{"delimiter that nobody would look for", "\"sep=:\"\nnr:town\n1:Ulm\n", `1 rows by ":": nr integer town string; 0 misfits`},
		{"the first line names no delimiter", "sep=ab,town\n1,Ulm\n", `1 rows by ",": sep=ab integer town string; 0 misfits`},
		{"a title and a blank line", "Towns of 2026\n\nnr,town,n\n1,Ulm,3\n2,Bonn,4\n", `2 rows by ",": nr integer town string n integer; 0 misfits; 1 remarks; ` + above(1, 3)},
		{"a title over two columns", "Towns\nnr,town\n1,Ulm\n2,Bonn\n", `2 rows by ",": nr integer town string; 0 misfits; 1 remarks; ` + above(1, 2)},
		{"a title that a spreadsheet filled up", "Towns,,\n,,\nname,country,river\nUlm,D,Donau\nBonn,D,Rhein\n", `2 rows by ",": name string country string river string; 0 misfits; 1 remarks; ` + above(1, 3)},
		{"a title with delimiters", "Towns, of Jo, 2026\nnr,n\n1,3\n2,4\n", `2 rows by ",": nr integer n integer; 0 misfits; 1 remarks; ` + above(1, 2)},
		{"comments", "# towns\n# of 2026\nnr,town,n\n1,Ulm,3\n# more, later\n2,Bonn,4\n", `2 rows by ",": nr integer town string n integer; 0 misfits; 2 remarks; ` + above(1, 3) + "; 5 is a comment, and is not counted"},
		{"a comment with as many delimiters", "# nr, town, n\nnr,town,n\n1,Ulm,3\n2,Bonn,4\n", `2 rows by ",": nr integer town string n integer; 0 misfits; 1 remarks; ` + above(1, 2)},
		{"a header that starts with a #", "#nr,town\n1,Ulm\n2,Bonn\n", `2 rows by ",": #nr integer town string; 0 misfits`},
		{"a header of one name over text with commas", "say\nwell, well\noh, no\nsure\n", `3 rows by ",": say string; 2 misfits; 2 has 2 fields, where the header has 1; 3 has 2 fields, where the header has 1`},
		{"a header without a name for the first column", "x,y\nr1,1,2\nr2,3,4\n", `2 rows by ",":  string x integer y integer; 0 misfits; 1 remarks; 1 has no name for the first column`},

		{"a header with a name too few, and the first column names no rows", "x,y\n1,1,2\n1,3,4\n", `2 rows by ",": x empty y empty; 2 misfits; 2 has 3 fields, where the header has 2; 3 has 3 fields, where the header has 2`},

		// Delimiters.
		{"delimiter at the end of each row", "nr,n\n1,2,\n3,4,\n", `2 rows by ",": nr integer n integer; 0 misfits; 1 remarks; 2 ends with a delimiter that the header does not have, as 2 rows do`},
		{"delimiters at the end of one row", "nr,n\n1,2\n3,4,, \n5,6,7\n8,9\n", `4 rows by ",": nr integer n integer; 1 misfits; 4 has 3 fields, where the header has 2; 1 remarks; 3 ends with a delimiter that the header does not have`},
		{"delimiter at the end of each line", "nr,n,\n1,2,\n3,4,\n", `2 rows by ",": nr integer n integer; 0 misfits; 1 remarks; 1 ends with a delimiter, and no row has a value behind it`},
		{"delimiter at the end of the header", "nr,n,\n1,2\n3,4\n", `2 rows by ",": nr integer n integer; 0 misfits; 1 remarks; 1 ends with a delimiter that the rows do not have`},
		{"a last column without a name that has values", "nr,n,\n1,2,\n3,4,x\n", `2 rows by ",": nr integer n integer  string; 0 misfits`},
		{"decimal commas, no header", "1,5;2,5;3,5\n4,5;5,5;6,5\n", `1 rows by ";": 1,5 string 2,5 string 3,5 string; 0 misfits`},
		{"lists of numbers between tabs", "a.jpg\t1,2,3\t4,5,6\nb.jpg\t7,8,9\t1,2,3\n", `1 rows by "\t": a.jpg string 1,2,3 string 4,5,6 string; 0 misfits`},
		{"lists with semicolons between commas", "id,what\n1,Total; Mean; Houses\n2,Total; Sum; Flats\n", `2 rows by ",": id integer what string; 0 misfits`},
		{"number signs", "a#b#c\n1#2, 3#4\n5#6, 7#8\n", `2 rows by "#": a integer b string c integer; 0 misfits`},
		{"one column with a semicolon at each end", "word\nI;\nL;\n", `2 rows by ",": word string; 0 misfits`},

		{"bars between names and lists in one record", "1;Ott|Roth|Vogt;9,1|9,2|9,3;off;on", `0 rows by ";": 1 empty Ott|Roth|Vogt empty 9,1|9,2|9,3 empty off empty on empty; 0 misfits`},
		{"bars in one record", "nr|name|town", `0 rows by "|": nr empty name empty town empty; 0 misfits`},
		{"number signs between quotes, and commas in them", " 1 # 'Ina Ott' # ' Ulm, D'\n 2 # 'Jo Roth' # ' Bonn, D'\n", `1 rows by "#":  1  integer Ina Ott string  Ulm, D string; 0 misfits`},

		// Spaces.
		{"columns that spaces align", "nr    town  share\n 1     Ulm   0.25\n 2    Bonn   0.50\n30    Kiel   1.00\n", `3 rows by " ": nr integer town string share number; 0 misfits`},
		{"one space, no header", "wolf 120 n\n" + strings.Repeat("run 81 v\nbig 20 a\n", 10), `20 rows by " ": wolf string 120 integer n string; 0 misfits`},
		{"spaces around lines, and CRs", "  nr town n  \r  1 Ulm 3 \r  2 Bonn 4\r  3 Kiel 5 \r", `3 rows by " ": nr integer town string n integer; 0 misfits`},
		{"spaces, and quotes, as R writes a table", "\"x\" \"town\" \"n\"\n\"1\" 5 \"Ulm, D\" 3\n\"2\" 6 \"St. Ives\" 4\n\"3\" 7 \"Kiel\" 5\n", `3 rows by " ":  integer x integer town string n integer; 0 misfits; 1 remarks; 1 has no name for the first column`},
		{"preamble above aligned columns", "3\nC   0.0   0.1   0.2\nH   1.0   1.1   0.2\nH   1.0   1.1   0.3\nH   1.5   1.1   0.3\n", `3 rows by " ": C string 0.0 number 0.1 number 0.2 number; 0 misfits; 1 remarks; ` + above(1, 2)},
		{"lines of three words", "what he says\n12 good men\nso it is\nit goes on\n", `3 rows by ",": what he says string; 0 misfits`},
		{"sentences of one length that begin with a number", "12 good men\n7 bad ones\n3 of us\n", `2 rows by ",": 12 good men string; 0 misfits`},
		{"words and times in one column", "at\n2026-01-02 10:00:00 UTC\n2026-01-02 11:00:00 UTC\n2026-01-02 12:00:00 UTC\n", `3 rows by ",": at string; 0 misfits`},
		{"times in one column with a name of two words", "start time\n2026-01-02 10:00:00 5\n2026-01-03 11:00:00 5\n2026-01-04 12:00:00 5\n", `3 rows by ",": start time string; 0 misfits`},
		{"times in one column without a name", strings.Repeat("2026-01-02 10:00:00 UTC\n", 30), `29 rows by ",": 2026-01-02 10:00:00 UTC string; 0 misfits`},
		{"spaces beside commas", "name 1 2,n\nOtt 3 4,5\nRoth 4 5,6\nVogt 5 6,7\n", `3 rows by ",": name 1 2 string n integer; 0 misfits`},

		// Several tables.
		{"another table below", "nr,town,n\n1,Ulm,3\n2,Bonn,4\ncode,km\nA,1\nB,2\nC,3\n", `6 rows by ",": nr integer town string n integer; 4 misfits; 4 starts another table, of 2 columns and 3 rows, which is not described`},
		{"two more tables, and rows of the first one", "nr,town,n\n" + strings.Repeat("1,Ulm,3\n", 30) + "\ncode,km\nA,1\nB,2\nC,3\n\na,b,c,d\n1,2,3,4\n1,2,3,4\n1,2,3,4\n2,Bonn,4\n", `39 rows by ",": nr integer town string n integer; 8 misfits; 33 starts another table, of 2 columns and 3 rows, which is not described; 38 starts another table, of 4 columns and 3 rows, which is not described`},
		{"rows that lack a field are no table", "nr,town,n\n" + strings.Repeat("1,Ulm,3\n", 20) + "Bonn,x\nKiel,4\nCelle,5\n3,Ulm,6\n", `24 rows by ",": nr integer town string n integer; 3 misfits; 22 has 2 fields, where the header has 3; 23 has 2 fields, where the header has 3; 24 has 2 fields, where the header has 3`},
		{"rows of text that lack a field are no table", "nr,town,n\n" + strings.Repeat("1,Ulm,3\n", 20) + "Bonn,x\nKiel,y\nCelle,z\nJena,z\n", `24 rows by ",": nr integer town string n integer; 4 misfits; 22 has 2 fields, where the header has 3; 23 has 2 fields, where the header has 3; 24 has 2 fields, where the header has 3; 25 has 2 fields, where the header has 3`},
		{"files put together, each with its header", "nr,town\n1,Ulm\n2,Bonn\nnr,town\n3,Kiel\n", `3 rows by ",": nr integer town string; 0 misfits; 1 remarks; 4 repeats the header, and is not counted`},
		{"a row as the first one, of text", "a,b\nc,d\na,b\n", `2 rows by ",": a string b string; 0 misfits`},
		{"a row as the first one, of numbers", "1,2\n3,4\n1,2\n", `2 rows by ",": 1 integer 2 integer; 0 misfits`},

		// Encodings.
		{"Latin-1", "nr,town\n1,K\xf6ln\n2,D\xfcren\n", `2 rows by ",": nr integer town string; 0 misfits; 1 remarks; 2 has bytes that are not UTF-8; such text is shown as if it was Windows-1252`},
		{"Windows-1252 in the header", "nr,\x80\n1,2\n", `1 rows by ",": nr integer € integer; 0 misfits; 1 remarks; 1 has bytes that are not UTF-8; such text is shown as if it was Windows-1252`},
		{"UTF-16, little end first", "\xff\xfen\x00r\x00;\x00\xac\x20\n\x001\x00;\x002\x00", `1 rows by ";": nr integer € integer; 0 misfits`},
		{"UTF-16 without a mark, little end first", "n\x00r\x00;\x00b\x00\n\x001\x00;\x002\x00\n\x00", `1 rows by ";": nr integer b integer; 0 misfits`},
		{"UTF-16 without a mark, big end first", "\x00n\x00r\x00;\x00b\x00\n\x001\x00;\x002", `1 rows by ";": nr integer b integer; 0 misfits`},
		{"NUL bytes for values that are missing", "nr;town;n\n" + strings.Repeat("1;Ulm an der Donau;3\n", 20) + "2;\x00;4\n3;\x00;5\n", `22 rows by ";": nr integer town string n integer; 0 misfits; 1 remarks; 22 has a NUL byte; such bytes are read as text`},
		{"a NUL byte far below", "nr,town\n" + strings.Repeat("1,Ulm\n", readChunk/6) + "2,Bo\x00nn\n", fmt.Sprintf(`%d rows by ",": nr integer town string; 0 misfits; 1 remarks; %d has a NUL byte; such bytes are read as text`, readChunk/6+1, readChunk/6+2)},
		{"a NUL byte and a foreign one between CRs", "nr,town\r" + strings.Repeat("1,Ulm an der Donau\r", 9) + "2,Bo\x00nn\r3,K\xf6ln\r", `11 rows by ",": nr integer town string; 0 misfits; 2 remarks; 11 has a NUL byte; such bytes are read as text; 12 has bytes that are not UTF-8; such text is shown as if it was Windows-1252`},
		{"UTF-16, big end first", "\xfe\xff\x00n\x00r\x00\n\x001", `1 rows by ",": nr integer; 0 misfits`},
	} {
		res, err := profileText(t, tt.text)
		if got := brief(res); err != nil || got != tt.want {
			t.Errorf("%s: %.200q:\ngot  %.700s, %v\nwant %s", tt.name, tt.text, got, err, tt.want)
		}
	}
}

func TestProfileShowsValuesWithoutTheirQuotes(t *testing.T) {
	for _, tt := range []struct{ name, text, min, max string }{
		{"blanks around quotes", "nr,town\n1, \"Bonn\" \n2, \"Ulm\"\n", "Bonn", "Ulm"},
		{"inches", "nr,part\n1,2\" tube\n2,3\" tube\n", `2" tube`, `3" tube`},
		{"quotes in quoted fields", "nr,part\n1,\"2\" tube\"\n2,\"3\" tube\"\n", `2" tube`, `3" tube`},
		{"formulas", "nr,code\n1,=\"007\"\n2,=\"008\"\n", `="007"`, `="008"`},
		{"escaped quotes", "nr,name\n1,\"a \\\"b, c\\\"\"\n2,\"d\\\\\"\n", `a "b, c"`, `d\`},
		{"Windows-1252", "nr,town\n1,\x80\n2,\xe9t\xe9 " + strings.Repeat("\xe9", 90) + "\n", "€", "été " + strings.Repeat("é", 47)},
	} {
		res, err := profileText(t, tt.text)
		if err != nil || len(res.Columns) != 2 || string(res.Columns[1].Min) != string(jsonText(tt.min)) || string(res.Columns[1].Max) != string(jsonText(tt.max)) {
			t.Errorf("%s: got %+v, %v, want %q to %q", tt.name, res.Columns, err, tt.min, tt.max)
		}
	}
}

func TestProfileSaysWhatDialectItFound(t *testing.T) {
	for _, tt := range []struct{ text, delimiter, quote, escape, encoding string }{
		{"nr,town\n1,Ulm\n", ",", `"`, "", "UTF-8"},
		{"nr;name\n1;'Ott; Ina'\n2;'Roth; Jo'\n", ";", "'", "", "UTF-8"},
		{"nr|name\n1|\"Ina \\\"Oh| no\\\" Ott\"\n2|\"Jo\"\n", "|", `"`, `\`, "UTF-8"},
		{"nr;name\n1;'Ina\\'s; x'\n2;'Roth\\'s; x'\n", ";", "'", `\`, "UTF-8"},
		{"nr;name\n1;\xe9\n", ";", `"`, "", "Windows-1252"},
		{"\xff\xfea\x00\n\x001\x00", ",", `"`, "", "UTF-16"},
	} {
		res, err := profileText(t, tt.text)
		if err != nil || res.Delimiter != tt.delimiter || res.Quote != tt.quote || res.Escape != tt.escape || res.Encoding != tt.encoding || res.HeaderLine != 1 || res.MisfitCount != 0 {
			t.Errorf("%q: got %s with %q, %q, %q, %q, line %d, %v, want %+v", tt.text, brief(res), res.Delimiter, res.Quote, res.Escape, res.Encoding, res.HeaderLine, err, tt)
		}
	}
}

func TestProfileCountsTheLineThatNamesTheDelimiter(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r\r\n", "\r"} {
		text := strings.Join([]string{"sep=;", "nr;town", "1;Ulm", "2;5\" pipe", ""}, end)
		res, err := profileText(t, text)
		if err != nil || res.Rows != 2 || res.HeaderLine != 2 || res.RemarkCount != 1 || res.Remarks[0].Line != 4 {
			t.Errorf("%q: got %s, line %d, %v, %v, want the header in line 2 and a remark on line 4", text, brief(res), res.HeaderLine, res.Remarks, err)
		}
	}
}

func TestProfileListsTheFirstRemarks(t *testing.T) {
	text := "nr,part\n" + strings.Repeat("1,2\" tube\n", 300)
	res, err := profileText(t, text)
	if err != nil || res.Rows != 300 || res.MisfitCount != 0 || res.RemarkCount != 300 || len(res.Remarks) != maxRemarks || res.Remarks[99].Line != 101 {
		t.Errorf("got %d rows, %d misfits, %d remarks, %d listed, %v", res.Rows, res.MisfitCount, res.RemarkCount, len(res.Remarks), err)
	}
}

func TestUTF16ReaderDecodesAsTheLibraryDoes(t *testing.T) {
	text := strings.Repeat("aé€𝄞\uFFFD\n", 3000)
	units := utf16.Encode([]rune(text))
	broken := []uint16{'a', 0xD834, 'b', 0xDD1E, 0xDD1E, 0xD834, 0xD834, 0xDD1E, 'c', 0xD834}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for name, tt := range map[string]struct {
			units []uint16
			want  string
		}{"text": {units, text}, "halves of characters": {broken, string(utf16.Decode(broken))}} {
			var raw []byte
			for _, u := range tt.units {
				raw = order.AppendUint16(raw, u)
			}
			for how, src := range map[string]io.Reader{"whole": bytes.NewReader(raw), "by bytes": iotest.OneByteReader(bytes.NewReader(raw)), "with the error": iotest.DataErrReader(bytes.NewReader(raw))} {
				got, err := io.ReadAll(&utf16Reader{src: src, order: order.(binary.ByteOrder)})
				if err != nil || string(got) != tt.want {
					t.Errorf("%s, %s, %v: got %.60q, %v, want %.60q", name, how, order, got, err, tt.want)
				}
			}
			odd, err := io.ReadAll(&utf16Reader{src: bytes.NewReader(append(raw, 'x')), order: order.(binary.ByteOrder)})
			if want := tt.want + "\uFFFD"; err != nil || string(odd) != want {
				t.Errorf("%s and half a unit, %v: got %d bytes, %v, want %d", name, order, len(odd), err, len(want))
			}
		}
	}
}

// TestProfileOfWhatEncodingCSVWrites has encoding/csv write tables of any text, for which the profile
// must be that of the table.
func TestProfileOfWhatEncodingCSVWrites(t *testing.T) {
	pieces := []string{"a", "B", "é", "7", " ", ",", ";", "\"", "\n", "\r\n", "x y", "'", "#", "=", "-", "|", "\t", "\\", "."}
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		var text bytes.Buffer
		w := rfc4180.NewWriter(&text)
		w.UseCRLF = seed%2 == 0
		columns, rows := 2+random.IntN(6), 1+random.IntN(20)
		distinct := make([]map[string]bool, columns)
		header := make([]string, columns)
		for i := range header {
			header[i], distinct[i] = fmt.Sprintf("column %d", i), map[string]bool{}
		}
		must(t, w.Write(header))
		for range rows {
			row := make([]string, columns)
			for i := range row {
				for range random.IntN(4) {
					row[i] += pieces[random.IntN(len(pieces))]
				}
				if value := row[i]; len(trimSpaces([]byte(value))) > 0 {
					if w.UseCRLF {
						value = strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\n", "\r\n") // as it is written
					}
					distinct[i][value] = true
				}
			}
			must(t, w.Write(row))
		}
		w.Flush()
		res, err := profileText(t, text.String())
		if err != nil || res.Rows != int64(rows) || res.Delimiter != "," || res.MisfitCount != misfitsOfType(res) || res.RemarkCount != 0 || len(res.Columns) != columns {
			t.Fatalf("seed %d: %q:\ngot %s, %v, want %d rows of %d columns", seed, text.String(), brief(res), err, rows, columns)
		}
		for i, c := range res.Columns {
			if c.Name != header[i] || c.Distinct != int64(len(distinct[i])) {
				t.Errorf("seed %d: %q: got %d distinct values in %s, want %d", seed, text.String(), c.Distinct, c.Name, len(distinct[i]))
			}
		}
	}
}

// misfitsOfType counts the misfits that are values.
func misfitsOfType(res Result) (n int64) {
	for _, m := range res.Misfits {
		if m.Column != "" {
			n++
		}
	}
	return n
}

func FuzzProfile(f *testing.F) {
	for _, s := range []string{"sep=;\na;b\n1;2\n", "# x\n\na,b\n1,2,\n3,4\n", "a\rb\r", "T,,\na,b,c\n1,2,3\n", "\xff\xfea\x00,\x00b\x00", "a'b','c\n\"x\\\"y\",\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		res, err := Profile(t.Context(), bytes.NewReader(text), Config{})
		if err != nil {
			return
		}
		if res.Bytes != int64(len(text)) || res.HeaderLine < 1 || len(res.Columns) == 0 || res.MisfitCount < int64(len(res.Misfits)) || res.RemarkCount < int64(len(res.Remarks)) {
			t.Errorf("%q: got %s", text, brief(res))
		}
		for _, c := range res.Columns {
			if values := c.Empty + c.Distinct; values > res.Rows || !utf8.ValidString(c.Name) || !utf8.Valid(c.Min) || !utf8.Valid(c.Max) {
				t.Errorf("%q: got %+v of %d rows", text, c, res.Rows)
			}
		}
	})
}
