package parser

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestLexer(t *testing.T) {
	const data = ` { "a" : [ 1 , -2.5e3, "x\"" ,true,false,null, {} ] ,"b\u0063":{"d":[]} } `
	l := Lexer{Data: []byte(data)}
	var got []string
	for {
		tok, ok := l.Next()
		if !ok {
			break
		}
		got = append(got, string(tok.Kind)+data[tok.Start:tok.End])
		if tok.Kind == ':' && string(l.Unquote(tok)) != "a" && string(l.Unquote(tok)) != "bc" && string(l.Unquote(tok)) != "d" {
			t.Errorf("key %s says %q", data[tok.Start:tok.End], l.Unquote(tok))
		}
	}
	want := strings.Fields(`{{ :"a" [[ 01 0-2.5e3 "\x22x\"" ttrue ffalse nnull {{ }} ]] :"b\u0063" {{ :"d" [[ ]] }} }}`)
	want[5] = `""x\""`
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLexerPlaceholder(t *testing.T) {
	for data, want := range map[string]int{
		`{"_placeholder":true,"num":3}`:             3,
		` { "num" : 12 , "_placeholder" : true } `:  12,
		`{"_placeholder":true,"num":3,"other":"x"}`: 3,
		`{"_pl\u0061ceholder":true,"num":0}`:        0,
		`{"_placeholder":false,"num":3}`:            -1,
		`{"_placeholder":true}`:                     -1,
		`{"_placeholder":true,"num":-1}`:            -1,
		`{"_placeholder":true,"num":"1"}`:           -1,
		`{"num":1}`:                                 -1,
		`{"_placeholder":true,"num":{}}`:            -1,
		`{}`:                                        -1,
		`{`:                                         -1,
	} {
		l := Lexer{Data: []byte(data)}
		l.Next()
		before := l
		num, ok := l.Placeholder()
		if ok != (want >= 0) || ok && num != want {
			t.Errorf("%s: got %d, %v, want %d", data, num, ok, want)
		}
		if _, more := l.Next(); ok && more {
			t.Errorf("%s: the placeholder goes on", data)
		}
		if l = before; !ok {
			l.Skip()
			if _, more := l.Next(); more {
				t.Errorf("%s: not skipped", data)
			}
		}
	}
}

func TestPath(t *testing.T) {
	const data = `{"a":{"b":[1,{"c":"x","d":["y"]},[2,3]]},"e":"z"}`
	for find, want := range map[string]string{
		`"x"`: "a.b.1.c", `"y"`: "a.b.1.d.0", `2,`: "a.b.2.0", `3]`: "a.b.2.1", `"z"`: "e", `{"a"`: "", `[1`: "a.b", `{"c"`: "a.b.1", `none`: "",
	} {
		if got := Path([]byte(data), strings.Index(data, find)); got != want {
			t.Errorf("path of %s: got %q, want %q", find, got, want)
		}
	}
}

// A lexer makes of every valid text the tokens that encoding/json makes, and ends with every other.
func FuzzLexer(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.text[1:]))
	}
	f.Add([]byte(`{"a":[1,{"_placeholder":true,"num":0},"x\"\\",null,{}],"b":{"c":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := Lexer{Data: data}
		if !Valid(data, 0) {
			for range len(data) + 2 {
				if _, ok := l.Next(); !ok {
					return
				}
			}
			t.Fatalf("%q has more tokens than bytes", data)
		}
		Path(data, len(data)/2)
		var got []byte
		for {
			tok, ok := l.Next()
			if !ok {
				break
			}
			got = append(got, data[tok.Start:tok.End]...)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, data); err != nil {
			t.Fatalf("%q: Valid takes it, encoding/json does not: %v", data, err)
		}
		// The colons and commas between tokens are left out; those inside strings are not.
		if stripped := strip(want.Bytes()); string(got) != stripped {
			t.Errorf("%q: got %s, want %s", data, got, stripped)
		}
	})
}

func strip(compact []byte) string {
	var b strings.Builder
	inString := false
	for i := 0; i < len(compact); i++ {
		switch c := compact[i]; {
		case inString && c == '\\':
			b.WriteByte(c)
			i++
			b.WriteByte(compact[i])
			continue
		case c == '"':
			inString = !inString
		case !inString && (c == ':' || c == ','):
			continue
		}
		b.WriteByte(compact[i])
	}
	return b.String()
}
