package socketio

import (
	"encoding/json"
	"strings"
	"testing"

	"jobcast/socketio/internal/parser"
)

// Of the text of every packet is known where its JSON begins: behind the namespace's name, which is none.
func TestPacketsSayWhereTheirJSONBegins(t *testing.T) {
	id := uint64(7)
	made := func(o *outgoing, err error) *outgoing {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	word := "é"
	mixed := Args{JSON: []json.RawMessage{[]byte(`"é"`), []byte(`{"_placeholder":true,"num":0}`)}, Attachments: [][]byte{{1}}}
	for _, tt := range []struct {
		packet     *outgoing
		head, json string
	}{
		{made(encode(parser.Event, "/", nil, "é", &word)), `2`, `["é","é"]`},
		{made(encode(parser.Event, "/é", &id, "e", &word)), `2/é,7`, `["e","é"]`},
		{made(encode(parser.Event, "/", nil, "é", &mixed)), `51-`, `["é","é",{"_placeholder":true,"num":0}]`},
		{made(encodeFor(way{key: "k"}, parser.Event, "/é", nil, "e", &word)), `2/é,`, `["e","é"]`},
		{made(encodeFor(way{plain: true}, parser.Event, "/", nil, "e", &struct{}{})), `2`, `["e"]`},
		{made(encode(parser.Ack, "/", &id, "", &word)), `37`, `["é"]`},
		{made(encode(parser.Ack, "/é", &id, "", &mixed)), `61-/é,7`, `["é",{"_placeholder":true,"num":0}]`},
		{made(encode(parser.ConnectError, "/é", nil, "", &word)), `4/é,`, `"é"`},
		{encodeControl(parser.Connect, "/é", []byte(`{"sid":"é"}`)), `0/é,`, `{"sid":"é"}`},
		{encodeControl(parser.Disconnect, "/é", nil), `1/é,`, ``},
	} {
		m := tt.packet.frames[0].Message()
		if head, rest := string(m.Data[:m.JSON]), string(m.Data[m.JSON:]); head != tt.head || rest != tt.json {
			t.Errorf("got JSON %s behind %s, want %s behind %s", rest, head, tt.json, tt.head)
		}
		for _, f := range tt.packet.frames[1:] {
			if m := f.Message(); m.JSON != 0 {
				t.Errorf("%s%s: got JSON in bytes from %d on", tt.head, tt.json, m.JSON)
			}
		}
		if got := string(tt.packet.frames[0].Escaped()); got != tt.head+strings.ReplaceAll(tt.json, "é", `\u00e9`) {
			t.Errorf("%s%s: got %s escaped", tt.head, tt.json, got)
		}
	}
}
