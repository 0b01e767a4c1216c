package msgpack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"jobcast/socketio/internal/parser"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The messages are what socket.io-msgpack-parser 3.0.2 writes.
var clientMessages = []struct {
	name, message string
	want          parser.Packet
}{
	{"CONNECT without auth", "83 a474797065 00 a464617461 d40000 a36e7370 a12f", parser.Packet{Type: parser.Connect, Namespace: "/"}},
	{"CONNECT with auth", "83 a474797065 00 a464617461 81 a5746f6b656e a3616263 a36e7370 a52f6a6f6273",
		parser.Packet{Type: parser.Connect, Namespace: "/jobs", Data: json.RawMessage(`{"token":"abc"}`)}},
	{"DISCONNECT", "82 a474797065 01 a36e7370 a12f", parser.Packet{Type: parser.Disconnect, Namespace: "/"}},
	{"EVENT with options and id", "85 a474797065 02 a464617461 93 a46563686f 01 c4020102 a76f7074696f6e73 81 a8636f6d7072657373 c3 a26964 07 a36e7370 a12f",
		parser.Packet{Type: parser.Event, Namespace: "/", HasID: true, ID: 7, Name: []byte("echo"),
			Args: []json.RawMessage{[]byte("1"), []byte(`{"_placeholder":true,"num":0}`)}, Attachments: [][]byte{{1, 2}}}},
	{"ACK", "84 a474797065 03 a464617461 91 c0 a26964 00 a36e7370 a12f",
		parser.Packet{Type: parser.Ack, Namespace: "/", HasID: true, Args: []json.RawMessage{[]byte("null")}}},
	{"EVENT named by a number", "83 a474797065 02 a464617461 91 cd0100 a36e7370 a12f",
		parser.Packet{Type: parser.Event, Namespace: "/", Name: []byte("256"), Args: []json.RawMessage{}}},
}

// What a server says that a client does not.
var serverMessages = []struct {
	name, message string
	want          parser.Packet
}{
	{"CONNECT_ERROR", "83 a474797065 04 a464617461 82 a76d657373616765 a26e6f a464617461 07 a36e7370 a12f",
		parser.Packet{Type: parser.ConnectError, Namespace: "/", Data: json.RawMessage(`{"message":"no","data":7}`)}},
}

func TestDecode(t *testing.T) {
	for _, tt := range append(slices.Clone(clientMessages), serverMessages...) {
		got, err := Decode(unhex(t, tt.message))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}

// event is an EVENT x with one argument.
func event(arg string) string { return "83 a474797065 02 a36e7370 a12f a464617461 92 a178" + arg }

func TestDecodeValues(t *testing.T) {
	for value, want := range map[string]string{
		"00": "0", "7f": "127", "cc80": "128", "cdffff": "65535", "ceffffffff": "4294967295", "cfffffffffffffffff": "18446744073709551615",
		"ff": "-1", "e0": "-32", "d0df": "-33", "d18000": "-32768", "d280000000": "-2147483648", "d38000000000000000": "-9223372036854775808",
		"cb3ff8000000000000": "1.5", "ca3fc00000": "1.5", "ca3dcccccd": "0.1", "cb412e848000000000": "1000000", "cb44b52d02c7e14af6": "1e+23", "cb3e7ad7f29abcaf48": "1e-07",
		"cb7ff0000000000000": "null", "cb7ff8000000000000": "null", "c0": "null", "c2": "false", "c3": "true", "d40000": "null",
		"a0": `""`, "a3e282ac": `"€"`, "d90122": `"\""`, "da00013c": `"<"`, "db0000000101": `"\u0001"`,
		"90": "[]", "9201d40000": "[1,null]", "dc000101": "[1]", "dd0000000101": "[1]",
		"80": "{}", "82a16101a16202": `{"a":1,"b":2}`, "82a161d40000a16202": `{"b":2}`, "de0001a16101": `{"a":1}`, "df00000001a16101": `{"a":1}`,
		"c400": ph(0), "c50001ff": ph(0), "c600000001ff": ph(0), "c7020001ff": ph(0), "92c401aac401bb": "[" + ph(0) + "," + ph(1) + "]",
		"d7000000016f5e66e8c8": `"2020-01-01T00:00:00.200Z"`, "d6ff5e0be100": `"2020-01-01T00:00:00Z"`,
		"d7ff773594005e0be100": `"2020-01-01T00:00:00.5Z"`, "c70cff00000001ffffffffffffffff": `"1969-12-31T23:59:59.000000001Z"`, "d7007fffffffffffffff": "null",
	} {
		p, err := Decode(unhex(t, event(value)))
		if err != nil || len(p.Args) != 1 || string(p.Args[0]) != want {
			t.Errorf("%s: got %s, %v, want %s", value, p.Args, err, want)
		}
	}
}

func ph(n byte) string { return `{"_placeholder":true,"num":` + string('0'+n) + `}` }

func TestDecodeRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		message string
		want    error
	}{
		"empty":                    {"", ErrShort},
		"no map":                   {"01", ErrTag},
		"claims members":           {"dfffffffff", ErrKey},
		"claims elements":          {"83 a474797065 02 a36e7370 a12f a464617461 ddffffffff", ErrShort},
		"claims elements inside":   {event("ddffffffff"), ErrShort},
		"claims members inside":    {event("dfffffffff"), ErrShort},
		"claims bytes":             {event("c6ffffffff"), ErrShort},
		"claims text":              {event("dbffffffff"), ErrShort},
		"claims an extension":      {event("c9ffffffff00"), ErrShort},
		"cut number":               {event("cf0000"), ErrShort},
		"cut":                      {event(""), ErrShort},
		"trailing":                 {event("00") + "00", ErrTrailing},
		"unknown tag":              {event("c1"), ErrTag},
		"unknown extension":        {event("d50500ff"), ErrTag},
		"timestamp of three bytes": {event("c703ff000000"), ErrTag},
		"key":                      {event("8101a161"), ErrKey},
		"not UTF-8":                {event("a1ff"), parser.ErrUTF8},
		"type":                     {"82 a474797065 05 a36e7370 a12f", parser.ErrType},
		"no type":                  {"81 a36e7370 a12f", parser.ErrType},
		"no namespace":             {"81 a474797065 00", parser.ErrNamespace},
		"namespace":                {"82 a474797065 00 a36e7370 a22f2c", parser.ErrNamespace},
		"auth":                     {"83 a474797065 00 a36e7370 a12f a464617461 90", parser.ErrPayload},
		"null for auth":            {"83 a474797065 00 a36e7370 a12f a464617461 c0", parser.ErrPayload},
		"CONNECT with an id":       {"83 a474797065 00 a36e7370 a12f a26964 01", parser.ErrID},
		"DISCONNECT with data":     {"83 a474797065 01 a36e7370 a12f a464617461 90", parser.ErrPayload},
		"CONNECT_ERROR alone":      {"82 a474797065 04 a36e7370 a12f", parser.ErrPayload},
		"DISCONNECT with an id":    {"83 a474797065 01 a36e7370 a12f a26964 01", parser.ErrPayload},
		"EVENT without data":       {"82 a474797065 02 a36e7370 a12f", parser.ErrPayload},
		"EVENT without name":       {"83 a474797065 02 a36e7370 a12f a464617461 90", parser.ErrPayload},
		"name":                     {"83 a474797065 02 a36e7370 a12f a464617461 91 c3", parser.ErrPayload},
		"not a number for a name":  {"83 a474797065 02 a36e7370 a12f a464617461 91 cb7ff8000000000000", parser.ErrPayload},
		"reserved":                 {"83 a474797065 02 a36e7370 a12f a464617461 91 a7636f6e6e656374", parser.ErrReserved},
		"data is no array":         {"83 a474797065 02 a36e7370 a12f a464617461 80", parser.ErrPayload},
		"ACK without id":           {"83 a474797065 03 a36e7370 a12f a464617461 90", parser.ErrID},
		"negative id":              {"84 a474797065 03 a36e7370 a12f a464617461 90 a26964 ff", parser.ErrID},
		"large id":                 {"84 a474797065 03 a36e7370 a12f a464617461 90 a26964 cf0020000000000000", parser.ErrID},
		"deep":                     {event(strings.Repeat("91", parser.MaxDepth) + "00"), ErrDepth},
		"binaries":                 {event("dc0401" + strings.Repeat("c400", MaxBinaries+1)), ErrBinaries},
		"arguments":                {"83 a474797065 02 a36e7370 a12f a464617461 dc0402 a178" + strings.Repeat("00", 1025), parser.ErrArgs},
	} {
		if _, err := Decode(unhex(t, tt.message)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if _, err := Decode(unhex(t, event(strings.Repeat("91", parser.MaxDepth-1)+"00"))); err != nil {
		t.Errorf("as deep as may be: %v", err)
	}
}

// What a message claims is not allocated.
func TestClaimsCostNothing(t *testing.T) {
	for _, message := range []string{event("ddffffffff"), event("c6ffffffff"), "83 a474797065 02 a36e7370 a12f a464617461 dc0400 a178"} {
		b := unhex(t, message)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			Decode(b)
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 1000 {
			t.Errorf("%.40s…: %d bytes allocated", message, n)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		packet      string
		attachments [][]byte
		want        string
	}{
		{`0{"sid":"x"}`, nil, "83 a474797065 00 a36e7370 a12f a464617461 81 a3736964 a178"},
		{`1/jobs,`, nil, "82 a474797065 01 a36e7370 a52f6a6f6273"},
		{`4/ns,{"message":"no"}`, nil, "83 a474797065 04 a36e7370 a32f6e73 a464617461 81 a76d657373616765 a26e6f"},
		{`2/ns,12["x",1,-1,1.5,true,false,null]`, nil, "84 a474797065 02 a36e7370 a32f6e73 a26964 0c a464617461 97 a178 01 ff cb3ff8000000000000 c3 c2 c0"},
		{`52-["x",[{"_placeholder":true,"num":1}],{"a":{"_placeholder":true,"num":0}}]`, [][]byte{{1}, {2, 3}},
			"83 a474797065 02 a36e7370 a12f a464617461 93 a178 91 c4020203 81 a161 c40101"},
		{`2["x",{"_placeholder":true,"num":0}]`, nil, "83 a474797065 02 a36e7370 a12f a464617461 92 a178 82 ac5f706c616365686f6c646572 c3 a36e756d 00"},
		{`30[]`, nil, "84 a474797065 03 a36e7370 a12f a26964 00 a464617461 90"},
		{`2["\u20ac\n",{"a":[],"b":{}},[[1],[2,3]]]`, nil, "83 a474797065 02 a36e7370 a12f a464617461 93 a4e282ac0a 82 a161 90 a162 80 92 91 01 92 02 03"},
	} {
		if got := Encode([]byte(tt.packet), tt.attachments); !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%s: got %x, want %s", tt.packet, got, tt.want)
		}
	}
}

// Every length in its shortest form, and back.
func TestLengths(t *testing.T) {
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536, 100_000} {
		text, _ := json.Marshal(strings.Repeat("x", n))
		list := append(bytes.TrimSuffix(bytes.Repeat([]byte("0,"), n), []byte(",")), ']')
		object := []byte("{")
		for i := range n {
			key, _ := json.Marshal(i)
			object = append(append(append(object, `"k`...), key...), `":0,`...)
		}
		object = append(bytes.TrimSuffix(object, []byte(",")), '}')
		packet := `51-["x",` + string(text) + `,[` + string(list) + `,` + string(object) + `,` + ph(0) + `]`
		message := Encode([]byte(packet), [][]byte{make([]byte, n)})
		p, err := Decode(message)
		if err != nil || len(p.Args) != 4 || string(p.Append(nil)) != packet || len(p.Attachments) != 1 || len(p.Attachments[0]) != n {
			t.Errorf("%d: got %d arguments, %v", n, len(p.Args), err)
		}
	}
}

func TestNumbersKeepTheirKind(t *testing.T) {
	for _, digits := range []string{"0", "127", "128", "255", "256", "65535", "65536", "4294967295", "4294967296", "9007199254740993", "18446744073709551615",
		"-1", "-32", "-33", "-128", "-129", "-32768", "-32769", "-2147483648", "-2147483649", "-9223372036854775808", "1.5", "-0.1", "1e+23"} {
		p, err := Decode(Encode([]byte(`2["x",`+digits+`]`), nil))
		if err != nil || string(p.Args[0]) != digits {
			t.Errorf("%s: got %s, %v", digits, p.Args, err)
		}
	}
	if got := Encode([]byte(`2["x",1e400,-0,1.0]`), nil); !bytes.HasSuffix(got, unhex(t, "cb7ff0000000000000 cb8000000000000000 cb3ff0000000000000")) {
		t.Errorf("got %x", got)
	}
}

// Whatever comes in is refused or is a packet that comes out as one that comes in the same.
func FuzzDecode(f *testing.F) {
	for _, tt := range clientMessages {
		f.Add(unhex(f, tt.message))
	}
	for _, value := range []string{"d7000000016f5e66e8c8", "82a161d40000a16202", "92c401aac401bb", "cb3ff8000000000000", "d7ff773594005e0be100", "c7020001ff", "ddffffffff"} {
		f.Add(unhex(f, event(value)))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		p, err := Decode(message)
		if err != nil {
			return
		}
		for _, arg := range append(p.Args, p.Data) {
			if arg != nil && !parser.Valid(arg, 0) {
				t.Fatalf("%x: %s is not JSON", message, arg)
			}
			if len(arg) > 6*len(message)+32*len(p.Attachments) {
				t.Errorf("%x: %d bytes of JSON", message, len(arg))
			}
		}
		text := p.Append(nil)
		again, err := Decode(Encode(text, p.Attachments))
		if err != nil {
			t.Fatalf("%x: what comes out of %s does not come in: %v", message, text, err)
		}
		if got := again.Append(nil); !bytes.Equal(got, text) && p.Data == nil {
			t.Errorf("%x: got %s, want %s", message, got, text)
		}
	})
}

// Every packet of JSON has a message that says the same.
func FuzzEncode(f *testing.F) {
	f.Add(`{"a":[1,-2.5,"x\u0000€",null,true,{}],"b":{"c":[]}}`)
	f.Add(`[{"_placeholder":true,"num":0},{"num":1,"_placeholder":true}]`)
	f.Fuzz(func(t *testing.T, arg string) {
		if !parser.Valid([]byte(arg), 2) {
			Encode([]byte("2"+arg), [][]byte{{}})
			return
		}
		p, err := Decode(Encode([]byte(`52-["x",`+arg+`]`), [][]byte{{1}, {2, 2}}))
		if errors.Is(err, parser.ErrPlaceholder) || errors.Is(err, ErrBinaries) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", arg, err)
		}
		var got, want any
		if err := json.Unmarshal([]byte(arg), &want); err != nil {
			return // a number out of range
		}
		if err := json.Unmarshal(p.Args[0], &got); err != nil {
			t.Fatal(err)
		}
		if len(p.Attachments) == 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", arg, got, want)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	packet := []byte(`2/jobs,["job:event",{"job":"01J9Z8Q6ZB1M2N3P4Q5R6S7T8V","seq":1234,"type":"progress","time":"2026-01-02T03:04:05.678Z","data":{"done":12345,"total":99999,"text":"halfway there"}}]`)
	b.ReportAllocs()
	for b.Loop() {
		Encode(packet, nil)
	}
}

func BenchmarkDecode(b *testing.B) {
	message := Encode([]byte(`2/jobs,["job:event",{"job":"01J9Z8Q6ZB1M2N3P4Q5R6S7T8V","seq":1234,"type":"progress","time":"2026-01-02T03:04:05.678Z","data":{"done":12345,"total":99999,"text":"halfway there"}}]`), nil)
	b.ReportAllocs()
	for b.Loop() {
		Decode(message)
	}
}
