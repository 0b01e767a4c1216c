package engineio

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
		{"a namespace, to an early client", "&b64=1&t=1400000000000-0", []*Frame{packet("2/é,", `["é"]`)}, `16:42/Ã©,["\u00e9"]`},
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

// socket.io.js 1.0.x says revision 2, and means a third one in which all text is UTF-8 twice over.
func TestRevision2(t *testing.T) {
	cfg, sessions := accepting(Config{})
	inBubbleWith(t, "2", cfg, func(e *env) {
		_, body := e.rawPoll("?EIO=2&transport=polling&b64=1")
		r := <-sessions
		query := "?EIO=2&transport=polling&sid=" + r.session.ID()
		if !strings.HasPrefix(body, "97:0{") || r.session.Revision() != 3 {
			e.t.Errorf("got %q in revision %d, want that of the third", body, r.session.Revision())
		}
		for _, other := range []string{"3", "4"} {
			if status, _, body := e.raw("GET", strings.Replace(query, "EIO=2", "EIO="+other, 1), ""); status != 400 {
				e.t.Errorf("EIO=%s: got %d %s, want 400", other, status, body)
			}
		}
		e.rawPost(query, "9:4AMANHÃ\u00a0!")
		f := packet("2/é,", `["é"]`)
		r.session.Send(f, NewFrame(Message{Data: []byte("é")}))
		if _, got := e.rawPoll(query); got != `16:42/Ã©,["\u00e9"]3:4Ã©` {
			e.t.Errorf("got %q, want JSON escaped, and what is not UTF-8 twice over", got)
		}
		c := e.webSocket(strings.Replace(query, "polling", "websocket", 1))
		defer c.close()
		c.send("2probe")
		c.wantText("3probe")
		c.send("5")
		c.send("4\u00c9\u00ae")
		c.send("2")
		c.wantText("3")
		r.session.Send(f)
		c.wantText(`42/Ã©,["\u00e9"]`)
		c.write(clientFrame(true, 9, "\xc3\xa9"))
		if _, got, err := c.read(); got != "\xc3\xa9" {
			e.t.Errorf("got pong %q, %v, want the ping's bytes", got, err)
		}
		synctest.Wait()
		if got := r.messages(); !slices.Equal(got, []string{"AMANHà!", "ɮ"}) {
			e.t.Errorf("got %q, want it once", got)
		}
	})
	inBubbleWith(t, "2", Config{DisableRevision3: true}, func(e *env) {
		if status, _, body := e.raw("GET", "?EIO=2&transport=polling", ""); status != 400 || !strings.Contains(body, `"code":5`) {
			e.t.Errorf("got %d %s, want 400 and code 5", status, body)
		}
	})
}

// What reads no text from a server gets none, as long as it has not asked for it.
func TestEarlyClientsGetBinaryPayloads(t *testing.T) {
	for _, tt := range []struct {
		query  string
		binary bool
	}{
		{"EIO=2", true},
		{"EIO=3&t=1400000000000-0", true},
		{"EIO=3&t=1796055294963-12", true},
		{"EIO=2&b64=1&t=1796055294963-0", false},
		{"EIO=3&b64=1&t=1796055294963-0", false},
		{"EIO=3&t=Lk5X9Zz", false},
		{"EIO=3&t=LsG-4-0", false},
		{"EIO=3&t=1796055294963", false},
		{"EIO=3&t=1234567-0", false},
		{"EIO=3", false},
	} {
		t.Run(tt.query, func(t *testing.T) {
			cfg, sessions := accepting(Config{})
			inBubbleWith(t, tt.query[4:5], cfg, func(e *env) {
				contentType, _ := e.rawPoll("?transport=polling&" + tt.query)
				r := <-sessions
				r.session.Send(NewFrame(Message{Data: []byte("a")}))
				_, payload := e.rawPoll("?transport=polling&" + tt.query[:5] + "&sid=" + r.session.ID())
				wantType, want := contentText, "2:4a"
				if tt.binary {
					wantType, want = contentBinary, "\x00\x02\xff4a"
				}
				if contentType != wantType || payload != want {
					e.t.Errorf("got a handshake in %s and the payload %q, want %s and %q", contentType, payload, wantType, want)
				}
			})
		})
	}
}
