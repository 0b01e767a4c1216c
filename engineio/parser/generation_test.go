package parser_test

import (
	"testing"
	"unicode/utf8"

	"jobcast/engineio/parser"
)

func twice(s string) string { return string(parser.AppendTwice(nil, []byte(s))) }

// hear is what a session makes of messages of which each came in a payload of its own.
func hear(g parser.Generation, messages ...string) (heard []string, learnt parser.Generation) {
	for _, m := range messages {
		g = g.Learn([]byte(m))
		heard = append(heard, string(g.Once([]byte(m))))
	}
	return heard, g
}

// What shows a client's generation decides about it, and about all that follows.
func TestGenerationIsLearnt(t *testing.T) {
	const half = "\u00ed\u00a0\u0080" // of a character
	for _, tt := range []struct {
		name   string
		before parser.Generation
		sent   []string
		heard  []string
		want   parser.Generation
	}{
		{"ASCII shows nothing", parser.Undecided, []string{"hello"}, []string{"hello"}, parser.Undecided},
		{"not UTF-8 twice over", parser.Undecided, []string{"é", "Ã¼", "Â°C", "\u00c2\u0085"},
			[]string{"é", "Ã¼", "Â°C", "\u00c2\u0085"}, parser.Generation2},
		{"a character that is no byte", parser.Undecided, []string{"Ã¼", "€", "Ã¼"}, []string{"ü", "€", "Ã¼"}, parser.Generation2},
		{"a control character", parser.Undecided, []string{twice("ɮ"), twice("É"), twice("ɮ")}, []string{twice("ɮ"), "É", "ɮ"},
			parser.Generation1},
		{"a control character in 2.x", parser.Undecided, []string{twice("’"), "é", twice("’")}, []string{"’", "é", twice("’")},
			parser.Generation2},
		{"half a character", parser.Undecided, []string{half, twice("é")}, []string{"\ufffd", "é"}, parser.Generation1},
		{"what looks like half a character", parser.Undecided, []string{"así\u00a0»"}, []string{"así\u00a0»"}, parser.Undecided},
		{"the revision says it", parser.Generation1, []string{twice("ɮ"), twice("AMANHà")}, []string{"ɮ", "AMANHà"}, parser.Generation1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			heard, learnt := hear(tt.before, tt.sent...)
			for i, got := range heard {
				if got != tt.heard[i] {
					t.Errorf("%q: got %q, want %q", tt.sent[i], got, tt.heard[i])
				}
			}
			if learnt != tt.want {
				t.Errorf("got generation %d, want %d", learnt, tt.want)
			}
		})
	}
}

// Of text that may be of either generation, what is likelier.
func TestUndecidedText(t *testing.T) {
	once := func(t *testing.T, sent, want string) {
		t.Helper()
		if got, learnt := hear(parser.Undecided, sent); got[0] != want || learnt != parser.Undecided {
			t.Errorf("%q: got %q and generation %d, want %q and nothing learnt", sent, got[0], learnt, want)
		}
	}
	t.Run("of 1.x", func(t *testing.T) {
		for _, s := range []string{"é", "ü", "°C", "N°5", "ACME®", "Müller", "D'où venez-vous\u00a0?", "voilà", "20 m²", "żona",
			"да", "5 г", "με", "ή", "שנת", "اب", "मन", "มา", "米", "5米", "고", "cơm", "tiếng", "į", "že", `42["send","à\nда\t\"米\u00e9ü"]`} {
			once(t, twice(s), s)
		}
	})
	t.Run("of 2.x", func(t *testing.T) {
		for _, s := range []string{"NESTLÉ®", "CAFÉ\u00a0!", "SANTÉ\u00a0: 5", "Ñ°5", "STRAß°", "café\u00a0»", "voilà\u00a0»", "FORÊ»",
			"AMANHÃ\u00a0!", "PERÒ\u00a0!", "3×\u00a04", "3×½", "Ø\u00a05", "Ø°", "1380 Å³", "Å²/Å", "Ü®", "Ý©", "Þ°", "È\u00a0»", `42["send","NESTLÉ®"]`} {
			if !utf8.ValidString(s) {
				t.Fatalf("%q is not UTF-8", s)
			}
			if got, learnt := hear(parser.Undecided, s); got[0] != s || learnt == parser.Generation1 {
				t.Errorf("%q: got %q and generation %d, want it as it is", s, got[0], learnt)
			}
		}
	})
}

func FuzzGeneration(f *testing.F) {
	for _, s := range []string{"", "é", "€", "\u00ed\u00a0\u0080", "\\", "A\\u00e9\x00", "\xff", "あ木한ÿ"} {
		f.Add(s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, s string, g uint8) {
		before := parser.Generation(g % 3)
		heard, learnt := hear(before, s)
		if utf8.ValidString(s) && !utf8.ValidString(heard[0]) {
			t.Errorf("%q: got %q, which is not UTF-8", s, heard[0])
		}
		if before == parser.Generation2 && (heard[0] != s || learnt != before) {
			t.Errorf("%q: got %q and %d of 2.x", s, heard[0], learnt)
		}
		if !utf8.ValidString(s) {
			return
		}
		if heard, _ := hear(parser.Generation1, twice(s)); heard[0] != s {
			t.Errorf("%q of 1.x: got %q", s, heard[0])
		}
	})
}
