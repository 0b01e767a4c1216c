package engineio

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// TestOutboxKeepsOrder pushes frames of many sizes and takes them out in pieces of any size.
func TestOutboxKeepsOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var o outbox
	var want, got []byte
	buf := make([]byte, 0, 200)
	for len(want) < 1<<20 || !o.empty() {
		if len(want) < 1<<20 && random.IntN(2) == 0 {
			f := NewFrame(Message{Data: []byte(strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(1000)))})
			o.push(f)
			want = append(append(want, f.head[:f.headLen]...), f.data...)
		}
		if !o.empty() {
			var p []byte
			if random.IntN(4) == 0 {
				p = o.oldest()
			} else {
				p = o.gather(buf)
			}
			n := random.IntN(len(p) + 1)
			got = append(got, p[:n]...)
			o.advance(n)
		}
		if o.bytes != len(want)-len(got) {
			t.Fatalf("got %d bytes waiting, want %d", o.bytes, len(want)-len(got))
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("what left is not what was pushed")
	}
	if cap(o.frames) > keptCap {
		t.Errorf("got room for %d frames in an empty outbox, want %d at most", cap(o.frames), keptCap)
	}
}

func TestOutboxDropsWhatHasNotBegun(t *testing.T) {
	frame := func(s string) *Frame { return newControl(ws.OpPing, []byte(s)) } // two bytes of header
	tests := []struct {
		name    string
		before  func(*outbox)
		written int // what turns out to have been written
		want    string
	}{
		{"nothing has begun", func(*outbox) {}, 0, ""},
		{"the first is half out", func(o *outbox) { o.gather(make([]byte, 0, 99)); o.advance(3) }, 0, "aa"},
		{"two are being written", func(o *outbox) { o.gather(make([]byte, 0, 6)) }, 5, "\x89\x03bbb"},
		{"the rest of the first is being written", func(o *outbox) {
			o.gather(make([]byte, 0, 99))
			o.advance(4)
			o.oldest()
		}, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o outbox
			o.push(frame("aaa"), frame("bbb"), frame("ccc"))
			tt.before(&o)
			o.drop()
			o.advance(tt.written)
			o.push(frame("end"))
			if got, want := string(o.gather(make([]byte, 0, 99))), tt.want+"\x89\x03end"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A message that many sessions get is encoded once for each form that they need: what a second session
// costs is no allocation.
func TestFrameIsEncodedOnce(t *testing.T) {
	v3, v3b64 := &revision3{}, &revision3{base64: true}
	binary := NewFrame(Message{Binary: true, Data: []byte{1, 2, 3, 4}})
	text := NewFrame(Message{Data: []byte("hi")})
	onWebSocket := func(rev revision, f *Frame) func([]byte) []byte {
		return func(dst []byte) []byte { return rev.frame(f).appendFrom(dst, 0) }
	}
	polling := func(rev revision, f *Frame) func([]byte) []byte {
		frames := []*Frame{f}
		return func(dst []byte) []byte {
			dst, _ = rev.appendPayload(dst, frames)
			return dst
		}
	}
	for _, tt := range []struct {
		name   string
		encode func([]byte) []byte
		want   string
	}{
		{"binary, revision 4, WebSocket", onWebSocket(revision4{}, binary), "\x82\x04\x01\x02\x03\x04"},
		{"binary, revision 4, polling", polling(revision4{}, binary), "bAQIDBA=="},
		{"binary, revision 3, WebSocket", onWebSocket(v3, binary), "\x82\x05\x04\x01\x02\x03\x04"},
		{"binary, revision 3, WebSocket in base64", onWebSocket(v3b64, binary), "\x81\x0ab4AQIDBA=="},
		{"binary, revision 3, polling", polling(v3, binary), "\x01\x05\xff\x04\x01\x02\x03\x04"},
		{"binary, revision 3, polling in base64", polling(v3b64, binary), "10:b4AQIDBA=="},
		{"text, revision 4, WebSocket", onWebSocket(revision4{}, text), "\x81\x034hi"},
		{"text, revision 4, polling", polling(revision4{}, text), "4hi"},
		{"text, revision 3, WebSocket", onWebSocket(v3, text), "\x81\x034hi"},
		{"text, revision 3, polling", polling(v3, text), "3:4hi"},
	} {
		dst := make([]byte, 0, 64)
		if got := string(tt.encode(dst)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if n := testing.AllocsPerRun(100, func() { tt.encode(dst) }); n != 0 {
			t.Errorf("%s: got %v allocations for the second session, want 0", tt.name, n)
		}
	}
}
