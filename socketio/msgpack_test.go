package socketio

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"jobcast/engineio"
	"jobcast/socketio/internal/msgpack"
	"jobcast/socketio/internal/parser"
)

// sendPacked has the client send packets in msgpack, which are given as the texts of JSON packets.
func (p *pipe) sendPacked(packet string, attachments ...[]byte) {
	p.message(engineio.Message{Binary: true, Data: msgpack.Encode([]byte(packet), attachments)})
}

// wantPacked checks what the client got in msgpack.
func (p *pipe) wantPacked(want ...string) {
	p.t.Helper()
	var got []string
	for _, m := range p.take() {
		got = append(got, unpacked(p.t, m))
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("client got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// unpacked is the text of a message in msgpack, with its attachments.
func unpacked(t *testing.T, message string) string {
	t.Helper()
	var data []byte
	if _, err := fmt.Sscanf(message, "b%x", &data); err != nil {
		t.Fatalf("got %q, want msgpack", message)
	}
	p, err := msgpack.Decode(data)
	if err != nil {
		t.Fatalf("got %q: %v", message, err)
	}
	text := sid.ReplaceAllString(string(p.Append(nil)), `"sid":"SID"`)
	for _, a := range p.Attachments {
		text += fmt.Sprintf(" b%x", a)
	}
	return text
}

func dialPacked(t *testing.T, srv *Server, namespace string) *pipe {
	t.Helper()
	p := dial(t, srv)
	p.sendPacked("0" + strings.TrimPrefix(namespace+",", "/,"))
	if namespace == "/" {
		p.wantPacked(`0{"sid":"SID"}`)
	} else {
		p.wantPacked(`0` + namespace + `,{"sid":"SID"}`)
	}
	return p
}

// The clients of dialect 4 cannot speak msgpack.
func packedBubble(t *testing.T, test func(t *testing.T, srv *Server)) {
	bubbleWith(t, false, Config{}, test)
}

func TestMsgpack(t *testing.T) {
	packedBubble(t, func(t *testing.T, srv *Server) {
		ns := srv.Of("/custom")
		ns.AllowMsgpack()
		ns.Use(func(_ context.Context, s *Socket) error {
			if string(s.Auth()) != `{"token":"a"}` {
				return &ConnectError{"who are you", map[string]int{"code": 1}}
			}
			return nil
		})
		ns.Handle(upload.On(func(_ context.Context, _ *Socket, req files) (files, error) { return req, nil }))
		ns.HandleAny(func(_ context.Context, _ *Socket, event string, args Args) (Args, error) {
			return args, nil
		})
		p := dial(t, srv)
		p.sendPacked(`0/custom,`)
		p.wantPacked(`4/custom,{"message":"who are you","data":{"code":1}}`)
		p.sendPacked(`0/custom,{"token":"a"}`)
		p.wantPacked(`0/custom,{"sid":"SID"}`)
		p.sendPacked(`2/custom,7["any",1,{"a":[null,1.5]}]`)
		p.wantPacked(`3/custom,7[1,{"a":[null,1.5]}]`)
		p.sendPacked(`51-/custom,8["any",{"_placeholder":true,"num":0}]`, []byte{1, 2})
		p.wantPacked(`61-/custom,8[{"_placeholder":true,"num":0}] b0102`)
		p.sendPacked(`51-/custom,9["upload",{"parts":[{"data":{"_placeholder":true,"num":0}}]}]`, []byte{3})
		p.wantPacked(`61-/custom,9[{"title":"","parts":[{"name":"","data":{"_placeholder":true,"num":0}}]}] b03`)
		p.sendPacked(`2/custom,10["upload",{"parts":[{"data":5}]}]`)
		p.wantPacked(`3/custom,10[{"ok":false,"error":{"code":"bad_request","message":"event upload: parts.0.data: want binary, got number"}}]`)

		s, _ := p.conn.find("/custom")
		done := make(chan struct{})
		s.Go(func(ctx context.Context) {
			defer close(done)
			if n, err := NewCall[string, int]("ask").Ask(ctx, s, "x"); n != 4 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
		})
		p.wantPacked(`2/custom,0["ask","x"]`)
		p.sendPacked(`3/custom,0[4]`)
		<-done

		s.Disconnect(false)
		p.wantPacked(`1/custom,`)
	})
}

// A client in msgpack is refused, in msgpack, where that was not allowed, and by what is not there.
func TestMsgpackRefused(t *testing.T) {
	packedBubble(t, func(t *testing.T, srv *Server) {
		srv.Of("/allowed").AllowMsgpack()
		p := dialPacked(t, srv, "/allowed")
		for namespace, message := range map[string]string{"": errMsgpack.Error(), "/none,": ErrInvalidNamespace.Error()} {
			p.sendPacked("0" + namespace)
			if got := p.take(); len(got) != 1 || !strings.Contains(unpacked(t, got[0]), message) {
				t.Errorf("got %q, want a refusal with %q", got, message)
			}
		}
		p.sendPacked(`2/allowed,["x"]`)
		p.wantClosed("")
		p.send(`2/allowed,["x"]`)
		p.wantClosed(ParseError)

		p = dial(t, srv)
		p.sendBinary(0xc1)
		p.wantClosed(ParseError)
		p, _ = join(t, srv, "/allowed") // in JSON, where msgpack is an attachment too many
		p.sendPacked(`2/allowed,["x"]`)
		p.wantClosed(ParseError)
	})
	bubbleWith(t, true, Config{}, func(t *testing.T, srv *Server) {
		srv.Of("/").AllowMsgpack()
		p := dial(t, srv)
		p.sendPacked(`0`)
		p.wantClosed(ParseError)
	})
}

// A key _placeholder is the mark of another format: here it is a key like any other, whatever it says and
// whether bytes are beside it.
func TestMsgpackKeyPlaceholder(t *testing.T) {
	packedBubble(t, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.AllowMsgpack()
		type typed struct {
			Data []byte `json:"data"`
			Meta any    `json:"meta"`
		}
		ns.Handle(NewCall[typed, typed]("typed").On(func(_ context.Context, _ *Socket, req typed) (typed, error) { return req, nil }))
		ns.HandleAny(func(_ context.Context, _ *Socket, _ string, args Args) (Args, error) { return args, nil })
		p := dialPacked(t, srv, "/")
		mark := func(value, more string) string { return "ac5f706c616365686f6c646572" + value + more }
		for name, object := range map[string]string{
			"false":                     "81" + mark("c2", ""),
			"true":                      "81" + mark("c3", ""),
			"true, and its number":      "82" + mark("c3", "a36e756d00"),
			"a number, then true":       "82" + "a36e756d00" + mark("c3", ""),
			"true, and another number":  "82" + mark("c3", "a36e756d09"),
			"true, and a larger number": "82" + mark("c3", "a36e756dce7fffffff"),
			"an object":                 "81" + mark("80", ""),
		} {
			said := func(head, arg string) string {
				return "84a474797065" + head + "a36e7370a12fa464617461" + arg + "a2696401"
			}
			back := func(arg string) string { return "b84a474797065" + "03" + "a36e7370a12fa2696401" + "a4646174619" + arg }
			for _, tt := range []struct{ event, arg, want string }{
				{"a178", object, "1" + object},
				{"a178", "92" + object + "c40142", "192" + object + "c40142"},
				{"a57479706564", "82a464617461c40142a46d657461" + object, "182a464617461c40142a46d657461" + object},
			} {
				p.message(engineio.Message{Binary: true, Data: unhex(t, said("02", "92"+tt.event+tt.arg))})
				got := p.take()
				// encoding/json sorts the members of a map, and MessagePack has them in no order.
				if name == "a number, then true" && tt.event != "a178" {
					tt.want = strings.Replace(tt.want, object, "82"+mark("c3", "a36e756d00"), 1)
				}
				if want := back(tt.want); len(got) != 1 || got[0] != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
				p.wantClosed("")
			}
		}
	})
}

// What JSON cannot say is not said wrong to those who speak it: there such a key beside bytes is their mark.
func TestKeyPlaceholderForJSON(t *testing.T) {
	packedBubble(t, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.AllowMsgpack()
		type typed struct {
			Data []byte         `json:"data"`
			Meta map[string]any `json:"meta"`
		}
		event := NewEvent[typed]("x")
		plain, s := join(t, srv, "/")
		packed := dialPacked(t, srv, "/")
		forged := typed{[]byte{1}, map[string]any{"_placeholder": true, "num": 0}}
		if err := event.Emit(s, forged); !errors.Is(err, errPlaceholder) {
			t.Errorf("got %v, want %v", err, errPlaceholder)
		}
		event.Emit(ns, forged)
		event.Emit(ns, typed{nil, forged.Meta})
		event.Emit(ns, typed{[]byte{2}, map[string]any{"_placeholder": false}})
		plain.want(`2["x",{"data":null,"meta":{"_placeholder":true,"num":0}}]`,
			`51-["x",{"data":{"_placeholder":true,"num":0},"meta":{"_placeholder":false}}]`, "b02")
		if got := packed.take(); len(got) != 3 {
			t.Errorf("got %d events in msgpack, want 3", len(got))
		}
		plain.wantClosed("")
	})
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A broadcast reaches both kinds of clients, is encoded once for each kind that is there, and not at all in
// msgpack where nobody speaks it.
func TestMsgpackBroadcast(t *testing.T) {
	packedBubble(t, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.AllowMsgpack()
		a, _ := join(t, srv, "/")
		b, _ := join(t, srv, "/")
		c, d := dialPacked(t, srv, "/"), dialPacked(t, srv, "/")
		note.Emit(ns, "<€>")
		NewEvent[filePart]("part").Emit(ns, filePart{"x", []byte{1}})
		for _, p := range []*pipe{a, b} {
			p.want(`2["note","<€>"]`, `51-["part",{"name":"x","data":{"_placeholder":true,"num":0}}]`, "b01")
		}
		for _, p := range []*pipe{c, d} {
			p.wantPacked(`2["note","<€>"]`, `51-["part",{"name":"x","data":{"_placeholder":true,"num":0}}] b01`)
		}
		note.Emit(ns.Volatile(), "v")
		c.wantPacked(`2["note","v"]`)
		c.mu.Lock()
		c.stalled = true
		c.mu.Unlock()
		note.Emit(ns.Volatile(), "w")
		c.wantPacked()

		payload := "x"
		out, err := encode(parser.Event, "/", nil, "note", &payload)
		if err != nil {
			t.Fatal(err)
		}
		a.conn.send(out)
		if out.packed != nil {
			t.Error("encoded in msgpack for a client that speaks JSON")
		}
		c.conn.send(out)
		first := out.packed
		d.conn.send(out)
		if len(first) != 1 || &out.packed[0] != &first[0] {
			t.Error("encoded in msgpack twice")
		}
	})
}

// Packets, broadcasts and an end at the same time are no data race.
func TestMsgpackAtOnce(t *testing.T) {
	packedBubble(t, func(t *testing.T, srv *Server) {
		ns := srv.Of("/")
		ns.AllowMsgpack()
		ns.HandleAny(func(_ context.Context, _ *Socket, _ string, args Args) (Args, error) { return args, nil })
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				p := dial(t, srv)
				if i%2 == 0 {
					p.sendPacked("0")
					p.sendPacked(`21["x"]`)
				} else {
					p.send("0", `21["x"]`)
				}
				note.Emit(ns, "y")
				p.Close(engineio.TransportClose)
			})
		}
		wg.Wait()
		synctest.Wait()
	})
}
