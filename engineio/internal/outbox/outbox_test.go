package outbox

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// TestQueueKeepsOrder pushes frames of many sizes and takes them out in pieces of any size.
func TestQueueKeepsOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var o Queue
	var want, got []byte
	buf := make([]byte, 0, 200)
	for len(want) < 1<<20 || !o.Empty() {
		if len(want) < 1<<20 && random.IntN(2) == 0 {
			f := NewFrame(Message{Data: []byte(strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(1000)))})
			o.Push(f)
			want = append(append(want, f.head[:f.headLen]...), f.data...)
		}
		if !o.Empty() {
			var p []byte
			if random.IntN(4) == 0 {
				p = o.Oldest()
			} else {
				p = o.Gather(buf)
			}
			n := random.IntN(len(p) + 1)
			got = append(got, p[:n]...)
			o.Advance(n)
		}
		if o.bytes != len(want)-len(got) {
			t.Fatalf("got %d bytes waiting, want %d", o.bytes, len(want)-len(got))
		}
	}
	if !bytes.Equal(got, want) {
		t.Error("what left is not what was pushed")
	}
	if cap(o.frames) > keptCap {
		t.Errorf("got room for %d frames in an empty queue, want %d at most", cap(o.frames), keptCap)
	}
}

func TestQueueDropsWhatHasNotBegun(t *testing.T) {
	frame := func(s string) *Frame { return NewControl(ws.OpPing, []byte(s)) } // two bytes of header
	tests := []struct {
		name    string
		before  func(*Queue)
		written int // what turns out to have been written
		want    string
	}{
		{"nothing has begun", func(*Queue) {}, 0, ""},
		{"the first is half out", func(o *Queue) { o.Gather(make([]byte, 0, 99)); o.Advance(3) }, 0, "aa"},
		{"two are being written", func(o *Queue) { o.Gather(make([]byte, 0, 6)) }, 5, "\x89\x03bbb"},
		{"the rest of the first is being written", func(o *Queue) {
			o.Gather(make([]byte, 0, 99))
			o.Advance(4)
			o.Oldest()
		}, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o Queue
			o.Push(frame("aaa"), frame("bbb"), frame("ccc"))
			tt.before(&o)
			o.Drop()
			o.Advance(tt.written)
			o.Push(frame("end"))
			if got, want := string(o.Gather(make([]byte, 0, 99))), tt.want+"\x89\x03end"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
