package engineio

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// packet is a message that is JSON behind head.
func packet(head, json string) *Frame {
	return NewFrame(Message{Data: []byte(head + json), JSON: len(head)})
}

// In a payload of text JSON is in ASCII, and nothing else of a message is changed. Its length is that of what
// is written.
func TestOldClientsGetJSONInASCII(t *testing.T) {
	binary := NewFrame(Message{Binary: true, Data: []byte{0xc3, 0xa9}})
	for _, tt := range []struct {
		name, more string
		frames     []*Frame
		want       string
	}{
		{"text", "&b64=1", []*Frame{packet("2", `["é","小米"]`)}, `27:42["\u00e9","\u5c0f\u7c73"]`},
		{"two halves", "&b64=1", []*Frame{packet("2", `["😀"]`)}, `18:42["\ud83d\ude00"]`},
		{"what would be a quote", "&b64=1", []*Frame{packet("2", `["hi•"]`)}, `14:42["hi\u2022"]`},
		{"what was escaped", "&b64=1", []*Frame{packet("2", `["\\u00e9\n"]`)}, `15:42["\\u00e9\n"]`},
		{"a namespace", "&b64=1", []*Frame{packet("2/é,", `["é"]`)}, `15:42/é,["\u00e9"]`},
		{"no JSON", "&b64=1", []*Frame{NewFrame(Message{Data: []byte(`2["é"]`)})}, `7:42["é"]`},
		{"an answer beside bytes", "&b64=1", []*Frame{packet("61-12", `["é",{"_placeholder":true,"num":0}]`), binary},
			`46:461-12["\u00e9",{"_placeholder":true,"num":0}]6:b4w6k=`},
		{"ASCII", "&b64=1", []*Frame{packet("2", `["e"]`)}, `7:42["e"]`},
		{"a script", "&j=3", []*Frame{packet("2", `["é\n"]`), binary}, `___eio[3]("14:42[\"\\u00e9\\n\"]6:b4w6k=");`},
		{"a binary payload", "", []*Frame{packet("2", `["é"]`)}, "\x00\x08\xff" + `42["é"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, sessions := accepting(Config{})
			inBubbleWith(t, "3", cfg, func(e *env) {
				_, body := e.rawPoll("?EIO=3&transport=polling"+tt.more, jsonpHeader...)
				s := (<-sessions).session
				if strings.Contains(body, "\\u") {
					e.t.Errorf("got %q, want a handshake without escapes", body)
				}
				s.Send(tt.frames...)
				if _, got := e.rawPoll("?EIO=3&transport=polling&sid="+s.ID(), jsonpHeader...); got != tt.want {
					e.t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// A message that waited while the client polled goes out on a WebSocket as it is: there nothing is read twice.
func TestTextAcrossUpgradeIsNotEscaped(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubbleWith(t, "3", cfg, func(e *env) {
		query := e.openRaw("&b64=1")
		s := (<-sessions).session
		f := packet("2", `["é"]`)
		s.Send(f)
		if _, got := e.rawPoll(query); got != `12:42["\u00e9"]` {
			e.t.Errorf("got %q before the upgrade, want it escaped", got)
		}
		c := e.webSocket(strings.Replace(query, "polling", "websocket", 1))
		defer c.close()
		c.send("2probe")
		c.wantText("3probe")
		s.Send(f)
		c.send("5")
		c.wantText(`42["é"]`)
		s.Send(f)
		c.wantText(`42["é"]`)
	})
}

// The sessions of one message share its escaped form, and those of revision 4 do not know of it.
func TestEscapedTextIsEncodedOnce(t *testing.T) {
	f := packet("2", `["é"]`)
	dst := make([]byte, 0, 64)
	frames := []*Frame{f}
	for range 2 {
		if got, _ := (revision4{}).appendPayload(dst, frames); string(got) != `42["é"]` {
			t.Errorf("revision 4: got %q", got)
		}
	}
	old := &revision3{base64: true}
	got, _ := old.appendPayload(dst, frames)
	if n := testing.AllocsPerRun(100, func() { old.appendPayload(dst, frames) }); n != 0 || string(got) != `12:42["\u00e9"]` {
		t.Errorf("got %q, and %v allocations for the second session, want 0", got, n)
	}
}

// A session learns of which generation its client is, from all of a payload, and does not forget it.
func TestSessionLearnsItsClientsGeneration(t *testing.T) {
	post := func(payload ...string) (body string) {
		for _, p := range payload {
			body += fmt.Sprintf("%d:4%s", 1+len([]rune(p)), p)
		}
		return body
	}
	for _, tt := range []struct {
		name  string
		posts []string
		want  []string
	}{
		{"2.x", []string{post("NESTLÉ®"), post("Ã¼"), post("é"), post("Ã¼")}, []string{"NESTLÉ®", "ü", "é", "Ã¼"}},
		{"2.x, in one payload", []string{post("Ã¼", "é")}, []string{"Ã¼", "é"}},
		{"1.x", []string{post("Ã©"), post("\u00e2\u0082\u00ac"), post("\u00c9\u00ae")}, []string{"é", "€", "ɮ"}},
		{"1.x, in one payload", []string{post("\u00c9\u00ae", "\u00e2\u0082\u00ac")}, []string{"ɮ", "€"}},
	} {
		for _, way := range []string{"", "&j=0"} {
			t.Run(tt.name+way, func(t *testing.T) {
				cfg, sessions := accepting(Config{})
				inBubbleWith(t, "3", cfg, func(e *env) {
					e.rawPoll("?EIO=3&transport=polling"+way, jsonpHeader...)
					r := <-sessions
					for _, body := range tt.posts {
						if way != "" {
							body = url.Values{"d": {body}}.Encode()
						}
						e.rawPost("?EIO=3&transport=polling&sid="+r.session.ID(), body, jsonpHeader...)
					}
					if got := r.messages(); !slices.Equal(got, tt.want) {
						e.t.Errorf("got %q, want %q", got, tt.want)
					}
				})
			})
		}
	}
}
