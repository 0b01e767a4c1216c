package attach

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"jobcast/socketio/internal/parser"
)

type blob []byte

type Part part

type part struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

type Base struct {
	Extra []byte `json:"extra,omitempty"`
}

type hidden struct{ Inner []byte }

type node struct {
	Data []byte
	Kids []*node
}

// everything has bytes in every place, and what looks like bytes but is not.
type everything struct {
	Base
	hidden
	*Part
	Named   blob
	Deep    map[string][]part
	Nested  [][]byte
	Array   [2]blob
	Pointer *[]byte
	Ignored []byte `json:"-"`
	Dash    []byte `json:"-,"` //nolint:staticcheck // the name is a dash
	Empty   []byte `json:",omitempty"`
	Zero    []byte `json:",omitzero"`
	Tree    *node
	private []byte

	ID   [4]byte
	Raw  json.RawMessage
	IP   net.IP
	Time time.Time
	Any  any
	HTML string
}

func sample() everything {
	p := []byte("pointer")
	return everything{
		Base:    Base{[]byte("extra")},
		hidden:  hidden{[]byte("inner")},
		Part:    &Part{"<x>", []byte{}},
		Named:   blob("named"),
		Deep:    map[string][]part{"b": {{"1", []byte("deep1")}, {"2", nil}}, "a": {{"3", []byte("deep3")}}, "c": nil},
		Nested:  [][]byte{[]byte("n0"), nil, {}},
		Array:   [2]blob{blob("a0"), nil},
		Pointer: &p,
		Ignored: []byte("ignored"),
		Dash:    []byte("dash"),
		Empty:   []byte{},
		Zero:    []byte{},
		Tree:    &node{[]byte("root"), []*node{nil, {[]byte("kid"), nil}}},
		private: []byte("private"),
		ID:      [4]byte{1, 2, 3, 4},
		Raw:     json.RawMessage(`{"a":1}`),
		IP:      net.IPv4(127, 0, 0, 1),
		Any:     []byte("any"),
		HTML:    "<&>",
	}
}

// inBase64 is what encoding/json makes of a value.
func inBase64(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// withBase64 has the attachments in base64 where the placeholders are.
func withBase64(data []byte, attachments [][]byte) string {
	var b strings.Builder
	done := 0
	for l := (parser.Lexer{Data: data}); ; {
		tok, ok := l.Next()
		if !ok {
			return b.String() + string(data[done:])
		}
		if tok.Kind == '{' {
			if n, ok := l.Placeholder(); ok {
				b.WriteString(string(data[done:tok.Start]) + `"` + base64.StdEncoding.EncodeToString(attachments[n]) + `"`)
				done = l.Pos
			}
		}
	}
}

func roundTrip[T any](t *testing.T, v T, wantAttachments int) {
	t.Helper()
	c := For[T]()
	if c == nil {
		t.Fatalf("%T: no codec", v)
	}
	want := inBase64(t, v)
	data, attachments, err := c.Encode(&v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	if got := withBase64(data, attachments); got != want || len(attachments) != wantAttachments {
		t.Errorf("%T: got %s with %d attachments, want %s with %d", v, got, len(attachments), want, wantAttachments)
	}
	if after := inBase64(t, v); after != want {
		t.Errorf("%T: encoding has changed it from %s to %s", v, want, after)
	}
	if !parser.Valid(data, len(attachments)) && len(attachments) <= parser.MaxAttachments {
		t.Errorf("%T: %s is not a valid argument", v, data)
	}
	var decoded, plain T
	if err := c.Decode(data, attachments, &decoded); err != nil {
		t.Errorf("%T: decode: %v", v, err)
	}
	if err := json.Unmarshal([]byte(want), &plain); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decoded, plain) {
		t.Errorf("got %+v, want %+v", decoded, plain)
	}
	decoded = *new(T)
	if err := c.Decode([]byte(want), nil, &decoded); err != nil || !reflect.DeepEqual(decoded, plain) {
		t.Errorf("from base64: got %+v, %v, want %+v", decoded, err, plain)
	}
}

// What is encoded is what encoding/json makes, but for the bytes, and comes back the same.
func TestEncodesAsJSONDoes(t *testing.T) {
	roundTrip(t, sample(), 14)
	roundTrip(t, everything{}, 0)
	roundTrip(t, []byte("alone"), 1)
	roundTrip(t, []byte(nil), 0)
	roundTrip(t, blob("alone"), 1)
	roundTrip(t, map[int]*part{1: {"x", []byte("y")}}, 1)
	roundTrip(t, &part{"x", bytes.Repeat([]byte("y"), 100_000)}, 1)
	roundTrip(t, struct {
		Data []byte
		Same *Base
		Base // Same.Extra is another field
	}{[]byte("1"), &Base{[]byte("2")}, Base{[]byte("3")}}, 3)
	roundTrip(t, struct {
		Base
		Extra string `json:"extra"` // hides Base.Extra
	}{Base{[]byte("hidden")}, "seen"}, 0)
}

// Types that have no bytes in them are none of this package's affair.
func TestNoBytes(t *testing.T) {
	type list struct {
		Next  *list
		Items map[string][]list
	}
	for name, c := range map[string]*Codec{
		"struct": For[struct {
			A int
			B []string
		}](), "RawMessage": For[json.RawMessage](), "ID": For[[16]byte](), "IP": For[net.IP](), "any": For[any](),
		"ignored": For[struct {
			A []byte `json:"-"`
		}](), "private": For[struct{ a []byte }](), "recursive": For[list](), "empty": For[struct{}](), "time": For[time.Time](),
		"ints": For[[]int8](), "own methods": For[map[string]json.RawMessage](), "keys": For[map[[2]byte]string](),
	} {
		if c != nil {
			t.Errorf("%s has a codec", name)
		}
	}
	if For[part]() != For[part]() { //nolint:staticcheck // it is made once
		t.Error("a codec is made twice")
	}
}

func TestEncodeCopiesBytes(t *testing.T) {
	v := part{"x", []byte("before")}
	_, attachments, err := For[part]().Encode(&v)
	copy(v.Data, "after!")
	if err != nil || len(attachments) != 1 || string(attachments[0]) != "before" {
		t.Errorf("got %q, %v", attachments, err)
	}
}

func TestEncodeErrors(t *testing.T) {
	n := &node{Data: []byte("x")}
	n.Kids = []*node{n, n}
	if _, _, err := For[*node]().Encode(&n); !errors.Is(err, errDeep) {
		t.Errorf("a value with itself in it: got %v", err)
	}
	type bad struct {
		Data []byte
		F    func()
	}
	if _, _, err := For[bad]().Encode(&bad{}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestDecode(t *testing.T) {
	type upload struct {
		Text  string
		N     int
		Any   any
		Raw   json.RawMessage
		Time  time.Time
		Parts []part
	}
	const p0, p1 = `{"_placeholder":true,"num":0}`, `{"num":1,"_placeholder":true}`
	for _, tt := range []struct {
		data  string
		want  upload
		field string // of the error, with what it says
	}{
		{`{"Parts":[{"data":` + p1 + `},{"DATA":` + p0 + `}]}`, upload{Parts: []part{{"", []byte("one")}, {"", []byte("zero")}}}, ""},
		{`{"Parts":[{"data":` + p0 + `},{"data":` + p0 + `}]}`, upload{Parts: []part{{"", []byte("zero")}, {"", []byte("zero")}}}, ""},
		{`{"Parts":[{"data":null},{"data":"AQI="},{"data":""}]}`, upload{Parts: []part{{}, {"", []byte{1, 2}}, {"", []byte{}}}}, ""},
		{`{"unknown":` + p0 + `,"Parts":[{"data":` + p1 + `}]}`, upload{Parts: []part{{"", []byte("one")}}}, ""},
		{`{"Raw":` + p0 + `,"Any":[` + p1 + `]}`, upload{Raw: json.RawMessage(p0), Any: []any{map[string]any{"_placeholder": true, "num": 1.0}}}, ""},
		{`{"Text":` + p0 + `}`, upload{}, "Text binary string"},
		{`{"N":` + p0 + `,"Parts":[{"data":` + p1 + `}]}`, upload{}, "N binary int"},
		{`{"N":{},"Parts":[{"data":` + p1 + `}]}`, upload{}, "N object int"},
		{`{"Parts":[{"data":` + p1 + `},{},{"data":7}]}`, upload{}, "Parts.2.data number []uint8"},
		{`{"Parts":[{},{"data":[1,2]}]}`, upload{Parts: []part{{}, {"", []byte{1, 2}}}}, ""},
		{`{"Parts":[{},{"data":[1,"x"]}]}`, upload{}, "Parts.1.data.1 string uint8"},
		{`{"Parts":[{"data":{"a":1}}]}`, upload{}, "Parts.0.data object []uint8"},
		{`{"Parts":[{"data":` + p1 + `},{"name":"not!base64","data":""},{"data":"not!base64"}]}`, upload{}, "Parts.2.data string []uint8"},
		{`{"Text":"x","Parts":[{"name":8}]}`, upload{}, "Parts.0.name number string"},
	} {
		var got upload
		err := For[upload]().Decode([]byte(tt.data), [][]byte{[]byte("zero"), []byte("one")}, &got)
		said := ""
		if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			said = mismatch.Field + " " + mismatch.Value + " " + mismatch.Type.String()
		} else if err != nil {
			said = err.Error()
		}
		if tt.field != "" && said != tt.field || tt.field == "" && (said != "" || !reflect.DeepEqual(got, tt.want)) {
			t.Errorf("%s: got %+v, %q, want %+v, %q", tt.data, got, said, tt.want, tt.field)
		}
	}
	var u upload
	if err := For[upload]().Decode([]byte(`{"Time":`+p0+`}`), [][]byte{{}}, &u); err == nil {
		t.Error("a placeholder is a time")
	}
}

// Without attachments any text is to encoding/json what it is to a Codec, and with some it does no harm.
func FuzzDecode(f *testing.F) {
	s := sample()
	data, _, _ := For[everything]().Encode(&s)
	f.Add(string(data))
	f.Add(`{"Named":"AQI=","Tree":{"Data":7,"Kids":[{"Data":"!"}]},"Nested":[null,{"_placeholder":true,"num":1}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		var got, want everything
		err := For[everything]().Decode([]byte(data), nil, &got)
		wantErr := json.Unmarshal([]byte(data), &want)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v, %v", got, err, want, wantErr)
		}
		if !parser.Valid([]byte(data), 3) {
			return
		}
		attachments := [][]byte{[]byte("A"), []byte("B"), []byte("C")}
		var v, again everything
		if For[everything]().Decode([]byte(data), attachments, &v) != nil {
			return
		}
		encoded, attachments, err := For[everything]().Encode(&v)
		if err != nil {
			t.Fatal(err)
		}
		if err := For[everything]().Decode(encoded, attachments, &again); err != nil {
			t.Errorf("decode what was encoded, %s: %v", encoded, err)
		}
	})
}

type upload struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"100B", 100}, {"1MB", 1 << 20}} {
		v := upload{"file", make([]byte, size.bytes)}
		b.Run("attachments/"+size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				For[upload]().Encode(&v)
			}
		})
		b.Run("base64/"+size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = json.Marshal(&v)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"100B", 100}, {"1MB", 1 << 20}} {
		v := upload{"file", make([]byte, size.bytes)}
		data, attachments, _ := For[upload]().Encode(&v)
		text, _ := json.Marshal(&v)
		b.Run("attachments/"+size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var u upload
				For[upload]().Decode(data, attachments, &u)
			}
		})
		b.Run("base64/"+size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var u upload
				_ = json.Unmarshal(text, &u)
			}
		})
	}
}
