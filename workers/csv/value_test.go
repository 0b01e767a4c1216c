package csv

import (
	"math"
	"strconv"
	"testing"
	"time"
)

func TestParseValue(t *testing.T) {
	for want, values := range map[class][]string{
		classEmpty: {"", " ", "\t "},
		classInteger: {"0", "7", "-7", "-0", "10", " 42 ", "999999999999999999", "-999999999999999999", "20240101",
			"+5", "+0", " +7 ", "1610521604143693812", "1000000000000000000", "-9223372036854775808", "18446744073709551615"},
		classNumber:  {"0.5", ".5", "-.5", "-0.0", "1.50", "1e5", "1E-5", "2.5e+10", "3.141592653589793238", "123456789012345678.5", "1e-999", "+0.5", "+.5", "+1e5"},
		classBoolean: {"true", "FALSE", "Yes", "no", " True "},
		classDate:    {"2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31", " 1970-01-01"},
		classDatetime: {"2024-02-29T12:30:00Z", "2024-02-29 12:30", "2024-02-29t12:30:60z", "2024-02-29T12:30:00.123456789+01:00",
			"2024-02-29T12:30+0100", "2024-02-29 23:59:59-07", "2024-02-29T12:30:00.1234567890123Z"},
		classString: {"abc", "\u00a0", "007", "-01", "00.5", "+007", "++5", "+-5", "+", "1,5", "1 000", "0x1F", "NaN", "Inf", "-Infinity", "1e999", "1e", "1e+", "e5", "-", ".", "-.", "5.",
			"1.2.3", "1_000", "18446744073709551616", "-9223372036854775809", "100000000000000000000", "18446744073709551615000", "12-34", "2024-13-01", "2024-00-10", "2024-02-30", "1900-02-29", "2023-02-29", "2024-01-00", "2024-1-01", "2024/01/01",
			"24-01-2024", "2024-01-01T", "2024-01-01T24:00", "2024-01-01T12:60", "2024-01-01T12:00:61", "2024-01-01T12:00:00.", "2024-01-01T12:00+1", "2024-01-01T12:00+24:00",
			"2024-01-01T12:00+01:60", "2024-01-01T12:00Zz", "2024-01-01x12:00", "2024-01-011", "2024-01-01T1200", "1234-567890", "y", "n", "t", "truee", "null", "N/A",
			"0.0000000000000000000000000000000000000000000000000000001"},
	} {
		for _, v := range values {
			if got := parseValue([]byte(v)); got.class != want {
				t.Errorf("%q: got class %d, want %d", v, got.class, want)
			}
		}
	}
}

func TestParseValueReadsNumbersExactly(t *testing.T) {
	for _, v := range []string{"0.1", "-0.3", "123.456", "0.000000000000001", "99999999999999.9", "1.7976931348623157e308", "4.9e-324", "9007199254740993.5", "-2.5e-3", "0.30000000000000004", "123456789012345", "-42"} {
		want, err := strconv.ParseFloat(v, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := parseValue([]byte(v)); got.num != want {
			t.Errorf("%s: got %v, want %v", v, got.num, want)
		}
	}
	for _, v := range []string{"0", "-1", "-999999999999999999", "9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551615"} {
		if got := parseValue([]byte(v)).whole.String(); got != v {
			t.Errorf("got %s, want %s", got, v)
		}
	}
}

func TestParseValueReadsMomentsAsTimeDoes(t *testing.T) {
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 10000; day = day.AddDate(0, 0, 13) {
		if got := parseValue([]byte(day.Format(time.DateOnly))); got.class != classDate || got.at.seconds != day.Unix() {
			t.Fatalf("%v: got %+v, want %d seconds", day, got, day.Unix())
		}
	}
	for _, v := range []string{"2024-02-29T12:30:15.000000001Z", "1969-12-31T23:59:59.5-07:00", "0001-01-01T00:00:00+14:00", "2024-06-30T23:59:59.123Z"} {
		want, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			t.Fatal(err)
		}
		got := parseValue([]byte(v))
		if got.class != classDatetime || got.at != (instant{want.Unix(), int64(want.Nanosecond())}) {
			t.Errorf("%s: got %+v, want %d.%09d", v, got, want.Unix(), want.Nanosecond())
		}
	}
}

func TestInferType(t *testing.T) {
	for _, tt := range []struct {
		name   string
		counts [classes]int64
		want   ColumnType
	}{
		{"nothing", [classes]int64{}, TypeEmpty},
		{"only empty values", [classes]int64{classEmpty: 9}, TypeEmpty},
		{"integers", [classes]int64{classInteger: 9}, TypeInteger},
		{"empty values do not count", [classes]int64{classEmpty: 1000, classInteger: 1}, TypeInteger},
		{"one number makes integers numbers", [classes]int64{classInteger: 9999, classNumber: 1}, TypeNumber},
		{"one datetime makes dates datetimes", [classes]int64{classDate: 9999, classDatetime: 1}, TypeDatetime},
		{"95 % are enough", [classes]int64{classInteger: 95, classString: 5}, TypeInteger},
		{"less is not", [classes]int64{classInteger: 94, classString: 5}, TypeString},
		{"95 % of integers and numbers together", [classes]int64{classInteger: 50, classNumber: 45, classDate: 5}, TypeNumber},
		{"numbers in a column of dates", [classes]int64{classDate: 97, classNumber: 3}, TypeDate},
		{"half and half", [classes]int64{classBoolean: 50, classInteger: 50}, TypeString},
		{"booleans", [classes]int64{classBoolean: 3}, TypeBoolean},
		{"strings", [classes]int64{classString: 3, classInteger: 1}, TypeString},
		{"more values than a product of ints holds", [classes]int64{classInteger: math.MaxInt64 / 2, classString: 1}, TypeInteger},
	} {
		got, fits := inferType(&tt.counts)
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if !fits[classEmpty] {
			t.Errorf("%s: an empty value does not fit", tt.name)
		}
		if fits[classString] != (got == TypeString || got == TypeEmpty) {
			t.Errorf("%s: got %t for a string in a column of type %s", tt.name, fits[classString], got)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	for _, s := range []string{"-1.5e7", "2024-02-29T12:30:00.5+01:00", " yes ", "000", "1e400"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseValue(b)
		if got.class != classInteger && got.class != classNumber {
			return
		}
		trimmed := string(trimSpaces(b))
		want, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || got.num != want {
			t.Errorf("%q: got %v, want %v, %v", b, got.num, want, err)
		}
	})
}
