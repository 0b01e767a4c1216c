package parser

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func args(values ...string) []json.RawMessage {
	raw := make([]json.RawMessage, len(values))
	for i, v := range values {
		raw[i] = json.RawMessage(v)
	}
	return raw
}

// vectors are the examples of socket.io-protocol v5, "Packet encoding", "Exchange protocol" and "Sample
// session", and a few that the grammar there allows.
var vectors = []struct {
	text        string
	attachments [][]byte
	packet      Packet
}{
	{`0`, nil, Packet{Type: Connect, Namespace: "/"}},
	{`0{"token":"123"}`, nil, Packet{Type: Connect, Namespace: "/", Data: json.RawMessage(`{"token":"123"}`)}},
	{`0/admin,`, nil, Packet{Type: Connect, Namespace: "/admin"}},
	{`0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`, nil, Packet{Type: Connect, Namespace: "/admin", Data: json.RawMessage(`{"sid":"oSO0OpakMV_3jnilAAAA"}`)}},
	{`0/ns?x=1,`, nil, Packet{Type: Connect, Namespace: "/ns?x=1"}},
	{`1`, nil, Packet{Type: Disconnect, Namespace: "/"}},
	{`1/admin,`, nil, Packet{Type: Disconnect, Namespace: "/admin"}},
	{`2["foo"]`, nil, Packet{Type: Event, Namespace: "/", Name: []byte("foo"), Args: args()}},
	{`2/admin,["bar"]`, nil, Packet{Type: Event, Namespace: "/admin", Name: []byte("bar"), Args: args()}},
	{`2["hey","Jude"]`, nil, Packet{Type: Event, Namespace: "/", Name: []byte("hey"), Args: args(`"Jude"`)}},
	{`212["foo"]`, nil, Packet{Type: Event, Namespace: "/", HasID: true, ID: 12, Name: []byte("foo"), Args: args()}},
	{`20["foo",1,{"a":[null,true]}]`, nil, Packet{Type: Event, Namespace: "/", HasID: true, Name: []byte("foo"), Args: args(`1`, `{"a":[null,true]}`)}},
	{`29007199254740991["x"]`, nil, Packet{Type: Event, Namespace: "/", HasID: true, ID: MaxID, Name: []byte("x"), Args: args()}},
	{`3/admin,13["bar"]`, nil, Packet{Type: Ack, Namespace: "/admin", HasID: true, ID: 13, Args: args(`"bar"`)}},
	{`313[]`, nil, Packet{Type: Ack, Namespace: "/", HasID: true, ID: 13, Args: args()}},
	{`4{"message":"Not authorized"}`, nil, Packet{Type: ConnectError, Namespace: "/", Data: json.RawMessage(`{"message":"Not authorized"}`)}},
	{`4/old,"refused"`, nil, Packet{Type: ConnectError, Namespace: "/old", Data: json.RawMessage(`"refused"`)}},
	{
		`51-["baz",{"_placeholder":true,"num":0}]`, [][]byte{{1, 2, 3, 4}},
		Packet{Type: Event, Namespace: "/", Name: []byte("baz"), Args: args(`{"_placeholder":true,"num":0}`)},
	},
	{
		`52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, [][]byte{{1, 2}, {3, 4}},
		Packet{Type: Event, Namespace: "/admin", Name: []byte("baz"), Args: args(`{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`)},
	},
	{
		`61-15["bar",{"_placeholder":true,"num":0}]`, [][]byte{{1, 2, 3, 4}},
		Packet{Type: Ack, Namespace: "/", HasID: true, ID: 15, Args: args(`"bar"`, `{"_placeholder":true,"num":0}`)},
	},
	{
		`461-/admin,1[{"_placeholder":true,"num":0}]`[1:], [][]byte{{}},
		Packet{Type: Ack, Namespace: "/admin", HasID: true, ID: 1, Args: args(`{"_placeholder":true,"num":0}`)},
	},
}

// decodeAll decodes one packet with its attachments.
func decodeAll(t *testing.T, text []byte, attachments [][]byte) (Packet, error) {
	t.Helper()
	var d Decoder
	p, complete, err := d.Text(text)
	for _, a := range attachments {
		if err != nil || complete {
			break
		}
		p, complete, err = d.Binary(a)
	}
	if err == nil && !complete {
		t.Fatalf("%s: not complete after %d attachments", text, len(attachments))
	}
	return p, err
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		want := v.packet
		want.Attachments = v.attachments
		got, err := decodeAll(t, []byte(v.text), v.attachments)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decode %s: got %+v, %v, want %+v", v.text, got, err, want)
		}
		if text := want.Append(nil); string(text) != v.text {
			t.Errorf("encode: got %s, want %s", text, v.text)
		}
	}
}

// What other encoders may write for the same packets.
func TestDecodeOtherForms(t *testing.T) {
	for text, want := range map[string]Packet{
		"0/admin":                      {Type: Connect, Namespace: "/admin"},
		"1/admin":                      {Type: Disconnect, Namespace: "/admin"},
		"0 {} ":                        {Type: Connect, Namespace: "/", Data: json.RawMessage(`{}`)},
		"2 [ \"a\" ,\n1 ]\t":           {Type: Event, Namespace: "/", Name: []byte("a"), Args: args("1")},
		`2[7,"x"]`:                     {Type: Event, Namespace: "/", Name: []byte("7"), Args: args(`"x"`)},
		`2[-1.5e+3]`:                   {Type: Event, Namespace: "/", Name: []byte("-1.5e+3"), Args: args()},
		`2["\u0061\n\"b"]`:             {Type: Event, Namespace: "/", Name: []byte("a\n\"b"), Args: args()},
		`2[""]`:                        {Type: Event, Namespace: "/", Name: []byte(""), Args: args()},
		`2007["a"]`:                    {Type: Event, Namespace: "/", HasID: true, ID: 7, Name: []byte("a"), Args: args()},
		`50-["a"]`:                     {Type: Event, Namespace: "/", Name: []byte("a"), Args: args()},
		`60-3[]`:                       {Type: Ack, Namespace: "/", HasID: true, ID: 3, Args: args()},
		`2["a",{"_placeholder":true}]`: {Type: Event, Namespace: "/", Name: []byte("a"), Args: args(`{"_placeholder":true}`)},
		`2["日本",{"日本":"\ud800 lone"}]`: {Type: Event, Namespace: "/", Name: []byte("日本"), Args: args(`{"日本":"\ud800 lone"}`)},
	} {
		got, err := decodeAll(t, []byte(text), nil)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := decodeAll(t, []byte(`2["x",`+deep(MaxDepth-1)+`]`), nil); err != nil {
		t.Errorf("%d levels: got %v", MaxDepth, err)
	}
	for text, want := range map[string]error{
		``:                              ErrType,
		`abc`:                           ErrType,
		`7["x"]`:                        ErrType,
		"2[\"\xff\"]":                   ErrUTF8,
		`2`:                             ErrPayload,
		`2{}`:                           ErrPayload,
		`2[]`:                           ErrPayload,
		`2[null]`:                       ErrPayload,
		`2[["x"]]`:                      ErrPayload,
		`2"x"`:                          ErrPayload,
		`2abc["x"]`:                     ErrPayload,
		`2["x"`:                         ErrJSON,
		`2["x"]]`:                       ErrJSON,
		`2["x",]`:                       ErrJSON,
		`2["x",01]`:                     ErrJSON,
		`2["x",{a:1}]`:                  ErrJSON,
		"2[\"x\ny\"]":                   ErrJSON,
		`2["\x"]`:                       ErrJSON,
		`2["x",` + deep(MaxDepth) + `]`: ErrJSON,
		`2["x"` + strings.Repeat(`,1`, MaxArgs) + `]`: ErrArgs,
		`2["connect"]`:                  ErrReserved,
		`2["connect_error"]`:            ErrReserved,
		`2["disconnect"]`:               ErrReserved,
		`2["disconnecting"]`:            ErrReserved,
		`2["newListener"]`:              ErrReserved,
		`2["removeListener"]`:           ErrReserved,
		`2["\u0063onnect"]`:             ErrReserved,
		`29007199254740992["x"]`:        ErrID,
		`299999999999999999999999["x"]`: ErrID,
		`3["x"]`:                        ErrID,
		`31{}`:                          ErrPayload,
		`31`:                            ErrPayload,
		`0[]`:                           ErrPayload,
		`0"x"`:                          ErrPayload,
		`01{}`:                          ErrPayload,
		`0{`:                            ErrJSON,
		`1{}`:                           ErrPayload,
		`1/admin,"x"`:                   ErrPayload,
		`4`:                             ErrPayload,
		`4[]`:                           ErrPayload,
		`0/` + strings.Repeat("n", MaxNamespaceBytes): ErrNamespace,
		`0/n?` + strings.Repeat("q", MaxQueryBytes+1): ErrNamespace,
		`5["x"]`:                                 ErrAttachments,
		`5-["x"]`:                                ErrAttachments,
		`5a-["x"]`:                               ErrAttachments,
		`5-1-["x"]`:                              ErrAttachments,
		`51`:                                     ErrAttachments,
		`511-["x"]`:                              ErrAttachments,
		`599-["x"]`:                              ErrAttachments,
		`599999999999999-["echo","x"]`:           ErrAttachments,
		`4599999999999999-["echo","x"]`[1:]:      ErrAttachments,
		`51-["x",{"_placeholder":true,"num":1}]`: ErrPlaceholder,
		`51-["x",{"_placeholder":true,"num":-1}]`:             ErrPlaceholder,
		`51-["x",{"_placeholder":true,"num":0.5}]`:            ErrPlaceholder,
		`51-["x",{"_placeholder":true,"num":"0"}]`:            ErrPlaceholder,
		`51-["x",{"_placeholder":true,"num":99999999999999}]`: ErrPlaceholder,
		`51-["x",{"_placeholder":true}]`:                      ErrPlaceholder,
		`51-["x",[{"a":{"num":3,"_placeholder":true}}]]`:      ErrPlaceholder,
		`51-["x",{"\u005fplaceholder":true,"n\u0075m":3}]`:    ErrPlaceholder,
	} {
		if _, _, err := new(Decoder).Text([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.60s: got %v, want %v", text, err, want)
		}
	}
}

func TestDecoderJoinsAttachments(t *testing.T) {
	var d Decoder
	message := []byte(`52-["x",{"_placeholder":true,"num":1}]`)
	if _, complete, err := d.Text(message); complete || err != nil {
		t.Fatalf("got %v, %v, want an incomplete packet", complete, err)
	}
	attachment := []byte{1}
	if _, complete, err := d.Binary(attachment); complete || err != nil {
		t.Fatalf("got %v, %v, want an incomplete packet", complete, err)
	}
	clear(message) // what was given belongs to the caller
	attachment[0] = 9
	p, complete, err := d.Binary([]byte{2})
	if !complete || err != nil {
		t.Fatalf("got %v, %v, want a packet", complete, err)
	}
	if want := [][]byte{{1}, {2}}; !reflect.DeepEqual(p.Attachments, want) || string(p.Name) != "x" {
		t.Fatalf("got %q with %v, want x with %v", p.Name, p.Attachments, want)
	}
	if p, complete, err := d.Text([]byte(`2["y"]`)); !complete || err != nil || p.Attachments != nil {
		t.Fatalf("got %+v, %v, %v, want the next packet without attachments", p, complete, err)
	}
	if _, _, err := d.Binary([]byte{3}); !errors.Is(err, ErrBinary) {
		t.Fatalf("got %v, want %v", err, ErrBinary)
	}

	d = Decoder{}
	d.Text([]byte(`51-["x"]`))
	if _, _, err := d.Text([]byte(`2["y"]`)); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("got %v, want %v", err, ErrInterrupted)
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":               `""`,
		"<a href=\"&\">": `"<a href=\"&\">"`,
		"\x00\n\\":       `"\u0000\u000a\\"`,
		"a\xffb":         `"a` + "\ufffd" + `b"`,
		"日本\U0001F600":   `"日本` + "\U0001F600" + `"`,
	} {
		if got := AppendString(nil, in); string(got) != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.text), bytes.Join(v.attachments, nil))
	}
	f.Add([]byte(`2["\ud83d\ude00\u0000",-0.1e-9]`), []byte(nil))
	f.Add([]byte(`510-["x",{"_placeholder":true,"num":9}]`), []byte("0123456789"))
	f.Fuzz(func(t *testing.T, text, attachment []byte) {
		decode := func(text []byte) (p Packet, ok bool) {
			var d Decoder
			p, ok, err := d.Text(text)
			for err == nil && !ok {
				p, ok, err = d.Binary(attachment)
			}
			return p, err == nil
		}
		p, ok := decode(text)
		if !ok {
			return
		}
		if len(p.Attachments) > MaxAttachments || len(p.Args) >= MaxArgs+1 || p.ID > MaxID {
			t.Fatalf("%q: over the limits: %+v", text, p)
		}
		encoded := p.Append(nil)
		again, ok := decode(encoded)
		if !ok || !reflect.DeepEqual(again, p) {
			t.Fatalf("%q: got %+v, encoded as %q that gives %+v, %v", text, p, encoded, again, ok)
		}
	})
}

func FuzzValid(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,-0.5e+7,"\u00e9",{"a":null}]`, ` true `, `"\ud800"`, `01`, `[1,]`, `{"a"}`, "\"\x7f\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Count(string(data), "[")+strings.Count(string(data), "{") > MaxDepth || !bytes.Equal(data, bytes.ToValidUTF8(data, nil)) {
			return // only there we differ
		}
		if got, want := Valid(data, 0), json.Valid(data); got != want {
			t.Fatalf("%q: got %v, want %v as encoding/json says", data, got, want)
		}
	})
}

func BenchmarkDecodeEvent(b *testing.B) {
	message := []byte(`21234["echo",{"data":"` + strings.Repeat("x", 80) + `"}]`)
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := d.Text(message); err != nil {
			b.Fatal(err)
		}
	}
}
