package parser_test

import (
	"encoding/json"
	"testing"

	"jobcast/engineio/parser"
)

func TestAppendEscaped(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		`["a\n\\ \u00e9"]`:             `["a\n\\ \u00e9"]`,
		`["é€😀"]`:                      `["\u00e9\u20ac\ud83d\ude00"]`,
		"[\"\u007f\u0080\u2028\"]":     "[\"\x7f" + `\u0080\u2028"]`,
		`{"ключ":[1,"小\\米"]}`:          `{"\u043a\u043b\u044e\u0447":[1,"\u5c0f\\\u7c73"]}`,
		"\"\uffff\U00010000\U0010ffff": `"\uffff\ud800\udc00\udbff\udfff`,
		"\"\xff\"":                     `"\ufffd"`,
	} {
		if got := string(parser.AppendEscaped([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("%q: got %s, want x%s", in, got, want)
		}
	}
}

// FuzzAppendEscaped checks that the escaped form is ASCII and says the same.
func FuzzAppendEscaped(f *testing.F) {
	for _, s := range []string{"", "é", "\\\"\n€", "😀\x00", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		escaped := parser.AppendEscaped(nil, plain)
		var got, want string
		if err := json.Unmarshal(plain, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &got); err != nil || got != want || !parser.IsASCII(escaped) {
			t.Errorf("%q: got %s, which says %q, %v", want, escaped, got, err)
		}
	})
}
