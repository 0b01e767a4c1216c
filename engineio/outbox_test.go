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

func TestFrameIsEncodedOnce(t *testing.T) {
	f := NewFrame(Message{Binary: true, Data: []byte{1, 2, 3, 4}})
	if got, want := string(f.appendFrom(make([]byte, 0, 99), 0)), "\x82\x04\x01\x02\x03\x04"; got != want {
		t.Errorf("got %q on a WebSocket, want %q", got, want)
	}
	if got, want := string(f.appendPolling(nil)), "bAQIDBA=="; got != want {
		t.Errorf("got %q while polling, want %q", got, want)
	}
	dst := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { f.appendPolling(dst) }); n != 0 {
		t.Errorf("got %v allocations for the second polling form, want 0", n)
	}
	if got, want := string(NewFrame(Message{Data: []byte("hi")}).appendPolling(nil)), "4hi"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
